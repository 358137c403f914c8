"""Makes the report: all figures that are not there yet, several at once, then the page and the PDF.

    report/index.html     one page with everything in it
    report/report.pdf     the same to print
    report/figures/       pictures, numbers (CSV) and outcomes (JSON) of the stages; kept for the next time

A stage is made anew when its recordings, its code, a library or what a person has written for it has
changed (`stage.identity_of`).
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec

from analysis.by_subject import Known, look_through
from analysis.figures import FIGURES
from analysis.report.overview import ALL, Section, all_judged, counted, subjects_of
from analysis.report.page import write_page
from analysis.report.pdf import write_pdf
from analysis.report.stage import Outcome, Stage, identity_of
from rig.errors import UserError
from rig.output_file import replacing

PAGE, PDF, KEPT, INDEX = "index.html", "report.pdf", "figures", "recordings.json"

Places: TypeAlias = Callable[[Mapping[str, Sequence[str]]], Iterable[tuple[str, str]]]
"""Where stages are run: from the arguments of Python, by the stage's key, to each key as its process has
ended, with a sentence where that went wrong."""


@dataclass(frozen=True)
class Made:
    """What was made.

    Attributes:
        page: the HTML file.
        pdf: the PDF.
        sections: in their order.
        verdicts: how many claims agree, disagree, and are not decided, in words.
        reused: how many stages were there already.
        seconds: that it took.
        peak_mb: of memory, of the hungriest process.
    """

    page: Path
    pdf: Path
    sections: tuple[Section, ...]
    verdicts: str
    reused: int
    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Progress:
    """How far it is.

    Attributes:
        done: stages that are made, or were there.
        total: all of them.
        text: about the last one.
        left_s: of wall time, as far as can be told.
    """

    done: int
    total: int
    text: str
    left_s: float


def make_report(
    recordings: Sequence[Path],
    out: Path,
    places: Places,
    jobs: int,
    on_progress: Callable[[Progress], object] = lambda progress: None,
    only: Sequence[str] = (),
) -> Made:
    """Makes the report of these recordings in the folder `out`.

    Args:
        recordings: of any subjects and tasks.
        out: the folder; it exists.
        places: where stages are run.
        jobs: how many at once, for the time that is left.
        on_progress: called whenever a stage is done.
        only: names of figures; all if none is named.

    Raises:
        UserError: none of the files is a recording, or a name is no figure of the report.
    """
    began = time.monotonic()
    kept = out / KEPT
    kept.mkdir(exist_ok=True)
    known, left_out = look_through(recordings, _known_before(kept / INDEX))
    if not known:
        raise UserError(left_out[0] if left_out else "There is no recording to report on.")
    with replacing(kept / INDEX) as partial:
        partial.write_bytes(msgspec.json.encode(known))
    stages = stages_of(known, kept, only)
    outcomes = {key: one for key in stages if (one := _there(kept, stages[key])) is not None}
    reused = len(outcomes)
    _run(stages, outcomes, kept, places, jobs, on_progress)
    sections = tuple(Section(stages[key], outcomes[key]) for key in stages)
    own_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak_mb = max(own_mb, *(each.peak_mb for each in outcomes.values()))
    subjects = subjects_of(sections, [one.subject for one in known.values()])
    write_page(out / PAGE, sections, known, subjects, left_out)
    write_pdf(out / PDF, sections, subjects)
    seconds = time.monotonic() - began
    verdicts = counted(all_judged(sections, subjects))
    return Made(out / PAGE, out / PDF, sections, verdicts, reused, seconds, peak_mb)


def stages_of(known: Mapping[str, Known], kept: Path, only: Sequence[str]) -> dict[str, Stage]:
    """The stages by their keys: each figure of each subject, and those of all subjects once.

    Args:
        known: the recordings, by path.
        kept: the folder of the figures.
        only: names of figures; all if none is named.

    Raises:
        UserError: a name is no figure of the report.
    """
    names = [name for name, drawing in FIGURES.items() if drawing.source]
    for name in only:
        if name not in names:
            raise UserError(f"The report has no figure {name!r}; it has {', '.join(names)}.")
    subjects: dict[str, list[str]] = {}
    for path, one in known.items():
        subjects.setdefault(one.subject_sha256, []).append(path)
    called = {sha: known[paths[0]].subject for sha, paths in subjects.items()}
    for sha, name in called.items():  # two subjects of one name are told apart
        if list(called.values()).count(name) > 1:
            called[sha] = f"{name}-{sha[:6]}"
    stages = {}
    for name in only or names:
        groups = (
            {ALL: list(known)}
            if FIGURES[name].subjects == "all"
            else {called[sha]: paths for sha, paths in subjects.items()}
        )
        for subject, every in groups.items():
            paths = _fitting(name, every, known)
            picture = kept / f"{name}-{subject.replace(' ', '_')}.png"
            written = FIGURES[name].given
            given = written(picture) if written is not None else ""
            identity = identity_of(name, tuple(known[path].sha256 for path in paths), given)
            stage = Stage(name, subject, tuple(paths), str(picture), identity)
            stages[stage.key] = stage
    return stages


def _fitting(name: str, paths: Sequence[str], known: Mapping[str, Known]) -> Sequence[str]:
    """The recordings that a figure takes: those of experiments or the others, all where there are none."""
    experiments = FIGURES[name].experiments
    return [path for path in paths if known[path].stimulates == experiments] or paths


def _run(
    stages: Mapping[str, Stage],
    outcomes: dict[str, Outcome],
    kept: Path,
    places: Places,
    jobs: int,
    on_progress: Callable[[Progress], object],
) -> None:
    """Runs the stages that have no outcome yet, and adds theirs."""
    waiting = {key: stage for key, stage in stages.items() if key not in outcomes}
    expected = {key: _last_seconds(kept / f"{key}.json") for key in waiting}
    open_jobs = {}
    for key, stage in waiting.items():
        given, result = kept / f"{key}.stage.json", kept / f"{key}.json"
        with replacing(given) as partial:
            partial.write_bytes(msgspec.json.encode(stage))
        result.unlink(missing_ok=True)
        open_jobs[key] = ["-m", "analysis.report.stage", str(given), str(result)]
    took = [outcome.seconds for outcome in outcomes.values()]

    def left_s() -> float:
        # a stage that was never made takes as long as those that are
        unknown_s = sum(took) / len(took) if took else 0.0
        return sum(each or unknown_s for each in expected.values()) / max(1, jobs)

    if reused := len(outcomes):
        on_progress(Progress(reused, len(stages), f"{reused} were there", left_s()))
    # the longest first, so that none of them begins when everything else is done
    ordered = dict(sorted(open_jobs.items(), key=lambda item: -expected[item[0]]))
    for key, trouble in places(ordered):
        outcome = _outcome(kept / f"{key}.json", stages[key], trouble)
        outcomes[key] = outcome
        took.append(outcome.seconds)
        expected.pop(key)
        words = {"made": "", "nothing": ": nothing to draw", "failed": ": FAILED"}[outcome.status]
        text = f"{key}{words}, {outcome.seconds:.0f} s, {outcome.peak_mb:.0f} MB"
        on_progress(Progress(len(outcomes), len(stages), text, left_s()))


def _known_before(index: Path) -> dict[str, Known]:
    try:
        return msgspec.json.decode(index.read_bytes(), type=dict[str, Known])
    except (OSError, msgspec.MsgspecError):
        return {}


def _there(kept: Path, stage: Stage) -> Outcome | None:
    """The outcome of a stage that need not be run again."""
    try:
        outcome = msgspec.json.decode((kept / f"{stage.key}.json").read_bytes(), type=Outcome)
    except (OSError, msgspec.MsgspecError):
        return None
    whole = all(Path(each).exists() for each in outcome.files)
    same = outcome.identity == stage.identity and outcome.status != "failed"
    return outcome if same and whole else None


def _last_seconds(result: Path) -> float:
    """How long a stage took the last time; 0 if nobody knows."""
    try:
        return msgspec.json.decode(result.read_bytes(), type=Outcome).seconds
    except (OSError, msgspec.MsgspecError):
        return 0.0


def _outcome(result: Path, stage: Stage, trouble: str) -> Outcome:
    try:
        return msgspec.json.decode(result.read_bytes(), type=Outcome)
    except (OSError, msgspec.MsgspecError):
        sentence = f"Its process left no result: {trouble or 'it said nothing'}."
        return Outcome(stage.identity, "failed", sentence)
