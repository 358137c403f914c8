"""`rodent-rig sweep`: one protocol over many settings and seeds."""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.options import JobsOption, RayOption, Runtime, RuntimeOption, check_least
from cli.protocols import Named, baselines_of, check_tree, reads_of
from cli.sweep_report import SweepReport
from parallel.errors import ClusterError
from parallel.jobs import Executor, Processes, RayTasks
from parallel.sweep import Run, RunLine, SweepNote, SweepRequest, folder_of, runs_of
from parallel.sweep import sweep as run_sweep
from rig.bus.message_types import TICK_S
from rig.clock import now
from rig.errors import RunError, UserError, ending_with
from rig.output_file import check_output
from rig.session.directory import running_sessions
from rig.versions import runtime_of, versions
from stim.protocol.find import find
from stim.protocol.model import Protocol
from stim.protocol.read import ProtocolTree, read_protocol, with_settings
from stim.protocol.source import read_text

UNFINISHED = ("stopped", "failed")
"""Reasons to end that leave a session short of what its protocol asks for."""


def sweep(
    protocol: Named,
    seeds: Annotated[int, typer.Option(help="How many: 0, 1, 2, … of every combination.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=A,B,…",
            help="Values of a parameter of the protocol; may be given for several.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The sweep's folder; sweeps/NAME-OF-THE-FILE if left out."),
    ] = None,
    ray: RayOption = None,
    jobs: JobsOption = None,
    duration: Annotated[
        float | None, typer.Option(help="Animal time of each session, instead of the protocol's.")
    ] = None,
    camera: Annotated[bool, typer.Option(help="Record what the animal sees, too.")] = False,
    runtime: RuntimeOption = Runtime.onnx,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew in a folder of another sweep.")
    ] = False,
) -> None:
    """Run a protocol with every combination of settings and every seed, each as a session of its own.

    Called again, it goes on: sessions whose recordings are complete are not run again.
    """
    check_least(("--seeds", seeds, 1), ("--jobs", jobs, 1), ("--duration", duration, TICK_S))
    protocol = find(protocol)
    tree = read_protocol(read_text(protocol), str(protocol))
    chosen = _settings(tree, set_ or [])
    carry_out(
        SweepPlan(
            protocol=protocol,
            settings=chosen,
            seeds=tuple(range(seeds)),
            runs=tuple(runs_of(chosen, range(seeds))),
            folder=out or Path("sweeps") / protocol.stem,
            duration_s=duration,
            camera=camera,
            runtime=runtime,
        ),
        ray,
        jobs,
        overwrite,
    )


@dataclass(frozen=True)
class SweepPlan:
    """Which sessions a sweep records, of which protocol, and where.

    Attributes:
        protocol: the file.
        settings: the values of each of its parameters that is set.
        seeds: of every combination of settings.
        runs: the sessions, in the order in which they are begun.
        folder: the sweep's.
        duration_s: animal time of each session; None: as the protocol says.
        camera: whether to record what the animal sees.
        runtime: what the network runs on.
    """

    protocol: Path
    settings: Mapping[str, list[str]]
    seeds: tuple[int, ...]
    runs: tuple[Run, ...]
    folder: Path
    duration_s: float | None = None
    camera: bool = False
    runtime: Runtime = Runtime.onnx


def carry_out(
    plan: SweepPlan,
    ray: str | None = None,
    jobs: int | None = None,
    overwrite: bool = False,
    on_line: Callable[[RunLine], None] = lambda line: None,
) -> None:
    """Record the sessions of a sweep that are not complete, with a report on the terminal.

    Args:
        plan: what to record.
        ray: "local" or the address of a cluster; None: as processes of this machine.
        jobs: sessions at once; None: half the cores, or all processors of a cluster.
        overwrite: begin anew in a folder of another sweep.
        on_line: called with each session that is done, or was found to be.

    Raises:
        UserError: the folder, the protocol, the settings or the cluster are not usable.
        RunError: a session failed, or the sweep was interrupted.
    """
    protocol, folder, runs, runtime = plan.protocol, plan.folder, plan.runs, plan.runtime
    tree = read_protocol(read_text(protocol), str(protocol))
    protocols = {key: check_tree(with_settings(tree, run.settings)) for key, run in _by_key(runs)}
    note = SweepNote(
        protocol=os.path.relpath(protocol, folder),
        protocol_text=tree.text,
        duration_s=plan.duration_s or 0.0,
        camera=plan.camera,
        subjects={each.subject: _sha256(each.subject) for each in protocols.values()},
        baselines=_baselines(protocols.values()),
        versions=versions(runtime.value),
        asked=[
            SweepRequest(
                dict(plan.settings),
                list(plan.seeds),
                now().isoformat(timespec="seconds"),
            )
        ],
        runtime=runtime.value,
    )

    endless = next(
        (each for each in protocols.values() if not (each.trials or each.duration_s)), None
    )
    if endless is not None and plan.duration_s is None:
        raise UserError(
            f"{protocol} says neither `trials:` nor `duration_s:`, so that its sessions would never end; "
            "give --duration."
        )

    reads = {path for each in protocols.values() for path in reads_of(each)}
    for run in runs:
        if (folder / run.file).exists():
            check_output(folder / run.file, reads=reads, overwrite=True)

    def lacks(run: Run) -> str:
        checked = protocols[_key(run)]
        sha256 = note.subjects[checked.subject]
        return _lacks(folder / run.file, run, checked, plan.duration_s, sha256, note.runtime)

    def arguments(run: Run, file: Path) -> list[str]:
        words = ["-m", "cli.worker", "run", str(protocol), "--seed", str(run.seed)]
        for word in _words(run):
            words += ["--set", word]
        if plan.duration_s is not None:
            words += ["--duration", str(plan.duration_s)]
        words += [
            "--camera" if plan.camera else "--no-camera",
            "--no-picture",
            "--clips" if protocols[_key(run)].clips else "--no-clips",
            "--runtime",
            runtime.value,
        ]
        return [*words, "--out", str(file), "--overwrite"]

    with (
        ending_with(running_sessions),  # which clears away what a session that was killed has left
        executor_of(ray, jobs) as executor,
        folder_of(folder, note, overwrite),
    ):
        report = SweepReport(runs)

        def tell(line: RunLine, there: bool) -> None:
            report.tell(line, there)
            if line.status == "complete":
                on_line(line)

        try:
            with report:
                lines = run_sweep(folder, runs, arguments, lacks, executor, tell)
        except KeyboardInterrupt:
            raise RunError(
                f"Interrupted with {report.done} of {len(runs)} sessions done; the same command goes on."
            ) from None
    report.print(folder)
    failed = sum(line.status == "failed" for line in lines)
    if failed:
        raise RunError(
            f"{failed} of {len(lines)} sessions failed; the same command tries them again."
        )


def _settings(tree: ProtocolTree, settings: Sequence[str]) -> dict[str, list[str]]:
    """The values of each parameter that is set, checked against those that the protocol has."""
    there = tree.parameters
    chosen: dict[str, list[str]] = {}
    for each in settings:
        name, equals, rest = each.partition("=")
        name, values = name.strip(), [value.strip() for value in rest.split(",")]
        if not equals or not name:
            raise UserError(f"--set {each}: write it as NAME=VALUE,VALUE,…, such as units=0,8,16.")
        if name not in there:
            raise UserError(
                f"--set {each}: {tree.path} has no parameter {name!r}; {_those(name, there)}"
            )
        if name in chosen:
            raise UserError(f"--set {name} is given twice; write all of its values into one.")
        if not all(values):
            raise UserError(f"--set {each}: a value of {name} is missing.")
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise UserError(f"--set {each}: the value {twice} is there twice.")
        chosen[name] = values
    return chosen


def _those(name: str, there: Mapping[str, str]) -> str:
    if not there:
        return "it has none (a section `parameters:`, whose names are used as $name)."
    near = difflib.get_close_matches(name, there, 1)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(there)}."


def _baselines(protocols: Iterable[Protocol]) -> dict[str, str]:
    """The SHA-256 of the baseline recordings, by path; what sessions need of them is known to be there."""
    # settings such as the number of units ask the same of a baseline
    asking = {each.baseline_requests: each for each in protocols}.values()
    return {used.path: used.sha256 for each in asking for used in baselines_of(each)[1]}


def _words(run: Run) -> list[str]:
    """A run's settings as the command line has them."""
    return [f"{name}={value}" for name, value in run.settings.items()]


def _key(run: Run) -> tuple[str, ...]:
    return tuple(run.settings.values())


def _by_key(runs: Iterable[Run]) -> Iterable[tuple[tuple[str, ...], Run]]:
    """One run of each combination of settings."""
    return {_key(run): run for run in runs}.items()


@functools.cache
def _sha256(subject: str) -> str:
    from agent.subject import describe

    return describe(subject).sha256


def _lacks(
    file: Path,
    run: Run,
    protocol: Protocol,
    duration_s: float | None,
    sha256: str,
    runtime: str,
) -> str:
    """Why a recording is not the whole of a run's session, in a sentence; "" if it is.

    Args:
        file: the recording.
        run: its settings and seed.
        protocol: with these settings.
        duration_s: the sweep's `--duration`; None: the protocol's.
        sha256: of the subject.
        runtime: what its network is to run on.
    """
    import recorder

    if not file.exists():
        return "there is no recording"
    try:
        with recorder.open(file) as recording:
            description, end = recording.description, recording.end
            if recording.state == "live":
                return "it is being recorded by another program"
            if description.protocol_text != protocol.text:
                return "the protocol is another than when the recording was made"
            if description.seed != run.seed:
                return f"the recording was made with the seed {description.seed}"
            if description.subject_sha256 != sha256:
                return f"the subject {protocol.subject} is another than when the recording was made"
            if runtime_of(description.versions) != runtime:
                return "the recording was made with another --runtime"
            if description.duration_s != (
                protocol.duration_s if duration_s is None else duration_s
            ):
                return f"the recording was made for a duration of {description.duration_s:g} s"
            if end is None:
                return "its recording was not closed"
            if end.reason in UNFINISHED:
                return f"its session ended early: {end.reason}"
            fault = next(
                (each for _, each in recording.faults if each.source == "stimulation"), None
            )
            return fault.sentence if fault is not None else ""
    except (UserError, RunError) as problem:
        return str(problem)


def executor_of(ray: str | None, jobs: int | None) -> AbstractContextManager[Executor]:
    """Where commands run: here (a session is several processes that mostly wait), or on Ray."""
    if ray is None:
        return Processes(jobs or max(1, (os.cpu_count() or 1) // 2))
    if ray == "local":
        jobs = jobs or max(1, (os.cpu_count() or 1) // 2)
    try:
        return RayTasks(ray, jobs)
    except ClusterError as problem:
        raise UserError(f"--ray {ray}: {problem}.") from None
