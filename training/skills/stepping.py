"""A second gait, with the trunk high and the elbows off the ground: one from which a rodent can leap.

The fastest trot that a search finds runs low, on its elbows, and forelimbs that do not step cannot land. The
search of `training.skills.gait` with a cost on a low posture gives this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.skills import gait, steering
from training.skills.gait import GaitSettings
from training.skills.search import SearchState
from training.skills.steering import Steering, SteeringSettings


@dataclass(frozen=True)
class SteppingSettings(GaitSettings):
    """Settings of both searches: `steering_...` for the control law of turning, the rest for the gait."""

    target_speed_m_s: float = 1.0
    posture: float = 4.0
    coarse_generations: int = 200
    stock_generations: int = 247
    coarse_population: int = 24
    stock_population: int = 18
    rollout_s: float = 1.4
    steering_generations: int = 6
    steering_population: int = 8
    steering_rollout_s: float = 2.0


def find(
    settings: SteppingSettings,
    folder: Path,
    threads: int,
    report: Callable[[float, str], None],
) -> Steering:
    """Search for the gait, then for its control law of turning; resumes, and writes `stepping.npz`.

    Args:
        settings: of both searches.
        folder: for the result; checkpoints go to `stepping-search` in it.
        threads: threads for physics.
        report: called with the fraction done (0 to 1) and a line of text.

    Returns:
        The gait with its control law.
    """
    search_folder = folder / "stepping-search"
    search_folder.mkdir(parents=True, exist_ok=True)
    generations = settings.coarse_generations + settings.stock_generations
    total = generations + settings.steering_generations

    def progress(name: str, state: SearchState, speed: float, hz: float) -> None:
        done = state.generation + (settings.coarse_generations if name == "stock" else 0)
        report(done / total, f"{name} physics: cost {state.best_cost:.2f}, {hz:.1f} Hz")

    found = gait.find(settings, search_folder, threads, progress)
    turning = SteeringSettings(
        generations=settings.steering_generations,
        population=settings.steering_population,
        rollout_s=settings.steering_rollout_s,
        seed=settings.seed,
    )
    result = steering.find(
        found,
        turning,
        search_folder,
        threads,
        lambda _, state, yaw, speed: report(
            (generations + state.generation) / total, f"turning: cost {state.best_cost:.2f}"
        ),
    )
    result.save(folder / "stepping.npz")
    return result
