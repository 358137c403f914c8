"""A made-up session: messages as a subject and an engine send them, from a seed, and no animal behind them.

For benches and tests of what only carries, stores or shows a session.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rig.body_state import NAMES
from rig.bus.message_types import (
    Assets,
    Description,
    End,
    EngineReply,
    Episode,
    Event,
    Fault,
    Input,
    InterventionEntry,
    LayerInfo,
    Message,
    Tick,
)

BEHAVIOURS = ("stand", "walk", "run", "turn_left", "turn_right", "fallen")
TRIAL_TICKS = 100
INPUTS = {
    5: (Input("key", "k"), Input("key", "7")),
    30: (
        Input(
            "stimulate",
            "mine — µ",
            {"layer": "core", "units": [0, 5], "value": [0.1, -2.5], "for_ms": 40, "gain": 0.0},
        ),
    ),
    33: (Input("release", "mine — µ"),),
}
"""What comes from outside, by the tick within 80."""


def description(n_layers: int = 4, **changes: object) -> Description:
    """A session with 128 units in each layer and a body of the rodent's size."""
    fields: dict[str, object] = {
        "subject": "runner",
        "subject_sha256": "5" * 64,
        "layers": tuple(
            LayerInfo(name, 128) for name in ("core", "policy_0", "policy_1", "policy_2")[:n_layers]
        ),
        "task": "corridor",
        "seed": 7,
        "pace": "max",
        "tick_s": 0.02,
        "duration_s": 20.0,
        "trial_s": TRIAL_TICKS * 0.02,
        "protocol_name": "first_light",
        "protocol_text": "protocol: first_light\n# µ — not ASCII\n",
        "behaviours": BEHAVIOURS,
        "stimuli": ("silence", "drive"),
        "proprioception": (
            ("walker/joints_pos", 67),
            ("walker/joints_vel", 67),
            ("walker/touch", 4),
        ),
        "body_state": NAMES,
        "latencies": ("camera", "network", "engine", "physics"),
        "joints": tuple(f"joint_{k}" for k in range(67)),
        "actuators": tuple(f"actuator_{k}" for k in range(38)),
        "n_qpos": 74,
        "n_qvel": 73,
        "n_act": 38,
        "camera_shape": (64, 64, 3),
        "started": "2026-01-02T03:04:05+00:00",
        "versions": {"mujoco": "3.17.0", "rodent-rig": "0.1.0"},
        "task_events": ("first_tap", "second_tap", "orb"),
        "conditions": ("control", "silenced"),
        "keys": ("k",),
    }
    return Description(**(fields | changes))  # type: ignore[arg-type]


def assets() -> dict[str, np.ndarray]:
    """Two files, as an episode's model would name them."""
    random = np.random.default_rng(0)
    return {
        "skin.skn": random.integers(0, 255, 3000).astype(np.uint8),
        "bone.msh": random.integers(0, 255, 500).astype(np.uint8),
    }


class Stream:
    """The messages of one session, numbered as a subject numbers them."""

    def __init__(self, described: Description, seed: int = 0, session: str = "test") -> None:
        self.described = described
        self.session = session
        self._random = np.random.default_rng(seed)
        self._sequences: dict[str, int] = {}
        self._n_units = sum(layer.n_units for layer in described.layers)
        self._open: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    def message(self, content: object, tick: int, **arrays: np.ndarray) -> Message:
        made = Message(content, self.session, tick, 0, arrays)  # type: ignore[arg-type]
        number = self._sequences.get(made.topic, 0)
        self._sequences[made.topic] = number + 1
        return Message(made.content, self.session, tick, number, arrays)

    def beginning(self) -> Iterator[Message]:
        yield self.message(self.described, -1)
        yield self.message(Assets(), -1, **assets())

    def ticks(self, first: int, n: int, engine: bool = True) -> Iterator[Message]:
        """Ticks with their answers, and the episodes that begin among them."""
        for tick in range(first, first + n):
            trial = tick // TRIAL_TICKS
            if tick % TRIAL_TICKS == 0 or tick == first:
                start = trial * TRIAL_TICKS
                yield self.message(Episode(trial, f"<mujoco model='é{trial}'/>" * 20), start)
            yield self._tick(tick, trial)
            yield self._answer(tick) if engine else self.message(EngineReply(), tick)

    def fault(self, tick: int) -> Message:
        return self.message(
            Fault("stimulation", "The engine died; stimuli are released.", False), tick
        )

    def end(self, ticks: int) -> Message:
        return self.message(End("duration", ticks, 3), ticks)

    def _tick(self, tick: int, trial: int) -> Message:
        described, normal = self.described, self._random.standard_normal
        size = sum(size for _, size in described.proprioception)
        c_natural, h_natural = normal((2, self._n_units), np.float32)
        c_applied, h_applied = c_natural.copy(), h_natural.copy()
        if self._open.keys() & {"silence", "mine — µ"}:
            acted = slice(self._n_units - 64, None)
            c_applied[acted], h_applied[acted] = normal((2, 64), np.float32)
        content = Tick(
            trial=trial,
            reward=float(normal()),
            discount=1.0,
            value=float(normal()),
            first=tick % TRIAL_TICKS == 0,
            overrun=bool(self._random.random() < 0.1),
            wall_s=1000.0 + tick * 0.02,
            task_events=("first_tap", "orb") if tick % 90 == 17 else (),
            inputs=INPUTS.get(tick % 80, ()),
        )
        return self.message(
            content,
            tick,
            proprioception=normal(size, np.float32),
            camera=self._random.integers(0, 255, described.camera_shape, np.uint8),
            action=normal(len(described.actuators)),
            c_natural=c_natural,
            h_natural=h_natural,
            c_applied=c_applied,
            h_applied=h_applied,
            qpos=normal(described.n_qpos),
            qvel=normal(described.n_qvel),
            act=normal(described.n_act),
            actuator_force=normal(len(described.actuators)),
            body=normal(len(described.body_state)),
            latency=normal(len(described.latencies)).astype(np.float32),
        )

    def _answer(self, tick: int) -> Message:
        events = []
        if tick % TRIAL_TICKS == 0:
            condition = self.described.conditions[tick // TRIAL_TICKS % 2]
            trial = tick // TRIAL_TICKS + 1
            events.append(Event("condition", condition, "onset", tick, tick, trial))
        for name, period, length, kind in (
            ("mine — µ", 80, 3, "outside"),
            ("run", 40, 25, "behaviour"),
            ("stand", 70, 6, "behaviour"),
            ("silence", 40, 20, "stimulus"),
        ):
            if name in self._open and tick == self._open[name]:
                events.append(self._event(kind, name, "offset", tick))
                del self._open[name]
            elif name not in self._open and tick % period == (30 if kind == "outside" else 3):
                self._numbers[name] = self._numbers.get(name, -1) + 1
                self._open[name] = tick + length
                events.append(self._event(kind, name, "onset", tick))
        interventions: tuple[InterventionEntry, ...] = ()
        arrays = {"confidence": self._random.random(len(BEHAVIOURS)).astype(np.float32)}
        if "silence" in self._open and self._numbers["silence"] % 2 == 0:
            interventions = (
                InterventionEntry("silence", "policy_2", "c"),
                InterventionEntry("drive", "core", "h"),
            )
            for k, n in enumerate((64, 3)):
                arrays[f"{k}.units"] = np.arange(n, dtype=np.int64)
                arrays[f"{k}.gain"] = np.zeros(n, np.float32)
                arrays[f"{k}.value"] = self._random.standard_normal(n, np.float32)
        if "mine — µ" in self._open:
            place = len(interventions)
            interventions = (*interventions, InterventionEntry("mine — µ", "core", "c"))
            arrays[f"{place}.units"] = np.array([0, 5], np.int64)
            arrays[f"{place}.gain"] = np.zeros(2, np.float32)
            arrays[f"{place}.value"] = np.array([0.1, -2.5], np.float32)
        content = EngineReply(
            tuple(events), interventions, tick % 50 == 9, float(self._random.random())
        )
        return self.message(content, tick, **arrays)

    def _event(self, kind: str, name: str, phase: str, tick: int) -> Event:
        number = self._numbers[name]
        outside = kind == "outside"
        kind = "stimulus" if outside else kind
        stimulus = kind == "stimulus"
        return Event(
            kind,
            name,
            phase,
            tick=tick + 1 if stimulus else tick,
            began_tick=tick + 1 if stimulus else tick - 2,
            number=number,
            sham=stimulus and not outside and number % 2 == 1,
            confidence=float(self._random.random()),
            cause=f"run.onset {number}" if stimulus else "",
        )
