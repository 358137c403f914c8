"""The picture of figure 4: the map with its clusters and tasks, what tasks do of it, and what they share."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from analysis.behaviour_map import BehaviourMap
from analysis.cluster_statistics import Estimate
from analysis.episodes import TITLES
from analysis.loaded_episodes import LoadedEpisode, by_task
from analysis.look import INK, drawn, lettered, rows_as_image, task_look
from analysis.movement_sharing import MovementSharing

Array = np.ndarray
_LABEL: Mapping[str, Any] = {
    "fontsize": 5.5,
    "color": INK,
    "bbox": {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.6},
}
SHOWN_POINTS = 400
"""Of each task in a plane of principal components."""


@dataclass(frozen=True)
class Shown:
    """What the picture shows.

    Attributes:
        mapped: the map.
        episodes: that it is of.
        names: of those clusters that have one.
        shares: what part of each cluster has which label of the detectors, (clusters, behaviours).
        behaviours: the labels.
        agree: adjusted mutual information of clusters and labels.
        sharing: what tasks share in movement.
    """

    mapped: BehaviourMap
    episodes: Sequence[LoadedEpisode]
    names: Mapping[int, str]
    shares: Array
    behaviours: Sequence[str]
    agree: Estimate
    sharing: MovementSharing


def picture(shown: Shown, out: Path) -> None:
    """Draws figure 4.

    Args:
        shown: what it shows.
        out: the file.
    """
    mapped, episodes, names = shown.mapped, shown.episodes, shown.names
    with drawn(out, 8.6) as figure:
        strips: Any = figure.subfigures(3, 1, height_ratios=(1.25, 1, 0.85))
        if names:
            clusters, tasks, legend = strips[0].subplots(1, 3, width_ratios=(1, 1, 0.38))
            _list_of_names(legend, names)
        else:
            clusters, tasks = strips[0].subplots(1, 2)
        occupied, confused = strips[1].subplots(1, 2)
        _map_of_clusters(clusters, mapped)
        _map_of_tasks(tasks, mapped, episodes)
        _bars(occupied, mapped, episodes)
        _confusion(confused, shown.shares, shown.behaviours, shown.agree)
        planes = strips[2].subplots(1, 3)
        for axes, (name, parts) in zip(planes, shown.sharing.planes.items(), strict=True):
            _plane(axes, name, parts, episodes, shown.sharing)
        lettered([clusters, tasks, occupied, confused, *planes])


def interval_words(found: Estimate) -> str:
    """ " (low to high)" of what has an interval, else ""."""
    return f" ({found.interval()})" if found.bounded else ""


def _map_of_clusters(axes: Axes, mapped: BehaviourMap) -> None:
    hills = mapped.hills
    low, high = hills.low, hills.low + hills.width
    extent = (low[0], high[0], low[1], high[1])
    axes.imshow(hills.density, extent=extent, origin="lower", cmap="Greys", rasterized=True)
    edges = np.linspace(0, 1, len(hills.labels) + 1)[:-1] + 0.5 / len(hills.labels)
    x, y = (one + hills.width * edges for one in low)
    for cluster in range(len(mapped.centres)):
        axes.contour(x, y, hills.labels == cluster, [0.5], colors="#0072b2", linewidths=0.5)
        middle = np.median(mapped.points[mapped.clusters == cluster], axis=0)
        at = float(middle[0]), float(middle[1])
        axes.text(*at, str(cluster), ha="center", va="center", **_LABEL)
    axes.set_title(f"{len(mapped.centres)} clusters on the density of {len(mapped.points)} moments")
    _bare(axes)


def _list_of_names(axes: Axes, names: Mapping[int, str]) -> None:
    """Beside the map, where they cover nothing: each name with the numbers of its clusters."""
    axes.set_axis_off()
    lines: list[tuple[str, str]] = []
    for name in sorted(set(names.values())):
        numbers = " ".join(str(cluster) for cluster in sorted(names) if names[cluster] == name)
        lines.append((name.replace("_", " "), "bold"))
        lines += [(part, "normal") for part in textwrap.wrap(numbers, 24)]
    apart = min(0.042, 1 / len(lines))
    for k, (text, weight) in enumerate(lines):
        axes.text(
            0, 1 - k * apart, text, va="top", weight=weight, fontsize=5.5, color=INK,
            transform=axes.transAxes,
        )  # fmt: skip


def _map_of_tasks(axes: Axes, mapped: BehaviourMap, episodes: Sequence[LoadedEpisode]) -> None:
    tasks = np.array([each.task for each in episodes])[mapped.episode]
    # none hides the others: in a random order
    order = np.random.default_rng(0).permutation(len(tasks))
    colours = np.array([task_look(task)["color"] for task in tasks])
    x, y = mapped.points[order].T
    axes.scatter(x, y, s=1.2, c=colours[order], linewidths=0, rasterized=True)
    axes.set_title("tasks, in the colours of C")
    low, high = mapped.hills.low, mapped.hills.low + mapped.hills.width
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_aspect("equal")
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.set_xlabel("t-SNE 1 (no unit)")
    axes.set_ylabel("t-SNE 2 (no unit)")
    axes.set_xticks([])
    axes.set_yticks([])


def occupancy(mapped: BehaviourMap, episodes: Sequence[LoadedEpisode]) -> dict[str, Array]:
    """By task the part of its moments in each cluster, (clusters,)."""
    tasks = np.array([each.task for each in episodes])[mapped.episode]
    n = len(mapped.centres)
    inside = mapped.clusters >= 0
    return {
        task: np.bincount(mapped.clusters[inside & (tasks == task)], minlength=n)
        / (tasks == task).sum()
        for task in by_task(episodes)
    }


def _bars(axes: Axes, mapped: BehaviourMap, episodes: Sequence[LoadedEpisode]) -> None:
    below = np.zeros(len(mapped.centres))
    for task, share in occupancy(mapped, episodes).items():
        n = sum(each.task == task for each in episodes)
        axes.bar(
            range(len(share)),
            share,
            bottom=below,
            color=task_look(task)["color"],
            width=0.8,
            label=f"{TITLES.get(task, task)}, n = {n}",
        )
        below += share
    axes.set_xlabel("cluster")
    axes.set_ylabel("part of each task's time")
    axes.set_title("occupancy by task (bars on each other)")
    axes.legend()


def _confusion(axes: Axes, shares: Array, behaviours: Sequence[str], agree: Estimate) -> None:
    n, m = shares.shape
    image = rows_as_image(axes, shares.T, (-0.5, n - 0.5, m - 0.5, -0.5), vmin=0, vmax=1)
    axes.set_yticks(range(m), [each.replace("_", " ") for each in behaviours], fontsize=5.5)
    axes.set_xlabel("cluster")
    axes.set_title(f"detectors in clusters; AMI {agree.value:.2f}{interval_words(agree)}")
    axes.figure.colorbar(image, ax=axes, shrink=0.8).set_label(
        "part of the cluster's time", fontsize=6.5
    )


def _plane(
    axes: Axes,
    name: str,
    parts: Sequence[Array],
    episodes: Sequence[LoadedEpisode],
    sharing: MovementSharing,
) -> None:
    everything = np.concatenate(parts)
    scale = everything.std(0)
    for task in by_task(episodes):
        own = np.concatenate(
            [p for p, each in zip(parts, episodes, strict=True) if each.task == task]
        )
        shown = own[np.linspace(0, len(own) - 1, SHOWN_POINTS).astype(int)] / scale
        look = task_look(task)
        axes.scatter(
            shown[:, 0],
            shown[:, 1],
            s=2,
            color=look["color"],
            marker=look["marker"],
            linewidths=0,
            alpha=0.6,
        )
    # a few spikes of force would make all else a line
    limits = np.quantile(everything / scale, (0.01, 0.99), axis=0)
    axes.set_xlim(*limits[:, 0] + [-0.3, 0.3])
    axes.set_ylim(*limits[:, 1] + [-0.3, 0.3])
    title = "forces" if name == "forces" else f"kinematics, {name}"
    if name in sharing.overlap:
        title += f"; overlap {sharing.overlap[name]:.2f}"
    axes.set_title(title)
    axes.set_xlabel("component 1 (s.d.)")
    axes.set_ylabel("component 2 (s.d.)")
