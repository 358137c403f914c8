"""A replay in the window: what the transport bar and its keys do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject

from gui.replay_stream import ReplayStream
from rig.messages import TICK_S, Event

if TYPE_CHECKING:
    from gui.main_window import MainWindow


class ReplayControl(QObject):
    """Drives the replay that a window shows; does nothing while it shows none."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window

    @property
    def stream(self) -> ReplayStream | None:
        """The replay; None where there is none."""
        stream = self._window.stream
        return stream if isinstance(stream, ReplayStream) else None

    def open(self, path: Path, speed: float) -> ReplayStream:
        """A replay of a recording that the transport bar follows, not started yet."""
        stream = ReplayStream(path, speed)
        bar = self._window.transport
        stream.opened.connect(self._opened)
        stream.moved.connect(bar.show_tick)
        stream.playing_changed.connect(bar.show_playing)
        stream.speed_changed.connect(bar.show_speed)
        stream.loop_changed.connect(bar.show_loop)
        bar.show_speed(speed)
        return stream

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

    def _opened(
        self, first_tick: int, n_ticks: int, events: list[Event], trial_starts: list[int]
    ) -> None:
        self._window.transport.set_range(first_tick, n_ticks, TICK_S, events, trial_starts)
        if self.stream is not None:
            self.stream.set_playing(True)
