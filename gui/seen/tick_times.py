"""How long ticks took lately, and what took the time, from the latencies that every tick carries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rig.bus.message_types import Message, Tick

KEPT = 1000
"""Ticks: twenty seconds of them."""
RECENT = 100
"""Those by which it is judged whether the animal is slow: two seconds."""
SLOW = 0.95
"""Of real time: what is slower is said to be slow."""
STAGES = {
    "physics_ms": "physics",
    "sense_ms": "camera and senses",
    "network_ms": "network",
    "engine_wait_ms": "stimulation engine",
    "send_ms": "sending and recording",
}
"""Parts of a tick as `rig.tick_loop.LATENCIES` has them, and what they are called."""


class TickTimes:
    """The last ticks' times. A tick carries the latencies of the one before."""

    def __init__(self, names: Sequence[str] = (), tick_s: float = 0.02) -> None:
        self._names = tuple(names)
        self._tick_ms = tick_s * 1000
        self._latency = np.full((KEPT, max(len(self._names), 1)), np.nan, np.float32)
        self._interval = np.full(KEPT, np.nan)
        self._late = np.zeros(KEPT, bool)
        self._n = 0
        self._last: tuple[int, float] | None = None
        self._paused = False

    def show_paused(self, paused: bool) -> None:
        """Whether the animal's clock stands still now, on request: such waits are no latency."""
        if paused or self._paused:
            self._last = None
        self._paused = paused

    def add(self, ticks: Sequence[Message]) -> None:
        """Takes in ticks, oldest first."""
        for message in ticks:
            content = message.content
            if not isinstance(content, Tick):
                continue
            before, self._last = self._last, (message.tick, content.wall_s)
            if self._paused or before is None or before[0] != message.tick - 1 or content.first:
                continue  # the animal's clock stood still between them, or some are missing
            place = self._n % KEPT
            latency = message.arrays.get("latency")
            if latency is not None and latency.size == len(self._names):
                self._latency[place] = latency
            else:
                self._latency[place] = np.nan
            self._interval[place] = (content.wall_s - before[1]) * 1000
            self._late[place] = content.overrun
            self._n += 1

    @property
    def known(self) -> bool:
        """Whether there is anything to show."""
        return self._n > 0

    @property
    def carries_stages(self) -> bool:
        """Whether the stream says what takes a tick's time."""
        return all(name in self._names for name in (*STAGES, "tick_ms"))

    def tick_ms(self) -> NDArray[np.float64]:
        """How long each of the last ticks took, without waiting for its time, ms; empty where not known."""
        values = self._column("tick_ms", KEPT)
        return values[np.isfinite(values)]

    def loop_ms(self) -> tuple[float, float, float]:
        """From a tick to the next, on which what it triggers acts: median, 95th percentile, largest (ms)."""
        values = self._recent(self._interval, KEPT)
        if not values.size:
            return (np.nan, np.nan, np.nan)
        p50, p95 = np.percentile(values, (50, 95))
        return float(p50), float(p95), float(values.max())

    def late_share(self, most: int = KEPT) -> float:
        """The share of the last ticks, so many at most, that came late."""
        return float(self._recent(self._late, most).mean()) if self._n else 0.0

    def stages_ms(self) -> dict[str, float]:
        """The mean of each stage over the last two seconds, ms, the longest first; empty where not known."""
        if not self.carries_stages or not self._n:
            return {}
        means = {words: float(np.nanmean(self._column(n, RECENT))) for n, words in STAGES.items()}
        return dict(sorted(means.items(), key=lambda item: -item[1]))

    def slow(self) -> str:
        """One sentence where ticks follow each other slower than in real time, with the reason; else ""."""
        intervals = self._recent(self._interval, RECENT)
        if intervals.size < RECENT // 2:
            return ""
        interval = float(intervals.mean())
        if interval <= self._tick_ms / SLOW:
            return ""
        said = f"Slower than real time: {interval:.1f} ms a tick instead of {self._tick_ms:g}"
        stages = self.stages_ms()
        if not stages:
            return f"{said}; what takes the time is not in this stream."
        busy = float(np.nanmean(self._column("tick_ms", RECENT)))
        longest, takes = next(iter(stages.items()))
        if interval - busy > max(takes, self._tick_ms / 4):
            return (
                f"{said}, of which the animal works {busy:.1f}: the rest is between ticks (another program "
                "has the processor, or the recorder is waited for)."
            )
        if longest == STAGES["engine_wait_ms"]:
            own = float(np.nanmean(self._column("engine_ms", RECENT)))
            if own < takes / 2:
                longest = "waiting for the stimulation engine, which is not what takes the time"
                return f"{said}; {longest} ({own:.1f} of {takes:.1f} ms): too few cores, or the recorder."
        return f"{said}; {longest} {'takes' if longest != 'camera and senses' else 'take'} {takes:.1f}."

    def _column(self, name: str, most: int) -> NDArray[np.float64]:
        if name not in self._names:
            return np.empty(0)
        return self._recent(self._latency[:, self._names.index(name)], most).astype(np.float64)

    def _recent(self, ring: NDArray[np.generic], most: int) -> NDArray[np.float64]:
        """The newest entries of a ring, at most so many; in no order."""
        if self._n <= KEPT:
            return np.asarray(ring[max(self._n - most, 0) : self._n])
        places = np.arange(self._n - most, self._n) % KEPT
        return np.asarray(ring[places])
