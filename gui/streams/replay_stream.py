"""Recordings as a stream: the same messages as those of a live session, at any speed, from anywhere.

Positions are ticks; the position is the newest tick shown. Several recordings go in step: they have one
position, and each shows that tick of its own, or, aligned, the tick that is so much further on in it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal

from gui.seen.activity import WINDOW_TICKS
from gui.streams.replayed import Replayed, told_apart
from gui.streams.stream import BATCH_INTERVAL_S, Batch, Stream
from rig.playback import MAX_SPEED, MIN_SPEED, Playback, Stretch

if TYPE_CHECKING:
    from gui.streams.replay_track import ReplayTrack
    from recorder.first_divergence import Divergence

MOST_RECORDINGS = 4
"""Side by side: more would be too narrow to be read."""


class ReplayStream(Stream):
    """Plays recordings. All methods may be called from the Qt thread at any time and return at once.

    `opened` comes once, with the `Extent` of each; batches say which they are of. `moved(tick)`,
    `playing_changed`, `speed_changed` and `loop_changed` (first and last tick, or None) follow what is done.
    `diverged(number, divergence)` comes when it is known where a recording leaves the first (0);
    `aligned(offsets)` when they are shown by these.
    """

    opened = pyqtSignal(list)
    diverged = pyqtSignal(int, object)
    moved = pyqtSignal(int)
    playing_changed = pyqtSignal(bool)
    speed_changed = pyqtSignal(float)
    loop_changed = pyqtSignal(object)
    aligned = pyqtSignal(tuple)

    is_replay = True

    def __init__(
        self, paths: Sequence[Replayed], speed: float = 1.0, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.paths = tuple(paths)
        self.speed = min(max(speed, MIN_SPEED), MAX_SPEED)
        self.playing = False
        self._change = threading.Condition()
        self._target: int | None = None
        self._steps = 0
        self._loop: list[tuple[int, int] | None] = []  # what was asked for and not done yet
        self._offsets: tuple[int, ...] | None = None
        self._history_ticks = WINDOW_TICKS
        self._again = False  # whether to show the place anew

    @property
    def names(self) -> tuple[str, ...]:
        """What the recordings are called, each unlike the others."""
        return told_apart(self.paths)

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

    def set_history(self, ticks: int) -> None:
        """After a jump, shows so many ticks before it; if there were fewer, shows the place anew."""
        with self._change:
            self._again = self._again or ticks > self._history_ticks
            self._history_ticks = ticks
            self._change.notify()

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Plays these ticks over and over, both included; None: no longer."""
        with self._change:
            self._loop = [loop]
            self._change.notify()

    def align(self, offsets: Sequence[int], tick: int) -> None:
        """Shows each recording so many ticks further on than the first one is, and goes to a tick."""
        with self._change:
            self._offsets = tuple(offsets)
            self._target = tick
            self._steps = 0
            self._change.notify()

    def _wake(self) -> None:
        with self._change:
            self._change.notify()

    def _run(self) -> None:
        # Here, because reading HDF5 is the worker's business and takes a moment to import.
        from gui.streams.replay_track import ReplayTrack
        from recorder.replay import ReplaySource

        self.progress.emit(f"Opening {', '.join(self.names)}…")
        with ExitStack() as opened:
            self._play(
                [
                    ReplayTrack(number, opened.enter_context(ReplaySource(path)))
                    for number, path in enumerate(self.paths)
                ]
            )

    def _play(self, tracks: Sequence[ReplayTrack]) -> None:
        self.opened.emit(
            [
                replace(track.extent, name=name)
                for track, name in zip(tracks, self.names, strict=True)
            ]
        )
        playback = self._playback(tracks)
        self._jump(tracks, playback.position)
        comparisons = _compare(tracks)
        comparing = len(tracks) > 1
        then, loop = time.monotonic(), playback.loop
        while not self._closing.is_set():
            with self._change:
                if not self.playing:
                    if not comparing:
                        self._change.wait_for(lambda: self.playing or self._asked())
                    then = time.monotonic()
                target, steps, loops = self._target, self._steps, self._loop
                self._target, self._steps, self._loop = None, 0, []
                offsets, self._offsets = self._offsets, None
                playing, playback.speed = self.playing, self.speed
                again, self._again = self._again or offsets is not None, False
            if offsets is not None:
                playback = self._align(tracks, playback, offsets)
                if loop is not None:
                    loop = None
                    self.loop_changed.emit(None)
            stretches = self._obey(playback, target, steps, loops)
            if again:
                stretches.append(Stretch(playback.position, playback.position, jumped=True))
            if playing and not playback.playing:
                stretches.append(playback.play())
            elif not playing:
                playback.pause()
            now = time.monotonic()
            stretches += playback.advance(now - then)
            then = now
            self._go(tracks, [stretch for stretch in stretches if stretch is not None])
            if playing and not playback.playing:
                self.set_playing(False)
            if playback.loop != loop:
                loop = playback.loop
                self.loop_changed.emit(loop)
            if comparing:
                number, divergence = next(comparisons, (-1, None))
                comparing = number >= 0
                if divergence is not None:
                    self.diverged.emit(number, divergence)
            with self._change:
                self._change.wait_for(self._asked, BATCH_INTERVAL_S)

    def _playback(self, tracks: Sequence[ReplayTrack]) -> Playback:
        """At the first tick of what the recordings cover together."""
        first = min(track.source.first_tick - track.offset for track in tracks)
        last = max(track.source.last_tick - track.offset for track in tracks)
        return Playback(first, last, self.speed)

    def _align(
        self, tracks: Sequence[ReplayTrack], before: Playback, offsets: Sequence[int]
    ) -> Playback:
        """Moves the recordings against each other; the same position, without a loop."""
        for track, offset in zip(tracks, offsets, strict=True):
            track.offset = offset
        playback = self._playback(tracks)
        playback.position = min(max(before.position, playback.first), playback.last)
        playback.playing = before.playing
        self.aligned.emit(tuple(offsets))
        return playback

    def _asked(self) -> bool:
        """Whether something is to be done besides playing."""
        return (
            self._target is not None
            or self._steps != 0
            or bool(self._loop)
            or self._again
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
                playback.clear_loop()
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

    def _go(self, tracks: Sequence[ReplayTrack], stretches: list[Stretch]) -> None:
        if not stretches:
            return
        position = stretches[-1].last
        if any(stretch.jumped for stretch in stretches):
            self._jump(tracks, position)
        else:
            first = stretches[0].first
            self._send([track.play(first, position) for track in tracks], clear=False)
            self.moved.emit(position)

    def _jump(self, tracks: Sequence[ReplayTrack], tick: int) -> None:
        self._send([track.jump(tick, self._history_ticks) for track in tracks], clear=True)
        self.moved.emit(tick)

    def _send(self, batches: list[Batch], clear: bool) -> None:
        while not self._closing.is_set() and not self._deliver(*batches, clear=clear):
            self._shown.wait(0.1)


def _compare(tracks: Sequence[ReplayTrack]) -> Iterator[tuple[int, Divergence | None]]:
    """A little at a time: which recording is compared with the first, and what was found, if anything."""
    from recorder.first_divergence import find_divergence

    one = tracks[0].source.recording
    for track in tracks[1:]:
        for found in find_divergence(one, track.source.recording):
            yield track.number, found
