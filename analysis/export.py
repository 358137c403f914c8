"""What a recording has, for other programs: its intervals as a table, chosen signals as an NWB file."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

import recorder
from analysis.derived_file import derived_file, tick_range, write_file
from recorder.opening import RecordingPath
from recorder.reading import Recording
from recorder.schema import Series
from rig.errors import UserError
from rig.output_file import check_output, replacing


@dataclass(frozen=True)
class Row:
    """Something that happened, a row of the table; times in seconds of animal time.

    `kind` is "behaviour", "stimulus", "trial", "task_event", "note" or "input". What has no duration stops
    when it starts. Ticks are -1 where there is none: `tick` when it was found or took effect, `began_tick`
    when, looking back, it began. `condition` is that of the trial.
    """

    kind: str
    name: str
    start_s: float
    stop_s: float
    tick: int
    began_tick: int
    number: int
    sham: bool
    trial: int
    condition: str


def interval_rows(
    recording: Recording, from_s: float | None = None, to_s: float | None = None
) -> list[Row]:
    """Behaviours, stimuli, trials, events of the task, notes and inputs that touch this stretch, by start.

    Args:
        recording: an open recording.
        from_s: where the stretch begins, s of animal time; the recording's beginning if left out.
        to_s: where it ends, not included; the recording's end if left out.

    Raises:
        UserError: nothing was recorded there.
    """
    tick_s = recording.description.tick_s
    first, last = tick_range(recording, from_s, to_s)

    def row(
        kind: str,
        name: str,
        start_s: float,
        stop_s: float,
        tick: int,
        began_tick: int = -1,
        number: int = -1,
        sham: bool = False,
    ) -> Row:
        trial = recording.trial_of(max(tick, began_tick, recording.first_tick))
        place = (trial.trial, trial.condition) if trial else (-1, "")
        return Row(kind, name, start_s, stop_s, tick, began_tick, number, sham, *place)

    rows = [
        row(
            kind,
            each.name,
            each.start_s,
            each.stop_s,
            each.onset_tick,
            each.began_tick,
            each.number,
            each.sham,
        )
        for kind, table in (("behaviour", "behaviours"), ("stimulus", "stimuli"))
        for each in recording.intervals(table)
    ]
    rows += [
        row("trial", str(each.trial), each.start_s, each.stop_s, each.first_tick, number=each.trial)
        for each in recording.trials
    ]
    rows += [
        row("task_event", each.name, each.time_s, each.time_s, each.tick)
        for each in recording.task_events
    ]
    rows += [
        row("input", f"{given.kind} {given.name}".strip(), tick * tick_s, tick * tick_s, tick)
        for tick, given in recording.inputs
        if given.kind != "note"
    ]
    rows += [
        row("note", text, tick * tick_s, tick * tick_s, tick) for tick, text in recording.notes
    ]
    begin_s, end_s = first * tick_s, (last + 1) * tick_s
    return sorted(
        (
            each
            for each in rows
            # what stops at the beginning is over; what has no duration may be right at it
            if each.start_s < end_s and (each.stop_s > begin_s or each.start_s >= begin_s)
        ),
        key=lambda each: (each.start_s, each.kind, each.name),
    )


def export_intervals(
    where: RecordingPath,
    out: Path,
    from_s: float | None = None,
    to_s: float | None = None,
    overwrite: bool = False,
) -> int:
    """Write `interval_rows` as CSV, or as Parquet if `out` ends so; returns the number of rows.

    Args:
        where: the recording, as `recorder.open` takes it.
        out: the file.
        from_s: where the stretch begins, s of animal time; the recording's beginning if left out.
        to_s: where it ends, not included; the recording's end if left out.
        overwrite: an existing file is replaced.

    Raises:
        UserError: for what is no recording, a stretch outside it, or a file that cannot go there.
    """
    with recorder.open(where) as recording:
        rows = interval_rows(recording, from_s, to_s)
        files = recording.files
    check_output(out, reads=files, overwrite=overwrite)
    with replacing(out, overwrite) as partial:
        if out.suffix.lower() == ".parquet":
            _write_parquet(rows, partial)
        else:
            with partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, [field.name for field in fields(Row)])
                writer.writeheader()
                writer.writerows(asdict(row) for row in rows)
    return len(rows)


def chosen_signals(
    recording: Recording, names: tuple[str, ...]
) -> dict[str, tuple[Series, list[int]]]:
    """What each name stands for: a series, and which of its columns.

    A name is that of a series ("body"), or of a column or a group of columns of one ("body/head_z",
    "h_applied/policy_2").

    Raises:
        UserError: for a name that stands for nothing, with what there is.
    """
    found = {}
    for name in names:
        series_name, _, column = name.partition("/")
        series = recording.series.get(series_name)
        if series is None:
            raise UserError(
                f"{recording.path} has no series {series_name!r}; it has "
                f"{', '.join(sorted(recording.series))}."
            )
        wanted = [
            k
            for k, each in enumerate(series.columns)
            if each == column or each.startswith(f"{column}/")
        ]
        if column and not wanted:
            raise UserError(
                f"{series_name} has no column {column!r}; its columns are "
                f"{', '.join(series.columns[:8]) or 'without names'}"
                f"{', …' if len(series.columns) > 8 else ''}."
            )
        found[name] = (series, wanted)
    return found


def export_signals(
    where: RecordingPath,
    names: tuple[str, ...],
    out: Path,
    from_s: float | None = None,
    to_s: float | None = None,
    overwrite: bool = False,
) -> int:
    """Write chosen signals (`chosen_signals`) as an NWB file of their own; returns the number of ticks.

    With the session's trials, behaviours and stimuli; times stay those of the session.

    Args:
        where: the recording, as `recorder.open` takes it.
        names: of series, columns or groups of columns.
        out: the file.
        from_s: where the stretch begins, s of animal time; the recording's beginning if left out.
        to_s: where it ends, not included; the recording's end if left out.
        overwrite: an existing file is replaced.

    Raises:
        UserError: as `chosen_signals`, or as `export_intervals`.
    """
    from pynwb import TimeSeries

    with recorder.open(where) as recording:
        chosen = chosen_signals(recording, names)
        first, last = tick_range(recording, from_s, to_s)
        nwb = derived_file(recording, "Chosen signals.", first, last)
        times_s = recording.times_s(first, last)
        # a rate, which more programs can use than time stamps, where no tick is missing
        tick_s = recording.description.tick_s
        regular = len(times_s) == last - first + 1
        clock = (
            {"starting_time": first * tick_s, "rate": 1 / tick_s}
            if regular
            else {"timestamps": times_s}
        )
        for name, (series, columns) in chosen.items():
            data = recording.values(series.name, first, last)
            shown = [series.columns[k] for k in columns] if columns else list(series.columns)
            nwb.add_acquisition(
                TimeSeries(
                    name=name.replace("/", "_"),
                    data=data[:, columns] if columns else data,
                    unit=_unit(series, columns),
                    **clock,
                    description=series.about,
                    comments=f"columns: {', '.join(shown)}" if shown else "A number a tick.",
                )
            )
        write_file(nwb, recording, (first, last), out, overwrite)
        return len(np.asarray(times_s))


def _unit(series: Series, columns: list[int]) -> str:
    """The unit of these columns of a series; the series' own where they have several."""
    units = {series.column_units[k] for k in columns}
    return units.pop() if len(units) == 1 else series.unit


def _write_parquet(rows: list[Row], file: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(
            "Parquet needs pyarrow (`pip install pyarrow`); .csv works without it."
        ) from None
    kinds = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}
    columns = {
        field.name: pa.array([getattr(row, field.name) for row in rows], kinds[str(field.type)])
        for field in fields(Row)
    }
    pq.write_table(pa.table(columns), file)
