"""Figure 4 of the paper: a map of behaviour, what each task does of it, and what tasks share in movement."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.behaviour_map import (
    NAMES_HEADER,
    PERPLEXITY,
    BehaviourMap,
    agreement,
    behaviour_map,
    confusion,
    detector_labels,
    features_at,
    names_of,
    read_names,
)
from analysis.cluster_annotations import CHANNEL, annotate, check, name_ticks
from analysis.cluster_statistics import Estimate
from analysis.episodes import read_episodes
from analysis.fig4_picture import Shown, interval_words, occupancy, picture
from analysis.figure_numbers import Number, number, write_numbers
from analysis.figure_result import FigureResult
from analysis.loaded_episodes import LoadedEpisode, load_episodes, sets_of
from analysis.movement_sharing import MovementSharing, movement_sharing
from analysis.over_seeds import intervals_around, pseudo_values
from analysis.resampling import Null, exchanged, null_of
from analysis.umap_clusters import as_labels, dense_clusters, umap_plane
from rig.errors import UserError
from rig.output_file import replacing

SHUFFLES = 50
CLIP_S = 1.6
"""Of each cluster's clip, around its middle."""
CLIP_SPEED = 0.5
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


def given_names(out: Path) -> str:
    """The names that were given to clusters of a picture, with their moments; "" for none."""
    named = [row for row in read_names(names_file(out)) if row[2]]
    return repr(named) if named else ""


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draw the figure into `out`, with its numbers and its clusters as CSV beside it.

    Args:
        files: undisturbed recordings of one subject, such as `rodent-rig dataset` makes.
        out: the picture, .png, .pdf or .svg. `NAME-names.csv` is made if it is not there: a moment of each
            cluster, to which a person can give a name; the next drawing shows it.

    Raises:
        UserError: the recordings are of several subjects, or too short for a map.
    """
    return _draw(files, out, annotating=False)


def draw_and_annotate(files: Iterable[Path], out: Path) -> FigureResult:
    """Draw the figure, and write named clusters beside the recordings (`analysis.cluster_annotations`).

    Args:
        files: as for `draw`.
        out: the picture, beside which `NAME-names.csv` has names.

    Raises:
        UserError: as for `draw`; no cluster has a name, or a recording's annotations cannot be changed.
        RunError: they could not be written.
    """
    if not given_names(out):
        raise UserError(
            f"No cluster has a name in {names_file(out)}; look at them (rodent-rig figure fig4 … --clips) "
            "and write names there first."
        )
    return _draw(_checked(files), out, annotating=True)


def _checked(files: Iterable[Path]) -> Iterable[Path]:
    for file in files:
        check(file)
        yield file


def _draw(files: Iterable[Path], out: Path, annotating: bool) -> FigureResult:
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
    other = dense_clusters(umap_plane(features_at(sets["behaviour"], mapped.episode, mapped.row)))
    alike, alike_null = _agreement(episodes, mapped, as_labels(other))
    picture(Shown(mapped, episodes, names, shares, behaviours, agree, sharing), out)
    numbers = [
        number("adjusted mutual information of clusters and detectors", agree, null),
        number(
            "adjusted mutual information of clusters and those of UMAP, HDBSCAN", alike, alike_null
        ),
        number("clusters of UMAP, HDBSCAN", float(other.max() + 1)),
        number("part of the moments that HDBSCAN leaves out", float((other < 0).mean())),
        *_numbers(mapped, episodes, sharing),
    ]
    write_numbers(out.with_suffix(".csv"), numbers)
    _write_clusters(clusters_file(out), mapped, episodes, shares, behaviours, names)
    if not names_file(out).exists():
        _write_names(names_file(out), mapped, episodes)
    n = len(mapped.centres)
    between = float((mapped.clusters < 0).mean())
    notes = [
        *found.notes(),
        f"{len(mapped.points)} moments, evenly over all episodes; t-SNE of 60 features (Barnes-Hut, "
        f"perplexity {PERPLEXITY:g}, seed 0); {n} clusters by watershed, {between:.0%} of the "
        "moments in none.",
        f"Clusters and on-line detectors: adjusted mutual information {agree.value:.2f}"
        f"{interval_words(agree)}; of labels of other episodes of a task {null.level:.2f} (95th "
        f"percentile), p = {null.p:.3f}.",
        f"The other way, UMAP and HDBSCAN, finds {other.max() + 1} clusters and leaves "
        f"{(other < 0).mean():.0%} of the moments out; adjusted mutual information with the map's "
        f"{alike.value:.2f}{interval_words(alike)}, of other episodes {alike_null.level:.2f}, "
        f"p = {alike_null.p:.3f}.",
        f"Clusters can be named in {names_file(out).name}, beside the picture; {len(names)} have a name.",
    ]
    if annotating:
        named, agreeing = name_ticks(mapped, names, sets["behaviour"], episodes[0].rate_hz)
        written = annotate(episodes, named)
        without = float(np.mean(np.concatenate(named) == ""))
        notes.append(
            f"Named clusters are the channel {CHANNEL!r} of the annotations beside {len(written)} "
            f"recordings; {without:.0%} of the time has no name. Of the map's moments {agreeing:.0%} would "
            "have their name by the vote of others."
        )
    return FigureResult(files_of(out), sharing.claims, tuple(notes))


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
    """Adjusted mutual information over seeds, and against labels of other episodes of a task."""
    seeds = np.array([each.seed for each in episodes])[mapped.episode]

    def statistic(some: list[int]) -> Array:
        inside = np.isin(seeds, some)
        return np.array([agreement(mapped.clusters[inside], labels[inside])])

    own = sorted(set(seeds.tolist()))
    (found,) = intervals_around(statistic(own), pseudo_values(statistic, own))
    random = np.random.default_rng(0)
    shuffled = []
    present = np.unique(mapped.episode)
    rows = [np.flatnonzero(mapped.episode == k) for k in present]
    tasks = [episodes[k].task for k in present]
    for _ in range(SHUFFLES):
        other = labels.copy()
        others = exchanged([labels[own] for own in rows], random, tasks)
        for moments, each in zip(rows, others, strict=True):
            other[moments] = each
        shuffled.append(agreement(mapped.clusters, other))
    return found, null_of(found.value, shuffled)


# --- tables -----------------------------------------------------------------------------------------


def _numbers(
    mapped: BehaviourMap, episodes: Sequence[LoadedEpisode], sharing: MovementSharing
) -> list[Number]:
    rows = []
    for name, one in sharing.relative.items():
        rows += [
            number(f"overlap of tasks / between episodes of one task, {name}", one),
            number(f"overlap of tasks, {name}", sharing.overlap[name]),
        ]
    rows += [
        number(f"overlap, {name}", one, task=f"{a} and {b}")
        for (name, a, b), one in sharing.pairs.items()
    ]
    for task, shares in occupancy(mapped, episodes).items():
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
