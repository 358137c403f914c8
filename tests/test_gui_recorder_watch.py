"""What the window says of its recording: red only while the recorder itself reports that it writes."""

from __future__ import annotations

import pytest

from gui.streams.recorder_watch import RecorderWatch, clock, size_text
from rig.bus.message_types import RecorderReport, Status


def _status(state: str, on_disk: int, process: str = "alive", session: str = "running") -> Status:
    report = RecorderReport(
        state, "/d/a.nwb", on_disk, on_disk - 1, 31_000 * on_disk, 50_000_000_000
    )
    return Status(session, {"recorder": process}, on_disk, 0, 1.0, report)


def test_red_needs_reports_that_keep_coming():
    watch = RecorderWatch()
    assert watch.judge(0.0).state == "idle"
    on_disk = 0
    for step in range(20):
        on_disk += 10
        watch.on_status(_status("recording", on_disk), step * 0.2)
        watch.see(on_disk + 20)
        verdict = watch.judge(step * 0.2)
        assert (verdict.state, verdict.file, verdict.elapsed) == (
            "recording",
            "a.nwb",
            clock(on_disk * 0.02),
        )
    for step in range(20, 30):  # the supervisor repeats the last report; the animal goes on
        watch.on_status(_status("recording", on_disk), step * 0.2)
        watch.see(on_disk + 10 * (step - 18))
        verdict = watch.judge(step * 0.2)
    assert verdict.state == "alarm"
    assert "NOTHING WRITTEN" in verdict.headline


def test_a_paused_animal_is_no_alarm_but_silence_is():
    watch = RecorderWatch()
    for step in range(30):
        watch.on_status(_status("recording", 100, session="paused"), step * 0.2)
        watch.see(100)
        assert watch.judge(step * 0.2).state == "recording"
    for step in range(30, 40):
        verdict = watch.judge(step * 0.2)
    assert verdict.state == "alarm"
    assert "NO WORD" in verdict.headline


def _report(state: str, on_disk: int, last: int, free: int) -> Status:
    report = RecorderReport(state, "/d/a.nwb", on_disk, last, 1000 * on_disk, free)
    return Status("running", {"recorder": "alive"}, last, 0, 1.0, report)


def test_what_happens_between_the_button_and_the_first_row_is_said():
    watch = RecorderWatch()
    watch.ask("start", "/d/a.nwb")
    watch.see(1860)
    assert watch.judge(0.1).headline == "Opening the file: nothing is recorded yet"
    watch.see(1861)
    watch.judge(0.3)
    assert watch.judge(0.9).headline == "Opening the file: the animal waits for it"
    watch.on_status(_report("starting", 0, -1, -1), 1.0)
    assert watch.asked == "start"
    assert "B free" not in watch.judge(1.0).free
    watch.on_status(_report("recording", 0, -1, 50_000_000_000), 1.1)
    assert watch.asked == ""
    assert watch.judge(1.1).headline == "The file is open: nothing is recorded yet"
    watch.see(1900)
    watch.on_status(_report("recording", 30, 1899, 50_000_000_000), 1.2)
    verdict = watch.judge(1.2)
    assert (verdict.state, verdict.since, verdict.elapsed) == ("recording", "from 0:37.4", "0:00.6")
    watch.ask("stop")
    watch.on_status(_report("closed", 40, 1909, 50_000_000_000), 1.3)
    assert watch.asked == ""
    assert watch.judge(1.3).since == "from 0:37.4"


def test_a_disk_that_nobody_has_looked_at_is_not_full():
    watch = RecorderWatch()
    watch.judge(0.0)
    watch.on_status(_report("failed", 0, -1, -1), 0.1)
    assert watch.judge(0.1).free == ""
    watch.on_status(_report("failed", 0, -1, 1_000_000), 0.2)
    assert watch.judge(0.2).free == "only 1.0 MB free"
    assert watch.judge(0.2).low
    assert watch.written is None  # and nothing is there to be replayed


def test_an_earlier_file_is_not_forgotten_for_one_that_came_to_nothing():
    watch = RecorderWatch()
    watch.on_status(_report("closed", 40, 1909, 50_000_000_000), 0.1)
    watch.on_status(_report("failed", 0, -1, 50_000_000_000), 0.2)
    assert watch.written is not None
    assert watch.written.ticks_on_disk == 40


def test_a_window_that_stood_still_blames_itself_first():
    watch = RecorderWatch()
    watch.on_status(_status("recording", 100), 0.0)
    watch.judge(0.0)
    assert watch.judge(5.0).state == "recording"


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (_status("failed", 50), "alarm", "FAILED"),
        (_status("recording", 50, process="dead"), "alarm", "DIED"),
        (_status("recording", 50, process="off"), "alarm", "DIED"),
        (_status("recording", 50, process="stuck"), "alarm", "NOT ANSWER"),
        (_status("closed", 50, process="off"), "idle", "Recorded"),
    ],
)
def test_the_recorders_last_words(status: Status, state: str, words: str):
    watch = RecorderWatch()
    watch.judge(0.0)
    watch.on_status(status, 0.1)
    verdict = watch.judge(0.1)
    assert verdict.state == state
    assert words in verdict.headline


def test_numbers_as_people_read_them():
    assert [clock(s) for s in (0, 9.96, 61.25, 3723)] == ["0:00.0", "0:10.0", "1:01.2", "1:02:03"]
    assert [size_text(n) for n in (0, 999, 31_000, 48_300_000_000)] == [
        "0 B",
        "999 B",
        "31.0 kB",
        "48.3 GB",
    ]
