"""The stimulation process, started as a session starts it; the test plays the subject's side of the wire."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq

from rig.body_state import NAMES
from rig.bus.encoding import decode, encode
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import (
    Content,
    Description,
    End,
    EngineReply,
    Episode,
    Event,
    LayerInfo,
    Message,
    Reply,
    Tick,
)
from rig.bus.socket_transport import SocketTransport
from rig.session.directory import SessionDirectory, SessionSpec
from rig.session.engine import SessionEngine
from stim.detectors import behaviours
from tests.engine_scenario import describe
from tests.protocol_texts import read

ROOT = Path(__file__).parent.parent
FIRST_LIGHT = (ROOT / "protocols" / "first_light.yaml").read_text()
BEHAVIOURS = tuple(behaviour.name for behaviour in behaviours.BEHAVIOURS)
LAYERS = tuple(LayerInfo(name, 128) for name in ("core", "policy_0", "policy_1", "policy_2"))


def spec(session: str, text: str = FIRST_LIGHT) -> SessionSpec:
    return SessionSpec(
        session=session,
        subject="runner",
        task="corridor",
        seed=2,
        pace="max",
        duration_s=0,
        trial_s=5,
        trials=0,
        protocol_name="first-light",
        protocol_path="first_light.yaml",
        protocol_text=text,
        behaviours=BEHAVIOURS,
        stimuli=("silence",),
    )


def description(layers: tuple[LayerInfo, ...] = LAYERS) -> Description:
    described = describe(read(FIRST_LIGHT), seed=2)
    return msgspec.structs.replace(
        described, layers=layers, trial_s=5, behaviours=BEHAVIOURS, stimuli=("silence",)
    )


class Wire:
    """The subject's end: a DEALER bound at "engine", and the process at the other."""

    def __init__(self, directory: SessionDirectory) -> None:
        self.directory = directory
        self.inner = InnerSockets(directory)
        self.socket = self.inner.bind(zmq.DEALER, "engine", linger=0)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stim.process", str(directory.path)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, content: Content, tick: int = -1, **arrays: np.ndarray) -> None:
        message = Message(content, self.directory.session, tick, 0, arrays)
        self.socket.send_multipart(encode(message))

    def receive(self, timeout_s: float = 60.0) -> Message:
        assert self.socket.poll(int(timeout_s * 1000)), f"no answer within {timeout_s} s"
        return decode(self.socket.recv_multipart())

    def tick(self, tick: int, speed: float, trial: int = 0) -> None:
        body = np.zeros(len(NAMES))
        body[NAMES.index("up")] = 1
        body[NAMES.index("forward_speed")] = speed
        # The engine gets the whole tick, pictures and all, and has to cope with what it does not use.
        self.send(
            Tick(trial, 0.0, 1.0, 0.0, False, False, 0.0),
            tick,
            camera=np.zeros((64, 64, 3), np.uint8),
            c_natural=np.zeros(512, np.float32),
            body=body,
        )

    def ended(self, timeout_s: float = 60.0) -> tuple[int, str]:
        _, words = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, words

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=60)
        self.socket.close()
        self.inner.close()


@pytest.fixture
def start(runtime: Path) -> Iterator[Callable[..., Wire]]:
    wires: list[Wire] = []

    def begin(text: str = FIRST_LIGHT) -> Wire:
        directory = SessionDirectory.create()
        directory.write_spec(spec(directory.session, text))
        wires.append(Wire(directory))
        return wires[-1]

    yield begin
    for wire in wires:
        wire.close()


def test_every_tick_is_answered_once_and_the_stimulus_comes_on_its_tick(
    start: Callable[..., Wire],
) -> None:
    wire = start()
    ready = wire.receive()
    assert ready.content == Reply(ok=True)
    wire.send(description())
    events: list[Event] = []
    acting: dict[int, np.ndarray] = {}
    costs_ms: list[float] = []
    sequence = -1
    for trial in range(4):
        first = trial * 120
        wire.send(Episode(trial, "<mujoco/>"), first)
        for tick in range(first, first + 120):
            wire.tick(tick, 0.0 if tick < first + 30 else 0.8, trial)
            message = wire.receive()
            answer = message.content
            assert isinstance(answer, EngineReply)
            assert (message.tick, message.session) == (tick, wire.directory.session)
            assert message.sequence == sequence + 1
            sequence = message.sequence
            assert message.arrays["confidence"].shape == (len(BEHAVIOURS),)
            assert not answer.end_trial
            costs_ms.append(answer.engine_ms)
            events.extend(answer.events)
            if answer.interventions:
                acting[tick + 1] = message.arrays["0.units"]
                assert not message.arrays["0.gain"].any()
                assert not message.arrays["0.value"].any()
    assert not wire.socket.poll(50)  # no answer that nobody asked for
    runs = [e for e in events if (e.name, e.phase) == ("run", "onset")]
    stimuli = [e for e in events if e.kind == "stimulus"]
    onsets = [e for e in stimuli if e.phase == "onset"]
    assert len(runs) == len(onsets) == 4
    assert [e.tick for e in onsets] == [e.tick + 1 for e in runs]
    assert {e.sham for e in onsets} == {True, False}  # with this seed
    expected = [t for e in onsets if not e.sham for t in range(e.tick, e.tick + 25)]
    assert sorted(acting) == expected
    assert all(len(set(units.tolist())) == 64 for units in acting.values())
    assert 0 < np.median(costs_ms) < 10  # half a tick, on a machine with much else to do
    wire.send(End("duration", 480, 0), 480)
    assert wire.ended() == (0, "")


def test_a_protocol_that_is_not_valid_is_said_and_never_ready(start: Callable[..., Wire]) -> None:
    wire = start(FIRST_LIGHT.replace("state: cell", "state: cel"))
    status, words = wire.ended()
    assert status == 1
    assert words.startswith("first_light.yaml:")
    assert "did you mean 'cell'" in words
    assert len(words.splitlines()) == 1
    assert not wire.socket.poll(0)


def test_a_subject_without_the_layer_is_said(start: Callable[..., Wire]) -> None:
    wire = start()
    wire.receive()
    wire.send(description(layers=LAYERS[:2]))
    status, words = wire.ended()
    assert status == 1
    assert "there is no layer 'policy_2'; did you mean 'policy_0'?" in words
    assert len(words.splitlines()) == 1


def test_a_malformed_message_is_said(start: Callable[..., Wire]) -> None:
    wire = start()
    wire.receive()
    wire.socket.send_multipart([b"description", b"\xc1 not msgpack", b""])
    status, words = wire.ended()
    assert status == 1
    assert words.startswith("the header is not a message header")
    assert len(words.splitlines()) == 1


def test_a_session_that_begins_with_a_tick_is_said(start: Callable[..., Wire]) -> None:
    wire = start()
    wire.receive()
    wire.tick(0, 0.0)
    status, words = wire.ended()
    assert (status, words.strip()) == (
        1,
        "The session began with a 'tick', not with its description.",
    )


def test_a_folder_without_a_session_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stim.process", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "has no readable spec" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_does_not_stop_the_answers(start: Callable[..., Wire]) -> None:
    wire = start()
    wire.receive()
    wire.process.send_signal(signal.SIGINT)
    wire.send(description())
    wire.send(Episode(0, ""), 0)
    wire.tick(0, 0.0)
    assert wire.receive().tick == 0
    wire.process.send_signal(signal.SIGINT)
    wire.tick(1, 0.0)
    assert wire.receive().tick == 1
    wire.send(End("stopped", 2, 0), 2)
    assert wire.ended() == (0, "")


def test_the_process_ends_with_its_parent(runtime: Path) -> None:
    directory = SessionDirectory.create()
    directory.write_spec(spec(directory.session))
    inner = InnerSockets(directory)
    with inner.bind(zmq.DEALER, "engine", linger=0) as socket:
        parent = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import subprocess, sys\n"
                "child = subprocess.Popen([sys.executable, '-m', 'stim.process', sys.argv[1]])\n"
                "print(child.pid, flush=True)\n"
                "child.wait()\n",
                str(directory.path),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert socket.poll(20_000)  # it is ready, and now waits for a session that never begins
        parent.kill()
        parent.wait(60)
        parent.stdout.close()
        deadline = time.monotonic() + 60
        while _runs(child) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not _runs(child)
    inner.close()


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")


def test_the_process_needs_neither_simulator_nor_network() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, stim.process\n"
            "print([m for m in ('torch', 'mujoco', 'dm_control', 'h5py', 'PyQt6') if m in sys.modules])",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_an_engine_that_has_heard_the_end_has_not_died(runtime: Path) -> None:
    """The supervisor may see that it is gone before it has heard the end itself, in short sessions mostly."""
    directory = SessionDirectory.create()
    directory.write_spec(spec(directory.session))
    transport = SocketTransport(directory)
    engine = SessionEngine(directory.path)
    try:
        assert transport.wait_for_engine(30.0)
        for content in (description(), End("duration", 1, 0)):
            transport.to_engine(transport.message(content, -1, {}))
        assert engine.process.wait(30.0)
        assert (engine.has_died(), engine.state) == (False, "ended")
    finally:
        engine.process.kill()
        transport.close()
