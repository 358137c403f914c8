"""A recording as a stream: the same messages as those of a live session, at any speed, from anywhere.

Positions are ticks; the position is the newest tick shown. After a jump the ten seconds before it are
sent first, so that the displays look as they did when it was live.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal

from gui.stream import BATCH_INTERVAL_S, Batch, Stream
from rig.messages import TICK_S, Answer, Episode, Event, Message, Tick

if TYPE_CHECKING:
    from recorder.replay import ReplaySource

HISTORY_TICKS = 500
MIN_SPEED, MAX_SPEED = 0.1, 20.0


class ReplayStream(Stream):
    """Plays a recording. All methods may be called from the Qt thread at any time and return at once.

    `opened(first_tick, n_ticks, events)` comes once, with the events of the whole recording; `moved(tick)`,
    `playing_changed` and `speed_changed` follow what is done.
    """

    opened = pyqtSignal(int, int, list)
    moved = pyqtSignal(int)
    playing_changed = pyqtSignal(bool)
    speed_changed = pyqtSignal(float)

    is_replay = True

    def __init__(self, path: Path, speed: float = 1.0, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.speed = min(max(speed, MIN_SPEED), MAX_SPEED)
        self.playing = False
        self._change = threading.Condition()
        self._target: int | None = None
        self._steps = 0

    def set_playing(self, playing: bool) -> None:
        """Plays or pauses; playing from the last tick starts over."""
        with self._change:
            changed = playing != self.playing
            self.playing = playing
            self._change.notify()
        if changed:
            self.playing_changed.emit(playing)

    def set_speed(self, speed: float) -> None:
        """0.1 to 20 times real time; values beyond are brought back to that."""
        with self._change:
            self.speed = min(max(speed, MIN_SPEED), MAX_SPEED)
            self._change.notify()
        self.speed_changed.emit(self.speed)

    def step(self, ticks: int) -> None:
        """Pauses, and goes so many ticks on or back."""
        self.set_playing(False)
        with self._change:
            self._steps += ticks
            self._change.notify()

    def seek(self, tick: int) -> None:
        """Goes to a tick; the nearest one if the recording does not have it."""
        with self._change:
            self._target = tick
            self._steps = 0
            self._change.notify()

    def _wake(self) -> None:
        with self._change:
            self._change.notify()

    def _run(self) -> None:
        # Here, because reading HDF5 is the worker's business and takes a moment to import.
        from recorder.replay import ReplaySource

        self.progress.emit(f"Opening {self.path.name}…")
        with ReplaySource(self.path) as source:
            self._play(source)

    def _play(self, source: ReplaySource) -> None:
        first, last = source.first_tick, source.first_tick + source.n_ticks - 1
        self._events = source.recording.events
        self.opened.emit(first, source.n_ticks, [event for _, event in self._events])
        self._preamble: list[Message] = [source.description, source.assets]
        self._trial = -1
        position = self._jump(source, first)
        exact, then = float(position), time.monotonic()
        while not self._closing.is_set():
            with self._change:
                if not self.playing and self._target is None and not self._steps:
                    self._change.wait_for(
                        lambda: (
                            self.playing
                            or self._target is not None
                            or self._steps != 0
                            or self._closing.is_set()
                        )
                    )
                    then = time.monotonic()
                target, steps = self._target, self._steps
                self._target, self._steps = None, 0
                playing, speed = self.playing, self.speed
            now = time.monotonic()
            if target is not None or steps:
                wanted = (position if target is None else target) + steps
                wanted = min(max(wanted, first), last)
                position = self._go(source, position, wanted)
                exact, then = float(position), now
            elif playing:
                if position >= last:
                    if exact >= last + 1:
                        self.set_playing(False)
                        exact = float(last)
                        continue
                    if exact == last:
                        position = self._jump(source, first)
                        exact, then = float(position), time.monotonic()
                        continue
                # A late batch does not make the replay leap: at most a quarter of a second at a time.
                exact += min(now - then, 0.25) * speed / TICK_S
                then = now
                if int(exact) > position:
                    position = self._go(source, position, min(int(exact), last))
                    if position == last:
                        exact = last + 1.0
            self._closing.wait(BATCH_INTERVAL_S)

    def _go(self, source: ReplaySource, position: int, wanted: int) -> int:
        if wanted == position:
            return position
        if position < wanted <= position + HISTORY_TICKS:
            self._send(source, source.messages(position + 1, wanted), clear=False)
            self.moved.emit(wanted)
            return wanted
        return self._jump(source, wanted)

    def _jump(self, source: ReplaySource, tick: int) -> int:
        begin = max(source.first_tick, tick - HISTORY_TICKS + 1)
        ongoing = Message(Answer(self._ongoing(begin)), tick=begin - 1)
        self._send(source, [ongoing, *source.messages(begin, tick)], clear=True)
        self.moved.emit(tick)
        return tick

    def _send(self, source: ReplaySource, messages: list[Message], clear: bool) -> None:
        batch = Batch()
        batch.add(self._preamble)
        batch.add(messages)
        for episode in batch.episodes:
            assert isinstance(episode.content, Episode)
            self._trial = episode.content.trial
        if batch.ticks:
            newest = batch.ticks[-1].content
            assert isinstance(newest, Tick)
            if newest.trial != self._trial:
                batch.add([source.episode(newest.trial)])
                self._trial = newest.trial
        while not self._closing.is_set() and not self._hand(batch, clear):
            self._shown.wait(0.1)
        self._preamble = []

    def _ongoing(self, tick: int) -> tuple[Event, ...]:
        """The onsets before this tick whose offset had not come yet."""
        going: dict[tuple[str, str, int], Event] = {}
        for found, event in self._events:
            if found >= tick:
                break
            key = (event.kind, event.name, event.number)
            if event.phase == "onset":
                going[key] = event
            else:
                going.pop(key, None)
        return tuple(going.values())
