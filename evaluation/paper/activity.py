"""Activity and movement of a subject, tick by tick, for the check against the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from agent.subject import Subject
from analysis.code_identity import code_identity
from evaluation.actors import PolicyActor, SubjectSpec
from evaluation.conditions import TIME_LIMIT_S, EvaluationCondition
from evaluation.episode import policy_of, run_episode
from evaluation.episode_statistics import STRIDE_JOINT
from evaluation.running import OnProgress, cost
from parallel.processes import in_processes
from rig.arenas.tasks import CONTROL_TIMESTEP_S
from training.skills.search import write_arrays

Array = np.ndarray

RATE_HZ = 1 / CONTROL_TIMESTEP_S


@dataclass(frozen=True)
class RecordedEpisode:
    """One episode, (ticks, ...) float32.

    Attributes:
        cell_states: cell state c of all units, layers one after the other.
        joint_angles: joint angles, rad.
        body_positions: positions of the body's parts from the trunk, in its frame, m.
        forces: of the actuators, in their units.
        hip: angle of the left hip, rad, (ticks,).
        speed_m_s: of the centre of mass in the horizontal plane, (ticks,).
    """

    cell_states: Array
    joint_angles: Array
    body_positions: Array
    forces: Array
    hip: Array
    speed_m_s: Array


class _Recorder:
    def __init__(self) -> None:
        self._rows: dict[str, list[Any]] = {field.name: [] for field in fields(RecordedEpisode)}
        self._parts: Array | None = None

    def __call__(self, environment: Any, actor: Any) -> None:
        model, data = environment.physics.model.ptr, environment.physics.data.ptr
        assert isinstance(actor, PolicyActor)
        if self._parts is None:
            names = [model.body(i).name for i in range(model.nbody)]
            self._parts = np.array([i for i, n in enumerate(names) if n.startswith("walker/")])
            self._torso = model.body("walker/torso").id
            self._hip = model.joint(STRIDE_JOINT).qposadr[0]
        frame = data.xmat[self._torso].reshape(3, 3)
        rows = self._rows
        rows["cell_states"].append(actor.last.activity.c_applied)
        rows["joint_angles"].append(data.qpos[7:].astype(np.float32))
        positions = (data.xpos[self._parts] - data.xpos[self._torso]) @ frame
        rows["body_positions"].append(positions.ravel().astype(np.float32))
        rows["forces"].append(data.actuator_force.astype(np.float32))
        rows["hip"].append(np.float32(data.qpos[self._hip]))
        speed = np.linalg.norm(data.subtree_linvel[self._torso, :2])
        rows["speed_m_s"].append(np.float32(speed))

    def recorded(self) -> RecordedEpisode:
        return RecordedEpisode(**{name: np.array(rows) for name, rows in self._rows.items()})


def _record(condition: EvaluationCondition, seed: int, path: Path) -> None:
    recorder = _Recorder()
    run_episode(condition, seed, recorder)
    write_arrays(path, identity=np.array(_identity(condition)), **vars(recorder.recorded()))


def _identity(condition: EvaluationCondition) -> str:
    code = code_identity("evaluation.paper.activity")
    return f"{policy_of(condition).identity()} {code} {condition.time_limit_s}"


def record(
    subject: Subject,
    tasks: Sequence[str],
    episodes: int,
    work: Path,
    jobs: int = 1,
    time_limit_s: float | None = None,
    on_progress: OnProgress = lambda done, text: None,
) -> dict[str, list[RecordedEpisode]]:
    """Record episodes of every task, sampled actions and fast rendering, kept in `work` and found again.

    Args:
        subject: who acts.
        tasks: in which.
        episodes: of each task.
        work: the folder.
        jobs: processes.
        time_limit_s: of an episode, instead of each task's own.
        on_progress: called with the part that is done (0 to 1) and a line of text.

    Returns:
        by task, its episodes; episode k has seed k.
    """
    open_jobs, paths = [], {}
    for task in tasks:
        policy = SubjectSpec(subject.folder, subject.sha256, True)
        limit_s = time_limit_s or TIME_LIMIT_S[task]
        condition = EvaluationCondition(task, "subject", policy, "fast", True, episodes, limit_s)
        for seed in condition.seeds:
            path = paths[task, seed] = work / f"activity-{task}-{seed}.npz"
            if not _is_there(path, _identity(condition)):
                open_jobs.append((condition, seed, path))
    total, done = sum(cost(one) for one, _, _ in open_jobs), 0.0
    for (condition, seed, _), _ in in_processes(_record, open_jobs, jobs):
        done += cost(condition)
        on_progress(done / total, f"recorded {condition.task.replace('_', ' ')}, episode {seed}")
    return {task: [_read(paths[task, seed]) for seed in range(1, episodes + 1)] for task in tasks}


def _is_there(path: Path, identity: str) -> bool:
    try:
        with np.load(path, allow_pickle=False) as kept:
            return str(kept["identity"]) == identity
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return False


def _read(path: Path) -> RecordedEpisode:
    with np.load(path, allow_pickle=False) as kept:
        return RecordedEpisode(
            **{field.name: kept[field.name] for field in fields(RecordedEpisode)}
        )
