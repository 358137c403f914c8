"""Vector environments: what is collected, kept and learned from."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from agent.architecture import NetworkConfig
from agent.network import Network
from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera
from rig.arenas.gaps import gaps_of
from rig.arenas.names import TASKS
from rig.arenas.senses import Senses, flatten
from tests.plain_rollouts import plain_rollout
from training.learn import dagger, imitation_losses
from training.learn.replay_buffer import ReplayBuffer
from training.rollout.auxiliary_targets import TARGETS, as_array
from training.rollout.rollout_store import RolloutStore
from training.rollout.vector_env import (
    NEAR_TARGET_TICKS,
    VectorEnv,
    VectorEnvSettings,
    to_input,
)

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "subjects" / "rodent" / "skills"


def test_the_replay_buffer_keeps_the_newest_and_weights_burn_in_less():
    replay = ReplayBuffer(capacity=3, burn_in=2)
    for value in range(5):
        replay.add(plain_rollout(value, is_first=value == 4))
    assert [float(s.reward[0, 0]) for s in replay.rollouts] == [2, 3, 4]
    assert all(s.images is None for s in replay.rollouts)
    batch = replay.sample(32, 1, 0.5, np.random.default_rng(0))
    assert batch.proprioception.shape == (4, 32, 158)
    newest = batch.reward[0] == 4
    assert newest.sum() >= 16
    assert (batch.loss_weight[:2, newest] == 1).all()
    assert (batch.loss_weight[:2, ~newest] < 1).all()
    assert (batch.loss_weight[2:] == 1).all()


def test_rollouts_on_disk_come_back_whole_and_the_oldest_go(tmp_path):
    store = RolloutStore(tmp_path / "rollouts", 3)
    assert store.load_all() == []
    for number in range(5):
        store.add(number, plain_rollout(number, is_first=number == 4))
    back = RolloutStore(tmp_path / "rollouts", 3).load_all()
    assert [float(one.reward[0, 0]) for one in back] == [2, 3, 4]
    given = plain_rollout(4, is_first=True)
    for name in (
        "proprioception",
        "features",
        "expert_action",
        "is_first",
        "task",
        "last_proprioception",
    ):
        np.testing.assert_array_equal(getattr(back[-1], name), getattr(given, name))
    for ours, theirs in zip(back[-1].state, given.state, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # one that is damaged does not end the training, and is counted
    (tmp_path / "rollouts" / "000003.safetensors").write_bytes(b"half")
    assert [float(one.reward[0, 0]) for one in store.load_all()] == [2, 4]
    assert store.unreadable == 1
    store.clear()
    assert store.load_all() == []


def test_a_rollout_is_what_the_task_gives():
    """Proprioception, images and rewards are those of the environment under the same actions."""
    settings = VectorEnvSettings(
        gaps=1,
        forage=0,
        escape=0,
        two_tap=0,
        shadows_every=0,
        muscle_perturbation=0.0,
        velocity_perturbation=0.0,
    )
    environments = VectorEnv(NetworkConfig(policy_layers=1), settings, SHIPPED, seed=3)
    rollout = environments.collect_rollout(None, 7, 5, expert_fraction=0.0, keep_images=True)
    state = np.random.RandomState(np.random.SeedSequence([3, 2]).spawn(1)[0].generate_state(4))
    environment = tasks.make("gaps", state)
    environment.reset()
    senses = Senses(environment)
    camera = EgocentricCamera(environment.physics.model.ptr, environment.physics.data.ptr, "fast")
    for t in range(5):
        np.testing.assert_array_equal(rollout.proprioception[t, 0], flatten(senses.observe()))
        np.testing.assert_array_equal(rollout.images[t, 0], camera.render())
        step = environment.step(np.clip(rollout.action[t, 0], -1, 1))
        assert rollout.reward[t, 0] == pytest.approx(step.reward)
    assert rollout.policy_version == 7
    assert rollout.is_first[0].all()
    assert not rollout.is_first[1:].any()
    camera.close()
    environments.close()


def test_a_rollout_can_be_computed_again_from_itself():
    """Means from the stored state, proprioception and features equal those of the network that acted."""
    settings = VectorEnvSettings(gaps=0, forage=0, escape=0, two_tap=2)
    environments = VectorEnv(NetworkConfig(), settings, SHIPPED, seed=4)
    network = Network(NetworkConfig())
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    for first in (True, False):
        rollout = environments.collect_rollout(
            weights if first else None, 1, 6, 0.5, on_policy=True
        )
        assert rollout.is_first[0].all() == first
        state = tuple((torch.from_numpy(h), torch.from_numpy(c)) for h, c in rollout.state)
        with torch.no_grad():
            out = network.run(
                torch.from_numpy(rollout.proprioception), torch.from_numpy(rollout.features), state
            )
        np.testing.assert_allclose(out.mean.numpy(), rollout.policy_mean, atol=1e-5)
    environments.close()


def test_an_environment_whose_animal_is_stuck_is_reset():
    """Or animals astride a gap gather, and nothing is learned from them any more."""
    settings = VectorEnvSettings(
        gaps=1, forage=0, escape=0, two_tap=0, muscle_perturbation=0.0, velocity_perturbation=0.0
    )
    environments = VectorEnv(NetworkConfig(policy_layers=1), settings, SHIPPED, seed=3)
    network = Network(NetworkConfig(policy_layers=1))
    torch.nn.init.zeros_(network.action.weight)
    torch.nn.init.zeros_(network.action.bias)
    still = {name: value.numpy() for name, value in network.state_dict().items()}
    # at first it slips back by 5 cm
    environments.collect_rollout(still, 1, 250, expert_fraction=0.0)
    stuck = environments.collect_rollout(None, 1, 60, expert_fraction=0.0)
    assert not stuck.is_first.any()
    assert stuck.loss_weight[:50].all(), "it still had time"
    assert not stuck.loss_weight[50:].any()
    after = environments.collect_rollout(None, 1, 2, expert_fraction=0.0)
    assert after.is_first[0].all()
    assert after.loss_weight.all()
    environments.close()


def test_what_is_seldom_done_counts_more():
    """Loss weights are the experts': three times as much for a tap as for what leads to it."""
    settings = VectorEnvSettings(
        gaps=0, forage=0, escape=0, two_tap=1, muscle_perturbation=0.0, velocity_perturbation=0.0
    )
    environments = VectorEnv(NetworkConfig(policy_layers=1), settings, SHIPPED, seed=5)
    weight = np.concatenate(
        [environments.collect_rollout(None, 1, 100, 1.0).loss_weight[:, 0] for _ in range(4)]
    )
    assert set(weight) == {1.0, 3.0}, "an animal that rears for a tap was taken for one that lies"
    assert (weight == 1.0).mean() > 0.5
    environments.close()


def test_rollouts_are_encoded_again_by_another_vision_encoder():
    settings = VectorEnvSettings(gaps=1, forage=0, escape=0, two_tap=1)
    environments = VectorEnv(NetworkConfig(), settings, SHIPPED, seed=4)
    before, after = Network(NetworkConfig()), Network(NetworkConfig())
    weights = {name: value.numpy() for name, value in before.state_dict().items()}
    rollout = environments.collect_rollout(weights, 1, 5, 0.5, keep_images=True)
    same = dagger.encode_again(before, rollout)
    np.testing.assert_allclose(same.features, rollout.features, atol=1e-5)
    anew = dagger.encode_again(after, rollout)
    assert anew.images is None
    with torch.no_grad():
        third = after.vision(to_input(rollout.images[3])).numpy()
    np.testing.assert_allclose(anew.features[3], third, atol=1e-5)
    np.testing.assert_array_equal(anew.proprioception, rollout.proprioception)
    environments.close()


def test_targets_are_left_out_where_they_do_not_apply():
    targets = as_array({"orb_seen": 1.0, "near_edge": 0.4})
    assert targets.shape == (len(TARGETS),)
    assert targets[TARGETS.index("near_edge")] == pytest.approx(2.0)
    assert np.isnan(targets).sum() == len(TARGETS) - 2


def test_lambda_returns_are_the_discounted_mean_reward():
    rewards, discounts = 0.03 * torch.ones(400, 2), 0.97 * torch.ones(400, 2)
    targets = imitation_losses.lambda_returns(rewards, discounts, torch.zeros(400, 2), 1.0)
    assert targets[0, 0] == pytest.approx(1.0, abs=1e-4)
    assert targets[-1, 0] == 0
    exact = imitation_losses.lambda_returns(rewards, discounts, torch.ones(400, 2), 0.5)
    torch.testing.assert_close(exact, torch.ones(400, 2))
    # nothing after an episode's end counts before it
    discounts[10] = 0
    ended = imitation_losses.lambda_returns(rewards, discounts, torch.ones(400, 2), 1.0)
    assert ended[10, 0] == pytest.approx(0.03)


def test_episodes_begin_near_a_target():
    settings = VectorEnvSettings(
        gaps=2,
        forage=0,
        escape=1,
        two_tap=2,
        muscle_perturbation=0.0,
        velocity_perturbation=0.0,
        start_near_target=1.0,
    )
    environments = VectorEnv(NetworkConfig(policy_layers=1), settings, SHIPPED, seed=6)
    environments.collect_rollout(None, 1, 1, 1.0)
    for k in range(len(environments)):
        environments._reset(k)
    for animal in environments.envs:
        place, task = animal._data.qpos[:2].copy(), animal._environment.task
        upright = animal._data.xmat[animal._torso, 8]
        if animal.task == "two_tap":
            orb = animal._model.geom_pos[task._targets[0][0].geom_id]
            assert 0.04 < np.hypot(*(orb[:2] - place)) < 2.3
            assert upright > 0.8
        if animal.task == "gaps":
            near, _ = gaps_of(animal._model, animal._data)
            assert 0.04 < (near - place[0])[near > place[0]].min() < 0.81
            assert upright > 0.8
    # an episode in the bowl begins with what counts there, too: it is as short
    assert (environments._limit == NEAR_TARGET_TICKS).all()
    # the physics goes on from there as if the animal had walked there
    rollout = environments.collect_rollout(None, 1, 40, 1.0)
    assert (rollout.loss_weight[:, rollout.task == TASKS.index("two_tap")] > 0).all()
    environments.close()


def test_a_resumed_stage_and_an_actor_that_replaces_another_meet_other_arenas():
    """The same seed makes the same arenas; what had been done, or had died, before makes others."""
    settings = VectorEnvSettings(gaps=1, forage=0, escape=0, two_tap=1)
    found = []
    for resumed, replaced in ((0, 0), (0, 0), (6, 0), (0, 1)):
        torch.manual_seed(1)
        environments = VectorEnv(
            NetworkConfig(policy_layers=1), settings, SHIPPED, 6, resumed, replaced
        )
        found.append(environments.collect_rollout(None, 1, 1, 1.0))
        environments.close()
    begun, again, *others = found
    np.testing.assert_array_equal(begun.features, again.features)
    np.testing.assert_array_equal(begun.action, again.action)
    for one, other in itertools.combinations((begun, *others), 2):
        assert (one.features != other.features).any(axis=(0, 2)).all()
        assert (one.action != other.action).any()
