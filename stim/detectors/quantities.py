"""The quantities that behaviours are defined by: entries of the body state, and what is derived from them.

Besides the entries themselves (`rig.body_quantities`) there are those of `DERIVED`, and the rate of change
of any of them per second: its name with `_rate`, as in `up_rate` or `orb_distance_rate`. A rate compares a
tick with the one before; averaged over a window it is the change over that window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rig.body_quantities import NAMES
from rig.bus.message_types import TICK_S
from rig.errors import RunError

Quantity = Callable[[Sequence[float]], float]
"""From a body-state vector to a number; called once every tick, because rates remember the tick before."""

RATE = "_rate"


class Derived(NamedTuple):
    """What a quantity is, the body-state entries that it is made of, and how."""

    meaning: str
    of: tuple[str, ...]
    made: Callable[..., float]


DERIVED: dict[str, Derived] = {
    "ground_speed": Derived(
        "horizontal speed of the torso in any direction", ("torso_vx", "torso_vy"), math.hypot
    ),
    "least_up": Derived("the lesser of `up` and `pelvis_up`", ("up", "pelvis_up"), min),
    "mean_up": Derived(
        "the mean of `up` and `pelvis_up`", ("up", "pelvis_up"), lambda a, b: (a + b) / 2
    ),
    "tipped": Derived(
        "how far (rad) the torso is rolled to a side or pitched forwards, whichever is more",
        ("roll", "pitch"),
        lambda roll, pitch: max(abs(roll), -pitch),
    ),
    "side_tilt": Derived("how far (rad) the torso is rolled, to either side", ("roll",), abs),
    "forepaws_height": Derived(
        "the height of the lower hand above the ground", ("hand_L_height", "hand_R_height"), min
    ),
    "hindpaws_height": Derived(
        "the height of the lower foot above the ground", ("foot_L_height", "foot_R_height"), min
    ),
    "paws_height": Derived(
        "the height of the lowest paw above the ground",
        ("hand_L_height", "hand_R_height", "foot_L_height", "foot_R_height"),
        min,
    ),
}
"""Quantities made of entries of the body state."""


def is_quantity(name: str) -> bool:
    """Whether a session's body state has the quantity, or what it is made of."""
    return (
        name in NAMES
        or name in DERIVED
        or (name.endswith(RATE) and is_quantity(name[: -len(RATE)]))
    )


def quantity_names() -> tuple[str, ...]:
    """All quantities but rates, for messages that suggest a name."""
    return (*NAMES, *DERIVED)


def read_quantity(name: str, body_state: Sequence[str]) -> Quantity:
    """A function from a body-state vector to the named quantity; a new one for each reader.

    Raises:
        RunError: the session's body state lacks what the quantity is made of.
    """
    index = {entry: i for i, entry in enumerate(body_state)}
    if name in index:
        at = index[name]
        return lambda body: body[at]
    if name in DERIVED:
        made = DERIVED[name].made
        missing = [entry for entry in DERIVED[name].of if entry not in index]
        if not missing:
            return _derived(made, [index[entry] for entry in DERIVED[name].of])
        name = missing[0]
    elif name.endswith(RATE):
        return _rate(read_quantity(name[: -len(RATE)], body_state))
    raise RunError(f"The session's body state has no {name!r}, which detectors need.")


def _derived(made: Callable[..., float], places: Sequence[int]) -> Quantity:
    if len(places) == 1:
        (a,) = places
        return lambda body: made(body[a])
    if len(places) == 2:
        a, b = places
        return lambda body: made(body[a], body[b])
    return lambda body: made([body[place] for place in places])


def _rate(of: Quantity) -> Quantity:
    before = math.nan

    def rate(body: Sequence[float]) -> float:
        nonlocal before
        last, before = before, of(body)
        return (before - last) / TICK_S

    return rate
