"""*Replay → Export…*: a stretch of what is replayed becomes a table, a strip, a film, a file of signals."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

import recorder
from gui.main_window import MainWindow
from gui.replay.export_dialog import FILM, SIGNALS, STRIP, ExportDialog
from tests.shared_recordings import first_light
from tests.windows import press_in_dialog

CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def dialog(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    tmp_path_factory: pytest.TempPathFactory,
) -> ExportDialog:
    """As the key opens it while ticks 100 to 149 are looped."""
    window = open_window()
    window.replay(first_light(tmp_path_factory).file, speed=1.0)
    qtbot.waitUntil(lambda: window.tick > 5, timeout=30_000)
    window.player.set_loop((100, 149))
    qtbot.waitUntil(lambda: window.panels.transport.marked_loop == (100, 149), timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_E, CTRL_SHIFT)
    (found,) = window.findChildren(ExportDialog)
    return found


def choose(dialog: ExportDialog, kind: str) -> None:
    dialog.what.setCurrentIndex(dialog.what.findData(kind))


def made(qtbot: QtBot, dialog: ExportDialog, out: Path) -> str:
    """Writes to this file; returns what was said of it."""
    dialog.out.setText(str(out))
    with qtbot.waitSignal(dialog.made, timeout=120_000) as signal:
        dialog.start.click()
        assert dialog.stop.text() == "Cancel"
        assert not dialog.what.isEnabled()
    path, said = signal.args
    assert path == out
    return str(said)


def test_a_table_of_the_loop(qtbot: QtBot, dialog: ExportDialog, tmp_path: Path) -> None:
    assert "1.00 s of animal time" in dialog.said.text()
    assert dialog.out.text().endswith("first.csv")
    out = tmp_path / "loop.csv"
    parent = dialog.parent()
    assert isinstance(parent, MainWindow)
    said = made(qtbot, dialog, out)
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert said == f"{out}: {len(rows)} rows"
    assert rows
    assert all(float(row["start_s"]) < 3.0 and float(row["stop_s"]) >= 2.0 for row in rows)
    qtbot.waitUntil(lambda: f"Written: {said}" in parent.panels.banner.label.text(), timeout=5000)


def test_what_cannot_be_is_said_and_nothing_is_lost(
    qtbot: QtBot, dialog: ExportDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("mine")
    chosen = [str(mine), str(mine.with_suffix(""))]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (chosen.pop(0), ""))
    dialog._chooser.click()  # there the question was whether it may be replaced
    assert dialog.words()[-1] == "--overwrite"
    dialog._chooser.click()  # nobody was asked about "mine.csv"
    assert "--overwrite" not in dialog.words()
    assert dialog.out.text() == str(mine)
    dialog.start.click()
    qtbot.waitUntil(lambda: "exists already" in dialog.said.text(), timeout=60_000)
    assert mine.read_text() == "mine"
    assert dialog.start.isEnabled()
    dialog.to_s.setValue(dialog.from_s.value())
    assert not dialog.start.isEnabled()
    assert "ends before it begins" in dialog.said.text()
    dialog.whole.click()
    choose(dialog, SIGNALS)
    dialog.series.setEditText("body/wings")
    dialog.out.setText(str(tmp_path / "wings.nwb"))
    dialog.start.click()
    qtbot.waitUntil(lambda: "no column 'wings'" in dialog.said.text(), timeout=60_000)
    assert [path.name for path in tmp_path.glob("*wings*")] == []


def test_signals_of_all_of_it(qtbot: QtBot, dialog: ExportDialog, tmp_path: Path) -> None:
    dialog.whole.click()
    choose(dialog, SIGNALS)
    assert dialog.out.text().endswith("first-signals.nwb")
    dialog.series.setEditText("h_applied/policy_2")
    out = tmp_path / "s.nwb"
    made(qtbot, dialog, out)
    import pynwb

    with pynwb.NWBHDF5IO(str(out), "r") as file:
        shape = file.read().acquisition["h_applied_policy_2"].data.shape
    with recorder.open(dialog._recording.path) as recording:
        assert shape == (recording.n_ticks, 128)


def test_a_film_can_be_given_up(qtbot: QtBot, dialog: ExportDialog, tmp_path: Path) -> None:
    choose(dialog, STRIP)
    assert dialog.out.text().endswith("first.jpg")
    choose(dialog, FILM)
    assert "--from 2.00 --to 3.00" in " ".join(dialog.words())
    out = tmp_path / "a.mp4"
    dialog.whole.click()
    dialog.speed.setValue(0.1)
    dialog.out.setText(str(out))
    shares: list[int] = []
    dialog.bar.valueChanged.connect(shares.append)
    dialog.start.click()
    qtbot.waitUntil(lambda: max(shares, default=0) > 0, timeout=120_000)
    window = dialog.parent()
    assert isinstance(window, MainWindow)
    press_in_dialog("Cancel")
    window.close()
    assert window.isVisible()
    assert dialog.making
    dialog.stop.click()
    assert dialog.start.isEnabled()
    window.close()  # the dialog with it, which waits until it has tidied up
    assert list(tmp_path.glob("*a*.mp4")) == []
