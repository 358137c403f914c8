"""The keys of a protocol file: what each one means and what may stand there.

This and the modules of the keys of detectors, stimuli and triggers are the one description of the file's
shape. `check` checks files against it and `schema` turns it into a JSON Schema for editors; what takes more
than one key to judge is judged where it is built (`detectors`, `stimuli`, `rules`, `trials`).
"""

from __future__ import annotations

from stim.clip_rules import LONGEST_CLIP_S
from stim.protocol.detector_keys import DETECTOR
from stim.protocol.kinds import (
    Key,
    Keys,
    ListOf,
    Named,
    Number,
    OneOf,
    Reference,
    Text,
    Truth,
    Union,
)
from stim.protocol.limits import (
    COUNT,
    LONGEST_MS,
    LONGEST_S,
    MAX_RULES,
    MS,
    SEED,
    SHORTEST_MS,
)
from stim.protocol.stimulus_keys import STIMULUS
from stim.protocol.trigger_keys import CONDITION, EVENT

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
        "do": Key(
            Reference("stimulus"),
            "The stimulus that follows; or clip: the last of the session is saved as a recording.",
            required=True,
        ),
        "seconds": Key(
            Number(SHORTEST_MS / 1000, LONGEST_CLIP_S, "s"),
            "Of a clip: how much is saved, up to `after_ms` after the trigger; without, a minute.",
        ),
        "in": Key(
            Union((Reference("condition"), ListOf(Reference("condition"), longest=64))),
            "The condition, or conditions, of a trial in which this rule holds; without, in all.",
        ),
        "after_ms": Key(
            MS,
            "The delay from trigger to stimulus; the next tick (20 ms) is the soonest. Of a clip: how long "
            "it goes on after the trigger, a minute at most.",
        ),
        "for_ms": Key(Number(SHORTEST_MS, LONGEST_MS, "ms"), "How long the stimulus lasts."),
        "until": Key(EVENT, "An event that ends the stimulus, if it has not ended before."),
        "probability": Key(
            Number(0, 1), "The chance that the stimulus is delivered at each trigger."
        ),
        "else": Key(
            OneOf(("sham", "nothing")),
            "What happens when it is not: a sham (timed and recorded, not delivered) or nothing.",
        ),
        "refractory_ms": Key(
            MS, "How long after a stimulus or sham was triggered nothing else is."
        ),
        "max_count": Key(COUNT, "How many stimuli and shams there are at most in a session."),
    },
)

BLOCK = Keys(
    "a block",
    {
        "conditions": Key(
            ListOf(Text(40), longest=64), "The conditions that its trials have.", required=True
        ),
        "trials": Key(COUNT, "How many trials it has.", required=True),
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
        "trials": Key(COUNT, "How many trials (episodes of the task) a session has; without, any."),
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
        "seed": Key(SEED, "The seed of everything random, unless the command line gives another."),
        "loop_latency_ms": Key(
            Union(
                (
                    MS,
                    Keys(
                        "a latency",
                        {
                            "mean": Key(MS, "Its mean.", required=True),
                            "sd": Key(MS, "Its standard deviation.", required=True),
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
        "blinded": Key(
            Truth(),
            "Whether the window hides which stimuli are delivered and which are shams until the session's "
            "end; false unless given.",
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
