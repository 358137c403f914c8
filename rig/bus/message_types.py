"""The types of messages: what the bus says, and nothing of how (that is `rig.bus.encoding`).

Every message carries the session, the tick it belongs to and a sequence number that counts the messages
of its topic, so that a receiver can tell a lost message from a quiet topic. `docs/bus.md` describes the
same for a reader who writes a client in another language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

import msgspec
from numpy.typing import NDArray

TICK_S = 0.02
"""Simulated seconds of one tick (one control step)."""

Array: TypeAlias = NDArray[Any]
Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 20)]
"""How much of something an animal has."""
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
"""A whole number that every language and file can hold."""


class LayerInfo(msgspec.Struct, frozen=True):
    """A layer of the subject's network: its name ("policy_0") and number of units."""

    name: str
    n_units: Size


class Signal(msgspec.Struct, frozen=True):
    """A signal sampled faster than ticks, such as a probe's: an array of this name in every `Tick`.

    The array is (n_samples, n_channels), i2: the samples of that tick, in counts of `volts_per_count`.
    """

    name: str
    n_channels: Size
    n_samples: Size
    volts_per_count: float


class Branching(msgspec.Struct, frozen=True):
    """Where a session left another one: before `tick` it ran under that one's protocol.

    `recording_sha256` is the file of the session that was left, `session` its name; protocol and baselines
    are those of the ticks before.
    """

    tick: int
    protocol_name: str
    protocol_text: str
    session: str
    recording_sha256: str
    baselines: dict[str, str] = {}


class KeyUse(msgspec.Struct, frozen=True):
    """What an operator's key does in a protocol, in a few words; `stimuli` are those that it begins."""

    key: str
    words: str
    stimuli: tuple[str, ...] = ()


class Description(msgspec.Struct, frozen=True, tag="description"):
    """What a session is; sent first, and to whoever joins later.

    `body_state`, `latencies` and `proprioception` name the entries of the arrays of the same name in
    every `Tick`; `joints` and `actuators` name those of `qpos` (after the 7 of the root) and `action`.
    `task_events` are the names that a tick's events of the task can have, `conditions` those of the
    trials, `keys` the operator's keys that the protocol listens to. `numbers_used` is empty but for an
    engine that is taken in while the session runs: the highest `Event.number` so far, by "kind name"
    ("behaviour run"). `baselines` are the recordings that stimuli draw on: name to SHA-256. `branched` is
    empty but for a branch of a recorded session, which began under other protocols, in this order.
    `experimenter`, `institution` and `keywords` are what whoever started it said of it.
    `signals` come beside those of the animal, from another source. `blinded`: until the session's end no
    display says which stimuli are delivered and which are shams. `animal` is what the experimenter calls this
    animal ("": nothing), `notes` what they want to remember of it. `key_uses` says what each of `keys` does.
    `armed` is true but for an engine that is taken in, or a recording (a part, a clip, a branch) that begins,
    while the protocol is disarmed.
    """

    subject: str
    subject_sha256: str
    layers: tuple[LayerInfo, ...]
    task: str
    seed: int
    pace: str
    tick_s: float
    duration_s: float
    trial_s: float
    protocol_name: str
    protocol_text: str
    behaviours: tuple[str, ...]
    stimuli: tuple[str, ...]
    proprioception: tuple[tuple[str, Size], ...]
    body_state: tuple[str, ...]
    latencies: tuple[str, ...]
    joints: tuple[str, ...]
    actuators: tuple[str, ...]
    n_qpos: Size
    n_qvel: Size
    n_act: Size
    camera_shape: tuple[Size, Size, Size]
    started: str
    versions: dict[str, str]
    task_events: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    numbers_used: dict[str, int] = {}
    baselines: dict[str, str] = {}
    branched: tuple[Branching, ...] = ()
    signals: tuple[Signal, ...] = ()
    experimenter: tuple[str, ...] = ()
    institution: str = ""
    keywords: tuple[str, ...] = ()
    blinded: bool = False
    animal: str = ""
    notes: str = ""
    key_uses: tuple[KeyUse, ...] = ()
    armed: bool = True


class Assets(msgspec.Struct, frozen=True, tag="assets"):
    """The files (meshes, textures, skin) that the model of an episode is compiled from.

    One uint8 array per file, named as the episode's XML names it. Sent once.
    """


class Episode(msgspec.Struct, frozen=True, tag="episode"):
    """A trial begins: one episode of the task, its model as MJCF text. `Message.tick` is its first tick.

    `props` are the geoms of the model that the task moves or lets look otherwise: the rows of the array
    `props` of its ticks.
    """

    trial: Count
    xml: str
    props: tuple[str, ...] = ()


class Input(msgspec.Struct, frozen=True):
    """Something from outside that reached the session at a tick: an operator's key, a client's stimulus.

    `kind` is "key" (`name` is the key), "note" (`name` is its text, `args["tick"]` the tick that it is of),
    "arm" or "disarm" (the protocol's rules), "stimulate" (`name` is the client's own name of it; `args` as in
    `docs/bus.md`), "release" (of the stimulus of that name) or "release_all" (of every stimulus that is on;
    `name` is whose wish it was). With the seed and the protocol, the inputs
    and their ticks are all that a session follows from.
    """

    kind: str
    name: str
    args: dict[str, Any] = {}


class Tick(msgspec.Struct, frozen=True, tag="tick"):
    """One control step, sent when its action is known and before its physics.

    `reward` and `discount` are what the physics of tick - 1 earned (0 and 1 at an episode's first tick),
    `task_events` what happened in it in terms of the task (`rig.task_events`). `inputs` is what came from
    outside since the tick before.
    `latency` (array, ms) is that of tick - 1, in the order of `Description.latencies`.

    Arrays: `proprioception` (f4), `camera` (u1, 64×64×3), `action` (f8), `c_natural`, `h_natural`,
    `c_applied`, `h_applied` (f4, one per unit), `qpos`, `qvel`, `act`, `actuator_force` (f8),
    `body` (f8, in the order of `Description.body_state`), `latency` (f4), those of `Description.signals`;
    where the episode has props, `props` (f8, a row for each of `Episode.props`, columns as
    `rig.props.COLUMNS`).
    """

    trial: Count
    reward: float
    discount: float
    value: float
    first: bool
    overrun: bool
    wall_s: float
    task_events: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """Body, task and network before a tick: all that, with the recorded ticks before, it follows from.

    Sent before the tick that it is of. `trial_tick` is the first of the trial; `reward`, `discount` and
    `task_events` are those that the tick will tell. `task` is what the task remembers, plain values
    (`rig.arenas.task_state`); what the trial's seed draws again, and what detectors, triggers and stimuli
    is found again from the ticks, is not in it.

    Arrays: `physics`, `sensors`, `actuator_force` (f8), `random` (i4) as in `rig.animal.AnimalState`; `c` and
    `h` (f4, one per unit).
    """

    trial: Count
    trial_tick: Count
    reward: float
    discount: float
    task_events: tuple[str, ...]
    task: dict[str, Any]


class InterventionEntry(msgspec.Struct, frozen=True):
    """A change to units of one layer during one tick: applied = gain * natural + value.

    clamp and overwrite have gain 0, a bias gain 1, a gain value 0, a lesion both 0. The units, gains and
    values are arrays of the message: `<index>.units` (i8), `<index>.gain` and `<index>.value` (f4), where
    index is this intervention's place in `EngineReply.interventions`. They act in list order.
    """

    stimulus: str
    layer: str
    state: str


class Event(msgspec.Struct, frozen=True):
    """Something that begins or ends at a tick: a behaviour, a stimulus, a sham, a trial's condition.

    kind: "behaviour", "stimulus" or "condition" (onset at the trial's first tick). phase: "onset" or
    "offset". `tick` is when it was found (behaviour) or takes effect (stimulus: the first tick with it
    at onset, the first without it at offset);
    `began_tick` is when, looking back, it began (behaviours with a minimum duration), else equal to tick.
    `number` counts the occurrences of its kind and name in the session and joins an offset to its onset.
    A sham is a stimulus that was drawn, timed and recorded, and not delivered.
    """

    kind: str
    name: str
    phase: str
    tick: int
    began_tick: int
    number: int
    sham: bool = False
    confidence: float = 1.0
    cause: str = ""


class ClipRequest(msgspec.Struct, frozen=True):
    """A protocol's rule wants the last `seconds` saved, `after_ms` from the tick of the answer on."""

    seconds: float
    after_ms: float
    cause: str


class EngineReply(msgspec.Struct, frozen=True, tag="answer"):
    """The stimulation engine's answer to a tick: what it found in it, what acts on the next one.

    `clips` are what the protocol's rules want saved.

    Array `confidence` (f4): one per behaviour of the session, in the order of `Description.behaviours`.
    """

    events: tuple[Event, ...] = ()
    interventions: tuple[InterventionEntry, ...] = ()
    end_trial: bool = False
    engine_ms: float = 0.0
    clips: tuple[ClipRequest, ...] = ()


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


class Spikes(msgspec.Struct, frozen=True, tag="spikes"):
    """The spikes of a tick, from a virtual probe beside the session: an emulation, see `analysis.spiking`.

    `missed` counts the ticks before this one that the probe did not hear. Arrays, in the order of time:
    `unit` (i8, in the order of the activity arrays), `time` (f8, seconds of animal time).
    """

    missed: int = 0


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """Something went wrong at the message's tick and the session goes on, or not (`fatal`).

    `source` is who it concerns, `sentence` says what. What lasts has a `name` ("dead", "silent", "stalled"):
    it is so until a fault of the same source and name that is `over`, whose sentence says how it ended.
    Without a name it happened at that tick, and that was all. `ignored` counts what it reports as ignored:
    messages that came as if from the session's own processes.
    """

    source: str
    sentence: str
    fatal: bool = False
    ignored: Count = 0
    name: str = ""
    over: bool = False


class End(msgspec.Struct, frozen=True, tag="end"):
    """The session is over: why ("duration", "trials", "stopped", "failed"), and its counts."""

    reason: str
    ticks: int
    overruns: int


class Command(msgspec.Struct, frozen=True, tag="command"):
    """A request to a session. The verbs are listed in `docs/bus.md`."""

    verb: str
    args: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """The answer to a command; `error` is one sentence when it was refused."""

    ok: bool
    error: str = ""
    fields: dict[str, Any] = {}


Content: TypeAlias = (
    Description
    | Assets
    | Episode
    | Tick
    | Snapshot
    | EngineReply
    | RecorderReport
    | Status
    | Spikes
    | Fault
    | End
    | Command
    | Reply
)


@dataclass(frozen=True)
class Message:
    """A content with its arrays and its place in the session's stream."""

    content: Content
    session: str = ""
    tick: int = -1
    sequence: int = 0
    arrays: Mapping[str, Array] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """The first frame: the content's tag."""
        return str(self.content.__struct_config__.tag)
