"""What is said on a terminal: text as it is, whatever letters the terminal has."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.session_picture import session_picture
from bench.synthetic_session import Stream, description
from recorder.writer import Writer
from rig.session.directory import running_sessions
from tests.rodent_rig import FIRST_LIGHT, lay_shadows, rodent_rig

NAME = "[bold] $x_$ é☃.nwb"
"""Markup to rich, a formula to Matplotlib, letters that ASCII does not have."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("terminal") / NAME
    stream = Stream(description(protocol_name="[/red] é☃"))
    described, assets = stream.beginning()
    writer = Writer(path, stream.described, assets.arrays, session=described.session)
    for message in stream.ticks(0, 30):
        writer.add(message)
    writer.close()
    return path


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_recording_is_described_in_the_letters_that_there_are(file: Path, encoding: str) -> None:
    done = rodent_rig("info", file, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    said = NAME.encode(encoding, "replace").decode(encoding)
    assert said[:14] in done.stdout
    assert "[/red]" in done.stdout
    refused = rodent_rig("info", file.with_name("☃.nwb"), PYTHONIOENCODING=encoding)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)


def test_a_picture_has_names_and_no_formulas(file: Path, tmp_path: Path) -> None:
    session_picture(file, tmp_path / "session.png")
    assert (tmp_path / "session.png").read_bytes().startswith(b"\x89PNG")


def test_a_session_whose_names_have_brackets_ends_well(runtime: Path, tmp_path: Path) -> None:
    """Its progress and its table show them; nothing fails after the recording.

    Nor is anything run that lies where the user happens to be, or replaced by the session's picture.
    """
    protocol = tmp_path / "p.yaml"
    protocol.write_text(FIRST_LIGHT.read_text().replace("first-light", "'[/red] first $x_$'", 1))
    words = ("--duration", "0.1", "--no-camera", "--out", tmp_path / NAME)
    lay_shadows(tmp_path)
    picture = (tmp_path / NAME).with_suffix(".png")
    picture.write_bytes(b"mine")
    done = rodent_rig("run", protocol, *words, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "[bold] $x_$ ??.nwb" in done.stdout, done.stdout
    assert "exists already" in done.stdout
    assert picture.read_bytes() == b"mine"
    assert running_sessions() == []
