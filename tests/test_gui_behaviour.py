"""The behaviour panel: counts, live and of a recording, and bouts as pictures that one can jump to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from bench.synthetic_session import description
from gui.behaviour.behaviour_panel import BehaviourPanel
from gui.look.theme import DARK
from gui.seen.behaviour_counts import BehaviourCounts, counts_of
from gui.seen.bouts import MOST_BOUTS, PostureHistory, bouts_of
from gui.seen.markers import Extent
from gui.streams.stream import Batch
from rig.bus.message_types import EngineReply, Episode, Event, Message, Tick

XML = """
<mujoco>
  <visual><quality shadowsize="1"/></visual>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="plane" size="2 2 0.1" rgba="0 0 1 1"/>
    <body name="walker/torso" pos="0 0 0.1"><freejoint/><geom size="0.05" rgba="1 0 0 1"/></body>
  </worldbody>
</mujoco>
"""


def _event(name: str, phase: str, tick: int, number: int, kind: str = "behaviour") -> Event:
    return Event(kind, name, phase, tick, tick, number)


EVENTS = (
    _event("run", "offset", 40, 0),  # went on before the first tick that was seen
    _event("run", "onset", 100, 1),
    _event("run", "offset", 150, 1),
    _event("push", "onset", 160, 0, "stimulus"),
    _event("push", "offset", 170, 0, "stimulus"),
    _event("rear", "onset", 200, 0),
    _event("rear", "offset", 220, 0),
    _event("rear", "onset", 280, 1),
)
"""Of the ticks 0 to 299: the last rear goes on."""
EXTENT = Extent("made.nwb", 0, 299, EVENTS, (0,), ("run", "rear"), ("push",))


def _tick(number: int) -> Message:
    content = Tick(0, 0.0, 1.0, 0.0, number == 0, False, 0.0)
    qpos = np.array([0.001 * number, 0, 0.1, 1, 0, 0, 0])
    return Message(content, tick=number, arrays={"qpos": qpos})


def _batches(n_ticks: int = 300, xml: str = XML) -> Iterator[Batch]:
    """The same as it streams by."""
    yield Batch(description=Message(description()), episodes=[Message(Episode(0, xml), tick=0)])
    for first in range(0, n_ticks, 50):
        ticks = [_tick(number) for number in range(first, first + 50)]
        answers = [
            Message(EngineReply((event,)), tick=event.tick)
            for event in EVENTS
            if first <= event.tick < first + 50
        ]
        yield Batch(ticks=ticks, answers=answers)


def test_counts_are_those_of_what_happened_live_and_in_a_recording() -> None:
    live = BehaviourCounts()
    for batch in _batches():
        if batch.ticks:
            live.see(batch.ticks[0].tick, batch.ticks[-1].tick)
        for message in batch.answers:
            live.add(message.content.events)  # type: ignore[union-attr]
    assert live.summaries() == counts_of(EXTENT).summaries()
    found = {each.name: each for each in live.summaries()}
    assert set(found) == {"run", "rear"}
    run, rear = found["run"], found["rear"]
    assert (run.count, rear.count) == (2, 2)
    assert run.per_minute == pytest.approx(2 / 6.0 * 60)
    assert run.mean_s == pytest.approx(1.0)  # of the one that was seen whole
    assert run.share == pytest.approx((40 + 50) / 300)
    assert rear.mean_s == pytest.approx(0.4)
    assert rear.share == pytest.approx((20 + 20) / 300)
    assert BehaviourCounts().summaries() == []


def test_the_newest_bouts_are_kept_with_their_postures() -> None:
    history = PostureHistory()
    history.add([Message(Episode(0, XML), tick=0)], [], [])
    for number in range(20):
        first = 40 * number
        ticks = [_tick(tick) for tick in range(first, first + 40)]
        on, off = (
            _event("run", "onset", first + 5, number),
            _event("run", "offset", first + 25, number),
        )
        answers = [Message(EngineReply((event,)), tick=event.tick) for event in (on, off)]
        history.add([], ticks, answers)
    bouts = history.bouts("run")
    assert [bout.number for bout in bouts] == list(range(19, 19 - MOST_BOUTS, -1))
    newest = bouts[0]
    assert newest.ticks == (765, 774, 784)
    assert [each.tick if each else -1 for each in newest.postures] == [765, 774, 784]
    assert newest.postures[1].qpos[0] == pytest.approx(0.774)  # type: ignore[union-attr]
    # arenas are large: bouts of trials that are long over are given up
    for trial in range(1, 6):
        episode = Episode(trial, XML + " " * trial)
        history.add([Message(episode, tick=800 * trial)], [_tick(800 * trial)], [])
    assert history.bouts("run") == []
    assert [bout.number for bout in bouts_of(EXTENT, "rear")] == [1, 0]
    assert bouts_of(EXTENT, "rear")[0].ticks == (280, 289, 299)


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[BehaviourPanel]:
    panel = BehaviourPanel(DARK, lambda: {})
    qtbot.addWidget(panel)
    panel.resize(360, 600)
    panel.show()
    yield panel
    panel.close_renderer()


def _row(panel: BehaviourPanel, name: str) -> list[str]:
    table = panel.table
    texts = [[table.item(r, c).text() for c in range(5)] for r in range(table.rowCount())]
    return next(row for row in texts if row[0] == name)


def test_a_behaviour_is_a_row_of_numbers_and_a_strip_of_pictures(
    qtbot: QtBot, panel: BehaviourPanel
) -> None:
    for batch in _batches():
        panel.take(batch)
    panel.refresh()
    assert "0:06.0" in panel.seen.full_text
    assert _row(panel, "run") == ["run", "2", "20.0", "1.00 s", "30 %"]
    assert _row(panel, "rear") == ["rear", "2", "20.0", "0.40 s", "13 %"]
    row = next(r for r in range(2) if panel.table.item(r, 0).text() == "run")
    place = panel.table.visualItemRect(panel.table.item(row, 1)).center()
    qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert panel.chosen == "run"
    (bout,) = panel.strip.bouts
    assert bout.ticks == (100, 124, 149)
    qtbot.waitUntil(lambda: not panel.strip.missing(), timeout=20_000)
    pictures = [panel.strip._images["run", 1, number] for number in range(3)]
    middle = pictures[0].pixelColor(pictures[0].width() // 2, pictures[0].height() // 2)
    assert middle.red() > middle.blue()
    qtbot.waitUntil(lambda: panel.cancel.isHidden(), timeout=20_000)

    chosen: list[int] = []
    panel.tick_chosen.connect(chosen.append)
    strip = panel.strip
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(strip.width() // 2, 40))
    assert chosen == [124]
    panel.choose("rear")
    assert [each.number for each in strip.bouts] == [0]  # the other one goes on
    panel.choose("jump")
    assert panel.title.full_text == "jump: no bout is over yet"
    assert strip.bouts == ()


def test_pictures_can_be_stopped_and_what_cannot_be_drawn_is_said(
    qtbot: QtBot, panel: BehaviourPanel
) -> None:
    for batch in _batches(xml="<mujoco><worldbody/></mujoco"):
        panel.take(batch)
    panel.refresh()
    panel.choose("run")
    qtbot.waitUntil(lambda: "This arena cannot be drawn" in panel.title.full_text, timeout=20_000)
    qtbot.waitUntil(lambda: panel.stills.n_left == 0, timeout=20_000)
    panel.show_recording(None, None)
    for batch in _batches():
        panel.take(batch)
    panel.choose("run")
    panel.cancel.click()
    assert panel.stills.n_left == 0
    assert panel.cancel.isHidden()
    missing = len(panel.strip.missing())
    qtbot.wait(150)
    assert len(panel.strip.missing()) >= missing - 1  # the one that was being made, at most
