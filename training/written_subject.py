"""What a training leaves: a subject's folder, with how it was made and its experts' skills."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.network import Network
from agent.subject import Subject, write_bytes
from rig.arenas import senses
from rig.versions import version_of
from training import migration, provenance
from training.settings import Settings
from training.skill_stages import needed_skills
from training.skills.library import Skills
from training.subject_folder import save


def own_ticks(settings: Settings, rollouts: int) -> dict[str, Any]:
    """Ticks of all environments together, by stage: of DAgger, and of the teacher where there is one.

    Args:
        settings: of the training.
        rollouts: collected for DAgger.
    """
    chosen, environments = settings.dagger, len(settings.vector_env.tasks)
    ticks = {"dagger_ticks": rollouts * chosen.rollout_ticks * environments}
    if not settings.distillation.teacher:
        return ticks
    taught = settings.distillation.rollouts * chosen.rollout_ticks * environments
    return {"distillation_ticks": taught, **ticks}


def with_history(subject: Subject, own: Mapping[str, int], name: str) -> dict[str, Any]:
    """Ticks and stages of a subject that is trained on, with the ticks of this training added.

    Args:
        subject: what the training begins with.
        own: ticks by stage of this training.
        name: of the subject that is trained; the stages of another are marked with its name.
    """
    known = migration.training_record(subject.training)
    ticks = {name: value for name, value in known.items() if name.endswith("_ticks")}
    for stage, value in own.items():
        ticks[stage] = value + ticks.get(stage, 0)
    mark = {} if subject.name == name else {"subject": subject.name}
    stages = [{**mark, **one} for one in known.get("stages", [])]
    return {**ticks, "stages": stages}


def write_subject(
    network: Network, settings: Settings, work: Path, folder: Path, training: Mapping[str, Any]
) -> None:
    """Write the subject's folder from a trained network, with its provenance and its experts' skills.

    Args:
        network: the weights.
        settings: name, tasks and seed.
        work: skills, and records of the stages that ran.
        folder: of the subject.
        training: ticks by stage, and under `stages` the records of a subject that it began as.

    Raises:
        SubjectError: a skill is missing.
    """
    skills, of_experts = needed_skills(settings.vector_env.tasks), Skills(work / "skills")
    for name in skills:
        of_experts.path(name)  # one that is missing is said before anything is written
    earlier = training.get("stages", [])
    of_others = [one for one in earlier if "subject" in one]
    own = {one["name"]: one for one in earlier if "subject" not in one} | provenance.load(work)
    left = {name: work / "skills" / f"{name}.npz" for name in skills}
    left |= {"vision": work / "vision.npz"}
    left |= {
        name: work / f"{name}.safetensors"
        for name in provenance.LEARNING_STAGES
        if name != "vision"
    }
    for name, path in left.items():
        if name not in own and path.exists():  # by a version that kept no records
            own[name] = {"name": name, "note": "settings not recorded"}
    in_order = [own[name] for name in left if name in own]
    ticks = {name: value for name, value in training.items() if name != "stages"}
    save(
        network,
        folder,
        settings.name,
        senses.PROPRIOCEPTION,
        training={
            "tasks": list(dict.fromkeys(settings.vector_env.tasks)),
            "seed": settings.dagger.seed,
            **ticks,
            "discount": settings.dagger.discount,
            "value_unit": "(1 - discount) * discounted scaled reward",
        },
        versions={
            "python": platform.python_version(),
            **{name: version_of(name) for name in ("mujoco", "dm_control", "torch", "numpy")},
        },
    )
    provenance.write(folder, [*of_others, *in_order])
    for name in skills:
        write_bytes(folder / "skills" / f"{name}.npz", of_experts.path(name).read_bytes())
