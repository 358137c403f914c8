"""What is said on the terminal: as it is, and in letters that the terminal has.

A path or a name may have brackets in it, which rich would take for its own markup, or escape sequences, which
the terminal would obey; and a terminal may have fewer letters than UTF-8. All of it is seen to here: whoever
prints through rich takes `console`, and a program calls `prepare` before it says anything.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from rich.console import Console
from rich.progress import TextColumn
from rich.text import Text

WIDE = 240
"""Columns of a table that goes into a file or a pipe."""


def plain(text: str) -> str:
    """Text in which characters that a terminal would obey (escape sequences) are written out.

    >>> plain("run\x1b[31m.nwb")
    'run\\x1b[31m.nwb'
    """
    return "".join(
        each if each.isprintable() or each in "\n\t" else repr(each)[1:-1] for each in text
    )


class _PlainConsole(Console):
    """Shows text without obeying it."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain(text), **options)


def prepare() -> None:
    """Letters that standard output or error cannot show become `?`, instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def console(stderr: bool = False, width: int | None = None, soft_wrap: bool = False) -> Console:
    """A console that shows text as it is: no markup, no emoji, no colours of its own.

    What is to have a colour is a `rich.text.Text`.

    Args:
        stderr: on standard error, where progress goes.
        width: columns; those of the terminal if left out.
        soft_wrap: leave long lines to the terminal.
    """
    return _PlainConsole(
        stderr=stderr, width=width, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False
    )


def table_console() -> Console:
    """A console for tables: as wide as the terminal, and wide where there is none."""
    return console(width=None if sys.stdout.isatty() else WIDE)


def text_column(text: str) -> TextColumn:
    """A column of a progress bar with this text, whose fields are shown as they are."""
    return TextColumn(text, markup=False)


def say_progress(share: float) -> None:
    """Says to a program that reads the output how far a command is, 0 to 1: a line "progress 0.250"."""
    print(f"progress {share:.3f}", flush=True)
