"""The keys of a stimulus in a protocol file, and those of a choice of units."""

from __future__ import annotations

from stim.protocol.kinds import (
    Key,
    Keys,
    ListOf,
    Number,
    OneOf,
    Reference,
    Text,
    Union,
    Variant,
)
from stim.protocol.limits import (
    COUNT,
    LONGEST_MS,
    MS,
    SEED,
    SHORTEST_MS,
    SIGNED,
    WHOLE,
)

UNITS = Union(
    (
        OneOf(("all",)),
        ListOf(Number(0, 1_000_000, whole=True)),
        Keys(
            "units",
            {
                "first": Key(WHOLE, "So many units, from unit 0 on."),
                "random": Key(WHOLE, "So many units, drawn at random without repetition."),
                "seed": Key(SEED, "The seed of that draw; without it, the session's seed."),
                "top": Key(
                    WHOLE, "So many units: those that a behaviour modulates most in a baseline."
                ),
                "by": Key(Text(80), "The behaviour that units are ranked by."),
                "in": Key(Reference("baseline"), "The baseline recording that they are ranked in."),
            },
            {
                "first": Variant(),
                "random": Variant(takes=("seed",)),
                "top": Variant(needs=("by", "in")),
            },
        ),
    )
)

_MEAN = Keys(
    "a value",
    {
        "mean": Key(
            Reference("baseline"), "Each unit's own mean in a baseline recording.", required=True
        ),
        "during": Key(Text(80), "Only while this behaviour was present."),
        "from": Key(Text(80), "Only from this event of the task or onset of a behaviour"),
        "until": Key(Text(80), "to the next one of this."),
    },
)

_STATE = Key(
    OneOf(("cell", "hidden", "both")),
    "Which state of the unit is changed: the cell state c, the hidden state h, or both.",
)

STIMULUS = Keys(
    "a stimulus",
    {
        "clamp": Key(Reference("layer"), "Holds units of this layer at the value `to`."),
        "overwrite": Key(
            Reference("layer"), "Makes units of this layer follow the time course `with`."
        ),
        "bias": Key(Reference("layer"), "Adds `by` to units of this layer."),
        "gain": Key(Reference("layer"), "Multiplies units of this layer by `by`."),
        "noise": Key(
            Reference("layer"), "Adds Gaussian noise of standard deviation `sd` to units."
        ),
        "lesion": Key(Reference("layer"), "Takes units of this layer out: c = h = 0."),
        "units": Key(
            UNITS, "Which units of the layer: all, a list, the first, random or top ones.", True
        ),
        "to": Key(
            Union((SIGNED, _MEAN)), "The value of a clamp, or each unit's mean in a baseline."
        ),
        "with": Key(
            Union(
                (
                    ListOf(Union((SIGNED, ListOf(SIGNED, longest=10_000))), longest=10_000),
                    Keys(
                        "a time course",
                        {
                            "file": Key(
                                Text(400),
                                "A CSV file beside the protocol: a row a tick, one column for all "
                                "units alike or one for each.",
                            ),
                            "average": Key(
                                Reference("baseline"),
                                "Each unit's average course over a baseline's performances of a "
                                "behaviour.",
                            ),
                            "around": Key(
                                Text(80), "The behaviour at whose onsets they are aligned."
                            ),
                            "before_ms": Key(
                                MS, "How long before the onset it begins; 0 unless given."
                            ),
                            "after_ms": Key(
                                Number(SHORTEST_MS, 60_000, "ms"),
                                "How long after the onset it ends.",
                            ),
                        },
                        {
                            "file": Variant(),
                            "average": Variant(needs=("around", "after_ms"), takes=("before_ms",)),
                        },
                    ),
                )
            ),
            "The time course of an overwrite: one value a tick for all units alike, such a list for "
            "each unit, a file, or the average of a baseline. The last value is held.",
        ),
        "by": Key(SIGNED, "What a bias adds, or a gain multiplies by."),
        "sd": Key(Number(0, 1000), "The standard deviation of noise."),
        "seed": Key(SEED, "The seed of noise; without it, the session's seed."),
        "state": _STATE,
        "ramp_ms": Key(
            Union(
                (
                    MS,
                    Keys(
                        "a ramp",
                        {
                            "up": Key(MS, "How long it takes to its full strength."),
                            "down": Key(MS, "How long it takes back, before it ends."),
                        },
                    ),
                )
            ),
            "Comes and goes gradually, from the natural to the asked value and back, instead of at once.",
        ),
        "pulses": Key(
            Keys(
                "a pulse train",
                {
                    "width_ms": Key(
                        Number(SHORTEST_MS, LONGEST_MS, "ms"), "How long a pulse lasts.", True
                    ),
                    "rate_hz": Key(Number(0.001, 25, "Hz"), "How many pulses a second.", True),
                    "number": Key(COUNT, "How many pulses; without, until the stimulus ends."),
                },
            ),
            "On and off again and again; between pulses the units are natural.",
        ),
    },
    {
        "clamp": Variant(needs=("to", "state")),
        "overwrite": Variant(needs=("with", "state")),
        "bias": Variant(needs=("by", "state")),
        "gain": Variant(needs=("by", "state")),
        "noise": Variant(needs=("sd", "state"), takes=("seed",)),
        "lesion": Variant(),
    },
)
