"""The bar above the displays and the panel of health: what fits, what gives way, what is amber."""

from __future__ import annotations

from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from bench.synthetic_session import description
from gui.look.theme import DARK, THEMES
from gui.session.control_bar import ControlBar
from gui.session.health import HealthPanel
from gui.streams.recorder_watch import Verdict
from rig.bus.message_types import RecorderReport, Status


def test_numbers_and_names_are_not_clipped(qtbot: QtBot) -> None:
    panel = HealthPanel(DARK)
    qtbot.addWidget(panel)
    processes = {"subject": "alive", "stimulation": "stuck", "recorder": "dead"}
    report = RecorderReport("recording", "/d/a.nwb", 1_234_567, 1_234_566, 10**9, 10**10)
    panel.describe(description())
    panel.show_status(Status("running", processes, 1_345_678, 987_654, 0.46, report, refused=12))
    panel.resize(panel.minimumSizeHint())
    panel.show()
    qtbot.wait(20)
    shown = [label for label in panel.findChildren(QLabel) if label.isVisible()]
    assert len(shown) > 14
    for label in shown:
        assert "…" not in label.text()
        assert label.width() >= label.fontMetrics().horizontalAdvance(label.text())


def test_the_bar_gives_way_and_keeps_what_matters(qtbot: QtBot) -> None:
    bar = ControlBar(DARK)
    qtbot.addWidget(bar)
    bar.show_controls("live")
    bar.show_operating(True, paused=False, armed=True, can_arm=True)
    bar.show_on(True, False)
    bar.resize(1180, 48)
    bar.show()
    bar.show_recording(
        Verdict("alarm", "THE RECORDER HAS DIED", "Ada.nwb", "1:02.0 on disk", "9 MB"),
        "Record",
        True,
    )
    assert bar.headline.text() == "THE RECORDER HAS DIED"
    qtbot.waitUntil(lambda: bar.headline.width() >= bar.headline.sizeHint().width(), timeout=20_000)
    bar.resize(1280, 48)
    qtbot.waitUntil(bar.elapsed.isVisible, timeout=20_000)
    nearly_full = Verdict(
        "recording", "REC", "Ada.nwb", "1:02.0", "9 MB", "only 9 MB free", low=True
    )
    bar.show_recording(nearly_full, "Record", True)
    assert bar.free.isVisible()  # before the size, which there is no room for
    named = Verdict("recording", "REC", "session-of-ada.nwb", "0:01.0", "9 MB", "12 GB free")
    bar.show_recording(named, "Record", True)
    qtbot.waitUntil(lambda: bar.file.text() == "session-of-ada.nwb", timeout=20_000)
    long = Verdict("alarm", "THE RECORDER DOES NOT ANSWER, nothing written for 12 s", "Ada.nwb")
    needed = bar.minimumSizeHint().width()
    bar.show_recording(long, "Record", True)
    assert bar.minimumSizeHint().width() == needed
    assert bar.recording.toolTip().startswith(long.headline)


def test_a_pace_that_is_too_slow_is_amber(qtbot: QtBot) -> None:
    bar = ControlBar(DARK)
    qtbot.addWidget(bar)
    bar.show_pace("0.46 × real time", slow=True)
    assert DARK.warning in bar.pace.styleSheet()
    bar.set_theme(THEMES["light"])
    assert THEMES["light"].warning in bar.pace.styleSheet()
    bar.show_pace("1.00 × real time")
    assert THEMES["light"].muted in bar.pace.styleSheet()
