"""From the checked tree of a protocol file to behaviours, stimuli and rules.

Here is judged what takes more than one key to judge: units against the size of their layer, thresholds
against each other, keys that need or exclude others. A part of the file that has mistakes of its own is
left out; they are noted already.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rig.arenas.names import TASK_EVENTS
from rig.outside import OUTSIDE
from stim import protocol_detectors
from stim.baselines import BaselineFile, Span, Wanted
from stim.behaviours import BEHAVIOURS
from stim.course_file import course_file
from stim.detectors import TICK_MS, Behaviour, with_thresholds
from stim.forecast import can_be_forecast
from stim.protocol_check import Names, check
from stim.protocol_keys import (
    BLOCK,
    CONDITION_KEYS,
    DETECTOR,
    EVENT,
    EVENT_KEYS,
    PROTOCOL,
    RULE,
    STIMULUS,
    Named,
)
from stim.protocol_source import Node, Problems, shorten, suggestion
from stim.rules import Block, Latency, Rule
from stim.script import SCRIPT
from stim.stimuli import STATES, Course, Pulses, Stimulus, Units
from stim.triggers import (
    Activity,
    All,
    AnyOf,
    BehaviourTurn,
    Condition,
    Crossing,
    Either,
    Foretold,
    Level,
    Not,
    OperatorKey,
    Present,
    TaskHappening,
    TrialStart,
    TrialTime,
    Trigger,
    Within,
)

CONDITION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def valid_names(tree: Node, tasks: Sequence[str] | None, layers: Mapping[str, int] | None) -> Names:
    """The names that references in this file may use."""
    known = tuple(behaviour.name for behaviour in BEHAVIOURS)
    detectors = tuple(_section(tree, "detectors"))
    detected = (*known, *(name for name in detectors if name not in known))
    return {
        "task": tasks,
        "layer": None if layers is None else tuple(layers),
        "behaviour": known,
        "detected": detected,
        "stimulus": tuple(_section(tree, "stimuli")),
        "baseline": tuple(_section(tree, "baselines")),
        "condition": tuple(
            dict.fromkeys(
                str(name.value)
                for block in _items(tree.get("blocks"))
                for name in _items(block.get("conditions"))
            )
        ),
        "task event": _task_events(tree),
        "trigger": (
            *(f"{name}.{phase}" for name in detected for phase in ("onset", "offset")),
            "trial.start",
        ),
    }


def _task_events(tree: Node) -> tuple[str, ...] | None:
    """What can happen in the file's task; None where the task is not known."""
    task = tree.get("task")
    return None if task is None or task.form != "text" else TASK_EVENTS.get(task.value)


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


def behaviours_of(
    tree: Node, names: Names, folder: Path, problems: Problems
) -> tuple[Behaviour, ...]:
    """All behaviours of the rig and of the file's detectors; notes what is wrong with the latter."""
    behaviours = {behaviour.name: behaviour for behaviour in BEHAVIOURS}
    for name, node in _section(tree, "detectors").items():
        if name == "trial":
            problems.add(_key(tree, "detectors", name), "a detector cannot be named 'trial'")
        if not _is_sound(node, DETECTOR, names):
            continue
        of = node.get("behaviour")
        if of is None:
            if name in behaviours:
                key = _key(tree, "detectors", name)
                problems.add(key, f"{name!r} is the name of a behaviour: choose another name")
                continue
            if "when" in node.value:
                found = protocol_detectors.defined(name, node, problems)
            else:
                found = protocol_detectors.classified(name, node, folder, problems)
            if found is not None:
                behaviours[name] = found
            continue
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
    tree: Node,
    names: Names,
    layers: Mapping[str, int] | None,
    folder: Path,
    problems: Problems,
) -> tuple[Stimulus, ...]:
    """The stimuli that are sound in themselves; notes what is not. Files are looked for in `folder`."""
    stimuli = []
    for name, node in _section(tree, "stimuli").items():
        if name in (OUTSIDE, SCRIPT):
            whose = "of other programs" if name == OUTSIDE else "of a protocol's Python"
            problems.add(
                _key(tree, "stimuli", name),
                f"{name!r} is what stimuli {whose} are called; choose another name",
            )
        if _is_sound(node, STIMULUS, names):
            stimuli.append(_stimulus(name, node, layers, folder, problems))
    return tuple(stimuli)


def _stimulus(
    name: str, node: Node, layers: Mapping[str, int] | None, folder: Path, problems: Problems
) -> Stimulus:
    kind = next(each for each in STIMULUS.variants if each in node.value)
    layer = node.value[kind].value
    n_units = None if layers is None else layers[layer]
    units = _units(node.value["units"], layer, n_units, problems)
    given = node.get("state")
    state = "both" if given is None else str(given.value)
    means: tuple[Wanted, ...] = ()
    templates: tuple[Wanted, ...] = ()
    course: Course = ()
    amount = 0.0
    if kind == "clamp" and node.value["to"].form == "mapping":
        means = _means(node.value["to"], layer, state, problems)
    elif kind in _AMOUNT:
        amount = float(node.value[_AMOUNT[kind]].value)
    elif kind == "overwrite":
        course, templates = _course(
            node.value["with"], layer, state, _count(units, n_units), folder, problems
        )
    up, down = _ramp(node.get("ramp_ms"))
    return Stimulus(
        name,
        kind,
        layer,
        units,
        state,
        amount=amount,
        means=means,
        course=course,
        templates=templates,
        seed=_whole(node, "seed"),
        ramp_up_ms=up,
        ramp_down_ms=down,
        pulses=_pulses(node.get("pulses"), problems),
    )


_AMOUNT = {"clamp": "to", "bias": "by", "gain": "by", "noise": "sd"}


def _means(node: Node, layer: str, state: str, problems: Problems) -> tuple[Wanted, ...]:
    """What a clamp to the mean of a baseline wants, for each state that it changes."""
    during, begin, end = (_word(node, key) for key in ("during", "from", "until"))
    if bool(begin) != bool(end):
        problems.add(
            node, "'from' and 'until' go together: the mean is taken from one to the other"
        )
    if during and (begin or end):
        problems.add(node.keys["during"], "'during' and 'from' exclude each other; keep one")
    span = Span(during=during, begin=begin, end=end)
    return tuple(
        Wanted(_word(node, "mean"), "mean", layer, _short(each), span) for each in STATES[state]
    )


def _short(state: str) -> Literal["c", "h"]:
    return "c" if state == "c" else "h"


def _ramp(node: Node | None) -> tuple[float, float]:
    if node is None:
        return 0.0, 0.0
    if node.form == "number":
        return float(node.value), float(node.value)
    return _number(node, "up", 0.0), _number(node, "down", 0.0)


def _pulses(node: Node | None, problems: Problems) -> Pulses | None:
    if node is None:
        return None
    pulses = Pulses(
        float(node.value["width_ms"].value),
        float(node.value["rate_hz"].value),
        _whole(node, "number"),
    )
    if pulses.width_ticks >= pulses.period_ticks and pulses.number != 1:
        problems.add(
            node,
            f"pulses of {pulses.width_ticks * TICK_MS:g} ms at {pulses.rate_hz:g} Hz leave no gap: they "
            "follow each other too soon",
        )
    return pulses


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
    choice = next(each for each in ("random", "first", "top") if each in node.value)
    count = node.value[choice]
    if n_units is not None and count.value > n_units:
        problems.add(count, f"there are not {count.value:g} units to choose from; {size}")
    ranked = None
    if choice == "top":
        by = _word(node, "by").removesuffix(".onset")
        ranked = Wanted(_word(node, "in"), "ranking", layer, "h", Span(during=by))
    return Units(choice, count=int(count.value), seed=_whole(node, "seed"), ranked=ranked)


def _count(units: Units, n_units: int | None) -> int | None:
    if units.choice == "all":
        return n_units
    return len(units.listed) if units.choice == "listed" else units.count


def _course(
    node: Node, layer: str, state: str, n_units: int | None, folder: Path, problems: Problems
) -> tuple[Course, tuple[Wanted, ...]]:
    """An overwrite's time course, or what it wants of a baseline for it."""
    if node.form == "list":
        return _listed_course(node, n_units, problems), ()
    if "file" in node.value:
        return course_file(folder, node.value["file"], n_units, problems), ()
    around = _word(node, "around")
    templates = tuple(
        Wanted(
            _word(node, "average"),
            "template",
            layer,
            _short(each),
            around=around.removesuffix(".onset"),
            before_ms=_number(node, "before_ms", 0.0),
            after_ms=_number(node, "after_ms", 20.0),
        )
        for each in STATES[state]
    )
    return (), templates


def _listed_course(node: Node, n_units: int | None, problems: Problems) -> Course:
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


# --- rules ----------------------------------------------------------------------------------------------


def rules_of(
    tree: Node,
    names: Names,
    layers: Mapping[str, int] | None,
    stimuli: Sequence[Stimulus],
    problems: Problems,
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
            rules.append(_rule(node, number, by_name, layers, problems))
    return tuple(rules)


def _rule(
    node: Node,
    number: int,
    stimuli: Mapping[str, Stimulus],
    layers: Mapping[str, int] | None,
    problems: Problems,
) -> Rule:
    given, until = node.get("if"), node.get("until")
    sham = node.get("else")
    return Rule(
        number,
        _event(node.value["on"], layers, problems),
        stimuli[node.value["do"].value],
        after_ms=_number(node, "after_ms", 0.0),
        for_ms=None if node.get("for_ms") is None else _number(node, "for_ms", 0.0),
        probability=_number(node, "probability", 1.0),
        sham=sham is not None and sham.value == "sham",
        refractory_ms=_number(node, "refractory_ms", 0.0),
        max_count=_whole(node, "max_count"),
        given=None if given is None else _condition(given, layers, problems),
        until=None if until is None else _event(until, layers, problems),
        conditions=_words(node.get("in")),
    )


def event_of(
    tree: Node, key: str, names: Names, layers: Mapping[str, int] | None, problems: Problems
) -> Trigger | None:
    """The event at a key of the file, None where there is none or it has mistakes of its own."""
    node = tree.get(key)
    if node is None or not _is_sound(node, EVENT, names):
        return None
    return _event(node, layers, problems)


def _event(node: Node, layers: Mapping[str, int] | None, problems: Problems) -> Trigger:
    if node.form == "list":
        return AnyOf(tuple(_event(each, layers, problems) for each in node.value))
    if node.form == "text":
        name, _, phase = node.value.rpartition(".")
        return TrialStart() if node.value == "trial.start" else BehaviourTurn(name, phase)
    match next(each for each in EVENT_KEYS.variants if each in node.value):
        case "time_ms":
            return TrialTime(_number(node, "time_ms", 0.0))
        case "task":
            return TaskHappening(_word(node, "task"))
        case "key":
            return OperatorKey(_word(node, "key"))
        case "forecast":
            name = _word(node, "forecast")
            if name in (each.name for each in BEHAVIOURS if not can_be_forecast(each)):
                problems.add(
                    node.value["forecast"],
                    f"{name!r} follows from what happens in the task and cannot be foretold",
                )
            return Foretold(name, _number(node, "lead_ms", 20.0))
        case _:
            return Crossing(_activity(node, layers, problems))


def _condition(node: Node, layers: Mapping[str, int] | None, problems: Problems) -> Condition:
    if node.form == "text":
        return Present(node.value)
    match next(each for each in CONDITION_KEYS.variants if each in node.value):
        case "all":
            return All(
                tuple(_condition(each, layers, problems) for each in _items(node.get("all")))
            )
        case "any":
            inner = tuple(_condition(each, layers, problems) for each in _items(node.get("any")))
            return Either(inner)
        case "not":
            return Not(_condition(node.value["not"], layers, problems))
        case "within_ms":
            event = _event(node.value["of"], layers, problems)
            return Within(event, _number(node, "within_ms", 0.0))
        case _:
            return Level(_activity(node, layers, problems))


def _activity(node: Node, layers: Mapping[str, int] | None, problems: Problems) -> Activity:
    layer = _word(node, "activity")
    n_units = None if layers is None else layers[layer]
    above, below = node.get("above"), node.get("below")
    if above is None and below is None:
        problems.add(node, "an activity needs a level: 'above', 'below', or both")
    elif above is not None and below is not None and above.value >= below.value:
        problems.add(node, "'above' has to be less than 'below': it is within both that counts")
    units = _units(node.value["units"], layer, n_units, problems)
    if _count(units, n_units) == 0:
        problems.add(node.value["units"], "the activity of no units cannot be followed")
    return Activity(
        layer,
        units,
        "c" if _word(node, "state") == "cell" else "h",
        above=None if above is None else float(above.value),
        below=None if below is None else float(below.value),
        smoothing_ms=_number(node, "smoothing_ms", 0.0),
        natural=_word(node, "values") != "applied",
    )


# --- trials and sources -----------------------------------------------------------------------------------


def blocks_of(tree: Node, names: Names, problems: Problems) -> tuple[Block, ...]:
    """The blocks of trials; notes conditions that are named twice in one."""
    blocks = []
    for node in _items(tree.get("blocks")):
        if not _is_sound(node, BLOCK, names):
            continue
        conditions = _words(node.value["conditions"])
        for name in conditions:
            if not CONDITION_NAME.fullmatch(name):
                problems.add(
                    node.value["conditions"],
                    f"{shorten(name)} cannot be a condition's name; use a letter, then letters, digits, "
                    "- and _",
                )
        if len(set(conditions)) != len(conditions):
            problems.add(node.value["conditions"], "a condition is named twice in this block")
        trials = int(node.value["trials"].value)
        order = _word(node, "order") or "shuffled"
        if order == "shuffled" and trials % len(conditions):
            problems.add(
                node.value["trials"],
                f"{trials} trials cannot be shared out evenly among {len(conditions)} conditions; use a "
                "multiple, or `order: random`",
            )
        blocks.append(Block(conditions, trials, order))
    return tuple(blocks)


def latency_of(tree: Node) -> Latency:
    """The loop's emulated latency."""
    node = tree.get("loop_latency_ms")
    if node is None or node.form not in ("number", "mapping"):
        return Latency()
    if node.form == "number":
        return Latency(float(node.value))
    if any(each.form != "number" for each in node.value.values()):
        return Latency()
    return Latency(_number(node, "mean", 0.0), _number(node, "sd", 0.0))


def baselines_of(
    tree: Node, names: Names, folder: Path, problems: Problems
) -> Mapping[str, BaselineFile]:
    """The baseline recordings by name, as seen from the protocol's folder."""
    found = {}
    kind = PROTOCOL.keys["baselines"].kind
    if not isinstance(kind, Named):
        raise AssertionError("baselines are a mapping of names")
    for name, node in _section(tree, "baselines").items():
        if not _is_sound(node, kind.value, names):
            continue
        sha256 = _word(node, "sha256").lower()
        if sha256 and not _SHA256.fullmatch(sha256):
            problems.add(node.value["sha256"], "a SHA-256 is 64 digits from 0 to 9 and a to f")
        found[name] = BaselineFile(folder / _word(node, "recording"), sha256)
    return found


def _word(node: Node, key: str) -> str:
    given = node.get(key)
    return "" if given is None else str(given.value).strip()


def _words(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    return tuple(each.value for each in node.value) if node.form == "list" else (str(node.value),)


def _whole(node: Node, key: str) -> int | None:
    given = node.get(key)
    return None if given is None else int(given.value)


def _number(node: Node, key: str, default: float) -> float:
    given = node.get(key)
    return default if given is None else float(given.value)


def _key(tree: Node, section: str, name: str) -> Node:
    node = tree.get(section)
    assert node is not None
    return node.keys[name]
