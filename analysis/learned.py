"""Fit a learned detector to recordings: from labelled intervals of a behaviour, or from clusters.

What is fit is a logistic regression on windows of the body state (means and standard deviations of
`QUANTITIES`; scikit-learn). With labels, its two classes are the behaviour and the rest. Without, the windows
are first clustered (k-means or a Gaussian mixture), and the regression learns to distinguish the clusters.
`stim.detectors.learned` evaluates it online.

How good it is, is measured on what it was not fit to: the recordings' ticks are cut into pieces of 5 s,
dealt out to `FOLDS` folds, and each fold is predicted by a classifier of the others. The same 5 s of sessions
of one seed, such as a session and its branch, are in one fold.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recorder.annotation_file import read_annotations
from recorder.annotations import is_annotations, recording_of_annotations
from recorder.opening import open_recording
from recorder.reading import Recording
from rig.bus.message_types import TICK_S
from rig.errors import UserError
from stim.detectors.learned import LONGEST_WINDOW, REST, Classifier, features_of
from stim.detectors.quantities import read_quantity

QUANTITIES: tuple[str, ...] = (
    *("forward_speed", "lateral_speed", "body_vz", "yaw_rate"),
    *("pitch", "side_tilt", "up", "pelvis_up", "head_pitch"),
    *("torso_height", "head_height"),
    *("hand_L_height", "hand_R_height", "foot_L_height", "foot_R_height"),
    "ground_slope",
)
"""What a classifier sees: nothing that depends on where the animal is or heads."""
FOLDS, PIECE_TICKS = 5, 250
FEWEST_TICKS = 10
"""Of each class, or there is nothing to learn from."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """A trial's body states (ticks, entries), the entries' names, and labels (ticks,) where there are any.

    `seed` and `first_tick`: of its session, and where it begins in it.
    """

    body: Array
    names: tuple[str, ...]
    labels: NDArray[np.bool_] | None = None
    seed: int = 0
    first_tick: int = 0


@dataclass(frozen=True)
class Fit:
    """A classifier, and how well it finds each class on pieces that it was not fit to, per tick.

    `ticks` counts the windows of each class.
    """

    classifier: Classifier
    ticks: Mapping[str, int]
    precision: Mapping[str, float]
    recall: Mapping[str, float]

    def f1(self, name: str) -> float:
        """The harmonic mean of a class's precision and recall."""
        both = self.precision[name] + self.recall[name]
        return 2 * self.precision[name] * self.recall[name] / both if both else 0.0

    def __str__(self) -> str:
        lines = [
            f"{name}: {self.ticks[name]} ticks, precision {self.precision[name]:.2f}, "
            f"recall {self.recall[name]:.2f}, F1 {self.f1(name):.2f} on what it was not fit to"
            for name in self.classifier.classes
        ]
        return "\n".join(lines)


def fit(
    recordings: Sequence[Path],
    out: Path,
    behaviour: str = "",
    clusters: int = 0,
    intervals: Sequence[Path] = (),
    method: Literal["kmeans", "gmm"] = "kmeans",
    window_ms: float = 200.0,
    seed: int = 0,
    channel: str | None = None,
) -> Fit:
    """Fits a classifier to recordings and writes it to `out` (`.npz`), for `learned:` in a protocol.

    Args:
        recordings: `.nwb` files.
        out: the file to write.
        behaviour: what is labelled: in `intervals` if given, else the recordings' own intervals of this name.
        clusters: instead of labels, so many clusters.
        intervals: annotations of the recordings (`F.annotations.nwb`), or CSV files with the columns
            `recording` (the file's name), `start_s` and `stop_s`, of animal time.
        method: how to cluster.
        window_ms: the window that the classifier sees.
        seed: of clustering.
        channel: of annotations, the one to learn from; None: all.

    Raises:
        UserError: the recordings or labels do not allow it.
    """
    if bool(behaviour) == bool(clusters):
        raise UserError("Give either a behaviour to learn or a number of clusters.")
    labelled = _read_labels(intervals, behaviour, channel) if intervals else None
    if labelled is not None and all(map(is_annotations, intervals)):
        # in a table of intervals a recording without one may be meant to have none
        for path in recordings:
            if path.name not in labelled:
                raise UserError(
                    f"Nobody annotated {path}: all of it would be learned as what {behaviour!r} is not; "
                    "leave it out, or name its annotations, too."
                )
    sequences: list[Labelled] = []
    for path in recordings:
        with open_recording(path) as recording:
            sequences += _sequences(recording, behaviour, labelled)
    if behaviour:
        found = fit_labels(sequences, behaviour, window_ms)
    else:
        found = fit_clusters(sequences, clusters, method, window_ms, seed)
    found.classifier.save(out)
    return found


def fit_labels(sequences: Sequence[Labelled], behaviour: str, window_ms: float = 200.0) -> Fit:
    """A classifier of a labelled behaviour against the rest.

    Args:
        sequences: trials with labels; those shorter than the window are left out.
        behaviour: its name.
        window_ms: the window that the classifier sees.

    Raises:
        UserError: there is too little of the one or the other.
    """
    window = _window(window_ms)
    used = [each for each in sequences if each.labels is not None and len(each.body) >= window]
    features = _joined([_features(each, window) for each in used], window_ms)
    labels = [each.labels[window - 1 :].astype(int) for each in used if each.labels is not None]
    return _fit(features, np.concatenate(labels), _folds(used, window), (REST, behaviour), window)


def fit_clusters(
    sequences: Sequence[Labelled],
    clusters: int,
    method: Literal["kmeans", "gmm"] = "kmeans",
    window_ms: float = 200.0,
    seed: int = 0,
) -> Fit:
    """A classifier of clusters of windows, named cluster_0 (the largest), cluster_1 …

    Args:
        sequences: trials; those shorter than the window are left out.
        clusters: how many, two or more.
        method: k-means, or a Gaussian mixture with diagonal covariances.
        window_ms: the window that the classifier sees.
        seed: of clustering.

    Raises:
        UserError: there are fewer windows than that many clusters need.
    """
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    if clusters < 2:
        raise UserError("There have to be two clusters or more.")
    window = _window(window_ms)
    used = [each for each in sequences if len(each.body) >= window]
    features = _joined([_features(each, window) for each in used], window_ms)
    if len(features) < FEWEST_TICKS * clusters:
        raise UserError(f"{len(features)} ticks are too few for {clusters} clusters.")
    mean, scale = _scaling(features)
    scaled = (features - mean) / scale
    model: Any
    if method == "kmeans":
        model = KMeans(clusters, random_state=seed, n_init=4)
    else:
        model = GaussianMixture(clusters, covariance_type="diag", random_state=seed)
    found = model.fit_predict(scaled)
    order = np.argsort(-np.bincount(found, minlength=clusters), kind="stable")
    rank = np.empty(clusters, int)
    rank[order] = np.arange(clusters)
    names = tuple(f"cluster_{k}" for k in range(clusters))
    return _fit(features, rank[found], _folds(used, window), names, window)


def _folds(sequences: Sequence[Labelled], window: int) -> NDArray[np.intp]:
    """The fold of each window of sequences: by when it ends in its session, and by the session's seed."""
    seeds = sorted({each.seed for each in sequences})
    pieces = [
        seeds.index(each.seed)
        + (each.first_tick + np.arange(window - 1, len(each.body))) // PIECE_TICKS
        for each in sequences
    ]
    return np.concatenate(pieces) % FOLDS


def _window(window_ms: float) -> int:
    """Ticks of a window. Raises `UserError` for one that no detector could have."""
    longest_ms = LONGEST_WINDOW * TICK_S * 1000
    if not 0 < window_ms <= longest_ms:
        raise UserError(f"A window is up to {longest_ms:g} ms, not {window_ms:g} ms.")
    return max(1, round(window_ms / 1000 / TICK_S))


def _joined(parts: Sequence[Array], window_ms: float) -> Array:
    if not parts:
        raise UserError(f"There is no trial in the recordings that is as long as {window_ms:g} ms.")
    return np.concatenate(parts)


def _features(sequence: Labelled, window: int) -> Array:
    """(ticks - window + 1, 2 quantities) of all windows of a sequence, as a session would see them."""
    read = [read_quantity(name, sequence.names) for name in QUANTITIES]
    values = np.array([[each(state) for each in read] for state in sequence.body.tolist()])
    values = np.nan_to_num(values)
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    return features_of(np.swapaxes(windows, 1, 2))


def _scaling(features: Array) -> tuple[Array, Array]:
    scale = features.std(0)
    return features.mean(0), np.where(scale > 1e-9, scale, 1.0)


def _fit(
    features: Array,
    labels: Array,
    folds: NDArray[np.intp],
    classes: tuple[str, ...],
    window: int,
) -> Fit:
    counts = np.bincount(labels, minlength=len(classes))
    for name, count in zip(classes, counts, strict=True):
        if count < FEWEST_TICKS:
            raise UserError(
                f"There are {count} ticks of {name!r} to learn from; {FEWEST_TICKS} are the least."
            )
    whole = _classifier(features, labels, classes, window)
    predicted = np.zeros(len(labels), int)
    for fold in np.unique(folds):
        inside = folds == fold
        if inside.all():
            raise UserError(
                f"{len(labels)} ticks are too few to judge a classifier by, where they are of the same 5 s; "
                f"a session of {2 * PIECE_TICKS} is enough."
            )
        present = np.unique(labels[~inside])
        own = _classifier(features[~inside], labels[~inside], classes, window)
        predicted[inside] = present[own.probabilities(features[inside])[:, present].argmax(1)]
    precision, recall = {}, {}
    for k, name in enumerate(classes):
        hits = float(((predicted == k) & (labels == k)).sum())
        precision[name] = hits / max(1, int((predicted == k).sum()))
        recall[name] = hits / max(1, int((labels == k).sum()))
    ticks = dict(zip(classes, counts.tolist(), strict=True))
    return Fit(whole, ticks, precision, recall)


def _classifier(
    features: Array, labels: Array, classes: tuple[str, ...], window: int
) -> Classifier:
    from sklearn.linear_model import LogisticRegression

    mean, scale = _scaling(features)
    weights = np.zeros((len(classes), features.shape[1]))
    bias = np.full(len(classes), -100.0)  # what was never seen is not expected
    present = np.unique(labels)
    if len(present) == 1:
        bias[present] = 0.0
    else:
        model = LogisticRegression(class_weight="balanced", max_iter=1000, C=1.0)
        model.fit((features - mean) / scale, labels)
        if len(present) == 2:  # scikit-learn keeps one function for two classes
            weights[present[1]], bias[present[1]] = model.coef_[0], model.intercept_[0]
            bias[present[0]] = 0.0
        else:
            weights[present], bias[present] = model.coef_, model.intercept_
    return Classifier(classes, QUANTITIES, window, mean, scale, weights, bias)


def _sequences(
    recording: Recording,
    behaviour: str,
    labelled: Mapping[str, Sequence[tuple[float, float]]] | None,
) -> list[Labelled]:
    """The trials of a recording, labelled where there is a behaviour."""
    names = recording.description.body_state
    own: Sequence[tuple[float, float]] = ()
    if labelled is not None:
        own = labelled.get(recording.path.name, ())
    elif behaviour:
        if behaviour not in recording.description.behaviours:
            listed = ", ".join(recording.description.behaviours)
            raise UserError(f"{recording.path} has no behaviour {behaviour!r}; it has {listed}.")
        rows = recording.intervals("behaviours")
        own = [(row.start_s, row.stop_s) for row in rows if row.name == behaviour]
    result = []
    for trial in recording.trials:
        last = round(trial.stop_s / TICK_S) - 1
        body = recording.values("body", trial.first_tick, last)
        times = recording.times_s(trial.first_tick, last)
        labels = np.zeros(len(body), bool)
        for start_s, stop_s in own:
            labels |= (times >= start_s - 1e-9) & (times < stop_s - 1e-9)
        seed = recording.description.seed
        result.append(Labelled(body, names, labels if behaviour else None, seed, trial.first_tick))
    return result


def _read_labels(
    paths: Sequence[Path], behaviour: str, channel: str | None
) -> Mapping[str, Sequence[tuple[float, float]]]:
    """The labelled intervals (s) of each recording, by its file's name, of annotations and CSV files."""
    found: dict[str, list[tuple[float, float]]] = {}
    for path in paths:
        if not is_annotations(path):
            for name, own in _read_intervals(path).items():
                found.setdefault(name, []).extend(own)
            continue
        annotations = read_annotations(path)
        bouts = annotations.bouts(channel, behaviour) * annotations.tick_s
        known = sorted({each.label for each in annotations.rows if channel in (None, each.channel)})
        channels = [each.name for each in annotations.channels if channel in (None, each.name)]
        looked_for = {*known, *(label for each in channels for label in annotations.labels(each))}
        # what was looked for and is not there is an answer, too, as long as something was found
        if not len(bouts) and (behaviour not in looked_for or not known):
            where = "" if channel is None else f" in the channel {channel!r}"
            raise UserError(
                f"{path} has no {behaviour!r} annotated{where}; it has {', '.join(known) or 'nothing'}."
            )
        # a recording keeps its annotations when both are renamed
        for name in {*annotations.recordings, recording_of_annotations(path).name}:
            found.setdefault(name, []).extend(map(tuple, bouts.tolist()))
    return found


def _read_intervals(path: Path) -> Mapping[str, Sequence[tuple[float, float]]]:
    """Labels from a CSV file: the intervals (s) of each recording, by its file's name."""
    found: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            for number, row in enumerate(rows, 2):
                try:
                    row_s = float(row["start_s"]), float(row["stop_s"])
                    found.setdefault(row["recording"], []).append(row_s)
                except (KeyError, TypeError, ValueError):
                    raise UserError(
                        f"{path}:{number}: a row needs recording, start_s and stop_s, separated by commas, "
                        "the times as numbers with a decimal point."
                    ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise UserError(f"The labels {path} cannot be read: {problem}.") from None
    return found
