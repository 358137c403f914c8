"""Where a running session lives: one folder with its sockets and a note of what it is.

The folder is `$XDG_RUNTIME_DIR/rodent-rig/<session>/`, or one under the temporary directory that belongs
to the user alone. A window finds running sessions here and reattaches; a session that ends removes its
folder, and the next one to look removes what a killed one left.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from rig.arenas.names import TASK_EVENTS_VERSION, CameraQuality
from rig.bus.clip_ring import LONGEST_S
from rig.bus.message_types import Branching, KeyUse
from rig.bus.sockets import SocketFolder
from rig.errors import RunError
from rig.output_file import check_path

MAX_SOCKET_PATH = 100
"""Bytes; Unix allows 107 in a socket's path."""
CLOCK_TOLERANCE_S = 60.0
"""A process that started so much later than a session is another one; the clock may have been set between."""
ROOM_BYTES = 256 * 1024
"""What a session writes into its folder, beside what it takes from baselines: a spec, a note, logs."""


class SessionSpec(msgspec.Struct, frozen=True):
    """Everything that the processes of a session need to know at its start.

    Attributes:
        session: its name.
        subject: name or folder of the subject.
        task: name of the arena and its task.
        seed: of everything random.
        pace: "max" or "realtime".
        duration_s: animal time at which the session ends; 0: no limit.
        trial_s: animal time after which a trial ends and the next episode begins; 0: no limit.
        trials: the session ends after so many; 0: no limit.
        protocol_name, protocol_path, protocol_text: the protocol, its file and what that says.
        behaviours: names of those that are detected.
        stimuli: names of those that the protocol may deliver.
        record: the file to record into from the first tick on, or "".
        overwrite: whether that file may exist already.
        record_camera: whether what the animal sees is recorded too.
        roll_over: when the recording continues in a next file (`recorder.file_rotation`), or "".
        listen: an additional TCP address for clients, or "".
        keys: the folder with the CURVE keys for it, or "".
        camera_quality: how the animal's view is drawn (`rig.arenas.camera`).
        task_events: the version of how events of the task are found (`rig.arenas.names`).
        conditions: those of the protocol's trials.
        keys_used: the operator's keys that the protocol listens to.
        key_uses: what they do.
        allow_outside: whether clients may stimulate.
        baselines: the recordings that stimuli draw on, name to SHA-256; what is drawn of them lies in the
            session's folder.
        allow_python: whether a protocol's Python may be executed.
        branched: as in the session's description.
        runtime: what the subject's network runs on (`agent.runtime`).
        clip_s: how much of the session is kept in memory, to be saved as a clip; 0: nothing.
        clip_folder: where clips go that nobody has named a file for; "": there is no such place.
        blinded, animal, notes, experimenter, institution, keywords: as in the session's description.
    """

    session: str
    subject: str
    task: str
    seed: int
    pace: str
    duration_s: float
    trial_s: float
    trials: int
    protocol_name: str
    protocol_path: str
    protocol_text: str
    behaviours: tuple[str, ...]
    stimuli: tuple[str, ...]
    record: str = ""
    overwrite: bool = False
    record_camera: bool = True
    roll_over: str = ""
    listen: str = ""
    keys: str = ""
    camera_quality: CameraQuality = "fast"
    conditions: tuple[str, ...] = ()
    keys_used: tuple[str, ...] = ()
    allow_outside: bool = True
    baselines: dict[str, str] = {}
    allow_python: bool = False
    branched: tuple[Branching, ...] = ()
    runtime: Literal["onnx", "torch"] = "onnx"
    experimenter: tuple[str, ...] = ()
    institution: str = ""
    keywords: tuple[str, ...] = ()
    blinded: bool = False
    animal: str = ""
    notes: str = ""
    key_uses: tuple[KeyUse, ...] = ()
    clip_s: float = LONGEST_S
    clip_folder: str = ""
    task_events: int = TASK_EVENTS_VERSION


class RunningSession(msgspec.Struct, frozen=True):
    """A session's note of itself: who supervises it (`pid`), since when (Unix time, s), what it runs."""

    session: str
    pid: int
    started_unix_s: float
    protocol: str
    subject: str
    task: str


def runtime_folder() -> Path:
    """The folder of all running sessions of this user, made if missing."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = _writable_folder(Path(given) / "rodent-rig") if given else None
    if folder is None:
        try:
            folder = Path(tempfile.gettempdir()) / f"rodent-rig-{os.getuid()}"
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as problem:
            raise RunError(
                f"No place for a session's sockets: {folder or 'a temporary folder'} cannot be made "
                f"({problem.strerror}); set XDG_RUNTIME_DIR to a writable folder."
            ) from None
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise RunError(
            f"{folder} is a link, and sessions have to be where only you can reach them; remove it."
        )
    if found.st_uid != os.getuid():
        raise RunError(
            f"{folder} belongs to another user; set XDG_RUNTIME_DIR to a folder of your own."
        )
    if found.st_mode & 0o022:
        raise RunError(
            f"Other users can write in {folder}, and so command your sessions; look at what is in it, "
            f"then `chmod 700 {folder}`."
        )
    return folder


def _writable_folder(folder: Path) -> Path | None:
    """The folder, made if missing; None where it cannot be made, or nothing can be made in it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except (OSError, ValueError):
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


class SessionDirectory(SocketFolder):
    """The folder of one session: its socket addresses, its spec, its note."""

    @classmethod
    def create(cls) -> SessionDirectory:
        """A new folder with a new session name.

        Raises `RunError` if sockets could not live there, or there is no room for what a session writes.
        """
        name = time.strftime("%m%d-%H%M%S-") + secrets.token_hex(2)
        path = runtime_folder() / name
        check_path(path, "XDG_RUNTIME_DIR")
        if len(os.fsencode(path)) > MAX_SOCKET_PATH - 12:
            raise RunError(
                f"The path {path} is too long for sockets; set XDG_RUNTIME_DIR to a shorter one."
            )
        directory = cls(path)
        with directory.kept_unless_interrupted(), directory.writing():
            path.mkdir(mode=0o700)
            room = path / "room"
            room.write_bytes(bytes(ROOM_BYTES))
            room.unlink()
        return directory

    @contextmanager
    def kept_unless_interrupted(self) -> Iterator[None]:
        """Removes the folder when what is done with it is left by an exception, Ctrl-C among them."""
        try:
            yield
        except BaseException:
            self.remove()
            raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What the system refuses here is a sentence, and the folder is removed: nothing runs without it."""
        try:
            yield
        except OSError as problem:
            self.remove()
            raise RunError(
                f"No session can be run from {self.path.parent}: {os.strerror(problem.errno or 0)}; make "
                "room there, or set XDG_RUNTIME_DIR to another folder."
            ) from None

    @property
    def baselines(self) -> Path:
        """The file with what stimuli need from baseline recordings (`stim.stimuli.baselines`)."""
        return self.path / "baselines"

    def write_spec(self, spec: SessionSpec) -> None:
        """Leaves the spec for the session's processes to read. Raises `RunError` if there is no room."""
        with self.writing():
            (self.path / "spec.json").write_bytes(msgspec.json.encode(spec))

    def read_spec(self) -> SessionSpec:
        """The spec that `write_spec` left."""
        return msgspec.json.decode((self.path / "spec.json").read_bytes(), type=SessionSpec)

    def announce(self, note: RunningSession) -> None:
        """Lists the session as running, from now on. Raises `RunError` if there is no room."""
        partial = self.path / "session.json.part"
        with self.writing():
            partial.write_bytes(msgspec.json.encode(note))
            partial.rename(self.path / "session.json")

    def note(self) -> RunningSession | None:
        """The session's note of itself; None while it has not announced itself or is gone."""
        try:
            return msgspec.json.decode(
                (self.path / "session.json").read_bytes(), type=RunningSession
            )
        except (OSError, msgspec.DecodeError):
            return None

    def remove(self) -> None:
        """Takes the session off the list, sockets and all."""
        shutil.rmtree(self.path, ignore_errors=True)


def running_sessions() -> list[RunningSession]:
    """The sessions that run now, newest first; what killed ones left behind is removed on the way."""
    found = []
    for path in runtime_folder().iterdir():
        if path.is_symlink() or not path.is_dir():
            continue
        directory = SessionDirectory(path)
        note = directory.note()
        if note is None:
            with suppress(OSError):  # it has gone meanwhile
                if time.time() - path.stat().st_mtime > 60:
                    directory.remove()
            continue
        if _alive(note):
            found.append(note)
        else:
            directory.remove()
    return sorted(found, key=lambda note: -note.started_unix_s)


def find_session(session: str) -> SessionDirectory:
    """The folder of a running session by name. Raises `RunError` if there is none."""
    if session not in {note.session for note in running_sessions()}:
        raise RunError(f"No session named {session!r} is running.")
    return SessionDirectory(runtime_folder() / session)


def _alive(note: RunningSession) -> bool:
    """Whether the process that wrote a note lives; not another that has its number since."""
    try:
        os.kill(note.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    started = _started_unix_s(note.pid)
    return started is None or started < note.started_unix_s + CLOCK_TOLERANCE_S


def _started_unix_s(pid: int) -> float | None:
    """When a process started (Unix time, s); None where the system does not tell (it is not Linux)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        system = Path("/proc/stat").read_text().splitlines()
        booted = next(int(line.split()[1]) for line in system if line.startswith("btime "))
        return booted + int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return None
