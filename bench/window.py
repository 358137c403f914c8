"""`python -m bench.window`: what a repaint of the raster takes, beside drawing the same plainly.

One process: our raster with what lies over it, alone and with the rest of the timeline (ethogram, axes)
beneath; pyqtgraph's `ImageItem` given the whole z-scored window; and one `PlotDataItem` for each unit. Two
ticks are new in each repaint; all have the same size and are painted by Qt without a screen. The session is a
busy one: a behaviour and a stimulus begin every 0.8 s. Milliseconds are this thread's processor time, which
is what a repaint takes whatever else the machine does; wall time stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import msgspec
import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QRectF
from PyQt6.QtWidgets import QApplication, QWidget
from rich.console import Console
from rich.table import Table

from bench.synthetic_session import TRIAL_TICKS, Stream, description
from gui.look import theme as appearance
from gui.look.theme import DARK, activity_colours
from gui.panels import Panels
from gui.streams.stream import Batch
from gui.timeline.overlay import Overlay
from gui.timeline.raster import DISPLAYS, Raster
from gui.timeline.stimulated_units import StimulatedUnits
from gui.timeline.timeline_plots import TimelinePlots
from rig.bus.message_types import TICK_S, Description, EngineReply, LayerInfo, Message, Tick

SIZE_PX = (1000, 640)
AIM_MS = 16.0
TICKS_A_REPAINT = 2
"""At 20 repaints a second there are 2.5 new ticks in each."""


@dataclass(frozen=True)
class Repaint:
    """A way to draw, and what it takes: processor and wall time (ms), median and 95th percentile."""

    way: str
    n_units: int
    window_s: int
    p50_ms: float
    p95_ms: float
    wall_p50_ms: float
    wall_p95_ms: float


def main() -> None:
    """Measures, prints the table, writes `bench/window.json`."""
    parser = argparse.ArgumentParser(prog="bench.window", description=__doc__)
    parser.add_argument("--repaints", type=int, default=80, help="how often each is repainted")
    given = parser.parse_args()
    app = QApplication.instance() or QApplication(["bench"])
    assert isinstance(app, QApplication)
    appearance.apply(app, DARK)
    rows = [
        row
        for n_units in (512, 1024)
        for window_s in (10, 60)
        for row in _measure(n_units, window_s, given.repaints)
    ]
    console = Console(width=130)
    table = Table(title="A repaint, milliseconds of processor time (wall time)")
    table.add_column("")
    for name in ("units", "window", "p50", "p95"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.way,
            str(row.n_units),
            f"{row.window_s} s",
            f"{row.p50_ms:.1f} ({row.wall_p50_ms:.1f})",
            f"{row.p95_ms:.1f} ({row.wall_p95_ms:.1f})",
        )
    console.print(table)
    console.print(f"aim: our raster's p95 below {AIM_MS:.0f} ms, in 10 and in 60 s")
    path = Path(__file__).with_name("window.json")
    path.write_text(
        json.dumps({"cores": os.cpu_count(), "repaints": [asdict(row) for row in rows]}, indent=2)
        + "\n"
    )
    console.print(f"written to {path}")


def _measure(n_units: int, window_s: int, repaints: int) -> list[Repaint]:
    """All ways, for so many units and so long a window."""
    layers = tuple(LayerInfo(f"layer_{k}", n_units // 4) for k in range(4))
    stream = Stream(description(layers=layers, camera_shape=(1, 1, 3)))
    n_ticks = window_s * 50
    messages = [*stream.beginning()]
    for message in stream.ticks(0, n_ticks + TICKS_A_REPAINT * repaints):
        if isinstance(message.content, Tick):  # a reward for running, as most tasks have it
            content = msgspec.structs.replace(message.content, reward=0.5)
            message = replace(message, content=content)
        messages.append(message)
    ours, raster = _Ours(messages, n_ticks), _Raster(messages, n_ticks)
    ways: list[tuple[str, Callable[[], None], int]] = [
        (f"our raster: {words}", raster.repaint_as(display), repaints // len(DISPLAYS))
        for display, words in DISPLAYS.items()
    ]
    ways.append(("our whole timeline", ours.repaint, repaints // 2))
    activity = np.stack([m.arrays["c_applied"] for m in messages if isinstance(m.content, Tick)])
    ways.append(("plain: ImageItem", _Image(activity, n_ticks).repaint, repaints // 2))
    ways.append(("plain: PlotDataItems", _Curves(activity, n_ticks).repaint, 5))
    if window_s == 10:
        ways.append(("units panel, 12 units, twice a second", ours.repaint_units, repaints // 2))
    return [_timed(name, n_units, window_s, way, times) for name, way, times in ways]


def _timed(
    way: str, n_units: int, window_s: int, repaint: Callable[[], None], times: int
) -> Repaint:
    repaint()
    taken = []
    for _ in range(times):
        begin = time.thread_time(), time.perf_counter()
        repaint()
        taken.append((time.thread_time() - begin[0], time.perf_counter() - begin[1]))
    percentiles = np.percentile(np.array(taken) * 1e3, (50, 95), axis=0).T
    return Repaint(way, n_units, window_s, *percentiles.ravel().tolist())


class _Ours:
    """The timeline and the units panel of the window, fed as by a session."""

    def __init__(self, messages: list[Message], n_ticks: int) -> None:
        self._panels = Panels(DARK)
        self._waiting = [m for m in messages if m.tick >= n_ticks]
        self._take([m for m in messages if m.tick < n_ticks])
        self._timeline, self._units = self._panels.timeline, self._panels.units
        self._timeline.show_length(n_ticks)
        self._panels.selection.select(range(0, 120, 10))
        _show(self._timeline)
        _show(self._units, (420, 700))

    def repaint(self) -> None:
        self._take_next()
        self._timeline.draw()
        self._timeline.plots.viewport().repaint()

    def repaint_units(self) -> None:
        self._units.refresh()
        self._units.plots.viewport().repaint()

    def _take_next(self) -> None:
        end = self._waiting[0].tick + TICKS_A_REPAINT if self._waiting else 0
        self._take([m for m in self._waiting[:12] if m.tick < end])
        self._waiting = [m for m in self._waiting if m.tick >= end]

    def _take(self, messages: list[Message]) -> None:
        batch = Batch(most_ticks=len(messages))
        batch.add(messages)
        for part in (self._panels.timeline, self._panels.units):
            part.take(batch)


class _Raster:
    """The raster and what lies over it, without the plots beneath."""

    def __init__(self, messages: list[Message], n_ticks: int) -> None:
        described = messages[0].content
        assert isinstance(described, Description)
        self._plots = TimelinePlots()
        self._plots.set_theme(DARK)
        self._plots.ethogram.hide()
        self._raster = Raster(self._plots.raster, DARK)
        self._overlay = Overlay([self._plots.raster], DARK)
        self._raster.describe(described.layers, described.tick_s, described.seed)
        self._stimulated = StimulatedUnits(described.layers)
        self._raster.show_window(n_ticks)
        self._raster.select(range(0, 120, 10))
        ticks = [m for m in messages if isinstance(m.content, Tick)]
        self._waiting = ticks[n_ticks:]
        self._raster.add(ticks[:n_ticks])
        self._stimulated.add([m for m in messages if isinstance(m.content, EngineReply)])
        _show(self._plots)

    def repaint_as(self, display: str) -> Callable[[], None]:
        def repaint() -> None:
            raster = self._raster
            if raster.display != display:
                raster.show_as(display)
                while not raster.draw():
                    pass
            self._raster.add(self._waiting[:TICKS_A_REPAINT])
            del self._waiting[:TICKS_A_REPAINT]
            end, first = raster.end_tick, raster.end_tick - raster.window_ticks
            self._plots.raster.setXRange(first * TICK_S, end * TICK_S, padding=0)
            raster.draw()
            starts = range(-(-first // TRIAL_TICKS) * TRIAL_TICKS, end, TRIAL_TICKS)
            self._overlay.show_trials([tick * TICK_S for tick in starts])
            lit = self._stimulated.within(first, end - 1)
            self._overlay.show_stimuli((), lit, raster.rows_of, (first, end), TICK_S)
            self._plots.viewport().repaint()

        return repaint


class _Plain:
    """A plot of pyqtgraph's, and z-scores of the window as they are when it has moved on."""

    def __init__(self, activity: np.ndarray, n_ticks: int) -> None:
        self._activity, self._n_ticks, self._end = activity, n_ticks, n_ticks
        self.widget = pg.GraphicsLayoutWidget()
        self.plot = self.widget.addPlot()
        self.plot.setMouseEnabled(False, False)
        _show(self.widget)

    def window(self) -> tuple[float, np.ndarray]:
        """When it begins (s), and its z-scores, (units, ticks)."""
        self._end = min(self._end + TICKS_A_REPAINT, len(self._activity))
        shown = self._activity[self._end - self._n_ticks : self._end].T
        z = (shown - shown.mean(1, keepdims=True)) / shown.std(1, keepdims=True)
        return (self._end - self._n_ticks) * TICK_S, z


class _Image(_Plain):
    def __init__(self, activity: np.ndarray, n_ticks: int) -> None:
        super().__init__(activity, n_ticks)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setLookupTable(activity_colours(DARK))
        self.plot.addItem(self._image)

    def repaint(self) -> None:
        start_s, z = self.window()
        self._image.setImage(z, autoLevels=False, levels=(-3, 3))
        self._image.setRect(QRectF(start_s, 0, self._n_ticks * TICK_S, len(z)))
        self.widget.viewport().repaint()


class _Curves(_Plain):
    def __init__(self, activity: np.ndarray, n_ticks: int) -> None:
        super().__init__(activity, n_ticks)
        self._curves = [self.plot.plot() for _ in range(activity.shape[1])]

    def repaint(self) -> None:
        start_s, z = self.window()
        times_s = start_s + np.arange(self._n_ticks) * TICK_S
        for row, curve in enumerate(self._curves):
            curve.setData(times_s, row + z[row] / 6)
        self.widget.viewport().repaint()


def _show(widget: QWidget, size: tuple[int, int] = SIZE_PX) -> None:
    widget.resize(*size)
    widget.show()
    QApplication.processEvents()


if __name__ == "__main__":
    main()
