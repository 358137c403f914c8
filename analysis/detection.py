"""A protocol over a recording: what would have been stimulated, and when.

The same engine that runs in a session is given the same ticks, so that a recording made with the same
protocol and seed yields the stimuli that were recorded. Over another recording it shows what the
protocol's own detectors and triggers would find in that animal's behaviour. Only finding is tried out, not
the effect: the animal goes on as it was recorded, whatever is triggered, and trials end where they ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from recorder.annotations import Annotations
from recorder.opening import RecordingPath
from recorder.reading import Recording
from recorder.replay import ReplaySource
from rig.bus.message_types import TICK_S, EngineReply, Episode, Event, Message, Tick
from rig.errors import RunError, UserError
from stim.detectors.definition import Behaviour
from stim.engine import Engine
from stim.protocol.model import Protocol
from stim.protocol.script import ScriptFile
from stim.stimuli.baselines import Values

TICKS_AT_ONCE = 500

Annotated: TypeAlias = Mapping[str, NDArray[np.int64]]
"""(bouts, 2) first tick and the tick after the last, of each behaviour that people annotated."""


@dataclass(frozen=True)
class Stimulated:
    """A stimulus, or a sham in its place, from `tick` up to `end_tick` (None: on at the recording's end).

    `name` and `cause` are as in the session's events; `number` counts the name's stimuli and shams.
    """

    name: str
    number: int
    trial: int
    tick: int
    end_tick: int | None
    sham: bool
    cause: str


@dataclass(frozen=True)
class Detection:
    """What an engine found and would have done over a recording.

    `recording` is what its file, or files, are called. `events` are those of its stimuli, `recorded` those in
    the recording; both are in the order in which answers bring them, and equal where protocol and seed are
    the recording's own. `clips` says how many each rule would have saved, by its number.
    """

    recording: str
    n_ticks: int
    first_tick: int
    n_trials: int
    seed: int
    behaviours: Counter[str]
    stimuli: tuple[Stimulated, ...]
    events: tuple[Event, ...]
    recorded: tuple[Event, ...]
    recorded_text: str
    clips: Counter[int] = field(default_factory=Counter)
    annotated: Mapping[str, int] = field(default_factory=dict)


def annotated_bouts(
    annotations: Annotations, protocol: Protocol, channel: str | None = None
) -> Annotated:
    """What people annotated of the behaviours that a protocol has, for `detect`.

    Args:
        annotations: of the recording.
        protocol: whose behaviours are meant, by their names.
        channel: whose annotations; None: all.

    Raises:
        UserError: there is no such channel, or none of the protocol's behaviours is annotated.
    """
    channels = [each.name for each in annotations.channels]
    if channel is not None and channel not in channels:
        raise UserError(
            f"There is no channel {channel!r}; there are {', '.join(channels) or 'none'}."
        )
    found = {name: annotations.bouts(channel, name) for name in protocol.behaviour_names}
    found = {name: bouts for name, bouts in found.items() if len(bouts)}
    if not found:
        seen = sorted({each.label for each in annotations.rows if channel in (None, each.channel)})
        raise UserError(
            f"None of the behaviours of {protocol.name} is annotated (annotated: "
            f"{', '.join(seen) or 'nothing'}); give a behaviour or a detector of the protocol that name."
        )
    return found


def detect(
    protocol: Protocol,
    where: RecordingPath,
    values: Values | None = None,
    script: ScriptFile | None = None,
    annotated: Annotated = MappingProxyType({}),
    on_progress: Callable[[float], None] = lambda share: None,
) -> Detection:
    """Runs a protocol's engine over every tick of a recording.

    Args:
        protocol: what to run.
        where: the recording, as `recorder.open` takes it.
        values: what the protocol wants of its baselines (`analysis.baseline.resolve`).
        script: the protocol's Python, executed, where it has some.
        annotated: behaviours that are present where people saw them (`annotated_bouts`), not where they are
            detected.
        on_progress: is called now and then with the share of the ticks that is done; what it raises ends it.

    Raises:
        UserError: the file is no recording, has no ticks, or lacks what the protocol needs of it: a
            quantity of the body state, a layer.
    """
    protocol = _with_annotated(protocol, annotated)
    with ReplaySource(where) as source:
        recording = source.recording
        called = str(recording.path.with_name(recording.name))
        description = msgspec.structs.replace(
            recording.description,
            behaviours=protocol.behaviour_names,
            stimuli=protocol.stimulus_names,
        )
        try:
            engine = Engine(protocol, description, values, script)
            tally = _Tally()
            for message in _messages(source, on_progress):
                _step(engine, message, tally)
        except RunError as problem:
            raise UserError(f"{protocol.name} cannot be run over {called}: {problem}") from None
        return Detection(
            recording=called,
            n_ticks=recording.n_ticks,
            first_tick=recording.first_tick,
            n_trials=tally.trials,
            seed=description.seed,
            behaviours=tally.behaviours,
            stimuli=tally.stimuli(),
            events=tuple(tally.events),
            recorded=_recorded(recording),
            recorded_text=recording.description.protocol_text,
            clips=tally.clips,
            annotated={name: len(bouts) for name, bouts in annotated.items()},
        )


class _AnnotatedSource:
    """A behaviour that is present during given ticks."""

    def __init__(self, bouts: NDArray[np.int64]) -> None:
        self._starts, self._stops = bouts[:, 0], bouts[:, 1]

    def step(self, tick: int, body: Sequence[float], events: Sequence[str]) -> float:
        place = int(np.searchsorted(self._starts, tick, side="right")) - 1
        return 1.0 if place >= 0 and tick < self._stops[place] else 0.0

    def begin_trial(self) -> None:
        """Nothing to forget."""


def _with_annotated(protocol: Protocol, annotated: Annotated) -> Protocol:
    """The protocol with behaviours that are present during these ticks, whatever the animal does then."""

    def definition(own: Behaviour) -> Behaviour:
        bouts = annotated.get(own.name)
        if bouts is None:
            return own
        return Behaviour(
            own.name, "annotated", min_duration_ms=20.0, source=lambda _: _AnnotatedSource(bouts)
        )

    return replace(protocol, behaviours=tuple(map(definition, protocol.behaviours)))


@dataclass
class _Tally:
    """What the engine's answers have said so far."""

    trials: int = 0
    behaviours: Counter[str] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)
    clips: Counter[int] = field(default_factory=Counter)
    _begun: dict[tuple[str, int], tuple[int, Event]] = field(default_factory=dict)
    _ended: dict[tuple[str, int], int] = field(default_factory=dict)

    def count(self, trial: int, events: tuple[Event, ...]) -> None:
        for event in events:
            onset = event.phase == "onset"
            if event.kind == "behaviour":
                self.behaviours[event.name] += onset
            elif event.kind == "stimulus":
                self.events.append(event)
                key = (event.name, event.number)
                if onset:
                    self._begun[key] = (trial, event)
                else:
                    self._ended[key] = event.tick

    def stimuli(self) -> tuple[Stimulated, ...]:
        return tuple(
            Stimulated(
                event.name,
                event.number,
                trial,
                event.tick,
                self._ended.get(key),
                event.sham,
                event.cause,
            )
            for key, (trial, event) in self._begun.items()
        )


def _messages(source: ReplaySource, on_progress: Callable[[float], None]) -> Iterator[Message]:
    for first in range(source.first_tick, source.last_tick + 1, TICKS_AT_ONCE):
        on_progress((first - source.first_tick) / source.n_ticks)
        yield from source.messages(first, min(first + TICKS_AT_ONCE - 1, source.last_tick))


def _step(engine: Engine, message: Message, tally: _Tally) -> None:
    """A message of the session, as the stimulation process takes it."""
    match message.content:
        case Episode(trial=trial):
            engine.begin_trial(trial, message.tick)
            tally.trials += 1
        case Tick(trial=trial):
            answer = engine.reply(message).content
            assert isinstance(answer, EngineReply)
            tally.count(trial, answer.events)
            for each in answer.clips:
                tally.clips[int(each.cause.partition(":")[0].removeprefix("rule "))] += 1


def _recorded(recording: Recording) -> tuple[Event, ...]:
    return tuple(
        event
        for tick, event in recording.events
        if event.kind == "stimulus" and tick >= recording.first_tick
    )


# --- in words ---------------------------------------------------------------------------------------


def report(protocol: Protocol, found: Detection) -> str:
    """What was found, as the text that `rodent-rig check --against` prints."""
    seen = ", ".join(f"{name} {n}" for name, n in sorted(found.behaviours.items()) if n)
    lines = [
        f"{protocol.name} over {found.recording}: {found.n_ticks} ticks ({found.n_ticks * TICK_S:.2f} s) "
        f"in {_count(found.n_trials, 'trial')}, seed {found.seed}.",
        f"Detected: {seen or 'no behaviour'}.",
    ]
    if found.annotated:
        listed = ", ".join(f"{name} {_count(n, 'bout')}" for name, n in found.annotated.items())
        lines.append(f"As annotated, not as detected: {listed}.")
    if found.first_tick > 0:
        lines.append(
            f"The recording begins at tick {found.first_tick} of its session; what was found before "
            "is not known here."
        )
    if found.stimuli:
        lines += ["", *_table(found.stimuli)]
    lines += ["", *_of_rules(protocol, found), _beside_the_recorded(protocol, found)]
    return "\n".join(lines)


def _table(stimuli: tuple[Stimulated, ...]) -> list[str]:
    width = max(len("stimulus"), *(len(each.name) for each in stimuli))
    rows = [
        f"{'tick':>8} {'time':>11} {'trial':>6}  {'stimulus':<{width}}  {'':<4} {'for':>10}  cause"
    ]
    for each in stimuli:
        lasting = "to the end"
        if each.end_tick is not None:
            lasting = f"{(each.end_tick - each.tick) * TICK_S * 1000:.0f} ms"
        rows.append(
            f"{each.tick:>8} {each.tick * TICK_S:>9.2f} s {each.trial:>6}  {each.name:<{width}}  "
            f"{'sham' if each.sham else '':<4} {lasting:>10}  {each.cause}"
        )
    return rows


def _of_rules(protocol: Protocol, found: Detection) -> list[str]:
    """A line for each rule, and for each other source of stimuli (clients)."""
    clips = [
        f"rule {rule.number}: {_count(found.clips[rule.number], 'clip')}."
        for rule in protocol.clips
    ]
    by_source: dict[str, Counter[bool]] = {
        f"rule {rule.number}": Counter() for rule in protocol.rules
    }
    for each in found.stimuli:
        source = each.cause.partition(":")[0]
        by_source.setdefault(source, Counter())[each.sham] += 1
    if not by_source:
        return clips or ["There are no rules: nothing would have been stimulated."]
    lines = clips
    for source, n in by_source.items():
        would = _count(n[False], "stimulus", "stimuli") if n[False] else "no stimulus"
        lines.append(
            f"{source}: {would}" + (f", {_count(n[True], 'sham')}" if n[True] else "") + "."
        )
    return lines


def _beside_the_recorded(protocol: Protocol, found: Detection) -> str:
    """How this compares to what was done in the session that was recorded."""
    if protocol.text != found.recorded_text:
        delivered = sum(each.phase == "onset" and not each.sham for each in found.recorded)
        if not delivered:
            return "Nothing was stimulated in the session that was recorded."
        own = _count(delivered, "stimulus", "stimuli")
        return (
            f"The recording was made with another protocol and has {own} of its own, the effects of "
            "which are in the behaviour."
        )
    if found.events == found.recorded:
        return "These are the stimuli that were recorded, tick for tick."
    both = zip(found.events, found.recorded, strict=False)
    ticks = [min(ours.tick, theirs.tick) for ours, theirs in both if ours != theirs]
    longer = max(found.events, found.recorded, key=len)
    tick = ticks[0] if ticks else longer[min(len(found.events), len(found.recorded))].tick
    return f"The recording was made with this protocol, but its stimuli differ from tick {tick} on."


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"
