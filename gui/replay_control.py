"""A replay in the window, of one recording or of several side by side: what the transport bar and keys do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QMessageBox, QWidget

from gui.annotate_control import AnnotateControl
from gui.look.dialogs import CANCEL, END, ask_about_session, confirm_giving_up
from gui.panels import Panels
from gui.replay.align import Alignment, ask_for_alignment
from gui.replay.branch_dialog import BranchDialog, Branched
from gui.replay.command_dialog import CommandDialog
from gui.replay.export_dialog import ExportDialog, Exported
from gui.seen.markers import Extent, moved, rows_of
from gui.session import recordings
from gui.session.recent import Recent, remember
from gui.session_control import SessionControl
from gui.streams.replay_stream import MOST_RECORDINGS, ReplayStream
from gui.streams.replayed import Replayed
from gui.window_state import WindowState
from rig.bus.message_types import TICK_S, Description

if TYPE_CHECKING:
    from recorder.first_divergence import Divergence


class ReplayControl(QObject):
    """Drives the replay that a window shows; does nothing while it shows none.

    Args:
        state: what the window shows.
        panels: the transport bar, and recordings side by side.
        session: is asked to end before a replay takes its place.
        parent: of questions to the user.

    `replay_requested` carries the recordings to show instead, and the speed.
    """

    replay_requested = pyqtSignal(tuple, float)

    def __init__(
        self, state: WindowState, panels: Panels, session: SessionControl, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._panels = panels
        self._session = session
        self._parent = parent
        self._begin_at: tuple[int, bool] | None = None  # tick, and whether to play
        self._before: tuple[tuple[Replayed, ...], float] | None = None  # what is shown, its speed
        self._begins: tuple[int, bool] | None = None  # the same of what is being opened
        self._behind: tuple[tuple[Replayed, ...], float] | None = None
        self._extents: list[Extent] = []
        self._divergences: dict[int, Divergence] = {}
        self._alignment: Alignment | None = None
        self._said: list[str] = []  # of what was asked for and is not what is shown
        self._later: list[tuple[str, str]] = []  # for the banner, once what follows has emptied it
        self.annotate = AnnotateControl(state, panels, parent)
        self.annotate.tick_chosen.connect(self.seek)
        panels.comparison.closed.connect(self.remove)
        state.phase_changed.connect(self._follow_phase)
        panels.timeline.length_changed.connect(self._lengthen)
        panels.comparison.length_changed.connect(self._lengthen)

    @property
    def stream(self) -> ReplayStream | None:
        """The replay; None where there is none."""
        stream = self._state.stream
        return stream if isinstance(stream, ReplayStream) else None

    @property
    def several(self) -> bool:
        """Whether recordings are shown side by side."""
        return self.stream is not None and len(self.stream.paths) > 1

    def open(self, paths: Sequence[Replayed], speed: float) -> ReplayStream:
        """A replay of these recordings that the transport bar follows, not started yet."""
        self._leave()
        self._begins, self._begin_at = self._begin_at, None
        self._behind, self._before = self._before, None
        recordings_of, self._said = recordings.annotated(paths)
        stream = ReplayStream(recordings_of, speed)
        panels = self._panels
        bar = panels.transport
        stream.opened.connect(self._opened)
        stream.diverged.connect(self._diverged)
        stream.aligned.connect(self._aligned)
        stream.moved.connect(self._moved)
        stream.playing_changed.connect(bar.show_playing)
        stream.speed_changed.connect(bar.show_speed)
        stream.loop_changed.connect(bar.show_loop)
        bar.show_speed(speed)
        shown = panels.comparison if len(paths) > 1 else panels.timeline
        stream.set_history(shown.length_ticks)
        return stream

    def choose(self) -> None:
        """Asks for a recording and shows it; asks what becomes of a running session."""
        file = recordings.choose_file(self._parent, self._state.settings)
        if file is None:
            return
        if self.may_leave():
            self.replay_requested.emit((file,), 1.0)

    def may_leave(self) -> bool:
        """Whether something else may be shown; asks what becomes of a running session."""
        if self._state.phase in ("live", "starting", "ending"):
            choice = ask_about_session(self._parent, self._session.watch.on)
            if choice == CANCEL:
                return False
            if choice == END:
                self._session.leave_to_end()
        return True

    def describe(self, description: Description) -> None:
        """What is shown: it can be annotated, and is put among the recordings that were seen last."""
        stream = self.stream
        if stream is not None and not self.several:
            self.annotate.open(stream.paths[0], self._extents[0], description)
            self._panels.analyse.open(stream.paths[0], self._extents[0], description)
        if stream is not None and not self.several and isinstance(stream.paths[0], Path):
            extent = self._extents[0]
            seen = Recent(
                str(stream.paths[0].resolve()),
                description.subject,
                description.protocol_name,
                (extent.last_tick + 1 - extent.first_tick) * TICK_S,
            )
            remember(self._state.settings, seen)

    def open_beside(self) -> None:
        """Asks for another recording and shows it beside what is shown, at the same tick."""
        stream = self.stream
        if stream is None:
            return
        if len(stream.paths) >= MOST_RECORDINGS:
            self._panels.banner.show_sentence(
                "beside", f"No more than {MOST_RECORDINGS} recordings have room beside each other."
            )
            return
        file = recordings.choose_file(self._parent, self._state.settings)
        if file is not None:
            self._show((*stream.paths, file))

    def remove(self, number: int) -> None:
        """Shows one recording less."""
        if self.stream is not None and self.several:
            paths = self.stream.paths
            self._show((*paths[:number], *paths[number + 1 :]))

    def align(self) -> None:
        """Asks at what the recordings side by side are to be aligned, and aligns them."""
        if not self.several:
            self._panels.banner.show_sentence(
                "align",
                "One recording alone is aligned with nothing: open another one beside it (Ctrl B).",
                "note",
                for_s=8.0,
            )
            return
        ticks = [self._state.tick + each for each in self._offsets]
        chosen = ask_for_alignment(self._parent, self._extents, ticks, self._alignment)
        if chosen is not None and self.stream is not None:
            self._alignment = chosen
            self.stream.align(chosen.offsets, chosen.ticks[0] if chosen.at else self._state.tick)

    def branch(self) -> None:
        """Asks what a branch that leaves the recording here is, and makes it; it is opened beside."""
        stream, description = self.stream, self._state.description
        if stream is None or description is None or not self._extents:
            return
        path = stream.paths[0]
        if not isinstance(path, Path):
            self._panels.banner.show_sentence(
                "branch",
                "A branch leaves one recording, or one part of it: open that part alone.",
                "note",
                for_s=8.0,
            )
            return
        extent = self._extents[0]
        tick = min(max(self._state.tick, extent.first_tick), extent.last_tick)
        recording = Branched(path, extent, description, tick)
        dialog = BranchDialog(recording, self._panels.selection, self._parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.made.connect(lambda made, at: self._show_branch(path, made, at))
        stream.set_playing(False)
        dialog.show()

    def export(self) -> None:
        """Asks what of the recording is to be written as a file of another kind, and writes it."""
        stream = self.stream
        if stream is None or not self._extents:
            return
        if self.several:
            self._panels.banner.show_sentence(
                "export", "One recording is exported at a time: open it alone.", "note", for_s=8.0
            )
            return
        loop = self._panels.transport.marked_loop
        recording = Exported(stream.paths[0], self._extents[0], loop)
        dialog = ExportDialog(recording, self._parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.made.connect(
            lambda path, said: self._panels.banner.show_sentence(
                "export", f"Written: {said or path}.", "note"
            )
        )
        dialog.show()

    def _show_branch(self, path: Path, made: Path, tick: int) -> None:
        """Shows a branch beside its session, where they part; beside others, if there is room."""
        stream = self.stream
        if stream is None or path not in stream.paths or len(stream.paths) >= MOST_RECORDINGS:
            self._panels.banner.show_sentence("branch", f"The branch is made: {made}.", "note")
            return
        self._begin_at, self._before = (tick, False), (stream.paths, stream.speed)
        self.replay_requested.emit((*stream.paths, made), stream.speed)

    def go_back(self, sentence: str) -> bool:
        """One could not be opened beside what was shown: that is shown again, and why. False: nothing was."""
        if self._behind is None:
            return False
        paths, speed = self._behind
        self._begin_at = self._begins
        self._say_later("beside", sentence)
        self.replay_requested.emit(paths, speed)
        return True

    @property
    def extents(self) -> tuple[Extent, ...]:
        """What there is of the recordings that are shown, each on its own ticks."""
        return tuple(self._extents)

    @property
    def _offsets(self) -> tuple[int, ...]:
        if self._alignment is None:
            return (0,) * len(self._extents)
        return self._alignment.offsets

    def _show(self, paths: Sequence[Replayed]) -> None:
        stream = self.stream
        if stream is not None:
            self._begin_at = (max(self._state.tick, 0), stream.playing)
            self._before = stream.paths, stream.speed
            self.replay_requested.emit(tuple(paths), stream.speed)

    def toggle_play(self) -> None:
        """Plays or pauses."""
        if self.stream is not None:
            self.stream.set_playing(not self.stream.playing)

    def step(self, ticks: int) -> None:
        """Pauses, and goes so many ticks on or back."""
        if self.stream is not None:
            self.stream.step(ticks)

    def seek(self, tick: int) -> None:
        """Goes to a tick."""
        if self.stream is not None:
            self.stream.seek(tick)

    def set_speed(self, speed: float) -> None:
        """Changes the speed."""
        if self.stream is not None:
            self.stream.set_speed(speed)

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Plays these ticks over and over; None: no longer."""
        if self.stream is not None:
            self.stream.set_loop(loop)

    def _follow_phase(self, phase: str) -> None:
        if phase != "replay":
            self._leave()

    def may_close(self) -> bool:
        """Whether the window may close: asks where something is being made of a recording."""
        working = [each for each in self._parent.findChildren(CommandDialog) if each.making]
        return not working or confirm_giving_up(self._parent, working[0].windowTitle())

    def end(self) -> None:
        """The window closes: what is being made of a recording is given up, what was annotated is saved."""
        for dialog in self._parent.findChildren(CommandDialog):
            dialog.close()
        self._panels.analyse.clear()
        if lost := self.annotate.end():
            QMessageBox.warning(self._parent, "Annotations are not saved", lost)

    def _leave(self) -> None:
        """What belongs to one recording is over: annotating it, and analysing it."""
        if lost := self.annotate.close():
            self._say_later("annotations lost", lost)
        self._panels.analyse.clear()

    def _say_later(self, key: str, sentence: str) -> None:
        self._later.append((key, sentence))
        QTimer.singleShot(0, self._say_now)

    def _say_now(self) -> None:
        for key, sentence in self._later:
            self._panels.banner.show_sentence(key, sentence)
        self._later.clear()

    def _lengthen(self, ticks: int) -> None:
        """The plots reach further back: what a jump brings has to, too."""
        if self.stream is not None:
            self.stream.set_history(ticks)

    def _opened(self, extents: list[Extent]) -> None:
        if self.sender() is not self.stream:
            return
        self._extents = extents
        self._behind = None
        self._divergences = {}
        self._alignment = None
        self._panels.timeline.rows = rows_of(extents)
        self._panels.timeline.ethogram.recorded_task_events = extents[0].task_events
        assert self.stream is not None
        self._panels.behaviour.show_recording(self.stream.paths[0], extents[0])
        if not self.several:
            self._panels.faults.reset()
            self._panels.faults.show_recorded(extents[0].faults)
            self._panels.timeline.marks.show_recorded(extents[0].notes, extents[0].disarmed)
            self._session.operator.log.show()
        if self._said:
            self._panels.banner.show_sentence(
                "annotations", " ".join(self._said), "note", for_s=12.0
            )
        self._panels.transport.set_recordings(extents, TICK_S)
        if self.several:
            self._panels.comparison.show_recordings(extents)
        assert self.stream is not None
        tick, playing = self._begins or (None, True)
        if tick is not None:
            self.stream.seek(tick)
        self.stream.set_playing(playing)
        self._panels.transport.show_playing(playing)

    def _moved(self, tick: int) -> None:
        if self.sender() is not self.stream:
            return
        self._panels.transport.show_tick(tick)
        self.annotate.show_position()
        if self.several:
            self._panels.comparison.show_position(tick)
            self._state.tick = tick

    def _aligned(self, offsets: tuple[int, ...]) -> None:
        if self.sender() is not self.stream or self._alignment is None:
            return
        extents = [moved(*each) for each in zip(self._extents, offsets, strict=True)]
        self._panels.transport.set_recordings(extents, TICK_S, self._state.tick)
        self._panels.comparison.align(offsets)
        for number, divergence in self._divergences.items():
            self._show_divergence(number, divergence)
        for number, offset in enumerate(offsets):
            words = self._alignment.words(number)
            if number and offset:
                words += ": not the same tick, not compared"
            if offset or (not number and any(offsets)):
                self._panels.comparison.show_divergence(number, words, None)

    def _diverged(self, number: int, divergence: Divergence) -> None:
        if self.sender() is self.stream:
            self._divergences[number] = divergence
            self._show_divergence(number, divergence)

    def _show_divergence(self, number: int, divergence: Divergence) -> None:
        if self._offsets[number] != self._offsets[0]:
            return  # they are not shown by the tick that they were compared by
        first, tick = self._extents[0].name, divergence.tick
        if divergence.first > divergence.last:
            words = f"has no tick in common with {first}"
        elif divergence.from_the_start:
            words = f"another session than {first}: different from the first tick on"
        elif tick is None:
            words = f"the same as {first} to the bit"
        else:
            words = (
                f"parts at tick {tick} ({tick * TICK_S:.2f} s)"  # short: it stands beside a name
            )
        marked = None if divergence.from_the_start else tick
        self._panels.comparison.show_divergence(number, words, marked)
        if marked is not None:
            self._panels.transport.show_divergence(number, marked)
