"""A virtual probe: what a spiking recording of the units would look like. An emulation, not a measurement.

The network has no spikes; its units have activity, one value a tick. To run ordinary spike analyses, each
unit is given a spike train: an inhomogeneous Poisson process whose rate follows the activity, with an
absolute refractory period. The numbers come from the session's counter-based generators, drawn for every
unit and tick alike, whatever the activity: the same recording gives the same spikes, and two recordings
that share a seed differ in their spikes only where their activity differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import poisson

import recorder
from analysis.derived_file import derived_file, span, write_file
from recorder.contents import unit_names
from recorder.reading import Recording
from rig.errors import UserError
from rig.random_streams import generator

if TYPE_CHECKING:
    import pynapple as nap

Drive = Literal["magnitude", "scaled"]

STREAM = "spikes"
_TICKS_AT_A_TIME = 250
_ROWS_FOR_PERCENTILES = 20_000
_NEGLIGIBLE = 1e-9
"""More candidates in a tick than this probability allows are left out."""


@dataclass(frozen=True)
class Probe:
    """How activity becomes spikes.

    Attributes:
        lowest_hz, highest_hz: each unit's rate at no drive and at full drive; one number for all units or
            one for each.
        refractory_ms: absolute; no two spikes of a unit are closer. The rates are those with it.
        drive: "magnitude": |h|, which is between 0 and 1 (an LSTM's h is bounded by ±1); "scaled": h from
            the 1st to the 99th percentile of the unit's own, so that every unit uses its whole range.
    """

    lowest_hz: ArrayLike = 0.5
    highest_hz: ArrayLike = 50.0
    refractory_ms: float = 2.0
    drive: Drive = "magnitude"

    def check(self, n_units: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest rate of every unit, (n_units,), in Hz.

        Raises `UserError` for rates that are no rates, or that the refractory period does not allow.
        """
        lowest, highest = (
            np.broadcast_to(np.asarray(rate, np.float64), n_units)
            for rate in (self.lowest_hz, self.highest_hz)
        )
        if not 0 <= self.refractory_ms <= 100:
            raise UserError(f"A refractory period is 0 to 100 ms, not {self.refractory_ms:g}.")
        most = 500.0 if self.refractory_ms == 0 else min(500.0, 800.0 / self.refractory_ms)
        if not (np.all(lowest >= 0) and np.all(lowest <= highest) and np.all(highest <= most)):
            raise UserError(
                f"Rates are 0 or more, the lower first, and with a refractory period of "
                f"{self.refractory_ms:g} ms at most {most:g} Hz; not {np.min(lowest):g} to "
                f"{np.max(highest):g}."
            )
        return lowest, highest


def spike_trains(
    recording: Recording,
    probe: Probe | None = None,
    *,
    applied: bool = True,
    seed: int | None = None,
    from_s: float | None = None,
    to_s: float | None = None,
) -> list[NDArray[np.float64]]:
    """The spike times of every unit, in seconds of animal time, in the order of the activity arrays.

    Args:
        recording: an open recording.
        probe: how; `Probe()` if left out.
        applied: from the activity after interventions, else from that before.
        seed: that of the session if left out.
        from_s, to_s: only this stretch.

    Raises:
        UserError: as `Probe.check`; or nothing was recorded there.
    """
    probe = probe or Probe()
    described = recording.description
    n_units = sum(layer.n_units for layer in described.layers)
    lowest, highest = probe.check(n_units)
    first, last = span(recording, from_s, to_s)
    name = "h_applied" if applied else "h_natural"
    drive = _drive(recording, name, probe.drive, first, last)
    refractory_s = probe.refractory_ms / 1e3
    # between spikes the process is faster, so that with the pauses the rate is the one asked for
    most = highest / (1.0 - highest * refractory_s)
    offers = _Offers(described.seed if seed is None else seed, most, described.tick_s)
    units, times = [], []
    for tick, activity in _ticks(recording, name, first, last):
        rate = lowest + (highest - lowest) * drive(activity)
        unit, time_s = offers.taken(tick, rate / (1.0 - rate * refractory_s))
        units.append(unit)
        times.append(time_s)
    unit, time_s = np.concatenate(units), np.concatenate(times)
    order = np.lexsort((time_s, unit))
    parts = np.split(time_s[order], np.cumsum(np.bincount(unit, minlength=n_units))[:-1])
    return [_with_pauses(part, refractory_s) for part in parts]


def spikes(
    recording: Recording, probe: Probe | None = None, *, applied: bool = True
) -> nap.TsGroup:
    """The same as a pynapple TsGroup, with the units' names and layers as metadata."""
    import pynapple as nap

    trains = spike_trains(recording, probe, applied=applied)
    names = unit_names(recording.description)
    tick_s = recording.description.tick_s
    support = nap.IntervalSet(recording.first_tick * tick_s, (recording.last_tick + 1) * tick_s)
    return nap.TsGroup(
        {k: nap.Ts(train) for k, train in enumerate(trains)},
        time_support=support,
        metadata={
            "unit_name": np.array(names),
            "layer": np.array([name.split("/")[0] for name in names]),
        },
    )


def write_spikes(
    recording_path: Path,
    out: Path,
    probe: Probe | None = None,
    *,
    applied: bool = True,
    seed: int | None = None,
    overwrite: bool = False,
) -> int:
    """Writes the spike trains of a recording as NWB `Units`; returns the number of spikes.

    The file also has the session's trials, behaviours and stimuli. Raises `UserError` as
    `spike_trains`, and where the file cannot go there.
    """
    probe = probe or Probe()
    with recorder.open(recording_path) as recording:
        trains = spike_trains(recording, probe, applied=applied, seed=seed)
        nwb = derived_file(
            recording,
            "Spike trains are EMULATED: Poisson processes driven by the activity of an LSTM's units "
            f"({probe}, {'applied' if applied else 'natural'} activity). There are no spikes in the network.",
            recording.first_tick,
            recording.last_tick,
        )
        nwb.add_unit_column("unit_name", "Layer and index of the unit.")
        nwb.add_unit_column("layer", "Layer of the network.")
        observed = _observed(recording)
        for name, train in zip(unit_names(recording.description), trains, strict=True):
            nwb.add_unit(
                spike_times=train,
                obs_intervals=observed,
                unit_name=name,
                layer=name.split("/")[0],
            )
    write_file(nwb, out, overwrite)
    return sum(len(train) for train in trains)


class _Scaled:
    """h from the 1st to the 99th percentile of each unit as 0 to 1; a unit that does not vary is 0."""

    def __init__(self, activity: NDArray[np.float32]) -> None:
        self._low, high = np.percentile(activity, [1.0, 99.0], axis=0)
        self._width = np.where(high - self._low > 1e-9, high - self._low, np.inf)

    def __call__(self, activity: NDArray[np.float32]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = np.clip((activity - self._low) / self._width, 0.0, 1.0)
        return scaled


def _magnitude(activity: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.minimum(np.abs(activity.astype(np.float64)), 1.0)


def _drive(
    recording: Recording, name: str, drive: Drive, first: int, last: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    if drive == "magnitude":
        return _magnitude
    rows = recording.rows(first, last)
    every = max(1, (rows.stop - rows.start) // _ROWS_FOR_PERCENTILES)
    data = recording.file[f"{recording.series[name].path}/data"]
    return _Scaled(data[rows.start : rows.stop : every])


def _ticks(
    recording: Recording, name: str, first: int, last: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for start in range(first, last + 1, _TICKS_AT_A_TIME):
        stop = min(start + _TICKS_AT_A_TIME - 1, last)
        ticks = recording.ticks[recording.rows(start, stop)].tolist()
        yield from zip(ticks, recording.values(name, start, stop), strict=True)


class _Offers:
    """Spikes that every unit is offered at its highest rate, so that the draws do not depend on activity.

    Of these it takes as many as its rate at the tick allows (thinning).
    """

    def __init__(self, seed: int, most: NDArray[np.float64], tick_s: float) -> None:
        self._seed, self._most, self._tick_s = seed, most, tick_s
        expected = most * tick_s
        self._offered = int(poisson.isf(_NEGLIGIBLE, float(np.max(expected, initial=0.0)))) + 1
        self._cumulative = poisson.cdf(np.arange(self._offered), expected[:, None])

    def taken(
        self, tick: int, hazard: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Units and times of a tick's spikes, before the refractory period takes some away."""
        offered = self._offered
        draws = generator(self._seed, STREAM, tick).random((len(hazard), 2 * offered + 1))
        number = np.sum(draws[:, :1] > self._cumulative, axis=1)
        accepted = draws[:, 1 : offered + 1] * self._most[:, None] < hazard[:, None]
        accepted &= np.arange(offered) < number[:, None]
        unit, which = np.nonzero(accepted)
        return unit, (tick + draws[unit, offered + 1 + which]) * self._tick_s


def _with_pauses(times_s: NDArray[np.float64], refractory_s: float) -> NDArray[np.float64]:
    """The spikes that no kept spike precedes by less than the refractory period."""
    if refractory_s == 0 or len(times_s) < 2:
        return times_s
    kept = [times_s[0]]
    for time_s in times_s[1:].tolist():
        if time_s - kept[-1] >= refractory_s:
            kept.append(time_s)
    return np.array(kept)


def _observed(recording: Recording) -> NDArray[np.float64]:
    """Start and stop of every stretch without a missing tick, (n, 2), s."""
    tick_s = recording.description.tick_s
    ticks = recording.ticks
    breaks = np.flatnonzero(np.diff(ticks) != 1)
    starts, stops = ticks[np.r_[0, breaks + 1]], ticks[np.r_[breaks, len(ticks) - 1]] + 1
    return np.stack([starts, stops], axis=1) * tick_s
