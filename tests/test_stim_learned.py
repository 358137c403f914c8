"""Learned detectors: fit to recordings, saved without pickle, as good online, named in protocols."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.learned import QUANTITIES, Labelled, fit, fit_clusters, fit_labels
from bench.synthetic_session import Stream, description
from recorder.writer import Writer
from rig.body_quantities import NAMES
from rig.errors import UserError
from stim.detectors.learned import (
    LARGEST,
    Classifier,
    LearnedSource,
    features_of,
    learned_behaviour,
    load,
)
from stim.detectors.online import Detectors
from stim.protocol.read import parse

TICKS = 1500


def moving(seed: int, noise: float = 0.05) -> Labelled:
    """An animal that rears, by head height and pitch, for a second of every four."""
    rng = np.random.default_rng(seed)
    body = np.zeros((TICKS, len(NAMES)))
    body[:, NAMES.index("up")] = 1.0
    labels = np.zeros(TICKS, bool)
    for begin in range(100, TICKS - 60, 200):
        labels[begin : begin + 50] = True
    body[labels, NAMES.index("pitch")] = 0.9
    body[labels, NAMES.index("head_height")] = 0.15
    body[:, NAMES.index("yaw_rate")] = rng.normal(0, 3, TICKS)
    for name in QUANTITIES:
        if name in NAMES:
            body[:, NAMES.index(name)] += rng.normal(0, noise, TICKS)
    return Labelled(body, NAMES, labels)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "up.npz"
    fit_labels([moving(0)], "up_there").classifier.save(path)
    return path


def test_what_was_labelled_is_found_in_another_recording(model: Path) -> None:
    other = moving(1)
    assert other.labels is not None
    detectors = Detectors([learned_behaviour("up_there", load(model))], NAMES)
    events = [e for tick, state in enumerate(other.body) for e in detectors.step(tick, state)[1]]
    onsets = [event for event in events if event.phase == "onset"]
    true = np.flatnonzero(np.diff(other.labels.astype(int)) == 1) + 1
    assert len(onsets) == len(true)
    errors = [event.began_tick - begin for event, begin in zip(onsets, true, strict=True)]
    assert np.abs(errors).max() <= 10  # its window is ten ticks long


def test_the_score_is_of_ticks_that_it_was_not_fit_to() -> None:
    good = fit_labels([moving(0)], "up_there")
    assert good.f1("up_there") > 0.85
    assert good.ticks["up_there"] == 50 * 7
    labels = np.random.default_rng(3).random(TICKS) < 0.3  # nothing in the body tells these
    nonsense = fit_labels([Labelled(moving(0).body, NAMES, labels)], "up_there")
    assert nonsense.f1("up_there") < 0.5
    assert "up_there: 350 ticks" in str(good)


def test_what_a_session_and_its_branch_share_is_not_on_both_sides_of_the_score() -> None:
    """Every 5 s have a posture of their own, that tells what is labelled only to who has seen them before."""
    piece = np.arange(TICKS) // 250
    body = np.random.default_rng(3).normal(0, 0.1, (TICKS, len(NAMES)))
    own = [NAMES.index(name) for name in QUANTITIES if name in NAMES][: piece.max() + 1]
    body[np.arange(TICKS), np.array(own)[piece]] += 5
    session = Labelled(body, NAMES, piece % 2 == 1, seed=4)
    assert fit_labels([session, session], "odd").f1("odd") < 0.75
    assert fit_labels([session, replace(session, seed=5)], "odd").f1("odd") > 0.9


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_clusters_are_told_apart_and_the_largest_is_first(method: str) -> None:
    found = fit_clusters([moving(0), moving(1)], 2, method)  # type: ignore[arg-type]
    assert found.classifier.classes == ("cluster_0", "cluster_1")
    assert found.ticks["cluster_0"] > found.ticks["cluster_1"]
    assert min(found.f1(name) for name in found.classifier.classes) > 0.85


def test_online_is_as_off_line(model: Path) -> None:
    classifier = load(model)
    other = moving(2)
    source = LearnedSource(classifier, "up_there", NAMES)
    online = [source.step(tick, state, ()) for tick, state in enumerate(other.body.tolist())]
    values = np.array(
        [
            [abs(state[NAMES.index("roll")]) if name == "side_tilt" else state[NAMES.index(name)]
             for name in QUANTITIES]
            for state in other.body.tolist()
        ]
    )  # fmt: skip
    n = classifier.window_ticks
    windows = np.swapaxes(np.lib.stride_tricks.sliding_window_view(values, n, axis=0), 1, 2)
    off_line = classifier.probabilities(features_of(windows))[:, 1]
    assert online[: n - 1] == [0.0] * (n - 1)
    assert online[n - 1 :] == pytest.approx(off_line, abs=1e-9)


def plain(weight: float = 1.0) -> Classifier:
    """Two classes, told apart by all that it sees, over three ticks."""
    n = 2 * len(QUANTITIES)
    weights = np.stack([np.zeros(n), np.full(n, weight)])
    return Classifier(("rest", "odd"), QUANTITIES, 3, np.zeros(n), np.ones(n), weights, np.zeros(2))


def confidences(values: list[float], classifier: Classifier) -> list[float]:
    """Of "odd", tick by tick, of an animal of which nothing but the pitch changes."""
    source = LearnedSource(classifier, "odd", NAMES)
    body = np.zeros(len(NAMES))
    found = []
    for tick, value in enumerate(values):
        body[NAMES.index("pitch")] = value
        found.append(source.step(tick, body.tolist(), ()))
    return found


@pytest.mark.filterwarnings("error")
@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32) | st.floats(allow_nan=True), min_size=30, max_size=30))
def test_a_confidence_is_always_a_probability(values: list[float]) -> None:
    assert all(0.0 <= each <= 1.0 for each in confidences(values, plain()))
    assert all(0.0 <= each <= 1.0 for each in confidences(values, plain(-LARGEST)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), -float("inf"), 1.7e308, -1e200])
def test_there_is_no_confidence_while_nonsense_is_in_the_window(nonsense: float) -> None:
    values = [0.5] * 10
    usual = confidences(values, plain())
    assert min(usual[2:]) > 0.5
    values[5] = nonsense
    assert confidences(values, plain()) == [*usual[:5], 0.0, 0.0, 0.0, *usual[8:]]


def spoiled(model: Path, to: Path, **changes: object) -> Path:
    with np.load(model, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files}
    np.savez(to, **(arrays | changes))  # type: ignore[arg-type]
    return to


def test_what_is_not_a_classifier_is_refused(model: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.npz"
    n = 2 * len(QUANTITIES)
    for changes, reason in (
        ({"bias": np.zeros(3)}, "bias has shape"),
        ({"weights": np.full((2, n), np.nan)}, "not finite"),
        ({"scale": np.zeros(n)}, "0 or less"),
        ({"scale": np.full(n, 1e-200)}, "more than 1e\\+100"),
        ({"mean": np.full(n, 1e300)}, "more than 1e\\+100"),
        ({"window_ticks": np.int64(0)}, "window has 0 ticks"),
        ({"quantities": np.array(["pich"] * (n // 2))}, "no quantity 'pich'"),
        ({"format": np.int64(2)}, "format 2"),
        ({"classes": np.array([object()], object)}, "not a classifier"),
    ):
        with pytest.raises(UserError, match=reason):
            load(spoiled(model, bad, **changes))
    bad.write_bytes(pickle.dumps({"format": 1}))
    with pytest.raises(UserError, match="not a classifier"):
        load(bad)
    with np.load(model, allow_pickle=False) as saved:
        np.savez_compressed(bad, **dict(saved), more=np.zeros(3_000_000))
    assert bad.stat().st_size < 100_000
    with pytest.raises(UserError, match="unpacked it is larger than 16 MB"):
        load(bad)
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path / "none.npz")


PROTOCOL = "protocol: p\nsubject: rodent\ntask: two_tap\n"


def test_a_protocol_names_it(model: Path) -> None:
    at = str(model.parent / "p.yaml")
    protocol = parse(f"{PROTOCOL}detectors:\n  high: {{learned: up.npz, refractory_ms: 500}}\n", at)
    high = protocol.behaviours[-1]
    assert (high.name, high.refractory_ms) == ("high", 500)
    assert "class up_there" in high.meaning
    for text, problem in (
        ("{learned: gone.npz}", "p.yaml:5:19: The classifier .*gone.npz cannot be read"),
        ("{learned: up.npz, class: sleep}", "5:34: .*no class 'sleep'; it has rest, up_there"),
        ("{learned: up.npz, smoothing_ms: 20}", "'smoothing_ms' does not belong to learned"),
    ):
        with pytest.raises(UserError, match=problem):
            parse(f"{PROTOCOL}detectors:\n  high: {text}\n", at)


def test_fit_reads_recordings_and_labels(tmp_path: Path) -> None:
    recording = tmp_path / "a.nwb"
    stream = Stream(description())
    writer = Writer(recording, description(), {}, session="test", camera=False)
    for message in [*stream.beginning(), *stream.ticks(0, 600), stream.end(600)]:
        writer.add(message)
    writer.close()
    labels = tmp_path / "labels.csv"
    labels.write_text("recording,start_s,stop_s\na.nwb,0.5,1.5\na.nwb,6.5,7.8\n")
    found = fit([recording], tmp_path / "out.npz", "mine", intervals=[labels])
    assert found.ticks["mine"] == 50 + 65
    assert load(tmp_path / "out.npz").classes == ("rest", "mine")
    with pytest.raises(UserError, match="no behaviour 'sleep'; it has stand"):
        fit([recording], tmp_path / "out.npz", "sleep")
    with pytest.raises(UserError, match="either a behaviour"):
        fit([recording], tmp_path / "out.npz")
    labels.write_text("recording,start_s,stop_s\na.nwb,1,three\n")
    with pytest.raises(UserError, match=r"labels.csv:2: a row needs"):
        fit([recording], tmp_path / "out.npz", "mine", intervals=[labels])
    clusters = fit([recording], tmp_path / "c.npz", clusters=2, method="kmeans")
    assert sum(clusters.ticks.values()) == found.ticks["mine"] + found.ticks["rest"]
