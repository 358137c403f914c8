"""Settings, checkpoints, rollouts and work folders of earlier versions are read under their present names."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from agent.errors import SubjectError
from tests.plain_rollouts import plain_rollout
from training import migration, settings
from training.learn import checkpoint
from training.rollout.rollout_store import RolloutStore

OLD = """
[backing]
generations = 3
[herd]
gaps = 2
soft_every = 3
push = 0.1
near = 0.25
[fleet]
workers = 2
ray = "local"
[vision]
every = 2
batches = 7
batch = 16
[apprenticeship]
teacher = "rodent"
segments = 20
joined = 2
[imitation]
segments = 30
segment_ticks = 64
expert_least = 0.3
updates = 9
sequences = 12
blur = 0.1
average = 0.9
trace = 0.8
look_again = 1.0
[reinforcement]
segments = 5
critic_part = 0.2
best_part = 0.4
eyes_open = true
"""
NEW = """
[walking_backward]
generations = 3
[vector_env]
gaps = 2
shadows_every = 3
muscle_perturbation = 0.1
start_near_target = 0.25
[actors]
count = 2
ray = "local"
[vision]
image_every = 2
updates = 7
batch_size = 16
[distillation]
teacher = "rodent"
rollouts = 20
rollouts_per_sequence = 2
[dagger]
rollouts = 30
rollout_ticks = 64
min_expert_fraction = 0.3
updates_per_rollout = 9
batch_size = 12
input_noise = 0.1
ema = 0.9
lambda_ = 0.8
retrain_vision_at = 1.0
[reinforcement]
rollouts = 5
critic_warmup = 0.2
top_fraction = 0.4
train_vision = true
"""


def test_old_settings_say_the_same_as_new_ones(tmp_path):
    (tmp_path / "one.toml").write_text(OLD)
    old = settings.read(tmp_path / "one.toml")
    (tmp_path / "one.toml").write_text(NEW)
    assert settings.read(tmp_path / "one.toml") == old
    assert old.dagger.rollouts == 30


def test_every_new_name_is_a_setting():
    """A name that was mistyped in the table would make old files unreadable."""
    empty = settings.Settings("any")
    for section, names in migration.SETTINGS.items():
        known = vars(getattr(empty, section))
        assert set(names.values()) <= set(known), section
        assert not set(names) & set(known) - {"updates"}, section


def test_one_setting_under_both_names_is_refused(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text("[dagger]\nrollouts = 3\nsegments = 4\n")
    with pytest.raises(SubjectError, match=r"\[dagger\] has both 'segments' and 'rollouts'"):
        settings.read(path)


def test_a_search_that_is_gone_is_named(tmp_path):
    path = tmp_path / "old.toml"
    path.write_text("[leaping]\ngenerations = 3\n")
    with pytest.raises(
        SubjectError, match=r"the search of \[leaping\] is gone; delete that section"
    ):
        settings.read(path)


def test_old_checkpoints_are_resumed(tmp_path):
    path = tmp_path / "dagger.safetensors"
    network, average = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(2)).sum().backward()
    optimiser.step()
    checkpoint.save(path, network, optimiser, 7, ema=average)
    tensors = load_tensors(path.read_bytes())
    renamed = {
        name.replace("online.", "learning.").replace("completed", "done"): value
        for name, value in tensors.items()
    }
    assert {"learning.weight", "done"} <= set(renamed)
    path.write_bytes(save_tensors(renamed))
    again, again_average = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    moments = torch.optim.Adam(again.parameters())
    assert checkpoint.load(path, again, moments, again_average) == (7, {})
    assert torch.equal(again.weight, network.weight)
    assert torch.equal(again_average.weight, average.weight)
    assert moments.state[again.weight]["step"] == 1
    assert checkpoint.completed(path) == 7


def test_old_rollouts_are_read(tmp_path):
    store = RolloutStore(tmp_path, 2)
    store.add(0, plain_rollout(3, is_first=True))
    (path,) = tmp_path.iterdir()
    old_names = {new: old for old, new in migration.ROLLOUT_ARRAYS.items()}
    arrays = load_arrays(path.read_bytes())
    assert set(old_names) <= set(arrays)
    path.write_bytes(save_arrays({old_names.get(k, k): v for k, v in arrays.items()}))
    (rollout,) = store.load_all()
    assert store.unreadable == 0
    np.testing.assert_array_equal(rollout.proprioception, plain_rollout(3, True).proprioception)
    assert rollout.is_first[0].all()


def test_files_of_old_work_folders_get_their_present_names(tmp_path):
    (tmp_path / "imitation-lived").mkdir()
    (tmp_path / "imitation.safetensors").write_bytes(b"old")
    (tmp_path / "apprenticeship.safetensors").write_bytes(b"old")
    (tmp_path / "distillation.safetensors").write_bytes(b"new")
    migration.rename_work_files(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "dagger-rollouts",
        "dagger.safetensors",
        "distillation.safetensors",
        "apprenticeship.safetensors",
    }
    assert (tmp_path / "distillation.safetensors").read_bytes() == b"new"
