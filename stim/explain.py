"""A protocol in words: what will be watched for, what will be done to the animal, and when."""

from __future__ import annotations

from stim.detectors import TICK_MS, Behaviour, Condition, ticks_of
from stim.protocol import Protocol
from stim.rules import Rule
from stim.stimuli import Stimulus, Units

_UNITS = {
    "forward_speed": ("going forward at", "m/s"),
    "ground_speed": ("moving at", "m/s"),
    "yaw_rate": ("a yaw rate of", "rad/s (left is positive)"),
    "up": ("uprightness of", "(1 upright, 0 on its side, -1 on its back)"),
}
_STATES = {"cell": "cell state", "hidden": "hidden state", "both": "cell and hidden state"}


def explain(protocol: Protocol) -> str:
    """Several paragraphs of plain text for the person who is about to run it."""
    parts = [f"{protocol.name}: subject {protocol.subject} in task {protocol.task}."]
    if protocol.description:
        parts.append(" ".join(protocol.description.split()))
    parts.append(_session(protocol))
    parts.append(_watching(protocol))
    if protocol.stimuli:
        lines = [f"  {stimulus.name}: {_stimulus(stimulus)}" for stimulus in protocol.stimuli]
        parts.append("\n".join(["Stimuli:", *lines]))
    if protocol.rules:
        lines = [f"  {rule.number}. {_rule(rule, protocol)}" for rule in protocol.rules]
        parts.append("\n".join(["Rules:", *lines]))
        parts.append(
            "While the stimulus or sham of a rule is due or on, the rule ignores further triggers. "
            "Whatever is on when a trial ends, ends with it."
        )
        idle = [name for name in protocol.stimulus_names if name not in _used(protocol)]
        if idle:
            parts.append(f"No rule uses {', '.join(idle)}.")
    else:
        parts.append("There are no rules: nothing is done to the animal.")
    return "\n\n".join(parts)


def _used(protocol: Protocol) -> set[str]:
    return {rule.do.name for rule in protocol.rules}


def _session(protocol: Protocol) -> str:
    if protocol.trial_s:
        trial = f"A trial lasts {protocol.trial_s:g} s, or until the task ends it"
    else:
        trial = "A trial lasts until the task ends it"
    limits = []
    if protocol.trials:
        limits.append(f"after {protocol.trials} trial{'s' * (protocol.trials > 1)}")
    if protocol.duration_s:
        limits.append(f"after {protocol.duration_s:g} s of the animal's time")
    ends = " or ".join(limits) + (", whichever is first" if len(limits) > 1 else "")
    seed = "" if protocol.seed is None else f" The seed is {protocol.seed} unless another is given."
    return f"{trial}. The session ends {ends or 'when it is stopped'}.{seed}"


def _watching(protocol: Protocol) -> str:
    wanted = {rule.on.behaviour for rule in protocol.rules if rule.on.behaviour}
    if not wanted:
        return f"Detected and recorded: {', '.join(protocol.behaviour_names)}."
    others = [name for name in protocol.behaviour_names if name not in wanted]
    lines = [_behaviour(each) for each in protocol.behaviours if each.name in wanted]
    return "\n".join(
        ["Watched for:", *(f"  {line}" for line in lines), f"Also recorded: {', '.join(others)}."]
    )


def _behaviour(behaviour: Behaviour) -> str:
    begins = " and ".join(_condition(each) for each in behaviour.conditions)
    ticks = max(1, ticks_of(behaviour.min_duration_ms))
    text = f"{behaviour.name} ({behaviour.meaning}): begins with {begins}, for {_time(ticks)}"
    if behaviour.smoothing_ms:
        text += f", averaged over the last {_time(max(1, ticks_of(behaviour.smoothing_ms)))}"
    if behaviour.refractory_ms:
        text += f"; not again within {_time(ticks_of(behaviour.refractory_ms))} of its end"
    return text + "."


def _condition(condition: Condition) -> str:
    phrase, unit = _UNITS.get(condition.quantity, (f"{condition.quantity} of", ""))
    above = condition.on > condition.off
    return (
        f"{phrase} {condition.on:g} {unit} or {'more' if above else 'less'}".replace("  ", " ")
        + f" (ends at {condition.off:g})"
    )


def _stimulus(stimulus: Stimulus) -> str:
    which = f"{_units(stimulus.units)} of {stimulus.layer}"
    state = _STATES[stimulus.state]
    if stimulus.kind == "clamp":
        return f"the {state} of {which} is held at {stimulus.to:g}."
    several = isinstance(stimulus.course[0], tuple)
    each = "each unit its own" if several else "one for all"
    return (
        f"the {state} of {which} follows a time course ({each}) of {_time(stimulus.course_ticks)}, "
        "then stays at its last value while the stimulus is on."
    )


def _units(units: Units) -> str:
    if units.choice == "all":
        return "all units"
    if units.choice == "first":
        return "the first unit" if units.count == 1 else f"the first {units.count} units"
    if units.choice == "random":
        seed = "the session's seed" if units.seed is None else f"seed {units.seed}"
        return f"{units.count} units drawn at random ({seed})"
    listed = ", ".join(str(unit) for unit in units.listed[:12])
    more = f" and {len(units.listed) - 12} more" if len(units.listed) > 12 else ""
    return f"unit{'s' * (len(units.listed) > 1)} {listed}{more}"


def _rule(rule: Rule, protocol: Protocol) -> str:
    trigger = rule.on
    if trigger.event == "start":
        when = "When a trial begins (tick k)"
    elif trigger.event == "time":
        when = f"{_time(trigger.time_ticks)} after the first tick of each trial (tick k)"
    else:
        verb = "is found to begin" if trigger.event == "onset" else "is found to end"
        when = f"When {trigger.behaviour} {verb} (tick k)"
    first, lasting = rule.delay_ticks, rule.duration_ticks
    if lasting is None:
        span = f"from tick k+{first} until the trial ends"
    else:
        ticks = f"tick k+{first}" if lasting == 1 else f"ticks k+{first} to k+{first + lasting - 1}"
        span = f"for {_time(lasting)}, {ticks}"
    text = f"{when}, {rule.do.name} is on {_time(first)} later, {span}"
    if rule.probability < 1:
        otherwise = (
            "otherwise a sham takes its place: the same times, recorded as such, nothing delivered"
            if rule.sham
            else "otherwise nothing happens"
        )
        text += f", with probability {rule.probability:g}; {otherwise}"
    text += "."
    if rule.refractory_ticks:
        text += f" Not triggered again for {_time(rule.refractory_ticks)}."
    if rule.max_count is not None:
        text += f" At most {rule.max_count} in a session."
    late = trigger.event == "time" and protocol.trial_s
    if late and (trigger.time_ticks + first) * TICK_MS >= protocol.trial_s * 1000:
        text += " That is after the trial's end: it will not happen."
    return text


def _time(ticks: int) -> str:
    return f"{ticks * TICK_MS:g} ms ({ticks} tick{'s' * (ticks != 1)})"
