"""A session without a window, on the terminal: a line of progress, and at its end what it did."""

from __future__ import annotations

from pathlib import Path

from rich.progress import BarColumn, Progress, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from rig.bus.message_types import TICK_S, KnownFault, Status
from rig.errors import RunError, UserError
from rig.output_file import check_output
from rig.session.directory import SessionDirectory, SessionSpec
from rig.session.summary import Summary
from rig.session.supervisor import run_session
from rig.terminal import console, plain, table_console, text_column


def run_headless(spec: SessionSpec, directory: SessionDirectory, picture: bool = True) -> None:
    """Runs a session, its supervisor in this process, and prints what it did.

    Args:
        spec: the session.
        directory: its folder.
        picture: whether to draw the session beside its recording.

    Raises:
        UserError, RunError: the session failed; how, and whether the input was wrong.
    """
    with (
        directory.kept_unless_interrupted(),
        Progress(
            text_column("{task.description}"),
            BarColumn(),
            text_column("{task.fields[detail]}"),
            TimeRemainingColumn(),
            console=console(stderr=True),
            transient=True,
        ) as progress,
    ):
        total = spec.duration_s or (spec.trials * spec.trial_s) or None
        bar = progress.add_task("starting the animal", total=total, detail="")
        said: set[tuple[int, str]] = set()

        def show(status: Status) -> None:
            on_disk = status.recorder.ticks_on_disk if status.recorder else 0
            for fault in status.faults:
                # a failure is the command's last line, once
                if fault.sentence != status.failure and (fault.tick, fault.sentence) not in said:
                    said.add((fault.tick, fault.sentence))
                    text = _dated(fault)
                    progress.console.print(text, style="yellow", soft_wrap=True)
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
    from recorder.file_rotation import first_path  # after the session: it takes its time

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
    if summary.refused:
        table.add_row("commands refused", str(summary.refused))
    table.add_row("seed", str(spec.seed))
    for fault in summary.faults:
        if fault.sentence == summary.failure:
            continue
        table.add_row("fault", Text(plain(_dated(fault)), style="yellow"))
    recordings = [*summary.earlier_recordings, *([summary.recording] if summary.recording else [])]
    for report in recordings:
        size = f"{report.ticks_on_disk} ticks, {report.file_bytes / 1e6:.1f} MB, {report.state}"
        first = first_path(Path(report.file), report.part)
        file = report.file
        if report.part:
            file = f"{first} and {report.part} more, the last {Path(report.file).name}"
        table.add_row("recording", f"{file} ({size})")
        if picture and report.ticks_on_disk:
            table.add_row("picture", _draw(first, spec.overwrite))
    table_console().print(table)


def _dated(fault: KnownFault) -> str:
    """A fault with when it was, in animal time: "at 12.30 s to 14.00 s: The recorder …"."""
    begin_s, end_s = (max(tick, 0) * TICK_S for tick in (fault.tick, fault.over_tick))
    until = f" to {end_s:.2f} s" if fault.over_tick > fault.tick else ""
    return f"at {begin_s:.2f} s{until}: {fault.sentence}"


def _draw(recording: Path, overwrite: bool) -> str:
    """Draws a session beside its recording. Where that is, or why there is none: it is no reason to fail."""
    import recorder
    from analysis.session_picture import session_picture

    drawn = recording.with_suffix(".png")
    try:
        parts = recorder.all_parts(recording)
        check_output(drawn, reads=parts, overwrite=overwrite)
        session_picture(parts, drawn)
    except Exception as problem:
        words = str(problem).splitlines()
        return f"none: {words[0] if words else type(problem).__name__}"
    return str(drawn.resolve())
