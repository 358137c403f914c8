"""Pages of which one is shown: a stack that needs room for that one alone."""

from __future__ import annotations

from PyQt6.QtCore import QSize
from PyQt6.QtWidgets import QStackedWidget, QWidget


class Pages(QStackedWidget):
    """A stack of widgets. Qt's own asks for the room of its largest page, and a window would grow for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.currentChanged.connect(lambda _: self.updateGeometry())

    def minimumSizeHint(self) -> QSize:
        """That of the page which is shown."""
        page = self.currentWidget()
        return page.minimumSizeHint() if page is not None else QSize()
