"""The window: docks around the timeline, and what passes between the stream and its displays."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QSettings, QTimer
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import QApplication, QMainWindow, QStackedWidget

from gui import recordings
from gui import theme as appearance
from gui.actions import Actions
from gui.arena_view import ArenaView
from gui.banner import Banner
from gui.camera_view import EyeView
from gui.comparison_view import Columns
from gui.dialogs import CANCEL, END, ask_about_session
from gui.health import ControlBar, HealthPanel
from gui.layout import Layout
from gui.live_stream import LiveStream
from gui.operator_keys import OperatorKeys
from gui.replay_control import ReplayControl
from gui.replay_stream import Replayed, ReplayStream
from gui.session_control import SessionControl
from gui.stream import Batch, Stream
from gui.theme import THEMES, Theme
from gui.timeline import Timeline
from gui.transport import TransportBar
from gui.welcome import Welcome
from rig.bus.messages import Description, Message, Tick

DRAW_INTERVAL_MS = 48
JUDGE_INTERVAL_MS = 200
END_TIMEOUT_MS = 20_000


class MainWindow(QMainWindow):
    """One window on one stream at a time: a session (`session` commands it) or a replay (`player` drives it).

    Args:
        start_session: starts a session and returns its name, or None if this window cannot start any.
        settings: where the layout, the theme and the folder of recordings are remembered.
    """

    def __init__(
        self, start_session: Callable[[], str] | None = None, settings: QSettings | None = None
    ) -> None:
        super().__init__()
        self.settings = settings or QSettings("rodent-rig", "window")
        self._start_session = start_session
        self.stream: Stream | None = None
        self.description: Description | None = None
        self._phase = "empty"
        self._tick, self._trial = -1, 0
        name = str(self.settings.value("theme", "dark"))
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
        self.columns = Columns(self.theme)
        self.session = SessionControl(self)
        self.player = ReplayControl(self)
        self._middle = QStackedWidget()
        self._middle.addWidget(self.welcome)
        self._middle.addWidget(self.timeline)
        self._middle.addWidget(self.columns)
        self.layout_of_parts = Layout(self, self._middle)
        self.actions_of_menus = Actions(self)
        self.layout_of_parts.restore(self.settings)
        self.set_theme(self.theme.name)
        self.set_phase("empty")
        self.welcome.offer(can_start=self.can_start)

        self._draw_timer = QTimer(self)
        self._draw_timer.timeout.connect(self._draw)
        self._draw_timer.start(DRAW_INTERVAL_MS)
        self._judge_timer = QTimer(self)
        self._judge_timer.timeout.connect(self.session.judge)
        self._judge_timer.start(JUDGE_INTERVAL_MS)
        self.session.judge()

    @property
    def phase(self) -> str:
        """What it is doing: "empty", "starting", "live", "ending", "ended" or "replay"."""
        return self._phase

    @property
    def tick(self) -> int:
        """The newest tick that was shown; -1 before the first."""
        return self._tick

    @property
    def can_start(self) -> bool:
        """Whether this window can start a session."""
        return self._start_session is not None

    # --- what is shown ------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts a session and follows it."""
        if self._start_session is not None:
            self._follow(LiveStream(None, self._start_session))

    def attach(self, session: str) -> None:
        """Follows a session that is running."""
        self._follow(LiveStream(session))

    def replay(self, *paths: Replayed, speed: float = 1.0) -> None:
        """Shows a recording, or several side by side."""
        self._follow(self.player.open(paths, speed))

    def show_position(self, tick: int) -> None:
        """Where a replay of several recordings is, which may be after the end of some."""
        self._tick = tick

    def _follow(self, stream: Stream) -> None:
        if self.stream is not None:
            self.stream.close()
        self.stream = stream
        self.session.reset()
        self._tick = -1
        self.banner.reset()
        stream.arrived.connect(self._take)
        stream.cleared.connect(self._clear)
        stream.progress.connect(self.welcome.wait)
        stream.failed.connect(self._stream_failed)
        if isinstance(stream, LiveStream):
            self.session.follow(stream)
            self.welcome.wait(
                "Starting the animal…" if not stream.session else "Joining the session…"
            )
        else:
            self.welcome.wait("Opening the recording…")
        self.set_phase("replay" if stream.is_replay else "starting")
        self._middle.setCurrentWidget(self.welcome)
        self.layout_of_parts.show_docks(not self.player.several)
        self.columns.show_recordings(())
        stream.start()

    def _take(self, batch: Batch) -> None:
        """One batch for the displays; called at most 30 times a second."""
        if batch.description is not None and batch.recording == 0:
            content = batch.description.content
            assert isinstance(content, Description)
            self._describe(content)
        if self.player.several:
            self.columns.take(batch)
            self._middle.setCurrentWidget(self.columns)
        else:
            for part in (self.timeline, self.arena, self.eye):
                part.take(batch)
            if batch.ticks:
                self._take_tick(batch.ticks[-1])
        for fault in batch.faults:
            self.banner.tell(f"fault {fault.sentence}", fault.sentence)
        if batch.status is not None:
            self.session.take_status(batch.status)
        if batch.end is not None:
            self.session.ended(batch.end.reason)

    def _take_tick(self, newest: Message) -> None:
        assert isinstance(newest.content, Tick)
        self._tick = newest.tick
        self._trial = newest.content.trial
        self.session.watch.see(newest.tick)
        self.banner.over("silent")
        self._middle.setCurrentWidget(self.timeline)
        if self._phase == "starting":
            self.set_phase("live")

    def _describe(self, description: Description) -> None:
        self.description = description
        self.session.watch.tick_s = description.tick_s
        self.health.describe(description)
        self.keys.describe(description.keys)
        what = f"{description.protocol_name}: {description.subject} in {description.task}"
        stream = self.stream
        where = "live"
        if isinstance(stream, LiveStream):
            where = f"session {stream.session}"
        elif isinstance(stream, ReplayStream):
            where = " beside ".join(stream.names)
            started = description.started[:16].replace("T", " ")
            self.control.show_replayed(f"Replay of {where}   ({what}, {started})")
        self.setWindowTitle(f"{what} · {where} · rodent-rig")

    def _stream_failed(self, sentence: str) -> None:
        was_replay = self.stream is not None and self.stream.is_replay
        self.session.watch.end()
        self.set_phase("ended" if self._tick >= 0 and not was_replay else "empty")
        if self._tick >= 0:
            self.banner.tell("stream", sentence)
        else:
            self.welcome.fail(sentence, can_start=self.can_start)
        self.session.judge()
        if self.session.close_at_end:
            self.close()

    def _clear(self) -> None:
        for part in (self.timeline, self.columns):
            part.clear()

    def _draw(self) -> None:
        self.timeline.draw()
        self.columns.draw()
        self.arena.show_stimuli(self.timeline.ethogram.stimuli_now())
        if self._tick >= 0 and self.description is not None:
            self.control.show_time(self._tick * self.description.tick_s)
            self.health.show_tick(self._tick, self._trial)

    # --- menus ----------------------------------------------------------------------------------------

    def set_theme(self, name: str) -> None:
        """Dark or light."""
        self.theme = THEMES[name]
        application = QApplication.instance()
        if isinstance(application, QApplication):
            appearance.apply(application, self.theme)
        for part in (
            self.timeline,
            self.arena,
            self.eye,
            self.health,
            self.transport,
            self.columns,
        ):
            part.set_theme(self.theme)
        self.settings.setValue("theme", name)

    def choose_folder(self) -> None:
        """Asks where new recordings go."""
        recordings.choose_folder(self, self.settings)

    def set_phase(self, phase: str) -> None:
        """What it does from now on, as in `phase`: buttons and panels follow."""
        self._phase = phase
        replaying = phase == "replay"
        self.transport.setVisible(replaying)
        self.keys.show_live(phase == "live")
        words, lit, possible = {
            "empty": ("Acquire", False, self.can_start),
            "starting": ("Starting…", True, False),
            "live": ("Stop", True, True),
            "ending": ("Ending…", True, False),
            "ended": ("Acquire", False, self.can_start),
            "replay": ("Acquire", False, False),
        }[phase]
        self.control.show_acquisition(words, lit, possible)
        self.control.show_controls(not replaying)
        self.health.show_processes(not replaying)
        self.actions_of_menus.pause.setEnabled(phase == "live")
        self.actions_of_menus.beside.setEnabled(replaying)
        self.actions_of_menus.enable_replay_keys(replaying)
        if phase in ("empty", "ended", "replay"):
            self.control.show_pace("replay" if replaying else "")

    # --- leaving --------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Asks about a running session first; then remembers the layout and lets go of everything."""
        if event is None:
            return
        if self._phase in ("live", "starting") and not self.session.close_at_end:
            choice = ask_about_session(self, self.session.watch.on)
            if choice == CANCEL:
                event.ignore()
                return
            if choice == END and self._phase != "ended":
                self.session.close_at_end = True
                self.session.end()
                QTimer.singleShot(END_TIMEOUT_MS, self._give_up_waiting)
                event.ignore()
                return
        elif self._phase == "ending" and not self.session.close_at_end:
            self.session.close_at_end = True
            event.ignore()
            return
        self.layout_of_parts.save(self.settings)
        self._draw_timer.stop()
        self._judge_timer.stop()
        if self.stream is not None:
            self.stream.close()
        self.arena.close_renderer()
        self.columns.close_renderers()
        event.accept()

    def _give_up_waiting(self) -> None:
        if self._phase == "ending":
            self.set_phase("ended")
            self.close()
