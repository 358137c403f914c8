"""What a recording is held to, for tests: the same bits as were sent, and a file that NWB's tools accept."""

from __future__ import annotations

import warnings
from pathlib import Path

from recorder import superblock
from recorder.reading import Recording
from rig.bus.message_types import Message


def assert_same(got: Message, sent: Message) -> None:
    """Equal in every number and every bit of every array that a recording keeps."""
    assert got.content == sent.content
    assert (got.session, got.tick, got.sequence) == (sent.session, sent.tick, sent.sequence)
    kept = {name: array for name, array in sent.arrays.items() if name in got.arrays}
    assert set(sent.arrays) - set(kept) <= {"camera"}
    assert set(got.arrays) == set(kept)
    for name, array in kept.items():
        assert got.arrays[name].dtype == array.dtype, name
        assert got.arrays[name].shape == array.shape, name
        assert got.arrays[name].tobytes() == array.tobytes(), name


def nwb_problems(path: Path, short: bool = True) -> list[str]:
    """What pynwb's validator finds, and what nwbinspector finds critical."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nwbinspector import Importance, inspect_nwbfile
        from pynwb import validate

        found = [str(error) for error in validate(path=str(path))]
        found += [
            f"{message.check_function_name}: {message.message}"
            for message in inspect_nwbfile(nwbfile_path=str(path), skip_validate=True)
            if message.importance.value >= Importance.CRITICAL.value
        ]
    if short:
        # nwbinspector takes a recording with fewer ticks than units (10.24 s) for a transposed one
        found = [problem for problem in found if "check_data_orientation" not in problem]
    return found


def flag_as_killed(file: Path) -> None:
    """Sets the superblock as a killed writer leaves it: flagged, its end of file out of date."""
    raw = bytearray(file.read_bytes())
    raw[11] = superblock.WRITE_FLAGS
    raw[28:36] = (len(raw) // 2).to_bytes(8, "little")
    raw[44:48] = superblock.lookup3(bytes(raw[:44])).to_bytes(4, "little")
    file.write_bytes(raw)


CLOCKS = ("latency", "wall_s", "engine_ms", "overrun", "tick_sequence", "answer_sequence")
"""Series that tell of wall time."""


def same_until(one: Recording, other: Recording, first: int, last: int) -> None:
    """Asserts that two recordings have the same values, bit for bit, from a tick to a tick."""
    for name in other.series:
        if name not in CLOCKS:
            a, b = one.values(name, first, last), other.values(name, first, last)
            assert len(a) == last - first + 1
            assert a.tobytes() == b.tobytes(), name
