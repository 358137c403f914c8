"""The searches for the experts' skills, as pipeline stages: what each needs, runs and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from agent.errors import SubjectError
from training.settings import Settings
from training.skills import (
    climbing,
    gait,
    righting,
    running_leap,
    running_over_gaps,
    spinning,
    steering,
    stepping,
    tapping,
    walking_backward,
)
from training.skills.gap_courses import Runs
from training.skills.library import SKILLS, Skills
from training.skills.running_leap_trials import Crossings
from training.skills.search import SearchState, load_state
from training.skills.tap_trials import TapResult

Array = np.ndarray
Report = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and a line of text."""

_NEEDS = {
    "corridor": ("gait", "steering"),
    "gaps": (
        "gait",
        "steering",
        "walking_backward",
        "righting",
        "stepping",
        "running_leap",
        "gap_running",
    ),
    "forage": ("gait", "steering", "spinning", "righting"),
    "escape": ("gait", "steering", "righting", "climbing"),
    "two_tap": ("gait", "steering", "spinning", "walking_backward", "righting", "tapping"),
}


def needed_skills(tasks: Iterable[str]) -> tuple[str, ...]:
    """The skills that the experts of these tasks are made of, in order."""
    needed = {skill for task in tasks for skill in _NEEDS[task]}
    return tuple(skill for skill in SKILLS if skill in needed)


def _gait(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.gait
    total = chosen.coarse_generations + chosen.stock_generations

    def report(name: str, state: SearchState, speed: float, hz: float) -> None:
        done = state.generation + (chosen.coarse_generations if name == "stock" else 0)
        ran = f", {speed:.2f} m/s" if np.isfinite(speed) else ""
        progress(done / total, f"{name} physics: cost {state.best_cost:.2f}, {hz:.1f} Hz{ran}")

    gait.find(chosen, skills.folder, threads, report)


def _steering(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.steering

    def report(name: str, state: SearchState, yaw: Array, speed: Array) -> None:
        progress(
            state.generation / chosen.generations,
            f"{name} physics: cost {state.best_cost:.2f}, turns {np.round(yaw, 1).tolist()} rad/s "
            f"at {np.round(speed, 2).tolist()} m/s",
        )

    steering.find(gait.load(skills.path("gait")), chosen, skills.folder, threads, report)


def _spinning(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.spinning

    def report(state: SearchState, yaw: float, travel: float) -> None:
        progress(
            state.generation / chosen.generations,
            f"cost {state.best_cost:.2f}, turns {yaw:.1f} rad/s, travels {travel:.2f} m/s",
        )

    base = steering.load(skills.path("steering"))
    spinning.find(base, chosen, skills.folder, threads, report)


def _walking_backward(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.walking_backward

    def report(state: SearchState, forwards: float) -> None:
        text = f"cost {state.best_cost:.2f}, {forwards:.2f} m/s"
        progress(state.generation / max(1, chosen.generations), text)

    walking_backward.find(gait.load(skills.path("gait")), chosen, skills.folder, threads, report)


def _fraction_done(state: SearchState, name: str, phases: Mapping[str, int]) -> float:
    """The fraction done of a search, by the generations of its phases, when it is in the phase `name`."""
    names = list(phases)
    before = sum(phases[one] for one in names[: names.index(name)])
    return (before + state.generation) / max(1, sum(phases.values()))


def _righting(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.righting
    phases = {"coarse": chosen.coarse_generations, "stock": chosen.stock_generations}

    def report(name: str, state: SearchState, stands: float) -> None:
        up = f", {stands:.0%} stand" if np.isfinite(stands) else ""
        text = f"{name} physics: cost {state.best_cost:.2f}{up}"
        progress(_fraction_done(state, name, phases), text)

    stand = steering.load(skills.path("steering")).table.mean(0)
    righting.find(chosen, stand, skills.folder, threads, report)


def _climbing(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.climbing
    phases = {"coarse": chosen.coarse_generations, "stock": chosen.stock_generations}

    def report(name: str, state: SearchState, gained_m: float, falls: float) -> None:
        out = f", {gained_m:.2f} m out, {falls:.0%} fall" if np.isfinite(gained_m) else ""
        progress(
            _fraction_done(state, name, phases), f"{name} physics: cost {state.best_cost:.2f}{out}"
        )

    flat = steering.load(skills.path("steering"))
    path = skills.folder / "gait-stock.npz"
    searched = load_state(path)
    if searched is None:
        raise SubjectError(f"{path} is missing: train the stage 'gait' first, it begins there")
    style = settings.gait.style
    climbing.find(chosen, flat, searched.mean, style, skills.folder, threads, report)


def _tapping(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.tapping
    phases = {"both": chosen.generations, "again": chosen.again_generations}

    def report(name: str, state: SearchState, result: TapResult) -> None:
        twice = f"{result.success.mean():.0%} tap twice"
        progress(
            _fraction_done(state, name, phases), f"{name}: cost {state.best_cost:.2f}, {twice}"
        )

    tapping.find(steering.load(skills.path("steering")), chosen, skills.folder, threads, report)


def _stepping(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    stepping.find(settings.stepping, skills.folder, threads, progress)


def _running_leap(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.running_leap
    phases = {"fast": chosen.fast_generations, "stock": chosen.stock_generations}

    def report(part: str, state: SearchState, last: Crossings) -> None:
        name = part.removeprefix("running_leap-")
        text = f"{name} physics: {last.crossed.mean():.0%} of gaps crossed"
        progress(_fraction_done(state, name, phases), text)

    running_leap.find(steering.load(skills.path("stepping")), chosen, skills.folder, report)


def _gap_running(settings: Settings, skills: Skills, threads: int, progress: Report) -> None:
    chosen = settings.gap_running

    def report(state: SearchState, last: Sequence[Runs]) -> None:
        fell = np.mean([one.fell.mean() for one in last])
        progress(
            state.generation / max(1, chosen.generations), f"{fell:.0%} of trials end in a fall"
        )

    start = running_over_gaps.parameters_of(skills.path("running_leap"))
    running_over_gaps.find(skills.folder, chosen, skills.folder, report, start, threads)


SEARCHES: dict[str, Callable[[Settings, Skills, int, Report], None]] = {
    "gait": _gait,
    "steering": _steering,
    "spinning": _spinning,
    "walking_backward": _walking_backward,
    "righting": _righting,
    "climbing": _climbing,
    "tapping": _tapping,
    "stepping": _stepping,
    "running_leap": _running_leap,
    "gap_running": _gap_running,
}
"""Searches for the skills, by pipeline stage."""
