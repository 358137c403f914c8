"""What an operator does in the window, without an animal: what is asked of a session, what is shown of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import QPoint, QSettings, Qt
from PyQt6.QtWidgets import QApplication, QLabel, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from bench.synthetic_session import Stream, description
from cli.window_sessions import WindowSessions
from gui.main_window import MainWindow
from gui.session.recent import recent
from gui.session.session_setup import SessionRequest
from gui.session.setup_form import SetupForm
from gui.session.welcome import Welcome
from gui.streams.live_stream import LiveStream
from gui.streams.stream import Batch
from rig.bus.external_inputs import LONGEST_NOTE
from rig.bus.message_types import Description, Input, KeyUse, Message, RecorderReport, Status, Tick
from rig.errors import UserError
from tests.rodent_rig import ROOT
from tests.windows import press_in_dialog

KEYS = (KeyUse("n", "drive", ("drive",)), KeyUse("s", "silence", ("silence",)))


class Asked(LiveStream):
    """A session that is not there: what is asked of it is remembered."""

    def __init__(self) -> None:
        super().__init__("none")
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def command(self, verb: str, **args: Any) -> None:
        self.asked.append((verb, args))

    def start(self) -> None:
        """Nothing comes but what a test sends."""


class Session:
    """A window on it, and the messages of a made-up session."""

    def __init__(self, qtbot: QtBot, window: MainWindow, described: Description) -> None:
        self.window, self.qtbot, self.stream = window, qtbot, Asked()
        self._made = Stream(described)
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
        window._follow(self.stream)
        self.send(*self._made.beginning(), *self._made.ticks(0, 20))
        self.say()

    def send(self, *messages: Message) -> None:
        batch = Batch()
        batch.add(messages)
        self.stream.arrived.emit(batch)

    def ticks(self, n: int, *inputs: Input) -> None:
        """The next so many; the first of them brings these inputs and no others."""
        first = self.window.tick + 1
        found = []
        for message in self._made.ticks(first, n):
            content = message.content
            if isinstance(content, Tick):
                own = inputs if message.tick == first else ()
                content = Tick(
                    content.trial, 0, 1, 0, content.first, False, 0, content.task_events, own
                )
                message = Message(
                    content, message.session, message.tick, message.sequence, message.arrays
                )
            found.append(message)
        self.send(*found)
        self.window.panels.timeline.draw()

    def say(self, state: str = "running", engine: str = "alive", armed: bool = True) -> None:
        processes = {"subject": "alive", "stimulation": engine, "recorder": "off"}
        self.send_status(Status(state, processes, 20, 0, 1.0, None, armed=armed))

    def send_status(self, status: Status) -> None:
        batch = Batch()
        batch.status = status
        self.stream.arrived.emit(batch)

    def press(self, key: Qt.Key, *modifiers: Qt.KeyboardModifier) -> None:
        held = Qt.KeyboardModifier.NoModifier
        for each in modifiers:
            held |= each
        self.qtbot.keyClick(self.window, key, held)


@pytest.fixture(scope="module")
def window(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainWindow]:
    settings = QSettings(
        str(tmp_path_factory.mktemp("window") / "w.ini"), QSettings.Format.IniFormat
    )
    window = MainWindow(None, settings)
    window.show()
    window.resize(1280, 720)
    yield window
    window.state.set_phase("ended")
    window.close()


@pytest.fixture
def session(qtbot: QtBot, window: MainWindow) -> Session:
    return Session(qtbot, window, description(keys=("n", "s"), key_uses=KEYS))


CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def test_every_key_of_a_session_asks_for_one_thing(session: Session) -> None:
    window, asked = session.window, session.stream.asked
    session.press(Qt.Key.Key_Space)
    session.press(Qt.Key.Key_Period)
    session.press(Qt.Key.Key_Period)  # not before the first one is done
    session.press(Qt.Key.Key_D, CTRL)
    session.press(Qt.Key.Key_S)
    session.press(Qt.Key.Key_N)  # the protocol's, and no note
    session.press(Qt.Key.Key_7)  # nobody's: for the record
    assert asked == [
        ("pause", {}),
        ("step", {"ticks": 1}),
        ("disarm", {}),
        *(("key", {"key": key}) for key in "sn7"),
    ]
    assert window.panels.note.isHidden()
    asked.clear()
    session.stream.accepted.emit("step", {})
    session.say("paused", armed=False)
    session.press(Qt.Key.Key_Space)
    session.press(Qt.Key.Key_Period)
    session.press(Qt.Key.Key_D, CTRL)
    assert [verb for verb, _ in asked] == ["resume", "step", "arm"]


def test_a_session_that_is_paused_cannot_be_mistaken(session: Session) -> None:
    panels, operator = session.window.panels, session.window.session.operator
    session.say("paused")
    for sign in operator.standstills:
        assert sign.isVisible()
        assert sign.words.text() == "Paused at 0.38 s, tick 19"
        assert sign.parentWidget().rect().contains(sign.geometry())
    assert panels.control.pause.text() == "Resume"
    session.ticks(1)
    assert {sign.words.text() for sign in operator.standstills} == {"Paused at 0.40 s, tick 20"}
    session.say("running")
    assert not any(sign.isVisible() for sign in operator.standstills)
    session.say("paused", engine="dead")
    assert panels.control.arm.text() == "No engine"
    assert not panels.control.arm.isEnabled()
    session.press(Qt.Key.Key_D, CTRL)
    assert session.stream.asked == []


def test_what_is_disarmed_and_what_was_pressed_is_in_the_timeline(session: Session) -> None:
    timeline = session.window.panels.timeline
    session.ticks(5, Input("disarm", ""), Input("key", "s"))
    assert timeline.marks.spans == [(21, -1)]
    assert timeline.disarmed.isVisible()
    assert timeline.marks.under(20.5 * 0.02) == "key S at 0:00.4"
    session.ticks(5, Input("arm", ""))
    assert timeline.marks.spans == [(21, 26)]
    assert [timeline.marks.armed_at(tick) for tick in (20, 21, 25, 26)] == [
        True,
        False,
        False,
        True,
    ]
    assert timeline.disarmed.isHidden()
    # a key is lit while what it begins is on
    buttons = session.window.panels.keys.buttons
    session.window.panels.keys.show_on({"silence": False, "drive": True})
    assert [buttons[key].property("lit") for key in "sn"] == ["on", "sham"]
    session.window.panels.keys.show_on({})
    assert [buttons[key].property("lit") for key in "sn"] == ["", ""]


def test_a_note_is_of_the_tick_at_which_it_was_begun_and_is_never_lost(session: Session) -> None:
    line, marks = session.window.panels.note, session.window.panels.timeline.marks
    asked = session.stream.asked
    session.press(Qt.Key.Key_N, CTRL, SHIFT)
    session.qtbot.waitUntil(line.line.hasFocus, timeout=20_000)
    assert line.line.placeholderText() == "the session is not being recorded"
    session.ticks(10)
    session.press(Qt.Key.Key_N, CTRL, SHIFT)  # it is open
    session.qtbot.keyClicks(line.line, "s. n")  # letters, and no keys of the session
    session.qtbot.keyClick(line.line, Qt.Key.Key_Return)
    assert asked == [("note", {"text": "s. n", "tick": 19})]
    assert line.isHidden()
    # refused: it is said why, and what was written comes back
    session.stream.refused.emit(
        "note", "note was refused: 64 inputs wait for the next tick already."
    )
    assert "64 inputs" in session.window.panels.banner.label.text()
    assert (line.isVisible(), line.line.text(), line.tick) == (True, "s. n", 19)
    session.qtbot.keyClick(line.line, Qt.Key.Key_Escape)
    assert line.isHidden()
    assert len(asked) == 1  # and nothing was released
    # no longer than the session takes, on one line
    line.open(3, "")
    QApplication.clipboard().setText("a\nb\t" + "x" * 600)
    line.line.paste()
    session.qtbot.keyClick(line.line, Qt.Key.Key_Return)
    sent = asked[-1][1]["text"]
    assert len(sent) <= LONGEST_NOTE
    assert sent.startswith("a b x")
    session.ticks(1, Input("note", sent, {"tick": 3}))
    assert marks.notes == [(3, sent)]
    assert marks.under(3.5 * 0.02).startswith("note at 0:00.1: a b x")


def test_what_a_replay_on_the_bus_shows_again_is_there_once(session: Session) -> None:
    marks = session.window.panels.timeline.marks
    for _ in range(2):
        session.window.state.tick = 19
        session.ticks(5, Input("note", "calm", {}), Input("disarm", "", {}))
        session.ticks(5, Input("arm", "", {}))
        session.stream.cleared.emit()
    assert (marks.notes, marks.spans) == ([(20, "calm")], [(21, 26)])


def test_what_is_written_when_the_session_ends_is_said(session: Session) -> None:
    window = session.window
    session.press(Qt.Key.Key_N, CTRL, SHIFT)
    session.qtbot.keyClicks(window.panels.note.line, "too late")
    window.state.set_phase("ended")
    assert window.panels.note.isHidden()
    assert "too late" in window.panels.banner.label.text()
    assert session.stream.asked == []


def test_a_recording_that_is_left_to_its_end_is_among_the_recordings(
    session: Session, tmp_path: Path
) -> None:
    window, file = session.window, tmp_path / "F.nwb"
    file.touch()
    alive = {"subject": "alive", "stimulation": "alive", "recorder": "alive"}
    report = RecorderReport("recording", str(file), 20, 19, 4096, -1)
    session.send_status(Status("running", alive, 20, 0, 1.0, report))
    press_in_dialog("End the session")
    window.set_up()
    assert session.stream.asked == [("stop", {})]
    (found,) = [each for each in recent(window.state.settings) if each.file == str(file)]
    assert found.duration_s == 0.4


def test_a_session_is_blinded_before_it_has_said_how_it_is(session: Session) -> None:
    """Whoever comes back to one is shown its last seconds at once; what comes next is not blinded for it."""
    window, timeline = session.window, session.window.panels.timeline
    made, stream = Stream(description(blinded=True)), Asked()
    window._follow(stream)
    batch = Batch()
    batch.add([*made.beginning(), *made.ticks(0, 20)])
    stream.arrived.emit(batch)
    assert timeline.blinded
    window._follow(Asked())
    assert not timeline.blinded


def test_thousands_of_notes_are_drawn_and_listed(session: Session) -> None:
    panels = session.window.panels
    notes = [Input("note", f"note {k} µ🐀", {"tick": k % 30}) for k in range(4000)]
    began = time.process_time()
    session.ticks(11, *notes)
    panels.timeline.marks.draw(session.window.tick)
    panels.timeline.plots.grab()
    assert time.process_time() - began < 5
    assert len(panels.timeline.marks.notes) == 4000
    session.qtbot.waitUntil(lambda: len(panels.log.lines) == 501, timeout=20_000)
    assert "3500 earlier notes" in panels.log.lines[0]


def test_a_button_with_the_focus_is_pressed_with_enter_and_seen_in_both_themes(
    session: Session,
) -> None:
    window, control = session.window, session.window.panels.control
    reached: list[object] = []
    control.acquire.setFocus()
    for _ in range(5):
        reached.append(window.focusWidget())
        session.press(Qt.Key.Key_Tab)
    assert reached == [control.acquire, control.record, control.pause, control.step, control.arm]
    for theme in ("light", "dark"):
        window.set_theme(theme)
        for button in (control.pause, control.acquire):  # one that is lit, too
            button.setFocus()
            session.qtbot.waitUntil(button.hasFocus, timeout=20_000)
            with_focus = button.grab().toImage()
            window.setFocus()
            assert button.grab().toImage() != with_focus
    control.step.setFocus()
    session.qtbot.keyClick(control.step, Qt.Key.Key_Return)
    assert session.stream.asked == [("step", {"ticks": 1})]


def test_words_of_the_bar_are_whole(session: Session) -> None:
    """Also where there is little room; what there is no room for is left out, or elided with its tooltip."""
    window = session.window
    session.say("paused", armed=False)
    assert [each.text() for each in window.panels.keys.buttons.values()] == [
        "N  drive",
        "S  silence",
    ]
    uses = [KeyUse(key, f"a_rather_long_name_of_{key}") for key in "abcdefghijklmnop"]
    window.panels.keys.describe(uses)
    for width in (1100, 1280, 1600):
        window.resize(width, 720)
        QApplication.processEvents()
        for button in window.panels.control.findChildren(QPushButton):
            if button.isVisible():
                bold = button.property("warned") or button.property("recording")
                needed = button.fontMetrics().horizontalAdvance(button.text()) * (
                    1.1 if bold else 1
                )
                assert button.width() >= needed + 16, (width, button.text())
        for key in window.panels.keys.findChildren(QToolButton):
            if key.isVisible():
                assert key.width() >= key.fontMetrics().horizontalAdvance(key.text()), key.text()


# --- the page on which a session is set up ----------------------------------------------------------


def test_nothing_is_clipped_on_a_narrow_page(qtbot: QtBot) -> None:
    sessions = WindowSessions(SessionRequest(protocol=ROOT / "protocols" / "dose_response.yaml"))
    page = Welcome(sessions)
    qtbot.addWidget(page)
    form = page.form
    assert form is not None
    page.offer([], Path("/somewhere/rather/far/from/here/recordings"))
    page.show()
    for width in (784, 1264):  # of a window of 800 and of 1280 pixels
        page.resize(width, 600)
        QApplication.processEvents()
        fields = (form.protocol, form.browse, form.subject, form.seed, form.record, form.start)
        left = form.words.mapTo(page, QPoint(0, 0)).x()
        for part in (*fields, form.words):
            right = part.mapTo(page, QPoint(part.width(), 0)).x()
            assert right <= (width if width == 784 or part is form.words else left), (width, part)
        assert form.words.width() > 300
        for label in form.findChildren(QLabel):
            if label.isVisible() and label.text() and not label.wordWrap():
                assert label.width() >= label.fontMetrics().horizontalAdvance(label.text()) - 1


def test_a_session_is_recorded_from_its_first_tick_unless_the_user_left_it_otherwise(
    qtbot: QtBot, tmp_path: Path
) -> None:
    settings = QSettings(str(tmp_path / "w.ini"), QSettings.Format.IniFormat)
    sessions = WindowSessions()
    form = SetupForm(sessions)
    qtbot.addWidget(form)
    form.show_folder(tmp_path / "made" / "here")
    form.remember(settings)
    assert form.request().record_in == tmp_path / "made" / "here"
    options = sessions._run_options(form.request(), "first-light")
    assert options.record is not None
    assert options.record.parent.is_dir()
    assert options.record.name.startswith("first-light-")
    form.record.click()
    form.remember(QSettings(settings.fileName(), QSettings.Format.IniFormat))
    assert form.request().record_in is None
    assert sessions._run_options(form.request(), "first-light").record is None
    (tmp_path / "file").touch()
    request = SessionRequest(record_in=tmp_path / "file" / "folder")
    with pytest.raises(UserError, match="Choose another folder"):
        sessions._run_options(request, "first-light")
