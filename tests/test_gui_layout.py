"""What the window looks like: sizes, themes, what fits where; on a recording that is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, QSettings, QSize, Qt
from PyQt6.QtGui import QColor, QImage, QWheelEvent
from PyQt6.QtWidgets import QApplication, QFileDialog, QLabel, QTabBar, QToolButton, QTreeView
from pytestqt.qtbot import QtBot

from bench.synthetic_session import Stream, description
from gui.look.theme import DARK, THEMES
from gui.main_window import MainWindow
from gui.seen.stimuli_on import StimuliOn
from gui.session import recordings
from gui.streams.replay_stream import ReplayStream
from gui.timeline.timeline_plots import LEAST_ROW_PX, RASTER_SHARE, share
from recorder.writer import Writer
from rig.bus.message_types import EngineReply, Event, Fault, Message
from stim.detectors.behaviours import BEHAVIOURS

NAMES = tuple(behaviour.name for behaviour in BEHAVIOURS)
DIED, BACK = 60, 90


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds; the engine was dead from tick 60 to 90, and of all behaviours run and stand happen."""
    path = tmp_path_factory.mktemp("layout") / "session.nwb"
    described = description(behaviours=NAMES)
    stream = Stream(described)
    first, files = stream.beginning()
    writer = Writer(path, described, files.arrays, session=first.session)
    for message in stream.ticks(0, 150):
        writer.add(message)
        if message.tick in (DIED, BACK) and message.topic == "answer":
            over = message.tick == BACK
            fault = Fault("stimulation", "The engine died.", name="dead", over=over)
            writer.add(stream.message(fault, message.tick))
    writer.close()
    return path


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path, file: Path) -> Iterator[MainWindow]:
    """The recording at its tick 120, in a window of 1280×720."""
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(None, settings)
    window.show()
    qtbot.wait(10)
    window.resize(1280, 720)
    window.replay(file, speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    window.player.toggle_play()
    window.player.seek(120)
    qtbot.waitUntil(lambda: window.panels.timeline.raster.last_tick == 120, timeout=20_000)
    qtbot.wait(100)
    yield window
    window.close()


def _share_of_raster(window: MainWindow) -> float:
    timeline = window.panels.timeline
    return float(timeline.plots.raster.getViewBox().height()) / timeline.height()


def test_the_raster_has_its_share_and_the_rest_is_folded_shrunk_and_scrolled(
    qtbot: QtBot, window: MainWindow
) -> None:
    assert window.size() == QSize(1280, 720)
    # the hidden page of the set-up needs no room, or the window would grow with the next dock
    middle = window.centralWidget()
    assert middle is not None
    assert middle.minimumSizeHint().width() < 560
    timeline = window.panels.timeline
    plots, ethogram = timeline.plots, timeline.ethogram
    folded = ["stand", "run", "task events", "reward", "trials", "silence"]
    assert [name for _, name in ethogram.rows] == folded
    assert plots.more.text() == f"+{ethogram.n_folded} more"
    assert _share_of_raster(window) >= RASTER_SHARE
    qtbot.mouseClick(plots.more, Qt.MouseButton.LeftButton)
    timeline.choose_unit(5)
    qtbot.wait(50)
    assert len(ethogram.rows) == len(NAMES) + 3 + 2
    assert _share_of_raster(window) >= RASTER_SHARE
    assert plots.trace.isVisible()
    assert plots.heights.row >= LEAST_ROW_PX
    assert plots.close_trace.isVisible()

    # what does not fit is scrolled to
    shown = plots.heights.rows
    assert shown < len(ethogram.rows)
    assert plots.scroll_bar.isVisible()
    place = plots.mapFromScene(plots.ethogram.sceneBoundingRect().center())
    for _ in range(len(ethogram.rows)):
        _wheel(plots.viewport(), place, -120)
    last = plots.ethogram.getViewBox().viewRange()[1]
    assert last == pytest.approx([len(ethogram.rows) - shown, len(ethogram.rows)])
    qtbot.mouseClick(plots.close_trace, Qt.MouseButton.LeftButton)
    assert not plots.trace.isVisible()
    qtbot.mouseClick(plots.more, Qt.MouseButton.LeftButton)
    assert [name for _, name in ethogram.rows] == folded


def test_every_dock_has_one_tab_at_most(window: MainWindow) -> None:
    tabs = [
        bar.tabText(place)
        for bar in window.findChildren(QTabBar)
        if bar.isVisible()
        for place in range(bar.count())
    ]
    assert sorted(tabs) == ["Log", "Session"]


def test_tabs_have_whole_names_and_what_lay_in_front_comes_back_in_front(
    qtbot: QtBot, window: MainWindow
) -> None:
    layout = window.panel_layout
    for name in ("stimulate", "performance", "annotate", "analyse", "units"):
        layout.reveal(name)
    layout.reveal("analyse")
    qtbot.wait(20)
    bars = [bar for bar in window.findChildren(QTabBar) if bar.isVisible()]
    assert {bar.elideMode() for bar in bars} == {Qt.TextElideMode.ElideNone}
    for bar in bars:
        for place in range(bar.count()):
            words = bar.fontMetrics().horizontalAdvance(bar.tabText(place))
            assert bar.tabRect(place).width() >= words
    layout.show_docks(False)
    layout.show_docks(True)
    qtbot.wait(20)
    assert not layout.docks["analyse"].visibleRegion().isEmpty()
    assert layout.docks["performance"].visibleRegion().isEmpty()


def test_nothing_can_be_released_where_no_session_runs(window: MainWindow) -> None:
    panel, stimuli = window.panels.stimulate, StimuliOn()
    onset = Event("stimulus", "push", "onset", 10, 10, 1)
    stimuli.add([Message(EngineReply((onset,)), tick=10)], [])
    panel.show_on(stimuli, blinded=False)  # as a session left it that ended meanwhile
    assert panel.release_all.isEnabled()
    window.session.by_hand.reset()
    assert not panel.release_all.isEnabled()
    assert panel.nothing.text() == "Nothing is on."


def test_after_a_jump_a_trial_is_what_its_events_made_it(qtbot: QtBot, window: MainWindow) -> None:
    stream = window.stream
    assert isinstance(stream, ReplayStream)
    window.panels.timeline.choose_unit(5)
    window.panels.timeline.search("core/0-4")
    assert "5 units selected" in window.panels.timeline.head.readout.full_text
    window.panels.timeline.selection.clear()
    assert not window.panels.timeline.head.readout.full_text  # none is
    stream.set_history(20)  # the events of tick 17 and 107 are before what is read
    window.player.seek(149)
    task = window.panels.timeline.ethogram.task
    qtbot.waitUntil(lambda: bool(task.trials) and task.trials[-1].last_tick == 149, timeout=20_000)
    assert not task.trials[-1].whole
    assert task.trials[-1].succeeded


def test_the_units_panel_takes_nothing_of_the_rasters_height(
    qtbot: QtBot, window: MainWindow
) -> None:
    dock = window.panel_layout.docks["units"]
    assert not dock.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_U, Qt.KeyboardModifier.ControlModifier)
    assert dock.isVisible()
    window.panels.timeline.search("core/0-3")
    qtbot.wait(50)
    assert window.panels.units.traces.names == ("core/0", "core/1", "core/2", "core/3")
    assert "0:00.0 to 0:02.4" in window.panels.units.over.full_text
    assert _share_of_raster(window) >= RASTER_SHARE
    assert window.size() == QSize(1280, 720)


def test_a_click_on_a_behaviours_name_shows_its_bouts_and_one_on_a_picture_goes_there(
    qtbot: QtBot, window: MainWindow
) -> None:
    plots, panel = window.panels.timeline.plots, window.panels.behaviour
    assert not panel.isVisible()
    box = plots.ethogram.getViewBox()
    run = plots.mapFromScene(box.mapViewToScene(QPointF(box.viewRange()[0][0], 1.5)))
    place = run - QPoint(30, 0)
    qtbot.mouseClick(plots.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: bool(panel.strip.bouts), timeout=20_000)
    assert panel.chosen == "run"
    assert panel.isVisible()
    assert "whole recording, 0:03.0" in panel.seen.full_text
    assert [bout.first_tick for bout in panel.strip.bouts] == [121, 81, 41, 1]
    qtbot.wait(20)
    second = QPoint(5, panel.strip.height() // 4 + 30)
    qtbot.mouseClick(panel.strip, Qt.MouseButton.LeftButton, pos=second)
    qtbot.waitUntil(lambda: window.tick == 81, timeout=20_000)


def _wheel(viewport: object, place: QPoint, delta: int) -> None:
    event = QWheelEvent(
        QPointF(place),
        QPointF(place),
        QPoint(0, 0),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)  # type: ignore[arg-type]


@pytest.mark.parametrize("total", [180, 260, 420, 900])
@pytest.mark.parametrize("n_rows", [0, 3, 40])
def test_the_height_is_shared_however_little_there_is(total: int, n_rows: int) -> None:
    for traced in (False, True):
        heights = share(total, total + 36, n_rows, traced)
        assert heights.raster >= min(RASTER_SHARE * (total + 36), total - 100)
        assert heights.row >= LEAST_ROW_PX
        assert 1 <= heights.rows <= max(n_rows, 1)
        assert heights.trace >= (40 if traced and total > 250 else 0)


def test_the_other_theme_is_complete_at_once(qtbot: QtBot, window: MainWindow) -> None:
    plots = window.panels.timeline.plots
    for name in ("light", "dark", "light"):
        window.set_theme(name)
        qtbot.wait(80)
        picture, theme = plots.grab().toImage(), THEMES[name]
        axis = plots.mapFromScene(plots.raster.getAxis("left").sceneBoundingRect()).boundingRect()
        assert _has(picture, axis, theme.panel)
        assert _has(picture, axis, theme.text)


def _has(picture: QImage, place: object, colour: str) -> bool:
    """Whether a colour is among those of a part of a picture."""
    ratio = picture.devicePixelRatio()
    part = picture.copy(place).convertToFormat(QImage.Format.Format_RGB32)  # type: ignore[call-overload]
    assert ratio == 1.0
    size = part.sizeInBytes()
    values = np.frombuffer(part.constBits().asstring(size), np.uint8).reshape(-1, 4)[:, 2::-1]
    wanted = QColor(colour)
    found = np.abs(values.astype(int) - [wanted.red(), wanted.green(), wanted.blue()]).max(axis=1)
    return bool((found < 24).sum() > 5)


def test_recorded_faults_are_in_the_log_and_hatched(window: MainWindow) -> None:
    assert window.panels.log.lines == ["0:01.2  stimulation: The engine died. Over at 0:01.8."]
    assert not window.panels.banner.isVisible()
    ethogram = window.panels.timeline.ethogram
    assert ethogram._note.isVisible()
    assert "no stimulation engine" in ethogram.under(70 * 0.02, 1.05)
    assert ethogram.under(100 * 0.02, 1.05) == ""


def test_only_stimulated_rows_are_lit(window: MainWindow) -> None:
    timeline = window.panels.timeline
    timeline.draw()
    lit = [
        (rect.top(), rect.bottom())
        for rect, look in timeline.overlay.shades.bars
        if len(look.colour) == 9  # translucent
    ]
    # silence: the first 64 of policy_2 and 3 of core; what is asked for by hand: 0 and 5 of core
    assert {(384.0, 448.0), (0.0, 3.0)} <= set(lit)
    assert sum(bottom - top for top, bottom in set(lit)) < 80
    timeline.sort("mean")
    moved = [rect for rect, look in timeline.overlay.shades.bars if len(look.colour) == 9]
    assert len(moved) > len(lit)


def test_a_panel_behind_another_tab_draws_nothing_until_it_is_seen(
    qtbot: QtBot, window: MainWindow
) -> None:
    layout, panels = window.panel_layout, window.panels
    layout.reveal("units")
    layout.reveal("population")
    qtbot.waitUntil(lambda: panels.units.visibleRegion().isEmpty(), timeout=20_000)
    before = panels.units.over.full_text
    window.player.seek(140)
    qtbot.waitUntil(lambda: panels.timeline.raster.last_tick == 140, timeout=20_000)
    panels.units.refresh()
    assert panels.units.over.full_text == before
    layout.reveal("units")
    qtbot.waitUntil(lambda: "to 0:02.8" in panels.units.over.full_text, timeout=20_000)


def test_blinded_displays_tell_nothing_apart(qtbot: QtBot, window: MainWindow) -> None:
    timeline = window.panels.timeline
    timeline.choose_unit(400)

    def looks() -> set[object]:
        timeline.draw()
        names = {i for i in timeline.ethogram.drawn() if i.name == "silence"}
        assert {i.sham for i in names} == {True, False}
        return {timeline.ethogram._look(i) for i in names}

    assert len(looks()) == 2
    timeline.set_blinded(True)
    assert len(looks()) == 1
    assert not [b for b in timeline.overlay.shades.bars if len(b[1].colour) == 9]
    assert timeline.kind.count() == 2
    assert timeline.raster.kind == "c_natural"
    assert not timeline.trace._lines["c_applied"].isVisible()
    (place,) = {
        (rect.center().x(), rect.center().y())
        for rect, i in timeline.ethogram._drawn
        if i.name == "silence" and i.sham and i.number == 1
    }
    assert "blinded until the end" in timeline.ethogram.under(*place)
    timeline.set_blinded(False)
    assert len(looks()) == 2
    assert timeline.kind.count() == 4


def test_the_first_window_fits_the_screen_with_its_frame(
    qtbot: QtBot, open_window: Callable[..., MainWindow]
) -> None:
    window = open_window()
    screen = window.screen()
    assert screen is not None
    qtbot.waitUntil(
        lambda: screen.availableGeometry().contains(window.frameGeometry()), timeout=20_000
    )
    assert not any(dock.isVisible() for dock in window.panel_layout.docks.values())


def test_the_dialog_lists_recordings_and_annotations_open_their_recording(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, file: Path
) -> None:
    recording = tmp_path / "one.nwb"
    recording.write_bytes(file.read_bytes())
    annotations, lost = tmp_path / "one.annotations.nwb", tmp_path / "lost.annotations.nwb"
    for path in (annotations, lost):
        path.touch()
    (tmp_path / "folder").mkdir()
    dialog = recordings.file_dialog(window, "Open", tmp_path)
    qtbot.addWidget(dialog)
    listed = dialog.findChildren(QTreeView)[0]
    model = listed.model()
    assert model is not None

    def names() -> list[str]:
        root = listed.rootIndex()
        return [str(model.index(row, 0, root).data()) for row in range(model.rowCount(root))]

    qtbot.waitUntil(lambda: names() == ["folder", "one.nwb"], timeout=20_000)

    # a name that was typed, or given to the command
    window.replay(annotations)
    stream = window.player.stream
    assert stream is not None
    assert stream.paths == (recording,)
    banner = window.panels.banner
    qtbot.waitUntil(
        lambda: banner.isVisible() and "annotations" in banner.label.text(), timeout=20_000
    )
    assert "of one.nwb: this is the recording" in banner.label.text()
    window.replay(lost)
    said = window.panels.welcome
    words = "open lost.nwb, which shows them, but is not in its folder"
    qtbot.waitUntil(
        lambda: any(words in each.text() for each in said.findChildren(QLabel)), timeout=20_000
    )


def test_icons_of_the_file_dialog_can_be_seen(qtbot: QtBot, window: MainWindow) -> None:
    window.set_theme("dark")
    dialog = QFileDialog(window)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    qtbot.addWidget(dialog)
    icons = [button.icon() for button in dialog.findChildren(QToolButton)]
    shown = [icon.pixmap(16, 16).toImage() for icon in icons if not icon.isNull()]
    assert len(shown) >= 4
    for picture in shown:
        opaque = [
            picture.pixelColor(x, y).lightness()
            for x in range(picture.width())
            for y in range(picture.height())
            if picture.pixelColor(x, y).alpha() > 200
        ]
        light = sum(each > QColor(DARK.muted).lightness() for each in opaque)
        assert light >= 8
