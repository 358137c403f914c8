"""From the checked tree of a protocol file to its behaviours: the rig's, as the file sets them, and its own.

The file's are defined by thresholds on quantities, or by a learned classifier. A detector with mistakes
within single keys is left out; `check` has noted those.
"""

from __future__ import annotations

import dataclasses

from rig.errors import UserError
from stim.detectors import learned
from stim.detectors.behaviours import BEHAVIOURS
from stim.detectors.definition import After, Behaviour, custom_behaviour, with_thresholds
from stim.detectors.quantities import is_quantity, quantity_names
from stim.protocol.detector_keys import DETECTOR
from stim.protocol.nodes import Context, key_of, number_of, section_of
from stim.protocol.source import Node, shorten, suggestion


def behaviours_of(tree: Node, context: Context) -> tuple[Behaviour, ...]:
    """All behaviours of the rig and of the file's detectors; notes what is wrong with the latter."""
    behaviours = {behaviour.name: behaviour for behaviour in BEHAVIOURS}
    for name, node in section_of(tree, "detectors").items():
        if name == "trial":
            context.problems.add(
                key_of(tree, "detectors", name), "a detector cannot be named 'trial'"
            )
        if not context.is_valid(node, DETECTOR):
            continue
        of = node.get("behaviour")
        if of is None:
            if name in behaviours:
                key = key_of(tree, "detectors", name)
                context.problems.add(
                    key, f"{name!r} is the name of a behaviour: choose another name"
                )
                continue
            if "when" in node.value:
                found = _defined(name, node, context)
            else:
                found = _classified(name, node, context)
            if found is not None:
                behaviours[name] = found
            continue
        if name in behaviours and name != of.value:
            context.problems.add(
                of,
                f"{name!r} is the name of a behaviour: a detector of {of.value!r} needs another name",
            )
            continue
        own = behaviours[of.value]
        behaviour = dataclasses.replace(
            own,
            name=name,
            smoothing_ms=number_of(node, "smoothing_ms", own.smoothing_ms),
            min_duration_ms=number_of(node, "min_duration_ms", own.min_duration_ms),
            refractory_ms=number_of(node, "refractory_ms", own.refractory_ms),
        )
        thresholds = node.get("thresholds")
        if thresholds is not None and thresholds.form == "mapping":
            behaviour = with_thresholds(behaviour, _thresholds(behaviour, thresholds, context))
        behaviours[name] = behaviour
    return tuple(behaviours.values())


def _thresholds(
    behaviour: Behaviour, node: Node, context: Context
) -> dict[str, tuple[float, float | None]]:
    own = {threshold.name: threshold for threshold in behaviour.thresholds}
    found: dict[str, tuple[float, float | None]] = {}
    for name, value in node.value.items():
        if name not in own:
            near = suggestion(name, own, f"thresholds of {behaviour.name!r}")
            context.problems.add(node.keys[name], f"there is no threshold {shorten(name)}; {near}")
        elif value.form == "number":
            found[name] = (float(value.value), None)
        else:
            on, off = float(value.value["on"].value), float(value.value["off"].value)
            if on == off or (on > off) != (own[name].on > own[name].off):
                side = "above" if own[name].on > own[name].off else "below"
                context.problems.add(value, f"'on' of {name!r} has to be {side} its 'off'")
            else:
                found[name] = (on, off)
    return found


def _defined(name: str, node: Node, context: Context) -> Behaviour | None:
    """The behaviour of a detector with `when`; notes what is wrong. See `custom_behaviour` for the file."""
    thresholds: dict[str, tuple[float, float]] = {}
    when = node.value["when"]
    if when.form != "mapping" or not when.value:
        context.problems.add(
            when, "'when' needs a quantity, such as `pitch: {above: 0.5, until: 0.3}`"
        )
        return None
    valid = True
    for quantity, value in when.value.items():
        if not is_quantity(quantity):
            near = suggestion(quantity, quantity_names(), "quantities")
            key = when.keys[quantity]
            context.problems.add(key, f"there is no quantity {shorten(quantity)}; {near}")
            valid = False
            continue
        side = "above" if "above" in value.value else "below"
        on, off = float(value.value[side].value), float(value.value["until"].value)
        if on == off or (on > off) != (side == "above"):
            other = "below" if side == "above" else "above"
            context.problems.add(
                value, f"'until' has to be {other} '{side}': there the behaviour ends"
            )
            valid = False
        thresholds[quantity] = (on, off)
    if not valid:
        return None
    own = custom_behaviour(name, thresholds)
    after = node.get("after")
    return custom_behaviour(
        name,
        thresholds,
        smoothing_ms=number_of(node, "smoothing_ms", own.smoothing_ms),
        min_duration_ms=number_of(node, "min_duration_ms", own.min_duration_ms),
        refractory_ms=number_of(node, "refractory_ms", own.refractory_ms),
        after=None
        if after is None
        else After((str(after.value["behaviour"].value),), float(after.value["within_ms"].value)),
    )


def _classified(name: str, node: Node, context: Context) -> Behaviour | None:
    """The behaviour of a detector with `learned`, a file; notes what is wrong with it."""
    file, of = node.value["learned"], node.get("class")
    try:
        return learned.learned_behaviour(
            name,
            learned.load(context.file(str(file.value))),
            "" if of is None else str(of.value),
            min_duration_ms=number_of(node, "min_duration_ms", 60.0),
            refractory_ms=number_of(node, "refractory_ms", 0.0),
        )
    except UserError as problem:
        context.problems.add(file if of is None else of, str(problem).rstrip("."))
        return None
