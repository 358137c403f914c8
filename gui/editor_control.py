"""The protocol editor in the window: opened, and what its buttons ask of the recording or the session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, QTimer, pyqtSignal
from PyQt6.QtWidgets import QWidget

from gui.editor.protocol_language import CancelledError, DryRun
from gui.look.theme import Theme
from gui.panels import Panels
from gui.session import recordings
from gui.session.session_setup import SessionRequest, SessionStarter
from gui.session_control import SessionControl
from gui.streams.latest_work import LatestWork
from gui.streams.replay_stream import ReplayStream
from gui.window_state import WindowState

if TYPE_CHECKING:
    from gui.editor.protocol_editor import ProtocolEditor

MISSING = (
    "The protocol editor needs QScintilla, which is not installed: `pip install PyQt6-QScintilla`. "
    "Protocols can be edited with any editor; `rodent-rig check` says what is wrong with them."
)
DRY_RUN = "Dry run:"
"""How the bar's words about one that is under way begin."""


class EditorControl(QObject):
    """Opens the editor and does what it asks for.

    Args:
        state: what the window shows.
        panels: the page that sets sessions up, and the timeline, where a dry run is drawn.
        session: is asked to end where another is to follow.
        sessions: knows the language of protocols; None: there is no editor.
        parent: of questions to the user.

    `setup_requested` asks for the page that sets sessions up; `start_requested` carries the session that is
    to follow the one that has ended.
    """

    setup_requested = pyqtSignal()
    start_requested = pyqtSignal(object)
    _progressed = pyqtSignal(float)

    def __init__(
        self,
        state: WindowState,
        panels: Panels,
        session: SessionControl,
        sessions: SessionStarter | None,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._panels = panels
        self._session = session
        self._sessions = sessions
        self._parent = parent
        self._theme: Theme | None = None
        self._following: SessionRequest | None = None
        self._cancelled = False
        self._editor: ProtocolEditor | None = None
        self._runs = LatestWork("dry run", self)
        self._runs.done.connect(self._show_run)
        self._runs.failed.connect(self._run_failed)
        self._progressed.connect(self._show_progress)
        state.phase_changed.connect(self._follow_phase)
        if panels.welcome.form is not None:
            panels.welcome.form.edit_pressed.connect(lambda: self.open())

    @property
    def editor(self) -> ProtocolEditor | None:
        """The editor, where it has been opened."""
        return self._editor

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        if self._editor is not None:
            self._editor.set_theme(theme)

    def open(self, path: Path | None = None) -> None:
        """Opens the editor on a file; None: on the protocol that is run, replayed or set up."""
        editor = self._made()
        if editor is None:
            return
        description = self._state.description
        if path is None and editor.isVisible():
            pass
        elif path is None and description is not None:
            request = self._state.request if self._state.phase != "replay" else None
            own = request.protocol if request is not None else None
            if own is not None:
                editor.open(own)
            elif editor.may_leave():
                name = description.protocol_name.replace("-", "_") or "protocol"
                is_python = not description.protocol_text.lstrip().startswith("protocol") and (
                    "PROTOCOL" in description.protocol_text
                )
                editor.new(description.protocol_text, name + (".py" if is_python else ".yaml"))
        elif path is None:
            form = self._panels.welcome.form
            chosen = form.protocol.currentData() if form is not None else None
            if chosen:
                editor.open(Path(chosen))
        else:
            editor.open(path)
        editor.show()
        editor.raise_()
        editor.activateWindow()
        editor.text.setFocus()

    def may_close(self) -> bool:
        """Whether the window may close: asks about changes that are in no file; then the editor is gone."""
        self._cancelled, self._following = True, None
        if self._editor is not None:
            if self._editor.isVisible() and not self._editor.close():
                return False
            self._editor.end()
        self._runs.close()
        return True

    def _made(self) -> ProtocolEditor | None:
        if self._sessions is None:
            self._panels.banner.show_sentence(
                "editor",
                "This window shows recordings alone; `rodent-rig gui` edits protocols, too.",
                "note",
            )
            return None
        if self._editor is None:
            try:
                from gui.editor.protocol_editor import ProtocolEditor
            except ImportError:
                self._panels.banner.show_sentence("editor", MISSING, "note")
                return None
            assert self._theme is not None
            editor = ProtocolEditor(self._sessions.language, self._theme, self._state.settings)
            editor.saved.connect(self._saved)
            editor.edited.connect(self._edited)
            editor.bar.dry_run_pressed.connect(self.dry_run)
            editor.bar.use_pressed.connect(self.use)
            self._editor = editor
            self._follow_phase(self._state.phase)
        return self._editor

    # --- what its buttons do --------------------------------------------------------------------------

    def dry_run(self) -> None:
        """Asks what the text would have done in the open recording, or in one that is chosen."""
        editor, sessions = self._editor, self._sessions
        if editor is None or sessions is None or editor.checked.mistakes:
            return
        stream = self._state.stream
        if isinstance(stream, ReplayStream):
            recording: Path | tuple[Path, ...] | None = stream.paths[0]
        else:
            recording = recordings.choose_file(editor, self._state.settings)
        if recording is None:
            return
        text, path, language = editor.text.text(), editor.path, sessions.language
        self._cancelled = False
        editor.bar.notice.set_full_text(f"{DRY_RUN} 0 %")

        def on_progress(share: float) -> None:
            if self._cancelled:
                raise CancelledError
            self._progressed.emit(share)

        self._runs.ask(lambda: language.dry_run(text, path, recording, on_progress))

    def use(self) -> None:
        """Saves the text; then chooses it for a new session, or has one with it follow the running one."""
        editor = self._editor
        if editor is None or editor.checked.mistakes:
            return
        if (editor.modified or editor.file.path is None) and not editor.save():
            return
        path = editor.path
        if self._state.phase == "live":
            self._follow_with(path, editor.checked.parameters)
            return
        self.setup_requested.emit()
        form = self._panels.welcome.form
        if self._state.phase == "empty" and form is not None:
            form.choose_protocol(path)

    def _follow_with(self, path: Path, parameters: dict[str, str]) -> None:
        """The running session ends with its trial, and another one follows under this protocol."""
        before, description = self._state.request, self._state.description
        if before is None:
            pace = "max" if description is not None and description.pace == "max" else "realtime"
            animal = description.animal if description is not None else ""
            before = SessionRequest(pace=pace, animal=animal)  # type: ignore[arg-type]
        kept = {name: value for name, value in before.parameters.items() if name in parameters}
        folder = recordings.folder(self._state.settings) if self._session.watch.on else None
        self._following = replace(before, protocol=path, parameters=kept, record_in=folder)
        self._session.end_after_trial()
        if self._editor is not None:
            self._editor.bar.show_running(True, "It follows when the trial has ended.")

    def _follow_phase(self, phase: str) -> None:
        if phase == "ended" and self._following is not None:
            QTimer.singleShot(0, self._start_following)  # all others hear of the end first
        if phase in ("empty", "replay"):
            self._following = None
        if phase in ("empty", "replay", "starting"):
            self._panels.timeline.show_dry_run(())
        if self._editor is not None:
            self._editor.bar.show_running(phase == "live" and self._state.can_start)

    def _start_following(self) -> None:
        request, self._following = self._following, None
        closes = self._session.close_at_end
        if request is not None and self._state.phase == "ended" and not closes:
            self.start_requested.emit(request)

    # --- what comes back ------------------------------------------------------------------------------

    def _saved(self, path: Path) -> None:
        form = self._panels.welcome.form
        if form is not None and form.protocol.currentData() == str(path):
            form.check()

    def _edited(self) -> None:
        """What a text would have done before it was changed says nothing any more."""
        self._cancelled = True
        self._runs.drop()
        self._panels.timeline.show_dry_run(())
        if self._editor is not None:
            if self._editor.report.toPlainText():
                self._editor.show_report("")
            if self._editor.bar.notice.full_text.startswith(DRY_RUN):
                self._editor.bar.notice.set_full_text("")

    def _show_progress(self, share: float) -> None:
        if self._editor is not None and not self._cancelled:
            self._editor.bar.notice.set_full_text(f"{DRY_RUN} {share * 100:.0f} %")

    def _show_run(self, found: DryRun) -> None:
        if self._editor is not None:
            self._editor.bar.notice.set_full_text("")
            self._editor.show_report(found.words)
            if isinstance(self._state.stream, ReplayStream):
                self._panels.timeline.show_dry_run(found.stimuli)

    def _run_failed(self, problem: Exception) -> None:
        if self._editor is not None and not isinstance(problem, CancelledError):
            self._editor.bar.notice.set_full_text("")
            self._editor.show_report(str(problem))
