"""What stimulated sessions show: attempts at two-tap and how they ended, stimulations and what they elicited.

Everything is read from recordings: which units were stimulated from the table of interventions, what
the task saw from its events, what the animal did from its behaviours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import recorder
from recorder.reading import Recording
from recorder.tables import Interval
from rig.errors import UserError

SUCCESS = "second_tap"
OUTCOMES = (SUCCESS, "tap_too_soon", "tap_missed")
"""How an attempt ends: with a second tap in time, one before its time, or none in time."""
GRACE_S = 0.2
"""A behaviour that begins so soon after a stimulation was elicited by it."""
BLUR_S = 0.1
"""Where a behaviour began is known only so well, because detectors look back through a window."""
TRACE_S = 1.2
"""How long after its onset a stimulation's turning is followed."""


@dataclass(frozen=True)
class Attempt:
    """A first tap and how it ended; with the layer and the number of units that were inactivated meanwhile.

    Nothing was inactivated in shams and without stimulus: `layer` is then "", `n_units` 0.
    """

    seed: int
    layer: str
    n_units: int
    outcome: str


@dataclass(frozen=True)
class Stimulation:
    """A stimulation or sham, whether the behaviour began in it, and how far the animal turned.

    `turned` is in radians since the onset, left positive, (ticks,); NaN behind the end of the trial. A
    sham has the layer and the number of units that its session stimulates otherwise ("" and 0 if none).
    """

    seed: int
    layer: str
    n_units: int
    sham: bool
    elicited: bool
    turned: NDArray[np.float64]


@dataclass(frozen=True)
class Session:
    """What one recording contributes.

    `kind` is that of its stimuli: "inactivated", "activated" or "" for none.
    """

    protocol: str
    subject: str
    kind: str
    attempts: tuple[Attempt, ...]
    undecided: int
    stimulations: tuple[Stimulation, ...]
    during_behaviour: int


@dataclass(frozen=True)
class Sessions:
    """What many recordings contribute, and a sentence for each that was left out."""

    sessions: tuple[Session, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Stimulated:
    layer: str = ""
    n_units: int = 0
    varies: bool = False


def read_sessions(files: Iterable[Path], behaviour: str) -> Sessions:
    """Reads recordings, each once; what is none, or did not come to its end, is left out, with the reason.

    The parts of one that was rolled over are read as one, whether all of them are named or one. What a
    session and its branches share happened once, and counts once.

    Args:
        files: the recordings.
        behaviour: what stimulations may elicit: behaviours whose names begin so, such as "spin".

    Raises:
        UserError: the recordings are of different subjects.
    """
    sessions, left_out = [], []
    seen: dict[str, tuple[Path, ...]] = {}
    subjects: dict[str, Path] = {}
    counted: dict[str, float] = {}  # up to which tick of each session
    for file in files:
        if any(file in files for files in seen.values()):
            continue  # a part of what was read
        try:
            recording = recorder.open(file, parts=True)
        except UserError as problem:
            left_out.append(str(problem))
            continue
        with recording:
            if recording.session in seen:
                left_out.append(f"{file}: the same session as {seen[recording.session][0]}")
                continue
            seen[recording.session] = recording.files
            end = recording.end
            if recording.state == "live" or end is None or end.reason == "failed":
                left_out.append(f"{file}: its session did not come to its end")
                continue
            subjects.setdefault(recording.description.subject_sha256, file)
            if len(subjects) > 1:
                one, other = subjects.values()
                raise UserError(
                    f"{one} and {other} are recordings of different subjects; draw a figure for each."
                )
            sessions.append(read_session(recording, behaviour, _count(recording, counted)))
    return Sessions(tuple(sessions), tuple(left_out))


def _count(recording: Recording, counted: dict[str, float]) -> float:
    """Up to which tick a recording shares its session with what was `counted`; counts it, too."""
    own = [(each.session, float(each.tick)) for each in recording.description.branched]
    own.append((recording.session, np.inf))
    shared = max(min(tick, counted.get(session, -1.0)) for session, tick in own)
    for session, tick in own:
        counted[session] = max(tick, counted.get(session, -1.0))
    return shared


def read_session(recording: Recording, behaviour: str, from_tick: float = -1.0) -> Session:
    """What an open recording contributes; `behaviour` as for `read_sessions`.

    Stimuli that begin before `from_tick` do not count, nor attempts that are decided by then.
    """
    described = recording.description
    stimuli = recording.intervals("stimuli")
    stimulated = _stimulated_units(recording, stimuli)
    attempts, undecided = _attempts(recording, stimuli, stimulated, from_tick)
    later = tuple(each for each in stimuli if each.onset_tick >= from_tick)
    stimulations, during = _stimulations(recording, later, stimulated, behaviour)
    kinds = {
        "activated" if each.varies else "inactivated"
        for each in stimulated.values()
        if each.n_units
    }
    return Session(
        described.protocol_name,
        described.subject_sha256,
        "activated" if "activated" in kinds else "inactivated" if kinds else "",
        tuple(attempts),
        undecided,
        tuple(stimulations),
        during,
    )


def _stimulated_units(
    recording: Recording, stimuli: Iterable[Interval]
) -> dict[tuple[str, int], _Stimulated]:
    """What each delivered stimulus did, by name and number: from the interventions of its ticks."""
    rows = recording.table("processing/record/interventions")
    ticks = rows.column("answer_tick") + 1
    names, layers = np.array(rows.names("stimulus")), rows.names("layer")
    states, units = rows.names("state"), rows.ragged("units")
    gains, values = rows.ragged("gain"), rows.ragged("value")
    found = {}
    for stimulus in stimuli:
        if stimulus.sham:
            continue
        stop = stimulus.offset_tick if stimulus.offset_tick >= 0 else recording.last_tick + 1
        own = np.flatnonzero(
            (names == stimulus.name) & (ticks >= stimulus.onset_tick) & (ticks < stop)
            if len(names)
            else []
        )
        of_layer: defaultdict[str, set[int]] = defaultdict(set)
        for k in own:
            of_layer[layers[k]].update(units[k].tolist())
        # a clamp of c and of h has a value for each, and one that is let go gradually for each gain
        first: dict[tuple[object, ...], NDArray[np.float32]] = {}
        alike = [(layers[k], states[k], units[k].tobytes(), gains[k].tobytes()) for k in own]
        found[stimulus.name, stimulus.number] = _Stimulated(
            "+".join(sorted(of_layer)),
            sum(len(each) for each in of_layer.values()),
            any(
                (values[k] != first.setdefault(key, values[k])).any()
                for key, k in zip(alike, own, strict=True)
            ),
        )
    return found


def _attempts(
    recording: Recording,
    stimuli: tuple[Interval, ...],
    stimulated: dict[tuple[str, int], _Stimulated],
    from_tick: float,
) -> tuple[list[Attempt], int]:
    """The attempts that were decided, and how many were not when the trial or the session ended."""
    seed = recording.description.seed
    found, undecided = [], 0
    first: tuple[int, int] | None = None
    for event in recording.task_events:
        counts = event.tick > from_tick
        if event.name == "first_tap":
            undecided += first is not None and counts
            first = (event.tick, event.trial)
        elif event.name in OUTCOMES and first is not None:
            if event.trial != first[1] or not counts:
                undecided, first = undecided + counts, None
                continue
            overlapping = [
                stimulated[each.name, each.number]
                for each in stimuli
                if not each.sham
                and each.onset_tick <= event.tick
                and (each.offset_tick < 0 or each.offset_tick > first[0])
            ]
            most = max(overlapping, key=lambda each: each.n_units, default=_Stimulated())
            layer = most.layer if most.n_units else ""
            found.append(Attempt(seed, layer, most.n_units, event.name))
            first = None
    return found, undecided + (first is not None)


def _stimulations(
    recording: Recording,
    stimuli: tuple[Interval, ...],
    stimulated: dict[tuple[str, int], _Stimulated],
    behaviour: str,
) -> tuple[list[Stimulation], int]:
    """The stimulations and shams, and how many came when the behaviour was there already."""
    described = recording.description
    performances = [
        each for each in recording.intervals("behaviours") if each.name.startswith(behaviour)
    ]
    usual = {each for each in stimulated.values() if each.n_units}
    of_session = (
        next(iter(usual)) if len({(each.layer, each.n_units) for each in usual}) == 1 else None
    )
    grace, blur = round(GRACE_S / described.tick_s), round(BLUR_S / described.tick_s)
    turning = _yaw_rate(recording) if stimuli else np.zeros(0)
    found, during = [], 0
    for each in stimuli:
        onset = each.onset_tick
        if any(
            one.began_tick < onset - blur and (one.offset_tick < 0 or one.offset_tick > onset)
            for one in performances
        ):
            during += 1
            continue
        stop = each.offset_tick if each.offset_tick >= 0 else recording.last_tick + 1
        elicited = any(
            one.onset_tick > onset and onset - blur <= one.began_tick <= stop + grace
            for one in performances
        )
        did = (of_session or _Stimulated()) if each.sham else stimulated[each.name, each.number]
        found.append(
            Stimulation(
                described.seed,
                did.layer,
                did.n_units,
                each.sham or not did.n_units,
                elicited,
                _turned(recording, turning, onset),
            )
        )
    return found, during


def _yaw_rate(recording: Recording) -> NDArray[np.float64]:
    """The yaw rate of every recorded tick, in rad/s."""
    column = recording.description.body_state.index("yaw_rate")
    values: NDArray[np.float64] = recording.block("body", recording.rows(), column)
    return values


def _turned(recording: Recording, yaw_rate: NDArray[np.float64], onset: int) -> NDArray[np.float64]:
    """How far the animal turned in the ticks from an onset on: (ticks,), NaN behind the trial's end."""
    tick_s = recording.description.tick_s
    n = round(TRACE_S / tick_s)
    trial = recording.trial_of(onset)
    last = onset + n - 1
    if trial is not None:
        last = min(last, round(trial.stop_s / tick_s) - 1)
    rates = yaw_rate[recording.rows(onset, last)]
    turned = np.full(n, np.nan)
    turned[: len(rates)] = np.cumsum(rates) * tick_s
    return turned


def of_kind(sessions: Iterable[Session], kind: str) -> Iterator[Session]:
    """The sessions of protocols whose stimuli are of a kind, those without any stimulus among them."""
    found = list(sessions)
    protocols = {each.protocol for each in found if each.kind == kind}
    others = {each.protocol for each in found if each.kind not in (kind, "")}
    return (each for each in found if each.protocol in protocols - others)
