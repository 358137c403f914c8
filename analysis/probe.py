"""A virtual probe: what a spiking recording of the units would look like. An emulation, not a measurement.

The network has no spikes; its units have activity, one value a tick. To run ordinary spike analyses, each
unit is given a spike train: an inhomogeneous Poisson process whose rate follows the activity, with an
absolute refractory period. `analysis.spiking` has the process itself, which also runs on line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import recorder
from analysis.derived_file import derived_file, tick_range, write_file
from analysis.spiking import Drive, Probe, ThinnedPoisson, magnitude
from recorder.opening import RecordingPath
from recorder.reading import Recording
from recorder.schema import unit_names

if TYPE_CHECKING:
    import pynapple as nap

__all__ = ["Drive", "Probe", "spike_trains", "spikes", "write_spikes"]

RESOLUTION_S = 1e-6
"""What spike times are exact to, for programs that count in samples: they lie between those of any probe."""
_TICKS_AT_A_TIME = 250
_ROWS_FOR_PERCENTILES = 20_000


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
    seed = described.seed if seed is None else seed
    candidates = ThinnedPoisson(probe, n_units, seed, described.tick_s)
    first, last = tick_range(recording, from_s, to_s)
    name = "h_applied" if applied else "h_natural"
    drive = _drive(recording, name, probe.drive, first, last)
    units, times = [], []
    for tick, activity in _ticks(recording, name, first, last):
        unit, time_s = candidates.spikes(tick, drive(activity))
        units.append(unit)
        times.append(time_s)
    unit, time_s = np.concatenate(units), np.concatenate(times)
    order = np.lexsort((time_s, unit))
    parts = np.split(time_s[order], np.cumsum(np.bincount(unit, minlength=n_units))[:-1])
    return [_with_pauses(part, probe.refractory_ms / 1e3) for part in parts]


def spikes(
    recording: Recording, probe: Probe | None = None, *, applied: bool = True
) -> nap.TsGroup:
    """The spike trains of a recording as a pynapple TsGroup, with the units' names and layers as metadata.

    Args:
        recording: an open recording.
        probe: how; `Probe()` if left out.
        applied: from the activity after interventions, else from that before.

    Raises:
        UserError: as `Probe.check`.
    """
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
    where: RecordingPath,
    out: Path,
    probe: Probe | None = None,
    *,
    applied: bool = True,
    seed: int | None = None,
    overwrite: bool = False,
) -> int:
    """Writes the spike trains of a recording as NWB `Units`; returns the number of spikes.

    The file also has the session's trials, behaviours and stimuli.

    Args:
        where: the recording, as `recorder.open` takes it.
        out: the file.
        probe: how; `Probe()` if left out.
        applied: from the activity after interventions, else from that before.
        seed: that of the session if left out.
        overwrite: an existing file is replaced.

    Raises:
        UserError: as `spike_trains`, and where the file cannot go there.
    """
    from pynwb.misc import Units

    probe = probe or Probe()
    with recorder.open(where) as recording:
        trains = spike_trains(recording, probe, applied=applied, seed=seed)
        about = (
            "Poisson processes driven by the activity of an LSTM's units "
            f"({probe}, {'applied' if applied else 'natural'} activity). There are no spikes in the network."
        )
        nwb = derived_file(
            recording,
            f"Spike trains are EMULATED: {about}",
            recording.first_tick,
            recording.last_tick,
        )
        nwb.units = Units(
            name="units",
            description=f"EMULATED, not measured: {about}",
            resolution=RESOLUTION_S,
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
        ticks = (recording.first_tick, recording.last_tick)
        nwb.units["spike_times"].target.fields["description"] = f"EMULATED spike times, s: {about}"
        write_file(nwb, recording, ticks, out, overwrite)
    return sum(len(train) for train in trains)


class _Scaled:
    """h from the 1st to the 99th percentile of each unit as 0 to 1; a unit that does not vary is 0."""

    def __init__(self, activity: NDArray[np.float32]) -> None:
        self._low, high = np.percentile(activity, [1.0, 99.0], axis=0)
        self._width = np.where(high - self._low > 1e-9, high - self._low, np.inf)

    def __call__(self, activity: NDArray[np.float32]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = np.clip((activity - self._low) / self._width, 0.0, 1.0)
        return scaled


def _drive(
    recording: Recording, name: str, drive: Drive, first: int, last: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    if drive == "magnitude":
        return magnitude
    rows = recording.rows(first, last)
    every = max(1, (rows.stop - rows.start) // _ROWS_FOR_PERCENTILES)
    return _Scaled(recording.block(name, slice(rows.start, rows.stop, every)))


def _ticks(
    recording: Recording, name: str, first: int, last: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for start in range(first, last + 1, _TICKS_AT_A_TIME):
        stop = min(start + _TICKS_AT_A_TIME - 1, last)
        ticks = recording.ticks[recording.rows(start, stop)].tolist()
        yield from zip(ticks, recording.values(name, start, stop), strict=True)


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
