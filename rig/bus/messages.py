"""What travels on the bus: message types, and their one encoding.

A message is a ZeroMQ multipart of `topic | header | arrays`. The header is msgpack; the arrays follow in
one frame as raw little-endian, C-ordered bytes, one after the other, each padded to a multiple of eight
bytes, and described in the header by name, dtype and shape. (One frame, not one each: sending costs four
microseconds a frame and receiver, which would be a fifth of a tick's overhead.)
`docs/bus.md` says the same for a reader who writes a client in another language.

Every message carries the session, the tick it belongs to and a sequence number that counts the messages
of its topic, so that a receiver can tell a lost message from a quiet topic. Nothing here is pickled and
nothing received is executed; a frame that does not fit its description raises `MessageError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

VERSION = 1
TICK_S = 0.02
"""Simulated seconds of one tick (one control step)."""

MAX_BYTES = 256 * 1024 * 1024
MAX_ARRAYS = 512
_ALIGNMENT = 8
_DTYPES = {name: np.dtype(name) for name in ("<f8", "<f4", "<i8", "<i4", "<i2", "|u1", "|b1")}

Array: TypeAlias = NDArray[Any]
Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 20)]
"""How much of something an animal has."""
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
"""A whole number that every language and file can hold."""


class MessageError(ValueError):
    """A received message that is not what it says it is; the sentence says in what."""


# --- contents ---------------------------------------------------------------------------------------


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


class Description(msgspec.Struct, frozen=True, tag="description"):
    """What a session is; sent first, and to whoever joins later.

    `body_state`, `latencies` and `proprioception` name the entries of the arrays of the same name in
    every `Tick`; `joints` and `actuators` name those of `qpos` (after the 7 of the root) and `action`.
    `task_events` are the names that a tick's events of the task can have, `conditions` those of the
    trials, `keys` the operator's keys that the protocol listens to. `numbers_used` is empty but for an
    engine that is taken in while the session runs: the highest `Event.number` so far, by "kind name"
    ("behaviour run"). `baselines` are the recordings that stimuli draw on: name to SHA-256. `branched` is
    empty but for a branch of a recorded session, which began under other protocols, in this order.
    `signals` come beside those of the animal, from another source.
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

    `kind` is "key" (`name` is the key), "stimulate" (`name` is the client's own name of it; `args` as in
    `docs/bus.md`) or "release" (of the stimulus of that name). With the seed and the protocol, the inputs
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


class EngineReply(msgspec.Struct, frozen=True, tag="answer"):
    """The stimulation engine's answer to a tick: what it found in it, what acts on the next one.

    Array `confidence` (f4): one per behaviour of the session, in the order of `Description.behaviours`.
    """

    events: tuple[Event, ...] = ()
    interventions: tuple[InterventionEntry, ...] = ()
    end_trial: bool = False
    engine_ms: float = 0.0


class RecorderReport(msgspec.Struct, frozen=True, tag="recorder_report"):
    """What the recorder has on disk (flushed and synced), in its own words.

    `state` is "starting" (ready, nothing written yet), "recording", "closed" or "failed"; `ticks_on_disk`
    counts rows, `last_tick` is the last of them; `error` is one sentence when failed. A recording that was
    rolled over goes on in further files: `file` is the present one, `part` its number from 0, and all that
    is counted is that of all files.
    """

    state: str
    file: str
    ticks_on_disk: int
    last_tick: int
    file_bytes: int
    free_bytes: int
    error: str = ""
    part: int = 0


class Status(msgspec.Struct, frozen=True, tag="status"):
    """The session's health, from its supervisor, a few times a second.

    `state`: "starting", "running", "paused", "ended". `processes` maps "subject", "stimulation",
    "recorder" to "starting", "alive", "stuck" (runs and does not answer), "dead" or "off". `recorder` is
    its own last report. `refused` counts commands of clients that were refused or malformed; `malformed`
    counts messages that came as one of the session's own processes' and were none: they are ignored.
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


class Spikes(msgspec.Struct, frozen=True, tag="spikes"):
    """The spikes of a tick, from a virtual probe beside the session: an emulation, see `analysis.spiking`.

    `missed` counts the ticks before this one that the probe did not hear. Arrays, in the order of time:
    `unit` (i8, in the order of the activity arrays), `time` (f8, seconds of animal time).
    """

    missed: int = 0


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """Something went wrong and the session goes on, or not: who says so, and one sentence."""

    source: str
    sentence: str
    fatal: bool = False


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


# --- envelope ---------------------------------------------------------------------------------------


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

    @cached_property
    def frames(self) -> list[bytes]:
        """The message encoded, ready for `send_multipart`; once, however many it is sent to.

        Raises ValueError for a dtype that the bus does not carry.
        """
        return encode(self)


class _ArraySpec(msgspec.Struct, frozen=True, array_like=True):
    name: str
    dtype: str
    shape: tuple[int, ...]


class _Header(msgspec.Struct, frozen=True):
    version: int
    session: str
    tick: Count
    sequence: Count
    arrays: tuple[_ArraySpec, ...]
    content: Content


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Header)


def encode(message: Message) -> list[bytes]:
    """The frames of a message, ready for `send_multipart`.

    Raises ValueError for a dtype that the bus does not carry.
    """
    specs = []
    pieces: list[Any] = []  # bytes, and arrays as they lie in memory
    for name, array in message.arrays.items():
        plain = np.asarray(array, order="C")
        dtype = plain.dtype.str
        if dtype not in _DTYPES:
            plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
            dtype = plain.dtype.str
        if dtype not in _DTYPES:
            raise ValueError(
                f"array {name!r} has dtype {plain.dtype}, which the bus does not carry"
            )
        specs.append(_ArraySpec(name, dtype, plain.shape))
        pieces.append(plain)
        if padding := -plain.nbytes % _ALIGNMENT:
            pieces.append(bytes(padding))
    header = _encoder.encode(
        _Header(
            VERSION, message.session, message.tick, message.sequence, tuple(specs), message.content
        )
    )
    return [message.topic.encode(), header, b"".join(pieces)]


def decode(frames: Sequence[bytes]) -> Message:
    """The message in these frames; its arrays are read-only views of the last.

    Raises `MessageError` with one sentence when a frame is missing, malformed, too large, of another
    version, or does not fit what the header says of it.
    """
    if len(frames) != 3:
        raise MessageError(
            f"a message has three frames (topic, header, arrays), this one {len(frames)}"
        )
    topic, packed, payload = frames
    try:
        header = _decoder.decode(packed)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise MessageError(f"the header is not a message header: {problem}") from None
    if header.version != VERSION:
        raise MessageError(
            f"the message has version {header.version}; this program reads version {VERSION}"
        )
    if topic != str(header.content.__struct_config__.tag).encode():
        raise MessageError(f"the topic {bytes(topic[:40])!r} is not that of the content")
    if len(payload) > MAX_BYTES or len(header.arrays) > MAX_ARRAYS:
        raise MessageError(
            f"{len(header.arrays)} arrays of {len(payload)} bytes are more than a message may have"
        )
    arrays: dict[str, Array] = {}
    offset = 0
    for spec in header.arrays:
        size = _size_of(spec)
        if offset + size > len(payload):
            raise MessageError(
                f"array {spec.name!r} of {spec.dtype} and shape {spec.shape} does not fit its message"
            )
        try:
            arrays[spec.name] = np.ndarray(spec.shape, _DTYPES[spec.dtype], payload, offset)
        except ValueError:  # of size 0, with a side that is longer than an array's may be
            raise MessageError(
                f"array {spec.name!r} has the impossible shape {spec.shape}"
            ) from None
        offset += size + -size % _ALIGNMENT
    if offset != len(payload):
        raise MessageError(
            f"the header describes {offset} bytes of arrays, the message has {len(payload)}"
        )
    return Message(header.content, header.session, header.tick, header.sequence, arrays)


def _size_of(spec: _ArraySpec) -> int:
    """Bytes of an array as described, without its padding."""
    if spec.dtype not in _DTYPES:
        raise MessageError(
            f"array {spec.name!r} has dtype {spec.dtype!r}, which the bus does not carry"
        )
    count = 1
    for length in spec.shape:
        if length < 0 or len(spec.shape) > 8:
            raise MessageError(f"array {spec.name!r} has the impossible shape {spec.shape}")
        count *= length
    return count * _DTYPES[spec.dtype].itemsize
