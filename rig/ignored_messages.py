"""What comes as if from one of the session's own processes and is not: counted, reported, ignored."""

from __future__ import annotations

from collections.abc import Callable


class IgnoredMessages:
    """Counts them, and reports at the first, the second, the fourth, the eighth…: a flood is few faults.

    `count` is how many there were.

    Args:
        report: is given a sentence for a `Fault`, and how many came since the one before.
    """

    def __init__(self, report: Callable[[str, int], None]) -> None:
        self._report = report
        self._reported = 0
        self.count = 0

    def add(self, problem: str, number: int = 1) -> None:
        """Counts `number` of them; `problem` says what was wrong with the last."""
        self.count += number
        if number and self.count >= 2 * self._reported:
            new, self._reported = self.count - self._reported, self.count
            messages = "1 malformed message was" if new == 1 else f"{new} malformed messages were"
            so_far = "" if new == self.count else f"; {self.count} so far"
            self._report(f"{messages} ignored ({problem}{so_far}).", new)
