"""Sessions run again: identical to the bit, or said where not; and branches, which leave them."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import pytest

import recorder
from bench.synthetic_session import description as describe_stream
from cli.main import app
from recorder.layout import SESSION, SessionHeader
from recorder.writer import Writer
from rig.errors import RunError, UserError
from tests.in_process_session import record
from tests.operated import operate
from tests.recorder_checks import same_until
from tests.rodent_rig import FIRST_LIGHT, ROOT, RunningRig, rodent_rig, rodent_rig_here, wait_for
from tests.small_disk import small_disk

PROTOCOL = """
protocol: rerun-me
subject: runner
task: corridor
trial_s: 1
stimuli:
  hold: {clamp: policy_2, units: {random: 32}, to: 0.1, state: cell}
  push: {bias: policy_1, units: all, by: 0.5, state: hidden}
rules:
  - {on: {time_ms: 200}, do: hold, for_ms: 100, probability: 0.5, else: sham}
  - {on: {key: s}, do: push, for_ms: 200}
  - {on: {time_ms: 700}, do: clip, seconds: 1, after_ms: 800, max_count: 1}
"""
MORE = """  - {on: %s.onset, do: more, for_ms: 200}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`f.nwb`: keys, a client's stimulus, notes; it was paused, stepped, disarmed, armed and stopped.

    Clips of it are `mine.nwb`, of a client, and the one of the rule; `said` is what the command said.
    """
    folder = tmp_path_factory.mktemp("rerun")
    (folder / "p.yaml").write_text(PROTOCOL)
    runtime = Path(folder / "rt")
    runtime.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        options = ("--seed", 3, "--pace", "realtime", "--out", folder / "f.nwb", "--no-picture")
        with RunningRig("run", folder / "p.yaml", *options) as rig, rig.attach() as bus:
            last = [0]

            def passed(tick: int) -> bool:
                last.extend(message.tick for message in bus.poll(0.05))
                return max(last) >= tick

            bus.command("key", key="s")
            args: dict[str, Any] = {
                "layer": "core",
                "state": "cell",
                "units": [1, 2],
                "value": 0.5,
                "for_ms": 100,
            }
            bus.command("stimulate", name="mine", **args)
            part = {"layer": "policy_1", "units": [3, 4], "state": "both", "gain": 1.0}
            bus.command(
                "stimulate",
                name="by hand",
                parts=[{**part, "waveform": [[0.1, -0.1], [0.2, 0.3]]}],
                pulses={"width_ms": 40, "rate_hz": 10},
                for_ms=60_000,
                probability=0.7,
                origin="by hand",
            )
            now = max(last)
            wait_for(lambda: passed(now + 8), 120)
            assert rodent_rig_here("operate", "release-all").returncode == 0
            now = max(last)
            wait_for(lambda: passed(max(now + 20, 75)), 120)
            bus.command("pause")  # it is saved also while the animal stands still
            done = rodent_rig_here("clip", "--seconds", 1, "--out", folder / "mine.nwb")
            assert "mine.nwb: 1.00 s, ticks " in done.stdout, done.stderr
            with small_disk(folder / "small", 9) as disk:
                if disk is not None:
                    done = rodent_rig_here("clip", "--out", disk / "full.nwb")
                    assert done.returncode == 1
                    (folder / "full").write_text(done.stderr)
            bus.command("resume")
            operate(bus, last, passed)
            for wrong, said in (
                ({"seconds": 61}, "from 0.02 to 60"),
                ({"after_ms": -1}, "from 0 to 60000"),
                ({"file": "here.nwb"}, "absolute path"),
                ({"file": str(folder / "x.mp4")}, "is called …nwb"),
                ({"file": str(folder / "nowhere" / "x.nwb")}, "There is no folder"),
                ({"file": str(folder / "f.nwb")}, "exists already"),
                ({"minutes": 1}, "not 'minutes'"),
            ):
                with pytest.raises(RunError, match=said):
                    bus.command("save_clip", **wrong)
            for words, said in (
                (("core/1", "--clamp", 0, "--bias", 1), "--clamp VALUE or --bias VALUE"),
                (("core", "--clamp", 0), "name units as LAYER/UNITS"),
                (("cortex/1,2", "--bias", 1, "--rate", 5), "layer has to be one of core"),
            ):
                assert said in rodent_rig_here("stimulate", *words).stderr
            (folder / "gone").mkdir()

            def many() -> None:
                for number in range(5):
                    file = str(folder / "gone" / f"{number}.nwb")
                    bus.command("save_clip", after_ms=60_000, file=file)

            with pytest.raises(RunError, match="4 clips wait to be saved already"):
                many()
            (folder / "gone").rmdir()
            bus.command("stop")  # what waits is saved before the session is over
            status, _, trouble = rig.end(150)
            assert status == 0, trouble
            (folder / "said").write_text(trouble)
    return folder


def test_a_session_is_itself_again(folder: Path) -> None:
    with recorder.open(folder / "f.nwb") as session:
        kinds = [given.kind for _, given in session.inputs]
        assert sorted(kinds) == [
            *(
                "arm",
                "disarm",
                "key",
                "key",
                "key",
                "note",
                "note",
                "release_all",
                "stimulate",
                "stimulate",
                "stimulate",
            ),
        ]
        first, last = session.notes
        assert first == (7, "Ünruhig: 🐀 \u200d فأر")
        assert last[1] == "just before the end"
        # disarmed: nothing of the protocol, no sham either; what a client asked for is delivered
        ((begin, end),) = session.disarmed
        assert begin < 100
        assert end > 120
        within = [each for each in session.intervals("stimuli") if begin <= each.onset_tick < end]
        assert [each.name for each in within] == ["outside"]
        called = {each.called for each in session.intervals("stimuli") if each.name == "outside"}
        assert {"mine", "by hand"} <= called
        assert all(
            not each.called for each in session.intervals("stimuli") if each.name != "outside"
        )
        assert [each.name for each in session.intervals("stimuli") if each.onset_tick >= end] == [
            "push"
        ]
        assert session.end is not None
        assert session.end.reason == "stopped"
        n = session.n_ticks
    done = rodent_rig("rerun", folder / "f.nwb")
    assert done.returncode == 0, done.stderr
    assert f"identical for {n} ticks" in done.stdout
    assert "Made with" not in done.stdout
    said = rodent_rig_here("info", folder / "f.nwb").stdout
    assert "note        at 0.14 s: Ünruhig" in said
    assert "arm 1×" in said


def test_a_re_run_begins_at_a_snapshot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("rerun", folder / "f.nwb", "--from", 1.2, "--until", 1.4)
    app([str(each) for each in words], standalone_mode=False)
    out = capsys.readouterr().out
    assert "Resumed at tick 50 (1.00 s)" in out  # the first of a trial
    assert "identical for 21 ticks" in out


def test_clips_of_a_session_are_its_own_ticks(folder: Path) -> None:
    """Beside the recording, for a client and for a rule, over the end of a trial."""
    (by_rule,) = folder.glob("rerun-me-clip-0000075-*.nwb")
    mine = folder / "mine.nwb"
    with (
        recorder.open(folder / "f.nwb") as session,
        recorder.open(by_rule) as rule,
        recorder.open(mine) as own,
    ):
        assert (rule.first_tick, rule.last_tick, len(rule.trials)) == (26, 75, 2)
        assert own.n_ticks == 50
        assert not session.is_clip
        for clip in (rule, own):
            assert clip.is_clip
            assert [each.kind for each in clip.log if each.kind in ("gap", "malformed")] == []
            for name in clip.series:
                one, other = (
                    each.values(name, clip.first_tick, clip.last_tick) for each in (clip, session)
                )
                assert one.tobytes() == other.tobytes(), name
    said = (folder / "said").read_text()
    assert said.count("was not saved: There is no folder") >= 2
    # a clip onto a full disk: one sentence, and the session's own recording is whole
    if (folder / "full").exists():
        (sentence,) = (folder / "full").read_text().strip().splitlines()
        assert "full.nwb" in sentence
        assert "No space left" in sentence or "is full (" in sentence
        assert sum("full.nwb" in line for line in said.splitlines()) == 1
    assert "clip        of a session" in rodent_rig_here("info", mine).stdout
    # from within it cannot be resumed, and what came from outside before it is not in it
    done = rodent_rig_here("rerun", by_rule, "--from", 1.4, "--until", 1.5)
    assert "does not have all of its session's ticks from the first on" in done.stdout


def altered(folder: Path, name: str, **changes: object) -> Path:
    """A copy of the recording whose description says something else."""
    path = folder / name
    shutil.copy(folder / "f.nwb", path)
    with h5py.File(path, "r+") as file:
        note = msgspec.json.decode(file[SESSION][()], type=SessionHeader)
        description = msgspec.structs.replace(note.description, **changes)
        changed = msgspec.structs.replace(note, description=description)
        file[SESSION][()] = msgspec.json.encode(changed).decode()
    return path


def test_the_first_difference_is_told(folder: Path) -> None:
    with recorder.open(folder / "f.nwb") as session:
        versions = session.description.versions
    path = altered(folder, "altered.nwb", versions=versions | {"mujoco": "0.1"})
    with h5py.File(path, "r+") as file:
        file["acquisition/qpos/data"][20, 10] += 1e-9
        file["acquisition/qvel/data"][25, 10] += 1
    done = rodent_rig_here("rerun", path)
    assert done.returncode == 1, done.stderr
    assert "identical for 20 ticks" in done.stdout
    assert "tick 20: qpos: 1 of" in done.stdout
    assert "1e-09" in done.stdout
    assert "Made with mujoco 0.1" in done.stdout


def test_it_runs_again_on_what_it_was_recorded_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "f.nwb", (folder / "p.yaml").read_text(), 25, runtime="torch")
    with recorder.open(folder / "f.nwb") as session:
        assert session.description.versions["runtime"] == "onnxruntime"
        assert session.description.versions["onnxruntime"] == version("onnxruntime")
    with recorder.open(tmp_path / "f.nwb") as session:
        versions = session.description.versions
    assert versions["runtime"] == "torch"
    assert versions["torch"] == version("torch")
    # one that does not say was made when there was only PyTorch
    del versions["runtime"]
    for path in (tmp_path / "f.nwb", altered(tmp_path, "older.nwb", versions=versions)):
        app(["rerun", str(path)], standalone_mode=False)
        said = capsys.readouterr().out
        assert "identical for 25 ticks" in said
        assert "Made with" not in said
    without = 'import sys; sys.modules["torch"] = None; from cli.main import main; main()'
    done = subprocess.run(
        [sys.executable, "-c", without, "rerun", tmp_path / "older.nwb"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=100,
    )
    assert done.returncode == 2
    assert "run on torch" in done.stderr
    assert "pip install 'rodent-rig[train]'" in " ".join(done.stderr.split())


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


def test_what_cannot_be_run_again(folder: Path, tmp_path: Path) -> None:
    def refused(says: str, *arguments: object) -> None:
        with pytest.raises(UserError, match=re.escape(says)):
            app([str(each) for each in arguments], standalone_mode=False)

    session = folder / "f.nwb"
    empty = tmp_path / "empty.nwb"
    Writer(empty, describe_stream(), {}).close()
    refused("no ticks", "rerun", empty)
    refused("README.md", "rerun", ROOT / "README.md")
    refused("something else", "rerun", altered(folder, "other.nwb", subject_sha256="0" * 64))
    refused("no-such", "rerun", altered(folder, "gone.nwb", subject="no-such"))
    refused("its baseline 'b'", "rerun", altered(folder, "base.nwb", baselines={"b": "0" * 64}))
    future = altered(folder, "future.nwb", versions={"runtime": "dreams", "rodent-rig": "9"})
    refused("made on 'dreams', which this version cannot run", "rerun", future)
    python = 'PROTOCOL = """\nprotocol: p\n"""\ndef protocol(session): yield\n'
    refused("--allow-python", "rerun", altered(folder, "python.nwb", protocol_text=python))
    refused("can be run again", "rerun", session, "--from", 1000)
    refused("can be run again", "rerun", session, "--until", -1)
    own = ("branch", session, "--protocol", folder / "p.yaml", "--out", tmp_path / "g.nwb")
    refused("is not in", *own, "--at", 1000)
    refused("is not in", *own, "--at-tick", -1)
    refused("--at", *own)
    refused("--at", *own, "--at", 0.5, "--at-tick", 25)
    refused("--out", *own[:4], "--at", 0.5)
    refused("knows no behaviour 'fly'", *own, "--every", "behaviour:fly")
    refused("behaviour:NAME", *own, "--every", "fly")
    link = tmp_path / "link.nwb"
    link.symlink_to(session)
    for out in (session, link):
        words = ("--at", 0.5, "--overwrite")
        refused("which this command reads", *own[:4], "--out", out, *words)
    at = ("--out", tmp_path / "g.nwb", "--at", 0.5)
    refused("detects 'run' in another way", *own[:3], FIRST_LIGHT, *at)
    forage = folder / "forage.yaml"
    forage.write_text(PROTOCOL.replace("corridor", "forage"))
    refused("is for the task 'forage'", *own[:3], forage, *at)
    assert not (tmp_path / "g.nwb").exists()
