"""The keys of a detector in a protocol file."""

from __future__ import annotations

from stim.protocol.kinds import (
    Key,
    Keys,
    Named,
    Reference,
    Text,
    Union,
    Variant,
)
from stim.protocol.limits import (
    MS,
    SIGNED,
)

_QUANTITY = Keys(
    "a quantity",
    {
        "above": Key(SIGNED, "It begins where the quantity is this or more."),
        "below": Key(SIGNED, "It begins where the quantity is this or less."),
        "until": Key(SIGNED, "It ends where the quantity has gone back to this.", required=True),
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
                    "within_ms": Key(MS, "How long after its end at most.", required=True),
                },
            ),
            "It can only begin during or soon after another behaviour.",
        ),
        "thresholds": Key(
            Named(
                "thresholds",
                Union(
                    (
                        SIGNED,
                        Keys(
                            "a threshold",
                            {
                                "on": Key(SIGNED, "Where the behaviour begins.", required=True),
                                "off": Key(SIGNED, "Where it ends.", required=True),
                            },
                        ),
                    )
                ),
            ),
            "Other thresholds than the behaviour's own, by their names, such as min_forward_speed; a "
            "single number moves both, keeping the distance between them.",
        ),
        "smoothing_ms": Key(
            MS, "The window over which quantities are averaged, backwards in time."
        ),
        "min_duration_ms": Key(MS, "How long it has to last before it counts as begun."),
        "refractory_ms": Key(MS, "How long after its end it cannot begin again."),
    },
    variants={
        "behaviour": Variant(takes=("thresholds", "smoothing_ms")),
        "when": Variant(takes=("after", "smoothing_ms")),
        "learned": Variant(takes=("class",)),
    },
)
