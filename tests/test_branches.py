"""Branches of recorded sessions: the same up to where they leave, and what their stimuli cause."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

import recorder
from cli.main import app
from tests.operated_session import PROTOCOL, operated_session
from tests.recorder_checks import same_until
from tests.rodent_rig import rodent_rig_here

MORE = """  - {on: %s.onset, do: more, for_ms: 200}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return operated_session(tmp_path_factory)


def test_a_branch_into_its_own_protocol_is_the_same_session(folder: Path) -> None:
    with recorder.open(folder / "f.nwb") as session:
        push, _ = (each for each in session.intervals("stimuli") if each.name == "push")
    out = folder / "same.nwb"
    options = ("--at-tick", push.onset_tick + 3, "--protocol", folder / "p.yaml", "--camera")
    done = rodent_rig_here("branch", folder / "f.nwb", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    with recorder.open(folder / "f.nwb") as session, recorder.open(out) as branch:
        assert branch.description.branched[0].tick == push.onset_tick + 3
        assert branch.end is not None
        assert session.end is not None
        assert (branch.end.reason, branch.end.ticks) == (session.end.reason, session.end.ticks)
        same_until(session, branch, 0, session.last_tick)
        assert branch.events == session.events
        assert branch.inputs == session.inputs


def test_a_branch_says_whether_the_protocol_was_armed_when_it_begins(folder: Path) -> None:
    with recorder.open(folder / "f.nwb") as session:
        ((first, end),) = session.disarmed
    out, tick = folder / "disarmed.nwb", first + 5
    assert tick + 5 < end
    options = ("--at-tick", tick, "--lead", 0.04, "--last", 0.1, "--out", out)
    done = rodent_rig_here("branch", folder / "f.nwb", *options)
    assert done.returncode == 0, done.stderr
    with recorder.open(out) as branch:
        assert branch.disarmed == ((tick - 2, -1),)


@pytest.fixture(scope="module")
def pairs(folder: Path) -> tuple[Path, Path, int]:
    """A folder of branches, one for each onset of a behaviour that occurred; their protocol; how many."""
    with recorder.open(folder / "f.nwb") as session:
        onsets = [each.name for each in session.intervals("behaviours") if each.onset_tick > 0]
    name = min(onsets, key=onsets.count)
    text = PROTOCOL.replace("rules:", "  more: {lesion: policy_2, units: all}\nrules:")
    (folder / "more.yaml").write_text(text + MORE % name)
    out = folder / "pairs"
    arguments = ("branch", folder / "f.nwb", "--every", f"behaviour:{name}", "--out", out)
    options = ("--protocol", folder / "more.yaml", "--lead", 0.1, "--last", 0.3)
    done = rodent_rig_here(*arguments, *options)
    assert done.returncode == 0, done.stderr
    made = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    app([str(each) for each in (*arguments, *options)], standalone_mode=False)
    assert made == {path: path.stat().st_mtime_ns for path in out.iterdir()}
    return out, folder / "more.yaml", onsets.count(name)


def test_pairs_are_the_same_up_to_the_event_and_differ_by_the_stimulus(
    folder: Path, pairs: tuple[Path, Path, int]
) -> None:
    files = sorted(pairs[0].iterdir())
    assert len(files) == pairs[2]
    for path in files:
        with recorder.open(folder / "f.nwb") as session, recorder.open(path) as branch:
            tick = branch.description.branched[0].tick
            same_until(session, branch, branch.first_tick, tick)
            assert branch.first_tick == max(0, tick - 5)
            if session.values("first", tick + 1, tick + 1).any() or tick == session.last_tick:
                continue
            (more,) = [
                each
                for each in branch.intervals("stimuli")
                if (each.name, each.number) == ("more", 1)
            ]
            assert more.onset_tick == tick + 1
            natural, applied = (
                each.values("c_natural", tick + 1, tick + 1) for each in (session, branch)
            )
            assert natural.tobytes() == applied.tobytes()
            assert not branch.values("c_applied", tick + 1, tick + 1)[0, 384:].any()
            assert session.values("c_applied", tick + 1, tick + 1)[0, 384:].any()


def test_the_effect_is_branch_minus_session(
    folder: Path, pairs: tuple[Path, Path, int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = folder / "effect.png"
    again = shutil.copy(next(pairs[0].iterdir()), tmp_path / "again.nwb")  # is no pair more
    words = ("figure", "effect", folder / "f.nwb", pairs[0], again, "--out", out)
    app([str(each) for each in words], standalone_mode=False)
    assert f"{pairs[2]} pairs from 1 session," in capsys.readouterr().out
    assert out.stat().st_size > 10_000
    with out.with_suffix(".csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["name"] == "policy_1/7"]
    before = [row for row in rows if int(row["offset_ticks"]) <= 0 and int(row["pairs"])]
    assert before
    assert all(float(row["mean"]) == 0 for row in before)
    differences = []
    for path in pairs[0].iterdir():
        with recorder.open(folder / "f.nwb") as session, recorder.open(path) as branch:
            tick = branch.description.branched[0].tick + 4
            one, other = (each.values("c_applied", tick, tick) for each in (session, branch))
            trials = session.values("trial", tick - 4, tick)
            if len(one) and len(other) and trials[0] == trials[-1]:
                differences.append(float(other[0, 263]) - float(one[0, 263]))
    (row,) = [row for row in rows if row["offset_ticks"] == "4"]
    assert (int(row["pairs"]), int(row["sessions"])) == (len(differences), bool(differences))
    if differences:
        assert float(row["mean"]) == pytest.approx(np.mean(differences), rel=1e-4)
