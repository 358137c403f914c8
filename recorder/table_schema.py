"""The tables of a recording: columns, dtypes and meaning of what gets a row when something happens."""

from __future__ import annotations

from recorder.schema import NO_CONDITION, UNLISTED, Column, Table
from rig.bus.external_inputs import OUTSIDE
from rig.bus.message_types import Description


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
        Column("stop_time", "<f8", "Stop, s of animal time; NaN while it is open."),
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
            "Onsets and offsets, as the engine reported them.",
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
            "Events of the task, such as a tap of the target.",
            (
                Column(
                    "tick", "<i8", "Tick that brought it; the physics of the one before led to it."
                ),
                Column("time", "<f8", "The same in s of animal time."),
                Column("trial", "<i8", "Trial number."),
                *_named("event", "Which event.", description.task_events),
            ),
        ),
        Table(
            "props",
            "processing/record",
            "Props, such as orbs, that are elsewhere or look otherwise than at the tick before; all of them "
            "at the first tick of a trial and of the file.",
            (
                Column("tick", "<i8", "Tick from which on it is so."),
                Column("prop", "<i8", "Which one: its index in scratch/models/props of the trial."),
                *(Column(axis, "<f8", f"Its position, {axis}, m.") for axis in "xyz"),
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
            "Body, task and network before a tick, from which the session can be resumed.",
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
