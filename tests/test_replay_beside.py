"""Recordings side by side: one transport, the tick at which they part, one that is shorter."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QPointF, QSettings, Qt
from pytestqt.qtbot import QtBot

import recorder
from bench.synthetic_session import Stream, description
from cli.main import main
from gui.main_window import MainWindow
from gui.replay.align import AlignDialog
from gui.seen.markers import DIVERGENCE
from recorder.first_divergence import Divergence, find_divergence
from recorder.writer import Writer
from rig.bus.message_types import Branching, Description, Message, Tick

N_TICKS, SHORTER, PARTS_AT = 400, 300, 150
BRANCHING = Branching(PARTS_AT - 1, "first_light", "protocol: first_light", "one", "5" * 64)


def _write(
    path: Path,
    described: Description,
    session: str,
    ticks: range,
    parts_at: int = N_TICKS,
    seed: int = 0,
) -> Path:
    """A session that is the same for every seed but for one unit from `parts_at` on."""
    stream = Stream(described, seed, session)
    _, files = stream.beginning()
    writer = Writer(path, described, files.arrays, session=session)
    for message in stream.ticks(0, ticks.stop):
        if message.tick in ticks or message.topic == "episode":
            writer.add(_changed(message) if message.tick >= parts_at else message)
    writer.close()
    return path


def _changed(message: Message) -> Message:
    if not isinstance(message.content, Tick):
        return message
    activity = message.arrays["c_applied"].copy()
    activity[17] += 1e-6
    return dataclasses.replace(message, arrays={**message.arrays, "c_applied": activity})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one`, its shorter `branch`, a `late` part of the branch, and `other`, another session."""
    folder = tmp_path_factory.mktemp("beside")
    branch = description(branched=(BRANCHING,))
    _write(folder / "one.nwb", description(), "one", range(N_TICKS))
    _write(folder / "branch.nwb", branch, "two", range(SHORTER), PARTS_AT)
    _write(folder / "late.nwb", branch, "three", range(200, SHORTER), PARTS_AT)
    _write(folder / "other.nwb", description(), "four", range(SHORTER), seed=1)
    return folder


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[MainWindow]:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(None, settings)
    window.resize(1280, 800)
    window.show()
    yield window
    window.close()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("one", "branch", Divergence(0, SHORTER - 1, PARTS_AT)),
        ("branch", "one", Divergence(0, SHORTER - 1, PARTS_AT)),
        ("one", "one", Divergence(0, N_TICKS - 1, None)),
        ("branch", "late", Divergence(200, SHORTER - 1, None)),
        ("one", "late", Divergence(200, SHORTER - 1, 200)),
        ("one", "other", Divergence(0, SHORTER - 1, 0)),
    ],
)
def test_where_recordings_part(folder: Path, one: str, other: str, expected: Divergence) -> None:
    """Found to the tick, from whichever side, by one unit's last bits."""
    with (
        recorder.open(folder / f"{one}.nwb") as first,
        recorder.open(folder / f"{other}.nwb") as second,
    ):
        *before, found = find_divergence(first, second)
    assert found == expected
    assert found.from_the_start == (expected.tick == expected.first)
    assert not any(before)


def _at(qtbot: QtBot, window: MainWindow, *ticks: int) -> None:
    """Waits until the columns show these ticks, and the window knows it: that comes a moment later."""
    qtbot.waitUntil(
        lambda: (
            tuple(c.timeline.raster.last_tick for c in window.panels.comparison.columns) == ticks
            and window.tick == max(ticks)
        ),
        timeout=20_000,
    )


def test_a_pair_goes_in_step(qtbot: QtBot, window: MainWindow, folder: Path) -> None:
    """One transport for both; the parting is marked and gone to; the shorter one stops and says so."""
    window.replay(folder / "one.nwb", folder / "branch.nwb", speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    window.player.toggle_play()
    one, branch = window.panels.comparison.columns
    assert (one.name.text(), branch.name.text()) == ("one.nwb", "branch.nwb")
    qtbot.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(one.timeline.head.search, "core/3-5")
    qtbot.keyClick(one.timeline.head.search, Qt.Key.Key_Return)
    for column in (one, branch):
        assert column.timeline.raster.marks.rows == [(3, 6)]
    assert not window.panel_layout.docks["arena"].isVisible()
    qtbot.waitUntil(
        lambda: "parts at tick 150 (3.00 s)" in branch.divergence.full_text, timeout=20_000
    )
    assert one.divergence.full_text == ""
    assert one.arena.height() > 0.75 * one.timeline.height()
    for column in (one, branch):
        assert column.timeline.overlay.marks_s == (3.0,)
        rows = column.timeline.ethogram._rows
        assert rows == one.timeline.ethogram._rows
        assert ("behaviour", "fallen") not in rows  # it happens in neither
        assert ("stimulus", "silence") in rows
        assert ("stimulus", "drive") not in rows  # it never begins

    # all animals are looked at from the same side, by key or by button
    window.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_3)
    assert {one.arena.mode, branch.arena.mode} == {"top"}
    qtbot.mouseClick(branch.arena.buttons.views["follow"], Qt.MouseButton.LeftButton)
    assert {one.arena.mode, branch.arena.mode} == {"follow"}

    bar = window.panels.transport
    bar.choice.setCurrentText(DIVERGENCE)
    qtbot.mouseClick(bar.next, Qt.MouseButton.LeftButton)
    _at(qtbot, window, PARTS_AT, PARTS_AT)
    qtbot.keyClick(window, Qt.Key.Key_Right)
    _at(qtbot, window, PARTS_AT + 1, PARTS_AT + 1)
    window.player.seek(50)
    _at(qtbot, window, 50, 50)
    ongoing = [column.timeline.ethogram.stimuli_now() for column in (one, branch)]
    assert ongoing[0] == ongoing[1]
    assert ongoing[0][0].began_tick == 44

    window.player.set_speed(20)
    window.player.set_loop((100, 139))
    seen: list[tuple[int, int]] = []
    assert window.stream is not None
    window.stream.moved.connect(  # type: ignore[attr-defined]
        lambda _: seen.append((one.timeline.raster.last_tick, branch.timeline.raster.last_tick))
    )
    window.player.toggle_play()
    qtbot.waitUntil(lambda: len(seen) > 12, timeout=20_000)
    assert all(a == b and 100 <= a <= 139 for a, b in seen)
    window.player.toggle_play()
    window.player.set_loop(None)

    window.player.seek(350)
    _at(qtbot, window, 350, SHORTER - 1)
    qtbot.waitUntil(lambda: branch.state.text() == "ended at 0:06.0", timeout=20_000)
    assert one.state.text() == ""
    window.player.toggle_play()
    _at(qtbot, window, N_TICKS - 1, SHORTER - 1)
    qtbot.waitUntil(lambda: window.tick == N_TICKS - 1, timeout=20_000)


def test_columns_come_and_go(
    qtbot: QtBot, window: MainWindow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one is opened at the place where the replay is; taken away, the docks are back."""
    window.replay(folder / "one.nwb", speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    window.player.toggle_play()
    window.player.seek(120)
    qtbot.waitUntil(lambda: window.tick == 120, timeout=20_000)
    monkeypatch.setattr("gui.session.recordings.choose_file", lambda *_: folder / "late.nwb")
    qtbot.keyClick(window, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(window.panels.comparison.columns) == 2, timeout=20_000)
    _at(qtbot, window, 120, -1)
    late = window.panels.comparison.columns[1]
    qtbot.waitUntil(lambda: late.state.text() == "begins at 0:04.0", timeout=20_000)
    assert "begins" in late.arena.sentence
    qtbot.waitUntil(lambda: late.divergence.full_text != "", timeout=20_000)
    assert "another session" in late.divergence.full_text
    assert late.timeline.overlay.marks_s == ()
    window.player.step(110)
    _at(qtbot, window, 230, 230)
    window.panels.comparison.closed.emit(0)
    qtbot.waitUntil(lambda: window.windowTitle().count("late.nwb") == 1, timeout=20_000)
    qtbot.waitUntil(lambda: window.panels.timeline.raster.last_tick == 230, timeout=20_000)
    assert window.panels.comparison.columns == []
    assert window.panel_layout.docks["arena"].isVisible()


def test_recordings_of_one_file_name_are_told_apart(
    qtbot: QtBot, window: MainWindow, folder: Path, tmp_path: Path
) -> None:
    """By as many folders as it takes; one that is there twice by a number."""
    files = [tmp_path / day / "rat" / "s.nwb" for day in ("monday", "tuesday")]
    for file, name in zip(files, ("one", "branch"), strict=True):
        file.parent.mkdir(parents=True)
        file.symlink_to(folder / f"{name}.nwb")
    window.replay(*files, files[1], folder / "late.nwb")
    qtbot.waitUntil(lambda: len(window.panels.comparison.columns) == 4, timeout=60_000)
    columns = window.panels.comparison.columns
    names = ["monday/rat/s.nwb", "tuesday/rat/s.nwb", "tuesday/rat/s.nwb (2)", "late.nwb"]
    assert [column.name.full_text for column in columns] == names
    qtbot.waitUntil(lambda: " beside ".join(names) in window.windowTitle(), timeout=20_000)
    assert window.width() <= 1280  # names give way


def test_recordings_are_aligned(
    qtbot: QtBot, window: MainWindow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transport drives both at a distance; what is not the same tick is not said to be compared."""
    window.replay(folder / "one.nwb", folder / "branch.nwb", speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    window.player.toggle_play()
    one, branch = window.panels.comparison.columns
    qtbot.waitUntil(lambda: "parts at tick 150" in branch.divergence.full_text, timeout=20_000)
    window.player.seek(130)
    _at(qtbot, window, 130, 130)

    def choose(at: str, first: int, second: int) -> Callable[[AlignDialog], int]:
        def answer(dialog: AlignDialog) -> int:
            assert "fallen" not in [dialog.at.itemText(k) for k in range(dialog.at.count())]
            dialog.at.setCurrentText(at)
            dialog.occurrences[0].setCurrentIndex(first)
            dialog.occurrences[1].setCurrentIndex(second)
            return AlignDialog.DialogCode.Accepted

        return answer

    monkeypatch.setattr(AlignDialog, "exec", choose("trial", 2, 0))
    window.menu_actions.table.of("Ctrl+L", "replay").does()  # type: ignore[union-attr]
    _at(qtbot, window, 200, 0)
    assert branch.divergence.full_text == (
        "aligned at trial 1 (0:00.00) with trial 3 (0:04.00): not the same tick, not compared"
    )
    assert one.divergence.full_text == "aligned at trial 3 (0:04.00)"
    assert branch.timeline.overlay.marks_s == one.timeline.overlay.marks_s == ()
    slider = window.panels.transport.slider
    assert (slider.minimum(), slider.maximum()) == (0, 499)  # the branch ends 200 ticks later
    window.player.step(20)
    _at(qtbot, window, 220, 20)
    qtbot.waitUntil(lambda: window.panels.transport._tick == 220, timeout=20_000)
    below = QPointF(slider.width() * 220 / 499, slider.height() - 25)
    assert slider.words_at(below).splitlines()[0].startswith("branch.nwb   0:00.")

    def same(dialog: AlignDialog) -> int:
        assert dialog.at.currentText() == "trial"
        dialog.same.click()
        return AlignDialog.DialogCode.Accepted

    monkeypatch.setattr(AlignDialog, "exec", same)
    window.menu_actions.table.of("Ctrl+L", "replay").does()  # type: ignore[union-attr]
    _at(qtbot, window, 220, 220)
    assert "parts at tick 150" in branch.divergence.full_text
    assert branch.timeline.overlay.marks_s == (3.0,)


def test_bad_input_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 before any window."""
    one = folder / "one.nwb"
    protocol = Path(__file__).parents[1] / "protocols" / "observe.yaml"
    (folder / "odd.nwb").write_bytes(b"no recording")
    for arguments, words in (
        (("gui", one, protocol), "observe.yaml is no recording"),
        (("gui", protocol, one), "observe.yaml is no recording"),
        (("gui", one, folder / "none.nwb"), "none.nwb does not exist"),
        (("gui", one, folder / "odd.nwb"), "odd.nwb"),
        (("gui", one, one, one, one, one), "no more than 4"),
        (("replay", one, one, "--bus"), "not on a bus"),
    ):
        monkeypatch.setattr(sys, "argv", ["rodent-rig", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert words in said
        assert len(said.strip().splitlines()) == 1
