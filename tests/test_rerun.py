"""Sessions run again: identical to the bit, or said where not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import h5py
import msgspec
import pytest

import recorder
from bench.synthetic_session import description as describe_stream
from cli.main import app
from recorder.layout import SESSION, SessionHeader
from recorder.writer import Writer
from rig.errors import UserError
from tests.in_process_session import record
from tests.operated_session import PROTOCOL, operated_session
from tests.rodent_rig import FIRST_LIGHT, ROOT, rodent_rig_here


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return operated_session(tmp_path_factory)


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
    done = rodent_rig_here("rerun", folder / "f.nwb")
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
