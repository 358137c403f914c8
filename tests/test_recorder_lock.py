"""Without locks nobody can tell a killed recorder from a living one, and the file is left alone."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

import recorder
from bench.synthetic_session import Stream, description
from recorder.opening import open_recording
from recorder.output_path import check_target
from recorder.recovery import recorded_state
from recorder.replay import ReplaySource
from recorder.writer import Writer
from rig.errors import UserError
from tests.recorder_checks import assert_same

N_TICKS = 40


class NoLocks:
    """A file system on which a lock fails with `number`; 0: locks work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self._fcntl = fcntl.fcntl
        monkeypatch.setattr(fcntl, "fcntl", self._call)

    def _call(self, descriptor: int, command: int, argument: Any = 0) -> Any:
        locks = (fcntl.F_SETLK, fcntl.F_SETLKW, getattr(fcntl, "F_OFD_SETLK", fcntl.F_SETLK))
        if self.number and command in locks:
            raise OSError(self.number, os.strerror(self.number))
        return self._fcntl(descriptor, command, argument)


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> NoLocks:
    return NoLocks(monkeypatch)


def _begun(path: Path) -> tuple[Writer, Stream]:
    """A recording with its first ticks on the disk, that goes on."""
    stream = Stream(description())
    _, files = stream.beginning()
    writer = Writer(path, stream.described, files.arrays, session="test")
    for message in stream.ticks(0, N_TICKS):
        writer.add(message)
    writer.flush()
    return writer, stream


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_what_may_be_live_is_not_repaired(locks: NoLocks, tmp_path: Path, number: int) -> None:
    """Refused in a sentence, byte for byte as it was; its recorder closes it as ever."""
    locks.number = number
    path = tmp_path / "live.nwb"
    writer, stream = _begun(path)
    before = path.read_bytes()
    assert recorded_state(path) == "unknown"
    with pytest.raises(UserError, match=r"has no locks .* not touched") as refused:
        recorder.recover(path)
    assert str(path) in str(refused.value)
    with recorder.open(path) as recording:
        assert (recording.state, recording.n_ticks) == ("unknown", N_TICKS)
    assert "has no locks" in recorder.info(path)
    with pytest.raises(UserError, match="has no locks"):
        check_target(path, overwrite=True)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]

    for message in stream.ticks(N_TICKS, N_TICKS):
        writer.add(message)
    writer.close()
    assert not recorder.recover(path).repaired
    with recorder.open(path) as recording:
        assert (recording.state, recording.n_ticks) == ("closed", 2 * N_TICKS)
    check_target(path, overwrite=True)


def test_a_copy_on_another_disk_is_repaired(locks: NoLocks, tmp_path: Path) -> None:
    """What was refused where there are no locks is repaired where there are."""
    locks.number = errno.ENOLCK
    path = tmp_path / "killed.nwb"
    writer, _ = _begun(path)  # held: one that is forgotten closes its file
    with pytest.raises(UserError):
        recorder.recover(path)
    locks.number = 0
    copy = tmp_path / "copy.nwb"
    copy.write_bytes(path.read_bytes())
    assert recorder.recover(copy).n_ticks == N_TICKS
    again = Stream(description())
    list(again.beginning())
    with ReplaySource(copy) as replay:
        for mine, theirs in zip(replay.messages(0, N_TICKS), again.ticks(0, N_TICKS), strict=True):
            assert_same(mine, theirs)
    writer.close()


def test_a_lock_that_comes_back_is_taken(locks: NoLocks, tmp_path: Path) -> None:
    """A recorder that began without one has it from its next flush on."""
    locks.number = errno.ENOLCK
    path = tmp_path / "live.nwb"
    writer, stream = _begun(path)
    locks.number = 0
    for message in stream.ticks(N_TICKS, 1):
        writer.add(message)
    writer.flush()
    with open_recording(path) as recording:
        assert recording.state == "live"
    with pytest.raises(UserError, match="is being recorded at present"):
        recorder.recover(path)
    writer.close()
