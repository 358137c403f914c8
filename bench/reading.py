"""`python -m bench.reading`: how fast a long recording is opened, read anywhere, and sought in a replay.

The recording is synthetic: a minute of a session of usual size, written by the recorder's own writer, whose
rows are then repeated to an hour (about 2.6 GB, without the camera) and removed again. Times are medians,
with the worst beside them; the file has just been written, so that the disk's cache helps as it would with
a recording that was looked at before.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

import recorder
from bench.synthetic_session import Stream, description
from gui.streams.replay_track import ReplayTrack
from recorder.layout import TIMESTAMPS
from recorder.replay import ReplaySource
from recorder.series_schema import stored_series
from recorder.table_schema import tables_of
from recorder.writer import Writer
from rig.bus.history import HISTORY_TICKS
from rig.bus.message_types import Description

PIECE_TICKS = 3000
"""A minute."""

AIMS = "aims: open < 500 ms, a random tick < 50 ms, seek < 200 ms"


def write(path: Path, hours: float) -> int:
    """The recording; returns its number of ticks."""
    described = description()
    stream = Stream(described)
    _, files = stream.beginning()
    writer = Writer(path, described, files.arrays, session="bench", camera=False)
    for message in stream.ticks(0, PIECE_TICKS):
        writer.add(message)
    writer.close()
    repeats = max(1, round(hours * 60))
    with h5py.File(path, "r+") as file:
        for series in stored_series(described, camera=False):
            _repeat(
                file[f"{series.path}/data"], repeats, PIECE_TICKS if series.name == "tick" else 0
            )
        _repeat(file[TIMESTAMPS], repeats, PIECE_TICKS * described.tick_s)
        _repeat_tables(file, described, repeats)
    return repeats * PIECE_TICKS


def _repeat(data: h5py.Dataset, repeats: int, shift: float = 0) -> None:
    """Appends the rows of a data set to itself, shifted by so much from one time to the next."""
    piece = data[:]
    data.resize(len(piece) * repeats, axis=0)
    for k in range(1, repeats):
        data[k * len(piece) : (k + 1) * len(piece)] = piece + piece.dtype.type(k * shift)


def _repeat_tables(file: h5py.File, described: Description, repeats: int) -> None:
    """The same with events and intervals: an hour has as many as an hour has."""
    for table in tables_of(described):
        if table.path not in file or table.name in ("models", "log", "inputs"):
            continue
        group = file[table.path]
        _repeat(group["id"], repeats, len(group["id"]))
        for column in table.columns:
            if column.name not in group:
                continue
            ticks = "tick" in column.name or column.name == "sequence"
            seconds = "time" in column.name
            per_piece = {True: PIECE_TICKS if ticks else PIECE_TICKS * described.tick_s}.get(
                ticks or seconds, 0
            )
            per_piece = PIECE_TICKS // 100 if column.name == "trial" else per_piece
            if column.ragged:
                _repeat(group[f"{column.name}_index"], repeats, len(group[column.name]))
            _repeat(group[column.name], repeats, per_piece)


def measure(path: Path, times: int = 40) -> dict[str, tuple[float, float]]:
    """Milliseconds, median and worst, of each thing that a reader does."""
    found: dict[str, list[float]] = {}

    def clock(name: str, started: float) -> None:
        found.setdefault(name, []).append((time.perf_counter() - started) * 1e3)

    random = np.random.default_rng(0)
    for _ in range(times // 4):
        started = time.perf_counter()
        recording = recorder.open(path)
        clock("open", started)
        tick = int(random.integers(0, recording.n_ticks))
        started = time.perf_counter()
        for name in recording.series:
            recording.values(name, tick, tick)
        clock("a random tick, all series", started)
        unit = int(random.integers(0, recording.series["c_applied"].shape[0]))
        started = time.perf_counter()
        recording.block("c_applied", slice(0, recording.n_ticks), unit)
        clock("a unit's c, all ticks", started)
        recording.close()
    with ReplaySource(path) as source:
        source.open_events(1)  # events are read once, at the first
        for _ in range(times):
            tick = int(random.integers(HISTORY_TICKS, source.last_tick))
            started = time.perf_counter()
            source.messages(tick, tick)
            clock("a random tick as messages", started)
            tick = int(random.integers(HISTORY_TICKS, source.last_tick))
            started = time.perf_counter()
            source.open_events(tick - HISTORY_TICKS + 1)
            source.messages(tick - HISTORY_TICKS + 1, tick)
            clock("seek: the ten seconds before", started)
            started = time.perf_counter()
            ReplayTrack(0, source).jump(tick)
            clock("seek: what the window draws of them", started)
    return {name: (float(np.median(each)), max(each)) for name, each in found.items()}


def main() -> None:
    """Writes, measures, prints, removes."""
    parser = argparse.ArgumentParser(prog="bench.reading", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        path = Path(folder) / "long.nwb"
        n_ticks = write(path, given.hours)
        print(f"{n_ticks} ticks, {path.stat().st_size / 1e9:.2f} GB")
        results = measure(path)
    for name, (median, worst) in results.items():
        print(f"{name:<36} {median:8.1f} ms   worst {worst:8.1f} ms")
    print(AIMS)
    out = Path(__file__).with_name("reading.json")
    rows = {name: {"median_ms": m, "worst_ms": w} for name, (m, w) in results.items()}
    out.write_text(json.dumps({"ticks": n_ticks, "times": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
