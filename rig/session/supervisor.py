"""The supervisor: owns a session from its first process to its last.

It starts subject, stimulation engine and recorder as commands, keeps the hub, lets the subject know when
one of the others has died, and ends all of them together. Any of them but the subject can die without ending
the session; a window is only a client and may come and go.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from rig.bus.hub import Hub, Request
from rig.bus.message_types import TICK_S, End, Fault, Message, Reply, Status
from rig.errors import RunError, ending_with
from rig.ignored_messages import IgnoredMessages
from rig.session.client_commands import ClientCommands
from rig.session.clips import SessionClips
from rig.session.directory import RunningSession, SessionDirectory, SessionSpec
from rig.session.engine import SessionEngine
from rig.session.processes import ChildProcess
from rig.session.recorder import SessionRecorder
from rig.session.subject_commands import SubjectCommands
from rig.session.summary import Summary

STATUS_EVERY_S = 0.2
FAULTS_REPEATED = 16
"""Faults that a status repeats, for who comes later."""
RECORDER_CLOSES_S = 60.0
CLIPS_S = 60.0
"""How long clips may take that are not saved when the session ends."""
ENDS_S = 5.0
STOPS_S = 20.0
"""How long the animal may take to end by itself; then it is ended."""


class Supervisor:
    """Runs one session. `run()` returns when everything it started has ended.

    Args: as `run_session`.
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
        self._stop_reason = ""
        self._stops = 0
        self._interrupted = False
        self._ignored = IgnoredMessages(lambda sentence, _: self.fault("supervisor", sentence))
        self._ignored_by_subject = 0
        self._next_status_s = 0.0

    def stop(self) -> None:
        """Ends the session, the second time without waiting for the animal."""
        self._stop_reason = self._stop_reason or "stopped"
        self._stops += 1

    def interrupt(self) -> None:
        """Ends the session as `stop` does, and at once while its animal still starts; for signal handlers."""
        self._interrupted = True
        self.stop()

    def run(self) -> Summary:
        """The session from start to end. Raises `UserError` or `RunError` if it cannot start at all."""
        keys = Path(self._spec.keys) if self._spec.keys else None
        try:
            self._hub = Hub(self._directory, self._spec.listen, keys, clip_s=self._spec.clip_s)
        except BaseException:
            self._directory.remove()
            raise
        self._subject_commands = SubjectCommands(self._directory)
        self._recorder = SessionRecorder(self, self._spec, self._directory, self._summary)
        self._clips = SessionClips(self, self._spec, self._directory, self._hub.clip_ring)
        self._started: list[ChildProcess] = []
        try:
            self._start()
        except BaseException as problem:
            with contextlib.suppress(Exception):
                self._end_start()
            if isinstance(problem, OSError):
                raise RunError(f"The session could not be started: {problem.strerror}.") from None
            raise
        self._clients = ClientCommands(
            self._hub,
            self._subject_commands,
            self._engine,
            self._recorder,
            self._clips,
            self._summary,
            self._spec.allow_outside,
            self.stop,
            self._check_processes,
        )
        with ending_with(self._end_everything):
            self._supervise()
        return self._summary

    # --- the life of the session --------------------------------------------------------------------

    def _start(self) -> None:
        folder = self._directory.path
        self._directory.write_spec(self._spec)
        self._subject = ChildProcess(
            "subject", "rig.session.subject_process", [str(folder)], folder
        )
        self._started.append(self._subject)
        self._engine = SessionEngine(folder)
        self._started.append(self._engine.process)
        if self._spec.record:
            self._recorder.start(self._spec.record)
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

    def _end_start(self) -> None:
        """Ends what a session that could not be started has started, and removes its folder."""
        for child in self._started:
            child.kill()
        if self._recorder.process is not None:
            self._recorder.process.kill()
        self._directory.remove()
        self._clips.close()
        self._recorder.close()
        self._hub.close()
        self._subject_commands.close()

    def _supervise(self) -> None:
        stop_sent_s = 0.0
        while True:
            subject_ended = self._subject.status is not None
            messages, requests = self._hub.pump(0.05)
            for message in messages:
                self._follow(message)
            for request in requests:
                self._clients.handle(request)
            self._clients.handle_early()
            self._subject_commands.send_waiting()
            self._recorder.read_reports()
            self._clips.update()
            self._check_processes()
            if self._stop_reason and not stop_sent_s:
                stop_sent_s = time.monotonic()
                self.tell_subject("stop", reason=self._stop_reason)
                if (
                    self._interrupted and not self._summary.ticks
                ):  # it may be long until the first one
                    self._fail(
                        "The session was stopped before its animal ran; nothing was recorded."
                    )
                    self._subject.end(ENDS_S, self._meanwhile)
            elif stop_sent_s and (self._stops > 1 or time.monotonic() - stop_sent_s > STOPS_S):
                self._subject.end(ENDS_S, self._meanwhile)
            self._publish_status_in_time()
            if subject_ended and not messages:  # all that it had sent before has been taken in
                return

    def _meanwhile(self) -> None:
        """While a process ends: takes in what comes, and lets nobody wait for a word."""
        messages, requests = self._hub.pump(0.02)
        for message in messages:
            self._follow(message)
        self._clients.refuse_early()
        for request in requests:
            self._hub.refuse(request, "The session is ending.")
        self._recorder.read_reports()
        self._publish_status_in_time()

    def _end_everything(self) -> None:
        """After the subject: lets the others finish what they have, then makes sure of them."""
        self._recorder.refuse_waiting("The session is ending.")
        self._clients.refuse_early()
        engine, recorder = self._engine.process, self._recorder.process
        if self._ended is None:  # nobody has told them that it is over
            engine.end(ENDS_S, self._meanwhile)
            if recorder is not None:
                recorder.end(RECORDER_CLOSES_S, self._meanwhile)
        elif recorder is not None and not recorder.wait(RECORDER_CLOSES_S, self._meanwhile):
            self.fault("recorder", "The recorder did not close its file in time and was ended.")
        time.sleep(0.05)
        self._recorder.read_reports()
        engine.wait(ENDS_S if self._ended else 0.0, self._meanwhile)
        self._clips.finish(self._meanwhile, CLIPS_S)
        for child in (self._subject, engine, recorder):
            if child is not None:
                child.end(ENDS_S, self._meanwhile)
        failure = self._recorder.ended()
        self._summary.failure = self._summary.failure or failure
        self._summary.refused = self._hub.refused
        self._count_malformed()
        self._publish_status(ended=True)
        end = self._ended or End("failed", self._summary.ticks, self._summary.overruns)
        self._hub.publish(end, self._summary.ticks)
        self._clips.close()
        self._recorder.close()
        self._hub.close()
        self._subject_commands.close()
        self._directory.remove()

    def _check_processes(self) -> None:
        if self._ended is None and self._engine.has_died():
            if self._summary.ticks == 0:
                words = self._engine.process.stderr_tail() or "it died before its first answer."
                self._fail(f"The stimulation engine could not start: {words}")
                self._stop_reason = "failed"
                self._subject.end(ENDS_S, self._meanwhile)
                return
            self.tell_subject("engine_dead")
            self.fault(
                "stimulation",
                "The stimulation engine died; every stimulus is released and the session goes on.",
                name="dead",
            )
        death = self._recorder.check(self._ended is not None)
        if death is not None and self._end_when_recording_fails:
            sentence, wrong_input = death
            self._fail(sentence, wrong_input)
            self._stop_reason = "failed"
        if self._subject.status not in (None, 0) and self._ended is None:
            sentence = self._subject.stderr_tail() or "The subject process died."
            if not self._summary.failure:  # else it has said so itself
                self._hub.publish(Fault("subject", sentence, fatal=True), self._summary.ticks - 1)
            self._fail(sentence, wrong_input=self._subject.status == 2)

    def _follow(self, message: Message) -> None:
        """Takes note of what passes by in the stream."""
        self._summary.count(message)
        content = message.content
        self._engine.follow(message)
        self._clients.follow(message)
        self._clips.follow(message)
        if isinstance(content, Fault):
            self._ignored_by_subject += content.ignored
            if content.fatal:
                self._fail(content.sentence)
        elif isinstance(content, End):
            self._ended = content

    # --- what is sent out -----------------------------------------------------------------------------

    def _fail(self, sentence: str, wrong_input: bool = False) -> None:
        if not self._summary.failure:
            self._summary.failure = sentence
            self._summary.wrong_input = wrong_input
        self._summary.wrong_input = self._summary.wrong_input or wrong_input

    def tell_subject(self, verb: str, **args: object) -> None:
        """Sends the subject a command of the supervisor's own."""
        self._subject_commands.tell(verb, **args)

    def reply(self, request: Request, reply: Reply) -> None:
        """Answers a client's request."""
        self._hub.reply(request, reply)

    def refuse(self, request: Request, sentence: str) -> None:
        """Answers a client's request with why it is not done, and counts it."""
        self._hub.refuse(request, sentence)

    def fault(self, source: str, sentence: str, *, name: str = "", over: bool = False) -> None:
        """Publishes that something is wrong, or is over, and has it recorded; arguments as of a `Fault`."""
        fault = Fault(source, sentence, name=name, over=over)
        self._summary.faults.add(fault, self._summary.ticks - 1)
        self._hub.publish(fault, self._summary.ticks - 1)
        self.tell_subject("fault", source=source, sentence=sentence, name=name, over=over)

    def _count_malformed(self) -> None:
        """Says so when messages came from the session's own processes, or as if from them, that were none."""
        count = self._hub.malformed + self._recorder.malformed
        why = self._hub.last_malformed or "from no process of the session"
        self._ignored.add(why, count - self._ignored.count)

    def _publish_status_in_time(self) -> None:
        now = time.monotonic()
        if now >= self._next_status_s:
            self._next_status_s = now + STATUS_EVERY_S
            self._count_malformed()
            self._publish_status()

    def _publish_status(self, ended: bool = False) -> None:
        summary = self._summary
        state = "running" if summary.ticks else "starting"
        if summary.paused:
            state = "paused"
        if ended:
            state = "ended"
        animal_s = summary.ticks * TICK_S
        status = Status(
            state=state,
            processes={
                "subject": self._subject.state,
                "stimulation": self._engine.state,
                "recorder": self._recorder.state,
            },
            ticks=summary.ticks,
            overruns=summary.overruns,
            realtime_factor=animal_s / summary.wall_s if summary.wall_s > 0 else 0.0,
            recorder=summary.recording,
            fault=summary.faults.present or summary.failure,
            refused=self._hub.refused,
            malformed=self._ignored.count + self._ignored_by_subject,
            failure=summary.failure,
            faults=summary.faults.newest(FAULTS_REPEATED),
            armed=self._clients.armed,
            clips=self._clips.reports,
        )
        self._hub.publish(status, summary.ticks - 1)
        self._on_status(status)


def run_session(
    spec: SessionSpec,
    directory: SessionDirectory,
    *,
    end_when_recording_fails: bool = False,
    on_status: Callable[[Status], None] = lambda status: None,
) -> Summary:
    """Runs a session in this process; ends it in order on Ctrl-C, SIGTERM or SIGHUP.

    Args:
        spec: what is run.
        directory: the session's folder, which is removed at the end.
        end_when_recording_fails: whether a session whose recorder fails ends, as failed.
        on_status: is called a few times a second with the session's state, for a terminal's progress.

    Returns:
        What the session did; its `failure` says why it, or its recording, failed.

    Raises:
        UserError: the address to listen at, or its keys, cannot be used.
        RunError: there is no room for what it needs to start.
    """
    supervisor = Supervisor(
        spec,
        directory,
        end_when_recording_fails=end_when_recording_fails,
        on_status=on_status,
    )
    previous = {
        number: signal.signal(number, lambda *_: supervisor.interrupt())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        return supervisor.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
