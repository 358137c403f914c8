"""`python -m bench.recording_rate`: room to grow. A probe of 1,024 channels at 30 kHz beside the 512 units.

A synthetic source sends a session's messages with the probe's samples in each tick (int16, 61 MB/s) over the
lossless socket to the recorder process of a session, which appends, flushes and syncs as ever. Twice:

- at the pace of the probe, for a minute: was it kept up with, and is every sample there;
- as fast as the recorder takes it, in turns with h5py alone in this process: the same numbers appended to one
  data set of the same chunks, synced once at the end. No bus, no other series, no reader, nothing safe from a
  crash before the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import zmq
from rich.console import Console
from rich.table import Table

import recorder
from bench.synthetic_session import Stream, description
from recorder.layout import LIBVER
from rig.bus.encoding import decode
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import TICK_S, End, Message, RecorderReport, Signal, Tick
from rig.bus.socket_transport import SocketTransport
from rig.errors import RunError
from rig.session.directory import SessionDirectory

PROBE = Signal("probe", n_channels=1024, n_samples=600, volts_per_count=0.195e-6)
PROBE_BYTES = 2 * PROBE.n_channels * PROBE.n_samples
"""A tick's."""
AIM_SHARE = 0.8
QUEUE_TICKS = 500
"""How far the source runs ahead of the disk when it is not paced: ten seconds of ticks, as in a session."""
_POOL_TICKS = 50
_COUNTER = 1 << 15


@dataclass(frozen=True)
class Rate:
    """What came of sending so many seconds of the probe. `wall_s` is until the file was closed and synced.

    `gaps` are ticks, samples or messages that are missing in the file. At the probe's pace, `late_s` is how
    late the latest tick was sent, because the recorder's queue was full or this process was held up, and
    `behind_s` how far the disk lagged behind the source at worst. `cpu_ms` is processor time of the recorder
    process for a tick: other work on the machine, which slows both ways differently, changes it least.
    """

    seconds: float
    wall_s: float
    gaps: int
    late_s: float
    behind_s: float
    cpu_ms: float

    @property
    def mb_per_s(self) -> float:
        """Megabytes of the probe a second."""
        return self.seconds / TICK_S * PROBE_BYTES / 1e6 / self.wall_s

    @property
    def kept_up(self) -> bool:
        """Whether all of it was on the disk within a second of the source's end, and nothing is missing."""
        return self.gaps == 0 and self.wall_s < self.seconds + 1


class Source:
    """The messages of a session with a probe. Sample n of the probe has n modulo 2^15 in channel 0."""

    def __init__(self) -> None:
        self.stream = Stream(description(signals=(PROBE,)), session="bench")
        random = np.random.default_rng(1)
        self._noise = random.integers(
            -500, 500, (_POOL_TICKS, PROBE.n_samples, PROBE.n_channels), np.int16
        )
        self._pattern = list(self.stream.ticks(0, _POOL_TICKS))

    def beginning(self) -> list[Message]:
        """Description and assets."""
        return list(self.stream.beginning())

    def samples(self, tick: int) -> np.ndarray:
        """(n_samples, n_channels) of a tick; overwritten fifty ticks later."""
        samples = self._noise[tick % _POOL_TICKS]
        samples[:, 0] = (tick * PROBE.n_samples + np.arange(PROBE.n_samples)) % _COUNTER
        return samples

    def tick(self, tick: int) -> Iterator[Message]:
        """A tick and the engine's answer to it; before the first also its episode."""
        for message in self._pattern:
            if message.tick != tick % _POOL_TICKS or (message.topic == "episode" and tick):
                continue
            arrays = dict(message.arrays)
            if isinstance(message.content, Tick):
                arrays[PROBE.name] = self.samples(tick)
            yield replace(message, tick=tick, arrays=arrays)


class RunningRecorder:
    """The recorder process of a session, with a subject's transport to it."""

    def __init__(self, path: Path) -> None:
        self.directory = SessionDirectory.create()
        self.transport = SocketTransport(self.directory)
        self.transport.connect_recorder("recorder")
        self._inner = InnerSockets(self.directory)
        self._reports = self._inner.bind(zmq.PULL, "recorder_report")
        command = [sys.executable, "-m", "recorder.process", str(self.directory.path), str(path)]
        self._process = subprocess.Popen(command)
        self.on_disk = 0

    def begin(self, messages: list[Message]) -> None:
        """Sends the description and assets, and waits until the file is there."""
        for message in messages:
            self.transport.message(message.content, message.tick, message.arrays)
        self.wait_for("starting")
        if not self.transport.begin_recording(30.0):
            raise RunError("The recorder did not connect.")
        self.wait_for("recording")

    def listen(self, timeout_s: float = 0.0) -> str:
        """The state in the newest report that has come, "" if none has."""
        state = ""
        while self._reports.poll(0 if state else int(timeout_s * 1000)):
            report = decode(self._reports.recv_multipart()).content
            assert isinstance(report, RecorderReport)
            if report.state == "failed":
                raise RunError(report.error)
            state, self.on_disk = report.state, report.ticks_on_disk
        return state

    def wait_for(self, state: str, timeout_s: float = 120.0) -> None:
        """Waits for a report with this state."""
        deadline = time.monotonic() + timeout_s
        while self.listen(0.1) != state:
            if time.monotonic() > deadline:
                raise RunError(f"The recorder did not report {state!r} within {timeout_s:.0f} s.")

    def cpu_s(self) -> float:
        """Processor time that the recorder process has used so far, in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Leaves nothing of it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self.transport.close()
        self._reports.close()
        self._inner.close()
        self.directory.remove()


def record(source: Source, folder: Path, seconds: float, paced: bool) -> Rate:
    """So many seconds of the probe through a recorder process, checked sample by sample afterwards."""
    path = folder / "probe.nwb"
    n_ticks = round(seconds / TICK_S)
    running = RunningRecorder(path)
    late_s = behind_s = 0.0
    with contextlib.closing(running):
        running.begin(source.beginning())
        started, cpu_s = time.perf_counter(), running.cpu_s()
        for tick in range(n_ticks):
            due = started + tick * TICK_S
            while paced and (left_s := due - time.perf_counter()) > 0:
                time.sleep(left_s)
            while not paced and tick - running.on_disk > QUEUE_TICKS:
                running.listen(0.1)
            for message in source.tick(tick):
                outgoing = running.transport.message(message.content, tick, message.arrays)
                while not running.transport.to_recorder(outgoing):
                    running.listen(0.01)
            late_s = max(late_s, time.perf_counter() - due)
            running.listen()
            behind_s = max(behind_s, (tick + 1 - running.on_disk) * TICK_S)
        end = running.transport.message(End("duration", n_ticks, 0), n_ticks, {})
        while not running.transport.to_recorder(end):
            running.listen(0.01)
        running.transport.disconnect_recorder()
        running.wait_for("closed")
        wall_s = time.perf_counter() - started
        cpu_ms = (running.cpu_s() - cpu_s) / n_ticks * 1e3
    rate = Rate(seconds, wall_s, _gaps(path, n_ticks), late_s, behind_s, cpu_ms)
    path.unlink()
    return rate


def _gaps(path: Path, n_ticks: int) -> int:
    """Ticks and samples that are missing or out of order, and what the recorder has logged."""
    with recorder.open(path) as recording:
        found = sum(entry.kind != "end" for entry in recording.log)
        found += int(np.sum(recording.ticks != np.arange(len(recording.ticks))))
        found += abs(n_ticks - recording.n_ticks)
        numbers = recording.file[f"acquisition/{PROBE.name}/data"][:, 0].astype(np.int64)
        found += abs(n_ticks * PROBE.n_samples - len(numbers))
        return found + int(np.sum(np.diff(numbers) % _COUNTER != 1))


def h5py_alone(source: Source, folder: Path, seconds: float) -> tuple[float, float]:
    """The same samples appended to one data set by h5py and synced once: MB/s, and CPU ms a tick."""
    path = folder / "alone.h5"
    n_ticks, width = round(seconds / TICK_S), PROBE.n_samples
    started, cpu_s = time.perf_counter(), time.process_time()
    with h5py.File(path, "w", libver=LIBVER) as file:
        data = file.create_dataset(
            "data",
            (0, PROBE.n_channels),
            "<i2",
            maxshape=(None, PROBE.n_channels),
            chunks=(width, PROBE.n_channels),
        )
        for tick in range(n_ticks):
            data.resize((tick + 1) * width, 0)
            data[tick * width :] = source.samples(tick)
        file.flush()
        os.fsync(int(file.id.get_vfd_handle()))
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
    path.unlink()
    return n_ticks * PROBE_BYTES / 1e6 / wall_s, cpu_s / n_ticks * 1e3


def main() -> None:
    """Measures, prints the table, writes `bench/recording_rate.json`."""
    parser = argparse.ArgumentParser(prog="bench.recording_rate", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="at the probe's pace")
    parser.add_argument("--burst", type=float, default=10.0, help="seconds of the probe, unpaced")
    parser.add_argument("--rounds", type=int, default=3, help="bursts; their median counts")
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    given = parser.parse_args()
    source = Source()
    with tempfile.TemporaryDirectory(prefix="rr-", dir=given.folder) as name:
        folder = Path(name)
        paced = record(source, folder, given.seconds, paced=True)
        alone, ours = [], []
        for _ in range(given.rounds):
            alone.append(h5py_alone(source, folder, given.burst))
            ours.append(record(source, folder, given.burst, paced=False))
    shares = [rate.mb_per_s / by_itself for rate, (by_itself, _) in zip(ours, alone, strict=True)]
    share = float(np.median(shares))
    gaps = paced.gaps + sum(rate.gaps for rate in ours)
    _print(paced, ours, alone, share, gaps)
    results = {
        "paced": asdict(paced) | {"kept_up": paced.kept_up},
        "unpaced_mb_per_s": [rate.mb_per_s for rate in ours],
        "h5py_alone_mb_per_s": [rate for rate, _ in alone],
        "recorder_cpu_ms_per_tick": [rate.cpu_ms for rate in ours],
        "h5py_alone_cpu_ms_per_tick": [cpu_ms for _, cpu_ms in alone],
        "share": share,
        "shares": shares,
        "gaps": gaps,
        "load": os.getloadavg()[0],
    }
    path = Path(__file__).with_name("recording_rate.json")
    path.write_text(json.dumps(results, indent=2) + "\n")


def _print(
    paced: Rate, ours: list[Rate], alone: list[tuple[float, float]], share: float, gaps: int
) -> None:
    table = Table(
        title="1,024 channels x 30 kHz x int16 beside 512 units, recorded as a session is"
    )
    for name in ("", "measured", "aim", ""):
        table.add_column(name)
    need = PROBE_BYTES / 1e6 / TICK_S
    rows = [
        (
            f"kept up with for {paced.seconds:g} s",
            f"{need:.1f} MB/s; disk {paced.behind_s:.1f} s behind at worst, "
            f"closed {paced.wall_s - paced.seconds:.1f} s after",
            "closed within 1 s",
            paced.kept_up,
        ),
        ("gaps, all runs", str(gaps), "0", gaps == 0),
        (
            "as fast as it goes",
            f"{np.median([rate.mb_per_s for rate in ours]):.0f} MB/s",
            "",
            None,
        ),
        ("h5py alone", f"{np.median([rate for rate, _ in alone]):.0f} MB/s", "", None),
        (
            "CPU of the recorder, a tick",
            f"{np.median([rate.cpu_ms for rate in ours]):.2f} ms",
            "",
            None,
        ),
        ("CPU of h5py alone, a tick", f"{np.median([cpu for _, cpu in alone]):.2f} ms", "", None),
        (
            "share of h5py alone",
            f"{share:.0%}",
            f">= {AIM_SHARE:.0%}",
            share >= AIM_SHARE,
        ),
    ]
    for name, measured, aim, reached in rows:
        table.add_row(
            name, measured, aim, "" if reached is None else "reached" if reached else "MISSED"
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
