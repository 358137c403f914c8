"""The protocol editor: what it offers, underlines and explains, what it saves, what it would have done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from bench.synthetic_session import Stream, description
from cli.protocol_language import RigProtocolLanguage
from cli.protocols import check
from cli.window_sessions import WindowSessions
from gui.editor.protocol_editor import ProtocolEditor
from gui.main_window import MainWindow
from gui.session.session_setup import SessionRequest
from gui.timeline.ethogram import DRY_RUN
from recorder.writer import Writer
from rig.errors import UserError
from rig.session.directory import running_sessions
from stim.protocol.read import read_protocol
from tests.rodent_rig import ROOT, wait_for
from tests.windows import press_in_dialog

Edit = Callable[..., ProtocolEditor]

HEAD = "protocol: tried\nsubject: runner\ntask: two_tap\nparameters: {strength: 2}\n"
STIMULI = "stimuli:\n  push:\n    clamp: policy_2\n"
PROTOCOL = """protocol: tried
subject: runner
task: corridor
trial_s: 1
stimuli:
  push: {clamp: policy_2, units: {first: 16}, to: 0.25, state: cell}
rules:
  - {on: {time_ms: 300}, do: push, for_ms: 200}
"""

PLACES = {
    "pro¦": ("protocol: ",),
    f"{HEAD}¦\n": ("description: ", "trials: ", "stimuli:", "rules:"),
    "subject: ru¦": ("runner",),
    "task: ¦": ("corridor", "two_tap", "escape"),
    f"{HEAD}{STIMULI}    ¦": ("units: ", "to: ", "state: ", "ramp_ms: "),
    f"{HEAD}{STIMULI}    un¦\n    to: 0\n": ("units: ",),
    f"{HEAD}{STIMULI}   un¦": ("units: ",),
    f"{HEAD}{STIMULI}    units: ¦": ("all", "{first:}", "{top: , by: , in:}"),
    f"{HEAD}{STIMULI}    units: {{random: 3, ¦": ("seed: ",),
    f"{HEAD}{STIMULI}    units: {{first: ¦}}": ("$strength",),
    f"{HEAD}stimuli:\n  push: {{lesion: ¦": ("core", "policy_0", "policy_1", "policy_2"),
    f"{HEAD}{STIMULI}rules:\n  - on: rear.¦\n    do: push": ("rear.onset", "rear.offset"),
    f"{HEAD}{STIMULI}rules:\n- on: trial.start\n  d¦": ("do: ",),
    f"{HEAD}{STIMULI}rules:\n  - {{on: run.onset, do: ¦\nblinded: true": ("push",),
    f"{HEAD}rules:\n  - {{on: {{task: ¦": ("first_tap", "second_tap"),
    f"{HEAD}rules:\n  - {{on: run.onset, if: {{all: [run, {{¦": ("not: ", "within_ms: "),
    "blocks:\n  - {conditions: [a, b], trials: 2}\nrules:\n  - {in: ¦": ("a", "b"),
    "detectors:\n  ¦": ("rear: ", "run: "),
    "detectors:\n  fast:\n    behaviour: run\n    thresholds: {¦": ("min_forward_speed: ",),
    "detectors:\n  my:\n    when: {forward¦": ("forward_speed: ",),
}
NOWHERE = (
    "description: >\n  a ta¦",
    "# su¦",
    "task: two_tap # t¦",
    "task: two_tap ¦",
    f"{HEAD}{STIMULI}    ba¦",
    "'¦",
    "{[}: ]¦",
)


@pytest.fixture(scope="module")
def language() -> RigProtocolLanguage:
    return RigProtocolLanguage()


def _offered(language: RigProtocolLanguage, marked: str) -> tuple[str, ...]:
    before, after = marked.split("¦")
    column = len(before) - (before.rfind("\n") + 1)
    found = language.complete(before + after, before.count("\n"), column)
    return tuple(each.text for each in found.items)


@pytest.mark.parametrize("marked", PLACES, ids=lambda text: text[-24:].replace("\n", "|"))
def test_what_may_be_written_is_offered_at_its_place(
    language: RigProtocolLanguage, marked: str
) -> None:
    offered = _offered(language, marked)
    assert set(PLACES[marked]) <= set(offered)
    assert not set(offered) & {"clamp: ", "protocol: "} - set(PLACES[marked])


@pytest.mark.parametrize("marked", NOWHERE)
def test_nothing_is_offered_where_nothing_can_be(
    language: RigProtocolLanguage, marked: str
) -> None:
    assert _offered(language, marked) == ()


def test_every_key_of_what_ships_is_offered_and_explained(language: RigProtocolLanguage) -> None:
    """Wherever a key stands in a protocol that ships, it could have been chosen there."""
    keys = 0
    for path in sorted((ROOT / "protocols").glob("*.yaml")):
        text = path.read_text()
        for number, line in enumerate(text.split("\n")):
            word = line.split(":")[0].lstrip(" -")
            if not word.isidentifier() or ":" not in line or line.lstrip().startswith("#"):
                continue
            column = line.index(word)
            rest = text.split("\n")
            rest[number] = line[:column]
            offered = language.complete("\n".join(rest), number, column).items
            if language.about(text, number, column + 1):
                assert word in {each.text.rstrip(": ") for each in offered}, (path.name, line)
                keys += 1
    assert keys > 150


def test_protocols_are_listed_by_what_they_say_of_themselves() -> None:
    for each in WindowSessions().protocols():
        tree = read_protocol(each.path.read_text(), str(each.path))
        about = tree.root.get("description")
        assert each.name == tree.name
        assert each.line == (" ".join(str(about.value).split()) if about is not None else "")


@pytest.fixture
def edit(open_window: Callable[..., MainWindow]) -> Iterator[Edit]:
    """Opens the editor of a window; at the end nothing is asked about what it has changed."""
    editors: list[ProtocolEditor] = []

    def open_editor(window: MainWindow, path: Path | None = None) -> ProtocolEditor:
        window.menu_actions.editor.open(path)
        editor = window.menu_actions.editor.editor
        assert editor is not None
        editors.append(editor)
        return editor

    yield open_editor
    for editor in editors:
        editor.text.setModified(False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tried.yaml"
    path.write_text(PROTOCOL)
    return path


def test_it_says_what_check_says(
    qtbot: QtBot, open_window: Callable[..., MainWindow], edit: Edit, file: Path
) -> None:
    window = open_window(WindowSessions(SessionRequest(protocol=file)))
    form = window.panels.welcome.form
    assert form is not None
    qtbot.mouseClick(form.edit, Qt.MouseButton.LeftButton)
    editor = edit(window)
    assert editor.path == file
    qtbot.waitUntil(lambda: editor.words.toPlainText() != "", timeout=20_000)
    assert editor.words.toPlainText() == form.words.toPlainText()

    # mistakes: those of the command, underlined where it says
    wrong = PROTOCOL.replace("policy_2", "polcy_2").replace("first: 16", "frist: 16")
    editor.text.setText(wrong)
    qtbot.waitUntil(lambda: editor.mistakes.count() > 0, timeout=20_000)
    other = file.with_name("wrong.yaml")
    other.write_text(wrong)
    with pytest.raises(UserError) as said:
        check(other)
    listed = [
        f"{other}:{each.line}:{each.column}: {each.sentence}" for each in editor.checked.mistakes
    ]
    assert listed == str(said.value).splitlines()
    at = wrong.split("\n")[5].index("polcy_2")
    assert [each.sentence for each in editor.text.mistakes_at(5, at + 3)] == [
        "there is no layer 'polcy_2'; did you mean 'policy_2'?"
    ]
    assert editor.text.mistakes_at(5, at - 2) == []
    assert not editor.bar.use.isEnabled()
    editor.mistakes.itemActivated.emit(editor.mistakes.item(0))
    assert editor.text.getCursorPosition() == (5, at)

    # typed, with a completion that is chosen by enter
    editor.text.setText(PROTOCOL.replace("rules:", "rul"))
    editor.text.setCursorPosition(6, 3)
    qtbot.keyClicks(editor.text, "e")
    qtbot.waitUntil(lambda: editor.text.offered == ["rules:"], timeout=20_000)
    qtbot.keyClick(editor.text, Qt.Key.Key_Return)
    assert editor.text.text() == PROTOCOL
    qtbot.waitUntil(lambda: editor.bar.use.isEnabled(), timeout=20_000)
    assert "1. 300 ms (15 ticks) after the first tick of each trial" in editor.words.toPlainText()


def test_nothing_is_lost_or_overwritten(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    edit: Edit,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    editor = edit(open_window(WindowSessions()), file)
    editor.text.append("# mine\n")
    assert editor.modified
    file.write_text("protocol: of-another-hand\n")
    press_in_dialog("Cancel")
    assert not editor.save()
    assert file.read_text() == "protocol: of-another-hand\n"
    press_in_dialog("Overwrite it")
    assert editor.save()
    assert file.read_text() == PROTOCOL + "# mine\n"
    assert not editor.modified

    # what ships is saved as a copy among one's own
    shipped = ROOT / "protocols" / "first_light.yaml"
    before = shipped.read_text()
    assert editor.open(shipped)
    editor.text.append("# mine\n")
    asked: list[str] = []

    def choose(parent: object, title: str, place: str, kinds: str) -> tuple[str, str]:
        asked.append(place)
        return place, kinds

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    editor.activateWindow()
    qtbot.waitUntil(editor.isActiveWindow, timeout=20_000)
    qtbot.keyClick(editor, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    copy = tmp_path / "protocols" / "first_light.yaml"
    assert asked == [str(copy)]
    assert copy.read_text() == before + "# mine\n"
    assert shipped.read_text() == before
    assert editor.path == copy

    # changes are asked about before they go; from a template there is no file yet
    editor.text.append("# more\n")
    press_in_dialog("Cancel")
    assert not editor.open(file)
    editor.bar.fill_menu()
    names = [action.text() for action in editor.bar.menu.actions()]
    assert {"Empty", "dose-response", "first-light"} <= set(names)
    press_in_dialog("Discard")
    editor.bar.menu.actions()[names.index("first-light")].trigger()
    assert editor.text.text() == before
    assert editor.path.name == "my_first_light.yaml"
    assert "more" not in copy.read_text()


def test_what_was_discarded_is_not_shown_as_the_file(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    edit: Edit,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = open_window(WindowSessions(SessionRequest(protocol=file)))
    editor = edit(window, file)
    editor.text.append("# mine\n")
    window.session.close_at_end = True  # the session has ended, and the window closes with it
    press_in_dialog("Cancel")
    window.close()
    assert window.isVisible()
    assert not window.session.close_at_end  # the next session does not close it
    press_in_dialog("Discard")
    editor.close()
    window.menu_actions.editor.open()
    assert editor.isVisible()
    assert editor.text.text() == PROTOCOL

    # a name that was chosen without its ending gets one: of another file, perhaps
    taken = file.with_name("taken.yaml")
    taken.write_text("protocol: another\n")
    chosen = str(taken.with_suffix(""))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (chosen, ""))
    press_in_dialog("Cancel")
    assert not editor.save_as()
    assert taken.read_text() == "protocol: another\n"
    press_in_dialog("Replace it")
    assert editor.save_as()
    assert taken.read_text() == PROTOCOL


def test_a_dry_run_is_drawn_over_the_open_recording(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    edit: Edit,
    file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    described = description()
    stream = Stream(described)
    first, files = stream.beginning()
    recording = tmp_path / "session.nwb"
    writer = Writer(recording, described, files.arrays, session=first.session)
    for message in stream.ticks(0, 250):
        writer.add(message)
    writer.close()
    window = open_window(WindowSessions(SessionRequest(protocol=file)))
    window.replay(recording, speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=30_000)
    window.player.toggle_play()
    window.player.seek(240)
    editor = edit(window, file)
    qtbot.waitUntil(lambda: editor.words.toPlainText() != "", timeout=20_000)
    editor.activateWindow()
    qtbot.waitUntil(editor.isActiveWindow, timeout=20_000)
    editor.text.setFocus()  # a key of the window, wherever the cursor is
    before = editor.text.text()
    qtbot.keyClick(editor.text, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert editor.text.text() == before
    qtbot.waitUntil(lambda: editor.report.toPlainText() != "", timeout=20_000)
    check(file, against=recording)
    assert editor.report.toPlainText().strip() == capsys.readouterr().out.strip()
    ethogram = window.panels.timeline.ethogram

    def drawn() -> list[tuple[int | None, int | None]]:
        window.panels.timeline.draw()
        return [(i.began_tick, i.end_tick) for i in ethogram.drawn() if i.kind == DRY_RUN]

    qtbot.waitUntil(lambda: len(drawn()) == 3, timeout=20_000)
    assert drawn() == [(16, 26), (116, 126), (216, 226)]
    assert ethogram.rows[-1] == (DRY_RUN, DRY_RUN)
    assert "dry run: it would have been here" in ethogram.under(20 * 0.02, len(ethogram.rows) - 0.5)
    editor.text.append("# another\n")
    assert drawn() == []
    assert (DRY_RUN, DRY_RUN) not in ethogram.rows
    # opened anew it is of the recording, whatever was run in this window before
    press_in_dialog("Discard")
    editor.close()
    window.state.request = SessionRequest(protocol=file)
    window.menu_actions.editor.open()
    assert editor.text.text() == described.protocol_text


def test_without_qscintilla_the_window_opens_and_says_so(
    qtbot: QtBot, open_window: Callable[..., MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PyQt6.Qsci", None)
    for name in (
        "gui.editor.protocol_editor",
        "gui.editor.protocol_text",
        "gui.editor.protocol_lexer",
    ):
        monkeypatch.delitem(sys.modules, name)
    window = open_window(WindowSessions())
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert window.menu_actions.editor.editor is None
    assert "pip install PyQt6-QScintilla" in window.panels.banner.label.text()


def test_a_session_ends_with_its_trial_and_another_follows(
    qtbot: QtBot, open_window: Callable[..., MainWindow], edit: Edit, file: Path, runtime: Path
) -> None:
    window = open_window(WindowSessions(SessionRequest(protocol=file, seed=4, animal="Ada")))
    window.start()
    qtbot.waitUntil(lambda: window.phase == "live", timeout=120_000)
    editor = edit(window)
    assert editor.path == file
    editor.text.setText(PROTOCOL.replace("tried", "changed"))
    qtbot.waitUntil(lambda: editor.checked.name == "changed", timeout=20_000)
    assert editor.bar.use.text() == "Start again with it"
    qtbot.mouseClick(editor.bar.use, Qt.MouseButton.LeftButton)
    ticks: list[int] = []
    window.state.phase_changed.connect(lambda phase: phase == "ended" and ticks.append(window.tick))
    qtbot.waitUntil(lambda: window.phase == "starting", timeout=60_000)
    assert window.panels.welcome.heading.text() != "That did not work"
    assert (ticks[0] + 1) % 50 == 0  # a trial is one second
    qtbot.waitUntil(lambda: window.phase == "live", timeout=120_000)
    described = window.state.description
    assert described is not None
    assert (described.protocol_name, described.seed, described.animal) == ("changed", 4, "Ada")
    window.session.end()
    qtbot.waitUntil(lambda: window.phase == "ended", timeout=60_000)
    wait_for(lambda: running_sessions() == [])
