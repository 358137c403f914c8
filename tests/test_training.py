"""Training: the stages from nothing in small, resumed, and bad settings told in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import agent
from agent.network import Network, NetworkConfig
from agent.training import (
    checkpoint,
    evaluation,
    gait,
    imitation,
    search,
    settings,
    steering,
    stepping,
)
from agent.training.apprenticeship import chains
from agent.training.body import Bodies
from agent.training.cues import CUES, as_array
from agent.training.experts import Skills
from agent.training.experts.locomotion import Locomotion
from agent.training.experts.maze import FloorPlan
from agent.training.herd import Herd, HerdSettings, to_input
from agent.training.lived import Lived
from agent.training.replay import Replay
from agent.training.segments import Segment
from agent.training.skill_stages import needed_skills
from agent.training.stages import train
from agent.training.steering import Steering
from agent.training.stepping import SteppingSettings
from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera
from rig.arenas.senses import Senses, flatten

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "subjects" / "rodent" / "skills"
TINY = """
name = "tiny"
[network]
policy_layers = 2
skip = false
[herd]
corridor = 2
gaps = 0
forage = 0
escape = 0
two_tap = 0
soft_every = 2
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
ticks = 20
every = 1
batches = 3
batch = 8
[imitation]
segments = 6
segment_ticks = 6
expert_segments = 2
updates = 2
sequences = 4
[reinforcement]
segments = 0
[evaluation]
episodes = 1
stock_episodes = 1
duration_s = 0.4
"""
FOUR = TINY.replace("corridor = 2", "corridor = 0").replace("= 0\nsoft", "= 1\nsoft")
for _task in ("gaps", "forage", "escape"):
    FOUR = FOUR.replace(f"{_task} = 0", f"{_task} = 1")
APPRENTICE = """
[apprenticeship]
run = "{run}"
updates = 41
sequences = 4
joined = 3
"""
SKILL_STAGES = needed_skills(["corridor"])


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
    assert subject.training["imitation_ticks"] == 6 * 6 * 2
    assert subject.training["tasks"] == ["corridor"]
    assert {path.stem for path in (folder / "skills").iterdir()} == {"gait", "steering"}
    for stage in (*SKILL_STAGES, "vision", "imitation", "evaluate"):
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
    checkpoints = [*(place / "work" / "skills").glob("*-*.npz"), place / "work" / "vision.npz"]
    assert len(checkpoints) == 4
    before = {path: path.stat().st_mtime_ns for path in checkpoints}
    identity = agent.load(folder).sha256
    said = []
    train(
        place / "tiny.toml",
        work=place / "work",
        stages=(*SKILL_STAGES, "vision", "imitation"),
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
    (work / "skills").mkdir(parents=True)
    if stage != "gait":
        for name in ("gait.npz", "steering.npz"):
            shutil.copyfile(place / "work" / "skills" / name, work / "skills" / name)
        shutil.copyfile(place / "work" / "vision.npz", work / "vision.npz")
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
    assert not list(work.rglob("*.partial"))


def test_a_stage_without_the_one_before_it_says_which(trained, tmp_path):
    place, _, _ = trained
    elsewhere = {"work": tmp_path / "work", "out": tmp_path / "out", "threads": 1}
    for stage, needed in (("steering", "gait"), ("vision", "steering"), ("imitation", "vision")):
        with pytest.raises(agent.SubjectError, match=f"stage '{needed}' first"):
            train(place / "tiny.toml", stages=[stage], **elsewhere)
    with pytest.raises(agent.SubjectError, match="no stage 'dagger'"):
        train(place / "tiny.toml", stages=["dagger"], **elsewhere)


def test_a_damaged_checkpoint_is_one_sentence(trained, tmp_path):
    place, _, _ = trained
    work = tmp_path / "work"
    shutil.copytree(place / "work", work)
    (work / "imitation.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(agent.SubjectError, match="cannot be resumed") as caught:
        train(place / "tiny.toml", out=tmp_path / "o", work=work, stages=["imitation"], threads=1)
    assert "\n" not in str(caught.value)


def test_one_network_learns_four_tasks_from_the_shipped_skills(tmp_path):
    (tmp_path / "tiny.toml").write_text(FOUR)
    shutil.copytree(SHIPPED, tmp_path / "tiny" / "skills")
    said = []
    folder = train(
        tmp_path / "tiny.toml",
        work=tmp_path / "work",
        stages=("vision", "imitation"),
        threads=1,
        progress=lambda *report: said.append(report),
    )
    subject = agent.load(folder)
    assert subject.training["tasks"] == ["gaps", "forage", "escape", "two_tap"]
    for task in subject.training["tasks"]:
        assert task in said[-1][2]


def test_a_network_of_another_shape_learns_first_from_what_was_lived(trained, tmp_path):
    place, _, _ = trained
    text = TINY.replace("policy_layers = 2", "policy_layers = 1") + APPRENTICE.format(
        run=place / "work"
    )
    (tmp_path / "tiny.toml").write_text(text)
    work = tmp_path / "work"
    shutil.copytree(place / "work" / "skills", work / "skills")
    said = []
    folder = train(
        tmp_path / "tiny.toml",
        work=work,
        stages=("vision", "apprenticeship", "imitation"),
        threads=1,
        progress=lambda stage, done, text: said.append((stage, done, text)),
    )
    assert agent.load(folder).n_units == 2 * 128
    stages = list(dict.fromkeys(stage for stage, _, _ in said))
    assert stages == ["apprenticeship", "imitation"]  # the eyes are those of the other
    losses = [float(t.split()[1].rstrip(",")) for stage, _, t in said if stage == "apprenticeship"]
    assert losses[-1] < 0.7 * losses[0]
    master = checkpoint.read(place / "work" / "imitation.safetensors")
    pupil = checkpoint.read(work / "apprenticeship.safetensors")
    np.testing.assert_array_equal(
        pupil["network.vision.out.weight"], master["network.vision.out.weight"]
    )
    later = checkpoint.read(work / "imitation.safetensors")
    for name in ("mean", "std"):
        np.testing.assert_array_equal(later[f"network.{name}"], master[f"network.{name}"])


def test_only_segments_that_follow_one_another_are_joined(trained):
    place, _, _ = trained
    lived = Lived(place / "work" / "imitation-lived", 100).all()
    assert len(lived) == 6  # those before the eyes were taught again are seen anew
    assert len(chains(lived, 3)) == 4
    assert len(chains(lived[::2], 2)) == 0
    # another worker's between them does not part them
    mixed = [*lived[:2], _segment(0, fresh=True), *lived[2:]]
    assert len(chains(mixed, 3)) == 4


def test_a_master_that_is_not_there_is_one_sentence(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY + APPRENTICE.format(run=tmp_path / "nobody"))
    with pytest.raises(agent.SubjectError, match="train that subject first") as caught:
        train(tmp_path / "tiny.toml", stages=["apprenticeship"], work=tmp_path / "w", threads=1)
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
        ("[herd]\ngaps = 0\nforage = 0\nescape = 0\ntwo_tap = 0", "at least one task"),
        ("[fleet]\nworkers = 0", "at least 1"),
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
    for name in ("runner", "rodent"):
        assert settings.read(ROOT / "subjects" / f"{name}.toml").network == agent.load(name).config


# --- the parts --------------------------------------------------------------------------------------


def test_the_expert_reads_its_phase_off_the_activations():
    """Driven by its own clock, the phase that the expert reads off is the clock's."""
    table = np.zeros((gait.N_PHASES, 38))
    turn = 2 * np.pi * np.arange(gait.N_PHASES) / gait.N_PHASES
    table[:, 5], table[:, 9] = 0.5 * np.sin(turn), 0.4 * np.cos(turn) + 0.1
    steering = Steering(gait.Gait(table, 5.0), np.zeros(38), np.zeros(38))
    locomotion = Locomotion(steering)
    advance = steering.cycles_per_tick(np.ones(1))[0]
    activation, phase, kept = np.zeros((1, 38)), 0.2, (1 - 1 / 40) ** 20
    for _ in range(60):
        control = steering.control(np.array([phase]), np.ones(1), np.zeros(1))
        activation = kept * activation + (1 - kept) * control
        phase += advance
    read = locomotion.phase(activation, np.ones(1), np.zeros(1))[0]
    error = (read - phase + 0.5) % 1 - 0.5
    assert abs(error) < 0.01


def test_the_stride_frequency_cannot_leave_its_bounds():
    parameters = np.zeros((3, gait.N_PARAMETERS))
    parameters[:, 0] = -50, 0, 50
    hz = gait.stride_hz(parameters)
    assert hz.min() >= 3.0
    assert hz.max() <= 6.0
    actuators = Bodies(coarse=True, threads=1).actuators
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
    rewards, discounts = 0.03 * torch.ones(400, 2), 0.97 * torch.ones(400, 2)
    told = imitation.returns(rewards, discounts, torch.zeros(400, 2), 1.0)
    assert told[0, 0] == pytest.approx(1.0, abs=1e-4)
    assert told[-1, 0] == 0
    exact = imitation.returns(rewards, discounts, torch.ones(400, 2), 0.5)
    torch.testing.assert_close(exact, torch.ones(400, 2))
    # nothing after an episode's end counts before it
    discounts[10] = 0
    ended = imitation.returns(rewards, discounts, torch.ones(400, 2), 1.0)
    assert ended[10, 0] == pytest.approx(0.03)


def _segment(value, fresh):
    ticks, animals = 4, 2
    fill = np.full((ticks, animals, 1), float(value), np.float32)
    begins = np.zeros((ticks, animals), bool)
    begins[0] = fresh
    zero = Network(NetworkConfig(policy_layers=1)).zero_state(animals)
    return Segment(
        senses=fill.repeat(158, 2), features=fill.repeat(64, 2),
        pictures=np.zeros((ticks, animals, 64, 64, 3), np.uint8),
        action=fill.repeat(38, 2), behaviour_mean=fill.repeat(38, 2),
        behaviour_std=np.ones(38, np.float32), log_prob=fill[..., 0], reward=fill[..., 0],
        discount=np.ones((ticks, animals), np.float32), fresh=begins, label=fill.repeat(38, 2),
        cues=np.full((ticks, animals, len(CUES)), np.nan, np.float32),
        weight=np.ones((ticks, animals), np.float32),
        state=tuple((h.numpy(), c.numpy()) for h, c in zero), task=np.zeros(animals, int),
        last_senses=fill[0].repeat(158, 1), last_features=fill[0].repeat(64, 1), version=0,
    )  # fmt: skip


def test_the_replay_keeps_the_newest_and_counts_unsure_starts_little():
    replay = Replay(capacity=3, warm_ticks=2)
    for value in range(5):
        replay.add(_segment(value, fresh=value == 4))
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
        lived.add(number, _segment(number, fresh=number == 4))
    back = Lived(tmp_path / "lived", 3).all()
    assert [float(one.reward[0, 0]) for one in back] == [2, 3, 4]
    given = _segment(4, fresh=True)
    for name in ("senses", "features", "label", "fresh", "task", "last_senses"):
        np.testing.assert_array_equal(getattr(back[-1], name), getattr(given, name))
    for ours, theirs in zip(back[-1].state, given.state, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # one that was half written by something else does not end the training
    (tmp_path / "lived" / "000003.safetensors").write_bytes(b"half")
    assert [float(one.reward[0, 0]) for one in lived.all()] == [2, 4]
    lived.forget()
    assert lived.all() == []


def test_a_gait_that_steps_is_searched_with_what_turns_it(tmp_path):
    small = SteppingSettings(
        coarse_generations=1, stock_generations=1, coarse_population=4, stock_population=4,
        rollout_s=0.2, steering_generations=1, steering_population=4,
    )  # fmt: skip
    told = []
    found = stepping.find(small, tmp_path, 1, lambda done, text: told.append(done))
    assert told == sorted(told)
    assert told[-1] == 1.0
    again = steering.load(tmp_path / "stepping.npz")
    np.testing.assert_array_equal(again.table, found.table)
    told.clear()
    stepping.find(small, tmp_path, 1, lambda done, text: told.append(done))
    assert told == []  # nothing is searched twice


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


def test_what_a_herd_lives_can_be_computed_again_from_its_segment():
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


def test_a_herd_does_not_learn_what_nobody_could_know():
    """To walk on after three turns without an orb in sight is left out of what counts."""
    wanted = HerdSettings(gaps=0, forage=0, escape=0, two_tap=1, push=0.0, shove=0.0)
    herd = Herd(NetworkConfig(policy_layers=1), wanted, SHIPPED, seed=5)
    environment = herd.animals[0]._environment
    orb = environment.task._targets[0][0]
    with environment.physics.reset_context():
        environment.physics.model.geom_pos[orb.geom_id] = (40, 40, 0.14)
    weight = np.concatenate([herd.live(None, 1, 100, 1.0).weight[:, 0] for _ in range(3)])
    assert weight[:150].all()
    assert not weight[150:].all()
    herd.close()


def test_what_was_lived_is_seen_anew_by_other_eyes():
    wanted = HerdSettings(gaps=1, forage=0, escape=0, two_tap=1)
    herd = Herd(NetworkConfig(), wanted, SHIPPED, seed=4)
    before, after = Network(NetworkConfig()), Network(NetworkConfig())
    weights = {name: value.numpy() for name, value in before.state_dict().items()}
    segment = herd.live(weights, 1, 5, 0.5, keep_pictures=True)
    same = imitation.seen_anew(before, segment)
    np.testing.assert_allclose(same.features, segment.features, atol=1e-5)
    anew = imitation.seen_anew(after, segment)
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


def test_the_floor_plan_is_the_mazes():
    environment = tasks.make("forage", 5)
    environment.reset()
    arena = environment.task._maze_arena
    plan = FloorPlan(arena)
    grid = arena.maze.entity_layer
    for row, column in np.ndindex(*grid.shape):
        place = arena.grid_to_world_positions([(row, column)])[0]
        assert plan.wall(place[:2]) == (grid[row, column] == "*")
    # straight along a row of the grid there is as much room as there are free cells
    row, column = np.argwhere(grid == "P")[0]
    here = arena.grid_to_world_positions([(row, column)])[0][:2]
    cells = next(n for n in range(1, 11) if grid[row, column + n] == "*")
    free = plan.free_m(here, np.zeros(1), 0.1, 9.0)[0]
    assert free == pytest.approx((cells - 0.5) * arena.xy_scale, abs=0.05)
    assert not plan.sight(here, here + np.array([cells * arena.xy_scale, 0.0]))
    assert plan.sight(here, here + np.array([(cells - 1) * arena.xy_scale, 0.0]))


def test_missing_skills_name_the_stage(tmp_path):
    with pytest.raises(agent.SubjectError, match="stage 'tapping' first"):
        Skills(tmp_path).path("tapping")


def test_stride_frequency_is_the_hips():
    seconds = np.arange(450) * 0.02
    assert evaluation.stride_hz(np.sin(2 * np.pi * 4.7 * seconds)) == pytest.approx(4.7, abs=0.05)
    assert np.isnan(evaluation.stride_hz(np.zeros(10)))
