"""Score a subject: how fast and how safely it runs, in dm_control's own environments at stock physics.

Each seed starts the animal with its joints a hundredth of a radian off, because the corridor itself has
nothing random in it. Speed counts from the standing start. An animal that has fallen stays fallen: its
episode runs on to the end and its speed counts as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agent.subject import CAMERA, Subject, write_bytes
from agent.training.expert import Expert
from agent.training.flock import poses_of
from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera, Quality
from rig.arenas.senses import Senses

Array = np.ndarray

FALLEN_BELOW = 0.3
START_NOISE_RAD = 0.01
STRIDE_JOINT = "walker/hip_L_extend"
Actor = Callable[[Mapping[str, Array], Any], Array]
"""From an observation and the physics (for actors that may look at it) to an action."""


@dataclass(frozen=True)
class Episode:
    """One episode: `fell` and `ended_early` are whether it fell, and whether the task ended it."""

    seed: int
    duration_s: float
    distance_m: float
    speed_m_s: float
    peak_speed_m_s: float
    reward: float
    fell: bool
    ended_early: bool
    stride_hz: float
    least_upright: float
    most_offset_m: float


@dataclass(frozen=True)
class Score:
    """Episodes of one actor under one condition."""

    actor: str
    task: str
    quality: str
    sampled: bool
    episodes: tuple[Episode, ...]

    def mean(self, name: str) -> float:
        """Mean of a field of the episodes, over those where it is a number."""
        values = np.array([getattr(episode, name) for episode in self.episodes], float)
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else float("nan")

    @property
    def falls(self) -> int:
        """Episodes in which the animal fell."""
        return sum(episode.fell for episode in self.episodes)

    def summary(self) -> dict[str, Any]:
        """What the table shows, as numbers."""
        return {
            "actor": self.actor,
            "task": self.task,
            "rendering": self.quality,
            "action": "sampled" if self.sampled else "mean",
            "episodes": len(self.episodes),
            "duration_s": round(self.mean("duration_s"), 2),
            "mean_speed_m_s": round(self.mean("speed_m_s"), 3),
            "lowest_speed_m_s": round(min(e.speed_m_s for e in self.episodes), 3),
            "falls": self.falls,
            "stride_hz": round(self.mean("stride_hz"), 2),
            "mean_return": round(self.mean("reward"), 1),
        }


def stride_hz(angle_rad: Array) -> float:
    """Stride frequency: the spectral peak of a hip's angle, sampled every 20 ms, between 1 and 15 Hz."""
    if len(angle_rad) < 50:
        return float("nan")
    n = 4096
    power = np.abs(np.fft.rfft((angle_rad - angle_rad.mean()) * np.hanning(len(angle_rad)), n)) ** 2
    hz = np.fft.rfftfreq(n, tasks.CONTROL_TIMESTEP_S)
    inside = (hz >= 1) & (hz <= 15)
    return float(hz[inside][power[inside].argmax()])


def _episode(
    actor: Actor, environment: Any, quality: Quality | None, seed: int, duration_s: float
) -> Episode:
    rng = np.random.default_rng([seed, 7])
    environment.reset()
    physics = environment.physics
    model, data = physics.model.ptr, physics.data.ptr
    data.qpos[7:] += rng.normal(0, START_NOISE_RAD, model.nq - 7)
    with physics.model.disable("actuation"):  # as at any reset
        physics.forward()
    senses = Senses(environment)
    camera = EgocentricCamera(model, data, quality) if quality else None
    torso = model.body("walker/torso").id
    hip = model.joint(STRIDE_JOINT).qposadr[0]
    begin, reward, ended = data.xpos[torso].copy(), 0.0, False
    hips, uprights, offsets, speeds = [], [], [], []
    ticks = round(duration_s / tasks.CONTROL_TIMESTEP_S)
    for _ in range(ticks):
        observation = senses.observe()
        if camera is not None:
            observation[CAMERA] = camera.render()
        step = environment.step(actor(observation, physics))
        reward += step.reward
        hips.append(float(data.qpos[hip]))
        uprights.append(float(data.xmat[torso, 8]))
        offsets.append(abs(float(data.xpos[torso, 1])))
        speeds.append(float(data.subtree_linvel[torso, 0]))
        if step.last():
            ended = True
            break
    if camera is not None:
        camera.close()
    lasted = len(hips) * tasks.CONTROL_TIMESTEP_S
    distance = float(data.xpos[torso, 0] - begin[0])
    return Episode(
        seed=seed,
        duration_s=lasted,
        distance_m=distance,
        speed_m_s=distance / lasted,
        peak_speed_m_s=max(speeds),
        reward=reward,
        fell=min(uprights) < FALLEN_BELOW,
        ended_early=ended,
        stride_hz=stride_hz(np.array(hips[50:])),
        least_upright=min(uprights),
        most_offset_m=max(offsets),
    )


def run(
    name: str,
    make_actor: Callable[[int], Actor],
    task: str,
    seeds: Sequence[int],
    duration_s: float,
    quality: Quality | None,
    sampled: bool,
) -> Score:
    """Score any actor; `make_actor` gives a fresh one for each seed, `quality` None is for the blind."""
    episodes = []
    for seed in seeds:
        environment = tasks.make(task, seed)
        episodes.append(_episode(make_actor(seed), environment, quality, seed, duration_s))
        environment.close()
    return Score(name, task, quality or "none", sampled, tuple(episodes))


def evaluate(
    subject: Subject,
    task: str,
    seeds: Sequence[int],
    duration_s: float,
    quality: Quality = "fast",
    sampled: bool = True,
) -> Score:
    """Score a subject on one task.

    Args:
        subject: the subject; it is reset for every episode.
        task: one of `rig.arenas.tasks.TASKS`.
        seeds: one episode each; a seed sets the arena, the start and the motor noise.
        duration_s: simulated seconds of an episode, unless the task ends it.
        quality: how the camera renders.
        sampled: with motor noise, as in sessions, or the mean action.
    """

    def make_actor(seed: int) -> Actor:
        subject.reset()
        rng = np.random.default_rng([seed, 11])

        def act(observation: Mapping[str, Array], _: Any) -> Array:
            noise = rng.standard_normal(subject.config.action_size) if sampled else None
            return subject.step(observation, noise=noise).action

        return act

    return run(subject.name, make_actor, task, seeds, duration_s, quality, sampled)


def evaluate_expert(expert: Expert, seeds: Sequence[int], duration_s: float) -> Score:
    """Score the expert that the subject learned from; it is told where it is."""

    def act(observation: Mapping[str, Array], physics: Any) -> Array:
        where = poses_of([physics.data.ptr], physics.model.ptr.body("walker/torso").id)
        return expert.act(observation["walker/actuator_activation"][None], where)[0]

    return run("expert", lambda seed: act, "corridor", seeds, duration_s, None, False)


def evaluate_random(seeds: Sequence[int], duration_s: float, n_actions: int = 38) -> Score:
    """Score uniformly random actions."""

    def make_actor(seed: int) -> Actor:
        rng = np.random.default_rng([seed, 13])
        return lambda observation, physics: rng.uniform(-1, 1, n_actions)

    return run("random", make_actor, "corridor", seeds, duration_s, None, True)


def evaluate_all(
    subject: Subject,
    n_seeds: int = 10,
    duration_s: float = 10.0,
    expert: Expert | None = None,
    progress: Callable[[float, str], None] = lambda done, text: None,
) -> list[Score]:
    """The score table: the corridor under both renderings, sampled and mean; the gaps; expert, random."""
    seeds = range(1, n_seeds + 1)
    few = seeds[: max(1, n_seeds // 2)]
    jobs: list[tuple[str, Callable[[], Score]]] = []
    qualities: tuple[Quality, ...] = ("fast", "stock")
    for quality in qualities:
        for sampled in (True, False):
            text = f"corridor, {quality}, {'sampled' if sampled else 'mean'}"
            job = partial(evaluate, subject, "corridor", seeds, duration_s, quality, sampled)
            jobs.append((text, job))
    jobs.append(("gaps", partial(evaluate, subject, "gaps", seeds, duration_s, "fast", True)))
    if expert is not None:
        jobs.append(("expert", partial(evaluate_expert, expert, few, duration_s)))
    jobs.append(("random", partial(evaluate_random, few, duration_s)))
    scores = []
    for index, (text, scored) in enumerate(jobs):
        progress(index / len(jobs), text)
        scores.append(scored())
    progress(1.0, "done")
    return scores


_COLUMNS = {
    "actor": "actor",
    "task": "task",
    "rendering": "rendering",
    "action": "action",
    "episodes": "episodes",
    "duration_s": "s",
    "mean_speed_m_s": "speed m/s",
    "lowest_speed_m_s": "lowest",
    "falls": "falls",
    "stride_hz": "stride Hz",
    "mean_return": "return",
}


def table(scores: Sequence[Score]) -> Table:
    """The scores as a table for the terminal."""
    shown = Table(title="Scores at stock physics")
    for heading in _COLUMNS.values():
        shown.add_column(heading)
    for score in scores:
        row = score.summary()
        shown.add_row(*(str(row[key]) for key in _COLUMNS))
    return shown


def show(scores: Sequence[Score]) -> None:
    """Print the table."""
    terminal = Console()
    # a narrower terminal wraps the lines, which is better than figures that are cut off
    Console(width=max(terminal.width, 110)).print(table(scores))


def to_json(scores: Sequence[Score]) -> str:
    """The scores with every episode, as JSON."""
    return json.dumps(
        [{**score.summary(), "each": [asdict(e) for e in score.episodes]} for score in scores],
        indent=1,
    )


def write(subject: Subject, scores: Sequence[Score]) -> None:
    """Write `scores.json` and `card.md` into the subject's folder."""
    rows = [score.summary() for score in scores]
    lines = [
        f"# {subject.name}",
        "",
        f"A trained virtual rodent of {subject.n_units} units in {len(subject.layers)} layers "
        f"({', '.join(layer.name for layer in subject.layers)}).",
        "It has one skill: it runs along a corridor, guided by its own eyes and senses.",
        "",
        "Scores in dm_control's own environments at stock physics (1 ms Euler, 20 ms control); speed counts",
        f"from the standing start; a fall is the torso's upward axis below {FALLEN_BELOW}.",
        "",
        "| " + " | ".join(_COLUMNS.values()) + " |",
        "|" + " --- |" * len(_COLUMNS),
        *("| " + " | ".join(str(row[key]) for key in _COLUMNS) + " |" for row in rows),
        "",
        "`scores.json` has every episode. Weights and scores: GPL-3.0-or-later.",
        f"Identity (SHA-256 of weights, architecture and order of the senses): `{subject.sha256}`",
        "",
    ]
    write_bytes(subject.folder / "scores.json", to_json(scores).encode())
    write_bytes(subject.folder / "card.md", "\n".join(lines).encode())
