"""What made a subject: which pipeline stages ran, by which settings, from which teacher.

Each stage that does something leaves a record in `stages.json` of the work folder; `subject.toml` gets all of
them as `[[training.stages]]`:

    name              of the stage
    settings_sha256   of the sections that the stage reads (`settings_sha256`); several where they changed
                      while the stage was under way
    subject           the subject that it was trained for, where it is not this one
    teacher, ...      other facts, such as the teacher's name and SHA-256, and what was left out
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import tomli_w

from agent.errors import SubjectError
from agent.subject import SUBJECT_FILE, write_bytes
from training.learn.training_loop import Counts
from training.settings import Settings

Record = dict[str, Any]
STAGES_FILE = "stages.json"
LEARNING_STAGES = ("vision", "distillation", "dagger", "reinforcement")
"""Those that train the network, in their order; searches of skills come before."""

SECTIONS = {
    "climbing": ("climbing", "gait"),
    "vision": ("network", "vector_env", "dagger", "vision"),
    "distillation": ("network", "vector_env", "actors", "dagger", "distillation"),
    "dagger": ("network", "vector_env", "actors", "dagger", "vision"),
    "reinforcement": ("network", "vector_env", "actors", "dagger", "reinforcement"),
}
"""Sections of the settings that a stage reads; its own alone, where it is not named here."""


def settings_sha256(settings: Settings, stage: str) -> str:
    """SHA-256 of the sections that a stage reads, defaults included, as JSON with sorted keys."""
    sections = {name: asdict(getattr(settings, name)) for name in SECTIONS.get(stage, (stage,))}
    return hashlib.sha256(json.dumps(sections, sort_keys=True).encode()).hexdigest()


def load(work: Path) -> dict[str, Record]:
    """The records of a work folder by stage; empty where there are none.

    Raises:
        SubjectError: the file with them is damaged.
    """
    path = work / STAGES_FILE
    try:
        records = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise SubjectError(_damaged(path, str(problem))) from None
    if not isinstance(records, dict) or not all(
        isinstance(one, dict) and one.get("name") == stage for stage, one in records.items()
    ):
        raise SubjectError(_damaged(path, "not one record for each stage"))
    return records


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path}, the account of what was trained in this folder, is damaged ({why}); put a whole one "
        "there, or move it away to train on without it"
    )


def of_subject(folder: Path) -> dict[str, Record]:
    """The records in a subject's `subject.toml` by stage; empty where there are none."""
    try:
        document = tomllib.loads((folder / SUBJECT_FILE).read_text(encoding="utf-8"))
        return {one["name"]: one for one in document.get("training", {}).get("stages", [])}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):  # whatever stands there
        return {}


def add(work: Path, stage: str, settings: Settings | None, **facts: Any) -> None:
    """Record that a stage runs, or facts about it.

    Args:
        work: the work folder.
        stage: name of the stage.
        settings: those that it runs with; None: it does not run here, only the facts are recorded.
        facts: replace those of the same names; None deletes one.
    """
    records = load(work)
    record = records.setdefault(stage, {"name": stage})
    if settings is not None:
        hashes = record.setdefault("settings_sha256", [])
        digest = settings_sha256(settings, stage)
        if digest not in hashes:
            hashes.append(digest)
    for key, value in facts.items():
        record.pop(key, None)
        if value is not None:
            record[key] = value
    write_bytes(work / STAGES_FILE, json.dumps(records, indent=1).encode())


def left_out(folder: Path) -> dict[str, str]:
    """What the training of a subject left out, by stage, such as '2 skipped updates'; only where it did."""
    found = {}
    for stage, record in of_subject(folder).items():
        counts = Counts(**{one.name: record.get(one.name, 0) for one in fields(Counts)})
        if counts.nonzero():
            found[stage] = str(counts).removeprefix(", ")
    return found


def remove(work: Path, stage: str) -> None:
    """Forget the record of a stage that begins anew."""
    records = load(work)
    if records.pop(stage, None) is not None:
        write_bytes(work / STAGES_FILE, json.dumps(records, indent=1).encode())


def write(folder: Path, stages: Sequence[Record]) -> None:
    """Append the records of stages, in the order in which they ran, to the `subject.toml` of a subject."""
    path = folder / SUBJECT_FILE
    text = path.read_text(encoding="utf-8").rstrip()
    # one by one: tomli-w writes an array of short tables in line, under a second [training]
    tables = [f"[[training.stages]]\n{tomli_w.dumps(stage)}" for stage in stages]
    write_bytes(path, "\n\n".join([text, *(each.rstrip() for each in tables)]).encode() + b"\n")
