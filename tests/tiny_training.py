"""A training that is over in half a minute: its settings, and what it leaves, made once for all tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evaluation.trained_subject import score
from tests.shared_recordings import made_once
from training.pipeline import train

TINY = """
name = "tiny"
[network]
policy_layers = 2
skip = false
[vector_env]
corridor = 2
gaps = 0
forage = 0
escape = 0
two_tap = 0
shadows_every = 2
[gait]
coarse_generations = 2
stock_generations = 1
coarse_population = 4
stock_population = 4
rollout_s = 0.4
[steering]
generations = 1
population = 4
rollout_s = 0.3
[vision]
ticks = 20
image_every = 1
updates = 3
batch_size = 8
[dagger]
rollouts = 6
rollout_ticks = 6
expert_decay_rollouts = 2
updates_per_rollout = 2
batch_size = 4
[reinforcement]
rollouts = 0
[evaluation]
episodes = 1
stock_episodes = 1
duration_s = 0.4
"""


DISTILLED = """
[distillation]
teacher = "{teacher}"
rollouts = 6
updates = 41
batch_size = 4
rollouts_per_sequence = 3
"""


REINFORCED = """
[reinforcement]
rollouts = 3
rollout_ticks = 6
burn_in = 1
buffer_rollouts = 2
learning_starts = 1
critic_warmup = 0
update_target_every = 1
"""


class Interrupted(Exception):
    """What a test raises in the middle of a stage."""


Report = tuple[str, float, str]
"""Stage, the fraction of it that is done, a line of text."""


def small_training(factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Report]]:
    """A copy of one small training, from nothing to a scored subject: place, subject, what was reported."""

    def make(place: Path) -> None:
        (place / "tiny.toml").write_text(TINY)
        reports: list[Report] = []
        train(
            place / "tiny.toml",
            work=place / "work",
            threads=1,
            progress=lambda stage, done, text: reports.append((stage, done, text)),
            evaluate=score,
        )
        (place / "reports.json").write_text(json.dumps(reports))

    made = made_once(factory, "small_training", make)
    place = factory.mktemp("training") / "copy"  # tests go on with it
    shutil.copytree(made, place)
    reports = [tuple(each) for each in json.loads((place / "reports.json").read_text())]
    return place, place / "tiny", reports
