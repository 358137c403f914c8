"""The window: docks around the timeline, and what passes between the stream and its displays."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace

from PyQt6.QtCore import QSettings, Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QKeyEvent
from PyQt6.QtWidgets import QAbstractButton, QApplication, QMainWindow, QWidget

from gui.actions import Actions
from gui.layout import Layout
from gui.look import theme as appearance
from gui.look.collected_labels import keep_answering
from gui.look.dialogs import CANCEL, END, ask_about_session
from gui.look.pages import Pages
from gui.look.theme import THEMES, Theme
from gui.panels import Panels
from gui.replay_control import ReplayControl
from gui.session import recordings
from gui.session.recent import recent
from gui.session.session_end import SessionCounts
from gui.session.session_setup import SessionRequest, SessionStarter
from gui.session_control import SessionControl
from gui.streams.live_stream import LiveStream
from gui.streams.replay_stream import ReplayStream
from gui.streams.replayed import Replayed
from gui.streams.stream import Batch, Stream
from gui.window_state import WindowState
from rig.bus.message_types import Description, Message, Tick
from rig.clock import shown

DRAW_INTERVAL_MS = 48
JUDGE_INTERVAL_MS = 200
END_TIMEOUT_MS = 20_000


class MainWindow(QMainWindow):
    """One window on one stream at a time: a session (`session` commands it) or a replay (`player` drives it).

    Args:
        sessions: sets sessions up and starts them; None if this window cannot start any.
        settings: where the layout, the theme and the folder of recordings are remembered.
        starter: the thread that sessions are started from; None: any.
    """

    def __init__(
        self,
        sessions: SessionStarter | None = None,
        settings: QSettings | None = None,
        starter: Executor | None = None,
    ) -> None:
        super().__init__()
        keep_answering()
        self.setWindowTitle("rodent-rig")
        self._sessions = sessions
        self._starter = starter
        self._counts = SessionCounts()
        self.state = WindowState(
            settings or QSettings("rodent-rig", "window"), sessions is not None, self
        )
        self._trial = 0
        name = str(self.state.settings.value("theme", "dark"))
        self.theme: Theme = THEMES.get(name, appearance.DARK)

        application = QApplication.instance()
        if isinstance(application, QApplication):
            appearance.set_font(application)
        self.panels = Panels(self.theme, sessions)
        self.session = SessionControl(self.state, self.panels, self)
        self.player = ReplayControl(self.state, self.panels, self.session, self)
        self._middle = Pages()
        self._middle.addWidget(self.panels.welcome)
        self._middle.addWidget(self.panels.timeline)
        self._middle.addWidget(self.panels.comparison)
        self.panel_layout = Layout(self, self.panels, self._middle)
        self.menu_actions = Actions(
            self, self.state, self.panel_layout, self.panels, self.session, self.player, sessions
        )
        self._connect()
        self.panel_layout.restore(self.state.settings)
        self.panel_layout.show_docks(False)
        self.set_theme(self.theme.name)
        self.state.set_phase("empty")
        self._offer()

        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._draw_timer = QTimer(self)
        self._draw_timer.timeout.connect(self._draw)
        self._draw_timer.start(DRAW_INTERVAL_MS)
        self._judge_timer = QTimer(self)
        self._judge_timer.timeout.connect(self.session.judge)
        self._judge_timer.start(JUDGE_INTERVAL_MS)
        self.session.judge()

    def _connect(self) -> None:
        self.state.phase_changed.connect(self._show_phase)
        self.session.start_requested.connect(self._acquire)
        self.session.finished.connect(self.close)
        self.player.replay_requested.connect(lambda paths, speed: self.replay(*paths, speed=speed))
        welcome, end = self.panels.welcome, self.panels.end
        welcome.start_pressed.connect(lambda: self.start(self.state.request))
        welcome.setup_pressed.connect(self.set_up)
        welcome.attach_pressed.connect(self.attach)
        welcome.recent_chosen.connect(lambda path: self.replay(path))
        if welcome.form is not None:
            welcome.form.remember(self.state.settings)
            welcome.form.start_requested.connect(self.start)
            welcome.form.folder_pressed.connect(self.choose_folder)
            welcome.form.judged.connect(lambda _: self._show_phase(self.phase))
        end.replay_pressed.connect(lambda path: self.replay(path))
        end.again_pressed.connect(self._again)
        end.setup_pressed.connect(self.set_up)
        self.menu_actions.setup_requested.connect(self.set_up)
        self.menu_actions.editor.setup_requested.connect(self.set_up)
        self.menu_actions.editor.start_requested.connect(self.start)
        self.menu_actions.theme_chosen.connect(self.set_theme)
        self.menu_actions.folder_requested.connect(self.choose_folder)

    @property
    def phase(self) -> str:
        """What it is doing, as `WindowState.phase`."""
        return self.state.phase

    @property
    def tick(self) -> int:
        """The newest tick that was shown; -1 before the first."""
        return self.state.tick

    @property
    def stream(self) -> Stream | None:
        """The session or replay that is shown."""
        return self.state.stream

    # --- what is shown ------------------------------------------------------------------------------

    def start(self, request: SessionRequest | None = None) -> None:
        """Starts a session and follows it: as it was asked for, else as the window was opened with."""
        if self._sessions is None:
            return
        sessions, folder = self._sessions, recordings.folder(self.state.settings)
        wanted = replace(request or sessions.first, clips_in=folder)
        self.state.request = wanted

        def start_session() -> str:
            if self._starter is None:
                return sessions.start(wanted)
            return self._starter.submit(sessions.start, wanted).result()

        self._follow(LiveStream(None, start_session))

    def attach(self, session: str) -> None:
        """Follows a session that is running."""
        self.state.request = None
        self._follow(LiveStream(session))

    def set_up(self) -> None:
        """Shows the page on which a session is set up; asks what becomes of one that runs."""
        if not self.player.may_leave():
            return
        if self.stream is not None:
            self.stream.close()
        self.state.stream = None
        self.state.description = None
        self.state.tick = -1
        self.session.reset()
        self.panels.banner.reset()
        self.panel_layout.show_docks(False)
        self.state.set_phase("empty")
        self.setWindowTitle("rodent-rig")
        self._offer()
        self.session.judge()

    def _offer(self) -> None:
        settings = self.state.settings
        self.panels.welcome.offer(recent(settings), recordings.folder(settings))
        self._middle.setCurrentWidget(self.panels.welcome)

    def _acquire(self) -> None:
        """Starts what is set up on the page, or the session that has ended once more."""
        form = self.panels.welcome.form
        if self.state.phase == "ended" and self.state.request is not None:
            self.start(self.state.request)
        elif self.state.phase == "empty" and form is not None and form.isVisible():
            form.submit()
        elif self.state.request is not None:
            self.start(self.state.request)
        else:
            self.set_up()

    def _again(self) -> None:
        if self.state.request is not None and self.state.description is not None:
            self.start(replace(self.state.request, seed=self.state.description.seed))

    def replay(self, *paths: Replayed, speed: float = 1.0) -> None:
        """Shows a recording, or several side by side."""
        self._follow(self.player.open(paths, speed))

    def _follow(self, stream: Stream) -> None:
        if self.stream is not None:
            self.stream.close()
        self.state.stream = stream
        self.session.reset()
        self._counts = SessionCounts()
        self.state.tick = -1
        self.state.description = None
        self.panels.banner.reset()
        stream.arrived.connect(self._take)
        stream.cleared.connect(self.panels.clear)
        stream.progress.connect(self.panels.welcome.wait)
        stream.failed.connect(self._stream_failed)
        self.panels.timeline.rows = None
        self.panels.timeline.ethogram.recorded_task_events = None
        if isinstance(stream, LiveStream):
            self.session.follow(stream)
            self.panels.welcome.wait(
                "Starting the animal…" if not stream.session else "Joining the session…"
            )
        else:
            self.panels.welcome.wait("Opening the recording…")
        self.state.set_phase("replay" if stream.is_replay else "starting")
        self._middle.setCurrentWidget(self.panels.welcome)
        self.panel_layout.show_docks(False)
        self.panels.comparison.show_recordings(())
        stream.start()

    def _take(self, batch: Batch) -> None:
        """One batch for the displays; called at most 30 times a second."""
        if batch.description is not None and batch.recording == 0:
            content = batch.description.content
            assert isinstance(content, Description)
            self._describe(content)
        if self.player.several:
            self.panels.comparison.take(batch)
            self._show(self.panels.comparison)
        else:
            self.panels.take(batch)
            if batch.ticks:
                self._take_tick(batch.ticks[-1])
        if isinstance(self.stream, LiveStream):
            self._counts.add(batch)
        if batch.status is not None:
            self.session.take_status(batch.status)
        if batch.end is not None:
            self.session.ended(batch.end.reason)

    def _take_tick(self, newest: Message) -> None:
        assert isinstance(newest.content, Tick)
        self.state.tick = newest.tick
        self._trial = newest.content.trial
        self.session.watch.see(newest.tick)
        self.panels.banner.clear_sentence("silent")
        self._show(self.panels.timeline)
        self.panel_layout.show_docks(True)
        if self.state.phase == "starting":
            self.state.set_phase("live")

    def _show(self, page: QWidget) -> None:
        if self._middle.currentWidget() is not page:
            self._middle.setCurrentWidget(page)
            self.setFocus()  # keys are the session's, not those of the first box on the page

    def _describe(self, description: Description) -> None:
        self.state.description = description
        self.session.describe(description)
        self.panels.health.describe(description)
        self.panels.keys.describe(self.state.key_uses)
        what = f"{description.protocol_name}: {description.subject} in {description.task}"
        stream = self.stream
        where = "live"
        if isinstance(stream, LiveStream):
            where = f"session {stream.session}"
        elif isinstance(stream, ReplayStream):
            where = " beside ".join(stream.names)
            started = shown(description.started)
            self.panels.control.show_replayed(f"Replay of {where}   ({what}, {started})")
            self.player.describe(description)
        self.setWindowTitle(f"{what} · {where} · rodent-rig")

    def _stream_failed(self, sentence: str) -> None:
        was_replay = self.stream is not None and self.stream.is_replay
        if was_replay and self.player.go_back(sentence):
            return
        self.session.watch.end()
        self.panels.health.show_lost()
        self.state.set_phase("ended" if self.state.tick >= 0 and not was_replay else "empty")
        if self.state.tick >= 0:
            self.panels.banner.show_sentence("stream", sentence)
        else:
            again = self.state.can_start and not was_replay and self.state.request is not None
            self.panels.welcome.fail(sentence, can_start=again)
        self.session.judge()
        if self.session.close_at_end:
            self.close()

    def _draw(self) -> None:
        self.panels.performance.frame(DRAW_INTERVAL_MS / 1000)
        if self.panels.performance.skips():
            return
        self.panels.timeline.draw()
        self.panels.comparison.draw()
        timeline = self.panels.timeline
        on = timeline.ethogram.stimuli_now()
        self.panels.arena.show_stimuli(on, timeline.blinded)
        self.session.operator.show_on(on)
        if self.state.tick >= 0 and self.state.description is not None:
            self.panels.control.show_time(self.state.tick * self.state.description.tick_s)
            self.panels.health.show_tick(self.state.tick, self._trial)

    # --- menus ----------------------------------------------------------------------------------------

    def set_theme(self, name: str) -> None:
        """Dark or light."""
        self.theme = THEMES[name]
        application = QApplication.instance()
        if isinstance(application, QApplication):
            appearance.apply(application, self.theme)
        self.panels.set_theme(self.theme)
        self.menu_actions.show_theme(self.theme)
        self.state.settings.setValue("theme", name)

    def choose_folder(self) -> None:
        """Asks where new recordings go."""
        recordings.choose_folder(self, self.state.settings)
        if self.panels.welcome.form is not None:
            self.panels.welcome.form.show_folder(recordings.folder(self.state.settings))

    def _show_phase(self, phase: str) -> None:
        """Buttons and panels follow what the window does."""
        replaying = phase == "replay"
        self.panel_layout.show_transport(replaying)
        self.panels.keys.show_live(phase == "live")
        self.panels.end.setVisible(False)
        if phase == "ended" and self.state.tick >= 0:
            can_repeat = self.state.request is not None
            self.panels.end.show_end(
                self._counts.line(), self.session.recorded, can_repeat, self.state.can_start
            )
        form = self.panels.welcome.form
        ready = self.state.can_start and (form is None or form.start.isEnabled())
        words, lit, possible = {
            "empty": ("Acquire", False, ready),
            "starting": ("Starting…", True, False),
            "live": ("Stop", True, True),
            "ending": ("Ending…", True, False),
            "ended": ("Acquire", False, self.state.can_start),
            "replay": ("Acquire", False, False),
        }[phase]
        self.panels.control.show_acquisition(words, lit, possible)
        self.panels.control.show_controls(phase)
        self.panels.health.show_processes(not replaying)
        if phase in ("empty", "ended", "replay"):
            self.panels.control.show_pace("replay" if replaying else "")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter presses the button that has the focus: space, which would, is a key of the session."""
        focused, keys = self.focusWidget(), (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event is not None and event.key() in keys and isinstance(focused, QAbstractButton):
            focused.click()
            return
        super().keyPressEvent(event)

    # --- leaving --------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Asks about a running session first; then remembers the layout and lets go of everything."""
        if event is None:
            return
        if self.state.phase in ("live", "starting") and not self.session.close_at_end:
            choice = ask_about_session(self, self.session.watch.on)
            if choice == CANCEL:
                event.ignore()
                return
            if choice == END and self.state.phase != "ended":
                self.session.close_at_end = True
                self.session.end()
                QTimer.singleShot(END_TIMEOUT_MS, self._give_up_waiting)
                event.ignore()
                return
        elif self.state.phase == "ending" and not self.session.close_at_end:
            self.session.close_at_end = True
            event.ignore()
            return
        if not (self.player.may_close() and self.menu_actions.editor.may_close()):
            self.session.close_at_end = False
            event.ignore()
            return
        self.panel_layout.save(self.state.settings)
        self._draw_timer.stop()
        self._judge_timer.stop()
        if self.stream is not None:
            self.stream.close()
        self.player.end()
        self.panels.close()
        event.accept()

    def _give_up_waiting(self) -> None:
        if self.state.phase == "ending":
            self.state.set_phase("ended")
            self.close()
