"""One picture of a session: the animal, what its units did, how it behaved and what was done to it.

The animal is drawn from the recorded posture and the recorded model. Below it, on one time axis: every
unit's activity as z-scores, layer by layer; the ethogram; the stimuli, shams as outlines.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

import recorder
from recorder.opening import RecordingPath
from recorder.reading import Recording
from recorder.tables import Interval
from rig.errors import UserError
from rig.output_file import replacing
from rig.props import show

if TYPE_CHECKING:
    import mujoco

SPAN_S = 20.0
"""Longest stretch of animal time on the time axis."""

FRAME_SIZE = (1180, 400)
"""Pixels of the animal's picture, width and height."""

_INK, _MUTED, _PAPER, _PANEL = "#dde1e6", "#8d96a3", "#15171b", "#101215"
_MARK = "#ffffff"
# Okabe and Ito's colours, which people with colour vision deficiencies tell apart
_COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#0072b2", "#d55e00")
_STIMULUS = "#f0a6ca"


def session_picture(where: RecordingPath, png_path: Path, at_s: float | None = None) -> None:
    """Draws a recording into a PNG, with the animal as it was at `at_s` of animal time.

    Without `at_s`: the middle of the longest behaviour that is not standing. At most `SPAN_S` around
    that moment are shown. Where the animal cannot be drawn (no GL on this machine), the picture says so
    in its place.

    Args:
        where: the recording, as `recorder.open` takes it.
        png_path: the file.
        at_s: s of animal time.

    Raises:
        UserError: for what is no recording, an empty one, or a time outside it.
    """
    # names are text: a $ in one begins no formula
    with recorder.open(where) as recording, rc_context({"text.parse_math": False}):
        if recording.n_ticks == 0:
            raise UserError(f"{recording.path} has no ticks; there is nothing to show.")
        tick = _chosen_tick(recording, at_s)
        figure = Figure(figsize=(12, 10), dpi=110, facecolor=_PAPER)
        FigureCanvasAgg(figure)
        animal, raster, ethogram, stimuli = _axes(figure, recording)
        _draw_animal(animal, recording, tick)
        first, last = _window(recording, tick)
        tick_s = recording.description.tick_s
        _draw_raster(raster, recording, first, last)
        described = recording.description
        _draw_intervals(ethogram, recording.intervals("behaviours"), described.behaviours, _COLOURS)
        _draw_intervals(stimuli, recording.intervals("stimuli"), described.stimuli, (_STIMULUS,))
        for axes in (raster, ethogram, stimuli):
            axes.axvline(tick * tick_s, color=_MARK, linewidth=0.8, alpha=0.7)
        stimuli.set_xlim(first * tick_s, (last + 1) * tick_s)
        stimuli.set_xlabel("animal time (s); outlined stimuli are shams", color=_MUTED)
        with replacing(png_path) as partial:
            figure.savefig(partial, facecolor=_PAPER)


def third_person_frame(
    recording: Recording, tick: int, size: tuple[int, int] = FRAME_SIZE
) -> NDArray[np.uint8]:
    """The animal at a recorded tick, seen from beside and behind: (height, width, 3) uint8, RGB.

    Args:
        recording: an open recording.
        tick: one that was recorded.
        size: width and height in pixels.

    Raises:
        ValueError: the recording has no model for this tick.
        Exception: whatever MuJoCo raises where it cannot compile the model, or there is no GL.
    """
    if sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")
    import mujoco

    trial = recording.trial_of(tick)
    if trial is None:
        raise ValueError("the recording has no model for this tick")
    files = {name: content.tobytes() for name, content in recording.assets.items()}
    model = mujoco.MjModel.from_xml_string(recording.model_xml(trial), files)
    data = mujoco.MjData(model)
    data.qpos[:] = recording.values("qpos", tick, tick)[0]
    mujoco.mj_forward(model, data)
    (props,) = recording.props.at([tick])
    if props is not None:
        show(model, data, recording.model_props(trial), props)
    width, height = size
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    options = mujoco.MjvOption()
    options.geomgroup[1:3] = 0  # collision shapes under the skin
    options.sitegroup[:] = 0
    renderer = mujoco.Renderer(model, height, width)
    try:
        renderer.update_scene(data, _camera(model, data), options)
        picture: NDArray[np.uint8] = renderer.render().copy()
    finally:
        renderer.close()
    return picture


def _camera(model: mujoco.MjModel, data: mujoco.MjData) -> mujoco.MjvCamera:
    import mujoco

    torso = max(1, mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, "walker/torso"))
    ahead = data.xmat[torso].reshape(3, 3)[:, 0]
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.azimuth = float(np.degrees(np.arctan2(ahead[1], ahead[0]))) + 115.0
    camera.elevation, camera.distance = -18.0, 0.5
    camera.lookat[:] = data.xpos[torso]
    return camera


def _chosen_tick(recording: Recording, at_s: float | None) -> int:
    tick_s = recording.description.tick_s
    if at_s is None:
        moving = [each for each in recording.intervals("behaviours") if each.name != "stand"]
        if not moving:
            return int(recording.ticks[recording.n_ticks // 2])
        longest = max(moving, key=lambda each: each.stop_s - each.start_s)
        at_s = (longest.start_s + longest.stop_s) / 2
        at_s = min(max(at_s, recording.first_tick * tick_s), recording.last_tick * tick_s)
    tick = round(at_s / tick_s)
    rows = recording.rows(tick, tick)
    if rows.stop == rows.start:
        raise UserError(
            f"{at_s:.2f} s is outside the recording, which has {recording.first_tick * tick_s:.2f} s "
            f"to {recording.last_tick * tick_s:.2f} s."
        )
    return tick


def _window(recording: Recording, tick: int) -> tuple[int, int]:
    """First and last tick to show: `SPAN_S` around a tick, within the recording."""
    n_ticks = round(SPAN_S / recording.description.tick_s)
    first = min(tick - n_ticks // 2, recording.last_tick + 1 - n_ticks)
    first = max(first, recording.first_tick)
    return first, min(first + n_ticks - 1, recording.last_tick)


def _axes(figure: Figure, recording: Recording) -> list[Axes]:
    described = recording.description
    heights = [
        3.6,
        4.0,
        0.2 * max(1, len(described.behaviours)),
        0.2 * max(1, len(described.stimuli)),
    ]
    grid = figure.add_gridspec(
        4, 1, height_ratios=heights, left=0.09, right=0.985, top=0.955, bottom=0.06, hspace=0.07
    )
    figure.suptitle(
        f"{recording.name}: {described.subject}, {described.task}, "
        f"{described.protocol_name}, seed {described.seed}",
        color=_INK,
        fontsize=12,
        x=0.09,
        horizontalalignment="left",
    )
    raster = figure.add_subplot(grid[1])
    axes = [
        figure.add_subplot(grid[0]),
        raster,
        figure.add_subplot(grid[2], sharex=raster),
        figure.add_subplot(grid[3], sharex=raster),
    ]
    for each in axes:
        each.set_facecolor(_PANEL)
        each.tick_params(colors=_MUTED, labelsize=8, length=2)
        for side in each.spines.values():
            side.set_visible(False)
    for each in axes[1:3]:
        each.tick_params(labelbottom=False)
    return axes


def _draw_animal(axes: Axes, recording: Recording, tick: int) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    try:
        axes.imshow(third_person_frame(recording, tick), aspect="auto")
    except Exception as problem:  # MuJoCo raises many kinds where there is no GL
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        sentence = f"The animal cannot be drawn on this machine: {reason}"
        axes.text(
            *(0.5, 0.5),
            sentence,
            color=_INK,
            wrap=True,
            horizontalalignment="center",
            transform=axes.transAxes,
        )
        return
    axes.text(
        *(0.01, 0.94),
        f"{tick * recording.description.tick_s:.2f} s",
        color=_MARK,
        fontsize=9,
        verticalalignment="top",
        transform=axes.transAxes,
    )


def _draw_raster(axes: Axes, recording: Recording, first: int, last: int) -> None:
    """z-scores over the shown stretch; a unit that does not vary (clamped, lesioned) is 0."""
    activity = recording.values("c_applied", first, last).astype(np.float64)
    spread = activity.std(axis=0)
    scores = (activity - activity.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf)
    tick_s = recording.description.tick_s
    axes.imshow(
        scores.T,
        aspect="auto",
        interpolation="nearest",
        cmap="berlin",
        vmin=-2.5,
        vmax=2.5,
        extent=(first * tick_s, (last + 1) * tick_s, scores.shape[1], 0),
    )
    edges = np.cumsum([0, *(layer.n_units for layer in recording.description.layers)])
    axes.set_yticks((edges[:-1] + edges[1:]) / 2)
    axes.set_yticklabels([layer.name for layer in recording.description.layers])
    for edge in edges[1:-1]:
        axes.axhline(edge, color=_INK, linewidth=0.6)


def _draw_intervals(
    axes: Axes,
    intervals: tuple[Interval, ...],
    names: tuple[str, ...],
    colours: tuple[str, ...],
) -> None:
    axes.set_ylim(max(1, len(names)) - 0.5, -0.5)
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels([name.replace("_", " ") for name in names])
    for k, name in enumerate(names):
        colour = colours[k % len(colours)]
        for sham in (False, True):
            bars = [
                (each.start_s, each.stop_s - each.start_s)
                for each in intervals
                if each.name == name and each.sham is sham
            ]
            look: dict[str, Any] = (
                {"facecolors": "none", "edgecolors": colour} if sham else {"facecolors": colour}
            )
            axes.broken_barh(bars, (k - 0.34, 0.68), linewidth=1.0, **look)
