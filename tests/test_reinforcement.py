"""Reinforcement: V-trace by hand, V-MPO's properties, a problem with a known optimum, resumed training."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.distributions import Independent, Normal, kl_divergence
from torch.utils.tensorboard import SummaryWriter
from torchrl.objectives.value.functional import vtrace_advantage_estimate

from agent.errors import SubjectError
from agent.network import Network, NetworkConfig, core_parameters
from agent.training import reinforcement, vmpo
from agent.training.course import Course
from agent.training.experience import Experience
from agent.training.fleet import Fleet
from agent.training.reinforcement import Learner, Reinforcement
from agent.training.segments import Segment
from agent.training.vmpo import Bounds, Gaussian, Multipliers
from agent.training.vtrace import vtrace

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


# --- V-trace


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_vtrace_of_three_ticks_by_hand():
    traced = vtrace(
        reward=column(1, 2, 3),
        discount=column(0.5, 0.5, 0.5),
        value=column(4, 2, 6),
        last_value=torch.tensor([8.0]),
        log_ratio=column(math.log(2), math.log(0.5), 0.0),
        trace=0.5,
    )
    # ratios 2, 1/2, 1 are clipped to 1, 1/2, 1; so, from the end:
    # surprise 3 + 4 - 6 = 1                 target 6 + 1 = 7
    # surprise 1/2 (2 + 3 - 2) = 1.5         target 2 + 1.5 + 1/2 1/2 1/2 1 = 3.625
    # surprise 1 + 1 - 4 = -2                target 4 - 2 + 1/2 1/2 1 1.625 = 2.40625
    assert traced.target.squeeze().tolist() == pytest.approx([2.40625, 3.625, 7])
    # 1 + 3.625 / 2 - 4, 2 + 7 / 2 - 2, 3 + 8 / 2 - 6
    assert traced.advantage.squeeze().tolist() == pytest.approx([-1.1875, 3.5, 1])
    assert traced.ratio.squeeze().tolist() == pytest.approx([1, 0.5, 1])


def test_vtrace_of_the_policy_that_acted_is_the_discounted_return():
    rng = torch.Generator().manual_seed(0)
    reward, value = torch.randn(2, 12, 5, generator=rng)
    last = torch.randn(5, generator=rng)
    discount = torch.full((12, 5), 0.9)
    discount[4, 2] = 0.0
    traced = vtrace(reward, discount, value, last, torch.zeros(12, 5))
    expected, ahead = [], last
    for tick in reversed(range(12)):
        ahead = reward[tick] + discount[tick] * ahead
        expected.append(ahead)
    torch.testing.assert_close(traced.target, torch.stack(expected[::-1]))
    torch.testing.assert_close(traced.advantage, traced.target - value)
    # what comes after its end does not reach the episode before
    torch.testing.assert_close(
        traced.target[:5, 2],
        vtrace(reward[:5], discount[:5], value[:5], last, torch.zeros(5, 5)).target[:, 2],
    )


def test_vtrace_agrees_with_torchrl():
    rng = torch.Generator().manual_seed(1)
    reward, value, log_pi, log_mu = torch.randn(4, 20, 6, generator=rng)
    last = torch.randn(6, generator=rng)
    over = torch.rand(20, 6, generator=rng) < 0.1
    mine = vtrace(reward, 0.95 * ~over, value, last, log_pi - log_mu)

    def theirs(x: torch.Tensor) -> torch.Tensor:
        return x.T[..., None]

    following = torch.cat([value[1:], last[None]])
    advantage, target = vtrace_advantage_estimate(
        0.95, *(theirs(x) for x in (log_pi, log_mu, value, following, reward, over, over))
    )
    torch.testing.assert_close(theirs(mine.target), target)
    torch.testing.assert_close(theirs(mine.ratio * mine.advantage), advantage)


def test_nothing_is_learned_from_actions_that_the_policy_would_never_take():
    value = column(1, 2, 3)
    never = torch.full((3, 1), -torch.inf)
    traced = vtrace(column(5, 5, 5), column(0.9, 0.9, 0.9), value, torch.tensor([9.0]), never)
    torch.testing.assert_close(traced.target, value)


# --- V-MPO


def test_the_better_half_counts_by_its_exponentiated_advantage_in_each_task():
    advantage = torch.tensor([3.0, 1.0, 2.0, 0.0, 50.0, -50.0])
    task = torch.tensor([0, 0, 0, 0, 1, 1])
    log_eta = torch.tensor([math.log(2.0), 0.0])
    weights, _ = vmpo.expectation(advantage, torch.zeros(6), task, log_eta, 0.1)
    # of the four in the first task 3 and 2 are the better half; e^1.5 to e^1
    first = math.exp(1.5) / (math.exp(1.5) + math.exp(1.0))
    expected = [4 / 6 * first, 0, 4 / 6 * (1 - first), 0, 2 / 6, 0]
    assert weights.tolist() == pytest.approx(expected)
    rare = torch.tensor([math.log(0.5), 0, 0, 0, 0, 0])
    weights, _ = vmpo.expectation(advantage, rare, task, log_eta, 0.1)
    first = 0.5 * math.exp(1.5) / (0.5 * math.exp(1.5) + math.exp(1.0))
    assert weights[0].item() == pytest.approx(4 / 6 * first)


def test_the_temperature_that_minimises_its_loss_keeps_the_e_step_within_its_bound():
    advantage = torch.randn(400, generator=torch.Generator().manual_seed(2))
    task = torch.zeros(400, dtype=torch.int64)
    log_eta = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([log_eta], 0.05)
    for _ in range(600):
        weights, loss = vmpo.expectation(advantage, torch.zeros(400), task, log_eta, 0.2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    some = weights[weights > 0]
    assert len(some) == 200
    away = (some * (some * len(some)).log()).sum().item()
    assert away == pytest.approx(0.2, abs=0.005)


def test_divergences_are_those_of_gaussians():
    rng = torch.Generator().manual_seed(3)
    old = Gaussian(torch.randn(7, 3, generator=rng), torch.rand(3, generator=rng) + 0.1)
    new = Gaussian(torch.randn(7, 3, generator=rng), torch.rand(3, generator=rng) + 0.1)

    def known(mean: torch.Tensor, std: torch.Tensor) -> Independent:
        return Independent(Normal(mean, std.expand_as(mean)), 1)

    mean, std = vmpo.divergence(old, new)
    start = known(old.mean, old.std)
    torch.testing.assert_close(mean, kl_divergence(start, known(new.mean, old.std)))
    torch.testing.assert_close(std.expand(7), kl_divergence(start, known(old.mean, new.std)))
    action = torch.randn(7, 3, generator=rng)
    torch.testing.assert_close(old.log_prob(action), start.log_prob(action))


@pytest.mark.parametrize(("moved", "rises"), [(0.5, True), (0.001, False)])
def test_multipliers_rise_where_the_policy_has_moved_beyond_its_bound(moved, rises):
    multipliers = Multipliers(1)
    old = Gaussian(torch.zeros(10, 2), torch.full((2,), 0.5))
    new = Gaussian(torch.full((10, 2), moved), torch.full((2,), 0.5 + 0.1 * moved))
    some = vmpo.losses(
        new, old, torch.zeros(10, 2), torch.zeros(10), torch.zeros(10),
        torch.zeros(10, dtype=torch.int64), multipliers, Bounds(0.1, 0.01, 0.001),
    )  # fmt: skip
    some.trust.backward()
    for one in (multipliers.log_alpha_mean, multipliers.log_alpha_std):
        assert (one.grad < 0) == rises


# --- The learner


def filled(**known) -> Segment:
    """A segment without what reinforcement does not read."""
    return Segment(**{**dict.fromkeys(field.name for field in fields(Segment)), **known})


def lived(ticks: int = 8, animals: int = 6, seed: int = 0) -> Segment:
    """A segment of random numbers that fits `CONFIG`."""
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    mean, std = np.zeros((ticks, animals, 1), np.float32), np.full(1, 0.1, np.float32)
    action = mean + std * some(ticks, animals, 1)
    density = -0.5 * (action / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)
    return filled(
        senses=some(ticks, animals, 2), features=some(ticks, animals, 1), pictures=None,
        action=action, behaviour_mean=mean, behaviour_std=std, log_prob=density.sum(-1),
        reward=some(ticks, animals), discount=np.ones((ticks, animals), np.float32),
        fresh=np.zeros((ticks, animals), bool), label=np.full((ticks, animals, 1), 0.3, np.float32),
        weight=np.ones((ticks, animals), np.float32),
        state=tuple((some(animals, n), some(animals, n)) for n in CONFIG.layer_sizes),
        task=np.arange(animals) % 2, last_senses=some(animals, 2),
        last_features=some(animals, 1), version=0,
    )  # fmt: skip


def learner(**wanted) -> Learner:
    torch.manual_seed(0)
    return Learner(Network(CONFIG), 2, Reinforcement(**{"learning_rate": 1e-2, **wanted}))


def drawn(segment: Segment, warm_ticks: int = 0):
    experience = Experience(1, warm_ticks)
    experience.add(segment)
    return experience.draw(100, np.random.default_rng(0))


def changed(some: Learner, part: float) -> set[str]:
    """Which parameters an update changes."""
    before = {name: p.detach().clone() for name, p in some.network.named_parameters()}
    some.update(drawn(lived()), part)
    return {name for name, p in some.network.named_parameters() if not torch.equal(p, before[name])}


CORE = {"lstms.0." + name for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")}
CORE |= {"value.weight", "value.bias"}


def names(network: Network, *starts: str) -> set[str]:
    return {name for name, _ in network.named_parameters() if name.startswith(starts)}


def test_the_policys_gradient_does_not_reach_the_core_but_the_encoder():
    some = learner(value_weight=0.0, kickstart=1.0, critic_part=0.0)
    moved = changed(some, 0.0)
    assert moved == names(some.network, "body", "lstms.1", "policy", "action", "log_std")
    assert not moved & CORE


def test_the_values_gradient_trains_core_and_encoder_and_at_first_its_own_layer_alone():
    some = learner(critic_part=0.5)
    assert len(core_parameters(some.network)) == len(CORE)
    assert changed(some, 0.2) == {"value.weight", "value.bias"}
    everything = {name for name, _ in some.network.named_parameters()}
    assert changed(some, 0.6) == everything - names(some.network, "vision")


def test_the_eyes_learn_from_pictures_only_where_they_are_open():
    pictures = np.random.default_rng(0).integers(0, 255, (8, 6, 64, 64, 3)).astype(np.uint8)
    some = learner(critic_part=0.0, eyes_open=True)
    before = some.network.vision.out.weight.detach().clone()
    some.update(drawn(replace(lived(), pictures=pictures)), 0.0)
    assert not torch.equal(some.network.vision.out.weight, before)


def test_kickstarting_pulls_to_the_label_and_ends():
    settings = Reinforcement(kickstart=0.4, kickstart_until=0.5)
    weights = [settings.kickstart_weight(part) for part in (0, 0.125, 0.25, 0.5, 1)]
    assert weights == pytest.approx([0.4, 0.3, 0.2, 0, 0])
    assert Reinforcement(kickstart_until=0.0).kickstart_weight(0.0) == 0

    # with nothing to earn, the policy moves to the label while there is a weight, and not after
    quiet = replace(lived(), reward=np.zeros((8, 6), np.float32))
    for part, expected in ((0.0, True), (0.6, False)):
        some = learner(kickstart=5.0, kickstart_until=0.5, critic_part=0.0, value_weight=0.0)
        figures = [some.update(drawn(quiet), part) for _ in range(60)]
        fell = figures[-1]["loss/kickstart"] < 0.5 * figures[0]["loss/kickstart"]
        assert fell == expected
        assert (figures[0]["kickstart_weight"] > 0) == expected


def test_what_is_not_the_networks_own_doing_is_not_judged():
    segment = lived()
    segment.discount[3:, 0] = 0.0  # an episode ended with tick 3, and stands still then
    segment.log_prob[:, 1] = np.nan  # the expert drove
    segment.weight[5:, 2] = 0.0  # it lies: its value counts, its actions do not
    segment.fresh[0, 3] = True  # needs no warming
    some = drawn(segment, warm_ticks=2)
    order = some.last_senses[:, 0].tolist()
    place = [order.index(float(x)) for x in segment.last_senses[:4, 0]]
    own = some.judged[:, place].T.int().tolist()
    assert own == [[0, 0, 1, 1, 0, 0, 0, 0], [0] * 8, [0, 0] + [1] * 6, [1] * 8]
    assert some.chosen[:, place[2]].int().tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    assert some.label_weight[:, place[1]].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def test_an_update_that_is_not_a_number_leaves_everything_as_it_was():
    some = learner(critic_part=0.0)
    before = {name: p.clone() for name, p in some.state_dict().items()}
    broken = lived()
    broken.reward[0, 0] = np.nan
    some.update(drawn(broken), 0.0)
    for name, one in some.state_dict().items():
        assert torch.equal(one, before[name]), name


@pytest.mark.parametrize(
    "wanted",
    [
        {"discount": 1.0}, {"best_part": 0.0}, {"trace": 1.5}, {"updates": 0}, {"warm_ticks": 40},
        {"first_segments": 9}, {"least_std": 0.2}, {"target_every": 0},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_told(wanted):
    with pytest.raises(ValueError, match=next(iter(wanted))):
        Reinforcement(**wanted)


def test_returns_are_those_of_whole_episodes():
    course = Course(["a", "b"])
    first, second, third = (replace(lived(seed=k), task=np.zeros(6, int)) for k in range(3))
    first.fresh[0, 0] = third.fresh[0, 0] = True
    third.fresh[0, 1] = True  # it began before anything was seen
    for segment in (first, second, third):
        course.lived(0, segment)
    whole = first.reward[:, 0].sum() + second.reward[:, 0].sum()
    assert course.report(0.5).returns == {"a": pytest.approx(float(whole), rel=1e-5)}


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
    """Worker: 128 masses, each starting anew every 20 ticks; senses are place and speed."""

    def __init__(self, index: int, n: int = 128) -> None:
        self.n, self.rng = n, np.random.default_rng(index)
        self.network = Network(CONFIG)
        self.x = self.rng.uniform(-2, 2, (n, 2))
        self.state = self.network.zero_state(n)
        self.age = 10 * self.rng.integers(0, 2, n)
        self.fresh = np.ones(n, bool)

    def live(self, weights, version, ticks, expert_part, own_spread, keep_pictures):
        if weights is not None:
            self.network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        n, std = self.n, self.network.action_std().detach().numpy()
        begin = tuple((h.numpy().copy(), c.numpy().copy()) for h, c in self.state)
        fresh = np.zeros((ticks, n), bool)
        fresh[0], self.fresh = self.fresh, np.zeros(n, bool)
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
        self.age += ticks
        for k in np.flatnonzero(self.age >= EPISODE_TICKS):
            self.age[k], self.fresh[k] = 0, True
            self.x[k] = self.rng.uniform(-2, 2, 2)
            for h, c in self.state:
                h[k] = c[k] = 0
        one = np.ones((ticks, n), np.float32)
        return filled(
            senses=senses, features=features, pictures=None, action=action, behaviour_mean=mean,
            behaviour_std=std, log_prob=log_prob, reward=reward, discount=one, fresh=fresh,
            label=np.zeros_like(mean), weight=one, state=begin, task=np.zeros(n, int),
            last_senses=last, last_features=features[0], version=version,
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


MASSES = Reinforcement(
    segments=300,
    segment_ticks=10,
    warm_ticks=2,
    replay_segments=2,
    first_segments=1,
    updates=4,
    sequences=192,
    critic_part=0.0,
    target_every=4,
    learning_rate=3e-3,
    last_learning_rate=1e-4,
    multiplier_rate=2e-2,
    discount=DISCOUNT,
    bound_eta=0.5,
    bound_mean=0.02,
    bound_std=1e-3,
    kickstart=0.0,
    most_std=0.5,
    value_weight=1.0,
)


def masses_network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    network = Network(CONFIG)
    torch.nn.init.constant_(network.log_std, math.log(0.4))
    return network


def test_vmpo_comes_close_to_the_optimum_of_a_linear_quadratic_problem(tmp_path):
    starts = np.random.default_rng(9).uniform(-2, 2, (200, 2))
    _, p = riccati()
    best = np.einsum("ni,ij,nj->n", starts, p, starts).mean()
    network = masses_network()
    assert cost_of(network) > 5 * best
    writer = SummaryWriter(tmp_path / "tensorboard")
    reports = []
    with Fleet(Masses, 1) as fleet:
        reinforcement.train(
            network,
            fleet,
            MASSES,
            tmp_path / "masses.safetensors",
            ["mass"],
            reports.append,
            writer,
        )
    writer.close()
    assert best < cost_of(network) < 1.1 * best
    assert reports[-1].done == 1.0
    assert reports[-1].figures["value_explains"] > 0.9
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    written = {scalar: events.Scalars(scalar)[-1] for scalar in events.Tags()["scalars"]}
    assert written["reward/mass"].value == pytest.approx(reports[-1].reward["mass"], rel=1e-5)
    assert written["return/mass"].step == 300
    expected = {"learner/loss/value", "learner/kl/mean", "learner/eta", "learner/alpha/mean"}
    assert {*expected, "learner/entropy", "ticks_per_s"} <= set(written)


def test_training_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "masses.safetensors"
    short = replace(MASSES, segments=12, critic_part=0.0)
    monkeypatch.setattr(reinforcement, "CHECKPOINT_EVERY_S", 0.0)

    class Interrupted(Masses):
        lived = 0

        def live(self, *how):
            self.lived += 1
            if self.lived > 6:
                raise KeyboardInterrupt
            return super().live(*how)

    stopped = masses_network()
    with pytest.raises(KeyboardInterrupt), Fleet(Interrupted, 1) as fleet:
        reinforcement.train(stopped, fleet, short, path, ["mass"], lambda now: None)
    heard = []

    class Hearing(Masses):
        def live(self, weights, *how):
            heard.append(weights)
            return super().live(weights, *how)

    network = masses_network(seed=5)
    with Fleet(Hearing, 1) as fleet:
        trained = reinforcement.train(network, fleet, short, path, ["mass"], lambda now: None)
    assert len(heard) == 6
    np.testing.assert_array_equal(heard[0]["action.weight"], stopped.action.weight.detach())
    assert trained.updates == 6 * short.updates
    steps = {int(one["step"]) for one in trained.optimiser.state.values()}
    assert steps == {12 * short.updates}
    # finished: nothing is lived any more
    again = masses_network(seed=6)
    with Fleet(Interrupted, 1) as fleet:
        reinforcement.train(again, fleet, short, path, ["mass"], lambda now: None)
    assert torch.equal(again.action.weight, network.action.weight)


def test_a_checkpoint_that_is_damaged_or_of_another_network_is_told(tmp_path):
    path = tmp_path / "masses.safetensors"
    with Fleet(Masses, 1) as fleet:
        settings = replace(MASSES, segments=1)
        reinforcement.train(masses_network(), fleet, settings, path, ["mass"], lambda now: None)
        other = Network(replace(CONFIG, core_units=8))
        with pytest.raises(SubjectError, match="cannot be resumed"):
            reinforcement.train(other, fleet, settings, path, ["mass"], lambda now: None)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(SubjectError, match="cannot be resumed"):
            reinforcement.train(masses_network(), fleet, settings, path, ["mass"], lambda now: None)
