"""A recording in several files, read as one, holds what one file would hold; a missing file is named."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PyQt6.QtCore import QSettings
from pytestqt.qtbot import QtBot

import recorder
from bench.synthetic_session import Stream, description
from cli.main import main
from gui.main_window import MainWindow
from recorder.file_rotation import RotationLimit
from recorder.reading import Recording
from recorder.replay import ReplaySource
from recorder.rotating_writer import RotatingWriter
from recorder.snapshots import Snapshots
from rerun.comparison import Comparison
from rig.bus.message_types import EngineReply, Tick
from rig.errors import UserError
from tests.in_process_session import record
from tests.recorder_rig import Rig
from tests.rodent_rig import rodent_rig, rodent_rig_here

PROTOCOL = """
protocol: coin-at-run
subject: runner
task: corridor
trial_s: 2.0
stimuli:
  silence: {clamp: policy_2, units: {random: 64, seed: 1}, to: 0.0, state: cell}
  push: {clamp: policy_1, units: {first: 16}, to: 0.25, state: hidden}
  nudge: {clamp: policy_0, units: {first: 4}, to: 0.1, state: hidden}
rules:
  - {on: run.onset, do: silence, after_ms: 20, for_ms: 700, probability: 0.5, else: sham}
  - {on: {time_ms: 100}, do: push, for_ms: 600}
  - {on: {time_ms: 180}, do: nudge, for_ms: 200}
"""
N_TICKS, FIRST_TICKS = 300, (0, 110, 220)
"""At 2.2 s a file the rotations lie in a trial and in a `push`; at the first one a `nudge` begins."""

OF_THE_CLOCK = ("wall_s", "latency", "overrun", "engine_ms")
"""Series that two sessions of one seed do not share."""


class Session(NamedTuple):
    """One session recorded twice: by the program in `parts`, by this process in one file.

    `protocol` is what it ran under.
    """

    parts: tuple[Path, ...]
    whole: Path
    protocol: Path


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("concatenated")
    (folder / "parts").mkdir()
    protocol = folder / "coin.yaml"
    protocol.write_text(PROTOCOL)
    out = folder / "parts" / "F.nwb"
    run = ("run", protocol, "--seed", 5, "--duration", N_TICKS * 0.02, "--out", out)
    done = rodent_rig(*run, "--no-camera", "--no-picture", "--roll-over", "2.2s")
    assert done.returncode == 0, done.stderr
    assert f"{out} and 2 more, the last F_002.nwb ({N_TICKS} ticks" in done.stdout
    record(folder / "whole.nwb", PROTOCOL, N_TICKS, seed=5)
    names = ("F.nwb", "F_001.nwb", "F_002.nwb")
    parts = tuple(folder / "parts" / name for name in names)
    assert sorted((folder / "parts").glob("*.nwb")) == list(parts)
    return Session(parts, folder / "whole.nwb", protocol)


@pytest.fixture
def opened(session: Session) -> Iterator[tuple[Recording, Recording]]:
    """The parts as one, and the one file."""
    with (
        recorder.open(session.parts[0], parts=True) as concatenated,
        recorder.open(session.whole) as whole,
    ):
        yield concatenated, whole


def test_all_values_and_tables_are_those_of_one_file(
    opened: tuple[Recording, Recording], session: Session
) -> None:
    """Series bit for bit, also a stretch across both rotations; intervals, trials, events, each once."""
    concatenated, whole = opened
    assert concatenated.ticks.tolist() == whole.ticks.tolist() == list(range(N_TICKS))
    assert concatenated.series.keys() == whole.series.keys()
    for name in sorted(concatenated.series.keys() - set(OF_THE_CLOCK)):
        if not name.endswith("sequence"):
            assert concatenated.values(name).tobytes() == whole.values(name).tobytes(), name
    across = concatenated.values("qpos", 100, 230)
    assert across.tobytes() == whole.values("qpos", 100, 230).tobytes()
    steps = slice(3, 290, 7)
    np.testing.assert_array_equal(concatenated.block("body", steps), whole.block("body", steps))
    np.testing.assert_array_equal(concatenated.times_s(105, 115), np.arange(105, 116) * 0.02)
    core, expected = (each.activity("core", "h", start_s=2, stop_s=3) for each in opened)
    np.testing.assert_array_equal(core.values, expected.values)
    np.testing.assert_array_equal(core.t, expected.t)

    for table in ("behaviours", "stimuli"):
        assert concatenated.intervals(table) == whole.intervals(table)
    rotations_s = [tick * 0.02 for tick in FIRST_TICKS[1:]]
    cut = [
        [
            each.name
            for each in concatenated.intervals("stimuli")
            if each.start_s < rotation < each.stop_s
        ]
        for rotation in rotations_s
    ]
    assert all("push" in names for names in cut)
    assert rotations_s[0] in [each.start_s for each in concatenated.intervals("stimuli")]
    assert concatenated.events == whole.events
    assert concatenated.task_events == whole.task_events
    assert [replace(each, model=0, sequence=0) for each in concatenated.trials] == [
        replace(each, model=0, sequence=0) for each in whole.trials
    ]
    for one, other in zip(concatenated.trials, whole.trials, strict=True):
        assert concatenated.model_xml(one) == whole.model_xml(other)
    assert concatenated.trial_of(219) == concatenated.trials[2]
    assert concatenated.end == whole.end
    assert Snapshots(concatenated).ticks == Snapshots(whole).ticks
    assert (concatenated.name, concatenated.files, concatenated.state) == (
        "F.nwb and 2 more",
        session.parts,
        "closed",
    )
    with pytest.raises(UserError, match="open one of them"):
        _ = concatenated.nwb


def test_the_stream_is_that_of_one_file(session: Session) -> None:
    """Ticks, answers with what they ordered, trials: a replay of the parts is one of the session."""
    with ReplaySource(session.parts) as parts, ReplaySource(session.whole) as whole:
        same = Comparison(whole.messages(0, N_TICKS - 1), 0)
        for message in parts.messages(0, N_TICKS - 1):
            same.on_message(message)
        assert (same.difference, same.n_identical, same.complete) == (None, N_TICKS, True)
        for tick in (109, 110, 111, 220):
            assert parts.open_events(tick) == whole.open_events(tick)
        assert parts.end is not None


def test_any_part_and_the_folder_stand_for_the_recording(session: Session) -> None:
    """One part, the folder, all of them in any order; some of them are a stretch."""
    folder = session.parts[0].parent
    for where in (folder, str(folder), session.parts[::-1]):
        with recorder.open(where) as concatenated:
            assert (concatenated.files, concatenated.n_ticks) == (session.parts, N_TICKS)
    for part in session.parts:
        assert recorder.all_parts(part) == session.parts
    with recorder.open(session.parts[1:]) as stretch:
        assert (stretch.first_tick, stretch.last_tick) == (110, N_TICKS - 1)
        assert stretch.rows(0, 111) == slice(0, 2)
    with recorder.open(session.whole, parts=True) as whole:
        assert whole.files == (session.whole,)


def test_what_is_missing_or_does_not_belong_is_said(session: Session, tmp_path: Path) -> None:
    """One sentence with the file it is about."""
    first, second, third = (Path(shutil.copy(each, tmp_path / each.name)) for each in session.parts)

    def refused(where: Path | list[Path], words: str, parts: bool = True) -> None:
        with pytest.raises(UserError, match=words) as problem:
            recorder.open(where, parts)
        assert len(str(problem.value).splitlines()) == 1

    second.rename(tmp_path / "elsewhere")
    for where in (first, third, tmp_path):
        refused(where, r"Part 2 of .* is missing: there is no F_001\.nwb beside it")
    refused([first, third], r"Part 2 of .* is missing", parts=False)
    shutil.copy(session.whole, second)
    refused(first, r"Part 2 of .* is missing: F_001\.nwb is something else")
    refused(tmp_path, r"of another session")
    (tmp_path / "elsewhere").rename(second)
    third.rename(tmp_path / "elsewhere")
    refused(second, r"Part 3 of .* is missing: there is no F_002\.nwb beside it")
    hidden = tmp_path / ".F_002.nwb.0123abcd.part"  # its recorder was killed before it had its name
    hidden.touch()
    assert recorder.all_parts(second) == (first, second)
    hidden.unlink()
    (tmp_path / "elsewhere").rename(third)
    first.rename(tmp_path / "elsewhere")
    refused(third, r"Part 1 of .* is missing: there is no F\.nwb beside it")
    (tmp_path / "elsewhere").rename(first)
    copy = Path(shutil.copy(second, tmp_path / "copy.nwb"))
    refused([first, second, copy], r"part 2 of one recording twice", parts=False)
    refused(copy, r"Part 1 of .* is missing: copy\.nwb was renamed")
    second.unlink()
    assert recorder.all_parts(tmp_path) == (first, copy, third)  # in a folder names do not matter
    refused([], "No recording was named", parts=False)
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, r"no recording \(\.nwb\) in the folder")


def test_a_gap_between_parts_is_said(tmp_path: Path) -> None:
    """Ticks that were lost just at a rotation, and a second recording of the same session."""
    file, again = tmp_path / "F.nwb", tmp_path / "again.nwb"
    stream = Stream(description())
    described, files = stream.beginning()
    messages = list(stream.ticks(0, 90))
    for path, last_before in ((file, 49), (again, 55)):
        limit = RotationLimit(after_s=1.0)
        writer = RotatingWriter(
            path, description(), files.arrays, session=described.session, limit=limit
        )
        for message in messages:
            lost = isinstance(message.content, Tick | EngineReply) and 49 < message.tick < 60
            if message.tick <= last_before - 50 or lost:
                continue
            writer.add(message)
        writer.close()
    with pytest.raises(UserError, match=r"F_001\.nwb .* begins with tick 60") as problem:
        recorder.open(file, parts=True)
    assert "F.nwb: that ends with tick 49" in str(problem.value)
    with pytest.raises(UserError, match="are two recordings"):
        recorder.open([file, again])


def test_parts_are_read_while_the_last_one_grows(tmp_path: Path) -> None:
    """What is on disk of a running session, and what a refresh brings, until the next rotation."""
    stream = Stream(description())
    file = tmp_path / "F.nwb"
    messages = [*stream.beginning(), *stream.ticks(0, 230)]
    ticks = {each.tick: each for each in messages if each.topic == "tick"}
    with (
        tempfile.TemporaryDirectory(prefix="r") as sockets,
        Rig(Path(sockets), file, "--roll-over", "1.8s", warm=True) as rig,
    ):
        rig.send_all(each for each in messages if each.tick < 185)
        rig.wait_for("recording", 185)
        with recorder.open(file, parts=True) as concatenated:
            assert (concatenated.name, concatenated.state) == ("F.nwb and 2 more", "live")
            assert concatenated.ticks.tolist() == list(range(185))
            assert _run(concatenated) == (163, -1, True)
            rig.send_all(each for each in messages if each.tick >= 185)
            rig.wait_for("recording", 230)
            assert (concatenated.n_ticks, concatenated.refresh()) == (185, 230)
            for tick, row in zip(range(70, 230), concatenated.values("qpos", 70), strict=True):
                assert row.tobytes() == ticks[tick].arrays["qpos"].tobytes()
            assert _run(concatenated) == (163, 188, False)
            assert [each.trial for each in concatenated.trials] == [0, 1, 2]


def _run(concatenated: Recording) -> tuple[int, int, bool]:
    """The run that the rotation at tick 180 cut: onset, offset, whether it goes on."""
    (run,) = (each for each in concatenated.intervals("behaviours") if each.began_tick == 161)
    return run.onset_tick, run.offset_tick, run.ongoing


def _said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["rodent-rig", *map(str, arguments)])
    try:
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_command_line_reads_all_parts(
    session: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """info, check --against and export say of the parts what they say of one file; else exit 2."""

    def said(*arguments: object) -> str:
        status, out, err = _said(monkeypatch, capsys, *arguments)
        assert (status, err) == (0, "")
        return out

    summary = said("info", session.parts[1], "--parts")
    assert "F.nwb and 2 more" in summary
    assert "1 to 3, read as one: F.nwb, F_001.nwb, F_002.nwb" in summary
    assert f"{N_TICKS} ticks, 0 to {N_TICKS - 1}" in summary
    of_one = said("info", session.whole)
    for line in ("  trials ", "  reward ", "  behaviours ", "  stimuli ", "  ended "):
        (own,) = (each for each in summary.splitlines() if each.startswith(line))
        assert own in of_one
    assert said("info", session.parts[0].parent) == said("info", session.parts[2], "--parts")

    assert "F_002.nwb; --parts reads them as one" in said("info", session.parts[1])

    found = said("check", session.protocol, "--against", session.parts[0], "--parts")
    assert f"{N_TICKS} ticks" in found
    assert "These are the stimuli that were recorded, tick for tick." in found
    tables = [tmp_path / "parts.csv", tmp_path / "whole.csv"]
    said("export", session.parts[0], "--parts", "--intervals", tables[0])
    said("export", session.whole, "--intervals", tables[1])
    assert tables[0].read_text() == tables[1].read_text()
    spikes = said("spikes", session.parts[0], "--parts", "--out", tmp_path / "parts.nwb")
    of_one = said("spikes", session.whole, "--out", tmp_path / "whole.nwb")
    assert spikes.split(":")[1] == of_one.split(":")[1]

    no = tmp_path / "no.nwb"
    wrong = ("run", session.protocol, "--out", no, "--roll-over", "2 parsec")
    status, _, err = _said(monkeypatch, capsys, *wrong)
    assert (status, "such as 10min" in err) == (2, True)
    alone = shutil.copy(session.parts[1], tmp_path / "F_001.nwb")
    for command in (
        ("info", alone),
        ("replay", alone),
        ("gui", alone),
        ("check", session.protocol, "--against", alone),
        ("export", alone, "--intervals", tmp_path / "no.csv"),
    ):
        status, _, err = _said(monkeypatch, capsys, *command, "--parts")
        assert (status, len(err.strip().splitlines())) == (2, 1), err
        assert "Part 1 of the recording" in err


def test_the_window_plays_across_the_rotations(
    session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    """One time axis over all parts; no tick is left out where one file ends."""
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(None, settings)
    window.show()
    window.replay(session.parts, speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    assert "F.nwb and 2 more" in window.windowTitle()
    window.player.toggle_play()
    window.player.seek(95)
    qtbot.waitUntil(lambda: window.tick == 95, timeout=20_000)
    window.player.set_speed(5)
    window.player.toggle_play()
    qtbot.waitUntil(lambda: window.tick == N_TICKS - 1, timeout=20_000)
    raster = window.panels.timeline.raster
    assert raster.last_tick == N_TICKS - 1
    window.player.set_speed(0.1)  # slow enough to be seen there before it goes on
    window.player.seek(112)
    qtbot.waitUntil(lambda: raster.last_tick == 112, timeout=20_000)
    begun = [each.began_tick for each in window.panels.timeline.ethogram.stimuli_now()]
    assert any(tick is not None and tick < 110 for tick in begun)
    window.close()


def test_a_part_alone_and_all_of_them_are_run_again(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second file, simulated from the session's start; all from a snapshot on: bit for bit the same."""
    again = rodent_rig_here("rerun", session.parts[1])
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() == "F_001.nwb: identical for 110 ticks (2.20 s of animal time)."
    status, out, err = _said(
        monkeypatch, capsys, "rerun", session.parts[1], "--parts", "--from", 4.2
    )
    assert (status, err) == (0, "")
    assert "Resumed at tick 200" in out
    assert f"F.nwb and 2 more: identical for {N_TICKS - 200} ticks" in out
