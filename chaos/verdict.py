"""What a session's fault came to: what was lost, what was said, and whether it was true."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chaos.fault import Seen
from chaos.file import Found
from chaos.plan import KINDS
from rig.bus.message_types import TICK_S

MOST_LOST_S = 0.5
UNTRUE_AFTER_S = 1.5
"""So long after a fault a session may still not have noticed it; then what it says has to be true."""
NOTICED_S = 1.5
"""A recorder that is suspended for less than this need not be noticed."""


@dataclass
class Verdict:
    """The judgement on one session.

    `corrupted`: what is wrong with its file. `untrue`: claims that were false. `wrong`: what else is not
    as promised (exit status, message, something left behind). `lost_ticks` were sent before the fault
    and are not in the file; the first of them `lost_s` before it. `announced_s` is how long after the fault
    the session said so; None where there was nothing to say.
    """

    seen: Seen
    found: Found
    corrupted: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lost_acknowledged: int = 0
    lost_ticks: int = 0
    lost_s: float = 0.0
    announced_s: float | None = None

    @property
    def bad(self) -> bool:
        """Whether anything is not as promised."""
        return bool(self.corrupted or self.untrue or self.wrong)


def judge(seen: Seen, found: Found) -> Verdict:
    """Holds what was seen of a session, and found in its file, against what is promised."""
    verdict = Verdict(seen, found, corrupted=list(found.problems), untrue=list(seen.false))
    if seen.hung:
        verdict.wrong.append("the session hung")
        return verdict
    if seen.left:
        verdict.wrong.append(f"it left {', '.join(seen.left)}")
    if "Traceback" in seen.complained:
        verdict.wrong.append("a traceback on the terminal")
    gone = seen.plan.kind == "folder" and not found.exists
    if gone:
        _judge_gone(verdict)
    else:
        _judge_loss(verdict)
        _judge_words(verdict)
    _judge_end(verdict)
    _judge_telling(verdict)
    return verdict


def _judge_loss(verdict: Verdict) -> None:
    seen, n_ticks = verdict.seen, verdict.found.n_ticks
    acknowledged = seen.received.acknowledged()
    verdict.lost_acknowledged = max(0, acknowledged - n_ticks)
    if verdict.lost_acknowledged:
        verdict.untrue.append(
            f"{acknowledged} ticks were called recorded, {n_ticks} are in the file"
        )
    by_s = _lost_from(seen)
    sent = seen.received.published_by(by_s) if by_s is not None else len(seen.received.ticks)
    end = verdict.found.end_tick
    verdict.lost_ticks = max(0, sent - end)
    if verdict.found.first_tick and seen.plan.kind != "window":
        verdict.wrong.append(f"its first tick is {verdict.found.first_tick}")
    if verdict.lost_ticks:
        if by_s is None:
            verdict.wrong.append(f"{verdict.lost_ticks} ticks are missing at the end")
            return
        first = min((tick for tick in seen.received.ticks if tick >= end), default=None)
        verdict.lost_s = by_s - seen.received.published_s(first) if first is not None else 0.0
        if verdict.lost_s > MOST_LOST_S:
            verdict.wrong.append(
                f"{verdict.lost_ticks} ticks were lost, the first sent {verdict.lost_s:.2f} s before"
            )


def _lost_from(seen: Seen) -> float | None:
    """The instant from which on ticks may be lost; None where none may be at all."""
    kind = seen.plan.kind
    if kind == "disk" and seen.plan.how == "slowly":
        return _told_at(seen)  # it may have been full before its time
    if seen.fault_s is None or kind in ("stimulation", "window", "suspended"):
        return None
    return seen.fault_s


def _judge_words(verdict: Verdict) -> None:
    """Numbers of ticks that the terminal gives have to be in the file."""
    seen = verdict.seen
    for text in re.findall(r"recording .*\((\d+) ticks", seen.said):
        if int(text) > verdict.found.n_ticks:
            verdict.untrue.append(f"the summary says that {text} ticks were recorded")
    for text in re.findall(r"its (?:first )?(\d+) ticks", seen.complained):
        if int(text) > verdict.found.n_ticks:
            verdict.untrue.append(f"the terminal says that {text} ticks are on the disk")


def _judge_gone(verdict: Verdict) -> None:
    """Nothing is left: nothing may be called recorded from soon after the fault on."""
    seen = verdict.seen
    assert seen.fault_s is not None
    late = seen.fault_s + UNTRUE_AFTER_S
    if seen.received.acknowledged() > seen.received.acknowledged(late):
        verdict.untrue.append("ticks were called recorded long after their file was gone")
    if re.search(r"ticks (are|is) (whole|on the disk)", seen.complained):
        verdict.untrue.append("the terminal calls ticks of a file recorded that is gone")


def _judge_end(verdict: Verdict) -> None:
    """Exit status and last sentence, by what happened when."""
    seen = verdict.seen
    allowed, words = _promised(verdict)
    if seen.status not in allowed:
        verdict.wrong.append(f"exit status {seen.status}")
    lines = seen.complained.strip().splitlines()
    if seen.status in (1, 2):
        last = lines[-1] if lines else ""
        if not re.search(words, last) or not re.fullmatch(r".{15,}\.", last):
            verdict.wrong.append(f"its last words are {last!r}")


def _promised(verdict: Verdict) -> tuple[tuple[int, ...], str]:
    """Exit statuses that are right, and what the last sentence has to be about if it is not 0."""
    seen = verdict.seen
    kind = seen.plan.kind
    if seen.fault_s is None:
        # over before its fault; or a disk that was full by itself
        return ((0, 1), "disk|space") if kind == "disk" else ((0,), "")
    match kind:
        case "supervisor" | "window":
            return (-9,), ""
        case "suspended":
            return (0,), ""
        case "stimulation":
            return ((0, 1), "stimulation engine") if seen.early else ((0,), "")
        case "subject":
            return ((0, 1), "subject") if seen.late else ((1,), "subject")
        case "recorder":
            return ((0, 1), "recorder") if seen.late else ((1,), "recorder")
        case "disk":
            return (0, 1), "disk|space|room"
        case "quota":
            return (0, 1), "large|space"
        case _:
            return (
                ((0, 1, 2), "folder|removed|moved|directory")
                if (seen.late or seen.early)
                else ((1,), "folder|removed|moved|directory")
            )


def _judge_telling(verdict: Verdict) -> None:
    """How long it took until the session said what happened, and that it did."""
    seen = verdict.seen
    if seen.fault_s is None or seen.plan.kind in ("supervisor", "window"):
        return
    if seen.plan.kind == "suspended" and _unnoticed(seen):
        return
    at_s = _told_at(seen)
    if at_s is not None:
        slowly = seen.plan.kind == "disk" and seen.plan.how == "slowly"
        verdict.announced_s = None if slowly else max(0.0, at_s - seen.fault_s)
    elif seen.status == 0 and (seen.late or seen.plan.kind in ("disk", "quota")):
        pass  # the recording was complete all the same
    elif seen.status == 0 and seen.early and seen.plan.how == "made anew":
        pass  # likewise: there was a folder when it was needed
    else:
        verdict.untrue.append("the session never said what had happened on its bus")
    _judge_silence(verdict)


def _unnoticed(seen: Seen) -> bool:
    """Whether a suspension was short, or the animal came to its end and everybody waits for the file."""
    assert seen.fault_s is not None
    until_s = seen.fault_s + NOTICED_S
    last = seen.plan.n_ticks - 1
    ended = last in seen.received.ticks and seen.received.published_s(last) < until_s
    return ended or seen.plan.suspend_s < NOTICED_S


def _judge_silence(verdict: Verdict) -> None:
    """Long after the recorder's death nobody may say that it is alive and recording."""
    seen = verdict.seen
    if KINDS[seen.plan.kind].victim != "recorder.process" or seen.plan.kind != "recorder":
        return
    assert seen.fault_s is not None
    for at_s, status, report in seen.received.reports:
        alive = status.processes.get("recorder") == "alive" and report.state == "recording"
        if at_s > seen.fault_s + UNTRUE_AFTER_S and alive:
            verdict.untrue.append("a dead recorder was called recording")
            return


def _told_at(seen: Seen) -> float | None:
    """When the session first said on its bus that something is wrong with the victim."""
    source = {"stimulation": "stimulation", "subject": "subject"}.get(seen.plan.kind, "recorder")
    since = seen.fault_s or 0.0
    times = [
        at_s for at_s, fault in seen.received.faults if at_s >= since and fault.source == source
    ]
    for at_s, status in seen.received.statuses:
        state = status.processes.get(source, "")
        report = status.recorder
        failed = source == "recorder" and report is not None and report.state == "failed"
        if at_s >= since and (state in ("dead", "stuck") or failed):
            times.append(at_s)
    return min(times, default=None)


def lost_animal_s(verdict: Verdict) -> float:
    """What was lost, in seconds of animal time."""
    return verdict.lost_ticks * TICK_S
