"""The raster in the hands of a user: how long, as what, in which order, and which units are selected."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PyQt6.QtGui import QMouseEvent, QTransform, QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from scipy.stats import poisson

from analysis.spiking import OnLine, Probe, poisson_cumulative
from bench.synthetic_session import Stream, description
from gui.look.behaviour_style import Look
from gui.look.theme import DARK
from gui.seen.activity import ActivityWindow, ticks_per_column
from gui.streams.stream import Batch
from gui.timeline.bars import in_pixels
from gui.timeline.timeline import Timeline
from gui.timeline.unit_search import find_units
from rig.bus.message_types import LayerInfo, Message, Tick

N_TICKS = 700
LAYERS = (LayerInfo("core", 24), LayerInfo("policy_0", 16), LayerInfo("policy_2", 300))
N_UNITS = 340
KINDS = ("c_applied", "h_applied", "c_natural", "h_natural")
CONTROL = Qt.KeyboardModifier.ControlModifier
NONE = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def session() -> list[Message]:
    """Fourteen seconds of 340 units; runs of 25 ticks begin every 40."""
    stream = Stream(description(layers=LAYERS, camera_shape=(1, 1, 3)))
    return [*stream.beginning(), *stream.ticks(0, N_TICKS)]


@pytest.fixture
def timeline(qtbot: QtBot, session: list[Message]) -> Iterator[Timeline]:
    timeline = Timeline(DARK)
    qtbot.addWidget(timeline)
    timeline.resize(1000, 640)
    timeline.show()
    batch = Batch()
    batch.add(session)
    timeline.take(batch)
    timeline.draw()
    qtbot.wait(10)
    return timeline


@pytest.fixture(scope="module")
def activity(session: list[Message]) -> dict[str, np.ndarray]:
    ticks = [message for message in session if isinstance(message.content, Tick)]
    return {kind: np.stack([message.arrays[kind] for message in ticks]) for kind in KINDS}


# --- how long ------------------------------------------------------------------------------------------


def test_a_minute_is_drawn_as_means_of_neighbouring_ticks() -> None:
    """However ticks were batched, with a hole, over the end of the ring, and as it stands at the end."""
    random = np.random.default_rng(0)
    values = random.normal(0, 1, (4000, 3)).astype(np.float32)
    missing = set(range(3300, 3306)) | {3500}
    content = Tick(0, 0.0, 1.0, 0.0, False, False, 0.0)
    window = ActivityWindow(3)
    width = ticks_per_column(3000)
    levels = np.zeros((3, 1001), np.uint8)
    tick = 0
    for size in [*random.integers(1, 40, 300), 4000]:
        numbers = [k for k in range(tick, min(tick + int(size), 4000)) if k not in missing]
        tick = min(tick + int(size), 4000)
        arrays = [dict.fromkeys(KINDS, values[k]) for k in numbers]
        window.add(
            [Message(content, tick=k, arrays=a) for k, a in zip(numbers, arrays, strict=True)]
        )
        if tick % 7 == 0 or tick == 4000:
            first = window.levels("c_applied", levels, per_column=width)
    assert width == 3
    assert first == 999
    shown = [
        [k for k in range(c, c + 3) if k < 4000 and k not in missing] for c in range(first, 4000, 3)
    ]
    expected = np.array([values[k].mean(0) if k else [np.nan] * 3 for k in shown]).T
    statistics = window.statistics["c_applied"]
    z = (expected - statistics.mean[:, None]) / statistics.deviation()[:, None]
    drawn = np.where(levels == 255, np.nan, (levels.astype(float) - 127.0) / 127.0 * 3.0)
    assert np.isnan(drawn).any()
    np.testing.assert_allclose(drawn, np.clip(z, -3, 3), atol=0.03)


def test_all_plots_follow_the_length(qtbot: QtBot, timeline: Timeline) -> None:
    lengths: list[int] = []
    timeline.length_changed.connect(lengths.append)
    timeline.choose_unit(3)
    qtbot.wait(10)
    timeline.head.length.setValue(4)
    timeline.draw()
    plots = timeline.plots
    for plot in plots.shared:
        assert plot.getViewBox().viewRange()[0] == pytest.approx([10.0, 14.0])
    assert {interval.name for interval in timeline.ethogram.drawn()} >= {"run", "silence"}
    place = QPointF(plots.mapFromScene(plots.raster_box.sceneBoundingRect().center()))
    for delta in (-120, -120, 120):
        wheel = QWheelEvent(
            *(place, place, QPoint(0, 0), QPoint(0, delta), Qt.MouseButton.NoButton, CONTROL),
            *(Qt.ScrollPhase.NoScrollPhase, False),
        )
        QApplication.sendEvent(plots.viewport(), wheel)
    assert lengths == [200, 250, 300, 250]
    assert timeline.head.length.value() == 5
    timeline.show_length(10**6)
    assert timeline.length_ticks == 3000
    timeline.draw()
    assert plots.raster.getViewBox().viewRange()[0] == pytest.approx([0.0, 60.0])
    assert timeline.raster.under(13.9, 3.5).startswith("core/3   13.90 s   c ")


def test_frozen_plots_show_what_they_held_also_as_something_else(
    timeline: Timeline, session: list[Message]
) -> None:
    stream = Stream(description(layers=LAYERS, camera_shape=(1, 1, 3)), seed=5)
    timeline.set_frozen(True)
    held = timeline.raster.values_of(7)[1]["h_applied"]
    batch = Batch()
    batch.add(stream.ticks(N_TICKS, 60))
    timeline.take(batch)
    timeline.kind.setCurrentIndex(1)
    timeline.show_length(250)
    timeline.draw()
    assert timeline.raster.last_tick == N_TICKS + 59
    assert timeline.raster.end_tick == N_TICKS
    np.testing.assert_array_equal(timeline.raster.values_of(7)[1]["h_applied"], held[-250:])
    assert timeline.plots.raster.getViewBox().viewRange()[0] == pytest.approx([9.0, 14.0])
    timeline.set_frozen(False)
    timeline.draw()
    assert timeline.raster.end_tick == N_TICKS + 60


# --- as what -------------------------------------------------------------------------------------------


def test_the_selected_units_as_traces(timeline: Timeline, activity: dict[str, np.ndarray]) -> None:
    timeline.selection.select([30, 5])
    timeline.show_as("traces")
    timeline.draw()
    _, heights = timeline.raster.traces.values()
    drawn = heights.reshape(2, 501)[:, :-1]
    window = activity["c_applied"][-500:, [30, 5]]
    statistics = timeline.raster.window.statistics["c_applied"]
    z = (window - statistics.mean[[30, 5]]) / statistics.deviation()[[30, 5]]
    expected = np.array([0.5, 1.5])[:, None] - np.clip(z.T / 6, -0.5, 0.5)
    np.testing.assert_allclose(drawn, expected, atol=1e-5)
    assert timeline.raster.under(12.0, 0.3).startswith("policy_0/6   12.00 s   c ")
    assert [words for _, words in timeline.plots.raster.getAxis("left")._tickLevels[0]] == [
        *("policy_0/6", "core/5")
    ]
    timeline.selection.select(range(200))
    timeline.draw()
    assert "40 of 200 selected units" in timeline.raster.traces.note
    timeline.selection.clear()
    timeline.draw()
    assert "Select units" in timeline.raster.traces.note


def test_spikes_are_those_of_a_probe(
    timeline: Timeline, activity: dict[str, np.ndarray], qtbot: QtBot
) -> None:
    """Of the same seed and activity, as `rodent-rig probe` makes them; blinded, of what is natural."""
    for kind in ("h_applied", "h_natural"):
        timeline.set_blinded(kind == "h_natural")
        timeline.show_as("spikes")
        timeline.draw()
        qtbot.waitUntil(lambda: timeline.raster.draw(), timeout=20_000)
        probe = OnLine(Probe(), N_UNITS, description().seed, 0.02)
        expected = np.zeros((N_UNITS, 500), np.uint8)
        for column, tick in enumerate(range(N_TICKS - 500, N_TICKS)):
            units, _ = probe.spikes(tick, activity[kind][tick])
            expected[units, column] = 254
        np.testing.assert_array_equal(timeline.raster._levels, expected)
    assert 0.01 < (expected > 0).mean() < 0.9


def test_what_lights_stimulated_rows_lets_them_be_seen(timeline: Timeline) -> None:
    lit = [rect for rect, look in timeline.overlay.shades.bars if len(look.colour) == 9]
    place = max(lit, key=lambda rect: rect.height() * rect.width()).center()
    plots = timeline.plots
    at = plots.mapFromScene(plots.raster_box.mapViewToScene(place))
    shown = plots.grab().toImage()
    levels = {
        shown.pixelColor(at.x() + x, at.y() + y).lightness() for x in range(5) for y in range(9)
    }
    assert len(levels) > 5
    assert min(levels) < 160


def test_poissons_distribution_is_scipys() -> None:
    expected = np.array([0.0, 1e-6, 0.3, 1.0, 7.7, 50.0])
    cumulative = poisson_cumulative(expected)
    numbers = np.arange(cumulative.shape[1])
    np.testing.assert_allclose(cumulative, poisson.cdf(numbers, expected[:, None]), atol=1e-13)


# --- in which order ------------------------------------------------------------------------------------


def _rows(timeline: Timeline) -> list[int]:
    return [int(timeline.raster.unit_at(row + 0.5) or 0) for row in range(N_UNITS)]


def test_sorting_by_modulation_and_by_correlation(
    timeline: Timeline, session: list[Message], activity: dict[str, np.ndarray]
) -> None:
    head = timeline.head
    head.order.setCurrentIndex(head.order.findData("modulation"))
    head.behaviour.setCurrentText("walk")
    timeline.sort("modulation")
    assert "walk has not been seen" in timeline.readout.full_text
    assert _rows(timeline) == list(range(N_UNITS))
    head.behaviour.setCurrentText("run")
    timeline.sort("modulation")
    within = np.zeros(N_TICKS, bool)
    for start in range(3, N_TICKS, 40):
        within[start : start + 25] = True
    c = activity["c_applied"].astype(float)
    modulation = (c[within].mean(0) - c[~within].mean(0)) / c.std(0)
    ranked = modulation[_rows(timeline)]
    for first, last in ((0, 24), (24, 40), (40, 340)):
        assert (np.diff(ranked[first:last]) <= 1e-9).all()
    head.by_layer.click()
    assert (np.diff(modulation[_rows(timeline)]) <= 1e-9).all()
    assert timeline.raster.named_at(3.5) == ()

    timeline.selection.clear()
    timeline.sort("correlation")
    assert "Select a unit first" in timeline.readout.full_text
    timeline.selection.select([100])
    timeline.sort("correlation")
    found = np.corrcoef(c[-500:].T)[100]
    assert _rows(timeline)[0] == 100
    assert (np.diff(found[_rows(timeline)]) <= 1e-9).all()
    head.by_layer.click()
    timeline.sort("number")
    assert _rows(timeline) == list(range(N_UNITS))


def test_what_is_shown_again_counts_once(timeline: Timeline, session: list[Message]) -> None:
    before = timeline.modulation.of("run", "h_natural")
    seen_s = timeline.modulation.seen_s("run", 0.02)
    timeline.clear()
    batch = Batch()
    batch.add(message for message in session if message.tick >= 300)
    timeline.take(batch)
    assert timeline.modulation.seen_s("run", 0.02) == seen_s
    np.testing.assert_array_equal(timeline.modulation.of("run", "h_natural"), before)


# --- which units ---------------------------------------------------------------------------------------


def _row_at(timeline: Timeline, row: float, left: bool = False) -> QPoint:
    box = timeline.plots.raster_box
    place = box.mapViewToScene(QPointF(8.0, row))
    if left:
        place.setX(box.sceneBoundingRect().left() - 20)
    return QPoint(timeline.plots.mapFromScene(place))


def _mouse(timeline: Timeline, kind: QEvent.Type, at: QPoint, held: Qt.KeyboardModifier) -> None:
    moving = kind == QEvent.Type.MouseMove
    buttons = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else LEFT
    button = Qt.MouseButton.NoButton if moving else LEFT
    viewport = timeline.plots.viewport()
    where = QPointF(at)
    event = QMouseEvent(kind, where, QPointF(viewport.mapToGlobal(at)), button, buttons, held)
    QApplication.sendEvent(viewport, event)


def _drag(timeline: Timeline, first: float, last: float, held: Qt.KeyboardModifier) -> None:
    start, end = _row_at(timeline, first), _row_at(timeline, last)
    _mouse(timeline, QEvent.Type.MouseButtonPress, start, held)
    for share in (0.3, 0.7, 1.0):
        QTest.qWait(15)  # pyqtgraph looks at the mouse a hundred times a second
        _mouse(timeline, QEvent.Type.MouseMove, start + (end - start) * share, held)
    _mouse(timeline, QEvent.Type.MouseButtonRelease, end, held)


def test_units_are_selected_with_the_mouse(qtbot: QtBot, timeline: Timeline) -> None:
    plots, selection = timeline.plots, timeline.selection
    viewport = plots.viewport()
    plots.raster.setYRange(0, 40, padding=0)
    timeline.draw()
    qtbot.mouseClick(viewport, LEFT, NONE, _row_at(timeline, 3.5))
    assert selection.units == (3,)
    assert timeline.trace.unit == 3
    assert timeline.raster.marks.rows == [(3, 4)]
    qtbot.wait(700)  # or it would be a double click
    qtbot.mouseClick(viewport, LEFT, CONTROL, _row_at(timeline, 30.5))
    assert selection.units == (3, 30)
    assert timeline.trace.unit == 3
    _drag(timeline, 10.5, 14.5, CONTROL)
    assert selection.units == (3, 30, 10, 11, 12, 13, 14)
    assert timeline.raster.marks.rows == [(3, 4), (10, 15), (30, 31)]
    _drag(timeline, 8.5, 6.5, NONE)
    assert selection.units == (6, 7, 8)
    assert timeline.trace.unit is None
    # a name on the axis takes what it is of: here a unit, and among all rows a layer
    qtbot.mouseClick(viewport, LEFT, NONE, _row_at(timeline, 20.5, left=True))
    assert selection.units == (20,)
    timeline.raster.show_all()
    qtbot.mouseClick(viewport, LEFT, NONE, _row_at(timeline, 10.5, left=True))
    assert selection.units == tuple(range(24))
    qtbot.mouseClick(viewport, LEFT, CONTROL, _row_at(timeline, 30.5, left=True))
    assert selection.units == tuple(range(40))
    timeline.sort("mean")
    assert sum(last - first for first, last in timeline.raster.marks.rows) == 40


def test_units_are_searched_by_name(qtbot: QtBot, timeline: Timeline) -> None:
    search = timeline.head.search
    timeline.head.start_search()
    qtbot.keyClicks(search, "policy_2/23, core/0-2")
    qtbot.keyClick(search, Qt.Key.Key_Return)
    assert timeline.selection.units == (63, 0, 1, 2)
    assert timeline.readout.full_text == "4 units selected"
    search.setText("policy_2/300")
    qtbot.keyClick(search, Qt.Key.Key_Return)
    mistake = "policy_2 has no unit 300: its units are 0 to 299."
    assert timeline.readout.full_text == mistake
    timeline.plots.pointed.emit(timeline.plots.raster_box.sceneBoundingRect().center())
    assert timeline.readout.full_text == mistake  # the pointer does not wipe it out at once
    assert timeline.selection.units == (63, 0, 1, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("polic_0/3", "did you mean policy_0?"),
        ("soma", "there are core, policy_0, policy_2."),
        ("core/x", '"core/x" is no unit. Write policy_2/23, core/0-15 or core'),
        ("core/", "is no unit"),
        ("core/7-3", "write core/3-7."),
        (" , ", "Which units?"),
    ],
)
def test_a_mistake_in_a_name_is_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"[.?]$") as caught:
        find_units(text, LAYERS)
    assert words in str(caught.value)


def test_a_window_of_activity_that_is_given_up_leaves_no_memory() -> None:
    window = ActivityWindow(4)
    arrays = {kind: np.ones(4, np.float32) for kind in KINDS}
    window.add([Message(Tick(0, 0.0, 1.0, 0.0, True, False, 0.0), tick=0, arrays=arrays)])
    window.levels(KINDS[0], np.zeros((4, 100), np.uint8), per_column=2)
    window.clear()
    assert not window.known(0, 1).any()
    gone = weakref.ref(window)
    del window
    assert gone() is None  # at once, not when Python looks for cycles


def test_marks_that_touch_are_painted_as_one() -> None:
    one, other = Look("#ff0000", least_px=3.0), Look("#00ff00", "outline")
    bars = [(QRectF(x, 0, 1, 1), one) for x in (0, 2, 4, 40)] + [(QRectF(41, 0, 1, 1), other)] * 2
    painted = in_pixels(bars, QTransform.fromScale(1.0, 10.0))
    assert [(rect.left(), rect.right()) for rect, _ in painted] == [
        (0, 7),
        (40, 43),
        (41, 42),
        (41, 42),
    ]
