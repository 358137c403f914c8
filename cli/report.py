"""`rodent-rig report`: every figure of the paper from recordings, on one page, with what agrees with it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.figures import recordings_in
from cli.sweeps import executor_of
from rig.errors import RunError, UserError
from rig.output_file import check_output
from rig.terminal import console

_JOBS = 2


def report(
    files: Annotated[
        list[Path],
        typer.Argument(help="Folders of recordings, such as those of dataset and sweep."),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write the report into.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this figure, such as fig7; repeat it.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many figures are made at once.", min=1)] = _JOBS,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="local|ADDRESS",
            help="Make the figures as Ray tasks, here or on a cluster that sees the recordings and --out.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a page that is no report of this program.")
    ] = False,
) -> None:
    """Make all figures of the paper from recordings, and one page that holds them against the paper.

    Figures that are there already are made again only if recordings or code have changed.
    """
    from analysis.report.make import KEPT, PAGE, PDF, Progress, make_report
    from parallel.jobs import Job
    from parallel.processes import one_thread_each

    recordings = recordings_in(files)
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder for the report.")
    if not out.parent.is_dir():
        raise UserError(f"There is no folder {out.parent} to make {out.name} in; make it first.")
    out.mkdir(exist_ok=True)
    own = (out / KEPT).is_dir()
    for name in (PAGE, PDF):
        check_output(out / name, reads=recordings, overwrite=overwrite or own, option="--out")
    shown = console(stderr=True)

    def tell(progress: Progress) -> None:
        left = datetime.timedelta(seconds=round(progress.left_s))
        rest = f"; about {left} left" if progress.done < progress.total else ""
        shown.print(f"{progress.done} of {progress.total}  {progress.text}{rest}", soft_wrap=True)

    shown.print(f"looking through {len(recordings)} recordings", soft_wrap=True)
    with one_thread_each(), executor_of(ray, jobs) as executor:

        def run(stages: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
            here = str(Path.cwd())
            open_jobs = {key: Job(list(words), here, words[-2]) for key, words in stages.items()}
            for key, ended in executor.outcomes(open_jobs):
                yield key, ended.sentence

        made = make_report(recordings, out, run, jobs, tell, tuple(only or ()))
    failed = [each for each in made.sections if each.outcome.status == "failed"]
    said = console()
    said.print(made.verdicts, soft_wrap=True)
    said.print(
        f"{len(made.sections)} figures, {made.reused} of them were there; {made.seconds:.0f} s; the "
        f"hungriest process held {made.peak_mb:.0f} MB, {jobs} at once",
        soft_wrap=True,
    )
    said.print(f"written: {made.page}, {made.pdf}", soft_wrap=True)
    if failed:
        names = ", ".join(each.stage.key for each in failed)
        raise RunError(f"{names} failed; the page says why, and has the others.")
