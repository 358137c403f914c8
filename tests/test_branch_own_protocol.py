"""Branches into the session's own protocol: with a stimulus withheld, or with one added; and dry runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

import recorder
from gui.replay.branch_dialog import BranchDialog, Branched
from gui.seen.markers import Extent
from gui.timeline.selection import UnitSelection
from tests.recorder_checks import same_until
from tests.rodent_rig import FIRST_LIGHT, rodent_rig_here
from tests.shared_recordings import first_light


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_light(tmp_path_factory).file


@pytest.fixture(scope="module")
def onset(session: Path) -> int:
    """The first tick of a delivered silence, after the first snapshot."""
    with recorder.open(session) as recording:
        found = [
            each.onset_tick
            for each in recording.intervals("stimuli")
            if not each.sham and each.onset_tick > 60
        ]
    return found[0]


def test_branch_from_here_in_the_window(
    session: Path, onset: int, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be is said before; a stimulus is taken away, another one added; it can be run again."""
    out, tick = tmp_path / "g.nwb", onset - 2
    with recorder.open(session) as recording:
        described = recording.description
        extent = Extent(session.name, 0, recording.last_tick, (), (0,), (), ())
    selection = UnitSelection()
    selection.select([0, 5, 128])
    dialog = BranchDialog(Branched(session, extent, described, tick), selection)
    qtbot.addWidget(dialog)
    assert dialog.out.text() == str(session.with_name(f"first-branch-{tick}.nwb"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    dialog._choosers[1].click()
    assert dialog.words()[-2:] == [str(out), "--overwrite"]  # the question was answered there
    dialog.out.setText(str(tmp_path / "h.nwb"))
    assert "--overwrite" not in dialog.words()
    dialog.out.setText(str(out))
    selection.add([4000])  # of another network, which the window shows by now
    assert "3 selected" in dialog.added.text()
    dialog.protocol.setText("no-such")
    qtbot.waitUntil(lambda: "no-such" in dialog.said.text(), timeout=60_000)
    assert not dialog.start.isEnabled()
    dialog.protocol.setText("")
    dialog.without.setCurrentText("silence")
    dialog.added.setChecked(True)
    dialog.value.setValue(0.5)
    dialog.for_ms.setValue(80)
    dialog.last_s.setValue(0.2)
    qtbot.waitUntil(lambda: dialog.bar.maximum() == 0, timeout=20_000)  # that is being looked at
    dialog.for_ms.setValue(60)
    assert not dialog.start.isEnabled()  # what was looked at was something else
    qtbot.waitUntil(dialog.start.isEnabled, timeout=60_000)
    assert dialog._checked == dialog.words()
    assert f"at tick {tick} is simulated from tick {tick // 50 * 50} on" in dialog.said.text()
    shares: list[int] = []
    dialog.bar.valueChanged.connect(shares.append)
    with qtbot.waitSignal(dialog.made, timeout=120_000) as made:
        dialog.start.click()
        assert dialog.stop.text() == "Cancel"
        selection.add([7])
        assert not dialog.added.isEnabled()
    assert made.args == [out, tick]
    assert max(shares) > 500
    with recorder.open(session) as one, recorder.open(out) as other:
        same_until(one, other, tick - 5, tick)
        (sham,) = [each for each in other.intervals("stimuli") if each.onset_tick == onset]
        assert (sham.name, sham.sham) == ("silence", True)
        text, own = other.description.protocol_text, one.description.protocol_text
        assert text.count("#") == own.count("#")  # the comments stay
        (added,) = [each for each in other.intervals("stimuli") if each.name == "outside"]
        assert (added.onset_tick, added.offset_tick) == (tick + 1, tick + 4)
        applied = other.values("c_applied", tick + 1, tick + 1)[0]
        assert applied[[0, 5, 128]].tolist() == [0.5, 0.5, 0.5]
    again = rodent_rig_here("rerun", out, "--from", tick * 0.02)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "identical" in again.stdout


def test_what_cannot_be_branched_is_said_before(session: Path, onset: int, tmp_path: Path) -> None:
    """A dry run makes nothing; its sentences are those of the command itself."""
    out = tmp_path / "g.nwb"
    own = ("branch", session, "--at-tick", onset, "--out", out, "--dry-run")
    possible = rodent_rig_here(*own, "--without", "silence")
    assert possible.returncode == 0, possible.stderr
    assert f"at tick {onset} is simulated from tick {onset // 50 * 50} on" in possible.stdout
    other_subject = tmp_path / "other.yaml"
    other_subject.write_text(FIRST_LIGHT.read_text().replace("task: corridor", "task: gaps"))
    for options, words in (
        (
            ("--without", "song"),
            "No rule of first-light delivers 'song'; its rules deliver silence",
        ),
        (("--add", "{"), "no JSON"),
        (("--add", '{"layer": "cortex", "units": [1]}'), "--add: layer has to be one of core"),
        (("--protocol", other_subject), "for the task 'gaps'"),
        (("--set", "units=3"), "--set is for the protocol"),
        (("--at", 1.0), "Say where to branch with one of"),
    ):
        refused = rodent_rig_here(*own, *options)
        assert refused.returncode == 2, options
        assert words in refused.stderr
    assert not out.exists()
