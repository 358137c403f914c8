"""A running session in the window: what buttons and keys ask of it, and what it answers."""

from __future__ import annotations

import time
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QWidget

from gui.clip_control import ClipControl
from gui.look.dialogs import confirm_stop
from gui.operator_control import OperatorControl
from gui.panels import Panels
from gui.session import recordings
from gui.session.recent import Recent, remember
from gui.stimulate_control import VERBS, StimulateControl
from gui.streams.live_stream import LiveStream
from gui.streams.recorder_watch import RecorderWatch
from gui.window_state import WindowState
from rig.bus.message_types import Description, RecorderReport, Status
from rig.errors import UserError

_END_WORDS = {
    "duration": "its time was up",
    "trials": "all its trials were run",
    "stopped": "it was stopped",
    "failed": "it failed",
}


SLOW = 0.95
"""Of real time: below it an animal that should run in real time is said to be slow."""


class SessionControl(QObject):
    """Commands the session that a window follows, and shows what becomes of it.

    Args:
        state: what the window shows.
        panels: where the session's state appears.
        parent: of questions to the user.

    Attributes:
        watch: judges from the recorder's reports whether the session is recorded.
        by_hand: stimulates it by hand.
        clips: saves clips of it.
        operator: holds it, steps it, arms its protocol, writes notes.
        close_at_end: the window closes with the session; then `finished` is emitted.
    """

    start_requested = pyqtSignal()
    finished = pyqtSignal()

    def __init__(self, state: WindowState, panels: Panels, parent: QWidget) -> None:
        super().__init__(parent)
        self._state = state
        self._panels = panels
        self._parent = parent
        self.watch = RecorderWatch()
        self.by_hand = StimulateControl(state, panels, parent)
        self.clips = ClipControl(state, panels, self)
        self.operator = OperatorControl(state, panels, parent, lambda: self.watch.on)
        self.close_at_end = False
        self._failure = ""
        self._made: Recent | None = None

    @property
    def recorded(self) -> Path | None:
        """The session's last file with ticks in it; None where nothing was recorded."""
        report = self.watch.written
        return Path(report.file) if report is not None else None

    @property
    def stream(self) -> LiveStream | None:
        """The session that is followed; None where there is none."""
        stream = self._state.stream
        return stream if isinstance(stream, LiveStream) else None

    def reset(self) -> None:
        """Another stream begins."""
        self.watch = RecorderWatch()
        self._failure = ""
        self._panels.timeline.set_blinded(False)
        self._panels.timeline.set_frozen(False)
        self._panels.faults.reset()
        self._panels.health.reset()
        self.by_hand.reset()
        self.clips.reset()
        self.operator.reset()

    def follow(self, stream: LiveStream) -> None:
        """Listens to a session."""
        stream.joined.connect(self._joined)
        stream.accepted.connect(self._accepted)
        stream.refused.connect(self._refused)
        stream.silent.connect(self._silent)
        self.by_hand.follow(stream)
        self._panels.behaviour.show_recording(None, None)
        self.operator.follow(stream)

    # --- buttons and keys -----------------------------------------------------------------------------

    def toggle_acquire(self) -> None:
        """Starts a session, or asks to end the one that runs."""
        if self._state.phase in ("empty", "ended"):
            self.start_requested.emit()
        elif self._live is not None:
            if self.watch.on and not confirm_stop(self._parent):
                return
            self.end()

    def toggle_record(self) -> None:
        """Asks the session to start or stop recording. What is shown changes when the recorder says so."""
        stream = self._live
        if stream is None or self.watch.asked:
            return
        if self.watch.on:
            self.watch.ask("stop")
            stream.command("stop_recording")
        else:
            try:
                description = self._state.description
                name = description.protocol_name if description else ""
                animal = description.animal if description else ""
                file = recordings.new_file(self._state.settings, name, animal)
            except (OSError, UserError) as problem:
                where = recordings.folder(self._state.settings)
                why = problem.strerror if isinstance(problem, OSError) else problem
                self._panels.banner.show_sentence(
                    "record",
                    f"No recording can be made in {where}: {why}. Choose another folder for recordings.",
                )
                return
            self.watch.ask("start", str(file))
            stream.command("start_recording", file=str(file))
        self.judge()

    def take_new_engine(self) -> None:
        """Asks the session to go on with another stimulation engine."""
        if self._live is not None:
            self._live.command("restart_engine")

    def end(self) -> None:
        """Asks the session to end."""
        if self.stream is not None:
            self._state.set_phase("ending")
            self.stream.command("stop")

    # --- what comes from it ---------------------------------------------------------------------------

    def describe(self, description: Description) -> None:
        """What is shown. A session is blinded from now on, before its status says how it is."""
        self.watch.tick_s = description.tick_s
        self._panels.timeline.set_blinded(description.blinded and self.stream is not None)

    def take_status(self, status: Status) -> None:
        """Shows the supervisor's word on everything."""
        description = self._state.description
        report = status.recorder
        self._panels.faults.take(status.faults, status.state != "ended")
        self._failure = status.failure
        self.watch.on_status(status, time.monotonic())
        if report is not None and report.state == "closed":
            self._remember(report)
        self._panels.health.show_status(status)
        self.clips.take_status(status)
        self._panels.performance.show_status(status)
        self.operator.take_status(status)
        is_replay = status.processes.get("subject") == "off"
        self._panels.timeline.set_blinded(
            description is not None
            and description.blinded
            and not is_replay
            and status.state != "ended"
        )
        should = description is not None and description.pace == "realtime"
        self._panels.banner.clear_sentence("silent")
        pace = f"{status.realtime_factor:.2f} × real time" if status.ticks else ""
        self._panels.control.show_pace(
            "paused" if self.operator.paused else pace,
            slow=should
            and bool(pace)
            and not self.operator.paused
            and status.realtime_factor < SLOW,
            reason=self._panels.performance.slow,
        )
        if self._state.phase == "starting":
            self._panels.welcome.processes(status.processes)

    def leave_to_end(self) -> None:
        """Asks the session to end, and waits for nothing: what it has recorded is among the recordings."""
        if self.stream is not None:
            self.stream.command("stop")
            if self.watch.written is not None:
                self._remember(self.watch.written)

    def _remember(self, report: RecorderReport) -> None:
        description = self._state.description
        if description is None:
            return
        made = Recent(
            report.file,
            description.subject,
            description.protocol_name,
            report.ticks_on_disk * description.tick_s,
        )
        if made != self._made:
            self._made = made
            remember(self._state.settings, made)

    def judge(self) -> None:
        """Looks at the recorder's reports, whether or not any have come."""
        if self._state.phase == "replay":
            return
        verdict = self.watch.judge(time.monotonic())
        words = "Stop recording" if self.watch.on else "Record"
        words = {"start": "Opening…", "stop": "Closing…"}.get(self.watch.asked, words)
        possible = self._state.phase == "live" and not self.watch.asked
        self._panels.control.show_recording(verdict, words, possible)

    def ended(self, reason: str) -> None:
        """It is over, and why."""
        self.watch.end()
        self._state.set_phase("ended")
        self._panels.timeline.set_blinded(False)
        words = _END_WORDS.get(reason, reason)
        if reason == "failed" and self._failure:
            words = f"it failed. {self._failure.rstrip('.')}"
        if self._state.tick < 0:
            self._panels.welcome.fail(
                f"The session ended before its first tick: {words}.",
                can_start=self._state.can_start and self._state.request is not None,
            )
        kind = "fault" if reason == "failed" else "note"
        self._panels.banner.show_sentence("end", f"The session has ended: {words}.", kind)
        self.judge()
        if self.close_at_end:
            self.finished.emit()

    def end_after_trial(self) -> None:
        """Asks the session to end with the trial that runs."""
        if self._live is not None:
            self._live.command("stop", after="trial")

    @property
    def _live(self) -> LiveStream | None:
        """The session, as long as it runs."""
        return self.stream if self._state.phase == "live" else None

    def _joined(self, session: str) -> None:
        self.judge()

    def _accepted(self, verb: str, fields: dict[str, object]) -> None:
        if verb == "start_recording":
            self._panels.banner.clear_sentence("record")
        self.judge()

    def _refused(self, verb: str, sentence: str) -> None:
        if verb in VERBS:
            return  # said beside the button
        key = f"refused {verb}"
        if verb in ("start_recording", "stop_recording"):
            key = "record"
            self.watch.ask("")
        if verb == "stop" and self._state.phase == "ended":
            return
        if verb == "stop":
            self.close_at_end = False
            self._state.set_phase("live" if self._state.tick >= 0 else "starting")
        self._panels.banner.show_sentence(key, sentence)
        self.judge()

    def _silent(self, since: str) -> None:
        sentence = f"No word from the session since {since}; the displays stand still."
        self._panels.banner.show_sentence("silent", sentence, repeated=True)
