"""Damages recordings: `corrupt(path, random)` does something to a file, from a seed.

It changes bytes on the disk, or, with h5py, what the file says of itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from recorder.superblock import lookup3

_SIGNATURES = (
    *(b"OHDR", b"OCHK", b"GCOL", b"FRHP", b"FHDB", b"FHIB", b"BTHD", b"BTLF", b"BTIN"),
    *(b"EAHD", b"EAIB", b"EASB", b"EADB", b"FAHD", b"FADB"),
)


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
