"""From the checked tree of a protocol file to behaviours, stimuli and rules.

Here is judged what takes more than one key to judge: units against the size of their layer, thresholds
against each other, keys that need or exclude others. A part of the file that has mistakes of its own is
left out; they are noted already.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from stim.behaviours import BEHAVIOURS
from stim.detectors import Behaviour, with_thresholds
from stim.protocol_check import Names, check
from stim.protocol_keys import DETECTOR, RULE, STIMULUS
from stim.protocol_source import Node, Problems, shorten, suggestion
from stim.rules import Rule, Trigger
from stim.stimuli import Stimulus, Units


def valid_names(tree: Node, tasks: Sequence[str] | None, layers: Mapping[str, int] | None) -> Names:
    """The names that references in this file may use."""
    known = tuple(behaviour.name for behaviour in BEHAVIOURS)
    detectors = tuple(_section(tree, "detectors"))
    detected = (*known, *(name for name in detectors if name not in known))
    return {
        "task": tasks,
        "layer": None if layers is None else tuple(layers),
        "behaviour": known,
        "stimulus": tuple(_section(tree, "stimuli")),
        "trigger": (
            *(f"{name}.{phase}" for name in detected for phase in ("onset", "offset")),
            "trial.start",
        ),
    }


def _items(node: Node | None) -> Sequence[Node]:
    return node.value if node is not None and node.form == "list" else ()


def _section(tree: Node, key: str) -> Mapping[str, Node]:
    node = tree.get(key)
    return node.value if node is not None and node.form == "mapping" else {}


def _is_sound(node: Node, kind: Any, names: Names) -> bool:
    """Whether a part of the file has no mistakes of its own, and can be looked at as a whole."""
    own = Problems("")
    check(node, kind, "", names, own)
    return not len(own)


def behaviours_of(tree: Node, names: Names, problems: Problems) -> tuple[Behaviour, ...]:
    """All behaviours of the rig and of the file's detectors; notes what is wrong with the latter."""
    behaviours = {behaviour.name: behaviour for behaviour in BEHAVIOURS}
    for name, node in _section(tree, "detectors").items():
        if name == "trial":
            problems.add(_key(tree, "detectors", name), "a detector cannot be named 'trial'")
        if not _is_sound(node, DETECTOR, names):
            continue
        of = node.value["behaviour"]
        if name in behaviours and name != of.value:
            problems.add(
                of,
                f"{name!r} is the name of a behaviour: a detector of {of.value!r} needs another name",
            )
            continue
        own = behaviours[of.value]
        behaviour = dataclasses.replace(
            own,
            name=name,
            smoothing_ms=_number(node, "smoothing_ms", own.smoothing_ms),
            min_duration_ms=_number(node, "min_duration_ms", own.min_duration_ms),
            refractory_ms=_number(node, "refractory_ms", own.refractory_ms),
        )
        thresholds = node.get("thresholds")
        if thresholds is not None and thresholds.form == "mapping":
            behaviour = with_thresholds(behaviour, _thresholds(behaviour, thresholds, problems))
        behaviours[name] = behaviour
    return tuple(behaviours.values())


def _thresholds(
    behaviour: Behaviour, node: Node, problems: Problems
) -> dict[str, tuple[float, float | None]]:
    own = {condition.name: condition for condition in behaviour.conditions}
    found: dict[str, tuple[float, float | None]] = {}
    for name, value in node.value.items():
        if name not in own:
            near = suggestion(name, own, f"thresholds of {behaviour.name!r}")
            problems.add(node.keys[name], f"there is no threshold {shorten(name)}; {near}")
        elif value.form == "number":
            found[name] = (float(value.value), None)
        else:
            on, off = float(value.value["on"].value), float(value.value["off"].value)
            if on == off or (on > off) != (own[name].on > own[name].off):
                side = "above" if own[name].on > own[name].off else "below"
                problems.add(value, f"'on' of {name!r} has to be {side} its 'off'")
            else:
                found[name] = (on, off)
    return found


def stimuli_of(
    tree: Node, names: Names, layers: Mapping[str, int] | None, problems: Problems
) -> tuple[Stimulus, ...]:
    """The stimuli that are sound in themselves; notes what is not."""
    stimuli = []
    for name, node in _section(tree, "stimuli").items():
        if not _is_sound(node, STIMULUS, names):
            continue
        kind, needs, excludes = "clamp", "to", "with"
        if "overwrite" in node.value:
            kind, needs, excludes = "overwrite", "with", "to"
        if needs not in node.value:
            problems.add(node, f"{kind} needs the key '{needs}'")
        if excludes in node.value:
            problems.add(node.keys[excludes], f"'{excludes}' does not belong to {kind}")
        layer = node.value[kind].value
        n_units = None if layers is None else layers[layer]
        units = _units(node.value["units"], layer, n_units, problems)
        course: tuple[Any, ...] = ()
        if kind == "overwrite" and "with" in node.value:
            course = _course(node.value["with"], _count(units, n_units), problems)
        to = node.get("to")
        stimuli.append(
            Stimulus(
                name,
                kind,
                layer,
                units,
                node.value["state"].value,
                to=0.0 if to is None else float(to.value),
                course=course,
            )
        )
    return tuple(stimuli)


def _units(node: Node, layer: str, n_units: int | None, problems: Problems) -> Units:
    size = f"{layer} has {n_units} units"
    if node.form == "text":
        return Units("all")
    if node.form == "list":
        seen: set[int] = set()
        for item in node.value:
            if n_units is not None and item.value >= n_units:
                problems.add(
                    item, f"there is no unit {item.value} in {layer}; {size}, 0 to {n_units - 1}"
                )
            if item.value in seen:
                problems.add(item, f"unit {item.value} is already in the list")
            seen.add(item.value)
        return Units("listed", listed=tuple(int(item.value) for item in node.value))
    choice = "random" if "random" in node.value else "first"
    count = node.value[choice]
    if n_units is not None and count.value > n_units:
        problems.add(count, f"there are not {count.value:g} units to choose from; {size}")
    seed = node.get("seed")
    if seed is not None and choice == "first":
        problems.add(node.keys["seed"], "'seed' does not belong to 'first'")
    return Units(choice, count=int(count.value), seed=None if seed is None else int(seed.value))


def _count(units: Units, n_units: int | None) -> int | None:
    return n_units if units.choice == "all" else len(units.listed) or units.count


def _course(node: Node, n_units: int | None, problems: Problems) -> tuple[Any, ...]:
    items: tuple[Node, ...] = node.value
    forms = {item.form for item in items}
    if forms == {"number"}:
        return tuple(float(item.value) for item in items)
    if forms != {"list"}:
        problems.add(node, "a time course is a list of values, or a list of such lists, not both")
        return ()
    for item in items:
        if len(item.value) != len(items[0].value):
            problems.add(
                item, f"this unit has {len(item.value)} values, the first has {len(items[0].value)}"
            )
    if n_units is not None and len(items) != n_units:
        problems.add(node, f"there are {len(items)} time courses for {n_units} units")
    return tuple(tuple(float(value.value) for value in item.value) for item in items)


def rules_of(
    tree: Node, names: Names, stimuli: Sequence[Stimulus], problems: Problems
) -> tuple[Rule, ...]:
    """The rules that are sound in themselves; notes what is not."""
    section = tree.get("rules")
    by_name = {stimulus.name: stimulus for stimulus in stimuli}
    rules = []
    for number, node in enumerate(_items(section), 1):
        if node.get("else") is not None and node.get("probability") is None:
            problems.add(
                node.keys["else"], "'else' needs a 'probability'; without one nothing is withheld"
            )
        if _is_sound(node, RULE, names) and node.value["do"].value in by_name:
            rules.append(_rule(node, number, by_name))
    return tuple(rules)


def _rule(node: Node, number: int, stimuli: Mapping[str, Stimulus]) -> Rule:
    values = {key: value.value for key, value in node.value.items()}
    on = node.value["on"]
    if on.form == "mapping":
        trigger = Trigger("time", time_ms=float(on.value["time_ms"].value))
    else:
        name, _, event = on.value.rpartition(".")
        trigger = Trigger(event, "" if event == "start" else name)
    return Rule(
        number,
        trigger,
        stimuli[values["do"]],
        after_ms=float(values.get("after_ms", 0)),
        for_ms=None if "for_ms" not in values else float(values["for_ms"]),
        probability=float(values.get("probability", 1)),
        sham=values.get("else") == "sham",
        refractory_ms=float(values.get("refractory_ms", 0)),
        max_count=None if "max_count" not in values else int(values["max_count"]),
    )


def _number(node: Node, key: str, default: float) -> float:
    given = node.get(key)
    return default if given is None else float(given.value)


def _key(tree: Node, section: str, name: str) -> Node:
    node = tree.get(section)
    assert node is not None
    return node.keys[name]
