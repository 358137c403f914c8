"""What a recording holds: its series, which get a row per tick, and its tables, which get one per happening.

Named here once; the writer, the reader, recovery and replay all work from these lists. Everything that
grows is numeric, because an HDF5 file that is read while it is written cannot grow text: names are codes
into a fixed list beside them (hdmf's `EnumData`, which pynwb shows as names), free text is rows of UTF-8
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.bus.external_inputs import OUTSIDE
from rig.bus.messages import Description

UNLISTED = "unlisted"
"""Stands for a name that the session's description did not have, such as that of a stimulus from outside;
the column `unlisted_…` beside it has the name itself."""

EMPTY_TEXT = b"\xff"
"""Stands for an empty text: a byte that no UTF-8 text has, because a column in which every text was empty
would have no values at all, on which nwbinspector (0.7) fails."""

NO_CONDITION = "no condition"
"""The condition of a trial that has none."""


@dataclass(frozen=True)
class Series:
    """One row per tick: shape of a row, dtype, unit and what it is. `path` is its HDF5 group.

    One with more `samples` than one has so many rows per tick, each with a time stamp of its own.
    `volts_per_count` is that of a signal in counts; 0 for what is no voltage.
    """

    name: str
    folder: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    about: str
    columns: tuple[str, ...] = ()
    samples: int = 1
    volts_per_count: float = 0.0

    @property
    def path(self) -> str:
        """The group of this series in the file."""
        return f"{self.folder}/{self.name}"

    @property
    def tick_shape(self) -> tuple[int, ...]:
        """The shape of what comes with a tick."""
        return self.shape if self.samples == 1 else (self.samples, *self.shape)


@dataclass(frozen=True)
class Column:
    """A column of a table. `names` makes it a code into a list of names; `ragged` many values a row."""

    name: str
    dtype: str
    about: str
    names: tuple[str, ...] = ()
    ragged: bool = False


@dataclass(frozen=True)
class Table:
    """A row when something happens. `path` is its HDF5 group."""

    name: str
    folder: str
    about: str
    columns: tuple[Column, ...]

    @property
    def path(self) -> str:
        """The group of this table in the file."""
        return f"{self.folder}/{self.name}"


# --- series -----------------------------------------------------------------------------------------


def unit_names(description: Description) -> tuple[str, ...]:
    """The units in the flat order of the activity arrays: "core/0", "core/1", …"""
    return tuple(f"{layer.name}/{k}" for layer in description.layers for k in range(layer.n_units))


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
    place = "processing/rig"
    return [
        _series("tick", (), "<i8", "tick", "Tick number in the session.", (), place),
        _series("trial", (), "<i8", "trial", "Trial number.", (), place),
        _series("first", (), "|u1", "flag", "1 at the first tick of an episode.", (), place),
        _series(
            "discount",
            (),
            "<f8",
            "a.u.",
            "The task's discount that came with the reward.",
            (),
            place,
        ),
        _series(
            "overrun", (), "|u1", "flag", "1 where the tick came late for real time.", (), place
        ),
        _series(
            "latency",
            (len(description.latencies),),
            "<f4",
            "ms",
            "Where the wall time of the tick before went.",
            description.latencies,
            place,
        ),
        _series(
            "wall_s", (), "<f8", "s", "Wall clock of the tick, by the subject process.", (), place
        ),
        _series(
            "tick_sequence", (), "<i8", "count", "Sequence number of the tick's message.", (), place
        ),
        _series(
            "answer_sequence",
            (),
            "<i8",
            "count",
            "Sequence number of the engine's answer to the tick; -1 without one.",
            (),
            place,
        ),
        _series(
            "answer",
            (),
            "|u1",
            "flag",
            "0: the tick had no answer, 1: an answer without confidences, 2: a full one.",
            (),
            place,
        ),
        _series("end_trial", (), "|u1", "flag", "1 where the engine ended the trial.", (), place),
        _series(
            "engine_ms", (), "<f8", "ms", "Time that the engine took for its answer.", (), place
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


# --- tables -----------------------------------------------------------------------------------------


def stimuli_of(description: Description) -> tuple[str, ...]:
    """The stimuli that an interval can be of; one that is not listed came from outside."""
    return (*(name for name in description.stimuli if name != OUTSIDE), OUTSIDE)


def _named(name: str, about: str, names: tuple[str, ...]) -> tuple[Column, Column]:
    """A column of names, and the one beside it for names that the description does not list."""
    unlisted = f"Name, UTF-8 bytes, where {name} is {UNLISTED!r}."
    return (
        Column(name, "|u1", about, (*names, UNLISTED)),
        Column(f"{UNLISTED}_{name}", "|u1", unlisted, ragged=True),
    )


LOG_KINDS = ("note", "gap", "fault", "end", "recovery", "malformed", "continues", "goes on")


def tables_of(description: Description) -> tuple[Table, ...]:
    """All tables of a session that grow."""
    behaviours = (*description.behaviours, UNLISTED)
    conditions = (NO_CONDITION, *description.conditions, UNLISTED)
    layers = (*(layer.name for layer in description.layers), UNLISTED)
    span = (
        Column("start_time", "<f8", "Start, s of animal time."),
        Column("stop_time", "<f8", "Stop, s of animal time; NaN while it goes on."),
    )
    found = (
        Column("number", "<i8", "Counts the occurrences of this name in the session."),
        Column("onset_tick", "<i8", "Tick of the onset; -1 if before the recording."),
        Column("began_tick", "<i8", "Tick at which, looking back, it began."),
        Column("offset_tick", "<i8", "Tick of the offset; -1 if the recording ended first."),
        Column("ended_tick", "<i8", "Tick at which, looking back, it ended; -1 as above."),
    )
    sham = Column("sham", "|u1", "1: drawn, timed and recorded, but not delivered.")
    return (
        Table(
            "behaviours",
            "intervals",
            "Behaviours of the animal, as detected on line.",
            (*span, Column("behaviour", "|u1", "Which behaviour.", behaviours), *found),
        ),
        Table(
            "stimuli",
            "intervals",
            "Stimuli, shams among them.",
            (
                *span,
                Column("stimulus", "|u1", "Which stimulus.", stimuli_of(description)),
                sham,
                *found,
            ),
        ),
        Table(
            "trials",
            "intervals",
            "Trials: one episode of the task each.",
            (
                *span,
                Column("trial", "<i8", "Trial number."),
                Column("first_tick", "<i8", "First tick of the episode."),
                Column("model", "<i8", "Row of scratch/models with the episode's model."),
                Column("sequence", "<i8", "Sequence number of the episode's message."),
                Column("condition", "|u1", "Condition of the trial.", conditions),
            ),
        ),
        Table(
            "models",
            "scratch",
            "Models of the episodes as MJCF text; their files are in assets.",
            (
                Column("xml", "|u1", "MJCF, UTF-8 bytes.", ragged=True),
                Column(
                    "props",
                    "|u1",
                    "Geoms of it that are props of the task, JSON as UTF-8 bytes.",
                    ragged=True,
                ),
            ),
        ),
        Table(
            "events",
            "processing/record",
            "What began and ended, in the words of the engine.",
            (
                Column("answer_tick", "<i8", "Tick whose answer brought it."),
                Column(
                    "kind",
                    "|u1",
                    "Behaviour, stimulus, or condition of a trial.",
                    ("behaviour", "stimulus", "condition", UNLISTED),
                ),
                *_named(
                    "name",
                    "Which one.",
                    (*description.behaviours, *description.stimuli, *description.conditions),
                ),
                Column("phase", "|u1", "Onset or offset.", ("onset", "offset", UNLISTED)),
                Column("tick", "<i8", "Tick at which it was found, or takes effect."),
                Column("began_tick", "<i8", "Tick at which, looking back, it began."),
                found[0],
                sham,
                Column("confidence", "<f8", "Confidence of the detector."),
                Column("cause", "|u1", "What caused it, UTF-8 bytes; 255: nothing.", ragged=True),
            ),
        ),
        Table(
            "interventions",
            "processing/record",
            "What acted on units, tick by tick: applied = gain * natural + value.",
            (
                Column(
                    "answer_tick", "<i8", "Tick whose answer ordered it; it acts on the next one."
                ),
                *_named("stimulus", "Which stimulus.", description.stimuli),
                Column("layer", "|u1", "Which layer.", layers),
                Column("state", "|u1", "Cell or hidden state.", ("c", "h", UNLISTED)),
                Column("units", "<i8", "Units of the layer.", ragged=True),
                Column("gain", "<f4", "Gain of each of them.", ragged=True),
                Column("value", "<f4", "Value of each of them.", ragged=True),
            ),
        ),
        Table(
            "task_events",
            "processing/record",
            "What happened in terms of the task, such as a tap of the target.",
            (
                Column(
                    "tick", "<i8", "Tick that brought it; the physics of the one before led to it."
                ),
                Column("time", "<f8", "The same in s of animal time."),
                Column("trial", "<i8", "Trial number."),
                *_named("event", "What happened.", description.task_events),
            ),
        ),
        Table(
            "props",
            "processing/record",
            "Props, such as orbs, that are elsewhere or look otherwise than at the tick before; all of them "
            "at the first tick of a trial and of the file.",
            (
                Column("tick", "<i8", "Tick from which on it is so."),
                Column("prop", "<i8", "Which one: its place in scratch/models/props of the trial."),
                *(Column(axis, "<f8", f"Its place, {axis}, m.") for axis in "xyz"),
                Column("texture", "<f8", "Texture of the model that it shows, from 0; -1: none."),
                Column("alpha", "<f8", "0: cannot be seen; 1: solid."),
            ),
        ),
        Table(
            "inputs",
            "processing/record",
            "What reached the session from outside: keys of the operator, stimuli of clients.",
            (
                Column("tick", "<i8", "Tick that it reached; it acts on the next one."),
                Column(
                    "kind", "|u1", "What sort of input.", ("key", "stimulate", "release", UNLISTED)
                ),
                Column("name", "|u1", "The key, or the stimulus, UTF-8 bytes.", ragged=True),
                Column("args", "|u1", "What it asks for, JSON as UTF-8 bytes.", ragged=True),
            ),
        ),
        Table(
            "snapshots",
            "processing/record",
            "Body, task and network before a tick, from which the session can be taken up.",
            (
                Column("tick", "<i8", "Tick that it is before."),
                Column("trial", "<i8", "Trial number."),
                Column("trial_tick", "<i8", "First tick of the trial."),
                Column("reward", "<f8", "Reward that the tick will tell."),
                Column("discount", "<f8", "Discount that the tick will tell."),
                *(
                    Column(name, dtype, about, ragged=True)
                    for name, dtype, about in (
                        ("physics", "<f8", "MuJoCo's state of integration."),
                        ("sensors", "<f8", "Sensors of the model."),
                        ("actuator_force", "<f8", "Force or torque of every actuator."),
                        ("random", "<i4", "Key of the task's random generator."),
                        ("c", "<f4", "Cell state of every unit."),
                        ("h", "<f4", "Hidden state of every unit."),
                        ("note", "|u1", "What the task remembers, JSON as UTF-8 bytes."),
                    )
                ),
            ),
        ),
        Table(
            "log",
            "processing/record",
            "Errors and notes, of the session and of the recorder.",
            (
                Column("tick", "<i8", "Tick after which it was noted."),
                Column("sequence", "<i8", "Sequence number of its message; -1 if it had none."),
                Column("kind", "|u1", "What sort of entry.", LOG_KINDS),
                Column(
                    "text", "|u1", "The entry, UTF-8 bytes; JSON for fault and end.", ragged=True
                ),
            ),
        ),
    )
