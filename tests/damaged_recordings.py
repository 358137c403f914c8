"""Damages recordings, and opens them as a user would, in a process that may crash, hang or eat memory.

`corrupt(path, random)` does something to a file, from a seed: bytes on the disk, or, with h5py, what the file
says of itself. `Opener.attempt(path)` opens it in every way and tells what came of it.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import h5py
import numpy as np

from recorder.superblock import lookup3
from rig.errors import RunError, UserError

MOST_BYTES = 1_500_000_000
"""How much more memory than it has at its start the opening process may take."""
CPU_LIMIT_S = 20
"""For all ways of opening a file together; the whole one takes less than two."""
TIME_LIMIT_S = 200.0
REPLAY_S = 2.0

_SIGNATURES = (
    *(b"OHDR", b"OCHK", b"GCOL", b"FRHP", b"FHDB", b"FHIB", b"BTHD", b"BTLF", b"BTIN"),
    *(b"EAHD", b"EAIB", b"EASB", b"EADB", b"FAHD", b"FADB"),
)


# --- damage -----------------------------------------------------------------------------------------


def corrupt(path: Path, random: Random) -> str:
    """Does one to three things to a file; says what."""
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        kind = random.choice(_KINDS)
        try:
            done.append(kind(path, random))
        except Exception as problem:  # what is damaged already may not be open to the next
            done.append(f"{kind.__name__} failed: {type(problem).__name__}")
    return "; ".join(done)


def _bytes(path: Path, random: Random) -> str:
    data = bytearray(path.read_bytes())
    what = random.choice(("flip", "flip", "flip", "zero", "noise", "cut", "insert", "remove"))
    offset = _random_offset(data, random)
    n = random.choice((1, 1, 2, 8, 64, 4096))
    if what == "flip":
        for _ in range(n):
            offset = _random_offset(data, random)
            data[offset] ^= 1 << random.randrange(8)
    elif what == "zero":
        data[offset : offset + n] = bytes(len(data[offset : offset + n]))
    elif what == "noise":
        data[offset : offset + n] = random.randbytes(len(data[offset : offset + n]))
    elif what == "cut":
        del data[offset:]
    elif what == "insert":
        data[offset:offset] = random.randbytes(n)
    else:
        del data[offset : offset + n]
    path.write_bytes(data)
    return f"{what} {n} at {offset}"


def _random_offset(data: bytearray, random: Random) -> int:
    """Anywhere, more often where the file speaks of itself."""
    if random.random() < 0.2:
        return random.randrange(len(data))
    if random.random() < 0.1:
        return random.randrange(64)
    signature = random.choice(_SIGNATURES)
    found = []
    at = data.find(signature)
    while at >= 0:
        found.append(at)
        at = data.find(signature, at + 1)
    return min(random.choice(found) + random.randrange(400), len(data) - 1) if found else 0


def _forged_header(path: Path, random: Random) -> str:
    """Bytes within an object's header changed, with a checksum that is right again."""
    data = bytearray(path.read_bytes())
    found = [k for k in range(0, len(data) - 16) if data[k : k + 4] == b"OHDR"]
    at = random.choice(found)
    flags = data[at + 5]
    start = at + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(data[start : start + width], "little")
    end = start + width + size
    for _ in range(random.choice((1, 2, 5))):
        data[random.randrange(start + width, end)] = random.choice(
            (0, 1, 0xFF, random.randrange(256))
        )
    data[end : end + 4] = lookup3(bytes(data[at:end])).to_bytes(4, "little")
    path.write_bytes(data)
    return f"forged header at {at}"


def _forged_superblock(path: Path, random: Random) -> str:
    data = bytearray(path.read_bytes())
    offset = random.randrange(8, 44)
    data[offset] = random.randrange(256)
    data[44:48] = lookup3(bytes(data[:44])).to_bytes(4, "little")
    path.write_bytes(data)
    return f"forged superblock at {offset}"


def _names(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visit(found.append)
    return [name for name in found if not name.startswith("specifications")]


def _structure(path: Path, random: Random) -> str:
    with h5py.File(path, "r+") as file:
        name = random.choice(_names(file))
        if random.random() < 0.15:
            name = "scratch/session"
        what = random.choice((_delete, _replace, _replace, _link, _grow, _fill, _fill, _attribute))
        what(file, name, random)
        return f"{what.__name__} {name}"


def _delete(file: h5py.File, name: str, random: Random) -> None:
    del file[name]


def _replace(file: h5py.File, name: str, random: Random) -> None:
    old = file[name]
    length = len(old) if isinstance(old, h5py.Dataset) and old.shape else 3
    attributes = dict(old.attrs)
    del file[name]
    make: list[Callable[[], Any]] = [
        lambda: file.create_group(name),
        lambda: file.create_dataset(name, data=np.zeros(length, "S5")),
        lambda: file.create_dataset(name, data=["a text"] * length),
        lambda: file.create_dataset(name, data=3.5),
        lambda: file.create_dataset(name, data=h5py.Empty("f8")),
        lambda: file.create_dataset(name, (length, 2, 2, 2), "<f8"),
        lambda: file.create_dataset(name, (length,), "<c16"),
        lambda: file.create_dataset(name, (1 << 40,), "<f8", chunks=(1 << 10,)),
        lambda: file.create_dataset(name, (1 << 34,), "|u1", chunks=(1 << 20,), compression="gzip"),
        lambda: file.create_dataset(name, (length,), [("a", "i4"), ("b", "f8")]),
        lambda: file.create_dataset(name, data=np.full(length, np.nan)),
        lambda: file.create_dataset(name, data=np.full(length, np.iinfo(np.int64).max)),
        lambda: file.create_dataset(name, data=np.full(length, -5)),
        lambda: file.create_dataset(
            name, (1 << 30,), "<f8", external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)]
        ),
        lambda: file.create_dataset(name, data=file["acquisition"].ref, dtype=h5py.ref_dtype),
    ]
    made = random.choice(make)()
    for key, value in attributes.items():
        made.attrs[key] = value


def _link(file: h5py.File, name: str, random: Random) -> None:
    del file[name]
    where = random.choice((name, "/", "acquisition", "nowhere", "outside", "pipe"))
    if where == "outside":
        file[name] = h5py.ExternalLink("/etc/passwd", "/x")
    elif where == "pipe":
        file[name] = h5py.ExternalLink("/dev/zero", "/x")
    elif random.random() < 0.5 and where in file:
        file[name] = file[where]
    else:
        file[name] = h5py.SoftLink(f"/{where}")


def _grow(file: h5py.File, name: str, random: Random) -> None:
    growing = [
        each for each in _names(file) if getattr(file[each], "maxshape", (1,))[:1] == (None,)
    ]
    data = file[random.choice(growing)]
    data.resize(random.choice((0, 1, len(data) + 7, len(data) * 3, 1 << 32, 1 << 50)), 0)


def _fill(file: h5py.File, name: str, random: Random) -> None:
    if name == "scratch/session":
        text = file[name][()]
        offset = random.randrange(len(text))
        number = random.choice(
            (b"-1", b"1e400", b"99999999999", b"9007199254740993", b"null", b"[]")
        )
        digits = [k for k in range(len(text)) if text[k : k + 1].isdigit()]
        offset = random.choice(digits)
        file[name][()] = text[:offset] + number + text[offset + 1 :]
        return
    numbers = [
        each
        for each in _names(file)
        if isinstance(file[each], h5py.Dataset)
        and file[each].size
        and file[each].dtype.kind in "iuf"
    ]
    tables = [each for each in numbers if not each.startswith("acquisition")]
    data = file[random.choice(tables or numbers)]
    values = data[:] if data.shape else data[()]
    flat = np.atleast_1d(values).reshape(-1)
    limits: Any = np.finfo if flat.dtype.kind == "f" else np.iinfo
    extremes = [limits(flat.dtype).max, limits(flat.dtype).min, 0, 1]
    if flat.dtype.kind == "f":
        extremes += [np.nan, np.inf, -np.inf]
    for _ in range(random.choice((1, 1, 5, len(flat)))):
        flat[random.randrange(len(flat))] = random.choice(extremes)
    data[...] = flat.reshape(data.shape)


def _attribute(file: h5py.File, name: str, random: Random) -> None:
    holder = random.choice((file, file[name]))
    key = random.choice([*holder.attrs, "namespace", "neurodata_type"])
    holder.attrs[key] = random.choice(
        (3, "x" * 1000, np.zeros(50), np.nan, h5py.Empty("f8"), ["a", "b"])
    )


_KINDS = (
    _bytes,
    _bytes,
    _bytes,
    _structure,
    _structure,
    _structure,
    _forged_header,
    _forged_superblock,
)


# --- opening ----------------------------------------------------------------------------------------


class OpenResult(NamedTuple):
    """What came of one way of opening a file: exit status, and what stood on standard error."""

    way: str
    status: int
    said: str


def _touch_everything(path: Path) -> None:
    import recorder

    with recorder.open(path) as recording:
        for name in recording.series:
            recording.values(name)
        recording.times_s()
        recording.activity()
        recording.frame("body")
        assert recording.behaviours.keys() == set(recording.description.behaviours)
        assert recording.stimuli
        assert recording.trial_set is not None
        assert recording.task_event_times is not None
        assert recording.inputs is not None
        assert recording.events is not None
        assert recording.faults is not None
        assert recording.assets is not None
        for trial in recording.trials[:5]:
            recording.model_xml(trial)
            recording.trial_of(trial.first_tick)
        assert recorder.info(path)


def _command(*arguments: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        from cli.main import main

        sys.argv = ["rodent-rig", *(str(path) if each == "F" else each for each in arguments)]
        main()

    return run


WAYS: dict[str, Callable[[Path], None]] = {
    "open": _touch_everything,
    "info": _command("info", "F"),
    "replay": _command("replay", "F", "--bus", "--speed", "20"),
    "recover": _command("recover", "F"),
}


def _open_in_every_way(path: Path, results: int) -> None:
    """Runs in a process of its own, which it ends; writes what it is about to do, and what came of it."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_BYTES, now + MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = int(used.ru_utime + used.ru_stime) + CPU_LIMIT_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    said = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process)
    os.dup2(said.fileno(), 2)
    for way, act in WAYS.items():
        os.write(results, json.dumps([way]).encode() + b"\n")
        start = said.seek(0, os.SEEK_END)
        status = 0
        if way == "replay":
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
            signal.setitimer(signal.ITIMER_REAL, REPLAY_S)
        try:
            act(path)
        except SystemExit as left:
            status = int(left.code or 0)
        except (UserError, RunError) as problem:
            print(problem, file=sys.stderr)
            status = 2 if isinstance(problem, UserError) else 1
        except BaseException:
            traceback.print_exc()
            status = 70
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stderr.flush()
        said.seek(start)
        text = said.read().decode("utf-8", "replace")
        os.write(results, json.dumps(OpenResult(way, status, text)).encode() + b"\n")
    os._exit(0)


def _attempt(path: Path) -> list[OpenResult]:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        try:
            _open_in_every_way(path, theirs)
        finally:
            os._exit(1)
    os.close(theirs)
    way, found, late = "start", [], False
    with open(ours, "rb") as lines:
        while True:
            if not select.select([lines], [], [], TIME_LIMIT_S)[0]:
                late = True
                os.kill(pid, signal.SIGKILL)
            line = lines.readline()
            if not line:
                break
            way, *rest = json.loads(line)
            if rest:
                found.append(OpenResult(way, *rest))
    _, status = os.waitpid(pid, 0)
    if late:
        found.append(OpenResult(way, -999, f"no end within {TIME_LIMIT_S:g} s"))
    elif status:
        found.append(OpenResult(way, -status, "the process did not survive it"))
    return found


class Opener:
    """Opens files in every way, each in a new process, made from one that has its imports done."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.damaged_recordings"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def attempt(self, path: Path) -> list[OpenResult]:
        """What came of each way; one that the process did not survive has a status below 0."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return [OpenResult(*each) for each in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        """Ends it."""
        self._process.communicate(timeout=60)


def _serve() -> None:
    import pynapple  # noqa: F401
    import rich.console  # noqa: F401

    import cli.main
    import recorder.replay_session  # noqa: F401

    assert cli.main
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(_attempt(Path(line.rstrip("\n")))), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
