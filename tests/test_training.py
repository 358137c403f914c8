"""Training: every stage from nothing in small, resumed, and bad settings told in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import agent
from agent.network import Network, NetworkConfig
from agent.training import STAGES, evaluation, gait, imitation, search, settings, train
from agent.training.expert import Expert, Guidance
from agent.training.flock import Flock
from agent.training.replay import Replay, Segment
from agent.training.steering import Steering
from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera
from rig.arenas.senses import Senses, flatten

TINY = """
name = "tiny"
[network]
policy_layers = 2
skip = false
[gait]
coarse_generations = 2
stock_generations = 1
coarse_population = 4
stock_population = 4
rollout_s = 0.4
[steering]
generations = 2
population = 4
rollout_s = 0.3
[vision]
ticks = 4
views = 2
batches = 3
batch = 8
[flock]
animals = 4
soft_every = 4
[imitation]
segments = 6
segment_ticks = 6
expert_segments = 2
updates = 2
sequences = 4
eyes_open_from = 0.5
[evaluation]
seeds = 1
duration_s = 0.4
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One small training, from nothing to a scored subject; returns its folder and what was reported."""
    place = tmp_path_factory.mktemp("training")
    (place / "tiny.toml").write_text(TINY)
    said = []
    folder = train(
        place / "tiny.toml",
        work=place / "work",
        threads=1,
        progress=lambda stage, done, text: said.append((stage, done, text)),
    )
    return place, folder, said


def test_all_stages_together_make_a_subject_that_loads_and_is_scored(trained):
    place, folder, said = trained
    assert folder == place / "tiny"
    subject = agent.load(folder)
    assert subject.n_units == 3 * 128
    assert subject.training["animal_ticks"] == 6 * 6 * 4
    for stage in STAGES:
        parts = [done for name, done, _ in said if name == stage]
        assert parts[-1] == pytest.approx(1.0), stage
        assert parts == sorted(parts), stage
    rows = json.loads((folder / "scores.json").read_text())["scores"]
    own = [row for row in rows if row["actor"] == "student" and row["task"] == "corridor"]
    corridor = {(row["rendering"], row["action"]) for row in own}
    assert corridor == {(q, a) for q in ("fast", "stock") for a in ("sampled", "mean")}
    assert {r["actor"] for r in rows} == {"student", "expert", "random"}
    assert "student mean stock 1 ep." in (folder / "card.md").read_text()


def test_a_finished_training_is_not_done_again(trained):
    place, folder, _ = trained
    checkpoints = [*(place / "work").glob("*search*"), *(place / "work").glob("gait-*")]
    assert len(checkpoints) == 3
    before = {path: path.stat().st_mtime_ns for path in checkpoints}
    identity = agent.load(folder).sha256
    said = []
    train(
        place / "tiny.toml",
        work=place / "work",
        stages=("gait", "steering", "vision", "imitation"),
        threads=1,
        progress=lambda *report: said.append(report),
    )
    assert not said
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == before
    assert agent.load(folder).sha256 == identity


class Interrupted(Exception):
    """What a test raises in the middle of a stage."""


@pytest.mark.parametrize("stage", ["gait", "imitation"])
def test_an_interrupted_stage_goes_on_where_it_was(trained, tmp_path, stage, monkeypatch):
    place, _, _ = trained
    work = tmp_path / "work"
    work.mkdir()
    for name in ("gait.npz", "steering.npz", "vision.npz"):
        (work / name).write_bytes((place / "work" / name).read_bytes())
    monkeypatch.setattr(imitation, "CHECKPOINT_EVERY_S", 0.0)
    seen = []

    def stop_early(name, done, text):
        seen.append(done)
        if len(seen) == 2:
            raise Interrupted

    options = {"out": tmp_path / "out", "work": work, "stages": [stage], "threads": 1}
    with pytest.raises(Interrupted):
        train(place / "tiny.toml", progress=stop_early, **options)
    rest = []
    train(place / "tiny.toml", progress=lambda name, done, text: rest.append(done), **options)
    assert rest[0] > seen[-1]
    assert rest[-1] == 1.0
    assert not list(work.glob("*.partial"))


def test_a_stage_without_the_one_before_it_says_which(trained, tmp_path):
    place, _, _ = trained
    for stage, needed in (("steering", "gait"), ("vision", "steering"), ("imitation", "vision")):
        with pytest.raises(agent.SubjectError, match=f"stage '{needed}' first"):
            train(place / "tiny.toml", work=tmp_path, stages=[stage], threads=1)
    with pytest.raises(agent.SubjectError, match="no stage 'dagger'"):
        train(place / "tiny.toml", work=tmp_path, stages=["dagger"])


def test_a_damaged_checkpoint_is_one_sentence(trained, tmp_path):
    place, _, _ = trained
    work = tmp_path / "work"
    work.mkdir()
    for name in ("steering.npz", "vision.npz"):
        (work / name).write_bytes((place / "work" / name).read_bytes())
    (work / "imitation.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(agent.SubjectError, match="cannot be resumed") as caught:
        train(place / "tiny.toml", out=tmp_path / "o", work=work, stages=["imitation"], threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x", "cannot be read"),
        ("[gate]\nstyle = 'trot'", "did you mean 'gait'"),
        ("[imitation]\nsegmnets = 3", "did you mean 'segments'"),
        ("[imitation]\nsegments = 'many'", "whole number"),
        ("[imitation]\nsegments = -1", "negative"),
        ("[network]\npolicy_layers = 5", "1, 2 or 3"),
        ("[network]\nskip = 1", "true or false"),
        ("[gait]\nstyle = 'amble'", "'trot' or 'bound'"),
        ("name = 'a/b'", "name a folder"),
        ("name = 3", "name a folder"),
        ("[flock]\nanimals = 0", "at least 1"),
        ("[network]\nvision_channels = [1]", "list of 3"),
    ],
)
def test_bad_settings_are_one_sentence(tmp_path, text, words):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(agent.SubjectError, match=words) as caught:
        train(path, work=tmp_path)
    assert "bad.toml" in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_missing_settings_and_the_committed_ones():
    with pytest.raises(agent.SubjectError, match="there is no settings file"):
        train("nowhere.toml")
    runner = settings.read(Path(__file__).resolve().parents[1] / "subjects" / "runner.toml")
    assert runner.network == agent.load("runner").config


# --- the parts --------------------------------------------------------------------------------------


def test_the_flock_is_stepped_and_felt_and_seen_as_the_task_is():
    environment = tasks.make("corridor", 0)
    environment.reset()
    senses, flock = Senses(environment), Flock(2, 1, 0, 0)
    np.testing.assert_array_equal(flock.proprioception()[0], flatten(senses.observe()))
    rng = np.random.default_rng(0)
    for _ in range(8):
        action = rng.uniform(-1, 1, 38)
        step = environment.step(action)
        flock.step(np.stack([action, action]))
        np.testing.assert_array_equal(flock.proprioception()[1], flatten(senses.observe()))
        assert reward_of(flock) == pytest.approx(step.reward)
    model, data = environment.physics.model.ptr, environment.physics.data.ptr
    np.testing.assert_array_equal(
        flock.pictures()[0], EgocentricCamera(model, data, "fast").render()
    )


def reward_of(flock):
    from agent.training.flock import reward

    return float(reward(flock.poses().speed_m_s)[0])


def test_a_picture_elsewhere_is_what_an_animal_put_there_sees():
    flock = Flock(1, 1, 0, 0)
    flock.step(np.zeros((1, 38)))
    moved = flock.picture_at(0, 9.0, 0.3, 0.4, soft=False)
    here = flock._data[0].qpos.copy()
    heading = float(flock.poses().heading_rad[0])
    assert not np.array_equal(moved, flock.pictures()[0])
    same = flock.picture_at(0, float(here[0]), float(here[1]), heading, soft=False)
    assert np.abs(same.astype(int) - flock.pictures()[0]).mean() < 0.2
    np.testing.assert_array_equal(flock._data[0].qpos, here)


def test_the_expert_reads_its_phase_off_the_activations():
    """Driven by its own clock, the phase that the expert reads off is the clock's."""
    table = np.zeros((gait.N_PHASES, 38))
    turn = 2 * np.pi * np.arange(gait.N_PHASES) / gait.N_PHASES
    table[:, 5], table[:, 9] = 0.5 * np.sin(turn), 0.4 * np.cos(turn) + 0.1
    steering = Steering(gait.Gait(table, 5.0), np.zeros(38), np.zeros(38))
    expert = Expert(steering, Guidance(speed=1.0))
    advance = steering.cycles_per_tick(np.ones(1))[0]
    activation, phase, kept = np.zeros((1, 38)), 0.2, (1 - 1 / 40) ** 20
    for _ in range(60):
        control = steering.control(np.array([phase]), np.ones(1), np.zeros(1))
        activation = kept * activation + (1 - kept) * control
        phase += advance
    read = expert.phase(activation, np.ones(1), np.zeros(1))[0]
    error = (read - phase + 0.5) % 1 - 0.5
    assert abs(error) < 0.01


def test_the_stride_frequency_cannot_leave_its_bounds():
    parameters = np.zeros((3, gait.N_PARAMETERS))
    parameters[:, 0] = -50, 0, 50
    hz = gait.stride_hz(parameters)
    assert hz.min() >= 3.0
    assert hz.max() <= 6.0
    actuators = Flock(1, 1, 0, 0).actuators
    wild = np.random.default_rng(0).normal(0, 3, (2, gait.N_PARAMETERS))
    for style in ("trot", "bound"):
        control = gait.pattern(wild, np.linspace(0, 1, 9)[None].repeat(2, 0), actuators, style)
        assert control.shape == (2, 9, 38)
        assert np.abs(control).max() <= 1
        left, right = (control[:, :, actuators[f"hip_{s}_extend"]] for s in "LR")
        if style == "bound":
            np.testing.assert_array_equal(left, right)
        else:
            np.testing.assert_allclose(left[:, 0], right[:, 4], atol=1e-9)


def test_the_search_finds_a_minimum_over_an_interruption(tmp_path):
    goal = np.array([0.7, -0.3, 0.2])
    wanted = search.SearchSettings(60, 8, 0.5, 0)
    path = tmp_path / "search.npz"

    def cost(candidates):
        return ((candidates - goal) ** 2).sum(1)

    def stop(state):
        if state.generation == 15:
            raise Interrupted

    with pytest.raises(Interrupted):
        search.search(cost, np.zeros(3), wanted, path, stop)
    generations = []
    found = search.search(
        cost, np.zeros(3), wanted, path, lambda s: generations.append(s.generation)
    )
    assert generations == list(range(16, 61))
    np.testing.assert_allclose(found.mean, goal, atol=0.02)


def test_lambda_returns_are_the_discounted_mean_reward():
    rewards = torch.ones(400, 2)
    values = torch.zeros(400, 2)
    told = imitation.returns(rewards, values, 0.97, 1.0)
    assert told[0, 0] == pytest.approx(1.0, abs=1e-4)
    assert told[-1, 0] == 0
    exact = imitation.returns(rewards, torch.ones(400, 2), 0.97, 0.5)
    torch.testing.assert_close(exact, torch.ones(400, 2))


def _segment(value, fresh, pictures=True):
    ticks, animals = 4, 2
    fill = torch.full((ticks, animals, 1), float(value))
    return Segment(
        senses=fill.expand(-1, -1, 158),
        features=fill.expand(-1, -1, 64),
        label=fill.expand(-1, -1, 38),
        reward=fill[..., 0],
        awake=torch.ones(ticks, animals),
        fresh=torch.tensor([fresh, fresh]),
        state=Network(NetworkConfig(policy_layers=1)).zero_state(animals),
        pictures=np.zeros((ticks, animals, 64, 64, 3), np.uint8) if pictures else None,
    )


def test_the_replay_keeps_the_newest_and_counts_unsure_starts_little():
    replay = Replay(capacity=3, warm_ticks=2)
    for value in range(5):
        replay.add(_segment(value, fresh=value == 4))
    assert [float(s.reward[0, 0]) for s in replay.segments] == [2, 3, 4]
    assert [s.pictures is None for s in replay.segments] == [True, True, False]
    batch = replay.batch(32, 1, np.random.default_rng(0))
    assert batch.senses.shape == (4, 32, 158)
    newest = batch.reward[0] == 4
    assert newest.sum() >= 16
    assert (batch.weight[:2, newest] == 1).all()
    assert (batch.weight[:2, ~newest] < 1).all()
    assert (batch.weight[2:] == 1).all()


def test_stride_frequency_is_the_hips():
    seconds = np.arange(450) * 0.02
    assert evaluation.stride_hz(np.sin(2 * np.pi * 4.7 * seconds)) == pytest.approx(4.7, abs=0.05)
    assert np.isnan(evaluation.stride_hz(np.zeros(10)))
