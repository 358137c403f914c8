"""Wrong input: one clear sentence, the right exit status, and nothing started."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from rig.session.directory import running_sessions
from tests.rodent_rig import FIRST_LIGHT, ROOT, rodent_rig, rodent_rig_here


def _refused(*arguments: object, says: str) -> None:
    done = rodent_rig_here(*arguments)
    said = done.stderr.strip()
    assert done.returncode == 2, said
    assert says in said.replace("\n", " "), said
    assert "Traceback" not in said
    assert len(set(said.splitlines())) == len(said.splitlines())  # each thing once
    assert running_sessions() == []


def test_a_protocol_with_mistakes_names_each_with_its_place(runtime: Path, tmp_path: Path):
    path = tmp_path / "wrong.yaml"
    text = FIRST_LIGHT.read_text()
    text = text.replace("clamp: policy_2 ", "clamp: polici_2 ").replace(
        "task: corridor", "task: coridor"
    )
    path.write_text(text.replace("probability: 0.5", "probability: 1.5"))
    done = rodent_rig_here("run", path, "--out", tmp_path / "x.nwb")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}:") and line.split(":")[1].isdecimal() for line in lines)
    for nearest in ("policy_2", "corridor"):
        assert f"'{nearest}'" in done.stderr
    assert not (tmp_path / "x.nwb").exists()
    _refused("check", path, says="did you mean")


def test_a_missing_protocol(runtime: Path, tmp_path: Path):
    _refused("run", tmp_path / "none.yaml", says="none.yaml")
    _refused("gui", tmp_path / "none.yaml", says="does not exist")


def test_an_unknown_subject_is_named_where_it_stands(runtime: Path, tmp_path: Path):
    path = tmp_path / "p.yaml"
    path.write_text(FIRST_LIGHT.read_text().replace("subject: runner", "subject: walker"))
    _refused("run", path, "--out", tmp_path / "x.nwb", says="p.yaml:")
    _refused("run", path, "--out", tmp_path / "x.nwb", says="runner")


def test_names_that_are_too_long_are_wrong_where_they_stand(runtime: Path, tmp_path: Path):
    path, long = tmp_path / "p.yaml", "n" * 300
    text = FIRST_LIGHT.read_text()
    path.write_text(text.replace("subject: runner", f"subject: {long}"))
    _refused("check", path, says="there is no subject 'nnn")
    stimulus = "{clamp: core, units: {top: 4, by: run, in: b}, to: 0, state: cell}"
    path.write_text(
        "{protocol: p, subject: runner, task: corridor, trials: 1, "
        f"baselines: {{b: {{recording: {long}}}}}, stimuli: {{s: {stimulus}}}, "
        "rules: [{on: run.onset, do: s}]}"
    )
    _refused("check", path, says="p.yaml:1:")


def test_no_subject_to_store_scores_of(runtime: Path):
    _refused("evaluate", "nobody", "--store", says="there is no subject 'nobody'")


def test_a_damaged_subject(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    subjects = tmp_path / "subjects"
    shutil.copytree(ROOT / "subjects" / "runner", subjects / "runner")
    weights = subjects / "runner" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    monkeypatch.setenv("RODENT_RIG_SUBJECTS", str(subjects))
    _refused("run", FIRST_LIGHT, "--out", tmp_path / "x.nwb", says="damaged")


def test_recordings_that_cannot_be_made(runtime: Path, tmp_path: Path):
    taken = tmp_path / "taken.nwb"
    taken.write_bytes(b"somebody's data")
    _refused("run", FIRST_LIGHT, "--out", taken, says="exists already")
    assert taken.read_bytes() == b"somebody's data"
    _refused("run", FIRST_LIGHT, "--out", tmp_path / "no" / "x.nwb", says="no folder")
    _refused("run", FIRST_LIGHT, "--out", tmp_path, says="is a folder")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--duration", 0), "at least one tick"),
        (("--duration", "nan"), "a finite number"),
        (("--duration", "inf"), "a finite number"),
        (("--duration", "1e308"), "a smaller number"),
        (("--duration", "2,5"), "write 2.5"),
        (("--roll-over", f"{'9' * 330}MB"), "write a time or a size"),
        (("--listen", "tcp://::1:5600"), "in brackets"),
        (("--seed", -1), "whole number"),
        (("--pace", "fast"), "realtime"),
        (("--experimenter", ""), "1 to 200 printable"),
        (("--animal", "A" * 65), "at most 64"),
        (("--listen", "5600"), "tcp://HOST:PORT"),
        (("--listen", "tcp://0.0.0.0:5600"), "without keys"),
        (("--listen", "tcp://127.0.0.1:99999"), "between 1 and"),
        (("--listen", "tcp://0.0.0.0:5600", "--keys", "nowhere"), "not a key file"),
    ],
)
def test_options_that_cannot_be(
    runtime: Path, tmp_path: Path, options: tuple[object, ...], says: str
):
    _refused("run", FIRST_LIGHT, "--out", tmp_path / "x.nwb", *options, says=says)


def test_an_option_is_called_by_its_name_on_the_command_line(runtime: Path):
    _refused("rerun", "F.nwb", "--from", "2,5", says="--from 2,5: a number has a decimal point")


def test_an_address_in_use(runtime: Path, tmp_path: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        _refused(
            "run",
            FIRST_LIGHT,
            "--out",
            tmp_path / "x.nwb",
            "--listen",
            address,
            says="cannot be used",
        )


@pytest.mark.parametrize("verb", ["info", "recover", "replay"])
def test_recordings_that_are_none(runtime: Path, tmp_path: Path, verb: str):
    foreign = tmp_path / "foreign.nwb"
    foreign.write_bytes(b"not HDF5 at all" * 100)
    _refused(verb, foreign, says="foreign.nwb")
    _refused(verb, tmp_path / "missing.nwb", says="missing.nwb")
    assert foreign.read_bytes() == b"not HDF5 at all" * 100


def test_no_display(runtime: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    done = rodent_rig_here("replay", ROOT / "README.md")
    assert done.returncode == 2
    assert "no display" in done.stderr


def test_no_opengl(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json")
    done = rodent_rig("run", FIRST_LIGHT, "--out", tmp_path / "x.nwb")
    assert done.returncode == 1
    assert "OpenGL" in done.stderr
    assert "Traceback" not in done.stderr
    assert running_sessions() == []
