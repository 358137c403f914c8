"""What a session says of its faults: across the window while it lasts, in the log for good."""

from __future__ import annotations

from collections.abc import Sequence

from gui.session.banner import Banner
from gui.session.log_panel import LogPanel
from gui.streams.recorder_watch import clock
from gui.timeline.timeline import Timeline
from rig.bus.message_types import TICK_S, KnownFault

HAPPENED_S = 10.0
"""How long something that happened and was over at once stays across the window."""

REMEDIES = {
    ("stimulation", "dead"): "Take a new one in the panel Session.",
    (
        "recorder",
        "dead",
    ): "Record (R) begins another file; Session, Folder for recordings… says where.",
}
"""What can be done about a fault that lasts, by its source and name, while the session goes on."""


class FaultWatch:
    """Follows the faults that a session's status repeats.

    Args:
        banner: shows what lasts, until it is over, and what has just happened, for a while.
        log: keeps everything.
        timeline: shows for when there was no stimulation engine.
    """

    def __init__(self, banner: Banner, log: LogPanel, timeline: Timeline) -> None:
        self._banner = banner
        self._log = log
        self._timeline = timeline
        self._lasting: set[str] = set()
        self._known: set[tuple[int, str]] | None = None

    def reset(self) -> None:
        """Another session begins."""
        self._lasting = set()
        self._known = None
        self._log.forget()
        self._timeline.show_faults(())

    def take(self, faults: Sequence[KnownFault], goes_on: bool = True) -> None:
        """The faults as a status has them; `goes_on`: the session does, so that one can do something."""
        lasting = {
            f"fault {each.source} {each.name}": _since(each, goes_on)
            for each in faults
            if each.over_tick < 0
        }
        for key in self._lasting - lasting.keys():
            self._banner.clear_sentence(key)
        for key, sentence in lasting.items():
            self._banner.show_sentence(key, sentence, repeated=True)
        self._lasting = set(lasting)
        happened = {(each.tick, each.sentence) for each in faults if not each.name}
        if self._known is not None:
            for tick, sentence in sorted(happened - self._known):
                self._banner.show_sentence(f"fault at {tick}", sentence, for_s=HAPPENED_S)
        self._known = happened | (self._known or set())
        self.show_recorded(faults)

    def show_recorded(self, faults: Sequence[KnownFault]) -> None:
        """Those of a recording: they are over, and stand in the log and in the plots."""
        self._log.show_faults(faults)
        self._timeline.show_faults(faults)


def _since(fault: KnownFault, goes_on: bool) -> str:
    said = f"{fault.sentence.rstrip('.')} (since {clock(max(fault.tick, 0) * TICK_S)})."
    remedy = REMEDIES.get((fault.source, fault.name), "") if goes_on else ""
    return f"{said} {remedy}".rstrip()
