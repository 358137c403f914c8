"""Commands that run sessions: `gui`, `run`, `check`, `keys`."""

from __future__ import annotations

import datetime
import enum
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.recordings import Parts, recording_of, show_replay
from gui.display import display_missing
from rig.bus.messages import TICK_S, Status
from rig.errors import RunError, UserError
from rig.session.directory import SessionDirectory, SessionSpec, running_sessions
from rig.session.summary import Summary
from rig.session.supervisor import run_session
from stim.protocol.protocol import Protocol, is_script, parse, subject_and_task, with_parameters
from stim.protocol.script import execute
from stim.protocol.source import read_text
from stim.stimuli import baselines
from stim.stimuli.baselines import BaselineUsed, Values

HEADLESS_S = 20.0
"""Animal time of the session that `gui` runs where there is no display."""


class Runtime(enum.StrEnum):
    """What the subject's network runs on."""

    onnx = "onnx"
    torch = "torch"


class Pace(enum.StrEnum):
    """How fast ticks follow each other."""

    max = "max"
    realtime = "realtime"


Seed = Annotated[
    int | None, typer.Option(help="Everything random follows from it; drawn if left out.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Another value of one of the protocol's parameters."
    ),
]
RollOverOption = Annotated[
    str,
    typer.Option(
        "--roll-over",
        metavar="LIMIT",
        help="Go on in a next file, …_001.nwb, after e.g. 10min of animal time, or 500MB.",
    ),
]
RuntimeOption = Annotated[
    Runtime,
    typer.Option(
        "--runtime",
        help="What the network runs on: onnxruntime, or PyTorch, the reference (needs rodent-rig[train]).",
    ),
]
AllowPython = Annotated[
    bool,
    typer.Option("--allow-python", help="Execute a protocol that is a Python file: a program."),
]


def run(
    protocol: Annotated[Path, typer.Argument(help="A protocol file.")],
    out: Annotated[Path | None, typer.Option(help="The recording to write (.nwb).")] = None,
    seed: Seed = None,
    duration: Annotated[
        float | None, typer.Option(help="Animal time in seconds, instead of the protocol's.")
    ] = None,
    pace: Annotated[
        Pace, typer.Option(help="As fast as the machine can, or in real time.")
    ] = Pace.max,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
    roll_over: RollOverOption = "",
    camera: Annotated[bool, typer.Option(help="Record what the animal sees, too.")] = True,
    picture: Annotated[bool, typer.Option(help="Draw the session beside its recording.")] = True,
    settings: Settings = None,
    runtime: RuntimeOption = Runtime.onnx,
    allow_python: AllowPython = False,
    listen: Annotated[
        str, typer.Option(help="Also serve the bus at tcp://HOST:PORT (and PORT+1).")
    ] = "",
    keys: Annotated[
        Path | None,
        typer.Option(help="Folder of CURVE keys for --listen, made by `rodent-rig keys`."),
    ] = None,
) -> None:
    """Run a session without a window and record it."""
    from recorder.file_rotation import check_parts, parse_rotation_limit
    from recorder.output_path import check_target

    if roll_over:
        parse_rotation_limit(roll_over)
    plan = load_protocol(protocol, settings, _python(protocol, allow_python))
    recording = out or _new_recording(plan.name)
    check_target(recording, overwrite)
    if roll_over:
        check_parts(recording, overwrite)
    if duration is not None and not duration >= TICK_S:
        raise UserError(f"--duration {duration}: a session lasts at least one tick, {TICK_S} s.")
    spec, directory = prepare_session(
        plan,
        protocol,
        _seed(seed, plan),
        pace,
        duration_s=duration,
        record=recording,
        overwrite=overwrite,
        camera=camera,
        listen=listen,
        keys=keys,
        roll_over=roll_over,
        runtime=runtime,
    )
    _run_headless(spec, directory, picture)


def gui(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="A protocol to run, or a recording to replay; several recordings go side by side.",
        ),
    ] = None,
    parts: Parts = False,
    seed: Seed = None,
    roll_over: RollOverOption = "",
    settings: Settings = None,
    runtime: RuntimeOption = Runtime.onnx,
    allow_python: AllowPython = False,
) -> None:
    """Open the window on a protocol, a recording, or a session that is running already."""
    for each in files or ():
        if not each.exists():
            raise UserError(
                f"{each} does not exist; name a protocol (.yaml) or a recording (.nwb)."
            )
        if not _is_recording(each) and parts:
            raise UserError(f"{each} is no recording (.nwb); --parts is for those.")
        if not _is_recording(each) and len(files or ()) > 1:
            raise UserError(f"{each} is no recording (.nwb): only recordings go side by side.")
    if roll_over:
        from recorder.file_rotation import parse_rotation_limit

        parse_rotation_limit(roll_over)
    missing = display_missing()
    file = files[0] if files else None
    if files and _is_recording(files[0]):
        show_replay([recording_of(each, parts) for each in files])
        return
    if missing:
        if file is None:
            raise UserError(missing)
        Console(stderr=True).print(
            f"There is no display: running the session without a window for {HEADLESS_S:.0f} s.",
            style="yellow",
        )
        plan = load_protocol(file, settings, _python(file, allow_python))
        spec, directory = prepare_session(
            plan,
            file,
            _seed(seed, plan),
            Pace.realtime,
            duration_s=HEADLESS_S,
            record=_new_recording(plan.name),
            roll_over=roll_over,
            runtime=runtime,
        )
        _run_headless(spec, directory)
        return
    if file is None:
        _open_window(None, None)
        return
    _open_window(file, seed, settings, allow_python, roll_over, runtime)


def _is_recording(file: Path) -> bool:
    return file.suffix == ".nwb" or file.is_dir()


def check(
    protocol: Annotated[Path, typer.Argument(help="A protocol file.")] = Path(),
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of protocol files instead.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="A recording (.nwb): list what would have been stimulated in it."),
    ] = None,
    parts: Parts = False,
    settings: Settings = None,
    allow_python: AllowPython = False,
) -> None:
    """Validate a protocol and say in words what it will do, and when."""
    if schema:
        import json

        from stim.protocol.schema import json_schema

        print(json.dumps(json_schema(), indent=2))
        return
    if protocol == Path():
        raise UserError("Name a protocol file to check, or give --schema.")
    plan = load_protocol(protocol, settings, allow_python)
    if against is not None:
        from analysis.detection import detect, report

        script = None
        if is_script(str(protocol)) and _python(protocol, allow_python):
            script = execute(plan.text, str(protocol))
        recording = recording_of(against, parts)
        print(report(plan, detect(plan, recording, baselines_of(plan)[0], script)))
        return
    from stim.protocol.explain import explain

    print(explain(plan))


def keys(folder: Annotated[Path, typer.Argument(help="A folder to make.")]) -> None:
    """Make keys for a bus that other machines may reach."""
    from rig.bus.curve import make_keys

    make_keys(folder)
    print(f"Keys are in {folder}. Give clients client.key_secret and server.key, over a safe way.")


def _python(path: Path, allowed: bool) -> bool:
    """Whether to execute the protocol, where it is a Python file; raises `UserError` if it must not be."""
    if is_script(str(path)) and not allowed:
        raise UserError(
            f"{path} is a program that could do anything you can: read it, then give --allow-python. "
            "(`rodent-rig check` without --against does not execute it.)"
        )
    return allowed


def load_protocol(
    path: Path, settings: Sequence[str] | None = None, allow_python: bool = False
) -> Protocol:
    """The protocol with these settings ("NAME=VALUE"), checked against its task and its subject's layers.

    A Python file is executed if that is allowed, for the detectors that it brings.

    Raises:
        UserError: with every mistake in it, one a line.
    """
    from cli.subjects import layers_of
    from rig.arenas.names import TASKS

    given = {}
    for each in settings or ():
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise UserError(f"--set {each}: write it as NAME=VALUE, such as units=64.")
        given[name.strip()] = value
    text = with_parameters(read_text(path), given, str(path)) if given else read_text(path)
    named = subject_and_task(text, str(path))
    try:
        layers = layers_of(named.subject)
    except UserError as problem:
        raise UserError(f"{named.subject_at}: {problem}") from None
    script = execute(text, str(path)) if allow_python and is_script(str(path)) else None
    return parse(text, str(path), TASKS, layers, script)


def baselines_of(plan: Protocol) -> tuple[Values, tuple[BaselineUsed, ...]]:
    """What the protocol needs of its baseline recordings, and which these are."""
    if not plan.baseline_requests:
        return {}, ()
    from agent.subject import describe
    from analysis.baseline import resolve

    subject = describe(plan.subject)
    layers = {layer.name: layer.n_units for layer in subject.layers}
    return resolve(plan.baselines, plan.baseline_requests, subject.sha256, layers)


def _seed(seed: int | None, plan: Protocol) -> int:
    """The command line's seed, else the protocol's, else one that is drawn."""
    seed = plan.seed if seed is None else seed
    if seed is None:
        return secrets.randbelow(2**31)
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: a seed is a whole number from 0 to 2^63 - 1.")
    return seed


def _new_recording(protocol: str) -> Path:
    folder = Path("recordings")
    folder.mkdir(exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return folder / f"{protocol}-{stamp}.nwb"


def prepare_session(
    plan: Protocol,
    path: Path,
    seed: int,
    pace: Pace,
    *,
    duration_s: float | None = None,
    record: Path | None = None,
    overwrite: bool = False,
    camera: bool = True,
    listen: str = "",
    keys: Path | None = None,
    roll_over: str = "",
    runtime: Runtime = Runtime.onnx,
) -> tuple[SessionSpec, SessionDirectory]:
    """A new session's folder, and what its processes are told, from a protocol and the command line.

    What the protocol takes from its baselines is left in the folder.
    """
    values, used = baselines_of(plan)
    directory = SessionDirectory.create()
    if used:
        baselines.write(directory.baselines, values, used)
    spec = SessionSpec(
        session=directory.session,
        subject=plan.subject,
        task=plan.task,
        seed=seed,
        pace=pace.value,
        duration_s=plan.duration_s if duration_s is None else duration_s,
        trial_s=plan.trial_s,
        trials=plan.trials,
        protocol_name=plan.name,
        protocol_path=str(path.resolve()),
        protocol_text=plan.text,
        behaviours=plan.behaviour_names,
        stimuli=plan.stimulus_names,
        record=str(record.resolve()) if record else "",
        overwrite=overwrite,
        record_camera=camera,
        roll_over=roll_over,
        listen=listen,
        keys=str(keys.resolve()) if keys else "",
        conditions=plan.condition_names,
        keys_used=plan.keys,
        allow_outside=plan.outside_allowed,
        baselines={each.name: each.sha256 for each in used},
        allow_python=plan.is_script,
        runtime=runtime.value,
    )
    return spec, directory


def _run_headless(spec: SessionSpec, directory: SessionDirectory, picture: bool = True) -> None:
    """Runs a session here, with a line of progress, and prints what it did."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        total = spec.duration_s or (spec.trials * spec.trial_s) or None
        bar = progress.add_task("starting the animal", total=total, detail="")
        said: list[str] = []

        def show(status: Status) -> None:
            on_disk = status.recorder.ticks_on_disk if status.recorder else 0
            if status.fault and status.fault not in said:
                said.append(status.fault)
                progress.console.print(status.fault, style="yellow", soft_wrap=True)
            progress.update(
                bar,
                description=f"{spec.protocol_name}: {status.state}",
                completed=status.ticks * TICK_S,
                detail=f"tick {status.ticks}, {on_disk} on disk, {status.realtime_factor:.1f} x real time",
            )

        summary = run_session(spec, directory, end_when_recording_fails=True, on_status=show)
    if summary.ticks:
        _print_summary(summary, spec, picture)
    if summary.failure:
        raise (UserError if summary.wrong_input else RunError)(summary.failure)


def _print_summary(summary: Summary, spec: SessionSpec, picture: bool) -> None:
    def counts(found: dict[str, int]) -> str:
        return ", ".join(f"{name} {number}" for name, number in sorted(found.items())) or "none"

    animal_s = summary.ticks * TICK_S
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    speed = f" ({animal_s / summary.wall_s:.2f} x real time)" if summary.wall_s else ""
    table.add_row("ended by", summary.reason)
    table.add_row("ticks", f"{summary.ticks} = {animal_s:.2f} s of animal time{speed}")
    table.add_row("overruns", str(summary.overruns))
    table.add_row("behaviours seen", counts(summary.behaviours))
    table.add_row("stimuli delivered", counts(summary.stimuli))
    table.add_row("shams", counts(summary.shams))
    if summary.task_events:
        table.add_row("events of the task", counts(summary.task_events))
    if summary.inputs:
        table.add_row("from outside", counts(summary.inputs))
    table.add_row("seed", str(spec.seed))
    for fault in summary.faults:
        table.add_row("fault", f"[yellow]{fault}[/yellow]")
    if summary.recording is not None:
        report = summary.recording
        size = f"{report.ticks_on_disk} ticks, {report.file_bytes / 1e6:.1f} MB, {report.state}"
        file = report.file
        if report.part:
            file = f"{spec.record} and {report.part} more, the last {Path(report.file).name}"
        table.add_row("recording", f"{file} ({size})")
        if picture and report.ticks_on_disk:
            table.add_row("picture", _draw(Path(spec.record)))
    terminal = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
    terminal.print(table)


def _draw(recording: Path) -> str:
    """Draws a session beside its recording. Where that is; or why not, if the recording is lost, say."""
    import recorder
    from analysis.session_picture import session_picture

    drawn = recording.with_suffix(".png")
    try:
        session_picture(recorder.all_parts(recording), drawn)
    except (UserError, RunError, OSError) as problem:
        drawn.unlink(missing_ok=True)
        return f"none: {problem}"
    return str(drawn.resolve())


def _open_window(
    protocol: Path | None,
    seed: int | None,
    settings: Sequence[str] | None = None,
    allow_python: bool = False,
    roll_over: str = "",
    runtime: Runtime = Runtime.onnx,
) -> None:
    """The window, on a session of a protocol, or on nothing yet."""
    from gui.app import open_window

    start_session = attach = None
    if protocol is not None:
        # a mistake in it is said on the terminal, before any window
        path = protocol
        plan = load_protocol(path, settings, _python(path, allow_python))

        def start_session() -> str:
            from rig.session.process import start_detached

            spec, directory = prepare_session(
                plan, path, _seed(seed, plan), Pace.realtime, roll_over=roll_over, runtime=runtime
            )
            start_detached(spec, directory)
            return directory.session

        # a window that crashed, or was closed on a running session, comes back to it
        attach = next(
            (note.session for note in running_sessions() if note.protocol == plan.name), None
        )
    status = open_window(start_session=start_session, attach=attach)
    if status:
        raise typer.Exit(status)
