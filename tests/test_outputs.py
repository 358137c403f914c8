"""What commands write, and where: never to what they read, and nothing that was there is lost."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import recorder
from bench.synthetic_session import Stream, description
from cli.main import main
from recorder.empty_file import empty_recording
from recorder.growing_file import GrowingFile
from recorder.writer import Writer
from rig.errors import RunError
from tests.recorder_rig import Rig
from tests.rodent_rig import FIRST_LIGHT

N_TICKS = 60
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """`rodent-rig …` in this process, in a folder of its own: exit status, and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())

    def command(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["rodent-rig", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0, capsys.readouterr().err

    return command


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "session.nwb"
    record(path)
    return path


@pytest.fixture
def file(recorded: Path, tmp_path: Path) -> Path:
    """A recording that a test may lose."""
    return Path(shutil.copy(recorded, tmp_path / "session.nwb"))


def record(path: Path, n_ticks: int = N_TICKS, **options: bool) -> None:
    stream = Stream(description())
    described, assets = stream.beginning()
    writer = Writer(path, stream.described, assets.arrays, session=described.session, **options)
    for message in stream.ticks(0, n_ticks):
        writer.add(message)
    writer.close()


LINKS = {
    "itself": lambda file, link: file,
    "a symbolic link to it": lambda file, link: (link.symlink_to(file), link)[1],
    "a hard link to it": lambda file, link: (os.link(file, link), link)[1],
}
READING = {
    "spikes": ("spikes", "{file}", "--out", "{out}", "--overwrite"),
    "export": ("export", "{file}", "--signals", "body", "--out", "{out}", "--overwrite"),
    "run": ("run", "{protocol}", "--out", "{out}", "--overwrite"),
    "learn": ("learn", "{file}", "--behaviour", "rear", "--out", "{out}", "--overwrite"),
    "figure": ("figure", "effect", "{file}", "--out", "{out}", "--overwrite"),
}
ENDINGS = {"learn": ".npz", "figure": ".png"}


@pytest.mark.parametrize("how", LINKS)
@pytest.mark.parametrize("verb", READING)
def test_no_command_writes_to_what_it_reads(
    run: Run, file: Path, tmp_path: Path, verb: str, how: str
) -> None:
    """Also where the recording, or the protocol, has a name that fits what is written."""
    read = tmp_path / f"read{ENDINGS.get(verb, '.nwb')}"
    shutil.copy(FIRST_LIGHT if verb == "run" else file, read)
    content = read.read_bytes()
    out = LINKS[how](read, tmp_path / f"link{read.suffix}")
    words = [
        word.format(file=read, protocol=read, out=out) if "{" in word else word
        for word in READING[verb]
    ]
    status, said = run(*words)
    assert (status, said.count("\n")) == (2, 1), said
    assert "which this command reads" in said
    assert read.read_bytes() == content


def test_neither_baselines_nor_the_subject_are_written_to(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = tmp_path / "p.yaml"
    baselines = "baselines:\n  natural: {recording: session.nwb}\nstimuli:"
    protocol.write_text(FIRST_LIGHT.read_text().replace("stimuli:", baselines, 1))
    status, said = run("run", protocol, "--out", file, "--overwrite")
    assert (status, "which this command reads" in said) == (2, True), said
    first = tmp_path / "roll.nwb"
    os.link(file, tmp_path / "roll_001.nwb")
    status, said = run("run", protocol, "--out", first, "--overwrite", "--roll-over", "10min")
    assert (status, "which this command reads" in said) == (2, True), said
    sweep = tmp_path / "sweep" / "recordings"
    sweep.mkdir(parents=True)
    (sweep / "seed-0.nwb").symlink_to(file)
    status, said = run("sweep", protocol, "--seeds", 1, "--out", sweep.parent, "--duration", 1)
    assert (status, "which this command reads" in said) == (2, True), said
    subjects = FIRST_LIGHT.parents[1] / "subjects"
    shutil.copytree(subjects / "runner", tmp_path / "subjects" / "runner")
    weights = tmp_path / "subjects" / "runner" / "weights.safetensors"
    content = weights.read_bytes()
    os.link(weights, tmp_path / "weights.nwb")
    monkeypatch.setenv("RODENT_RIG_SUBJECTS", str(tmp_path / "subjects"))
    status, said = run("run", FIRST_LIGHT, "--out", tmp_path / "weights.nwb", "--overwrite")
    assert (status, "which this command reads" in said) == (2, True), said
    assert weights.read_bytes() == content


def test_an_overwritten_recording_is_there_until_the_next_one_is_whole(
    sockets: Path, file: Path, tmp_path: Path
) -> None:
    """A recorder that is killed leaves what was there before as F.nwb.overwritten."""
    content = file.read_bytes()
    before = tmp_path / "session.nwb.overwritten"
    stream = Stream(description())
    with Rig(sockets, file, "--overwrite", warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.send_all(stream.ticks(0, 20))
        rig.wait_for("recording")
        rig.process.kill()
    assert before.read_bytes() == content
    # the next one removes what it has replaced itself, and nothing else
    record(file, overwrite=True)
    assert before.read_bytes() == content
    assert {each.name for each in tmp_path.iterdir()} == {"session.nwb", before.name}
    before.unlink()
    with recorder.open(file) as recording:
        assert recording.n_ticks == N_TICKS
    # one in which nothing was recorded replaces nothing
    content = file.read_bytes()
    record(file, n_ticks=0, overwrite=True)
    assert before.read_bytes() == content


def test_a_recording_that_cannot_take_a_name_gives_it_back(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    growing = GrowingFile(file, empty_recording(description(), {}, "test", False), overwrite=True)
    (hidden,) = tmp_path.glob(".session.nwb.*.part")
    hidden.unlink()
    with pytest.raises(RunError, match=r"session.nwb cannot be made: No such file"):
        growing.publish()
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_leaves_what_was_there(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("mine")
    status, said = run("export", file, "--intervals", table)
    assert (status, "exists already" in said) == (2, True), said
    status, said = run("figure", "effect", file, "--out", tmp_path / "table.png")
    assert (status, "table.csv exists already" in said) == (2, True), said
    status, _ = run("export", file, "--intervals", table, "--from", 99, "--overwrite")
    assert status == 2
    assert table.read_text() == "mine"
    status, said = run("export", file, "--intervals", "table.csv/x.csv")
    assert (status, said.count("\n")) == (2, 1), said
    status, said = run("export", file, "--intervals", "/dev/null/x.csv")
    assert (status, said.count("\n")) == (2, 1), said


def test_a_file_without_an_ending_gets_the_one_that_opens_it(
    run: Run, file: Path, tmp_path: Path
) -> None:
    assert run("export", file, "--intervals", "table", "--signals", "body", "--out", "part")[0] == 0
    assert (tmp_path / "table.csv").is_file()
    with recorder.open(file):
        pass
    assert (tmp_path / "part.nwb").is_file()
    status, said = run("run", FIRST_LIGHT, "--out", "session.h5")
    assert (status, said) == (2, "--out session.h5: it is written as .nwb.\n")


@pytest.mark.parametrize("name", ["x" * 250, "x" * 300, b"\xff", "a/" * 2100])
def test_names_that_cannot_be_are_one_sentence(
    run: Run, file: Path, tmp_path: Path, name: str | bytes
) -> None:
    where = f"{os.fsdecode(name)}.nwb"
    for words in (
        ("run", FIRST_LIGHT, "--out", where),
        ("spikes", file, "--out", where),
        ("info", where),
        ("check", f"{where}.yaml"),
        ("gui", where),
    ):
        status, said = run(*words)
        assert (status, said.count("\n")) == (2, 1), said


def test_a_recording_is_repaired_where_a_link_leads_to(sockets: Path, tmp_path: Path) -> None:
    file, link = tmp_path / "real.nwb", tmp_path / "link.nwb"
    link.symlink_to(file)
    stream = Stream(description())
    with Rig(sockets, file, warm=True) as rig:
        rig.send_all(stream.beginning())
        rig.send_all(stream.ticks(0, 20))
        rig.wait_for("recording", 20)
        rig.process.kill()
    assert recorder.recover(link).repaired
    assert link.is_symlink()
    assert not recorder.recover(file).repaired
