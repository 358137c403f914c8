"""The body state and the task's events, against the simulator itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

import mujoco
import numpy as np
import pytest

from rig.animal import Animal
from rig.arenas.gaps import gaps_of
from rig.arenas.names import TASK_EVENTS, TASKS
from rig.arenas.tasks import make
from rig.body_state import NAMES, BodyState
from rig.task_events import reader_of

STILL = np.zeros(38)


class Trial:
    def __init__(self, task: str, seed: int = 1) -> None:
        self.environment: Any = make(task, seed)
        self.environment.reset()
        self.model = self.environment.physics.model.ptr
        self.data = self.environment.physics.data.ptr
        self.reader = BodyState(self.model, self.environment.task)
        self._events = reader_of(self.environment)

    def read(self) -> dict[str, float]:
        return dict(zip(NAMES, self.reader.read(self.data).tolist(), strict=True))

    def step(self) -> tuple[str, ...]:
        self.environment.step(STILL)
        return self._events()

    def orbs(self) -> list[int]:
        names = [self.model.geom(i).name for i in range(self.model.ngeom)]
        return [i for i, name in enumerate(names) if "target" in name]


@pytest.mark.parametrize("task", TASKS)
def test_every_entry_has_a_number_but_where_there_is_no_orb(task: str) -> None:
    state = Trial(task).read()
    missing = {name for name, value in state.items() if not np.isfinite(value)}
    of_orbs = {name for name in NAMES if "orb" in name}
    assert missing == (set() if task in ("forage", "two_tap") else of_orbs)


def test_heights_over_the_bowl_are_those_of_a_ray_to_the_ground() -> None:
    trial = Trial("escape")
    rng = np.random.default_rng(0)
    found = np.zeros(1, np.int32)
    none = np.zeros(6, np.uint8)
    none[0] = 1  # the arena's geoms alone
    animal = trial.model.body("walker/torso").id
    for x, y in rng.uniform(-6.5, 6.5, (40, 2)):
        down = mujoco.mj_ray(
            trial.model, trial.data, np.array([x, y, 3.0]), np.array([0, 0, -1.0]), none, 1,
            animal, found,
        )  # fmt: skip
        assert trial.reader.ground(x, y) == pytest.approx(3.0 - down, abs=0.01)


def test_the_slope_is_along_the_heading() -> None:
    trial = Trial("escape")
    trial.data.qpos[:3] = (2.0, 1.0, 0.5)
    for yaw in np.linspace(-3, 3, 7):
        trial.data.qpos[3:7] = (np.cos(yaw / 2), 0, 0, np.sin(yaw / 2))
        mujoco.mj_forward(trial.model, trial.data)
        state = trial.read()
        x, y, ground = state["torso_x"], state["torso_y"], trial.reader.ground
        dx, dy = 0.08 * np.cos(state["yaw"]), 0.08 * np.sin(state["yaw"])
        rise = ground(x + dx, y + dy) - ground(x - dx, y - dy)
        assert state["ground_slope"] == pytest.approx(rise / 0.16)
        assert state["torso_height"] == pytest.approx(state["torso_z"] - ground(x, y))


def test_the_nearest_orb_that_is_left() -> None:
    trial = Trial("forage")
    places = {geom: trial.data.geom_xpos[geom].copy() for geom in trial.orbs()}
    torso = trial.data.xpos[trial.model.body("walker/torso").id]
    state = trial.read()
    distances = {geom: float(np.hypot(*(at - torso)[:2])) for geom, at in places.items()}
    nearest = min(distances, key=lambda geom: distances[geom])
    assert state["orb_distance"] == pytest.approx(distances[nearest])
    offset = places[nearest] - torso
    assert state["orb_height"] == pytest.approx(offset[2])
    heading = state["yaw"] + state["orb_bearing"]
    assert np.cos(heading - np.arctan2(offset[1], offset[0])) == pytest.approx(1.0)
    # collected, it does not count any more
    trial.model.geom_pos[nearest] += torso - places[nearest]
    assert Counter(trial.step()) == {"orb": 1}
    trial.step()
    left = [geom for geom in places if geom != nearest]
    torso = trial.data.xpos[trial.model.body("walker/torso").id]
    expected = min(float(np.hypot(*(places[geom] - torso)[:2])) for geom in left)
    assert trial.read()["orb_distance"] == pytest.approx(expected)


def tap(trial: Trial, touch: bool) -> tuple[str, ...]:
    """A tick with the orb on the left hand, or far away; the events of it."""
    (orb,) = trial.orbs()
    hand = trial.data.xpos[trial.model.body("walker/hand_L").id]
    trial.model.geom_pos[orb] = hand if touch else (1.0, 1.0, 0.5)
    return trial.step()


@pytest.mark.parametrize(
    ("wait_ticks", "then"), [(40, "second_tap"), (20, "tap_too_soon"), (60, "tap_missed")]
)
def test_taps(wait_ticks: int, then: str) -> None:
    trial = Trial("two_tap")
    events = [tap(trial, touch=tick in (5, 5 + wait_ticks)) for tick in range(60)]
    happened = {tick: each for tick, each in enumerate(events) if each}
    assert happened[5] == ("first_tap",)
    when = [tick for tick, each in happened.items() if then in each]
    assert len(when) == 1
    if then == "tap_missed":
        assert abs(when[0] - 5 - 45) <= 1  # 0.9 s
    else:
        assert when == [5 + wait_ticks]
    for each in happened.values():
        assert set(each) <= set(TASK_EVENTS["two_tap"])


def test_the_hand_at_the_orb_is_near_it() -> None:
    trial = Trial("two_tap")
    far = trial.read()["hand_L_to_orb"]
    tap(trial, touch=True)
    near = trial.read()
    assert near["hand_L_to_orb"] < 0.005 < near["hand_R_to_orb"] < far


def test_gaps_and_the_end_of_the_bowl() -> None:
    trial = Trial("gaps")
    _, far = gaps_of(trial.model, trial.data)
    trial.data.qpos[0] = far[0] - 0.02  # the torso ahead of it, the feet not yet
    assert trial.step() == ()
    trial.data.qpos[0] = far[1] + 0.2
    assert trial.step() == ("gap_crossed", "gap_crossed")
    assert trial.step() == ()
    trial = Trial("escape")
    trial.data.qpos[:3] = (6.5, 0, 0.2)
    assert trial.step() == ("escaped",)
    assert trial.step() == ()


def test_the_animal_tells_them() -> None:
    animal = Animal("two_tap", 3)
    animal.begin_trial(0)
    try:
        data = animal._data
        names = [animal.model.geom(i).name for i in range(animal.model.ngeom)]
        orb = next(i for i, name in enumerate(names) if "target" in name)
        assert animal.act(STILL).events == ()
        animal.model.geom_pos[orb] = data.xpos[animal.model.body("walker/hand_L").id]
        assert animal.act(STILL).events == ("first_tap",)
    finally:
        animal.close()


def test_an_orb_that_the_animal_is_put_on_has_its_event() -> None:
    rewards, events = [], []
    for version in (1, 2):  # as it was recorded once, and as it is
        animal = Animal("forage", 3, task_events=version)
        for trial in (0, 1):  # the mazes follow from each other
            animal.begin_trial(trial)
        result = animal.act(np.zeros(38))
        rewards.append(result.reward)
        events.append(result.events)
        animal.close()
    assert rewards == [50.0, 50.0]
    assert events == [(), ("orb",)]
