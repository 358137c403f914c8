"""Detectors: exact onsets, hysteresis, minimum durations, and the shipped behaviours on moving animals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.arenas.tasks import make
from rig.body_state import NAMES, BodyState
from rig.bus.message_types import Event
from rig.errors import RunError
from stim.detectors.behaviours import BEHAVIOURS
from stim.detectors.definition import Behaviour, Threshold
from stim.detectors.online import Detectors
from stim.ticks import ticks_of

FAST = Threshold("min_forward_speed", "forward_speed", on=0.5, off=0.3)


def line_of(threshold: Threshold, value: float) -> float:
    """0.75 at `on`, 0.25 at `off`, linear in between and beyond, within 0 and 1; 0 for NaN."""
    line = 0.25 + (value - threshold.off) / (threshold.on - threshold.off) * 0.5
    return min(line, 1.0) if line > 0 else 0.0


def body(**quantities: float) -> np.ndarray:
    state = np.zeros(len(NAMES))
    standing = {"up": 1.0, "pelvis_up": 1.0, "torso_height": 0.045, "orb_distance": math.nan}
    for name, value in standing.items():
        state[NAMES.index(name)] = value
    for name, value in quantities.items():
        state[NAMES.index(name)] = value
    return state


def run(
    behaviours: Sequence[Behaviour], states: Sequence[np.ndarray], first_tick: int = 0
) -> tuple[np.ndarray, list[Event]]:
    detectors = Detectors(behaviours, NAMES)
    confidences, events = [], []
    for tick, state in enumerate(states, first_tick):
        confidence, found = detectors.step(tick, state)
        confidences.append(confidence)
        events.extend(found)
    return np.array(confidences), events


def phases(events: Sequence[Event]) -> list[tuple[str, int, int]]:
    return [(event.phase, event.began_tick, event.tick) for event in events]


def speeds(*values: float) -> list[np.ndarray]:
    return [body(forward_speed=value) for value in values]


def test_onset_waits_for_the_minimum_duration_and_looks_back() -> None:
    behaviour = Behaviour("dash", "", (FAST,), min_duration_ms=60)
    _, events = run(
        [behaviour], speeds(0.0, 0.6, 0.6, 0.0, 0.6, 0.6, 0.6, 0.4, 0.3), first_tick=100
    )
    assert phases(events) == [("onset", 104, 106), ("offset", 108, 108)]
    assert [event.number for event in events] == [1, 1]


def test_between_the_thresholds_nothing_changes() -> None:
    behaviour = Behaviour("dash", "", (FAST,), min_duration_ms=0)
    _, events = run([behaviour], speeds(0.49, 0.5, 0.31, 0.49, 0.30, 0.49, 0.5))
    assert phases(events) == [("onset", 1, 1), ("offset", 4, 4), ("onset", 6, 6)]
    assert [event.number for event in events] == [1, 1, 2]


def test_a_refractory_time_counts_from_the_end() -> None:
    behaviour = Behaviour("dash", "", (FAST,), min_duration_ms=40, refractory_ms=100)
    _, events = run([behaviour], speeds(0.6, 0.6, 0.0, *[0.6] * 8))
    assert phases(events) == [("onset", 0, 1), ("offset", 2, 2), ("onset", 7, 7)]


def test_confidence_is_three_quarters_at_on_and_a_quarter_at_off() -> None:
    behaviour = Behaviour("dash", "", (FAST,))
    confidence, _ = run([behaviour], speeds(0.2, 0.3, 0.4, 0.5, 0.6, 9.0, -9.0, math.inf, math.nan))
    assert confidence[:, 0] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1, 0, 1, 0], abs=1e-6)


def test_conditions_that_have_to_be_small() -> None:
    low = Behaviour("low", "", (Threshold("max_up", "up", on=0.3, off=0.5),), min_duration_ms=20)
    _, events = run([low], [body(up=value) for value in (1.0, 0.31, 0.3, 0.49, 0.5, 0.4)])
    assert phases(events) == [("onset", 2, 2), ("offset", 4, 4)]


def test_all_conditions_have_to_hold() -> None:
    upright = Threshold("min_up", "up", on=0.7, off=0.5)
    behaviour = Behaviour("dash", "", (FAST, upright), min_duration_ms=20)
    states = [
        body(forward_speed=speed, up=up)
        for speed, up in ((0.6, 0.6), (0.4, 0.8), (0.6, 0.8), (0.6, 0.5))
    ]
    _, events = run([behaviour], states)
    assert phases(events) == [("onset", 2, 2), ("offset", 3, 3)]


def test_smoothing_is_the_mean_of_the_last_ticks_and_recovers_from_nan() -> None:
    behaviour = Behaviour("dash", "", (FAST,), smoothing_ms=80)
    values = [0.9, 0.2, 0.6, math.nan, 0.4, 0.4, 0.4, 0.4, 0.1]
    confidence, _ = run([behaviour], speeds(*values))
    full = [values[i - 3 : i + 1] for i in range(3, len(values))]
    expected = [0, 0, 0, *(line_of(FAST, sum(window) / 4) for window in full)]
    assert confidence[:, 0] == pytest.approx(expected, abs=1e-6)
    assert confidence[3:7, 0].tolist() == [0, 0, 0, 0]  # the NaN is in the window
    assert confidence[7:, 0] == pytest.approx([0.5, 0.3125], abs=1e-6)


def test_a_new_trial_ends_what_is_present_and_forgets_what_was_seen() -> None:
    behaviour = Behaviour(
        "dash", "", (FAST,), smoothing_ms=60, min_duration_ms=40, refractory_ms=900
    )
    detectors = Detectors([behaviour], NAMES)

    def steps(*values: float, first_tick: int) -> list[tuple[str, int, int]]:
        found = [detectors.step(t, s)[1] for t, s in enumerate(speeds(*values), first_tick)]
        return phases([event for events in found for event in events])

    # Two ticks of a mean over three: the middle of the first window is tick 1.
    assert steps(0.9, 0.9, 0.9, 0.9, first_tick=0) == [("onset", 1, 3)]
    (event,) = detectors.begin_trial(4)
    assert (event.phase, event.tick, event.number, event.cause) == (
        "offset",
        4,
        1,
        "the trial ended",
    )
    # Neither the speed of the trial before nor its refractory time count, and the window fills anew.
    assert steps(0.0, 0.0, 1.5, 1.5, 1.5, first_tick=4) == [("onset", 5, 7)]
    assert detectors.begin_trial(9)[0].number == 2
    assert detectors.begin_trial(10) == []


def test_a_missing_body_state_is_said() -> None:
    with pytest.raises(RunError, match="forward_speed"):
        Detectors(BEHAVIOURS, ("torso_x",))


def test_ground_speed_is_made_of_both_horizontal_velocities() -> None:
    behaviour = Behaviour("move", "", (Threshold("min_ground_speed", "ground_speed", 5.0, 4.0),))
    confidence, _ = run([behaviour], [body(torso_vx=3.0, torso_vy=-4.0, torso_vz=9.0)])
    assert confidence[0, 0] == 0.75


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(-1, 2), max_size=80),
    st.integers(0, 6),
    st.integers(0, 8),
)
def test_any_signal_gives_alternating_events_that_the_definition_allows(
    values: list[float], min_ticks: int, refractory_ticks: int
) -> None:
    behaviour = Behaviour(
        "dash", "", (FAST,), min_duration_ms=20 * min_ticks, refractory_ms=20 * refractory_ticks
    )
    _, events = run([behaviour], speeds(*values))
    present, ended, on_for, expected = False, -1000, 0, []
    for tick, value in enumerate(values):  # the definition once more, in the plainest words
        on_for = on_for + 1 if value >= 0.5 else 0
        if present and value <= 0.3:
            present, ended = False, tick
            expected.append(("offset", tick))
        elif not present and on_for >= max(1, min_ticks) and tick >= ended + refractory_ticks:
            present = True
            expected.append(("onset", tick))
    # 0.30000000000000004 is 0.3 to the arithmetic of confidences
    if not any(abs(value - 0.3) < 1e-9 or abs(value - 0.5) < 1e-9 for value in values):
        assert [(event.phase, event.tick) for event in events] == expected
    for event in events:
        if event.phase == "onset":
            assert all(value >= 0.5 - 1e-9 for value in values[event.began_tick : event.tick + 1])


# --- the shipped behaviours ---------------------------------------------------------------------------


def gait(speed: float, stride_hz: float, seconds: float, yaw_rate: float = 0.0) -> list[np.ndarray]:
    """A body that swings within each stride, twice as far as that of the runner does."""
    swing = 1.0 if speed > 0.1 else 0.0
    states = []
    for tick in range(round(seconds * 50)):
        phase = 2 * math.pi * stride_hz * tick * 0.02
        states.append(
            body(
                forward_speed=speed + 0.2 * swing * math.sin(phase),
                yaw_rate=yaw_rate + 2.5 * swing * math.sin(phase + 1),
                up=0.95 + 0.05 * math.cos(phase),
            )
        )
    return states


@pytest.mark.parametrize("stride_hz", [3.0, 3.7, 4.4, 5.0, 5.4, 6.0])
def test_stand_run_stand_in_one_piece_at_every_stride_frequency(stride_hz: float) -> None:
    states = gait(0, 1, 2) + gait(0.7, stride_hz, 4) + gait(0, 1, 2)
    _, events = run(BEHAVIOURS, states)
    found = [event for event in events if event.name in ("stand", "run", "fallen")]
    assert [(event.name, event.phase) for event in found] == [
        ("stand", "onset"),
        ("stand", "offset"),
        ("run", "onset"),
        ("run", "offset"),
        ("stand", "onset"),
    ]
    run_onset, run_offset = found[2], found[3]
    assert 97 <= run_onset.began_tick <= 103  # the speed jumps at 100; the onset looks back
    assert 105 <= run_onset.tick <= 112
    assert 300 < run_offset.tick <= 320


@pytest.mark.parametrize("stride_hz", [3.0, 4.0, 5.0])
def test_walking_is_neither_standing_nor_running(stride_hz: float) -> None:
    states = gait(0.24, stride_hz, 4)
    _, events = run(BEHAVIOURS, states)
    late = [(event.name, event.phase) for event in events if event.tick > 20]
    assert late in ([], [("walk", "onset")])
    assert {event.name for event in events if event.tick > 10} == {"walk"}


@pytest.mark.parametrize(("yaw_rate", "name"), [(2.0, "turn_left"), (-2.0, "turn_right")])
def test_turning_while_running(yaw_rate: float, name: str) -> None:
    states = gait(0.6, 4.5, 2) + gait(0.6, 4.5, 2, yaw_rate) + gait(0.6, 4.5, 2)
    _, events = run(BEHAVIOURS, states)
    turns = [event for event in events if event.name.startswith("turn")]
    assert [(event.name, event.phase) for event in turns] == [(name, "onset"), (name, "offset")]
    assert 90 <= turns[0].began_tick <= 110
    assert 105 <= turns[0].tick <= 130
    assert 200 <= turns[1].tick <= 225


def test_the_rodent_stands_then_lies_on_its_back() -> None:
    environment = make("corridor", 1)
    environment.reset()
    model, data = environment.physics.model.ptr, environment.physics.data.ptr
    reader = BodyState(model)
    states = []
    for tick in range(150):
        if tick == 75:
            data.qpos[2] += 0.1
            data.qpos[3:7] = (0, 1, 0, 0)
            mujoco.mj_forward(model, data)
        states.append(reader.read(data))
        mujoco.mj_step(model, data, 20)
    environment.close()
    _, events = run(BEHAVIOURS, states)
    found = {(event.name, event.phase): event.tick for event in events}
    assert found["stand", "onset"] < 60
    assert found["stand", "offset"] in range(75, 80)
    assert found["fallen", "onset"] in range(84, 96)
    assert ("run", "onset") not in found


def test_times_round_to_the_nearest_tick() -> None:
    assert [ticks_of(ms) for ms in (0, 9.99, 10, 20, 29, 30, 500)] == [0, 0, 1, 1, 1, 2, 25]
