"""From the checked tree of a protocol file to its rules, with their events and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stim.clip_rules import CLIP, LONGEST_CLIP_S, ClipRule
from stim.detectors.behaviours import BEHAVIOURS
from stim.detectors.forecast import can_be_forecast
from stim.protocol.keys import RULE
from stim.protocol.nodes import (
    Context,
    items_of,
    number_of,
    section_of,
    whole_of,
    word_of,
    words_of,
)
from stim.protocol.source import Node
from stim.protocol.trigger_keys import CONDITION_KEYS, EVENT, EVENT_KEYS
from stim.protocol.units import count_of, units_of
from stim.rules import Rule
from stim.stimuli.stimuli import Stimulus
from stim.triggers import (
    Activity,
    AllOf,
    AnyEvent,
    AnyOf,
    BehaviourTransition,
    Condition,
    ForecastOnset,
    Level,
    Not,
    OperatorKey,
    Present,
    TaskEvent,
    ThresholdCrossing,
    TrialStart,
    TrialTime,
    Trigger,
    Within,
)


def rules_of(tree: Node, stimuli: Sequence[Stimulus], context: Context) -> tuple[Rule, ...]:
    """The rules that are valid in themselves; notes what is not.

    Args:
        tree: the file's.
        stimuli: those that rules may name; a rule of another stimulus is left out.
        context: of the file.
    """
    section = tree.get("rules")
    by_name = {stimulus.name: stimulus for stimulus in stimuli}
    rules = []
    for number, node in enumerate(items_of(section), 1):
        if node.get("else") is not None and node.get("probability") is None:
            context.problems.add(
                node.keys["else"], "'else' needs a 'probability'; without one nothing is withheld"
            )
        if context.is_valid(node, RULE) and node.value["do"].value in by_name:
            if node.get("seconds") is not None:
                context.problems.add(node.keys["seconds"], "'seconds' belongs to 'do: clip'")
            rules.append(_rule(node, number, by_name, context))
    return tuple(rules)


_NOT_OF_A_CLIP = ("for_ms", "until", "probability", "else")


def clip_rules_of(tree: Node, context: Context) -> tuple[ClipRule, ...]:
    """The rules that save clips, as far as they are valid in themselves; notes what is not.

    Args:
        tree: the file's; where it has a stimulus of the name, `do: clip` means that.
        context: of the file.
    """
    rules: list[ClipRule] = []
    if CLIP in section_of(tree, "stimuli"):
        return ()
    for number, node in enumerate(items_of(tree.get("rules")), 1):
        if not context.is_valid(node, RULE) or node.value["do"].value != CLIP:
            continue
        for key in _NOT_OF_A_CLIP:
            if node.get(key) is not None:
                context.problems.add(node.keys[key], f"'{key}' does not belong to 'do: {CLIP}'")
        after_ms = number_of(node, "after_ms", 0.0)
        if after_ms > LONGEST_CLIP_S * 1000:
            context.problems.add(
                node.value["after_ms"],
                f"a clip goes on for at most {LONGEST_CLIP_S * 1000:g} ms after its trigger",
            )
        condition = node.get("if")
        rules.append(
            ClipRule(
                number,
                _event(node.value["on"], context),
                seconds=number_of(node, "seconds", LONGEST_CLIP_S),
                after_ms=after_ms,
                refractory_ms=number_of(node, "refractory_ms", 0.0),
                max_count=whole_of(node, "max_count"),
                condition=None if condition is None else _condition(condition, context),
                trial_conditions=words_of(node.get("in")),
            )
        )
    return tuple(rules)


def _rule(
    node: Node,
    number: int,
    stimuli: Mapping[str, Stimulus],
    context: Context,
) -> Rule:
    condition, until = node.get("if"), node.get("until")
    sham = node.get("else")
    return Rule(
        number,
        _event(node.value["on"], context),
        stimuli[node.value["do"].value],
        after_ms=number_of(node, "after_ms", 0.0),
        for_ms=None if node.get("for_ms") is None else number_of(node, "for_ms", 0.0),
        probability=number_of(node, "probability", 1.0),
        sham=sham is not None and sham.value == "sham",
        refractory_ms=number_of(node, "refractory_ms", 0.0),
        max_count=whole_of(node, "max_count"),
        condition=None if condition is None else _condition(condition, context),
        until=None if until is None else _event(until, context),
        trial_conditions=words_of(node.get("in")),
    )


def event_of(tree: Node, key: str, context: Context) -> Trigger | None:
    """The event at a key of the file; None where there is none, or it is not valid.

    Args:
        tree: the file's.
        key: "trial_starts" or "trial_ends".
        context: of the file.
    """
    node = tree.get(key)
    if node is None or not context.is_valid(node, EVENT):
        return None
    return _event(node, context)


def _event(node: Node, context: Context) -> Trigger:
    if node.form == "list":
        return AnyEvent(tuple(_event(each, context) for each in node.value))
    if node.form == "text":
        name, _, phase = node.value.rpartition(".")
        return TrialStart() if node.value == "trial.start" else BehaviourTransition(name, phase)
    match next(each for each in EVENT_KEYS.variants if each in node.value):
        case "time_ms":
            return TrialTime(number_of(node, "time_ms", 0.0))
        case "task":
            return TaskEvent(word_of(node, "task"))
        case "key":
            return OperatorKey(word_of(node, "key"))
        case "forecast":
            name = word_of(node, "forecast")
            if name in (each.name for each in BEHAVIOURS if not can_be_forecast(each)):
                context.problems.add(
                    node.value["forecast"],
                    f"{name!r} follows from what happens in the task and cannot be foretold",
                )
            return ForecastOnset(name, number_of(node, "lead_ms", 20.0))
        case _:
            return ThresholdCrossing(_activity(node, context))


def _condition(node: Node, context: Context) -> Condition:
    if node.form == "text":
        return Present(node.value)
    match next(each for each in CONDITION_KEYS.variants if each in node.value):
        case "all":
            return AllOf(tuple(_condition(each, context) for each in items_of(node.get("all"))))
        case "any":
            inner = tuple(_condition(each, context) for each in items_of(node.get("any")))
            return AnyOf(inner)
        case "not":
            return Not(_condition(node.value["not"], context))
        case "within_ms":
            event = _event(node.value["of"], context)
            return Within(event, number_of(node, "within_ms", 0.0))
        case _:
            return Level(_activity(node, context))


def _activity(node: Node, context: Context) -> Activity:
    layer = word_of(node, "activity")
    above, below = node.get("above"), node.get("below")
    if above is None and below is None:
        context.problems.add(node, "an activity needs a level: 'above', 'below', or both")
    elif above is not None and below is not None and above.value >= below.value:
        context.problems.add(
            node, "'above' has to be less than 'below': it is within both that counts"
        )
    units = units_of(node.value["units"], layer, context)
    if count_of(units, context.n_units(layer)) == 0:
        context.problems.add(node.value["units"], "the activity of no units cannot be followed")
    return Activity(
        layer,
        units,
        "c" if word_of(node, "state") == "cell" else "h",
        above=None if above is None else float(above.value),
        below=None if below is None else float(below.value),
        smoothing_ms=number_of(node, "smoothing_ms", 0.0),
        natural=word_of(node, "values") != "applied",
    )
