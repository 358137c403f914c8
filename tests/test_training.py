"""Training: the stages from nothing in small, resumed, and bad settings told in one sentence."""

from __future__ import annotations

import json
import shutil
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import agent
from tests.plain_rollouts import plain_segment
from training import settings
from training.learn import checkpoint, dagger
from training.learn.distillation import chains
from training.pipeline import train
from training.rollout.rollout_store import Lived
from training.skill_stages import needed_skills

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
teacher = "{teacher}"
segments = 6
updates = 41
sequences = 4
joined = 3
"""
REINFORCED = """
[reinforcement]
segments = 3
segment_ticks = 6
warm_ticks = 1
replay_segments = 2
first_segments = 1
critic_part = 0
target_every = 1
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
    assert "subject mean stock 1 ep." in (folder / "card.md").read_text()


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
    monkeypatch.setattr(dagger, "CHECKPOINT_EVERY_S", 0.0)
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


def test_what_ships_is_a_running_mean_of_what_learns_also_when_interrupted(
    trained, tmp_path, monkeypatch
):
    place, _, _ = trained
    work = tmp_path / "work"
    shutil.copytree(place / "work" / "skills", work / "skills")
    shutil.copyfile(place / "work" / "vision.npz", work / "vision.npz")
    monkeypatch.setattr(dagger, "CHECKPOINT_EVERY_S", 0.0)
    text = TINY.replace("segments = 6", "segments = 9\naverage = 0.4\nlook_again = 1")
    (tmp_path / "tiny.toml").write_text(text)
    files: list[dict[str, torch.Tensor]] = []

    def look(stage, done, text, stop=0):
        files.append(checkpoint.read(work / "imitation.safetensors"))
        if len(files) == stop:
            raise Interrupted

    options = {"out": tmp_path / "out", "work": work, "stages": ["imitation"], "threads": 1}
    with pytest.raises(Interrupted):
        train(tmp_path / "tiny.toml", progress=partial(look, stop=6), **options)
    folder = train(tmp_path / "tiny.toml", progress=look, **options)
    assert [int(file["done"]) for file in files] == list(range(1, 10))
    name = "action.weight"
    for lived, (old, new) in enumerate(pairwise(files), 1):
        part = min(0.4, (1 + lived) / (10 + lived))
        told = part * old[f"network.{name}"] + (1 - part) * new[f"learning.{name}"]
        torch.testing.assert_close(new[f"network.{name}"], told)
    assert not torch.equal(files[-1][f"network.{name}"], files[-1][f"learning.{name}"])
    shipped = load_file(folder / "weights.safetensors")
    torch.testing.assert_close(shipped[name], files[-1][f"network.{name}"], rtol=0, atol=0)


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


def apprentice(text: str, teacher: Path | str, place: Path) -> Path:
    """Settings of a training that begins as an apprentice."""
    path = place / "tiny.toml"
    path.write_text(text + APPRENTICE.format(teacher=teacher))
    return path


def test_a_network_of_another_shape_learns_first_from_what_a_subject_lives(trained, tmp_path):
    _, teacher, _ = trained
    one_layer = TINY.replace("policy_layers = 2", "policy_layers = 1")
    work = tmp_path / "runs" / "tiny"
    said = []
    folder = train(
        apprentice(one_layer, teacher, tmp_path),
        work=work,
        stages=("vision", "apprenticeship", "imitation"),
        threads=1,
        progress=lambda stage, done, text: said.append((stage, done, text)),
    )
    subject = agent.load(folder)
    assert subject.n_units == 2 * 128
    assert subject.training["apprenticeship_ticks"] == 6 * 6 * 2
    stages = list(dict.fromkeys(stage for stage, _, _ in said))
    assert stages == ["apprenticeship", "imitation"]  # the eyes are those of the teacher
    parts = [done for stage, done, _ in said if stage == "apprenticeship"]
    assert parts == sorted(parts)
    assert parts[-1] == pytest.approx(1.0)
    learning = [t for stage, _, t in said if stage == "apprenticeship" and "lives" not in t]
    losses = [float(text.split()[1].rstrip(",")) for text in learning]
    assert losses[-1] < 0.7 * losses[0]
    master = agent.load(teacher).network.state_dict()
    pupil = checkpoint.read(work / "apprenticeship.safetensors")
    name = "vision.out.weight"
    torch.testing.assert_close(pupil[f"network.{name}"], master[name], rtol=0, atol=0)
    later = checkpoint.read(work / "imitation.safetensors")
    for name in ("mean", "std"):
        torch.testing.assert_close(later[f"network.{name}"], master[name], rtol=0, atol=0)


def test_a_teacher_lives_once_for_all_its_apprentices_and_goes_on_when_interrupted(
    trained, tmp_path
):
    _, teacher, _ = trained
    settings_path = apprentice(TINY, teacher, tmp_path)
    told: list[str] = []

    def stop_early(stage, done, text):
        told.append(text)
        if len(told) == 2:
            raise Interrupted

    options = {"stages": ["apprenticeship"], "threads": 1}
    with pytest.raises(Interrupted):
        train(settings_path, work=tmp_path / "runs" / "first", progress=stop_early, **options)
    (lived,) = (tmp_path / "runs").glob("tiny-lived-*")
    begun = {path: path.stat().st_mtime_ns for path in lived.iterdir()}
    assert len(begun) == 2
    train(
        settings_path,
        work=tmp_path / "runs" / "first",
        progress=lambda stage, done, text: told.append(text),
        **options,
    )
    assert sum("lives" in text for text in told) == 6
    whole = {path: path.stat().st_mtime_ns for path in lived.iterdir()}
    assert len(whole) == 6
    assert begun.items() <= whole.items()
    segments = Lived(lived, 6).all()
    # what was lived after the interruption is not what was lived before it
    assert not np.array_equal(segments[0].senses, segments[2].senses)
    told.clear()
    train(
        settings_path,
        work=tmp_path / "runs" / "second",
        progress=lambda stage, done, text: told.append(text),
        **options,
    )
    assert told
    assert not any("lives" in text for text in told)


def test_only_segments_that_follow_one_another_are_joined(trained):
    place, _, _ = trained
    lived = Lived(place / "work" / "imitation-lived", 100).all()
    assert len(lived) == 6  # those before the eyes were taught again are seen anew
    assert len(chains(lived, 3)) == 4
    assert len(chains(lived[::2], 2)) == 0
    # another worker's between them does not part them
    mixed = [*lived[:2], plain_segment(0, fresh=True), *lived[2:]]
    assert len(chains(mixed, 3)) == 4


def test_a_teacher_that_cannot_teach_is_one_sentence(trained, tmp_path):
    _, teacher, _ = trained
    options = {"stages": ["apprenticeship"], "work": tmp_path / "w", "threads": 1}
    with pytest.raises(agent.SubjectError, match="no subject 'nobody'") as caught:
        train(apprentice(TINY, "nobody", tmp_path), **options)
    assert "\n" not in str(caught.value)
    narrow = TINY.replace("[network]", "[network]\nvision_features = 32")
    with pytest.raises(agent.SubjectError, match=r"give it the same eyes in \[network\]") as caught:
        train(apprentice(narrow, teacher, tmp_path), **options)
    assert "\n" not in str(caught.value)


def test_reinforcement_goes_on_from_a_subject_whose_checkpoints_are_gone(trained, tmp_path):
    _, teacher, _ = trained
    shutil.copytree(teacher, tmp_path / "tiny")
    text = TINY.replace("[reinforcement]\nsegments = 0", REINFORCED)
    (tmp_path / "tiny.toml").write_text(text)
    before = agent.load(teacher)
    options = {"stages": ["reinforcement"], "work": tmp_path / "w", "threads": 1}
    after = agent.load(train(tmp_path / "tiny.toml", **options))
    assert after.sha256 != before.sha256
    assert after.training["imitation_ticks"] == before.training["imitation_ticks"]
    assert after.training["reinforcement_ticks"] == 3 * 6 * 2
    old, new = before.network.state_dict(), after.network.state_dict()
    torch.testing.assert_close(new["vision.out.weight"], old["vision.out.weight"], rtol=0, atol=0)
    torch.testing.assert_close(new["action.weight"], old["action.weight"], rtol=0, atol=0.01)

    shutil.rmtree(tmp_path / "w")
    (tmp_path / "tiny.toml").write_text(text.replace("policy_layers = 2", "policy_layers = 1"))
    with pytest.raises(agent.SubjectError, match="another architecture") as caught:
        train(tmp_path / "tiny.toml", **options)
    assert "\n" not in str(caught.value)


def test_imitation_goes_on_from_a_subject(trained, tmp_path):
    """It lives as that one does until there is enough to learn from, and keeps its eyes and its ticks."""
    _, begun, _ = trained
    text = TINY.replace('"tiny"', '"on"').replace(
        "[imitation]", f'[imitation]\nbegin_with = "{begun}"\nfirst_segments = 4\nlook_again = 1.0'
    )
    (tmp_path / "on.toml").write_text(text)
    work = tmp_path / "w"
    options = {"stages": ["vision", "imitation"], "work": work, "threads": 1}
    before, after = agent.load(begun), agent.load(train(tmp_path / "on.toml", **options))
    assert not (work / "vision.npz").exists()
    assert after.training["imitation_ticks"] == 2 * before.training["imitation_ticks"]
    old, new = before.network.state_dict(), after.network.state_dict()
    for name in ("vision.out.weight", "mean", "std"):
        torch.testing.assert_close(new[name], old[name], rtol=0, atol=0)
    assert not torch.equal(new["action.weight"], old["action.weight"])
    torch.testing.assert_close(new["action.weight"], old["action.weight"], rtol=0, atol=0.005)
    lived = Lived(work / "imitation-lived", 100).all()
    mean = [
        before.network.run(
            torch.from_numpy(one.senses),
            torch.from_numpy(one.features),
            tuple((torch.from_numpy(h), torch.from_numpy(c)) for h, c in one.state),
        ).mean.detach()
        for one in lived
    ]
    acts_as_before = [
        torch.allclose(said, torch.from_numpy(one.behaviour_mean), atol=1e-5)
        for said, one in zip(mean, lived, strict=True)
    ]
    assert acts_as_before == [True] * 4 + [False] * 2

    with pytest.raises(agent.SubjectError, match="would be written over") as caught:
        train(tmp_path / "on.toml", out=begun, **options)
    assert "\n" not in str(caught.value)
    (tmp_path / "on.toml").write_text(text.replace("policy_layers = 2", "policy_layers = 1"))
    shutil.rmtree(work)
    with pytest.raises(agent.SubjectError, match="another architecture"):
        train(tmp_path / "on.toml", **options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x", "cannot be read"),
        ("[imitation]\nfirst_segments = 0", "first_segments is from 1"),
        (
            "[herd]\n[imitation]\nbegin_with = 'a'\n[apprenticeship]\nteacher = 'b'",
            "two ways to begin",
        ),
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
        ("[herd]\nnear = 3", "near is a part, from 0 to 1"),
        ("[imitation]\naverage = 1", "average is a part, from 0 to below 1"),
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
    for name in ("runner", "rodent", "rodent_one_layer", "rodent_second"):
        assert settings.read(ROOT / "subjects" / f"{name}.toml").network == agent.load(name).config
