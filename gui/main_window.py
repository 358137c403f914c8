"""The window: docks around the timeline, the buttons and keys, and what happens between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QSettings, QTimer
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import QApplication, QMainWindow, QStackedWidget

from gui import recordings
from gui import theme as appearance
from gui.actions import Actions
from gui.arena_view import ArenaView, EyeView
from gui.dialogs import CANCEL, END, ask_about_session, confirm_stop
from gui.health import Banner, ControlBar, HealthPanel
from gui.layout import Layout
from gui.operator_keys import OperatorKeys
from gui.recorder_watch import RecorderWatch
from gui.replay_stream import ReplayStream
from gui.stream import Batch, LiveStream, Stream
from gui.theme import THEMES, Theme
from gui.timeline import Timeline
from gui.transport import TransportBar
from gui.welcome import Welcome
from rig.messages import TICK_S, Description, Event, Tick

DRAW_INTERVAL_MS = 48
JUDGE_INTERVAL_MS = 200
END_TIMEOUT_MS = 20_000


class MainWindow(QMainWindow):
    """One window on one stream at a time.

    Args:
        start_session: starts a session and returns its name, or None if this window cannot start any.
        settings: where the layout, the theme and the folder of recordings are remembered.
    """

    def __init__(
        self, start_session: Callable[[], str] | None = None, settings: QSettings | None = None
    ) -> None:
        super().__init__()
        self._settings = settings or QSettings("rodent-rig", "window")
        self._start_session = start_session
        self._stream: Stream | None = None
        self._description: Description | None = None
        self._watch = RecorderWatch()
        self._phase = "empty"
        self._paused = False
        self._asked = ""  # the recording command that has not been answered yet
        self._close_at_end = False
        self._tick = -1
        name = str(self._settings.value("theme", "dark"))
        self.theme: Theme = THEMES.get(name, appearance.DARK)

        self.control = ControlBar()
        self.banner = Banner()
        self.timeline = Timeline(self.theme)
        self.welcome = Welcome()
        self.transport = TransportBar()
        self.keys = OperatorKeys()
        self.arena = ArenaView(self.theme)
        self.eye = EyeView(self.theme)
        self.health = HealthPanel(self.theme)
        self._middle = QStackedWidget()
        self._middle.addWidget(self.welcome)
        self._middle.addWidget(self.timeline)
        self.layout_of_parts = Layout(self, self._middle)
        self.actions_of_menus = Actions(self)
        self.layout_of_parts.restore(self._settings)
        self.set_theme(self.theme.name)
        self._set_phase("empty")
        self.welcome.offer(can_start=start_session is not None)

        self._draw_timer = QTimer(self)
        self._draw_timer.timeout.connect(self._draw)
        self._draw_timer.start(DRAW_INTERVAL_MS)
        self._judge_timer = QTimer(self)
        self._judge_timer.timeout.connect(self._judge)
        self._judge_timer.start(JUDGE_INTERVAL_MS)
        self._judge()

    @property
    def phase(self) -> str:
        """What it is doing: "empty", "starting", "live", "ending", "ended" or "replay"."""
        return self._phase

    @property
    def tick(self) -> int:
        """The newest tick that was shown; -1 before the first."""
        return self._tick

    # --- what is shown ------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts a session and follows it."""
        if self._start_session is not None:
            self._follow(LiveStream(None, self._start_session))

    def attach(self, session: str) -> None:
        """Follows a session that is running."""
        self._follow(LiveStream(session))

    def replay(self, path: Path, speed: float = 1.0) -> None:
        """Shows a recording."""
        stream = ReplayStream(path, speed)
        stream.opened.connect(self._replay_opened)
        stream.moved.connect(self.transport.show_tick)
        stream.playing_changed.connect(self.transport.show_playing)
        stream.speed_changed.connect(self.transport.show_speed)
        stream.loop_changed.connect(self.transport.show_loop)
        self.transport.show_speed(speed)
        self._follow(stream)

    def _follow(self, stream: Stream) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = stream
        self._watch = RecorderWatch()
        self._asked, self._paused, self._tick = "", False, -1
        self.banner.reset()
        stream.arrived.connect(self._take)
        stream.cleared.connect(self._clear)
        stream.progress.connect(self.welcome.wait)
        stream.failed.connect(self._stream_failed)
        if isinstance(stream, LiveStream):
            stream.joined.connect(self._joined)
            stream.accepted.connect(self._accepted)
            stream.refused.connect(self._refused)
            stream.silent.connect(self._silent)
            self.welcome.wait(
                "Starting the animal…" if not stream.session else "Joining the session…"
            )
        else:
            self.welcome.wait("Opening the recording…")
        self._set_phase("replay" if stream.is_replay else "starting")
        self._middle.setCurrentWidget(self.welcome)
        stream.start()

    def _take(self, batch: Batch) -> None:
        """One batch for all displays; called at most 30 times a second."""
        if batch.description is not None:
            content = batch.description.content
            assert isinstance(content, Description)
            self._describe(content)
        self.timeline.take(batch)
        self.arena.take(batch)
        self.eye.take(batch)
        if batch.ticks:
            newest = batch.ticks[-1]
            assert isinstance(newest.content, Tick)
            self._tick = newest.tick
            self._trial = newest.content.trial
            self._watch.see(newest.tick)
            self.banner.over("silent")
            if self._middle.currentWidget() is not self.timeline:
                self._middle.setCurrentWidget(self.timeline)
            if self._phase == "starting":
                self._set_phase("live")
        for fault in batch.faults:
            self.banner.tell(f"fault {fault.sentence}", fault.sentence)
        if batch.status is not None:
            # Whoever joined late has missed the message; the status repeats the last fault.
            self.banner.tell(f"fault {batch.status.fault}", batch.status.fault)
            self._watch.hear(batch.status, time.monotonic())
            self.health.show_status(batch.status)
            self._paused = batch.status.state == "paused"
            self.banner.over("silent")
            self.control.show_pace(
                "paused" if self._paused else f"{batch.status.realtime_factor:.2f} × real time"
            )
            if self._phase == "starting":
                self.welcome.processes(batch.status.processes)
        if batch.end is not None:
            self._ended(batch.end.reason)

    def _describe(self, description: Description) -> None:
        self._description = description
        self._watch.tick_s = description.tick_s
        self.health.describe(description)
        self.transport.describe(description.behaviours)
        self.keys.describe(description.keys)
        what = f"{description.protocol_name}: {description.subject} in {description.task}"
        stream = self._stream
        where = "live"
        if isinstance(stream, LiveStream):
            where = f"session {stream.session}"
        elif isinstance(stream, ReplayStream):
            where = stream.path.name
            started = description.started[:16].replace("T", " ")
            self.control.show_replayed(f"Replay of {where}   ({what}, {started})")
        self.setWindowTitle(f"{what} · {where} · rodent-rig")

    def _clear(self) -> None:
        self.timeline.clear()

    def _draw(self) -> None:
        self.timeline.draw()
        if self._tick >= 0 and self._description is not None:
            self.control.show_time(self._tick * self._description.tick_s)
            self.health.show_tick(self._tick, self._trial)

    def _judge(self) -> None:
        """Looks at the recorder's reports, whether or not any have come."""
        if self._phase == "replay":
            return
        verdict = self._watch.judge(time.monotonic())
        words = "Stop recording" if self._watch.on else "Record"
        if self._asked:
            words = "Starting…" if self._asked == "start_recording" else "Closing…"
        possible = self._phase == "live" and not self._asked
        self.control.show_recording(verdict, words, possible)

    # --- buttons and keys -----------------------------------------------------------------------------

    def toggle_acquire(self) -> None:
        """Starts a session, or asks to end the one that runs."""
        if self._phase in ("empty", "ended"):
            self.start()
        elif self._phase == "live" and isinstance(self._stream, LiveStream):
            if self._watch.on and not confirm_stop(self):
                return
            self._end_session()

    def toggle_record(self) -> None:
        """Asks the session to start or stop recording. What is shown changes when the recorder says so."""
        stream = self._stream
        if self._phase != "live" or self._asked or not isinstance(stream, LiveStream):
            return
        if self._watch.on:
            self._asked = "stop_recording"
            stream.command("stop_recording")
        else:
            try:
                protocol = self._description.protocol_name if self._description else ""
                file = recordings.new_file(self._settings, protocol)
            except OSError as problem:
                where = recordings.folder(self._settings)
                self.banner.tell(
                    "record", f"No recording can be made in {where}: {problem.strerror}."
                )
                return
            self._asked = "start_recording"
            stream.command("start_recording", file=str(file))
        self._judge()

    def toggle_pause(self) -> None:
        """Pauses or resumes a live session."""
        if isinstance(self._stream, LiveStream) and self._phase == "live":
            self._stream.command("resume" if self._paused else "pause")

    def press_key(self, key: str) -> None:
        """An operator's key, for the session's protocol and for its record."""
        listened = self._description.keys if self._description is not None else ()
        key = next((each for each in listened if each.lower() == key.lower()), key)
        if isinstance(self._stream, LiveStream) and self._phase == "live":
            self._stream.command("key", key=key)

    def take_new_engine(self) -> None:
        """Asks the session to go on with another stimulation engine."""
        if isinstance(self._stream, LiveStream) and self._phase == "live":
            self._stream.command("restart_engine")

    def toggle_play(self) -> None:
        """Plays or pauses a replay."""
        if isinstance(self._stream, ReplayStream):
            self._stream.set_playing(not self._stream.playing)

    def step(self, ticks: int) -> None:
        """Steps a replay."""
        if isinstance(self._stream, ReplayStream):
            self._stream.step(ticks)

    def seek(self, tick: int) -> None:
        """Goes to a tick of a replay."""
        if isinstance(self._stream, ReplayStream):
            self._stream.seek(tick)

    def set_speed(self, speed: float) -> None:
        """Changes the speed of a replay."""
        if isinstance(self._stream, ReplayStream):
            self._stream.set_speed(speed)

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Plays these ticks of a replay over and over; None: no longer."""
        if isinstance(self._stream, ReplayStream):
            self._stream.set_loop(loop)

    def set_theme(self, name: str) -> None:
        """Dark or light."""
        self.theme = THEMES[name]
        application = QApplication.instance()
        if isinstance(application, QApplication):
            appearance.apply(application, self.theme)
        for part in (self.timeline, self.arena, self.eye, self.health, self.transport):
            part.set_theme(self.theme)
        self._settings.setValue("theme", name)

    def recordings_folder(self) -> Path:
        """Where new recordings go."""
        return recordings.folder(self._settings)

    def choose_folder(self) -> None:
        """Asks where new recordings go."""
        recordings.choose_folder(self, self._settings)

    def choose_recording(self) -> None:
        """Asks for a recording and shows it; asks what becomes of a running session."""
        file = recordings.choose_file(self, self._settings)
        if file is None:
            return
        if self._phase in ("live", "starting", "ending"):
            choice = ask_about_session(self, self._watch.on)
            if choice == CANCEL:
                return
            if choice == END and isinstance(self._stream, LiveStream):
                self._stream.command("stop")
        self.replay(file)

    # --- the session's answers ------------------------------------------------------------------------

    def _joined(self, session: str) -> None:
        self._judge()

    def _accepted(self, verb: str, fields: dict[str, object]) -> None:
        if verb == self._asked:
            self._asked = ""
            self.banner.over("record")
        self._judge()

    def _refused(self, verb: str, sentence: str) -> None:
        key = "record" if verb == self._asked else f"refused {verb}"
        self._asked = "" if verb == self._asked else self._asked
        if verb == "stop" and self._phase == "ended":
            return
        if verb == "stop":
            self._close_at_end = False
            self._set_phase("live" if self._tick >= 0 else "starting")
        self.banner.tell(key, sentence)
        self._judge()

    def _silent(self, seconds: float) -> None:
        self.banner.tell(
            "silent", f"No word from the session for {seconds:.0f} s; the displays stand still."
        )

    def _stream_failed(self, sentence: str) -> None:
        was_replay = self._stream is not None and self._stream.is_replay
        self._watch.end()
        self._set_phase("ended" if self._tick >= 0 and not was_replay else "empty")
        if self._tick >= 0:
            self.banner.tell("stream", sentence)
        else:
            self.welcome.fail(sentence, can_start=self._start_session is not None)
        self._judge()
        if self._close_at_end:
            self.close()

    def _ended(self, reason: str) -> None:
        self._watch.end()
        self._set_phase("ended")
        self._asked = ""
        words = {
            "duration": "its time was up",
            "trials": "all its trials were run",
            "stopped": "it was stopped",
            "failed": "it failed",
        }.get(reason, reason)
        if self._tick < 0:
            self.welcome.fail(
                f"The session ended before its first tick: {words}.",
                can_start=self._start_session is not None,
            )
        kind = "fault" if reason == "failed" else "note"
        self.banner.tell("end", f"The session has ended: {words}.", kind)
        self._judge()
        if self._close_at_end:
            self.close()

    def _replay_opened(
        self, first_tick: int, n_ticks: int, events: list[Event], trial_starts: list[int]
    ) -> None:
        self.transport.set_range(first_tick, n_ticks, TICK_S, events, trial_starts)
        if isinstance(self._stream, ReplayStream):
            self._stream.set_playing(True)

    def _end_session(self) -> None:
        if isinstance(self._stream, LiveStream):
            self._set_phase("ending")
            self._stream.command("stop")

    def _set_phase(self, phase: str) -> None:
        self._phase = phase
        replaying = phase == "replay"
        self.transport.setVisible(replaying)
        self.keys.show_live(phase == "live")
        can_start = self._start_session is not None
        words, lit, possible = {
            "empty": ("Acquire", False, can_start),
            "starting": ("Starting…", True, False),
            "live": ("Stop", True, True),
            "ending": ("Ending…", True, False),
            "ended": ("Acquire", False, can_start),
            "replay": ("Acquire", False, False),
        }[phase]
        self.control.show_acquisition(words, lit, possible)
        self.control.show_controls(not replaying)
        self.health.show_processes(not replaying)
        self.actions_of_menus.pause.setEnabled(phase == "live")
        self.actions_of_menus.enable_replay_keys(replaying)
        if phase in ("empty", "ended", "replay"):
            self.control.show_pace("replay" if replaying else "")

    # --- leaving --------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Asks about a running session first; then remembers the layout and lets go of everything."""
        if event is None:
            return
        if self._phase in ("live", "starting") and not self._close_at_end:
            choice = ask_about_session(self, self._watch.on)
            if choice == CANCEL:
                event.ignore()
                return
            if choice == END and self._phase != "ended":
                self._close_at_end = True
                self._end_session()
                QTimer.singleShot(END_TIMEOUT_MS, self._give_up_waiting)
                event.ignore()
                return
        elif self._phase == "ending" and not self._close_at_end:
            self._close_at_end = True
            event.ignore()
            return
        self.layout_of_parts.save(self._settings)
        self._draw_timer.stop()
        self._judge_timer.stop()
        if self._stream is not None:
            self._stream.close()
        self.arena.close_renderer()
        event.accept()

    def _give_up_waiting(self) -> None:
        if self._phase == "ending":
            self._set_phase("ended")
            self.close()
