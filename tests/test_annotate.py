"""Annotating in a replay: keys, edges, undo, autosave; a second window; what is damaged stays as it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PyQt6.QtCore import QPoint, QPointF, QSettings, Qt
from PyQt6.QtWidgets import QTabBar
from pytestqt.qtbot import QtBot

from bench.synthetic_session import Stream, description
from gui.annotate import annotation_store
from gui.annotate.agreement_dialog import AgreementDialog, detected_in
from gui.annotate.annotation_document import AnnotationDocument
from gui.annotate.annotation_store import AnnotationStore
from gui.main_window import MainWindow
from gui.seen.markers import Extent
from recorder.annotation_file import read_annotations
from recorder.annotations import Annotation, Annotations, annotations_path
from recorder.writer import Writer
from rig.bus.message_types import Event
from rig.errors import UserError

N_TICKS = 400
EMPTY = Annotations("test", ("F.nwb",), 0, N_TICKS - 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Eight seconds, without arena or camera."""
    path = tmp_path / "F.nwb"
    stream = Stream(description())
    _, files = stream.beginning()
    writer = Writer(path, description(), files.arrays, session="test", camera=False)
    for message in stream.ticks(0, N_TICKS):
        writer.add(message)
    writer.close()
    return path


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path, file: Path) -> Iterator[MainWindow]:
    window = _open(qtbot, tmp_path, file)
    yield window
    window.close()


def _open(qtbot: QtBot, tmp_path: Path, file: Path) -> MainWindow:
    """A window on a recording, standing still, with the panel that annotates."""
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    settings.setValue("annotations/author", "Jane Doe")
    window = MainWindow(None, settings)
    window.resize(1280, 800)
    window.show()
    window.replay(file, speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    window.player.toggle_play()
    qtbot.keyClick(window, Qt.Key.Key_A)
    panel = window.panels.annotate
    qtbot.waitUntil(
        lambda: panel.editable or "another window" in panel.state.text(), timeout=20_000
    )
    return window


def _bouts(window: MainWindow) -> list[tuple[str, int, int]]:
    return [(row.label, row.start_tick, row.stop_tick) for row in window.panels.annotations.rows]


def _go(qtbot: QtBot, window: MainWindow, tick: int) -> None:
    window.player.seek(tick)
    qtbot.waitUntil(lambda: window.tick == tick, timeout=20_000)


def _tabs(window: MainWindow) -> list[str]:
    """The titles of all docks that are tabs."""
    bars = [bar for bar in window.findChildren(QTabBar) if bar.parent() is window]
    return sorted(bar.tabText(k) for bar in bars if bar.isVisible() for k in range(bar.count()))


def test_keys_edges_undo_and_autosave(
    qtbot: QtBot, window: MainWindow, file: Path, tmp_path: Path
) -> None:
    before = file.read_bytes()
    panel, document = window.panels.annotate, window.panels.annotations
    path = annotations_path(file)
    assert not path.exists()  # nothing was annotated yet
    height = window.height()
    window.panel_layout.toggle("population")
    expected = ["Annotate", "Log", "Population", "Session"]  # each once, none left over
    qtbot.waitUntil(lambda: _tabs(window) == expected, timeout=20_000)
    assert window.height() == height
    window.panel_layout.toggle("population")
    qtbot.mouseClick(panel.add_behaviour, Qt.MouseButton.LeftButton)
    document.change_label("channel 1", "behaviour 1", "rear", "f")  # F freezes the plots elsewhere
    document.add_label("channel 1", "groom", "g")
    with pytest.raises(UserError, match="key g is that of 'groom'"):
        document.change_label("channel 1", "rear", "rear", "g")

    _go(qtbot, window, 60)
    qtbot.keyClick(window, Qt.Key.Key_F)
    assert not window.panels.timeline.frozen
    _go(qtbot, window, 99)
    qtbot.keyClick(window, Qt.Key.Key_F)
    assert _bouts(window) == [("rear", 60, 100)]
    qtbot.keyClick(window, Qt.Key.Key_G)
    _go(qtbot, window, 80)  # ended before it began: the other way round
    qtbot.keyClick(window, Qt.Key.Key_G)
    assert _bouts(window) == [("rear", 60, 100), ("groom", 80, 100)]
    qtbot.keyClick(window, Qt.Key.Key_G)
    qtbot.keyClick(window, Qt.Key.Key_Escape)  # begun by mistake
    assert len(_bouts(window)) == 2

    rows = window.player.annotate.rows
    axis = rows._axis()
    row = rows.names.index("rear")
    edge = QPoint(round(axis.x(100)), 8 + 16 * row)
    aim = QPoint(round(axis.x(120)), edge.y())
    qtbot.mousePress(rows, Qt.MouseButton.LeftButton, pos=edge)
    qtbot.mouseMove(rows, aim)
    qtbot.mouseRelease(rows, Qt.MouseButton.LeftButton, pos=aim)
    ((_, start, stop),) = (bout for bout in _bouts(window) if bout[0] == "rear")
    assert (start, abs(stop - 120) <= 2) == (60, True)
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert _bouts(window) == [("rear", 60, 100), ("groom", 80, 100)]
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window, Qt.Key.Key_Z, both)
    assert _bouts(window)[0] == ("rear", 60, stop)
    document.select(document.rows[1])
    qtbot.keyClick(window, Qt.Key.Key_Delete)
    assert _bouts(window) == [("rear", 60, stop)]

    _go(qtbot, window, 200)
    qtbot.keyClick(window, Qt.Key.Key_PageUp)
    qtbot.waitUntil(lambda: window.tick == 60, timeout=20_000)
    bar = window.panels.transport
    bar.choice.setCurrentText("annotated rear")
    assert bar.next.isEnabled()
    words = bar.slider.words_at(QPointF(bar.slider._x_of(70), 5))
    assert "rear (annotated, channel 1)" in words
    qtbot.waitUntil(lambda: "Saved" in panel.state.text() and path.exists(), timeout=20_000)

    second = _open(qtbot, tmp_path, file)  # it is told, and shows them
    qtbot.waitUntil(lambda: "another window" in second.panels.annotate.state.text(), timeout=20_000)
    assert _bouts(second) == [("rear", 60, stop)]
    assert not second.panels.annotate.add_behaviour.isEnabled()
    assert not second.player.annotate.rows.editable
    second.close()
    window.close()
    (found,) = read_annotations(path).rows
    assert (found.label, found.start_tick, found.stop_tick) == ("rear", 60, stop)
    assert (found.channel, found.author) == ("channel 1", "Jane Doe")
    assert found.created.startswith("20")
    assert file.read_bytes() == before
    assert not list(file.parent.glob(".F*"))


def test_what_could_not_be_saved_is_said_when_the_recording_is_left(
    qtbot: QtBot, window: MainWindow, file: Path
) -> None:
    document, path = window.panels.annotations, annotations_path(file)
    document.add_label("channel 1", "rear", "r")
    qtbot.waitUntil(path.exists, timeout=20_000)
    qtbot.waitUntil(lambda: "Saved " in window.panels.annotate.state.text(), timeout=20_000)
    _go(qtbot, window, 10)
    qtbot.keyClick(window, Qt.Key.Key_R)
    window.showMinimized()
    window.showNormal()  # what was begun goes on
    _go(qtbot, window, 20)
    path.write_bytes(b"something else")
    qtbot.keyClick(window, Qt.Key.Key_R)  # and left before it is saved
    assert _bouts(window) == [("rear", 10, 21)]
    window.set_up()
    banner = window.panels.banner.label
    qtbot.waitUntil(lambda: "was changed by another program" in banner.text(), timeout=20_000)
    assert path.read_bytes() == b"something else"


def test_what_others_have_written_is_not_overwritten(qtbot: QtBot, tmp_path: Path) -> None:
    """A file that another program changes meanwhile, and one that cannot be read, stay as they are."""
    path = annotations_path(tmp_path / "F.nwb")
    store = AnnotationStore(path, EMPTY, description())
    with qtbot.waitSignal(store.opened, timeout=20_000) as opened:
        store.begin()
    assert opened.args == [EMPTY, ""]
    with qtbot.waitSignal(store.saved, timeout=20_000):
        store.save(EMPTY)
    assert read_annotations(path) == EMPTY
    path.write_bytes(b"something else")
    with qtbot.waitSignal(store.failed, timeout=20_000) as failed:
        store.save(EMPTY)
    assert "changed by another program" in (failed.args or [""])[0]
    store.close()
    again = AnnotationStore(path, EMPTY, description())
    with qtbot.waitSignal(again.opened, timeout=20_000) as opened:
        again.begin()
    content, why = opened.args or (None, "")
    assert content == EMPTY
    assert "cannot be read as annotations" in why
    again.save(EMPTY)
    again.close()
    assert path.read_bytes() == b"something else"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_disk_that_hangs_does_not_hold_the_window(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation_store, "CLOSE_WITHIN_S", 0.1)
    answers = threading.Event()

    class Rows(tuple[Annotation, ...]):
        """Rows that are written when the disk answers."""

        def __iter__(self) -> Iterator[Annotation]:
            answers.wait(20)
            return super().__iter__()

    path = annotations_path(tmp_path / "F.nwb")
    store = AnnotationStore(path, EMPTY, description())
    with qtbot.waitSignal(store.opened, timeout=20_000):
        store.begin()
    store.save(msgspec.structs.replace(EMPTY, rows=Rows()))
    assert "the last changes to the annotations may not be saved" in store.close()
    answers.set()
    qtbot.waitUntil(lambda: list(tmp_path.iterdir()) == [path], timeout=20_000)
    assert read_annotations(path) == EMPTY


def test_agreement_with_what_was_detected(qtbot: QtBot) -> None:
    """The detectors found three runs, the last of which goes on; somebody saw the first, and one too many."""
    events = [
        Event("behaviour", "run", phase, tick + 3, tick, number)
        for phase, tick, number in (
            ("onset", 10, 1),
            ("offset", 40, 1),
            ("onset", 80, 2),
            ("offset", 100, 2),
            ("onset", 390, 3),
        )
    ]
    extent = Extent("F.nwb", 0, N_TICKS - 1, tuple(events), (0,), ("run", "walk"), ())
    detected = detected_in(extent)
    assert detected["run"].tolist() == [[10, 40], [80, 100], [390, 400]]
    document = AnnotationDocument()
    document.open(EMPTY)
    document.add_channel("jane", "#ffffff")
    document.add_label("jane", "run")
    document.add("jane", "run", 12, 41, "")
    document.add("jane", "run", 60, 64, "")
    assert document.content is not None
    dialog = AgreementDialog(document.content, detected)
    qtbot.addWidget(dialog)
    assert dialog.other.currentText() == "detected"
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 2, timeout=20_000)
    cells = [dialog.table.item(0, column) for column in range(9)]
    texts = [cell.text() if cell is not None else "" for cell in cells]
    assert texts[0] == "run"
    assert texts[2:5] == ["35", "60", "28"]
    assert texts[6:] == ["2", "3", "1"]


def test_bouts_of_one_behaviour_never_overlap() -> None:
    document = AnnotationDocument()
    document.open(EMPTY)
    document.add_channel("jane", "#ffffff")
    document.add_label("jane", "rear")

    def bouts() -> list[tuple[int, int]]:
        return [(row.start_tick, row.stop_tick) for row in document.rows]

    document.add("jane", "rear", 10, 19, "")
    document.add("jane", "rear", 15, 29, "")
    document.add("jane", "rear", 50, 59, "")
    assert bouts() == [(10, 30), (50, 60)]
    document.move_edges(document.rows[0], 5, 70)
    assert bouts() == [(5, 50), (50, 60)]
    document.add("jane", "rear", -5, 2, "")
    assert bouts()[0] == (0, 3)
    document.remove_channel("jane")
    assert bouts() == []
    document.stack.undo()
    assert len(bouts()) == 3
