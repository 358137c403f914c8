"""Progress of long work on a terminal: a bar per stage, with the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from rig.terminal import console, text_column

Progress = Callable[[str, float, str], None]
"""Called with the stage, the fraction of it that is done (0 to 1), and a line of text."""


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """A bar per stage with the time left, on standard error."""
    columns = (
        text_column("{task.fields[stage]:>9}"),
        BarColumn(20),
        TimeElapsedColumn(),
        text_column("left"),
        TimeRemainingColumn(),
        text_column("{task.fields[text]}"),
    )
    with Bars(*columns, console=console(stderr=True)) as bars:
        tasks = {}

        def report(stage: str, done: float, text: str) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task("", total=1.0, stage=stage, text=text)
            bars.update(tasks[stage], completed=done, text=text)

        yield report
