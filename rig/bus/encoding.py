"""The one encoding of messages.

A message is a ZeroMQ multipart of `topic | header | arrays`. The header is msgpack; the arrays follow in
one frame as raw little-endian, C-ordered bytes, one after the other, each padded to a multiple of eight
bytes, and described in the header by name, dtype and shape. (One frame, not one each: sending costs four
microseconds a frame and receiver, which would be a fifth of a tick's overhead.)
`docs/bus.md` says the same for a reader who writes a client in another language.

Nothing here is pickled and nothing received is executed; a frame that does not fit its description raises
`MessageError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from rig.bus.message_types import Array, Content, Count, Message

VERSION = 1
MAX_BYTES = 256 * 1024 * 1024
MAX_ARRAYS = 1024
_ALIGNMENT = 8
_DTYPES = {name: np.dtype(name) for name in ("<f8", "<f4", "<i8", "<i4", "<i2", "|u1", "|b1")}


class MessageError(ValueError):
    """A received message that is not what it says it is; the sentence says in what."""


class _ArraySpec(msgspec.Struct, frozen=True, array_like=True):
    name: str
    dtype: str
    shape: tuple[int, ...]


class _Header(msgspec.Struct, frozen=True):
    version: int
    session: str
    tick: Count
    sequence: Count
    arrays: tuple[_ArraySpec, ...]
    content: Content


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Header)


def encode(message: Message) -> list[bytes]:
    """The frames of a message, ready for `send_multipart`.

    Raises ValueError for a dtype that the bus does not carry.
    """
    specs = []
    pieces: list[Any] = []  # bytes, and arrays as they lie in memory
    for name, array in message.arrays.items():
        plain = np.asarray(array, order="C")
        dtype = plain.dtype.str
        if dtype not in _DTYPES:
            plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
            dtype = plain.dtype.str
        if dtype not in _DTYPES:
            raise ValueError(
                f"array {name!r} has dtype {plain.dtype}, which the bus does not carry"
            )
        specs.append(_ArraySpec(name, dtype, plain.shape))
        pieces.append(plain)
        if padding := -plain.nbytes % _ALIGNMENT:
            pieces.append(bytes(padding))
    header = _encoder.encode(
        _Header(
            VERSION, message.session, message.tick, message.sequence, tuple(specs), message.content
        )
    )
    return [message.topic.encode(), header, b"".join(pieces)]


def decode(frames: Sequence[bytes]) -> Message:
    """The message in these frames; its arrays are read-only views of the last.

    Raises `MessageError` with one sentence when a frame is missing, malformed, too large, of another
    version, or does not fit what the header says of it.
    """
    if len(frames) != 3:
        raise MessageError(
            f"a message has three frames (topic, header, arrays), this one {len(frames)}"
        )
    topic, packed, payload = frames
    try:
        header = _decoder.decode(packed)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise MessageError(f"the header is not a message header: {problem}") from None
    if header.version != VERSION:
        raise MessageError(
            f"the message has version {header.version}; this program reads version {VERSION}"
        )
    if topic != str(header.content.__struct_config__.tag).encode():
        raise MessageError(f"the topic {bytes(topic[:40])!r} is not that of the content")
    if len(payload) > MAX_BYTES or len(header.arrays) > MAX_ARRAYS:
        raise MessageError(
            f"{len(header.arrays)} arrays of {len(payload)} bytes are more than a message may have"
        )
    arrays: dict[str, Array] = {}
    offset = 0
    for spec in header.arrays:
        size = _size_of(spec)
        if offset + size > len(payload):
            raise MessageError(
                f"array {spec.name!r} of {spec.dtype} and shape {spec.shape} does not fit its message"
            )
        try:
            arrays[spec.name] = np.ndarray(spec.shape, _DTYPES[spec.dtype], payload, offset)
        except ValueError:  # of size 0, with a side that is longer than an array's may be
            raise MessageError(
                f"array {spec.name!r} has the impossible shape {spec.shape}"
            ) from None
        offset += size + -size % _ALIGNMENT
    if offset != len(payload):
        raise MessageError(
            f"the header describes {offset} bytes of arrays, the message has {len(payload)}"
        )
    return Message(header.content, header.session, header.tick, header.sequence, arrays)


def _size_of(spec: _ArraySpec) -> int:
    """Bytes of an array as described, without its padding."""
    if spec.dtype not in _DTYPES:
        raise MessageError(
            f"array {spec.name!r} has dtype {spec.dtype!r}, which the bus does not carry"
        )
    count = 1
    for length in spec.shape:
        if length < 0 or len(spec.shape) > 8:
            raise MessageError(f"array {spec.name!r} has the impossible shape {spec.shape}")
        count *= length
    return count * _DTYPES[spec.dtype].itemsize
