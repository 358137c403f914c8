"""A recording as a film: the animal from a camera that follows it, and below it what its units did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import recorder
from analysis.derived_file import tick_range
from analysis.recorded_scene import Picture, RecordedScene
from analysis.trajectory_picture import SIZE, TrajectoryPicture
from recorder.opening import RecordingPath
from recorder.reading import Recording
from recorder.tables import Trial
from rig.errors import UserError, ending_with
from rig.output_file import check_output, replacing

FRAMES_PER_S = 25
WIDTH, ANIMAL_HEIGHT, RASTER_HEIGHT, ROW_HEIGHT = 720, 480, 256, 8
WINDOW_TICKS = 500
"""The raster shows the last ten seconds."""
BLOCK_TICKS = 2000

_Z_RANGE = 2.0
_SKY = np.array([16, 18, 21], np.uint8)
# Okabe and Ito's colours, which people with colour vision deficiencies tell apart
_COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#0072b2", "#d55e00")
_STIMULUS, _SHAM = "#f0a6ca", "#6b4a5a"


def export_video(
    where: RecordingPath,
    out: Path,
    from_s: float | None = None,
    to_s: float | None = None,
    speed: float = 1.0,
    overwrite: bool = False,
    on_frame: Callable[[int, int], None] = lambda done, of: None,
    trajectory: str = "",
) -> int:
    """Writes an MP4 (H.264) and returns its number of frames.

    Above the animal, below it the activity of all units as z-scores over the stretch, layer by layer, and
    under that a row for each behaviour and stimulus; shams are dark. Ticks in which the film has no
    picture, because it runs faster than 25 a second, are left out of the animal, not of the raster.

    With `trajectory` a layer's activity is beside the animal, as a point that moves in a plane
    (`analysis.trajectory_picture`), coloured by behaviour.

    Args:
        from_s, to_s: the stretch of animal time; all of it if left out.
        speed: times real time, 0.1 to 20.
        on_frame: called with the frames done, and those there will be.
        trajectory: a layer, "policy_2", or its plane of rotation, "policy_2/jpc"; none if empty.

    Raises:
        UserError: for what is no recording, a stretch outside it, a speed out of range, or a file that
            cannot go there.
        RunError: there is no OpenGL here, or the film could not be written.
    """
    if not 0.1 <= speed <= 20:
        raise UserError(f"--speed {speed:g}: a film runs at 0.1 to 20 times real time.")
    import imageio_ffmpeg

    with recorder.open(where) as recording, replacing(out, overwrite) as partial:
        check_output(out, reads=recording.files, overwrite=overwrite)
        first, last = tick_range(recording, from_s, to_s)
        step = speed / FRAMES_PER_S / recording.description.tick_s
        shown = [first + int(k * step) for k in range(int((last - first) / step) + 1)]
        below = _Below(recording, first, last)
        beside = TrajectoryPicture(recording, trajectory, first, last) if trajectory else None
        width = WIDTH + (SIZE if beside else 0)
        height = ANIMAL_HEIGHT + below.height
        empty = np.zeros((height + height % 2, width, 3), np.uint8)
        if beside:
            empty[ANIMAL_HEIGHT:height, WIDTH:] = beside.draw_legend(below.height)
        writer = imageio_ffmpeg.write_frames(
            str(partial),
            (width, height + height % 2),
            fps=FRAMES_PER_S,
            codec="libx264",
            quality=7,
            macro_block_size=2,
            ffmpeg_log_level="error",
        )
        with ending_with(writer.close):
            writer.send(None)
            for k, (tick, animal) in enumerate(_animals(recording, shown)):
                picture = empty.copy()
                picture[:ANIMAL_HEIGHT, :WIDTH] = animal
                picture[ANIMAL_HEIGHT:height, :WIDTH] = below.draw(tick)
                if beside:
                    picture[:ANIMAL_HEIGHT, WIDTH:] = beside.draw(tick)
                writer.send(np.ascontiguousarray(picture))
                on_frame(k + 1, len(shown))
    return len(shown)


# --- the animal -------------------------------------------------------------------------------------


def _animals(recording: Recording, ticks: list[int]) -> Iterator[tuple[int, Picture]]:
    """The animal at each of these ticks; at one that is not there, as at the one before."""
    scene: RecordedScene | None = None
    trial: Trial | None = None
    picture: Picture = np.tile(_SKY, (ANIMAL_HEIGHT, WIDTH, 1))
    props = recording.props.at(ticks)
    try:
        for k, tick in enumerate(ticks):
            now = recording.trial_of(tick)
            qpos = recording.values("qpos", tick, tick)
            if now is not None and len(qpos):
                if scene is None or trial is None or now.trial != trial.trial:
                    if scene is not None:
                        scene.close()
                    scene, trial = RecordedScene(recording, now, (WIDTH, ANIMAL_HEIGHT)), now
                picture = scene.draw(qpos[0], props[k], tick * recording.description.tick_s)
            yield tick, picture
    finally:
        if scene is not None:
            scene.close()


# --- what is below it -------------------------------------------------------------------------------


class _Below:
    """Raster, rows of behaviours and stimuli, and the time: drawn once, then shown through a window."""

    def __init__(self, recording: Recording, first: int, last: int) -> None:
        from matplotlib import colormaps

        described = recording.description
        self._tick_s = described.tick_s
        self._origin = first - WINDOW_TICKS + 1
        self._names = (*described.behaviours, *described.stimuli)
        self.height = RASTER_HEIGHT + ROW_HEIGHT * len(self._names) + 14
        n_columns = last - self._origin + 1
        self._strip = np.tile(_SKY, (self.height - 14, n_columns, 1))
        mean, spread = _mean_and_spread(recording, first, last)
        for part, activity in _blocks(recording, self._origin, last):
            scores = _fewer_rows(((activity - mean) / spread).T, RASTER_HEIGHT)
            levels = np.clip(scores / (2 * _Z_RANGE) + 0.5, 0.0, 1.0)
            colours = colormaps["berlin"](levels)[..., :3] * 255
            self._strip[:RASTER_HEIGHT, part - self._origin] = colours.astype(np.uint8)
        for kind in ("behaviours", "stimuli"):
            for each in recording.intervals(kind):
                self._draw_interval(each.name, kind, each.start_s, each.stop_s, each.sham)

    def _draw_interval(
        self, name: str, kind: str, start_s: float, stop_s: float, sham: bool
    ) -> None:
        if name not in self._names:
            return
        row = self._names.index(name)
        colour = _COLOURS[row % len(_COLOURS)]
        if kind == "stimuli":
            colour = _SHAM if sham else _STIMULUS
        begin, end = (round(time_s / self._tick_s) - self._origin for time_s in (start_s, stop_s))
        top = RASTER_HEIGHT + row * ROW_HEIGHT + 1
        rgb = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        self._strip[top : top + ROW_HEIGHT - 1, max(begin, 0) : max(end, 0)] = rgb

    def draw(self, tick: int) -> Picture:
        """The ten seconds up to this tick."""
        from PIL import Image, ImageDraw

        end = tick - self._origin + 1
        window = self._strip[:, end - WINDOW_TICKS : end]
        columns = np.arange(WIDTH) * WINDOW_TICKS // WIDTH
        whole = np.tile(_SKY, (self.height, WIDTH, 1))
        whole[: len(window)] = window[:, columns]
        image = Image.fromarray(whole)
        pen = ImageDraw.Draw(image)
        behaving = [
            name.replace("_", " ")
            for row, name in enumerate(self._names)
            if (window[RASTER_HEIGHT + row * ROW_HEIGHT + 2, -1] != _SKY).any()
        ]
        words = f"{tick * self._tick_s:7.2f} s   {', '.join(behaving)}"
        pen.text((6, self.height - 13), words, fill=(221, 225, 230))
        return np.asarray(image)


def _blocks(
    recording: Recording, first: int, last: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Ticks and c of all units, (ticks, units), a part at a time: an hour at once would be too much."""
    ticks = recording.ticks[recording.rows(first, last)]
    for start in range(0, len(ticks), BLOCK_TICKS):
        part = ticks[start : start + BLOCK_TICKS]
        activity = recording.values("c_applied", int(part[0]), int(part[-1]))
        yield part, activity.astype(np.float64)


def _mean_and_spread(
    recording: Recording, first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of every unit's c over a stretch; infinite of one that does not vary."""
    # measured from the first tick: far from 0 squares would be rounded
    origin = recording.values("c_applied", first, first)[0].astype(np.float64)
    n, total, squares = 0, np.zeros_like(origin), np.zeros_like(origin)
    for _, activity in _blocks(recording, first, last):
        apart = activity - origin
        n += len(apart)
        total += apart.sum(axis=0)
        squares += (apart**2).sum(axis=0)
    spread = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0.0))
    return origin + total / n, np.where(spread > 1e-9, spread, np.inf)


def _fewer_rows(values: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Each row the mean of those that fall into it; rows are repeated where there are fewer."""
    edges = np.linspace(0, len(values), n_rows + 1)
    starts = edges[:-1].astype(int)
    stops = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
    return np.stack([values[a:b].mean(axis=0) for a, b in zip(starts, stops, strict=True)])
