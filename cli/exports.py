"""The command `export`: a recording as a film, a strip of moments, a table, or an NWB file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from cli.recordings import File, Parts, recording_of
from rig.errors import UserError
from rig.output_file import check_output, with_ending
from rig.terminal import console, say_progress


def export(
    file: File,
    parts: Parts = False,
    video: Annotated[
        Path | None, typer.Option(help="The animal with its raster below (.mp4).")
    ] = None,
    trajectory: Annotated[
        str,
        typer.Option(
            help="In the film, beside the animal: a layer's trajectory, policy_2 (first components) or "
            "policy_2/jpc (rotation).",
            metavar="LAYER",
        ),
    ] = "",
    strip: Annotated[
        Path | None,
        typer.Option(help="Moments beside each other, the animal from its side (.png or .jpg)."),
    ] = None,
    frames: Annotated[int, typer.Option(help="Of the strip: how many moments.")] = 10,
    intervals: Annotated[
        Path | None,
        typer.Option(help="Behaviours, stimuli, trials, events of the task (.csv or .parquet)."),
    ] = None,
    signals: Annotated[
        str,
        typer.Option(help="Series for --out, such as body,h_applied/policy_2.", metavar="A,B"),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="The NWB file with the chosen signals (.nwb).")
    ] = None,
    from_s: Annotated[
        float | None, typer.Option("--from", help="Begin here, s of animal time.")
    ] = None,
    to_s: Annotated[float | None, typer.Option("--to", help="End here, s of animal time.")] = None,
    speed: Annotated[float, typer.Option(help="Of the film: 0.1 to 20 times real time.")] = 1.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    progress: Annotated[
        bool, typer.Option("--progress", help="Say how far it is in lines, for programs.")
    ] = False,
) -> None:
    """Write a recording as a film, a strip of moments, a table, or an NWB file of chosen signals."""
    names = tuple(name.strip() for name in signals.split(",") if name.strip())
    if bool(names) != (out is not None):
        raise UserError("--signals A,B and --out F.nwb go together: what, and where to.")
    if video is None and strip is None and intervals is None and out is None:
        raise UserError(
            "Say what to export: --video, --strip, --intervals, or --signals with --out."
        )
    if trajectory and video is None:
        raise UserError(
            "--trajectory LAYER is a part of the film; say where to with --video F.mp4."
        )
    recording = recording_of(file, parts)
    reads = recording if isinstance(recording, tuple) else (recording,)

    def target(path: Path | None, endings: tuple[str, ...], option: str) -> Path | None:
        if path is not None:
            path = with_ending(path, endings, option)
            check_output(path, reads=reads, overwrite=overwrite, option=option)
        return path

    video = target(video, (".mp4",), "--video")
    strip = target(strip, (".png", ".jpg"), "--strip")
    intervals = target(intervals, (".csv", ".parquet"), "--intervals")
    out = target(out, (".nwb",), "--out")
    if intervals is not None:
        from analysis.export import export_intervals

        rows = export_intervals(recording, intervals, from_s, to_s, overwrite)
        print(f"{intervals}: {rows} rows")
    if out is not None:
        from analysis.export import export_signals

        ticks = export_signals(recording, names, out, from_s, to_s, overwrite)
        print(f"{out}: {', '.join(names)}, {ticks} ticks")
    if strip is not None:
        from analysis.strip import export_strip

        shown = export_strip(recording, strip, from_s, to_s, frames, overwrite)
        print(f"{strip}: {len(shown)} moments, ticks {shown[0]} to {shown[-1]}")
    if video is not None:
        from analysis.video import export_video

        with Progress(console=console(stderr=True), transient=True, disable=progress) as shown_bar:
            bar = shown_bar.add_task("drawing", total=None)

            def drawn(done: int, of: int) -> None:
                shown_bar.update(bar, completed=done, total=of)
                if progress:
                    say_progress(done / max(of, 1))

            n_frames = export_video(
                recording,
                video,
                from_s,
                to_s,
                speed,
                overwrite,
                on_frame=drawn,
                trajectory=trajectory,
            )
        print(f"{video}: {n_frames} frames")
