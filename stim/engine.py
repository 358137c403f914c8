"""The stimulation engine: for each tick, what was found in it and what acts on the next one.

Pure computation on messages, no sockets, no clock: the same ticks give the same replies. What is decided
from tick k acts at k + 1 at the soonest. The onset of a stimulus is an event of the reply to the first tick
that it acted on, its offset one of the reply to the first tick without it; so no event is of a tick that did
not come. At the beginning of a trial whatever is still on ends: the simulator drops interventions that were
meant for a tick that began a new trial.

A rule is busy from its trigger until its stimulus or sham has ended, and ignores triggers meanwhile.
Whether a trigger leads to a stimulus is drawn from (seed, rule, tick) and nothing else, so that a session
and its counterfactual share every draw that they have in common.

The operator may disarm the protocol: from the next tick on none of its stimuli is delivered, none is begun,
as a sham or otherwise, and no trigger counts, until it is armed again. Detectors, trials and a protocol's
Python go on; what other programs ask for is delivered as ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.bus.external_inputs import OUTSIDE
from rig.bus.interventions import BusIntervention, pack
from rig.bus.message_types import ClipRequest, Description, EngineReply, Event, Message, Tick
from rig.errors import RunError
from rig.random_streams import generator
from stim.clip_rules import ClipRules
from stim.detectors.online import Detectors
from stim.protocol.model import Protocol
from stim.protocol.script import SCRIPT, Script, ScriptFile
from stim.rules import Rule, condition_of
from stim.stimuli.baselines import Values
from stim.stimuli.external import RequestedStimuli
from stim.stimuli.stimuli import Delivery
from stim.trigger_evaluator import TriggerEvaluator


@dataclass
class _Occurrence:
    """A stimulus or sham that was triggered.

    Attributes:
        rule: whose it is.
        order: the stimulus's place in the file.
        sham: whether it is timed and recorded only.
        first, end: the ticks at which it is on: from `first` up to, not including, `end`; None: open.
        cause: what triggered it, in words.
        number: which occurrence of the stimulus it is in the session, from 1; 0 until it begins.
    """

    rule: Rule
    order: int
    sham: bool
    first: int
    end: int | None
    cause: str
    number: int = 0


class _RuleState:
    """What a rule remembers: its occurrence while busy, when it can be triggered next, how often it was."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.occurrence: _Occurrence | None = None
        self.not_before = -1
        self.count = 0


class Engine:
    """Runs a protocol on a session's ticks.

    Args:
        protocol: the rules, with their detectors, triggers and stimuli.
        description: of the session: its seed, layers, behaviours and body state.
        values: what the protocol needs of baseline recordings.
        script: the protocol's Python, executed, where it has some.

    Raises:
        RunError: the session's behaviours or layers are not those that the protocol was made for, or a
            baseline does not fit them.
    """

    def __init__(
        self,
        protocol: Protocol,
        description: Description,
        values: Values | None = None,
        script: ScriptFile | None = None,
    ) -> None:
        by_name = {behaviour.name: behaviour for behaviour in protocol.behaviours}
        if set(by_name) != set(description.behaviours):
            raise RunError(
                f"The session has the behaviours {', '.join(description.behaviours)}, its protocol "
                f"{', '.join(by_name)}; they have to be the same."
            )
        self._seed = seed = description.seed
        self._protocol = protocol
        self._detectors = Detectors(
            [by_name[name] for name in description.behaviours],
            description.body_state,
            _numbers_used(description, "behaviour"),
        )
        layers = {layer.name: layer.n_units for layer in description.layers}
        for stimulus in protocol.stimuli:
            if stimulus.layer not in layers:
                raise RunError(f"The session's subject has no layer {stimulus.layer!r}.")
        self._deliveries = {
            stimulus.name: Delivery(stimulus, layers, seed, values) for stimulus in protocol.stimuli
        }
        self._order = {stimulus.name: place for place, stimulus in enumerate(protocol.stimuli)}
        numbers = _numbers_used(description, "stimulus")
        self._numbers = dict.fromkeys(self._order, 0) | numbers
        self._rules = [_RuleState(rule) for rule in protocol.rules]
        self._clips = ClipRules(protocol.clips)
        self._outside = RequestedStimuli(layers, seed, numbers.get(OUTSIDE, 0))
        self._script = None if script is None else Script(script, description)
        self._scripted = RequestedStimuli(layers, seed, numbers.get(SCRIPT, 0), SCRIPT)
        self._triggers = TriggerEvaluator(
            protocol.triggers,
            protocol.conditions,
            protocol.behaviours,
            description.body_state,
            layers,
            seed,
            values,
        )
        self._armed = description.armed
        self._trial = -1
        self._first_tick = 0
        self._condition = ""
        self._events_due: list[Event] = []
        self._outgoing: list[_RuleState] = []

    def take_over(
        self,
        before: Engine,
        tick: int,
        script: ScriptFile | None,
        description: Description,
        keep_script: bool,
    ) -> None:
        """Takes a session over from another protocol's engine.

        Both have been given every tick so far; what this one decided meanwhile is discarded. Rules that both
        have keep their state; what other rules have begun acts on `tick` for the last time. Stimuli that
        other programs asked for stay on. Another protocol is armed.

        Args:
            before: the other engine.
            tick: the first one to which this engine replies.
            script: the Python that begins here, if any.
            description: of the session, for it.
            keep_script: both have the same Python, which goes on.
        """
        self._numbers = dict.fromkeys(self._order, 0) | before._numbers
        others = list(before._rules)
        for state in self._rules:
            same = next((each for each in others if each.rule == state.rule), None)
            if same is None:
                state.occurrence, state.not_before, state.count = None, -1, 0
            else:
                others.remove(same)
                state.occurrence, state.not_before = same.occurrence, same.not_before
                state.count = same.count
        self._outgoing = [*others, *before._outgoing]
        for state in self._outgoing:
            if state.occurrence is not None:
                self._cut_short(state, state.occurrence, tick + 1)
        # what was disarmed is the protocol that ran
        self._armed = before._armed or self._protocol.text != before._protocol.text
        self._outside, self._scripted = before._outside, before._scripted
        self._clips.take_over(before._clips)
        if keep_script:
            self._script = before._script
        else:
            self._scripted.release_all(tick)
            self._script = None if script is None else Script(script, description)

    def begin_trial(self, trial: int, tick: int) -> None:
        """A trial begins, and `tick` is its first: detectors are reset, stimuli that are still on end."""
        self._trial = trial
        self._first_tick = tick
        self._events_due.extend(self._detectors.begin_trial(tick))
        self._triggers.begin_trial(trial)
        for state in (*self._rules, *self._outgoing):
            occurrence = state.occurrence
            if occurrence is not None and occurrence.number:
                cause = occurrence.cause if occurrence.end == tick else "the trial ended"
                self._events_due.append(self._event(occurrence, "offset", tick, cause))
            state.occurrence = None
        for requested in (self._scripted, self._outside):
            self._events_due.extend(requested.begin_trial(tick))
        self._condition = condition_of(self._protocol.blocks, self._seed, trial)
        if self._condition:
            number = trial + 1
            self._events_due.append(
                Event("condition", self._condition, "onset", tick, tick, number)
            )

    def reply(self, message: Message) -> Message:
        """The reply to a tick.

        Its arrays are `confidence`, (behaviours,) float32, and those of its interventions
        (`rig.bus.interventions`).

        Raises:
            RunError: the message is not a tick, or has no array `body`.
        """
        content, tick = message.content, message.tick
        if not isinstance(content, Tick) or "body" not in message.arrays:
            raise RunError(
                f"The engine expected a tick with a body state and got a {message.topic!r}."
            )
        if content.trial != self._trial:
            self.begin_trial(content.trial, tick)
        confidences, found = self._detectors.step(tick, message.arrays["body"], content.task_events)
        events = [*self._events_due, *found]
        self._events_due = []
        for state in (*self._rules, *self._outgoing):
            self._begin_or_end(state, tick, events)
        for requested in (self._scripted, self._outside):
            events.extend(requested.begin_or_end(tick))
        self._triggers.observe(tick, content, message.arrays, found)
        starts = self._protocol.trial_starts
        if not self._triggers.started and (starts is None or self._triggers.fired(starts)):
            self._triggers.start_trial(self._first_tick if starts is None else tick)
        for each in content.inputs:
            if each.kind in ("arm", "disarm"):
                self._arm(each.kind == "arm", tick)
        clips: tuple[ClipRequest, ...] = ()
        if self._triggers.started and self._armed:
            for state in self._rules:
                self._apply(state, tick)
            clips = self._clips.wanted(tick, self._triggers, self._condition)
        for each in content.inputs:
            if each.kind == "release_all":
                self._release_own(tick)
                self._outside.release_all(tick)
            else:
                self._outside.accept(each, tick)
        ends = self._protocol.trial_ends
        end_trial = bool(ends is not None and self._triggers.started and self._triggers.fired(ends))
        if self._script is not None:
            requests, wants_end = self._script.step(
                tick, content, message.arrays, found, self._triggers.present, self._condition
            )
            for each in requests if self._armed else ():
                self._scripted.accept(each, tick)
            end_trial = end_trial or wants_end
        interventions, arrays = pack(self._interventions(tick + 1))
        arrays["confidence"] = confidences
        reply = EngineReply(tuple(events), interventions, end_trial, clips=clips)
        return Message(reply, message.session, tick, arrays=arrays)

    def _arm(self, armed: bool, tick: int) -> None:
        """Lets rules fire, or ends with this tick what the protocol has begun."""
        self._armed = armed
        if not armed:
            self._release_own(tick)

    def _begin_or_end(self, state: _RuleState, tick: int, events: list[Event]) -> None:
        occurrence = state.occurrence
        if occurrence is None:
            return
        if tick == occurrence.first:
            name = occurrence.rule.do.name
            self._numbers[name] += 1
            occurrence.number = self._numbers[name]
            state.count += 1
            events.append(self._event(occurrence, "onset", tick))
        elif tick == occurrence.end:
            events.append(self._event(occurrence, "offset", tick))
            state.occurrence = None

    def _apply(self, state: _RuleState, tick: int) -> None:
        """Triggers a rule, or ends its stimulus, where this tick fires its events."""
        rule, occurrence = state.rule, state.occurrence
        if rule.trial_conditions and self._condition not in rule.trial_conditions:
            return
        if occurrence is not None:
            if rule.until is not None and self._triggers.fired(rule.until):
                self._cut_short(state, occurrence, tick + 1)
            return
        cause = self._triggers.fired(rule.on)
        if cause and (rule.condition is None or self._triggers.holds(rule.condition)):
            self._trigger(state, tick, cause)

    def _cut_short(self, state: _RuleState, occurrence: _Occurrence, end: int) -> None:
        if occurrence.first >= end:  # it has not begun yet, and now will not
            state.occurrence = None
        elif occurrence.end is None or occurrence.end > end:
            occurrence.end = end

    def _release_own(self, tick: int) -> None:
        """Ends at a tick what rules and Python have on or due; armed, they may begin anew after it."""
        for state in (*self._rules, *self._outgoing):
            if state.occurrence is not None:
                self._cut_short(state, state.occurrence, tick + 1)
        self._scripted.release_all(tick)

    def _trigger(self, state: _RuleState, tick: int, cause: str) -> None:
        rule = state.rule
        spent = rule.max_count is not None and state.count >= rule.max_count
        if spent or tick < state.not_before:
            return
        sham = False
        if rule.probability < 1:
            drawn = generator(self._seed, f"rule {rule.number}", tick).random()
            sham = bool(drawn >= rule.probability)
            if sham and not rule.sham:
                return
        late_ms = self._protocol.latency.draw_ms(self._seed, rule.number, tick)
        first = tick + rule.delay_ticks(late_ms)
        duration = rule.duration_ticks
        state.occurrence = _Occurrence(
            rule,
            self._order[rule.do.name],
            sham,
            first,
            None if duration is None else first + duration,
            f"rule {rule.number}: {cause}",
        )
        state.not_before = tick + rule.refractory_ticks

    def _interventions(self, tick: int) -> list[BusIntervention]:
        """What acts on a tick: in the order of the file's stimuli, then of its rules, then on request."""
        acting = []
        for state in self._rules:
            each = state.occurrence
            if each is None or each.sham or tick < each.first:
                continue
            if each.end is None or tick < each.end:
                acting.append(each)
        acting.sort(key=lambda each: each.order)  # stable: rules stay in their order
        interventions: list[BusIntervention] = []
        for each in acting:
            delivery = self._deliveries[each.rule.do.name]
            duration = None if each.end is None else each.end - each.first
            interventions.extend(delivery.interventions(tick, tick - each.first, duration))
        return [
            *interventions,
            *self._scripted.interventions(tick),
            *self._outside.interventions(tick),
        ]

    def _event(
        self, occurrence: _Occurrence, phase: str, tick: int, cause: str | None = None
    ) -> Event:
        return Event(
            "stimulus",
            occurrence.rule.do.name,
            phase,
            tick,
            tick,
            occurrence.number,
            sham=occurrence.sham,
            cause=occurrence.cause if cause is None else cause,
        )


def _numbers_used(description: Description, kind: str) -> dict[str, int]:
    """How often each of a kind has occurred already: an engine may be replaced while a session runs."""
    return {
        name: number
        for key, number in description.numbers_used.items()
        if (name := key.removeprefix(f"{kind} ")) != key
    }
