"""A session in which an operator and a client do all that they may, recorded once for all who read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rig.errors import RunError
from tests.operated import operate
from tests.rodent_rig import RunningRig, rodent_rig_here, wait_for
from tests.shared_recordings import made_once
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


def operated_session(factory: pytest.TempPathFactory) -> Path:
    """A folder with `f.nwb`, recorded under `p.yaml`, and clips of it.

    There are keys, a client's stimulus, notes; it was paused, stepped, disarmed, armed and stopped. The clips
    are `mine.nwb`, of a client, and the one of the rule; `said` is what the command said.
    """
    return made_once(factory, "operated", _record)


def _record(folder: Path) -> None:
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
