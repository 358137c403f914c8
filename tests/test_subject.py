"""Subjects: on disk, broken in every way, and running in dm_control's own environments."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from dm_control.locomotion.examples import basic_rodent_2020

import agent
from evaluation import EvaluationCondition, run_episode
from evaluation.actors import SubjectSpec
from rig.arenas import senses, tasks
from rig.arenas.camera import EgocentricCamera
from rig.arenas.senses import Senses
from training.subject_folder import save

RUNNER = Path(__file__).resolve().parents[1] / "subjects" / "runner"
STOCK = {
    "gaps": basic_rodent_2020.rodent_run_gaps,
    "escape": basic_rodent_2020.rodent_escape_bowl,
    "forage": basic_rodent_2020.rodent_maze_forage,
    "two_tap": basic_rodent_2020.rodent_two_touch,
}


@pytest.fixture(scope="module")
def runner():
    return agent.load("runner")


def _observation(seed=0):
    rng = np.random.default_rng(seed)
    seen = {name: rng.normal(size=size) for name, size in senses.PROPRIOCEPTION}
    seen["walker/egocentric_camera"] = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return seen


@pytest.mark.parametrize("task", list(STOCK))
def test_it_drives_dm_controls_unmodified_environments_with_their_own_camera(runner, task):
    environment = STOCK[task](random_state=2)
    spec = environment.action_spec()
    step = environment.reset()
    runner.reset()
    rng = np.random.default_rng(0)
    for _ in range(8):
        did = runner.step(step.observation, noise=rng.standard_normal(38))
        spec.validate(did.action)
        assert np.isfinite(did.activity.c_natural).all()
        step = environment.step(did.action)
    environment.close()


def test_the_runner_runs(runner):
    """Two and a half seconds from the start: more than a metre and not fallen."""
    policy = SubjectSpec(runner.folder, runner.sha256, sampled=True)
    episode = run_episode(
        EvaluationCondition("corridor", "subject", policy, "fast", True, 1, 2.5), 1
    )
    assert not episode.fell
    assert episode.statistics["distance_m"] > 1.0


def _run_from(runner, heading_rad, blind, ticks=250):
    """Start at an odd heading; returns how far along the corridor it got, and how upright it is."""
    environment = tasks.make("corridor", 1)
    environment.reset()
    model, data = environment.physics.model.ptr, environment.physics.data.ptr
    data.qpos[3:7] = np.cos(heading_rad / 2), 0, 0, np.sin(heading_rad / 2)
    environment.physics.forward()
    senses, eyes = Senses(environment), EgocentricCamera(model, data)
    first, runner_rng = eyes.render(), np.random.default_rng(1)
    runner.reset()
    for _ in range(ticks):
        seen = first if blind else eyes.render()
        observation = {**senses.observe(), "walker/egocentric_camera": seen}
        step = runner.step(observation, noise=runner_rng.standard_normal(38))
        environment.step(step.action)
    eyes.close()
    return data.qpos[0] - 5, data.xmat[model.body("walker/torso").id, 8]


def test_it_steers_by_what_it_sees(runner):
    """It straightens out with its eyes, and goes astray when they show a still picture."""
    seeing, upright = _run_from(runner, 0.4, blind=False)
    blind, _ = _run_from(runner, 0.4, blind=True)
    assert upright > 0.7
    assert seeing > 2.5
    assert blind < 0.6 * seeing


def test_its_units_are_the_papers(runner):
    assert [layer.name for layer in runner.layers] == ["core", "policy_0", "policy_1", "policy_2"]
    assert runner.n_units == 512
    assert runner.unit_names[0] == "core/0"
    assert runner.unit_names[131] == "policy_0/3"
    assert runner.unit_names[-1] == "policy_2/127"
    assert runner.proprioception == senses.PROPRIOCEPTION


def test_a_step_is_reproducible_and_its_state_can_be_put_back(runner):
    runner.reset()
    first = [runner.step(_observation(k)) for k in range(3)]
    kept = runner.state()
    later = [runner.step(_observation(k)) for k in range(3, 6)]
    runner.restore(kept)
    again = [runner.step(_observation(k)) for k in range(3, 6)]
    for one, other in zip(later, again, strict=True):
        np.testing.assert_array_equal(one.action, other.action)
        np.testing.assert_array_equal(one.activity.h_applied, other.activity.h_applied)
    # a state is a copy: stepping on does not change it
    np.testing.assert_array_equal(kept["h"], first[-1].activity.h_applied)
    assert first[0].action.dtype == np.float64
    assert first[0].activity.c_natural.dtype == np.float32
    assert first[0].activity.c_natural.shape == (512,)
    with pytest.raises(ValueError, match="shape"):
        runner.restore({"c": np.zeros(3), "h": np.zeros(3)})


def test_noise_makes_the_action_a_sample_around_the_mean(runner):
    runner.reset()
    mean = runner.step(_observation())
    np.testing.assert_array_equal(mean.action, mean.action_mean)
    runner.reset()
    none = runner.step(_observation(), noise=np.zeros(38))
    np.testing.assert_array_equal(none.action, mean.action)
    runner.reset()
    noise = np.random.default_rng(0).standard_normal(38)
    sampled = runner.step(_observation(), noise=noise)
    np.testing.assert_array_equal(sampled.action_mean, mean.action_mean)
    moved = sampled.action - sampled.action_mean
    free = (np.abs(sampled.action) < 1) & (np.abs(sampled.action_mean) < 1)
    np.testing.assert_allclose(moved[free], (runner.action_std * noise)[free], atol=1e-9)
    assert np.abs(sampled.action).max() <= 1


def test_what_it_cannot_use_is_refused(runner):
    for spoil, words in [
        (lambda o: o.pop("walker/joints_pos"), "lacks 'walker/joints_pos'"),
        (lambda o: o.pop("walker/egocentric_camera"), "lacks 'walker/egocentric_camera'"),
        (lambda o: o.update({"walker/joints_pos": np.zeros(29)}), "157 numbers"),
        (lambda o: o.update({"walker/joints_pos": np.full(30, np.nan)}), "not finite"),
        (lambda o: o.update({"walker/egocentric_camera": np.zeros((64, 64, 3))}), "uint8"),
    ]:
        seen = _observation()
        spoil(seen)
        with pytest.raises(ValueError, match=words):
            runner.step(seen)
    with pytest.raises(ValueError, match="policy_7"):
        runner.step(_observation(), [agent.Intervention("policy_7", "c", [0], [0], [0])])


def test_more_observations_than_it_knows_are_ignored(runner):
    runner.reset()
    plain = runner.step(_observation())
    runner.reset()
    cues = {"task_logic": np.array([2]), "walker/origin": np.ones(3)}
    np.testing.assert_array_equal(runner.step({**_observation(), **cues}).action, plain.action)


# --- on disk ----------------------------------------------------------------------------------------


def _copy(tmp_path):
    folder = tmp_path / "copied"
    shutil.copytree(RUNNER, folder)
    return folder


def test_found_by_path_by_name_and_in_a_given_folder(tmp_path, monkeypatch, runner):
    folder = _copy(tmp_path)
    assert agent.load(folder).sha256 == runner.sha256
    monkeypatch.setenv("RODENT_RIG_SUBJECTS", str(tmp_path))
    assert agent.load("copied").folder == folder
    assert agent.load("runner").sha256 == runner.sha256


def test_saved_and_loaded_it_does_the_same(tmp_path):
    torch.manual_seed(1)
    network = agent.Network(agent.NetworkConfig(policy_layers=2, skip=False))
    save(network, tmp_path / "new", "new", senses.PROPRIOCEPTION, {"task": 'a "b"'}, {})
    loaded = agent.load(tmp_path / "new")
    assert loaded.n_units == 384
    assert loaded.training == {"task": 'a "b"'}
    other = agent.load(tmp_path / "new")
    np.testing.assert_array_equal(
        loaded.step(_observation()).action, other.step(_observation()).action
    )


def test_the_identity_depends_on_weights_and_architecture(tmp_path):
    found = set()
    for seed, layers in ((0, 1), (1, 1), (0, 2)):
        torch.manual_seed(seed)
        folder = tmp_path / f"{seed}{layers}"
        network = agent.Network(agent.NetworkConfig(policy_layers=layers))
        save(network, folder, "x", senses.PROPRIOCEPTION, {}, {})
        found.add(agent.load(folder).sha256)
    assert len(found) == 3


def _truncate(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def _flip(folder):
    path = folder / "weights.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 255
    path.write_bytes(raw)


def _edit(old, new):
    def change(folder):
        path = folder / "subject.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "weights.safetensors").unlink(), "cannot be read"),
        (_truncate, "damaged"),
        (_flip, "damaged"),
        (lambda f: (f / "subject.toml").unlink(), "holds no subject"),
        (lambda f: (f / "subject.toml").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        (lambda f: (f / "subject.toml").write_text("[x"), "cannot be read"),
        (_edit("format = 1", "format = 9"), "format 9"),
        (_edit("policy_layers = 3", "policy_layers = 2"), "does not fit the architecture"),
        (_edit("policy_layers = 3", "policy_layers = 7"), "1, 2 or 3"),
        (_edit("policy_layers = 3", "layers = 3"), "layers"),
        (_edit("channels = [16, 32, 32]", "channels = [16, 32]"), "does not describe a subject"),
        (_edit("sha256 = ", "sha = "), "sha256"),
        (_edit("[observations]", "[views]"), "observations"),
    ],
)
def test_a_damaged_subject_is_one_clear_sentence(tmp_path, damage, words):
    folder = _copy(tmp_path)
    damage(folder)
    with pytest.raises(agent.SubjectError, match=words) as caught:
        agent.load(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "copied" in sentence


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(agent.SubjectError, match=r"known subjects are .*runner"):
        agent.load("rummer")


def test_the_committed_subject_is_small():
    assert sum(path.stat().st_size for path in RUNNER.iterdir()) < 8e6
