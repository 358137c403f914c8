"""Training: the pipeline stages from nothing in small, resumed; bad settings refused in one sentence."""

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
from evaluation.trained_subject import score
from tests.plain_rollouts import plain_rollout
from tests.tiny_training import DISTILLED, REINFORCED, TINY
from training import provenance, settings
from training.learn import checkpoint, training_loop
from training.learn.distillation import consecutive_rollouts
from training.pipeline import train
from training.rollout.rollout_store import RolloutStore
from training.skill_stages import needed_skills

SKILL_STAGES = needed_skills(["corridor"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One small training, from nothing to a scored subject; returns its folder and what was reported."""
    place = tmp_path_factory.mktemp("training")
    (place / "tiny.toml").write_text(TINY)
    reports = []
    folder = train(
        place / "tiny.toml",
        work=place / "work",
        threads=1,
        progress=lambda stage, done, text: reports.append((stage, done, text)),
        evaluate=score,
    )
    return place, folder, reports


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


class Interrupted(Exception):
    """What a test raises in the middle of a stage."""


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
    for damaged in ("{", "[]", '{"gait": {"name": "leaping"}}'):
        (work / "stages.json").write_text(damaged)
        with pytest.raises(agent.SubjectError, match=r"stages.json, .* is damaged"):
            train(place / "tiny.toml", out=tmp_path / "o", work=work, stages=["dagger"], threads=1)
        assert (work / "stages.json").read_text() == damaged


def distilled(text: str, teacher: Path | str, place: Path) -> Path:
    """Settings of a training that begins with distillation."""
    path = place / "tiny.toml"
    path.write_text(text + DISTILLED.format(teacher=teacher))
    return path


def test_a_network_of_another_shape_learns_first_from_a_subjects_rollouts(trained, tmp_path):
    _, teacher, _ = trained
    one_layer = TINY.replace("policy_layers = 2", "policy_layers = 1").replace('"tiny"', '"pupil"')
    work = tmp_path / "runs" / "tiny"
    reports = []
    folder = train(
        distilled(one_layer, teacher, tmp_path),
        work=work,
        stages=("vision", "distillation", "dagger"),
        threads=1,
        progress=lambda stage, done, text: reports.append((stage, done, text)),
    )
    subject = agent.load(folder)
    assert subject.n_units == 2 * 128
    assert subject.training["distillation_ticks"] == 6 * 6 * 2
    ran = {one["name"]: one for one in subject.training["stages"]}
    assert list(ran) == ["gait", "steering", "distillation", "dagger"], "no vision stage ran"
    assert ran["gait"]["taken_from"] == "tiny"
    assert ran["distillation"]["teacher"] == "tiny"
    assert ran["distillation"]["teacher_sha256"] == agent.load(teacher).sha256
    stages = list(dict.fromkeys(stage for stage, _, _ in reports))
    assert stages == ["distillation", "dagger"]  # the vision encoder is the teacher's
    parts = [done for stage, done, _ in reports if stage == "distillation"]
    assert parts == sorted(parts)
    assert parts[-1] == pytest.approx(1.0)
    learning = [t for stage, _, t in reports if stage == "distillation" and "ticks/s" not in t]
    losses = [float(text.split()[1].rstrip(",")) for text in learning]
    assert losses[-1] < 0.7 * losses[0]
    master = agent.load(teacher).network.state_dict()
    pupil = checkpoint.read(work / "distillation.safetensors")
    name = "vision.out.weight"
    torch.testing.assert_close(pupil[f"network.{name}"], master[name], rtol=0, atol=0)
    later = checkpoint.read(work / "dagger.safetensors")
    for name in ("mean", "std"):
        torch.testing.assert_close(later[f"network.{name}"], master[name], rtol=0, atol=0)


def test_a_subject_is_trained_on_from_its_own_rollouts(trained, tmp_path):
    """It begins as its teacher, learns by other settings, and collects none of its own."""
    _, teacher, _ = trained
    path = distilled(TINY.replace('"tiny"', '"on"'), teacher, tmp_path)
    text = path.read_text().replace("updates = 41", "updates = 1\nbegin_as_teacher = true")
    path.write_text(
        text.replace("[dagger]\nrollouts = 6", "[dagger]\nrollouts = 0\ndiscount = 0.99")
    )
    work = tmp_path / "runs" / "on"
    folder = train(path, work=work, stages=("distillation", "dagger"), threads=1)
    subject, master = agent.load(folder), agent.load(teacher)
    before = master.network.state_dict()
    changes = [
        float((value - before[name]).abs().max())
        for name, value in subject.network.state_dict().items()
    ]
    assert 0 < max(changes) < 0.01  # one step of Adam
    assert subject.training["discount"] == 0.99
    assert subject.training["dagger_ticks"] == master.training["dagger_ticks"]
    wide = TINY.replace("policy_layers = 2", "policy_layers = 1")
    path = distilled(wide, teacher, tmp_path)
    path.write_text(path.read_text().replace("updates = 41", "begin_as_teacher = true"))
    with pytest.raises(agent.SubjectError, match="another architecture"):
        train(path, work=tmp_path / "w", stages=["distillation"], threads=1)


def test_a_teachers_rollouts_serve_all_pupils_and_are_continued_when_interrupted(trained, tmp_path):
    _, teacher, _ = trained
    settings_path = distilled(TINY, teacher, tmp_path)
    texts: list[str] = []

    def stop_early(stage, done, text):
        texts.append(text)
        if len(texts) == 2:
            raise Interrupted

    options = {"stages": ["distillation"], "threads": 1}
    with pytest.raises(Interrupted):
        train(settings_path, work=tmp_path / "runs" / "first", progress=stop_early, **options)
    (folder,) = (tmp_path / "runs").glob("tiny-rollouts-*")
    begun = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(begun) == 2
    train(
        settings_path,
        work=tmp_path / "runs" / "first",
        progress=lambda stage, done, text: texts.append(text),
        **options,
    )
    assert sum("ticks/s" in text for text in texts) == 6
    whole = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(whole) == 6
    assert begun.items() <= whole.items()
    rollouts = RolloutStore(folder, 6).load_all()
    # after the interruption the seeds are others
    assert not np.array_equal(rollouts[0].proprioception, rollouts[2].proprioception)
    texts.clear()
    train(
        settings_path,
        work=tmp_path / "runs" / "second",
        progress=lambda stage, done, text: texts.append(text),
        **options,
    )
    assert texts
    assert not any("ticks/s" in text for text in texts)
    # a pupil that has learned needs no rollouts of the environments that its settings name now
    text = settings_path.read_text().replace("[vector_env]", "[vector_env]\naction_noise = 0.1")
    settings_path.write_text(text)
    train(settings_path, work=tmp_path / "runs" / "second", **options)
    assert list((tmp_path / "runs").glob("tiny-rollouts-*")) == [folder]


def test_only_rollouts_that_follow_one_another_are_joined(trained):
    place, _, _ = trained
    rollouts = RolloutStore(place / "work" / "dagger-rollouts", 100).load_all()
    assert len(rollouts) == 6  # those before the vision encoder was retrained are encoded again
    assert len(consecutive_rollouts(rollouts, 3)) == 4
    assert len(consecutive_rollouts(rollouts[::2], 2)) == 0
    # one of another actor between them does not part them
    mixed = [*rollouts[:2], plain_rollout(0, is_first=True), *rollouts[2:]]
    assert len(consecutive_rollouts(mixed, 3)) == 4


def test_a_teacher_that_cannot_teach_is_one_sentence(trained, tmp_path):
    _, teacher, _ = trained
    options = {"stages": ["distillation"], "work": tmp_path / "w", "threads": 1}
    with pytest.raises(agent.SubjectError, match="no subject 'nobody'") as caught:
        train(distilled(TINY, "nobody", tmp_path), **options)
    assert "\n" not in str(caught.value)
    narrow = TINY.replace("[network]", "[network]\nvision_features = 32")
    with pytest.raises(
        agent.SubjectError, match=r"give it the same vision encoder in \[network\]"
    ) as caught:
        train(distilled(narrow, teacher, tmp_path), **options)
    assert "\n" not in str(caught.value)


def test_reinforcement_continues_from_a_subject_whose_checkpoints_are_gone(trained, tmp_path):
    _, teacher, _ = trained
    shutil.copytree(teacher, tmp_path / "tiny")
    text = TINY.replace("[reinforcement]\nrollouts = 0", REINFORCED)
    (tmp_path / "tiny.toml").write_text(text)
    before = agent.load(teacher)
    options = {"stages": ["reinforcement"], "work": tmp_path / "w", "threads": 1}
    after = agent.load(train(tmp_path / "tiny.toml", **options))
    assert after.sha256 != before.sha256
    assert after.training["dagger_ticks"] == before.training["dagger_ticks"]
    assert after.training["reinforcement_ticks"] == 3 * 6 * 2
    ran = [one["name"] for one in after.training["stages"]]
    assert ran == ["gait", "steering", "vision", "dagger", "reinforcement"]
    old, new = before.network.state_dict(), after.network.state_dict()
    torch.testing.assert_close(new["vision.out.weight"], old["vision.out.weight"], rtol=0, atol=0)
    torch.testing.assert_close(new["action.weight"], old["action.weight"], rtol=0, atol=0.01)

    # it is over: written anew, and nobody acts or learns
    shutil.rmtree(tmp_path / "w" / "log")
    assert agent.load(train(tmp_path / "tiny.toml", **options)).sha256 == after.sha256
    assert not (tmp_path / "w" / "log").exists()

    shutil.rmtree(tmp_path / "w")
    (tmp_path / "tiny.toml").write_text(text.replace("policy_layers = 2", "policy_layers = 1"))
    with pytest.raises(agent.SubjectError, match="another architecture") as caught:
        train(tmp_path / "tiny.toml", **options)
    assert "\n" not in str(caught.value)


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


def test_dagger_continues_from_a_subject(trained, tmp_path):
    """It acts as that one does until learning starts, and keeps its vision encoder and its ticks."""
    _, begun, _ = trained
    text = TINY.replace('"tiny"', '"on"').replace(
        "[dagger]", f'[dagger]\ninit_from = "{begun}"\nlearning_starts = 4\nretrain_vision_at = 1.0'
    )
    (tmp_path / "on.toml").write_text(text)
    work = tmp_path / "w"
    options = {"stages": ["vision", "dagger"], "work": work, "threads": 1}
    before, after = agent.load(begun), agent.load(train(tmp_path / "on.toml", **options))
    assert not (work / "vision.npz").exists()
    assert after.training["dagger_ticks"] == 2 * before.training["dagger_ticks"]
    *earlier, last = after.training["stages"]
    assert {one["subject"] for one in earlier if one["name"] in ("vision", "dagger")} == {"tiny"}
    assert (last["name"], last["init_from"]) == ("dagger", "tiny")
    assert last["init_from_sha256"] == before.sha256
    old, new = before.network.state_dict(), after.network.state_dict()
    for name in ("vision.out.weight", "mean", "std"):
        torch.testing.assert_close(new[name], old[name], rtol=0, atol=0)
    assert not torch.equal(new["action.weight"], old["action.weight"])
    torch.testing.assert_close(new["action.weight"], old["action.weight"], rtol=0, atol=0.005)
    rollouts = RolloutStore(work / "dagger-rollouts", 100).load_all()
    mean = [
        before.network.run(
            torch.from_numpy(one.proprioception),
            torch.from_numpy(one.features),
            tuple((torch.from_numpy(h), torch.from_numpy(c)) for h, c in one.state),
        ).mean.detach()
        for one in rollouts
    ]
    acts_as_before = [
        torch.allclose(reports, torch.from_numpy(one.policy_mean), atol=1e-5)
        for reports, one in zip(mean, rollouts, strict=True)
    ]
    assert acts_as_before == [True] * 4 + [False] * 2

    # the training is over: it is written anew, as a mean with what it began with
    (tmp_path / "on.toml").write_text(text.replace("[dagger]", "[dagger]\ninit_share = 0.25"))
    mixed = agent.load(train(tmp_path / "on.toml", **options)).network.state_dict()
    for name in old:
        torch.testing.assert_close(mixed[name], 0.25 * old[name] + 0.75 * new[name])

    # reinforcement goes on from there, and forgets nothing of what came before
    more = text.replace("[reinforcement]\nrollouts = 0", REINFORCED)
    (tmp_path / "on.toml").write_text(more)
    last = agent.load(train(tmp_path / "on.toml", **options | {"stages": ["reinforcement"]}))
    assert last.training["dagger_ticks"] == after.training["dagger_ticks"]
    assert last.training["stages"][:-1] == after.training["stages"]

    (tmp_path / "on.toml").write_text(text)
    with pytest.raises(agent.SubjectError, match="would be written over") as caught:
        train(tmp_path / "on.toml", out=begun, **options)
    assert "\n" not in str(caught.value)
    (tmp_path / "on.toml").write_text(text.replace("policy_layers = 2", "policy_layers = 1"))
    shutil.rmtree(work)
    with pytest.raises(agent.SubjectError, match="another architecture"):
        train(tmp_path / "on.toml", **options)
