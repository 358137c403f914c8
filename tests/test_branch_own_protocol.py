"""Branches into the session's own protocol: with a stimulus withheld, or with one added; and dry runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import recorder
from tests.rodent_rig import FIRST_LIGHT, rodent_rig_here
from tests.shared_recordings import first_light
from tests.test_rerun import same_until


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_light(tmp_path_factory).file


@pytest.fixture(scope="module")
def onset(session: Path) -> int:
    """The first tick of a delivered silence, after the first snapshot."""
    with recorder.open(session) as recording:
        found = [
            each.onset_tick
            for each in recording.intervals("stimuli")
            if not each.sham and each.onset_tick > 60
        ]
    return found[0]


def test_a_stimulus_is_withheld_and_all_else_is_the_same(
    session: Path, onset: int, tmp_path: Path
) -> None:
    out = tmp_path / "g.nwb"
    at = ("--at-tick", onset - 2, "--lead", 0.1, "--last", 0.2)
    done = rodent_rig_here(
        "branch", session, *at, "--without", "silence", "--out", out, "--progress"
    )
    assert done.returncode == 0, done.stderr
    shares = [float(line.split()[1]) for line in done.stdout.splitlines() if "progress" in line]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    with recorder.open(session) as one, recorder.open(out) as other:
        (sham,) = [each for each in other.intervals("stimuli") if each.onset_tick == onset]
        assert (sham.name, sham.sham) == ("silence", True)
        same_until(one, other, onset - 6, onset - 1)
        natural = other.values("c_natural", onset, onset)
        assert (other.values("c_applied", onset, onset) == natural).all()
        assert (one.values("c_natural", onset, onset) == natural).all()
        # the protocol that ran is in the file, comments and all
        assert other.description.protocol_text.count("#") == one.description.protocol_text.count(
            "#"
        )


def test_a_stimulus_is_added(session: Path, onset: int, tmp_path: Path) -> None:
    """It acts from the next tick on; the recording says so, and is itself run again."""
    out, tick = tmp_path / "g.nwb", onset - 8
    wanted = {"layer": "core", "units": [0, 5], "value": 0.5, "for_ms": 60}
    done = rodent_rig_here(
        *("branch", session, "--at-tick", tick, "--last", 0.2),
        *("--add", json.dumps(wanted), "--out", out),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(out)]
    with recorder.open(session) as one, recorder.open(out) as other:
        same_until(one, other, tick - 5, tick)
        (added,) = [each for each in other.intervals("stimuli") if each.name == "outside"]
        assert (added.onset_tick, added.offset_tick) == (tick + 1, tick + 4)
        assert other.values("c_applied", tick + 1, tick + 1)[0, [0, 5]].tolist() == [0.5, 0.5]
    again = rodent_rig_here("rerun", out, "--from", tick * 0.02)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "identical" in again.stdout


def test_what_cannot_be_branched_is_said_before(session: Path, onset: int, tmp_path: Path) -> None:
    """A dry run makes nothing; its sentences are those of the command itself."""
    out = tmp_path / "g.nwb"
    own = ("branch", session, "--at-tick", onset, "--out", out, "--dry-run")
    possible = rodent_rig_here(*own, "--without", "silence")
    assert possible.returncode == 0, possible.stderr
    assert f"at tick {onset} is simulated from tick {onset // 50 * 50} on" in possible.stdout
    other_subject = tmp_path / "other.yaml"
    other_subject.write_text(FIRST_LIGHT.read_text().replace("task: corridor", "task: gaps"))
    for options, words in (
        (
            ("--without", "song"),
            "No rule of first-light delivers 'song'; its rules deliver silence",
        ),
        (("--add", "{"), "no JSON"),
        (("--add", '{"layer": "cortex", "units": [1]}'), "--add: layer has to be one of core"),
        (("--protocol", other_subject), "for the task 'gaps'"),
        (("--set", "units=3"), "--set is for the protocol"),
        (("--at", 1.0), "Say where to branch with one of"),
    ):
        refused = rodent_rig_here(*own, *options)
        assert refused.returncode == 2, options
        assert words in refused.stderr
    assert not out.exists()
