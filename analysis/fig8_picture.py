"""The picture of figure 8: flow fields of one task, and planes of rotation in all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import Estimate
from analysis.episodes import TITLES
from analysis.layer_dynamics import STATES, AllDynamics
from analysis.look import BAND, INK, MUTED, drawn, lettered, task_look, whiskers
from analysis.rotations import FlowField

Planes: TypeAlias = Mapping[tuple[str, str, str], tuple[list[Estimate], list[Estimate]]]
"""Frequency (Hz) and share of variance of each plane, by state, task and layer."""

OTHER_BAND = "#88ccee"
SHOWN_TASK = "two_tap"
SLOWEST_SHOWN_HZ = 0.05
SHOWN_HZ = (0.1, 0.3, 1.0, 3.0, 10.0)


def picture(
    result: AllDynamics,
    planes: Planes,
    out: Path,
) -> None:
    """Draws flow fields of one task, and the planes of all.

    Args:
        result: the dynamics.
        planes: frequency and variance by state, task and layer.
        out: the file.
    """
    found = result.found
    task = SHOWN_TASK if SHOWN_TASK in found.tasks else found.tasks[0]
    title = (
        f"{found.episodes[0].subject}: flow of activity in {TITLES.get(task, task)} "
        f"(n = {len(found.of(task))} episodes), and rotations in all tasks (n = {len(found.episodes)})"
    )
    with drawn(out, 8.8, title) as figure:
        upper, lower = figure.subfigures(2, 1, height_ratios=(1.15, 1), squeeze=False)[:, 0]
        shown = (found.layers[0], found.layers[-1]) if len(found.layers) > 1 else found.layers
        panels = upper.subplots(len(shown), 3, squeeze=False)
        for row, layer in zip(panels, shown, strict=True):
            one = result.of[task, layer, "h"]
            names = ("PC 1", "PC 2"), ("jPC 1", "jPC 2"), ("jPC 3", "jPC 4")
            for k, (axes, field, name) in enumerate(zip(row, one.fields, names, strict=False)):
                _flow(axes, field, name)
                what = "components" if k == 0 else f"plane {k}, {one.rotation.hz[k - 1]:.2f} Hz"
                axes.set_title(f"{layer} (h), {what}")
        upper.supxlabel("arrows: mean change; grey: how long it is there (logarithmic)", fontsize=7)
        below = lower.subplots(2, 2)
        for k, state in enumerate(STATES):
            _planes(below[0, k], result, planes, state, 0, "frequency (Hz)")
            below[0, k].set_title(
                f"frequency of the planes, {state}; cut at {SLOWEST_SHOWN_HZ:g} Hz"
            )
            below[0, k].set_yscale("log")
            below[0, k].set_ylim(SLOWEST_SHOWN_HZ, 12)
            below[0, k].set_yticks(SHOWN_HZ, [f"{each:g}" for each in SHOWN_HZ])
            below[0, k].minorticks_off()
        _planes(below[1, 0], result, planes, "h", 1, "share of variance")
        below[1, 0].set_title("variance in each plane, h")
        below[1, 0].set_ylim(bottom=0)
        _explained_panel(below[1, 1], result)
        handles = below[0, 1].get_legend_handles_labels()
        lower.legend(*handles, loc="outside lower center", ncols=4)
        lettered([*panels.ravel(), *below.ravel()])


def _flow(axes: Axes, field: FlowField, names: tuple[str, str]) -> None:
    step_x, step_y = field.x[1] - field.x[0], field.y[1] - field.y[0]
    extent = (
        field.x[0] - step_x / 2,
        field.x[-1] + step_x / 2,
        field.y[0] - step_y / 2,
        field.y[-1] + step_y / 2,
    )
    axes.imshow(
        np.log10(1 + field.ticks), origin="lower", extent=extent, aspect="auto", cmap="Greys",
        vmin=0, vmax=6, rasterized=True,
    )  # fmt: skip
    # a few long arrows of bins that are rarely visited would make all others short
    size = np.linalg.norm(field.change, axis=-1, keepdims=True)
    change = field.change * np.minimum(1, np.nanquantile(size, 0.95) / np.maximum(size, 1e-12))
    axes.quiver(
        field.x, field.y, change[..., 0], change[..., 1],
        angles="xy", color="#0072b2", width=0.006, pivot="middle",
    )  # fmt: skip
    axes.set_xlabel(f"{names[0]} (sd of a unit)")
    axes.set_ylabel(names[1])


def _planes(
    axes: Axes,
    result: AllDynamics,
    planes: Planes,
    state: str,
    which: int,
    label: str,
) -> None:
    """Three points a layer and task: the planes, the fastest first."""
    tasks, layers = result.found.tasks, result.found.layers
    for j, task in enumerate(tasks):
        for i, layer in enumerate(layers):
            values = planes[state, task, layer][which]
            x = [
                i + 0.18 * (j - (len(tasks) - 1) / 2) + 0.045 * (k - 1) for k in range(len(values))
            ]
            look = task_look(task)
            whiskers(axes, x, values, TITLES.get(task, task) if i == 0 else None, **look)
            axes.plot(x, [each.value for each in values], color=look["color"], linewidth=0.7)
    axes.set_xticks(range(len(layers)), layers)
    axes.set_ylabel(label)


def _explained_panel(axes: Axes, result: AllDynamics) -> None:
    tasks, layers = result.found.tasks, result.found.layers
    for j, task in enumerate(tasks):
        for i, layer in enumerate(layers):
            one = result.of[task, layer, "h"]
            x = i + 0.18 * (j - (len(tasks) - 1) / 2)
            for null, left, shade in (
                (one.null, x - 0.07, BAND),
                (one.entropy_null, x, OTHER_BAND),
            ):
                low, high = np.quantile(null.shuffled, (0.025, 0.975))
                axes.fill_between([left, left + 0.07], low, high, color=shade, linewidth=0)
            look = task_look(task)
            axes.plot(x, one.rotation.r2, linestyle="none", markersize=4, **look)
            axes.plot(x, one.rotation.r2_any, "_", color=MUTED, markersize=6)
    axes.plot([], [], "o", color=INK, markersize=4, label="rotation")
    axes.plot([], [], "_", color=MUTED, label="any matrix")
    axes.fill_between([], [], [], color=BAND, label="95 % with drawn phases")
    axes.fill_between([], [], [], color=OTHER_BAND, label="95 % of maximum entropy")
    axes.set_ylim(0, 1.3)
    axes.set_xticks(range(len(layers)), layers)
    axes.set_ylabel("share of changes explained")
    axes.set_title("rotation against surrogates, h")
    axes.legend(ncols=2, loc="upper left")
