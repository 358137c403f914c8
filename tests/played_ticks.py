"""Engines that are given scripted ticks: what the animal does and what comes from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from rig.body_state import NAMES
from rig.bus.message_types import EngineReply, Event, Input, Message, Tick
from stim.engine import Engine
from stim.protocol.model import Protocol
from stim.protocol.read import parse
from stim.protocol.script import execute
from tests.engine_scenario import describe
from tests.protocol_texts import LAYERS

HEAD = """
protocol: p
subject: runner
task: two_tap
detectors:
  run: {behaviour: run, smoothing_ms: 0, min_duration_ms: 20}
stimuli:
  a: {clamp: policy_2, units: [5, 3], to: 0.25, state: cell}
  b: {bias: core, units: all, by: 1, state: hidden}
"""


UPRIGHT = [k for k, name in enumerate(NAMES) if name.endswith("up")]


SPEED = NAMES.index("forward_speed")


@dataclass
class Seen:
    """One tick of a scripted session: what the animal does in it, and what comes from outside."""

    speed: float = 0.0
    unit: float = 0.0
    task: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    first: bool = False


@dataclass
class Played:
    """What an engine made of it; `acting[k]` are the stimuli that act on tick k."""

    events: list[Event] = field(default_factory=list)
    acting: dict[int, list[str]] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    clips: list[tuple[int, float, float, str]] = field(default_factory=list)

    @property
    def stimuli(self) -> list[Event]:
        return [event for event in self.events if event.kind == "stimulus"]

    def on(self, name: str) -> list[int]:
        return [tick for tick, names in self.acting.items() if name in names]

    def onsets(self, name: str) -> list[int]:
        return [e.tick for e in self.events if (e.name, e.phase) == (name, "onset")]


def read(text: str) -> Protocol:
    return parse(HEAD + text, "p.yaml", ("two_tap",), LAYERS)


def play(
    protocol: Protocol,
    ticks: Sequence[Seen],
    seed: int = 7,
    numbers: Mapping[str, int] | None = None,
) -> Played:
    description = msgspec.structs.replace(
        describe(protocol, seed), numbers_used=dict(numbers or {})
    )
    script = execute(protocol.text, "p.py") if protocol.is_script else None
    engine = Engine(protocol, description, script=script)
    played, trial = Played(), -1
    pending: list[str] = []
    for tick, seen in enumerate(ticks):
        if seen.first or tick == 0:
            trial += 1
            engine.begin_trial(trial, tick)
            pending = []
        played.acting[tick] = pending
        body = np.zeros(len(NAMES))
        body[UPRIGHT], body[SPEED] = 1.0, seen.speed
        activity = np.zeros(512, np.float32)
        activity[384:] = seen.unit  # policy_2
        states = ("c_natural", "h_natural", "c_applied", "h_applied")
        arrays = {"body": body} | dict.fromkeys(states, activity)
        content = Tick(trial, 0, 1, 0, False, False, 0, seen.task, seen.inputs)
        answer = engine.reply(Message(content, "s", tick, tick, arrays)).content
        assert isinstance(answer, EngineReply)
        played.events.extend(answer.events)
        played.clips.extend(
            (tick, each.seconds, each.after_ms, each.cause) for each in answer.clips
        )
        pending = [each.stimulus for each in answer.interventions]
        if answer.end_trial:
            played.ended.append(tick)
    return played


def quiet(n: int, **at: Seen) -> list[Seen]:
    """`n` uneventful ticks, but for those given as t5=Seen(...)."""
    ticks = [Seen() for _ in range(n)]
    for name, seen in at.items():
        ticks[int(name[1:])] = seen
    return ticks


def asked(**args: object) -> Input:
    given = {"layer": "core", "units": [1, 2], "value": 0.5, "state": "both", "for_ms": 60}
    return Input("stimulate", "mine", given | args)
