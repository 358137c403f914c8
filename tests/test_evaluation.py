"""Evaluation: what its meters count, going on after an interruption, and the check against the check."""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import agent
from agent.subject import Layer
from analysis.behaviour_features import morlet_amplitude
from analysis.sharing import cka, overlap, partition, representation_across, variance_between
from analysis.spectra import population_spectrum
from cli.main import main
from evaluation import Condition, Episode, Score, metrics, plan, run, running
from evaluation.actors import RandomActions, Student
from evaluation.conditions import tasks_of
from evaluation.evaluate import Wanted, evaluate
from evaluation.paper import check
from evaluation.paper.activity import Recorded
from evaluation.scores import FIGURES, as_json
from evaluation.tables import markdown, rows
from rig.arenas import tasks

RUNNER = Path(__file__).resolve().parents[1] / "subjects" / "runner"


def _random(task="corridor", episodes=2, duration_s=0.2):
    return Condition(task, "random", RandomActions(), None, True, episodes, duration_s)


def _student(runner, episodes=2, duration_s=0.2):
    source = Student(runner.folder, runner.sha256, sampled=True)
    return Condition("corridor", "student", source, "fast", True, episodes, duration_s)


@pytest.fixture(scope="module")
def runner():
    return agent.load(RUNNER)


# --- running ----------------------------------------------------------------------------------------


def test_how_many_processes_changes_nothing(runner):
    conditions = [_student(runner), _random("gaps")]
    assert run(conditions, jobs=1) == run(conditions, jobs=2)


def test_seeds_differ_and_are_kept(runner):
    one, again = run([_random()])[0], run([_random()])[0]
    assert one == again
    assert one.episodes[0].figures != one.episodes[1].figures
    assert [episode.seed for episode in one.episodes] == [1, 2]


def test_an_interrupted_evaluation_goes_on(tmp_path, monkeypatch):
    class Interrupted(Exception):
        pass

    def stop(done, text):
        if "1 of 3" in text:
            raise Interrupted

    condition = _random(episodes=3)
    with pytest.raises(Interrupted):
        run([condition], tmp_path, report=stop)
    (kept,) = tmp_path.glob("*.jsonl")
    with kept.open("a") as file:
        file.write('{"seed": 2, "duration')  # as a power cut leaves it
    played, play = [], running.run_episode

    def counted(condition, seed):
        played.append(seed)
        return play(condition, seed)

    monkeypatch.setattr(running, "run_episode", counted)
    (score,) = run([condition], tmp_path)
    assert played == [2, 3]
    assert score == run([condition])[0]
    played.clear()
    assert run([condition], tmp_path) == [score]
    assert played == []
    run([_random(episodes=3, duration_s=0.1)], tmp_path)
    assert played == [1, 2, 3]


def test_a_folder_that_cannot_keep_episodes_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(agent.SubjectError, match=r"episodes cannot be kept in .*file") as caught:
        run([_random()], tmp_path / "file" / "scores")
    assert "\n" not in str(caught.value)

    def take_away(done, text):
        if "1 of 2" in text:
            shutil.rmtree(tmp_path / "scores")

    with pytest.raises(agent.SubjectError, match="No such file or directory; put that right"):
        run([_random()], tmp_path / "scores", report=take_away)


# --- meters -----------------------------------------------------------------------------------------


def _placed(task, seed=1):
    environment = tasks.make(task, seed)
    environment.reset()
    return environment, metrics.meter_for(task, environment)


def _move(environment, x=None, z=None, turn=None):
    data = environment.physics.data.ptr
    data.qpos[0] = data.qpos[0] if x is None else x
    data.qpos[2] = data.qpos[2] if z is None else z
    if turn is not None:
        data.qpos[3:7] = np.cos(turn / 2), np.sin(turn / 2), 0, 0
    environment.physics.forward()


def test_gaps_are_those_of_the_arena():
    environment, meter = _placed("gaps")
    widths = np.diff(meter.gaps, axis=1)
    assert 0.05 <= widths.min() < widths.max() <= 0.2
    platforms = np.array([b[0] - a[1] for a, b in zip(meter.gaps, meter.gaps[1:], strict=False)])
    assert 0.4 - 1e-9 <= platforms.min() < platforms.max() <= 0.8 + 1e-9
    assert meter.gaps[0][0] > 6
    environment.close()


def test_a_gap_is_crossed_with_all_paws_and_a_drop_is_a_fall():
    environment, meter = _placed("gaps")
    stands, (first, second) = environment.physics.data.ptr.qpos[2], meter.gaps[:2]
    for x in (first[0] - 0.3, first[0] - 0.02, first[1] + 0.02):
        _move(environment, x)
        meter.after()
    # the nose is over, the hind paws are not
    assert meter.figures(1.0, 30.0, False)["gaps"] == []
    _move(environment, first[1] + 0.25)
    meter.after()
    assert [gap["crossed"] for gap in meter.figures(1.0, 30.0, False)["gaps"]] == [True]
    assert not meter.fell(False)
    _move(environment, second[0] + 0.01, stands - 0.2)
    meter.after()
    found = meter.figures(2.0, 30.0, True)
    assert meter.fell(False)
    assert [gap["crossed"] for gap in found["gaps"]] == [True, False]
    assert found["gaps"][0]["width_m"] == pytest.approx(first[1] - first[0], abs=1e-4)
    assert found["speed_m_s"] == pytest.approx(15 * found["speed_over_all_m_s"])
    environment.close()


def test_orbs_are_counted():
    environment, meter = _placed("forage")
    assert meter.figures(1, 30, False)["orbs"] == 0
    physics = environment.physics
    there = physics.bind(environment.task._active_targets[0][0].geom).xpos.copy()
    physics.data.ptr.qpos[:2] = there[:2]
    physics.data.ptr.qpos[2] = there[2]
    physics.forward()
    environment.step(np.zeros(38))
    meter.after()
    found = meter.figures(1, 30, False)
    assert found["orbs"] == 1
    assert found["orbs_there"] >= 3
    environment.close()


def test_the_bowl_counts_distance_and_half_a_second_upright():
    environment, meter = _placed("escape")
    for turn, ticks in ((3.0, 30), (0.2, 24), (1.2, 5), (0.2, 26)):
        for _ in range(ticks):
            _move(environment, 1.5, 0.5, turn)
            meter.after()
    found = meter.figures(2, 20, False)
    assert found["distance_m"] == pytest.approx(1.5, abs=0.1)
    assert found["righted"]
    assert found["righted_after_s"] == pytest.approx((30 + 24 + 5) * 0.02)
    assert not meter.fell(False)
    for _ in range(120):
        _move(environment, 1.5, 0.5, 2.0)
        meter.after()
    assert meter.fell(False)
    environment.close()


@pytest.mark.parametrize(
    ("second_s", "outcome"), [(0.8, "pair"), (0.4, "too soon"), (None, "none in time")]
)
def test_taps_and_their_intervals(second_s, outcome):
    """The orb is held against a forepaw, away from it, and against it again."""
    environment, meter = _placed("two_tap")
    physics = environment.physics
    hand = physics.data.ptr.body("walker/hand_L")
    orb = physics.bind(environment.task._targets[0][0].geom)
    for tick in range(55):
        touching = tick == 2 or (second_s is not None and tick == 2 + round(second_s / 0.02))
        orb.pos = hand.xpos if touching else (5, 5, 1)
        environment.step(np.zeros(38))
        meter.after()
    found = meter.figures(1.1, 30, False)
    assert found["first_taps"] == 1
    assert found["outcomes"] == [outcome]
    if second_s is None:
        assert found["intervals_s"] == [None]
    else:
        assert found["intervals_s"][0] == pytest.approx(second_s, abs=0.021)
    environment.close()


# --- figures ----------------------------------------------------------------------------------------


def _score(task, actor, each, fell=False, quality=None):
    episodes = tuple(
        Episode(seed, 30.0, 1.0, fell, False, False, figures)
        for seed, figures in enumerate(each, 1)
    )
    return Score(Condition(task, actor, RandomActions(), quality, True, len(each), 30.0), episodes)


def test_figures_are_held_against_the_goals():
    own = [{"orbs": n, "orbs_there": 9, "travelled_m": 5.0} for n in (4, 6, 8)]
    walk = [{"orbs": n, "orbs_there": 9, "travelled_m": 5.0} for n in (1, 0, 1)]
    scores = [
        _score("forage", "student", own, quality="fast"),
        _score("forage", "random walk", walk),
    ]
    found = scores[0].estimates(scores)
    assert found["orbs"].value == 6
    assert found["orbs"].standard_error == pytest.approx(2 / math.sqrt(3))
    assert found["orbs_to_random_walk"].value == pytest.approx(9)
    _, table = rows("forage", scores)
    reached = {row[0]: row[-3:] for row in table}
    assert reached["orbs an episode"] == ["3", "6", "aim"]
    assert reached["orbs, times those of the random walk"] == ["5", "", "at least"]
    assert "| 6.0 ± 1.2 | 0.7 ± 0.3 | 3 | 6 | aim |" in markdown("forage", scores)[4]


def test_shares_count_what_was_tried_and_nothing_is_not_nought():
    gaps = [{"width_m": 0.06, "crossed": True}, {"width_m": 0.19, "crossed": False}]
    figures = {"gaps": gaps, "speed_m_s": 0.7, "speed_over_all_m_s": 0.5, "stride_hz": None}
    score = _score("gaps", "student", [figures], fell=True, quality="fast")
    told = as_json(score, [score])["figures"]
    assert told["crossed"] == {"value": 0.5, "count": 1, "total": 2}
    assert told["crossed_5_8_cm"]["value"] == 1
    assert told["crossed_17_20_cm"]["value"] == 0
    assert told["crossed_8_11_cm"]["value"] is None
    assert told["without_a_fall"]["value"] == 0
    by_key = {figure.key: figure for figure in FIGURES["gaps"]}
    assert by_key["crossed"].verdict(float("nan")) == "not measured"
    assert [by_key["speed_m_s"].verdict(v) for v in (0.59, 0.6, 0.9)] == [
        "below",
        "at least",
        "aim",
    ]
    json.dumps(as_json(score, [score]), allow_nan=False)


# --- spectra, sharing, the paper --------------------------------------------------------------------


def test_a_spectrum_finds_its_frequency():
    rng = np.random.default_rng(0)
    seconds = np.arange(1500) * 0.02
    parts = [
        np.sin(2 * np.pi * 4.5 * seconds + phase)[:, None] * rng.normal(size=12) for phase in (0, 1)
    ]
    spectrum = population_spectrum(parts, 50)
    assert spectrum.median_hz() == pytest.approx(4.5, abs=0.1)
    assert spectrum.window_s == 10
    assert spectrum.share_above(5) < 0.01
    assert np.trapezoid(spectrum.density, spectrum.hz) == pytest.approx(1, abs=0.01)
    with pytest.raises(ValueError, match="vary"):
        population_spectrum([np.ones((600, 3))], 50)


def test_a_wavelet_gives_a_sines_amplitude_at_its_frequency():
    seconds = np.arange(1000) * 0.02
    waves = morlet_amplitude(3 * np.sin(2 * np.pi * 6 * seconds)[:, None], 50, np.array([2, 6, 18]))
    assert waves.shape == (1000, 1, 3)
    np.testing.assert_allclose(waves[300:700, 0], [[0, 3, 0]] * 400, atol=0.02)


def test_sharing_is_measured_as_it_is():
    rng = np.random.default_rng(0)
    here, there = (rng.normal(middle, 0.1, (200, 2)) for middle in (0, 5))
    one, other, same = partition([here, there, here], clusters=8)
    assert overlap(one, same) == 1
    assert overlap(one, other) == 0
    x = rng.normal(size=(20, 6))
    turned = x @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert cka(x, turned + 3) == pytest.approx(1)
    assert cka(x, rng.normal(size=(20, 6))) < 0.7
    assert variance_between({"a": x, "b": x + 100}) > 0.99
    assert variance_between({"a": x, "b": x}) < 1e-9
    clusters = np.repeat(np.arange(5), 20)
    activity = np.eye(5)[clusters] + 0.01 * rng.normal(size=(100, 5))
    both = representation_across({"a": activity, "b": activity}, {"a": clusters, "b": clusters})
    assert both["a", "b"] == pytest.approx(1)


def _recorded(seed, core_hz, policy_hz, stride_hz, offset):
    rng = np.random.default_rng(seed)
    seconds = np.arange(700) * 0.02
    gait = np.sin(2 * np.pi * (stride_hz * seconds[:, None] + np.random.default_rng(5).random(40)))

    def layer(hz, offset):
        return np.sin(2 * np.pi * (hz * seconds[:, None] + rng.random(16))) + offset

    def noise(shape):
        return 0.02 * rng.normal(size=shape)

    cells = np.hstack([layer(core_hz, offset), layer(policy_hz, 0.0)])
    return Recorded(
        cells=(cells + noise(cells.shape)).astype(np.float32),
        angles=(gait[:, :20] + noise((700, 20))).astype(np.float32),
        places=(gait[:, 20:] + noise((700, 20))).astype(np.float32),
        forces=(gait[:, :10] + noise((700, 10))).astype(np.float32),
        hip=gait[:, 0].astype(np.float32),
        speed_m_s=np.full(700, 0.9, np.float32),
    )


def test_the_paper_is_agreed_with_or_not_by_rule():
    layers = (Layer("core", 16), Layer("policy_0", 16))

    def verdicts(**options):
        told = {
            task: [_recorded(seed + index, offset=index, **options) for seed in (1, 11)]
            for index, task in enumerate(("gaps", "forage"))
        }
        found = check.check(told, layers)
        json.dumps(found.as_json(), allow_nan=False)
        return [one.verdict for one in found.statements]

    like = verdicts(core_hz=0.3, policy_hz=7.0, stride_hz=4.5)
    assert like[:4] == ["agrees"] * 4
    assert like[-1] == "agrees"
    unlike = verdicts(core_hz=7.0, policy_hz=0.3, stride_hz=7.0)
    assert unlike[:4] == ["disagrees"] * 4
    alone = check.check({"gaps": [_recorded(1, 3.0, 3.2, 4.5, 0)]}, layers)
    assert alone.statements[0].verdict == "in direction only"
    assert {one.verdict for one in alone.statements[4:]} == {"cannot be told"}
    with pytest.raises(ValueError, match="5 s"):
        check.check({"gaps": []}, layers)


# --- the whole, and bad input -----------------------------------------------------------------------


def test_a_stored_evaluation_has_scores_card_and_the_paper(tmp_path):
    folder = tmp_path / "subjects" / "runner"
    shutil.copytree(RUNNER, folder)
    wanted = Wanted(str(folder), episodes=1, stock_episodes=0, duration_s=7.0, paper=True)
    found = evaluate(wanted, store=True, work=tmp_path / "work")
    assert found.notes == [] or "no expert" in found.notes[0]
    told = json.loads((folder / "scores.json").read_text())
    assert told["sha256"] == agent.load(folder).sha256
    (own,) = (s for s in told["scores"] if (s["actor"], s["action"]) == ("student", "sampled"))
    assert own["figures"]["speed_m_s"]["value"] > 0.5
    assert len(own["each"]) == 1
    assert told["paper"]["statements"][0]["section"] == "3.2"
    card = (folder / "card.md").read_text()
    for words in (
        "| forward speed m/s",
        "## Beside the paper",
        found.sha256,
        "GPL-3.0",
        "animal ticks",
    ):
        assert words in card
    assert (folder / "spectra.png").stat().st_size < 100_000


def test_a_plan_has_a_sentence_for_what_is_missing(runner, tmp_path):
    conditions, notes = plan(runner, ("corridor", "forage"), 2, 1, tmp_path)
    actors = [one.key for one in conditions]
    assert ("corridor", "student", "stock", "mean") in actors
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
        (["runner", "--duration", "nan"], "--duration is at least"),
        (["runner", "--expert", "--store"], "neither --paper nor --store"),
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
