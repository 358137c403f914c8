"""What tests of whole sessions ask of the bus, of the file and of what is left."""

from __future__ import annotations

from pathlib import Path

from recorder.replay import ReplaySource
from rig.bus.client import BusClient
from rig.bus.message_types import EngineReply, Event, Message, RecorderReport, Status
from rig.session.directory import running_sessions
from tests.rodent_rig import wait_for

PLAIN = ("--no-camera", "--no-picture")
"""Neither is what most of these tests are about; the shared session has both."""


REALTIME = ("--pace", "realtime", "--no-picture")


STIMULUS_EACH_TIME = """
protocol: every-half-second
subject: runner
task: corridor
trial_s: 2.0
stimuli:
  push: {clamp: policy_2, units: {first: 16}, to: 0.25, state: cell}
  pull: {overwrite: policy_1, units: [3, 5], with: [0.1, -0.2, 0.3], state: hidden}
rules:
  - {on: {time_ms: 500}, do: push, after_ms: 20, for_ms: 100}
  - {on: {time_ms: 1000}, do: pull, after_ms: 60}
"""


def nothing_left(runtime: Path) -> None:
    assert running_sessions() == []
    assert [path for path in runtime.rglob("*") if path.is_socket() or path.is_file()] == []


def messages_of(path: Path) -> list[Message]:
    source = ReplaySource(path)
    return source.messages(source.first_tick, source.first_tick + source.n_ticks - 1)


def events_of(messages: list[Message], kind: str) -> list[Event]:
    return [
        event
        for message in messages
        if isinstance(message.content, EngineReply)
        for event in message.content.events
        if event.kind == kind
    ]


def recorded(bus: BusClient, file: Path, ticks: int) -> int:
    """Waits until so many ticks of a session are on the disk; how many are, as was said last."""
    acknowledged = [0]

    def enough() -> bool:
        acknowledged.append(on_disk(bus, file))
        return max(acknowledged) >= ticks

    wait_for(enough)
    return max(acknowledged)


def recorder_state(bus: BusClient, file: Path) -> str:
    states = [report.state for report in reports_of(bus, file)]
    return states[-1] if states else ""


def on_disk(bus: BusClient, file: Path) -> int:
    return max((report.ticks_on_disk for report in reports_of(bus, file)), default=0)


def reports_of(bus: BusClient, file: Path) -> list[RecorderReport]:
    """What the recorder of a file has reported since."""
    reports = [m.content.recorder for m in bus.poll(0.1) if isinstance(m.content, Status)]
    return [report for report in reports if report is not None and report.file == str(file)]
