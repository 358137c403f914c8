"""Episodes of undisturbed behaviour in recordings: what the analyses of populations are made from.

    found = read_episodes(files)                        # of one subject, each trial is an episode
    cells = activity(found.of("two_tap"), "core", "h")  # one array (ticks, units) for each
    angles = signals(found.episodes, joint_angles)

Only a few signals of the recordings are in memory at a time: each file is opened when something is read from
it. Episodes are the units that are resampled for intervals (`analysis.resampling`), so they have to be
independent: trials with arenas of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np

import recorder
from analysis.short_lists import grouped, ranges
from recorder.reading import Recording
from rig.errors import UserError

Array = np.ndarray
Result = TypeVar("Result")

SETTLING_S = 1.0
"""Left out at an episode's start, while the units leave zero and the animal its spawn pose."""
LEAST_S = 2.0
"""Shorter episodes are left out."""
TITLES = {
    "corridor": "corridor",
    "gaps": "gaps run",
    "forage": "maze forage",
    "escape": "bowl escape",
    "two_tap": "two-tap",
}


@dataclass(frozen=True)
class Episode:
    """A trial without stimuli, less its first second; its signals are read from the recording when needed.

    Attributes:
        files: the recording, or its parts in their order.
        subject: the subject's name.
        sha256: of its weights and architecture.
        task: such as "two_tap".
        seed: of the session.
        trial: its number in the session.
        first_tick: the first that counts.
        n_ticks: how many count.
        tick_s: s of animal time from tick to tick.
        layers: of the subject, the core first.
    """

    files: tuple[Path, ...]
    subject: str
    sha256: str
    task: str
    seed: int
    trial: int
    first_tick: int
    n_ticks: int
    tick_s: float
    layers: tuple[str, ...]

    @property
    def last_tick(self) -> int:
        """The last tick that counts."""
        return self.first_tick + self.n_ticks - 1

    @property
    def drawn_by(self) -> tuple[str, int, int]:
        """Task, seed and trial: what its arena and its noise are drawn by."""
        return self.task, self.seed, self.trial

    @property
    def rate_hz(self) -> float:
        """Ticks per second."""
        return 1 / self.tick_s


@dataclass(frozen=True)
class Episodes:
    """The episodes of one subject, by task, seed and trial, and a sentence for each recording left out."""

    episodes: tuple[Episode, ...]
    left_out: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that there are episodes of."""
        return tuple(dict.fromkeys(each.task for each in self.episodes))

    @property
    def layers(self) -> tuple[str, ...]:
        """The subject's layers, the core first."""
        return self.episodes[0].layers

    @property
    def rate_hz(self) -> float:
        """Ticks per second."""
        return self.episodes[0].rate_hz

    def of(self, task: str) -> tuple[Episode, ...]:
        """The episodes of a task."""
        return tuple(each for each in self.episodes if each.task == task)

    def notes(self) -> tuple[str, ...]:
        """What the result rests on, a sentence each: recordings, episodes and seeds; what was left out."""
        return (
            provenance(self.episodes),
            *(f"left out: {each}" for each in grouped(self.left_out)),
        )


def provenance(episodes: Sequence[Episode]) -> str:
    """Which recordings, episodes and seeds these are: one sentence."""
    files = {file for each in episodes for file in each.files}
    parts = []
    for task, some in groupby(episodes, key=lambda each: each.task):
        own = list(some)
        seeds = ranges(sorted({each.seed for each in own}))
        n = len(own)
        parts.append(
            f"{n} of {TITLES.get(task, task)} (seed{'s' * (',' in seeds or '–' in seeds)} {seeds})"
        )
    first = episodes[0]
    return (
        f"Subject {first.subject} ({first.sha256[:12]}), {len(files)} recording"
        f"{'s' * (len(files) != 1)}, {len(episodes)} episodes: {'; '.join(parts)}."
    )


# --- which there are --------------------------------------------------------------------------------


def read_episodes(files: Iterable[Path], tasks: Sequence[str] = ()) -> Episodes:
    """The undisturbed episodes in recordings, each recording and each episode once.

    Left out, with the reason, is what is no recording, is still being recorded, had a stimulus, or has only
    episodes shorter than `LEAST_S` after their first second; and trials of a seed that another recording has
    already (a branch has its session's): episodes that share arena and noise are not independent.

    Args:
        files: recordings; the parts of one that was rolled over are read as one.
        tasks: only these; all if none is named.

    Raises:
        UserError: the recordings are of different subjects, or no episode is left.
    """
    found, left_out = [], []
    seen: dict[str, tuple[Path, ...]] = {}
    subjects: dict[str, Path] = {}
    drawn: set[tuple[str, int, int]] = set()
    named = list(files)
    for file in named:
        if any(file in others for others in seen.values()):
            continue  # a part of what was read
        try:
            recording = recorder.open(file, parts=True)
        except UserError as problem:
            left_out.append(str(problem))
            continue
        with recording:
            if recording.session in seen:
                left_out.append(f"{file}: the same session as {seen[recording.session][0]}.")
                continue
            seen[recording.session] = recording.files
            if tasks and recording.description.task not in tasks:
                continue
            reason = _unfit(recording)
            own = [] if reason else list(_episodes_of(recording))
            if reason or not own:
                short = f"no episode lasted {LEAST_S + SETTLING_S:g} s."
                left_out.append(f"{file}: {reason or short}")
                continue
            subjects.setdefault(recording.description.subject_sha256, file)
            if len(subjects) > 1:
                one, other = subjects.values()
                raise UserError(
                    f"{one} and {other} are recordings of different subjects; draw a figure for each."
                )
            if any(each.drawn_by in drawn for each in own):
                left_out.append(f"{file}: trials that another recording of the same seed has.")
            found += [each for each in own if each.drawn_by not in drawn]
            drawn |= {each.drawn_by for each in own}
    if not found:
        what = f" of {' or '.join(TITLES.get(task, task) for task in tasks)}" if tasks else ""
        why = f" ({left_out[0].rstrip('.')})" if left_out else ""
        raise UserError(
            f"In none of the {len(named)} recordings is there an undisturbed episode{what} of at least "
            f"{LEAST_S + SETTLING_S:g} s{why}; record some with: rodent-rig dataset SUBJECT --episodes 25 "
            "--out DIR."
        )
    found.sort(key=lambda each: each.drawn_by)
    return Episodes(tuple(found), tuple(left_out))


def _unfit(recording: Recording) -> str:
    """Why a recording shows no undisturbed behaviour; "" where it does."""
    if recording.state == "live":
        return "it is still being recorded."
    if any(not each.sham for each in recording.intervals("stimuli")):
        return "units were stimulated in it."
    return ""


def _episodes_of(recording: Recording) -> Iterator[Episode]:
    described = recording.description
    trials = recording.trials
    for trial, following in zip(trials, (*trials[1:], None), strict=True):
        first = trial.first_tick + round(SETTLING_S / described.tick_s)
        last = following.first_tick - 1 if following else recording.last_tick
        n_ticks = last - first + 1
        rows = recording.rows(first, last)
        if n_ticks * described.tick_s < LEAST_S or rows.stop - rows.start != n_ticks:
            continue
        yield Episode(
            recording.files,
            described.subject,
            described.subject_sha256,
            described.task,
            described.seed,
            trial.trial,
            first,
            n_ticks,
            described.tick_s,
            tuple(layer.name for layer in described.layers),
        )


def need_episodes(found: Sequence[Episode], least: int, what: str) -> None:
    """Raises `UserError`, which says how to record more, where there are fewer than `least` episodes.

    Args:
        found: those that there are.
        least: how many are needed.
        what: the analysis, at the sentence's start.
    """
    if len(found) < least:
        task = TITLES.get(found[0].task, found[0].task) if found else "the task"
        raise UserError(
            f"{what} needs {least} undisturbed episodes of {task}, and there "
            f"{'is 1' if len(found) == 1 else f'are {len(found)}'}; record more with: rodent-rig dataset "
            "SUBJECT --episodes 25 --out DIR."
        )


# --- what is in them --------------------------------------------------------------------------------


@contextmanager
def _opened(files: tuple[Path, ...]) -> Iterator[Recording]:
    with recorder.open(files[0] if len(files) == 1 else list(files)) as recording:
        yield recording


def signals(
    episodes: Sequence[Episode], read: Callable[[Recording, Episode], Result]
) -> list[Result]:
    """Something of each episode, in their order; each recording is opened once.

    Args:
        episodes: of any recordings.
        read: what to read from an open recording; see `activity` and those below.
    """
    found: list[Result] = []
    for files, some in groupby(episodes, key=lambda each: each.files):
        with _opened(files) as recording:
            found += [read(recording, each) for each in some]
    return found


def activity(episodes: Sequence[Episode], layer: str | None, state: str = "h") -> list[Array]:
    """Activity of a layer's units in each episode, (ticks, units) float32.

    Args:
        episodes: of one subject.
        layer: the layer; None: all, one after the other.
        state: "h", the outputs, or "c", the cell states.
    """
    return signals(episodes, lambda recording, one: activity_of(recording, one, layer, state))


def activity_of(recording: Recording, episode: Episode, layer: str | None, state: str) -> Array:
    """Activity of a layer in one episode of an open recording, (ticks, units) float32; as `activity`."""
    first, last = 0, 0
    for each in recording.description.layers:
        last += each.n_units
        if each.name == layer:
            break
        first += each.n_units
    columns = slice(0 if layer is None else first, last)
    rows = recording.rows(episode.first_tick, episode.last_tick)
    return recording.block(f"{state}_applied", rows, columns)


def values(recording: Recording, episode: Episode, name: str) -> Array:
    """A series in an episode, (ticks, ...), such as "action" or "actuator_force"."""
    return recording.values(name, episode.first_tick, episode.last_tick)


def body(recording: Recording, episode: Episode, *names: str) -> Array:
    """Entries of the body state (`rig.body_quantities`) in an episode, (ticks, names) float64.

    Raises `UserError` for one that was not recorded.
    """
    there = recording.description.body_state
    for name in names:
        if name not in there:
            raise UserError(
                f"{recording.path} has no {name} in its body state; record it again with this version."
            )
    return values(recording, episode, "body")[:, [there.index(name) for name in names]]


def joint_angles(recording: Recording, episode: Episode) -> Array:
    """Angles of the animal's joints in an episode, (ticks, joints) float64, rad."""
    columns = recording.series["qpos"].columns
    own = [k for k, name in enumerate(columns) if k >= 7 and not name.startswith("other/")]
    return values(recording, episode, "qpos")[:, own]


def joint_velocities(recording: Recording, episode: Episode) -> Array:
    """Angular velocities of the animal's joints in an episode, (ticks, joints) float64, rad/s."""
    columns = recording.series["qvel"].columns
    own = [k for k, name in enumerate(columns) if k >= 6 and not name.startswith("other/")]
    return values(recording, episode, "qvel")[:, own]


def task_event_rows(recording: Recording, episode: Episode, name: str) -> list[int]:
    """The rows of an episode at which a task event of this name happened."""
    return [
        each.tick - episode.first_tick
        for each in recording.task_events
        if each.name == name and episode.first_tick <= each.tick <= episode.last_tick
    ]


def behaviour_rows(recording: Recording, episode: Episode, name: str) -> list[tuple[int, int]]:
    """The rows of an episode (from, up to) during a behaviour: each of its intervals, cut to the episode."""
    found = []
    for each in recording.intervals("behaviours"):
        if each.name == name:
            start = round(each.start_s / episode.tick_s) - episode.first_tick
            stop = round(each.stop_s / episode.tick_s) - episode.first_tick
            start, stop = max(start, 0), min(stop, episode.n_ticks)
            if stop > start:
                found.append((start, stop))
    return found


def during(recording: Recording, episode: Episode, name: str) -> Array:
    """Whether a behaviour was going on at each tick of an episode, (ticks,) bool."""
    found = np.zeros(episode.n_ticks, bool)
    for start, stop in behaviour_rows(recording, episode, name):
        found[start:stop] = True
    return found
