"""What a subject's folder says about what it can do: `scores.json`, and `card.md` for people."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agent.subject import Subject, write_bytes
from evaluation import tables
from evaluation.paper.check import HOW, PaperCheck
from evaluation.scores import FIGURES, Score, as_json

SCORES, CARD = "scores.json", "card.md"
_LIBRARIES = ("mujoco", "dm_control", "torch", "numpy")


def document(
    name: str,
    sha256: str | None,
    tasks: Sequence[str],
    scores: Sequence[Score],
    notes: Sequence[str],
    paper: PaperCheck | None,
) -> dict[str, Any]:
    """Everything measured, as JSON; `sha256` is the subject's, None where only experts were scored."""
    return {
        "subject": name,
        "sha256": sha256,
        "measured_with": {library: version(library) for library in _LIBRARIES},
        "seeds": "episode k has seed k, from 1",
        "tasks": {task: _goals(task) for task in tasks},
        "scores": [as_json(score, scores) for score in scores],
        "not_measured": list(notes),
        "paper": paper.as_json() if paper else None,
    }


def as_text(found: Mapping[str, Any]) -> str:
    """A document as JSON, an episode a line: it is to be read, and compared between versions."""
    episodes = [episode for score in found["scores"] for episode in score["each"]]
    places = iter(range(len(episodes)))
    scores = [
        {**score, "each": [f"episode {next(places)}" for _ in score["each"]]}
        for score in found["scores"]
    ]
    text = json.dumps({**found, "scores": scores}, indent=1)
    for place, episode in enumerate(episodes):
        text = text.replace(f'"episode {place}"', json.dumps(episode), 1)
    return text


def _goals(task: str) -> dict[str, dict[str, float | None]]:
    figures = [f for f in FIGURES[task] if f.at_least is not None or f.aim is not None]
    return {figure.key: {"at_least": figure.at_least, "aim": figure.aim} for figure in figures}


def write(
    subject: Subject,
    tasks: Sequence[str],
    scores: Sequence[Score],
    notes: Sequence[str] = (),
    paper: PaperCheck | None = None,
) -> None:
    """Write `scores.json`, `card.md` and its pictures into the subject's folder."""
    found = document(subject.name, subject.sha256, tasks, scores, notes, paper)
    pictures: list[str] = []
    if paper is not None:
        # matplotlib takes a second, and most evaluations draw nothing
        from evaluation.paper.pictures import draw

        pictures = draw(paper, subject.folder)
    write_bytes(subject.folder / SCORES, (as_text(found) + "\n").encode())
    text = "\n".join(_card(subject, tasks, scores, notes, paper, pictures))
    write_bytes(subject.folder / CARD, text.encode())


def _said(folder: Path) -> Mapping[str, Any]:
    return tomllib.loads((folder / "subject.toml").read_text(encoding="utf-8"))


def _card(
    subject: Subject,
    tasks: Sequence[str],
    scores: Sequence[Score],
    notes: Sequence[str],
    paper: PaperCheck | None,
    pictures: Sequence[str],
) -> list[str]:
    said = _said(subject.folder)
    layers = ", ".join(f"{layer.name} {layer.n_units}" for layer in subject.layers)
    named = ", ".join(tables.TITLES[task] for task in tasks)
    training = {k: _plain(v) for k, v in subject.training.items() if k not in ("task", "tasks")}
    measured = ", ".join(f"{library} {version(library)}" for library in _LIBRARIES)
    trained = ", ".join(f"{key} {value}" for key, value in said.get("versions", {}).items())
    return [
        f"# {subject.name}",
        "",
        f"A virtual rodent of {subject.n_units} units ({layers}); one network, one set of weights, "
        f"and no cue that "
        "tells it its task.",
        "",
        "| | |",
        "| --- | --- |",
        f"| tasks | {named} |",
        *(f"| {key.replace('_', ' ')} | {value} |" for key, value in training.items()),
        f"| trained with | {trained or 'not told'} |",
        f"| measured with | {measured} |",
        f"| licence | {said.get('licence', 'GPL-3.0-or-later')} |",
        f"| identity | SHA-256 of weights, architecture and order of the senses: "
        f"`{subject.sha256}` |",
        "",
        "## Scores",
        "",
        "In dm_control's own environments at stock physics (1 ms Euler, 20 ms control), measured "
        "by "
        f"`rodent-rig evaluate {subject.name} --store`; episode k has seed k. Means with their "
        f"standard errors, "
        "shares with their counts. The goals are held against the sampled action under fast "
        "rendering, as in "
        "sessions. Expert, random walk and random actions do not look through the camera.",
        *(line for task in tasks for line in _section(task, scores)),
        *(["", "Not measured:", "", *(f"- {note}" for note in notes)] if notes else []),
        "",
        "`scores.json` has every episode.",
        *_beside(paper, pictures),
        "",
    ]


_EXPLAINED = {
    "corridor": "Speed counts from the standing start. A fall: the torso's upward axis below 0.3.",
    "gaps": "Speed counts from the standing start, once until the end of the episode (a fall into "
    "a gap ends it "
    "early) and once over the whole time, where nothing more is covered after such an end. A gap "
    "is reached when "
    "the skull is beyond its near edge, and crossed when the trunk and all four paws are beyond "
    "its far edge. "
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
        f"Episodes of {tables.duration_text(task, scores)}. {_EXPLAINED[task]}",
        "",
        *tables.markdown(task, scores),
        *(_intervals(own) if task == "two_tap" else []),
    ]


def _intervals(scores: Sequence[Score]) -> list[str]:
    lines = ["", "Intervals of all second taps, in s:", ""]
    for score in scores:
        found = [t for e in score.episodes for t in e.figures["intervals_s"] if t is not None]
        told = ", ".join(f"{t:.2f}" for t in sorted(found)) or "none"
        lines.append(f"- {' '.join(score.condition.key[1:])}: {told}")
    return lines


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _beside(paper: PaperCheck | None, pictures: Sequence[str]) -> list[str]:
    if paper is None:
        return []
    episodes = ", ".join(f"{tables.TITLES[task]} {n}" for task, n in paper.episodes.items())
    lines = ["", "## Beside the paper", ""]
    lines += [
        f"Merel, Aldarondo et al., *Deep neuroethology of a virtual rodent*, ICLR 2020. Episodes "
        f"recorded: {episodes}.",
        "",
        "| section | the paper | rule | measured | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in paper.statements:
        cells = (one.section, f"“{one.quote}”", one.rule, one.measured, f"**{one.verdict}**")
        lines.append("| " + " | ".join(cells) + " |")
    for paragraph in HOW:
        lines += ["", paragraph]
    captions = {
        "spectra.png": "power spectra of movement and layers; grey: 4 to 5 Hz",
        "sharing.png": "what tasks share in movement and in each layer",
    }
    lines += [line for name in pictures for line in ("", f"![{captions[name]}]({name})")]
    return lines
