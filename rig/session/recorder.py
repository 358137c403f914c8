"""The recorder of a session, as its supervisor keeps it: started on request, watched, closed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

import msgspec
import zmq

from rig.bus.encoding import MessageError, decode
from rig.bus.hub import Request
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import RecorderReport, Reply
from rig.session.directory import SessionDirectory, SessionSpec
from rig.session.processes import ChildProcess
from rig.session.summary import Summary

EXITS_S = 5.0
"""How long a recorder whose file is closed may take to exit, where the next one is to start."""
SILENT_S = 1.0
"""A recorder that reports several times a second and is silent for so long writes nothing: a fault."""


class Owner(Protocol):
    """What the recorder needs of the supervisor that keeps it."""

    def tell_subject(self, verb: str, **args: object) -> None:
        """Sends the subject a command."""

    def reply(self, request: Request, reply: Reply) -> None:
        """Answers a client's request."""

    def refuse(self, request: Request, sentence: str) -> None:
        """Answers a client's request with why it is not done, and counts it."""

    def fault(self, source: str, sentence: str, *, name: str = "", over: bool = False) -> None:
        """Publishes that something is wrong, or is over, and records it."""


class SessionRecorder:
    """The recorder's processes, one after the other, and what they report.

    Args:
        owner: the supervisor.
        spec: how the session is recorded.
        directory: the session's folder.
        summary: its `recording` is kept up to date with the last report.
    """

    def __init__(
        self, owner: Owner, spec: SessionSpec, directory: SessionDirectory, summary: Summary
    ) -> None:
        self._owner = owner
        self._spec = spec
        self._directory = directory
        self._summary = summary
        self._inner = InnerSockets(directory)
        self._reports = self._inner.bind(zmq.PULL, "recorder_report")
        self._process: ChildProcess | None = None
        self._number = 0
        self._died = False
        self._stuck = False
        self._lost = False
        """Whether the last recorder died, and nothing has been recorded since."""
        self._finishing = False
        self._reported_s = 0.0
        self._waiting: Request | None = None
        """Whose request for a recording is replied to when the recorder is ready."""
        self._ready = True
        """False for the recorder of a request, which changes nothing until it is accepted."""
        self._next: tuple[Request, str, float] | None = None
        """Who wants which file recorded once the present recorder has closed its own, and until when."""
        self._malformed = 0
        self._exited = False
        """Whether its process was seen to have ended in order."""

    @property
    def malformed(self) -> int:
        """How much came as if from the recorder and was not: messages, and connections that were refused."""
        return self._malformed + self._inner.strangers

    @property
    def state(self) -> str:
        """As in a `Status`: "alive", "stuck", "ended", "dead" or "off"."""
        if not self._ready and self.running:
            return "starting"
        if self._died:
            return "dead"
        if self._process is None:
            return "off"
        if self._stuck:
            return "stuck"
        return self._process.state

    @property
    def running(self) -> bool:
        """Whether its process has not ended yet."""
        return self._process is not None and self._process.status is None

    def start(self, file: str, request: Request | None = None) -> None:
        """Starts a recorder that writes to this file; `request` is answered when it is ready.

        A file that is there is replaced only where the session was started so, not for a client.
        """
        self._number += 1
        self._finishing = self._exited = False
        folder = self._directory.path
        # what a client asks for later replaces nothing
        overwrite = self._spec.overwrite and request is None
        options = ["--overwrite"] * overwrite + ["--camera"] * self._spec.record_camera
        if self._spec.roll_over:
            options += ["--roll-over", self._spec.roll_over]
        name = f"recorder-{self._number}"
        arguments = [str(folder), file, "--socket", name, *options]
        self._process = ChildProcess(name, "recorder.process", arguments, folder)
        self._waiting, self._ready = request, request is None

    def start_on_request(self, request: Request, file: str) -> None:
        """Starts a recorder for a client, or says why not."""
        if not self._summary.ticks:
            self._owner.reply(request, Reply(False, "The animal is not running yet; ask again."))
        elif not Path(file).is_absolute() or "\0" in file:
            self._owner.refuse(request, "start_recording needs the absolute path of a file.")
        elif self._process is None:
            self.start(file, request)
        elif (self._has_closed() or self._was_refused()) and self._next is None:
            self._next = request, file, time.monotonic() + EXITS_S
        else:
            self._owner.refuse(request, "The session is being recorded already.")

    def _start_next(self) -> None:
        """Starts the recording that a client waits for, once the recorder before has gone."""
        if self._next is None:
            return
        request, file, until_s = self._next
        if self._process is None:
            self._next = None
            try:
                self.start(file, request)
            except OSError as problem:
                self._owner.refuse(request, f"It cannot be done: {problem.strerror}.")
        elif time.monotonic() > until_s:
            self._next = None
            sentence = "The recording before is still being closed; ask again."
            self._owner.reply(request, Reply(False, sentence))

    def _has_closed(self) -> bool:
        """Whether the recorder was to close its file and has reported that it did; it exits then."""
        report = self._summary.recording
        return self._finishing and report is not None and report.state == "closed"

    def _was_refused(self) -> bool:
        """Whether the recorder is that of a request which was refused; it exits then."""
        return not self._ready and self._waiting is None

    def stop_on_request(self, request: Request) -> None:
        """Has the recording closed for a client, or says why not."""
        if self._process is None or not self._ready or not self._summary.ticks:
            self._owner.refuse(request, "The session is not being recorded.")
        else:
            self._finishing = True
            self._owner.tell_subject("end_recording")
            self._owner.reply(request, Reply(True))

    def read_reports(self) -> None:
        """Takes in what the recorder has reported since."""
        while self._reports.poll(0):
            try:
                content = decode(self._reports.recv_multipart()).content
            except MessageError:
                self._malformed += 1
                continue
            if isinstance(content, RecorderReport):
                self._take(content)

    def _take(self, report: RecorderReport) -> None:
        if not self._ready:
            if self._waiting is None or report.state == "failed":
                self._refuse_last(report.error)
                return
            self._accept(self._waiting, report)
        before, self._summary.recording = self._summary.recording, report
        if report.state == "recording" and (before is None or before.state != "recording"):
            self._owner.tell_subject("file_made")
            if self._lost:
                self._lost = False
                self._owner.fault("recorder", "Another recording began.", name="dead", over=True)
        self._reported_s = time.monotonic()
        self._speaks("It reports again.")

    def _accept(self, request: Request, report: RecorderReport) -> None:
        """The recorder that a client has asked for is ready."""
        self._waiting, self._ready, self._died = None, True, False
        if self._summary.recording is not None:
            self._summary.earlier_recordings.append(self._summary.recording)
            self._summary.recording = None
        self._owner.tell_subject("record", socket=f"recorder-{self._number}")
        self._owner.reply(request, Reply(True, fields={"file": report.file}))

    def refuse_waiting(self, sentence: str) -> None:
        """Answers all who wait for a recording with why there is none."""
        if self._next is not None:
            self._owner.refuse(self._next[0], sentence)
            self._next = None
        self._refuse_last(sentence)

    def _refuse_last(self, sentence: str) -> None:
        """Answers who has asked for the recorder that was started last with why it does not record."""
        if self._waiting is not None:
            self._owner.refuse(self._waiting, sentence)
            self._waiting = None

    def check(self, session_ended: bool) -> tuple[str, bool] | None:
        """Publishes a fault when the recorder has died or fallen silent; at the session's end it may.

        Returns:
            If it has died and that is news: why, and whether what the user asked for is to blame.
        """
        if session_ended:
            self._speaks("The session ended.")
            return None
        self._start_next()
        process = self._process
        if process is None or process.status is None:
            self._check_silence()
            return None
        self.read_reports()
        if process.status == 0 and not self._exited:
            # what it ended for, the session's end, was sent before that, and may not have been taken in yet
            self._exited = True
            return None
        report = self._summary.recording
        self._process = None
        if not self._ready:
            self._refuse_last(process.stderr_tail() or "The recorder died before it was ready.")
            return None
        self._speaks("It died.")
        if self._has_closed():
            self._finishing = False
            return None
        sentence = self._last_error(process) or (
            "The recorder died before it confirmed that anything was recorded."
            if report is None or report.state == "starting"
            else "The recorder died; what it had written is in its file."
        )
        self._owner.tell_subject("recorder_dead")
        self._publish_death(sentence)
        return sentence, process.status == 2

    def _publish_death(self, sentence: str) -> None:
        report = self._summary.recording
        if report is not None and report.state != "failed":
            report = msgspec.structs.replace(report, state="failed", error=sentence)
            self._summary.recording = report
        self._died = self._lost = True
        self._owner.fault("recorder", sentence, name="dead")

    def _check_silence(self) -> None:
        report = self._summary.recording
        writing = report is not None and report.state == "recording"
        if not writing or self._process is None or self._finishing:
            self._speaks("Its file is being closed.")
        elif time.monotonic() - self._reported_s > SILENT_S and not self._stuck:
            self._stuck = True
            self._owner.fault(
                "recorder",
                f"The recorder has said nothing for {SILENT_S:g} s: nothing more is recorded until it "
                "goes on.",
                name="silent",
            )

    def _speaks(self, sentence: str) -> None:
        """It is not silent, or not for the old reason: takes the fault back, saying why."""
        if self._stuck:
            self._stuck = False
            self._owner.fault("recorder", sentence, name="silent", over=True)

    def _last_error(self, process: ChildProcess) -> str:
        report = self._summary.recording
        return report.error if report and report.error else process.stderr_tail()

    @property
    def process(self) -> ChildProcess | None:
        """The present process, which may have ended."""
        return self._process

    def ended(self) -> str:
        """After the session's and the recorder's end: why its file is not whole, or ""; published, too."""
        report = self._summary.recording
        closed = report is not None and report.state == "closed"
        if self._process is None or not self._ready or closed:
            return ""
        sentence = self._last_error(self._process) or "The recorder ended without closing its file."
        if self._summary.ticks:  # else the session never began, and it is not the recorder's fault
            self._publish_death(sentence)
        return sentence

    def close(self) -> None:
        """Closes the socket of reports."""
        self._reports.close()
        self._inner.close()
