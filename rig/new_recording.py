"""The file of a recording for which nobody has said where it goes: in `recordings`, by protocol and time."""

from __future__ import annotations

import secrets
from pathlib import Path

import platformdirs

from rig.clock import file_stamp
from rig.errors import UserError
from rig.output_file import reason

FOLDER = Path("recordings")
"""In the working folder."""


def recordings_folder(make: bool = True) -> tuple[Path, str]:
    """The folder for new recordings, made if missing, and a sentence if it is not the usual one, else "".

    It is `recordings` in the working folder; where nothing can be written there, one among the user's data.

    Args:
        make: whether to make it; else it is only seen whether it could be made.

    Raises:
        UserError: nothing can be written there either.
    """
    problem = _problem(FOLDER, make)
    if not problem:
        return FOLDER, ""
    other = platformdirs.user_data_path("rodent-rig") / "recordings"
    if not other.is_absolute() or _problem(other, make=True):
        raise UserError(
            f"No recording can be made in {FOLDER.absolute()} ({problem}); say where with --out FILE.nwb."
        )
    return (
        other,
        f"Nothing can be recorded in {FOLDER.absolute()} ({problem}): recording in {other}.",
    )


def recording_name(protocol: str) -> str:
    """A name for a new recording, after protocol and local time."""
    plain = "".join(each if each.isalnum() or each in "-_" else "_" for each in protocol)
    return f"{plain[:60] or 'session'}-{file_stamp()}.nwb"


def _problem(folder: Path, make: bool) -> str:
    """Why nothing can be written in a folder, or it cannot be made; "" if all is well."""
    if folder.exists() and not folder.is_dir():
        return "it is a file"
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        attempt = (folder if folder.exists() else folder.parent) / f".{secrets.token_hex(4)}"
        attempt.touch()
        attempt.unlink()
    except OSError as problem:
        return reason(problem)
    return ""
