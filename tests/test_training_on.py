"""Training that goes on from a subject: from its rollouts, its weights, or what it left."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import agent
from tests.plain_rollouts import plain_rollout
from tests.tiny_training import DISTILLED, REINFORCED, TINY, Interrupted, small_training
from training.learn import checkpoint
from training.learn.distillation import consecutive_rollouts
from training.pipeline import train
from training.rollout.rollout_store import RolloutStore


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return small_training(tmp_path_factory)


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
