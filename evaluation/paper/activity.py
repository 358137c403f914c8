"""Activity and movement of a subject, tick by tick, for the check against the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from agent.subject import Subject
from evaluation.actors import Student, StudentActor
from evaluation.conditions import DURATION_S, Condition
from evaluation.metrics import STRIDE_JOINT
from evaluation.running import (
    Report,
    code_identity,
    cost,
    run_episode,
    side_by_side,
)
from training.skills.search import write_arrays

Array = np.ndarray


@dataclass(frozen=True)
class Recorded:
    """One episode, (ticks, ...) float32.

    Attributes:
        cells: cell state c of all units, layers one after the other.
        angles: joint angles, rad.
        places: positions of the body's parts from the trunk, in its frame, m.
        forces: of the actuators, in their units.
        hip: angle of the left hip, rad, (ticks,).
        speed_m_s: of the centre of mass in the horizontal plane, (ticks,).
    """

    cells: Array
    angles: Array
    places: Array
    forces: Array
    hip: Array
    speed_m_s: Array


class _Recorder:
    def __init__(self) -> None:
        self._rows: dict[str, list[Any]] = {field.name: [] for field in fields(Recorded)}
        self._parts: Array | None = None

    def __call__(self, environment: Any, actor: Any) -> None:
        model, data = environment.physics.model.ptr, environment.physics.data.ptr
        assert isinstance(actor, StudentActor)
        if self._parts is None:
            names = [model.body(i).name for i in range(model.nbody)]
            self._parts = np.array([i for i, n in enumerate(names) if n.startswith("walker/")])
            self._torso = model.body("walker/torso").id
            self._hip = model.joint(STRIDE_JOINT).qposadr[0]
        frame = data.xmat[self._torso].reshape(3, 3)
        rows = self._rows
        rows["cells"].append(actor.last.c_applied)
        rows["angles"].append(data.qpos[7:].astype(np.float32))
        places = (data.xpos[self._parts] - data.xpos[self._torso]) @ frame
        rows["places"].append(places.ravel().astype(np.float32))
        rows["forces"].append(data.actuator_force.astype(np.float32))
        rows["hip"].append(np.float32(data.qpos[self._hip]))
        speed = np.linalg.norm(data.subtree_linvel[self._torso, :2])
        rows["speed_m_s"].append(np.float32(speed))

    def recorded(self) -> Recorded:
        return Recorded(**{name: np.array(rows) for name, rows in self._rows.items()})


def _record(condition: Condition, seed: int, path: Path) -> None:
    recorder = _Recorder()
    run_episode(condition, seed, recorder)
    write_arrays(path, identity=np.array(_identity(condition)), **vars(recorder.recorded()))


def _identity(condition: Condition) -> str:
    return f"{condition.source.identity()} {code_identity()} {condition.duration_s}"


def record(
    subject: Subject,
    tasks: Sequence[str],
    episodes: int,
    work: Path,
    jobs: int = 1,
    duration_s: float | None = None,
    report: Report = lambda done, text: None,
) -> dict[str, list[Recorded]]:
    """Record episodes of every task, sampled actions and fast rendering, kept in `work` and found again.

    Returns:
        by task, its episodes; episode k has seed k.
    """
    open_jobs, paths = [], {}
    for task in tasks:
        source = Student(subject.folder, subject.sha256, True)
        lasts = duration_s or DURATION_S[task]
        condition = Condition(task, "student", source, "fast", True, episodes, lasts)
        for seed in condition.seeds:
            path = paths[task, seed] = work / f"activity-{task}-{seed}.npz"
            if not _is_there(path, _identity(condition)):
                open_jobs.append((condition, seed, path))
    total, done = sum(cost(one) for one, _, _ in open_jobs), 0.0
    for (condition, seed, _), _ in side_by_side(_record, open_jobs, jobs):
        done += cost(condition)
        report(done / total, f"recorded {condition.task.replace('_', ' ')}, episode {seed}")
    return {task: [_read(paths[task, seed]) for seed in range(1, episodes + 1)] for task in tasks}


def _is_there(path: Path, identity: str) -> bool:
    try:
        with np.load(path, allow_pickle=False) as kept:
            return str(kept["identity"]) == identity
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return False


def _read(path: Path) -> Recorded:
    with np.load(path, allow_pickle=False) as kept:
        return Recorded(**{field.name: kept[field.name] for field in fields(Recorded)})
