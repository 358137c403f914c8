"""The first 48 bytes of an HDF5 file: whether it was closed, and where it ends.

A process that is killed while it writes leaves two things in the superblock that keep ordinary readers
away: the flags "open for writing", and an end-of-file address from when writing began. Both are set
right here, with the checksum that covers them. Format: HDF5 File Format Specification 3.0, II.A
(superblock versions 2 and 3); checksum: Bob Jenkins' lookup3 ("hashlittle", initial value 0).
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SIZE = 48
WRITE_FLAGS = 0x01 | 0x04
_LAYOUT = struct.Struct("<8sBBBB4QI")


@dataclass(frozen=True)
class Superblock:
    """What a superblock of version 2 or 3 says; `whole` tells whether its checksum is right."""

    version: int
    flags: int
    end_of_file: int
    whole: bool

    @property
    def open_for_writing(self) -> bool:
        """Whether a writer opened the file and has not closed it."""
        return bool(self.flags & WRITE_FLAGS)


def read(path: Path) -> Superblock | None:
    """The superblock of a file; None if it does not begin with one of version 2 or 3."""
    with path.open("rb") as file:
        return parse(file.read(SIZE))


def may_be_open(path: Path) -> bool:
    """Whether a file says that a writer has it open, or is too damaged to say that none has."""
    block = read(path)
    return block is not None and (block.open_for_writing or not block.whole)


def parse(block: bytes) -> Superblock | None:
    """The superblock in these bytes; None if they are none of version 2 or 3 with 8-byte addresses."""
    if len(block) < SIZE:
        return None
    signature, version, offsets, lengths, flags, _, _, end, _, checksum = _LAYOUT.unpack(
        block[:SIZE]
    )
    if signature != SIGNATURE or version not in (2, 3) or (offsets, lengths) != (8, 8):
        return None
    return Superblock(version, flags, end, checksum == lookup3(block[: SIZE - 4]))


def repaired(block: bytes, end_of_file: int) -> bytes:
    """The same superblock, closed, with this end-of-file address and a right checksum."""
    fields = list(_LAYOUT.unpack(block[:SIZE]))
    fields[4] &= ~WRITE_FLAGS
    fields[7] = end_of_file
    body = _LAYOUT.pack(*fields)[: SIZE - 4]
    return body + struct.pack("<I", lookup3(body))


class AsIfClosed(io.FileIO):
    """A file that a killed writer left, read as if it had closed it: as it is, but for the superblock.

    For h5py in place of SWMR reading, in which HDF5 waits, in effect for ever, for damaged metadata to
    become whole.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path
        self._block = repaired(super().read(SIZE), os.fstat(self.fileno()).st_size)

    def readinto(self, buffer: Any, /) -> int:
        """As that of any file."""
        at = self.tell()
        n = super().readinto(buffer) or 0
        if at < SIZE:
            known = self._block[at : at + n]
            memoryview(buffer).cast("B")[: len(known)] = known
        return n

    def __repr__(self) -> str:
        return str(self._path)  # h5py takes this as the file's name


def lookup3(data: bytes) -> int:
    """Jenkins' hashlittle of some bytes, as HDF5 uses it for metadata checksums (32 bits)."""
    mask = 0xFFFFFFFF
    a: int
    b: int
    c: int
    a = b = c = (0xDEADBEEF + len(data)) & mask

    def turn(x: int, bits: int) -> int:
        return ((x << bits) | (x >> (32 - bits))) & mask

    start = 0
    while len(data) - start > 12:
        words: tuple[int, int, int] = struct.unpack_from("<3I", data, start)
        a, b, c = (a + words[0]) & mask, (b + words[1]) & mask, (c + words[2]) & mask
        a = (a - c) & mask ^ turn(c, 4)
        c = (c + b) & mask
        b = (b - a) & mask ^ turn(a, 6)
        a = (a + c) & mask
        c = (c - b) & mask ^ turn(b, 8)
        b = (b + a) & mask
        a = (a - c) & mask ^ turn(c, 16)
        c = (c + b) & mask
        b = (b - a) & mask ^ turn(a, 19)
        a = (a + c) & mask
        c = (c - b) & mask ^ turn(b, 4)
        b = (b + a) & mask
        start += 12
    tail = data[start:]
    if not tail:
        return c
    words = struct.unpack("<3I", tail.ljust(12, b"\0"))
    a, b, c = (a + words[0]) & mask, (b + words[1]) & mask, (c + words[2]) & mask
    c = ((c ^ b) - turn(b, 14)) & mask
    a = ((a ^ c) - turn(c, 11)) & mask
    b = ((b ^ a) - turn(a, 25)) & mask
    c = ((c ^ b) - turn(b, 16)) & mask
    a = ((a ^ c) - turn(c, 4)) & mask
    b = ((b ^ a) - turn(a, 14)) & mask
    return ((c ^ b) - turn(b, 24)) & mask
