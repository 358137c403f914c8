"""What the displays make of messages, without a session: z-scores, intervals, the recorder watched."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyqtgraph as pg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from gui.app import open_window
from gui.look.behaviour_style import Look, look_of
from gui.look.theme import DARK, THEMES, activity_colours
from gui.seen.activity import WINDOW_TICKS, ActivityWindow, UnitStatistics
from gui.seen.intervals import Intervals
from gui.session.banner import Banner
from gui.session.fault_watch import FaultWatch
from gui.session.log_panel import LogPanel
from gui.timeline.ethogram import Ethogram
from gui.timeline.timeline import Timeline
from rig.bus.message_types import EngineReply, Event, KnownFault, Message, Tick
from rig.errors import UserError
from tests.rodent_rig import ROOT

KINDS = ("c_applied", "h_applied", "c_natural", "h_natural")


def _tick(number: int, activity: np.ndarray) -> Message:
    content = Tick(0, 0.0, 1.0, 0.0, number == 0, False, 0.0)
    return Message(content, tick=number, arrays=dict.fromkeys(KINDS, activity.astype(np.float32)))


def _onset(name: str, tick: int, number: int, sham: bool = False, began: int = -1) -> Event:
    kind = "behaviour" if name == "run" else "stimulus"
    return Event(kind, name, "onset", tick, tick if began < 0 else began, number, sham)


def _offset(name: str, tick: int, number: int, sham: bool = False) -> Event:
    kind = "behaviour" if name == "run" else "stimulus"
    return Event(kind, name, "offset", tick, tick, number, sham)


# --- raster -----------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_statistics_do_not_depend_on_how_ticks_are_batched(sizes: list[int], seed: int):
    values = np.random.default_rng(seed).normal(3.0, 2.0, (5, sum(sizes))).astype(np.float32)
    statistics = UnitStatistics(5)
    for part in np.split(values, np.cumsum(sizes)[:-1], axis=1):
        statistics.add(part)
    np.testing.assert_allclose(statistics.mean, values.mean(axis=1), rtol=1e-4, atol=1e-4)
    variance = values.astype(np.float64).var(axis=1)
    n = values.shape[1]
    expected = np.sqrt((variance * n + np.median(variance) * 50) / (n + 50))
    np.testing.assert_allclose(statistics.deviation(), np.maximum(expected, 1e-6), rtol=1e-4)


def test_statistics_forget_what_is_older_than_about_a_minute():
    statistics = UnitStatistics(2)
    for _ in range(60):
        statistics.add(np.full((2, 100), 100.0, np.float32))
    for _ in range(240):
        statistics.add(np.full((2, 100), -1.0, np.float32))
    np.testing.assert_allclose(statistics.mean, -1.0, atol=0.1)


def test_raster_shows_z_scores_in_their_columns_and_holes_as_holes():
    rng = np.random.default_rng(0)
    window = ActivityWindow(4)
    missing = {700, 701}
    values = {tick: rng.normal([0, 5, -5, 0], [1, 1, 1, 0.1]) for tick in range(800)}
    values[790] = np.array([2.0, 7.0, -5.0, 0.0])
    for tick, activity in values.items():
        if tick not in missing:
            window.add([_tick(tick, activity)])
    levels = np.zeros((4, WINDOW_TICKS), np.uint8)
    window.levels("c_applied", levels)

    def column(tick: int) -> np.ndarray:
        return levels[:, tick - (800 - WINDOW_TICKS)]

    assert all((column(tick) == 255).all() for tick in missing)
    z = (column(790).astype(float) - 127.5) / 127.5 * 3.0
    np.testing.assert_allclose(z, [2.0, 2.0, 0.0, 0.0], atol=0.35)
    assert (np.abs(z - [2.0, 2.0, 0.0, 0.0]) < 0.35).all()


def test_the_first_second_of_a_raster_is_not_saturated():
    rng = np.random.default_rng(1)
    window = ActivityWindow(64)
    window.add([_tick(tick, rng.normal(0, 1, 64)) for tick in range(10)])
    levels = np.zeros((64, WINDOW_TICKS), np.uint8)
    window.levels("h_natural", levels)
    shown = levels[:, -10:]
    assert (levels[:, :-10] == 255).all()
    assert ((shown <= 1) | (shown == 254)).mean() < 0.05


@pytest.mark.parametrize("name", sorted(THEMES))
def test_activity_colours_are_symmetric_and_even(name: str):
    colours = activity_colours(THEMES[name], 255).astype(float)
    luminance = colours @ [0.2126, 0.7152, 0.0722]
    steps = np.abs(np.diff(luminance))
    assert (np.sign(np.diff(luminance[:120])) == np.sign(luminance[1] - luminance[0])).mean() > 0.9
    assert abs(luminance[0] - luminance[-1]) < 25
    assert steps.max() < 6


# --- ethogram ---------------------------------------------------------------------------------------


def test_intervals_pair_onsets_with_their_offsets():
    intervals = Intervals()
    intervals.add([_onset("run", 10, 0, began=5)], 10)
    intervals.add([_onset("silence", 12, 0), _onset("silence", 13, 1, sham=True)], 12)
    intervals.add([_offset("silence", 37, 0)], 37)
    found = {(i.name, i.number): i for i in intervals.within(0, 100)}
    assert (found["run", 0].began_tick, found["run", 0].found_tick) == (5, 10)
    assert found["run", 0].end_tick is None
    assert found["silence", 0].end_tick == 37
    assert found["silence", 1].sham
    assert not found["silence", 0].sham


def test_an_interval_whose_onset_was_not_seen_reaches_to_the_left_edge():
    intervals = Intervals()
    intervals.add([_offset("run", 800, 7)], 800)
    (only,) = intervals.within(500, 1000)
    assert (only.began_tick, only.end_tick) == (None, 800)
    assert intervals.within(801, 1000) == []


def _reply(tick: int, *events: Event, confidence: float | None = None) -> Message:
    arrays = {}
    if confidence is not None:
        arrays["confidence"] = np.array([0.0, confidence], np.float32)
    return Message(EngineReply(events), tick=tick, arrays=arrays)


def _task_tick(number: int, reward: float, *events: str) -> Message:
    trial = number // 100
    content = Tick(trial, reward, 1.0, 0.0, number % 100 == 0, False, 0.0, events)
    return Message(content, tick=number)


@pytest.fixture
def ethogram(qtbot: QtBot) -> Ethogram:
    plots = pg.GraphicsLayoutWidget()
    qtbot.addWidget(plots)
    ethogram = Ethogram(plots.addPlot(), DARK)
    ethogram.describe(("walk", "run"), ("silence",), 0.02)
    ethogram.widget = plots  # kept alive
    plots.resize(400, 120)
    return ethogram


def test_a_bar_is_filled_as_high_as_the_detector_was_sure(ethogram: Ethogram):
    sure = {tick: 0.25 + 0.01 * min(tick, 60) for tick in range(150)}
    answers = [_reply(tick, confidence=value) for tick, value in sure.items()]
    answers[50] = _reply(50, _onset("run", 50, 0), confidence=sure[50])
    answers[140] = _reply(140, _offset("run", 140, 0), confidence=sure[140])
    answers += [_reply(tick) for tick in range(150, 400)]  # without confidences
    answers[200] = _reply(200, _onset("run", 200, 1))
    ethogram.add(answers, [_task_tick(tick, 0.1) for tick in range(400)])
    ethogram.draw()
    assert [name for _, name in ethogram.rows] == ["run", "silence"]
    levels = {each.rect.left(): each.levels for each in ethogram._bars.level_bars}
    np.testing.assert_allclose(levels[50 * 0.02][:40], [sure[t] for t in range(50, 90)], atol=1e-6)
    # one without confidences is filled to its height, as in recordings from before
    assert [rect.left() for rect, look in ethogram._bars.bars if look == look_of(DARK, "run")] == [
        pytest.approx(200 * 0.02)
    ]
    assert "confidence here 0.85" in ethogram.under(70 * 0.02, 0.5)
    ethogram.widget.grab()
    # a window of a minute has no more steps than can be seen
    ethogram.window_ticks = 3000
    ethogram.add(
        [_reply(tick, confidence=0.9) for tick in range(400, 3400)], [_task_tick(3399, 0.0)]
    )
    ethogram.draw()
    assert max(len(each.levels) for each in ethogram._bars.level_bars) <= 1000


def test_events_rewards_and_trials_of_the_task_have_rows(ethogram: Ethogram):
    rewards = {30: ("orb", 50.2), 120: ("tap_missed", 0.2)}
    for tick in range(250):
        name, reward = rewards.get(tick, ("", 0.2))
        ethogram.add([], [_task_tick(tick, reward, *([name] if name else []))])
    condition = Event("condition", "drug", "onset", 100, 100, 1)
    ethogram.add([_reply(100, condition)], [])
    ethogram.draw()
    rows = [name for _, name in ethogram.rows]
    assert rows == ["task events", "reward", "trials", "silence"]

    def under(tick: float, name: str) -> str:
        return ethogram.under(tick * 0.02, rows.index(name) + 0.5)

    assert under(30.5, "task events") == "orb   0.60 s"
    assert under(30.5, "reward") == "reward +50   0.60 s"
    assert under(120.5, "reward") == ""
    first, second = under(50, "trials"), under(150, "trials")
    assert first == "trial 1   0.00 s to 2.00 s: orb 1; reward 70"
    assert second == "trial 2 (drug)   2.00 s to 4.00 s: tap missed 1; reward 20"
    looks = [look for _, look in ethogram._bars.bars]
    assert Look(DARK.good, "tint") in looks
    assert Look(DARK.muted, "outline") in looks
    ethogram.widget.grab()
    # conditions may tell what a blinded protocol hides
    ethogram.blinded = True
    ethogram.draw()
    assert "drug" not in under(150, "trials")
    ethogram.clear()
    assert [name for _, name in ethogram.rows] == rows


# --- faults ----------------------------------------------------------------------------------------


def test_faults_are_shown_while_they_last_and_kept(qtbot: QtBot):
    timeline, banner, log = Timeline(DARK), Banner(), LogPanel(DARK)
    for widget in (timeline, banner, log):
        qtbot.addWidget(widget)
    watch = FaultWatch(banner, log, timeline)
    early = KnownFault("subject", "", "It stumbled.", 5, 5)
    silent = KnownFault("recorder", "silent", "The recorder is silent.", 100, -1)
    watch.take([early])  # before this window came: only in the log
    assert banner.isHidden()
    watch.take([early, silent])
    assert banner.label.text() == "The recorder is silent (since 0:02.0)."
    dead = KnownFault("stimulation", "dead", "The engine died.", 120, -1)
    watch.take([early, silent, dead])
    assert banner.label.text().endswith("since 0:02.4). Take a new one in the panel Session.")
    watch.take([early, silent, dead], goes_on=False)
    assert banner.label.text().endswith("(since 0:02.4).")
    watch.take([early, silent])
    happened = KnownFault("subject", "", "Interventions were refused.", 150, 150)
    over = KnownFault("recorder", "silent", "The recorder is silent.", 100, 160)
    watch.take([early, over, happened])
    assert banner.label.text() == "Interventions were refused."
    assert log.lines == [
        "0:00.1  subject: It stumbled.",
        "0:02.0  recorder: The recorder is silent. Over at 0:03.2.",
        "0:03.0  subject: Interventions were refused.",
    ]
    watch.reset()
    assert log.lines == ["Nothing has gone wrong."]


# --- borders ----------------------------------------------------------------------------------------


def test_no_display_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="no display"):
        open_window()


def test_the_window_loads_neither_the_network_nor_the_simulator_nor_hdf5():
    program = (
        "import sys, gui.app, gui.main_window\n"
        "found = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(found & {'torch', 'dm_control', 'h5py', 'pynwb', 'agent', 'stim'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert done.stdout.strip() == "[]"
