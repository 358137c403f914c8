"""What is to happen to which session: kinds of fault, and the random plan of each session.

A plan follows from the seed, the kind and the session's number within its kind, and from nothing else, so
that `--only KIND --seed S --number N` repeats one session of a long run.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass

DURATION_S = 3.0
"""Animal time of a session, if nothing ends it before."""
TRIAL_S = 1.2
"""So that arenas are compiled, and trials begin, while faults happen."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault: what it is called, and what it happens to.

    `victim` is the module of the process that it happens to, or "" where that is not a single one.
    """

    name: str
    words: str
    victim: str = ""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("recorder", "recorder killed", "recorder.process"),
        Kind("stimulation", "stimulation engine killed", "stim.process"),
        Kind("subject", "subject process killed", "rig.session.subject_process"),
        Kind("supervisor", "supervisor killed"),
        Kind("window", "window killed"),
        Kind("suspended", "recorder suspended", "recorder.process"),
        Kind("disk", "disk full", "recorder.process"),
        Kind("quota", "file may not grow", "recorder.process"),
        Kind("folder", "target folder removed or moved", "recorder.process"),
    )
}

STIMULI = {
    "clamp": "{clamp: policy_2, units: {first: 16}, to: 0.25, state: cell}",
    "overwrite": "{overwrite: policy_1, units: [3, 5], with: [0.1, -0.2, 0.3], state: hidden}",
    "bias": "{bias: policy_0, units: {random: 16, seed: 1}, by: 0.1, state: cell}",
    "gain": "{gain: policy_2, units: {first: 8}, by: 0.5, state: both}",
    "noise": "{noise: policy_1, units: {random: 32, seed: 2}, sd: 0.1, state: cell}",
    "lesion": "{lesion: core, units: {first: 8}}",
}

PROTOCOL = """\
protocol: chaos-{stimulus}
subject: runner
task: corridor
trial_s: {trial_s}
stimuli:
  held: {held}
  push: {{clamp: policy_2, units: {{first: 16}}, to: 0.25, state: cell}}
rules:
  - {{on: {{time_ms: 100}}, do: held, for_ms: 100000}}
  - {{on: walk.onset, do: push, for_ms: 100, probability: 0.5, else: sham}}
"""
"""A stimulus goes on nearly all the time, another one and its shams come and go."""


@dataclass(frozen=True)
class Plan:
    """What happens to one session.

    The fault comes `delay_s` of wall time after a moment of its `phase`: "starting" (the victim has just
    been started), "running" (tick `at_tick` was received) or "closing" (the last tick was received).
    `suspend_s` is how long the recorder is stopped; `how` one of the ways in which the kind can happen;
    `room_bytes` what a small disk has beyond what a recording begins with.
    """

    kind: str
    seed: int
    number: int
    pace: str
    stimulus: str
    phase: str
    at_tick: int
    delay_s: float
    how: str = ""
    suspend_s: float = 0.0
    room_bytes: int = 0
    camera: bool = False
    picture: bool = False

    @property
    def n_ticks(self) -> int:
        """How many ticks the session has if it comes to its end."""
        return round(DURATION_S / 0.02)

    @property
    def victim(self) -> str:
        """The module of the process that it happens to; "" where that is not a single one."""
        return KINDS[self.kind].victim

    @property
    def protocol(self) -> str:
        """The text of its protocol."""
        return PROTOCOL.format(stimulus=self.stimulus, held=STIMULI[self.stimulus], trial_s=TRIAL_S)

    def __str__(self) -> str:
        """The plan in one line, for whoever wants to know what to repeat."""
        fields = {name: value for name, value in asdict(self).items() if value not in ("", 0.0)}
        return ", ".join(f"{name}={value}" for name, value in fields.items())


WAYS = {
    "disk": ("at once", "slowly"),
    "folder": ("removed", "moved", "made anew"),
}


def plan(kind: str, seed: int, number: int) -> Plan:
    """The plan of a session: the same for the same arguments."""
    chance = random.Random(f"{seed} {kind} {number}")
    last = round(DURATION_S / 0.02) - 1
    phases = {
        # nothing to stop before there is a window, a recording, or a disk that was written to
        "window": ("running",),
        "suspended": ("running", "running", "running", "closing"),
        "quota": ("running",),
    }.get(kind, ("starting", "running", "running", "running", "running", "running", "closing"))
    # by turns, so that a few sessions have them all; the rest is chance
    phase = phases[(number + 1) % len(phases)]
    longest_s = {"starting": 2.0, "running": 0.4, "closing": 0.25}[phase]
    return Plan(
        kind=kind,
        seed=seed,
        number=number,
        pace=chance.choice(("realtime", "max")),
        stimulus=chance.choice(tuple(STIMULI)),
        phase=phase,
        at_tick=last if phase == "closing" else chance.randrange(last - 10),
        delay_s=round(chance.uniform(0.0, longest_s), 4),
        how=WAYS[kind][number % len(WAYS[kind])] if kind in WAYS else "",
        suspend_s=round(chance.uniform(0.3, 4.0), 2) if kind == "suspended" else 0.0,
        room_bytes=chance.randrange(1_000_000),
        camera=chance.random() < 0.3,
        picture=chance.random() < 0.15,
    )


def plans(seed: int, n_sessions: int, kinds: tuple[str, ...]) -> list[Plan]:
    """The plans of a run, in an order of chance: every kind as often as the others, give or take one."""
    found = [plan(kinds[k % len(kinds)], seed, k // len(kinds)) for k in range(n_sessions)]
    random.Random(seed).shuffle(found)
    return found
