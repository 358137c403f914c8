"""The keys of a protocol file: what each one means and what may stand there.

This is the one description of the file's shape. `protocol` checks files against it and `schema` turns it
into a JSON Schema for editors; what needs more than one key at a time to judge is in `protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

LONGEST_MS = 3_600_000.0
LONGEST_S = 1_000_000.0
MAX_RULES = 40
"""Each rule has at most one stimulus on at a time, of at most two interventions of three arrays: the
arrays of an answer then stay below the 256 that a message may have."""


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, inclusive; `whole` if it has no fraction."""

    low: float
    high: float
    unit: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Text:
    """Any text up to a length; with `simple`, a name: a letter, then letters, digits, - and _."""

    longest: int = 4000
    simple: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of certain words."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """The name of something: a "task", "layer", "behaviour", "trigger" or "stimulus"."""

    to: str


@dataclass(frozen=True)
class ListOf:
    """A list of `shortest` to `longest` items, all of a kind."""

    item: Kind
    shortest: int = 1
    longest: int = 50_000


@dataclass(frozen=True)
class Key:
    """One key of a mapping: what may stand there, and what it means in a sentence."""

    kind: Kind
    meaning: str
    required: bool = False


@dataclass(frozen=True)
class Keys:
    """A mapping with these keys and no others; of those in `exactly_one`, one has to be there."""

    noun: str
    keys: Mapping[str, Key]
    exactly_one: tuple[str, ...] = ()


@dataclass(frozen=True)
class Named:
    """A mapping from names of the user's own choice to values of one kind."""

    noun: str
    value: Kind
    longest: int = 64


@dataclass(frozen=True)
class Either:
    """One of several kinds, told apart by their form in the file (a word, a number, a list, a mapping)."""

    kinds: tuple[Kind, ...]


Kind: TypeAlias = Number | Text | OneOf | Reference | ListOf | Keys | Named | Either

_MS = Number(0, LONGEST_MS, "ms")
_COUNT = Number(1, 1_000_000, whole=True)
_SEED = Number(0, 2**53, whole=True)
_VALUE = Number(-1000, 1000)
_THRESHOLD = Number(-1000, 1000)

DETECTOR = Keys(
    "a detector",
    {
        "behaviour": Key(Reference("behaviour"), "The behaviour that it detects.", required=True),
        "thresholds": Key(
            Named(
                "thresholds",
                Either(
                    (
                        _THRESHOLD,
                        Keys(
                            "a threshold",
                            {
                                "on": Key(_THRESHOLD, "Where the behaviour begins.", required=True),
                                "off": Key(_THRESHOLD, "Where it ends.", required=True),
                            },
                        ),
                    )
                ),
            ),
            "Other thresholds than the behaviour's own, by their names, such as min_forward_speed; a "
            "single number moves both, keeping the distance between them.",
        ),
        "smoothing_ms": Key(
            _MS, "The window over which quantities are averaged, backwards in time."
        ),
        "min_duration_ms": Key(_MS, "How long it has to last before it counts as begun."),
        "refractory_ms": Key(_MS, "How long after its end it cannot begin again."),
    },
)

UNITS = Either(
    (
        OneOf(("all",)),
        ListOf(Number(0, 1_000_000, whole=True)),
        Keys(
            "units",
            {
                "first": Key(_COUNT, "So many units, from unit 0 on."),
                "random": Key(_COUNT, "So many units, drawn at random without repetition."),
                "seed": Key(_SEED, "The seed of that draw; without it, the session's seed."),
            },
            exactly_one=("first", "random"),
        ),
    )
)

STIMULUS = Keys(
    "a stimulus",
    {
        "clamp": Key(Reference("layer"), "Holds units of this layer at the value `to`."),
        "overwrite": Key(
            Reference("layer"), "Makes units of this layer follow the time course `with`."
        ),
        "units": Key(
            UNITS, "Which units of the layer: all, a list, the first or random ones.", True
        ),
        "to": Key(_VALUE, "The value of a clamp."),
        "with": Key(
            ListOf(Either((_VALUE, ListOf(_VALUE, longest=10_000))), longest=10_000),
            "The time course of an overwrite: one value a tick for all units alike, or such a list for "
            "each unit. The last value is held.",
        ),
        "state": Key(
            OneOf(("cell", "hidden", "both")),
            "Which state of the unit is changed: the cell state c, the hidden state h, or both.",
            required=True,
        ),
    },
    exactly_one=("clamp", "overwrite"),
)

RULE = Keys(
    "a rule",
    {
        "on": Key(
            Either(
                (
                    Reference("trigger"),
                    Keys(
                        "a trigger",
                        {
                            "time_ms": Key(
                                _MS,
                                "At this time after the beginning of each trial.",
                                required=True,
                            )
                        },
                    ),
                )
            ),
            "What starts it: NAME.onset or NAME.offset of a behaviour or detector, trial.start, or "
            "{time_ms: ...} from the beginning of each trial.",
            required=True,
        ),
        "do": Key(Reference("stimulus"), "The stimulus that follows.", required=True),
        "after_ms": Key(
            _MS, "The delay from trigger to stimulus; the next tick (20 ms) is the soonest."
        ),
        "for_ms": Key(Number(20, LONGEST_MS, "ms"), "How long the stimulus lasts."),
        "probability": Key(
            Number(0, 1), "The chance that the stimulus is delivered at each trigger."
        ),
        "else": Key(
            OneOf(("sham", "nothing")),
            "What happens when it is not: a sham (timed and recorded, not delivered) or nothing.",
        ),
        "refractory_ms": Key(
            _MS, "How long after a stimulus or sham was triggered nothing else is."
        ),
        "max_count": Key(_COUNT, "How many stimuli and shams there are at most in a session."),
    },
)

PROTOCOL = Keys(
    "a protocol",
    {
        "protocol": Key(Text(80), "The protocol's name.", required=True),
        "description": Key(Text(), "What it is for."),
        "subject": Key(
            Text(400), "The subject: its name, or the path of its folder.", required=True
        ),
        "task": Key(Reference("task"), "The task that it is put in.", required=True),
        "trials": Key(
            _COUNT, "How many trials (episodes of the task) a session has; without, any."
        ),
        "trial_s": Key(
            Number(0.1, LONGEST_S, "s"), "How long a trial lasts; without, until the task ends it."
        ),
        "duration_s": Key(
            Number(0.1, LONGEST_S, "s"), "How long the session lasts; without, until it is stopped."
        ),
        "seed": Key(_SEED, "The seed of everything random, unless the command line gives another."),
        "detectors": Key(
            Named("detectors", DETECTOR),
            "Behaviours with other settings, under their own or under new names.",
        ),
        "stimuli": Key(Named("stimuli", STIMULUS), "Changes to units, by name."),
        "rules": Key(ListOf(RULE, 0, MAX_RULES), "Which stimulus follows which trigger."),
    },
)
