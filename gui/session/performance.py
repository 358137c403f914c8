"""How fast the session runs, and what it takes: time of ticks, disk, pictures of the window, memory."""

from __future__ import annotations

import math
import os
import time
from collections import deque

import numpy as np
from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from gui.look.theme import Theme
from gui.seen.tick_times import RECENT, TickTimes
from gui.session.tick_histogram import TickHistogram
from gui.streams.latest_work import LatestWork
from gui.streams.recorder_watch import size_text
from gui.streams.stream import Batch
from rig.bus.message_types import Description, RecorderReport, Status
from rig.errors import RunError
from rig.process_memory import family, memory_mb, module_of
from rig.session.directory import running_sessions

DRAW_EVERY_MS = 500
MEMORY_EVERY_S = 4.0
RATE_OVER_S = 20.0
"""The present rate at which a file grows is that of so long."""
LOW_DISK_S = 1800.0
JUDGE_EVERY_S = 2.0
LATE_WORTH_SAYING = 0.01
"""In real time is not said alone where more ticks of all that are known were late."""
LATE = 0.02
"""Where more ticks of the last two seconds are late, the window draws half as often."""
MOST_SKIPPED = 4
PARTS = {
    "rig.session.subject_process": "animal",
    "stim.process": "stimulation",
    "recorder.process": "recorder",
}
"""What the processes of a session are called; the rest is its supervisor."""
ROWS = (
    (
        "loop",
        "Loop",
        "The loop's latency: from a tick to the next one, on which acts what it has triggered; median, 95th "
        "percentile and largest of the last 20 s",
    ),
    ("stages", "Of a tick", "Means over the last two seconds, the longest first"),
    (
        "late",
        "Late ticks",
        "Of the last 20 s: those that began more than a millisecond after their time",
    ),
    ("disk", "Disk", "How long it lasts at the rate at which the recording grows now"),
    (
        "display",
        "Pictures",
        "Of this window in a second; dropped: those that came too late to be drawn",
    ),
    (
        "memory",
        "Memory",
        "Of the session's processes and of this window; shared memory in shares (PSS)",
    ),
)


class PerformancePanel(QFrame):
    """The dock *Health*. It draws twice a second, and only where it can be seen.

    `slow`: one sentence with the reason while an animal that should run in real time does not, else "".
    `yielding` says that only every so many-th picture is to be drawn, because ticks come late.
    """

    yielding = pyqtSignal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._theme = theme
        self.times = TickTimes()
        self.slow = ""
        self._realtime = False
        self._tick_s = 0.02
        self._session = ""
        self._last_tick = -1
        self._missed = 0
        self._frames: deque[float] = deque(maxlen=64)
        self._dropped = 0
        self._sizes: deque[tuple[float, int]] = deque(maxlen=256)
        self._report: RecorderReport | None = None
        self._live = False
        self._memory_s = -math.inf
        self._every, self._skipped, self._judged_s = 1, 0, -math.inf
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.verdict.setMinimumHeight(2 * self.fontMetrics().height() + 4)
        self.histogram = TickHistogram(theme)
        self._values: dict[str, QLabel] = {}
        self._arrange()
        self._work = LatestWork("memory", self)
        self._work.done.connect(self._show_memory)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._draw)
        self._timer.start(DRAW_EVERY_MS)

    def value(self, key: str) -> str:
        """The text shown for one of `ROWS`."""
        return self._values[key].text()

    def take(self, batch: Batch) -> None:
        """Takes in what came from a session or a recording."""
        if batch.description is not None:
            content = batch.description.content
            assert isinstance(content, Description)
            self._describe(content)
        if not batch.ticks:
            return
        first, self._session = batch.ticks[0].tick, batch.ticks[-1].session
        if self._last_tick >= 0 and first > self._last_tick + 1:
            self._missed += first - self._last_tick - 1
        self._last_tick = batch.ticks[-1].tick
        self.times.add(batch.ticks)

    def show_status(self, status: Status) -> None:
        """The supervisor's word: what is recorded, and whether the animal runs at all."""
        self._report, self._live = status.recorder, True
        if status.recorder is not None and status.recorder.state == "recording":
            self._sizes.append((time.monotonic(), status.recorder.file_bytes))
        else:
            self._sizes.clear()
        self.times.show_paused(status.state == "paused")
        running = status.state == "running" and self._realtime
        self.slow = self.times.slow() if running else ""
        self._judge(running)

    def skips(self) -> bool:
        """Whether a picture that is due is not to be drawn, for the animal's sake."""
        self._skipped = (self._skipped + 1) % self._every
        return self._skipped != 0

    def frame(self, every_s: float) -> None:
        """The window was drawn, as it is every so many seconds."""
        now = time.monotonic()
        if self._frames:
            self._dropped += max(round((now - self._frames[-1]) / every_s) - 1, 0)
        self._frames.append(now)

    def clear(self) -> None:
        """What comes next does not follow what came."""
        self._last_tick = -1

    def close_worker(self) -> None:
        """Ends the thread that looks at memory."""
        self._work.close()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        self.histogram.set_theme(theme)
        self._colour()

    def _describe(self, description: Description) -> None:
        self.times = TickTimes(description.latencies, description.tick_s)
        self._realtime = description.pace == "realtime"
        self._tick_s = description.tick_s
        self._last_tick, self._missed, self._dropped = -1, 0, 0
        self._sizes.clear()
        self._report, self._live = None, False
        self.slow = ""
        self._draw_every(1)  # another session, or a replay, whose ticks are never late

    def _judge(self, running: bool) -> None:
        """Draws less where ticks are late, whatever makes them, and more again where they are not."""
        now = time.monotonic()
        if running and now - self._judged_s < JUDGE_EVERY_S:
            return
        self._judged_s = now
        late = self.times.late_share(RECENT) if running else 0.0
        every = self._every
        if late > LATE:
            every = min(2 * every, MOST_SKIPPED)
        elif late < LATE / 4:
            every = max(every // 2, 1)
        self._draw_every(every)

    def _draw_every(self, every: int) -> None:
        if every != self._every:
            self._every = every
            self.yielding.emit(every)

    # --- what is shown ----------------------------------------------------------------------------------

    def _draw(self) -> None:
        if self.visibleRegion().isEmpty():
            return
        self.draw()

    def draw(self) -> None:
        """Shows what is known now."""
        times = self.times
        self.histogram.show_times(times.tick_ms(), self._tick_s * 1000)
        p50, p95, most = times.loop_ms()
        known = times.known and math.isfinite(p50)
        self._set("loop", f"{p50:.1f} ms · 95 %: {p95:.1f} · max {most:.1f}" if known else "")
        stages = times.stages_ms()
        parts = [f"{name} {ms:.1f}" for name, ms in stages.items()]
        without = "not in this stream" if times.known else ""
        self._set("stages", " · ".join(parts) + " ms" if parts else without)
        self._set("late", f"{times.late_share() * 100:.1f} %" if times.known else "")
        self._set("disk", self._disk())
        self._set("display", self._display())
        self._colour()
        now = time.monotonic()
        if now - self._memory_s > MEMORY_EVERY_S:
            self._memory_s = now
            session = self._session
            self._work.ask(lambda: _memory(session))

    def _verdict(self) -> str:
        if self.slow:
            return self.slow
        if not self.times.known:
            return "No ticks yet."
        work = self.times.tick_ms()
        if not work.size:
            return "The stream does not say how long ticks take."
        pace = "In real time" if self._realtime else "As fast as it can"
        late = self.times.late_share()
        if self._realtime and late > LATE_WORTH_SAYING:
            pace += f", but for {late * 100:.0f} % of ticks, which were late"
        return f"{pace}: {np.median(work):.1f} ms of work a tick (median)."

    def _disk(self) -> str:
        report = self._report
        if report is None or report.state != "recording":
            return "nothing is recorded" if self._live and report is None else ""
        if report.free_bytes < 0:
            return "free space is not known"
        left_s, rate = self._left()
        if not math.isfinite(left_s):
            return f"{size_text(report.free_bytes)} free"
        return f"{_lasting(left_s)} left at {size_text(round(rate))}/s"

    def _left(self) -> tuple[float, float]:
        """For how long the disk lasts (s), and how fast the recording grows (bytes/s)."""
        if len(self._sizes) < 2 or self._report is None:
            return math.inf, 0.0
        now_s, now_bytes = self._sizes[-1]
        before = next(
            (each for each in self._sizes if now_s - each[0] <= RATE_OVER_S), self._sizes[0]
        )
        took_s, grown = now_s - before[0], now_bytes - before[1]
        if took_s < 1.0 or grown <= 0:
            return math.inf, 0.0
        return self._report.free_bytes / (grown / took_s), grown / took_s

    def _display(self) -> str:
        if len(self._frames) < 2:
            return ""
        rate = (len(self._frames) - 1) / max(self._frames[-1] - self._frames[0], 1e-6)
        said = f"{rate:.0f} a second, {self._dropped} dropped; {self._missed} ticks never shown"
        return said + (
            f"; one in {self._every} drawn, as ticks are late" if self._every > 1 else ""
        )

    def _show_memory(self, found: tuple[dict[str, float], float]) -> None:
        session, window = found
        if not window:
            self._set("memory", "not known on this system")
            return
        parts = ", ".join(f"{name} {mb:.0f}" for name, mb in session.items())
        own = f"window {window:.0f} MB"
        self._set(
            "memory", f"session {sum(session.values()):.0f} MB ({parts}); {own}" if parts else own
        )

    def _set(self, key: str, text: str) -> None:
        self._values[key].setText(text or "–")

    def _colour(self) -> None:
        self.verdict.setText(("▲ " if self.slow else "") + self._verdict())
        self.verdict.setStyleSheet(
            f"color: {self._theme.warning if self.slow else self._theme.text};"
        )
        low = self._left()[0] < LOW_DISK_S
        self._values["disk"].setStyleSheet(f"color: {self._theme.warning};" if low else "")

    def _arrange(self) -> None:
        inside, area = QWidget(), QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inside)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(area)
        column = QVBoxLayout(inside)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(6)
        column.addWidget(self.verdict)
        column.addWidget(self.histogram, 1)
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for row, (key, words, tip) in enumerate(ROWS):
            name, value = QLabel(words), QLabel("–")
            name.setObjectName("muted")
            value.setWordWrap(True)
            for label in (name, value):
                label.setToolTip(tip)
            grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, row, 1)
            self._values[key] = value
        column.addLayout(grid)


def _memory(session: str) -> tuple[dict[str, float], float]:
    """Memory of a running session's processes by what they are, and of this one, MB."""
    found: dict[str, float] = {}
    try:
        pid = next((note.pid for note in running_sessions() if note.session == session), None)
    except (OSError, RunError):
        pid = None
    for each in family(pid) if pid is not None else ():
        name = PARTS.get(module_of(each), "supervisor")
        found[name] = found.get(name, 0.0) + memory_mb(each)
    return found, memory_mb(os.getpid())


def _lasting(seconds: float) -> str:
    """A time in the two units that people read."""
    minutes = int(seconds // 60)
    if minutes >= 48 * 60:
        return f"{minutes // (24 * 60)} days"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
