"""The walk of a user through one session: set up, run, select, fire, note, pause, step, disarm, stop, replay.

With RODENT_RIG_PICTURES=1 it goes on to a counterfactual pair, and leaves the pictures of docs/tutorial.md in
docs/images.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QPoint, QSettings, Qt
from PyQt6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

import recorder
from cli.window_sessions import WindowSessions
from gui.main_window import MainWindow
from gui.replay.branch_dialog import BranchDialog
from gui.session.session_setup import SessionRequest
from gui.streams.stream import Batch
from rig.session.directory import running_sessions
from tests.rodent_rig import ROOT, wait_for
from tests.windows import press_in_dialog

WITH_PICTURES = bool(os.environ.get("RODENT_RIG_PICTURES"))
PICTURES = ROOT / "docs" / "images"
SIZE = tuple(map(int, os.environ.get("RODENT_RIG_PICTURE_SIZE", "1280x720").split("x")))
NOTE = "Ünruhig, leckt die Pfote 🐀"


class Walk:
    """A window, and the hands and eyes of who sits before it."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window, self.panels = qtbot, window, window.panels
        self.inputs: list[tuple[int, str, str]] = []
        self.onsets: list[tuple[int, str, bool]] = []

    def until(self, condition: Callable[[], bool], timeout_s: float = 150) -> None:
        self.qtbot.waitUntil(condition, timeout=int(timeout_s * 1000))

    def standing_tick(self) -> int:
        """The tick at which a held session stands: what was on its way to the window has arrived."""
        tick = -1
        while tick != self.window.tick:
            tick = self.window.tick
            self.qtbot.wait(300)
        return tick

    def press(self, key: Qt.Key, *modifiers: Qt.KeyboardModifier) -> None:
        held = Qt.KeyboardModifier.NoModifier
        for each in modifiers:
            held |= each
        self.window.activateWindow()
        self.until(self.window.isActiveWindow)
        self.qtbot.keyClick(self.window, key, held)

    def follow(self) -> None:
        stream = self.window.stream
        assert stream is not None
        stream.arrived.connect(self._take)

    def _take(self, batch: Batch) -> None:
        for message in batch.ticks:
            self.inputs.extend((message.tick, i.kind, i.name) for i in message.content.inputs)
        for message in batch.answers:
            self.onsets.extend(
                (e.tick, e.name, e.sham)
                for e in message.content.events
                if (e.kind, e.phase) == ("stimulus", "onset")
            )

    def picture(self, name: str, of: QWidget | None = None) -> None:
        """Leaves a picture, in 256 colours, where it is wanted."""
        if WITH_PICTURES:
            from PIL import Image

            self.qtbot.wait(400)
            file = PICTURES / f"tutorial_{name}.png"
            assert (of or self.window).grab().save(str(file))
            whole = Image.open(file).convert("RGB")
            colours = whole.quantize(256, method=Image.Quantize.MEDIANCUT)
            whole.quantize(palette=colours).save(file, optimize=True)


@pytest.fixture
def walk(qtbot: QtBot, tmp_path: Path, runtime: Path) -> Iterator[Walk]:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    settings.setValue("recordings", str(tmp_path / "recordings"))
    window = MainWindow(
        WindowSessions(SessionRequest(protocol=ROOT / "protocols" / "by_hand.yaml")), settings
    )
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
    qtbot.wait(50)  # it has fitted itself to the screen
    window.resize(*SIZE)
    yield Walk(qtbot, window)
    if window.phase in ("live", "starting"):
        press_in_dialog("End the session")
    window.close()
    wait_for(lambda: running_sessions() == [], 60)


def test_a_walk_through_a_session(walk: Walk, tmp_path: Path) -> None:
    _set_up(walk)
    _run(walk)
    _hold_and_step(walk)
    _disarm(walk)
    file = _stop(walk)
    _replay(walk, file)


def _set_up(walk: Walk) -> None:
    form = walk.panels.welcome.form
    assert form is not None
    assert form.record.isChecked()  # the first time
    form.subject.setCurrentIndex(form.subject.findData("runner"))
    form.task.setCurrentIndex(form.task.findData("corridor"))
    form.animal.setFocus()
    walk.qtbot.keyClicks(form.animal, "Ada")
    form.seed.setText("3")
    form.check()
    walk.picture("1_set_up")
    walk.qtbot.keyClick(form.animal, Qt.Key.Key_Return)
    assert walk.window.phase == "starting"
    walk.follow()
    walk.until(lambda: walk.window.phase == "live" and walk.window.tick > 20, 180)
    bar = walk.panels.control
    walk.until(lambda: bar.recording.property("state") == "recording")
    assert bar.since.text() == "from 0:00.0"


def _run(walk: Walk) -> None:
    timeline, keys = walk.panels.timeline, walk.panels.keys
    box = timeline.plots.raster.getViewBox().sceneBoundingRect()
    place = timeline.plots.mapFromScene(box.center())
    viewport = timeline.plots.viewport()
    walk.qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(place.x(), place.y()))
    walk.until(lambda: bool(timeline.selection.units))

    # keys in words; what they begin lights them; every fourth silence is a sham
    texts = [button.text() for button in keys.buttons.values()]
    assert texts[:4] == ["S  silence", "P  pulses", "L  cut", "U  ends cut"]
    silence = keys.buttons["s"]
    if WITH_PICTURES:
        walk.until(lambda: walk.panels.arena.image is not None and walk.window.tick > 420)
    while not any(name == "silence" and not sham for _, name, sham in walk.onsets):
        walk.press(Qt.Key.Key_S)
        walk.until(lambda: silence.property("lit") in ("on", "sham"))
        walk.picture("2_run")
        walk.until(lambda: silence.property("lit") == "")
    walk.press(Qt.Key.Key_F1)
    sheet = walk.window.menu_actions.sheet
    assert (("S",), "silence") in sheet.rows["The protocol's"]
    walk.picture("keys", sheet)
    walk.qtbot.keyClick(sheet, Qt.Key.Key_F1)
    _note(walk, NOTE)
    walk.until(lambda: [text for _, text in timeline.marks.notes] == [NOTE])


def _note(walk: Walk, text: str) -> int:
    """Writes one; the tick at which it was begun."""
    line = walk.panels.note
    walk.press(Qt.Key.Key_N)
    assert line.isVisible()
    walk.until(line.line.hasFocus)
    tick = walk.window.tick
    assert line.tick == tick
    walk.qtbot.keyClicks(line.line, "s.")  # letters of the text, and no keys of the session
    line.line.setText(text)
    walk.picture("3_note")
    walk.qtbot.keyClick(line.line, Qt.Key.Key_Return)
    assert line.isHidden()
    return tick


def _hold_and_step(walk: Walk) -> None:
    panels, operator = walk.panels, walk.window.session.operator
    walk.press(Qt.Key.Key_Space)
    walk.until(lambda: operator.paused and panels.control.pause.text() == "Resume")
    walk.until(lambda: sum(each.isVisible() for each in operator.standstills) == 2)
    signs = [each for each in operator.standstills if each.isVisible()]
    held = walk.standing_tick()
    walk.until(lambda: all(f"tick {held}" in each.words.text() for each in signs))
    walk.until(lambda: panels.control.pace.text() == "paused")
    walk.picture("4_pause")
    for count in (1, 2):
        walk.press(Qt.Key.Key_Period)
        walk.until(lambda count=count: walk.window.tick == held + count)
        walk.until(lambda count=count: panels.health.value("tick") == str(held + count))
        walk.until(lambda count=count: panels.timeline.raster.last_tick == held + count)
        walk.until(lambda count=count: f"tick {held + count}" in signs[0].words.text())
        walk.qtbot.wait(200)
        assert walk.window.tick == held + count


def _disarm(walk: Walk) -> None:
    panels, timeline = walk.panels, walk.panels.timeline
    tick = _note(walk, "held")
    walk.press(Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    walk.until(lambda: panels.control.arm.text() == "Disarmed")
    walk.press(Qt.Key.Key_P)
    walk.qtbot.wait(100)
    walk.press(Qt.Key.Key_Space)
    walk.until(lambda: walk.window.tick > tick + 20)
    walk.until(lambda: (tick, "held") in timeline.marks.notes)
    assert not timeline.marks.armed_at(walk.window.tick)
    walk.until(timeline.disarmed.isVisible)
    assert not any(at > tick for at, _, _ in walk.onsets)
    walk.picture("5_disarmed")
    walk.qtbot.mouseClick(panels.control.arm, Qt.MouseButton.LeftButton)
    walk.until(lambda: panels.control.arm.text() == "Armed" and timeline.disarmed.isHidden())
    walk.window.setFocus()
    walk.press(Qt.Key.Key_P)
    walk.until(lambda: any(at > tick for at, _, _ in walk.onsets))


def _stop(walk: Walk) -> Path:
    press_in_dialog("End the session")
    walk.press(Qt.Key.Key_F5)
    walk.until(lambda: walk.window.phase == "ended")
    walk.until(walk.panels.end.replay.isVisible)
    walk.picture("6_end")
    file = walk.window.session.recorded
    assert file is not None
    assert file.name.startswith("Ada-by-hand-")
    with recorder.open(file) as session:
        assert [text for _, text in session.notes] == [NOTE, "held"]
        assert session.first_tick == 0
    return file


def _replay(walk: Walk, file: Path) -> None:
    walk.qtbot.mouseClick(walk.panels.end.replay, Qt.MouseButton.LeftButton)
    walk.until(lambda: walk.window.phase == "replay" and walk.window.tick >= 0)
    marks = walk.panels.timeline.marks
    assert [text for _, text in marks.notes] == [NOTE, "held"]
    ((first, end),) = marks.spans
    walk.press(Qt.Key.Key_Space)
    walk.window.player.seek((first + end) // 2)
    walk.until(walk.panels.timeline.disarmed.isVisible)
    walk.until(lambda: any("note: held" in line for line in walk.panels.log.lines))
    tick = marks.notes[0][0]
    assert NOTE in marks.under((tick + 0.5) * 0.02)
    walk.picture("7_replay")
    if WITH_PICTURES:
        _branch(walk)


def _branch(walk: Walk) -> None:
    """The same moment without its silence."""
    player = walk.window.player
    onset = next(tick for tick, name, sham in walk.onsets if name == "silence" and not sham)
    player.seek(onset - 2)
    walk.until(lambda: walk.window.tick == onset - 2)
    walk.press(Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier)
    (dialog,) = walk.window.findChildren(BranchDialog)
    dialog.without.setCurrentIndex(dialog.without.findData("silence"))
    dialog.last_s.setValue(2.0)
    walk.until(dialog.start.isEnabled)
    walk.picture("8_branch", dialog)
    walk.qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)
    walk.until(lambda: player.several, 180)
    walk.until(lambda: walk.window.tick >= onset - 2)
    player.set_loop(None)
    player.seek(onset + 40)
    walk.until(lambda: walk.window.tick == onset + 40)
    walk.qtbot.wait(3000)
    walk.picture("9_pair")
