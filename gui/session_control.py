"""A running session in the window: what buttons and keys ask of it, and what it answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject

from gui import recordings
from gui.dialogs import confirm_stop
from gui.live_stream import LiveStream
from gui.recorder_watch import RecorderWatch
from rig.bus.messages import Status

if TYPE_CHECKING:
    from gui.main_window import MainWindow

_END_WORDS = {
    "duration": "its time was up",
    "trials": "all its trials were run",
    "stopped": "it was stopped",
    "failed": "it failed",
}


class SessionControl(QObject):
    """Commands the session that a window follows, and shows what becomes of it.

    `watch` judges from the recorder's reports whether it is recorded. `close_at_end`: the window goes with
    the session.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.watch = RecorderWatch()
        self.close_at_end = False
        self._paused = False
        self._asked = ""  # the recording command that has not been answered yet

    @property
    def stream(self) -> LiveStream | None:
        """The session that is followed; None where there is none."""
        stream = self._window.stream
        return stream if isinstance(stream, LiveStream) else None

    def reset(self) -> None:
        """Another stream begins."""
        self.watch = RecorderWatch()
        self._asked, self._paused = "", False

    def follow(self, stream: LiveStream) -> None:
        """Listens to a session."""
        stream.joined.connect(self._joined)
        stream.accepted.connect(self._accepted)
        stream.refused.connect(self._refused)
        stream.silent.connect(self._silent)

    # --- buttons and keys -----------------------------------------------------------------------------

    def toggle_acquire(self) -> None:
        """Starts a session, or asks to end the one that runs."""
        if self._window.phase in ("empty", "ended"):
            self._window.start()
        elif self._live is not None:
            if self.watch.on and not confirm_stop(self._window):
                return
            self.end()

    def toggle_record(self) -> None:
        """Asks the session to start or stop recording. What is shown changes when the recorder says so."""
        stream, window = self._live, self._window
        if stream is None or self._asked:
            return
        if self.watch.on:
            self._asked = "stop_recording"
            stream.command("stop_recording")
        else:
            try:
                told = window.description
                file = recordings.new_file(window.settings, told.protocol_name if told else "")
            except OSError as problem:
                where = recordings.folder(window.settings)
                window.banner.tell(
                    "record", f"No recording can be made in {where}: {problem.strerror}."
                )
                return
            self._asked = "start_recording"
            stream.command("start_recording", file=str(file))
        self.judge()

    def toggle_pause(self) -> None:
        """Pauses or resumes a live session."""
        if self._live is not None:
            self._live.command("resume" if self._paused else "pause")

    def press_key(self, key: str) -> None:
        """An operator's key, for the session's protocol and for its record."""
        told = self._window.description
        listened = told.keys if told is not None else ()
        key = next((each for each in listened if each.lower() == key.lower()), key)
        if self._live is not None:
            self._live.command("key", key=key)

    def take_new_engine(self) -> None:
        """Asks the session to go on with another stimulation engine."""
        if self._live is not None:
            self._live.command("restart_engine")

    def end(self) -> None:
        """Asks the session to end."""
        if self.stream is not None:
            self._window.set_phase("ending")
            self.stream.command("stop")

    # --- what comes from it ---------------------------------------------------------------------------

    def take_status(self, status: Status) -> None:
        """Shows the supervisor's word on everything."""
        window = self._window
        # Whoever joined late has missed the message; the status repeats the last fault.
        window.banner.tell(f"fault {status.fault}", status.fault)
        self.watch.hear(status, time.monotonic())
        window.health.show_status(status)
        self._paused = status.state == "paused"
        window.banner.over("silent")
        window.control.show_pace(
            "paused" if self._paused else f"{status.realtime_factor:.2f} × real time"
        )
        if window.phase == "starting":
            window.welcome.processes(status.processes)

    def judge(self) -> None:
        """Looks at the recorder's reports, whether or not any have come."""
        window = self._window
        if window.phase == "replay":
            return
        verdict = self.watch.judge(time.monotonic())
        words = "Stop recording" if self.watch.on else "Record"
        if self._asked:
            words = "Starting…" if self._asked == "start_recording" else "Closing…"
        possible = window.phase == "live" and not self._asked
        window.control.show_recording(verdict, words, possible)

    def ended(self, reason: str) -> None:
        """It is over, and why."""
        window = self._window
        self.watch.end()
        window.set_phase("ended")
        self._asked = ""
        words = _END_WORDS.get(reason, reason)
        if window.tick < 0:
            window.welcome.fail(
                f"The session ended before its first tick: {words}.", can_start=window.can_start
            )
        kind = "fault" if reason == "failed" else "note"
        window.banner.tell("end", f"The session has ended: {words}.", kind)
        self.judge()
        if self.close_at_end:
            window.close()

    @property
    def _live(self) -> LiveStream | None:
        """The session, as long as it runs."""
        return self.stream if self._window.phase == "live" else None

    def _joined(self, session: str) -> None:
        self.judge()

    def _accepted(self, verb: str, fields: dict[str, object]) -> None:
        if verb == self._asked:
            self._asked = ""
            self._window.banner.over("record")
        self.judge()

    def _refused(self, verb: str, sentence: str) -> None:
        window = self._window
        key = "record" if verb == self._asked else f"refused {verb}"
        self._asked = "" if verb == self._asked else self._asked
        if verb == "stop" and window.phase == "ended":
            return
        if verb == "stop":
            self.close_at_end = False
            window.set_phase("live" if window.tick >= 0 else "starting")
        window.banner.tell(key, sentence)
        self.judge()

    def _silent(self, seconds: float) -> None:
        self._window.banner.tell(
            "silent", f"No word from the session for {seconds:.0f} s; the displays stand still."
        )
