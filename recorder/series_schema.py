"""The series of a recording: names, shapes, dtypes and units of what gets a row per tick."""

from __future__ import annotations

from recorder.layout import LAYOUT_VERSION
from recorder.schema import Series, unit_names
from rig.body_quantities import unit_of
from rig.bus.message_types import Description

MIXED = "mixed"
"""The unit of a series whose columns have units of their own, which the table `columns` lists."""
CAMERA_CHUNK = (4, 32)
"""Frames of a chunk, which is compressed when all are there (0.08 s), and rows of each. A session's camera is
0.549 of its size then; (8, 16) would leave 0.539, whole frames one by one 0.591."""

_ACTIVITY_CHUNK = (128, 64)
"""Ticks and units of a chunk: neither all ticks of one unit nor all units of one tick read much else."""
_SENSES = {
    "actuator_activation": "1",
    "appendages_pos": "m",
    "body_height": "m",
    "end_effectors_pos": "m",
    "joints_pos": "rad",
    "joints_vel": "rad/s",
    "sensors_accelerometer": "m/s^2",
    "sensors_gyro": "rad/s",
    "sensors_touch": "1",
    "sensors_velocimeter": "m/s",
    "tendons_pos": "rad",
    "tendons_vel": "rad/s",
    "world_zaxis": "1",
}


def series_of(
    description: Description, camera: bool, layout: int = LAYOUT_VERSION
) -> tuple[Series, ...]:
    """All series of a session, those with zero width left out.

    Args:
        description: of the session.
        camera: whether the camera is recorded.
        layout: the version of the file's layout.
    """
    rows = [
        *_activity(description, layout),
        *_body(description),
        *_behaviour(description),
        *_clock(description),
        *_signals(description),
    ]
    if camera:
        rows.append(_camera(description, layout))
    return tuple(row for row in rows if 0 not in row.shape)


def stored_series(
    description: Description, camera: bool, layout: int = LAYOUT_VERSION
) -> tuple[Series, ...]:
    """Those of `series_of` that have a data set in the file."""
    return tuple(row for row in series_of(description, camera, layout) if not row.differs_from)


def _activity(description: Description, layout: int) -> list[Series]:
    units = unit_names(description)
    states = {"c": "Cell state", "h": "Hidden state"}
    chunk = (_ACTIVITY_CHUNK[0], min(_ACTIVITY_CHUNK[1], max(1, len(units))))

    def series(state: str, which: str, about: str) -> Series:
        return Series(
            f"{state}_{which}",
            "acquisition",
            (len(units),),
            "<f4",
            "a.u.",
            f"{states[state]} of every unit {about}",
            units,
            chunk=chunk,
            differs_from=f"{state}_natural" if which == "applied" and layout > 2 else "",
        )

    return [
        *(series(state, "natural", "as the network computed it.") for state in states),
        *(
            series(state, "applied", "after interventions; feeds the next tick.")
            for state in states
        ),
    ]


def _body(description: Description) -> list[Series]:
    """What the animal feels, does, and is moved by."""
    proprioception = tuple(
        f"{name}/{k}" for name, size in description.proprioception for k in range(size)
    )
    sense_units = tuple(
        _SENSES.get(name.removeprefix("walker/"), "a.u.")
        for name, size in description.proprioception
        for _ in range(size)
    )
    n_actuators = (len(description.actuators),)
    return [
        _series(
            "action",
            n_actuators,
            "<f8",
            "a.u.",
            "Action sent to the actuators, before the physics of the tick.",
            description.actuators,
        ),
        _series(
            "proprioception",
            (len(proprioception),),
            "<f4",
            MIXED,
            "Proprioceptive and touch observation of the tick.",
            proprioception,
            units=sense_units,
        ),
        _series(
            "qpos",
            (description.n_qpos,),
            "<f8",
            MIXED,
            "Joint positions that the observation was made from; those of the root are its position and "
            "its orientation as a quaternion.",
            _joint_columns(description, description.n_qpos, 7),
            units=_joint_units(description, description.n_qpos, ("m",) * 3 + ("1",) * 4, "rad"),
        ),
        _series(
            "qvel",
            (description.n_qvel,),
            "<f8",
            MIXED,
            "Joint velocities that the observation was made from; the root's are linear, then angular.",
            _joint_columns(description, description.n_qvel, 6),
            units=_joint_units(
                description, description.n_qvel, ("m/s",) * 3 + ("rad/s",) * 3, "rad/s"
            ),
        ),
        _series("act", (description.n_act,), "<f8", "a.u.", "Activation state of the actuators."),
        _series(
            "actuator_force",
            n_actuators,
            "<f8",
            "N*m",
            "Torque of every actuator; they act on joints, and on tendons that are sums of joints.",
            description.actuators,
        ),
        _series(
            "reward", (), "<f8", "a.u.", "Task reward that the physics of the tick before earned."
        ),
        _series(
            "value", (), "<f8", "a.u.", "Value of the state, as the network's value head sees it."
        ),
    ]


def _behaviour(description: Description) -> list[Series]:
    folder = "processing/behavior"
    return [
        _series(
            "body",
            (len(description.body_state),),
            "<f8",
            MIXED,
            "Body state that detectors read.",
            description.body_state,
            folder,
            tuple(unit_of(name) for name in description.body_state),
        ),
        _series(
            "confidence",
            (len(description.behaviours),),
            "<f4",
            "1",
            "Confidence of every behaviour's detector, 0 to 1; NaN where the engine gave none.",
            description.behaviours,
            folder,
        ),
    ]


def _clock(description: Description) -> list[Series]:
    """The rig's clock, the engine's answers, and where the time went."""

    def clock(name: str, dtype: str, unit: str, about: str) -> Series:
        return _series(name, (), dtype, unit, about, (), "processing/rig")

    return [
        clock("tick", "<i8", "tick", "Tick number in the session."),
        clock("trial", "<i8", "trial", "Trial number."),
        clock("first", "|u1", "flag", "1 at the first tick of an episode."),
        clock("discount", "<f8", "a.u.", "The task's discount that came with the reward."),
        clock("overrun", "|u1", "flag", "1 where the tick came late for real time."),
        _series(
            "latency",
            (len(description.latencies),),
            "<f4",
            "ms",
            "Where the wall time of the tick before went.",
            description.latencies,
            "processing/rig",
        ),
        clock("wall_s", "<f8", "s", "Wall clock of the tick, by the subject process."),
        clock("tick_sequence", "<i8", "count", "Sequence number of the tick's message."),
        clock(
            "answer_sequence",
            "<i8",
            "count",
            "Sequence number of the engine's answer to the tick; -1 without one.",
        ),
        clock(
            "answer",
            "|u1",
            "flag",
            "0: the tick had no answer, 1: an answer without confidences, 2: a full one.",
        ),
        clock("end_trial", "|u1", "flag", "1 where the engine ended the trial."),
        clock("engine_ms", "<f8", "ms", "Time that the engine took for its answer."),
    ]


def _signals(description: Description) -> list[Series]:
    """What comes from other sources beside the animal."""
    return [
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
    ]


def _camera(description: Description, layout: int) -> Series:
    height, width, colours = description.camera_shape
    packed = layout > 2
    return Series(
        "camera",
        "acquisition",
        description.camera_shape,
        "|u1",
        "intensity",
        "What the animal sees: egocentric camera, rows × columns × RGB, 0 to 255.",
        chunk=(CAMERA_CHUNK[0], min(CAMERA_CHUNK[1], max(1, height)), width, colours)
        if packed
        else (),
        packed_rows=CAMERA_CHUNK[0] if packed else 0,
    )


def _series(
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    unit: str,
    about: str,
    columns: tuple[str, ...] = (),
    folder: str = "acquisition",
    units: tuple[str, ...] = (),
) -> Series:
    return Series(name, folder, shape, dtype, unit, about, columns, units=units)


def _joint_columns(description: Description, width: int, root: int) -> tuple[str, ...]:
    # the root has no name of its own, and as many columns as it has numbers
    names = (*(f"root/{k}" for k in range(root)), *(each for each in description.joints if each))
    return (*names, *(f"other/{k}" for k in range(len(names), width)))[:width]


def _joint_units(
    description: Description, width: int, root: tuple[str, ...], joint: str
) -> tuple[str, ...]:
    """The animal's joints are all hinges; what other joints an arena has is not known."""
    names = _joint_columns(description, width, len(root))
    each = (MIXED if name.startswith("other/") else joint for name in names[len(root) :])
    return (*root, *each)[:width]
