"""Detectors of the user's own in a protocol file: by conditions on quantities, or by a learned classifier."""

from __future__ import annotations

from pathlib import Path

from rig.errors import UserError
from stim import learned
from stim.detectors import After, Behaviour, custom_behaviour
from stim.protocol_source import Node, Problems, shorten, suggestion
from stim.quantities import is_quantity, quantity_names


def defined(name: str, node: Node, problems: Problems) -> Behaviour | None:
    """The behaviour of a detector with `when`; notes what is wrong. See `custom_behaviour` for the file."""
    conditions: dict[str, tuple[float, float]] = {}
    when = node.value["when"]
    if when.form != "mapping" or not when.value:
        problems.add(when, "'when' needs a quantity, such as `pitch: {above: 0.5, until: 0.3}`")
        return None
    sound = True
    for quantity, value in when.value.items():
        if not is_quantity(quantity):
            near = suggestion(quantity, quantity_names(), "quantities")
            key = when.keys[quantity]
            problems.add(key, f"there is no quantity {shorten(quantity)}; {near}")
            sound = False
            continue
        side = "above" if "above" in value.value else "below"
        on, off = float(value.value[side].value), float(value.value["until"].value)
        if on == off or (on > off) != (side == "above"):
            other = "below" if side == "above" else "above"
            problems.add(value, f"'until' has to be {other} '{side}': there the behaviour ends")
            sound = False
        conditions[quantity] = (on, off)
    if not sound:
        return None
    own = custom_behaviour(name, conditions)
    after = node.get("after")
    return custom_behaviour(
        name,
        conditions,
        smoothing_ms=number(node, "smoothing_ms", own.smoothing_ms),
        min_duration_ms=number(node, "min_duration_ms", own.min_duration_ms),
        refractory_ms=number(node, "refractory_ms", own.refractory_ms),
        after=None
        if after is None
        else After((str(after.value["behaviour"].value),), float(after.value["within_ms"].value)),
    )


def classified(name: str, node: Node, folder: Path, problems: Problems) -> Behaviour | None:
    """The behaviour of a detector with `learned`, a file as seen from `folder`; notes what is wrong."""
    file, of = node.value["learned"], node.get("class")
    try:
        return learned.learned_behaviour(
            name,
            learned.load(folder / str(file.value)),
            "" if of is None else str(of.value),
            min_duration_ms=number(node, "min_duration_ms", 60.0),
            refractory_ms=number(node, "refractory_ms", 0.0),
        )
    except UserError as problem:
        problems.add(file if of is None else of, str(problem).rstrip("."))
        return None


def number(node: Node, key: str, default: float) -> float:
    """A number that a mapping may have."""
    given = node.get(key)
    return default if given is None else float(given.value)
