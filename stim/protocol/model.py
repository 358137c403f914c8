"""A valid protocol: what a session is to do, as the engine, the recorder and the window read it.

`stim.protocol.read` makes one of a file's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rig.bus.external_inputs import OUTSIDE
from rig.bus.message_types import KeyUse
from stim.clip_rules import CLIP, ClipRule
from stim.detectors.definition import Behaviour
from stim.protocol.script import SCRIPT, ScriptFile
from stim.rules import Block, Latency, Rule
from stim.stimuli.baselines import BaselineFile, BaselineRequest
from stim.stimuli.stimuli import Stimulus
from stim.triggers import (
    Condition,
    Level,
    OperatorKey,
    ThresholdCrossing,
    Trigger,
    Within,
    events_in,
    parts_of,
)


@dataclass(frozen=True)
class Protocol:
    """A valid protocol; times in seconds of animal time.

    Attributes:
        name: the protocol's own.
        description: what it is for; "" where the file does not say.
        subject: the subject's name, or the path of its folder.
        task: the name of the task.
        trials: how many trials a session has; 0: no such limit.
        trial_s: how long a trial lasts; 0: until the task ends it.
        duration_s: how long a session lasts; 0: no such limit.
        seed: of everything random, unless the command line gives another; None: drawn.
        behaviours: all that are detected: those of the rig, then those that the file adds.
        stimuli, rules, blocks: in the order of the file.
        text: the file as it was read, with what parameters were set to, for the session's record.
        path: where the file is.
        trial_starts: the event from which on rules hold in a trial; None: its first tick.
        trial_ends: the event that ends a trial, besides the task; None: no such event.
        latency: how late stimuli are.
        outside_allowed: whether programs on the bus may stimulate units.
        baselines: baseline recordings, by the names that the file uses.
        blinded: whether displays hide, until the end, which stimuli are shams.
        is_script: whether the file is a Python file.
        script: that file, executed; None where it is not one, or was only read.
        files: those that the file names.
        clips: the rules that save clips, in the order of the file.
    """

    name: str
    description: str
    subject: str
    task: str
    trials: int
    trial_s: float
    duration_s: float
    seed: int | None
    behaviours: tuple[Behaviour, ...]
    stimuli: tuple[Stimulus, ...]
    rules: tuple[Rule, ...]
    text: str
    path: str = ""
    trial_starts: Trigger | None = None
    trial_ends: Trigger | None = None
    blocks: tuple[Block, ...] = ()
    latency: Latency = field(default_factory=Latency)
    outside_allowed: bool = True
    blinded: bool = False
    baselines: Mapping[str, BaselineFile] = field(default_factory=dict)
    is_script: bool = False
    script: ScriptFile | None = None
    files: tuple[Path, ...] = ()
    clips: tuple[ClipRule, ...] = ()

    @property
    def behaviour_names(self) -> tuple[str, ...]:
        """What `Description.behaviours` has to be."""
        return tuple(behaviour.name for behaviour in self.behaviours)

    @property
    def stimulus_names(self) -> tuple[str, ...]:
        """What `Description.stimuli` has to be: the file's, its Python's, and those of other programs."""
        own = tuple(stimulus.name for stimulus in self.stimuli)
        python = (SCRIPT,) if self.is_script else ()
        return (*own, *python, OUTSIDE) if self.outside_allowed else (*own, *python)

    @property
    def condition_names(self) -> tuple[str, ...]:
        """The conditions that its trials may have."""
        return tuple(dict.fromkeys(name for block in self.blocks for name in block.conditions))

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """All events that trials and rules refer to, except those within conditions."""
        events = [self.trial_starts, self.trial_ends]
        for rule in self.rules:
            events += [rule.on, rule.until]
        events += [clip.on for clip in self.clips]
        return tuple(each for each in events if each is not None)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions that its rules have."""
        found = (*(rule.condition for rule in self.rules), *(clip.condition for clip in self.clips))
        return tuple(each for each in found if each is not None)

    @property
    def keys(self) -> tuple[str, ...]:
        """The operator's keys that it listens to."""
        found = (each.key for each in self._events if isinstance(each, OperatorKey))
        return tuple(dict.fromkeys(found))

    @property
    def key_uses(self) -> tuple[KeyUse, ...]:
        """What each of its keys does, for who presses it."""
        return tuple(self._use_of(key) for key in self.keys)

    def _use_of(self, key: str) -> KeyUse:
        pressed = OperatorKey(key)

        def has(event: Trigger | None) -> bool:
            return event is not None and pressed in events_in(event)

        stimuli = tuple(dict.fromkeys(rule.do.name for rule in self.rules if has(rule.on)))
        words = [*stimuli]
        words += [f"saves a {CLIP}" for clip in self.clips if has(clip.on)]
        if has(self.trial_starts):
            words.append("starts the trial")
        if has(self.trial_ends):
            words.append("ends the trial")
        words += [f"ends {rule.do.name}" for rule in self.rules if has(rule.until)]
        words += [
            f"allows {rule.do.name}"
            for rule in self.rules
            if rule.condition is not None
            and any(
                isinstance(each, Within) and has(each.event) for each in parts_of(rule.condition)
            )
        ]
        return KeyUse(key, ", ".join(dict.fromkeys(words)), stimuli)

    @property
    def baseline_requests(self) -> tuple[BaselineRequest, ...]:
        """All that it needs from its baseline recordings."""
        levels = [
            each.activity.units.ranked
            for each in (*self._events, *(p for c in self.conditions for p in parts_of(c)))
            if isinstance(each, ThresholdCrossing | Level)
            and each.activity.units.ranked is not None
        ]
        found = (request for stimulus in self.stimuli for request in stimulus.baseline_requests)
        return tuple(dict.fromkeys((*found, *levels)))

    @property
    def _events(self) -> tuple[Trigger, ...]:
        parts = [part for each in self.conditions for part in parts_of(each)]
        within = tuple(part.event for part in parts if isinstance(part, Within))
        return tuple(event for each in (*self.triggers, *within) for event in events_in(each))
