"""A protocol in words: what will be watched for, what will be done to the animal, and when."""

from __future__ import annotations

import os

from rig.bus.external_inputs import OUTSIDE
from stim.clip_rules import ClipRule
from stim.detectors.definition import Behaviour, Threshold
from stim.protocol.model import Protocol
from stim.protocol.script import SCRIPT
from stim.rules import Block, Rule
from stim.stimuli.baselines import BaselineRequest
from stim.stimuli.stimuli import Pulses, Stimulus, Units
from stim.ticks import TICK_MS, ticks_of
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
    events_in,
    parts_of,
)

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
    if protocol.blocks:
        parts.append(_blocks(protocol))
    parts.append(_watching(protocol))
    if protocol.baselines:
        lines = [
            f"  {name}: {os.path.normpath(file.path)}"
            + (f", SHA-256 {file.sha256}" if file.sha256 else "")
            for name, file in protocol.baselines.items()
        ]
        parts.append("\n".join(["Baseline recordings:", *lines]))
    if protocol.stimuli:
        lines = [f"  {stimulus.name}: {_stimulus(stimulus)}" for stimulus in protocol.stimuli]
        parts.append("\n".join(["Stimuli:", *lines]))
    sentences = {rule.number: _rule(rule, protocol) for rule in protocol.rules}
    sentences |= {clip.number: _clip(clip) for clip in protocol.clips}
    if sentences:
        lines = [f"  {number}. {sentence}" for number, sentence in sorted(sentences.items())]
        parts.append("\n".join(["Rules:", *lines]))
    if protocol.rules:
        parts.append(
            "While the stimulus or sham of a rule is due or on, the rule ignores further triggers. "
            "Whatever is on when a trial ends, ends with it."
        )
        used = {rule.do.name for rule in protocol.rules}
        idle = [stimulus.name for stimulus in protocol.stimuli if stimulus.name not in used]
        if idle:
            parts.append(f"No rule uses {', '.join(idle)}.")
    elif not protocol.is_script:
        parts.append("There are no rules: nothing is done to the animal.")
    if protocol.blinded:
        parts.append(
            "Blinded: until the session's end the window shows delivered stimuli and shams alike, and "
            "activity as it would be without a stimulus."
        )
    if protocol.is_script:
        parts.append(f"Its Python decides on further stimuli, recorded as {SCRIPT}.")
    if protocol.outside_allowed:
        parts.append(f"Stimuli that other programs ask for on the bus are recorded as {OUTSIDE}.")
    else:
        parts.append("Other programs on the bus may not stimulate units.")
    return "\n\n".join(parts)


def _session(protocol: Protocol) -> str:
    if protocol.trial_s:
        trial = f"A trial lasts {protocol.trial_s:g} s, or until the task ends it"
    else:
        trial = "A trial lasts until the task ends it"
    if protocol.trial_ends is not None:
        trial += f"; it also ends {_when(protocol.trial_ends)}"
    if protocol.trial_starts is not None:
        trial += f". Within a trial rules hold from the tick on {_when(protocol.trial_starts)}"
    limits = []
    if protocol.trials:
        limits.append(f"after {protocol.trials} trial{'s' * (protocol.trials > 1)}")
    if protocol.duration_s:
        limits.append(f"after {protocol.duration_s:g} s of the animal's time")
    ends = " or ".join(limits) + (", whichever is first" if len(limits) > 1 else "")
    text = f"{trial}. The session ends {ends or 'when it is stopped'}."
    late = protocol.latency
    if late.sd_ms:
        text += (
            f" Stimuli are late by {late.mean_ms:g} ± {late.sd_ms:g} ms (normal, never less than 0), "
            "as in a real rig."
        )
    elif late.mean_ms:
        text += f" Stimuli are late by {late.mean_ms:g} ms, as in a real rig."
    if protocol.seed is not None:
        text += f" The seed is {protocol.seed} unless another is given."
    return text


def _blocks(protocol: Protocol) -> str:
    lines = [f"  {number}. {_block(block)}" for number, block in enumerate(protocol.blocks, 1)]
    return "\n".join(["Conditions of trials, block after block, then again:", *lines])


def _block(block: Block) -> str:
    names = ", ".join(block.conditions)
    if len(block.conditions) == 1:
        return f"{block.trials} trials of {names}."
    how = {
        "shuffled": "each once in every round, in an order drawn anew",
        "alternating": "in turn",
        "random": "drawn for each trial",
    }[block.order]
    return f"{block.trials} trials of {names}: {how}."


def _watching(protocol: Protocol) -> str:
    watched = _watched(protocol)
    if not watched:
        return f"Detected and recorded: {', '.join(protocol.behaviour_names)}."
    others = [name for name in protocol.behaviour_names if name not in watched]
    lines = [_behaviour(each) for each in protocol.behaviours if each.name in watched]
    return "\n".join(
        ["Watched for:", *(f"  {line}" for line in lines), f"Also recorded: {', '.join(others)}."]
    )


def _watched(protocol: Protocol) -> set[str]:
    """The behaviours that rules and trials depend on."""
    parts = [part for each in protocol.conditions for part in parts_of(each)]
    names = {part.behaviour for part in parts if isinstance(part, Present)}
    triggers = [*protocol.triggers, *(part.event for part in parts if isinstance(part, Within))]
    for trigger in triggers:
        names |= {
            event.behaviour
            for event in events_in(trigger)
            if isinstance(event, BehaviourTransition | ForecastOnset)
        }
    return names


def _behaviour(behaviour: Behaviour) -> str:
    ticks = max(1, ticks_of(behaviour.min_duration_ms))
    if behaviour.events:
        begins = f"with the task event {' or '.join(behaviour.events)}"
    elif behaviour.thresholds:
        begins = f"with {' and '.join(_threshold(each) for each in behaviour.thresholds)}"
    else:
        begins = "where its detector is sure of it (0.75 of 1, ends at 0.25)"
    text = f"{behaviour.name} ({behaviour.meaning}): begins {begins}, for {_time(ticks)}"
    if behaviour.after is not None:
        others = " or ".join(behaviour.after.behaviours)
        text += f", during {others} or within {_time(ticks_of(behaviour.after.within_ms))} of it"
    if behaviour.smoothing_ms:
        text += f", averaged over the last {_time(max(1, ticks_of(behaviour.smoothing_ms)))}"
    if behaviour.refractory_ms:
        text += f"; not again within {_time(ticks_of(behaviour.refractory_ms))} of its end"
    return text + "."


def _threshold(threshold: Threshold) -> str:
    phrase, unit = _UNITS.get(threshold.quantity, (f"{threshold.quantity} of", ""))
    above = threshold.on > threshold.off
    return (
        f"{phrase} {threshold.on:g} {unit} or {'more' if above else 'less'}".replace("  ", " ")
        + f" (ends at {threshold.off:g})"
    )


def _stimulus(stimulus: Stimulus) -> str:
    which = _units(stimulus.units, stimulus.layer)
    state = f"the {_STATES[stimulus.state]} of {which}"
    match stimulus.kind:
        case "clamp" if stimulus.means:
            text = f"{state} is held at each unit's mean {_from(stimulus.means[0])}"
        case "clamp":
            text = f"{state} is held at {stimulus.amount:g}"
        case "bias":
            text = f"{stimulus.amount:g} is added to {state}"
        case "gain":
            text = f"{state} is multiplied by {stimulus.amount:g}"
        case "noise":
            seed = "the session's seed" if stimulus.seed is None else f"seed {stimulus.seed}"
            text = f"Gaussian noise of sd {stimulus.amount:g} ({seed}) is added to {state}"
        case "lesion":
            text = f"{which} are taken out: c = h = 0"
        case _:
            text = _overwrite(stimulus, state)
    if stimulus.ramp_up_ms or stimulus.ramp_down_ms:
        up, down = ticks_of(stimulus.ramp_up_ms), ticks_of(stimulus.ramp_down_ms)
        comes, goes = (f"within {_time(ticks)}" if ticks else "at once" for ticks in (up, down))
        text += f", coming {comes} and going {goes}"
    if stimulus.pulses is not None:
        text += f", in {_pulses(stimulus.pulses)}"
    return text + "."


def _overwrite(stimulus: Stimulus, state: str) -> str:
    lasts = _time(stimulus.own_duration_ticks)
    if stimulus.templates:
        request = stimulus.templates[0]
        return (
            f"{state} follows each unit's average course {_from(request)}, over {lasts}, then stays at its "
            "last value while the stimulus is on"
        )
    several = isinstance(stimulus.waveform[0], tuple)
    each = "each unit its own" if several else "one for all"
    return (
        f"{state} follows a time course ({each}) of {lasts}, "
        "then stays at its last value while the stimulus is on"
    )


def _from(request: BaselineRequest) -> str:
    """Where a mean or a template comes from."""
    if request.kind == "template":
        begins = f"from {request.before_ms:g} ms before" if request.before_ms else "from"
        return f"in {request.baseline}, {begins} the onsets of {request.around}"
    return f"in {request.baseline}, {request.span}"


def _pulses(pulses: Pulses) -> str:
    count = "pulses" if pulses.number is None else f"{pulses.number} pulses"
    period, asked = pulses.period_ticks, pulses.rate_hz
    true_hz = 1000 / (period * TICK_MS)
    rounded = "" if abs(true_hz - asked) < 1e-6 else f", for the {asked:g} Hz asked for"
    return f"{count} of {_time(pulses.width_ticks)}, one every {_time(period)} ({true_hz:.3g} Hz{rounded})"


def _units(units: Units, layer: str) -> str:
    """A choice of units of a layer: "the first 16 units of core"."""
    if units.ranked is not None:
        ranked = units.ranked
        return (
            f"the {units.count} units of {layer} that {ranked.span.during} modulates most in "
            f"{ranked.baseline}"
        )
    return f"{_chosen(units)} of {layer}"


def _chosen(units: Units) -> str:
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


def _when(trigger: Trigger) -> str:
    """An event in words: "when rear is found to begin"."""
    match trigger:
        case BehaviourTransition(name, phase):
            return f"when {name} is found to {'begin' if phase == 'onset' else 'end'}"
        case TrialStart():
            return "when a trial begins"
        case TrialTime():
            return f"{_time(trigger.ticks)} after the first tick of each trial"
        case TaskEvent(name):
            return f"when the task has its event {name}"
        case OperatorKey(key):
            return f"when the operator presses {key}"
        case ForecastOnset(name, lead_ms):
            return f"when {name} is foretold to begin in {_time(ticks_of(lead_ms))}"
        case ThresholdCrossing(activity):
            return f"when {_activity(activity)} comes to be {_level(activity)}"
        case AnyEvent(events):
            return ", or ".join(_when(each) for each in events)


def _holds(condition: Condition) -> str:
    """A condition in words: "rear is present"."""
    match condition:
        case Present(name):
            return f"{name} is present"
        case Level(activity):
            return f"{_activity(activity)} is {_level(activity)}"
        case Within(event, _):
            ago = _time(condition.ticks)
            return f"it is at most {ago} since the moment {_when(event)}"
        case Not(inner):
            return f"not ({_holds(inner)})"
        case AllOf(inner):
            return " and ".join(f"({_holds(each)})" for each in inner)
        case AnyOf(inner):
            return " or ".join(f"({_holds(each)})" for each in inner)


def _activity(activity: Activity) -> str:
    state = "cell" if activity.state == "c" else "hidden"
    which = "natural" if activity.natural else "applied"
    smoothed = max(1, ticks_of(activity.smoothing_ms))
    over = f", averaged over {_time(smoothed)}" if smoothed > 1 else ""
    return f"the mean {which} {state} state of {_units(activity.units, activity.layer)}{over}"


def _level(activity: Activity) -> str:
    levels = []
    if activity.above is not None:
        levels.append(f"above {activity.above:g}")
    if activity.below is not None:
        levels.append(f"below {activity.below:g}")
    return " and ".join(levels)


def _rule(rule: Rule, protocol: Protocol) -> str:
    when = _when(rule.on)
    when = when[0].upper() + when[1:] + " (tick k)"
    if rule.trial_conditions:
        when = f"In trials of {' or '.join(rule.trial_conditions)}: {when[0].lower()}{when[1:]}"
    if rule.condition is not None:
        when += f", if {_holds(rule.condition)}"
    late = protocol.latency
    first, lasting = rule.delay_ticks(late.mean_ms), rule.duration_ticks
    if lasting is None:
        span = f"from tick k+{first} until the trial ends"
    else:
        ticks = f"tick k+{first}" if lasting == 1 else f"ticks k+{first} to k+{first + lasting - 1}"
        span = f"for {_time(lasting)}, {ticks}"
    if late.sd_ms:
        span += ", on average"
    if rule.until is not None:
        span += f", or until the tick {_when(rule.until)}"
    text = f"{when}, {rule.do.name} is on {_time(first)} later, {span}"
    sham = "a sham takes its place: the same times, recorded as such, nothing delivered"
    if rule.probability == 0:
        text += f"; never, though: {sham if rule.sham else 'nothing happens'}"
    elif rule.probability < 1:
        otherwise = sham if rule.sham else "nothing happens"
        text += f", with probability {rule.probability:g}; otherwise {otherwise}"
    text += "."
    if rule.refractory_ticks:
        text += f" Not triggered again for {_time(rule.refractory_ticks)}."
    if rule.max_count is not None:
        text += f" At most {rule.max_count} in a session."
    at = rule.on.ticks + first if isinstance(rule.on, TrialTime) else 0
    if protocol.trial_s and at * TICK_MS >= protocol.trial_s * 1000:
        text += " That is after the trial's end: it will not happen."
    return text


def _clip(rule: ClipRule) -> str:
    when = _when(rule.on)
    when = when[0].upper() + when[1:]
    if rule.trial_conditions:
        when = f"In trials of {' or '.join(rule.trial_conditions)}: {when[0].lower()}{when[1:]}"
    if rule.condition is not None:
        when += f", if {_holds(rule.condition)}"
    after = ticks_of(rule.after_ms)
    which = f"the {rule.seconds:g} s that end {_time(after)} later"
    if not after:
        which = f"the last {rule.seconds:g} s"
    text = f"{when}, {which} are saved as a clip."
    if refractory := ticks_of(rule.refractory_ms):
        text += f" Not triggered again for {_time(refractory)}."
    if rule.max_count is not None:
        text += f" At most {rule.max_count} in a session."
    return text


def _time(ticks: int) -> str:
    return f"{ticks * TICK_MS:g} ms ({ticks} tick{'s' * (ticks != 1)})"
