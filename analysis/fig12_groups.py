"""The events of figure 12 by what was done: attempts at two-tap, and stimulations with their shams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.cluster_statistics import Events
from analysis.perturbations import SUCCESS, Attempt, Session, Stimulation, of_kind


@dataclass(frozen=True)
class Held:
    """Attempts, by what was held: `control` nothing, `by[layer, n_units]` the rest."""

    control: list[Attempt]
    by: dict[tuple[str, int], list[Attempt]]

    @property
    def layers(self) -> list[str]:
        """The layers that were stimulated."""
        return sorted({layer for layer, _ in self.by})

    @property
    def levels(self) -> list[int]:
        """How many units were held, fewest first."""
        return sorted({n for _, n in self.by})


@dataclass(frozen=True)
class Played:
    """Stimulations by layer and number of units, and the shams of the same sessions."""

    by: dict[tuple[str, int], list[Stimulation]]
    shams: dict[tuple[str, int], list[Stimulation]]

    @property
    def layers(self) -> list[str]:
        """The layers that were stimulated."""
        return sorted({layer for layer, _ in self.by})

    @property
    def most_units(self) -> dict[str, tuple[str, int]]:
        """Of each layer the key with the most units."""
        return {layer: max(key for key in self.by if key[0] == layer) for layer in self.layers}

    @property
    def all_shams(self) -> list[Stimulation]:
        """The shams of all sessions together."""
        return [each for several in self.shams.values() for each in several]


def held_in(sessions: Sequence[Session]) -> Held:
    """The attempts of the sessions in which units were held."""
    found = Held([], {})
    for session in of_kind(sessions, "held"):
        for attempt in session.attempts:
            if attempt.n_units:
                found.by.setdefault((attempt.layer, attempt.n_units), []).append(attempt)
            else:
                found.control.append(attempt)
    return found


def played_in(sessions: Sequence[Session]) -> Played:
    """The stimulations of the sessions in which a time course was played."""
    found = Played({}, {})
    for session in of_kind(sessions, "played"):
        for each in session.stimulations:
            into = found.shams if each.sham else found.by
            into.setdefault((each.layer, each.n_units), []).append(each)
    return found


def success(attempts: Sequence[Attempt]) -> Events:
    """Which attempts ended with a second tap in time, by seed."""
    return [each.outcome == SUCCESS for each in attempts], [each.seed for each in attempts]


def elicited(stimulations: Sequence[Stimulation]) -> Events:
    """Which stimulations elicited the behaviour, by seed."""
    return [each.elicited for each in stimulations], [each.seed for each in stimulations]
