"""What a session did, counted from its stream as it passes."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from rig.bus.message_types import End, EngineReply, Fault, Message, RecorderReport, Tick
from rig.session.fault_log import FaultLog


@dataclass
class Summary:
    """What a session did, counted from its stream: what a headless run prints at its end."""

    reason: str = "failed"
    ticks: int = 0
    overruns: int = 0
    wall_s: float = 0.0
    behaviours: Counter[str] = field(default_factory=Counter)
    stimuli: Counter[str] = field(default_factory=Counter)
    shams: Counter[str] = field(default_factory=Counter)
    task_events: Counter[str] = field(default_factory=Counter)
    inputs: Counter[str] = field(default_factory=Counter)
    """What came from outside, by kind."""
    refused: int = 0
    """Commands of clients that were refused or malformed."""
    faults: FaultLog = field(default_factory=FaultLog)
    recording: RecorderReport | None = None
    """The last report of the recorder."""
    earlier_recordings: list[RecorderReport] = field(default_factory=list)
    """The last reports on the files before."""
    failure: str = ""
    """One sentence when the session, or its recording, failed; else ""."""
    wrong_input: bool = False
    """Whether the failure lies with what the user asked for."""
    paused: bool = False
    """Whether a client holds the animal; that time is not in `wall_s`."""

    _last_tick_s: float = 0.0
    _held: bool = False

    def hold(self, paused: bool) -> None:
        """The animal is held between two ticks from now on, or no longer."""
        self.paused = paused
        self._held = True

    def count(self, message: Message) -> None:
        """Counts a message of the stream."""
        content = message.content
        if isinstance(content, Tick):
            now = time.perf_counter()
            if self.ticks and not self._held:
                self.wall_s += now - self._last_tick_s
            self._last_tick_s, self._held = now, self.paused
            self.ticks = message.tick + 1
            self.overruns += content.overrun
            self.task_events.update(content.task_events)
            self.inputs.update(given.kind for given in content.inputs)
        elif isinstance(content, EngineReply):
            for event in content.events:
                if event.phase != "onset":
                    continue
                if event.kind == "behaviour":
                    self.behaviours[event.name] += 1
                elif event.kind == "stimulus":
                    (self.shams if event.sham else self.stimuli)[event.name] += 1
        elif isinstance(content, Fault) and not content.fatal:
            self.faults.add(content, message.tick)
        elif isinstance(content, End):
            self.reason = content.reason
