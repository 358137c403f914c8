"""An open recording: its session as arrays, pynapple objects, intervals and events, read when asked for.

    import recorder
    recording = recorder.open("session.nwb")
    recording.activity("policy_2")          # pynapple TsdFrame, one column per unit
    recording.behaviours["run"]             # pynapple IntervalSet
    recording.values("qpos", 100, 200)      # plain arrays, by tick

A file that is being recorded is read as it grows (`refresh` brings what came since). `recorder.opening`
opens them.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np

from recorder.file_rotation import parts_of
from recorder.integrity import parsed
from recorder.interval_sets import IntervalSets, causes_of, interval_sets
from recorder.layout import TIMESTAMPS
from recorder.props import RecordedProps
from recorder.schema import unit_names
from recorder.series_reader import SeriesReader
from recorder.table_schema import interval_table, stimuli_of
from recorder.tables import (
    Interval,
    LogEntry,
    TaskEvent,
    Trial,
    disarmed_spans,
    note_tick,
    read_events,
    read_inputs,
    read_intervals,
    read_log,
    read_task_events,
    read_trials,
)
from rig.bus.message_types import Array, End, Event, Fault, Input
from rig.errors import UserError

if TYPE_CHECKING:
    import pynapple as nap
    from pynwb import NWBFile


def _refresh(_: str, node: h5py.Dataset | h5py.Group) -> None:
    if isinstance(node, h5py.Dataset):
        node.refresh()


class Recording(SeriesReader):
    """A recorded session. Use `recorder.open`; close it, or use it in a `with` block.

    `state` is that of `SeriesReader`.
    `part` is its number, from 0, where the recording is in several files.
    Ticks are those of the session; a recording may start in its middle. Times are animal time in
    seconds, 0 at tick 0.
    """

    @property
    def name(self) -> str:
        """What it is called: "F.nwb", or "F.nwb and 2 more" of several files."""
        more = len(self.files) - 1
        return f"{self.path.name} and {more} more" if more else self.path.name

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read here: this one, or all that were opened together."""
        return (self.path,)

    @property
    def parts(self) -> tuple[Path, ...]:
        """The files of a recording in several, in order, as far as they lie here; else this one.

        Each is a recording by itself; their ticks follow each other without one missing or twice.
        """
        return tuple(parts_of(self.path, self.header).values())

    @property
    def continues(self) -> bool:
        """Whether the recording continues in a further file."""
        # a recorder that was killed just then never began the next one
        kinds = [each.kind for each in self.log if each.kind in ("goes on", "recovery")]
        return kinds[-1:] == ["goes on"]

    # --- as pynapple objects --------------------------------------------------------------------

    def activity(
        self,
        layer: str | None = None,
        state: str = "c",
        applied: bool = True,
        start_s: float | None = None,
        stop_s: float | None = None,
    ) -> nap.TsdFrame:
        """Activity of units: (ticks, units) float32, times in seconds, columns named like "core/17".

        Args:
            layer: a layer's name; None: all layers, in their order.
            state: "c", the cell state, or "h", the hidden state.
            applied: the values after interventions; else those that the network computed.
            start_s: from this animal time on; None: from the beginning.
            stop_s: up to this animal time; None: to the end.

        Raises:
            UserError: for a layer or state that is not there.
        """
        if state not in ("c", "h"):
            raise UserError(f"A unit has the states c and h, not {state!r}.")
        series = f"{state}_{'applied' if applied else 'natural'}"
        names = unit_names(self.description)
        first, last = self._units_of(layer)
        rows = self._rows_between(start_s, stop_s)
        data = self.block(series, rows, slice(first, last))
        return self._frame(data, rows, names[first:last])

    def frame(
        self, name: str, start_s: float | None = None, stop_s: float | None = None
    ) -> nap.TsdFrame | nap.Tsd:
        """Any series: (ticks, columns), a signal (ticks × samples, channels); a Tsd if it is one value.

        Args:
            name: one of `series`.
            start_s: from this animal time on; None: from the beginning.
            stop_s: up to this animal time; None: to the end.

        Raises:
            UserError: if there is no such series, or it cannot be read.
        """
        import pynapple as nap

        if name not in self.series:
            self.values(name)  # says what there is
        rows = self._rows_between(start_s, stop_s)
        series = self.series[name]
        data = self.block(name, rows)
        if series.samples == 1:
            return self._frame(data, rows, series.columns)
        times = self._read(f"{series.path}/timestamps", rows, series.samples)
        return nap.TsdFrame(t=times, d=data.reshape(-1, *series.shape))

    @property
    def behaviours(self) -> IntervalSets:
        """The intervals of each behaviour, in seconds; metadata: number, onset_tick, offset_tick (int64).

        Where some of one name overlap, they are in several sets: see `stimuli`.
        """
        columns = ("number", "onset_tick", "offset_tick")
        return interval_sets(
            self.intervals("behaviours"), self.description.behaviours, columns, causes={}
        )

    @property
    def stimuli(self) -> IntervalSets:
        """The intervals of each stimulus, in seconds; those of stimuli from outside are under "outside".

        Metadata: number, onset_tick, offset_tick (int64), and sham (bool): drawn and timed, not delivered.

        pynapple would join intervals that overlap. Where some of one name do, say "silence", they are in
        several sets, told apart by sham ("silence_delivered", "silence_sham"), by rule ("silence_rule_2"),
        or by the client's name; `stimuli["silence"]` then raises `UserError`, which names them.
        """
        columns = ("number", "onset_tick", "offset_tick", "sham")
        names = stimuli_of(self.description)
        return interval_sets(self.intervals("stimuli"), names, columns, causes_of(self.events))

    @property
    def trial_set(self) -> nap.IntervalSet:
        """The trials, in seconds; metadata: trial, first_tick (int64) and condition (text, "" for none)."""
        import pynapple as nap

        trials = [trial for trial in self.trials if trial.stop_s > trial.start_s]
        return nap.IntervalSet(
            # pynapple joins intervals that touch; a microsecond keeps trials apart
            np.array([trial.start_s for trial in trials]),
            np.array([trial.stop_s - 1e-6 for trial in trials]),
            metadata={
                "trial": np.array([trial.trial for trial in trials]),
                "first_tick": np.array([trial.first_tick for trial in trials]),
                "condition": np.array([trial.condition for trial in trials]),
            },
        )

    @property
    def task_event_times(self) -> dict[str, nap.Ts]:
        """When each event of the task happened, in seconds: (occurrences,) float64 by its name."""
        import pynapple as nap

        found = self.task_events
        names = dict.fromkeys((*self.description.task_events, *(each.name for each in found)))
        return {
            name: nap.Ts(np.array([each.time_s for each in found if each.name == name]))
            for name in names
        }

    # --- events --------------------------------------------------------------------------------

    def intervals(self, table: str) -> tuple[Interval, ...]:
        """The rows of the table "behaviours" or "stimuli", in the order in which they began."""
        rows = self.table(interval_table(table, self.header.layout))
        return read_intervals(rows, table, self._now_s)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The trials, in order; the open one stops, for now, with the last tick."""
        return read_trials(self.table("intervals/trials"), self._now_s)

    @property
    def events(self) -> list[tuple[int, Event]]:
        """Every event, with the tick whose answer brought it."""
        return read_events(self.table("processing/record/events"))

    @property
    def task_events(self) -> tuple[TaskEvent, ...]:
        """The events of the task, in order."""
        return read_task_events(self.table("processing/record/task_events"))

    @property
    def inputs(self) -> tuple[tuple[int, Input], ...]:
        """What came from outside (keys, notes, stimuli of clients), each with the tick that it reached."""
        return read_inputs(self.table("processing/record/inputs"))

    @property
    def notes(self) -> tuple[tuple[int, str], ...]:
        """The operator's notes in the order of time, each with the tick that it is of."""
        found = [
            (note_tick(given, tick), given.name)
            for tick, given in self.inputs
            if given.kind == "note"
        ]
        return tuple(sorted(found, key=lambda note: note[0]))

    @property
    def disarmed(self) -> tuple[tuple[int, int], ...]:
        """From which tick to which (not included) the protocol was disarmed; -1: to the end."""
        description, inputs = self.description, list(self.inputs)
        texts = [*(each.protocol_text for each in description.branched), description.protocol_text]
        for left, (before, after) in zip(description.branched, pairwise(texts), strict=True):
            # another protocol is armed; before the first tick, what the description says counts
            if before != after and left.tick >= self.first_tick:
                inputs.append((left.tick, Input("arm", "")))
        inputs.sort(key=lambda each: each[0])
        return disarmed_spans(description.armed, self.first_tick, inputs)

    @property
    def log(self) -> tuple[LogEntry, ...]:
        """What the recorder noted: faults, gaps, how the session ended, whether it was repaired."""
        return read_log(self.table("processing/record/log"))

    @property
    def faults(self) -> tuple[tuple[int, Fault], ...]:
        """The session's faults, each with its tick."""
        return tuple(
            (entry.tick, parsed(self.path, entry.text, Fault))
            for entry in self.log
            if entry.kind == "fault"
        )

    @property
    def end(self) -> End | None:
        """How the session ended; None if the recording did not see it."""
        ends = [entry for entry in self.log if entry.kind == "end"]
        return parsed(self.path, ends[-1].text, End) if ends else None

    # --- the model ------------------------------------------------------------------------------

    def trial_of(self, tick: int) -> Trial | None:
        """The trial that a tick belongs to; None before the first."""
        started = [trial for trial in self.trials if trial.first_tick <= tick]
        return started[-1] if started else None

    def model_xml(self, trial: Trial) -> str:
        """The model of a trial as MJCF text; its files are `assets`."""
        texts = self.table("scratch/models").texts("xml", trial.model, trial.model + 1)
        return texts[0] if texts else ""

    def model_props(self, trial: Trial) -> tuple[str, ...]:
        """The geoms in a trial's model that its task moves or lets look otherwise: the rows of `props`."""
        rows = self.table("scratch/models")
        if not rows.has("props"):  # recorded by an earlier version
            return ()
        texts = rows.texts("props", trial.model, trial.model + 1)
        return parsed(self.path, texts[0], tuple[str, ...]) if texts else ()

    @property
    def props(self) -> RecordedProps:
        """Where the orbs, and what else the task moves, were at any tick, and how they looked."""
        starts = [trial.first_tick for trial in self.trials]
        return RecordedProps(self.table("processing/record/props"), starts)

    @cached_property
    def assets(self) -> dict[str, Array]:
        """The files that the models name: (bytes,) uint8 by file name."""
        rows = self.table("scratch/assets")
        return dict(zip(rows.plain_texts("file_name"), rows.ragged("content"), strict=True))

    @cached_property
    def nwb(self) -> NWBFile:
        """The file as pynwb sees it."""
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pynwb import NWBHDF5IO

            if self.file.swmr_mode:  # pynwb does not ask how long a data set has become
                self.file.visititems(_refresh)
            self._io = NWBHDF5IO(file=self.file, mode="r")
            return self._io.read()

    def close(self) -> None:
        """Closes the file."""
        self.__dict__.pop("nwb", None)
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- inside ---------------------------------------------------------------------------------

    @property
    def _now_s(self) -> float:
        return (self.last_tick + 1) * self.description.tick_s

    def _units_of(self, layer: str | None) -> tuple[int, int]:
        first = 0
        for each in self.description.layers:
            if each.name == layer:
                return first, first + each.n_units
            first += each.n_units
        if layer is None:
            return 0, first
        names = ", ".join(each.name for each in self.description.layers)
        raise UserError(f"The subject has no layer {layer!r}; its layers are {names}.")

    def _rows_between(self, start_s: float | None, stop_s: float | None) -> slice:
        tick_s = self.description.tick_s
        first = None if start_s is None else round(start_s / tick_s)
        last = None if stop_s is None else round(stop_s / tick_s) - 1
        return self.rows(first, last)

    def _frame(self, data: Array, rows: slice, columns: tuple[str, ...]) -> Any:
        import pynapple as nap

        times = self._read(TIMESTAMPS, rows)
        if data.ndim == 1:
            return nap.Tsd(t=times, d=data)
        return nap.TsdFrame(t=times, d=data, columns=list(columns) if columns else None)
