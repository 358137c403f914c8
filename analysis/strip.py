"""A few moments of a recording as one picture: the animal from its side, frame beside frame."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import recorder
from analysis.derived_file import tick_range
from analysis.recorded_scene import Picture, RecordedScene
from recorder.opening import RecordingPath
from recorder.reading import Recording
from recorder.tables import Trial
from rig.errors import UserError
from rig.output_file import check_output, replacing

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, HEIGHT = 300, 200
"""Of a frame, pixels."""
A_ROW = 5
"""So many frames stand beside each other."""
MOST_FRAMES = 50
ELEVATION_DEG, DISTANCE_M, ABOVE_M = -8.0, 0.6, 0.02
"""Of the camera; it looks so far above the middle height of the animal's trunk."""


def export_strip(
    where: RecordingPath,
    out: Path,
    from_s: float | None = None,
    to_s: float | None = None,
    n_frames: int = 10,
    overwrite: bool = False,
) -> list[int]:
    """Writes a PNG or JPEG of frames that are equally far apart in time, and returns their ticks.

    The camera stands at the animal's right side, as it was in the middle of the stretch, and goes along with
    it; each frame has its time since the first.

    Args:
        where: the recording.
        out: the picture, .png or .jpg.
        from_s, to_s: the stretch of animal time, in one trial; all of it if left out.
        n_frames: how many frames, 1 to 50; a single one is the stretch's first.
        overwrite: replace a file that is there.

    Raises:
        UserError: for what is no recording, a stretch outside it or over two trials, too many frames for
            its ticks, or a file that cannot go there.
        RunError: there is no OpenGL here.
    """
    with recorder.open(where) as recording, replacing(out, overwrite) as partial:
        check_output(out, reads=recording.files, overwrite=overwrite)
        first, last = tick_range(recording, from_s, to_s)
        if not 1 <= n_frames <= min(MOST_FRAMES, last - first + 1):
            raise UserError(
                f"--frames {n_frames}: from 1 to {MOST_FRAMES}, and no more than the stretch has "
                f"ticks, {last - first + 1}."
            )
        ticks = [round(first + k * (last - first) / max(n_frames - 1, 1)) for k in range(n_frames)]
        trial = _trial_of(recording, ticks)
        tick_ms = recording.description.tick_s * 1000
        words = [f"{(tick - ticks[0]) * tick_ms:.0f} ms" if n_frames > 1 else "" for tick in ticks]
        picture = _beside_each_other(_frames(recording, trial, ticks), words)
        picture.save(partial, format="PNG" if out.suffix.lower() == ".png" else "JPEG", quality=88)
    return ticks


def _trial_of(recording: Recording, ticks: list[int]) -> Trial:
    first, last = (recording.trial_of(tick) for tick in (ticks[0], ticks[-1]))
    if first is None or last is None or first.trial != last.trial:
        raise UserError(
            f"{recording.path}: a strip is of one trial, and this stretch is not; choose it with --from and "
            "--to (`rodent-rig info` lists the trials)."
        )
    return first


def _frames(recording: Recording, trial: Trial, ticks: list[int]) -> list[Picture]:
    postures = [recording.values("qpos", tick, tick) for tick in ticks]
    if missing := [tick for tick, posture in zip(ticks, postures, strict=True) if not len(posture)]:
        raise UserError(
            f"{recording.path}: tick {missing[0]} was not recorded; choose another stretch "
            "with --from and --to."
        )
    props = recording.props.at(ticks)
    azimuth_deg = math.degrees(_heading_rad(postures[len(ticks) // 2][0])) + 90.0
    scene = RecordedScene(
        recording, trial, (WIDTH, HEIGHT), (azimuth_deg, ELEVATION_DEG, DISTANCE_M)
    )
    height_m = float(np.median([posture[0][2] for posture in postures])) + ABOVE_M
    try:
        return [
            scene.draw(posture[0], props[k], 0.0, height_m) for k, posture in enumerate(postures)
        ]
    finally:
        scene.close()


def _heading_rad(qpos: NDArray[np.float64]) -> float:
    """Where the animal points, seen from above: a quaternion follows the place of its free joint."""
    w, x, y, z = qpos[3:7]
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def _beside_each_other(frames: list[Picture], words: list[str]) -> Image:
    from PIL import Image as images
    from PIL import ImageDraw

    n_rows = -(-len(frames) // A_ROW)
    whole = images.new("RGB", (WIDTH * min(A_ROW, len(frames)), HEIGHT * n_rows))
    pen = ImageDraw.Draw(whole)
    for k, (frame, text) in enumerate(zip(frames, words, strict=True)):
        place = (k % A_ROW * WIDTH, k // A_ROW * HEIGHT)
        whole.paste(images.fromarray(frame), place)
        pen.text(
            (place[0] + 5, place[1] + 4), text, fill="white", stroke_width=1, stroke_fill="black"
        )
    return whole
