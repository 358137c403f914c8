"""What a session says of its health while it runs: recorder, clips, faults, and the status with them."""

from __future__ import annotations

import msgspec

from rig.bus.counts import Count


class ClipReport(msgspec.Struct, frozen=True):
    """A clip of a session: the ticks `first_tick` to `last_tick`, saved after they have happened.

    `state` is "waiting" (for its last tick, or for the one before to be written), "writing", "saved" or
    "failed"; `error` is one sentence when failed. `cause` is what wanted it: a rule, or "client".
    """

    state: str
    file: str
    first_tick: int
    last_tick: int
    error: str = ""
    cause: str = ""


class RecorderReport(msgspec.Struct, frozen=True, tag="recorder_report"):
    """What the recorder has on disk (flushed and synced), in its own words.

    `state` is "starting" (ready, nothing written yet), "recording", "closed" or "failed"; `ticks_on_disk`
    counts rows, `last_tick` is the last of them; `error` is one sentence when failed. `free_bytes` is -1
    where it is not known. A recording that was rolled over goes on in further files: `file` is the present
    one, `part` its number from 0, and all that is counted is that of all files.
    """

    state: str
    file: str
    ticks_on_disk: int
    last_tick: int
    file_bytes: int
    free_bytes: int
    error: str = ""
    part: int = 0


class KnownFault(msgspec.Struct, frozen=True):
    """A fault of the session so far, as its status repeats it: what was said, and from when to when.

    `source`, `name` and `sentence` are the `Fault`'s. `over_tick` is -1 while it lasts, and `tick` for what
    happened at that tick alone.
    """

    source: str
    name: str
    sentence: str
    tick: Count
    over_tick: Count


class Status(msgspec.Struct, frozen=True, tag="status"):
    """The session's health, from its supervisor, a few times a second.

    `state`: "starting", "running", "paused", "ended". `processes` maps "subject", "stimulation",
    "recorder" to "starting", "alive", "stuck" (runs and does not answer), "ended" (its work is done),
    "dead" (it failed) or "off". `recorder` is its own last report. `fault` is the newest fault that lasts,
    "" where none does; `faults` are the newest of the session, whether they last or are over, oldest first.
    `refused` counts commands of clients that were refused or malformed; `malformed` counts what came as if
    from one of the session's own processes and was not: it is ignored. `failure` says why the session, or
    its recording, has failed. `armed`: whether the protocol's rules fire, from the next tick on at the
    latest. `clips` are the newest clips.
    """

    state: str
    processes: dict[str, str]
    ticks: int
    overruns: int
    realtime_factor: float
    recorder: RecorderReport | None
    fault: str = ""
    refused: int = 0
    malformed: int = 0
    failure: str = ""
    faults: tuple[KnownFault, ...] = ()
    armed: bool = True
    clips: tuple[ClipReport, ...] = ()
