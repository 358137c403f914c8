"""The dock Health: how long ticks take, why the animal is slow, how long the disk and memory last."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from PyQt6.QtGui import QColor
from pytestqt.qtbot import QtBot

from bench.synthetic_session import description
from gui.look.theme import DARK
from gui.session.performance import PerformancePanel
from gui.streams.stream import Batch
from rig.bus.message_types import Message, RecorderReport, Status, Tick
from rig.tick_loop import LATENCIES

USUAL = {
    "physics_ms": 8.0,
    "sense_ms": 2.0,
    "network_ms": 1.0,
    "engine_wait_ms": 0.5,
    "send_ms": 0.5,
}


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[PerformancePanel]:
    panel = PerformancePanel(DARK)
    qtbot.addWidget(panel)
    panel.resize(300, 420)
    panel.show()
    yield panel
    panel.close_worker()


def _ticks(
    stages: Mapping[str, float], every_ms: float, first: int = 0, n: int = 200, first_of: int = -1
) -> list[Message]:
    """Ticks that follow each other every so many ms, of which these stages take their parts."""
    values = {**USUAL, **stages}
    values["engine_ms"] = values.get("engine_ms", 0.8 * values["engine_wait_ms"])
    values["tick_ms"] = sum(values[name] for name in USUAL)
    latency = np.array([values.get(name, 0.0) for name in LATENCIES], np.float32)
    return [
        Message(
            Tick(0, 0.0, 1.0, 0.0, tick == first_of, every_ms > 21, tick * every_ms / 1000),
            "none",
            tick,
            arrays={"latency": latency},
        )
        for tick in range(first, first + n)
    ]


def _status(file_bytes: int = 0, state: str = "running") -> Status:
    report = RecorderReport("recording", "/d/a.nwb", 100, 99, file_bytes, 36_000_000_000)
    return Status(state, {"subject": "alive"}, 100, 0, 1.0, report if file_bytes else None)


def _described(pace: str, latencies: tuple[str, ...] = LATENCIES) -> Message:
    return Message(description(pace=pace, latencies=latencies))


def test_in_real_time_it_says_so(panel: PerformancePanel) -> None:
    panel.take(Batch(description=_described("realtime"), ticks=_ticks({}, 20.0)))
    panel.show_status(_status())
    panel.draw()
    assert panel.slow == ""
    assert panel.verdict.text() == "In real time: 12.0 ms of work a tick (median)."
    assert panel.value("loop") == "20.0 ms · 95 %: 20.0 · max 20.0"
    assert panel.value("stages").startswith("physics 8.0 · camera and senses 2.0")
    assert panel.value("late") == "0.0 %"
    assert panel.histogram.counts[12] == 199
    panel.take(Batch(ticks=_ticks({}, 21.5, first=200, n=20)))
    panel.draw()
    assert panel.verdict.text().startswith("In real time, but for 9 % of ticks, which were late: ")
    assert panel.value("disk") == "nothing is recorded"


def test_a_pause_is_no_latency(panel: PerformancePanel) -> None:
    """Nor are the waits between single ticks in it, whenever the session's word comes."""
    panel.take(Batch(description=_described("realtime"), ticks=_ticks({}, 20.0)))
    panel.show_status(_status(state="paused"))
    for tick in (200, 201):  # 4 and 4.02 s later
        panel.take(Batch(ticks=_ticks({}, 40.0, first=tick, n=1)))
    panel.show_status(_status())
    panel.take(Batch(ticks=_ticks({}, 20.0, first=202, n=10)))
    panel.draw()
    assert panel.value("loop") == "20.0 ms · 95 %: 20.0 · max 20.0"


@pytest.mark.parametrize(
    ("stages", "every_ms", "reason"),
    [
        ({"physics_ms": 25.0}, 29.5, "physics takes 25.0"),
        ({"sense_ms": 30.0}, 42.5, "camera and senses take 30.0"),
        ({"network_ms": 18.0}, 28.5, "network takes 18.0"),
        ({"engine_wait_ms": 22.0}, 34.0, "stimulation engine takes 22.0"),
        ({"engine_wait_ms": 22.0, "engine_ms": 1.0}, 34.0, "too few cores, or the recorder"),
        ({"send_ms": 40.0}, 52.0, "sending and recording takes 40.0"),
        ({}, 30.0, "the rest is between ticks"),
    ],
    ids=lambda value: next(iter(value), "none") if isinstance(value, dict) else None,
)
def test_what_makes_the_animal_slow_is_said(
    panel: PerformancePanel, stages: dict[str, float], every_ms: float, reason: str
) -> None:
    panel.take(Batch(description=_described("realtime"), ticks=_ticks(stages, every_ms)))
    panel.show_status(_status())
    panel.draw()
    assert panel.slow.startswith(f"Slower than real time: {every_ms:.1f} ms a tick instead of 20")
    assert reason in panel.slow
    assert panel.slow in panel.verdict.text()
    assert DARK.warning in panel.verdict.styleSheet()

    # over as soon as it is over; a pause, or the start of a trial, is not slow
    panel.take(Batch(ticks=_ticks({}, 20.0, first=1000, n=120)))
    panel.show_status(_status())
    assert panel.slow == ""


def test_nobody_is_slow_who_need_not_be_fast(panel: PerformancePanel) -> None:
    panel.take(Batch(description=_described("max"), ticks=_ticks({"physics_ms": 90.0}, 100.0)))
    panel.show_status(_status())
    panel.draw()
    assert panel.slow == ""
    assert panel.verdict.text().startswith("As fast as it can: 94.0 ms")


def test_a_stream_without_stages_is_said_to_have_none(panel: PerformancePanel) -> None:
    ticks = [
        Message(each.content, "none", each.tick, arrays={"latency": np.zeros(2, np.float32)})
        for each in _ticks({}, 30.0)
    ]
    panel.take(Batch(description=_described("realtime", ("camera", "network")), ticks=ticks))
    panel.show_status(_status())
    panel.draw()
    assert panel.slow.endswith("what takes the time is not in this stream.")
    assert panel.value("stages") == "not in this stream"


def test_the_disk_lasts_as_long_as_it_fills(
    panel: PerformancePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.take(Batch(description=_described("realtime"), ticks=_ticks({}, 20.0)))
    now = time.monotonic()
    for second in range(11):
        monkeypatch.setattr(time, "monotonic", lambda at=now + second: at)
        panel.show_status(_status(1_000_000 + second * 5_000_000))
    panel.draw()
    assert panel.value("disk") == "2 h 0 min left at 5.0 MB/s"
    assert "color" not in panel._values["disk"].styleSheet()


def test_ticks_that_were_not_shown_and_pictures_that_were_not_drawn_are_counted(
    panel: PerformancePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.take(Batch(description=_described("realtime"), ticks=_ticks({}, 20.0, n=50)))
    panel.take(Batch(ticks=_ticks({}, 20.0, first=60, n=50)))
    for at in (0.0, 0.05, 0.1, 0.15, 0.4, 0.45):
        monkeypatch.setattr(time, "monotonic", lambda at=at: at)
        panel.frame(0.05)
    panel.draw()
    assert panel.value("display") == "11 a second, 4 dropped; 10 ticks never shown"
    panel.clear()  # a jump leaves nothing out
    panel.take(Batch(ticks=_ticks({}, 20.0, first=5000, n=5)))
    panel.draw()
    assert panel.value("display").endswith("10 ticks never shown")


def test_memory_is_that_of_the_window(qtbot: QtBot, panel: PerformancePanel) -> None:
    panel.draw()
    qtbot.waitUntil(lambda: panel.value("memory").startswith("window "), timeout=20_000)
    assert 30 < float(panel.value("memory").split()[1]) < 4000


def test_bars_beyond_the_limit_are_amber(panel: PerformancePanel) -> None:
    panel.take(Batch(description=_described("realtime"), ticks=_ticks({"physics_ms": 26.0}, 30.5)))
    panel.draw()
    picture = panel.histogram.grab().toImage()
    colours = {
        picture.pixelColor(x, y).name()
        for x in range(0, picture.width(), 2)
        for y in range(0, picture.height(), 2)
    }
    assert QColor(DARK.warning).name() in colours
    assert QColor(DARK.accent).name() not in colours


def test_where_ticks_are_late_less_is_drawn(
    panel: PerformancePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    panel.yielding.connect(asked.append)
    panel.take(Batch(description=_described("realtime"), ticks=_ticks({}, 30.0)))
    now = time.monotonic()

    def judge(after_s: float) -> int:
        """How many of twelve pictures are drawn then."""
        monkeypatch.setattr(time, "monotonic", lambda: now + after_s)
        panel.show_status(_status())
        return sum(not panel.skips() for _ in range(12))

    assert [judge(0), judge(1), judge(3), judge(6), judge(9)] == [6, 6, 3, 3, 3]
    assert asked == [2, 4]
    panel.frame(0.05)
    panel.frame(0.05)
    panel.draw()
    assert panel.value("display").endswith("one in 4 drawn, as ticks are late")
    panel.take(Batch(ticks=_ticks({}, 20.0, first=500)))
    assert [judge(12), judge(15), judge(18)] == [6, 12, 12]
    assert asked == [2, 4, 2, 1]

    # where the animal stands still nothing is late
    panel.take(Batch(ticks=_ticks({}, 30.0, first=1000)))
    assert judge(21) == 6
    panel.show_status(_status(state="paused"))
    assert asked[-1] == 1

    # a replay of the session, whose ticks are read and never late, is drawn whole
    panel.take(Batch(ticks=_ticks({}, 30.0, first=1300)))
    assert judge(30) == 6
    panel.take(Batch(description=_described("realtime")))
    assert asked[-1] == 1
    assert sum(not panel.skips() for _ in range(12)) == 12
