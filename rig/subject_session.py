"""The subject's part of a session: loads the animal, describes the session, runs the tick loop."""

from __future__ import annotations

import datetime

import mujoco
import torch

import agent
from agent.subject import Subject
from rig import body_state
from rig.animal import Animal
from rig.arenas.names import TASK_EVENTS
from rig.arenas.senses import PROPRIOCEPTION
from rig.errors import RunError
from rig.in_process_links import InProcessLinks
from rig.links import Links
from rig.messages import TICK_S, Description, Layer
from rig.session_directory import SessionSpec
from rig.tick_loop import LATENCIES, TickLoop
from rig.versions import versions

ENGINE_TIMEOUT_S = 30.0


def run(spec: SessionSpec, links: Links | InProcessLinks) -> None:
    """Runs the session to its end.

    Raises `SubjectError` or `CameraUnavailableError` where the animal cannot be made, `RunError` where the
    engine does not come.
    """
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
        versions=versions(),
        task_events=TASK_EVENTS.get(spec.task, ()),
        conditions=spec.conditions,
        keys=spec.keys_used,
        baselines=spec.baselines,
        branched=spec.branched,
    )
