"""The window on a recording: going to the next behaviour, stimulus or trial, looping; and from the bus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtCore import QPoint, QPointF, QSettings, Qt
from pytestqt.qtbot import QtBot

from bench.synthetic_session import Stream, description
from gui.main_window import MainWindow
from gui.seen.markers import BEHAVIOURS, STIMULI, TRIALS, Place, around, neighbour, places
from recorder.writer import Writer
from rig.bus.message_types import Event
from rig.client import attach
from rig.session.directory import running_sessions
from tests.rodent_rig import RunningRig, wait_for

N_TICKS = 400


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds, four trials; runs of 25 ticks begin at 1, 41, 81 …, stimuli of 20 at 4, 44, 84 …"""
    path = tmp_path_factory.mktemp("window") / "session.nwb"
    stream = Stream(description())
    described, files = stream.beginning()
    writer = Writer(path, description(), files.arrays, session=described.session)
    for message in stream.ticks(0, N_TICKS):
        writer.add(message)
    writer.close()
    return path


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[MainWindow]:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(None, settings)
    window.resize(1280, 800)
    window.show()
    yield window
    window.close()


def _at(qtbot: QtBot, window: MainWindow, tick: int) -> None:
    qtbot.waitUntil(lambda: window.tick == tick == _place(window, tick), timeout=20_000)


def _place(window: MainWindow, tick: int) -> int:
    """Where the transport bar says a replay is; of what comes from the bus it says nothing."""
    return window.panels.transport._tick if window.phase == "replay" else tick


def test_jumps_and_loops(qtbot: QtBot, window: MainWindow, file: Path) -> None:
    """By key and by button, to what was chosen; a loop stays within its ticks until it is ended."""
    window.replay(file, speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    assert "2026-01-02 03:04:05 +00:00" in window.panels.control.replayed.full_text
    bar = window.panels.transport
    window.player.toggle_play()
    window.player.seek(50)
    _at(qtbot, window, 50)

    control = Qt.KeyboardModifier.ControlModifier
    bar.choice.setCurrentText("run")
    qtbot.keyClick(window, Qt.Key.Key_Right, control)
    _at(qtbot, window, 81)
    qtbot.keyClick(window, Qt.Key.Key_Left, control)
    _at(qtbot, window, 41)
    bar.choice.setCurrentText(TRIALS)
    qtbot.mouseClick(bar.next, Qt.MouseButton.LeftButton)
    _at(qtbot, window, 100)
    bar.choice.setCurrentText(STIMULI)
    qtbot.mouseClick(bar.previous, Qt.MouseButton.LeftButton)
    _at(qtbot, window, 84)

    window.player.set_speed(20)
    qtbot.mouseClick(bar.loop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(bar.loop.isChecked, timeout=20_000)
    seen: list[int] = []
    assert window.stream is not None
    window.stream.moved.connect(seen.append)  # type: ignore[attr-defined]
    window.player.toggle_play()
    qtbot.waitUntil(lambda: sum(b < a for a, b in pairwise(seen)) >= 3, timeout=20_000)
    assert all(84 <= tick <= 103 for tick in seen)
    window.player.toggle_play()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not bar.loop.isChecked(), timeout=20_000)

    window.player.seek(200)
    _at(qtbot, window, 200)
    qtbot.keyClick(window, Qt.Key.Key_BracketLeft)
    qtbot.waitUntil(lambda: window.panels.transport._loop == (200, N_TICKS - 1), timeout=20_000)
    window.player.step(30)
    _at(qtbot, window, 230)
    qtbot.keyClick(window, Qt.Key.Key_BracketRight)
    qtbot.waitUntil(lambda: window.panels.transport._loop == (200, 230), timeout=20_000)
    window.player.seek(300)  # beyond the loop: it ends
    qtbot.waitUntil(lambda: window.panels.transport._loop is None, timeout=20_000)

    slider = bar.slider
    assert slider.width() > 0.95 * window.width()  # across the whole window, not beside its docks
    words = slider.words_at(QPointF(slider.width() * 90 / 399, 10)).splitlines()
    assert words[0].startswith("0:01.")
    assert words[0].endswith("trial 1")
    assert {"run", "silence"} <= set(words)
    assert slider.words_at(QPointF(100, slider.height() - 3)) == ""  # the axis
    left, right = (QPoint(round(slider.width() * share), 10) for share in (0.25, 0.5))
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, shift, left)
    qtbot.mouseMove(slider, right)
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, shift, right)
    qtbot.waitUntil(
        lambda: bar._loop is not None and bar._loop[0] < 110 < bar._loop[1] < 210, timeout=20_000
    )


def test_a_longer_window_reaches_back_also_after_a_jump(
    qtbot: QtBot, window: MainWindow, file: Path
) -> None:
    window.panels.timeline.show_length(100)
    window.replay(file, speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    window.player.toggle_play()
    window.player.seek(350)
    _at(qtbot, window, 350)
    raster = window.panels.timeline.raster
    assert raster.window.known(0, 351).sum() == 100
    window.panels.timeline.show_length(300)
    qtbot.waitUntil(lambda: raster.window.known(0, 351).sum() == 300, timeout=20_000)
    window.player.seek(320)
    _at(qtbot, window, 320)
    assert raster.window.known(0, 321).sum() == 300
    window.panels.timeline.show_length(100)
    box = window.panels.timeline.plots.raster.getViewBox()
    # it is drawn again some milliseconds later
    qtbot.waitUntil(lambda: box.viewRange()[0][1] == pytest.approx(6.42), timeout=20_000)


def test_the_window_on_a_replay_on_the_bus(
    qtbot: QtBot, window: MainWindow, file: Path, runtime: Path
) -> None:
    """Attached as to a session; after a jump back it shows what came before the place."""
    with RunningRig("replay", file, "--bus", "--paused", "--hold", "--speed", 20) as rig:
        wait_for(lambda: bool(running_sessions()) or rig.process.poll() is not None, 180)
        session = running_sessions()[0].session
        window.attach(session)
        qtbot.waitUntil(lambda: window.phase == "live", timeout=60_000)
        with attach(session) as bus:
            bus.command("resume")
            _at(qtbot, window, N_TICKS - 1)
            bus.command("seek", tick=120)
            qtbot.waitUntil(lambda: window.panels.timeline.raster.last_tick == 120, timeout=20_000)
            assert window.tick == 120
            window.panels.timeline.raster.draw()
            assert (window.panels.timeline.raster._levels[:, -121:] < 255).all()
            window.session.toggle_record()
            qtbot.waitUntil(
                lambda: "recorded already" in window.panels.banner.label.text(), timeout=20_000
            )
            bus.command("stop")
        qtbot.waitUntil(lambda: window.phase == "ended", timeout=20_000)
    # the end of what another program began is no dead end
    assert window.panels.end.isVisible()
    assert not window.panels.end.again.isVisible()  # this window does not know how
    window.panels.end.set_up.click()
    assert window.phase == "empty"
    assert window.panels.welcome.open.isVisible()


def _event(name: str, phase: str, tick: int, number: int, kind: str = "behaviour") -> Event:
    return Event(kind, name, phase, tick, tick, number)


def test_places_of_a_recording() -> None:
    """Open ends last to the end; what is chosen and not there is not offered."""
    events = [
        _event("run", "onset", 10, 0),
        _event("pulse", "onset", 15, 0, "stimulus"),
        _event("run", "offset", 20, 0),
        _event("run", "onset", 30, 1),
    ]
    found = places(events, [0, 25], 49)
    assert found["run"] == (Place(10, 19, "run"), Place(30, 49, "run"))
    assert found[STIMULI] == found["pulse"] == (Place(15, 49, "pulse"),)
    assert found[TRIALS] == (Place(0, 24, "trial"), Place(25, 49, "trial"))
    assert BEHAVIOURS in found
    assert places([], [], 49) == {}
    assert around(found["run"], 19) == found["run"][0]
    assert around(found["run"], 20) is None


@given(st.lists(st.integers(0, 100), unique=True), st.integers(-5, 105))
def test_the_neighbours_of_a_tick(starts: list[int], tick: int) -> None:
    """The next is the least after it, the one before the greatest before it."""
    listed = [Place(start, start + 5, "x") for start in sorted(starts)]
    after, before = neighbour(listed, tick, 1), neighbour(listed, tick, -1)
    assert (after.tick if after else None) == min((s for s in starts if s > tick), default=None)
    assert (before.tick if before else None) == max((s for s in starts if s < tick), default=None)
