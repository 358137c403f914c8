"""`python -m chaos`: many short sessions, a fault in each, and a table of what came of them.

Exit status: 0 everything was as promised; 1 a file was corrupted, a claim false, or anything else not as
docs/faults.md says; 2 it was asked for something that there is not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chaos.door import Door
from chaos.fault import place_of, run
from chaos.file import examine
from chaos.place import may_mount
from chaos.plan import KINDS, Plan, plan, plans
from chaos.table import line, row, table
from chaos.verdict import Verdict, judge

BY_COMMAND_EACH = 6
INSPECT_EACH = 8
"""Every so-many-th file is repaired by the command `rodent-rig recover`, and looked at by nwbinspector."""


def try_out(made: Plan, keep: Path | None = None) -> Verdict:
    """One session with its fault: run, looked at, judged.

    With `keep`, a folder, the recordings of those that are not as promised stay there.
    """
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        place_of(made, Path(folder)) as place,
    ):
        seen = run(made, Path(folder), place)
        on_full_disk: list[str] = []
        if made.kind == "disk":
            # first as the user finds it
            full = examine(place.file, seen.received, by_command=False, inspect=False)
            if full.n_ticks < seen.received.acknowledged():
                on_full_disk.append(f"on the full disk {full.n_ticks} ticks can be read")
            place.make_room()
        found = examine(
            place.file,
            seen.received,
            by_command=made.number % BY_COMMAND_EACH == 0,
            inspect=made.number % INSPECT_EACH == 0,
        )
        verdict = judge(seen, found)
        verdict.corrupted += on_full_disk
        if verdict.bad and keep is not None and place.file.exists():
            name = f"{made.kind}-{made.seed}-{made.number}.nwb"
            (keep / name).write_bytes(place.file.read_bytes())
    seen.received.forget_arrays()
    return verdict


def _finished(
    made: list[Plan], jobs: int, stop: threading.Event, keep: Path | None, broken: list[Plan]
) -> Iterator[Verdict]:
    """The verdicts as they come. `stop` lets what has begun come to its end and begins nothing more.

    Plans that could not be carried out, by a mistake of this program, are added to `broken`.
    """

    def one(each: Plan) -> Verdict | None:
        try:
            verdict = None if stop.is_set() else try_out(each, keep)
        except Exception:
            # ours, not the session's: the others go on, and the exit status is 1
            broken.append(each)
            traceback.print_exc()
            return None
        return None if Door.given_up.is_set() else verdict

    with ThreadPoolExecutor(jobs, thread_name_prefix="session") as pool:
        waiting: set[Future[Verdict | None]] = {pool.submit(one, each) for each in made}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    verdict = future.result()
                    if verdict is not None:
                        yield verdict
        except BaseException:
            Door.given_up.set()
            raise
        finally:
            stop.set()


def main() -> int:
    """Runs the sessions, prints what is not as promised, and the table. The exit status."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="every plan follows from it")
    parser.add_argument("--jobs", type=int, default=2, help="how many sessions at a time")
    parser.add_argument("--only", choices=tuple(KINDS), action="append", help="this kind of fault")
    parser.add_argument("--number", type=int, help="with --only: this one session of the kind")
    parser.add_argument("--limit-s", type=float, default=0.0, help="begin no session after so long")
    parser.add_argument("--results", type=Path, help="append a line of JSON for each session")
    parser.add_argument("--keep", type=Path, help="a folder for recordings of sessions that fail")
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    if given.number is not None and (given.only is None or len(given.only) != 1):
        parser.error("--number N repeats one session: name its kind with --only")
    if not Path("/proc").is_dir():
        parser.error(
            "the processes of a session are found in /proc, which this system does not have"
        )
    kinds = tuple(dict.fromkeys(given.only or KINDS))
    not_tried = {}
    if "disk" in kinds and not may_mount():
        not_tried["disk"] = "only root may mount a small disk"
        kinds = tuple(kind for kind in kinds if kind != "disk")
    made = plans(given.seed, given.sessions, kinds) if kinds else []
    if given.number is not None and kinds:
        made = [plan(kinds[0], given.seed, given.number)]
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)

    began_s = time.monotonic()
    verdicts: list[Verdict] = []
    broken: list[Plan] = []
    stop = threading.Event()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("sessions", total=len(made))
        try:
            for verdict in _finished(made, given.jobs, stop, given.keep, broken):
                verdicts.append(verdict)
                progress.advance(bar)
                if verdict.bad:
                    _print_bad(progress.console, verdict)
                if given.results is not None:
                    with given.results.open("a") as file:
                        file.write(json.dumps(line(verdict)) + "\n")
                if given.limit_s and time.monotonic() - began_s > given.limit_s:
                    stop.set()  # what has begun comes to its end
        except KeyboardInterrupt:
            console.print("stopped; what follows is what had been done by then")
    rows = [
        row(kind, found)
        for kind in kinds
        if (found := [each for each in verdicts if each.seen.plan.kind == kind])
    ]
    console.print(table(rows, not_tried))
    n_bad = sum(each.bad for each in verdicts)
    console.print(
        f"{len(verdicts)} of {len(made)} sessions in {time.monotonic() - began_s:.0f} s; "
        f"files corrupted: {sum(bool(each.corrupted) for each in verdicts)}; "
        f"not as promised: {n_bad}; could not be tried: {len(broken)}"
    )
    return 1 if n_bad or broken else 0


def _print_bad(console: Console, verdict: Verdict) -> None:
    plan_ = verdict.seen.plan
    console.print(f"[red]not as promised[/red]: {plan_}")
    for name in ("corrupted", "untrue", "wrong"):
        for sentence in getattr(verdict, name):
            console.print(f"  {name}: {sentence}", markup=False)
    words = verdict.seen.complained.strip().splitlines()
    console.print(
        f"  exit status {verdict.seen.status}; {words[-1] if words else ''}", markup=False
    )
    console.print(
        f"  again: python -m chaos --seed {plan_.seed} --only {plan_.kind} --number {plan_.number}"
    )


if __name__ == "__main__":
    sys.exit(main())
