"""What is looked at first in a recording, as lines with their axes, numbers and units, for any display.

    with recorder.open("F.nwb") as recording:
        chart = spectrum_chart(recording, "policy_2")
    chart.lines[0].y          # (frequencies,) 1/Hz
    chart.rows()              # for a CSV file

The computing is that of `analysis.spectra`, `event_average`, `tuning` and `components`. Recordings are read a
block at a time; before each, `report(share, words)` is called, which may end the work by raising.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.components import fit
from analysis.event_average import event_average
from analysis.spectra import population_spectrum
from analysis.tuning import tuning
from recorder.reading import Recording
from recorder.schema import unit_names
from rig.body_quantities import unit_of
from rig.errors import UserError

BLOCK_TICKS = 2000
FEWEST_TICKS = 8
MOST_UNITS = 16
"""Lines of units in one chart."""
BINS = 20
NONE = "none of these"
MOST_COLOURS = 5
"""Behaviours that are told apart in a trajectory."""
STATES = {"c": "cell state c", "h": "hidden state h"}

Array = NDArray[np.float64]
Report = Callable[[float, str], None]


def _quiet(_: float, __: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: what it is of.
        x, y: (points,), NaN where there is a gap.
        sem: (points,) standard error of `y`; None where it has none.
        n: (points,) how many events, visits or ticks each point rests on; None: does not apply.
        group: lines of one group have one colour; "": a colour of its own.
        dashed: whether it is the one to compare with, such as a sham.
    """

    name: str
    x: Array
    y: Array
    sem: Array | None = None
    n: NDArray[np.int64] | None = None
    group: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines with what stands beside them.

    Attributes:
        title: what is shown.
        x_label, y_label: of the axes, with their units.
        lines: in the order in which they are listed.
        said: how much it rests on, in a sentence.
        log: whether both axes are logarithmic.
        equal: whether a unit of x is as long as one of y: it is a path, its lines called by behaviours.
        mark: an x at which something happens; None: there is none.
        n_label: what `Line.n` counts.
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    said: str
    log: bool = False
    equal: bool = False
    mark: float | None = None
    n_label: str = "n"

    def rows(self) -> list[tuple[str, ...]]:
        """Every point as text, with a first row that says what stands in the columns."""
        found: list[tuple[str, ...]] = [
            ("line", self.x_label, self.y_label, "standard error", self.n_label)
        ]
        for line in self.lines:
            for k in range(len(line.x)):
                sem = "" if line.sem is None else f"{line.sem[k]:.9g}"
                n = "" if line.n is None else str(int(line.n[k]))
                found.append((line.name, f"{line.x[k]:.9g}", f"{line.y[k]:.9g}", sem, n))
        return found


def spectrum_chart(recording: Recording, layer: str, report: Report = _quiet) -> Chart:
    """The power spectrum of a layer's activity, of c and of h as applied.

    Args:
        recording: is open.
        layer: its name.
        report: see above.

    Raises:
        UserError: there is no such layer, or the trials are too short.
    """
    columns = _columns(recording, layer)
    rate_hz = 1.0 / recording.description.tick_s
    lines = []
    trials = _trials(recording, FEWEST_TICKS)
    for place, state in enumerate(STATES):
        values = _activity(recording, state, columns, _part(report, place / 2, 0.4))
        report(place / 2 + 0.4, f"spectrum of {state}")
        parts = [values[rows] for rows in trials]
        try:
            found = population_spectrum(parts, rate_hz)
        except ValueError as problem:
            raise UserError(f"{layer} has no spectrum: {problem}.") from None
        lines.append(Line(STATES[state], found.hz, found.density))
    longest = max(rows.stop - rows.start for rows in trials)
    window_s = found.window_s
    used = sum(rows.stop - rows.start >= min(round(window_s * rate_hz), longest) for rows in trials)
    return Chart(
        f"Power spectrum of {layer}",
        "frequency (Hz)",
        "power density, area 1 (1/Hz)",
        tuple(lines),
        f"n = {used} of {len(trials)} trials; Welch windows of {window_s:.3g} s over the first ten principal "
        "components, slow drift removed.",
        log=True,
    )


def average_chart(
    recording: Recording,
    units: Sequence[int],
    state: str,
    events: dict[str, Sequence[int]],
    span_s: tuple[float, float] = (0.5, 1.0),
    report: Report = _quiet,
) -> Chart:
    """The average activity of units around events, with its standard error.

    Args:
        recording: is open.
        units: by their numbers over all layers.
        state: "c" or "h", as applied.
        events: ticks by what they are, such as "silence" and "silence (sham)": a line for each.
        span_s: so long before and after each event.
        report: see above.

    Raises:
        UserError: no unit is given, or there is no event.
    """
    chosen = _chosen(recording, units)
    if not any(len(ticks) for ticks in events.values()):
        raise UserError(f"There is no {' or '.join(events)} in {recording.name}.")
    values = _activity(recording, state, chosen, _part(report, 0.0, 0.8))
    trial = recording.values("trial")
    names = unit_names(recording.description)
    tick_s = recording.description.tick_s
    before, after = (round(each / tick_s) for each in span_s)
    lines, counts = [], []
    for place, (name, ticks) in enumerate(events.items()):
        report(0.8 + 0.2 * place / len(events), f"around {name}")
        rows = np.searchsorted(recording.ticks, np.asarray(ticks, np.int64))
        known = rows < recording.n_ticks
        known[known] = recording.ticks[rows[known]] == np.asarray(ticks)[known]
        found = event_average(
            values, rows[known], before=before, after=after + 1, tick_s=tick_s, trial=trial
        )
        counts.append(f"{found.n_events} × {name}")
        for k, unit in enumerate(chosen):
            title = names[unit] if len(events) == 1 else f"{names[unit]}, {name}"
            mean, sem = found.mean[:, k], found.sem[:, k]
            sham = name.endswith("(sham)")
            lines.append(Line(title, found.time_s, mean, sem, found.n, names[unit], sham))
    return Chart(
        f"Average around {' and '.join(events)}",
        "time since the event (s)",
        f"{STATES[state]}, as applied",
        tuple(lines),
        f"n = {', '.join(counts)}; shaded: standard error of the mean. Ticks of another trial do not count."
        + _left_out(units),
        mark=0.0,
        n_label="events",
    )


def tuning_chart(
    recording: Recording, units: Sequence[int], state: str, quantity: str, report: Report = _quiet
) -> Chart:
    """How the activity of units depends on an entry of the body state.

    Args:
        recording: is open.
        units: by their numbers over all layers.
        state: "c" or "h", as applied.
        quantity: an entry of the body state, such as "forward_speed".
        report: see above.

    Raises:
        UserError: no unit is given, or there is no such entry, or it does not vary.
    """
    chosen = _chosen(recording, units)
    entries = recording.description.body_state
    if quantity not in entries:
        raise UserError(f"The body state has no {quantity!r}; it has {', '.join(entries)}.")
    values = _activity(recording, state, chosen, _part(report, 0.0, 0.8))
    report(0.8, quantity)
    variable = recording.block("body", slice(0, recording.n_ticks))[:, entries.index(quantity)]
    finite = variable[np.isfinite(variable)]
    if not len(finite) or np.ptp(finite) == 0:
        raise UserError(f"{quantity} does not vary in {recording.name}.")
    # the rarest hundredth at either end would spread the bins over what hardly ever happens
    low, high = np.quantile(finite, [0.01, 0.99])
    if high <= low:
        low, high = finite.min(), finite.max()
    found = tuning(
        values,
        variable,
        np.linspace(low, high, BINS + 1),
        tick_s=recording.description.tick_s,
        trial=recording.values("trial"),
    )
    names = unit_names(recording.description)
    lines = tuple(
        Line(names[unit], found.centre, found.mean[:, k], found.sem[:, k], found.n_visits)
        for k, unit in enumerate(chosen)
    )
    unit = unit_of(quantity)
    return Chart(
        f"Tuning to {quantity.replace('_', ' ')}",
        f"{quantity.replace('_', ' ')} ({unit})",
        f"{STATES[state]}, as applied",
        lines,
        f"n = {found.occupancy_s.sum():.1f} s in {int(found.n_visits.sum())} visits of {BINS} bins between "
        f"the 1st and 99th percentile; shaded: standard error over visits.{_left_out(units)}",
        n_label="visits",
    )


def trajectory_chart(
    recording: Recording,
    layer: str,
    state: str,
    behaviours: dict[str, Sequence[tuple[int, int]]],
    report: Report = _quiet,
) -> Chart:
    """The path of a layer's activity in its first two principal components, by what the animal did.

    Args:
        recording: is open.
        layer: its name.
        state: "c" or "h", as applied.
        behaviours: intervals (first tick, tick after the last) by behaviour; the ones that last longest are
            told apart.
        report: see above.

    Raises:
        UserError: there is no such layer, or too little of it.
    """
    columns = _columns(recording, layer)
    values = _activity(recording, state, columns, _part(report, 0.0, 0.8))
    report(0.8, "principal components")
    try:
        components = fit(values, 2)
    except ValueError as problem:
        raise UserError(f"{layer} has no components: {problem}.") from None
    path = components.project(values)
    first_of_trial = np.diff(recording.values("trial"), prepend=-1) != 0
    lasting = {name: sum(b - a for a, b in found) for name, found in behaviours.items()}
    shown = sorted((name for name in lasting if lasting[name]), key=lambda name: -lasting[name])
    taken = np.zeros(len(path), bool)
    lines = []
    for name in reversed(
        shown[:MOST_COLOURS]
    ):  # the rarer ones come first: what they overlap is theirs
        own = np.zeros(len(path), bool)
        for begin, end in behaviours[name]:
            rows = recording.rows(begin, end - 1)
            own[rows] = True
        lines.append(_stretches(name, path, own & ~taken, first_of_trial))
        taken |= own
    lines.append(_stretches(NONE, path, ~taken, first_of_trial))
    one, two = (100 * share for share in components.explained)
    return Chart(
        f"Trajectory of {layer}",
        f"component 1 ({one:.0f} % of the variance)",
        f"component 2 ({two:.0f} %)",
        tuple(line for line in reversed(lines) if np.isfinite(line.y).any()),
        f"n = {len(path)} ticks of {STATES[state]}, as applied, of {len(columns)} units.",
        equal=True,
    )


def _stretches(
    name: str, path: Array, own: NDArray[np.bool_], first_of_trial: NDArray[np.bool_]
) -> Line:
    """The part of a path that is somebody's, each stretch to the next tick, none beyond a trial."""
    cut = path.copy()
    reach = own.copy()
    reach[1:] |= own[:-1] & ~first_of_trial[1:]
    cut[~reach] = np.nan
    x, y = cut[:, 0], cut[:, 1]
    breaks = np.flatnonzero(first_of_trial[1:] & reach[1:]) + 1
    x, y = np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan)
    return Line(name, x, y)


def _chosen(recording: Recording, units: Sequence[int]) -> list[int]:
    n_units = len(unit_names(recording.description))
    chosen = [unit for unit in units if 0 <= unit < n_units][:MOST_UNITS]
    if not chosen:
        raise UserError("No unit is selected: click one in the raster.")
    return chosen


def _left_out(units: Sequence[int]) -> str:
    """Says so where not all units are shown."""
    return f" The first {MOST_UNITS} of {len(units)} units." if len(units) > MOST_UNITS else ""


def _columns(recording: Recording, layer: str) -> list[int]:
    first = 0
    for each in recording.description.layers:
        if each.name == layer:
            return list(range(first, first + each.n_units))
        first += each.n_units
    names = ", ".join(each.name for each in recording.description.layers)
    raise UserError(f"The subject has no layer {layer!r}; its layers are {names}.")


def _activity(recording: Recording, state: str, columns: Sequence[int], report: Report) -> Array:
    """(ticks, units) of these units, as applied, read a block at a time."""
    if state not in STATES:
        raise UserError(f"A unit has the states c and h, not {state!r}.")
    low, high = min(columns), max(columns) + 1
    own = np.asarray(columns) - low
    blocks = []
    for rows in _blocks(recording.n_ticks):
        report(rows.start / max(recording.n_ticks, 1), f"reading {state}")
        blocks.append(recording.block(f"{state}_applied", rows, slice(low, high))[:, own])
    return np.concatenate(blocks).astype(np.float64)


def _blocks(n: int) -> Iterator[slice]:
    for begin in range(0, n, BLOCK_TICKS):
        yield slice(begin, min(begin + BLOCK_TICKS, n))


def _trials(recording: Recording, fewest: int) -> list[slice]:
    """The rows of each trial that has so many ticks."""
    starts = np.flatnonzero(np.diff(recording.values("trial"), prepend=-1))
    ends = [*starts[1:].tolist(), recording.n_ticks]
    found = [slice(a, b) for a, b in zip(starts.tolist(), ends, strict=True) if b - a >= fewest]
    if not found:
        raise UserError(f"{recording.name} has no trial of {fewest} ticks.")
    return found


def _part(report: Report, begin: float, length: float) -> Report:
    return lambda share, words: report(begin + length * share, words)
