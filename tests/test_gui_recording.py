"""The window on a real recording: play, seek, jump, sort, trace; and one that cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import recorder
from bench.synthetic_session import Stream, description
from gui.main_window import MainWindow
from gui.seen.activity import WINDOW_TICKS
from recorder.replay import ReplaySource
from recorder.writer import Writer
from tests.rodent_rig import ROOT
from tests.shared_recordings import first_light


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven seconds of two trials, with delivered and sham stimuli."""
    return first_light(tmp_path_factory).file


def test_a_replay_shows_the_recording_tick_by_tick(
    qtbot: QtBot, open_window: Callable[..., MainWindow], recording: Path
):
    with ReplaySource(recording) as source:
        last = source.first_tick + source.n_ticks - 1
        expected = {
            event.number: event.sham
            for _, event in source.recording.events
            if event.kind == "stimulus" and event.phase == "onset"
        }
        camera = source.messages(150, 150)[0].arrays["camera"]
    window = open_window()
    window.replay(recording, speed=5.0)
    qtbot.waitUntil(lambda: window.tick > 20, timeout=20000)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    here = -1
    while here != window.tick:  # what was under way arrives; else it would go on to the last tick
        here = window.tick
        qtbot.wait(250)
    assert here < last

    qtbot.keyClick(window, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: window.tick == here + 1, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: window.tick == here, timeout=20_000)

    window.panels.transport.slider.setValue(150)
    qtbot.waitUntil(lambda: window.tick == 150, timeout=20_000)
    assert window.panels.camera.image is not None
    pixel = window.panels.camera.image.pixelColor(20, 40)
    assert [pixel.red(), pixel.green(), pixel.blue()] == camera[40, 20].tolist()
    qtbot.waitUntil(lambda: window.panels.timeline.raster.last_tick == 150, timeout=20_000)

    window.panels.transport.slider.setValue(last)
    qtbot.waitUntil(lambda: window.tick == last, timeout=20_000)
    ethogram = window.panels.timeline.ethogram
    qtbot.waitUntil(
        lambda: {i.number: i.sham for i in ethogram.drawn() if i.kind == "stimulus"} == expected,
        timeout=20_000,
    )
    delivered = [i for i in ethogram.drawn() if i.kind == "stimulus" and not i.sham]
    lit = window.panels.timeline.stimulated.within(0, last)
    assert [each.first for each in lit] == [i.began_tick for i in delivered]
    assert all(set(each.units) <= set(range(384, 512)) and len(each.units) == 64 for each in lit)
    assert True in expected.values()
    assert False in expected.values()
    qtbot.waitUntil(lambda: window.panels.arena.image is not None, timeout=20000)
    qtbot.waitUntil(lambda: window.panels.arena.notice == "", timeout=20000)
    window.panels.transport.slider.setValue(20)  # in another trial, which has another arena
    qtbot.waitUntil(lambda: window.panels.arena.notice.startswith("Trial 1"), timeout=20_000)
    qtbot.waitUntil(lambda: window.panels.arena.notice == "", timeout=20000)
    window.panels.transport.slider.setValue(last)
    qtbot.waitUntil(lambda: window.tick == last, timeout=20_000)
    assert not window.panels.control.record.isVisible()

    speed = window.panels.transport.speed.currentData()
    qtbot.keyClick(window, Qt.Key.Key_Up)
    assert window.panels.transport.speed.currentData() > speed
    qtbot.keyClick(window, Qt.Key.Key_Space)  # from the end, over again
    qtbot.waitUntil(lambda: window.tick < last, timeout=20_000)


def test_a_jump_looks_like_having_played_up_to_there(
    qtbot: QtBot, open_window: Callable[..., MainWindow], recording: Path
):
    played, jumped = open_window(), open_window()
    played.replay(recording, speed=20.0)
    qtbot.waitUntil(lambda: played.tick == 349, timeout=20000)
    jumped.replay(recording, speed=0.1)
    qtbot.waitUntil(lambda: jumped.tick >= 0, timeout=20000)
    jumped.stream.set_playing(False)  # type: ignore[union-attr]
    jumped.panels.transport.slider.setValue(349)
    qtbot.waitUntil(lambda: jumped.panels.timeline.raster.last_tick == 349, timeout=20_000)
    shown = []
    for window in (played, jumped):
        window.panels.timeline.raster.draw()
        window.panels.timeline.ethogram.draw()
        shown.append(window.panels.timeline.raster._levels.astype(int))
        assert shown[-1].shape == (512, WINDOW_TICKS)
    # the same numbers, summed in another order: at most one level of rounding apart
    assert np.abs(shown[0] - shown[1]).max() <= 1
    bars = [
        sorted((i.name, i.number, i.end_tick) for i in window.panels.timeline.ethogram.drawn())
        for window in (played, jumped)
    ]
    assert bars[0] == bars[1]


def test_units_are_sorted_and_one_is_traced(
    qtbot: QtBot, open_window: Callable[..., MainWindow], recording: Path
):
    with recorder.open(recording) as written:
        values = {
            kind: written.values(kind, 0, 250)
            for kind in ("c_applied", "c_natural", "h_applied", "h_natural")
        }
    window = open_window()
    window.replay(recording, speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=20000)
    window.player.toggle_play()
    window.player.seek(250)
    timeline = window.panels.timeline
    qtbot.waitUntil(lambda: timeline.raster.last_tick == 250, timeout=20_000)
    timeline.sort("mean")
    rows = [timeline.raster.unit_at(row + 0.5) for row in range(512)]
    mean = values["c_applied"].mean(axis=0)
    layers = [np.argsort(-mean[first : first + 128]) + first for first in range(0, 512, 128)]
    np.testing.assert_allclose(mean[rows], mean[np.concatenate(layers)], atol=1e-5)
    assert sorted(rows[384:]) == list(range(384, 512))

    timeline.draw()
    box = timeline.plots.raster.getViewBox()
    at = timeline.plots.mapFromScene(box.mapViewToScene(QPointF(2.0, 400.5)))
    qtbot.mouseClick(timeline.plots.viewport(), Qt.MouseButton.LeftButton, pos=at)
    unit = timeline.trace.unit
    assert unit in rows[396:405]
    assert unit is not None
    for kind, series in values.items():
        drawn = timeline.trace.values(kind)
        np.testing.assert_array_equal(drawn[-251:], series[:, unit])
        assert np.isnan(drawn[:-251]).all()
    name = timeline.raster.name_of(unit)
    assert name == f"policy_2/{unit - 384}"
    assert name in timeline.raster.under(2.0, rows.index(unit) + 0.5)

    # units have their names where one looks close, and a double click goes back
    timeline.plots.raster.setYRange(rows.index(unit) - 5, rows.index(unit) + 5, padding=0)
    named = [words for _, words in timeline.plots.raster.getAxis("left")._tickLevels[0]]
    assert name in named
    qtbot.wait(700)  # not a double click with the one above
    at = timeline.plots.mapFromScene(box.sceneBoundingRect().center())
    qtbot.mouseClick(timeline.plots.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(timeline.plots.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert timeline.plots.raster.getViewBox().viewRange()[1] == [0, 512]
    assert timeline.trace.unit == unit

    # what the pointer was on is read out as long as it is there
    qtbot.mouseMove(timeline.plots.viewport(), at)
    qtbot.waitUntil(lambda: timeline.readout.full_text.startswith("policy_"), timeout=20_000)
    QApplication.sendEvent(timeline.plots, QEvent(QEvent.Type.Leave))
    assert timeline.readout.full_text == ""
    qtbot.mouseClick(timeline.plots.close_trace, Qt.MouseButton.LeftButton)
    assert timeline.trace.unit is None
    assert not timeline.plots.trace.isVisible()


def test_selected_units_stay_where_the_network_is_the_same(
    qtbot: QtBot, open_window: Callable[..., MainWindow], recording: Path, tmp_path: Path
):
    """From a session to its replay, and to recordings beside it; not to another animal."""
    window, units = open_window(), (5, 400)
    selection = window.panels.selection
    window.replay(recording)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=20_000)
    selection.select(units)
    window.replay(recording)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=20_000)
    window.panels.timeline.show_as("traces")
    assert (selection.units, tuple(window.panels.timeline.raster.rows)) == (units, units)
    window.replay(recording, recording)
    columns = window.panels.comparison
    qtbot.waitUntil(lambda: window.tick >= 0 and len(columns.columns) == 2, timeout=20_000)
    assert selection.units == units
    other = tmp_path / "other.nwb"
    writer = Writer(other, described := description(), {}, session="other", camera=False)
    stream = Stream(described)
    for message in [*stream.beginning(), *stream.ticks(0, 60), stream.end(60)]:
        writer.add(message)
    writer.close()
    window.replay(other)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=20_000)
    assert selection.units == ()


def test_a_damaged_recording_is_a_sentence(
    qtbot: QtBot, open_window: Callable[..., MainWindow], tmp_path: Path
):
    (tmp_path / "broken.nwb").write_bytes(b"this is no recording")
    window = open_window()
    window.replay(tmp_path / "broken.nwb")
    qtbot.waitUntil(lambda: "broken.nwb" in window.panels.welcome.detail.text(), timeout=20_000)


def test_without_gl_the_rest_goes_on(recording: Path, tmp_path: Path):
    program = (
        "import sys; from pathlib import Path\n"
        "from PyQt6.QtCore import QSettings, QTimer\n"
        "from PyQt6.QtWidgets import QApplication\n"
        "from gui.main_window import MainWindow\n"
        "app = QApplication(['test'])\n"
        "ini = QSettings(sys.argv[2], QSettings.Format.IniFormat)\n"
        "window = MainWindow(None, ini); window.show(); window.replay(Path(sys.argv[1]), speed=5.0)\n"
        "def look():\n"
        "    if window.tick > 50 and 'OpenGL' in window.panels.arena.sentence:\n"
        "        print('ticks go on:', window.panels.arena.sentence); window.close(); app.quit()\n"
        "timer = QTimer(); timer.timeout.connect(look); timer.start(50)\n"
        "QTimer.singleShot(30000, app.quit); app.exec()\n"
    )
    environment = {**os.environ, "MUJOCO_GL": "none-such", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(recording), str(tmp_path / "w.ini")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "ticks go on: The arena cannot be drawn here" in done.stdout, done.stderr
