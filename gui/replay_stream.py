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
from rig.messages import Answer, Episode, Message, Tick
from rig.playback import MAX_SPEED, MIN_SPEED, Playback, Stretch

if TYPE_CHECKING:
    from recorder.replay import ReplaySource

HISTORY_TICKS = 500


class ReplayStream(Stream):
    """Plays a recording. All methods may be called from the Qt thread at any time and return at once.

    `opened(first_tick, n_ticks, events, trial_starts)` comes once, with the events of the whole recording;
    `moved(tick)`, `playing_changed`, `speed_changed` and `loop_changed` (first and last tick, or None)
    follow what is done.
    """

    opened = pyqtSignal(int, int, list, list)
    moved = pyqtSignal(int)
    playing_changed = pyqtSignal(bool)
    speed_changed = pyqtSignal(float)
    loop_changed = pyqtSignal(object)

    is_replay = True

    def __init__(self, path: Path, speed: float = 1.0, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.speed = min(max(speed, MIN_SPEED), MAX_SPEED)
        self.playing = False
        self._change = threading.Condition()
        self._target: int | None = None
        self._steps = 0
        self._loop: list[tuple[int, int] | None] = []  # what was asked for and not done yet

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

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Plays these ticks over and over, both included; None: no longer."""
        with self._change:
            self._loop = [loop]
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
        starts = [trial.first_tick for trial in source.recording.trials]
        events = [event for _, event in source.recording.events]
        self.opened.emit(source.first_tick, source.n_ticks, events, starts)
        self._preamble: list[Message] = [source.description, source.assets]
        self._trial = -1
        playback = Playback(source.first_tick, source.last_tick, self.speed)
        self._jump(source, playback.position)
        then, loop = time.monotonic(), playback.loop
        while not self._closing.is_set():
            with self._change:
                if not self.playing:
                    self._change.wait_for(lambda: self.playing or self._asked())
                    then = time.monotonic()
                target, steps, loops = self._target, self._steps, self._loop
                self._target, self._steps, self._loop = None, 0, []
                playing, playback.speed = self.playing, self.speed
            stretches = self._obey(playback, target, steps, loops)
            if playing and not playback.playing:
                stretches.append(playback.play())
            elif not playing:
                playback.pause()
            now = time.monotonic()
            stretches += playback.advance(now - then)
            then = now
            self._go(source, [stretch for stretch in stretches if stretch is not None])
            if playing and not playback.playing:
                self.set_playing(False)
            if playback.loop != loop:
                loop = playback.loop
                self.loop_changed.emit(loop)
            with self._change:
                self._change.wait_for(self._asked, BATCH_INTERVAL_S)

    def _asked(self) -> bool:
        """Whether something is to be done besides playing."""
        return (
            self._target is not None
            or self._steps != 0
            or bool(self._loop)
            or self._closing.is_set()
        )

    def _obey(
        self,
        playback: Playback,
        target: int | None,
        steps: int,
        loops: list[tuple[int, int] | None],
    ) -> list[Stretch | None]:
        found: list[Stretch | None] = []
        for loop in loops:
            if loop is None:
                playback.repeat_nothing()
                continue
            try:
                found.append(playback.repeat(*loop))
            except ValueError:
                pass  # one tick alone is no loop
        if target is not None:
            found.append(playback.seek(target + steps))
        elif steps:
            found.append(playback.step(steps))
        return found

    def _go(self, source: ReplaySource, stretches: list[Stretch]) -> None:
        if not stretches:
            return
        position = stretches[-1].last
        if any(stretch.jumped for stretch in stretches):
            self._jump(source, position)
        else:
            self._send(source, source.messages(stretches[0].first, position), clear=False)
            self.moved.emit(position)

    def _jump(self, source: ReplaySource, tick: int) -> None:
        begin = max(source.first_tick, tick - HISTORY_TICKS + 1)
        ongoing = Message(Answer(source.going_on(begin)), tick=begin - 1)
        self._send(source, [ongoing, *source.messages(begin, tick)], clear=True)
        self.moved.emit(tick)

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
