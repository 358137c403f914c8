"""Reinforcement learning: what an update changes, a problem with a known optimum, resumed training."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from agent.architecture import NetworkConfig
from agent.errors import SubjectError
from agent.network import Network, core_parameters
from training.learn import reinforcement, training_loop
from training.learn.metrics import MetricsAccumulator
from training.learn.reinforcement import Learner, ReinforcementSettings
from training.learn.sequence_buffer import SequenceBuffer
from training.learn.training_loop import Counts
from training.rollout.actor_pool import ActorPool
from training.rollout.rollout import Rollout

CONFIG = NetworkConfig(
    policy_layers=1,
    core_units=16,
    policy_units=16,
    proprioception_size=2,
    action_size=1,
    vision_channels=(1, 1, 1),
    vision_features=1,
    proprioception_features=(32, 16),
    policy_features=16,
)
DISCOUNT = 0.9


def filled(**known) -> Rollout:
    """A rollout without what reinforcement learning does not read."""
    return Rollout(**{**dict.fromkeys(field.name for field in fields(Rollout)), **known})


def random_rollout(ticks: int = 8, animals: int = 6, seed: int = 0) -> Rollout:
    """A rollout of random numbers that fits `CONFIG`."""
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    mean, std = np.zeros((ticks, animals, 1), np.float32), np.full(1, 0.1, np.float32)
    action = mean + std * some(ticks, animals, 1)
    density = -0.5 * (action / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)
    return filled(
        proprioception=some(ticks, animals, 2), features=some(ticks, animals, 1), images=None,
        action=action, policy_mean=mean, policy_std=std, log_prob=density.sum(-1),
        reward=some(ticks, animals), discount=np.ones((ticks, animals), np.float32),
        is_first=np.zeros((ticks, animals), bool),
        expert_action=np.full((ticks, animals, 1), 0.3, np.float32),
        loss_weight=np.ones((ticks, animals), np.float32),
        state=tuple((some(animals, n), some(animals, n)) for n in CONFIG.layer_sizes),
        task=np.arange(animals) % 2, last_proprioception=some(animals, 2),
        last_features=some(animals, 1), policy_version=0,
    )  # fmt: skip


def learner(**wanted) -> Learner:
    torch.manual_seed(0)
    return Learner(Network(CONFIG), 2, ReinforcementSettings(**{"learning_rate": 1e-2, **wanted}))


def sampled(rollout: Rollout, burn_in: int = 0):
    buffer = SequenceBuffer(1, burn_in)
    buffer.add(rollout)
    return buffer.sample(100, np.random.default_rng(0))


def changed(some: Learner, fraction: float) -> set[str]:
    """Which parameters an update changes."""
    before = {name: p.detach().clone() for name, p in some.network.named_parameters()}
    some.update(sampled(random_rollout()), fraction)
    return {name for name, p in some.network.named_parameters() if not torch.equal(p, before[name])}


CORE = {"lstms.0." + name for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")}
CORE |= {"value.weight", "value.bias"}


def names(network: Network, *starts: str) -> set[str]:
    return {name for name, _ in network.named_parameters() if name.startswith(starts)}


def test_the_policys_gradient_does_not_reach_the_core_but_the_encoder():
    some = learner(value_loss_weight=0.0, kickstart=1.0, critic_warmup=0.0)
    moved = changed(some, 0.0)
    assert moved == names(some.network, "body", "lstms.1", "policy", "action", "log_std")
    assert not moved & CORE


def test_the_values_gradient_trains_core_and_encoder_and_at_first_its_own_layer_alone():
    some = learner(critic_warmup=0.5, max_std=0.12)
    assert len(core_parameters(some.network)) == len(CORE)
    assert changed(some, 0.2) == {"value.weight", "value.bias"}
    everything = {name for name, _ in some.network.named_parameters()}
    assert changed(some, 0.6) == everything - names(some.network, "vision")


def test_the_vision_encoder_learns_only_with_train_vision():
    images = np.random.default_rng(0).integers(0, 255, (8, 6, 64, 64, 3)).astype(np.uint8)
    some = learner(critic_warmup=0.0, train_vision=True)
    before = some.network.vision.out.weight.detach().clone()
    some.update(sampled(replace(random_rollout(), images=images)), 0.0)
    assert not torch.equal(some.network.vision.out.weight, before)


def test_kickstarting_pulls_to_the_experts_action_and_ends():
    settings = ReinforcementSettings(kickstart=0.4, kickstart_until=0.5)
    weights = [settings.kickstart_weight(fraction) for fraction in (0, 0.125, 0.25, 0.5, 1)]
    assert weights == pytest.approx([0.4, 0.3, 0.2, 0, 0])
    assert ReinforcementSettings(kickstart_until=0.0).kickstart_weight(0.0) == 0

    # without rewards the policy moves to the expert's action while there is a weight, and not after
    quiet = replace(random_rollout(), reward=np.zeros((8, 6), np.float32))
    for fraction, expected in ((0.0, True), (0.6, False)):
        some = learner(kickstart=5.0, kickstart_until=0.5, critic_warmup=0.0, value_loss_weight=0.0)
        figures = [some.update(sampled(quiet), fraction) for _ in range(60)]
        fell = figures[-1]["loss/kickstart"] < 0.5 * figures[0]["loss/kickstart"]
        assert fell == expected
        assert (figures[0]["kickstart_weight"] > 0) == expected


def test_only_ticks_of_the_network_itself_are_learned_from():
    rollout = random_rollout()
    rollout.discount[3:, 0] = 0.0  # an episode ended with tick 3, and stands still then
    rollout.log_prob[:, 1] = np.nan  # the expert drove
    rollout.loss_weight[5:, 2] = 0.0  # it lies: its value counts, its actions do not
    rollout.is_first[0, 3] = True  # needs no burn-in
    some = sampled(rollout, burn_in=2)
    order = some.last_proprioception[:, 0].tolist()
    place = [order.index(float(x)) for x in rollout.last_proprioception[:4, 0]]
    own = some.value_mask[:, place].T.int().tolist()
    assert own == [[0, 0, 1, 1, 0, 0, 0, 0], [0] * 8, [0, 0] + [1] * 6, [1] * 8]
    assert some.policy_mask[:, place[2]].int().tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    assert some.expert_weight[:, place[1]].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def test_an_update_that_is_not_a_number_leaves_everything_as_it_was():
    some = learner(critic_warmup=0.0)
    before = {name: p.clone() for name, p in some.state_dict().items()}
    broken = random_rollout()
    broken.reward[0, 0] = np.nan
    metrics = some.update(sampled(broken), 0.0)
    assert metrics["skipped_update"] == 1
    for name, one in some.state_dict().items():
        assert torch.equal(one, before[name]), name


@pytest.mark.parametrize(
    "wanted",
    [
        {"discount": 1.0}, {"top_fraction": 0.0}, {"lambda_": 1.5}, {"updates_per_rollout": 0},
        {"burn_in": 40},
        {"learning_starts": 9}, {"min_std": 0.2}, {"update_target_every": 0},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wanted):
    with pytest.raises(ValueError, match=next(iter(wanted))):
        ReinforcementSettings(**wanted)


def test_returns_are_those_of_whole_episodes():
    recent = MetricsAccumulator(["a", "b"])
    first, second, third = (
        replace(random_rollout(seed=k), task=np.zeros(6, int)) for k in range(3)
    )
    first.is_first[0, 0] = third.is_first[0, 0] = True
    third.is_first[0, 1] = True  # it began before anything was seen
    for rollout in (first, second, third):
        recent.add_rollout(0, rollout)
    whole = first.reward[:, 0].sum() + second.reward[:, 0].sum()
    assert recent.report(0.5, Counts()).returns == {"a": pytest.approx(float(whole), rel=1e-5)}


# --- A problem with a known optimum: a mass on a line, pushed to rest at 0

A = np.array([[1.0, 0.2], [0.0, 1.0]])
B = np.array([[0.0], [0.2]])
Q = np.diag([1.0, 0.1])
R = 0.1
EPISODE_TICKS = 20
SCALE = 0.1
"""Of the reward, so that values are of about the size 1."""


def riccati() -> tuple[np.ndarray, np.ndarray]:
    """The best gain K (u = -K x), and P, whose x'Px is what it costs, discounted."""
    p = Q.copy()
    for _ in range(1000):
        k = np.linalg.solve(R + DISCOUNT * B.T @ p @ B, DISCOUNT * B.T @ p @ A)
        p = Q + DISCOUNT * A.T @ p @ (A - B @ k)
    return k, p


def costs(x: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.einsum("ni,ij,nj->n", x, Q, x) + R * u[:, 0] ** 2


class Masses:
    """An actor: 128 masses, each starting anew every 20 ticks, observed by place and speed."""

    def __init__(self, index: int, replaced: int, n: int = 128) -> None:
        self.n, self.rng = n, np.random.default_rng(index)
        self.network = Network(CONFIG)
        self.x = self.rng.uniform(-2, 2, (n, 2))
        self.state = self.network.zero_state(n)
        self.ticks = 10 * self.rng.integers(0, 2, n)
        self.is_first = np.ones(n, bool)

    def collect_rollout(self, weights, version, ticks, expert_fraction, on_policy, keep_images):
        if weights is not None:
            self.network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        n, std = self.n, self.network.action_std().detach().numpy()
        begin = tuple((h.numpy().copy(), c.numpy().copy()) for h, c in self.state)
        is_first = np.zeros((ticks, n), bool)
        is_first[0], self.is_first = self.is_first, np.zeros(n, bool)
        senses, features = np.zeros((ticks, n, 2), np.float32), np.zeros((ticks, n, 1), np.float32)
        mean, action = (np.zeros((ticks, n, 1), np.float32) for _ in range(2))
        reward, log_prob = (np.zeros((ticks, n), np.float32) for _ in range(2))
        for t in range(ticks):
            senses[t] = self.x
            with torch.no_grad():
                out = self.network.run(
                    torch.from_numpy(senses[t : t + 1]), torch.zeros(1, n, 1), self.state
                )
            self.state, mean[t] = out.state, out.mean[0].numpy()
            noise = self.rng.normal(size=(n, 1))
            action[t] = mean[t] + std * noise
            log_prob[t] = (-0.5 * noise**2 - np.log(std) - 0.5 * np.log(2 * np.pi)).sum(1)
            reward[t] = -SCALE * costs(self.x, action[t])
            self.x = self.x @ A.T + action[t] @ B.T
        last = self.x.astype(np.float32)
        self.ticks += ticks
        for k in np.flatnonzero(self.ticks >= EPISODE_TICKS):
            self.ticks[k], self.is_first[k] = 0, True
            self.x[k] = self.rng.uniform(-2, 2, 2)
            for h, c in self.state:
                h[k] = c[k] = 0
        one = np.ones((ticks, n), np.float32)
        return filled(
            proprioception=senses, features=features, images=None, action=action, policy_mean=mean,
            policy_std=std, log_prob=log_prob, reward=reward, discount=one, is_first=is_first,
            expert_action=np.zeros_like(mean), loss_weight=one, state=begin, task=np.zeros(n, int),
            last_proprioception=last, last_features=features[0], policy_version=version,
        )  # fmt: skip


def cost_of(network: Network) -> float:
    """Mean discounted cost from 200 starts, acting without noise."""
    x = np.random.default_rng(9).uniform(-2, 2, (200, 2))
    state, total = network.zero_state(200), np.zeros(200)
    for tick in range(60):
        seen = torch.from_numpy(x[None].astype(np.float32))
        with torch.no_grad():
            out = network.run(seen, torch.zeros(1, 200, 1), state)
        u, state = out.mean[0].numpy(), out.state
        total += DISCOUNT**tick * costs(x, u)
        x = x @ A.T + u @ B.T
    return float(total.mean())


MASSES = ReinforcementSettings(
    rollouts=150,
    rollout_ticks=10,
    burn_in=2,
    buffer_rollouts=2,
    learning_starts=1,
    updates_per_rollout=4,
    batch_size=192,
    critic_warmup=0.0,
    update_target_every=4,
    learning_rate=3e-3,
    final_learning_rate=1e-4,
    multiplier_learning_rate=2e-2,
    discount=DISCOUNT,
    bound_eta=0.5,
    bound_mean=0.02,
    bound_std=1e-3,
    kickstart=0.0,
    min_std=0.05,
    max_std=0.5,
    value_loss_weight=1.0,
)


def masses_network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    network = Network(CONFIG)
    torch.nn.init.constant_(network.log_std, math.log(0.4))
    return network


def test_vmpo_comes_close_to_the_optimum_of_a_linear_quadratic_problem(tmp_path):
    # here: every process that runs tests would load it
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    starts = np.random.default_rng(9).uniform(-2, 2, (200, 2))
    _, p = riccati()
    best = np.einsum("ni,ij,nj->n", starts, p, starts).mean()
    # seed 0 is the one on which the settings were chosen
    network = masses_network(seed=1)
    assert cost_of(network) > 5 * best
    writer = SummaryWriter(tmp_path / "tensorboard")
    reports = []
    with ActorPool(Masses, 1) as pool:
        reinforcement.train(
            network,
            pool,
            replace(MASSES, seed=1),
            tmp_path / "masses.safetensors",
            ["mass"],
            reports.append,
            writer,
        )
    writer.close()
    assert best < cost_of(network) < 1.5 * best
    assert reports[-1].fraction == 1.0
    assert reports[-1].learner["explained_variance"] > 0.7
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    written = {scalar: events.Scalars(scalar)[-1] for scalar in events.Tags()["scalars"]}
    assert written["reward/mass"].value == pytest.approx(reports[-1].reward["mass"], rel=1e-5)
    assert written["return/mass"].step == MASSES.rollouts
    expected = {"learner/loss/value", "learner/kl/mean", "learner/eta", "learner/alpha/mean"}
    assert {*expected, "learner/entropy", "ticks_per_s"} <= set(written)


def test_training_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "masses.safetensors"
    short = replace(MASSES, rollouts=12, critic_warmup=0.0)
    monkeypatch.setattr(training_loop, "CHECKPOINT_EVERY_S", 0.0)

    class Interrupted(Masses):
        collected = 0

        def collect_rollout(self, *how):
            self.collected += 1
            if self.collected > 6:
                raise KeyboardInterrupt
            return super().collect_rollout(*how)

    stopped = masses_network()
    with pytest.raises(KeyboardInterrupt), ActorPool(Interrupted, 1) as pool:
        reinforcement.train(stopped, pool, short, path, ["mass"], lambda now: None)
    received = []

    class Listening(Masses):
        def collect_rollout(self, weights, *how):
            received.append(weights)
            return super().collect_rollout(weights, *how)

    network = masses_network(seed=5)
    with ActorPool(Listening, 1) as pool:
        learner, _ = reinforcement.train(network, pool, short, path, ["mass"], lambda now: None)
    assert len(received) == 6
    np.testing.assert_array_equal(received[0]["action.weight"], stopped.action.weight.detach())
    assert learner.updates == 6 * short.updates_per_rollout
    steps = {int(one["step"]) for one in learner.optimiser.state.values()}
    assert steps == {12 * short.updates_per_rollout}
    # finished: nothing is collected any more
    again = masses_network(seed=6)
    with ActorPool(Interrupted, 1) as pool:
        reinforcement.train(again, pool, short, path, ["mass"], lambda now: None)
    assert torch.equal(again.action.weight, network.action.weight)


def test_a_checkpoint_that_is_damaged_or_of_another_network_is_refused(tmp_path):
    path = tmp_path / "masses.safetensors"
    with ActorPool(Masses, 1) as pool:
        settings = replace(MASSES, rollouts=1)
        reinforcement.train(masses_network(), pool, settings, path, ["mass"], lambda now: None)
        other = Network(replace(CONFIG, core_units=8))
        with pytest.raises(SubjectError, match="cannot be resumed"):
            reinforcement.train(other, pool, settings, path, ["mass"], lambda now: None)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(SubjectError, match="cannot be resumed"):
            reinforcement.train(masses_network(), pool, settings, path, ["mass"], lambda now: None)
