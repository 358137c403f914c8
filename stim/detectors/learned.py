"""Learned detectors: classifiers that were fit to recordings (`analysis.learned`), evaluated tick by tick.

A classifier sees some quantities of the body state over a window that ends at the present tick: the mean and
the standard deviation of each. These are scaled, and a linear function of them per class gives the classes'
probabilities. The probability of one class is a behaviour's confidence: it begins where that has been 0.75
for the minimum duration, and ends at 0.25.

The file is a `.npz` of plain arrays, read without pickle: what is in it is data and cannot run.

| array | type | is |
| --- | --- | --- |
| `format` | int | 1 |
| `classes` | text (classes,) | their names, such as "rest" and "rear", or "cluster_0" … |
| `quantities` | text (quantities,) | what it sees (`stim.detectors.quantities`) |
| `window_ticks` | int | the window |
| `mean`, `scale` | float (2 quantities,) | to scale the features by; means first, then deviations |
| `weights`, `bias` | float (classes, 2 quantities), (classes,) | of the linear functions |
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rig.errors import UserError
from rig.output_file import replacing
from rig.regular_file import open_regular
from stim.detectors.definition import Behaviour, Source
from stim.detectors.quantities import is_quantity, read_quantity

FORMAT = 1
LARGEST_BYTES = 16_000_000
LONGEST_WINDOW = 500
LARGEST = 1e100
"""No quantity of an animal is larger, nor a weight that is of use; squares and sums of them are finite."""
REST = "rest"
"""The class of whatever is not the behaviour that was labelled."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Classifier:
    """A linear classifier of windows of body state; its arrays have the shapes of the table above."""

    classes: tuple[str, ...]
    quantities: tuple[str, ...]
    window_ticks: int
    mean: Array
    scale: Array
    weights: Array
    bias: Array
    sha256: str = ""

    def probabilities(self, features: Array) -> Array:
        """The classes' probabilities, (..., classes) float64, for features (..., 2 quantities)."""
        scores = ((features - self.mean) / self.scale) @ self.weights.T + self.bias
        scores -= scores.max(-1, keepdims=True)
        parts = np.exp(scores)
        return np.asarray(parts / parts.sum(-1, keepdims=True))

    def save(self, path: Path) -> None:
        """Writes the file that `load` reads."""
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(
                file,
                format=np.int64(FORMAT),
                classes=np.array(self.classes),
                quantities=np.array(self.quantities),
                window_ticks=np.int64(self.window_ticks),
                mean=self.mean,
                scale=self.scale,
                weights=self.weights,
                bias=self.bias,
            )


def load(path: Path) -> Classifier:
    """The classifier in a file.

    Raises:
        UserError: it cannot be read, or is not a classifier.
    """
    try:
        with open_regular(path, LARGEST_BYTES) as file:
            content = file.read()
    except OSError as problem:
        raise UserError(f"The classifier {path} cannot be read: {problem.strerror}.") from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(one.file_size for one in packed.infolist()) > LARGEST_BYTES:
                raise ValueError(f"unpacked it is larger than {LARGEST_BYTES / 1e6:.0f} MB")
        with np.load(io.BytesIO(content), allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        if int(arrays["format"]) != FORMAT:
            raise UserError(
                f"{path} has format {int(arrays['format'])}; this program reads {FORMAT}."
            )
        found = Classifier(
            classes=tuple(str(name) for name in arrays["classes"]),
            quantities=tuple(str(name) for name in arrays["quantities"]),
            window_ticks=int(arrays["window_ticks"]),
            **{name: np.asarray(arrays[name], float) for name in _FLOATS},
            sha256=hashlib.sha256(content).hexdigest(),
        )
    except (KeyError, ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as problem:
        raise UserError(
            f"{path} is not a classifier that `rodent-rig learn` made: {_first_line(problem)}."
        ) from None
    wrong = _wrong_with(found)
    if wrong:
        raise UserError(f"{path} is not a classifier that can be used: {wrong}.")
    return found


_FLOATS = ("mean", "scale", "weights", "bias")


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]


def _wrong_with(found: Classifier) -> str:
    """What makes a classifier unusable, in words; "" if nothing does."""
    n, classes = 2 * len(found.quantities), len(found.classes)
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (n,),
        "scale": (n,),
        "weights": (classes, n),
        "bias": (classes,),
    }
    for name, shape in shapes.items():
        array: Any = getattr(found, name)
        if array.shape != shape:
            return f"its {name} has shape {array.shape} and should have {shape}"
        if not np.isfinite(array).all():
            return f"its {name} has values that are not finite"
    if not found.quantities or classes < 2:
        return "it has no quantities or less than two classes"
    unknown = [name for name in found.quantities if not is_quantity(name)]
    if unknown:
        return f"there is no quantity {unknown[0]!r}"
    if not 1 <= found.window_ticks <= LONGEST_WINDOW:
        return f"its window has {found.window_ticks} ticks; it can have 1 to {LONGEST_WINDOW}"
    if (found.scale <= 0).any():
        return "its scale has values of 0 or less"
    with np.errstate(over="ignore"):  # by a scale of next to nothing
        weights = found.weights / found.scale
    largest = max(np.abs(each).max() for each in (weights, found.mean, found.bias))
    return "" if largest <= LARGEST else f"it has weights of more than {LARGEST:g}"


class LearnedSource:
    """The probability of one class of a classifier, tick by tick.

    Args:
        classifier: from `load`.
        of: the class.
        body_state: names of the entries of the vectors that `step` will get.

    Raises:
        ValueError: the classifier has no such class.
        RunError: the body state lacks a quantity.
    """

    def __init__(self, classifier: Classifier, of: str, body_state: Sequence[str]) -> None:
        self._classifier = classifier
        self._class = classifier.classes.index(of)
        self._body_state = body_state
        self.begin_trial()

    def begin_trial(self) -> None:
        """Forgets the trial before."""
        found = self._classifier
        n, ticks = len(found.quantities), found.window_ticks
        self._read = [read_quantity(name, self._body_state) for name in found.quantities]
        self._values, self._squares = np.zeros((2, ticks, n))
        self._share = np.full(ticks, 1 / ticks)
        # the scaling, done once: weights of the features as they are
        self._weights = found.weights / found.scale
        self._bias = found.bias - self._weights @ found.mean
        self._features = np.empty(2 * n)
        self._seen = 0

    def step(self, tick: int, body: Sequence[float], events: Sequence[str]) -> float:
        """The probability after a tick; 0 until the window is full, and while nonsense is in it.

        Nonsense is a quantity that is NaN or beyond `LARGEST`: nothing is known of the animal then.

        Args:
            tick: of the session.
            body: the body state's entries, in their order.
            events: what happened in the task; not used.
        """
        values, squares = self._values, self._squares
        row, n = self._seen % len(values), values.shape[1]
        now = [read(body) for read in self._read]
        # no number: else its square would be infinite, and what is made of it anything
        values[row] = now if all(abs(value) <= LARGEST for value in now) else math.nan
        np.multiply(values[row], values[row], out=squares[row])
        self._seen += 1
        if self._seen < len(values):
            return 0.0
        features = self._features  # as `features_of`, with less copying
        mean = self._share @ values
        features[:n] = mean
        features[n:] = np.sqrt(np.maximum(self._share @ squares - mean * mean, 0.0))
        scores = (self._weights @ features + self._bias).tolist()
        own = scores[self._class]
        if not all(math.isfinite(score) for score in scores):
            return 0.0
        return 1 / sum(math.exp(min(score - own, 700.0)) for score in scores)


def features_of(windows: Array) -> Array:
    """Means and standard deviations, (..., 2 quantities) float64, of windows (..., ticks, quantities)."""
    mean = windows.mean(-2)
    deviation = np.sqrt(np.maximum((windows**2).mean(-2) - mean**2, 0.0))
    return np.concatenate([mean, deviation], -1)


def learned_behaviour(
    name: str,
    classifier: Classifier,
    of: str = "",
    min_duration_ms: float = 60.0,
    refractory_ms: float = 0.0,
) -> Behaviour:
    """A behaviour that a classifier finds.

    In a protocol file:

        detectors:
          groom: {learned: models/groom.npz}
          still: {learned: models/clusters.npz, class: cluster_3, min_duration_ms: 100}

    Args:
        name: its name.
        classifier: from `load`.
        of: the class; "" for the only one that is not `REST`.
        min_duration_ms: how long it has to last before it counts as begun.
        refractory_ms: how long after its end it cannot begin again.

    Raises:
        UserError: the classifier does not have that class, or the class has to be named.
    """
    listed = ", ".join(classifier.classes)
    if not of:
        others = [each for each in classifier.classes if each != REST]
        if len(others) != 1:
            raise UserError(f"The classifier of {name!r} has the classes {listed}: name one.")
        of = others[0]
    if of not in classifier.classes:
        raise UserError(f"The classifier of {name!r} has no class {of!r}; it has {listed}.")

    def source(body_state: Sequence[str]) -> Source:
        return LearnedSource(classifier, of, body_state)

    return Behaviour(
        name,
        f"class {of} of the classifier {classifier.sha256[:12]}",
        min_duration_ms=min_duration_ms,
        refractory_ms=refractory_ms,
        source=source,
    )
