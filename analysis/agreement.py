"""How well two people agree on what an animal did: tick by tick (Cohen's kappa), and bout by bout (F1).

Kappa is the agreement of two raters beyond what their habits alone would bring (Cohen 1960). F1 counts bouts
of one that go with a bout of the other: their overlap is at least a share of what they cover together
(intersection over union, IoU), and each bout goes with one at most, so that as many go together as can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from recorder.annotations import Annotations, joined
from rig.errors import UserError

IOU = 0.5
"""Bouts go together from this overlap on, unless another is asked for."""
DETECTED = "detected"
"""In the place of a channel: what the session's own detectors found."""

Bouts = NDArray[np.int64]


@dataclass(frozen=True)
class LabelAgreement:
    """Agreement on one behaviour.

    Attributes:
        label: the behaviour.
        ticks_one, ticks_other, ticks_both: how many ticks the first, the second and both say it was there.
        kappa: over all ticks; NaN where neither, or always both, say it was there.
        bouts_one, bouts_other, matched: bouts of the first and the second, and pairs that go together.
        f1: of the bouts; NaN where there are none.
    """

    label: str
    ticks_one: int
    ticks_other: int
    ticks_both: int
    kappa: float
    bouts_one: int
    bouts_other: int
    matched: int
    f1: float


@dataclass(frozen=True)
class Agreement:
    """Agreement of two channels: of each behaviour, and of all together.

    Attributes:
        one, other: the channels' names.
        n_ticks: that were compared: all of the recording's.
        iou: the least overlap of bouts that go together.
        labels: each behaviour of either channel.
        kappa: over ticks, what is told apart being which behaviours go on.
        f1: over the bouts of all behaviours.
    """

    one: str
    other: str
    n_ticks: int
    iou: float
    labels: tuple[LabelAgreement, ...]
    kappa: float
    f1: float


def cohens_kappa(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Cohen's kappa of two raters' categories, (items,) whole numbers each; NaN where it is not defined.

    Of 50 proposals both accept 20 and both refuse 15 (Cohen's kappa 0.4):

    >>> one = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    >>> other = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    >>> round(cohens_kappa(one, other), 6)
    0.4
    """
    if not len(one):
        return nan
    categories, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    n = len(categories)
    a, b = codes[: len(one)], codes[len(one) :]
    table = np.bincount(a * n + b, minlength=n * n).reshape(n, n) / len(one)
    expected = float(table.sum(0) @ table.sum(1))
    if expected >= 1.0 - 1e-12:
        return nan
    return (float(np.trace(table)) - expected) / (1.0 - expected)


def matched_bouts(one: Bouts, other: Bouts, iou: float = IOU) -> int:
    """How many pairs of bouts go together at most.

    >>> matched_bouts(np.array([[0, 10], [20, 30]]), np.array([[1, 11], [26, 40]]))
    1

    Args:
        one, other: (bouts, 2) first tick and the tick after the last.
        iou: the least overlap of two that go together, of what they cover together.
    """
    if not len(one) or not len(other):
        return 0
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    overlap = np.minimum(one[:, None, 1], other[:, 1]) - np.maximum(one[:, None, 0], other[:, 0])
    overlap = np.maximum(overlap, 0)
    union = np.diff(one)[:, :1] + np.diff(other)[:, 0] - overlap
    fits = csr_matrix((overlap > 0) & (overlap >= iou * union))
    return int((maximum_bipartite_matching(fits, perm_type="column") >= 0).sum())


def f1_of(n_one: int, n_other: int, matched: int) -> float:
    """F1 of so many bouts, of which so many go together; NaN where there are none."""
    return 2 * matched / (n_one + n_other) if n_one + n_other else nan


def agreement(
    one: Mapping[str, Bouts],
    other: Mapping[str, Bouts],
    ticks: tuple[int, int],
    names: tuple[str, str] = ("one", "other"),
    iou: float = IOU,
) -> Agreement:
    """The agreement of two accounts of a recording.

    Args:
        one, other: (bouts, 2) of each behaviour, as `Annotations.bouts`.
        ticks: the recording's first tick, and the one after its last.
        names: of the two.
        iou: the least overlap of two bouts that go together, over 0 and up to 1.

    Raises:
        UserError: an `iou` that is none.
    """
    if not 0 < iou <= 1:
        raise UserError(f"An overlap (IoU) of {iou} is none: it is over 0 and up to 1.")
    labels = tuple(dict.fromkeys((*one, *other)))
    n_ticks = ticks[1] - ticks[0]
    none = np.empty((0, 2), np.int64)
    state_one, state_other = np.zeros(n_ticks, np.int64), np.zeros(n_ticks, np.int64)
    found = []
    for label in labels:
        a, b = one.get(label, none), other.get(label, none)
        in_a, in_b = _present(a, ticks), _present(b, ticks)
        matched = matched_bouts(a, b, iou)
        found.append(
            LabelAgreement(
                label,
                int(in_a.sum()),
                int(in_b.sum()),
                int((in_a & in_b).sum()),
                cohens_kappa(in_a.astype(np.int64), in_b.astype(np.int64)),
                len(a),
                len(b),
                matched,
                f1_of(len(a), len(b), matched),
            )
        )
        # which behaviours go on, as one number: at most twice as many as there were before are told apart
        both = np.concatenate([2 * state_one + in_a, 2 * state_other + in_b])
        _, codes = np.unique(both, return_inverse=True)
        state_one, state_other = codes[:n_ticks], codes[n_ticks:]
    return Agreement(
        *names,
        n_ticks,
        iou,
        tuple(found),
        cohens_kappa(state_one, state_other),
        f1_of(
            sum(each.bouts_one for each in found),
            sum(each.bouts_other for each in found),
            sum(each.matched for each in found),
        ),
    )


def agreement_of_channels(
    annotations: Annotations,
    one: str,
    other: str,
    iou: float = IOU,
    detected: Mapping[str, Bouts] | None = None,
) -> Agreement:
    """The agreement of two channels of a recording's annotations.

    Args:
        annotations: of the recording.
        one, other: names of channels; "detected": what the session's detectors found.
        iou: as for `agreement`.
        detected: that, (bouts, 2) by behaviour (`detected_bouts`).

    Of what was detected only the behaviours count that the other channel has: nobody looked for the rest.

    Raises:
        UserError: there is no such channel.
    """
    accounts: list[dict[str, Bouts]] = []
    names = tuple(each.name for each in annotations.channels)
    for name, beside in ((one, other), (other, one)):
        if name in names:
            accounts.append(
                {each: annotations.bouts(name, each) for each in annotations.labels(name)}
            )
        elif name == DETECTED and detected is not None:
            wanted = annotations.labels(beside)
            accounts.append({each: detected[each] for each in wanted if each in detected})
        else:
            listed = ", ".join((*names, DETECTED))
            raise UserError(f"There is no channel {name!r}; there are {listed}.")
    ticks = annotations.first_tick, annotations.last_tick + 1
    return agreement(accounts[0], accounts[1], ticks, (one, other), iou)


def detected_bouts(intervals: list[tuple[str, int, int]]) -> dict[str, Bouts]:
    """(bouts, 2) by behaviour, of intervals (name, first tick, tick after the last)."""
    names = dict.fromkeys(name for name, _, _ in intervals)
    return {
        name: joined([(start, stop) for own, start, stop in intervals if own == name])
        for name in names
    }


def table_of(found: Agreement) -> list[tuple[str, ...]]:
    """The agreement as rows of text, the first with the headings and the last with all together."""

    def number(value: float) -> str:
        return "–" if value != value else f"{value:.2f}"

    rows: list[tuple[str, ...]] = [
        ("behaviour", "kappa", "ticks A", "ticks B", "both", "F1", "bouts A", "bouts B", "matched")
    ]
    for each in found.labels:
        rows.append(
            (
                each.label,
                number(each.kappa),
                *map(str, (each.ticks_one, each.ticks_other, each.ticks_both)),
                number(each.f1),
                *map(str, (each.bouts_one, each.bouts_other, each.matched)),
            )
        )
    rows.append(
        (
            "all",
            number(found.kappa),
            *("", "", ""),
            number(found.f1),
            *(
                str(sum(getattr(each, name) for each in found.labels))
                for name in ("bouts_one", "bouts_other", "matched")
            ),
        )
    )
    return rows


def _present(bouts: Bouts, ticks: tuple[int, int]) -> NDArray[np.bool_]:
    found = np.zeros(ticks[1] - ticks[0], bool)
    for start, stop in np.clip(bouts - ticks[0], 0, len(found)).tolist():
        found[start:stop] = True
    return found
