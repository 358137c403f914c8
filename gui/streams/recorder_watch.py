"""Judges, from the recorder's own reports and nothing else, whether the session is being recorded.

A pressed button proves nothing; neither does a supervisor that repeats an old report. What counts is that
rows reach the disk and that this is said again and again: when a recording is on and the report stands
still for more than `STALE_S` while the animal goes on, that is an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from rig.bus.message_types import RecorderReport, Status

STALE_S = 1.0
LOW_DISK_BYTES = 2_000_000_000
WAITS_S = 0.5
"""An animal whose clock has stood still for so long while a file is opened waits for it."""


@dataclass(frozen=True)
class Verdict:
    """What to show: `state` is "idle", "recording" or "alarm"; texts are for the user.

    `since` says from when on there are rows: those before, while the file was opened, are not in it. `low`:
    the disk is nearly full, so that `free` matters.
    """

    state: str
    headline: str
    file: str = ""
    elapsed: str = ""
    size: str = ""
    free: str = ""
    since: str = ""
    low: bool = False


class RecorderWatch:
    """Keeps the last report and when it last changed. Times are seconds of one monotonic clock."""

    def __init__(self, tick_s: float = 0.02) -> None:
        self.tick_s = tick_s
        self.report: RecorderReport | None = None
        self.written: RecorderReport | None = None
        """The last one that had ticks on disk: of an earlier file, where a later one came to nothing."""
        self._process = "off"
        self._changed_s = 0.0
        self._heard_s = 0.0
        self._judged_s = 0.0
        self._newest_tick = -1
        self._judged_tick = -1
        self._moved_s = 0.0
        self._ended = False
        self._asked = ""
        self._file = ""

    @property
    def on(self) -> bool:
        """Whether a recorder lives whose last word was that it is recording."""
        return self._alive and self.report is not None and self.report.state == "recording"

    @property
    def asked(self) -> str:
        """What the recorder was asked for and has not done yet: "start", "stop" or ""."""
        return self._asked

    def ask(self, what: str, file: str = "") -> None:
        """Notes that a recording was asked to "start" (into this file) or to "stop"; "": it was refused."""
        self._asked, self._file = what, file

    def on_status(self, status: Status, now_s: float) -> None:
        """Takes in a status."""
        self._heard_s = now_s
        self._process = status.processes.get("recorder", "off")
        if status.recorder != self.report:
            self.report = status.recorder
            self._changed_s = now_s
            if self.report is not None and self.report.ticks_on_disk:
                self.written = self.report
        report = status.recorder
        same = report is not None and PurePath(report.file).name == PurePath(self._file).name
        if self._asked == "start" and report is not None and same:
            if report.state in ("recording", "failed"):
                self._asked = ""
        elif self._asked == "stop" and (
            report is None or report.state in ("closed", "failed") or not self._alive
        ):
            self._asked = ""

    @property
    def _alive(self) -> bool:
        return self._process in ("starting", "alive", "stuck") and not self._ended

    def see(self, tick: int) -> None:
        """Notes how far the animal has come."""
        self._newest_tick = max(self._newest_tick, tick)

    def end(self) -> None:
        """The session is over: nothing more will be reported."""
        self._ended = True
        self._asked = ""

    def judge(self, now_s: float) -> Verdict:
        """What is true now, as far as the recorder has said; to be called several times a second."""
        deaf_s = now_s - self._judged_s
        if deaf_s > STALE_S:
            # The window itself stood still and heard nobody: that time says nothing of the recorder.
            self._heard_s += deaf_s
            self._changed_s += deaf_s
        self._judged_s = now_s
        if self._newest_tick != self._judged_tick:
            self._judged_tick, self._moved_s = self._newest_tick, now_s
        report = self.report
        if self._asked == "start":
            waits = now_s - self._moved_s > WAITS_S
            words = "the animal waits for it" if waits else "nothing is recorded yet"
            return Verdict("idle", f"Opening the file: {words}", PurePath(self._file).name)
        if report is None:
            return Verdict("idle", "Not recording")
        name = PurePath(report.file).name + (f" (part {report.part + 1})" if report.part else "")
        elapsed = clock(report.ticks_on_disk * self.tick_s)
        size = size_text(report.file_bytes)
        free = f"{size_text(report.free_bytes)} free" if report.free_bytes >= 0 else ""
        low = bool(free) and report.free_bytes < LOW_DISK_BYTES
        if low:
            free = f"only {free}"
        first_s = (report.last_tick + 1 - report.ticks_on_disk) * self.tick_s
        since = f"from {clock(first_s)}" if report.ticks_on_disk else ""
        if report.state == "closed":
            return Verdict("idle", "Recorded", name, elapsed, size, free, since, low)
        if self._alive and not self._ended:
            if report.state == "starting":
                return Verdict("idle", "Opening the file: nothing is recorded yet", name)
            if report.state == "recording" and not report.ticks_on_disk:
                return Verdict("idle", "The file is open: nothing is recorded yet", name)
        if report.state == "failed":
            why = f"{name}: {report.error}" if report.error else name
            return Verdict(
                "alarm", "RECORDING FAILED", why, f"{elapsed} on disk", size, free, since, low
            )
        trouble = self._trouble(report, now_s)
        if trouble:
            return Verdict("alarm", trouble, name, f"{elapsed} on disk", size, free, since, low)
        if report.error:
            why = f"{name}: {report.error}"
            return Verdict(
                "alarm", "RECORDING, WITH AN ERROR", why, elapsed, size, free, since, low
            )
        return Verdict("recording", "REC", name, elapsed, size, free, since, low)

    def _trouble(self, report: RecorderReport, now_s: float) -> str:
        if self._ended:
            return "THE SESSION ENDED BEFORE THE RECORDING WAS CLOSED"
        if not self._alive:
            return "THE RECORDER HAS DIED"
        if report.state != "recording":
            return f"The recorder says {report.state!r}, which this window does not know."
        silent_s = now_s - self._heard_s
        stale_s = now_s - self._changed_s
        behind_s = (self._newest_tick - report.last_tick) * self.tick_s
        if self._process == "stuck":
            return f"THE RECORDER DOES NOT ANSWER, nothing written for {stale_s:.0f} s"
        if silent_s > STALE_S:
            return f"NO WORD FROM THE RECORDER for {silent_s:.0f} s"
        if stale_s > STALE_S and behind_s > STALE_S:
            return f"NOTHING WRITTEN for {stale_s:.0f} s"
        return ""


def clock(seconds: float) -> str:
    """Seconds as m:ss.t, or h:mm:ss from an hour on."""
    tenths = round(max(seconds, 0.0) * 10)
    minutes, rest = divmod(tenths, 600)
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}"
    return f"{minutes}:{rest // 10:02d}.{rest % 10}"


def size_text(n_bytes: int) -> str:
    """Bytes in the unit that people read: kB, MB, GB, TB (powers of ten, as file managers count)."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
