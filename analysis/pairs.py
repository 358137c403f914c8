"""Counterfactual pairs: a recorded session beside its branches, aligned where they leave it.

Which branch belongs to which session is in the files: a branch names the recording that it left by its
SHA-256, and the tick. Both have the same animal in the same state up to there, so that what differs
afterwards is what the other protocol did.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import recorder
from analysis.baseline import sha256_of
from recorder.reading import Recording
from rig.errors import UserError

BEFORE_S, AFTER_S = 0.2, 1.5
"""How much of a pair is looked at, around the branching."""
SERIES = {"unit": "c_applied", "joint": "qpos", "body": "body"}
"""The kinds of things in which pairs are compared, and the series that they come from."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Signal:
    """One thing of one kind ("unit", "joint", "body") by name; `column` is its place in the series."""

    kind: str
    name: str
    column: int


@dataclass(frozen=True)
class Pairs:
    """`n` pairs on one time axis: `offsets` in ticks from the branching.

    `with_it` and `without` are the branches and the sessions that they left, (pairs, ticks, signals), NaN
    where a trial or a recording had ended. `files` are the branches, `seeds` (pairs,) those of their
    sessions: what has one seed shares its past and its random draws, and counts as one session. `left_out`
    has a sentence for each file that made no pair.
    """

    signals: tuple[Signal, ...]
    offsets: NDArray[np.int64]
    tick_s: float
    with_it: Floats
    without: Floats
    files: tuple[Path, ...]
    seeds: NDArray[np.int64]
    protocols: tuple[str, ...]
    unstimulated: int
    left_out: tuple[str, ...]

    @property
    def n(self) -> int:
        """How many."""
        return len(self.with_it)

    @property
    def sessions(self) -> int:
        """From how many sessions they are."""
        return len(np.unique(self.seeds))

    @property
    def effect(self) -> Floats:
        """What the branch has more than its session: (pairs, ticks, signals)."""
        return self.with_it - self.without

    def of_kind(self, kind: str) -> NDArray[np.int64]:
        """The places of the signals of a kind."""
        return np.array([k for k, each in enumerate(self.signals) if each.kind == kind], np.int64)


def read_pairs(files: Iterable[Path]) -> Pairs:
    """The pairs among recordings: branches, each with the recording that it left.

    Raises:
        UserError: there is no pair, or pairs are of different subjects or tasks.
    """
    left_out: list[str] = []
    sessions: dict[str, Path] = {}
    branches: list[Path] = []
    for file in files:
        try:
            with recorder.open(file) as recording:
                is_branch, live = bool(recording.description.branched), recording.state == "live"
        except UserError as problem:
            left_out.append(str(problem))
            continue
        if live:
            left_out.append(f"{file}: still being recorded")
            continue
        sha256 = sha256_of(file)
        if sha256 in sessions:
            left_out.append(f"{file}: the same recording as {sessions[sha256]}")
            continue
        sessions[sha256] = file
        if is_branch:
            branches.append(file)
    made = _Made(left_out)
    for branch in branches:
        made.add(branch, sessions)
    if not made.files:
        why = f" ({left_out[0].rstrip('.')})" if left_out else ""
        raise UserError(
            "There is no pair among these recordings: name a recording and its branches, as "
            f"`rodent-rig branch` makes them{why}."
        )
    return made.pairs()


class _Made:
    """Pairs as they are read."""

    def __init__(self, left_out: list[str]) -> None:
        self._left_out = left_out
        self._signals: tuple[Signal, ...] = ()
        self._of = ("", "")
        self._tick_s = 0.02
        self._with: list[Floats] = []
        self._without: list[Floats] = []
        self._seeds: list[int] = []
        self._protocols: dict[str, None] = {}
        self._unstimulated = 0
        self.files: list[Path] = []

    def add(self, branch: Path, sessions: dict[str, Path]) -> None:
        with recorder.open(branch) as other:
            described = other.description
            left = described.branched[-1]
            if left.recording_sha256 not in sessions:
                self._left_out.append(
                    f"{branch}: the recording that it left ({left.recording_sha256[:12]}…) is not among "
                    "these"
                )
                return
            with recorder.open(sessions[left.recording_sha256]) as one:
                self._add(branch, one, other, left.tick)

    def _add(self, branch: Path, one: Recording, other: Recording, tick: int) -> None:
        described = other.description
        of = (described.subject_sha256, described.task)
        if not self.files:
            self._of, self._signals, self._tick_s = of, _signals(one), described.tick_s
        elif of != self._of:
            raise UserError(
                f"{branch} is of another subject or task than {self.files[0]}; draw a figure for each."
            )
        before, after = round(BEFORE_S / self._tick_s), round(AFTER_S / self._tick_s)
        first, last = max(tick - before, other.first_tick, one.first_tick), tick
        if first > last or not np.array_equal(
            one.values("qpos", first, last), other.values("qpos", first, last)
        ):
            self._left_out.append(f"{branch}: not the same as its session up to tick {tick}")
            return
        self._without.append(self._window(one, tick - before, tick + after, tick))
        self._with.append(self._window(other, tick - before, tick + after, tick))
        self._seeds.append(described.seed)
        self._protocols[described.protocol_name] = None
        self._unstimulated += not any(
            each.onset_tick > tick and not each.sham for each in other.intervals("stimuli")
        )
        self.files.append(branch)

    def _window(self, recording: Recording, first: int, last: int, tick: int) -> Floats:
        """The signals in these ticks, NaN outside the recording and outside the trial of `tick`."""
        values = np.full((last - first + 1, len(self._signals)), np.nan)
        rows = recording.rows(first, last)
        ticks, trials = recording.ticks[rows], recording.values("trial", first, last)
        own = trials == trials[np.searchsorted(ticks, tick)]
        for kind, series in SERIES.items():
            places = [k for k, each in enumerate(self._signals) if each.kind == kind]
            columns = [self._signals[k].column for k in places]
            data = recording.values(series, first, last)
            values[np.ix_(ticks[own] - first, places)] = data[own][:, columns]
        return values

    def pairs(self) -> Pairs:
        before, after = round(BEFORE_S / self._tick_s), round(AFTER_S / self._tick_s)
        return Pairs(
            self._signals,
            np.arange(-before, after + 1),
            self._tick_s,
            np.array(self._with),
            np.array(self._without),
            tuple(self.files),
            np.array(self._seeds, np.int64),
            tuple(self._protocols),
            self._unstimulated,
            tuple(self._left_out),
        )


def _signals(recording: Recording) -> tuple[Signal, ...]:
    joints = set(recording.description.joints)
    found = []
    for kind, series in SERIES.items():
        columns = recording.series[series].columns
        found += [
            Signal(kind, name, column)
            for column, name in enumerate(columns)
            if kind != "joint" or name in joints
        ]
    return tuple(found)
