"""A layer's trajectory in a plane, coloured by behaviour, picture by picture: for films (the paper's A.7).

The plane is that of the first two principal components, or the one in which activity turns fastest (jPCA),
over the stretch that is shown. Units are z-scored over it. All of the trajectory is there faintly, the last
second of it brightly, with a point where the animal is now.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from analysis.components import fit
from analysis.rotations import COMPONENTS, moments_of, rotation_of, summed
from recorder.reading import Recording
from rig.errors import UserError

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

SIZE = 480
"""Pixels, width and height."""
TRAIL_S = 1.0
_REACH = 0.44
"""Where the 99th percentile lies, from the middle, as a part of the picture."""
_SKY, _MUTED, _INK = (16, 18, 21), (110, 116, 126), (221, 225, 230)
# Okabe and Ito's colours, which people with colour vision deficiencies tell apart
_COLOURS: tuple[Colour, ...] = (
    *((86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66)),
    *((204, 121, 167), (213, 94, 0)),
)
_SHORT = ("first_tap", "second_tap", "tap_left", "tap_right", "approach")
"""Go along with other behaviours, which say more of the movement."""


class TrajectoryPicture:
    """The trajectory of a layer in a recording.

    Args:
        recording: an open recording.
        layer: the layer; "policy_2/jpc" for the plane of rotation instead of the first components.
        first: the first tick of the stretch.
        last: its last tick.

    Raises:
        UserError: there is no such layer or plane, or nothing varies in it.
    """

    def __init__(self, recording: Recording, layer: str, first: int, last: int) -> None:
        name, _, kind = layer.partition("/")
        if kind not in ("", "jpc"):
            raise UserError(f"--trajectory {layer}: write a layer, or a layer with /jpc behind it.")
        tick_s = recording.description.tick_s
        units = recording.activity(name, "h", True, first * tick_s, (last + 1) * tick_s)
        activity = np.asarray(units.values, np.float64)
        if len(activity) < COMPONENTS or not np.ptp(activity, axis=0).any():
            raise UserError(f"--trajectory {layer}: the activity does not vary in this stretch.")
        components = fit(activity, min(COMPONENTS, activity.shape[1]), z_scored=True)
        scores = components.project(activity)
        self.title = f"{name}, first two components"
        plane = scores[:, :2]
        if kind:
            # from one trial to the next, and over lost ticks, activity jumps: that is no turning
            ticks = recording.ticks[recording.rows(first, last)]
            trials = recording.values("trial", first, last)
            breaks = np.flatnonzero((np.diff(ticks) != 1) | (np.diff(trials) != 0)) + 1
            parts = [part for part in np.split(scores, breaks) if len(part) > 2]
            if not parts:
                raise UserError(f"--trajectory {layer}: three ticks of a trial are the least.")
            moments = [moments_of(part, 1 / tick_s) for part in parts]
            rotation = rotation_of(
                summed(moments, range(len(moments))), 1 / tick_s, components.total_variance
            )
            plane = scores @ rotation.planes[0]
            self.title = f"{name}, plane of rotation, {rotation.hz[0]:.1f} Hz"
        self._ticks = recording.ticks[recording.rows(first, last)]
        reach = np.quantile(np.abs(plane), 0.99)
        self._places = np.clip(
            SIZE * (0.5 + _REACH * plane * [1, -1] / max(reach, 1e-12)), 2, SIZE - 3
        ).round()
        self._trail = round(TRAIL_S / tick_s)
        self.legend, self._colours = _coloured(recording, self._ticks)
        self._faint = self._all()

    def _all(self) -> Picture:
        picture = np.tile(np.array(_SKY, np.uint8), (SIZE, SIZE, 1))
        x, y = self._places.T.astype(int)
        picture[y, x] = (0.55 * self._colours).astype(np.uint8)
        return picture

    def draw(self, tick: int) -> Picture:
        """The picture at a tick: (SIZE, SIZE, 3) uint8."""
        from PIL import Image, ImageDraw

        image = Image.fromarray(self._faint)
        pen = ImageDraw.Draw(image)
        now = max(0, int(np.searchsorted(self._ticks, tick, "right")) - 1)
        for k in range(max(1, now - self._trail), now + 1):
            if self._ticks[k] - self._ticks[k - 1] > 1:
                continue  # a hole in the recording
            ends = (*self._places[k - 1], *self._places[k])
            pen.line(ends, fill=_rgb(self._colours[k]), width=2)
        x, y = self._places[now]
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=_rgb(self._colours[now]), outline=_INK)
        pen.text((8, 6), self.title, fill=_INK)
        return np.asarray(image)

    def draw_legend(self, height: int) -> Picture:
        """Which colour is which behaviour: (height, SIZE, 3) uint8."""
        from PIL import Image, ImageDraw

        image = Image.new("RGB", (SIZE, height), _SKY)
        pen = ImageDraw.Draw(image)
        for k, (name, colour) in enumerate(self.legend.items()):
            top = 10 + 18 * k
            pen.ellipse((12, top, 22, top + 10), fill=colour)
            pen.text((30, top - 1), name.replace("_", " "), fill=_INK)
        return np.asarray(image)


def _coloured(
    recording: Recording, ticks: NDArray[np.int64]
) -> tuple[dict[str, Colour], NDArray[np.float64]]:
    """The colours of the most common behaviours, "other" last, and the colour at each tick."""
    tick_s = recording.description.tick_s
    spans = [each for each in recording.intervals("behaviours") if each.name not in _SHORT]
    rows = [
        np.searchsorted(ticks, [round(each.start_s / tick_s), round(each.stop_s / tick_s)])
        for each in spans
    ]
    taken: Counter[str] = Counter()
    for each, (start, stop) in zip(spans, rows, strict=True):
        taken[each.name] += int(stop - start)
    common = [name for name, n in taken.most_common(len(_COLOURS)) if n]
    legend = dict(zip(common, _COLOURS, strict=False)) | {"other": _MUTED}
    colours = np.tile(np.array(_MUTED, np.float64), (len(ticks), 1))
    # the rarer ones over the more common ones, which they often go along with
    order = sorted(range(len(spans)), key=lambda k: -taken[spans[k].name])
    for k in order:
        if spans[k].name in legend:
            colours[rows[k][0] : rows[k][1]] = legend[spans[k].name]
    return legend, colours


def _rgb(colour: NDArray[np.float64]) -> Colour:
    red, green, blue = (int(part) for part in colour)
    return red, green, blue
