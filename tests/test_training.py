"""Training: the pipeline stages from nothing in small, resumed; what cannot be is one sentence."""

from __future__ import annotations

import json
import shutil
from functools import partial
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file

import agent
from tests.tiny_training import TINY, Interrupted, small_training
from training import provenance, settings
from training.learn import checkpoint, training_loop
from training.pipeline import train
from training.skill_stages import needed_skills

SKILL_STAGES = needed_skills(["corridor"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return small_training(tmp_path_factory)


def test_all_stages_together_make_a_subject_that_loads_and_is_scored(trained):
    place, folder, reports = trained
    assert folder == place / "tiny"
    subject = agent.load(folder)
    assert subject.n_units == 3 * 128
    assert subject.training["dagger_ticks"] == 6 * 6 * 2
    assert subject.training["tasks"] == ["corridor"]
    assert {path.stem for path in (folder / "skills").iterdir()} == {"gait", "steering"}
    ran = subject.training["stages"]
    assert [one["name"] for one in ran] == ["gait", "steering", "vision", "dagger"]
    wanted = settings.read(place / "tiny.toml")
    for one in ran:
        assert one["settings_sha256"] == [provenance.settings_sha256(wanted, one["name"])]
    assert "settings sha256" in (folder / "card.md").read_text()
    for stage in (*SKILL_STAGES, "vision", "dagger", "evaluate"):
        parts = [done for name, done, _ in reports if name == stage]
        assert parts[-1] == pytest.approx(1.0), stage
        assert parts == sorted(parts), stage
    rows = json.loads((folder / "scores.json").read_text())["scores"]
    own = [row for row in rows if row["actor"] == "subject" and row["task"] == "corridor"]
    corridor = {(row["rendering"], row["action"]) for row in own}
    assert corridor == {(q, a) for q in ("fast", "stock") for a in ("sampled", "mean")}
    assert {r["actor"] for r in rows} == {"subject", "expert", "random"}
    assert "subject mean stock 1 ep." in (folder / "card.md").read_text()


def test_a_finished_training_is_not_done_again(trained):
    place, folder, _ = trained
    checkpoints = [*(place / "work" / "skills").glob("*-*.npz"), place / "work" / "vision.npz"]
    assert len(checkpoints) == 4
    before = {path: path.stat().st_mtime_ns for path in checkpoints}
    identity = agent.load(folder).sha256
    reports = []
    train(
        place / "tiny.toml",
        work=place / "work",
        stages=(*SKILL_STAGES, "vision", "dagger"),
        threads=1,
        progress=lambda *report: reports.append(report),
    )
    assert not reports
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == before
    assert agent.load(folder).sha256 == identity


def test_skills_that_came_with_a_subject_are_searched_anew_only_when_asked(trained, tmp_path):
    place, folder, _ = trained
    shutil.copytree(folder, tmp_path / "tiny")
    reports: list[tuple[str, float, str]] = []
    options = {
        "out": tmp_path / "tiny",
        "work": tmp_path / "work",
        "threads": 1,
        "progress": lambda *report: reports.append(report),
    }
    train(place / "tiny.toml", stages=SKILL_STAGES, **options)
    assert {text for _, _, text in reports} == {"as it came with tiny; --fresh searches it anew"}
    own = {name: tmp_path / "work" / "skills" / f"{name}.npz" for name in SKILL_STAGES}
    for name, path in own.items():
        assert path.read_bytes() == (folder / "skills" / f"{name}.npz").read_bytes()
    for path in own.values():
        path.unlink()
    train(place / "tiny.toml", stages=["evaluate"], resume=False, **options)
    assert all(path.exists() for path in own.values()), "what is not begun anew came with it"


def test_what_other_settings_left_is_one_sentence(trained, tmp_path):
    place, _, _ = trained
    shutil.copytree(place / "work", tmp_path / "work")
    options = {"out": tmp_path / "o", "work": tmp_path / "work", "stages": ["dagger"], "threads": 1}
    more = TINY.replace("rollouts = 6", "rollouts = 7")
    (tmp_path / "tiny.toml").write_text(more.replace("rollout_ticks = 6", "rollout_ticks = 7"))
    with pytest.raises(agent.SubjectError, match="set it to 6 to resume") as caught:
        train(tmp_path / "tiny.toml", **options)
    assert "\n" not in str(caught.value)
    narrow = more.replace("[network]", "[network]\nvision_features = 32")
    (tmp_path / "tiny.toml").write_text(narrow)
    with pytest.raises(agent.SubjectError, match="holds another vision encoder") as caught:
        train(tmp_path / "tiny.toml", **options)
    assert "\n" not in str(caught.value)


def test_stages_without_a_record_are_listed_without_settings(trained, tmp_path):
    """A work folder of an earlier version has checkpoints and no records."""
    place, _, _ = trained
    shutil.copytree(place / "work", tmp_path / "work")
    (tmp_path / "work" / provenance.STAGES_FILE).unlink()
    out = tmp_path / "other"
    folder = train(
        place / "tiny.toml", out=out, work=tmp_path / "work", stages=["dagger"], threads=1
    )
    ran = provenance.of_subject(folder).values()
    assert [one["name"] for one in ran] == ["gait", "steering", "vision", "dagger"]
    assert {one["note"] for one in ran} == {"settings not recorded"}


@pytest.mark.parametrize("stage", ["gait", "dagger"])
def test_an_interrupted_stage_goes_on_where_it_was(trained, tmp_path, stage, monkeypatch):
    place, _, _ = trained
    work = tmp_path / "work"
    (work / "skills").mkdir(parents=True)
    if stage != "gait":
        for name in ("gait.npz", "steering.npz"):
            shutil.copyfile(place / "work" / "skills" / name, work / "skills" / name)
        shutil.copyfile(place / "work" / "vision.npz", work / "vision.npz")
    monkeypatch.setattr(training_loop, "CHECKPOINT_EVERY_S", 0.0)
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


def test_what_ships_is_the_moving_average_of_what_learns_also_when_interrupted(
    trained, tmp_path, monkeypatch
):
    place, _, _ = trained
    work = tmp_path / "work"
    shutil.copytree(place / "work" / "skills", work / "skills")
    shutil.copyfile(place / "work" / "vision.npz", work / "vision.npz")
    monkeypatch.setattr(training_loop, "CHECKPOINT_EVERY_S", 0.0)
    text = TINY.replace("rollouts = 6", "rollouts = 9\nema = 0.4\nretrain_vision_at = 1")
    (tmp_path / "tiny.toml").write_text(text)
    files: list[dict[str, torch.Tensor]] = []

    def look(stage, done, text, stop=0):
        files.append(checkpoint.read(work / "dagger.safetensors"))
        if len(files) == stop:
            raise Interrupted

    options = {"out": tmp_path / "out", "work": work, "stages": ["dagger"], "threads": 1}
    with pytest.raises(Interrupted):
        train(tmp_path / "tiny.toml", progress=partial(look, stop=6), **options)
    folder = train(tmp_path / "tiny.toml", progress=look, **options)
    assert [int(file["completed"]) for file in files] == list(range(1, 10))
    name = "action.weight"
    for updates, (old, new) in enumerate(pairwise(files), 1):
        decay = min(0.4, (1 + updates) / (10 + updates))
        mean = decay * old[f"network.{name}"] + (1 - decay) * new[f"online.{name}"]
        torch.testing.assert_close(new[f"network.{name}"], mean)
    assert not torch.equal(files[-1][f"network.{name}"], files[-1][f"online.{name}"])
    shipped = load_file(folder / "weights.safetensors")
    torch.testing.assert_close(shipped[name], files[-1][f"network.{name}"], rtol=0, atol=0)


def test_a_stage_without_the_one_before_it_says_which(trained, tmp_path):
    place, _, _ = trained
    elsewhere = {"work": tmp_path / "work", "out": tmp_path / "out", "threads": 1}
    for stage, needed in (("steering", "gait"), ("vision", "steering"), ("dagger", "vision")):
        with pytest.raises(agent.SubjectError, match=f"stage '{needed}' first"):
            train(place / "tiny.toml", stages=[stage], **elsewhere)
    with pytest.raises(agent.SubjectError, match="no stage 'imitation'; it is called 'dagger' now"):
        train(place / "tiny.toml", stages=["imitation"], **elsewhere)


def test_a_damaged_checkpoint_is_one_sentence(trained, tmp_path):
    place, _, _ = trained
    work = tmp_path / "work"
    shutil.copytree(place / "work", work)
    whole = (work / "dagger.safetensors").read_bytes()
    (work / "dagger.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(agent.SubjectError, match="cannot be resumed") as caught:
        train(place / "tiny.toml", out=tmp_path / "o", work=work, stages=["dagger"], threads=1)
    assert "\n" not in str(caught.value)
    (work / "dagger.safetensors").write_bytes(whole)
    for damaged in ("{", "[]", '{"gait": {"name": "stepping"}}'):
        (work / "stages.json").write_text(damaged)
        with pytest.raises(agent.SubjectError, match=r"stages.json, .* is damaged"):
            train(place / "tiny.toml", out=tmp_path / "o", work=work, stages=["dagger"], threads=1)
        assert (work / "stages.json").read_text() == damaged


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_one_sentence(tmp_path, device):
    (tmp_path / "t.toml").write_text(TINY.replace("[dagger]", f'[dagger]\ndevice = "{device}"'))
    with pytest.raises(
        agent.SubjectError, match=rf"device: PyTorch cannot use '{device}'"
    ) as caught:
        train(tmp_path / "t.toml", stages=["dagger"], work=tmp_path / "w")
    assert "\n" not in str(caught.value)


def test_dagger_ends_when_its_time_is_over(trained, tmp_path):
    """What it has learned by then is the subject, and its ticks are those that it had."""
    _, begun, _ = trained
    text = TINY.replace('"tiny"', '"short"').replace(
        "[dagger]", f'[dagger]\ninit_from = "{begun}"\nmax_minutes = 1e-6\nretrain_vision_at = 1.0'
    )
    (tmp_path / "short.toml").write_text(text)
    done: list[float] = []
    options = {"work": tmp_path / "w", "progress": lambda stage, part, text: done.append(part)}
    subject = agent.load(train(tmp_path / "short.toml", stages=["dagger"], **options))
    assert done == [1.0]
    assert subject.training["dagger_ticks"] == agent.load(begun).training["dagger_ticks"]
