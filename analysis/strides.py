"""Strides while running: when a hind foot is in the middle of its stance.

The paper finds mid-stance by hand in the principal components of policy 2; that would align activity with
itself. Here it is read from the paw. In stance a foot moves backwards under the body: mid-stance is half way
from its foremost to its rearmost place, while the animal runs. (Contacts of the soles do not say it: this
animal runs on its toes, and its soles hardly touch the ground.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import signal

from analysis.episodes import Episode, body, during
from recorder.reading import Recording
from rig.errors import UserError

Array = np.ndarray

STRIDE_HZ = (2.0, 9.0)
"""Strides of the animals lie at 3 to 6 Hz."""
LEAST_SWEEP_M = 0.006
HALF_S = 0.1
"""Before and after mid-stance: 200 ms, as in the paper."""
LEAST_STRIDES = 20
LEAST_EPISODES = 2


def middles_of_stance(ahead_m: Array, rate_hz: float) -> list[int]:
    """The ticks at which a foot is half way back from its foremost to its rearmost place.

    >>> t = np.arange(100) / 50
    >>> middles_of_stance(0.02 * np.sin(2 * np.pi * 4 * t), 50)[2:5]
    [31, 44, 56]

    Args:
        ahead_m: (ticks,) how far the foot is ahead of the trunk.
        rate_hz: ticks per second.
    """
    if len(ahead_m) < 40:
        return []
    band = signal.butter(2, STRIDE_HZ, "bandpass", fs=rate_hz, output="sos")
    swing = signal.sosfiltfilt(band, ahead_m)
    foremost, _ = signal.find_peaks(swing)
    rearmost, _ = signal.find_peaks(-swing)
    found = []
    for start in foremost:
        after = rearmost[rearmost > start]
        if not len(after) or swing[start] - swing[after[0]] < LEAST_SWEEP_M:
            continue
        sweep = swing[start : after[0] + 1]
        half = (sweep[0] + sweep[-1]) / 2
        found.append(int(start + np.argmin(np.abs(sweep - half))))
    return found


def mid_stances(recording: Recording, episode: Episode) -> list[int]:
    """The rows of an episode at which the left hind foot is in the middle of its stance while running."""
    names = ("foot_L_x", "foot_L_y", "torso_x", "torso_y", "yaw")
    foot_x, foot_y, x, y, yaw = body(recording, episode, *names).T
    ahead_m = np.cos(yaw) * (foot_x - x) + np.sin(yaw) * (foot_y - y)
    running = during(recording, episode, "run")
    return [row for row in middles_of_stance(ahead_m, episode.rate_hz) if running[row]]


def tasks_with_strides(counts: Array, tasks: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The episodes that have strides, by task, of the tasks that have enough of them.

    Args:
        counts: (episodes,) strides of each.
        tasks: the task of each.

    Raises:
        UserError: fewer than two tasks have enough strides.
    """
    groups = {}
    for task in dict.fromkeys(tasks):
        own = tuple(k for k in np.flatnonzero(counts).tolist() if tasks[k] == task)
        if len(own) >= LEAST_EPISODES and counts[list(own)].sum() >= LEAST_STRIDES:
            groups[task] = own
    if len(groups) < 2:
        raise UserError(
            f"Strides are compared between tasks with {LEAST_STRIDES} of them in {LEAST_EPISODES} episodes, "
            f"and {len(groups) or 'no'} task has so many; record more with: rodent-rig dataset SUBJECT "
            "--episodes 25 --out DIR."
        )
    return groups
