"""The window on real sessions: from acquire to end, and when a process falls silent or dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

import recorder
from cli.window_sessions import WindowSessions
from gui.main_window import MainWindow
from gui.session import recordings
from gui.session.session_setup import SessionRequest
from gui.streams.recorder_watch import clock
from gui.streams.stream import Batch
from rig.client import attach
from rig.errors import RunError
from rig.session.directory import running_sessions
from tests.rodent_rig import RunningRig, wait_for
from tests.windows import PROTOCOL, press_in_dialog

START_MS = 180_000


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "often.yaml"
    path.write_text(PROTOCOL)
    return path


@pytest.fixture
def sessions(runtime: Path, protocol: Path) -> Iterator[WindowSessions]:
    """Starts sessions as the command line does it for the window; ends what is left of them."""
    yield WindowSessions(SessionRequest(protocol=protocol, seed=1))
    for note in running_sessions():
        try:
            with attach(note.session) as bus:
                bus.command("stop")
        except RunError:
            os.kill(note.pid, signal.SIGKILL)
    wait_for(lambda: running_sessions() == [])


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
    return str(window.panels.control.recording.property("state"))


def test_a_session_from_acquire_to_end(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    sessions: WindowSessions,
    protocol: Path,
):
    protocol.write_text(PROTOCOL + "blinded: true\n")
    window = open_window(sessions)
    assert window.phase == "empty"
    form = window.panels.welcome.form
    assert form is not None
    form.animal.setText("Ada")
    form.notes.setPlainText("first day")
    _click(qtbot, window.panels.control.acquire)
    assert window.panels.welcome.heading.text() == "Starting the animal…"
    qtbot.waitUntil(lambda: window.phase == "live", timeout=START_MS)
    qtbot.waitUntil(lambda: window.tick > 60, timeout=START_MS)

    # what is shown is what was sent
    assert window.panels.health.value("subject") == "runner"
    qtbot.waitUntil(
        lambda: window.panels.health.value("process_subject") == "running", timeout=20_000
    )
    assert "runner in corridor" in window.windowTitle()
    levels = window.panels.timeline.raster._levels
    qtbot.waitUntil(lambda: bool((levels[:, -40:] < 255).all()), timeout=20_000)
    assert np.unique(levels[:, -40:]).size > 20
    qtbot.waitUntil(lambda: window.panels.camera.image is not None, timeout=20_000)
    qtbot.waitUntil(lambda: window.panels.arena.image is not None, timeout=20000)
    ethogram = window.panels.timeline.ethogram
    qtbot.waitUntil(
        lambda: {i.sham for i in ethogram.drawn() if i.name == "push"} == {True, False},
        timeout=20000,
    )
    # rows in which something has happened, and the protocol's stimuli; the rest is folded away
    rows = [name for _, name in ethogram.rows]
    assert set(rows) == {i.name for i in ethogram.drawn()} | {"push"}
    assert window.panels.timeline.plots.more.text() == f"+{ethogram.n_folded} more"
    _click(qtbot, window.panels.timeline.plots.more)
    assert [name for _, name in ethogram.rows][-2:] == ["push", "outside"]

    # blinded: what was delivered looks like a sham, in the plots and around the arena
    assert window.panels.timeline.blinded
    assert len({ethogram._look(i) for i in ethogram.drawn() if i.name == "push"}) == 1
    assert window.panels.timeline.raster.kind == "c_natural"

    # freeze holds the plots, not the animal
    qtbot.keyClick(window, Qt.Key.Key_F)
    held, then = window.panels.timeline.raster._levels.copy(), window.tick
    qtbot.waitUntil(lambda: window.tick > then + 25, timeout=20_000)
    assert (window.panels.timeline.raster._levels == held).all()
    qtbot.keyClick(window, Qt.Key.Key_F)
    qtbot.waitUntil(
        lambda: not (window.panels.timeline.raster._levels == held).all(), timeout=20_000
    )

    # record: pressing is not recording, and until there is a file there is nothing to press
    _click(qtbot, window.panels.control.record)
    assert _recording_state(window) == "idle"
    bar = window.panels.control
    opening: list[tuple[str, bool]] = []

    def recording() -> bool:
        opening.append((bar.headline.text(), bar.record.isEnabled()))
        return _recording_state(window) == "recording"

    qtbot.waitUntil(recording, timeout=START_MS)
    before = [enabled for words, enabled in opening if words.startswith("Opening the file")]
    assert before
    assert not any(before)
    assert bar.since.text().startswith("from 0:")
    qtbot.waitUntil(lambda: _recording_state(window) == "recording", timeout=START_MS)
    file = recordings.folder(window.state.settings) / window.panels.control.file.full_text
    assert file.exists()
    assert window.panels.control.free.text().endswith("free")
    qtbot.waitUntil(lambda: window.panels.control.elapsed.text() >= "0:01.0", timeout=20000)
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: window.panels.control.headline.text() == "Recorded", timeout=20000)
    assert _recording_state(window) == "idle"
    with recorder.open(file) as written:
        assert written.n_ticks >= 50
        assert (written.description.animal, written.description.notes) == ("Ada", "first day")
        assert bar.since.text() == f"from {clock(written.first_tick * 0.02)}"
        shown = f"{written.n_ticks} ticks"
    qtbot.waitUntil(lambda: window.panels.health.value("disk") == shown, timeout=20_000)

    # one key saves what has happened, as a recording beside the others
    qtbot.keyClick(
        window,
        Qt.Key.Key_R,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    banner = window.panels.banner.label
    qtbot.waitUntil(lambda: "Saved as Ada-often-clip-" in banner.text(), timeout=START_MS)
    (clip,) = file.parent.glob("*-clip-*.nwb")
    with recorder.open(clip) as saved:
        assert saved.is_clip
        assert saved.first_tick == 0
        assert saved.last_tick >= written.last_tick

    _click(qtbot, window.panels.control.acquire)
    qtbot.waitUntil(lambda: window.phase == "ended", timeout=20000)
    assert "stopped" in window.panels.banner.label.text()
    assert window.panels.control.acquire.isEnabled()
    for process in ("process_subject", "process_stimulation"):
        assert window.panels.health.value(process) == "ended"
    assert not window.panels.timeline.blinded
    window.panels.timeline.draw()
    assert len({ethogram._look(i) for i in ethogram.drawn() if i.name == "push"}) == 2
    wait_for(lambda: running_sessions() == [])

    # what it was, and what one does next
    end = window.panels.end
    assert end.isVisible()
    assert "delivered: push" in end.line.text()
    assert "shams: push" in end.line.text()
    assert end.again.isVisible()
    _click(qtbot, end.set_up)
    assert window.phase == "empty"
    welcome = window.panels.welcome
    first, second = welcome.recent.item(0), welcome.recent.item(1)
    assert first is not None
    assert second is not None
    assert first.text().startswith(f"{clip.name}\n0:")
    assert second.text().startswith(f"{file.name}\n0:0")
    assert second.text().endswith("runner, often")
    welcome.recent.itemActivated.emit(first)
    qtbot.waitUntil(lambda: window.phase == "replay" and window.tick >= 0, timeout=20000)


def test_a_recorder_that_falls_silent_is_an_alarm(
    qtbot: QtBot, open_window: Callable[..., MainWindow], sessions: WindowSessions
):
    window = open_window(sessions)
    window.start()
    qtbot.waitUntil(lambda: window.tick > 10, timeout=START_MS)
    window.session.toggle_record()
    qtbot.waitUntil(lambda: _recording_state(window) == "recording", timeout=20000)
    pid = _pid(running_sessions()[0].session, "recorder.process")
    os.kill(pid, signal.SIGSTOP)
    try:
        qtbot.waitUntil(lambda: _recording_state(window) == "alarm", timeout=20_000)
        assert window.panels.control.record.property("recording") is False
        assert window.phase == "live"
    finally:
        os.kill(pid, signal.SIGCONT)
    qtbot.waitUntil(lambda: _recording_state(window) == "recording", timeout=20_000)
    # a fault that is over is in the log, and not across the window
    qtbot.waitUntil(lambda: not window.panels.banner.isVisible(), timeout=20_000)
    (line,) = window.panels.log.lines
    assert "has said nothing" in line
    assert "Over at" in line
    os.kill(pid, signal.SIGKILL)
    qtbot.waitUntil(
        lambda: "RECORDING FAILED" in window.panels.control.headline.text(), timeout=20_000
    )
    assert _recording_state(window) == "alarm"
    qtbot.waitUntil(lambda: window.panels.banner.isVisible(), timeout=20_000)
    then = window.tick
    qtbot.waitUntil(lambda: window.tick > then + 25, timeout=20_000)


def test_a_window_that_crashes_leaves_the_session_to_the_next_one(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    sessions: WindowSessions,
    protocol: Path,
):
    with RunningRig("gui", protocol, "--seed", 2) as crashing:
        wait_for(lambda: bool(running_sessions()), 60)
        session = running_sessions()[0].session
        os.kill(crashing.process.pid, signal.SIGKILL)
        crashing.process.wait(60)

        window = open_window()
        window.attach(session)
        qtbot.waitUntil(lambda: window.tick > 10, timeout=START_MS)
        press_in_dialog("Cancel")
        window.close()
        assert window.isVisible()
        press_in_dialog("Leave it running")
        window.close()
        assert not window.isVisible()
        assert [note.session for note in running_sessions()] == [session]

        again = open_window()  # it offers what is running
        assert session in again.panels.welcome.running.text()
        again.panels.welcome.attach_pressed.emit(session)
        qtbot.waitUntil(lambda: again.tick > window.tick, timeout=START_MS)
        press_in_dialog("End the session")
        again.close()
        qtbot.waitUntil(lambda: not again.isVisible(), timeout=25000)
        wait_for(lambda: running_sessions() == [])


def test_keys_reach_the_protocol_and_a_dead_engine_is_replaced(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    sessions: WindowSessions,
    protocol: Path,
    tmp_path: Path,
):
    protocol.write_text(PROTOCOL + "  - {on: {key: k}, do: push, for_ms: 60}\n")
    window = open_window(sessions)
    window.start()
    qtbot.waitUntil(lambda: window.phase == "live", timeout=START_MS)
    inputs: list[tuple[str, str]] = []
    causes: list[str] = []

    def note(batch: Batch) -> None:
        inputs.extend((i.kind, i.name) for m in batch.ticks for i in m.content.inputs)
        causes.extend(event.cause for m in batch.answers for event in m.content.events)

    assert window.stream is not None
    window.stream.arrived.connect(note)
    assert list(window.panels.keys.buttons) == ["k"]
    window.panels.keys.buttons["k"].click()
    qtbot.waitUntil(lambda: ("key", "k") in inputs, timeout=20_000)
    qtbot.waitUntil(lambda: any("key" in cause for cause in causes), timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_7)  # nobody listens to it: a note
    qtbot.waitUntil(lambda: ("key", "7") in inputs, timeout=20_000)
    before = len(inputs)
    qtbot.keyClick(window, Qt.Key.Key_F)  # a shortcut, and no key of the operator
    assert window.panels.timeline.frozen
    qtbot.keyClick(window, Qt.Key.Key_F)

    with attach() as bus:
        bus.command("stimulate", name="mine", layer="core", units=[1], value=0.5, for_ms=200)
    ethogram = window.panels.timeline.ethogram
    qtbot.waitUntil(
        lambda: any(each.name == "outside" for each in ethogram.drawn()), timeout=20_000
    )
    assert [name for kind, name in inputs[before:] if kind == "key"] == []
    with attach() as bus, pytest.raises(RunError):
        bus.command("stimulate", name="mine", layer="no such layer", units=[1], value=0.5)
    qtbot.waitUntil(lambda: window.panels.health.value("refused") == "1, 0", timeout=20_000)

    # a folder that cannot be written is a sentence, and the session goes on
    (tmp_path / "recordings").write_text("a file where the folder should be")
    window.session.toggle_record()
    assert "No recording can be made" in window.panels.banner.label.text()
    assert _recording_state(window) == "idle"

    # by hand: chosen in the panel, said to be on, and released by the key that releases all
    panel, release = window.panels.stimulate, window.panels.control.release
    qtbot.keyClick(window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert panel.isVisible()
    assert not panel.fire.isEnabled()
    window.panels.selection.select([1, 130])
    panel.kind.setCurrentIndex(1)
    panel.amount.setValue(0.125)
    panel.until_released.setCurrentIndex(1)
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: any("by hand" in cause for cause in causes), timeout=20_000)
    qtbot.waitUntil(release.isVisible, timeout=20_000)
    qtbot.waitUntil(lambda: any(label.text() != "" for label in panel._counts), timeout=20_000)
    assert ("stimulate", inputs[-1][1]) == inputs[-1]
    for _ in range(2):
        qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: ("release_all", "by hand") in inputs, timeout=20_000)
    qtbot.waitUntil(lambda: "1 stimulus" in panel.total.text(), timeout=20_000)
    panel.release_pressed.emit("never")
    qtbot.waitUntil(lambda: "ever called" in panel.sentence.text(), timeout=20_000)

    assert not window.panels.health.new_engine.isVisible()
    os.kill(_pid(running_sessions()[0].session, "stim.process"), signal.SIGKILL)
    qtbot.waitUntil(window.panels.health.new_engine.isVisible, timeout=20_000)
    assert window.panels.health.value("process_stimulation") == "failed"
    assert "engine died" in window.panels.banner.label.text()
    # nothing is detected now, and no key does anything: both are said
    timeline = window.panels.timeline
    then = window.tick
    qtbot.waitUntil(lambda: window.tick > then + 20, timeout=20_000)
    qtbot.waitUntil(timeline.ethogram._note.isVisible, timeout=20_000)
    assert "no stimulation engine" in timeline.ethogram.under((window.tick - 2) * 0.02, 0.5)
    assert not window.panels.keys.buttons["k"].isEnabled()
    assert not panel.fire.isEnabled()
    assert "no stimulation engine" in panel.sentence.text()
    n_keys = len(inputs)
    qtbot.keyClick(window, Qt.Key.Key_K)
    assert "The key k does nothing" in window.panels.banner.label.text()
    window.panels.health.new_engine.setFocus()
    window.panels.health.new_engine.click()
    qtbot.waitUntil(
        lambda: window.panels.health.value("process_stimulation") == "running", timeout=START_MS
    )
    assert not window.panels.health.new_engine.isVisible()
    qtbot.waitUntil(
        lambda: "engine died" not in window.panels.banner.label.text(), timeout=START_MS
    )
    assert window.panels.keys.buttons["k"].isEnabled()
    assert ("key", "k") not in inputs[n_keys:]
    assert any("engine died" in line and "Over at" in line for line in window.panels.log.lines)


def test_a_session_that_cannot_start_says_why(qtbot: QtBot, open_window: Callable[..., MainWindow]):
    class Failing(WindowSessions):
        def start(self, request: SessionRequest) -> str:
            raise RunError("The subject's weights are damaged.")

    window = open_window(Failing())
    window.start()
    qtbot.waitUntil(lambda: "damaged" in window.panels.welcome.detail.text(), timeout=20_000)
    assert window.phase == "empty"
    assert window.panels.control.acquire.isEnabled()


def test_the_layout_and_the_theme_are_remembered(
    qtbot: QtBot, open_window: Callable[..., MainWindow], tmp_path: Path
):
    first = open_window()
    first.set_theme("light")
    first.panel_layout.show_docks(True)
    first.panel_layout.docks["eye"].hide()
    first.close()
    second = open_window()
    assert second.theme.name == "light"
    assert not second.panel_layout.docks["eye"].isVisible()
    second.panel_layout.show_docks(True)
    assert not second.panel_layout.docks["eye"].isVisible()
    second.panel_layout.reset()
    assert second.panel_layout.docks["eye"].isVisible()
