"""Evaluation: what is counted, going on after an interruption, and the card."""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import agent
from analysis.code_identity import sources
from cli.main import main
from evaluation import (
    EpisodeResult,
    EvaluationCondition,
    Score,
    card,
    plan,
    run,
    running,
)
from evaluation.actors import RandomActionsSpec, SubjectSpec
from evaluation.conditions import tasks_of
from evaluation.evaluate import EvaluationConfig, evaluate
from evaluation.metrics import METRICS, MetricValue, ratio
from evaluation.paper.check import check
from evaluation.scores import as_json
from evaluation.tables import markdown, rows
from tests.test_paper_check import episode

RUNNER = Path(__file__).resolve().parents[1] / "subjects" / "runner"


def _random(task="corridor", episodes=2, duration_s=0.2):
    return EvaluationCondition(
        task, "random", RandomActionsSpec(), None, True, episodes, duration_s
    )


def _subject(runner, episodes=2, duration_s=0.2):
    policy = SubjectSpec(runner.folder, runner.sha256, sampled=True)
    return EvaluationCondition("corridor", "subject", policy, "fast", True, episodes, duration_s)


@pytest.fixture(scope="module")
def runner():
    return agent.load(RUNNER)


# --- running ----------------------------------------------------------------------------------------


def test_how_many_processes_changes_nothing(runner):
    conditions = [_subject(runner, episodes=1), _random("gaps", episodes=1)]
    assert run(conditions, jobs=1) == run(conditions, jobs=2)


def test_seeds_differ_and_are_kept(runner):
    one, again = run([_random()])[0], run([_random()])[0]
    assert one == again
    assert one.episodes[0].statistics != one.episodes[1].statistics
    assert [episode.seed for episode in one.episodes] == [1, 2]


def test_an_interrupted_evaluation_goes_on(tmp_path, monkeypatch):
    class Interrupted(Exception):
        pass

    def stop(done, text):
        if "1 of 2" in text:
            raise Interrupted

    condition = _random(episodes=2)
    with pytest.raises(Interrupted):
        run([condition], tmp_path, on_progress=stop)
    (kept,) = tmp_path.glob("*.jsonl")
    with kept.open("a") as file:
        file.write('{"seed": 2, "duration')  # as a power cut leaves it
    played, play = [], running.run_episode

    def counted(condition, seed):
        played.append(seed)
        return play(condition, seed)

    monkeypatch.setattr(running, "run_episode", counted)
    (score,) = run([condition], tmp_path)
    assert played == [2]
    assert score == run([condition])[0]
    played.clear()
    assert run([condition], tmp_path) == [score]
    assert played == []
    run([_random(episodes=2, duration_s=0.1)], tmp_path)
    assert played == [1, 2]


def test_a_folder_that_cannot_keep_episodes_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(agent.SubjectError, match=r"episodes cannot be kept in .*file") as caught:
        run([_random()], tmp_path / "file" / "scores")
    assert "\n" not in str(caught.value)

    def take_away(done, text):
        if "1 of 2" in text:
            shutil.rmtree(tmp_path / "scores")

    with pytest.raises(agent.SubjectError, match="No such file or directory; put that right"):
        run([_random()], tmp_path / "scores", on_progress=take_away)


def test_what_is_kept_is_of_all_the_code_that_it_depends_on(tmp_path):
    root = RUNNER.parents[1]
    files = {file.relative_to(root).as_posix() for file in sources(["evaluation.episode"], root)}
    assert {
        "evaluation/episode_statistics.py",
        "evaluation/actors.py",
        "agent/network_step.py",
        "agent/onnx_step.py",
        "rig/arenas/senses.py",
        "rig/body_quantities.py",
        "training/experts/gaps.py",
        "training/skills/gap_running.py",
    } <= files
    # neither how it is counted afterwards nor how it is shown
    assert not {"evaluation/metrics.py", "evaluation/tables.py", "evaluation/card.py"} & files
    paper = {f.relative_to(root).as_posix() for f in sources(["evaluation.paper.check"], root)}
    assert {"analysis/spectra.py", "analysis/sharing.py"} <= paper
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "__init__.py").write_text("")
    (tmp_path / "one" / "a.py").write_text("def f():\n    from one import b\n")
    (tmp_path / "one" / "b.py").write_text("import numpy\n")
    (tmp_path / "one" / "c.py").write_text("import one.a\n")
    assert [file.name for file in sources(["one.a"], tmp_path)] == ["__init__.py", "a.py", "b.py"]


# --- metrics ----------------------------------------------------------------------------------------


def _score(task, actor, each, fell=False, quality=None):
    episodes = tuple(
        EpisodeResult(seed, 30.0, 1.0, fell, False, False, statistics)
        for seed, statistics in enumerate(each, 1)
    )
    policy = RandomActionsSpec()
    condition = EvaluationCondition(task, actor, policy, quality, True, len(each), 30.0)
    return Score(condition, episodes)


def test_metrics_are_held_against_the_goals_by_their_intervals():
    def forage(orbs):
        return [{"orbs": n, "orbs_there": 9, "travelled_m": 5.0} for n in orbs]

    scores = [
        _score("forage", "subject", forage([7, 6, 8, 9, 8, 7, 6, 8, 9, 7, 8, 7]), quality="fast"),
        _score("forage", "random walk", forage([1, 0, 1, 1, 2, 0, 1, 1, 0, 1, 1, 1])),
    ]
    found = scores[0].metrics(scores)
    assert found["orbs"].value == pytest.approx(7.5)
    assert found["orbs"].standard_error == pytest.approx(1 / math.sqrt(12))
    assert found["orbs"].low < 7.5 - 1.9 / math.sqrt(12)
    assert found["orbs_to_random_walk"].value == pytest.approx(9)
    assert 5 < found["orbs_to_random_walk"].low < 9 < found["orbs_to_random_walk"].high
    _, table = rows("forage", scores)
    reached = {row[0]: row[-3:] for row in table}
    assert reached["orbs an episode"] == ["3", "6", "target"]
    assert reached["orbs, times those of the random walk"] == ["5", "", "minimum"]
    assert (
        "| 7.5 ± 0.3 | 0.8 ± 0.2 | 6.9 to 8.2 | 3 | 6 | target |" in markdown("forage", scores)[4]
    )
    # three episodes are too few for an interval
    few = [_score("forage", "subject", forage([7, 8, 9]), quality="fast")]
    assert {row[0]: row[-4:] for row in rows("forage", few)[1]}["orbs an episode"] == [
        *("none", "3", "6", "cannot tell")
    ]


def test_a_goal_is_reached_where_the_whole_interval_is_above_it():
    metric = {metric.key: metric for metric in METRICS["gaps"]}["speed_m_s"]
    assert (metric.minimum, metric.target) == (0.6, 0.9)
    for low, high, reached in (
        (0.3, 0.5, "below"),
        (0.5, 0.7, "cannot tell"),
        (0.65, 0.85, "minimum"),
        (0.65, 0.95, "minimum"),
        (0.92, 0.95, "target"),
    ):
        assert metric.reached(MetricValue((low + high) / 2, low, high)) == reached
    assert metric.reached(MetricValue(float("nan"))) == "not measured"
    assert METRICS["gaps"][0].reached(MetricValue(5.0)) == ""


def test_shares_count_what_was_tried_and_nothing_is_not_nought():
    gaps = [{"width_m": 0.06, "crossed": True}, {"width_m": 0.19, "crossed": False}]
    statistics = {"gaps": gaps, "speed_m_s": 0.7, "speed_over_all_m_s": 0.5, "stride_hz": None}
    score = _score("gaps", "subject", [statistics], fell=True, quality="fast")
    stored = as_json(score, [score])["metrics"]
    assert stored["crossed"] == {"value": 0.5, "count": 1, "total": 2}
    assert stored["crossed_5_8_cm"]["value"] == 1
    assert stored["crossed_17_20_cm"]["value"] == 0
    assert stored["crossed_8_11_cm"]["value"] is None
    assert stored["without_a_fall"]["value"] == 0
    json.dumps(as_json(score, [score]), allow_nan=False)


# --- the whole, and bad input -----------------------------------------------------------------------


def _noise():
    return np.random.default_rng(0).normal(size=(500, 8))


@pytest.mark.filterwarnings("error:No artists with labels", "error:invalid value encountered")
def test_a_stored_evaluation_has_scores_card_and_the_paper(tmp_path):
    folder = tmp_path / "subjects" / "runner"
    shutil.copytree(RUNNER, folder)
    config = EvaluationConfig(str(folder), episodes=1, stock_episodes=0, time_limit_s=2.0)
    found = evaluate(config, store=True, work=tmp_path / "work")
    assert found.notes == []
    card.write_paper(agent.load(folder), check([episode("corridor", 1, _noise())], ["one made up"]))
    stored = json.loads((folder / "scores.json").read_text())
    assert stored["sha256"] == agent.load(folder).sha256
    (own,) = (s for s in stored["scores"] if (s["actor"], s["action"]) == ("subject", "sampled"))
    assert own["metrics"]["speed_m_s"]["value"] > 0.2
    assert len(own["episodes"]) == 1
    assert stored["paper"]["claims"][0]["source"] == "3.2"
    assert (folder / "spectra.png").stat().st_size > 10_000
    evaluate(config, store=True, work=tmp_path / "work")
    assert (
        json.loads((folder / "scores.json").read_text()) == stored
    )  # what it says of the paper stays
    text = (folder / "card.md").read_text()
    for words in (
        "| forward speed m/s",
        "## Beside the paper",
        found.sha256,
        "GPL-3.0",
        "dagger ticks",
        "one made up",
    ):
        assert words in text
    (folder / "card.md").unlink()
    card.rewrite(folder)
    assert (folder / "card.md").read_text() == text
    assert json.loads((folder / "scores.json").read_text()) == stored


@pytest.mark.parametrize("name", ["rodent", "rodent_one_layer", "rodent_second", "runner"])
def test_shipped_cards_are_what_their_scores_say(name, tmp_path):
    shutil.copytree(RUNNER.parent / name, tmp_path / name)
    card.rewrite(tmp_path / name)
    for file in ("card.md", "scores.json"):
        assert (tmp_path / name / file).read_bytes() == (RUNNER.parent / name / file).read_bytes()


def test_scores_of_another_form_are_one_sentence(tmp_path):
    shutil.copytree(RUNNER, tmp_path / "runner")
    (tmp_path / "runner" / "scores.json").write_text("[]")
    with pytest.raises(agent.SubjectError, match=r"scores\.json cannot be read .*evaluate runner"):
        card.rewrite(tmp_path / "runner")


def test_a_plan_has_a_sentence_for_what_is_missing(runner, tmp_path):
    conditions, notes = plan(runner, ("corridor", "forage"), 2, 1, tmp_path)
    actors = [one.key for one in conditions]
    assert ("corridor", "subject", "stock", "mean") in actors
    assert ("forage", "random", "none", "sampled") in actors
    assert not any(actor == "expert" for _, actor, _, _ in actors)
    assert any(note.startswith("corridor: no expert") for note in notes)
    assert any("no random walk" in note for note in notes)
    assert tasks_of({"tasks": ["gaps", "escape"]}) == ("gaps", "escape")
    assert tasks_of({"task": "corridor"}, "two_tap, gaps") == ("two_tap", "gaps")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "there is no subject 'nobody'"),
        (["runner", "--tasks", "gasp"], "did you mean 'gaps'"),
        (["runner", "--tasks", ""], "which tasks"),
        (["runner", "--episodes", "0"], "--episodes is at least 1"),
        (["runner", "--jobs", "0"], "--jobs is at least 1"),
        (["runner", "--duration", "0"], "--duration is at least"),
        (["runner", "--duration", "nan"], "--duration nan: give a finite number"),
        (["runner", "--expert", "--store"], "neither --paper nor --store"),
        (["runner", "--paper", "nowhere"], "nowhere does not exist; name recordings"),
        (["runner", "--expert", "--paper", str(RUNNER)], "neither --paper nor --store"),
        (["runner", "--tasks", "gaps", "--store"], "cannot leave out corridor"),
        (["runner", "--skills", "nowhere"], "no folder of skills nowhere"),
        (["runner", "--expert", "--skills", "nowhere"], "no skills for experts"),
    ],
)
def test_bad_input_is_one_sentence(arguments, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rodent-rig", "evaluate", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    said = capsys.readouterr().err.strip()
    assert words in said
    assert "\n" not in said


def test_a_damaged_subject_is_one_sentence(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "runner"
    shutil.copytree(RUNNER, folder)
    (folder / "weights.safetensors").write_bytes(b"x")
    monkeypatch.setattr(sys, "argv", ["rodent-rig", "evaluate", str(folder)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "damaged" in capsys.readouterr().err


def test_the_interval_of_a_ratio_holds_the_ratio_and_the_truth() -> None:
    rng = np.random.default_rng(0)
    covered, n = 0, 400
    for _ in range(n):
        liveliness = rng.gamma(5, 0.2, 12)
        found = ratio(rng.poisson(6 * liveliness), rng.poisson(3 * liveliness))
        assert found.low <= found.value <= found.high
        covered += found.low <= 2 <= found.high
    assert covered / n > 0.92
    # episodes unlike each other: one has nearly all
    for over, under in (
        ([1, 2, 1, 90, 2, 1], [1, 1, 2, 9, 1, 1]),
        ([9] * 8, [5, 5, 6, 4, 5, 5, 6, 5]),
    ):
        found = ratio(over, under)
        assert found.low <= found.value <= found.high
    # what is below may be nothing at all
    assert not math.isfinite(ratio([6.0] * 8, [0.0] * 7 + [1.0]).high)
    assert not math.isfinite(ratio([6.0] * 5, [3.0] * 5).high)  # five are too few
