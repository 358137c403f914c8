"""What an operator may do to a session while it runs, all of it, through its bus."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from rig.bus.client import BusClient
from rig.errors import RunError
from tests.rodent_rig import rodent_rig_here, wait_for


def operate(bus: BusClient, last: list[int], passed: Callable[[int], bool]) -> None:
    """Pauses and steps, notes, disarms and arms, presses keys; notes once more as the last thing.

    Args:
        bus: of the session, with a key `s`.
        last: the ticks that have come, to be added to.
        passed: takes in what comes; whether a tick has.
    """

    def stands_still() -> bool:
        time.sleep(0.2)
        messages = bus.poll()
        last.extend(message.tick for message in messages if message.topic == "tick")
        return {message.topic for message in messages} == {"status"}

    bus.command("pause")
    wait_for(stands_still)
    for ticks in (1, 3):  # so many, and no more
        then = max(last)
        assert bus.command("step", ticks=ticks)["after_tick"] == then
        wait_for(lambda to=then + ticks: passed(to))
        wait_for(stands_still)
        assert max(last) == then + ticks
    bus.command("note", text=" Ünruhig: 🐀 \u200d فأر ", tick=7)
    for wrong in (
        {"text": "x" * 501},
        {"text": "two\nlines"},
        {"text": " "},
        {"text": "x", "tick": 10_000},
    ):
        with pytest.raises(RunError, match="note was refused"):
            bus.command("note", **wrong)
    for ticks in (0, 501, True, "1"):
        with pytest.raises(RunError, match="1 to 500 ticks"):
            bus.command("step", ticks=ticks)
    assert rodent_rig_here("note", "a\nb").returncode == 2
    assert rodent_rig_here("operate", "disarm").returncode == 0
    assert max(last) == then + 3
    bus.command("resume")
    wait_for(lambda: passed(then + 5))
    bus.command("key", key="s")
    bus.command("stimulate", name="mine too", layer="core", units=[3], value=0.5, for_ms=60)
    wait_for(lambda: any(m.topic == "status" and not m.content.armed for m in bus.poll(0.05)))
    wait_for(lambda: passed(125))
    bus.command("arm")
    bus.command("key", key="s")
    now = max(last)
    wait_for(lambda: passed(now + 15))
    said = rodent_rig_here("note", "just before the end")
    assert said.stdout.startswith("Noted at "), said.stderr
