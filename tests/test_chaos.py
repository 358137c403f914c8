"""`make chaos`, in short: one session for a kind of fault; and that what it looks for is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

from bench.synthetic_session import Stream, description
from chaos.fault import Seen
from chaos.file import examine
from chaos.place import may_mount
from chaos.plan import KINDS, plan, plans
from chaos.received import Received
from chaos.verdict import judge
from recorder.writer import Writer
from rig.bus.message_types import Fault, Message, RecorderReport, Status
from tests.rodent_rig import ROOT

SHORT = ("recorder", "disk")
"""The others are killed, suspended or taken away in the tests of theirs."""
N_TICKS = 60


def test_a_fault_of_each_kind(tmp_path: Path) -> None:
    """Nothing is corrupted, no claim false, and every session was hit: the same table as `make chaos`.

    How much is lost at a kill depends on what else the machine does: `make chaos` measures it.
    """
    kinds = [kind for kind in SHORT if kind != "disk" or may_mount()]
    results = tmp_path / "results"
    command = [sys.executable, "-m", "chaos", "--sessions", str(len(kinds)), "--jobs", "2"]
    command += ["--seed", "38", "--results", str(results)]
    command += [word for kind in kinds for word in ("--only", kind)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    lines = [json.loads(text) for text in results.read_text().splitlines()]
    assert sorted(each["kind"] for each in lines) == sorted(kinds)
    assert all(each["hit"] and each["sent"] > 0 for each in lines), lines
    for each in lines:
        wrong = [text for text in each["wrong"] if "ticks were lost, the first sent" not in text]
        assert (each["corrupted"], each["untrue"], wrong) == ([], [], []), each
    bad = any(each["wrong"] for each in lines)
    assert done.returncode == int(bad), done.stdout + done.stderr
    assert all(KINDS[kind].words.split()[0] in done.stdout for kind in kinds)


def test_plans_can_be_repeated_and_have_every_kind() -> None:
    every = plans(3, 100, tuple(KINDS))
    assert len(every) == len(set(every)) == 100
    assert {each.kind for each in every} == set(KINDS)
    assert every == plans(3, 100, tuple(KINDS))
    assert every != plans(4, 100, tuple(KINDS))
    assert all(each == plan(each.kind, 3, each.number) for each in every)
    assert {each.kind for each in plans(3, len(KINDS), tuple(KINDS))} == set(KINDS)


# --- that it would notice ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Message]]:
    """A whole recording, and the messages that it was made of."""
    path = tmp_path_factory.mktemp("whole") / "whole.nwb"
    stream = Stream(description())
    _, assets = stream.beginning()
    writer = Writer(path, description(), assets.arrays, session="test")
    sent = list(stream.ticks(0, N_TICKS))
    for message in sent:
        writer.add(message)
    writer.close()
    return path, sent


def _heard(sent: list[Message], claimed: int = N_TICKS, state: str = "recording") -> Received:
    """Somebody who received these messages, and of so many recorded ticks."""
    received = Received()
    received.take(sent)
    report = RecorderReport(state, "f.nwb", claimed, claimed - 1, 1, 1)
    alive = dict.fromkeys(("subject", "stimulation", "recorder"), "alive")
    received.take([Message(Status("running", alive, N_TICKS, 0, 1.0, report))])
    return received


def _seen(kind: str, received: Received, **changes: object) -> Seen:
    seen = Seen(plan(kind, 0, 0), received, fault_s=time.monotonic(), status=1)
    seen.complained = "The recorder died; what it had written is in its file."
    for name, value in changes.items():
        setattr(seen, name, value)
    return seen


def test_a_whole_recording_passes(recorded: tuple[Path, list[Message]]) -> None:
    path, sent = recorded
    received = _heard(sent)
    seen = _seen("recorder", received)
    received.take([Message(Fault("recorder", seen.complained))])
    found = examine(path, received, by_command=False, inspect=True)
    assert (found.problems, found.n_ticks) == ([], N_TICKS)
    verdict = judge(seen, found)
    assert not verdict.bad, verdict
    assert verdict.lost_ticks == 0


@pytest.mark.parametrize("name", ["qpos", "c_natural", "reward"])
def test_a_changed_number_is_corruption(
    recorded: tuple[Path, list[Message]], tmp_path: Path, name: str
) -> None:
    path, sent = recorded
    changed = Path(shutil.copy(path, tmp_path / "changed.nwb"))
    with h5py.File(changed, "r+") as file:
        folder = "acquisition" if f"acquisition/{name}" in file else "processing/rig"
        data = file[f"{folder}/{name}/data"]
        row = data[17]
        data[17] = row + 1e-3
    found = examine(changed, _heard(sent), by_command=False, inspect=False)
    assert any("tick 17" in problem for problem in found.problems)


def test_a_false_claim_a_wrong_end_and_silence_are_noticed(
    recorded: tuple[Path, list[Message]],
) -> None:
    path, sent = recorded
    found = examine(path, _heard(sent), by_command=False, inspect=False)
    claimed = judge(_seen("recorder", _heard(sent, N_TICKS + 1)), found)
    assert any("called recorded" in sentence for sentence in claimed.untrue)
    assert claimed.lost_acknowledged == 1
    silent = judge(_seen("recorder", _heard(sent)), found)
    assert any("never said" in sentence for sentence in silent.untrue)
    ended = judge(_seen("recorder", _heard(sent), status=0), found)
    assert "exit status 0" in ended.wrong
    printed = judge(_seen("recorder", _heard(sent), said="recording f.nwb (61 ticks, 1 MB"), found)
    assert any("summary" in sentence for sentence in printed.untrue)
    left = judge(_seen("recorder", _heard(sent), left=["stream"]), found)
    assert any("left" in sentence for sentence in left.wrong)


def test_a_loss_of_more_than_half_a_second_is_noticed(
    recorded: tuple[Path, list[Message]],
) -> None:
    path, sent = recorded
    found = examine(path, _heard(sent), by_command=False, inspect=False)
    more = [*sent, *list(Stream(description()).ticks(N_TICKS, 40))]
    received = _heard(more)
    late = received.published_s(N_TICKS + 39) + 0.01
    verdict = judge(_seen("recorder", received, fault_s=late), found)
    assert verdict.lost_ticks == 40
    assert verdict.lost_s > 0.5
    assert any("40 ticks were lost" in sentence for sentence in verdict.wrong)
