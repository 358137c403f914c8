"""What a sweep says while it runs and at its end."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from parallel.sweep import Run, RunLine
from rig.terminal import console, table_console, text_column


class SweepReport:
    """Tells of a sweep while it runs (a bar on a terminal, else a line for each session) and at its end."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.done = 0
        self._ran: list[RunLine] = []
        self._there = 0
        self._began_s = 0.0
        self._console = console(stderr=True)
        self._bar = Progress(
            text_column("sessions"),
            BarColumn(),
            MofNCompleteColumn(),
            text_column("{task.fields[detail]}"),
            TimeElapsedColumn(),
            text_column("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._total = len(runs)
        self._task = self._bar.add_task("", total=len(runs), detail="")

    def __enter__(self) -> None:
        self._began_s = time.monotonic()
        self._bar.start()

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, line: RunLine, there: bool) -> None:
        """A session is done, or was found to be."""
        self.done += 1
        if there:
            # those take no time: the time left is that of the others
            self._there += 1
            self._bar.update(self._task, total=self._total - self._there, detail=self._detail())
            return
        self._ran.append(line)
        self._bar.update(self._task, advance=1, detail=self._detail())
        if not self._console.is_terminal or line.status == "failed":
            how = f"failed: {line.sentence}" if line.status == "failed" else f"{line.seconds:.1f} s"
            print(
                f"{self.done} of {self._total}  {named(line)}: {how}; {self._left()}",
                file=sys.stderr,
            )

    def print(self, folder: Path) -> None:
        """The table at the end."""
        failed = [line for line in self._ran if line.status == "failed"]
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        table.add_row("ran", str(len(self._ran) - len(failed)))
        table.add_row("were there", str(self._there))
        table.add_row("failed", Text(str(len(failed)), "red" if failed else ""))
        for line in failed:
            table.add_row("", Text.assemble((named(line), "yellow"), f": {line.sentence}"))
        table.add_row("folder", str(folder))
        table_console().print(table)

    def _detail(self) -> str:
        failed = sum(line.status == "failed" for line in self._ran)
        there = f"{self._there} were there" if self._there else ""
        return ", ".join(part for part in (there, f"{failed} failed" if failed else "") if part)

    def _left(self) -> str:
        waiting = self._total - self.done
        if not waiting:
            return "the last one"
        left_s = (time.monotonic() - self._began_s) / len(self._ran) * waiting
        return f"{datetime.timedelta(seconds=round(left_s))} left"


def named(line: RunLine) -> str:
    """A run's settings and seed in a line."""
    return str(Run(line.settings, line.seed, line.file))
