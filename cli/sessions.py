"""Commands that run sessions: `gui`, `run`, `keys`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.headless import run_headless
from cli.options import (
    AllowPython,
    Pace,
    RollOverOption,
    Runtime,
    RuntimeOption,
    Seed,
    Settings,
)
from cli.protocols import Named, execution_allowed, load_protocol, reads_of, values_of
from cli.recordings import Parts, recording_of, show_replay
from cli.session_spec import (
    RunOptions,
    check_said,
    named_recording,
    new_recording,
    prepare_session,
)
from gui.look.display import display_missing
from gui.session.session_setup import SessionRequest
from rig.bus.message_types import TICK_S
from rig.errors import UserError
from rig.session.directory import running_sessions
from rig.terminal import console
from stim.protocol.find import find
from stim.protocol.read import read_protocol
from stim.protocol.source import read_text

HEADLESS_S = 20.0
"""Animal time of the session that `gui` runs where there is no display."""


def run(
    protocol: Named,
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
    experimenter: Annotated[
        list[str] | None,
        typer.Option(help='Who runs it, "Doe, Jane"; again for each.', metavar="NAME"),
    ] = None,
    institution: Annotated[str, typer.Option(help="Where it is run.", metavar="NAME")] = "",
    keyword: Annotated[
        list[str] | None, typer.Option(help="What it is about; again for each.", metavar="WORD")
    ] = None,
    animal: Annotated[
        str, typer.Option(help="What the animal is called in the recording.", metavar="NAME")
    ] = "",
    notes: Annotated[str, typer.Option(help="What there is to say of it.", metavar="TEXT")] = "",
    clips: Annotated[
        bool,
        typer.Option(
            help="Keep the last minute in memory (80 MB), to be saved as a clip when asked for."
        ),
    ] = True,
) -> None:
    """Run a session without a window and record it."""
    from recorder.file_rotation import check_parts, parse_rotation_limit
    from recorder.output_path import check_target

    if roll_over:
        parse_rotation_limit(roll_over)
    protocol = find(protocol)
    checked = load_protocol(protocol, settings, execution_allowed(protocol, allow_python))
    recording = named_recording(out) if out is not None else new_recording(checked)
    reads = reads_of(checked)
    check_target(recording, overwrite, reads)
    if roll_over:
        check_parts(recording, overwrite, reads)
    check_said(
        animal, notes, [*(experimenter or ()), *(keyword or ()), *filter(None, [institution])]
    )
    if duration is not None and not duration >= TICK_S:
        raise UserError(f"--duration {duration}: a session lasts at least one tick, {TICK_S} s.")
    options = RunOptions(
        seed=seed,
        pace=pace,
        duration_s=duration,
        record=recording,
        overwrite=overwrite,
        camera=camera,
        listen=listen,
        keys=keys,
        roll_over=roll_over,
        runtime=runtime,
        experimenter=tuple(experimenter or ()),
        institution=institution,
        keywords=tuple(keyword or ()),
        animal=animal,
        notes=notes,
        clips=clips,
    )
    run_headless(*prepare_session(checked, options), picture)


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
    files = [each if _is_recording(each) else find(each) for each in files or ()]
    for each in files:
        if not each.exists():
            raise UserError(
                f"{each} does not exist; name a protocol (.yaml) or a recording (.nwb)."
            )
        if not _is_recording(each) and parts:
            raise UserError(f"{each} is no recording (.nwb); --parts is for those.")
        if not _is_recording(each) and len(files) > 1:
            raise UserError(f"{each} is no recording (.nwb): only recordings go side by side.")
    if roll_over:
        from recorder.file_rotation import parse_rotation_limit

        parse_rotation_limit(roll_over)
    missing = display_missing()
    file = files[0] if files else None
    if files and _is_recording(files[0]):
        from cli.window_sessions import WindowSessions

        sessions = WindowSessions(
            None, RunOptions(roll_over=roll_over, runtime=runtime), allow_python
        )
        show_replay([recording_of(each, parts) for each in files], sessions=sessions)
        return
    if missing:
        if file is None:
            raise UserError(missing)
        console(stderr=True).print(
            f"There is no display: running the session without a window for {HEADLESS_S:.0f} s.",
            style="yellow",
        )
        protocol = load_protocol(file, settings, execution_allowed(file, allow_python))
        options = RunOptions(
            seed=seed,
            pace=Pace.realtime,
            duration_s=HEADLESS_S,
            record=new_recording(protocol),
            roll_over=roll_over,
            runtime=runtime,
        )
        run_headless(*prepare_session(protocol, options))
        return
    options = RunOptions(roll_over=roll_over, runtime=runtime)
    if file is None:
        _open_window(None, options, allow_python)
        return
    # a mistake in it is said on the terminal, before any window
    load_protocol(file, settings, execution_allowed(file, allow_python))
    request = SessionRequest(protocol=file, parameters=values_of(settings or ()), seed=seed)
    _open_window(request, options, allow_python)


def _is_recording(file: Path) -> bool:
    return file.suffix.lower() == ".nwb" or file.is_dir()


def keys(folder: Annotated[Path, typer.Argument(help="A folder to make.")]) -> None:
    """Make keys for a bus that other machines may reach."""
    from rig.bus.curve import make_keys

    make_keys(folder)
    print(f"Keys are in {folder}. Give clients client.key_secret and server.key, over a safe way.")


def _open_window(request: SessionRequest | None, options: RunOptions, allow_python: bool) -> None:
    """The window, on a session of a protocol, or on the page that sets one up."""
    from cli.window_sessions import WindowSessions
    from gui.app import open_window

    attach = None
    if request is not None and request.protocol is not None:
        # a window that crashed, or was closed on a running session, comes back to it
        name = read_protocol(read_text(request.protocol), str(request.protocol)).name
        attach = next((note.session for note in running_sessions() if note.protocol == name), None)
    status = open_window(
        sessions=WindowSessions(request, options, allow_python),
        start=request is not None,
        attach=attach,
    )
    if status:
        raise typer.Exit(status)
