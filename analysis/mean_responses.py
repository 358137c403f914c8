"""Mean population vectors and mean features of behaviours, episode by episode (the paper's A.4).

Behaviours are k-means clusters of one of the eight sets of features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.loaded_episodes import FeatureSets, LoadedEpisode, sets_of, z_scored_activity
from analysis.sharing import LEAST_TICKS, partition

Array = np.ndarray


@dataclass(frozen=True)
class Responses:
    """Of one set of features: what every episode adds to the mean of each behaviour.

    Attributes:
        sums: (episodes, behaviours, units) of all units, float64.
        features: (episodes, behaviours, features).
        ticks: (episodes, behaviours) how many.
    """

    sums: Array
    features: Array
    ticks: Array

    def behaviours(self, *groups: Sequence[int]) -> Array:
        """Those that every one of these groups of episodes uses, (n,) int."""
        used = [self.ticks[list(group)].sum(0) >= LEAST_TICKS for group in groups]
        return np.flatnonzero(np.all(used, axis=0))

    def means(self, episodes: Sequence[int], behaviours: Array) -> tuple[Array, Array]:
        """Mean population vectors (behaviours, units), and mean features, of some of the episodes."""
        some = list(episodes)
        n = self.ticks[some].sum(0)[behaviours, None]
        return (
            self.sums[some].sum(0)[behaviours] / n,
            self.features[some].sum(0)[behaviours] / n,
        )


def responses(
    episodes: Sequence[LoadedEpisode], sets: FeatureSets | None = None, state: str = "h"
) -> dict[str, Responses]:
    """By set of features, what every episode adds to the mean of each behaviour.

    Args:
        episodes: of one subject.
        sets: their `sets_of`, where these were made already.
        state: "h" or "c"; z-scored.
    """
    activity = z_scored_activity(episodes, state)
    found = {}
    for name, parts in (sets or sets_of(episodes)).items():
        labels = partition(parts)
        n = max(int(each.max()) for each in labels) + 1
        which = [np.eye(n, dtype=np.float32)[each].T for each in labels]
        found[name] = Responses(
            np.stack([w @ part for w, part in zip(which, activity, strict=True)]).astype(float),
            np.stack([w @ part for w, part in zip(which, parts, strict=True)]).astype(float),
            np.stack([w.sum(1) for w in which]),
        )
    return found
