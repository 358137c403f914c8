"""The check against the paper (Merel & Aldarondo et al., ICLR 2020): its claims beside what is measured.

Each claim is quoted with its section, and has a rule about numbers with intervals over seeds; the rule of
`analysis.verdicts` decides whether the subject agrees, and nothing is decided by eye. The claims are those
of the figures that `rodent-rig figure` draws, made by the same functions (`analysis.timescales` and others).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import SubjectError
from agent.subject import Subject
from analysis.distinctness import Distinctness, distinctness
from analysis.episodes import LEAST_S, read_episodes
from analysis.loaded_episodes import LoadedEpisode, by_task, load_episodes, sets_of
from analysis.mean_responses import responses
from analysis.movement_sharing import MovementSharing, movement_sharing
from analysis.representation import Representation, representation
from analysis.timescales import DECIDES, Timescales, timescales
from analysis.verdicts import Claim
from rig.errors import UserError

HOW = (
    f"Measured in recordings (`rodent-rig dataset`), on the {DECIDES} over all episodes: they are what other "
    "units read, and principal components of unscaled cell states are a few units that grow without "
    "anything that reads them changing. As in the paper: Welch's method with windows of 10 s and 5 s overlap "
    "on the top ten principal components, from which slow drift is removed first (a cubic and all cosines "
    "slower than 10 s; A.3); eigenpostures and Morlet kinematics (A.2); 50 k-means clusters of each of eight "
    "sets of features as behaviours, linear CKA of mean population vectors over them (A.4).",
    "Verdicts: a claim is written as one or more margins that are above 0 where it holds, each with an "
    "interval over seeds (jackknife, around what was measured; simultaneous at 95 %). It agrees where all "
    "intervals are above 0, disagrees where one is below, and otherwise it cannot be told; a median "
    "frequency in the lowest bin decides nothing, and neither do fewer than six seeds (with several margins "
    "seven or eight). Rules that were chosen after data had been seen say so, and what another would have "
    "said; so was the signal: of the cell states c the numbers stand beside those of h.",
    "Unlike the paper: where it shows scatter plots, overlap of tasks in movement is the part of their ticks "
    "in the same of 50 k-means cells in the plane of the first two principal components, and overlap in a "
    "layer is that of the nearest population vectors of other seeds. Joint angles and body positions are all "
    f"of the model's; the paper does not list its own. Episodes of less than {LEAST_S:g} s are left out, and "
    "the first second of each; spectra take episodes of 10 s or more.",
    "Not on this card: rotational dynamics (3.4), perturbations (3.5), architectures against each other (5D, "
    "6C); see `rodent-rig figure`.",
)
"""How the check was done, where it departs from the paper, and what it leaves out."""


@dataclass(frozen=True)
class PaperCheck:
    """The claims, the results that they rest on, and the episodes by task."""

    timescales: Timescales
    movement: MovementSharing
    representation: Representation
    distinctness: Distinctness
    episodes: dict[str, int]
    sources: tuple[str, ...]

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All claims, in the order of the paper's appendix and sections."""
        return (
            *self.timescales.claims,
            *self.movement.claims,
            *self.representation.layer_claims,
            *self.representation.task_claims,
            self.distinctness.claim,
        )

    def as_json(self) -> dict[str, Any]:
        """What `scores.json` keeps."""
        spectra = {
            str(signal): {
                scope: {
                    layer: {
                        "median_hz": _number(one.median_hz.value),
                        "power_above_3_hz": _number(one.fast.value),
                        "drift": _number(one.drift),
                    }
                    for layer, one in layers.items()
                }
                for scope, layers in scopes.items()
            }
            for signal, scopes in self.timescales.table.items()
        }
        return {
            "episodes": dict(self.episodes),
            "sources": list(self.sources),
            "claims": [one.as_json() for one in self.claims],
            "numbers": {
                "spectra": spectra,
                "overlap_of_tasks": {k: _number(v) for k, v in self.movement.overlap.items()},
                "overlap_within_a_task": {k: _number(v) for k, v in self.movement.within.items()},
                "behaviours_used_by_one_two_and_all_tasks": list(self.movement.used),
                "cka_with_features": _nested(self.representation.with_features),
                "cka_between_tasks": _nested(self.representation.between_tasks),
                "nearest_in_same_task": {
                    layer: _number(one.value) for layer, one in self.distinctness.same_task.items()
                },
                "variance_between_tasks": {
                    layer: _number(one.value) for layer, one in self.distinctness.variance.items()
                },
            },
            "how": list(HOW),
        }


def check(episodes: Sequence[LoadedEpisode], sources: Sequence[str] = ()) -> PaperCheck:
    """Hold the paper's claims against episodes of a subject in its tasks.

    Args:
        episodes: of one subject; those of one seed count as one observation.
        sources: sentences on where they come from.
    """
    sets = sets_of(episodes)
    return PaperCheck(
        timescales(episodes, sets),
        movement_sharing(episodes, sets),
        representation(episodes, responses(episodes, sets)),
        distinctness(episodes),
        {task: len(own) for task, own in by_task(episodes).items()},
        tuple(sources),
    )


def check_recordings(files: Sequence[Path], subject: Subject) -> PaperCheck:
    """Hold the paper's claims against recordings of a subject.

    Raises:
        SubjectError: they are of another subject, or nothing in them is of use.
    """
    try:
        found = read_episodes(files)
        if found.episodes[0].sha256 != subject.sha256:
            raise SubjectError(
                f"the recordings are of another subject than {subject.name} as it is now; make some with "
                f"`rodent-rig dataset {subject.name} --out DIR`"
            )
        return check(load_episodes(found.episodes), found.notes())
    except UserError as problem:
        raise SubjectError(str(problem)) from None


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _nested(estimates: Any) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for (name, layer), one in estimates.items():
        found.setdefault(name, {})[layer] = _number(one.value)
    return found
