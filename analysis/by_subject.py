"""Which recordings there are of which subject, and their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

import recorder
from rig.bus.external_inputs import OUTSIDE
from rig.errors import UserError


class Known(msgspec.Struct, frozen=True):
    """A recording's file.

    Attributes:
        sha256: of its content; "" while it is still being recorded.
        subject: the subject's name.
        subject_sha256: of its weights and architecture.
        task: the session's.
        seed: the session's.
        protocol: its name.
        stimulates: whether its protocol has stimuli of its own.
        size: bytes.
        changed_ns: when it was last changed.
    """

    sha256: str
    subject: str
    subject_sha256: str
    task: str
    seed: int
    protocol: str
    stimulates: bool
    size: int
    changed_ns: int


def look_through(
    files: Sequence[Path],
    before: dict[str, Known],
    on_progress: Callable[[int], object] = lambda done: None,
) -> tuple[dict[str, Known], tuple[str, ...]]:
    """Reads what each recording is; those that have not changed since are not read again.

    Args:
        files: the recordings.
        before: what was found the last time, by path.
        on_progress: called with how many were looked at.

    Returns:
        what was found, by path; and a sentence for each that is left out.
    """
    found: dict[str, Known] = {}
    left_out = []
    for done, file in enumerate(files, 1):
        try:
            state = file.stat()
            known = before.get(str(file))
            if known is None or (known.size, known.changed_ns) != (
                state.st_size,
                state.st_mtime_ns,
            ):
                known = _known(file)
            found[str(file)] = known
        except UserError as problem:
            left_out.append(str(problem))
        except OSError as problem:
            left_out.append(f"{file} cannot be read: {problem.strerror}.")
        on_progress(done)
    return found, tuple(left_out)


def _known(file: Path) -> Known:
    with recorder.open(file) as recording:
        if recording.state == "live":
            raise UserError(f"{file} is still being recorded.")
        described = recording.description
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    state = file.stat()
    return Known(
        sha256,
        described.subject,
        described.subject_sha256,
        described.task,
        described.seed,
        described.protocol_name,
        any(name != OUTSIDE for name in described.stimuli),
        state.st_size,
        state.st_mtime_ns,
    )
