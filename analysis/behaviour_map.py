"""A map of behaviour: t-SNE of behavioural features, cut into clusters (Merel & Aldarondo et al. 2020, 3.1).

The 60 behavioural features of moments spread evenly over all episodes are embedded in a plane, by t-SNE with
the Barnes-Hut approximation and a perplexity of 30 (A.2). The density of the points is cut at its valleys
(watershed; Berman et al. 2014): each hill is a cluster of movements that look alike, for a person to name.

Numbers of clusters change when a map is made anew, so that names are kept with moments: a cluster has the
name that somebody gave to a moment in it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from analysis.loaded_episodes import LoadedEpisode
from rig.errors import UserError

Array = np.ndarray

POINTS = 5000
"""So many moments are embedded at most."""
PERPLEXITY = 30.0
EXACT_BELOW = 1000
"""With fewer moments the nearest neighbours are found exactly, with more by Annoy, as openTSNE has it."""
GRID = 200
SMOOTHING = 0.014
"""Standard deviation with which density is smoothed, as a part of the map's width."""
LEAST_DENSITY = 0.02
"""Lower hills, as a part of the highest, are no clusters, and lower ground belongs to none."""
NAMES_HEADER = ("recording", "time_s", "name")
NOTHING = "none"
"""The label of a moment in which no detector found a behaviour."""


@dataclass(frozen=True)
class Hills:
    """The density of a map, cut at its valleys.

    Attributes:
        density: (GRID, GRID), rows go up.
        labels: (GRID, GRID) int, the cluster of each place, from 0; -1 where hardly a point is.
        low: (2,) the map's lower left corner.
        width: of the map, which is square.
    """

    density: Array
    labels: Array
    low: Array
    width: float

    def of(self, points: Array) -> Array:
        """The cluster of each point, (points,) int."""
        cell = np.clip(((points - self.low) / self.width * GRID).astype(int), 0, GRID - 1)
        return np.asarray(self.labels[cell[:, 1], cell[:, 0]])


@dataclass(frozen=True)
class BehaviourMap:
    """A map of moments.

    Attributes:
        points: (moments, 2).
        clusters: (moments,) int, the largest is 0; -1 for moments between clusters.
        hills: the density that they come from.
        episode: (moments,) int, which episode each is from.
        row: (moments,) int, which of its rows.
        centres: (clusters,) int, the moment of each cluster that is nearest to its middle.
    """

    points: Array
    clusters: Array
    hills: Hills
    episode: Array
    row: Array
    centres: Array


def moments(lengths: Sequence[int], n: int = POINTS) -> tuple[Array, Array]:
    """Moments spread evenly over episodes: which episode and which row each is, (moments,) int each.

    >>> episode, row = moments([4, 2], 3)
    >>> episode.tolist(), row.tolist()
    ([0, 0, 1], [0, 2, 1])
    """
    total = sum(lengths)
    places = np.linspace(0, total - 1, min(n, total)).astype(int)
    ends = np.cumsum(lengths)
    episode = np.searchsorted(ends, places, side="right")
    return episode, places - np.concatenate([[0], ends])[episode]


def features_at(features: Sequence[Array], episode: Array, row: Array) -> Array:
    """The features of moments, (moments, features).

    Args:
        features: of every episode, (ticks, features).
        episode: of each moment, which episode it is from.
        row: and which of its rows.
    """
    return np.stack([features[e][r] for e, r in zip(episode, row, strict=True)])


def embed(features: Array, seed: int = 0) -> Array:
    """t-SNE of features (moments, features) in a plane: (moments, 2) float64.

    Args:
        features: of different moments, more than three times the perplexity.
        seed: of the draws.

    Raises:
        UserError: there are too few moments.
    """
    if len(features) <= 3 * PERPLEXITY:
        raise UserError(
            f"A map needs more than {3 * PERPLEXITY:.0f} moments, and there are {len(features)}; record more "
            "with: rodent-rig dataset SUBJECT --episodes 25 --out DIR."
        )
    from openTSNE import TSNE
    from openTSNE.affinity import MultiscaleMixture
    from openTSNE.nearest_neighbors import Annoy, Sklearn

    data = np.ascontiguousarray(features, dtype=np.float64)
    # those that openTSNE would choose; to choose, it imports pynndescent, which compiles for half a minute
    kind = Sklearn if len(data) < EXACT_BELOW else Annoy
    neighbours = kind(data, int(3 * PERPLEXITY), n_jobs=1, random_state=seed)
    affinities = MultiscaleMixture(perplexities=PERPLEXITY, knn_index=neighbours, n_jobs=1)
    embedding = TSNE(negative_gradient_method="bh", random_state=seed, n_jobs=1).fit(
        data, affinities=affinities
    )
    return np.asarray(embedding)


def hills_of(points: Array) -> Hills:
    """The density of points (n, 2), cut at its valleys."""
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    margin = 4 * SMOOTHING
    low, high = points.min(0), points.max(0)
    width = float((high - low).max()) * (1 + 2 * margin)
    low = (low + high) / 2 - width / 2
    edges = [np.linspace(one, one + width, GRID + 1) for one in low]
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=(edges[1], edges[0]))
    density = gaussian_filter(counts, SMOOTHING * GRID)
    peaks = peak_local_max(
        density, min_distance=max(1, round(SMOOTHING * GRID)), threshold_rel=LEAST_DENSITY
    )
    markers = np.zeros(density.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-density, markers, mask=density > LEAST_DENSITY / 4 * density.max()) - 1
    return Hills(density, labels, low, width)


def behaviour_map(features: Sequence[Array], seed: int = 0) -> BehaviourMap:
    """The map of episodes.

    Args:
        features: of every episode, (ticks, features).
        seed: of t-SNE.

    Raises:
        UserError: there are too few ticks.
    """
    episode, row = moments([len(part) for part in features])
    points = embed(features_at(features, episode, row), seed)
    hills = hills_of(points)
    found = hills.of(points)
    sizes = np.bincount(found[found >= 0], minlength=hills.labels.max() + 1)
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    rank = np.full(len(sizes) + 1, -1)
    rank[order] = np.arange(len(order))
    hills = Hills(hills.density, rank[hills.labels], hills.low, hills.width)
    clusters = rank[found]
    return BehaviourMap(
        points, clusters, hills, episode, row, _centres(points, clusters, len(order))
    )


def _centres(points: Array, clusters: Array, n: int) -> Array:
    centres = []
    for cluster in range(n):
        own = np.flatnonzero(clusters == cluster)
        middle = np.median(points[own], axis=0)
        centres.append(own[np.linalg.norm(points[own] - middle, axis=1).argmin()])
    return np.array(centres, int)


# --- what detectors say -----------------------------------------------------------------------------


def detector_labels(episodes: Sequence[LoadedEpisode]) -> list[Array]:
    """What on-line detectors found at every tick, one label each, the rarest of several: (ticks,) text.

    Args:
        episodes: of one set of behaviours.
    """
    names = sorted({name for each in episodes for name in each.behaviours})
    often = {
        name: sum(int(each.behaviours[name].sum()) for each in episodes if name in each.behaviours)
        for name in names
    }
    labels = []
    for each in episodes:
        own = np.full(len(each), NOTHING, dtype=object)
        for name in sorted(names, key=lambda name: -often[name]):
            if name in each.behaviours:
                own[each.behaviours[name]] = name
        labels.append(own)
    return labels


def confusion(clusters: Array, labels: Array) -> tuple[Array, tuple[str, ...]]:
    """What part of each cluster has which label: (clusters, labels), and the labels, the most frequent first.

    Args:
        clusters: (moments,) int; those of -1 are left out.
        labels: (moments,) text.
    """
    names, counts = np.unique(labels[clusters >= 0].astype(str), return_counts=True)
    names = names[np.argsort(-counts, kind="stable")]
    found = np.zeros((clusters.max() + 1, len(names)))
    for k, name in enumerate(names):
        found[:, k] = np.bincount(
            clusters[(labels == name) & (clusters >= 0)], minlength=len(found)
        )
    return found / found.sum(1, keepdims=True), tuple(str(each) for each in names)


def agreement(clusters: Array, labels: Array) -> float:
    """Adjusted mutual information of clusters and labels: 0 by chance, 1 where one says the other."""
    from sklearn.metrics import adjusted_mutual_info_score

    inside = clusters >= 0
    return float(adjusted_mutual_info_score(labels[inside].astype(str), clusters[inside]))


# --- names ------------------------------------------------------------------------------------------


def read_names(path: Path) -> list[tuple[str, float, str]]:
    """The names that were given to moments: recording's file name, s of animal time, name.

    Raises:
        UserError: the file is none of names.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        if tuple(rows[0]) != NAMES_HEADER:
            raise ValueError(f"its first line is not {','.join(NAMES_HEADER)}")
        return [(row[0], float(row[1]), row[2].strip()) for row in rows[1:] if row]
    except (OSError, ValueError, IndexError) as problem:
        raise UserError(f"{path} is not a file of names of clusters: {problem}.") from None


def names_of(
    found: BehaviourMap, episodes: Sequence[LoadedEpisode], given: Sequence[tuple[str, float, str]]
) -> Mapping[int, str]:
    """The names of clusters: of each the one given to a moment nearest to which a point of it lies.

    Args:
        found: the map.
        episodes: that it is of.
        given: as `read_names` reads them; moments of other recordings, and empty names, count for nothing.
    """
    names: dict[int, str] = {}
    for recording, time_s, name in given:
        for k, each in enumerate(episodes):
            row = round(time_s * each.rate_hz) - each.first_tick
            if not name or each.recording.name != recording or not 0 <= row < len(each):
                continue
            own = np.flatnonzero(found.episode == k)
            if len(own):
                cluster = int(found.clusters[own[np.abs(found.row[own] - row).argmin()]])
                if cluster >= 0:
                    names[cluster] = name
    return names
