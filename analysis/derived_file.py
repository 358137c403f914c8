"""A new NWB file made from a recording: who and what it was, its trials, behaviours and stimuli."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

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
    """The file, in memory, with the intervals that touch these ticks; times stay those of the session.

    Args:
        what: what was made of the recording, a sentence for the file's notes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pynwb.epoch import TimeIntervals

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
    for name, about in (("behaviours", "Behaviours, as detected."), ("stimuli", "Stimuli.")):
        found = [
            each
            for each in recording.intervals(name)
            if each.start_s < stop_s and each.stop_s > start_s
        ]
        if not found:
            continue
        table = TimeIntervals(name=name, description=about)
        table.add_column("label", "Which one.")
        table.add_column("number", "Counts the occurrences of this name in the session.")
        table.add_column("sham", "Drawn, timed and recorded, but not delivered.")
        for each in found:
            table.add_row(
                start_time=each.start_s,
                stop_time=each.stop_s,
                label=each.name,
                number=each.number,
                sham=each.sham,
            )
        nwb.add_time_intervals(table)
    return nwb


def write_file(
    nwb: NWBFile, out: Path, overwrite: bool = False, reads: Iterable[Path] = ()
) -> None:
    """Write the file; it appears under its name when it is whole.

    Args:
        nwb: the file, in memory.
        out: its path.
        overwrite: an existing file is replaced.
        reads: what it is made from, which it must not replace.

    Raises:
        UserError: it cannot go there.
        RunError: it could not be written.
    """
    from pynwb import NWBHDF5IO

    check_target(out, overwrite, reads)
    with replacing(out, overwrite) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(str(partial), "w") as io:
            io.write(nwb)
