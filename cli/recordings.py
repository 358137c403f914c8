"""Commands that read recordings: `replay`, `info`, `spikes`, `recover`."""

from __future__ import annotations

import enum
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.probe import rates_of
from gui.look.display import display_missing
from gui.session.session_setup import SessionStarter
from rig.errors import UserError
from rig.output_file import check_output, with_ending
from rig.terminal import console

if TYPE_CHECKING:
    from recorder.opening import RecordingPath

File = Annotated[
    Path, typer.Argument(help="A recording (.nwb), or a folder with the parts of one.")
]
Parts = Annotated[
    bool,
    typer.Option(
        "--parts", help="The whole recording of which this is a part (--roll-over), read as one."
    ),
]


def replay(
    files: Annotated[
        list[Path], typer.Argument(help="A recording (.nwb), or several to show side by side.")
    ],
    speed: Annotated[float, typer.Option(help="0.1 to 20 times real time.")] = 1.0,
    parts: Parts = False,
    bus: Annotated[
        bool,
        typer.Option("--bus", help="Offer it on a bus, as a running session, without a window."),
    ] = False,
    paused: Annotated[
        bool, typer.Option("--paused", help="With --bus: wait for the command `resume`.")
    ] = False,
    hold: Annotated[
        bool, typer.Option("--hold", help="With --bus: stay at the last tick until stopped.")
    ] = False,
    listen: Annotated[
        str, typer.Option(help="With --bus: also serve it at tcp://HOST:PORT (and PORT+1).")
    ] = "",
    keys: Annotated[
        Path | None,
        typer.Option(help="Folder of CURVE keys for --listen, made by `rodent-rig keys`."),
    ] = None,
) -> None:
    """Show a recorded session again, on the displays of a live one, or offer it on a bus.

    Several recordings are shown side by side, all at the same tick.
    """
    if not 0.1 <= speed <= 20:
        raise UserError(f"--speed {speed}: a replay runs at 0.1 to 20 times real time.")
    if bus:
        if len(files) > 1:
            raise UserError("Several recordings go side by side in the window, not on a bus.")
        offer_replay(recording_of(files[0], parts), speed, paused, hold, listen, keys)
        return
    for name, given in (("paused", paused), ("hold", hold), ("listen", listen), ("keys", keys)):
        if given:
            raise UserError(f"--{name} is for a replay on the bus: add --bus.")
    show_replay([recording_of(each, parts) for each in files], speed)


def recording_of(file: Path, parts: bool) -> Path | tuple[Path, ...]:
    """What `recorder.open` is given: this file, or with `parts`, or for a folder, all parts of a recording.

    Raises `UserError` if a part is missing, or files do not belong together.
    """
    import recorder

    return recorder.all_parts(file) if parts or file.is_dir() else file


def offer_replay(
    file: RecordingPath, speed: float, paused: bool, hold: bool, listen: str, keys: Path | None
) -> None:
    """Offers a recording on a bus of its own, until it has been played or is stopped.

    Args:
        file: the recording, or its parts.
        speed: times real time.
        paused: whether it waits for the command `resume`.
        hold: whether it stays at the last tick until it is stopped.
        listen: an address tcp://HOST:PORT at which the bus is served besides; "": none.
        keys: the folder of CURVE keys for `listen`.
    """
    from recorder.replay import ReplaySource
    from recorder.replay_session import ReplaySession
    from rig.session.directory import SessionDirectory

    with ReplaySource(file) as source:
        directory = SessionDirectory.create()
        with directory.kept_unless_interrupted():
            session = ReplaySession(
                source,
                directory,
                speed=speed,
                paused=paused,
                hold=hold,
                listen=listen,
                keys=keys,
            )
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: session.stop())
        print(
            f"{source.recording.name} is replayed as session {directory.session}, {source.n_ticks} ticks. "
            "Ctrl-C ends it.",
            flush=True,
        )
        session.run()


def show_replay(
    files: Sequence[Path | tuple[Path, ...]],
    speed: float = 1.0,
    sessions: SessionStarter | None = None,
) -> None:
    """The window on recordings; what is wrong with a file is said on the terminal instead.

    Args:
        files: recordings, or the parts of some.
        speed: times real time.
        sessions: what the window sets sessions up from, and asks about protocols; None: it shows recordings
            alone.
    """
    missing = display_missing()
    if missing:
        raise UserError(missing)
    from gui.app import open_window
    from gui.streams.replay_stream import MOST_RECORDINGS
    from recorder.replay import ReplaySource

    if len(files) > MOST_RECORDINGS:
        raise UserError(
            f"{len(files)} recordings: no more than {MOST_RECORDINGS} have room beside each other."
        )
    for file in files:
        if isinstance(file, Path):  # parts were opened when they were looked for
            ReplaySource(file).close()
    status = open_window(sessions=sessions, replay=files, speed=speed)
    if status:
        raise typer.Exit(status)


def info(file: File, parts: Parts = False) -> None:
    """Say what a recorded session was, on one screen."""
    from recorder.opening import info as describe

    console(soft_wrap=True).print(describe(file, parts))


class Drive(enum.StrEnum):
    """What of a unit's activity drives its spikes."""

    magnitude = "magnitude"
    scaled = "scaled"


def spikes(
    file: File,
    out: Annotated[Path, typer.Option(help="The NWB file to write, with `Units`.")],
    rates: Annotated[
        str, typer.Option(help="LOWEST,HIGHEST rate of a unit in Hz.", metavar="LOWEST,HIGHEST")
    ] = "0.5,50",
    refractory_ms: Annotated[float, typer.Option(help="Absolute refractory period.")] = 2.0,
    parts: Parts = False,
    drive: Annotated[
        Drive, typer.Option(help="|h| as it is, or h scaled to each unit's own range.")
    ] = Drive.magnitude,
    natural: Annotated[
        bool, typer.Option("--natural", help="From the activity before interventions.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Instead of the session's.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Write spike trains of the units, as a virtual probe would see them (an emulation)."""
    from analysis.probe import Probe, write_spikes

    recording = recording_of(file, parts)
    reads = recording if isinstance(recording, tuple) else (recording,)
    out = with_ending(out, (".nwb",))
    check_output(out, reads=reads, overwrite=overwrite, option="--out")
    if seed is not None and not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: a seed is a whole number from 0 to 2^63 - 1.")
    probe = Probe(*rates_of(rates), refractory_ms, drive.value)
    number = write_spikes(
        recording, out, probe, applied=not natural, seed=seed, overwrite=overwrite
    )
    print(f"{out}: {number} spikes, emulated from the units' activity.")


def recover(file: File) -> None:
    """Repair a recording whose recorder was killed; nothing that reached the disk is lost."""
    from recorder.recovery import recover as repair

    print(repair(file))
