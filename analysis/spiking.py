"""How activity becomes the spikes of a virtual probe, tick by tick: the same on line and from a recording.

The numbers come from the session's counter-based generators, drawn for every unit and tick alike, whatever
the activity: the same activity gives the same spikes, and two sessions that share a seed differ in their
spikes only where their activity differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rig.errors import UserError
from rig.random_streams import generator

Drive = Literal["magnitude", "scaled"]

STREAM = "spikes"
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


def magnitude(activity: NDArray[np.float32]) -> NDArray[np.float64]:
    """The drive of units with this h, (ticks, units) or (units,): |h|, at most 1, float64."""
    return np.minimum(np.abs(activity.astype(np.float64)), 1.0)


def poisson_cumulative(expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Poisson's cumulative distribution from 0 up to what is almost certain: (rates, numbers) float64.

    `scipy.stats` has it, too, but takes longer to import than a window takes to open.

    >>> poisson_cumulative(np.array([0.0, 1.0]))[:, :3].round(3).tolist()
    [[1.0, 1.0, 1.0], [0.368, 0.736, 0.92]]

    Args:
        expected: (rates,), of numbers; at most a few hundred.
    """
    most = float(np.max(expected, initial=0.0))
    n = int(most + 10 * np.sqrt(most)) + 12  # beyond it lies less than what is neglected
    factors = np.ones((len(expected), n))
    factors[:, 1:] = expected[:, None] / np.arange(1, n)
    cumulative: NDArray[np.float64] = np.exp(-expected)[:, None] * np.cumsum(
        np.cumprod(factors, axis=1), axis=1
    )
    return cumulative


class ThinnedPoisson:
    """An inhomogeneous Poisson process for every unit, by thinning (Lewis & Shedler 1979).

    Candidates come at each unit's highest rate, so that the draws do not depend on activity; of these as many
    are kept as the rate at the tick allows.

    >>> process = ThinnedPoisson(Probe(), n_units=2, seed=7, tick_s=0.02)
    >>> drive = np.array([0.0, 1.0])
    >>> unit = np.concatenate([process.spikes(tick, drive)[0] for tick in range(500)])
    >>> bool((unit == 0).sum() < 20 and (unit == 1).sum() > 400)  # 10 s at 0.5 and at 50 Hz
    True

    Args:
        probe: the rates.
        n_units: how many units.
        seed: the session's, or another.
        tick_s: length of a tick.

    Raises:
        UserError: as `Probe.check`.
    """

    def __init__(self, probe: Probe, n_units: int, seed: int, tick_s: float) -> None:
        self._lowest, self._highest = probe.check(n_units)
        self._refractory_s = probe.refractory_ms / 1e3
        # between spikes the process is faster, so that with the pauses the rate is the one asked for
        self._most = self._highest / (1.0 - self._highest * self._refractory_s)
        self._seed, self._tick_s = seed, tick_s
        expected = self._most * tick_s
        most = poisson_cumulative(np.array([np.max(expected, initial=0.0)]))[0]
        self._offered = int(np.searchsorted(most, 1.0 - _NEGLIGIBLE)) + 1
        self._cumulative = poisson_cumulative(expected)[:, : self._offered]

    def spikes(
        self, tick: int, drive: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Units (spikes,) int, and times (spikes,) in s, before the refractory period takes some away.

        Args:
            tick: whose spikes.
            drive: (units,), 0 to 1.
        """
        rate = self._lowest + (self._highest - self._lowest) * drive
        hazard = rate / (1.0 - rate * self._refractory_s)
        offered = self._offered
        draws = generator(self._seed, STREAM, tick).random((len(drive), 2 * offered + 1))
        number = np.sum(draws[:, :1] > self._cumulative, axis=1)
        accepted = draws[:, 1 : offered + 1] * self._most[:, None] < hazard[:, None]
        accepted &= np.arange(offered) < number[:, None]
        unit, which = np.nonzero(accepted)
        return unit, (tick + draws[unit, offered + 1 + which]) * self._tick_s


class OnLine:
    """Spikes as they come, tick after tick. A jump to another tick begins anew.

    Raises `UserError` as `Probe.check`, and where the drive takes a whole recording to know.
    """

    def __init__(self, probe: Probe, n_units: int, seed: int, tick_s: float) -> None:
        if probe.drive != "magnitude":
            raise UserError("A unit's own range is known only of a recording; on line |h| drives.")
        self._candidates = ThinnedPoisson(probe, n_units, seed, tick_s)
        self._refractory_s = probe.refractory_ms / 1e3
        self._last = np.full(n_units, -np.inf)
        self._tick: int | None = None

    def spikes(
        self, tick: int, activity: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Units, and times in seconds of animal time, of a tick's spikes, in the order of time.

        Args:
            tick: the tick.
            activity: h of every unit in it.
        """
        if self._tick is not None and tick != self._tick + 1:
            self._last[:] = -np.inf
        self._tick = tick
        unit, time_s = self._candidates.spikes(tick, magnitude(activity))
        order = np.lexsort((unit, time_s))
        unit, time_s = unit[order].astype(np.int64), time_s[order]
        kept = time_s - self._last[unit] >= self._refractory_s
        several = np.bincount(unit, minlength=len(self._last))[unit] > 1
        # of units with one candidate, as most are, that was all; of the others one rules out the next
        last: dict[int, float] = {}
        for k in np.flatnonzero(several).tolist():
            before = last.get(unit[k], self._last[unit[k]])
            kept[k] = time_s[k] - before >= self._refractory_s
            if kept[k]:
                last[unit[k]] = time_s[k]
        unit, time_s = unit[kept], time_s[kept]
        self._last[unit] = time_s
        return unit, time_s
