"""The subject's part of a session: loads the animal, describes the session, runs the tick loop."""

from __future__ import annotations

import mujoco

import agent
from agent.subject import Subject
from rig import body_state
from rig.animal import Animal, AnimalState
from rig.arenas.names import TASK_EVENTS
from rig.arenas.senses import PROPRIOCEPTION
from rig.bus.message_types import TICK_S, Description, LayerInfo
from rig.bus.transport import Transport
from rig.clock import now
from rig.errors import RunError, ending_with
from rig.resume_point import ResumePoint, SnapshotError
from rig.session.directory import SessionSpec
from rig.tick_loop import LATENCIES, TickLoop
from rig.versions import versions

ENGINE_TIMEOUT_S = 30.0


def run(spec: SessionSpec, transport: Transport, resume: ResumePoint | None = None) -> None:
    """Runs the session to its end, from its start or from a snapshot on.

    Args:
        spec: the session.
        transport: to engine, hub and recorder.
        resume: where it is resumed; None from its start.

    Raises:
        SubjectError: the animal cannot be made.
        CameraUnavailableError: it cannot see here.
        RunError: the engine does not come.
        SnapshotError: the session cannot be resumed there.
    """
    subject = agent.load(spec.subject, spec.runtime)
    animal = Animal(spec.task, spec.seed, spec.camera_quality, spec.task_events)
    with ending_with(animal.close):
        if resume is None:
            animal.begin_trial(0)
        else:
            _restore(animal, subject, resume)
        description = _description(spec, subject, animal.model)
        message = transport.message(description, -1, {})
        if not transport.wait_for_engine(ENGINE_TIMEOUT_S):
            raise RunError("The stimulation engine did not start within 30 s; nothing was run.")
        transport.to_engine(message)
        transport.to_hub(message)
        TickLoop(spec, subject, animal, transport, resume).run()


def _restore(animal: Animal, subject: Subject, resume: ResumePoint) -> None:
    snapshot, arrays = resume.content, resume.snapshot.arrays
    try:
        animal.restore(AnimalState(snapshot.trial, snapshot.task, arrays))
        subject.restore(arrays)
    except (IndexError, KeyError, TypeError, ValueError) as problem:
        raise SnapshotError(
            f"The snapshot before tick {resume.snapshot.tick} does not fit: {problem}."
        ) from None


def _description(spec: SessionSpec, subject: Subject, model: mujoco.MjModel) -> Description:
    def names(kind: int, count: int) -> tuple[str, ...]:
        found = (mujoco.mj_id2name(model, kind, index) or "" for index in range(count))
        return tuple(name.removeprefix("walker/") for name in found)

    return Description(
        subject=spec.subject,
        subject_sha256=subject.sha256,
        layers=tuple(LayerInfo(layer.name, layer.n_units) for layer in subject.layers),
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
        started=now().isoformat(),
        versions=versions(spec.runtime, spec.camera_quality, spec.task_events),
        task_events=TASK_EVENTS.get(spec.task, ()),
        conditions=spec.conditions,
        keys=spec.keys_used,
        baselines=spec.baselines,
        branched=spec.branched,
        experimenter=spec.experimenter,
        institution=spec.institution,
        keywords=spec.keywords,
        blinded=spec.blinded,
        animal=spec.animal,
        notes=spec.notes,
        key_uses=spec.key_uses,
    )
