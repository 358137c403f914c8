"""The tick loop: the one place where a session's time passes.

    observe ──► step the network (interventions decided from the tick before) ──► publish ──► physics
      ▲                                                                                         │
      └────────────── wait for the engine's reply: its interventions act on the next tick ◄─────┘

The contract (docs/architecture.md): a stimulus decided from tick k acts on tick k + 1, at any speed;
message k goes out before the physics of k; the engine replies to every tick, and a tick is never run with
the one before it unanswered unless the supervisor has said that the engine is dead. Then every stimulus
is released and the run goes on.

`TickLoop` is time alone. What the supervisor asks for is followed by `rig.control`, the engine by
`rig.engine_link`, the recorder by `rig.recorder_link`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from agent.interventions import Intervention
from agent.subject import CAMERA, Step, Subject
from rig.animal import Animal, StepResult, TickState
from rig.arenas.senses import flatten
from rig.bus.message_types import (
    TICK_S,
    Array,
    Assets,
    Content,
    End,
    Episode,
    Fault,
    Message,
    Snapshot,
    Tick,
)
from rig.bus.transport import Transport
from rig.control import Control
from rig.engine_link import EngineLink
from rig.pacing import Pacer
from rig.random_streams import generator
from rig.recorder_link import RecorderLink
from rig.resume_point import SNAPSHOT_TICKS, ResumePoint, SnapshotError
from rig.session.directory import SessionSpec

LATENCIES: tuple[str, ...] = (
    *("sense_ms", "network_ms", "send_ms", "physics_ms", "engine_wait_ms"),
    *("engine_ms", "late_ms", "tick_ms"),
)
"""What is timed in each tick; `engine_ms` is the engine's own account of its work."""

_NO_ARRAYS: Mapping[str, Array] = MappingProxyType({})


class TickLoop:
    """Runs one session from its first trial to its end, on the subject's side of the bus.

    Args:
        spec: the session.
        subject: the network.
        animal: its body, at the beginning of trial 0; where a session is resumed, in its snapshot's state.
        transport: to the session's other parts.
        resume: where it is resumed; None from its start.
    """

    def __init__(
        self,
        spec: SessionSpec,
        subject: Subject,
        animal: Animal,
        transport: Transport,
        resume: ResumePoint | None = None,
    ) -> None:
        self._spec = spec
        self._subject = subject
        self._animal = animal
        self._transport = transport
        self._resume = resume
        self._pacer = Pacer(spec.pace)
        self._control = Control(transport, self._publish)
        self._recorder = RecorderLink(transport, self._control, self._pacer.restart)
        sizes = {layer.name: layer.n_units for layer in subject.layers}
        self._engine = EngineLink(transport, self._control, sizes, self._publish)
        self._interventions: tuple[Intervention, ...] = ()
        self._tick = 0
        self._latency = np.zeros(len(LATENCIES), dtype=np.float32)
        self._began_s = 0.0

    def run(self) -> End:
        """Runs until the duration, the number of trials, a stop command or a failure; returns which."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._began_s = time.perf_counter()
        assets = {name: np.frombuffer(blob, np.uint8) for name, blob in self._animal.assets.items()}
        self._publish(Assets(), assets)
        if self._spec.record:
            self._recorder.begin("recorder-1")
            self._recorder.wait_for_file()
        trial = 0 if self._resume is None else self._run_resumed(self._resume)
        while not self._control.end_reason:
            self._run_trial(trial)
            trial = self._after_trial(trial)
        self._record_faults()  # those of which it heard together with the end, too
        end = End(self._control.end_reason, self._tick, self._pacer.overruns)
        self._publish(end, to_engine=True)
        return end

    def _run_trial(self, trial: int) -> None:
        """One episode of the task. The tick clock stands still while its arena is compiled."""
        if trial > 0:
            self._animal.begin_trial(trial)
        self._subject.reset()
        self._interventions = ()
        self._publish(Episode(trial, self._animal.xml, self._animal.props), to_engine=True)
        self._run_ticks(trial, self._tick, StepResult(0.0, 1.0, False))

    def _run_resumed(self, resume: ResumePoint) -> int:
        """Replays what was recorded up to the resume point, runs the rest of its trial; the next trial.

        The engine comes to its state by replying to the recorded ticks again.
        """
        arena = ""
        for message in resume.messages:
            content = message.content
            if isinstance(content, Episode):
                arena, self._interventions = content.xml, ()
            is_heard = isinstance(content, Episode | Tick)
            self._publish(content, message.arrays, tick=message.tick, to_engine=is_heard)
            if isinstance(content, Tick):
                self._take_reply(message.tick)
        if arena != self._animal.xml:
            raise SnapshotError(
                "The arena that the trial's seed draws now is not the recorded one."
            )
        snapshot, self._tick = resume.content, resume.snapshot.tick
        before = StepResult(snapshot.reward, snapshot.discount, False, events=snapshot.task_events)
        self._run_ticks(snapshot.trial, snapshot.trial_tick, before)
        return self._after_trial(snapshot.trial)

    def _run_ticks(self, trial: int, first_tick: int, before: StepResult) -> None:
        """The ticks of a trial that began with `first_tick`, from the present one on."""
        spec = self._spec
        self._pacer.restart()
        while not self._control.end_reason or self._control.owes_inputs:
            before, end_trial = self._run_tick(trial, first_tick, before)
            lasted_s = (self._tick - first_tick) * TICK_S
            if before.trouble:
                self._publish(Fault("subject", before.trouble))
            if spec.duration_s and self._tick * TICK_S >= spec.duration_s - 1e-9:
                self._control.finish("duration")
                return
            if before.over or end_trial or (spec.trial_s and lasted_s >= spec.trial_s - 1e-9):
                return

    def _after_trial(self, trial: int) -> int:
        """The next trial; the session may end before it."""
        if self._spec.trials and trial + 1 >= self._spec.trials:
            self._control.finish("trials")
        if self._control.last_trial:
            self._control.finish("stopped")
        gc.collect()
        return trial + 1

    def _run_tick(self, trial: int, first_tick: int, before: StepResult) -> tuple[StepResult, bool]:
        """One tick, k: everything between the observation of k and the reply to k.

        Args:
            trial: its trial,
            first_tick: and that trial's first tick.
            before: what the physics of tick k - 1 led to.

        Returns what the physics of k led to, and whether the engine ends the trial.
        """
        self._between_ticks()
        if self._tick > 0 and self._tick % SNAPSHOT_TICKS == 0:
            self._publish_snapshot(trial, first_tick, before)
        overrun, late_s = self._pacer.wait()
        t0 = time.perf_counter()
        state = self._animal.observe()
        t1 = time.perf_counter()
        noise = generator(self._spec.seed, "motor noise", self._tick).standard_normal(38)
        step = self._subject.step(state.observation, self._interventions, noise)
        t2 = time.perf_counter()
        tick = Tick(
            trial=trial,
            reward=before.reward,
            discount=before.discount,
            value=step.value,
            first=self._tick == first_tick,
            overrun=overrun,
            wall_s=t0 - self._began_s,
            task_events=before.events,
            inputs=self._control.take_inputs(),
        )
        self._publish(tick, self._arrays(state, step), to_engine=True)
        t3 = time.perf_counter()
        result = self._animal.act(step.action)
        t4 = time.perf_counter()
        engine_ms, end_trial = self._take_reply(self._tick)
        t5 = time.perf_counter()
        stamps_s = (t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4)
        self._latency = np.array(
            [*(s * 1e3 for s in stamps_s), engine_ms, late_s * 1e3, (t5 - t0) * 1e3],
            dtype=np.float32,
        )
        self._tick += 1
        return result, end_trial

    def _between_ticks(self) -> None:
        """All that may change between two ticks only: pause, recording, engine, faults of others."""
        control = self._control
        control.obey_waiting()
        while control.paused and not control.steps and not control.end_reason:
            self._recorder.switch(self._tick, self._pacer.overruns)
            self._engine.welcome(self._tick)
            time.sleep(0.005)
            self._pacer.restart()
            control.obey_waiting()
        control.steps = max(control.steps - 1, 0)
        self._recorder.switch(self._tick, self._pacer.overruns)
        self._engine.welcome(self._tick)
        self._record_faults()

    def _record_faults(self) -> None:
        """Faults of others, which the hub knows already, go into the recording."""
        for fault in self._control.take_faults():
            self._recorder.send(self._transport.message(fault, self._tick, _NO_ARRAYS))

    def _take_reply(self, tick: int) -> tuple[float, bool]:
        """Takes the interventions for the next tick from the reply to this one, and publishes it.

        Returns the engine's time in ms, and whether it ends the trial.
        """
        message, self._interventions = self._engine.reply_to(tick)
        self._send(message)
        reply = message.content
        return reply.engine_ms, reply.end_trial  # type: ignore[union-attr]  # it is an EngineReply

    def _publish(
        self,
        content: Content,
        arrays: Mapping[str, Array] = _NO_ARRAYS,
        *,
        tick: int | None = None,
        to_engine: bool = False,
    ) -> None:
        """Sends a message of this tick (or another) to hub and recorder and, first, to the engine."""
        at = self._tick if tick is None else tick
        message = self._transport.message(content, at, arrays)
        if to_engine:
            self._engine.send(message)
        self._send(message)

    def _send(self, message: Message) -> None:
        """To hub and recorder; the recorder's queue is waited for, for as long as it takes."""
        self._transport.to_hub(message)
        self._recorder.send(message)

    def _publish_snapshot(self, trial: int, first_tick: int, before: StepResult) -> None:
        animal, network = self._animal.state(), self._subject.state()
        content = Snapshot(
            trial, first_tick, before.reward, before.discount, before.events, animal.task
        )
        self._publish(content, {**animal.arrays, **network})

    def _arrays(self, state: TickState, step: Step) -> dict[str, Array]:
        """The arrays of a `Tick`: dtypes and shapes as said there."""
        arrays = {
            "proprioception": flatten(state.observation),
            "camera": state.observation[CAMERA],
            "action": step.action,
            **step.activity.arrays(),
            "qpos": state.qpos,
            "qvel": state.qvel,
            "act": state.act,
            "actuator_force": state.actuator_force,
            "body": state.body,
            "latency": self._latency,
        }
        if len(state.props):
            arrays["props"] = state.props
        return arrays
