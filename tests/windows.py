"""What the tests of the window share: a protocol that stimulates often, and answers to its questions."""

from __future__ import annotations

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication, QMessageBox

PROTOCOL = """
protocol: often
subject: runner
task: corridor
trial_s: 2.0
stimuli:
  push: {clamp: policy_2, units: {first: 16}, to: 0.25, state: cell}
rules:
  - {on: {time_ms: 300}, do: push, after_ms: 20, for_ms: 200}
  - {on: {time_ms: 1000}, do: push, after_ms: 20, for_ms: 200, probability: 0.0, else: sham}
"""


def press_in_dialog(words: str) -> None:
    """Presses a button of the question that the window is about to ask."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(50, press)
            return
        buttons = [b for b in box.buttons() if b.text().replace("&", "") == words]
        assert buttons, [b.text() for b in box.buttons()]
        buttons[0].click()

    QTimer.singleShot(50, press)
