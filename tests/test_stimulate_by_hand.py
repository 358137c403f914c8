"""Stimulation by hand: what the panel asks for is what the session takes; what it shows is what was on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow
from gui.seen.seen_activity import KEPT_TICKS, SeenActivity
from gui.seen.stimuli_on import StimuliOn
from gui.stimulate.stimulate_panel import KINDS, WITH, StimulatePanel
from gui.stimulate.stimulus_choice import Choice, arguments
from gui.timeline.selection import UnitSelection
from rig.bus.external_inputs import read_input
from rig.bus.message_types import EngineReply, Event, LayerInfo, Message, Tick
from rig.errors import UserError
from rig.waveform_file import read_rows
from stim.stimuli.external import RequestedStimuli

LAYERS = {"core": 4, "policy_0": 3}
FIRSTS = {"core": 0, "policy_0": 4}
UNITS = {"core": [0, 3], "policy_0": [1]}
MEANS = {(layer, state): np.float32(range(n)) for layer, n in LAYERS.items() for state in "ch"}
N = 120
Units = dict[str, list[int]]
Rows = Sequence[Sequence[float]]


def seen(n_ticks: int = N, first: int = 0) -> SeenActivity:
    """Unit u is at u + tick / 1000 in c, and at minus that in h."""
    kept = SeenActivity(7)
    units = np.arange(7, dtype=np.float32)
    for tick in range(first, first + n_ticks):
        c = units + np.float32(tick / 1000)
        arrays = {"c_natural": c, "h_natural": -c}
        kept.add([Message(Tick(0, 0, 1, 0, False, False, 0), tick=tick, arrays=arrays)])
    return kept


@settings(max_examples=80, deadline=None)
@given(
    st.builds(
        Choice,
        kind=st.sampled_from(["clamp", "bias", "pulses", "overwrite"]),
        state=st.sampled_from(["cell", "hidden"]),
        held_at=st.sampled_from(["value", "seen", "baseline"]),
        given=st.sampled_from(["last", "ticks", "file"]),
        amount=st.floats(-1000, 1000),
        rate_hz=st.floats(0.1, 20),
        width_ms=st.just(20.0),
        begin_s=st.floats(0, 1.5),
        course_ms=st.floats(20, 500),
        for_ms=st.none() | st.floats(20, 3_600_000),
        delivery=st.sampled_from(["deliver", "draw", "sham"]),
        chance=st.floats(0, 1),
    )
)
def test_whatever_is_chosen_is_something_that_the_session_takes(choice: Choice) -> None:
    args = arguments(choice, "hand 1", UNITS, FIRSTS, seen(), MEANS, [[0.5], [0.25]])
    accepted = read_input("stimulate", args, LAYERS)
    assert accepted.args["origin"] == "by hand"
    asked = RequestedStimuli(LAYERS, 1)
    asked.accept(accepted, 10)
    (onset,) = asked.begin_or_end(11)
    acting = asked.interventions(11)
    if choice.delivery == "sham":
        assert onset.sham
    if onset.sham:
        assert acting == []
        return
    short = "c" if choice.state == "cell" else "h"
    assert [(each.layer, each.state, each.units.tolist()) for each in acting] == [
        (layer, short, units) for layer, units in UNITS.items()
    ]
    if choice.kind == "clamp" and choice.held_at == "baseline":
        assert acting[0].value.tolist() == [0.0, 3.0]
    last = RequestedStimuli(LAYERS, 1)
    last.accept(accepted, 10)
    ends = [tick for tick in range(11, 11 + 1500) for each in last.begin_or_end(tick)][1:]
    if choice.for_ms is None:
        assert ends == []
    elif choice.for_ms < 25_000:
        assert ends == [11 + max(1, math.floor(choice.for_ms / 20 + 0.5))]


def test_units_are_given_back_what_they_did() -> None:
    kept = seen()
    choice = Choice("overwrite", state="hidden", given="last", course_ms=60)
    args = arguments(choice, "hand 1", UNITS, FIRSTS, kept, {}, ())
    waveform = np.frombuffer(args["parts"][0]["waveform"], "<f4").reshape(3, 2)
    expected = -(np.float32([[0, 3]]) + np.float32([[117], [118], [119]]) / 1000)
    np.testing.assert_allclose(waveform, expected, rtol=1e-6)
    held = arguments(Choice("clamp", held_at="seen"), "x", UNITS, FIRSTS, kept, {}, ())
    assert held["parts"][1]["value"] == pytest.approx([5 + (N - 1) / 2000], abs=1e-5)


def test_what_cannot_be_done_is_a_sentence(tmp_path: Path) -> None:
    def refused(choice: Choice, units: Units = UNITS, rows: Rows = ()) -> str:
        with pytest.raises(UserError) as problem:
            arguments(choice, "x", units, FIRSTS, seen(KEPT_TICKS + 20), {}, rows)
        return str(problem.value)

    assert "Select units" in refused(Choice("bias"), {})
    early = Choice("overwrite", given="ticks", begin_s=0.1, course_ms=100)
    assert "does not have 0.10 to 0.20 s whole" in refused(early)
    assert "Choose the file" in refused(Choice("overwrite", given="file"))
    assert "2 columns for 3" in refused(Choice("overwrite", given="file"), rows=[[1.0, 2.0]])
    assert "can be sent" in refused(Choice("overwrite", given="file"), rows=[[1.0]] * 6000)
    assert "Choose the recording" in refused(Choice("clamp", held_at="baseline"))
    table = tmp_path / "course.csv"
    table.write_text("0.5,1\n1,x\n")
    with pytest.raises(UserError, match="row 2 of"):
        read_rows(table)


def _answers(*events: Event) -> list[Message]:
    return [Message(EngineReply((each,)), tick=each.tick) for each in events]


def _tick(tick: int) -> list[Message]:
    return [Message(Tick(0, 0, 1, 0, False, False, 0), tick=tick)]


def test_what_is_on_is_counted_and_blinding_holds(qtbot: QtBot) -> None:
    cause = "by hand: asked for as 'hand 1 @ 9'"
    stimuli = StimuliOn()
    stimuli.asked("hand 1 @ 9", {"pulses": {"width_ms": 40, "rate_hz": 10}})
    stimuli.add(_answers(Event("stimulus", "outside", "onset", 10, 10, 1, cause=cause)), _tick(16))
    assert [(each.called, stimuli.ticks_of(each)) for each in stimuli.on] == [("hand 1 @ 9", 4)]
    sham = Event("stimulus", "push", "onset", 17, 17, 1, sham=True, cause="rule 1: run.onset 2")
    stimuli.add(_answers(sham), _tick(18))

    selection = UnitSelection()
    panel = StimulatePanel(selection)
    qtbot.addWidget(panel)
    panel.describe((LayerInfo("core", 4), LayerInfo("policy_0", 3)))
    panel.allow("")
    assert not panel.fire.isEnabled()
    selection.select([3, 5])
    assert panel.units == {"core": [3], "policy_0": [1]}
    assert panel.fire.isEnabled()
    panel.amount.selectAll()
    qtbot.keyClicks(panel.amount, "0.7")  # without enter: the key that stimulates may be next
    assert panel.choice.amount == 0.7
    panel.show_on(stimuli, blinded=True)
    assert [label.text() for label in panel._counts] == ["4 ticks", "2 ticks"]
    panel.show_on(stimuli, blinded=False)
    assert [label.text() for label in panel._counts] == ["4 ticks", "2 ticks, sham"]
    assert panel.release_all.isEnabled()

    over = Event("stimulus", "outside", "offset", 20, 20, 1)
    hand = "by hand: asked for as 'hand 2 @ 20'"
    again = Event("stimulus", "outside", "onset", 21, 21, 2, sham=True, cause=hand)
    end = Event("stimulus", "outside", "offset", 23, 23, 2, sham=True)
    stimuli.add(_answers(over, again, end), _tick(23))
    assert (stimuli.total.stimuli, stimuli.total.ticks, stimuli.total.shams) == (1, 4, 1)
    panel.show_on(stimuli, blinded=False)
    assert "1 stimulus, 4 ticks delivered; 1 sham" in panel.total.text()
    panel.show_on(stimuli, blinded=True)
    assert panel.total.text() == "By hand today: 2 stimuli or shams"
    panel.allow("There is no engine.")
    assert not panel.fire.isEnabled()
    assert panel.sentence.text() == "There is no engine."


def test_a_file_is_read_beside_the_window_and_its_mistakes_are_said(
    qtbot: QtBot, open_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    window = open_window()
    panel, hand = window.panels.stimulate, window.session.by_hand
    panel.allow("")
    panel.kind.setCurrentIndex(list(KINDS).index("overwrite"))
    panel.given.setCurrentIndex(list(WITH).index("file"))
    good, bad = tmp_path / "course.csv", tmp_path / "words.csv"
    good.write_text("0.5\n0.25\n")
    bad.write_text("0.5\nhalf\n")
    hand.read_file("file", str(bad))
    qtbot.waitUntil(lambda: "row 2 of" in panel.sentence.text(), timeout=20_000)
    assert panel.choice.given == "last"
    panel.given.setCurrentIndex(list(WITH).index("file"))
    hand.read_file("file", str(good))
    assert panel.sentence.text() == "Reading course.csv…"
    qtbot.waitUntil(lambda: panel.sentence.text() == "", timeout=20_000)
    assert (panel.choice.given, panel.file.full_text) == ("file", "course.csv")
    hand.read_file("baseline", str(tmp_path / "none.nwb"))
    qtbot.waitUntil(lambda: "No session is shown" in panel.sentence.text(), timeout=20_000)
    panel.kind.setCurrentIndex(list(KINDS).index("clamp"))
    assert panel.file.full_text == ""  # the course is none whose means are held
    window.session.reset()  # another session: what was read for this one is gone
    panel.kind.setCurrentIndex(list(KINDS).index("overwrite"))
    assert (panel.choice.given, panel.file.full_text) == ("last", "")
    # a recording cannot be stimulated; nothing is shown as if one could
    assert not window.panels.control.release.isVisible()
    hand.stimulate()
    hand.release_all()
