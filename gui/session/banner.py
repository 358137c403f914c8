"""The line across the window that says what has gone wrong."""

from __future__ import annotations

from functools import partial

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from gui.look.labels import restyle


class Banner(QFrame):
    """Faults, in the open but never in the way: a line across the window until dismissed or over."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._sentences: dict[str, str] = {}
        self._notes: set[str] = set()
        self._dismissed: set[str] = set()
        self._timers: dict[str, QTimer] = {}
        self.label = QLabel("")
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        dismiss = QToolButton()
        dismiss.setText("Dismiss")
        dismiss.clicked.connect(self._dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 6, 5)
        row.addWidget(self.label, 1)
        row.addWidget(dismiss)
        self.hide()

    def show_sentence(
        self,
        key: str,
        sentence: str,
        kind: str = "fault",
        for_s: float = 0.0,
        repeated: bool = False,
    ) -> None:
        """Shows a sentence; another one with the same key replaces it.

        Args:
            key: names it, for `clear_sentence`.
            sentence: what is shown.
            kind: a "fault" or a "note".
            for_s: how long; 0: until it is dismissed or cleared.
            repeated: whether it comes again and again while it is true: once dismissed it stays away.
        """
        if for_s:
            if key not in self._timers:
                timer = self._timers[key] = QTimer(self)
                timer.setSingleShot(True)
                timer.timeout.connect(partial(self.clear_sentence, key))
            self._timers[key].start(round(for_s * 1000))
        elif key in self._timers:
            self._timers[key].stop()
        dismissed = repeated and sentence in self._dismissed
        if not sentence or dismissed or self._sentences.get(key) == sentence:
            return
        self._sentences[key] = sentence
        if kind == "note":
            self._notes.add(sentence)
        self._show()

    def clear_sentence(self, key: str) -> None:
        """Takes a sentence back that is not true any more."""
        if self._sentences.pop(key, None) is not None:
            self._show()

    def reset(self) -> None:
        """Forgets everything: another session begins."""
        self._sentences.clear()
        self._dismissed.clear()
        for timer in self._timers.values():
            timer.stop()
        self._timers.clear()
        self._show()

    def _dismiss(self) -> None:
        self._dismissed.update(self._sentences.values())
        self._sentences.clear()
        self._show()

    def _show(self) -> None:
        shown = dict.fromkeys(list(self._sentences.values())[-3:])
        restyle(self, kind="note" if self._notes.issuperset(shown) else "fault")
        self.label.setText("\n".join(shown))
        self.setVisible(bool(self._sentences))
