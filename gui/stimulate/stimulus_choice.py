"""From what is chosen in the panel to what is asked of the session: the arguments of `stimulate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.seen.seen_activity import KEPT_TICKS, SeenActivity
from gui.seen.stimuli_on import BY_HAND
from rig.bus.message_types import TICK_S
from rig.bus.stimulus_request import LONGEST_MS, MOST_PARTS, MOST_WAVEFORM_NUMBERS
from rig.errors import UserError

Means = Mapping[tuple[str, str], NDArray[np.float32]]
"""The mean of each unit of a layer in a state ("c" or "h"), of a baseline."""


@dataclass(frozen=True)
class Choice:
    """What the operator has chosen.

    Attributes:
        kind: "clamp", "bias", "pulses" or "overwrite".
        state: "cell" or "hidden".
        held_at: a clamp's "value", "seen" (the mean so far) or "baseline".
        given: an overwrite's "last" (what the units did just now), "ticks" (from `begin_s` on) or "file".
        amount: a clamp's value, what a bias or a pulse adds.
        rate_hz, width_ms: of a pulse train.
        begin_s, course_ms: when what an overwrite gives back began (s of animal time), and how long it is.
        for_ms: how long it lasts; None: until it is released.
        delivery: "deliver", "draw" or "sham".
        chance: that what is drawn is delivered.
    """

    kind: str
    state: str = "cell"
    held_at: str = "value"
    given: str = "last"
    amount: float = 0.0
    rate_hz: float = 5.0
    width_ms: float = 40.0
    begin_s: float = 0.0
    course_ms: float = 1000.0
    for_ms: float | None = 500.0
    delivery: str = "deliver"
    chance: float = 0.5

    @property
    def short_state(self) -> str:
        """The state as arrays call it."""
        return "c" if self.state == "cell" else "h"


def arguments(
    choice: Choice,
    name: str,
    units: Mapping[str, Sequence[int]],
    firsts: Mapping[str, int],
    seen: SeenActivity,
    means: Means,
    rows: Sequence[Sequence[float]],
) -> dict[str, Any]:
    """What `stimulate` is asked with (docs/bus.md).

    Args:
        choice: what is chosen.
        name: of the stimulus.
        units: by layer, numbered within it.
        firsts: the number over all layers of each layer's first unit.
        seen: the session's activity so far.
        means: of the baseline that was chosen.
        rows: of the file that was chosen: a row a tick, one number or one for each unit as in `units`.

    Raises:
        UserError: there is nothing of what was chosen, or it does not fit.
    """
    if not units:
        raise UserError("Select units first: click or drag in the raster.")
    if len(units) > MOST_PARTS:
        raise UserError(
            f"A stimulus acts on {MOST_PARTS} layers at most; {len(units)} are selected."
        )
    if choice.kind == "clamp":
        values = _held(choice, units, firsts, seen, means)
    elif choice.kind == "overwrite":
        values = _course(choice, units, firsts, seen, rows)
    else:
        values = {layer: {"value": choice.amount, "gain": 1.0} for layer in units}
    args: dict[str, Any] = {
        "name": name,
        "parts": [
            {"layer": layer, "units": list(own), "state": choice.state, **values[layer]}
            for layer, own in units.items()
        ],
        "origin": BY_HAND,
    }
    if choice.kind == "pulses":
        args["pulses"] = {"width_ms": choice.width_ms, "rate_hz": choice.rate_hz}
    if choice.for_ms is not None:
        args["for_ms"] = choice.for_ms
    elif choice.kind == "overwrite":
        args["for_ms"] = LONGEST_MS  # else it would end with its course
    if choice.delivery == "sham":
        args["sham"] = True
    elif choice.delivery == "draw":
        args["probability"] = choice.chance
    return args


def _held(
    choice: Choice,
    units: Mapping[str, Sequence[int]],
    firsts: Mapping[str, int],
    seen: SeenActivity,
    means: Means,
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for layer, own in units.items():
        if choice.held_at == "value":
            found[layer] = {"value": choice.amount}
            continue
        if choice.held_at == "seen":
            mean = seen.mean(choice.short_state, [firsts[layer] + unit for unit in own])
            if mean is None:
                raise UserError("Nothing has been seen of these units yet.")
        else:
            whole = means.get((layer, choice.short_state))
            if whole is None:
                raise UserError("Choose the recording whose means these units are held at.")
            mean = whole[list(own)]
        found[layer] = {"value": mean.tolist()}
    return found


def _course(
    choice: Choice,
    units: Mapping[str, Sequence[int]],
    firsts: Mapping[str, int],
    seen: SeenActivity,
    rows: Sequence[Sequence[float]],
) -> dict[str, dict[str, Any]]:
    n_units = sum(map(len, units.values()))
    if choice.given == "file":
        if not rows:
            raise UserError("Choose the file with the course that these units follow.")
        table = np.asarray(rows, np.float32)
        if table.shape[1] not in (1, n_units):
            raise UserError(
                f"The file has {table.shape[1]} columns for {n_units} selected units; it has to have 1 or as "
                "many."
            )
        table = np.broadcast_to(table, (len(table), n_units))
        ends = np.cumsum([len(own) for own in units.values()])
        pieces = np.split(table, ends[:-1], axis=1)
        cut = dict(zip(units, map(np.ascontiguousarray, pieces), strict=True))
    else:
        n_ticks = max(1, round(choice.course_ms / 1000 / TICK_S))
        first = round(choice.begin_s / TICK_S)
        if choice.given == "last":
            first = seen.last_tick - n_ticks + 1
        last = first + n_ticks - 1
        cut = {}
        for layer, own in units.items():
            numbers = [firsts[layer] + unit for unit in own]
            course = seen.course(choice.short_state, numbers, first, last)
            if course is None:
                raise UserError(
                    f"This window does not have {first * TICK_S:.2f} to {(last + 1) * TICK_S:.2f} s whole; "
                    f"it keeps the last {KEPT_TICKS * TICK_S:g} s of what it has seen."
                )
            cut[layer] = course
    size = sum(each.size for each in cut.values())
    if size > MOST_WAVEFORM_NUMBERS:
        raise UserError(
            f"{n_units} units for {size // n_units} ticks are {size} numbers; {MOST_WAVEFORM_NUMBERS} can be "
            "sent: choose a shorter course, or fewer units."
        )
    return {layer: {"waveform": course.tobytes()} for layer, course in cut.items()}
