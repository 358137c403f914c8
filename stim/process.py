"""The stimulation process: `python -m stim.process DIR [SOCKET]`, where DIR is a session's folder.

It reads the protocol from the session's spec, connects to the subject, says that it is ready, and replies to
every tick exactly once until the session ends (exit status 0). On trouble it prints a sentence on stderr and
exits with status 1; the subject then releases every stimulus and goes on. An engine that replaces one that
died has a socket of its own in the folder.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from pathlib import Path

import msgspec
import zmq

from rig.bus.encoding import MessageError, decode, encode
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import (
    Description,
    End,
    EngineReply,
    Episode,
    Message,
    Reply,
    Tick,
)
from rig.errors import RunError, UserError
from rig.session.directory import SessionDirectory
from rig.session.exit_with_parent import exit_with_parent
from stim.engine import Engine
from stim.protocol.read import check_protocol, is_script, read_protocol
from stim.protocol.script import execute
from stim.stimuli import baselines

LINGER_MS = 2000


def serve(directory: SessionDirectory, socket_name: str = "engine") -> None:
    """Replies to the session's ticks until its `End`.

    Args:
        directory: the session's folder.
        socket_name: which of the folder's sockets the subject listens at.

    Raises:
        RunError: the subject's messages do not make a session.
        UserError: the protocol is not valid for this subject.
    """
    try:
        spec = directory.read_spec()
    except (OSError, msgspec.DecodeError) as problem:
        raise RunError(
            f"The session's folder {directory.path} has no readable spec: {problem}."
        ) from None
    # Before saying "ready", so that a protocol with mistakes never gets as far as a session.
    script = None
    if is_script(spec.protocol_path):
        if not spec.allow_python:
            raise UserError(f"{spec.protocol_path} is a program; it runs only with --allow-python.")
        script = execute(spec.protocol_text, spec.protocol_path)
    tree = read_protocol(spec.protocol_text, spec.protocol_path)
    check_protocol(tree, script=script)
    inner = InnerSockets(directory)
    socket = inner.connect(zmq.DEALER, socket_name, linger=LINGER_MS, rcvhwm=0, sndhwm=0)
    try:
        socket.send_multipart(encode(Message(Reply(ok=True), spec.session)))
        message = decode(socket.recv_multipart())
        if not isinstance(message.content, Description):
            raise RunError(f"The session began with a {message.topic!r}, not with its description.")
        layers = {layer.name: layer.n_units for layer in message.content.layers}
        protocol = check_protocol(tree, layers=layers, script=script)
        values = baselines.read(directory.baselines)[0] if protocol.baseline_requests else {}
        _reply_to_all(socket, Engine(protocol, message.content, values, script))
    finally:
        socket.close()
        inner.close()


def _reply_to_all(socket: zmq.Socket[bytes], engine: Engine) -> None:
    # Nothing here makes cycles tick by tick; what there is is collected between trials, while the tick
    # clock stands still.
    gc.collect()
    gc.freeze()
    gc.disable()
    sequence = 0
    while True:
        frames = socket.recv_multipart()
        began_s = time.perf_counter()
        message = decode(frames)
        match message.content:
            case Tick():
                reply = engine.reply(message)
                content = reply.content
                assert isinstance(content, EngineReply)
                content = msgspec.structs.replace(
                    content, engine_ms=(time.perf_counter() - began_s) * 1e3
                )
                socket.send_multipart(
                    encode(Message(content, reply.session, reply.tick, sequence, reply.arrays))
                )
                sequence += 1
            case Episode(trial=trial):
                engine.begin_trial(trial, message.tick)
                gc.collect()
            case End():
                return


def main(arguments: list[str]) -> int:
    """Runs the process; returns its exit status."""
    if len(arguments) not in (1, 2):
        print("usage: python -m stim.process DIR [SOCKET] (a session's folder)", file=sys.stderr)
        return 1
    exit_with_parent()
    # Ctrl-C reaches every process of a terminal; the supervisor ends the session, and until then the
    # subject needs its answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(SessionDirectory(Path(arguments[0])), *arguments[1:])
    except (UserError, RunError, MessageError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except zmq.ZMQError as problem:
        print(f"The stimulation engine lost the session's sockets: {problem}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
