"""What the window analyses of a recording: known answers, and the panel that asks for them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

import recorder
from analysis import video
from analysis.charts import average_chart, spectrum_chart, trajectory_chart, tuning_chart
from analysis.export import interval_rows
from bench.synthetic_session import TRIAL_TICKS, Stream, description
from gui.look.theme import DARK
from gui.replay.analyse_panel import AnalysePanel
from gui.seen.markers import Extent
from gui.timeline.selection import UnitSelection
from recorder.writer import Writer
from rig.body_state import NAMES
from rig.bus.message_types import Message, Tick
from rig.errors import UserError

N_TICKS = 600
UNIT = 130
SPEED = NAMES.index("forward_speed")
EVENTS = (30, 140, 340, 555)


def _known(message: Message) -> Message:
    """Unit 130 does 3 + 2 × speed, and 5 more at an event; core beats at 2 Hz along one axis."""
    if not isinstance(message.content, Tick):
        return message
    tick = message.tick
    speed = 0.1 * (tick % 10)
    c = np.zeros_like(message.arrays["c_natural"])
    c[:128] = np.sin(2 * np.pi * 2 * tick * 0.02) * np.linspace(0.5, 1.0, 128)
    c[UNIT] = 3 + 2 * speed + (5 if tick in EVENTS else 0)
    body = message.arrays["body"].copy()
    body[SPEED] = speed
    arrays = {**message.arrays, "c_natural": c, "c_applied": c, "body": body}
    return Message(message.content, message.session, tick, message.sequence, arrays)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("analyse") / "F.nwb"
    stream = Stream(description())
    writer = Writer(path, description(), {}, session="test", camera=False)
    for message in [*stream.beginning(), *stream.ticks(0, N_TICKS), stream.end(N_TICKS)]:
        writer.add(_known(message))
    writer.close()
    return path


def test_known_answers(file: Path) -> None:
    shares: list[float] = []

    def report(share: float, words: str) -> None:
        assert words
        shares.append(share)

    with recorder.open(file) as recording:
        spectrum = spectrum_chart(recording, "core", report)
        cell = spectrum.lines[0]
        # trials of 2 s: half a hertz between frequencies
        assert cell.x[np.argmax(cell.y)] == pytest.approx(2.0, abs=0.3)
        assert "6 of 6 trials" in spectrum.said

        average = average_chart(recording, [UNIT], "c", {"tap": EVENTS}, (0.1, 0.2), report)
        (line,) = average.lines
        assert line.name == "policy_0/2"
        assert line.x[5] == 0.0
        speeds = [0.1 * (tick % 10) for tick in EVENTS]
        assert line.y[5] == pytest.approx(8 + 2 * np.mean(speeds))
        assert line.sem is not None
        assert line.sem[5] == pytest.approx(2 * np.std(speeds, ddof=1) / 2)
        assert line.n is not None
        assert line.n.tolist() == [4] * 16
        assert "n = 4 × tap" in average.said

        tuned = tuning_chart(recording, [UNIT, 0], "c", "forward_speed", report)
        known = np.isfinite(tuned.lines[0].y)
        at_speed = [sum(tick % 10 == k for tick in EVENTS) for k in range(10)]
        expected = [3 + 0.2 * k + 5 * n / (N_TICKS / 10) for k, n in enumerate(at_speed)]
        assert tuned.lines[0].y[known].tolist() == pytest.approx(expected, abs=1e-5)
        assert tuned.x_label == "forward speed (m/s)"

        # a unit that was selected beside a larger network is none of this one's
        beside = average_chart(recording, [9999, UNIT], "c", {"tap": EVENTS}, (0.1, 0.2))
        assert [each.name for each in beside.lines] == ["policy_0/2"]
        np.testing.assert_array_equal(beside.lines[0].y, line.y)
        (alone,) = tuning_chart(recording, [9999, UNIT], "c", "forward_speed").lines
        np.testing.assert_array_equal(alone.y, tuned.lines[0].y)

        path = trajectory_chart(recording, "core", "c", {"run": [(0, 50), (120, 150)]}, report)
        assert [each.name for each in path.lines] == ["none of these", "run"]
        assert "100 % of the variance" in path.x_label
        run = path.lines[1]
        # each stretch goes on to the next tick, and none over the beginning of a trial
        assert int(np.isfinite(run.x).sum()) == 51 + 31
        assert N_TICKS % TRIAL_TICKS == 0
        for chart in (spectrum, average, tuned, path):
            head, *rows = chart.rows()
            assert head[1:3] == (chart.x_label, chart.y_label)
            assert len(rows) == sum(len(each.x) for each in chart.lines)
        for wrong, words in (
            (lambda: spectrum_chart(recording, "cortex"), "no layer 'cortex'; its layers are core"),
            (lambda: average_chart(recording, [], "c", {"tap": EVENTS}), "No unit is selected"),
            (lambda: average_chart(recording, [0], "c", {"tap": []}), "There is no tap in F.nwb"),
            (lambda: tuning_chart(recording, [0], "c", "mood"), "no 'mood'"),
        ):
            with pytest.raises(UserError, match=words):
                wrong()
    assert shares
    assert all(0 <= share <= 1 for share in shares)


def test_a_stretch_has_what_touches_it(file: Path) -> None:
    with recorder.open(file) as recording:
        rows = interval_rows(recording, 2.0, 4.0)
        assert [row.name for row in rows if row.kind == "trial"] == ["1"]  # not what ends at 2 s
        whole = interval_rows(recording)
    assert {row.kind for row in rows} <= {row.kind for row in whole}
    assert all(row.stop_s > 2.0 or row.start_s == row.stop_s == 2.0 for row in rows)


def test_a_film_has_scores_over_all_of_its_stretch(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "BLOCK_TICKS", 70)
    with recorder.open(file) as recording:
        mean, spread = video._mean_and_spread(recording, 100, 599)
        c = recording.values("c_applied", 100, 599).astype(np.float64)
    np.testing.assert_allclose(mean, c.mean(0), atol=1e-6)
    varies = c.std(0) > 1e-6
    np.testing.assert_allclose(spread[varies], c.std(0)[varies], rtol=1e-6)
    assert varies.any()


def test_the_panel(qtbot: QtBot, file: Path, tmp_path: Path) -> None:
    """Asked, computed beside the window, drawn, saved as picture and numbers; or given up."""
    selection = UnitSelection()
    panel = AnalysePanel(DARK, selection)
    qtbot.addWidget(panel)
    panel.resize(420, 520)
    panel.show()
    assert not panel.compute.isEnabled()
    with recorder.open(file) as recording:
        events = tuple(event for _, event in recording.events)
        starts = tuple(trial.first_tick for trial in recording.trials)
    described = description()
    extent = Extent(
        "F.nwb", 0, N_TICKS - 1, events, starts, described.behaviours, described.stimuli
    )
    panel.open(file, extent, described)
    panel.compute.click()  # policy_2 stands still in this recording
    qtbot.waitUntil(lambda: "policy_2 has no spectrum" in panel.said.text(), timeout=20_000)
    panel.layer.setCurrentIndex(panel.layer.findData("core"))
    for what in ("spectrum", "average", "tuning", "trajectory"):
        panel.what.setCurrentIndex(panel.what.findData(what))
        if what == "average":
            panel.compute.click()
            qtbot.waitUntil(lambda: "No unit is selected" in panel.said.text(), timeout=20_000)
            selection.select([UNIT])
            assert "silence" in [panel.around.itemText(k) for k in range(panel.around.count())]
            panel.around.setCurrentText("silence")
        panel.compute.click()
        assert panel.compute.text() == "Cancel"
        qtbot.waitUntil(lambda: panel.compute.text() == "Compute", timeout=20_000)
        assert panel.said.text().startswith("n = "), panel.said.text()
        assert panel.chart is not None
        assert panel.view.plot.getAxis("bottom").labelText == panel.chart.x_label
    panel.save_numbers_to(tmp_path / "n.csv")
    with (tmp_path / "n.csv").open(newline="") as saved:
        rows = list(csv.reader(saved))
    assert rows[0][0] == "line"
    assert len(rows) > N_TICKS
    panel.view.save_picture_to(tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 5000
    panel.compute.click()
    panel.compute.click()  # cancelled
    assert panel.compute.text() == "Compute"
    assert "Cancelled" in panel.said.text()
