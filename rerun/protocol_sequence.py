"""Several protocols, one after the other, over one session: what a branch of a session runs under.

Every engine is given every tick from the first on, so that its detectors, its triggers and the trial's
condition are what they would be under its protocol alone; it decides only in its own segment. When one takes
over from another, rules that both protocols have keep their state: a session that is branched into its own
protocol is the same session.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import msgspec
import numpy as np

from rig.bus.message_types import Description, EngineReply, Message
from rig.errors import UserError
from stim.detectors.definition import Behaviour
from stim.engine import Engine
from stim.protocol.model import Protocol
from stim.protocol.script import ScriptFile
from stim.stimuli.baselines import Values


@dataclass(frozen=True)
class Segment:
    """A protocol that decides from the reply to `first_tick` on.

    Attributes:
        protocol: checked.
        values: what it needs of its baselines.
        script: its Python, executed, where it has some.
        first_tick: of the session.
    """

    protocol: Protocol
    values: Values
    script: ScriptFile | None
    first_tick: int


def joined(segments: Sequence[Segment], names: str) -> tuple[str, ...]:
    """The names of all segments (a property of `Protocol`, such as "stimulus_names"), each once, in order."""
    found = (name for segment in segments for name in getattr(segment.protocol, names))
    return tuple(dict.fromkeys(found))


def taken_over_at(segments: Sequence[Segment]) -> list[int]:
    """The ticks at which another protocol takes over, which is armed then."""
    return [
        after.first_tick
        for before, after in pairwise(segments)
        if after.protocol.text != before.protocol.text
    ]


def left_at(segments: Sequence[Segment]) -> float:
    """The tick at which the last other protocol takes over; infinite where there is but one."""
    return max(taken_over_at(segments), default=inf)


def check_same_detectors(before: Protocol, after: Protocol) -> None:
    """Raises `UserError` where a protocol does not detect as the one before it did."""
    defined = {each.name: each for each in after.behaviours}
    for each in before.behaviours:
        if each.name not in defined:
            raise UserError(
                f"The protocol {after.name} has no detector {each.name!r}, which the recording's protocol "
                f"{before.name} has: a branch has all of its detectors, and may have more."
            )
        if _definition(each) != _definition(defined[each.name]):
            raise UserError(
                f"The protocol {after.name} detects {each.name!r} in another way than the recording's "
                f"protocol {before.name}: give it the same settings under `detectors:`."
            )


def _definition(behaviour: Behaviour) -> dict[str, object]:
    return {name: value for name, value in vars(behaviour).items() if name != "source"}


class ProtocolSequence:
    """The engines of several segments as one `rerun.in_process_transport.ReplyingEngine`.

    Args:
        segments: in order, the first from tick 0 on.
        description: of the whole session, with the names of all segments.

    Raises:
        RunError: as `Engine`.
    """

    def __init__(self, segments: Sequence[Segment], description: Description) -> None:
        self._segments = tuple(segments)
        self._description = description
        self._engines: list[Engine] = []
        for number, segment in enumerate(segments):
            own = self._own_description(segment)
            # a program of a later segment begins with that segment
            script = None if number else segment.script
            self._engines.append(Engine(segment.protocol, own, segment.values, script))
        self._places = [
            [description.behaviours.index(name) for name in segment.protocol.behaviour_names]
            for segment in segments
        ]
        self._at = 0

    def begin_trial(self, trial: int, tick: int) -> None:
        """A trial begins, and `tick` is its first."""
        self._hand_over(tick)
        for engine in self._engines[self._at :]:
            engine.begin_trial(trial, tick)

    def reply(self, message: Message) -> Message:
        """The reply of the engine of the present segment; those after it are kept up to date."""
        self._hand_over(message.tick)
        for engine in self._engines[self._at + 1 :]:
            engine.reply(message)
        answer = self._engines[self._at].reply(message)
        assert isinstance(answer.content, EngineReply)
        confidence = np.full(len(self._description.behaviours), np.nan, np.float32)
        confidence[self._places[self._at]] = answer.arrays["confidence"]
        return dataclasses.replace(answer, arrays={**answer.arrays, "confidence": confidence})

    def _hand_over(self, tick: int) -> None:
        while (
            self._at + 1 < len(self._segments) and tick >= self._segments[self._at + 1].first_tick
        ):
            before, segment = self._engines[self._at], self._segments[self._at + 1]
            self._at += 1
            same_text = segment.protocol.text == self._segments[self._at - 1].protocol.text
            script = None if same_text else segment.script
            self._engines[self._at].take_over(
                before, tick, script, self._own_description(segment), keep_script=same_text
            )

    def _own_description(self, segment: Segment) -> Description:
        return msgspec.structs.replace(
            self._description,
            behaviours=segment.protocol.behaviour_names,
            stimuli=segment.protocol.stimulus_names,
        )
