"""Two streams of one session, message by message: bit-identical, or where they first differ.

What a clock says (latencies, overruns, wall time) is left out; everything else has to be the same to the
bit: state, senses, activity, actions, rewards, what was found, what was done to units.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from rig.bus.message_types import Array, EngineReply, Episode, Event, Message, Tick

_BY_CAUSE = (
    *("qpos", "qvel", "act", "actuator_force", "body", "props", "proprioception", "camera"),
    *("c_natural", "h_natural", "c_applied", "h_applied", "action"),
)
"""Series in the order in which a tick makes them."""
_CLOCKS = ("latency",)


@dataclass(frozen=True)
class Difference:
    """The first tick at which two streams differ, and each series that does, with how much."""

    tick: int
    series: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"tick {self.tick}: " + "; ".join(f"{name}: {much}" for name, much in self.series)


class Comparison:
    """Holds a stream that is heard against a recorded one.

    `n_identical` counts the ticks that were compared whole and are the same, `difference` is the first, None
    while there is none; what comes after it is ignored. `complete`: all that was recorded has been compared.

    Args:
        recorded: episodes, ticks and answers of the recording; what else is in it is passed over.
        first_tick: what is heard before it is passed over.
    """

    def __init__(self, recorded: Iterable[Message], first_tick: int) -> None:
        self._recorded: Iterator[Message] = (
            each for each in recorded if isinstance(each.content, Episode | Tick | EngineReply)
        )
        self._first_tick = first_tick
        self._episode: Message | None = None
        self.n_identical = 0
        self.difference: Difference | None = None
        self.complete = False
        self._awaited: Message | None = next(self._recorded, None)

    def on_message(self, message: Message) -> None:
        """Compares the next message with the one that was recorded in its place."""
        content = message.content
        if self.difference is not None or self.complete:
            return
        if isinstance(content, Episode) and message.tick < self._first_tick:
            self._episode = message  # the recording begins in the middle of this trial
            return
        if not isinstance(content, Episode | Tick | EngineReply) or message.tick < self._first_tick:
            return
        if self._episode is not None:
            kept, self._episode = self._episode, None
            if not isinstance(content, Episode):
                self._compare(kept)
        self._compare(message)

    def _compare(self, message: Message) -> None:
        recorded = self._awaited
        if recorded is None:
            self.complete = True
            return
        found = tuple(differences(recorded, message))
        if found:
            self.difference = Difference(message.tick, found)
            return
        self._awaited = next(self._recorded, None)
        if isinstance(message.content, EngineReply) or (
            self._awaited is None and isinstance(message.content, Tick)
        ):
            self.n_identical += 1
        self.complete = self._awaited is None


def differences(recorded: Message, again: Message) -> Iterator[tuple[str, str]]:
    """What differs between two messages: names of series, and how much in words."""
    one, other = recorded.content, again.content
    if type(one) is not type(other) or recorded.tick != again.tick:
        yield (
            "stream",
            f"{recorded.topic} of tick {recorded.tick} recorded, {again.topic} of tick {again.tick} "
            "in the re-run",
        )
        return
    match one, other:
        case Episode(), Episode():
            if one.trial != other.trial:
                yield "trial", f"{one.trial} recorded, {other.trial} in the re-run"
            if one.xml != other.xml:
                yield "arena", "the model of the trial is another one"
        case Tick(), Tick():
            yield from _arrays(recorded, again)
            yield from _fields(
                one,
                other,
                ("trial", "first", "reward", "discount", "value", "task_events", "inputs"),
            )
        case EngineReply(), EngineReply():
            yield from _events(one, other)
            yield from _fields(one, other, ("interventions", "end_trial"))
            yield from _arrays(recorded, again)


def _arrays(recorded: Message, again: Message) -> Iterator[tuple[str, str]]:
    names = [name for name in _BY_CAUSE if name in recorded.arrays]
    names += [name for name in recorded.arrays if name not in names and name not in _CLOCKS]
    for name in names:
        one, other = recorded.arrays[name], again.arrays.get(name)
        if other is None:
            yield name, "missing in the re-run"
        elif not _same(one, other):
            yield name, _how_much(one, other)


def _same(one: Array, other: Array) -> bool:
    return (
        one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    )


def _how_much(one: Array, other: Array) -> str:
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{one.dtype} {one.shape} recorded, {other.dtype} {other.shape} in the re-run"
    plain, again = one.astype(np.float64), other.astype(np.float64)
    apart = ~((plain == again) | (np.isnan(plain) & np.isnan(again)))
    if not apart.any():
        return "other bits of the same values"
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.abs(plain - again)[apart].max()
    return f"{int(apart.sum())} of {one.size} values, by at most {largest:.3g}"


def _fields(one: object, other: object, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        a, b = getattr(one, name), getattr(other, name)
        if a != b and not (a != a and b != b):
            yield name, f"{_short(a)} recorded, {_short(b)} in the re-run"


def _events(one: EngineReply, other: EngineReply) -> Iterator[tuple[str, str]]:
    if one.events == other.events:
        return
    missing = [each for each in one.events if each not in other.events]
    new = [each for each in other.events if each not in one.events]
    words = [f"{_event(each)} only recorded" for each in missing]
    words += [f"{_event(each)} only in the re-run" for each in new]
    yield "events", ", ".join(words) or "in another order"


def _event(event: Event) -> str:
    sham = ", sham" if event.sham else ""
    return (
        f"{event.phase} of the {event.kind} {event.name} (number {event.number}, tick {event.tick}, began "
        f"{event.began_tick}{sham}, confidence {event.confidence:.17g}, {event.cause or 'no cause'})"
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
