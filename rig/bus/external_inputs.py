"""What may come into a session from outside: an operator's key, a client's stimulus and its release.

A client's command is checked here, in the supervisor, before it reaches the subject: what is malformed,
unknown, not finite or too much is refused with a sentence and never reaches the subject. What is accepted
becomes an `Input` of the next tick. It is recorded with that tick and given to the stimulation engine in
it, which acts on the one after: the contract of the tick holds for what comes from outside as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rig.bus.message_types import TICK_S, EngineReply, Input, Message, Tick

VERBS = ("key", "stimulate", "release")

OUTSIDE = "outside"
"""The stimulus as which every one from outside is announced and recorded."""

STATES = ("cell", "hidden", "both")
MOST_STIMULI = 16
"""So many stimuli from outside may be active at a time."""

MOST_WAITING = 64
"""So many inputs may wait for the next tick."""

LARGEST = 1000.0
"""No gain and no value is larger; activity of units is of the order of 1."""

LONGEST_MS = 3_600_000.0
SHORTEST_MS = TICK_S * 1000
LONGEST_NAME = 64

_FIELDS = ("name", "layer", "units", "state", "gain", "value", "for_ms")


class NotAcceptedError(ValueError):
    """A command from outside that is refused; the sentence says why."""


def read_input(verb: str, args: Mapping[str, Any], layers: Mapping[str, int]) -> Input:
    """The input that a command of one of `VERBS` asks for, every field of it given and checked.

    Args:
        verb: "key", "stimulate" or "release".
        args: what came with it; see docs/bus.md.
        layers: layer name to number of units.

    Raises:
        NotAcceptedError: something is missing, unknown, of the wrong type, not finite or too much.
    """
    if verb == "key":
        _only(args, ("key",), verb)
        return Input("key", _name(args.get("key"), "key"))
    if verb == "release":
        _only(args, ("name",), verb)
        return Input("release", _name(args.get("name"), "name"))
    _only(args, _FIELDS, verb)
    layer = args.get("layer")
    if not isinstance(layer, str) or layer not in layers:
        raise NotAcceptedError(f"layer has to be one of {', '.join(layers)}, not {short(layer)}")
    units = _units(args.get("units"), layer, layers[layer])
    state = args.get("state", "cell")
    if not isinstance(state, str) or state not in STATES:
        raise NotAcceptedError(f"state has to be one of {', '.join(STATES)}, not {short(state)}")
    for_ms = args.get("for_ms")
    if for_ms is not None:
        for_ms = _number(for_ms, "for_ms", LONGEST_MS)
        if for_ms < SHORTEST_MS:
            raise NotAcceptedError(
                f"for_ms has to be at least {SHORTEST_MS:g}, one tick (leave it out for: until released)"
            )
    return Input(
        "stimulate",
        _name(args.get("name"), "name"),
        {
            "layer": layer,
            "units": units,
            "state": state,
            "gain": _per_unit(args.get("gain", 0.0), "gain", len(units)),
            "value": _per_unit(args.get("value", 0.0), "value", len(units)),
            "for_ms": for_ms,
        },
    )


class ExternalInputs:
    """What has come into one session from outside, followed through its stream: how much of it is active.

    Args:
        layers: layer name to number of units.
    """

    def __init__(self, layers: Mapping[str, int]) -> None:
        self._layers = layers
        self._names: set[str] = set()
        self._waiting: list[Input] = []
        self._due: dict[int, int] = {}  # stimuli that a tick has brought, by the tick they act from
        self._active: set[int] = set()

    def accept(self, verb: str, args: Mapping[str, Any]) -> Input:
        """The input that a command asks for, which now waits for the next tick.

        Raises:
            NotAcceptedError: as `read_input`; or too much waits or is active; or nothing has the name that
                is to be released.
        """
        given = read_input(verb, args, self._layers)
        if len(self._waiting) >= MOST_WAITING:
            raise NotAcceptedError(f"{MOST_WAITING} inputs wait for the next tick already")
        if verb == "release" and given.name not in self._names:
            raise NotAcceptedError(f"no stimulus from outside was ever called {given.name!r}")
        if verb == "stimulate":
            waiting = sum(each.kind == "stimulate" for each in self._waiting)
            if waiting + sum(self._due.values()) + len(self._active) >= MOST_STIMULI:
                raise NotAcceptedError(f"{MOST_STIMULI} stimuli from outside are active already")
            self._names.add(given.name)
        self._waiting.append(given)
        return given

    def follow(self, message: Message) -> None:
        """Takes note of a tick, which brings inputs, or an answer, which begins and ends stimuli."""
        content = message.content
        if isinstance(content, Tick):
            for given in content.inputs:
                if given in self._waiting:
                    self._waiting.remove(given)
                if given.kind == "stimulate":
                    self._due[message.tick + 1] = self._due.get(message.tick + 1, 0) + 1
        elif isinstance(content, EngineReply):
            # what has not begun by now never will: its trial was over, or it was released before
            self._due = {tick: n for tick, n in self._due.items() if tick > message.tick}
            for event in content.events:
                if event.kind == "stimulus" and event.name == OUTSIDE:
                    if event.phase == "onset":
                        self._active.add(event.number)
                    else:
                        self._active.discard(event.number)


def _only(args: Mapping[str, Any], known: tuple[str, ...], verb: str) -> None:
    for name in args:
        if name not in known:
            raise NotAcceptedError(f"{verb} takes {', '.join(known)}, not {short(name)}")


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise NotAcceptedError(
            f"{what} has to be a text of 1 to {LONGEST_NAME} printable characters, not {short(value)}"
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
