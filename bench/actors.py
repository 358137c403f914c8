"""`python -m bench.actors`: ticks a second of a training with one actor, two, three, …

Each actor is a process with its own environments, as `rodent-rig train` starts them (`[actors] count`). Timed
are rollouts as they arrive, in ticks of all environments together a second: of actors alone, whose rollouts
are thrown away, and of a DAgger training that learns from them. The limit in the same run is one actor in
this process that does nothing else.
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
from training.rollout.actor_pool import ActorPool, Request
from training.rollout.rollout import Rollout
from training.settings import Settings, read
from training.stage_actors import make_vector_env

SUBJECTS = Path(__file__).resolve().parents[1] / "subjects"


def main() -> None:
    """Time all numbers of actors, print the table, write `bench/actors.json`."""
    parser = argparse.ArgumentParser(prog="bench.actors", description=__doc__)
    parser.add_argument("--actors", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rollouts", type=int, default=3, help="how many to time, per actor")
    given = parser.parse_args()
    settings = read(SUBJECTS / "rodent.toml")
    torch.set_num_threads(1)
    rows: dict[int, dict[str, float]] = {}
    for number in given.actors:
        with _pool(settings, number, "local") as pool:
            rows[number] = {
                "collecting": _collecting(settings, pool, given.rollouts),
                "training": _training(settings, pool, given.rollouts),
            }
    # last: a process with as many rendering contexts is too large to start Ray's by forking
    with _pool(settings, 1, None) as pool:
        limit = _collecting(settings, pool, given.rollouts)
    console = Console(width=110)
    table = Table(title=f"Ticks a second; one actor in this process, nothing else: {limit:.0f}")
    table.add_column("actors")
    for name in ("collecting", "x limit", "collecting and learning", "x limit"):
        table.add_column(name, justify="right")
    for number, row in rows.items():
        speeds = (
            row["collecting"],
            row["collecting"] / limit,
            row["training"],
            row["training"] / limit,
        )
        table.add_row(
            str(number), *(f"{s:.{d}f}" for s, d in zip(speeds, (0, 2, 0, 2), strict=True))
        )
    console.print(table)
    path = Path(__file__).with_suffix(".json")
    results = {
        "cores": os.cpu_count(),
        "environments": len(settings.vector_env.tasks),
        "limit": limit,
        "actors": rows,
    }
    path.write_text(json.dumps(results, indent=2) + "\n")
    console.print(f"written to {path}")


def _pool(settings: Settings, actors: int, ray: str | None) -> ActorPool[Rollout]:
    skills = SUBJECTS / "rodent" / "skills"
    make = partial(
        make_vector_env, settings.network, settings.vector_env, skills.resolve(), 0, 0, 0
    )
    return ActorPool(make, actors, ray)


def _collecting(settings: Settings, pool: ActorPool[Rollout], rollouts: int) -> float:
    """Ticks a second of actors alone; the first rollout of each is not timed."""
    request = Request(settings.dagger.rollout_ticks, settings.dagger.min_expert_fraction)
    weights = load("rodent", "torch").network.state_dict()
    pool.publish({name: value.numpy().copy() for name, value in weights.items()})
    for _ in range(pool.actors):
        pool.next(request)
    began = time.perf_counter()
    ticks = sum(pool.next(request).rollout.reward.size for _ in range(rollouts * pool.actors))
    return ticks / (time.perf_counter() - began)


def _training(settings: Settings, pool: ActorPool[Rollout], rollouts: int) -> float:
    """Ticks a second of `dagger.train`, once it learns."""
    untimed = settings.dagger.learning_starts + pool.actors
    chosen = replace(
        settings.dagger, rollouts=untimed + rollouts * pool.actors, retrain_vision_at=1.0
    )
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        dagger.train(
            load("rodent", "torch").network,
            pool,
            chosen,
            Path(folder) / "dagger.safetensors",
            lambda metrics: times.append(time.perf_counter()),
        )
    environments = len(settings.vector_env.tasks)
    ticks = (len(times) - untimed) * environments * chosen.rollout_ticks
    return ticks / (times[-1] - times[untimed - 1])


if __name__ == "__main__":
    main()
