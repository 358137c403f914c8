"""The page on which a session is set up: what it offers, what it says, what it starts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from agent.subject import describe
from bench.synthetic_session import Stream, description
from cli.window_sessions import WindowSessions
from gui.main_window import MainWindow
from gui.session.session_setup import SessionRequest
from gui.session.setup_form import SetupForm
from recorder.writer import Writer
from rig.bus.message_types import LayerInfo, Tick
from rig.errors import RunError
from rig.session.directory import running_sessions
from tests.rodent_rig import ROOT, rodent_rig_here, wait_for

PROTOCOL = """
protocol: tried
description: To be set up.
parameters: {units: 64}
subject: runner
task: corridor
trials: 3
stimuli:
  push: {clamp: policy_2, units: {first: $units}, to: 0.25, state: cell}
rules:
  - {on: run.onset, do: push, for_ms: 200}
"""

HELD = """
protocol: held
subject: runner
task: corridor
baselines: {natural: {recording: natural.nwb}}
stimuli:
  hold: {clamp: policy_2, units: all, to: {mean: natural}, state: cell}
rules:
  - {on: run.onset, do: hold, for_ms: 200}
"""


class Remembering(WindowSessions):
    """Starts one session, and remembers what it was asked for."""

    def __init__(self, first: SessionRequest) -> None:
        super().__init__(first)
        self.started: list[SessionRequest] = []

    def start(self, request: SessionRequest) -> str:
        self.started.append(request)
        if len(self.started) > 1:
            raise RunError("One is enough.")
        return super().start(request)


class Slow(WindowSessions):
    """Has files read when it is allowed to."""

    def __init__(self, first: SessionRequest) -> None:
        super().__init__(first)
        self.allowed = threading.Event()

    def check_files(self, request: SessionRequest) -> str:
        self.allowed.wait(20)
        return super().check_files(request)


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "tried.yaml"
    path.write_text(PROTOCOL)
    return path


def _form(window: MainWindow) -> SetupForm:
    form = window.panels.welcome.form
    assert form is not None
    assert form.isVisible()
    return form


def test_the_form_says_what_check_says(
    qtbot: QtBot, open_window: Callable[..., MainWindow], protocol: Path
) -> None:
    window = open_window(WindowSessions(SessionRequest(protocol=protocol)))
    form = _form(window)
    said = rodent_rig_here("check", protocol)
    assert form.words.toPlainText().strip() == said.stdout.strip()
    assert form.subject.currentText().endswith("runner")
    assert form.trials.placeholderText() == "3"
    assert form.card.text().startswith("A virtual rodent of 512 units")
    assert {"forage", "first-light"} <= {
        form.protocol.itemText(k) for k in range(form.protocol.count())
    }

    # parameters of the protocol are fields, and what is typed is checked
    units = form.parameters["units"]
    units.clear()
    qtbot.keyClicks(units, "8")
    qtbot.waitUntil(
        lambda: "the first 8 units of policy_2" in form.words.toPlainText(), timeout=20_000
    )
    units.setText("900")
    qtbot.waitUntil(lambda: not form.start.isEnabled(), timeout=20_000)
    assert "policy_2" in form.words.toPlainText()
    units.setText("16")
    form.seed.setText("seven")
    qtbot.waitUntil(
        lambda: "The seed has to be a whole number" in form.words.toPlainText(), timeout=20_000
    )
    # all that is wrong is said at once, and where; nothing offers to start it
    form.duration.setText("long")
    qtbot.waitUntil(lambda: "The duration" in form.words.toPlainText(), timeout=20_000)
    assert "The seed has to be a whole number, not 'seven'." in form.words.toPlainText()
    assert [bool(field.property("wrong")) for field in (form.seed, form.duration, form.trials)] == [
        *(True, True, False)
    ]
    acquire = window.panels.control.acquire
    assert not acquire.isEnabled()
    form.submit()
    assert window.focusWidget() is form.seed
    form.duration.clear()
    form.seed.setText("7")
    qtbot.waitUntil(acquire.isEnabled, timeout=20_000)
    assert form.card.height() >= form.card.heightForWidth(form.card.width())
    form.task.setCurrentIndex(form.task.findData("gaps"))
    form.subject.setCurrentIndex(form.subject.findData("rodent"))
    qtbot.waitUntil(
        lambda: "tried: subject rodent in task gaps" in form.words.toPlainText(), timeout=20_000
    )
    assert form.picture.isVisible()
    form.animal.setText("Ada")

    # Enter starts it, from any field
    form.start_requested.disconnect()  # nothing starts here
    with qtbot.waitSignal(form.start_requested, timeout=20_000) as asked:
        qtbot.keyClick(form.animal, Qt.Key.Key_Return)
    request = asked.args[0]
    assert (request.seed, request.task, request.subject) == (7, "gaps", "rodent")
    assert (request.parameters, request.animal) == ({"units": "16"}, "Ada")

    # another protocol has other parameters
    form.choose_protocol(ROOT / "protocols" / "dose_response.yaml")
    form.check()
    assert list(form.parameters) == ["layer", "units"]
    assert form.parameters["units"].text() != "16"  # what was typed was meant for the other one
    assert form.request().parameters == {}
    form.parameters["layer"].setText("core")
    form.choose_protocol(ROOT / "protocols" / "baseline.yaml")
    form.check()
    assert form.start.isEnabled()
    assert form.task.itemText(0) == "as the protocol says: two_tap"  # it says $task


def test_a_protocol_with_mistakes_cannot_be_started(
    open_window: Callable[..., MainWindow], protocol: Path
) -> None:
    protocol.write_text(PROTOCOL.replace("runner", "nobody").replace("policy_2", "policy_9"))
    window = open_window(WindowSessions(SessionRequest(protocol=protocol)))
    form = _form(window)
    assert "no subject 'nobody'" in form.words.toPlainText()
    assert "no layer 'policy_9'" in form.words.toPlainText()
    assert not form.start.isEnabled()
    window.panels.control.acquire.click()
    assert window.phase == "empty"


def test_baselines_are_read_beside_the_window(
    qtbot: QtBot, open_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    """Nothing can be started before they are, nor with one that is not as it has to be."""
    path = tmp_path / "held.yaml"
    path.write_text(HELD)
    sessions = Slow(SessionRequest(protocol=path))
    window = open_window(sessions)
    form = _form(window)
    assert form.words.toPlainText().startswith("Reading natural.nwb: ")
    assert "held: subject runner in task corridor" in form.words.toPlainText()
    assert not form.start.isEnabled()
    assert not window.panels.control.acquire.isEnabled()
    form.submit()
    assert window.phase == "empty"
    sessions.allowed.set()
    qtbot.waitUntil(lambda: "There is no recording" in form.words.toPlainText(), timeout=20_000)
    assert not form.start.isEnabled()

    runner = describe("runner")
    layers = tuple(LayerInfo(each.name, each.n_units) for each in runner.layers)
    described = description(subject_sha256=runner.sha256, layers=layers)
    writer = Writer(tmp_path / "natural.nwb", described, {}, session="natural", camera=False)
    for message in Stream(described).ticks(0, 50):
        if isinstance(message.content, Tick):
            writer.add(message)
    writer.close()
    form.check()
    qtbot.waitUntil(form.start.isEnabled, timeout=20_000)
    assert window.panels.control.acquire.isEnabled()
    # one that has been read is not read again for another seed
    sessions.allowed.clear()
    form.seed.setText("5")
    form.check()
    assert form.start.isEnabled()


def test_what_is_asked_for_is_what_runs(
    qtbot: QtBot, open_window: Callable[..., MainWindow], protocol: Path, runtime: Path
) -> None:
    sessions = Remembering(SessionRequest(protocol=protocol))
    window = open_window(sessions)
    form = _form(window)
    form.parameters["units"].setText("16")
    form.seed.setText("11")
    form.duration.setText("3")
    form.animal.setText("Ada")
    window.activateWindow()
    form.animal.setFocus()
    qtbot.waitUntil(form.animal.hasFocus, timeout=20_000)
    qtbot.keyClick(form.animal, Qt.Key.Key_Return)
    assert window.phase == "starting"
    qtbot.waitUntil(lambda: window.phase == "ended", timeout=120_000)
    description = window.state.description
    assert description is not None
    assert (description.seed, description.pace, description.animal) == (11, "realtime", "Ada")
    assert "parameters: {units: 16}" in description.protocol_text
    assert window.tick == 149
    assert window.panels.end.line.text().startswith("0:03.0 of animal time · 1 trial")
    assert not window.panels.end.replay.isVisible()

    # once more with the same seed; then another one is set up
    form.seed.setText("12")
    window.panels.end.again.click()
    assert window.phase == "starting"
    qtbot.waitUntil(lambda: window.phase == "empty", timeout=20_000)
    assert [each.seed for each in sessions.started] == [11, 11]
    assert not form.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert form.isVisible()
    assert form.animal.text() == "Ada"
    wait_for(lambda: running_sessions() == [])
