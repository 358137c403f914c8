"""Protocols written in Python: what they see, what they ask for, and what is said of mistakes."""

from __future__ import annotations

import pytest

from rig.errors import RunError, UserError
from stim.protocol.model import Protocol
from stim.protocol.read import parse
from stim.protocol.script import execute, header_of
from tests.played_ticks import Seen, play, quiet
from tests.protocol_texts import LAYERS

SCRIPT = '''
from stim.protocol.script import EndTrial, Release, Stimulate

PROTOCOL = """
protocol: p
subject: runner
task: two_tap
detectors:
  run: {behaviour: run, smoothing_ms: 0, min_duration_ms: 20}
"""

class Fast:
    name = "fast"
    def step(self, tick, body, events):
        return float(body["forward_speed"] > 0.7)

DETECTORS = [Fast()]

def protocol(session):
    tick = yield
    while True:
        actions = []
        if tick.began("fast"):
            units = session.generator("units", tick.number).choice(128, 3, replace=False)
            actions = [Stimulate("mine", "core", units, for_ms=60)]
        if "first_tap" in tick.task_events:
            actions = [Stimulate("long", "policy_2", [1], gain=2.0, value=0.0)]
        if tick.ended("fast"):
            actions = [Release("long"), EndTrial()]
        if "fail" in tick.task_events:
            raise ValueError("no")
        tick = yield actions
'''


def script(text: str) -> Protocol:
    return parse(text, "p.py", ("two_tap",), LAYERS, execute(text, "p.py"))


def test_a_python_protocol_sees_ticks_and_acts_from_the_next_one_on() -> None:
    protocol = script(SCRIPT)
    assert protocol.behaviour_names[-1] == "fast"
    ticks = [Seen(speed=0.8 if 10 <= k < 30 else 0.0) for k in range(40)]
    ticks[20].task = ("first_tap",)
    played = play(protocol, ticks)
    assert played.on("script") == [11, 12, 13, *range(21, 31)]
    assert played.ended == [30]
    assert play(protocol, ticks).acting == played.acting


def test_a_python_protocol_that_fails_says_where() -> None:
    ticks = quiet(10, t5=Seen(task=("fail",)))
    line = SCRIPT.splitlines().index('            raise ValueError("no")') + 1
    with pytest.raises(RunError, match=rf"p.py:{line}:1: the protocol failed: ValueError: no"):
        play(script(SCRIPT), ticks)
    with pytest.raises(RunError, match="yielded 7, which is no action"):
        play(script(SCRIPT.replace("tick = yield actions", "tick = yield 7, 8")), quiet(3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PROTOCOL = 3\n", r"p.py:1:1: a Python protocol has a text PROTOCOL"),
        ("def protocol(:\n", r"p.py:1:1: this is not Python: "),
        (
            SCRIPT.replace("two_tap", "tap_two"),
            r"p.py:7:7: there is no task 'tap_two'; there is only two_tap",
        ),
        (SCRIPT.replace('"fast"', '"run"', 1), r"a detector cannot be named 'run': there is one"),
    ],
)
def test_mistakes_in_a_python_protocol(text: str, message: str) -> None:
    def read_it() -> None:
        header_of(text, "p.py")
        script(text)

    with pytest.raises(UserError, match=message):
        read_it()


def test_what_python_does_while_it_is_executed_is_reported() -> None:
    with pytest.raises(UserError, match=r"p.py:2:1: ZeroDivisionError"):
        execute('PROTOCOL = ""\n1/0\n', "p.py")
    with pytest.raises(UserError, match="generator function protocol"):
        execute("PROTOCOL = ''\n", "p.py")
