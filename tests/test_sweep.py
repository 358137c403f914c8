"""`rodent-rig sweep`: real sessions over settings and seeds, that crash, go on, and say what is wrong."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorder
from cli.sweeps import sweep
from parallel.jobs import Job, Processes, run_job
from parallel.sweep import Run, SweepNote, SweepRequest, folder_of, read_lines, read_note, runs_of
from rig.errors import UserError
from rig.session.directory import running_sessions, runtime_folder
from rig.versions import runtime_of
from tests.rodent_rig import ROOT, lay_shadows, rodent_rig, rodent_rig_here, wait_for

TINY = """\
protocol: tiny
subject: runner
task: corridor
duration_s: 1
parameters: {units: 4, layer: core}
stimuli:
  silence: {clamp: $layer, units: {first: $units}, to: 0, state: cell}
rules:
  - {on: {time_ms: 100}, do: silence, for_ms: 300}
"""


def sweep_process(protocol: Path, *arguments: object) -> subprocess.Popen[str]:
    """A sweep from a folder full of files of the names of modules, which it must not run."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "sweep", str(protocol), *map(str, arguments)],
        cwd=protocol.parent, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def session_of(*words: str) -> int:
    """The process that runs the session with these words in its command line; 0 while there is none."""
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if "cli.worker" in command and all(word in command for word in words):
            return int(entry.name)
    return 0


def listening(pid: int) -> set[str]:
    """The addresses at which a process and all that it has started listen."""
    parents, found = {}, set()
    for entry in Path("/proc").iterdir():
        try:
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except (OSError, ValueError):
            continue
    sockets = {}
    for table, words in (("tcp", 1), ("tcp6", 4)):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A":
                number = bytes.fromhex(local.partition(":")[0])[-4:][::-1]
                whole = words == 1 or "FFFF0000" in local
                sockets[f"socket:[{inode}]"] = socket.inet_ntoa(number) if whole else "::"
    for each in parents:
        above = each
        while above in parents and above != pid:
            above = parents[above]
        if above != pid:
            continue
        try:
            handles = [os.readlink(handle) for handle in Path(f"/proc/{each}/fd").iterdir()]
        except OSError:
            continue
        found |= {sockets[handle] for handle in handles if handle in sockets}
    return found


def lines(folder: Path) -> dict[tuple[str, int], tuple[str, str]]:
    return {(x.settings["units"], x.seed): (x.status, x.sentence) for x in read_lines(folder)}


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "tiny.yaml"
    path.write_text(TINY)
    lay_shadows(path.parent)
    return path


@pytest.fixture(scope="module")
def crashed(protocol: Path) -> tuple[Path, tuple[int, str, str]]:
    """The folder of a sweep of 2 settings and 2 seeds, one of whose sessions was killed; how it ended."""
    folder = protocol.parent / "out"
    process = sweep_process(
        protocol, "--seeds", 2, "--set", "units=0,4", "--out", folder, "--jobs", 2
    )
    victim = str(folder / "recordings" / "units-0_seed-1.nwb")
    wait_for(lambda: bool(session_of(victim)) or process.poll() is not None, 120)
    os.kill(session_of(victim), signal.SIGKILL)
    out, err = process.communicate(timeout=500)
    return folder, (process.returncode, out, err)


def test_a_session_that_crashes_is_a_line_and_stops_nothing(
    crashed: tuple[Path, tuple[int, str, str]], protocol: Path
) -> None:
    folder, (status, out, err) = crashed
    assert status == 1
    killed = "it was ended by the signal SIGKILL"
    assert lines(folder) == {
        ("0", 0): ("complete", ""),
        ("0", 1): ("failed", killed),
        ("4", 0): ("complete", ""),
        ("4", 1): ("complete", ""),
    }
    assert re.search(r"ran +3\b", out)
    assert f"units=0 seed=1: {killed}" in out
    assert err.strip().splitlines()[-1] == (
        "1 of 4 sessions failed; the same command tries them again."
    )
    note = read_note(folder)
    assert note is not None
    assert note.protocol_text == TINY
    assert [(asked.settings, asked.seeds) for asked in note.asked] == [
        ({"units": ["0", "4"]}, [0, 1])
    ]
    for units in (0, 4):
        with recorder.open(folder / "recordings" / f"units-{units}_seed-0.nwb") as recording:
            assert recording.n_ticks == 50
            assert recording.description.seed == 0
            assert f"units: {units}" in recording.description.protocol_text
            changed = recording.values("c_applied") != recording.values("c_natural")
            assert set(changed.any(0).nonzero()[0]) == set(range(units))


def test_it_goes_on_through_ray_with_what_is_missing(
    crashed: tuple[Path, tuple[int, str, str]],
    protocol: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two workers: one session was killed, another's recording is one of another seed."""
    folder = crashed[0]
    monkeypatch.setenv("HOME", str(tmp_path))  # of a user without a token for Ray
    recordings = folder / "recordings"
    other = recordings / "units-4_seed-1.nwb"
    other.write_bytes((recordings / "units-4_seed-0.nwb").read_bytes())
    kept = {
        name: (recordings / name).stat().st_mtime_ns
        for name in ("units-0_seed-0.nwb", "units-4_seed-0.nwb")
    }
    process = sweep_process(
        protocol, "--seeds", 2, "--set", "units=0,4", "--out", folder, "--ray", "local", "--jobs", 2
    )  # fmt: skip
    both = [str(recordings / "units-0_seed-1.nwb"), str(other)]
    together, addresses = False, set[str]()
    deadline = time.monotonic() + 500
    while process.poll() is None and time.monotonic() < deadline:
        together = together or all(session_of(file) for file in both)
        addresses |= listening(process.pid)
        time.sleep(0.1)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert together
    assert addresses == {"127.0.0.1"}  # Ray's, for this machine alone
    assert not (tmp_path / ".ray").exists()  # no token that all users could read
    assert {status for status, _ in lines(folder).values()} == {"complete"}
    assert re.search(r"ran +2\b", out)
    assert re.search(r"were there +2\b", out)
    assert kept == {name: (recordings / name).stat().st_mtime_ns for name in kept}
    with recorder.open(other) as recording:
        assert recording.description.seed == 1


def test_a_sweep_takes_the_runtime_that_is_asked_for(protocol: Path, tmp_path: Path) -> None:
    done = rodent_rig(
        *("sweep", protocol, "--seeds", 1, "--duration", 0.1, "--runtime", "torch"),
        *("--out", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    with recorder.open(tmp_path / "out" / "recordings" / "seed-0.nwb") as recording:
        assert runtime_of(recording.description.versions) == "torch"


def test_ctrl_c_leaves_nothing_of_the_sessions_that_still_start(
    protocol: Path, runtime: Path, tmp_path: Path
) -> None:
    process = sweep_process(
        protocol, "--seeds", 2, "--duration", 60, "--jobs", 2, "--out", tmp_path / "out"
    )
    wait_for(lambda: len(running_sessions()) == 2, 120)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Interrupted with 0 of 2 sessions done" in err.strip().splitlines()[-1]
    assert list(runtime_folder().iterdir()) == []


def test_a_folder_is_of_one_sweep(
    crashed: tuple[Path, tuple[int, str, str]], protocol: Path, tmp_path: Path
) -> None:
    folder = crashed[0]
    (changed := tmp_path / "tiny.yaml").write_text(TINY.replace("300", "200"))
    refused = rodent_rig_here("sweep", changed, "--seeds", 1, "--out", folder)
    assert refused.returncode == 2
    assert "holds a sweep with another text of the protocol" in refused.stderr
    refused = rodent_rig_here("sweep", protocol, "--seeds", 1, "--duration", 2, "--out", folder)
    assert refused.returncode == 2
    assert "holds a sweep with no --duration" in refused.stderr
    with (folder / "sweep.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = rodent_rig_here("sweep", protocol, "--seeds", 1, "--out", folder)
    assert refused.returncode == 2
    assert "Another sweep is working in" in refused.stderr


def test_bad_input_is_a_sentence(protocol: Path, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{listener.getsockname()[1]}"
    endless = tmp_path / "endless.yaml"
    endless.write_text(TINY.replace("duration_s: 1\n", ""))
    for arguments, sentence in (
        (("--set", "unit=1"), "has no parameter 'unit'; did you mean 'units'?"),
        (("--ray", nobody), f"no Ray cluster answers at {nobody}"),
    ):
        command = rodent_rig if "--ray" in arguments else rodent_rig_here
        refused = command("sweep", protocol, "--seeds", 1, *arguments, "--out", tmp_path / "out")
        assert refused.returncode == 2, arguments
        assert len(refused.stderr.strip().splitlines()) == 1
        assert sentence in refused.stderr
    for path, settings, sentence in (
        (protocol, ["units="], r"--set units=: a value of units is missing\."),
        (protocol, ["layer=policy_7"], "there is no layer 'policy_7'"),
        (tmp_path / "gone.yaml", [], r"gone\.yaml"),
        (endless, [], r"would never end; give --duration\."),
    ):
        with pytest.raises(UserError, match=sentence):
            sweep(path, 1, settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_settings_that_cannot_be_meant(protocol: Path) -> None:
    for settings, sentence in (
        (["units"], "write it as NAME=VALUE"),
        (["units=1,,2"], "a value of units is missing"),
        (["units=1,2,1"], "the value 1 is there twice"),
        (["units=1", "units=2"], "is given twice"),
    ):
        with pytest.raises(UserError, match=sentence):
            sweep(protocol, 1, settings)
    for numbers in ({"seeds": 0}, {"seeds": 1, "jobs": 0}, {"seeds": 1, "duration": 0.0}):
        with pytest.raises(UserError, match="is at least"):
            sweep(protocol, **numbers)  # type: ignore[arg-type]


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=60),
        st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=4, unique=True),
        max_size=3,
    ),
    st.integers(1, 4),
)
def test_every_combination_has_a_file_of_its_own(
    settings: dict[str, list[str]], seeds: int
) -> None:
    runs = runs_of(settings, range(seeds))
    expected = seeds
    for values in settings.values():
        expected *= len(values)
    assert len({run.file for run in runs}) == len(runs) == expected
    for run in runs:
        name = run.file.removeprefix("recordings/")
        assert re.fullmatch(r"[A-Za-z0-9_.+-]{1,200}", name)
        assert not name.startswith(".")


def note(**changes: object) -> SweepNote:
    fields: dict[str, object] = {
        "protocol": "p.yaml", "protocol_text": "text", "duration_s": 0.0, "camera": False,
        "subjects": {"runner": "1"}, "baselines": {}, "versions": {},
        "asked": [SweepRequest({"units": ["1"]}, [0], "now")],
    }  # fmt: skip
    return SweepNote(**(fields | changes))  # type: ignore[arg-type]


def test_what_is_asked_of_a_folder_adds_up(tmp_path: Path) -> None:
    more = [SweepRequest({"units": ["1", "2"]}, [0, 1], "later")]
    for asked in (note(), note(), note(asked=more)):
        with folder_of(tmp_path, asked):
            pass
    found = read_note(tmp_path)
    assert found is not None
    assert [each.when for each in found.asked] == ["now", "later"]
    for other, sentence in (
        ({"subjects": {"runner": "2"}}, "the subject runner as it was"),
        ({"camera": True}, "--no-camera"),
        ({"runtime": "torch"}, "--runtime onnx"),
    ):
        with pytest.raises(UserError, match=sentence), folder_of(tmp_path, note(**other)):
            pass
    with folder_of(tmp_path, note(camera=True), overwrite=True):
        pass
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(UserError, match="is not the note of a sweep"):
        read_note(tmp_path)


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    whole = {"settings": {}, "seed": 3, "file": "f", "status": "complete"}
    (tmp_path / "runs.jsonl").write_text(json.dumps(whole) + '\n{"settings": {}, "se')
    (line,) = read_lines(tmp_path)
    assert line.seed == 3


def job(folder: Path, script: str) -> Job:
    return Job(["-c", script], str(folder), str(folder))


def test_commands_and_what_they_say_at_their_end(tmp_path: Path) -> None:
    for script, sentence in (
        ("pass", ""),
        (
            "import sys; print('first\\nthe disk is full', file=sys.stderr); sys.exit(1)",
            "the disk is full",
        ),
        ("import sys; sys.exit(1)", "it said nothing"),
        ("1/0", "it stumbled over an error of its own: ZeroDivisionError: division by zero"),
        ("import os; os.kill(os.getpid(), 15)", "it was ended by the signal SIGTERM"),
    ):
        assert run_job(job(tmp_path, script)).sentence == sentence
    elsewhere = Job(["-c", "pass"], str(tmp_path), str(tmp_path / "unseen"))
    assert "has to lie where all machines" in run_job(elsewhere).sentence


def test_what_still_runs_is_ended_in_order_when_a_sweep_is_left(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (open('closed', 'w').close(), sys.exit()))\n"
        "open('began', 'w').close()\n"
        "time.sleep(60)"
    )
    jobs = {"quick": job(tmp_path, "pass"), "slow": job(tmp_path, script)}
    with Processes(2) as places:
        key, outcome = next(iter(places.outcomes(jobs)))
        assert (key, outcome.sentence) == ("quick", "")
        wait_for((tmp_path / "began").exists)
    assert (tmp_path / "closed").exists()


def test_runs_have_names() -> None:
    assert str(Run({"units": "8", "layer": "core"}, 3, "f")) == "units=8 layer=core seed=3"
