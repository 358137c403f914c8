"""What nobody caught in the window's own code is said in it, and does not end it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from PyQt6.QtCore import QSizeF, Qt
from pyqtgraph import LabelItem
from pytestqt.qtbot import QtBot

from gui.look.collected_labels import keep_answering

ROOT = Path(__file__).parents[1]
BROKEN = """
from gui.app import open_window
from gui.main_window import MainWindow

draws = []

def draw(window):
    draws.append(window)
    if len(draws) == 20:
        print(window.isVisible(), window.panels.banner.label.text())
        window.close()
    raise LookupError("nothing to draw with")

MainWindow._draw = draw
raise SystemExit(open_window())
"""

HELD = """
import os
import threading
import time
from PyQt6.QtCore import QMetaObject, Qt
from PyQt6.QtWidgets import QApplication
from gui.app import open_window

class Held:
    def __del__(self, write=os.write):
        write(1, b"taken apart")

def close():
    while not (QApplication.instance() and QApplication.topLevelWidgets()):
        time.sleep(0.1)
    time.sleep(1)
    QMetaObject.invokeMethod(QApplication.instance(), "quit", Qt.ConnectionType.QueuedConnection)

held = Held()
threading.Thread(target=close).start()
status = open_window()
print("closed", end="")
raise SystemExit(status)
"""


def _run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env={
            **os.environ,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_fault_in_what_is_drawn_is_told_once_and_the_window_goes_on(tmp_path: Path) -> None:
    """Twenty draws fail; a traceback for each was on the terminal, and nothing in the window."""
    done = _run(BROKEN, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Traceback") == 1
    assert "LookupError: nothing to draw with" in done.stderr
    shown, sentence = done.stdout.split(" ", 1)
    assert shown == "True"
    start = (
        "An unexpected problem in the window: LookupError: nothing to draw with (<string>, line "
    )
    assert sentence.startswith(start)
    assert "The window goes on" in sentence


def test_a_closed_window_ends_before_python_frees_what_qt_still_holds(tmp_path: Path) -> None:
    """Once in some tens of windows Qt crashed in that; what is printed and set must not be lost."""
    done = _run(HELD, tmp_path)
    assert (done.returncode, done.stdout) == (0, "closed"), done.stderr
    assert list(tmp_path.glob(".config/rodent-rig/window*")), "the settings are not on disk"


def test_a_label_that_the_collector_has_emptied_still_has_a_size(qtbot: QtBot) -> None:
    keep_answering()
    label = LabelItem("text")
    assert label.sizeHint(Qt.SizeHint.MinimumSize, QSizeF()).width() > 10
    label.__dict__.clear()
    assert label.sizeHint(Qt.SizeHint.MinimumSize, QSizeF()) == QSizeF(0, 0)
