"""The verdicts as a table, a row for each kind of fault, and as lines for the file of results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from chaos.plan import KINDS
from chaos.verdict import Verdict, lost_animal_s


@dataclass(frozen=True)
class Row:
    """One kind's sessions, counted: those in which something is not as promised, and the worst of times."""

    kind: str
    sessions: int
    hit: int
    corrupted: int
    untrue: int
    wrong: int
    lost_acknowledged: int
    worst_loss_s: float
    worst_animal_s: float
    announced_median_s: float | None
    announced_worst_s: float | None


def row(kind: str, verdicts: list[Verdict]) -> Row:
    """The row of one kind."""
    announced = sorted(each.announced_s for each in verdicts if each.announced_s is not None)
    return Row(
        kind=kind,
        sessions=len(verdicts),
        hit=sum(each.seen.fault_s is not None for each in verdicts),
        corrupted=sum(bool(each.corrupted) for each in verdicts),
        untrue=sum(bool(each.untrue) for each in verdicts),
        wrong=sum(bool(each.wrong) for each in verdicts),
        lost_acknowledged=sum(each.lost_acknowledged for each in verdicts),
        worst_loss_s=max((each.lost_s for each in verdicts), default=0.0),
        worst_animal_s=max((lost_animal_s(each) for each in verdicts), default=0.0),
        announced_median_s=announced[len(announced) // 2] if announced else None,
        announced_worst_s=announced[-1] if announced else None,
    )


def table(rows: list[Row], not_tried: dict[str, str]) -> Table:
    """All rows, for the terminal."""
    made = Table(title="Sessions and their faults")
    made.add_column("fault")
    for name in ("sessions", "hit", "files corrupted", "false claims", "else wrong"):
        made.add_column(name, justify="right")
    for name in (
        "recorded ticks lost",
        "worst loss (s)",
        "of animal time (s)",
        "reported after (s)",
    ):
        made.add_column(name, justify="right")
    for each in rows:
        announced = "–"
        if each.announced_median_s is not None and each.announced_worst_s is not None:
            announced = f"{each.announced_median_s:.2f}, worst {each.announced_worst_s:.2f}"
        counts = (each.corrupted, each.untrue, each.wrong)
        made.add_row(
            KINDS[each.kind].words,
            str(each.sessions),
            str(each.hit),
            *(f"[red]{count}[/red]" if count else "0" for count in counts),
            str(each.lost_acknowledged),
            f"{each.worst_loss_s:.2f}",
            f"{each.worst_animal_s:.2f}",
            announced,
        )
    for kind, why in not_tried.items():
        made.add_row(KINDS[kind].words, f"not tried here: {why}")
    return made


def line(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain values, for a file of results."""
    return {
        "plan": str(verdict.seen.plan),
        "kind": verdict.seen.plan.kind,
        "hit": verdict.seen.fault_s is not None,
        "early": verdict.seen.early,
        "late": verdict.seen.late,
        "status": verdict.seen.status,
        "n_ticks": verdict.found.n_ticks,
        "acknowledged": verdict.seen.received.acknowledged(),
        "sent": len(verdict.seen.received.ticks),
        "repaired": verdict.found.repaired,
        "lost_on_bus": verdict.seen.lost_on_bus,
        "lost_acknowledged": verdict.lost_acknowledged,
        "lost_ticks": verdict.lost_ticks,
        "lost_s": round(verdict.lost_s, 4),
        "announced_s": None if verdict.announced_s is None else round(verdict.announced_s, 3),
        "corrupted": verdict.corrupted,
        "untrue": verdict.untrue,
        "wrong": verdict.wrong,
    }
