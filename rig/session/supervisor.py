"""The supervisor: owns a session from its first process to its last.

It starts subject, stimulation engine and recorder as commands, keeps the hub, tells the subject when one
of the others has died, and ends all of them together. Any of them but the subject can die without ending
the session; a window is only a client and may come and go.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import zmq

from rig.bus.external_inputs import VERBS, ExternalInputs, NotAcceptedError
from rig.bus.hub import Hub, Request
from rig.bus.messages import (
    TICK_S,
    Command,
    Description,
    End,
    Fault,
    Message,
    MessageError,
    RecorderReport,
    Reply,
    Status,
    decode,
    encode,
)
from rig.session.directory import RunningSession, SessionDirectory, SessionSpec
from rig.session.engine import SessionEngine
from rig.session.processes import ChildProcess
from rig.session.summary import Summary

STATUS_EVERY_S = 0.2
RECORDER_CLOSES_S = 60.0
ENDS_S = 5.0
RECORDER_SILENT_S = 1.0
"""A recorder that reports several times a second and is silent for so long writes nothing: that is said."""
STOPS_S = 20.0
"""How long the animal may take to end after it was asked; then it is ended."""


class Supervisor:
    """Runs one session. `run()` returns when everything it started has ended.

    `on_status` is called a few times a second with the session's state, for a terminal's progress.
    """

    def __init__(
        self,
        spec: SessionSpec,
        directory: SessionDirectory,
        *,
        end_when_recording_fails: bool = False,
        on_status: Callable[[Status], None] = lambda status: None,
    ) -> None:
        self._spec = spec
        self._directory = directory
        self._end_when_recording_fails = end_when_recording_fails
        self._on_status = on_status
        self._summary = Summary()
        self._ended: End | None = None
        self._paused = False
        self._stop_reason = ""
        self._stops = 0
        self._external_inputs: ExternalInputs | None = (
            None  # once the subject has said what layers it has
        )
        self._recorder: ChildProcess | None = None
        self._recorder_number = 0
        self._recorder_died = False
        self._recorder_heard_s = 0.0
        self._recorder_stuck = False
        self._awaiting_recorder: tuple[Request, str] | None = None
        self._recorder_finishing = False

    def stop(self) -> None:
        """Asks the session to end; asked twice, it does not wait for the animal. For signal handlers too."""
        self._stop_reason = self._stop_reason or "stopped"
        self._stops += 1

    def run(self) -> Summary:
        """The session from start to end. Raises `UserError` or `RunError` if it cannot start at all."""
        keys = Path(self._spec.keys) if self._spec.keys else None
        try:
            self._hub = Hub(self._directory, self._spec.listen, keys)
        except BaseException:
            self._directory.remove()
            raise
        self._context = zmq.Context()
        self._control = self._context.socket(zmq.PUSH)
        self._control.linger = 500
        # Connecting, not binding: so commands queue up while the subject still starts.
        self._control.connect(self._directory.address("control"))
        self._reports = self._context.socket(zmq.PULL)
        self._reports.bind(self._directory.address("recorder_report"))
        folder = self._directory.path
        try:
            self._directory.write_spec(self._spec)
            self._subject = ChildProcess(
                "subject", "rig.session.subject_process", [str(folder)], folder
            )
            self._engine = SessionEngine(folder)
            if self._spec.record:
                self._start_recorder(self._spec.record)
            self._directory.announce(
                RunningSession(
                    self._spec.session,
                    os.getpid(),
                    time.time(),
                    self._spec.protocol_name,
                    self._spec.subject,
                    self._spec.task,
                )
            )
            self._supervise()
        finally:
            self._end_everything()
        return self._summary

    # --- the life of the session --------------------------------------------------------------------

    def _supervise(self) -> None:
        next_status_s = 0.0
        stop_sent_s = 0.0
        while True:
            subject_ended = self._subject.status is not None
            messages, requests = self._hub.pump(0.05)
            for message in messages:
                self._follow(message)
            for request in requests:
                self._obey(request)
            self._read_reports()
            self._check_processes()
            now = time.monotonic()
            if self._stop_reason and not stop_sent_s:
                stop_sent_s = now
                self._tell_subject("stop", reason=self._stop_reason)
            elif stop_sent_s and (self._stops > 1 or now - stop_sent_s > STOPS_S):
                self._subject.end()
            if now >= next_status_s:
                next_status_s = now + STATUS_EVERY_S
                self._publish_status()
            if subject_ended and not messages:  # all that it had sent before has been taken in
                return

    def _end_everything(self) -> None:
        """After the subject: lets the others finish what they have, then makes sure of them."""
        deadline = time.monotonic() + RECORDER_CLOSES_S
        if self._ended is None:
            for child in (self._engine.process, self._recorder):
                if child is not None and child.status is None:
                    child.end(RECORDER_CLOSES_S if child is self._recorder else ENDS_S)
        next_status_s = 0.0
        while self._recorder is not None and self._recorder.status is None:
            self._read_reports()
            self._hub.pump(0.02)
            if time.monotonic() > next_status_s:
                next_status_s = time.monotonic() + STATUS_EVERY_S
                self._publish_status()
            if time.monotonic() > deadline:
                self._fault(
                    "recorder", "The recorder did not close its file in time and was ended."
                )
                break
        time.sleep(0.05)
        self._read_reports()
        if self._engine.process.status is None:
            self._engine.process.wait(ENDS_S if self._ended else 0.0)
        for child in (self._subject, self._engine.process, self._recorder):
            if child is not None:
                child.end()
        self._judge_recording()
        self._publish_status(ended=True)
        end = self._ended or End("failed", self._summary.ticks, self._summary.overruns)
        self._hub.publish(end, self._summary.ticks)
        for socket in (self._control, self._reports):
            socket.close()
        self._hub.close()
        self._context.term()
        self._directory.remove()

    def _judge_recording(self) -> None:
        report = self._summary.recording
        if self._recorder is None or self._summary.failure:
            return
        if report is None or report.state != "closed":
            words = report.error if report and report.error else self._recorder.stderr_tail()
            self._summary.failure = words or "The recorder ended without closing its file."

    def _check_processes(self) -> None:
        if self._ended is None and self._engine.has_died():
            if self._summary.ticks == 0:
                words = self._engine.process.stderr_tail() or "it died before its first answer."
                self._fail(f"The stimulation engine could not start: {words}")
                self._stop_reason = "failed"
                self._subject.end()
                return
            self._tell_subject("engine_dead")
            self._fault(
                "stimulation",
                "The stimulation engine died; every stimulus is released and the session goes on.",
            )
        recorder = self._recorder
        if recorder is not None and recorder.status is not None and self._ended is None:
            self._read_reports()
            report = self._summary.recording
            if self._recorder_finishing and report is not None and report.state == "closed":
                self._recorder, self._recorder_finishing = None, False
                return
            words = report.error if report and report.error else recorder.stderr_tail()
            sentence = words or (
                "The recorder died before it confirmed that anything was recorded."
                if report is None or report.state == "starting"
                else "The recorder died; what it had written is in its file."
            )
            if report is not None and report.state != "failed":
                report = msgspec.structs.replace(report, state="failed", error=sentence)
                self._summary.recording = report
            self._recorder = None
            self._recorder_died, self._recorder_stuck = True, False
            self._tell_subject("recorder_dead")
            self._fault("recorder", sentence)
            self._refuse_recording(sentence)
            if self._end_when_recording_fails:
                self._fail(sentence, wrong_input=recorder.status == 2)
                self._stop_reason = "failed"
        self._watch_recorder()
        if self._subject.status not in (None, 0) and self._ended is None:
            sentence = self._subject.stderr_tail() or "The subject process died."
            if not self._summary.failure:  # else it has said so itself
                self._hub.publish(Fault("subject", sentence, fatal=True), self._summary.ticks - 1)
            self._fail(sentence, wrong_input=self._subject.status == 2)

    def _watch_recorder(self) -> None:
        """Says so when a recorder that lives has fallen silent; its next report ends that."""
        report = self._summary.recording
        writing = report is not None and report.state == "recording"
        if not writing or self._recorder is None or self._ended or self._recorder_finishing:
            self._recorder_stuck = False
            return
        silent_s = time.monotonic() - self._recorder_heard_s
        if silent_s > RECORDER_SILENT_S and not self._recorder_stuck:
            self._recorder_stuck = True
            self._fault(
                "recorder",
                f"The recorder has said nothing for {RECORDER_SILENT_S:g} s: nothing more is recorded "
                "until it goes on.",
            )

    def _follow(self, message: Message) -> None:
        """Takes note of what passes by in the stream."""
        self._summary.count(message)
        content = message.content
        self._engine.follow(message)
        if self._external_inputs is not None:
            self._external_inputs.follow(message)
        if isinstance(content, Description):
            self._external_inputs = ExternalInputs(
                {layer.name: layer.n_units for layer in content.layers}
            )
        elif isinstance(content, Fault) and content.fatal:
            self._fail(content.sentence)
        elif isinstance(content, End):
            self._ended = content

    # --- the engine, and what comes from outside ------------------------------------------------------

    def _restart_engine(self, request: Request) -> None:
        if not self._summary.ticks:
            self._hub.reply(request, Reply(False, "The animal is not running yet; ask again."))
        elif self._engine.alive and not self._engine.stuck:
            self._hub.reply(request, Reply(False, "The stimulation engine runs and answers."))
        else:
            self._drop_engine()
            self._tell_subject("new_engine", socket=self._engine.start_another())
            self._hub.reply(request, Reply(True))

    def _drop_engine(self) -> None:
        """Ends an engine that is stuck; the subject then releases every stimulus and goes on."""
        self._engine.process.kill()
        self._check_processes()

    def _accept_input(self, request: Request) -> None:
        """Checks what a client asks for and passes it to the subject, or refuses it."""
        verb = request.command.verb
        if verb != "key" and not self._spec.allow_outside:
            self._hub.refuse(request, "This session does not take stimuli from outside.")
        elif self._external_inputs is None or not self._summary.ticks:
            self._hub.reply(request, Reply(False, "The animal is not running yet; ask again."))
        elif verb == "stimulate" and not self._engine.alive:
            self._hub.reply(
                request,
                Reply(False, "There is no stimulation engine; take a new one (restart_engine)."),
            )
        else:
            try:
                given = self._external_inputs.accept(verb, request.command.args)
            except NotAcceptedError as problem:
                self._hub.refuse(request, f"{verb} was refused: {problem}.")
                return
            self._tell_subject("input", kind=given.kind, name=given.name, args=given.args)
            self._hub.reply(request, Reply(True, fields={"after_tick": self._summary.ticks - 1}))

    # --- recording ----------------------------------------------------------------------------------

    def _start_recorder(self, file: str) -> None:
        self._recorder_number += 1
        self._recorder_finishing = self._recorder_died = False
        self._summary.recording = None
        folder = self._directory.path
        options = ["--overwrite"] * self._spec.overwrite + ["--camera"] * self._spec.record_camera
        if self._spec.roll_over:
            options += ["--roll-over", self._spec.roll_over]
        arguments = [str(folder), file, "--socket", self._recorder_socket(), *options]
        self._recorder = ChildProcess(
            f"recorder-{self._recorder_number}", "recorder.process", arguments, folder
        )

    def _recorder_socket(self) -> str:
        return f"recorder-{self._recorder_number}"

    def _read_reports(self) -> None:
        while self._reports.poll(0):
            try:
                content = decode(self._reports.recv_multipart()).content
            except MessageError:
                continue
            if isinstance(content, RecorderReport):
                before, self._summary.recording = self._summary.recording, content
                if content.state == "recording" and (before is None or before.state != "recording"):
                    self._tell_subject("file_made")
                self._recorder_heard_s, self._recorder_stuck = time.monotonic(), False
                if content.state == "failed":
                    self._refuse_recording(content.error)
                elif self._awaiting_recorder is not None:
                    request, socket = self._awaiting_recorder
                    self._awaiting_recorder = None
                    self._tell_subject("record", socket=socket)
                    self._hub.reply(request, Reply(True, fields={"file": content.file}))

    def _refuse_recording(self, sentence: str) -> None:
        if self._awaiting_recorder is not None:
            self._hub.reply(self._awaiting_recorder[0], Reply(False, sentence))
            self._awaiting_recorder = None

    # --- commands from clients ------------------------------------------------------------------------

    def _obey(self, request: Request) -> None:
        """Carries out a client's command or refuses it with a reason; it never reaches the subject raw."""
        if not request.trusted:
            self._hub.refuse(
                request,
                "Over TCP without keys a session can be heard and not commanded; see --keys.",
            )
            return
        match request.command:
            case Command("stop", args) if not args:
                self.stop()
                self._hub.reply(request, Reply(True))
            case Command("pause" | "resume" as verb, args) if not args:
                self._paused = verb == "pause"
                self._tell_subject(verb)
                self._hub.reply(request, Reply(True))
            case Command("start_recording", {"file": str(file), **rest}) if not rest and file:
                if self._recorder is not None:
                    self._hub.reply(request, Reply(False, "The session is being recorded already."))
                elif not self._summary.ticks:
                    self._hub.reply(
                        request, Reply(False, "The animal is not running yet; ask again.")
                    )
                else:
                    self._start_recorder(file)
                    self._awaiting_recorder = (request, self._recorder_socket())
            case Command("stop_recording", args) if not args:
                if self._recorder is None or not self._summary.ticks:
                    self._hub.reply(request, Reply(False, "The session is not being recorded."))
                else:
                    self._recorder_finishing = True
                    self._tell_subject("end_recording")
                    self._hub.reply(request, Reply(True))
            case Command("restart_engine", args) if not args:
                self._restart_engine(request)
            case Command("drop_engine", args) if not args:
                if self._engine.stuck:
                    self._drop_engine()
                    self._hub.reply(request, Reply(True))
                else:
                    self._hub.reply(request, Reply(False, "No stimulation engine is stuck."))
            case Command(verb, _) if verb in VERBS:
                self._accept_input(request)
            case Command(verb, _):
                self._hub.refuse(
                    request, f"{verb!r} with these arguments is not a command; see docs/bus.md."
                )

    def _tell_subject(self, verb: str, **args: object) -> None:
        self._control.send_multipart(encode(Message(Command(verb, dict(args)))), zmq.NOBLOCK)

    # --- what the world is told -----------------------------------------------------------------------

    def _fail(self, sentence: str, wrong_input: bool = False) -> None:
        if not self._summary.failure:
            self._summary.failure = sentence
            self._summary.wrong_input = wrong_input
        self._summary.wrong_input = self._summary.wrong_input or wrong_input

    def _fault(self, source: str, sentence: str) -> None:
        self._summary.faults.append(sentence)
        self._hub.publish(Fault(source, sentence), self._summary.ticks - 1)
        self._tell_subject("fault", source=source, sentence=sentence)  # for the recording

    def _publish_status(self, ended: bool = False) -> None:
        summary = self._summary
        state = "running" if summary.ticks else "starting"
        if self._paused:
            state = "paused"
        if ended:
            state = "ended"
        animal_s = summary.ticks * TICK_S
        status = Status(
            state=state,
            processes={
                "subject": _state_of(self._subject),
                "stimulation": self._engine.state,
                "recorder": self._recorder_state,
            },
            ticks=summary.ticks,
            overruns=summary.overruns,
            realtime_factor=animal_s / summary.wall_s if summary.wall_s > 0 else 0.0,
            recorder=summary.recording,
            fault=summary.faults[-1] if summary.faults else summary.failure,
            refused=self._hub.refused,
        )
        self._hub.publish(status, summary.ticks - 1)
        self._on_status(status)

    @property
    def _recorder_state(self) -> str:
        if self._recorder_died:
            return "dead"
        return "stuck" if self._recorder_stuck else _state_of(self._recorder)


def _state_of(child: ChildProcess | None) -> str:
    if child is None:
        return "off"
    return "alive" if child.status is None else "dead"


def run_session(
    spec: SessionSpec,
    directory: SessionDirectory,
    *,
    end_when_recording_fails: bool = False,
    on_status: Callable[[Status], None] = lambda status: None,
) -> Summary:
    """Runs a session in this process, ending it in order on Ctrl-C or SIGTERM; returns its summary."""
    supervisor = Supervisor(
        spec,
        directory,
        end_when_recording_fails=end_when_recording_fails,
        on_status=on_status,
    )
    previous = {
        number: signal.signal(number, lambda *_: supervisor.stop())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        return supervisor.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
