"""The camera is compressed as it is recorded: whole chunks at once, and nothing waits long for one."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

import recorder
from bench.synthetic_session import Stream, description
from recorder.layout import LIBVER
from recorder.packing import PackedAppender
from recorder.series_schema import CAMERA_CHUNK, stored_series
from recorder.writer import Writer
from rig.bus.message_types import Message

ROWS = CAMERA_CHUNK[0]
N_TICKS = 3 * ROWS + 3


@pytest.fixture(scope="module")
def session() -> list[Message]:
    """Ticks and answers, with pictures that are smooth, as a camera's are."""
    stream = Stream(description())
    messages = list(stream.beginning())
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)[..., None].repeat(3, 2)
    for message in stream.ticks(0, N_TICKS):
        if message.topic == "tick":
            picture = ramp + np.uint8(message.tick)
            message = dataclasses.replace(message, arrays={**message.arrays, "camera": picture})
        messages.append(message)
    return messages


def _send(writer: Writer, session: list[Message], first: int, stop: int) -> None:
    for message in session[2:]:
        if first <= message.tick < stop:
            writer.add(message)


def _chunks(file: h5py.File) -> Iterator[tuple[int, bool, int]]:
    """First row, whether it is compressed, and bytes of each chunk."""
    data = file["acquisition/camera/data"]
    for k in range(data.id.get_num_chunks()):
        info = data.id.get_chunk_info(k)
        yield info.chunk_offset[0], info.filter_mask == 0, info.size


def _sent(session: list[Message], stop: int) -> np.ndarray:
    frames = [m.arrays["camera"] for m in session if m.topic == "tick" and m.tick < stop]
    return np.stack(frames)


def test_whole_chunks_are_compressed_and_a_part_of_one_waits_a_moment(
    session: list[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waited too long is written as it is, in place; live, killed or closed, every frame is there."""
    path = tmp_path / "packed.nwb"
    writer = Writer(path, description(), session[1].arrays, session="test", camera=True)
    monkeypatch.setattr(recorder.writer, "WAIT_FOR_CHUNK_S", 1000.0)
    _send(writer, session, 0, ROWS + 2)
    writer.flush()
    assert (writer.ticks_on_disk, writer.last_tick_on_disk) == (ROWS, ROWS - 1)
    monkeypatch.setattr(
        recorder.writer, "WAIT_FOR_CHUNK_S", -1.0
    )  # it has waited for as long as it may
    writer.flush()
    assert (writer.ticks_on_disk, writer.last_tick_on_disk) == (ROWS + 2, ROWS + 1)
    with recorder.open(path) as live:
        assert (live.state, live.n_ticks) == ("live", ROWS + 2)
        np.testing.assert_array_equal(live.values("camera"), _sent(session, ROWS + 2))
        _send(writer, session, ROWS + 2, 2 * ROWS)
        writer.flush()
        assert live.refresh() == 2 * ROWS
        np.testing.assert_array_equal(live.values("camera"), _sent(session, 2 * ROWS))
    size = path.stat().st_size
    _send(writer, session, 2 * ROWS, N_TICKS)
    writer.flush()
    killed = Path(shutil.copy(path, tmp_path / "killed.nwb"))
    assert writer.ticks_on_disk == N_TICKS
    writer.close()
    with h5py.File(path) as file:
        packed = {row: compressed for row, compressed, _ in _chunks(file)}
        sizes = {row: n_bytes for row, _, n_bytes in _chunks(file)}
        data = file["acquisition/camera/data"]
        assert (data.compression, data.shuffle) == ("gzip", False)  # which every HDF5 has
    assert packed == {0: True, ROWS: False, 2 * ROWS: True, 3 * ROWS: False}
    assert sizes[0] < 0.2 * sizes[ROWS]
    assert path.stat().st_size - size < 400_000
    assert recorder.recover(killed).n_ticks == N_TICKS
    for each in (path, killed):
        with recorder.open(each) as recording:
            np.testing.assert_array_equal(recording.values("camera"), _sent(session, N_TICKS))


def test_a_recording_that_ends_has_its_last_frames_compressed(
    session: list[Message], tmp_path: Path
) -> None:
    path = tmp_path / "ended.nwb"
    writer = Writer(path, description(), session[1].arrays, session="test", camera=True)
    _send(writer, session, 0, N_TICKS)
    writer.close()
    assert writer.ticks_on_disk == N_TICKS
    with h5py.File(path) as file:
        assert all(compressed for _, compressed, _ in _chunks(file))
        np.testing.assert_array_equal(file["acquisition/camera/data"], _sent(session, N_TICKS))


def test_chunks_at_the_edge_of_a_picture_are_whole(tmp_path: Path) -> None:
    """A picture whose height is no multiple of a chunk's."""
    frames = np.random.default_rng(0).integers(0, 255, (11, 10, 7), np.uint8)
    path = tmp_path / "edge.h5"
    with h5py.File(path, "w", libver=LIBVER) as file:
        data = file.create_dataset(
            "x", (0, 10, 7), "u1", maxshape=(None, 10, 7), chunks=(4, 4, 7), compression="gzip"
        )
        packed = PackedAppender(data)
        for first, stop in ((0, 3), (3, 9), (9, 11)):
            packed.write(frames[first:stop], final=stop == 11)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["x"], frames)


def test_a_minute_of_the_file_is_no_larger_than_is_said(
    session: list[Message], tmp_path: Path
) -> None:
    """What is stored of a tick, without its camera: 3,000 of them are the size that the page has."""
    described = description()
    row_bytes = sum(
        int(np.prod(each.shape)) * np.dtype(each.dtype).itemsize * each.samples
        for each in stored_series(described, camera=False)
    )
    assert row_bytes < 8_000
    path = tmp_path / "size.nwb"
    writer = Writer(path, described, {}, session="test")
    stream = Stream(described)
    list(stream.beginning())
    for message in stream.ticks(0, 700):
        if message.topic == "tick":
            natural = {f"{s}_applied": message.arrays[f"{s}_natural"] for s in "ch"}
            message = dataclasses.replace(message, arrays={**message.arrays, **natural})
        writer.add(message)
    writer.close()
    assert path.stat().st_size < 700 * row_bytes * 1.1 + 1_500_000
