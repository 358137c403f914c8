"""The tick loop: the one place where a session's time passes.

    sense ──► step the network (interventions decided from the tick before) ──► tell everyone ──► physics
      ▲                                                                                            │
      └──────────────── wait for the engine's answer: its interventions act on the next tick ◄─────┘

The contract (docs/architecture.md): a stimulus decided from tick k acts on tick k + 1, at any speed;
message k goes out before the physics of k; the engine answers every tick, and a tick is never run with
the one before it unanswered unless the supervisor has said that the engine is dead. Then every stimulus
is released and the run goes on.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping

import numpy as np

from agent.interventions import Intervention
from agent.subject import CAMERA, Step, Subject
from rerun.in_process_transport import InProcessTransport
from rig.animal import Animal, StepResult, TickState
from rig.arenas.senses import flatten
from rig.bus.messages import (
    TICK_S,
    Array,
    Assets,
    Command,
    End,
    EngineReply,
    Episode,
    Fault,
    Input,
    Message,
    MessageError,
    Snapshot,
    Tick,
)
from rig.bus.transport import Frames, SocketTransport
from rig.engine_replies import Answers
from rig.pacing import Pacer
from rig.random_streams import generator
from rig.resume_point import SNAPSHOT_TICKS, ResumePoint, SnapshotError
from rig.session.directory import SessionSpec

LATENCIES: tuple[str, ...] = (
    *("sense_ms", "network_ms", "send_ms", "physics_ms", "engine_wait_ms"),
    *("engine_ms", "late_ms", "tick_ms"),
)
"""What is timed in each tick; `engine_ms` is the engine's own account of its work."""

STALL_S = 0.5
"""A recorder's queue that stays full this long is a stalled recorder: a fault that is shown."""

ENGINE_SILENT_S = 1.0
"""An engine that owes its answer for so long is stuck: a fault that is shown."""
ENGINE_PREPARES_S = 5.0
"""Its first answer may take so long: it reads the protocol for the session's subject before."""

CHECK_S = 0.1


class TickLoop:
    """Runs one session from its first trial to its end, on the subject's side of the bus.

    The animal is given at the beginning of trial 0; where a session is taken up, in its snapshot's state.
    """

    def __init__(
        self,
        spec: SessionSpec,
        subject: Subject,
        animal: Animal,
        links: SocketTransport | InProcessTransport,
        past: ResumePoint | None = None,
    ) -> None:
        self._spec = spec
        self._subject = subject
        self._animal = animal
        self._links = links
        self._past = past
        self._answers = Answers({layer.name: layer.n_units for layer in subject.layers})
        self._pacer = Pacer(spec.pace)
        self._engine_alive = True
        self._engine_prepares = True
        self._interventions: tuple[Intervention, ...] = ()
        self._engine_expected = False
        self._inputs: list[Input] = []
        self._unrecorded: list[Fault] = []
        self._end_reason = ""
        self._paused = False
        self._recording_change: Command | None = None
        self._file_made = False
        self._tick = 0
        self._latency = np.zeros(len(LATENCIES), dtype=np.float32)
        self._began_s = 0.0

    def run(self) -> End:
        """Runs until the duration, the number of trials, a stop command or a failure; says which."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._began_s = time.perf_counter()
        self._begin()
        trial = 0
        if self._past is not None:
            trial = self._take_up(self._past)
        while not self._end_reason:
            self._run_trial(trial)
            trial = self._after_trial(trial)
        end = End(self._end_reason, self._tick, self._pacer.overruns)
        frames = self._links.frames(end, self._tick, {})
        if self._engine_alive:
            self._links.to_engine(frames)
        self._tell(frames)
        return end

    def _begin(self) -> None:
        assets = {name: np.frombuffer(blob, np.uint8) for name, blob in self._animal.assets.items()}
        self._tell(self._links.frames(Assets(), self._tick, assets))
        if self._spec.record:
            self._begin_recording("recorder-1")
            self._wait_for_file()

    def _run_trial(self, trial: int) -> None:
        """One episode of the task. The tick clock stands still while its arena is compiled."""
        if trial > 0:
            self._animal.begin_trial(trial)
        self._subject.reset()
        self._interventions = ()
        frames = self._links.frames(
            Episode(trial, self._animal.xml, self._animal.props), self._tick, {}
        )
        if self._engine_alive:
            self._links.to_engine(frames)
        self._tell(frames)
        self._run_ticks(trial, self._tick, StepResult(0.0, 1.0, False))

    def _run_ticks(self, trial: int, first_tick: int, outcome: StepResult) -> None:
        """The ticks of a trial that began with `first_tick`, from the present one on."""
        self._pacer.restart()
        while not self._end_reason:
            outcome, end_trial = self._run_tick(trial, first_tick, outcome)
            lasted_s = (self._tick - first_tick) * TICK_S
            if outcome.trouble:
                self._report(Fault("subject", outcome.trouble))
            if self._spec.duration_s and self._tick * TICK_S >= self._spec.duration_s - 1e-9:
                self._finish("duration")
            if outcome.over or end_trial:
                return
            if self._spec.trial_s and lasted_s >= self._spec.trial_s - 1e-9:
                return

    def _after_trial(self, trial: int) -> int:
        """The next trial; the session may end before it."""
        if self._spec.trials and trial + 1 >= self._spec.trials:
            self._finish("trials")
        gc.collect()
        return trial + 1

    def _take_up(self, past: ResumePoint) -> int:
        """Tells what was, with the engine's answers to it, runs the rest of the trial; the next trial."""
        arena = ""
        for message in past.messages:
            content = message.content
            frames = self._links.frames(content, message.tick, message.arrays)
            if isinstance(content, Episode):
                arena, self._interventions = content.xml, ()
                self._links.to_engine(frames)
            elif isinstance(content, Tick):
                self._links.to_engine(frames)
            self._tell(frames)
            if isinstance(content, Tick):
                self._take_answer(message.tick)
        if arena != self._animal.xml:
            raise SnapshotError(
                "The arena that the trial's seed draws now is not the recorded one."
            )
        snapshot, self._tick = past.content, past.snapshot.tick
        outcome = StepResult(snapshot.reward, snapshot.discount, False, events=snapshot.task_events)
        self._run_ticks(snapshot.trial, snapshot.trial_tick, outcome)
        return self._after_trial(snapshot.trial)

    def _send_snapshot(self, trial: int, first_tick: int, before: StepResult) -> None:
        animal, network = self._animal.state(), self._subject.state()
        content = Snapshot(
            trial, first_tick, before.reward, before.discount, before.events, animal.task
        )
        arrays = {**animal.arrays, **network}
        self._tell(self._links.frames(content, self._tick, arrays))

    def _run_tick(self, trial: int, first_tick: int, before: StepResult) -> tuple[StepResult, bool]:
        """One tick, k: everything between the senses of k and the answer to k."""
        self._obey_waiting_commands()
        self._change_recording()
        self._welcome_engine()
        self._record_faults()
        if self._tick > 0 and self._tick % SNAPSHOT_TICKS == 0:
            self._send_snapshot(trial, first_tick, before)
        overrun, late_s = self._pacer.wait()
        t0 = time.perf_counter()
        observation = self._animal.sense()
        t1 = time.perf_counter()
        noise = generator(self._spec.seed, "motor noise", self._tick).standard_normal(38)
        step = self._subject.step(observation, self._interventions, noise)
        t2 = time.perf_counter()
        moment = self._animal.moment(observation)
        content = Tick(
            trial=trial,
            reward=before.reward,
            discount=before.discount,
            value=step.value,
            first=self._tick == first_tick,
            overrun=overrun,
            wall_s=t0 - self._began_s,
            task_events=before.events,
            inputs=tuple(self._inputs),
        )
        self._inputs = []
        frames = self._links.frames(content, self._tick, self._arrays(moment, step))
        if self._engine_alive:
            self._links.to_engine(frames)
        self._tell(frames)
        t3 = time.perf_counter()
        outcome = self._animal.act(step.action)
        t4 = time.perf_counter()
        answer, t5 = self._take_answer(self._tick)
        stamps_s = (t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4)
        whole_s = time.perf_counter() - t0
        self._latency = np.array(
            [*(s * 1e3 for s in stamps_s), answer.engine_ms, late_s * 1e3, whole_s * 1e3],
            dtype=np.float32,
        )
        self._tick += 1
        return outcome, answer.end_trial

    def _take_answer(self, tick: int) -> tuple[EngineReply, float]:
        """The answer to this tick, passed on, and when it was there."""
        message = self._answer_to(tick)
        came_s = time.perf_counter()
        answer = message.content
        assert isinstance(answer, EngineReply)
        self._interventions = self._accepted(answer, message.arrays)
        answer = self._answers.noted(answer)
        self._tell(self._links.frames(answer, tick, message.arrays))
        return answer, came_s

    def _arrays(self, moment: TickState, step: Step) -> dict[str, Array]:
        arrays = {
            "proprioception": flatten(moment.observation),
            "camera": moment.observation[CAMERA],
            "action": step.action,
            "c_natural": step.c_natural,
            "h_natural": step.h_natural,
            "c_applied": step.c_applied,
            "h_applied": step.h_applied,
            "qpos": moment.qpos,
            "qvel": moment.qvel,
            "act": moment.act,
            "actuator_force": moment.actuator_force,
            "body": moment.body,
            "latency": self._latency,
        }
        if len(moment.props):
            arrays["props"] = moment.props
        return arrays

    def _answer_to(self, tick: int) -> Message:
        """The engine's answer to this tick; one that ends all that goes on, if there is no engine."""
        since_s, told = time.perf_counter(), False
        patience_s = ENGINE_PREPARES_S if self._engine_prepares else ENGINE_SILENT_S
        while self._engine_alive and not (told and self._end_reason):
            try:
                answer, command = self._links.listen(CHECK_S)
            except MessageError as problem:
                self._report(Fault("subject", f"A malformed message was ignored: {problem}."))
                continue
            if command is not None:
                self._obey(command)
            if answer is not None and answer.tick == tick:
                self._engine_prepares = False
                return answer
            if not told and time.perf_counter() - since_s > patience_s:
                told = True
                self._report(
                    Fault(
                        "stimulation",
                        f"The stimulation engine has not answered tick {tick} for "
                        f"{patience_s:g} s; the animal waits for it. Take another engine to go on.",
                    )
                )
        return self._answers.released(tick)

    def _accepted(
        self, answer: EngineReply, arrays: Mapping[str, Array]
    ) -> tuple[Intervention, ...]:
        """The answer's interventions; none of them, and a fault, if one is not finite or not possible."""
        try:
            return self._answers.interventions(answer, arrays)
        except (ValueError, KeyError) as problem:
            self._report(Fault("subject", f"Interventions were refused: {problem}."))
            return ()

    def _welcome_engine(self) -> None:
        """Between two ticks: an engine that was expected and is ready is asked from here on."""
        if self._engine_expected and self._links.wait_for_engine(0.0):
            self._engine_expected = False
            self._links.introduce(self._answers.numbers_used)
            self._engine_alive = self._engine_prepares = True
            self._report(
                Fault(
                    "subject", f"A new stimulation engine has taken over from tick {self._tick} on."
                )
            )

    def _record_faults(self) -> None:
        """What the supervisor has told everyone is written into the recording, too."""
        faults, self._unrecorded = self._unrecorded, []
        for fault in faults:
            self._to_recorder(self._links.frames(fault, self._tick, {}))

    def _tell(self, frames: Frames) -> None:
        """To hub and recorder; the recorder's queue is waited for, for as long as it takes."""
        self._links.to_hub(frames)
        self._to_recorder(frames)

    def _to_recorder(self, frames: Frames) -> None:
        since_s = time.perf_counter()
        told = False
        while not self._links.to_recorder(frames):
            if not told and time.perf_counter() - since_s > STALL_S:
                told = True
                self._report_to_hub(
                    Fault(
                        "recorder",
                        "The recorder has stalled; the session is paused until it goes on.",
                    )
                )
            self._obey_waiting_commands(wait_s=0.005, pausing=False)
            if self._end_reason == "stopped" and told:
                self._links.disconnect_recorder(keep_queue=True)
        if told:
            self._pacer.restart()

    def _change_recording(self) -> None:
        """Begins or ends a recording as was asked: between two ticks, so that each is whole in its file."""
        command, self._recording_change = self._recording_change, None
        if command is None:
            return
        if command.verb == "record":
            self._begin_recording(str(command.args["socket"]))
        else:
            end = End("recording stopped", self._tick, self._pacer.overruns)
            self._links.disconnect_recorder(last=self._links.frames(end, self._tick, {}))

    def _begin_recording(self, socket: str) -> None:
        """Waits for the recorder to connect, so that it has every tick from here on."""
        self._links.connect_recorder(socket)
        while self._links.recording and not self._links.begin_recording(wait_s=0.02):
            self._obey_waiting_commands(pausing=False)
            if self._end_reason:
                self._links.disconnect_recorder(keep_queue=False)
        self._pacer.restart()

    def _wait_for_file(self) -> None:
        """Before the first tick: waits until there is a file, so that no tick has to wait for one."""
        while self._links.recording and not self._file_made and not self._end_reason:
            self._obey_waiting_commands(wait_s=0.005, pausing=False)
        self._pacer.restart()

    def _report(self, fault: Fault) -> None:
        self._tell(self._links.frames(fault, self._tick, {}))

    def _report_to_hub(self, fault: Fault) -> None:
        self._links.to_hub(self._links.frames(fault, self._tick, {}))

    def _obey_waiting_commands(self, wait_s: float = 0.0, pausing: bool = True) -> None:
        """Carries out what the supervisor has asked for; while paused, waits here for what comes next."""
        if wait_s:
            time.sleep(wait_s)
        while True:
            try:
                command = self._links.command()
            except MessageError:
                continue
            if command is not None:
                self._obey(command)
            elif self._paused and pausing and not self._end_reason:
                self._change_recording()
                time.sleep(0.005)
                self._pacer.restart()
            else:
                return

    def _obey(self, command: Command) -> None:
        match command.verb:
            case "stop":
                self._finish(str(command.args.get("reason", "stopped")))
            case "pause":
                self._paused = True
            case "resume":
                self._paused = False
            case "input":
                self._inputs.append(Input(**command.args))
            case "fault":
                self._unrecorded.append(Fault(**command.args))
            case "engine_dead":
                # what it decided last still acts; then all is released
                self._engine_alive = self._engine_expected = False
            case "new_engine":
                self._links.expect_engine(str(command.args["socket"]))
                self._engine_expected = True
            case "record" | "end_recording":
                self._recording_change = command
            case "file_made":
                self._file_made = True
            case "recorder_dead":
                self._links.disconnect_recorder(keep_queue=False)

    def _finish(self, reason: str) -> None:
        self._end_reason = self._end_reason or reason
