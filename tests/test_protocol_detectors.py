"""Detectors of the user's own, in the protocol file and in Python; task events as behaviours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.body_quantities import NAMES
from rig.bus.message_types import Event
from rig.errors import UserError
from stim.detectors.behaviours import BEHAVIOURS, FIRST_TAP
from stim.detectors.definition import After, Behaviour, Threshold, python_behaviour
from stim.detectors.online import Detectors
from stim.detectors.quantities import DERIVED, is_quantity, read_quantity
from stim.protocol.explain import explain
from stim.protocol.read import parse

BASE = "protocol: p\nsubject: rodent\ntask: two_tap\n"


def states(**quantities: Sequence[float]) -> np.ndarray:
    ticks = max(len(values) for values in quantities.values())
    body = np.zeros((ticks, len(NAMES)))
    body[:, NAMES.index("up")] = 1.0
    for name, values in quantities.items():
        body[:, NAMES.index(name)] = values
    return body


def run(
    behaviours: Sequence[Behaviour],
    body: np.ndarray,
    task_events: Mapping[int, tuple[str, ...]] | None = None,
) -> list[Event]:
    detectors = Detectors(behaviours, NAMES)
    happened = task_events or {}
    return [
        event
        for tick, state in enumerate(body)
        for event in detectors.step(tick, state, happened.get(tick, ()))[1]
    ]


def ticks(events: Sequence[Event], name: str) -> list[tuple[str, int]]:
    return [(event.phase, event.tick) for event in events if event.name == name]


def test_a_detector_of_ones_own_follows_its_definition() -> None:
    protocol = parse(
        f"{BASE}detectors:\n"
        "  nose_up:\n"
        "    when: {head_pitch: {above: 0.5, until: 0.3}, head_height: {below: 0.2, until: 0.25}}\n"
        "    smoothing_ms: 0\n    min_duration_ms: 60\n    refractory_ms: 200\n"
        "rules: []\n",
        "p.yaml",
    )
    body = states(
        head_pitch=[0.0, 0.5, 0.6, 0.6, 0.4, 0.3, *[0.6] * 20, 0.6], head_height=[0.1] * 26 + [0.3]
    )
    found = ticks(run(protocol.behaviours, body), "nose_up")
    # three ticks after tick 1; off at 0.3; not again for ten ticks; off where the head is too high
    assert found == [("onset", 3), ("offset", 5), ("onset", 15), ("offset", 26)]


def test_after_another_behaviour() -> None:
    head = Threshold("min_head_pitch", "head_pitch", 0.5, 0.3)
    first = Behaviour("first", "", (Threshold("p", "pitch", 0.5, 0.3),), min_duration_ms=20)
    then = Behaviour(
        "then", "", (head,), min_duration_ms=20, after=After(("first",), within_ms=100)
    )
    pitch = [0.0] * 10 + [1.0] * 10 + [0.0] * 40
    for begin, expected in ((5, 10), (15, 15), (24, 24), (25, None)):
        looks = [0.0] * begin + [1.0] * (60 - begin)
        found = ticks(run([first, then], states(pitch=pitch, head_pitch=looks)), "then")
        assert found == ([] if expected is None else [("onset", expected)])
    # once begun, it goes on without the other
    looks = [0.0] * 15 + [1.0] * 30 + [0.0] * 15
    found = ticks(run([first, then], states(pitch=pitch, head_pitch=looks)), "then")
    assert found == [("onset", 15), ("offset", 45)]


def test_task_events_are_behaviours_for_a_while() -> None:
    body = states(pitch=[0.0] * 40)
    events = run(BEHAVIOURS, body, {3: ("first_tap",), 20: ("orb_moved", "first_tap")})
    assert ticks(events, "first_tap") == [
        ("onset", 3),
        ("offset", 8),
        ("onset", 20),
        ("offset", 25),
    ]
    assert ticks(events, "second_tap") == []
    detectors = Detectors([FIRST_TAP], NAMES)
    detectors.step(0, body[0], ("first_tap",))
    (ended,) = detectors.begin_trial(1)
    assert (ended.name, ended.phase) == ("first_tap", "offset")
    assert detectors.step(1, body[1])[0].tolist() == [0.0]  # nothing is left of the trial before


class Still:
    """Sure of it while the animal has not moved for five ticks; says nonsense at tick 12."""

    name = "still"

    def __init__(self) -> None:
        self.trials = 0
        self._since = 0

    def begin_trial(self) -> None:
        self.trials += 1
        self._since = 0

    def step(self, tick: int, body: Mapping[str, float], events: Sequence[str]) -> float:
        self._since = self._since + 1 if abs(body["forward_speed"]) < 0.05 else 0
        return math.nan if tick == 12 else 7.0 if self._since >= 5 else -1.0


def test_a_detector_in_python() -> None:
    still = Still()
    body = states(forward_speed=[1.0] * 3 + [0.0] * 17)
    detectors = Detectors([python_behaviour(still)], NAMES)
    rows = [detectors.step(tick, state) for tick, state in enumerate(body)]
    found = [(event.phase, event.tick) for _, events in rows for event in events]
    assert found == [("onset", 7), ("offset", 12), ("onset", 13)]
    assert {float(confidence[0]) for confidence, _ in rows} == {0.0, 1.0}
    detectors.begin_trial(20)
    assert still.trials == 1


@pytest.mark.parametrize(
    ("detector", "problem"),
    [
        ("x: {when: {pich: {above: 1, until: 0}}}", "5:14: there is no quantity 'pich'; .*'pitch'"),
        ("x: {when: {pitch: {above: 1, until: 2}}}", "5:21: 'until' has to be below 'above'"),
        ("x: {when: {pitch: {below: 1, until: 1}}}", "5:21: 'until' has to be above 'below'"),
        ("x: {when: {pitch: {above: 1, below: 2, until: 0}}}", "exclude each other"),
        ("x: {when: {}}", "needs a quantity"),
        ("x: {when: {pitch: {above: 1, until: 0}}, behaviour: run}", "exclude each other"),
        ("x: {}", "needs 'behaviour' or 'when' or 'learned'"),
        ("rear: {when: {pitch: {above: 1, until: 0}}}", "name of a behaviour"),
        ("x: {when: {pitch: {above: 1, until: 0}}, thresholds: {}}", "does not belong to when"),
        ("x: {when: {pitch: {above: 1, until: 0}}, after: {behaviour: rn, within_ms: 9}}", "'run'"),
    ],
)
def test_mistakes_are_said_where_they_are(detector: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        parse(f"{BASE}detectors:\n  {detector}\n", "p.yaml")


def test_explained_in_words() -> None:
    text = explain(
        parse(
            f"{BASE}detectors:\n"
            "  up: {when: {pitch: {above: 0.5, until: 0.3}}, after: {behaviour: stand, within_ms: 60}}\n"
            "stimuli:\n  s: {clamp: core, units: all, to: 0, state: cell}\n"
            "rules:\n  - {on: up.onset, do: s, for_ms: 20}\n"
            "  - {on: first_tap.onset, do: s, for_ms: 20}\n",
            "p.yaml",
        )
    )
    assert "pitch of 0.5 or more (ends at 0.3)" in text
    assert "during stand or within 60 ms (3 ticks) of it" in text
    assert "begins with the task event first_tap" in text


@pytest.mark.parametrize("name", [*DERIVED, "up_rate", "mean_up_rate"])
def test_every_quantity_can_be_read(name: str) -> None:
    assert is_quantity(name)
    value = read_quantity(name, NAMES)([0.5] * len(NAMES))
    assert math.isfinite(value) or name.endswith("_rate")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_a_rate_is_the_change_a_second(values: list[float]) -> None:
    rate = read_quantity("pitch_rate", NAMES)
    found = [rate(state) for state in states(pitch=values).tolist()]
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx(np.diff(values) / 0.02, abs=1e-3)
