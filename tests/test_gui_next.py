"""What one recording, session or question leaves in a window: the next one does not meet it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from bench.synthetic_session import Stream, description
from cli.window_sessions import WindowSessions
from gui.arena.arena_scene import View
from gui.arena.arena_view import ArenaView
from gui.look.theme import DARK
from gui.main_window import MainWindow
from gui.session.banner import Banner
from gui.session.recent import Recent, recent, remember
from gui.session.session_setup import SessionRequest
from gui.session.setup_form import SetupForm
from gui.streams.command_process import PROGRESS, OutputLines
from gui.streams.live_stream import LiveStream
from gui.streams.stream import Batch
from recorder.writer import Writer
from rig.bus.message_types import Message


def _write(path: Path) -> Path:
    stream = Stream(description())
    described, files = stream.beginning()
    writer = Writer(path, description(), files.arrays, session=described.session, camera=False)
    for message in stream.ticks(0, 60):
        writer.add(message)
    writer.close()
    return path


def test_a_recording_is_shown_as_if_it_were_the_first(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not frozen, not blinded, from its beginning on; where it cannot be opened no session is offered."""
    file, broken = _write(tmp_path / "whole.nwb"), tmp_path / "broken.nwb"
    broken.write_bytes(b"no recording")
    window = open_window(WindowSessions())
    window.state.request = SessionRequest()  # of a session before
    timeline, player, welcome = window.panels.timeline, window.player, window.panels.welcome
    window.replay(file, speed=3.0)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    assert window.panels.transport.speed.currentText() == "3 ×"
    player.set_speed(1.0)
    assert window.panels.transport.speed.currentText() == "1 ×"
    assert "3 ×" not in [window.panels.transport.speed.itemText(k) for k in range(8)]
    player.stream.set_playing(False)
    player.seek(50)
    qtbot.waitUntil(lambda: window.tick == 50, timeout=20_000)
    monkeypatch.setattr("gui.session.recordings.choose_file", lambda *_: broken)
    player.open_beside()  # what was shown is shown again, where it was
    banner = window.panels.banner.label
    qtbot.waitUntil(lambda: "broken.nwb" in banner.text() and window.tick == 50, timeout=20_000)
    assert player.stream.paths == (file,)
    assert not player.stream.playing
    timeline.set_frozen(True)
    timeline.set_blinded(True)
    window.replay(broken)
    qtbot.waitUntil(lambda: welcome.heading.text() == "That did not work", timeout=20_000)

    def offered() -> set[str]:
        return {each.text() for each in welcome.findChildren(QPushButton) if each.isVisible()}

    qtbot.waitUntil(lambda: len(offered()) > 1, timeout=20_000)
    assert offered() == {"Back", "Open a recording…"}
    window.replay(file, speed=0.1)
    qtbot.waitUntil(lambda: 0 <= window.tick < 50, timeout=20_000)
    assert player.stream.playing
    assert (timeline.frozen, timeline.freeze_button.isChecked(), timeline.blinded) == (False,) * 3
    assert timeline.kind.count() == 4


def test_what_was_dismissed_is_said_when_it_is_met_again(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    (dismiss,) = banner.findChildren(QToolButton)
    for repeated in (False, True):
        sentence = f"No recording can be made ({repeated})."
        banner.show_sentence("record", sentence, repeated=repeated)
        dismiss.click()
        assert banner.isHidden()
        banner.show_sentence("record", sentence, repeated=repeated)
        assert banner.isHidden() == repeated
    # what lasts is not taken away with what was shown for a while
    banner.show_sentence("annotations", "This is the recording.", "note", for_s=0.03)
    banner.show_sentence("annotations", "They cannot be changed here.")
    qtbot.wait(80)
    assert "cannot be changed" in banner.label.text()


def test_a_window_opens_with_whatever_is_remembered_and_for_whom(
    qtbot: QtBot,
    open_window: Callable[..., MainWindow],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert open_window().panels.annotate.author.text() == ""
    settings = QSettings(str(tmp_path / "w.ini"), QSettings.Format.IniFormat)
    remember(settings, Recent(str(tmp_path / ("long" * 100)), "runner", "first_light", 1.0))
    assert recent(settings) == []
    request = SessionRequest(seed=12345678, duration_s=1234.56, trials=1_000_000)
    form = SetupForm(WindowSessions(request))
    qtbot.addWidget(form)
    asked = form.request()
    assert (asked.seed, asked.duration_s, asked.trials) == (12345678, 1234.56, 1_000_000)


def test_after_an_arena_that_cannot_be_drawn_the_next_one_is(qtbot: QtBot) -> None:
    view = ArenaView(DARK)
    qtbot.addWidget(view)
    view.show()
    view.renderer.set_assets({})
    view.renderer.set_episode("<mujoco")
    view.renderer.set_posture(np.zeros(7))
    qtbot.waitUntil(lambda: "cannot be compiled" in view.sentence, timeout=30_000)
    assert "\n" not in view.sentence
    view.take(Batch(description=Message(description())))
    view.renderer.set_episode(
        "<mujoco><worldbody><light pos='0 0 2'/><body name='walker/torso'><freejoint/>"
        "<geom size='0.1'/></body></worldbody></mujoco>"
    )
    view.renderer.set_posture(np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]))
    qtbot.waitUntil(lambda: view.image is not None, timeout=30_000)
    # where OpenGL says no, nothing is promised any more
    view.renderer.set_view(View(width=10**6, height=10**6))
    qtbot.waitUntil(lambda: "OpenGL" in view.sentence, timeout=30_000)
    view.take(Batch(description=Message(description())))
    assert "OpenGL" in view.sentence
    view.close_renderer()


def test_a_silence_that_was_dismissed_stays_away(
    qtbot: QtBot, open_window: Callable[..., MainWindow]
) -> None:
    """It is said again each second; after it is over, the next one is said again."""
    window = open_window()
    stream, banner = LiveStream("nowhere"), window.panels.banner
    window.session.follow(stream)
    stream.silent.emit("12:00:01")
    assert "since 12:00:01" in banner.label.text()
    (dismiss,) = banner.findChildren(QToolButton)
    dismiss.click()
    stream.silent.emit("12:00:01")
    assert banner.isHidden()
    stream.silent.emit("12:05:00")
    assert "since 12:05:00" in banner.label.text()


def test_output_that_is_cut_within_a_character() -> None:
    """A command's output comes in pieces of any length."""
    lines = OutputLines()
    said = "Ratte Käthe läuft\nprogress 0.5\n10 µs".encode()
    found = [line for at in range(len(said)) for line in lines.add(said[at : at + 1])]
    assert found == ["Ratte Käthe läuft", "progress 0.5"]
    assert lines.add(b"", last=True) == ["10 µs"]
    assert PROGRESS.fullmatch("progress report.nwb: 3 of 4") is None
    assert [float(PROGRESS.fullmatch(f"progress {share}")[1]) for share in ("0.000", "1.000")] == [
        0,
        1,
    ]
