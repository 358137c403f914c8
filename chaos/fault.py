"""One session and its fault: started, listened to, hit at the planned instant, followed to its end."""

from __future__ import annotations

import resource
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import recorder
from chaos.door import Door
from chaos.place import DISK_BYTES, FIRST_BYTES, RESERVED_BYTES, Place
from chaos.plan import Plan
from chaos.processes import send
from chaos.received import Received
from rig.errors import RunError, UserError

ENDS_S = 30.0
"""Within this time all processes of a session that has ended, or lost its supervisor, have to be gone."""


@dataclass
class Seen:
    """What was seen of a session. Times are seconds of `time.monotonic`.

    `fault_s` is when the fault was made, None if the session was over before; `early` whether that was
    before the first tick, `late` whether after the last. `false` are claims that were found untrue while
    the session ran. `status` is the command's exit status.
    """

    plan: Plan
    received: Received
    fault_s: float | None = None
    early: bool = False
    late: bool = False
    false: list[str] = field(default_factory=list)
    hung: bool = False
    status: int | None = None
    said: str = ""
    complained: str = ""
    lost_on_bus: int = 0
    left: list[str] = field(default_factory=list)
    ended_s: float = 0.0


def place_of(plan: Plan, folder: Path) -> Place:
    """Where the session of this plan records to. Raises OSError where no disk can be mounted."""
    if plan.kind != "disk":
        return Place(folder)
    slowly = RESERVED_BYTES + FIRST_BYTES + plan.room_bytes
    return Place(folder, DISK_BYTES if plan.how == "at once" else slowly)


def run(plan: Plan, folder: Path, place: Place) -> Seen:
    """Runs the session of a plan in a folder. What was seen of it."""
    with Door(plan, folder, place.file) as door:
        seen = Seen(plan, door.received)
        try:
            if plan.kind == "window":
                _with_window(plan, door, place, seen)
            else:
                _without_window(plan, door, place, seen)
        except TimeoutError:
            seen.hung = True
        seen.ended_s = time.monotonic()
        seen.status = door.process.poll()
        seen.said, seen.complained = door.said, door.complained
        seen.lost_on_bus = door.lost
        if door.left:
            seen.left.append(f"{len(door.left)} of its processes")
        if plan.kind != "supervisor":
            seen.left += door.litter
    return seen


def _without_window(plan: Plan, door: Door, place: Place, seen: Seen) -> None:
    if not _wait_for_instant(plan, door):
        return
    if plan.phase == "running":
        _check_claim(door, place, seen)
    _strike(plan, door, place, seen)
    if plan.kind == "suspended" and seen.fault_s is not None:
        resume_s = seen.fault_s + plan.suspend_s
        door.follow(lambda: time.monotonic() > resume_s - 0.1, plan.suspend_s)
        if not seen.late:
            _check_claim(door, place, seen)
        door.follow(lambda: time.monotonic() > resume_s, plan.suspend_s)
        send(door.pid(plan.victim), signal.SIGCONT)
    door.follow(lambda: False)
    door.wait_until_gone(ENDS_S)


def _with_window(plan: Plan, door: Door, place: Place, seen: Seen) -> None:
    """The window starts the session, a recording begins, the window is killed, the session goes on."""
    received = door.received
    if not door.follow(lambda: received.last_tick >= 5):
        return
    refused = door.command("start_recording", file=str(place.file))
    if refused:
        seen.false.append(f"start_recording was refused: {refused}")
        return
    door.follow(lambda: received.acknowledged() > 0 and door.windows() > 0)
    _check_claim(door, place, seen)
    strike_s = time.monotonic() + plan.delay_s
    door.follow(lambda: time.monotonic() > strike_s, 5.0)
    _strike(plan, door, place, seen)
    before = received.acknowledged()
    if not door.follow(lambda: received.acknowledged() >= before + 50, 30.0):
        seen.false.append("after the window's death nothing more was recorded")
    door.command("stop")
    door.follow(lambda: received.end is not None)
    door.wait_until_gone(ENDS_S)


def _wait_for_instant(plan: Plan, door: Door) -> bool:
    """Listens until the planned instant. False if the session was over before."""
    received = door.received
    if plan.phase == "starting":
        came = door.follow(lambda: door.has_begun(plan.victim))
    else:
        came = door.follow(lambda: received.last_tick >= plan.at_tick)
    strike_s = time.monotonic() + plan.delay_s
    door.follow(lambda: time.monotonic() >= strike_s, plan.delay_s)
    return came and not door.over


def _strike(plan: Plan, door: Door, place: Place, seen: Seen) -> None:
    """Makes the fault."""
    received = door.received
    pid = door.pid(plan.victim)
    seen.early, seen.late = received.last_tick < 0, received.last_tick >= plan.n_ticks - 1
    now = time.monotonic()
    match plan.kind:
        case "disk":
            done = True
            if plan.how == "at once":
                place.fill()
        case "folder":
            place.lose(plan.how)
            done = True
        case "quota":
            done = bool(pid)  # 0 would be this process
            if done:
                size = place.file.stat().st_size if place.file.exists() else 0
                _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                limits = (size + plan.room_bytes % 100_000, most)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        case "suspended":
            done = bool(pid) and send(pid, signal.SIGSTOP)
        case "supervisor":
            done = send(door.process.pid, signal.SIGKILL)
        case "window":
            done = send(door.process.pid, signal.SIGKILL)
        case _:
            done = bool(pid) and send(pid, signal.SIGKILL)
    seen.fault_s = now if done else None


def _check_claim(door: Door, place: Place, seen: Seen) -> None:
    """Holds what the session calls recorded at this instant against the growing file."""
    reports = door.received.reports
    if not reports or reports[-1][2].state != "recording":
        return
    claimed = reports[-1][2].ticks_on_disk
    try:
        with recorder.open(place.file) as recording:
            there = recording.n_ticks
    except (UserError, RunError) as problem:
        seen.false.append(f"while it was being recorded it could not be read: {problem}")
        return
    if there < claimed:
        seen.false.append(f"{claimed} ticks were called recorded while the file had {there}")
