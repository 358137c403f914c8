"""A new NWB file made from a recording: who and what it was, its trials, behaviours and stimuli."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from recorder.interval_sets import causes_of
from recorder.named_intervals import write_intervals
from recorder.output_path import check_target
from recorder.reading import Recording
from recorder.schema import NO_CONDITION
from rig.errors import UserError
from rig.output_file import replacing

if TYPE_CHECKING:
    from pynwb import NWBFile


def tick_range(recording: Recording, from_s: float | None, to_s: float | None) -> tuple[int, int]:
    """First and last recorded tick of a stretch of animal time.

    Args:
        recording: an open recording.
        from_s: where the stretch begins, s of animal time; the recording's beginning if left out.
        to_s: where it ends, not included; the recording's end if left out.

    Raises:
        UserError: nothing of it was recorded.
    """
    tick_s = recording.description.tick_s
    for given in (from_s, to_s):
        if given is not None and not abs(given) < 1e9:
            raise UserError(f"{given} is no number of seconds; give animal time such as 12.5.")
    first = recording.first_tick if from_s is None else round(from_s / tick_s)
    last = recording.last_tick if to_s is None else round(to_s / tick_s) - 1
    rows = recording.rows(first, last)
    if rows.stop <= rows.start:
        raise UserError(
            f"{recording.path} has {recording.first_tick * tick_s:.2f} s to "
            f"{(recording.last_tick + 1) * tick_s:.2f} s of animal time, and nothing from "
            f"{first * tick_s:.2f} s to {(last + 1) * tick_s:.2f} s."
        )
    return int(recording.ticks[rows.start]), int(recording.ticks[rows.stop - 1])


def derived_file(recording: Recording, what: str, first_tick: int, last_tick: int) -> NWBFile:
    """The file, in memory, with the trials that touch these ticks; times stay those of the session.

    Args:
        what: what was made of the recording, a sentence for the file's notes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from recorder.nwb_objects import session_file

    described, tick_s = recording.description, recording.description.tick_s
    nwb = session_file(described, recording.session)
    nwb.fields.pop("keywords", None)  # neo (0.14) does not read a file that has them
    nwb.fields["data_collection"] = f"{what} From the recording {recording.name}."
    start_s, stop_s = first_tick * tick_s, (last_tick + 1) * tick_s
    trials = [t for t in recording.trials if t.start_s < stop_s and t.stop_s > start_s]
    if trials:
        nwb.add_trial_column("trial", "Trial number.")
        nwb.add_trial_column("condition", "Condition of the trial.")
    for trial in trials:
        nwb.add_trial(
            start_time=trial.start_s,
            stop_time=trial.stop_s,
            trial=trial.trial,
            condition=trial.condition or NO_CONDITION,
        )
    return nwb


def write_file(
    nwb: NWBFile, recording: Recording, ticks: tuple[int, int], out: Path, overwrite: bool = False
) -> None:
    """Write the file, with the behaviours and stimuli; it appears under its name when it is whole.

    Args:
        nwb: the file, in memory.
        recording: that it is made of, which it must not replace.
        ticks: first and last; intervals that touch them are in the file.
        out: its path.
        overwrite: an existing file is replaced.

    Raises:
        UserError: it cannot go there.
        RunError: it could not be written.
    """
    from pynwb import NWBHDF5IO

    check_target(out, overwrite, recording.files)
    with replacing(out, overwrite) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(str(partial), "w") as io:
            io.write(nwb)
        with h5py.File(partial, "r+") as file:
            _add_intervals(file, recording, *ticks)


def _add_intervals(file: h5py.File, recording: Recording, first_tick: int, last_tick: int) -> None:
    start_s, stop_s = (tick * recording.description.tick_s for tick in (first_tick, last_tick + 1))
    behaviours, stimuli = (
        [
            each
            for each in recording.intervals(table)
            if each.start_s < stop_s and each.stop_s > start_s
        ]
        for table in ("behaviours", "stimuli")
    )
    marks = [
        (each.time_s, each.name)
        for each in recording.task_events
        if first_tick <= each.tick <= last_tick
    ]
    write_intervals(file, behaviours, stimuli, causes_of(recording.events), marks)
