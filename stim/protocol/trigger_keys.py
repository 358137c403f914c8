"""The keys of events (what starts a stimulus) and conditions (what has to hold for it) in a protocol file."""

from __future__ import annotations

from collections.abc import Mapping

from stim.protocol.kinds import (
    Key,
    Keys,
    Kind,
    ListOf,
    Number,
    OneOf,
    Reference,
    Text,
    Union,
    Variant,
)
from stim.protocol.limits import (
    MS,
    SHORTEST_MS,
    SIGNED,
)
from stim.protocol.stimulus_keys import UNITS

ACTIVITY_KEYS: Mapping[str, Key] = {
    "activity": Key(Reference("layer"), "The mean activity of units of this layer."),
    "units": Key(UNITS, "Which units: all, a list, the first, random or top ones."),
    "state": Key(OneOf(("cell", "hidden")), "Which state of them: c or h."),
    "above": Key(SIGNED, "It has to be above this."),
    "below": Key(SIGNED, "It has to be below this."),
    "smoothing_ms": Key(MS, "The window over which it is averaged, backwards in time."),
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
        "time_ms": Key(MS, "At this time after the beginning of each trial."),
        "task": Key(Reference("task event"), "What happens in the task, such as first_tap."),
        "key": Key(
            Text(1), "A key that the operator presses in the window, or that a client sends."
        ),
        "forecast": Key(
            Reference("detected"), "The onset of this behaviour, foretold from the running state."
        ),
        "lead_ms": Key(
            Number(SHORTEST_MS, 2000, "ms"),
            "How long ahead of the detector's onset it is foretold.",
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
        "within_ms": Key(MS, "So long ago, or less, in this trial, happened the event `of`."),
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
