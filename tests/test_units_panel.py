"""The units panel: its numbers are those of the plain functions, however a session reaches the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from analysis.event_average import event_average
from analysis.tuning import tuning
from bench.synthetic_session import TRIAL_TICKS, Stream, description
from gui.look.theme import DARK, LIGHT
from gui.panels import Panels
from gui.streams.stream import Batch
from gui.units.unit_averages import EDGES, EventKind, UnitAverages
from gui.units.units_panel import MOST_UNITS, UnitsPanel
from rig.body_state import NAMES
from rig.bus.message_types import EngineReply, Event, LayerInfo, Message, Tick

N_TICKS = 900
LAYERS = (LayerInfo("core", 16), LayerInfo("policy_2", 80))
N_UNITS = 96
DESCRIPTION = description(layers=LAYERS, camera_shape=(1, 1, 3))
RUN = EventKind("behaviour", "run")
SILENCE = EventKind("stimulus", "silence")
PLACES = [NAMES.index(name) for name in ("body_vx", "body_vy", "yaw")]
BODY = np.random.default_rng(3).normal(0, 0.3, (N_TICKS, len(NAMES)))


@pytest.fixture(scope="module")
def session() -> list[Message]:
    """Eighteen seconds; runs begin every 40 ticks, stimuli of which every other is a sham."""
    stream = Stream(DESCRIPTION)
    made = [*stream.beginning(), *stream.ticks(0, N_TICKS)]
    return [
        replace(each, arrays={**each.arrays, "body": BODY[each.tick]})
        if isinstance(each.content, Tick)
        else each
        for each in made
    ]


@pytest.fixture(scope="module")
def activity(session: list[Message]) -> dict[str, np.ndarray]:
    ticks = [message for message in session if isinstance(message.content, Tick)]
    kinds = ("c_applied", "h_applied", "c_natural", "h_natural")
    return {kind: np.stack([message.arrays[kind] for message in ticks]) for kind in kinds}


def _of(session: Sequence[Message], kind: type) -> list[Message]:
    return [message for message in session if isinstance(message.content, kind)]


def _events(session: list[Message], kind: EventKind) -> list[Event]:
    return [
        event
        for message in _of(session, EngineReply)
        for event in message.content.events  # type: ignore[union-attr]
        if (event.kind, event.name, event.phase) == (kind.kind, kind.name, kind.phase)
    ]


def _feed(averages: UnitAverages, session: list[Message], first: int, last: int) -> None:
    """Batches of any size, in each the answers of the one before, as they may come."""
    random = np.random.default_rng(first)
    ticks = [each for each in _of(session, Tick) if first <= each.tick <= last]
    answers = {each.tick: each for each in _of(session, EngineReply)}
    late: list[Message] = []
    while ticks:
        size = int(random.integers(1, 12))
        batch, ticks = ticks[:size], ticks[size:]
        averages.add(batch, late)
        late = [answers[each.tick] for each in batch]
    averages.add([], late)


def test_the_averages_are_those_of_the_plain_functions(
    session: list[Message], activity: dict[str, np.ndarray]
) -> None:
    averages = UnitAverages(DESCRIPTION)
    _feed(averages, session, 0, N_TICKS - 1)
    trial = np.arange(N_TICKS) // TRIAL_TICKS
    units = [90, 3]
    window = {"before": 50, "after": 101, "tick_s": 0.02}
    complete = N_TICKS - 101
    shams = {True: 0, False: 0}
    for kind in (RUN, SILENCE):
        found = averages.around(kind, "h", units)
        for name, average in found.items():
            wanted = [
                max(event.began_tick, 0)
                for event in _events(session, kind)
                if name == "" or event.sham == (name == "sham")
            ]
            shams[name == "sham"] += len(wanted)
            expected = event_average(
                activity["h_applied"][:, units],
                [tick for tick in wanted if tick <= complete],
                trial=trial,
                **window,
            )
            assert average.n_events == expected.n_events > 5
            np.testing.assert_array_equal(average.n, expected.n)
            np.testing.assert_allclose(average.mean, expected.mean, atol=2e-6)
            np.testing.assert_allclose(average.sem, expected.sem, atol=2e-5)
            np.testing.assert_allclose(average.time_s, expected.time_s)
    assert set(averages.around(SILENCE, "c", units)) == {"delivered", "sham"}
    assert EventKind("task", "orb") in averages.kinds()

    for sums in averages._tuning.values():
        sums.leave()
    variables = {
        "speed": np.hypot(BODY[:, PLACES[0]], BODY[:, PLACES[1]]),
        "heading": BODY[:, PLACES[2]],
    }
    for name, variable in variables.items():
        found_curve = averages.tuning(name, "c", units)
        expected_curve = tuning(
            activity["c_applied"][:, units], variable, EDGES[name], tick_s=0.02, trial=trial
        )
        for part in ("mean", "sem", "occupancy_s", "n_visits"):
            np.testing.assert_allclose(
                getattr(found_curve, part), getattr(expected_curve, part), atol=1e-6
            )


def test_what_a_replay_shows_again_counts_once(session: list[Message]) -> None:
    """Played with a jump back and one ahead, everything is counted as if played once; gaps are gaps."""
    once, jumping = UnitAverages(DESCRIPTION), UnitAverages(DESCRIPTION)
    _feed(once, session, 0, 699)
    for first, last in ((0, 360), (200, 560), (0, 50), (400, 699)):
        jumping.leave()
        _feed(jumping, session, first, last)
    for kind in (RUN, SILENCE):
        for name, expected in once.around(kind, "h", range(N_UNITS)).items():
            found = jumping.around(kind, "h", range(N_UNITS))[name]
            assert found.n_events == expected.n_events
            np.testing.assert_allclose(found.mean, expected.mean, atol=1e-5)
    assert jumping.seen.spans() == [(0, 699)]
    one, other = (each.tuning("speed", "h", [4]) for each in (once, jumping))
    np.testing.assert_allclose(one.occupancy_s.sum(), other.occupancy_s.sum(), atol=0.05)


@pytest.fixture
def panels(qtbot: QtBot, session: list[Message]) -> Panels:
    panels = Panels(DARK)
    for widget in (panels.timeline, panels.units):
        qtbot.addWidget(widget)
    batch = Batch()
    batch.add(each for each in session if each.tick < 700)
    for part in (panels.timeline, panels.units):
        part.take(batch)
    panels.units.resize(420, 560)
    panels.units.show()
    return panels


def test_the_panel_shows_the_selected_units(
    qtbot: QtBot, panels: Panels, activity: dict[str, np.ndarray]
) -> None:
    panel = panels.units
    assert panel.empty.isVisible()
    assert "Select units" in panel.empty.text()
    panels.selection.select([90, 3])
    assert panel.plots.isVisible()
    assert panel.traces.names == panel.around.names == ("policy_2/74", "core/3")
    (scale,) = panel.traces.scales
    x, natural = panel.traces.values(0)
    _, applied = panel.traces.values(1)
    assert x[0] == pytest.approx(4.0)
    for drawn, kind in ((natural, "h_natural"), (applied, "h_applied")):
        rows = drawn.reshape(2, 501)[:, :-1]
        values = activity[kind][200:700, [90, 3]].T
        assert np.corrcoef(rows[0], values[0])[0, 1] == pytest.approx(-1)  # down is more
        ratio = np.ptp(values[0]) / np.ptp(rows[0])
        assert ratio == pytest.approx(np.ptp(values[1]) / np.ptp(rows[1]), rel=1e-4)
        assert scale / ratio == pytest.approx(0.4, abs=0.2)  # of a row
    assert panel.speed.names == ("policy_2/74", "core/3", panel.speed.names[2])
    assert panel.speed.names[2].endswith(" s")
    assert "0:00.0 to 0:14.0" in panel.over.full_text

    panel.own.setChecked(True)
    assert len(panel.traces.scales) == 2
    panels.selection.select(range(40))
    assert panel.count.text() == f"{MOST_UNITS} of 40 units"
    assert len(panel.traces.names) == MOST_UNITS


def test_events_are_chosen_and_shams_are_apart_but_never_while_blinded(
    panels: Panels, session: list[Message]
) -> None:
    panel = panels.units
    panels.selection.select([90])
    choice = panel.event_choice
    words = [choice.itemText(place) for place in range(choice.count())]
    assert {"silence onset", "run offset", "first tap"} <= set(words)
    choice.setCurrentText("silence onset")
    panel.refresh()
    for words, sham in (("delivered", False), ("sham", True)):
        seen = [each for each in _events(session, SILENCE) if each.sham == sham and each.tick < 600]
        assert f"{words} n = {len(seen)}" in panel.legend.text()
    batch = Batch()
    batch.add(each for each in session if each.tick >= 700)
    panel.take(batch)
    panel.refresh()
    assert choice.currentText() == "silence onset"

    panels.timeline.set_blinded(True)
    assert choice.count() == 0
    batch = Batch()
    batch.add(session[2:])
    panel.take(batch)
    panel.refresh()
    choice.setCurrentText("silence onset")
    panel.refresh()
    assert "sham n" not in panel.legend.text()
    assert "delivered n" not in panel.legend.text()
    assert "natural" in panel.over.full_text
    panel.set_theme(LIGHT)
    assert len(panel.traces.values(0)[0]) == 501


def test_after_a_jump_it_says_over_what_it_averages(panels: Panels, session: list[Message]) -> None:
    panel: UnitsPanel = panels.units
    panels.selection.select([3])
    panel.clear()
    batch = Batch()
    batch.add(each for each in session if each.tick >= 800)
    panel.take(batch)
    panel.refresh()
    assert panel.over.full_text == (
        "Averages of applied activity over 16.0 s that were shown, in 2 stretches, "
        "the last 0:16.0 to 0:18.0"
    )
