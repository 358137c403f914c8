"""DAgger on the real tasks: one network learns from four experts at once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from agent.architecture import NetworkConfig
from agent.network import Network
from tests.plain_rollouts import plain_rollout
from training.learn import dagger
from training.learn.imitation_losses import action_error
from training.learn.vision import VisionSettings
from training.rollout.actor_pool import ActorPool, Request, Result
from training.rollout.rollout import Rollout
from training.rollout.rollout_store import RolloutStore
from training.rollout.vector_env import VectorEnv, VectorEnvSettings, to_input

SKILLS = Path(__file__).resolve().parents[1] / "subjects" / "rodent" / "skills"
CONFIG = NetworkConfig(policy_layers=1)
ENVIRONMENTS = VectorEnvSettings(gaps=1, forage=1, escape=1, two_tap=1, shadows_every=0)
GAPS, FORAGE, _, TWO_TAP = range(4)


def errors(network: Network, rollouts: list[Rollout]) -> tuple[np.ndarray, np.ndarray]:
    """By environment: error of the network along consecutive rollouts, and of the best constant action."""
    state = network.zero_state(len(ENVIRONMENTS.tasks))
    square = []
    for one in rollouts:
        first = torch.from_numpy(one.is_first[0])[:, None]
        state = tuple((torch.where(first, 0.0, h), torch.where(first, 0.0, c)) for h, c in state)
        senses, features = torch.from_numpy(one.proprioception), torch.from_numpy(one.features)
        with torch.no_grad():
            out = network.run(senses, features, state)
        state = out.state
        square.append(action_error(out.mean, torch.from_numpy(one.expert_action)).pow(2).mean(-1))
    weight = np.concatenate([one.loss_weight for one in rollouts])
    expert = np.concatenate([one.expert_action for one in rollouts])
    constant = (expert * weight[..., None]).sum(0) / weight.sum(0)[:, None]

    def root_mean(values: np.ndarray) -> np.ndarray:
        return np.sqrt((values * weight).sum(0) / weight.sum(0))

    return root_mean(torch.cat(square).numpy()), root_mean(((expert - constant) ** 2).mean(-1))


class Plain:
    """An actor whose images are black, and whose features are the number of the weights."""

    def __init__(self, index: int, replaced: int) -> None:
        pass

    def collect_rollout(self, weights, version, ticks, expert_fraction, on_policy, keep_images):
        rollout = replace(plain_rollout(version, is_first=True), policy_version=version)
        return rollout if keep_images else replace(rollout, images=None)


class Late(ActorPool[Rollout]):
    """Brings what was asked for two rollouts ago, as actors in other processes do."""

    def next(self, request: Request) -> Result[Rollout]:
        self.waiting = getattr(self, "waiting", [])
        while len(self.waiting) < 3:
            self.waiting.append(super().next(request))
        return self.waiting.pop(0)


def test_no_rollout_keeps_features_of_the_encoder_before_it_was_retrained(tmp_path):
    network = Network(CONFIG)
    settings = dagger.DaggerSettings(
        rollouts=6, learning_starts=1, rollout_ticks=4, updates_per_rollout=1, batch_size=2,
        retrain_vision_at=0.5, image_buffer_every=1,
    )  # fmt: skip
    path, vision = tmp_path / "dagger.safetensors", VisionSettings(updates=1, batch_size=2)
    with Late(Plain, 1) as pool:
        dagger.train(network, pool, settings, path, lambda now: None, vision=vision)
    black = network.vision(to_input(np.zeros((1, 64, 64, 3), np.uint8))).detach().numpy()[0]
    rollouts = RolloutStore(tmp_path / "dagger-rollouts", 8).load_all()
    assert [one.policy_version for one in rollouts] == [1, 1, 1, 2, 3, 4]
    for one in rollouts[:5]:
        np.testing.assert_allclose(
            one.features, np.broadcast_to(black, one.features.shape), atol=1e-5
        )
    assert (rollouts[5].features == 4).all()  # of the encoder as it is now


def test_one_network_learns_to_imitate_four_experts(tmp_path):
    torch.manual_seed(0)
    network = Network(CONFIG)
    settings = dagger.DaggerSettings(
        rollouts=8,
        learning_starts=4,
        rollout_ticks=16,
        expert_decay_rollouts=1000,
        updates_per_rollout=25,
        batch_size=8,
        ema=0.0,
        learning_rate=5e-3,
        final_learning_rate=1e-3,
    )
    with ActorPool(partial(VectorEnv, CONFIG, ENVIRONMENTS, SKILLS), 1) as pool:
        dagger.train(network, pool, settings, tmp_path / "dagger.safetensors", lambda now: None)
    learned, constant = errors(network, RolloutStore(tmp_path / "dagger-rollouts", 8).load_all())
    assert (learned < 0.7 * constant).all(), "it does not fit what it was trained on"
    environments = VectorEnv(CONFIG, ENVIRONMENTS, SKILLS, seed=77)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    new = [environments.collect_rollout(weights if k == 0 else None, 1, 16, 1.0) for k in range(3)]
    environments.close()
    error, constant = errors(network, new)
    # one animal that gets up once says little about getting up from another pose
    for task in (GAPS, FORAGE, TWO_TAP):
        assert error[task] < 0.8 * constant[task], "it does not imitate in a new episode"
