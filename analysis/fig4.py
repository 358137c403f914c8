"""Figure 4 of the paper: a map of behaviour, what each task does of it, and what tasks share in movement."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from analysis.behaviour_map import (
    NAMES_HEADER,
    PERPLEXITY,
    BehaviourMap,
    agreement,
    behaviour_map,
    confusion,
    detector_labels,
    names_of,
    read_names,
)
from analysis.cluster_statistics import Estimate
from analysis.episodes import TITLES, read_episodes
from analysis.figure_numbers import Number, number, write_numbers
from analysis.figure_result import FigureResult
from analysis.loaded_episodes import LoadedEpisode, by_task, load_episodes, sets_of
from analysis.look import INK, drawn, lettered, rows_as_image, task_look
from analysis.movement_sharing import MovementSharing, movement_sharing
from analysis.over_seeds import intervals_around, pseudo_values
from analysis.resampling import Null, null_of
from rig.errors import UserError
from rig.output_file import replacing

SHUFFLES = 50
CLIP_S = 1.6
"""Of each cluster's clip, around its middle."""
CLIP_SPEED = 0.5
SHOWN_POINTS = 400
"""Of each task in a plane of principal components."""
Array = np.ndarray


def files_of(out: Path) -> tuple[Path, ...]:
    """What `draw` writes: the picture, its numbers, and the clusters with their moments."""
    return out, out.with_suffix(".csv"), clusters_file(out)


def clusters_file(out: Path) -> Path:
    """The list of clusters that belongs to a picture."""
    return out.with_name(f"{out.stem}-clusters.csv")


def names_file(out: Path) -> Path:
    """The names of clusters that belong to a picture: made with the first drawing, then only read."""
    return out.with_name(f"{out.stem}-names.csv")


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draw the figure into `out`, with its numbers and its clusters as CSV beside it.

    Args:
        files: undisturbed recordings of one subject, such as `rodent-rig dataset` makes.
        out: the picture, .png, .pdf or .svg. `NAME-names.csv` is made if it is not there: a moment of each
            cluster, to which a person can give a name; the next drawing shows it.

    Raises:
        UserError: the recordings are of several subjects, or too short for a map.
    """
    given = read_names(names_file(out))
    found = read_episodes(files)
    episodes = load_episodes(found.episodes)
    sets = sets_of(episodes)
    mapped = behaviour_map(sets["behaviour"])
    sharing = movement_sharing(episodes, sets)
    labels = _labels(episodes, mapped)
    names = names_of(mapped, episodes, given)
    shares, behaviours = confusion(mapped.clusters, labels)
    agree, null = _agreement(episodes, mapped, labels)
    with drawn(out, 8.6) as figure:
        strips: Any = figure.subfigures(3, 1, height_ratios=(1.25, 1, 0.85))
        clusters, tasks = strips[0].subplots(1, 2)
        occupied, confused = strips[1].subplots(1, 2)
        _map_of_clusters(clusters, mapped, names)
        _map_of_tasks(tasks, mapped, episodes)
        _occupancy(occupied, mapped, episodes, names)
        _confusion(confused, shares, behaviours, agree)
        planes = strips[2].subplots(1, 3)
        for axes, (name, parts) in zip(planes, sharing.planes.items(), strict=True):
            _plane(axes, name, parts, episodes, sharing)
        lettered([clusters, tasks, occupied, confused, *planes])
    write_numbers(out.with_suffix(".csv"), _numbers(mapped, episodes, sharing, agree, null))
    _write_clusters(clusters_file(out), mapped, episodes, shares, behaviours, names)
    if not names_file(out).exists():
        _write_names(names_file(out), mapped, episodes)
    n = len(mapped.centres)
    between = float((mapped.clusters < 0).mean())
    notes = (
        *found.notes(),
        f"{len(mapped.points)} moments, evenly over all episodes; t-SNE of 60 features (Barnes-Hut, "
        f"perplexity {PERPLEXITY:g}, seed 0); {n} clusters by watershed, {between:.0%} of the "
        "moments in none.",
        f"Clusters and on-line detectors: adjusted mutual information {agree.value:.2f}"
        f"{_interval(agree)}; of labels that were shifted within episodes {null.level:.2f} (95th "
        f"percentile), p = {null.p:.3f}.",
        f"Clusters can be named in {names_file(out).name}, beside the picture; {len(names)} have a name.",
    )
    return FigureResult(files_of(out), sharing.claims, notes)


def clips(
    recordings: Sequence[Path],
    out: Path,
    on_clip: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Path, ...]:
    """Render a clip of the middle of every cluster of a map that was drawn, into `NAME-clips/`.

    Args:
        recordings: those that the map was made of.
        out: its picture.
        on_clip: called with how many are done, and of how many.

    Raises:
        UserError: the map is of other recordings.
        RunError: there is no OpenGL here.
    """
    from analysis.video import export_video

    with clusters_file(out).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_name = {path.name: path for path in recordings}
    folder = out.with_name(f"{out.stem}-clips")
    folder.mkdir(exist_ok=True)
    made = []
    for done, row in enumerate(rows, 1):
        if row["recording"] not in by_name:
            raise UserError(
                f"{row['recording']}, of which the map was made, is not among these recordings."
            )
        middle = float(row["time_s"])
        clip = folder / f"cluster-{int(row['cluster']):02d}.mp4"
        start = max(0.0, middle - CLIP_S / 2)
        export_video(
            by_name[row["recording"]], clip, start, middle + CLIP_S / 2, CLIP_SPEED, overwrite=True
        )
        made.append(clip)
        on_clip(done, len(rows))
    return tuple(made)


def _labels(episodes: Sequence[LoadedEpisode], mapped: BehaviourMap) -> Array:
    every = detector_labels(episodes)
    chosen = [every[e][r] for e, r in zip(mapped.episode, mapped.row, strict=True)]
    return np.array(chosen, dtype=object)


def _agreement(
    episodes: Sequence[LoadedEpisode], mapped: BehaviourMap, labels: Array
) -> tuple[Estimate, Null]:
    """Adjusted mutual information over seeds, and against labels that were shifted within each episode."""
    seeds = np.array([each.seed for each in episodes])[mapped.episode]

    def statistic(some: list[int]) -> Array:
        inside = np.isin(seeds, some)
        return np.array([agreement(mapped.clusters[inside], labels[inside])])

    own = sorted(set(seeds.tolist()))
    (found,) = intervals_around(statistic(own), pseudo_values(statistic, own))
    random = np.random.default_rng(0)
    shuffled = []
    for _ in range(SHUFFLES):
        turned = labels.copy()
        for k in np.unique(mapped.episode):
            rows = np.flatnonzero(mapped.episode == k)
            turned[rows] = np.roll(labels[rows], random.integers(1, max(2, len(rows))))
        shuffled.append(agreement(mapped.clusters, turned))
    return found, null_of(found.value, shuffled)


def _interval(found: Estimate) -> str:
    return f" ({found.low:.2f} to {found.high:.2f})" if found.bounded else ""


# --- panels -----------------------------------------------------------------------------------------


def _map_of_clusters(axes: Axes, mapped: BehaviourMap, names: Mapping[int, str]) -> None:
    hills = mapped.hills
    low, high = hills.low, hills.low + hills.width
    extent = (low[0], high[0], low[1], high[1])
    axes.imshow(hills.density, extent=extent, origin="lower", cmap="Greys", rasterized=True)
    edges = np.linspace(0, 1, len(hills.labels) + 1)[:-1] + 0.5 / len(hills.labels)
    x, y = (one + hills.width * edges for one in low)
    for cluster in range(len(mapped.centres)):
        axes.contour(x, y, hills.labels == cluster, [0.5], colors="#0072b2", linewidths=0.5)
        middle = np.median(mapped.points[mapped.clusters == cluster], axis=0)
        axes.text(
            float(middle[0]),
            float(middle[1]),
            names.get(cluster, str(cluster)),
            ha="center",
            va="center",
            fontsize=5.5,
            color=INK,
            bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.6},
        )
    axes.set_title(f"{len(mapped.centres)} clusters on the density of {len(mapped.points)} moments")
    _bare(axes)


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


def _shares(mapped: BehaviourMap, episodes: Sequence[LoadedEpisode]) -> dict[str, Array]:
    """By task the part of its moments in each cluster, (clusters,)."""
    tasks = np.array([each.task for each in episodes])[mapped.episode]
    n = len(mapped.centres)
    inside = mapped.clusters >= 0
    return {
        task: np.bincount(mapped.clusters[inside & (tasks == task)], minlength=n)
        / (tasks == task).sum()
        for task in by_task(episodes)
    }


def _occupancy(
    axes: Axes, mapped: BehaviourMap, episodes: Sequence[LoadedEpisode], names: Mapping[int, str]
) -> None:
    below = np.zeros(len(mapped.centres))
    for task, share in _shares(mapped, episodes).items():
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
    axes.set_title(f"detectors in clusters; AMI {agree.value:.2f}{_interval(agree)}")
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


# --- tables -----------------------------------------------------------------------------------------


def _numbers(
    mapped: BehaviourMap,
    episodes: Sequence[LoadedEpisode],
    sharing: MovementSharing,
    agree: Estimate,
    null: Null,
) -> list[Number]:
    rows = [number("adjusted mutual information of clusters and detectors", agree, null)]
    for name, one in sharing.relative.items():
        rows += [
            number(f"overlap of tasks / between episodes of one task, {name}", one),
            number(f"overlap of tasks, {name}", sharing.overlap[name]),
        ]
    rows += [
        number(f"overlap, {name}", one, task=f"{a} and {b}")
        for (name, a, b), one in sharing.pairs.items()
    ]
    for task, shares in _shares(mapped, episodes).items():
        rows += [
            number(f"part of its time in cluster {k}", float(share), task=task)
            for k, share in enumerate(shares)
        ]
    return rows


def _moment(
    mapped: BehaviourMap, episodes: Sequence[LoadedEpisode], cluster: int
) -> tuple[str, float]:
    """The recording's file name and the time, s of animal time, of a cluster's middle."""
    at = mapped.centres[cluster]
    each = episodes[mapped.episode[at]]
    return each.recording.name, (each.first_tick + int(mapped.row[at])) / each.rate_hz


def _write_clusters(
    path: Path,
    mapped: BehaviourMap,
    episodes: Sequence[LoadedEpisode],
    shares: Array,
    behaviours: Sequence[str],
    names: Mapping[int, str],
) -> None:
    """Every cluster: name, size, middle, and what detectors mostly say in it."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("cluster", "name", "moments", "recording", "time_s", "detector", "share"))
        for cluster in range(len(mapped.centres)):
            recording, time_s = _moment(mapped, episodes, cluster)
            most = int(shares[cluster].argmax())
            moments = int((mapped.clusters == cluster).sum())
            writer.writerow(
                (
                    *(cluster, names.get(cluster, ""), moments, recording, f"{time_s:.2f}"),
                    *(behaviours[most], f"{shares[cluster, most]:.2f}"),
                )
            )


def _write_names(path: Path, mapped: BehaviourMap, episodes: Sequence[LoadedEpisode]) -> None:
    with (
        replacing(path, overwrite=False) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(NAMES_HEADER)
        for cluster in range(len(mapped.centres)):
            recording, time_s = _moment(mapped, episodes, cluster)
            writer.writerow((recording, f"{time_s:.2f}", ""))
