"""Small pictures of the animal at chosen ticks, made one after the other in a thread of low priority.

Postures come along with what is asked for, or are read from a recording. The arena is compiled when it is
first needed, and given up with the last picture.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QImage

from gui.arena.arena_memory import Scenes
from gui.arena.arena_scene import ModelError, View
from gui.seen.bouts import Posture
from gui.streams.replayed import Replayed
from rig.bus.message_types import Episode
from rig.errors import UserError

if TYPE_CHECKING:
    from recorder.replay import ReplaySource

VIEW = View(azimuth=62.0, elevation=-14.0, distance=0.42, mode="follow")
"""From the side and a little ahead."""
SIZE_PX = (208, 156)
DUTY = 0.3
Assets = dict[str, bytes]


@dataclass(frozen=True)
class Still:
    """A picture that is wanted: its key, the tick, and the posture; None: read it from the recording."""

    key: tuple[str, int, int]
    tick: int
    posture: Posture | None = None


class StillRenderer(QObject):
    """The thread.

    `drawn` carries a key and its `QImage`; `done` comes after the last, or when it was cancelled; `failed`
    carries one sentence.

    Args:
        assets: gives the files that arenas are compiled from; None before there are any.
    """

    drawn = pyqtSignal(tuple, QImage)
    done = pyqtSignal()
    failed = pyqtSignal(str)

    def __init__(self, assets: Callable[[], Assets | None]) -> None:
        super().__init__()
        self._assets = assets
        self._change = threading.Condition()
        self._wanted: list[Still] = []
        self._recording: Replayed | None = None
        self._closing = False
        self._started = False
        self._thread = threading.Thread(target=self._work, name="stills", daemon=True)

    def ask(self, stills: Sequence[Still], recording: Replayed | None) -> None:
        """Makes these pictures, in this order, instead of what was asked for before.

        Args:
            stills: what is wanted.
            recording: what to read the postures from that they do not have.
        """
        with self._change:
            self._wanted, self._recording = list(stills), recording
            if stills and not self._started and not self._closing:
                self._started = True
                self._thread.start()
            self._change.notify()

    @property
    def n_left(self) -> int:
        """How many pictures are still to be made."""
        with self._change:
            return len(self._wanted)

    def cancel(self) -> None:
        """Makes no more of what was asked for."""
        self.ask((), None)

    def close(self) -> None:
        """Ends the thread, and waits for it."""
        with self._change:
            self._closing, self._wanted = True, []
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(3.0)

    def _work(self) -> None:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        while True:
            with self._change:
                while not (self._closing or self._wanted):
                    self._change.wait()
                if self._closing:
                    return
                recording = self._recording
            try:
                with _source_of(recording) as source:
                    self._draw_all(recording, source)
            except UserError as problem:
                self._give_up(str(problem))
            except Exception as problem:  # whatever GL or a file says: the window goes on without
                traceback.print_exc()
                self._give_up(f"No pictures can be made: {type(problem).__name__}: {problem}")
            self.done.emit()

    def _give_up(self, sentence: str) -> None:
        with self._change:
            self._wanted = []
        self.failed.emit(sentence)

    def _draw_all(self, recording: Replayed | None, source: ReplaySource | None) -> None:
        scenes = Scenes()
        try:
            while True:
                with self._change:
                    if not self._wanted or self._recording != recording:
                        return
                    still = self._wanted.pop(0)
                began = time.monotonic()
                posture = still.posture or _read(source, still.tick)
                assets = self._assets()
                if posture is None or assets is None:
                    continue
                episode = posture.episode
                try:
                    scene = scenes.scene(episode.xml, assets, episode.props)
                except ModelError as problem:  # pictures of other trials can still be made
                    self.failed.emit(f"This arena cannot be drawn: {problem}.")
                    continue
                if scene.pose(posture.qpos, posture.props, jump=True):
                    view = View(
                        VIEW.azimuth, VIEW.elevation, VIEW.distance, *SIZE_PX, mode=VIEW.mode
                    )
                    scene.fit(view, 1.0)
                    self.drawn.emit(still.key, scene.draw(view))
                del scene  # not to be kept while another one is compiled
                pause_s = min((time.monotonic() - began) * (1.0 / DUTY - 1.0), 0.5)
                with self._change:
                    self._change.wait(pause_s)
        finally:
            scenes.close()


@contextmanager
def _source_of(recording: Replayed | None) -> Iterator[ReplaySource | None]:
    if recording is None:
        yield None
        return
    from recorder.replay import ReplaySource  # reading HDF5 is this thread's business

    with ReplaySource(recording) as source:
        yield source


def _read(source: ReplaySource | None, tick: int) -> Posture | None:
    """The posture at a tick of a recording, or at the next that it has."""
    if source is None:
        return None
    for message in source.messages(tick, tick + 5, ("qpos", "props")):
        trial = getattr(message.content, "trial", None)
        if message.topic == "tick" and trial is not None:
            episode = source.episode(trial).content
            assert isinstance(episode, Episode)
            arrays = message.arrays
            return Posture(message.tick, arrays["qpos"], arrays.get("props"), episode)
    return None
