"""Herds: what is lived, kept and learned from."""

from __future__ import annotations

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
from tests.plain_rollouts import plain_segment
from training.learn import dagger
from training.learn.replay_buffer import Replay
from training.rollout.auxiliary_targets import CUES, as_array
from training.rollout.rollout_store import Lived
from training.rollout.vector_env import NEAR_TICKS, Herd, HerdSettings, to_input

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "subjects" / "rodent" / "skills"


def test_the_replay_keeps_the_newest_and_counts_unsure_starts_little():
    replay = Replay(capacity=3, warm_ticks=2)
    for value in range(5):
        replay.add(plain_segment(value, fresh=value == 4))
    assert [float(s.reward[0, 0]) for s in replay.segments] == [2, 3, 4]
    assert all(s.pictures is None for s in replay.segments)
    batch = replay.batch(32, 1, 0.5, np.random.default_rng(0))
    assert batch.senses.shape == (4, 32, 158)
    newest = batch.reward[0] == 4
    assert newest.sum() >= 16
    assert (batch.weight[:2, newest] == 1).all()
    assert (batch.weight[:2, ~newest] < 1).all()
    assert (batch.weight[2:] == 1).all()


def test_segments_on_disk_come_back_whole_and_the_oldest_go(tmp_path):
    lived = Lived(tmp_path / "lived", 3)
    assert lived.all() == []
    for number in range(5):
        lived.add(number, plain_segment(number, fresh=number == 4))
    back = Lived(tmp_path / "lived", 3).all()
    assert [float(one.reward[0, 0]) for one in back] == [2, 3, 4]
    given = plain_segment(4, fresh=True)
    for name in ("senses", "features", "label", "fresh", "task", "last_senses"):
        np.testing.assert_array_equal(getattr(back[-1], name), getattr(given, name))
    for ours, theirs in zip(back[-1].state, given.state, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # one that was half written by something else does not end the training
    (tmp_path / "lived" / "000003.safetensors").write_bytes(b"half")
    assert [float(one.reward[0, 0]) for one in lived.all()] == [2, 4]
    lived.forget()
    assert lived.all() == []


def test_a_herd_lives_what_the_task_lives():
    """The senses, pictures and rewards of a segment are those of the environment under its actions."""
    wanted = HerdSettings(gaps=1, forage=0, escape=0, two_tap=0, soft_every=0, push=0.0, shove=0.0)
    herd = Herd(NetworkConfig(policy_layers=1), wanted, SHIPPED, seed=3)
    segment = herd.live(None, 7, 5, expert_part=0.0, keep_pictures=True)
    again = Herd(NetworkConfig(policy_layers=1), wanted, SHIPPED, seed=3)
    state = np.random.RandomState(np.random.SeedSequence([3, 2]).spawn(1)[0].generate_state(4))
    environment = tasks.make("gaps", state)
    environment.reset()
    senses = Senses(environment)
    camera = EgocentricCamera(environment.physics.model.ptr, environment.physics.data.ptr, "fast")
    for t in range(5):
        np.testing.assert_array_equal(segment.senses[t, 0], flatten(senses.observe()))
        np.testing.assert_array_equal(segment.pictures[t, 0], camera.render())
        step = environment.step(np.clip(segment.action[t, 0], -1, 1))
        assert segment.reward[t, 0] == pytest.approx(step.reward)
    assert segment.version == 7
    assert segment.fresh[0].all()
    assert not segment.fresh[1:].any()
    camera.close()
    for one in (herd, again):
        one.close()


def test_what_a_herd_lives_can_be_computed_again_from_itsplain_segment():
    """Means from the stored state, senses and features equal those of the network that acted."""
    wanted = HerdSettings(gaps=0, forage=0, escape=0, two_tap=2)
    herd = Herd(NetworkConfig(), wanted, SHIPPED, seed=4)
    network = Network(NetworkConfig())
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    for first in (True, False):
        segment = herd.live(weights if first else None, 1, 6, 0.5, own_spread=True)
        assert segment.fresh[0].all() == first
        state = tuple((torch.from_numpy(h), torch.from_numpy(c)) for h, c in segment.state)
        with torch.no_grad():
            out = network.run(
                torch.from_numpy(segment.senses), torch.from_numpy(segment.features), state
            )
        np.testing.assert_allclose(out.mean.numpy(), segment.behaviour_mean, atol=1e-5)
    herd.close()


def test_an_animal_that_is_caught_begins_anew():
    """Or those that stand astride a gap gather in a herd, and nothing is lived any more."""
    wanted = HerdSettings(gaps=1, forage=0, escape=0, two_tap=0, push=0.0, shove=0.0)
    herd = Herd(NetworkConfig(policy_layers=1), wanted, SHIPPED, seed=3)
    network = Network(NetworkConfig(policy_layers=1))
    torch.nn.init.zeros_(network.action.weight)
    torch.nn.init.zeros_(network.action.bias)
    still = {name: value.numpy() for name, value in network.state_dict().items()}
    herd.live(still, 1, 250, expert_part=0.0)  # at first it slips back by 5 cm
    caught = herd.live(None, 1, 60, expert_part=0.0)
    assert not caught.fresh.any()
    assert caught.weight[:50].all(), "it still had time"
    assert not caught.weight[50:].any()
    after = herd.live(None, 1, 2, expert_part=0.0)
    assert after.fresh[0].all()
    assert after.weight.all()
    herd.close()


def test_what_is_seldom_done_counts_more():
    """The herd's weights are its experts': three times as much for a tap as for what leads to it."""
    wanted = HerdSettings(gaps=0, forage=0, escape=0, two_tap=1, push=0.0, shove=0.0)
    herd = Herd(NetworkConfig(policy_layers=1), wanted, SHIPPED, seed=5)
    weight = np.concatenate([herd.live(None, 1, 100, 1.0).weight[:, 0] for _ in range(4)])
    assert set(weight) == {1.0, 3.0}, "an animal that rears for a tap counts as one that lies"
    assert (weight == 1.0).mean() > 0.5
    herd.close()


def test_what_was_lived_is_seen_anew_by_other_eyes():
    wanted = HerdSettings(gaps=1, forage=0, escape=0, two_tap=1)
    herd = Herd(NetworkConfig(), wanted, SHIPPED, seed=4)
    before, after = Network(NetworkConfig()), Network(NetworkConfig())
    weights = {name: value.numpy() for name, value in before.state_dict().items()}
    segment = herd.live(weights, 1, 5, 0.5, keep_pictures=True)
    same = dagger.seen_anew(before, segment)
    np.testing.assert_allclose(same.features, segment.features, atol=1e-5)
    anew = dagger.seen_anew(after, segment)
    assert anew.pictures is None
    with torch.no_grad():
        third = after.vision(to_input(segment.pictures[3])).numpy()
    np.testing.assert_allclose(anew.features[3], third, atol=1e-5)
    np.testing.assert_array_equal(anew.senses, segment.senses)
    herd.close()


def test_cues_are_named_and_left_out_where_they_do_not_apply():
    told = as_array({"orb_seen": 1.0, "near_edge": 0.4})
    assert told.shape == (len(CUES),)
    assert told[CUES.index("near_edge")] == pytest.approx(2.0)
    assert np.isnan(told).sum() == len(CUES) - 2


def test_lambda_returns_are_the_discounted_mean_reward():
    rewards, discounts = 0.03 * torch.ones(400, 2), 0.97 * torch.ones(400, 2)
    told = dagger.returns(rewards, discounts, torch.zeros(400, 2), 1.0)
    assert told[0, 0] == pytest.approx(1.0, abs=1e-4)
    assert told[-1, 0] == 0
    exact = dagger.returns(rewards, discounts, torch.ones(400, 2), 0.5)
    torch.testing.assert_close(exact, torch.ones(400, 2))
    # nothing after an episode's end counts before it
    discounts[10] = 0
    ended = dagger.returns(rewards, discounts, torch.ones(400, 2), 1.0)
    assert ended[10, 0] == pytest.approx(0.03)


def test_part_of_the_animals_begin_where_there_is_something_to_do():
    wanted = HerdSettings(gaps=3, forage=0, escape=1, two_tap=3, push=0.0, shove=0.0, near=1.0)
    herd = Herd(NetworkConfig(policy_layers=1), wanted, SHIPPED, seed=6)
    herd.live(None, 1, 1, 1.0)
    for k in range(len(herd)):
        herd._restart(k)
    for animal in herd.animals:
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
    # one that lies in the bowl is where there is something to do: it, too, lives briefly
    assert (herd._limit == NEAR_TICKS).all()
    # it lives there as it would have come there
    lived = herd.live(None, 1, 40, 1.0)
    assert (lived.weight[:, lived.task == TASKS.index("two_tap")] > 0).all()
    herd.close()
