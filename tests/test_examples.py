"""The examples that stimulate, against a real session."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.replay import ReplaySource
from rig.bus.message_types import Tick
from tests.rodent_rig import ROOT, RunningRig
from tests.shared_recordings import first_light

OBSERVE = ROOT / "protocols" / "observe.yaml"
EXAMPLES = ROOT / "examples"


def _run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _code_of(name: str) -> str:
    """The code of a notebook, which was saved without outputs."""
    notebook = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    return "\n".join("".join(cell["source"]) for cell in cells)


def test_the_notebook_of_analyses_goes_from_a_recording_to_three_figures(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    recorded = first_light(tmp_path_factory).file
    count = "\nprint(len(plt.get_fignums()), 'figures', np.isfinite(mean).all())"
    code = _code_of("understand_a_rodent.ipynb") + count
    said = _run("-c", code, RECORDING=str(recorded), MPLBACKEND="Agg").splitlines()
    assert said[0] == "runner in corridor: (350, 128), 2 trials"
    assert 0 < float(said[1].removesuffix(" Hz")) < 12.5
    assert said[2] == "3 figures True"


def test_the_script_and_the_notebook_close_the_loop(runtime: Path, tmp_path: Path) -> None:
    """What they say of their latency is what was recorded, and the unit was held."""
    code = _code_of("closed_loop_client.ipynb")
    out = tmp_path / "loop.nwb"
    with (
        RunningRig(
            "run", OBSERVE, "--out", out, "--pace", "realtime", "--no-picture", "--seed", 3
        ) as rig,
        rig.attach() as bus,
    ):
        script = _run(str(EXAMPLES / "closed_loop_client.py"))
        noted = _run("-c", code)
        bus.command("stop")
        status, _, trouble = rig.end()
    assert status == 0, trouble
    said = [
        tuple(map(int, found))
        for found in re.findall(
            r"at tick (\d+) and is held from tick (\d+) on: (\d+) ticks", script
        )
    ]
    assert len(said) == 5
    assert all(held - crossed == ticks >= 2 for crossed, held, ticks in said)
    assert re.search(r"The loop takes [\d.]+ ticks", script)
    assert re.search(r"The loop takes [\d.]+ ticks of 20 ms \(2 is the least\): \[\d", noted)
    with ReplaySource(out) as replay:
        recorded = replay.recording
        assert len(recorded.inputs) >= 10
        onsets = [e.tick for _, e in recorded.events if e.name == "outside" and e.phase == "onset"]
        assert onsets[:5] == [held for _, held, _ in said]
        unit = 128 + recorded.inputs[0][1].args["units"][0]
        held = replay.messages(onsets[0], onsets[0])[0]
    assert isinstance(held.content, Tick)
    # held at 0: its cell is, and so is what it tells the others
    assert held.arrays["c_applied"][unit] == held.arrays["h_applied"][unit] == 0
    assert held.arrays["c_natural"][unit] != 0
