"""A stretch of life of several animals, as actors hand it to the learner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
LayerState = tuple[tuple[Array, Array], ...]
"""Per layer (h, c), each (animals, units) float32."""


@dataclass(frozen=True)
class Segment:
    """Some ticks of all animals of one herd; arrays are (ticks, animals, ...), float32 unless said.

    Attributes:
        senses: (T, B, senses) in natural units.
        features: (T, B, features) what the eyes of the network that acted made of the pictures.
        pictures: (T, B, 64, 64, 3) uint8, or None where features are enough.
        action: (T, B, actions) what was done, before it is clipped.
        behaviour_mean: (T, B, actions) the network's mean action.
        behaviour_std: (actions,) its spread.
        log_prob: (T, B) log-density of `action` under the network that acted; NaN where it did not act
            by itself.
        reward: (T, B) the task's reward times `REWARD_SCALES`.
        discount: (T, B) 0 where the task ended the episode, else 1.
        fresh: (T, B) bool, an episode began with this tick (the state is zero then); only at a segment's
            first tick.
        label: (T, B, actions) what the expert would have done.
        cues: (T, B, cues) what the eyes should be able to tell (`auxiliary_targets`), NaN where left out.
        weight: (T, B) how much the label counts (`TaskExpert.weight`); 0 where the animal is lost.
        state: before the first tick.
        task: (B,) int, index into `rig.arenas.names.TASKS`.
        last_senses, last_features: (B, ...) after the last tick, to bootstrap from.
        version: the number of the weights that acted.
    """

    senses: Array
    features: Array
    pictures: Array | None
    action: Array
    behaviour_mean: Array
    behaviour_std: Array
    log_prob: Array
    reward: Array
    discount: Array
    fresh: Array
    label: Array
    cues: Array
    weight: Array
    state: LayerState
    task: Array
    last_senses: Array
    last_features: Array
    version: int


REWARD_SCALES = {"corridor": 1.0, "gaps": 1.0, "forage": 0.4, "escape": 2.0, "two_tap": 0.4}
"""Rewards times these are of about the same size in all tasks: 1 a tick for a good run."""
