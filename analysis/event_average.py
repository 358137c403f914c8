"""The average activity of units around events, with its standard error: off line and while it is measured.

`event_average` takes arrays; `EventMoments` takes one event after another and says the same at any time. Both
count at every time around the event only those events of which that tick is known: ticks before the first and
after the last, ticks that were lost, and those of another trial are no part of the average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.core import Floats


@dataclass(frozen=True)
class EventAverage:
    """Activity around an event, averaged over its occurrences.

    Attributes:
        time_s: (times,) float64, seconds since the event; the event's own tick is at 0.
        mean: (times, units) float64; NaN where no event counts.
        sem: (times, units) float64, standard error of the mean; NaN where fewer than two events count.
        n: (times,) int64, the events that count at each time.
        n_events: the events that count at any time.
    """

    time_s: NDArray[np.float64]
    mean: NDArray[np.float64]
    sem: NDArray[np.float64]
    n: NDArray[np.int64]
    n_events: int


class EventMoments:
    """Number, mean and squared deviations of activity around an event, occurrence after occurrence.

    They are kept as float32, relative to the mean of the first occurrence: half the memory.

    >>> moments = EventMoments(n_times=2, n_units=1)
    >>> moments.add(np.array([[0.0], [1.0]]))
    >>> moments.add(np.array([[0.0], [3.0]]))
    >>> average = moments.average(before=1, tick_s=0.02)
    >>> average.time_s.tolist(), average.mean[:, 0].tolist(), average.sem[:, 0].tolist()
    ([-0.02, 0.0], [0.0, 2.0], [0.0, 1.0])

    Args:
        n_times: ticks around an event.
        n_units: units.
    """

    def __init__(self, n_times: int, n_units: int) -> None:
        self.n_events = 0
        self.n = np.zeros(n_times, np.int64)
        self._origin = np.zeros(n_units)
        self._mean = np.zeros((n_times, n_units), np.float32)
        self._squares = np.zeros((n_times, n_units), np.float32)

    def add(self, window: Floats) -> None:
        """Takes one event in: (times, units). A time at which any unit is not finite does not count."""
        known = np.isfinite(window).all(axis=1)
        if not known.any():
            return
        if not self.n_events:
            self._origin = window[known].mean(axis=0, dtype=np.float64)
        self.n_events += 1
        self.n += known
        relative: NDArray[np.float32] = (window[known] - self._origin).astype(np.float32)
        step = relative - self._mean[known]
        self._mean[known] += step * (1.0 / self.n[known, None]).astype(np.float32)
        self._squares[known] += step * (relative - self._mean[known])

    def joined(self, other: EventMoments) -> EventMoments:
        """What both have taken in together; both stay as they are.

        >>> one, other = EventMoments(1, 1), EventMoments(1, 1)
        >>> one.add(np.array([[1.0]]))
        >>> other.add(np.array([[3.0]]))
        >>> one.joined(other).average(before=0, tick_s=0.02).mean.tolist()
        [[2.0]]
        """
        both = EventMoments(len(self.n), self._mean.shape[1])
        both.n_events = self.n_events + other.n_events
        both.n = self.n + other.n
        both._origin = self._origin if self.n_events else other._origin
        share = (other.n / np.maximum(both.n, 1))[:, None]
        means = [each._mean + (each._origin - both._origin) for each in (self, other)]
        step = np.where(self.n[:, None] > 0, means[1] - means[0], 0.0)
        start = np.where(self.n[:, None] > 0, means[0], means[1])
        both._mean = (start + step * share).astype(np.float32)
        both._squares = (self._squares + other._squares + step**2 * share * self.n[:, None]).astype(
            np.float32
        )
        return both

    def average(
        self, before: int, tick_s: float, units: Sequence[int] | None = None
    ) -> EventAverage:
        """The average so far.

        Args:
            before: ticks ahead of the event; the event itself is in row `before` of a window.
            tick_s: seconds of a tick.
            units: of these units only, in this order; None: of all.
        """
        chosen = slice(None) if units is None else np.asarray(units, np.int64)
        mean = self._mean[:, chosen] + self._origin[chosen]
        squares = self._squares[:, chosen].astype(np.float64)
        n = self.n[:, None]
        mean[self.n < 1] = np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            sem = np.where(n > 1, np.sqrt(squares / ((n - 1) * n)), np.nan)
        time_s = np.arange(-before, len(self.n) - before) * np.float64(tick_s)
        return EventAverage(time_s, mean, sem, self.n.copy(), self.n_events)


def event_average(
    activity: Floats,
    events: Sequence[int] | NDArray[np.int64],
    *,
    before: int,
    after: int,
    tick_s: float,
    trial: ArrayLike | None = None,
) -> EventAverage:
    """The average activity around these events.

    >>> activity = np.zeros((9, 1))
    >>> activity[[2, 6]] = [[1.0], [3.0]]
    >>> average = event_average(activity, [2, 6], before=1, after=2, tick_s=0.5)
    >>> average.time_s.tolist(), abs(average.mean[:, 0].round(6)).tolist(), average.n.tolist()
    ([-0.5, 0.0, 0.5], [0.0, 2.0, 0.0], [2, 2, 2])

    Args:
        activity: (ticks, units); NaN where a tick is missing.
        events: rows of it; those outside do not count.
        before: ticks ahead of each event.
        after: ticks from the event on, its own among them.
        tick_s: seconds of a tick.
        trial: (ticks,), the trial of every tick: what belongs to another trial than the event does not
            count. None: all is one.
    """
    trials = np.zeros(len(activity), np.int64) if trial is None else np.asarray(trial)
    moments = EventMoments(before + after, activity.shape[1])
    offsets = np.arange(-before, after)
    for event in events:
        if not 0 <= event < len(activity):
            continue
        rows = event + offsets
        inside = (rows >= 0) & (rows < len(activity))
        inside[inside] = trials[rows[inside]] == trials[event]
        window = np.full((len(rows), activity.shape[1]), np.nan)
        window[inside] = activity[rows[inside]]
        moments.add(window)
    return moments.average(before, tick_s)
