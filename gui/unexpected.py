"""Exceptions that nobody caught: the window says so and goes on.

Without this module only the terminal is told, as often as something is drawn (by pyqtgraph, which keeps PyQt
from ending the process); and who opened the window from a menu has no terminal.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType

from PyQt6.QtCore import QObject, pyqtSignal

from gui.session.banner import Banner

MOST_LETTERS = 200
"""Of what an exception says."""


class UnexpectedErrors(QObject):
    """`sys.excepthook` of the window's process: call it with what was raised, from any thread.

    Each place in the code is told of once, with its traceback on the terminal: what is drawn fails as often
    as it is drawn.

    Args:
        banner: where it is said.
    """

    _happened = pyqtSignal(str)

    def __init__(self, banner: Banner) -> None:
        super().__init__(banner)
        self._banner = banner
        self._places: set[tuple[str, int]] = set()
        # also what another thread raised is shown by this one
        self._happened.connect(self._show)

    def __call__(
        self, kind: type[BaseException], problem: BaseException, trace: TracebackType | None
    ) -> None:
        """Prints the traceback and has the sentence shown, the first time."""
        frames = traceback.extract_tb(trace)
        place = (frames[-1].filename, frames[-1].lineno or 0) if frames else ("", 0)
        if place in self._places:
            return
        self._places.add(place)
        sys.__excepthook__(kind, problem, trace)
        if not issubclass(kind, Exception):
            return  # Ctrl-C, or the end
        said = " ".join(f"{kind.__name__}: {problem}".split())[:MOST_LETTERS]
        where = f"{Path(place[0]).name}, line {place[1]}"
        self._happened.emit(
            f"An unexpected problem in the window: {said} ({where}). The window goes on, and a session "
            "is not touched by it; please report what the terminal shows."
        )

    def _show(self, sentence: str) -> None:
        self._banner.show_sentence("unexpected", sentence)
