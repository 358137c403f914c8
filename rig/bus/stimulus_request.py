"""A stimulus that a client of the bus asks for: every field of it checked, before it reaches the subject.

What passes has finite numbers, units that exist, and no more of anything than a tick has room for. What does
not is a `NotAcceptedError`, whose sentence says what has to stand there.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rig.bus.message_types import TICK_S

STATES = ("cell", "hidden", "both")
MOST_PARTS = 4
"""So many layers may be changed by one stimulus, each its own part of it."""

LARGEST = 1000.0
"""No gain and no value is larger; activity of units is of the order of 1."""

LONGEST_MS = 3_600_000.0
SHORTEST_MS = TICK_S * 1000
LONGEST_NAME = 64
MOST_WAVEFORM_TICKS = 3000
MOST_WAVEFORM_NUMBERS = 15_000
"""In all parts together; as bytes they leave room for the rest of a command (64 kB)."""
FASTEST_HZ = 25.0
"""A pulse and its pause take a tick each at least."""
SLOWEST_HZ = 0.001
MOST_PULSES = 1_000_000

_ASKED = "asked for as "

PART_FIELDS = ("layer", "units", "state", "gain", "value", "waveform")
"""What is said of the units of one layer."""
WHOLE_FIELDS = ("name", "parts", "pulses", "for_ms", "sham", "probability", "origin")
"""What is said of the stimulus as a whole."""


class NotAcceptedError(ValueError):
    """A command from outside that is refused; the sentence says why."""


def read_stimulus(args: Mapping[str, Any], layers: Mapping[str, int]) -> dict[str, Any]:
    """The arguments of a stimulus that is asked for, checked, with the defaults of those that are missing.

    Args:
        args: what came with `stimulate`, but for its name; see docs/bus.md.
        layers: layer name to number of units.

    Raises:
        NotAcceptedError: something is missing, unknown, of the wrong type, not finite or too much.
    """
    only(args, (*PART_FIELDS, *WHOLE_FIELDS), "stimulate")
    for_ms = args.get("for_ms")
    if for_ms is not None:
        for_ms = _number(for_ms, "for_ms", LONGEST_MS)
        if for_ms < SHORTEST_MS:
            raise NotAcceptedError(
                f"for_ms has to be at least {SHORTEST_MS:g}, one tick (leave it out for: until released)"
            )
    found: dict[str, Any] = {}
    if "parts" in args:
        found["parts"] = _parts(args, layers)
    else:
        found |= _part({name: args[name] for name in PART_FIELDS if name in args}, layers)
    found["for_ms"] = for_ms
    numbers = sum(
        len(row) if isinstance(row, list) else 1
        for part in found.get("parts", [found])
        for row in part.get("waveform", ())
    )
    if numbers > MOST_WAVEFORM_NUMBERS:
        raise NotAcceptedError(
            f"waveform has {numbers} numbers; {MOST_WAVEFORM_NUMBERS} are the most (fewer ticks, or fewer "
            "units)"
        )
    if args.get("pulses") is not None:
        found["pulses"] = _pulses(args["pulses"])
    sham, probability = args.get("sham"), args.get("probability")
    if sham is not None and not isinstance(sham, bool):
        raise NotAcceptedError(f"sham has to be true or false, not {short(sham)}")
    if sham is not None and probability is not None:
        raise NotAcceptedError("sham and probability exclude each other: chosen, or drawn")
    if sham:
        found["sham"] = True
    if probability is not None:
        chance = _number(probability, "probability")
        if not 0 <= chance <= 1:
            raise NotAcceptedError(f"probability has to be from 0 to 1, not {chance:g}")
        found["probability"] = chance
    if args.get("origin") is not None:
        found["origin"] = name_of(args["origin"], "origin")
    return found


def _parts(args: Mapping[str, Any], layers: Mapping[str, int]) -> list[dict[str, Any]]:
    parts = args["parts"]
    extra = next((name for name in PART_FIELDS if name in args), "")
    if extra:
        raise NotAcceptedError(f"{extra} belongs into each of the parts, where there are parts")
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_PARTS:
        raise NotAcceptedError(
            f"parts has to be a list of 1 to {MOST_PARTS} mappings, one a layer, not {short(parts)}"
        )
    found = []
    for each in parts:
        if not isinstance(each, dict):
            raise NotAcceptedError(f"a part has to be a mapping with a layer, not {short(each)}")
        only(each, PART_FIELDS, "a part")
        found.append(_part(each, layers))
    named = [each["layer"] for each in found]
    if len(set(named)) != len(named):
        raise NotAcceptedError("parts name a layer twice: list its units in one of them")
    return found


def _part(args: Mapping[str, Any], layers: Mapping[str, int]) -> dict[str, Any]:
    layer = args.get("layer")
    if not isinstance(layer, str) or layer not in layers:
        raise NotAcceptedError(f"layer has to be one of {', '.join(layers)}, not {short(layer)}")
    units = _units(args.get("units"), layer, layers[layer])
    state = args.get("state", "cell")
    if not isinstance(state, str) or state not in STATES:
        raise NotAcceptedError(f"state has to be one of {', '.join(STATES)}, not {short(state)}")
    found: dict[str, Any] = {
        "layer": layer,
        "units": units,
        "state": state,
        "gain": _per_unit(args.get("gain", 0.0), "gain", len(units)),
    }
    if args.get("waveform") is None:
        found["value"] = _per_unit(args.get("value", 0.0), "value", len(units))
        return found
    if "value" in args:
        raise NotAcceptedError("value and waveform exclude each other: held, or tick by tick")
    found["waveform"] = _waveform(args["waveform"], len(units))
    return found


def _waveform(value: object, n_units: int) -> list[float] | list[list[float]]:
    """A number a tick for all units, or a list of one for each; also as bytes: float32, ticks × units."""
    if isinstance(value, bytes):
        if not value or len(value) % (4 * n_units):
            raise NotAcceptedError(
                f"waveform has {len(value)} bytes, not those of 4-byte numbers of {n_units} units a tick"
            )
        value = np.frombuffer(value, "<f4").reshape(-1, n_units).tolist()
    if not isinstance(value, list) or not 0 < len(value) <= MOST_WAVEFORM_TICKS:
        n_ticks = f"{len(value)} of them" if isinstance(value, list) else short(value)
        raise NotAcceptedError(
            f"waveform has to be a list of 1 to {MOST_WAVEFORM_TICKS} ticks, not {n_ticks}"
        )
    if not isinstance(value[0], list):
        return [_number(each, "waveform") for each in value]
    rows: list[list[float]] = []
    for each in value:
        if not isinstance(each, list) or len(each) != n_units:
            raise NotAcceptedError(
                f"waveform has to have {n_units} numbers in each tick, one a unit, or one for all in each"
            )
        rows.append([_number(number, "waveform") for number in each])
    return rows


def _pulses(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotAcceptedError(
            f"pulses has to be a mapping with width_ms and rate_hz, not {short(value)}"
        )
    only(value, ("width_ms", "rate_hz", "number"), "pulses")
    width_ms = _number(value.get("width_ms"), "width_ms", LONGEST_MS)
    rate_hz = _number(value.get("rate_hz"), "rate_hz")
    if width_ms < SHORTEST_MS:
        raise NotAcceptedError(f"width_ms has to be at least {SHORTEST_MS:g}, one tick")
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        raise NotAcceptedError(
            f"rate_hz has to be from {SLOWEST_HZ:g} to {FASTEST_HZ:g}, not {rate_hz:g}"
        )
    found: dict[str, Any] = {"width_ms": width_ms, "rate_hz": rate_hz}
    number = value.get("number")
    if number is not None:
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or not 0 < number <= MOST_PULSES:
            raise NotAcceptedError(
                f"number has to be a whole number from 1 to {MOST_PULSES}, not {short(number)}"
            )
        found["number"] = number
    width_ticks = max(1, math.floor(width_ms / SHORTEST_MS + 0.5))
    if number != 1 and width_ticks >= round(1 / (rate_hz * TICK_S)):
        raise NotAcceptedError(
            f"pulses of {width_ticks * SHORTEST_MS:g} ms at {rate_hz:g} Hz leave no gap: they follow each "
            "other too soon"
        )
    return found


def only(args: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    """Raises `NotAcceptedError` where a mapping has a key that is not known.

    Args:
        args: the mapping.
        known: its possible keys.
        what: whose they are, for the sentence.
    """
    for name in args:
        if name not in known:
            raise NotAcceptedError(f"{what} takes {', '.join(known)}, not {short(name)}")


def name_of(value: object, what: str, longest: int = LONGEST_NAME) -> str:
    """A text that can be shown and kept.

    Args:
        value: what came.
        what: the field's name, for the sentence.
        longest: how many characters it may have.

    Raises:
        NotAcceptedError: it is none, empty, too long, or has characters that cannot be printed.
    """
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise NotAcceptedError(
            f"{what} has to be a text of 1 to {longest} printable characters, not {short(value)}"
        )
    return value


def _number(value: object, what: str, largest: float = LARGEST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotAcceptedError(f"{what} has to be a number, not {short(value)}")
    if not math.isfinite(value) or abs(value) > largest:
        raise NotAcceptedError(
            f"{what} has to be between {-largest:g} and {largest:g}, not {value:g}"
        )
    return float(value)


def _per_unit(value: object, what: str, n_units: int) -> float | list[float]:
    if not isinstance(value, list):
        return _number(value, what)
    if len(value) != n_units:
        raise NotAcceptedError(
            f"{what} has {len(value)} numbers for {n_units} units: give one each, or one for all"
        )
    return [_number(each, what) for each in value]


def _units(value: object, layer: str, n_units: int) -> list[int]:
    if not isinstance(value, list) or not value:
        raise NotAcceptedError(f"units has to be a list of units of {layer}, not {short(value)}")
    if len(value) > n_units:
        raise NotAcceptedError(f"units names {len(value)} units; {layer} has {n_units}")
    for unit in value:
        if isinstance(unit, bool) or not isinstance(unit, int) or not 0 <= unit < n_units:
            raise NotAcceptedError(
                f"units of {layer} are whole numbers from 0 to {n_units - 1}, not {short(unit)}"
            )
    if len(set(value)) != len(value):
        raise NotAcceptedError("units names a unit twice")
    return value


def short(value: object) -> str:
    """What a client sent, for a sentence: 40 characters at most, none of which moves a cursor."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"


def cause_of(name: str, origin: str = "") -> str:
    """The cause of the onset of a stimulus that was asked for under a name.

    >>> cause_of("mine", "by hand")
    "by hand: asked for as 'mine'"
    """
    return f"{origin}: {_ASKED}{name!r}" if origin else f"{_ASKED}{name!r}"


def asked_for(cause: str) -> tuple[str, str]:
    """The name and the origin in a cause of `cause_of`; both "" in another cause.

    >>> asked_for("by hand: asked for as 'mine'")
    ('mine', 'by hand')
    """
    before, asked, quoted = cause.partition(_ASKED)
    try:
        name = ast.literal_eval(quoted) if asked else ""
    except (ValueError, SyntaxError):
        name = ""
    return (name, before.removesuffix(": ")) if isinstance(name, str) and name else ("", "")
