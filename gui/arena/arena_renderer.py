"""Draws the arena from streamed state, in a thread of its own, without ever being in anybody's way.

The model of an episode comes as text with its meshes and textures, the animal's posture as `qpos`; MuJoCo
turns them into a picture offscreen (EGL). The thread runs at low priority, draws only the newest posture,
at most `MAX_RATE_HZ` times a second and for at most a part of the time, and draws smaller where the
machine is slow: the same machine runs the animal.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QImage

from gui.arena.arena_marks import Marks
from gui.arena.arena_memory import Scenes
from gui.arena.arena_scene import ModelError, View

NICENESS = 12
"""Of the thread, once there is a picture: the animal goes first."""
MAX_RATE_HZ = 15.0
MAX_DUTY = 0.34 if (os.cpu_count() or 1) <= 4 else 0.6
SLOW_FRAME_S = 0.045
FAST_FRAME_S = 0.03
SCALES = (1.0, 0.75, 0.55, 0.4)


class ArenaRenderer(QObject):
    """The thread. `rendered` carries a `QImage`, how many episodes had been set, and what is to be written
    over it (`gui.arena.arena_drawing.words_in`); `not_drawn` one sentence about an episode that cannot be
    drawn, and how many had been set; `unavailable` one sentence, after which it has ended.

    Args:
        share: of the time that it may take, where there are several.
    """

    rendered = pyqtSignal(QImage, int, tuple)
    not_drawn = pyqtSignal(str, int)
    unavailable = pyqtSignal(str)

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self._duty = MAX_DUTY * share
        self._change = threading.Condition()
        self._assets: dict[str, bytes] | None = None
        self._xml: str | None = None
        self._qpos: NDArray[np.float64] | None = None
        self._prop_names: tuple[str, ...] = ()
        self._props: NDArray[np.float64] | None = None
        self._marks: Marks | None = None
        self._view = View()
        self._wanted = False
        self._dirty = False
        self.n_episodes = 0
        self._jump = True
        self._closing = False
        self._shown = threading.Event()
        self._shown.set()
        self.frame_s = 0.0
        self.scale = SCALES[0]
        self._thread = threading.Thread(target=self._work, name="arena renderer", daemon=True)

    def start(self) -> None:
        """Begins to wait for something to draw."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread and waits for it."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._shown.set()
        if self._thread.is_alive():
            self._thread.join(3.0)

    @property
    def assets(self) -> dict[str, bytes] | None:
        """The files that the models of this session are compiled from, once they have come."""
        return self._assets

    def set_assets(self, arrays: Mapping[str, NDArray[np.uint8]]) -> None:
        """The files that the models of this session are compiled from."""
        self._set(_assets={name: bytes(array) for name, array in arrays.items()})

    def set_episode(self, xml: str, props: tuple[str, ...] = ()) -> None:
        """The model of the present episode, and which of its geoms are props."""
        self._set(
            _xml=xml,
            _prop_names=props,
            _props=None,
            _qpos=None,
            _jump=True,
            n_episodes=self.n_episodes + 1,
        )

    def set_posture(
        self,
        qpos: NDArray[np.float64],
        props: NDArray[np.float64] | None = None,
        marks: Marks | None = None,
    ) -> None:
        """The newest state; one that was not drawn yet is forgotten.

        Args:
            qpos: the animal's.
            props: where its props are; None (an arena, or a recording, that has none): as in the model.
            marks: what is drawn beside the animal.
        """
        self._set(_qpos=qpos, _props=props, _marks=marks)

    def set_marks(self, marks: Marks) -> None:
        """Other marks with the same posture."""
        self._set(_marks=marks)

    def set_view(self, view: View) -> None:
        """Where to look from, how large."""
        self._set(_view=view)

    def set_wanted(self, wanted: bool) -> None:
        """Whether anybody can see the picture; nothing is drawn otherwise."""
        self._set(_wanted=wanted)

    def set_share(self, share: float) -> None:
        """Takes only this share of the time that it may take, from the next picture on."""
        self._duty = MAX_DUTY * share

    def picture_shown(self) -> None:
        """To be called when a picture has been taken over: only then the next one is drawn."""
        self._shown.set()

    def _set(self, **values: Any) -> None:
        with self._change:
            for name, value in values.items():
                setattr(self, name, value)
            self._dirty = True
            self._change.notify()

    def _work(self) -> None:
        waited_for = True  # the first picture, by who has just opened the window
        scenes = Scenes()
        not_drawn: tuple[int, object] = (-1, None)
        """Which episode cannot be, with which files: it is not compiled again for each posture."""
        try:
            while self._wait():
                self._shown.clear()
                started = time.monotonic()
                with self._change:
                    assets, xml, qpos = self._assets, self._xml, self._qpos
                    jump, self._dirty = self._jump, False
                    n_episodes = self.n_episodes
                    names, props, marks = self._prop_names, self._props, self._marks
                known = n_episodes == not_drawn[0] and assets is not_drawn[1]
                if assets is None or xml is None or qpos is None or known:
                    self._shown.set()
                    continue
                self._jump = False
                try:
                    scene = scenes.scene(xml, assets, names)
                except ModelError as problem:
                    not_drawn = n_episodes, assets
                    self.not_drawn.emit(f"This arena cannot be drawn: {problem}.", n_episodes)
                    self._shown.set()
                    continue
                if not scene.pose(qpos, props, jump):
                    del scene
                    self._shown.set()
                    continue
                with self._change:  # compiling takes a while, and the view may be another by now
                    view = self._view
                # The thread's own time: how busy the machine is with other things must not blur the picture.
                scene.fit(view, self.scale)
                drawing = time.thread_time()
                image = scene.draw(view, marks)
                self._adapt(time.thread_time() - drawing)
                self.rendered.emit(image, n_episodes, scene.words)
                if waited_for and hasattr(os, "setpriority"):
                    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
                waited_for = False
                del scene, image  # not to be kept while the next one is compiled
                busy = time.monotonic() - started
                pause = max(1.0 / MAX_RATE_HZ - busy, busy * (1.0 / self._duty - 1.0))
                with self._change:  # who closes it waits for no pause
                    self._change.wait_for(lambda: self._closing, min(pause, 1.0))
        except Exception as problem:  # whatever GL says: the rest of the window goes on without it
            self.unavailable.emit(
                "The arena cannot be drawn here, because OpenGL (EGL) is not available: "
                f"{type(problem).__name__}: {problem}. `rodent-rig doctor` says what to install; "
                "everything else in this window works without it."
            )
        finally:
            scenes.close()

    def _wait(self) -> bool:
        """Waits until there is something to draw and somebody to see it; False when it is all over."""
        self._shown.wait()
        with self._change:
            self._change.wait_for(lambda: self._closing or (self._wanted and self._dirty))
            return not self._closing

    def _adapt(self, frame_s: float) -> None:
        """Chooses the resolution by what pictures cost here, slowly."""
        self.frame_s += (frame_s - self.frame_s) * (0.15 if self.frame_s else 1.0)
        level = SCALES.index(self.scale)
        if self.frame_s > SLOW_FRAME_S and level + 1 < len(SCALES):
            self._rescale(SCALES[level + 1])
        elif level > 0 and self.frame_s * (SCALES[level - 1] / self.scale) ** 2 < FAST_FRAME_S:
            self._rescale(SCALES[level - 1])

    def _rescale(self, scale: float) -> None:
        self.frame_s *= (scale / self.scale) ** 2
        self.scale = scale
