"""The stages of training, in order, each resumed from the work folder; what `rodent-rig train` calls."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from agent.errors import SubjectError
from agent.network import Network
from agent.subject import Subject, load, save
from agent.training import evaluation, gait, imitation, steering, vision
from agent.training.evaluation import card
from agent.training.evaluation.actors import CorridorTeacher
from agent.training.expert import Expert
from agent.training.flock import Flock
from agent.training.progress import Progress, terminal_progress
from agent.training.search import SearchState, write_arrays
from agent.training.settings import Settings, read
from rig.arenas import senses

Array = np.ndarray
STAGES = ("gait", "steering", "vision", "imitation", "evaluate")


def train(
    settings_path: str | Path,
    out: str | Path | None = None,
    *,
    work: str | Path | None = None,
    resume: bool = True,
    stages: Sequence[str] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Train a subject.

    Args:
        settings_path: TOML, as `subjects/runner.toml`.
        out: the subject's folder; `<name>` beside the settings file unless given.
        work: where checkpoints are; `runs/<name>` under the current folder unless given.
        resume: go on from the checkpoints; otherwise those of the chosen stages are deleted first.
        stages: some of `STAGES`, or all; a stage needs what those before it left in `work`.
        threads: threads for physics and learning.
        progress: called with the stage, the part of it that is done (0 to 1), and a line of text;
            progress bars with the time left unless given.

    Returns:
        the subject's folder.

    Raises:
        SubjectError: the settings or a checkpoint cannot be used, or an earlier stage is missing.
    """
    path = Path(settings_path)
    settings = read(path)
    chosen = tuple(stages) if stages else STAGES
    for stage in chosen:
        if stage not in STAGES:
            raise SubjectError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    folder = Path(out) if out else path.parent / settings.name
    place = Path(work) if work else Path("runs") / settings.name
    if not resume:
        for stage in chosen:
            for old in place.glob(f"{stage}*"):
                old.unlink()
    torch.set_num_threads(threads)
    if progress is not None:
        return _run(settings, folder, place, chosen, threads, progress)
    with terminal_progress() as shown:
        return _run(settings, folder, place, chosen, threads, shown)


def _run(
    settings: Settings,
    folder: Path,
    work: Path,
    stages: Sequence[str],
    threads: int,
    progress: Progress,
) -> Path:
    if "gait" in stages:
        _gait(settings, work, threads, progress)
    if "steering" in stages:
        _steering(settings, work, threads, progress)
    if "vision" in stages:
        _vision(settings, work, threads, progress)
    if "imitation" in stages:
        _imitation(settings, work, folder, threads, progress)
    if "evaluate" in stages:
        score(load(folder), settings, work, lambda done, text: progress("evaluate", done, text))
    return folder


def _gait(settings: Settings, work: Path, threads: int, progress: Progress) -> None:
    wanted = settings.gait
    total = wanted.coarse_generations + wanted.stock_generations

    def report(name: str, state: SearchState, speed: float, hz: float) -> None:
        done = state.generation + (wanted.coarse_generations if name == "stock" else 0)
        ran = f", {speed:.2f} m/s" if np.isfinite(speed) else ""
        progress(
            "gait", done / total, f"{name} physics: cost {state.best_cost:.2f}, {hz:.1f} Hz{ran}"
        )

    gait.find(wanted, work, threads, report)


def _steering(settings: Settings, work: Path, threads: int, progress: Progress) -> None:
    wanted = settings.steering

    def report(name: str, state: SearchState, yaw: Array, speed: Array) -> None:
        progress(
            "steering",
            state.generation / wanted.generations,
            f"{name} physics: cost {state.best_cost:.2f}, turns {np.round(yaw, 1).tolist()} rad/s "
            f"at {np.round(speed, 2).tolist()} m/s",
        )

    found = gait.load(_needed(work / "gait.npz", "gait"))
    steering.find(found, wanted, work, threads, report)


def _expert(settings: Settings, work: Path) -> Expert:
    return Expert(steering.load(_needed(work / "steering.npz", "steering")), settings.expert)


def _flock(settings: Settings, threads: int, seed: int) -> Flock:
    return Flock(settings.flock.animals, threads, settings.flock.soft_every, seed)


def _network(settings: Settings) -> Network:
    torch.manual_seed(settings.imitation.seed)
    return Network(settings.network)


def _vision(settings: Settings, work: Path, threads: int, progress: Progress) -> None:
    path = work / "vision.npz"
    if path.exists():
        return
    network, wanted = _network(settings), settings.vision
    rng = np.random.default_rng(settings.imitation.seed)
    flock = _flock(settings, threads, settings.imitation.seed)
    views = vision.collect(
        flock,
        _expert(settings, work),
        wanted,
        rng,
        lambda done: progress("vision", done / 2, "looking"),
    )
    vision.teach(
        network.vision,
        views,
        wanted,
        rng,
        lambda done, rad, m: progress(
            "vision", 0.5 + done / 2, f"errs by {rad:.3f} rad in heading, {m:.3f} m in offset"
        ),
    )
    write_arrays(path, **{k: v.numpy() for k, v in network.vision.state_dict().items()})


def _imitation(
    settings: Settings, work: Path, folder: Path, threads: int, progress: Progress
) -> None:
    network = _network(settings)
    with np.load(_needed(work / "vision.npz", "vision"), allow_pickle=False) as eyes:
        network.vision.load_state_dict({key: torch.from_numpy(eyes[key]) for key in eyes.files})

    def report(now: imitation.Report) -> None:
        progress(
            "imitation",
            now.done,
            f"policy {now.policy_loss:.4f}, value {now.value_loss:.4f}, alone "
            f"{now.speed_m_s:.2f} m/s, {now.falls_per_min:.1f} falls/min, {now.ticks_per_s:.0f} ticks/s",
        )

    imitation.train(
        network,
        _flock(settings, threads, settings.imitation.seed + 100),
        _expert(settings, work),
        settings.imitation,
        work / "imitation.safetensors",
        report,
    )
    write_subject(network, settings, folder)


def write_subject(network: Network, settings: Settings, folder: Path) -> None:
    """Write the subject's folder from a trained network."""
    wanted = settings.imitation
    lived = wanted.segments * wanted.segment_ticks * settings.flock.animals
    save(
        network,
        folder,
        settings.name,
        senses.PROPRIOCEPTION,
        training={
            "method": "gait and steering by CMA-ES, phase-locked expert, DAgger",
            "task": "corridor",
            "animal_ticks": lived,
            "discount": wanted.discount,
            "value_unit": "(1 - discount) * discounted reward",
        },
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in ("mujoco", "dm_control", "torch", "numpy")},
        },
    )


def score(
    subject: Subject,
    settings: Settings,
    work: Path,
    progress: Callable[[float, str], None],
) -> list[evaluation.Score]:
    """Score the subject beside its expert, and write the table into its folder."""
    tasks, wanted = evaluation.tasks_of(subject.training), settings.evaluation
    teacher = CorridorTeacher(_needed(work / "steering.npz", "steering"), settings.expert)
    conditions, notes = evaluation.plan(
        subject,
        tasks,
        wanted.seeds,
        wanted.seeds,
        None,
        wanted.duration_s,
        {"corridor": teacher},
    )
    scores = evaluation.run(conditions, work / "scores", report=progress)
    card.write(subject, tasks, scores, notes)
    return scores


def _needed(path: Path, stage: str) -> Path:
    if not path.exists():
        raise SubjectError(f"{path} is missing: train the stage '{stage}' first")
    return path
