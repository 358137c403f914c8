"""One of the recordings that a replay shows: what of it belongs to a place, and to a stretch from there.

After a jump what the displays show of the past comes first, so that they look as they did when it was live.
Of these only what is drawn of the past is read.
"""

from __future__ import annotations

from gui.seen.markers import Extent
from gui.streams.stream import MAX_PENDING_TICKS, Batch
from recorder.replay import ReplaySource
from rig.bus.message_types import EngineReply, Episode, Message, Tick
from rig.session.fault_log import FaultLog

_BEFORE_A_SEEK = ("c_natural", "h_natural", "c_applied", "h_applied", "body", "interventions")


class ReplayTrack:
    """Makes the batches of a recording, which say that they are of this `number`.

    `offset`: at tick `t` of the replay it is at its own tick `t + offset`.
    """

    def __init__(self, number: int, source: ReplaySource) -> None:
        self.number = number
        self.source = source
        self.offset = 0
        self._preamble: list[Message] = [source.description, source.assets]
        self._trial = -1

    @property
    def extent(self) -> Extent:
        """What there is of it."""
        recording, description = self.source.recording, self.source.recording.description
        faults = FaultLog()
        for tick, fault in recording.faults:
            faults.add(fault, tick)
        return Extent(
            recording.name,
            self.source.first_tick,
            self.source.last_tick,
            tuple(event for _, event in recording.events),
            tuple(trial.first_tick for trial in recording.trials),
            description.behaviours,
            description.stimuli,
            tuple(faults),
            recording.session,
            min((trial.trial for trial in recording.trials), default=0),
            notes=recording.notes,
            disarmed=recording.disarmed,
            task_events=tuple((each.tick, each.trial, each.name) for each in recording.task_events),
        )

    def jump(self, tick: int, history_ticks: int) -> Batch:
        """What is shown at a tick: at its last one after its end, nothing before it begins.

        Args:
            tick: the place.
            history_ticks: how many are shown, the place's own among them.
        """
        source = self.source
        here = min(tick + self.offset, source.last_tick)
        if here < source.first_tick:
            return self._batch([])
        begin = max(source.first_tick, here - history_ticks + 1)
        ongoing = Message(EngineReply(source.open_events(begin)), tick=begin - 1)
        past = source.messages(begin, here - 1, _BEFORE_A_SEEK)
        return self._batch([ongoing, *past, *source.messages(here, here)])

    def play(self, first: int, last: int) -> Batch:
        """What follows."""
        return self._batch(self.source.messages(first + self.offset, last + self.offset))

    def _batch(self, messages: list[Message]) -> Batch:
        batch = Batch(recording=self.number, most_ticks=max(len(messages), MAX_PENDING_TICKS))
        batch.add(self._preamble)
        batch.add(messages)
        self._preamble = []
        if batch.episodes:
            content = batch.episodes[-1].content
            assert isinstance(content, Episode)
            self._trial = content.trial
        if batch.ticks:
            newest = batch.ticks[-1].content
            assert isinstance(newest, Tick)
            if newest.trial != self._trial:
                batch.episodes.append(self.source.episode(newest.trial))
                self._trial = newest.trial
        return batch
