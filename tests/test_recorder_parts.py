"""A recording that rolls over into further files: whole parts, nothing lost or doubled, also by a kill."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import recorder
from bench.synthetic_session import Stream, description
from gui.streams.recorder_watch import RecorderWatch
from recorder.file_rotation import RotationLimit, check_parts, parse_rotation_limit
from recorder.replay import ReplaySource
from recorder.rotating_writer import RotatingWriter
from recorder.writer import Writer
from rig.bus.message_types import Description, Input, Message, RecorderReport, Status, Tick
from rig.errors import UserError
from tests.recorder_checks import assert_same, nwb_problems
from tests.recorder_rig import Rig

N_TICKS = 530
FIRST_TICKS = (0, 205, 410)
"""At 4.1 s a file; the rotations lie within a trial, a `run` and a stimulus."""


@pytest.fixture(scope="module")
def session() -> list[Message]:
    """A session's messages, description and assets first."""
    stream = Stream(description())
    return [*stream.beginning(), *stream.ticks(0, N_TICKS), stream.end(N_TICKS)]


@pytest.fixture(scope="module")
def rotated(
    session: list[Message], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[RecorderReport]]:
    """The first file of a recording in three, and all that the recorder reported meanwhile."""
    file = tmp_path_factory.mktemp("rotated") / "F.nwb"
    with (
        tempfile.TemporaryDirectory(prefix="r") as folder,
        Rig(Path(folder), file, "--roll-over", "4.1s") as rig,
    ):
        rig.send_all(iter(session[:2]))
        rig.wait_for("recording")
        for k in range(2, len(session), 50):
            rig.send_all(iter(session[k : k + 50]))
            rig.listen(0.05)
        assert rig.wait() == 0
        assert rig.process.stderr is not None
        assert rig.process.stderr.read() == ""
        return file, rig.reports


def _parts(first: Path) -> list[Path]:
    return sorted(first.parent.glob("*.nwb"), key=lambda path: (len(path.name), path.name))


def test_every_message_is_in_one_part_bit_for_bit(
    rotated: tuple[Path, list[RecorderReport]], session: list[Message]
) -> None:
    """Read one after the other the files give back the session; each begins with the trial that is open."""
    file, _ = rotated
    assert [path.name for path in _parts(file)] == ["F.nwb", "F_001.nwb", "F_002.nwb"]
    sent = iter(message for message in session[2:] if message.topic in ("tick", "answer"))
    episodes = [message for message in session if message.topic == "episode"]
    for number, path in enumerate(_parts(file)):
        with ReplaySource(path) as replay:
            assert replay.first_tick == FIRST_TICKS[number]
            assert_same(replay.description, session[0])
            assert_same(replay.assets, session[1])
            messages = replay.messages(replay.first_tick, replay.last_tick)
            trial = max(k for k, each in enumerate(episodes) if each.tick <= replay.first_tick)
            assert_same(messages[0], episodes[trial])
            for message in messages:
                if message.topic != "episode":
                    assert_same(message, next(sent))
            assert (replay.end is None) == (number < 2)
            assert replay.recording.state == "closed"
            assert replay.recording.parts == tuple(_parts(file))
    assert next(sent, None) is None


def test_open_intervals_are_in_both_parts(
    rotated: tuple[Path, list[RecorderReport]], session: list[Message], tmp_path: Path
) -> None:
    """Behaviours, stimuli and trials last as long, in all, as in one file; their numbers join them."""
    whole = tmp_path / "whole.nwb"
    writer = Writer(whole, description(), session[1].arrays, session="test")
    for message in session[2:]:
        writer.add(message)
    writer.close()

    def lengths(paths: list[Path]) -> dict[tuple[str, str, int], Any]:
        found: dict[tuple[str, str, int], float] = defaultdict(float)
        for path in paths:
            with recorder.open(path) as part:
                for table in ("behaviours", "stimuli"):
                    for each in part.intervals(table):
                        found[table, each.name, each.number] += each.stop_s - each.start_s
                for trial in part.trials:
                    found["trials", trial.condition, trial.trial] += trial.stop_s - trial.start_s
        return {key: pytest.approx(length) for key, length in found.items()}

    assert lengths(_parts(rotated[0])) == lengths([whole])
    with recorder.open(_parts(rotated[0])[1]) as second, recorder.open(whole) as one:
        ongoing = {each.name for each in second.intervals("behaviours") if each.onset_tick == -1}
        assert ongoing == {"run"}
        assert min(each.start_s for each in second.intervals("behaviours")) >= 205 * 0.02
        np.testing.assert_array_equal(second.values("qpos"), one.values("qpos", 205, 409))
        with ReplaySource(second.path) as replay, ReplaySource(whole) as complete:
            assert replay.open_events(205) == complete.open_events(205)
            assert replay.open_events(300) == complete.open_events(300)


def test_a_part_says_whether_the_protocol_is_armed_when_it_begins(
    session: list[Message], tmp_path: Path
) -> None:
    told = {30: Input("disarm", ""), 100: Input("arm", "")}
    limit, file = RotationLimit(after_s=1.0), tmp_path / "F.nwb"
    described = session[0].content
    assert isinstance(described, Description)
    writer = RotatingWriter(file, described, session[1].arrays, session="test", limit=limit)
    for message in session[2:]:
        content = message.content
        if message.tick < 160 and isinstance(content, Tick) and message.tick in told:
            inputs = (*content.inputs, told[message.tick])
            message = replace(message, content=msgspec.structs.replace(content, inputs=inputs))
        if message.tick < 160:
            writer.add(message)
    writer.close()
    found = []
    for path in _parts(file):
        with recorder.open(path) as part:
            found.append(part.disarmed)
    assert found == [((31, -1),), ((50, -1),), ((100, 101),), ()]
    with recorder.open(file, parts=True) as whole:
        assert whole.disarmed == ((31, 101),)


def test_acknowledgements_count_all_files(
    rotated: tuple[Path, list[RecorderReport]],
) -> None:
    """Its counts go up and are those of all files; the window's figure goes with them."""
    file, reports = rotated
    ticks = [report.ticks_on_disk for report in reports]
    assert ticks == sorted(ticks)
    assert all(report.last_tick == report.ticks_on_disk - 1 for report in reports)
    assert {report.part for report in reports} == {0, 1, 2}
    last = reports[-1]
    assert (last.state, last.ticks_on_disk, last.error) == ("closed", N_TICKS, "")
    assert last.file_bytes == sum(path.stat().st_size for path in _parts(file))
    assert Path(last.file).name == "F_002.nwb"
    watch = RecorderWatch()
    for k, report in enumerate(reports[1:]):
        processes = {"recorder": "alive"}
        watch.on_status(Status("running", processes, N_TICKS, 0, 1.0, report), k * 0.2)
        verdict = watch.judge(k * 0.2)
        assert verdict.state in ("recording", "idle")
        if report.part:
            assert verdict.file == f"F_{report.part:03d}.nwb (part {report.part + 1})"


def test_each_part_is_a_whole_nwb_file(rotated: tuple[Path, list[RecorderReport]]) -> None:
    """pynwb's validator and nwbinspector find nothing; identifiers differ; the summary names the files."""
    file, _ = rotated
    identifiers = set()
    for path in _parts(file):
        assert nwb_problems(path) == []
        with recorder.open(path) as part:
            identifiers.add(part.nwb.identifier)
            assert "virtual rodent" in part.nwb.subject.description
            assert part.nwb.protocol == description().protocol_text
    assert len(identifiers) == 3
    first, second, third = map(recorder.info, _parts(file))
    assert "1 of 3: F.nwb, F_001.nwb, F_002.nwb" in first
    assert "Continues in F_001.nwb with tick 205." in first
    assert "Continues F.nwb, which ends with tick 204" in second
    assert "behaviour run" in second
    assert "ended       in a further file" in second
    assert "3 of 3" in third
    assert "ended       duration" in third


def _killed(
    file: Path, session: list[Message], run_s: float, at_rotation: bool
) -> tuple[int, list[str]]:
    """Records at 400 ticks/s in files of 50 ticks and kills the recorder, if asked for during a rotation.

    Returns the ticks it had acknowledged, and the hidden files that were there at that moment.
    """
    with (
        tempfile.TemporaryDirectory(prefix="r") as folder,
        Rig(Path(folder), file, "--roll-over", "1s", warm=True) as rig,
    ):
        rig.send_all(iter(session[:2]))
        rig.wait_for("recording")
        started = time.monotonic()
        for n, message in enumerate(session[2:-1]):
            rig.send(message)
            time.sleep(max(0.0, started + n / 800 - time.monotonic()))
            if time.monotonic() > started + run_s and (not at_rotation or _hidden(file)):
                break
        deadline = time.monotonic() + 5
        while at_rotation and not _hidden(file) and time.monotonic() < deadline:
            pass
        os.kill(rig.process.pid, signal.SIGKILL)
        left = _hidden(file)
        rig.process.wait(60)
        rig.listen()
        return max(report.ticks_on_disk for report in rig.reports), left


def _hidden(file: Path) -> list[str]:
    return [path.name for path in file.parent.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("attempt", "at_rotation"), [(0, False), (1, False), (2, True), (3, True), (4, True)]
)
def test_a_kill_loses_nothing_that_was_acknowledged(
    session: list[Message], tmp_path: Path, attempt: int, at_rotation: bool
) -> None:
    """At any moment, and just when the next file is made: what was acknowledged is in the files, once."""
    file = tmp_path / "F.nwb"
    run_s = random.Random(attempt).uniform(0.1, 1.0)
    acknowledged, left = _killed(file, session, run_s, at_rotation)
    assert len(left) == 1 or not at_rotation
    ticks: list[int] = []
    for number, path in enumerate(_parts(file)):
        with recorder.open(path) as part:
            assert part.part == number
            assert part.state in ("closed", "recovered")
            ticks += part.ticks.tolist()
            last = part.last_tick
            assert all(each.stop_s <= (last + 1) * 0.02 + 1e-9 for each in part.trials)
            assert not any(each.ongoing for each in part.intervals("behaviours"))
    assert ticks == list(range(len(ticks)))
    assert len(ticks) >= acknowledged
    sent = {message.tick: message for message in session if message.topic == "tick"}
    with recorder.open(_parts(file)[-1]) as part:
        got = part.values("c_applied")
        for tick, row in zip(part.ticks.tolist(), got, strict=True):
            assert row.tobytes() == sent[tick].arrays["c_applied"].tobytes()
    recorder.recover(_parts(file)[-1])
    for path in _parts(file):
        assert not any(name.startswith(f".{path.name}") for name in _hidden(file))


def test_a_part_that_never_had_its_name_is_cleared_away(
    session: list[Message], tmp_path: Path
) -> None:
    """Killed after one file was closed and before the next had its name: nothing was in that one."""
    file = tmp_path / "F.nwb"
    writer = Writer(file, description(), session[1].arrays, session="test")
    for message in session[2:100]:
        writer.add(message)
    writer.close(next_file="Continues in F_001.nwb with tick 49.")
    hidden = tmp_path / ".F_001.nwb.0123abcd.part"
    hidden.write_bytes(file.read_bytes())
    assert "1 of 1: F.nwb, and what follows is not here" in recorder.info(file)
    with recorder.open(file) as recording:
        assert (recording.state, recording.parts) == ("closed", (file,))
    recorder.recover(file)
    assert not hidden.exists()


def test_a_name_that_is_taken_does_not_end_a_recording(
    session: list[Message], sockets: Path, tmp_path: Path
) -> None:
    """Refused before it begins; if the file appears meanwhile, the present one grows on, and says so."""
    file, other = tmp_path / "F.nwb", tmp_path / "F_001.nwb"
    other.write_bytes(b"precious")
    with pytest.raises(UserError, match=r"F_001\.nwb exists already"):
        check_parts(file, False)
    check_parts(file, True)
    other.unlink()
    with Rig(sockets, file, "--roll-over", "1s", warm=True) as rig:
        rig.send_all(iter(session[:2]))
        rig.wait_for("recording")
        other.write_bytes(b"precious")
        rig.send_all(iter(session[2:]))
        assert rig.wait() == 0
        assert "continues without a next file" in rig.reports[-1].error
        assert rig.reports[-1].ticks_on_disk == N_TICKS
    assert other.read_bytes() == b"precious"
    with recorder.open(file) as recording:
        assert recording.ticks.tolist() == list(range(N_TICKS))
        assert any("without a next file" in entry.text for entry in recording.log)


def test_limits_are_times_and_sizes() -> None:
    """What is neither, or too little, is refused in one sentence."""
    assert parse_rotation_limit("10min") == RotationLimit(after_s=600.0)
    assert parse_rotation_limit("1.5 h") == RotationLimit(after_s=5400.0)
    assert parse_rotation_limit("500MB") == RotationLimit(after_bytes=500_000_000)
    assert parse_rotation_limit("2gb") == RotationLimit(after_bytes=2_000_000_000)
    assert RotationLimit(after_bytes=10**8).is_due(60.0, 10**8)
    assert not RotationLimit(after_bytes=10**8).is_due(60.0, 10**8 - 1)
    for wrong in (
        "",
        "10",
        "ten minutes",
        "5 parsecs",
        "-3s",
        "0s",
        "0.1s",
        "1MB",
        "1e3s",
        "9" * 330 + "MB",
    ):
        with pytest.raises(UserError, match="roll-over") as refused:
            parse_rotation_limit(wrong)
        assert len(str(refused.value).splitlines()) == 1
