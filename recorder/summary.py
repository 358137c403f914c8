"""One screen that answers what a recorded session was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from recorder.integrity import parsed
from recorder.table_schema import stimuli_of
from rig.bus.message_types import Fault, Input
from rig.clock import shown

if TYPE_CHECKING:
    from recorder.reading import Recording
    from recorder.tables import Interval, LogEntry

_STATES = {
    "closed": "complete",
    "live": "being recorded at present",
    "recovered": "repaired just now, after its recorder had been killed",
    "unknown": "open for writing, and its file system has no locks that would tell by whom; read as it is",
    "unrecovered": "its recorder was killed; run `rodent-rig recover` where there is room",
}
_MAX_LOG = 6
_MAX_NOTES = 12
_ROTATION_KINDS = ("continues", "goes on")


def describe(recording: Recording) -> str:
    """The session in about 25 lines of plain text: who, what, how long, which events, which faults."""
    description = recording.description
    overruns = int(np.sum(recording.values("overrun") == 1))
    size_mb = sum(each.stat().st_size for each in recording.files) / 1e6
    lines = [
        f"{recording.name}   {size_mb:.1f} MB, {_STATES[recording.state]}",
        "",
        f"  session     {recording.session}, started {shown(description.started)}",
        f"  subject     {description.subject}   sha256 {description.subject_sha256[:12]}…",
        *([f"  animal      {description.animal}"] if description.animal else []),
        *([f"  notes       {' '.join(description.notes.split())}"] if description.notes else []),
        f"  units       {sum(layer.n_units for layer in description.layers)}: "
        + ", ".join(f"{layer.name} {layer.n_units}" for layer in description.layers),
        f"  task        {description.task}, seed {description.seed}, pace {description.pace}",
        f"  protocol    {description.protocol_name}",
        *(
            f"  branched    at tick {left.tick} ({left.tick * description.tick_s:.2f} s) from "
            f"{left.session}; {left.protocol_name} until then"
            for left in description.branched
        ),
        f"  recorded    {recording.duration_s:.2f} s of animal time: {recording.n_ticks} ticks"
        + (f", {recording.first_tick} to {recording.last_tick}" if recording.n_ticks else ""),
        *(["  clip        of a session: saved after it had happened"] if recording.is_clip else []),
        *_part(recording),
        f"  trials      {len(recording.trials)}" + _conditions(recording),
        f"  overruns    {overruns}"
        + (f" ({overruns / recording.n_ticks:.2%})" if overruns else ""),
        f"  reward      {np.nansum(recording.values('reward')):.2f} in all",
        f"  camera      {'recorded' if recording.has_camera else 'not recorded'}",
        "",
        "  behaviours  " + _counts(recording.intervals("behaviours"), description.behaviours),
        "  stimuli     " + _counts(recording.intervals("stimuli"), stimuli_of(description)),
        "  task events " + _times(each.name for each in recording.task_events),
        "  outside     "
        + _times(_words(given) for _, given in recording.inputs if given.kind != "note"),
        *_notes(recording),
    ]
    ended = recording.end
    how = "in a further file" if recording.continues else "not seen by the recorder"
    lines += ["", f"  ended       {ended.reason if ended else how}"]
    troubles = [entry for entry in recording.log if entry.kind not in ("end", *_ROTATION_KINDS)]
    lines += [
        f"  {entry.kind:<10}  tick {entry.tick}: {_sentence(entry)}"
        for entry in troubles[:_MAX_LOG]
    ]
    if len(troubles) > _MAX_LOG:
        lines.append(f"  … and {len(troubles) - _MAX_LOG} more entries in its log")
    versions = ", ".join(
        f"{name} {version}" for name, version in sorted(description.versions.items())
    )
    lines += ["", f"  made with   {versions}"]
    return "\n".join(lines)


def _part(recording: Recording) -> list[str]:
    """Which part of a recording in several files this is, and what the files are."""
    parts = recording.parts
    if len(recording.files) > 1:
        first, last = recording.part + 1, recording.part + len(parts)
        more = ", and what follows is not read" if recording.continues else ""
        names = ", ".join(each.name for each in parts)
        return [f"  parts       {first} to {last}, read as one: {names}{more}"]
    rotations = [entry.text for entry in recording.log if entry.kind in _ROTATION_KINDS]
    if len(parts) == 1 and not rotations:
        return []
    n_parts = recording.part + len(parts) - parts.index(recording.path)
    missing = recording.continues and parts[-1] == recording.path
    return [
        f"  part        {recording.part + 1} of {n_parts}: {', '.join(each.name for each in parts)}"
        + (", and what follows is not here" if missing else "")
        + ("; --parts reads them as one" if len(parts) > 1 else ""),
        *(f"              {text}" for text in rotations),
    ]


def _sentence(entry: LogEntry) -> str:
    if entry.kind != "fault":
        return entry.text
    fault = parsed("The recording", entry.text, Fault)
    return f"over: {fault.sentence}" if fault.over else fault.sentence


def _conditions(recording: Recording) -> str:
    found = Counter(trial.condition for trial in recording.trials if trial.condition)
    return f": {', '.join(f'{name} {count}' for name, count in found.items())}" if found else ""


def _times(names: Iterable[str]) -> str:
    return ", ".join(f"{name} {count}×" for name, count in Counter(names).items()) or "none"


def _words(given: Input) -> str:
    return f"{given.kind} {given.name}".strip()


def _notes(recording: Recording) -> list[str]:
    """The operator's notes, a line each."""
    notes, tick_s = recording.notes, recording.description.tick_s
    lines = [f"  note        at {tick * tick_s:.2f} s: {text}" for tick, text in notes[:_MAX_NOTES]]
    if len(notes) > _MAX_NOTES:
        lines.append(
            f"  … and {len(notes) - _MAX_NOTES} more notes (`rodent-rig export --intervals` lists all)"
        )
    return lines


def _counts(intervals: Iterable[Interval], names: tuple[str, ...]) -> str:
    found = list(intervals)
    parts = []
    for name in names:
        own = [each for each in found if each.name == name]
        if not own:
            continue
        shams = sum(each.sham for each in own)
        total_s = sum(each.stop_s - each.start_s for each in own)
        about = f"{total_s:.1f} s" + (f", {shams} of them shams" if shams else "")
        parts.append(f"{name} {len(own)}× ({about})")
    return ", ".join(parts) or "none"
