"""Records a session without starting processes, for tests of what is done with a recording."""

from __future__ import annotations

from pathlib import Path

from agent import load
from agent.runtime import DEFAULT, RuntimeName
from recorder.file_rotation import RotationLimit
from recorder.rotating_writer import RotatingWriter
from rerun.in_process_transport import InProcessTransport
from rerun.rerun import run_in_process
from rig.bus.message_types import Assets, Description, Message
from rig.session.directory import SessionSpec
from stim.engine import Engine
from stim.protocol.read import parse
from stim.protocol.script import execute

LAYERS = {layer.name: layer.n_units for layer in load("runner").layers}


def record(
    path: Path,
    text: str,
    n_ticks: int,
    seed: int = 3,
    limit: RotationLimit | None = None,
    runtime: RuntimeName = DEFAULT,
) -> None:
    """Records a session of the animal: tick loop, engine and writer in this process; without camera.

    Args:
        path: of the recording.
        text: the protocol, YAML or Python.
        n_ticks: the session's length.
        seed: of the session.
        limit: where to begin another file; None: nowhere.
        runtime: what computes its network.
    """
    script = execute(text, "p.py") if text.startswith("PROTOCOL") else None
    protocol = parse(text, "p.py" if script else "p.yaml", None, LAYERS, script)
    spec = SessionSpec(
        session="original",
        subject=protocol.subject,
        task=protocol.task,
        seed=seed,
        pace="max",
        duration_s=n_ticks * 0.02,
        trial_s=protocol.trial_s,
        trials=0,
        protocol_name=protocol.name,
        protocol_path="",
        protocol_text=text,
        runtime=runtime,
        behaviours=protocol.behaviour_names,
        stimuli=protocol.stimulus_names,
    )
    described: list[Description] = []
    writer: list[RotatingWriter] = []

    def on_message(message: Message) -> None:
        if isinstance(message.content, Description):
            described.append(message.content)
        elif isinstance(message.content, Assets):
            writer.append(RotatingWriter(path, described[0], message.arrays, limit=limit))
        elif writer:
            writer[0].add(message)

    transport = InProcessTransport(
        "original", lambda d: Engine(protocol, d, {}, script), (), n_ticks, "duration", on_message
    )
    run_in_process(spec, transport)
    writer[0].close()
