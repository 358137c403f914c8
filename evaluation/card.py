"""What a subject's folder says about what it can do: `scores.json`, and `card.md` for people.

The card is made from `scores.json` alone, so that it can be written anew when its form or a rule changes:

    python -m evaluation.card subjects/rodent
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import SubjectError
from agent.subject import Subject, load, write_bytes
from evaluation import tables
from evaluation.metrics import METRICS
from evaluation.paper.check import PaperCheck
from evaluation.scores import Score, as_json, from_json
from rig.versions import version_of

SCORES, CARD = "scores.json", "card.md"
PORTRAIT = "portrait.jpg"
"""Of the animal, where there is one: `rodent-rig export F.nwb --strip portrait.jpg --frames 1 --from S`."""
_LIBRARIES = ("mujoco", "dm_control", "torch", "numpy")
_CAPTIONS = {
    "spectra.png": "power spectra of movement and layers; grey: 4 to 5 Hz",
    "sharing.png": "what layers represent of movement, and how alike and how far apart tasks are in them",
}


def document(
    name: str,
    sha256: str | None,
    tasks: Sequence[str],
    scores: Sequence[Score],
    notes: Sequence[str],
    paper: PaperCheck | None,
) -> dict[str, Any]:
    """Everything measured, as JSON.

    Args:
        name: the subject's, or that of the folder of skills.
        sha256: the subject's; None where only experts were scored.
        tasks: those that were measured.
        scores: of all conditions.
        notes: a sentence for each thing that could not be measured.
        paper: the paper's claims; None where they were not asked for.
    """
    return {
        "subject": name,
        "sha256": sha256,
        "measured_with": {library: version_of(library) for library in _LIBRARIES},
        "seeds": "episode k has seed k, from 1",
        "tasks": {task: _goals(task) for task in tasks},
        "scores": [as_json(score, scores) for score in scores],
        "not_measured": list(notes),
        "remarks": [],
        "paper": paper.as_json() if paper else None,
    }


def recomputed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored document with its goals and metrics computed anew from its episodes, by the rules of now."""
    scores = [from_json(each) for each in stored["scores"]]
    return {
        **stored,
        "tasks": {task: _goals(task) for task in stored["tasks"]},
        "scores": [as_json(score, scores) for score in scores],
    }


def as_text(stored: Mapping[str, Any]) -> str:
    """A document as JSON, an episode a line: it is to be read, and compared between versions."""
    episodes = [episode for score in stored["scores"] for episode in score["episodes"]]
    places = iter(range(len(episodes)))
    scores = [
        {**score, "episodes": [f"episode {next(places)}" for _ in score["episodes"]]}
        for score in stored["scores"]
    ]
    text = json.dumps({**stored, "scores": scores}, indent=1, ensure_ascii=False)
    for place, episode in enumerate(episodes):
        text = text.replace(f'"episode {place}"', json.dumps(episode), 1)
    return text + "\n"


def _goals(task: str) -> dict[str, dict[str, float | None]]:
    goals = [m for m in METRICS[task] if m.minimum is not None or m.target is not None]
    return {metric.key: {"minimum": metric.minimum, "target": metric.target} for metric in goals}


def write(
    subject: Subject,
    tasks: Sequence[str],
    scores: Sequence[Score],
    notes: Sequence[str] = (),
) -> None:
    """Write `scores.json` and `card.md` into the subject's folder; what they say of the paper stays.

    Args:
        subject: whose.
        tasks: those that were measured.
        scores: of all conditions.
        notes: a sentence for each thing that could not be measured.
    """
    stored = document(subject.name, subject.sha256, tasks, scores, notes, None)
    path = subject.folder / SCORES
    if path.exists():
        before = _stored(subject)
        if before["sha256"] == subject.sha256:
            stored["paper"] = before["paper"]
    _write(subject, stored)


def write_paper(subject: Subject, paper: PaperCheck) -> None:
    """Write the paper's claims into `scores.json` and `card.md`, with their pictures; scores stay.

    Raises `SubjectError` where there are no scores, or they are of other weights.
    """
    from evaluation.paper.pictures import draw  # matplotlib takes a second

    stored = _stored(subject)
    if stored["sha256"] != subject.sha256:
        raise SubjectError(
            f"{subject.folder / SCORES} is of another {subject.name} than there is now; measure it again "
            f"with `rodent-rig evaluate {subject.name} --store` first"
        )
    draw(paper, subject.folder)
    _write(subject, {**stored, "paper": paper.as_json()})


def rewrite(folder: Path) -> None:
    """Write a subject's metrics and card anew, from the episodes in its `scores.json`.

    Raises:
        SubjectError: there is no subject, or it has no scores that this version can read.
    """
    subject = load(folder, "torch")
    try:
        _write(subject, recomputed(_stored(subject)))
    except (KeyError, TypeError, ValueError) as problem:
        raise _unreadable(subject, problem) from None


def _stored(subject: Subject) -> dict[str, Any]:
    """What `scores.json` holds. Raises `SubjectError` where it cannot be read."""
    try:
        stored = json.loads((subject.folder / SCORES).read_text(encoding="utf-8"))
        _ = stored["sha256"], stored["paper"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise _unreadable(subject, problem) from None
    return dict(stored)


def _unreadable(subject: Subject, problem: Exception) -> SubjectError:
    return SubjectError(
        f"{subject.folder / SCORES} cannot be read ({type(problem).__name__}: {problem}); measure the "
        f"subject again with `rodent-rig evaluate {subject.name} --store`"
    )


def _write(subject: Subject, stored: Mapping[str, Any]) -> None:
    write_bytes(subject.folder / SCORES, as_text(stored).encode())
    write_bytes(subject.folder / CARD, "\n".join(_card(subject, stored)).encode())


def _manifest(folder: Path) -> Mapping[str, Any]:
    return tomllib.loads((folder / "subject.toml").read_text(encoding="utf-8"))


def _card(subject: Subject, stored: Mapping[str, Any]) -> list[str]:
    manifest = _manifest(subject.folder)
    tasks = list(stored["tasks"])
    scores = [from_json(each) for each in stored["scores"]]
    layers = ", ".join(f"{layer.name} {layer.n_units}" for layer in subject.layers)
    named = ", ".join(tables.TITLES[task] for task in tasks)
    training = {k: _plain(v) for k, v in subject.training.items() if k not in ("task", "tasks")}
    measured = ", ".join(f"{library} {v}" for library, v in stored["measured_with"].items())
    trained = ", ".join(f"{key} {value}" for key, value in manifest.get("versions", {}).items())
    many = len(tasks) > 1
    notes, remarks, paper = stored["not_measured"], stored.get("remarks", []), stored["paper"]
    has_portrait = (subject.folder / PORTRAIT).exists()
    portrait = [f"![{subject.name}]({PORTRAIT})", ""] if has_portrait else []
    return [
        f"# {subject.name}",
        "",
        f"A virtual rodent of {subject.n_units} units ({layers})"
        + (
            "; one network, one set of weights, and no cue that tells it its task." if many else "."
        ),
        "",
        *portrait,
        "| | |",
        "| --- | --- |",
        f"| {'tasks' if many else 'task'} | {named} |",
        *(f"| {key.replace('_', ' ')} | {value} |" for key, value in training.items()),
        f"| trained with | {trained or 'unknown'} |",
        f"| measured with | {measured or 'unknown'} |",
        f"| licence | {manifest.get('licence', 'GPL-3.0-or-later')} |",
        f"| identity | SHA-256 of weights, architecture and order of the senses: "
        f"`{subject.sha256}` |",
        "",
        "## Scores",
        "",
        "In dm_control's own environments at stock physics (1 ms Euler, 20 ms control), measured "
        f"by `rodent-rig evaluate {subject.name} --store`; episode k has seed k. Means with their "
        "standard errors, shares with their counts. The goals are held against the sampled action under "
        "fast rendering, as in sessions: one is reached where the whole 95 % interval over episodes is above "
        "it, missed where it is below, and otherwise it cannot be told. Expert, random walk and random "
        "actions do not look through the camera.",
        *(["", *(f"- {remark}" for remark in remarks)] if remarks else []),
        *(line for task in tasks for line in _section(task, scores)),
        *(["", "Not measured:", "", *(f"- {note}" for note in notes)] if notes else []),
        "",
        "`scores.json` has every episode.",
        *_beside_the_paper(paper, subject.folder),
        "",
    ]


_EXPLAINED = {
    "corridor": "Speed counts from the standing start. A fall: the torso's upward axis below 0.3.",
    "gaps": "Speed counts from the standing start, once until the end of the episode (a fall into "
    "a gap ends it "
    "early) and once over the whole time, where nothing more is covered after such an end. A gap "
    "is reached when "
    "the skull is beyond its near edge, and crossed when the trunk and all four paws are beyond "
    "its far edge; one that is reached in the last second of the time counts neither way. "
    "A fall: the torso's upward axis below 0.3, or the trunk below the floor.",
    "forage": "The random walk is the expert's running with a yaw command of up to ±3 rad/s that "
    "is drawn anew "
    "every second. A fall: the torso's upward axis below 0.3 for 2 s.",
    "escape": "From a random pose. Distance of the trunk from the centre at the end of the "
    "episode. Righted: the "
    "torso's upward axis above 0.8 for 0.5 s. A fall: below 0.3 for 2 s after that.",
    "two_tap": "Counted by the task itself; a first tap that still waits when time is up has no "
    "second yet and is "
    "left out of the share. A fall: the torso's upward axis below 0.3 for 2 s.",
}


def _section(task: str, scores: Sequence[Score]) -> list[str]:
    own = [score for score in scores if score.condition.task == task]
    if not own:
        return []
    return [
        "",
        f"### {tables.TITLES[task].capitalize()}",
        "",
        f"Episodes of {tables.time_limit_text(task, scores)}. {_EXPLAINED[task]}",
        "",
        *tables.markdown(task, scores),
        *(_intervals(own) if task == "two_tap" else []),
    ]


def _intervals(scores: Sequence[Score]) -> list[str]:
    lines = ["", "Intervals of all second taps, in s:", ""]
    for score in scores:
        found = [t for e in score.episodes for t in e.statistics["intervals_s"] if t is not None]
        values = ", ".join(f"{t:.2f}" for t in sorted(found)) or "none"
        lines.append(f"- {' '.join(score.condition.key[1:])}: {values}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, list):
        stages = all(isinstance(one, dict) for one in value)
        return ("; " if stages else ", ").join(map(_plain, value))
    return _stage(value) if isinstance(value, dict) else str(value)


def _stage(record: Mapping[str, Any]) -> str:
    """A pipeline stage (`training.provenance`); of hashes the first 12 digits."""
    facts = []
    for key, value in record.items():
        if key.endswith("_sha256"):
            digests = [value] if isinstance(value, str) else value
            value = " and ".join(digest[:12] for digest in digests)
        if key != "name":
            facts.append(value if key == "note" else f"{key.replace('_', ' ')} {_plain(value)}")
    return f"{record['name']} ({', '.join(facts)})" if facts else str(record["name"])


def _beside_the_paper(paper: Mapping[str, Any] | None, folder: Path) -> list[str]:
    if paper is None:
        return []
    episodes = ", ".join(f"{tables.TITLES[task]} {n}" for task, n in paper["episodes"].items())
    lines = [
        "",
        "## Beside the paper",
        "",
        f"Merel, Aldarondo et al., *Deep neuroethology of a virtual rodent*, ICLR 2020. Episodes "
        f"recorded: {episodes}.",
        "",
        "| section | the paper | rule | measured | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in paper["claims"]:
        cells = (
            *(one["source"], f"“{one['quote']}”", one["rule"], one["measured"]),
            f"**{one['verdict']}**",
        )
        lines.append("| " + " | ".join(cells) + " |")
    for paragraph in [*paper.get("sources", ()), *paper["how"]]:
        lines += ["", paragraph]
    for name, caption in _CAPTIONS.items():
        if (folder / name).exists():
            lines += ["", f"![{caption}]({name})"]
    return lines


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        try:
            rewrite(Path(argument))
        except SubjectError as problem:
            sys.exit(str(problem))
