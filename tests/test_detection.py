"""`check --against`: a protocol over a recording of the real animal, beside what was really done in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

import recorder
from analysis.detection import Detection, detect, report
from bench.synthetic_session import Stream, description
from recorder.replay import ReplaySource
from recorder.writer import Writer
from rig.bus.message_types import EngineReply, Event, Message
from rig.errors import UserError
from tests.in_process_session import record
from tests.protocol_texts import load
from tests.rodent_rig import rodent_rig_here

OWN = """
protocol: coin-at-run
subject: runner
task: corridor
trial_s: 2.0
detectors:
  dash: {behaviour: run, min_duration_ms: 40, refractory_ms: 100}
stimuli:
  silence: {clamp: policy_2, units: {random: 64, seed: 1}, to: 0.0, state: cell}
  push: {clamp: policy_1, units: {first: 16}, to: 0.25, state: hidden}
rules:
  - {on: dash.onset, do: silence, after_ms: 20, for_ms: 300, probability: 0.5, else: sham}
  - {on: {time_ms: 1700}, do: push, for_ms: 1000, max_count: 2}
  - {on: fallen.onset, do: push, for_ms: 40}
"""

OTHER = """
protocol: at-run-onset
subject: runner
task: corridor
stimuli:
  mark: {clamp: core, units: all, to: 0.5, state: cell}
rules:
  - {on: run.onset, do: mark, after_ms: 60, for_ms: 20}
  - {on: trial.start, do: mark, for_ms: 20}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Protocols, and `own.nwb`: a session of the first of them."""
    folder = tmp_path_factory.mktemp("detection")
    (folder / "own.yaml").write_text(OWN)
    (folder / "other.yaml").write_text(OTHER)
    record(folder / "own.nwb", OWN, 450, seed=5)
    return folder


def found_by(protocol: Path, recording: Path) -> Detection:
    return detect(load(protocol), recording)


def written(file: Path, messages: list[Message], described: object) -> Path:
    writer = Writer(file, described, {}, session="test")  # type: ignore[arg-type]
    for message in messages:
        writer.add(message)
    writer.close()
    return file


def test_its_own_protocol_finds_what_was_recorded(folder: Path) -> None:
    found = found_by(folder / "own.yaml", folder / "own.nwb")
    with recorder.open(folder / "own.nwb") as recording:
        events = [event for _, event in recording.events]
        stimuli = {(each.name, each.number): each for each in recording.intervals("stimuli")}
        trials = {each.first_tick: each.trial for each in recording.trials}
    assert list(found.events) == [event for event in events if event.kind == "stimulus"]
    onsets = Counter(
        event.name for event in events if (event.kind, event.phase) == ("behaviour", "onset")
    )
    assert +found.behaviours == onsets
    assert len(found.stimuli) == len(stimuli)
    assert {each.sham for each in found.stimuli} == {True, False}
    assert found.n_trials == len(trials) == 5
    for each in found.stimuli:
        kept = stimuli[each.name, each.number]
        assert (each.tick, each.sham) == (kept.onset_tick, kept.sham)
        assert (-1 if each.end_tick is None else each.end_tick) == kept.offset_tick
        assert each.trial == max(n for first, n in trials.items() if first <= each.tick)


def test_the_command_lists_them(folder: Path) -> None:
    done = rodent_rig_here("check", folder / "own.yaml", "--against", folder / "own.nwb")
    assert done.returncode == 0, done.stderr
    found = found_by(folder / "own.yaml", folder / "own.nwb")
    lines = done.stdout.splitlines()
    for each in found.stimuli:
        (line,) = [line for line in lines if line.split()[:1] == [str(each.tick)]]
        assert f"{each.tick * 0.02:.2f} s" in line
        assert line.endswith(each.cause)
        assert (" sham " in line) == each.sham
    assert "rule 2: 2 stimuli." in lines
    assert "rule 3: no stimulus." in lines
    assert lines[-1] == "These are the stimuli that were recorded, tick for tick."


def test_another_protocol_finds_its_own(folder: Path) -> None:
    """By its own detectors; here those of the rig, which the recorded session had as well."""
    found = found_by(folder / "other.yaml", folder / "own.nwb")
    with recorder.open(folder / "own.nwb") as recording:
        starts = [trial.first_tick for trial in recording.trials]
        runs = [e.onset_tick for e in recording.intervals("behaviours") if e.name == "run"]
        last = recording.last_tick
    due = [run + 3 for run in runs if run + 3 <= last]
    assert len(due) >= 3
    assert [each.tick for each in found.stimuli if each.cause.startswith("rule 1")] == due
    of_start = [each.tick for each in found.stimuli if each.cause.startswith("rule 2")]
    assert of_start == [start + 1 for start in starts]
    text = report(load(folder / "other.yaml"), found)
    assert "The recording was made with another protocol and has" in text


SCRIPT = """
from stim.protocol.script import Stimulate

PROTOCOL = '''
protocol: at-every-other-run
subject: runner
task: corridor
'''

def protocol(session):
    runs = 0
    tick = yield
    while True:
        runs += tick.began("run")
        odd = tick.began("run") and runs % 2
        tick = yield [Stimulate("odd", "core", range(8), for_ms=40)] if odd else []
"""


def test_a_protocol_in_python_is_run_when_asked_for(folder: Path) -> None:
    (folder / "script.py").write_text(SCRIPT)
    command = ("check", folder / "script.py", "--against", folder / "own.nwb")
    refused = rodent_rig_here(*command)
    assert refused.returncode == 2
    assert "--allow-python" in refused.stderr
    done = rodent_rig_here(*command, "--allow-python")
    assert done.returncode == 0, done.stderr
    with recorder.open(folder / "own.nwb") as recording:
        runs = [e.onset_tick for e in recording.intervals("behaviours") if e.name == "run"]
        due = [run + 1 for run in runs[::2] if run < recording.last_tick]
    listed = [line.split() for line in done.stdout.splitlines() if "asked for as 'odd'" in line]
    assert [int(words[0]) for words in listed if words[0].isdigit()] == due


def test_a_recording_that_began_late_has_no_start_of_its_first_trial(
    folder: Path, tmp_path: Path
) -> None:
    with ReplaySource(folder / "own.nwb") as source:
        late = [source.episode(0), *source.messages(30, source.last_tick)]
        described = source.recording.description
    found = found_by(folder / "other.yaml", written(tmp_path / "late.nwb", late, described))
    of_start = [each.trial for each in found.stimuli if each.cause.startswith("rule 2")]
    assert of_start == [1, 2, 3, 4]
    text = report(load(folder / "other.yaml"), found)
    assert "begins at tick 30 of its session" in text


def test_a_recording_that_differs_is_said_to(folder: Path, tmp_path: Path) -> None:
    """As where the stimulation process died: nothing from then on was triggered in the session."""
    found = found_by(folder / "own.yaml", folder / "own.nwb")
    gone = found.events[-1]

    def without(message: Message) -> Message:
        if not isinstance(message.content, EngineReply):
            return message
        kept: tuple[Event, ...] = tuple(e for e in message.content.events if e != gone)
        content = msgspec.structs.replace(message.content, events=kept)
        return Message(content, message.session, message.tick, message.sequence, message.arrays)

    with ReplaySource(folder / "own.nwb") as source:
        messages = [without(each) for each in source.messages(0, source.last_tick)]
        described = source.recording.description
    file = written(tmp_path / "differs.nwb", messages, described)
    text = report(load(folder / "own.yaml"), found_by(folder / "own.yaml", file))
    assert text.endswith(f"its stimuli differ from tick {gone.tick} on.")


def test_what_it_cannot_be_run_over_is_said_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    def file(name: str, **changes: object) -> Path:
        described = description(**changes)
        return written(tmp_path / name, list(Stream(described).ticks(0, 3)), described)

    for path, complaint in (
        (file("body.nwb", body_state=("torso_x", "torso_y")), "body state has no 'forward_speed'"),
        (file("layers.nwb", n_layers=2), "no layer 'policy_"),
        (folder / "own.yaml", "not a recording"),
        (folder / "no.nwb", "no.nwb"),
    ):
        with pytest.raises(UserError, match=complaint) as problem:
            found_by(folder / "own.yaml", path)
        assert str(path) in str(problem.value)
        assert "\n" not in str(problem.value)
    done = rodent_rig_here("check", folder / "own.yaml", "--against", folder / "no.nwb")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
