"""The tables of a recording: columns, dtypes and meaning of what gets a row when something happens."""

from __future__ import annotations

from recorder.applied import APPLIED
from recorder.layout import LAYOUT_VERSION
from recorder.schema import CALLED, NO_CONDITION, UNLISTED, Column, Table
from rig.bus.external_inputs import OUTSIDE, VERBS
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


def interval_table(name: str, layout: int) -> str:
    """The path of the table "behaviours" or "stimuli".

    Their rows overlap: among the intervals, where they were up to layout 2, programs take them for a set of
    intervals and join them.
    """
    return f"{'intervals' if layout < 3 else 'processing/record'}/{name}"


def tables_of(description: Description, layout: int = LAYOUT_VERSION) -> tuple[Table, ...]:
    """All tables of a session that grow, in a file of this layout."""
    found = (*_intervals(description, layout), *_record(description, layout))
    return found if layout > 2 else tuple(each for each in found if each.path != APPLIED)


def _intervals(description: Description, layout: int) -> tuple[Table, ...]:
    """What has a beginning and an end."""
    behaviours = (*description.behaviours, UNLISTED)
    conditions = (NO_CONDITION, *description.conditions, UNLISTED)
    span = (
        Column("start_time", "<f8", "Start, s of animal time."),
        Column("stop_time", "<f8", "Stop, s of animal time; NaN while it is open."),
    )
    found = _found()
    sham = _sham()
    called = Column(
        CALLED,
        "|u1",
        f"A client's name of it, where it is {OUTSIDE!r}.",
        ragged=True,
    )
    folder, _, _ = interval_table("", layout).rpartition("/")
    return (
        Table(
            "behaviours",
            folder,
            "Behaviours of the animal, as detected on line; they overlap.",
            (*span, Column("behaviour", "|u1", "Which behaviour.", behaviours), *found),
        ),
        Table(
            "stimuli",
            folder,
            "Stimuli, shams among them; they overlap.",
            (
                *span,
                Column("stimulus", "|u1", "Which stimulus.", stimuli_of(description)),
                *((called,) if layout > 2 else ()),
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
    )


def _found() -> tuple[Column, ...]:
    """When a behaviour or stimulus was found to begin and to end, and when that was, looking back."""
    return (
        Column("number", "<i8", "Counts the occurrences of this name in the session."),
        Column("onset_tick", "<i8", "Tick of the onset; -1 if before the recording."),
        Column("began_tick", "<i8", "Tick at which, looking back, it began."),
        Column("offset_tick", "<i8", "Tick of the offset; -1 if the recording ended first."),
        Column("ended_tick", "<i8", "Tick at which, looking back, it ended; -1 as above."),
    )


def _sham() -> Column:
    return Column("sham", "|u1", "1: drawn, timed and recorded, but not delivered.")


def _record(description: Description, layout: int) -> tuple[Table, ...]:
    """What happened at a tick, and the models and snapshots that the ticks go with."""
    layers = (*(layer.name for layer in description.layers), UNLISTED)
    return (
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
                    "event_name" if layout > 2 else "name",
                    "Which one.",
                    (*description.behaviours, *description.stimuli, *description.conditions),
                ),
                Column("phase", "|u1", "Onset or offset.", ("onset", "offset", UNLISTED)),
                Column("tick", "<i8", "Tick at which it was found, or takes effect."),
                Column("began_tick", "<i8", "Tick at which, looking back, it began."),
                _found()[0],
                _sham(),
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
                Column("units", "<i4" if layout > 2 else "<i8", "Units of the layer.", ragged=True),
                Column("gain", "<f4", "Gain of each of them.", ragged=True),
                Column("value", "<f4", "Value of each of them.", ragged=True),
            ),
        ),
        Table(
            "applied",
            "processing/record",
            "The units of a tick that interventions changed, and their states then. All other units, and all "
            "at the ticks that are not here, are as in c_natural and h_natural.",
            (
                Column("tick", "<i8", "Tick at which it is so."),
                Column("unit", "<i4", "Rows of processing/rig/network_units.", ragged=True),
                Column("c", "<f4", "Cell state of each after interventions.", ragged=True),
                Column("h", "<f4", "Hidden state of each after interventions.", ragged=True),
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
            "What reached the session from outside: keys and notes of the operator, stimuli of clients.",
            (
                Column("tick", "<i8", "Tick that it reached; it acts on the next one."),
                Column("kind", "|u1", "What sort of input.", (*VERBS, UNLISTED)),
                Column(
                    "input_name" if layout > 2 else "name",
                    "|u1",
                    "The key, the note's text, or the stimulus, UTF-8 bytes.",
                    ragged=True,
                ),
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
