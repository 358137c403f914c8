"""The window on real sessions and a real recording."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPointF, QSettings, Qt, QTimer
from PyQt6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot

import recorder
from cli.sessions import Pace, load_protocol, prepare_session
from gui import recordings
from gui.activity import WINDOW_TICKS
from gui.main_window import MainWindow
from gui.stream import Batch
from recorder.replay import ReplaySource
from rig.client import BusClient
from rig.errors import RunError
from rig.session_directory import running_sessions
from rig.session_process import start_detached
from tests.rodent_rig import ROOT, RunningRig, rodent_rig, wait_for

PROTOCOL = """
protocol: often
subject: runner
task: corridor
trial_s: 2.0
stimuli:
  push: {clamp: policy_2, units: {first: 16}, to: 0.25, state: cell}
rules:
  - {on: {time_ms: 300}, do: push, after_ms: 20, for_ms: 200}
  - {on: {time_ms: 1000}, do: push, after_ms: 20, for_ms: 200, probability: 0.0, else: sham}
"""
START_MS = 180_000


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "often.yaml"
    path.write_text(PROTOCOL)
    return path


@pytest.fixture
def start(runtime: Path, protocol: Path) -> Iterator[Callable[[], str]]:
    """Starts a session as the command line does it for the window; ends what is left of it."""

    def start_session() -> str:
        spec, directory = prepare_session(load_protocol(protocol), protocol, 1, Pace.realtime)
        start_detached(spec, directory, 30.0)
        return directory.session

    yield start_session
    for note in running_sessions():
        try:
            with BusClient.attach(note.session) as bus:
                bus.command("stop")
        except RunError:
            os.kill(note.pid, signal.SIGKILL)
    wait_for(lambda: running_sessions() == [])


@pytest.fixture
def open_window(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., MainWindow]]:
    """Opens windows that remember nothing beyond the test."""
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    settings.setValue("recordings", str(tmp_path / "recordings"))
    opened: list[MainWindow] = []

    def open_one(start_session: Callable[[], str] | None = None) -> MainWindow:
        window = MainWindow(start_session, settings)
        opened.append(window)
        window.show()
        return window

    yield open_one
    for window in opened:
        if window.isVisible():
            if window.phase in ("live", "starting"):
                _press_in_dialog("Leave it running")
            window.close()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of three trials, with delivered and sham stimuli."""
    folder = tmp_path_factory.mktemp("recording")
    (folder / "often.yaml").write_text(PROTOCOL)
    runtime = tempfile.mkdtemp(prefix="rr-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        done = rodent_rig(
            "run", folder / "often.yaml", "--out", folder / "often.nwb", "--duration", 6
        )
    shutil.rmtree(runtime, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    return folder / "often.nwb"


def _press_in_dialog(words: str) -> None:
    """Presses a button of the question that the window is about to ask."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(50, press)
            return
        buttons = [b for b in box.buttons() if b.text().replace("&", "") == words]
        assert buttons, [b.text() for b in box.buttons()]
        buttons[0].click()

    QTimer.singleShot(50, press)


def _click(qtbot: QtBot, button: QAbstractButton) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def _pid(session: str, module: str) -> int:
    found = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal()
        and (entry / "cmdline").exists()
        and module.encode() in (entry / "cmdline").read_bytes()
        and session.encode() in (entry / "cmdline").read_bytes()
    ]
    (pid,) = found
    return pid


def _recording_state(window: MainWindow) -> str:
    return str(window.control.recording.property("state"))


def test_a_session_from_acquire_to_end(
    qtbot: QtBot, open_window: Callable[..., MainWindow], start: Callable[[], str]
):
    window = open_window(start)
    assert window.phase == "empty"
    _click(qtbot, window.control.acquire)
    assert window.welcome.heading.text() == "Starting the animal…"
    qtbot.waitUntil(lambda: window.phase == "live", timeout=START_MS)
    qtbot.waitUntil(lambda: window.tick > 60, timeout=START_MS)

    # what is shown is what was sent
    assert window.health.value("subject") == "runner"
    qtbot.waitUntil(lambda: window.health.value("process_subject") == "running", timeout=5000)
    assert "runner in corridor" in window.windowTitle()
    levels = window.timeline.raster._levels
    qtbot.waitUntil(lambda: bool((levels[:, -40:] < 255).all()), timeout=5000)
    assert np.unique(levels[:, -40:]).size > 20
    qtbot.waitUntil(lambda: window.eye.image is not None, timeout=5000)
    qtbot.waitUntil(lambda: window.arena.image is not None, timeout=20000)
    rows = [name for _, name in window.timeline.ethogram._rows]
    assert "run" in rows
    assert rows[-2:] == ["push", "outside"]
    qtbot.waitUntil(
        lambda: any(i.name == "push" for _, i in window.timeline.ethogram._drawn), timeout=10000
    )

    # freeze holds the plots, not the animal
    qtbot.keyClick(window, Qt.Key.Key_F)
    held, then = window.timeline.raster._levels.copy(), window.tick
    qtbot.waitUntil(lambda: window.tick > then + 25, timeout=10000)
    assert (window.timeline.raster._levels == held).all()
    qtbot.keyClick(window, Qt.Key.Key_F)
    qtbot.waitUntil(lambda: not (window.timeline.raster._levels == held).all(), timeout=5000)

    # record: pressing is not recording
    _click(qtbot, window.control.record)
    assert _recording_state(window) == "idle"
    qtbot.waitUntil(lambda: _recording_state(window) == "recording", timeout=START_MS)
    file = recordings.folder(window.settings) / window.control.file.full_text
    assert file.exists()
    assert window.control.free.text().endswith("free")
    qtbot.waitUntil(lambda: window.control.elapsed.text() >= "0:01.0", timeout=20000)
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: window.control.headline.text() == "Recorded", timeout=20000)
    assert _recording_state(window) == "idle"
    with recorder.open(file) as written:
        assert written.n_ticks >= 50
        told = f"{written.n_ticks} ticks"
    qtbot.waitUntil(lambda: window.health.value("disk") == told, timeout=5000)

    _click(qtbot, window.control.acquire)
    qtbot.waitUntil(lambda: window.phase == "ended", timeout=20000)
    assert "stopped" in window.banner.label.text()
    assert window.control.acquire.isEnabled()
    wait_for(lambda: running_sessions() == [])


def test_a_recorder_that_falls_silent_is_an_alarm(
    qtbot: QtBot, open_window: Callable[..., MainWindow], start: Callable[[], str]
):
    window = open_window(start)
    window.start()
    qtbot.waitUntil(lambda: window.tick > 10, timeout=START_MS)
    window.session.toggle_record()
    qtbot.waitUntil(lambda: _recording_state(window) == "recording", timeout=20000)
    pid = _pid(running_sessions()[0].session, "recorder.process")
    os.kill(pid, signal.SIGSTOP)
    try:
        qtbot.waitUntil(lambda: _recording_state(window) == "alarm", timeout=8000)
        assert window.control.record.property("recording") is False
        assert window.phase == "live"
    finally:
        os.kill(pid, signal.SIGCONT)
    qtbot.waitUntil(lambda: _recording_state(window) == "recording", timeout=10000)
    os.kill(pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: "RECORDING FAILED" in window.control.headline.text(), timeout=10000)
    assert _recording_state(window) == "alarm"
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=10000)
    then = window.tick
    qtbot.waitUntil(lambda: window.tick > then + 25, timeout=10000)


def test_a_window_that_crashes_leaves_the_session_to_the_next_one(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    start: Callable[[], str],
    protocol: Path,
):
    with RunningRig("gui", protocol, "--seed", 2) as crashing:
        wait_for(lambda: bool(running_sessions()), 60)
        session = running_sessions()[0].session
        os.kill(crashing.process.pid, signal.SIGKILL)
        crashing.process.wait(10)

        window = open_window()
        window.attach(session)
        qtbot.waitUntil(lambda: window.tick > 10, timeout=START_MS)
        _press_in_dialog("Cancel")
        window.close()
        assert window.isVisible()
        _press_in_dialog("Leave it running")
        window.close()
        assert not window.isVisible()
        assert [note.session for note in running_sessions()] == [session]

        again = open_window()
        again.attach(session)
        qtbot.waitUntil(lambda: again.tick > window.tick, timeout=START_MS)
        _press_in_dialog("End the session")
        again.close()
        qtbot.waitUntil(lambda: not again.isVisible(), timeout=25000)
        wait_for(lambda: running_sessions() == [])


def test_the_window_offers_what_is_running(
    qtbot: QtBot, open_window: Callable[..., MainWindow], start: Callable[[], str]
):
    session = start()
    window = open_window()
    assert session in window.welcome.detail.text()
    window.welcome.attach_pressed.emit(session)
    qtbot.waitUntil(lambda: window.phase == "live", timeout=START_MS)


def test_keys_reach_the_protocol_and_a_dead_engine_is_replaced(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    start: Callable[[], str],
    protocol: Path,
):
    protocol.write_text(PROTOCOL + "  - {on: {key: k}, do: push, for_ms: 60}\n")
    window = open_window(start)
    window.start()
    qtbot.waitUntil(lambda: window.phase == "live", timeout=START_MS)
    inputs: list[tuple[str, str]] = []
    causes: list[str] = []

    def note(batch: Batch) -> None:
        inputs.extend((i.kind, i.name) for m in batch.ticks for i in m.content.inputs)
        causes.extend(event.cause for m in batch.answers for event in m.content.events)

    assert window.stream is not None
    window.stream.arrived.connect(note)
    assert list(window.keys.buttons) == ["k"]
    window.keys.buttons["k"].click()
    qtbot.waitUntil(lambda: ("key", "k") in inputs, timeout=10000)
    qtbot.waitUntil(lambda: any("key" in cause for cause in causes), timeout=5000)
    qtbot.keyClick(window, Qt.Key.Key_7)  # nobody listens to it: a note
    qtbot.waitUntil(lambda: ("key", "7") in inputs, timeout=10000)
    before = len(inputs)
    qtbot.keyClick(window, Qt.Key.Key_F)  # a shortcut, and no key of the operator
    assert window.timeline.frozen
    qtbot.keyClick(window, Qt.Key.Key_F)

    with BusClient.attach() as bus:
        bus.command("stimulate", name="mine", layer="core", units=[1], value=0.5, for_ms=200)
    ethogram = window.timeline.ethogram
    qtbot.waitUntil(
        lambda: any(each.name == "outside" for _, each in ethogram._drawn), timeout=10000
    )
    assert [name for kind, name in inputs[before:] if kind == "key"] == []
    with BusClient.attach() as bus, pytest.raises(RunError):
        bus.command("stimulate", name="mine", layer="no such layer", units=[1], value=0.5)
    qtbot.waitUntil(lambda: window.health.value("refused") == "1", timeout=5000)

    assert not window.health.new_engine.isVisible()
    os.kill(_pid(running_sessions()[0].session, "stim.process"), signal.SIGKILL)
    qtbot.waitUntil(window.health.new_engine.isVisible, timeout=3000)
    assert window.health.value("process_stimulation") == "DEAD"
    assert "engine died" in window.banner.label.text()
    window.health.new_engine.click()
    qtbot.waitUntil(
        lambda: window.health.value("process_stimulation") == "running", timeout=START_MS
    )
    assert not window.health.new_engine.isVisible()
    qtbot.waitUntil(lambda: "taken over" in window.banner.label.text(), timeout=START_MS)


def test_a_session_that_cannot_start_says_why(qtbot: QtBot, open_window: Callable[..., MainWindow]):
    def fail() -> str:
        raise RunError("The subject's weights are damaged.")

    window = open_window(fail)
    window.start()
    qtbot.waitUntil(lambda: "damaged" in window.welcome.detail.text(), timeout=5000)
    assert window.phase == "empty"
    assert window.control.acquire.isEnabled()


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
    qtbot.wait(200)
    here = window.tick
    qtbot.wait(300)
    assert window.tick == here

    qtbot.keyClick(window, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: window.tick == here + 1, timeout=3000)
    qtbot.keyClick(window, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: window.tick == here, timeout=3000)

    window.transport.slider.setValue(150)
    qtbot.waitUntil(lambda: window.tick == 150, timeout=5000)
    assert window.eye.image is not None
    pixel = window.eye.image.pixelColor(20, 40)
    assert [pixel.red(), pixel.green(), pixel.blue()] == camera[40, 20].tolist()
    qtbot.waitUntil(lambda: window.timeline.raster.last_tick == 150, timeout=3000)

    window.transport.slider.setValue(last)
    qtbot.waitUntil(lambda: window.tick == last, timeout=5000)
    ethogram = window.timeline.ethogram
    qtbot.waitUntil(
        lambda: {i.number: i.sham for _, i in ethogram._drawn if i.kind == "stimulus"} == expected,
        timeout=5000,
    )
    assert True in expected.values()
    assert False in expected.values()
    qtbot.waitUntil(lambda: window.arena.image is not None, timeout=20000)
    assert not window.control.record.isVisible()

    speed = window.transport.speed.currentData()
    qtbot.keyClick(window, Qt.Key.Key_Up)
    assert window.transport.speed.currentData() > speed
    qtbot.keyClick(window, Qt.Key.Key_Space)  # from the end, over again
    qtbot.waitUntil(lambda: window.tick < last, timeout=5000)


def test_a_jump_looks_like_having_played_up_to_there(
    qtbot: QtBot, open_window: Callable[..., MainWindow], recording: Path
):
    played, jumped = open_window(), open_window()
    played.replay(recording, speed=20.0)
    qtbot.waitUntil(lambda: played.tick == 299, timeout=20000)
    jumped.replay(recording, speed=0.1)
    qtbot.waitUntil(lambda: jumped.tick >= 0, timeout=20000)
    jumped.stream.set_playing(False)  # type: ignore[union-attr]
    jumped.transport.slider.setValue(299)
    qtbot.waitUntil(lambda: jumped.timeline.raster.last_tick == 299, timeout=5000)
    shown = []
    for window in (played, jumped):
        window.timeline.raster.draw()
        window.timeline.ethogram.draw()
        shown.append(window.timeline.raster._levels.astype(int))
        assert shown[-1].shape == (512, WINDOW_TICKS)
    # the same numbers, summed in another order: at most one level of rounding apart
    assert np.abs(shown[0] - shown[1]).max() <= 1
    bars = [
        sorted((i.name, i.number, i.end_tick) for _, i in window.timeline.ethogram._drawn)
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
    timeline = window.timeline
    qtbot.waitUntil(lambda: timeline.raster.last_tick == 250, timeout=5000)
    timeline.sort("mean")
    rows = [timeline.raster.unit_at(row + 0.5) for row in range(512)]
    mean = values["c_applied"].mean(axis=0)
    layers = [np.argsort(-mean[first : first + 128]) + first for first in range(0, 512, 128)]
    np.testing.assert_allclose(mean[rows], mean[np.concatenate(layers)], atol=1e-5)
    assert sorted(rows[384:]) == list(range(384, 512))

    timeline.draw()
    box = timeline._raster_plot.getViewBox()
    at = timeline._graphics.mapFromScene(box.mapViewToScene(QPointF(2.0, 400.5)))
    qtbot.mouseClick(timeline._graphics.viewport(), Qt.MouseButton.LeftButton, pos=at)
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
    timeline.choose_unit(None)
    assert not timeline._trace_plot.isVisible()


def test_a_damaged_recording_is_a_sentence(
    qtbot: QtBot, open_window: Callable[..., MainWindow], tmp_path: Path
):
    (tmp_path / "broken.nwb").write_bytes(b"this is no recording")
    window = open_window()
    window.replay(tmp_path / "broken.nwb")
    qtbot.waitUntil(lambda: "broken.nwb" in window.welcome.detail.text(), timeout=10000)


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
        "    if window.tick > 50 and 'OpenGL' in window.arena.sentence:\n"
        "        print('ticks go on:', window.arena.sentence); window.close(); app.quit()\n"
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


def test_the_layout_and_the_theme_are_remembered(
    qtbot: QtBot, open_window: Callable[..., MainWindow], tmp_path: Path
):
    first = open_window()
    first.set_theme("light")
    first.layout_of_parts.docks["eye"].hide()
    first.close()
    second = open_window()
    assert second.theme.name == "light"
    assert not second.layout_of_parts.docks["eye"].isVisible()
    second.layout_of_parts.reset()
    assert second.layout_of_parts.docks["eye"].isVisible()


def test_a_folder_that_cannot_be_written_is_a_sentence(
    qtbot: QtBot, open_window: Callable[..., MainWindow], start: Callable[[], str], tmp_path: Path
):
    (tmp_path / "recordings").write_text("a file where the folder should be")
    window = open_window(start)
    window.start()
    qtbot.waitUntil(lambda: window.tick > 5, timeout=START_MS)
    window.session.toggle_record()
    assert "No recording can be made" in window.banner.label.text()
    assert _recording_state(window) == "idle"
