"""`python -m bench.actors`: how fast a training lives and learns with one actor, two, three, …

Each actor is a process with a herd of its own, as `rodent-rig train` starts them (`[fleet] workers`). Timed
are segments that arrive, in animal ticks a second: of actors alone, whose segments are thrown away, and of a
training that learns from them. The limit in the same run is one herd in this process that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import torch
from rich.console import Console
from rich.table import Table

from agent.subject import load
from training.learn import dagger
from training.pipeline import make_herd
from training.rollout.actor_pool import Fleet, Order
from training.rollout.rollout import Segment
from training.settings import Settings, read

SUBJECTS = Path(__file__).resolve().parents[1] / "subjects"


def main() -> None:
    """Time all numbers of actors, print the table, write `bench/actors.json`."""
    parser = argparse.ArgumentParser(prog="bench.actors", description=__doc__)
    parser.add_argument("--actors", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--segments", type=int, default=3, help="how many to time, per actor")
    given = parser.parse_args()
    settings = read(SUBJECTS / "rodent.toml")
    torch.set_num_threads(1)
    rows: dict[int, dict[str, float]] = {}
    for number in given.actors:
        with _fleet(settings, number, "local") as fleet:
            rows[number] = {
                "living": _living(settings, fleet, given.segments),
                "training": _training(settings, fleet, given.segments),
            }
    # last: a process with as many rendering contexts is too large to start Ray's by forking
    with _fleet(settings, 1, None) as fleet:
        limit = _living(settings, fleet, given.segments)
    console = Console(width=110)
    table = Table(
        title=f"Animal ticks a second; one herd in this process, nothing else: {limit:.0f}"
    )
    table.add_column("actors")
    for name in ("living", "x limit", "living and learning", "x limit"):
        table.add_column(name, justify="right")
    for number, row in rows.items():
        speeds = (row["living"], row["living"] / limit, row["training"], row["training"] / limit)
        table.add_row(
            str(number), *(f"{s:.{d}f}" for s, d in zip(speeds, (0, 2, 0, 2), strict=True))
        )
    console.print(table)
    path = Path(__file__).with_suffix(".json")
    results = {
        "cores": os.cpu_count(),
        "herd": len(settings.herd.tasks),
        "limit": limit,
        "actors": rows,
    }
    path.write_text(json.dumps(results, indent=2) + "\n")
    console.print(f"written to {path}")


def _fleet(settings: Settings, actors: int, ray: str | None) -> Fleet[Segment]:
    skills = SUBJECTS / "rodent" / "skills"
    make = partial(make_herd, settings.network, settings.herd, skills.resolve(), 0, 0)
    return Fleet(make, actors, ray)


def _living(settings: Settings, fleet: Fleet[Segment], segments: int) -> float:
    """Animal ticks a second of actors alone; the first segment of each is not timed."""
    order = Order(settings.imitation.segment_ticks, settings.imitation.expert_least)
    weights = load("rodent").network.state_dict()
    fleet.publish({name: value.numpy().copy() for name, value in weights.items()})
    for _ in range(fleet.workers):
        fleet.next(order)
    began = time.perf_counter()
    ticks = sum(fleet.next(order).lived.reward.size for _ in range(segments * fleet.workers))
    return ticks / (time.perf_counter() - began)


def _training(settings: Settings, fleet: Fleet[Segment], segments: int) -> float:
    """Animal ticks a second of `dagger.train`, once it learns."""
    untimed = dagger.FIRST_SEGMENTS + fleet.workers
    wanted = replace(
        settings.imitation, segments=untimed + segments * fleet.workers, look_again=1.0
    )
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        dagger.train(
            load("rodent").network,
            fleet,
            wanted,
            Path(folder) / "imitation.safetensors",
            lambda report: times.append(time.perf_counter()),
        )
    animals = len(settings.herd.tasks)
    ticks = (len(times) - untimed) * animals * wanted.segment_ticks
    return ticks / (times[-1] - times[untimed - 1])


if __name__ == "__main__":
    main()
