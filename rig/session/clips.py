"""Clips of a session: its last minute, or less, saved on request after it has happened.

The hub keeps the stream (`rig.bus.clip_ring`). The ticks of a clip are taken from it when the last has come,
and a recorder process of its own writes them, beside whatever is being recorded; one clip at a time, others
wait. It gives way to all other processes, and what becomes of it is nothing that the animal notices.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import zmq

from rig.bus.clip_ring import ClipRing
from rig.bus.encoding import MessageError, decode, encode
from rig.bus.history import Frames
from rig.bus.hub import Request
from rig.bus.inner_sockets import InnerSockets
from rig.bus.message_types import (
    TICK_S,
    ClipReport,
    ClipRequest,
    End,
    EngineReply,
    Message,
    RecorderReport,
    Reply,
)
from rig.bus.stimulus_request import short
from rig.errors import UserError
from rig.new_recording import recording_name
from rig.output_file import check_output, reason
from rig.session.directory import SessionDirectory, SessionSpec
from rig.session.processes import ChildProcess

MOST_WAITING = 4
"""So many clips may wait, the one that is being written among them."""
REPORTED = 4
"""So many of the newest a status tells of."""
SILENT_S = 60.0
"""A process that has reported nothing for so long does not save any more."""
MESSAGES_AT_ONCE = 200
QUEUE_MESSAGES = 400
REPORTS = "clip_report"


class Owner(Protocol):
    """What clips need of the supervisor that keeps them."""

    def reply(self, request: Request, reply: Reply) -> None:
        """Answers a client's request."""

    def refuse(self, request: Request, sentence: str) -> None:
        """Answers a client's request with why it is not done, and counts it."""

    def fault(self, source: str, sentence: str, *, name: str = "", over: bool = False) -> None:
        """Publishes that something is wrong, or is over, and records it."""


@dataclass
class _Clip:
    """A clip that is not saved yet; `frames` are there from its last tick on."""

    report: ClipReport
    frames: deque[Frames] = field(default_factory=deque)
    process: ChildProcess | None = None
    socket: zmq.Socket[bytes] | None = None
    heard_s: float = 0.0
    recorder: RecorderReport | None = None
    lost: str = ""
    """Why none of its ticks is there."""


class SessionClips:
    """Saves clips, one after the other. `update` goes on with them; `reports` are the newest ones.

    Args:
        owner: the supervisor.
        spec: of the session.
        directory: its folder.
        ring: what is kept of its stream.
    """

    def __init__(
        self, owner: Owner, spec: SessionSpec, directory: SessionDirectory, ring: ClipRing
    ) -> None:
        self._owner = owner
        self._spec = spec
        self._directory = directory
        self._ring = ring
        self._inner = InnerSockets(directory)
        self._reports = self._inner.bind(zmq.PULL, REPORTS)
        self._waiting: deque[_Clip] = deque()
        self._done: deque[ClipReport] = deque(maxlen=REPORTED)
        self._number = 0

    @property
    def reports(self) -> tuple[ClipReport, ...]:
        """The newest clips, oldest first."""
        return (*self._done, *(each.report for each in self._waiting))[-REPORTED:]

    @property
    def begun(self) -> bool:
        """Whether there is a tick that can be saved, or none will ever be kept."""
        return not self._ring.n_ticks or self._ring.last_tick >= 0

    # --- what is asked for ------------------------------------------------------------------------

    def save_on_request(self, request: Request, args: Mapping[str, Any]) -> None:
        """Saves a clip for a client, or says why not; replies with its file and its ticks."""
        if not self.begun:  # not counted: nothing is wrong with it
            self._owner.reply(request, Reply(False, "The animal is not running yet; ask again."))
            return
        try:
            seconds, after_ms, file = _read(args, self._spec.clip_s)
            report = self._add(ClipRequest(seconds, after_ms, "client"), self._ring.last_tick, file)
        except UserError as problem:
            self._owner.refuse(request, str(problem))
            return
        except OSError as problem:
            self._owner.refuse(request, f"No clip can be saved there: {reason(problem)}.")
            return
        fields = {
            "file": report.file,
            "first_tick": report.first_tick,
            "last_tick": report.last_tick,
        }
        self._owner.reply(request, Reply(True, fields=fields))

    def follow(self, message: Message) -> None:
        """Saves what a protocol's rules want, as the engine's answers say."""
        if not isinstance(message.content, EngineReply):
            return
        for wanted in message.content.clips:
            try:
                self._add(wanted, message.tick, "")
            except (UserError, OSError) as problem:
                words = reason(problem) if isinstance(problem, OSError) else str(problem)
                self._owner.fault("clip", f"A clip that {wanted.cause} wanted is lost: {words}")

    def _add(self, wanted: ClipRequest, tick: int, file: str) -> ClipReport:
        """Makes a clip wait; its last tick is `after_ms` from a tick on.

        Raises `UserError` where there cannot be one, OSError where its folder cannot be made.
        """
        if not self._ring.n_ticks:
            raise UserError("This session keeps nothing of its past, and has no clips.")
        if len(self._waiting) >= MOST_WAITING:
            raise UserError(f"{MOST_WAITING} clips wait to be saved already; ask again.")
        last = tick + math.floor(wanted.after_ms / 1000 / TICK_S + 0.5)
        n_ticks = min(max(1, round(wanted.seconds / TICK_S)), self._ring.n_ticks)
        first = max(last - n_ticks + 1, self._ring.first_tick)
        if any(each.report.file == file for each in self._waiting):
            raise UserError(f"{file} is being saved already; name another file.")
        if file:
            check_output(Path(file))
        path = Path(file) if file else self._own_file(last)
        report = ClipReport("waiting", str(path), first, last, cause=wanted.cause)
        self._waiting.append(_Clip(report))
        return report

    def _own_file(self, last: int) -> Path:
        """A file for a clip that nobody has named one for: after animal, protocol, tick and time."""
        spec = self._spec
        if not spec.clip_folder:
            raise UserError("Say where to save the clip: `file`, an absolute path.")
        folder = Path(spec.clip_folder)
        folder.mkdir(parents=True, exist_ok=True)
        parts = (spec.animal, spec.protocol_name, f"clip-{last:07d}")
        path = folder / recording_name("-".join(part for part in parts if part))
        taken = {each.report.file for each in self._waiting}
        number, own = 1, path
        while str(own) in taken or own.exists():
            number += 1
            own = path.with_name(f"{path.stem}-{number}{path.suffix}")
        return own

    # --- how it is saved --------------------------------------------------------------------------

    def update(self, ended: bool = False) -> None:
        """Takes the ticks of clips that are complete, and goes on with the one that is being written.

        Args:
            ended: the session has no further ticks: what waits for some is saved as it is.
        """
        for clip in self._waiting:
            if clip.frames or clip.process is not None or clip.lost:
                continue
            if ended or clip.report.last_tick <= self._ring.last_tick:
                self._take_ticks(clip)
        self._read_reports()
        if not self._waiting:
            return
        clip = self._waiting[0]
        if clip.lost:
            self._end(clip, clip.lost)
        elif clip.process is None and clip.frames:
            self._begin(clip)
        if clip.process is not None:
            self._go_on(clip)

    def finish(self, meanwhile: Callable[[], object], wait_s: float) -> None:
        """After the session's last tick: saves what waits, for as long as that may take.

        Args:
            meanwhile: is called again and again until then.
            wait_s: the longest time.
        """
        deadline = time.monotonic() + wait_s
        while self._waiting and time.monotonic() < deadline:
            self.update(ended=True)
            meanwhile()
            time.sleep(0.005)
        while self._waiting:
            self._end(self._waiting[0], "The session ended before it was saved.")

    def close(self) -> None:
        """Ends what still saves, and closes the sockets."""
        while self._waiting:
            self._end(self._waiting[0], "The session ended before it was saved.")
        self._reports.close()
        self._inner.close()

    def _take_ticks(self, clip: _Clip) -> None:
        report = clip.report
        cut = self._ring.cut(report.first_tick, min(report.last_tick, self._ring.last_tick))
        if cut is None:
            clip.lost = "the session ended before it."
            return
        end = encode(Message(End("clip", cut.last + 1, 0), self._spec.session, cut.last))
        clip.frames = deque([*cut.frames, end])
        clip.report = msgspec.structs.replace(report, first_tick=cut.first, last_tick=cut.last)

    def _begin(self, clip: _Clip) -> None:
        """Starts the process that writes it."""
        self._number += 1
        name = f"clip-{self._number}"
        clip.socket = self._inner.bind(zmq.PUSH, name, sndhwm=QUEUE_MESSAGES, linger=0)
        folder = self._directory.path
        words = [str(folder), clip.report.file, "--socket", name, "--clip", "--reports", REPORTS]
        words += ["--camera"] * self._spec.record_camera
        clip.heard_s = time.monotonic()
        clip.report = msgspec.structs.replace(clip.report, state="writing")
        try:
            clip.process = ChildProcess(name, "recorder.process", words, folder)
        except OSError as problem:
            self._end(clip, f"Its recorder could not be started: {reason(problem)}.")

    def _go_on(self, clip: _Clip) -> None:
        assert clip.process is not None
        assert clip.socket is not None
        for _ in range(MESSAGES_AT_ONCE):
            if not clip.frames:
                break
            try:
                clip.socket.send_multipart(clip.frames[0], zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            clip.frames.popleft()
        status = clip.process.status
        if status is None:
            if time.monotonic() - clip.heard_s > SILENT_S:
                self._end(clip, f"Its recorder has said nothing for {SILENT_S:g} s and was ended.")
            return
        self._read_reports()
        report = clip.recorder
        if status == 0 and report is not None and report.state == "closed":
            self._end(clip, "")
        else:
            said = report.error if report is not None else ""
            self._end(clip, said or clip.process.stderr_tail() or "Its recorder died.")

    def _end(self, clip: _Clip, error: str) -> None:
        self._waiting.remove(clip)
        if clip.process is not None and clip.process.status is None:
            clip.process.kill()
        if clip.socket is not None:
            clip.socket.close()
        state = "failed" if error else "saved"
        self._done.append(msgspec.structs.replace(clip.report, state=state, error=error))
        if error:
            name, found = Path(clip.report.file).name, clip.recorder
            kept = found.ticks_on_disk if found is not None and found.state == "failed" else 0
            wanted = clip.report.last_tick + 1 - clip.report.first_tick
            what = f"has only {kept} of its {wanted} ticks" if kept else "was not saved"
            self._owner.fault("clip", f"The clip {name} {what}: {error}")

    def _read_reports(self) -> None:
        while self._reports.poll(0):
            try:
                content = decode(self._reports.recv_multipart()).content
            except MessageError:
                continue
            if isinstance(content, RecorderReport) and self._waiting:
                clip = self._waiting[0]
                if content.file == clip.report.file:
                    clip.recorder, clip.heard_s = content, time.monotonic()


def _read(args: Mapping[str, Any], longest_s: float) -> tuple[float, float, str]:
    """What a client asks for: seconds, after_ms, file. Raises `UserError` for what cannot be."""
    unknown = next((each for each in args if each not in ("seconds", "after_ms", "file")), None)
    if unknown is not None:
        raise UserError(f"save_clip takes seconds, after_ms and file, not {short(unknown)}.")
    numbers = []
    for name, default, low, high in (
        ("seconds", longest_s, TICK_S, max(longest_s, TICK_S)),
        ("after_ms", 0.0, 0.0, longest_s * 1000),
    ):
        value = args.get(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise UserError(f"{name} has to be from {low:g} to {high:g}, not {short(value)}.")
        numbers.append(float(value))
    file = args.get("file", "")
    if not isinstance(file, str) or (file and not Path(file).is_absolute()) or "\0" in file:
        raise UserError("save_clip needs the absolute path of a file, or none.")
    if file and not file.lower().endswith(".nwb"):
        raise UserError(f"{short(file)}: a recording is called …nwb, or nothing would open it.")
    return numbers[0], numbers[1], file
