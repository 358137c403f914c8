"""What the task says, as rows of the ethogram: its events, its rewards, and how its trials went."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PyQt6.QtCore import QPointF, QRectF

from gui.look.behaviour_style import GROUPS, Bar, LevelBar, Look
from gui.look.theme import Theme
from gui.seen.activity import MOST_TICKS
from gui.seen.rewards import Reward, RewardWatch
from rig.bus.message_types import EngineReply, Message, Tick

EVENTS, REWARDS, TRIALS = "task events", "reward", "trials"
ROWS = (EVENTS, REWARDS, TRIALS)
SUCCESSES = frozenset({"second_tap", "orb", "gap_crossed", "escaped"})
"""Events by which a trial succeeds."""
MARK_PX = 3.0
TOP, HEIGHT = 0.16, 0.68
"""Of a mark in its row."""


@dataclass
class TrialRecord:
    """A trial: its events, what it earned, and its last tick as far as it is known.

    `whole`: whether its first tick was seen; `over`: whether another has begun.
    """

    trial: int
    first_tick: int
    last_tick: int
    condition: str = ""
    events: Counter[str] = field(default_factory=Counter)
    reward: float = 0.0
    whole: bool = True
    over: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether what the task is about has happened in it."""
        return any(name in SUCCESSES for name in self.events)


class TaskRows:
    """The last `MOST_TICKS` ticks of what the task says.

    `happened` are those of `ROWS` that have something to show: events, rewards that are given at a moment,
    trials with events or conditions.

    Args:
        recorded: tick, trial and name of all events of a recording: after a jump a trial has those, too, that
            were before what is shown.
    """

    def __init__(self, recorded: Sequence[tuple[int, int, str]] | None = None) -> None:
        self._recorded = recorded
        self.happened: set[str] = set()
        self.trials: deque[TrialRecord] = deque(maxlen=200)
        self._events: deque[tuple[int, str]] = deque(maxlen=2000)
        self._rewards: deque[Reward] = deque(maxlen=2000)
        self._levels = np.zeros(MOST_TICKS, np.float32)
        self._ticks = np.full(MOST_TICKS, -1, np.int64)
        self._watch = RewardWatch()
        self._last = -1
        self._drawn: list[tuple[QRectF, Callable[[], str]]] = []

    def clear(self) -> None:
        """Forgets what happened; which rows there are stays."""
        self.trials.clear()
        self._events.clear()
        self._rewards.clear()
        self._ticks[:] = -1
        self._watch.begin()
        self._last = -1
        self._drawn = []

    def add(self, answers: Sequence[Message], ticks: Sequence[Message]) -> None:
        """Takes in what the task said at these ticks, and the conditions of their trials."""
        for message in ticks:
            if isinstance(message.content, Tick):
                self._add_tick(message.tick, message.content)
        for message in answers:
            if isinstance(message.content, EngineReply):
                for event in message.content.events:
                    if event.kind == "condition":
                        self._add_condition(event.tick, event.name)

    def draw(
        self,
        start: int,
        now: int,
        places: dict[str, int],
        theme: Theme,
        tick_s: float,
        blinded: bool,
    ) -> tuple[list[Bar], list[LevelBar]]:
        """The marks between two ticks.

        Args:
            start, now: the first tick, and the one after the last.
            places: the row of each of `ROWS` that is shown.
            theme: for colours.
            tick_s: seconds of a tick.
            blinded: conditions are not told.
        """
        bars: list[Bar] = []
        levels: list[LevelBar] = []
        self._drawn = []
        colour = theme.groups[GROUPS.index("task")]

        def rect(first: int, last: int, row: int) -> QRectF:
            return QRectF(first * tick_s, row + TOP, (last - first) * tick_s, HEIGHT)

        if EVENTS in places:
            success, other = (Look(colour, fill, least_px=MARK_PX) for fill in ("full", "tint"))
            for tick, name in self._events:
                if start <= tick < now:
                    place = rect(tick, tick + 1, places[EVENTS])
                    bars.append((place, success if name in SUCCESSES else other))
                    self._drawn.append((place, partial(_event_words, name, tick * tick_s)))
        if REWARDS in places:
            flow = self._flow(start, now)
            if flow is not None:
                place = rect(start, now, places[REWARDS])
                levels.append(LevelBar(place, Look(theme.good, "faint"), flow))
            given = Look(theme.good, least_px=MARK_PX)
            for reward in self._rewards:
                if start <= reward.tick < now:
                    place = rect(reward.tick, reward.tick + 1, places[REWARDS])
                    bars.append((place, given))
                    self._drawn.append((place, partial(_reward_words, reward, tick_s)))
        if TRIALS in places:
            for trial in self.trials:
                # a tick shorter, so that those that follow each other are told apart
                first, last = max(trial.first_tick, start), min(trial.last_tick, now)
                if first < last:
                    place = rect(first, last, places[TRIALS])
                    won = trial.succeeded
                    unknown = not trial.whole and self._recorded is None  # joined in its course
                    fill = "tint" if won or unknown else "outline"
                    bars.append((place, Look(theme.good if won else theme.muted, fill)))
                    self._drawn.append((place, partial(words_of, trial, tick_s, blinded)))
        return bars, levels

    def under(self, time_s: float, row: float) -> str:
        """What is drawn at this place, in words; "" where there is nothing."""
        for place, words in reversed(self._drawn):
            if place.adjusted(-0.03, 0, 0.03, 0).contains(QPointF(time_s, row)):
                return words()
        return ""

    def _add_tick(self, tick: int, content: Tick) -> None:
        if content.first or tick <= self._last:
            self._watch.begin()
        self._last = tick
        if not self.trials or self.trials[-1].trial != content.trial:
            if self.trials:
                self.trials[-1].over = True
            self.trials.append(TrialRecord(content.trial, tick, tick, whole=content.first))
            if not content.first:
                self.trials[-1].events.update(
                    name
                    for at, of, name in self._recorded or ()
                    if of == content.trial and at < tick
                )
        trial = self.trials[-1]
        trial.last_tick = tick
        trial.reward += content.reward
        for name in content.task_events:
            trial.events[name] += 1
            self._events.append((tick, name))
            self.happened |= {EVENTS, TRIALS}
        reward = self._watch.see(tick, content)
        if reward is not None:
            self._rewards.append(reward)
            self.happened.add(REWARDS)
        self._levels[tick % MOST_TICKS] = content.reward
        self._ticks[tick % MOST_TICKS] = tick

    def _add_condition(self, tick: int, name: str) -> None:
        self.happened.add(TRIALS)
        for trial in self.trials:
            if trial.first_tick <= tick <= trial.last_tick:
                trial.condition = name

    def _flow(self, start: int, now: int) -> np.ndarray | None:
        """What the task pays all along, 0 to 1, at each tick of a window; None where it pays nothing."""
        ticks = np.arange(start, now)
        places = ticks % MOST_TICKS
        paid = np.where(self._ticks[places] == ticks, self._levels[places], 0.0)
        paid = np.where(paid > 1.0, 0.0, np.maximum(paid, 0.0))
        return paid if paid.max(initial=0.0) > 0.01 else None


def _event_words(name: str, at_s: float) -> str:
    return f"{_plain(name)}   {at_s:.2f} s"


def _reward_words(reward: Reward, tick_s: float) -> str:
    return f"reward {reward.words}   {reward.tick * tick_s:.2f} s"


def words_of(trial: TrialRecord, tick_s: float, blinded: bool) -> str:
    """How a trial went, in words; `blinded`: without its condition."""
    name = f"trial {trial.trial + 1}"
    if trial.condition and not blinded:
        name += f" ({trial.condition})"
    name += "" if trial.whole else ", as far as it was seen"
    until = f"{(trial.last_tick + 1) * tick_s:.2f} s" if trial.over else "now"
    happened = [f"{_plain(event)} {n}" for event, n in trial.events.items()]
    outcome = ", ".join(happened) if happened else "no event of the task"
    return f"{name}   {trial.first_tick * tick_s:.2f} s to {until}: {outcome}; reward {trial.reward:.3g}"


def _plain(name: str) -> str:
    return name.replace("_", " ")
