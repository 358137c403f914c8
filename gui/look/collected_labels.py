"""pyqtgraph's labels answer Qt to the end.

Python's collector may empty a label before Qt has taken it out of its layout, which asks for its size once
more: an AttributeError out of nowhere, in whatever the window does at that moment.
"""

from __future__ import annotations

from pyqtgraph import LabelItem


def keep_answering() -> None:
    """A label without attributes needs no room, instead of raising."""
    LabelItem._sizeHint = {}
