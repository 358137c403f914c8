"""A real session with every sort of stimulus: what was asked for is what the recording says was applied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import recorder
from recorder.reading import Recording
from rig.random_streams import generator
from tests.rodent_rig import rodent_rig, rodent_rig_here

PROTOCOL = """
protocol: everything
parameters: {n: 16}
subject: runner
task: corridor
trial_s: 3
duration_s: 6
blocks:
  - {conditions: [a, b], trials: 2}
stimuli:
  hold: {clamp: policy_2, units: {random: $n, seed: 1}, to: 0.125, state: cell, ramp_ms: 60}
  pulses: {bias: policy_1, units: all, by: 0.5, state: hidden, pulses: {width_ms: 40, rate_hz: 5, number: 4}}
  cut: {lesion: core, units: [1, 2, 3]}
  hiss: {noise: core, units: {first: 100}, sd: 0.25, state: cell}
  half: {gain: policy_0, units: {first: 5}, by: 0.5, state: hidden}
rules:
  - {on: {time_ms: 200}, do: hold, for_ms: 400, in: a}
  - {on: {time_ms: 800}, if: {not: fallen}, do: pulses}
  - {on: {time_ms: 1000}, do: cut, for_ms: 100}
  - {on: {time_ms: 1500}, do: hiss, for_ms: 200}
  - {on: run.onset, do: half, for_ms: 60, after_ms: 40}
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("everything")
    (folder / "p.yaml").write_text(PROTOCOL)
    out = folder / "r.nwb"
    words = ["--seed", "3", "--no-camera", "--no-picture", "--set", "n=20", "--out", str(out)]
    done = rodent_rig("run", str(folder / "p.yaml"), *words)
    assert done.returncode == 0, done.stderr
    return out


def intervals(session: Recording, name: str) -> list[tuple[int, int]]:
    turns = [event for _, event in session.events if event.name == name]
    begins = {event.number: event.tick for event in turns if event.phase == "onset"}
    ends = {event.number: event.tick for event in turns if event.phase == "offset"}
    return [(begins[number], ends.get(number, session.last_tick + 1)) for number in begins]


def test_what_was_applied_is_what_was_asked_for(recording: Path) -> None:
    with recorder.open(recording) as session:
        c, h = session.values("c_natural"), session.values("h_natural")
        c_is, h_is = session.values("c_applied"), session.values("h_applied")
        expected = {"c": c.copy(), "h": h.copy()}
        touched = np.zeros(c.shape, bool)
        units = np.sort(generator(1, "units").choice(128, size=20, replace=False))
        ((begin, end),) = intervals(session, "hold")
        for tick in range(begin, end):
            part = min(1.0, (tick - begin + 1) / 4, (end - tick) / 4)
            at = 384 + units
            expected["c"][tick, at] = (1 - part) * c[tick, at] + part * np.float32(0.125)
            touched[tick, at] = True
        for begin, end in intervals(session, "pulses"):
            assert end - begin == 32
            for tick in (t for t in range(begin, end) if (t - begin) % 10 < 2):
                expected["h"][tick, 256:384] += np.float32(0.5)
        for begin, end in intervals(session, "hiss"):
            for tick in range(begin, end):
                drawn = generator(3, "noise hiss c", tick).standard_normal(100)
                expected["c"][tick, :100] += (0.25 * drawn).astype(np.float32)
                touched[tick, :100] = True
        for begin, end in intervals(session, "half"):
            expected["h"][begin:end, 128:133] *= np.float32(0.5)
        for begin, end in intervals(session, "cut"):
            for state in ("c", "h"):
                expected[state][begin:end, 1:4] = 0
    assert len(touched[touched]) > 0
    np.testing.assert_allclose(c_is, expected["c"], rtol=1e-6, atol=1e-7)
    # where c was changed, h follows from it and the output gate, which is not recorded
    np.testing.assert_allclose(h_is[~touched], expected["h"][~touched], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_less(np.abs(h_is[touched]), np.abs(np.tanh(c_is[touched])) + 1e-6)
    natural = np.ones(len(c), bool)
    with recorder.open(recording) as session:
        for name in ("hold", "pulses", "cut", "hiss", "half"):
            assert intervals(session, name), name
            for begin, end in intervals(session, name):
                natural[begin:end] = False
    assert natural.sum() > 50
    np.testing.assert_array_equal(c_is[natural], c[natural])  # to the bit
    np.testing.assert_array_equal(h_is[natural], h[natural])


def test_each_condition_had_its_trial(recording: Path) -> None:
    with recorder.open(recording) as session:
        conditions = [trial.condition for trial in session.trials]
        held = intervals(session, "hold")
        assert sorted(conditions) == ["a", "b"]
        trials = [session.trial_of(begin) for begin, _ in held]
        assert [trial and trial.condition for trial in trials] == ["a"]


def test_a_protocol_in_python_runs_only_where_it_is_allowed(
    tmp_path: Path, recording: Path
) -> None:
    path, proof = tmp_path / "p.py", tmp_path / "executed"
    (tmp_path / "beside.py").write_text("EVERY = 20")
    (tmp_path / "queue.py").write_text("raise SystemExit('queue.py was run')")
    path.write_text(
        "from pathlib import Path\n"
        "from beside import EVERY\n"
        "from stim.protocol.script import Stimulate\n"
        f"Path({str(proof)!r}).touch()\n"
        'PROTOCOL = """\nprotocol: p\nsubject: runner\ntask: corridor\n"""\n'
        "def protocol(session):\n"
        "    tick = yield\n"
        "    while True:\n"
        "        go = tick.number % EVERY == 5\n"
        "        tick = yield Stimulate('x', 'core', [4], value=0.5, for_ms=40) if go else None\n"
    )
    out = tmp_path / "r.nwb"
    refused = rodent_rig_here("run", str(path), "--duration", "1", "--out", str(out))
    assert refused.returncode == 2
    assert "give --allow-python" in refused.stderr
    checked = rodent_rig_here("check", str(path))
    assert checked.returncode == 0
    assert "recorded as script" in checked.stdout
    assert not proof.exists()
    words = ["--duration", "1", "--seed", "1", "--no-picture", "--allow-python", "--out", str(out)]
    assert rodent_rig("run", str(path), *words).returncode == 0
    assert proof.exists()
    with recorder.open(out) as session:
        assert intervals(session, "script") == [(6, 8), (26, 28), (46, 48)]
        applied = session.values("c_applied")[:, 4]
        assert (applied[[6, 7, 26, 27, 46, 47]] == 0.5).all()
