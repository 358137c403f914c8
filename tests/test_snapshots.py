"""Sessions resumed in the middle: in every arena, from the snapshot on, the same to the bit."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import msgspec
import mujoco
import numpy as np
import pytest
import torch

import recorder
from cli.main import app
from recorder.file_rotation import RotationLimit
from recorder.replay import ReplaySource
from recorder.snapshots import Snapshots
from rig.animal import Animal, AnimalState, StepResult, TickState
from rig.arenas.task_state import OF_MODEL, OF_ORBS, REMEMBERED
from rig.body_quantities import NAMES
from rig.errors import UserError
from tests.in_process_session import record
from tests.recorder_checks import same_until

BODY = """
protocol: taken-up
subject: runner
task: {task}
trial_s: 1.5
stimuli:
  hold: {{clamp: policy_2, units: {{random: 32}}, to: 0.1, state: cell}}
  stir: {{noise: policy_1, units: all, sd: 0.3, state: hidden}}
rules:
  - {{on: {{time_ms: 840}}, do: hold, for_ms: 300}}
  - {{on: run.onset, do: stir, for_ms: 300, probability: 0.5, else: sham}}
"""
PYTHON = '''PROTOCOL = """{text}"""
from stim.protocol.script import Stimulate

def protocol(session):
    height, n = [], 0
    tick = yield
    while True:
        height.append(tick.body["torso_z"])
        actions = []
        if len(height) % 11 == 0:
            n += 1
            drawn = session.generator("units", tick.number).integers(0, 128, 8)
            units = sorted(set(drawn.tolist()))
            value = float(sum(height) / len(height))
            actions = [Stimulate(f"number {{n}}", "policy_0", units, value=value, for_ms=100)]
        tick = yield actions
'''


def said(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command that succeeds prints."""
    app([str(each) for each in words], standalone_mode=False)
    return capsys.readouterr().out


@pytest.mark.parametrize("task", ["gaps", "escape", "two_tap"])
def test_from_a_snapshot_on_every_arena_is_the_same_again(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "f.nwb"
    parted = task == "two_tap"
    limit = RotationLimit(after_s=1.04) if parted else None
    record(path, BODY.format(task=task), 60, limit=limit)
    assert torch.is_grad_enabled(), "whoever trains in this process could not any more"
    with recorder.open(path) as session:
        (hold,) = [each for each in session.intervals("stimuli") if each.name == "hold"]
        assert hold.onset_tick < 50 < hold.onset_tick + 15
        assert Snapshots(session).ticks == [50]
        assert session.last_tick == (51 if parted else 59)
    with ReplaySource(path) as source:
        ticks = [each for each in source.messages(0, 60) if each.topic == "tick"]
    for each in ticks:  # the orb is where the body state has it
        assert ("props" in each.arrays) is parted
        if parted:
            body = dict(zip(NAMES, each.arrays["body"].tolist(), strict=True))
            ((x, y, *_),) = each.arrays["props"].tolist()
            there = np.hypot(x - body["torso_x"], y - body["torso_y"])
            assert there == pytest.approx(body["orb_distance"], abs=1e-12)
    out = said(capsys, "rerun", tmp_path / "f_001.nwb" if parted else path, "--from", 1.1)
    assert "Resumed at tick 50" in out
    assert f"identical for {8 if parted else 10} ticks" in out


@pytest.fixture(scope="module")
def foraged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trials under a protocol in Python: three snapshots, the last one in the second trial."""
    path = tmp_path_factory.mktemp("snapshots") / "f.nwb"
    record(path, PYTHON.format(text=BODY.format(task="forage")), 110)
    return path


def test_a_later_trial_and_a_program_are_resumed_too(
    foraged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorder.open(foraged) as session:
        assert [each.first_tick for each in session.trials] == [0, 75]
        assert any(each.name == "script" for each in session.intervals("stimuli"))
    out = said(capsys, "rerun", foraged, "--from", 2, "--allow-python")
    assert "Resumed at tick 100" in out
    assert "identical for 10 ticks" in out
    out = said(capsys, "rerun", foraged, "--from", 0.4, "--until", 0.6, "--allow-python")
    assert "Resumed at tick 0" in out
    assert "identical for 31 ticks" in out
    with pytest.raises(UserError, match="the ticks 0 to 80 can be run again"):
        said(capsys, "rerun", foraged, "--from", 1.9, "--until", 1.6, "--allow-python")


def test_a_branch_is_the_same_from_a_snapshot_and_from_the_start(
    foraged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol, damaged = tmp_path / "more.py", tmp_path / "damaged.nwb"
    text = BODY.replace("300}}", "80}}").format(task="forage")
    protocol.write_text(PYTHON.format(text=text).replace("11", "7"))
    damaged.write_bytes(foraged.read_bytes())
    with h5py.File(damaged, "r+") as file:
        file["processing/record/snapshots/physics"][:] += 1e-12
    words = ("--at-tick", 55, "--last", 0.3, "--protocol", protocol, "--allow-python", "--out")
    made = [tmp_path / name for name in ("one.nwb", "other.nwb")]
    assert said(capsys, "branch", foraged, *words, made[0]).split() == [str(made[0])]
    assert "is made from the session's start" in said(capsys, "branch", damaged, *words, made[1])
    with (
        recorder.open(made[0]) as one,
        recorder.open(made[1]) as other,
        recorder.open(foraged) as session,
    ):
        same_until(session, one, 0, 55)
        assert (one.values("c_applied", 70, 70) != session.values("c_applied", 70, 70)).any()
        same_until(one, other, 0, 70)
        assert one.events == other.events
        assert Snapshots(one).ticks == Snapshots(other).ticks == [50]
    out = said(capsys, "rerun", made[0], "--from", 1, "--allow-python")
    assert "identical for 21 ticks" in out


def test_a_recording_without_snapshots_is_run_from_its_start(
    foraged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older.nwb"
    older.write_bytes(foraged.read_bytes())
    with h5py.File(older, "r+") as file:
        del file["processing/record/snapshots"]
    out = said(capsys, "rerun", older, "--from", 0.06, "--until", 0.06, "--allow-python")
    assert "holds no snapshots" in out
    assert "identical for 4 ticks" in out


# --- the animal alone -------------------------------------------------------------------------------


def carry(animal: Animal, k: int) -> None:
    """Now and then an orb that is left to touch is touched by a hand."""
    body = animal._body
    left = [orb for orb in body._orbs if not np.all(orb.activated)]
    if k % 15 == 7 and left:
        model, data = animal.model, animal._data
        hand = data.xpos[model.body("walker/hand_L").id]
        data.qpos[:3] += data.geom_xpos[left[0].geom_id] - hand
        mujoco.mj_forward(model, data)


def act(animal: Animal, first: int, last: int) -> list[tuple[TickState, StepResult]]:
    """What it senses and earns in some ticks, under actions that depend on the tick alone."""
    states = []
    for k in range(first, last):
        moment = animal.observe()
        carry(animal, k)
        action = np.random.default_rng(k).uniform(-0.5, 0.5, 38)
        states.append((moment, animal.act(action)))
    return states


def plain_of(task: Any) -> dict[str, Any]:
    """All that a task and its orbs remember as plain values."""
    found = {name: value for name, value in vars(task).items() if is_plain(value)}
    orbs = [
        orb
        for kind in getattr(task, "_targets", getattr(task, "_active_targets", []))
        for orb in kind
    ]
    for k, orb in enumerate(orbs):
        found |= {f"{k} {name}": value for name, value in vars(orb).items() if is_plain(value)}
    return copy.deepcopy(found)


def is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(is_plain(each) for each in value)
    return value is None or isinstance(value, bool | int | float | str | np.generic)


def fields_of(model: Any) -> dict[str, np.ndarray]:
    """Every array of a compiled model."""
    names = [name for name in dir(model) if not name.startswith("_")]
    arrays = {name: getattr(model, name) for name in names}
    return {name: value.copy() for name, value in arrays.items() if isinstance(value, np.ndarray)}


@pytest.mark.parametrize("name", ["two_tap", "forage"])
def test_an_animal_that_has_touched_orbs_goes_on_as_it_would_have(name: str) -> None:
    animal = Animal(name, 5)
    animal.begin_trial(0)  # two-touch's next arena is built around where its orb is in this one
    animal.begin_trial(1)
    task, model_at_first = animal._environment.task, fields_of(animal.model)
    act(animal, 0, 1)
    at_first = plain_of(task)
    assert any(outcome.events for _, outcome in act(animal, 1, 15))
    state = animal.state()
    kept = AnimalState(
        state.trial, msgspec.json.decode(msgspec.json.encode(state.task)), state.arrays
    )
    arena, one = animal.xml, act(animal, 15, 40)
    for attribute, value in plain_of(task).items():
        if at_first.get(attribute) != value:
            listed = OF_ORBS if attribute[0].isdigit() else REMEMBERED
            assert attribute.split()[-1] in listed[type(task)], attribute
    for field, values in fields_of(animal.model).items():
        if field not in OF_MODEL[type(task)]:
            assert values.tobytes() == model_at_first[field].tobytes(), field
    animal.close()
    again = Animal(name, 5)
    again.restore(kept)
    assert again.xml == arena
    two = act(again, 15, 40)
    again.close()
    assert any(outcome.events for _, outcome in one)
    for (before, outcome), (after, _) in pairwise(one):
        vanished = int((after.props[:, 4] == 0).sum() - (before.props[:, 4] == 0).sum())
        assert vanished == outcome.events.count("orb")
        if {"first_tap", "second_tap", "orb_moved"} & {*outcome.events}:
            assert after.props.tobytes() != before.props.tobytes()
    for (moment, outcome), (moment_again, outcome_again) in zip(one, two, strict=True):
        assert outcome == outcome_again
        assert moment.body.tobytes() == moment_again.body.tobytes()
        assert moment.props.tobytes() == moment_again.props.tobytes()
        assert moment.actuator_force.tobytes() == moment_again.actuator_force.tobytes()
        for sense, value in moment.observation.items():
            assert value.tobytes() == moment_again.observation[sense].tobytes(), sense
