"""The events of figure 12 by what was done: attempts at two-tap, and stimulations with their shams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.cluster_statistics import Events
from analysis.perturbations import SUCCESS, Attempt, Session, Stimulation, of_kind

Key = tuple[str, int]
"""Layer and number of units."""


@dataclass(frozen=True)
class Inactivation:
    """Attempts at two-tap: `control` with no unit inactivated, `by[layer, n_units]` the rest."""

    control: list[Attempt]
    by: dict[Key, list[Attempt]]

    @property
    def layers(self) -> list[str]:
        """The layers that were stimulated."""
        return sorted({layer for layer, _ in self.by})

    @property
    def levels(self) -> list[int]:
        """How many units were inactivated, fewest first."""
        return sorted({n for _, n in self.by})


@dataclass(frozen=True)
class Activation:
    """Stimulations by layer and number of units, and the shams of the same sessions."""

    by: dict[Key, list[Stimulation]]
    shams: dict[Key, list[Stimulation]]

    @property
    def layers(self) -> list[str]:
        """The layers that were stimulated."""
        return sorted({layer for layer, _ in self.by})

    @property
    def most_units(self) -> dict[str, Key]:
        """Of each layer the key with the most units."""
        return {layer: max(key for key in self.by if key[0] == layer) for layer in self.layers}

    @property
    def all_shams(self) -> list[Stimulation]:
        """The shams of all sessions together."""
        return [each for several in self.shams.values() for each in several]


def inactivation_of(sessions: Sequence[Session]) -> Inactivation:
    """The attempts of the sessions in which units were inactivated."""
    found = Inactivation([], {})
    for session in of_kind(sessions, "inactivated"):
        for attempt in session.attempts:
            if attempt.n_units:
                found.by.setdefault((attempt.layer, attempt.n_units), []).append(attempt)
            else:
                found.control.append(attempt)
    return found


def activation_of(sessions: Sequence[Session]) -> Activation:
    """The stimulations of the sessions in which units were activated."""
    found = Activation({}, {})
    for session in of_kind(sessions, "activated"):
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
