"""Labels that behave: one that shortens its text, and a way to let the style sheet look again."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget


def restyle(widget: QWidget, **properties: object) -> None:
    """Sets properties that the style sheet looks at, and lets it look again if one has changed."""
    changed = False
    for name, value in properties.items():
        if widget.property(name) != value:
            widget.setProperty(name, value)
            changed = True
    if changed:
        for part in (widget, *widget.findChildren(QLabel)):
            style = part.style()
            if style is not None:
                style.unpolish(part)
                style.polish(part)


class ElidedLabel(QLabel):
    """A label that gives way: it shortens its text in the middle instead of pushing its neighbours."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.full_text = text
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def set_full_text(self, text: str) -> None:
        """The text to show as much of as there is room for."""
        self.full_text = text
        self.setToolTip(text)
        self._fit()

    def resizeEvent(self, event: object) -> None:
        """Fits the text to the new size."""
        self._fit()

    def _fit(self) -> None:
        metrics = self.fontMetrics()
        self.setText(
            metrics.elidedText(
                self.full_text,
                Qt.TextElideMode.ElideMiddle,
                max(self.width() - 2 - max(self.indent(), 0), 0),
            )
        )
