"""`python -m bench.camera`: what a picture of the animal's camera costs, and whether culling changes it.

In each arena, over poses along the way of a subject in several trials, in turns on the same poses: `fast`
(height fields drawn only where they can be seen), `unculled` (as MuJoCo draws them), without any height
field, and `stock`; and how far the pictures are apart in grey levels. Milliseconds are of processor
time, all of it in one thread, so that a busy machine can be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "0")

import mujoco
import numpy as np
from rich.console import Console
from rich.table import Table

import agent
from agent.subject import CAMERA
from bench.session_speed import ARENAS
from rig.animal import Animal
from rig.arenas.camera import EgocentricCamera
from rig.random_streams import generator

SEED = 1
TICKS_APART = 2
STOCK_EVERY = 10
AIM_MS = 4.0


def measure(task: str, subject_name: str, trials: int, poses: int) -> dict[str, float]:
    """One arena's row: median milliseconds a picture, and differences in grey levels."""
    subject = agent.load(subject_name)
    animal = Animal(task, SEED)
    took_ms = defaultdict(list)
    culling, stock = [], []
    for trial in range(trials):
        animal.begin_trial(trial)
        subject.reset()
        model, data = animal._model, animal._data
        cameras = {
            quality: EgocentricCamera(model, data, quality)
            for quality in ("fast", "unculled", "stock")
        }
        cameras["no field"] = EgocentricCamera(model, data, "unculled")
        for tick in range(poses * TICKS_APART):
            noise = generator(SEED, "motor noise", tick).standard_normal(38)
            observation = animal.proprioception()
            observation[CAMERA] = animal.render()
            over = animal.act(subject.step(observation, (), noise).action).over
            if tick % TICKS_APART == 0:
                pictures = {}
                for name, camera in cameras.items():
                    if name == "stock" and len(culling) % STOCK_EVERY:
                        continue
                    pictures[name], ms = _picture(camera, model, name == "no field")
                    took_ms[name].append(ms)
                culling.append(_apart(pictures["fast"], pictures["unculled"]))
                if "stock" in pictures:
                    stock.append(_apart(pictures["fast"], pictures["stock"]))
            if over:
                break
        for camera in cameras.values():
            camera.close()
    animal.close()
    median = {name: float(np.median(values)) for name, values in took_ms.items()}
    apart = np.array(culling)
    return {
        "pictures": len(culling),
        "fast_ms": median["fast"],
        "unculled_ms": median["unculled"],
        "stock_ms": median["stock"],
        "field_share": max(0.0, 1 - median["no field"] / median["unculled"]),
        "culling_max": int(apart.max()),
        "culling_mean": float(apart.mean()),
        "culling_pixels_over_1": int((apart.max(axis=-1) > 1).sum()),
        "stock_mean": float(np.mean(stock)),
    }


def _picture(
    camera: EgocentricCamera, model: mujoco.MjModel, hide: bool
) -> tuple[np.ndarray, float]:
    """A picture, (64, 64, 3) uint8, with or without height fields, and its milliseconds; best of three."""
    groups = model.geom_group.copy()
    if hide:
        model.geom_group[model.geom_type == mujoco.mjtGeom.mjGEOM_HFIELD] = (
            1  # not seen by the animal
        )
    best_s = np.inf
    for _ in range(3):
        start = time.thread_time()
        picture = camera.render()
        best_s = min(best_s, time.thread_time() - start)
    model.geom_group[:] = groups
    return picture, best_s * 1e3


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(np.int16) - other).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.camera", description=__doc__)
    parser.add_argument("--subject", default="rodent")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--poses", type=int, default=44, help="of each trial")
    parser.add_argument("--arenas", nargs="+", choices=ARENAS, default=ARENAS)
    given = parser.parse_args()
    rows = {}
    table = Table(
        title="Milliseconds of processor time a picture (median), grey levels between pictures"
    )
    for name in ("arena", "pictures", "fast", "unculled", "of it field", "stock"):
        table.add_column(name, justify="left" if name == "arena" else "right")
    for name in ("culling: max", "mean", "pixels > 1", "fast to stock: mean"):
        table.add_column(name, justify="right")
    for task in given.arenas:
        row = rows[task] = measure(task, given.subject, given.trials, given.poses)
        table.add_row(
            task,
            str(row["pictures"]),
            *(f"{row[name]:.2f}" for name in ("fast_ms", "unculled_ms")),
            f"{row['field_share']:.0%}",
            f"{row['stock_ms']:.1f}",
            str(row["culling_max"]),
            f"{row['culling_mean']:.6f}",
            str(row["culling_pixels_over_1"]),
            f"{row['stock_mean']:.2f}",
        )
    console = Console(width=120)
    console.print(table)
    console.print(
        f"aims: under {AIM_MS:g} ms in the bowl (escape), culled pictures within 1 grey level"
    )
    path = Path(__file__).with_name("camera.json")
    load = os.getloadavg()[0]
    results = {"cores": os.cpu_count(), "load_at_end": round(load, 1), "arenas": rows}
    path.write_text(json.dumps(results, indent=2) + "\n")
    console.print(f"written to {path}; load {load:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
