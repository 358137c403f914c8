"""The stages of training, in order, each resumed from the work folder; what `rodent-rig train` calls."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import evaluation
from agent.architecture import NetworkConfig
from agent.errors import SubjectError
from agent.network import Network
from agent.subject import Subject, find, load, save
from evaluation import card
from parallel.progress import Progress, terminal_progress
from rig.arenas import senses
from rig.arenas.names import TASKS
from training.learn import checkpoint, dagger, distillation, metrics, reinforcement, vision
from training.learn.metrics import Writer
from training.rollout.actor_pool import Fleet
from training.rollout.rollout import Segment
from training.rollout.rollout_store import Lived
from training.rollout.vector_env import Herd, HerdSettings
from training.settings import Settings, read
from training.skill_stages import SEARCHES, needed_skills
from training.skills.library import SKILLS, Skills
from training.skills.search import write_arrays

Array = np.ndarray
STAGES = (*SEARCHES, "vision", "apprenticeship", "imitation", "reinforcement", "evaluate")
LIVING_PART = 0.7
"""Of the time of an apprenticeship, about, the teacher lives; in the rest is learned."""


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
        resume: go on from the checkpoints; otherwise those of the chosen stages are deleted first. What
            the work folder lacks is taken from the subject's own folder where that has it (its skills, and
            its weights to go on from with reinforcement).
        stages: some of `STAGES`, or all that the settings' tasks need; a stage needs what those before it
            left in `work`.
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
    for stage in stages or ():
        if stage not in STAGES:
            raise SubjectError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    unneeded = set(SEARCHES) - set(needed_skills(settings.herd.tasks))
    chosen = tuple(stages) if stages else tuple(s for s in STAGES if s not in unneeded)
    folder = Path(out) if out else path.parent / settings.name
    place = Path(work) if work else Path("runs") / settings.name
    skills = place / "skills"
    skills.mkdir(parents=True, exist_ok=True)
    if resume:
        _adopt_skills(folder / "skills", skills)
        for other in (settings.imitation.begin_with, settings.apprenticeship.teacher):
            if other:
                _adopt_skills(find(other) / "skills", skills)
    else:
        for stage in chosen:
            for old in [*place.glob(f"{stage}*"), *skills.glob(f"{stage}*")]:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    torch.set_num_threads(threads)
    if progress is not None:
        return _run(settings, folder, place, chosen, threads, progress)
    with terminal_progress() as shown:
        return _run(settings, folder, place, chosen, threads, shown)


def _adopt_skills(shipped: Path, skills: Path) -> None:
    """Begin with the skills that came with the subject where none have been found here yet."""
    for name in SKILLS:
        there, here = shipped / f"{name}.npz", skills / f"{name}.npz"
        if there.exists() and not here.exists() and not list(skills.glob(f"{name}-*")):
            shutil.copyfile(there, here)


def _run(
    settings: Settings,
    folder: Path,
    work: Path,
    stages: Sequence[str],
    threads: int,
    progress: Progress,
) -> Path:
    for stage in stages:
        if stage in SEARCHES:
            SEARCHES[stage](settings, Skills(work / "skills"), threads, partial(progress, stage))
    if "vision" in stages:
        _vision(settings, work, progress)
    if "apprenticeship" in stages and settings.apprenticeship.teacher:
        _apprenticeship(settings, work, progress)
    if "imitation" in stages:
        _imitation(settings, work, folder, progress)
    if "reinforcement" in stages and settings.reinforcement.segments:
        _reinforcement(settings, work, folder, progress)
    if "evaluate" in stages:
        score(
            load(folder, "torch"),
            settings,
            work,
            lambda done, text: progress("evaluate", done, text),
        )
    return folder


def _herd(settings: Settings, work: Path, stage: int) -> Callable[[int], Herd]:
    """Makes the herd of a worker's number; every stage and every worker has random draws of its own."""
    seed = settings.imitation.seed
    return partial(
        make_herd, settings.network, settings.herd, (work / "skills").resolve(), seed, stage
    )


def make_herd(
    network: NetworkConfig, herd: HerdSettings, skills: Path, seed: int, stage: int, worker: int
) -> Herd:
    """A worker's herd; importable, because Ray makes it in another process."""
    return Herd(network, herd, skills, 10_000 * seed + 100 * stage + worker)


def _network(settings: Settings) -> Network:
    torch.manual_seed(settings.imitation.seed)
    return Network(settings.network)


def _vision(settings: Settings, work: Path, progress: Progress) -> None:
    path = work / "vision.npz"
    if path.exists() or settings.apprenticeship.teacher or settings.imitation.begin_with:
        return
    network, wanted = _network(settings), settings.vision
    herd = _herd(settings, work, 0)(0)
    parts = []
    step = max(1, wanted.ticks // 20)
    for tick in range(0, wanted.ticks, step):
        parts.append(herd.look(min(step, wanted.ticks - tick), wanted.every, wanted.places))
        progress("vision", 0.7 * min(1.0, (tick + step) / wanted.ticks), "looking")
    herd.close()
    pictures, cues = (np.concatenate(rows) for rows in zip(*parts, strict=True))

    def report(done: float, errs: Mapping[str, float]) -> None:
        told = ", ".join(f"{name} {value:.2f}" for name, value in errs.items())
        progress("vision", 0.7 + 0.3 * done, f"errs by {told}")

    rng = np.random.default_rng(settings.imitation.seed)
    vision.teach(network.vision, pictures, cues, wanted, rng, report)
    write_arrays(path, **{k: v.numpy() for k, v in network.vision.state_dict().items()})


def _fleet(
    settings: Settings, make: Callable[[int], Herd], stage: str, progress: Progress
) -> Fleet[Segment]:
    """The workers of a stage."""
    wanted = settings.fleet
    return Fleet(make, wanted.workers, wanted.ray or None, lambda text: progress(stage, 0.0, text))


@contextmanager
def _fleet_and_log(
    settings: Settings, work: Path, stage: str, progress: Progress
) -> Iterator[tuple[Fleet[Segment], Writer]]:
    """The workers of a stage that learns as it lives, and its TensorBoard log in `work/log`."""
    # importing it takes seconds, and not every stage writes
    from torch.utils.tensorboard import SummaryWriter

    make = _herd(settings, work, STAGES.index(stage))
    writer = SummaryWriter(str(work / "log"))
    try:
        with _fleet(settings, make, stage, progress) as fleet:
            yield fleet, writer
    finally:
        writer.close()


def _apprenticeship(settings: Settings, work: Path, progress: Progress) -> None:
    wanted, stage = settings.apprenticeship, "apprenticeship"
    teacher = _loaded(wanted.teacher)
    network = _network(settings)
    distillation.inherit(network, teacher)
    skills = (work / "skills").resolve()
    lived = distillation.lived_folder(
        work.parent, teacher, skills, settings.herd, settings.imitation
    )
    told: Callable[[float, str], None] = partial(progress, stage)
    there = Lived(lived, wanted.segments).count()
    if there < wanted.segments:
        make = partial(
            make_herd,
            teacher.config,
            settings.herd,
            skills,
            there,  # other draws than those of what is there
            STAGES.index(stage),
        )
        with _fleet(settings, make, stage, progress) as fleet:
            distillation.have_it_live(
                teacher,
                fleet,
                wanted,
                settings.imitation,
                lived,
                lambda done, text: told(LIVING_PART * done, text),
            )
    distillation.learn(
        network,
        wanted,
        settings.imitation,
        lived,
        work / f"{stage}.safetensors",
        lambda done, text: told(LIVING_PART + (1 - LIVING_PART) * done, text),
    )


def _imitation(settings: Settings, work: Path, folder: Path, progress: Progress) -> None:
    wanted, path = settings.imitation, work / "imitation.safetensors"
    network, ticks = _network(settings), _imitation_ticks(settings)
    if wanted.begin_with:
        begun = find(wanted.begin_with)
        if begun.resolve() == folder.resolve():
            raise SubjectError(
                f"[imitation] begin_with: {folder} would be written over what it begins with; give the "
                "subject another name, or train it into another folder"
            )
        before = _go_on_from(begun, network)
        ticks = {**before, **{k: n + before.get(k, 0) for k, n in ticks.items()}}
    elif settings.apprenticeship.teacher:
        checkpoint.restore(needed(work / "apprenticeship.safetensors", "apprenticeship"), network)
    else:
        with np.load(needed(work / "vision.npz", "vision"), allow_pickle=False) as eyes:
            network.vision.load_state_dict({key: torch.from_numpy(eyes[key]) for key in eyes.files})

    def report(now: dagger.Report) -> None:
        tasks = ", ".join(
            f"{task} {now.reward[task]:.3f} (errs {now.miss[task]:.3f})" for task in now.miss
        )
        progress(
            "imitation",
            now.done,
            f"policy {now.policy_loss:.4f}, value {now.value_loss:.4f}, reward a tick: {tasks}; "
            f"{now.ticks_per_s:.0f} ticks/s",
        )

    if checkpoint.done(path) < wanted.segments:
        with _fleet_and_log(settings, work, "imitation", progress) as (fleet, writer):
            dagger.train(network, fleet, wanted, path, report, writer, settings.vision)
    else:
        checkpoint.restore(path, network)
    write_subject(network, settings, work, folder, ticks)


def _imitation_ticks(settings: Settings) -> dict[str, int]:
    """Ticks lived by all animals together: its own, and its teacher's where it has one."""
    wanted, animals = settings.imitation, len(settings.herd.tasks)
    own = {"imitation_ticks": wanted.segments * wanted.segment_ticks * animals}
    if not settings.apprenticeship.teacher:
        return own
    teachers = settings.apprenticeship.segments * wanted.segment_ticks * animals
    return {"apprenticeship_ticks": teachers, **own}


def _reinforcement(settings: Settings, work: Path, folder: Path, progress: Progress) -> None:
    """Go on from what imitation left in `work`, or from the subject as it is."""
    wanted, path = settings.reinforcement, work / "reinforcement.safetensors"
    network = _network(settings)
    imitated, ticks = work / "imitation.safetensors", _imitation_ticks(settings)
    if imitated.exists() or not (folder / "subject.toml").exists():
        checkpoint.restore(needed(imitated, "imitation"), network)
    else:
        ticks = _go_on_from(folder, network)

    def report(now: metrics.Report) -> None:
        tasks = ", ".join(f"{task} {value:.3f}" for task, value in now.reward.items())
        progress(
            "reinforcement", now.done, f"reward a tick: {tasks}; {now.ticks_per_s:.0f} ticks/s"
        )

    with _fleet_and_log(settings, work, "reinforcement", progress) as (fleet, writer):
        reinforcement.train(network, fleet, wanted, path, TASKS, report, writer)
    own = wanted.segments * wanted.segment_ticks * len(settings.herd.tasks)
    write_subject(network, settings, work, folder, {**ticks, "reinforcement_ticks": own})


def _loaded(name_or_path: str | Path) -> Subject:
    """A subject to learn from. Loading one leaves PyTorch with one thread; learning has use for more."""
    threads = torch.get_num_threads()
    subject = load(name_or_path, "torch")
    torch.set_num_threads(threads)
    return subject


def _go_on_from(folder: Path, network: Network) -> dict[str, int]:
    """Give the network the weights of a subject; returns the ticks that were lived for these by stage."""
    subject = _loaded(folder)
    if subject.config != network.config:
        raise SubjectError(
            f"{folder} holds a subject of another architecture than [network] asks for; correct [network], "
            "or train from an earlier stage"
        )
    network.load_state_dict(subject.network.state_dict())
    return {name: said for name, said in subject.training.items() if name.endswith("_ticks")}


def write_subject(
    network: Network, settings: Settings, work: Path, folder: Path, lived: Mapping[str, int]
) -> None:
    """Write the subject's folder from a trained network, with the skills of its experts."""
    names = needed_skills(settings.herd.tasks)
    save(
        network,
        folder,
        settings.name,
        senses.PROPRIOCEPTION,
        training={
            "method": "skills by CMA-ES, experts from them, eyes taught first, DAgger"
            + (", V-MPO" if "reinforcement_ticks" in lived else ""),
            "tasks": list(dict.fromkeys(settings.herd.tasks)),
            "seed": settings.imitation.seed,
            **lived,
            "discount": settings.imitation.discount,
            "value_unit": "(1 - discount) * discounted scaled reward",
        },
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in ("mujoco", "dm_control", "torch", "numpy")},
        },
    )
    (folder / "skills").mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(work / "skills" / f"{name}.npz", folder / "skills" / f"{name}.npz")


def score(
    subject: Subject,
    settings: Settings,
    work: Path,
    progress: Callable[[float, str], None],
) -> list[evaluation.Score]:
    """Score the subject beside its experts, and write the table into its folder."""
    tasks, wanted = evaluation.tasks_of(subject.training), settings.evaluation
    conditions, notes = evaluation.plan(
        subject,
        tasks,
        wanted.episodes,
        wanted.stock_episodes,
        work / "skills",
        wanted.duration_s or None,
    )
    scores = evaluation.run(conditions, work / "scores", on_progress=progress)
    card.write(subject, tasks, scores, notes)
    return scores


def needed(path: Path, stage: str) -> Path:
    """A file that an earlier stage left. Raises `SubjectError` where it did not."""
    if not path.exists():
        raise SubjectError(f"{path} is missing: train the stage '{stage}' first")
    return path
