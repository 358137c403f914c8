"""The series of a recording: names, shapes, dtypes and units of what gets a row per tick."""

from __future__ import annotations

from recorder.schema import Series, unit_names
from rig.bus.message_types import Description


def series_of(description: Description, camera: bool) -> tuple[Series, ...]:
    """All series of a session, those with zero width left out."""
    units = unit_names(description)
    proprioception = tuple(
        f"{name}/{k}" for name, size in description.proprioception for k in range(size)
    )
    positions = _joint_columns(description, description.n_qpos, 7)
    velocities = _joint_columns(description, description.n_qvel, 6)
    activity = [
        Series(name, "acquisition", (len(units),), "<f4", "a.u.", about, units)
        for name, about in (
            ("c_natural", "Cell state of every unit as the network computed it."),
            ("h_natural", "Hidden state of every unit as the network computed it."),
            ("c_applied", "Cell state of every unit after interventions; feeds the next tick."),
            ("h_applied", "Hidden state of every unit after interventions; feeds the next tick."),
        )
    ]
    n_behaviours = len(description.behaviours)
    rows = [
        *activity,
        _series(
            "action",
            (len(description.actuators),),
            "<f8",
            "a.u.",
            "Action sent to the actuators, before the physics of the tick.",
            description.actuators,
        ),
        _series(
            "proprioception",
            (len(proprioception),),
            "<f4",
            "a.u.",
            "Proprioceptive and touch observation of the tick.",
            proprioception,
        ),
        _series(
            "qpos",
            (description.n_qpos,),
            "<f8",
            "m or rad",
            "Joint positions that the observation was made from.",
            positions,
        ),
        _series(
            "qvel",
            (description.n_qvel,),
            "<f8",
            "m/s or rad/s",
            "Joint velocities that the observation was made from.",
            velocities,
        ),
        _series("act", (description.n_act,), "<f8", "a.u.", "Activation state of the actuators."),
        _series(
            "actuator_force",
            (len(description.actuators),),
            "<f8",
            "N or N m",
            "Force or torque of every actuator.",
            description.actuators,
        ),
        _series(
            "reward", (), "<f8", "a.u.", "Task reward that the physics of the tick before earned."
        ),
        _series(
            "value", (), "<f8", "a.u.", "Value of the state, as the network's value head sees it."
        ),
        _series(
            "body",
            (len(description.body_state),),
            "<f8",
            "m, s, rad, N",
            "Body state that detectors read.",
            description.body_state,
            "processing/behavior",
        ),
        _series(
            "confidence",
            (n_behaviours,),
            "<f4",
            "a.u.",
            "Confidence of every behaviour's detector; NaN where the engine gave none.",
            description.behaviours,
            "processing/behavior",
        ),
        *_clock_series(description),
        *(
            Series(
                signal.name,
                "acquisition",
                (signal.n_channels,),
                "<i2",
                "volts",
                f"{signal.n_channels} channels at {signal.n_samples / description.tick_s:g} Hz, in counts.",
                samples=signal.n_samples,
                volts_per_count=signal.volts_per_count,
            )
            for signal in description.signals
        ),
    ]
    if camera:
        rows.append(
            Series(
                "camera",
                "acquisition",
                description.camera_shape,
                "|u1",
                "intensity",
                "What the animal sees: egocentric camera, rows × columns × RGB.",
            )
        )
    return tuple(row for row in rows if 0 not in row.shape)


def _clock_series(description: Description) -> list[Series]:
    folder = "processing/rig"
    return [
        _series("tick", (), "<i8", "tick", "Tick number in the session.", (), folder),
        _series("trial", (), "<i8", "trial", "Trial number.", (), folder),
        _series("first", (), "|u1", "flag", "1 at the first tick of an episode.", (), folder),
        _series(
            "discount",
            (),
            "<f8",
            "a.u.",
            "The task's discount that came with the reward.",
            (),
            folder,
        ),
        _series(
            "overrun", (), "|u1", "flag", "1 where the tick came late for real time.", (), folder
        ),
        _series(
            "latency",
            (len(description.latencies),),
            "<f4",
            "ms",
            "Where the wall time of the tick before went.",
            description.latencies,
            folder,
        ),
        _series(
            "wall_s", (), "<f8", "s", "Wall clock of the tick, by the subject process.", (), folder
        ),
        _series(
            "tick_sequence",
            (),
            "<i8",
            "count",
            "Sequence number of the tick's message.",
            (),
            folder,
        ),
        _series(
            "answer_sequence",
            (),
            "<i8",
            "count",
            "Sequence number of the engine's answer to the tick; -1 without one.",
            (),
            folder,
        ),
        _series(
            "answer",
            (),
            "|u1",
            "flag",
            "0: the tick had no answer, 1: an answer without confidences, 2: a full one.",
            (),
            folder,
        ),
        _series("end_trial", (), "|u1", "flag", "1 where the engine ended the trial.", (), folder),
        _series(
            "engine_ms", (), "<f8", "ms", "Time that the engine took for its answer.", (), folder
        ),
    ]


def _series(
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    unit: str,
    about: str,
    columns: tuple[str, ...] = (),
    folder: str = "acquisition",
) -> Series:
    return Series(name, folder, shape, dtype, unit, about, columns)


def _joint_columns(description: Description, width: int, root: int) -> tuple[str, ...]:
    names = (*(f"root/{k}" for k in range(root)), *description.joints)
    return (*names, *(f"other/{k}" for k in range(len(names), width)))[:width]
