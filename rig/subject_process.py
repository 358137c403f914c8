"""`python -m rig.subject_process DIR`: the animal, as a process of a session.

Loads the subject and its arena, describes the session on the bus, waits for the stimulation engine and
runs the tick loop. Exit status: 0 done, 1 failed, 2 the subject or the task cannot be used as asked; the
one sentence that says why goes onto the bus and to standard error.
"""

from __future__ import annotations

import datetime
import platform
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import mujoco
import torch

import agent
from agent.errors import SubjectError
from agent.subject import Subject
from rig import body_state
from rig.animal import Animal
from rig.arenas import PROPRIOCEPTION, CameraUnavailableError
from rig.errors import RunError
from rig.links import Links
from rig.messages import TICK_S, Description, Fault, Layer
from rig.parent import exit_with_parent
from rig.session_directory import SessionDirectory, SessionSpec
from rig.tick_loop import LATENCIES, TickLoop

ENGINE_TIMEOUT_S = 30.0
_PACKAGES = ("rodent-rig", "mujoco", "dm_control", "torch", "numpy", "pyzmq", "msgspec", "h5py")


def main(arguments: list[str]) -> int:
    """Runs the animal of the session in the given folder until the session ends."""
    exit_with_parent()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the supervisor, which ends us in order
    signal.signal(signal.SIGTERM, _leave)
    directory = SessionDirectory(Path(arguments[0]))
    links = Links(directory)
    try:
        return _run(directory.read_spec(), links)
    except (SubjectError, CameraUnavailableError, RunError) as problem:
        sentence = str(problem)
        links.to_hub(links.frames(Fault("subject", sentence, fatal=True), -1, {}))
        print(sentence, file=sys.stderr)
        return 2 if isinstance(problem, SubjectError) else 1
    finally:
        links.close()


def _run(spec: SessionSpec, links: Links) -> int:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    subject = agent.load(spec.subject)
    animal = Animal(spec.task, spec.seed, spec.camera_quality)
    try:
        animal.begin_trial(0)
        description = _description(spec, subject, animal.model)
        frames = links.frames(description, -1, {})
        if not links.wait_for_engine(ENGINE_TIMEOUT_S):
            raise RunError("The stimulation engine did not start within 30 s; nothing was run.")
        links.to_engine(frames)
        links.to_hub(frames)
        TickLoop(spec, subject, animal, links).run()
    finally:
        animal.close()
    return 0


def _description(spec: SessionSpec, subject: Subject, model: mujoco.MjModel) -> Description:
    def names(kind: int, count: int) -> tuple[str, ...]:
        found = (mujoco.mj_id2name(model, kind, index) or "" for index in range(count))
        return tuple(name.removeprefix("walker/") for name in found)

    return Description(
        subject=spec.subject,
        subject_sha256=subject.sha256,
        layers=tuple(Layer(layer.name, layer.n_units) for layer in subject.layers),
        task=spec.task,
        seed=spec.seed,
        pace=spec.pace,
        tick_s=TICK_S,
        duration_s=spec.duration_s,
        trial_s=spec.trial_s,
        protocol_name=spec.protocol_name,
        protocol_text=spec.protocol_text,
        behaviours=spec.behaviours,
        stimuli=spec.stimuli,
        proprioception=PROPRIOCEPTION,
        body_state=body_state.NAMES,
        latencies=LATENCIES,
        joints=names(mujoco.mjtObj.mjOBJ_JOINT, model.njnt),
        actuators=names(mujoco.mjtObj.mjOBJ_ACTUATOR, model.nu),
        n_qpos=model.nq,
        n_qvel=model.nv,
        n_act=model.na,
        camera_shape=(64, 64, 3),
        started=datetime.datetime.now(datetime.UTC).isoformat(),
        versions={"python": platform.python_version()}
        | {name: _version(name) for name in _PACKAGES},
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        return "not installed"


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
