"""The keys of a protocol file: what each one means and what may stand there.

This is the one description of the file's shape. `protocol` checks files against it and `schema` turns it
into a JSON Schema for editors; what needs more than one key at a time to judge is where it is built
(`protocol_detectors`, `protocol_stimuli`, `protocol_rules`, `protocol_trials`).
"""

from __future__ import annotations

from collections.abc import Mapping

from stim.protocol.kinds import (
    Key,
    Keys,
    Kind,
    ListOf,
    Named,
    Number,
    OneOf,
    Reference,
    Text,
    Union,
    Variant,
)

LONGEST_MS = 3_600_000.0
LONGEST_S = 1_000_000.0
MAX_RULES = 40
"""Each rule has at most one stimulus on at a time, of at most two interventions of three arrays: with those
on request, the arrays of an answer then stay below the 512 that a message may have."""


_MS = Number(0, LONGEST_MS, "ms")
_COUNT = Number(1, 1_000_000, whole=True)
_SOME = Number(0, 1_000_000, whole=True)
_SEED = Number(0, 2**53, whole=True)
_VALUE = Number(-1000, 1000)
_THRESHOLD = Number(-1000, 1000)

_QUANTITY = Keys(
    "a quantity",
    {
        "above": Key(_THRESHOLD, "It begins where the quantity is this or more."),
        "below": Key(_THRESHOLD, "It begins where the quantity is this or less."),
        "until": Key(
            _THRESHOLD, "It ends where the quantity has gone back to this.", required=True
        ),
    },
    variants={"above": Variant(), "below": Variant()},
)

DETECTOR = Keys(
    "a detector",
    {
        "behaviour": Key(Reference("behaviour"), "The behaviour of the rig that it detects."),
        "when": Key(
            Named("quantities", _QUANTITY),
            "A behaviour of one's own: all of these quantities of the body state "
            "(stim/detectors/quantities.py) have to be above or below a threshold.",
        ),
        "learned": Key(
            Text(400),
            "The file of a classifier that `rodent-rig learn` made, as seen from the protocol's folder.",
        ),
        "class": Key(Text(80), "Which of the classifier's classes; needed where it has several."),
        "after": Key(
            Keys(
                "a condition",
                {
                    "behaviour": Key(Reference("behaviour"), "The other behaviour.", required=True),
                    "within_ms": Key(_MS, "How long after its end at most.", required=True),
                },
            ),
            "It can only begin during or soon after another behaviour.",
        ),
        "thresholds": Key(
            Named(
                "thresholds",
                Union(
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
    variants={
        "behaviour": Variant(takes=("thresholds", "smoothing_ms")),
        "when": Variant(takes=("after", "smoothing_ms")),
        "learned": Variant(takes=("class",)),
    },
)

UNITS = Union(
    (
        OneOf(("all",)),
        ListOf(Number(0, 1_000_000, whole=True)),
        Keys(
            "units",
            {
                "first": Key(_SOME, "So many units, from unit 0 on."),
                "random": Key(_SOME, "So many units, drawn at random without repetition."),
                "seed": Key(_SEED, "The seed of that draw; without it, the session's seed."),
                "top": Key(
                    _SOME, "So many units: those that a behaviour modulates most in a baseline."
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

ACTIVITY_KEYS: Mapping[str, Key] = {
    "activity": Key(Reference("layer"), "The mean activity of units of this layer."),
    "units": Key(UNITS, "Which units: all, a list, the first, random or top ones."),
    "state": Key(OneOf(("cell", "hidden")), "Which state of them: c or h."),
    "above": Key(_VALUE, "It has to be above this."),
    "below": Key(_VALUE, "It has to be below this."),
    "smoothing_ms": Key(_MS, "The window over which it is averaged, backwards in time."),
    "values": Key(
        OneOf(("natural", "applied")),
        "Before or after stimuli have changed it; natural unless given.",
    ),
}
_ACTIVITY = Variant(needs=("units", "state"), takes=("above", "below", "smoothing_ms", "values"))

_EVENTS: list[Kind] = [Reference("trigger")]
EVENT = Union(_EVENTS)
"""What happens at a tick; a list means any of them."""
EVENT_KEYS = Keys(
    "an event",
    {
        "time_ms": Key(_MS, "At this time after the beginning of each trial."),
        "task": Key(Reference("task event"), "What happens in the task, such as first_tap."),
        "key": Key(
            Text(1), "A key that the operator presses in the window, or that a client sends."
        ),
        "forecast": Key(
            Reference("detected"), "The onset of this behaviour, foretold from the running state."
        ),
        "lead_ms": Key(
            Number(20, 2000, "ms"), "How long ahead of the detector's onset it is foretold."
        ),
        **ACTIVITY_KEYS,
    },
    {
        "time_ms": Variant(),
        "task": Variant(),
        "key": Variant(),
        "forecast": Variant(needs=("lead_ms",)),
        "activity": _ACTIVITY,
    },
)
_EVENTS += [EVENT_KEYS, ListOf(EVENT, longest=20)]

_CONDITIONS: list[Kind] = [Reference("detected")]
CONDITION = Union(_CONDITIONS)
"""What has to hold at a tick; a word is a behaviour that is present."""
CONDITION_KEYS = Keys(
    "a condition",
    {
        "all": Key(ListOf(CONDITION, longest=20), "All of these hold."),
        "any": Key(ListOf(CONDITION, longest=20), "At least one of these holds."),
        "not": Key(CONDITION, "This does not hold."),
        "within_ms": Key(_MS, "So long ago, or less, in this trial, happened the event `of`."),
        "of": Key(EVENT, "The event of `within_ms`."),
        **ACTIVITY_KEYS,
    },
    {
        "all": Variant(),
        "any": Variant(),
        "not": Variant(),
        "within_ms": Variant(needs=("of",)),
        "activity": _ACTIVITY,
    },
)
_CONDITIONS.append(CONDITION_KEYS)

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
            Union((_VALUE, _MEAN)), "The value of a clamp, or each unit's mean in a baseline."
        ),
        "with": Key(
            Union(
                (
                    ListOf(Union((_VALUE, ListOf(_VALUE, longest=10_000))), longest=10_000),
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
                                _MS, "How long before the onset it begins; 0 unless given."
                            ),
                            "after_ms": Key(
                                Number(20, 60_000, "ms"), "How long after the onset it ends."
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
        "by": Key(_VALUE, "What a bias adds, or a gain multiplies by."),
        "sd": Key(Number(0, 1000), "The standard deviation of noise."),
        "seed": Key(_SEED, "The seed of noise; without it, the session's seed."),
        "state": _STATE,
        "ramp_ms": Key(
            Union(
                (
                    _MS,
                    Keys(
                        "a ramp",
                        {
                            "up": Key(_MS, "How long it takes to its full strength."),
                            "down": Key(_MS, "How long it takes back, before it ends."),
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
                    "width_ms": Key(Number(20, LONGEST_MS, "ms"), "How long a pulse lasts.", True),
                    "rate_hz": Key(Number(0.001, 25, "Hz"), "How many pulses a second.", True),
                    "number": Key(_COUNT, "How many pulses; without, until the stimulus ends."),
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

RULE = Keys(
    "a rule",
    {
        "on": Key(
            EVENT,
            "What starts it: NAME.onset or NAME.offset of a behaviour or detector, trial.start, "
            "{time_ms: ...} from the beginning of each trial, {task: ...}, {key: ...}, {forecast: ..., "
            "lead_ms: ...}, {activity: LAYER, ..., above: ...}, or a list of these, for any of them.",
            required=True,
        ),
        "if": Key(
            CONDITION,
            "What has to hold as well: a behaviour that is present, {not: ...}, {all: [...]}, {any: "
            "[...]}, {within_ms: ..., of: EVENT} or {activity: LAYER, ..., above: ...}.",
        ),
        "do": Key(Reference("stimulus"), "The stimulus that follows.", required=True),
        "in": Key(
            Union((Reference("condition"), ListOf(Reference("condition"), longest=64))),
            "The condition, or conditions, of a trial in which this rule holds; without, in all.",
        ),
        "after_ms": Key(
            _MS, "The delay from trigger to stimulus; the next tick (20 ms) is the soonest."
        ),
        "for_ms": Key(Number(20, LONGEST_MS, "ms"), "How long the stimulus lasts."),
        "until": Key(EVENT, "An event that ends the stimulus, if it has not ended before."),
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

BLOCK = Keys(
    "a block",
    {
        "conditions": Key(
            ListOf(Text(40), longest=64), "The conditions that its trials have.", required=True
        ),
        "trials": Key(_COUNT, "How many trials it has.", required=True),
        "order": Key(
            OneOf(("shuffled", "alternating", "random")),
            "shuffled (unless given): each condition once in every round, in an order that is drawn "
            "anew; alternating: in the order written; random: each trial draws its own.",
        ),
    },
)

PROTOCOL = Keys(
    "a protocol",
    {
        "protocol": Key(Text(80), "The protocol's name.", required=True),
        "description": Key(Text(), "What it is for."),
        "parameters": Key(
            Named("parameters", Union((Number(-1e9, 1e9), Text(200)))),
            "Values that are used below as $name, and that `--set name=value` and sweeps change.",
        ),
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
        "trial_starts": Key(
            EVENT, "The event from which on rules hold in a trial; without, from its first tick."
        ),
        "trial_ends": Key(EVENT, "An event that ends the trial."),
        "blocks": Key(
            ListOf(BLOCK, 0, 200), "Which conditions trials have, block after block, then again."
        ),
        "duration_s": Key(
            Number(0.1, LONGEST_S, "s"), "How long the session lasts; without, until it is stopped."
        ),
        "seed": Key(_SEED, "The seed of everything random, unless the command line gives another."),
        "loop_latency_ms": Key(
            Union(
                (
                    _MS,
                    Keys(
                        "a latency",
                        {
                            "mean": Key(_MS, "Its mean.", required=True),
                            "sd": Key(_MS, "Its standard deviation.", required=True),
                        },
                    ),
                )
            ),
            "How late stimuli are, as in a real rig: always the same, or drawn anew each time.",
        ),
        "outside_stimuli": Key(
            OneOf(("allowed", "refused")),
            "Whether programs on the bus may stimulate units themselves; allowed unless given.",
        ),
        "baselines": Key(
            Named(
                "baselines",
                Keys(
                    "a baseline",
                    {
                        "recording": Key(
                            Text(400),
                            "Its file, as seen from the protocol's folder.",
                            required=True,
                        ),
                        "sha256": Key(
                            Text(64), "What the SHA-256 of the file has to be; without, any."
                        ),
                    },
                ),
            ),
            "Recordings from which means, rankings and time courses are taken, by name.",
        ),
        "detectors": Key(
            Named("detectors", DETECTOR),
            "Behaviours with other settings, under their own or under new names.",
        ),
        "stimuli": Key(Named("stimuli", STIMULUS), "Changes to units, by name."),
        "rules": Key(ListOf(RULE, 0, MAX_RULES), "Which stimulus follows which trigger."),
    },
)
