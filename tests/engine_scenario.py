"""A subject's side of the engine, for tests: ticks with a speed, and what the engine made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rig.body_state import NAMES
from rig.bus.encoding import decode, encode
from rig.bus.interventions import unpack
from rig.bus.message_types import Description, EngineReply, Event, LayerInfo, Message, Tick
from stim.engine import Engine
from stim.protocol.model import Protocol
from tests.protocol_texts import LAYERS

HEAD = """
protocol: p
subject: runner
task: corridor
detectors:
  run: {behaviour: run, smoothing_ms: 0, min_duration_ms: 20}
"""
SILENCE = (
    HEAD + "stimuli:\n  silence: {clamp: policy_2, units: [5, 3], to: 0.25, state: cell}\nrules:\n"
)
UP = NAMES.index("up")
SPEED = NAMES.index("forward_speed")


def describe(protocol: Protocol, seed: int = 7) -> Description:
    return Description(
        subject="runner",
        subject_sha256="",
        layers=tuple(LayerInfo(name, n_units) for name, n_units in LAYERS.items()),
        task="corridor",
        seed=seed,
        pace="max",
        tick_s=0.02,
        duration_s=0,
        trial_s=0,
        protocol_name=protocol.name,
        protocol_text=protocol.text,
        behaviours=protocol.behaviour_names,
        stimuli=protocol.stimulus_names,
        proprioception=(),
        body_state=NAMES,
        latencies=(),
        joints=(),
        actuators=(),
        n_qpos=0,
        n_qvel=0,
        n_act=0,
        camera_shape=(64, 64, 3),
        started="",
        versions={},
    )


def tick_message(tick: int, speed: float, trial: int = 0, first: bool = False) -> Message:
    body = np.zeros(len(NAMES))
    body[UP], body[SPEED] = 1.0, speed
    content = Tick(trial, 0.0, 1.0, 0.0, first, False, 0.0)
    return Message(content, "s", tick, tick, {"body": body})


Acting = tuple[str, str, str, list[int], list[float], list[float]]


@dataclass
class EngineLog:
    """What an engine answered to a series of ticks; `acting[k]` is what acted on tick k."""

    seed: int
    answers: dict[int, Message] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    acting: dict[int, list[Acting]] = field(default_factory=dict)

    def of(self, name: str) -> list[tuple[str, int, bool]]:
        return [(each.phase, each.tick, each.sham) for each in self.events if each.name == name]

    def ticks_with(self, name: str) -> list[int]:
        return [tick for tick, acting in self.acting.items() if any(a[0] == name for a in acting)]


def run(
    protocol: Protocol,
    speeds: Iterable[float],
    *,
    seed: int = 7,
    first_tick: int = 100,
    trials_at: Sequence[int] = (),
) -> EngineLog:
    """Plays the subject's part; messages go through the wire format, a new trial drops interventions."""
    engine = Engine(protocol, describe(protocol, seed))
    log = EngineLog(seed)
    trial = -1
    pending: list[Acting] = []
    for tick, speed in enumerate(speeds, first_tick):
        first = tick == first_tick or tick in trials_at
        if first:
            trial += 1
            engine.begin_trial(trial, tick)
            pending = []
        log.acting[tick] = pending
        sent = engine.reply(tick_message(tick, speed, trial, first))
        message = decode([bytes(frame) for frame in encode(sent)])
        answer = message.content
        assert isinstance(answer, EngineReply)
        assert (message.tick, message.session) == (tick, "s")
        assert message.arrays["confidence"].dtype == np.float32
        assert message.arrays["confidence"].shape == (len(protocol.behaviours),)
        assert len(message.arrays) == 1 + 3 * len(answer.interventions)
        log.answers[tick] = message
        log.events.extend(answer.events)
        pending = [
            (*each[:3], *(numbers.tolist() for numbers in each[3:]))
            for each in unpack(answer, message.arrays)
        ]
    return log


def still_then_running(still: int, running: int) -> list[float]:
    return [0.0] * still + [0.8] * running
