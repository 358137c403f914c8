"""Rules that have the last of the session saved as a clip, beside those that stimulate (`stim.rules`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rig.bus.message_types import ClipRequest
from stim.ticks import ticks_of
from stim.trigger_evaluator import TriggerEvaluator
from stim.triggers import Condition, Trigger

CLIP = "clip"
"""What a rule says it does, where the file has no stimulus of that name."""
LONGEST_CLIP_S = 60.0


@dataclass(frozen=True)
class ClipRule:
    """A clip that follows a trigger.

    Attributes:
        number: its place among the rules of the file, from 1.
        on: the trigger.
        seconds: how much is saved, up to `after_ms` after the trigger.
        after_ms: how long the clip goes on after the trigger.
        refractory_ms: how long after a trigger the next one is ignored.
        max_count: how many clips there are at most in a session; None: any number.
        condition: has to hold at the tick of the trigger.
        trial_conditions: of trials in which the rule holds; none: in all.
    """

    number: int
    on: Trigger
    seconds: float = LONGEST_CLIP_S
    after_ms: float = 0.0
    refractory_ms: float = 0.0
    max_count: int | None = None
    condition: Condition | None = None
    trial_conditions: tuple[str, ...] = ()


@dataclass
class _State:
    """What a rule remembers: when it can be triggered next, and how often it was."""

    rule: ClipRule
    not_before: int = -1
    count: int = 0


class ClipRules:
    """Says at each tick which clips are wanted."""

    def __init__(self, rules: Sequence[ClipRule]) -> None:
        self._states = [_State(rule) for rule in rules]

    def take_over(self, before: ClipRules) -> None:
        """Goes on from another protocol's: rules that both have keep what they remember."""
        old = {state.rule: state for state in before._states}
        self._states = [old.get(state.rule, _State(state.rule)) for state in self._states]

    def wanted(
        self, tick: int, triggers: TriggerEvaluator, trial_condition: str
    ) -> tuple[ClipRequest, ...]:
        """What is wanted at a tick, in the order of the file.

        Args:
            tick: of the session.
            triggers: as they are at the tick.
            trial_condition: of the trial.
        """
        found = []
        for state in self._states:
            rule = state.rule
            if rule.trial_conditions and trial_condition not in rule.trial_conditions:
                continue
            spent = rule.max_count is not None and state.count >= rule.max_count
            cause = "" if spent or tick < state.not_before else triggers.fired(rule.on)
            if not cause or (rule.condition is not None and not triggers.holds(rule.condition)):
                continue
            state.count += 1
            state.not_before = tick + ticks_of(rule.refractory_ms)
            found.append(ClipRequest(rule.seconds, rule.after_ms, f"rule {rule.number}: {cause}"))
        return tuple(found)
