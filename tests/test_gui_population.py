"""The trajectory of a layer's activity: known components, behaviours that colour it, axes that stay."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from bench.synthetic_session import description
from gui.look.theme import DARK, LIGHT
from gui.seen.activity_history import KEPT_TICKS, ActivityHistory
from gui.streams.stream import Batch
from gui.timeline.timeline import Timeline
from gui.units.component_worker import ComponentWorker
from gui.units.population_panel import PopulationPanel
from rig.bus.message_types import EngineReply, Event, Message, Tick

N_UNITS = 512
AXES = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 2)))[0].T


def _tick(
    number: int, kinds: tuple[str, ...] = ("c_applied", "h_applied", "c_natural", "h_natural")
):
    """A tick whose last layer goes round an ellipse, once a second, and whose other layers stand still."""
    angle = 2 * np.pi * number / 50
    activity = np.zeros(N_UNITS, np.float32)
    activity[-128:] = 5.0 + np.array([6 * np.cos(angle), 3 * np.sin(angle)]) @ AXES
    content = Tick(0, 0.0, 1.0, 0.0, number == 0, False, 0.0)
    return Message(content, tick=number, arrays=dict.fromkeys(kinds, activity))


def _reply(tick: int, *events: tuple[str, str, str, int]) -> Message:
    found = tuple(Event(kind, name, phase, tick, tick, n) for kind, name, phase, n in events)
    return Message(EngineReply(found), tick=tick)


def test_each_tick_has_the_behaviour_that_began_last() -> None:
    history = ActivityHistory(N_UNITS)
    history.add(
        [_tick(number) for number in range(100)],
        [
            _reply(10, ("behaviour", "walk", "onset", 0), ("stimulus", "push", "onset", 0)),
            _reply(20, ("behaviour", "turn_left", "onset", 0)),
            _reply(30, ("behaviour", "turn_left", "offset", 0)),
            _reply(60, ("behaviour", "walk", "offset", 0)),
            _reply(90, ("behaviour", "run", "onset", 0)),
        ],
    )
    names, codes = history.behaviours(history.known(0))
    shown = [names[code] if code >= 0 else "" for code in codes]
    expected = (
        [""] * 10 + ["walk"] * 10 + ["turn_left"] * 10 + ["walk"] * 30 + [""] * 30 + ["run"] * 10
    )
    assert shown == expected
    # ticks that were lost are holes; after a jump only what follows it is known
    history.add([_tick(103)], [])
    assert history.known(98).tolist() == [98, 99, 103]
    history.add([_tick(50)], [])
    assert history.known(0).tolist() == [50]
    history.add([_tick(50 + n) for n in range(1, 2 * KEPT_TICKS)], [])
    assert len(history.known(0)) == KEPT_TICKS


def test_the_axes_that_are_found_anew_are_near_the_former(qtbot: QtBot, monkeypatch) -> None:
    monkeypatch.setattr("gui.units.component_worker.EVERY_S", 0.02)
    worker = ComponentWorker()
    found: list[object] = []
    worker.found.connect(lambda choice, components: found.append((choice, components)))
    random = np.random.default_rng(1)
    try:
        choice = worker.choose(40, z_scored=False)
        before = None
        for _ in range(4):  # nothing but noise: plain components would be others every time
            n = len(found)
            worker.add(random.normal(size=(150, 40)).astype(np.float32))
            qtbot.waitUntil(lambda n=n: len(found) > n, timeout=20_000)
            assert found[-1][0] == choice
            axes = found[-1][1].axes
            if before is not None:
                near = axes @ before.T
                np.testing.assert_allclose(near, near.T, atol=1e-6)
                assert np.linalg.eigvalsh(near).min() > -1e-6  # no rotation could bring them nearer
            before = axes
    finally:
        worker.close()


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[PopulationPanel]:
    panel = PopulationPanel(DARK)
    qtbot.addWidget(panel)
    panel.take(Batch(description=Message(description())))
    panel.resize(360, 420)
    panel.show()
    yield panel
    panel.close_worker()


def test_a_layer_is_a_trajectory_coloured_by_behaviour(
    qtbot: QtBot, panel: PopulationPanel
) -> None:
    assert panel.layer.currentText() == "policy_2"
    panel.z_scored.setChecked(False)
    panel.draw()
    assert "2 s of activity" in panel.plot.sentence or "No activity" in panel.plot.sentence
    answers = [_reply(100, ("behaviour", "run", "onset", 0), ("stimulus", "push", "onset", 0))]
    panel.take(Batch(ticks=[_tick(number) for number in range(300)], answers=answers))
    qtbot.waitUntil(lambda: panel.components is not None, timeout=20_000)
    found = panel.components
    assert found is not None
    np.testing.assert_allclose(found.explained[:2], [0.8, 0.2], atol=0.01)
    np.testing.assert_allclose(np.abs(found.axes[:2] @ AXES.T), np.eye(2), atol=0.05)
    panel.draw()
    assert panel.plot.names == ("run",)
    assert "component 1 (80 % of variance), activity" in panel.plot._labels
    assert panel.plot._points[:, 0].max() == pytest.approx(6.0, abs=0.1)
    picture = panel.plot.grab().toImage()
    colours = {picture.pixelColor(x, y).name() for x in range(0, 340, 2) for y in range(0, 300, 2)}
    assert len(colours) > 5

    # held axes stay, whatever comes; what was seen can be projected on three of them, too
    panel.hold.setChecked(True)
    panel.deep.setChecked(True)
    panel.set_theme(LIGHT)
    panel.take(Batch(ticks=[_tick(number) for number in range(300, 600)]))
    panel.draw()
    assert panel.components is found
    assert panel.plot.deep
    panel.clear()
    panel.draw()
    assert panel.components is found

    # another layer has other components
    panel.layer.setCurrentText("core")
    assert not panel.hold.isChecked()
    assert panel.components is None


def test_blinded_it_shows_natural_activity_alone(qtbot: QtBot, panel: PopulationPanel) -> None:
    timeline = Timeline(DARK)
    qtbot.addWidget(timeline)
    timeline.blinded_changed.connect(panel.set_blinded)
    timeline.set_blinded(True)
    kinds = [panel.kind.itemData(place) for place in range(panel.kind.count())]
    assert kinds == ["c_natural", "h_natural"]
    events = [
        _reply(9, ("stimulus", "push", "onset", 0)),
        _reply(9, ("behaviour", "walk", "onset", 0)),
    ]
    panel.take(Batch(ticks=[_tick(number) for number in range(150)], answers=events))
    qtbot.waitUntil(lambda: panel.components is not None, timeout=20_000)
    panel.draw()
    assert panel.plot.names == ("walk",)
    timeline.set_blinded(False)
    assert panel.kind.count() == 4
