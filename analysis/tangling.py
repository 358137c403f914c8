"""The figure `tangling`: how tangled the trajectories of layers and of actions are, by task and by speed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import interval_of_mean
from analysis.episodes import TITLES, Episodes, activity, body, read_episodes, signals, values
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import INK, drawn, layer_look, lettered, whiskers
from analysis.sequences import z_scored_together
from analysis.tangling_q import tangling_of
from analysis.verdicts import Claim, judge, simultaneous

Array = np.ndarray

STATES = ("h", "c")
ACTIONS = "actions"
SPEEDS_M_S = (("below 0.1", -np.inf, 0.1), ("0.1 to 0.4", 0.1, 0.4), ("above 0.4", 0.4, np.inf))
HIGH = 0.9
"""Of an episode's Q its 90th percentile counts: how tangled it is where it is tangled."""
LEAST_MOMENTS = 20
files_of = picture_and_numbers
Q = dict[tuple[str, str], list[tuple[Array, Array]]]
"""By signal and state, of every episode the rows and Q at each."""


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of any tasks.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or have no episode.
    """
    found = read_episodes(files)
    speed = signals(found.episodes, lambda r, one: body(r, one, "forward_speed")[:, 0])
    q = _all_q(found)
    by_task = {
        (signal, state, task): _log_high(found, own, task)
        for (signal, state), own in q.items()
        for task in found.tasks
    }
    by_speed = {
        (signal, state, name): _log_high(found, own, None, speed, low, high)
        for (signal, state), own in q.items()
        for name, low, high in SPEEDS_M_S
    }
    claims = tuple(_claim(found, by_task, state) for state in STATES)
    _picture(found, by_task, by_speed, out)
    measure = "log10 of the 90th percentile of Q (1/s²)"
    numbers = [
        number(measure, interval_of_mean(own), task=task, layer=signal, state=state)
        for (signal, state, task), own in by_task.items()
    ]
    numbers += [
        number(f"{measure} at {name} m/s", interval_of_mean(own), layer=signal, state=state)
        for (signal, state, name), own in by_speed.items()
    ]
    write_numbers(files_of(out)[1], numbers)
    how = (
        "Eight principal components of z-scored units (of z-scored actions) in a task, smoothed by 40 ms; "
        "actions are those that were sent, with their motor noise."
    )
    return FigureResult(files_of(out), claims, (*found.notes(), how))


def _all_q(found: Episodes) -> Q:
    q: Q = {}
    for task in found.tasks:
        own = found.of(task)
        sources = {
            (layer, state): activity(own, layer, state)
            for layer in found.layers
            for state in STATES
        }
        sources[ACTIONS, ""] = signals(own, lambda r, one: values(r, one, "action"))
        for key, parts in sources.items():
            q.setdefault(key, []).extend(tangling_of(z_scored_together(parts), found.rate_hz))
    return q


def _log_high(
    found: Episodes,
    q: list[tuple[Array, Array]],
    task: str | None,
    speed: list[Array] | None = None,
    low: float = -np.inf,
    high: float = np.inf,
) -> Array:
    """The 90th percentile of Q in each episode, log10; NaN where there is too little of it."""
    result = []
    for k, (episode, (rows, own)) in enumerate(zip(found.episodes, q, strict=True)):
        if task is not None and episode.task != task:
            continue
        if speed is not None:
            at = speed[k][rows]
            own = own[(at >= low) & (at < high)]
        enough = len(own) >= LEAST_MOMENTS
        result.append(np.log10(np.quantile(own, HIGH)) if enough else np.nan)
    return np.array(result)


def _claim(found: Episodes, by_task: dict[tuple[str, str, str], Array], state: str) -> Claim:
    def over_tasks(signal: str, of: str) -> Array:
        return np.concatenate([by_task[signal, of, task] for task in found.tasks])

    actions = over_tasks(ACTIONS, "")
    margins = [
        interval_of_mean(actions - over_tasks(layer, state), simultaneous(len(found.layers)))
        for layer in found.layers
    ]
    listed = ", ".join(
        f"{layer} {each.with_interval()}" for layer, each in zip(found.layers, margins, strict=True)
    )
    return Claim(
        f"Rush et al. 2023 ({state})",
        "the agent displays neural trajectories in the recurrent layers [that] are less tangled than those "
        "in the input-driven actuation layers",
        f"{'outputs h' if state == 'h' else 'cell states c'}: log10 Q (90th percentile of an episode) of "
        "the actions less that of each layer is above 0",
        f"actions less {listed}; {len(actions)} episodes",
        judge(margins),
    )


def _picture(
    found: Episodes,
    by_task: dict[tuple[str, str, str], Array],
    by_speed: dict[tuple[str, str, str], Array],
    out: Path,
) -> None:
    title = (
        f"{found.episodes[0].subject}: tangling Q of layers (filled h, open c) and actions; "
        f"n = {len(found.episodes)} episodes"
    )
    with drawn(out, 3.4, title) as figure:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(4, 3))
        _points(left, found, by_task, {task: TITLES.get(task, task) for task in found.tasks})
        _points(right, found, by_speed, {name: f"{name} m/s" for name, _, _ in SPEEDS_M_S})
        left.set_ylabel("log10 of Q (1/s²),\n90th percentile of an episode")
        left.set_title("by task")
        right.set_title("by forward speed")
        handles = left.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=6)
        lettered([left, right])


def _points(
    axes: Axes,
    found: Episodes,
    of: dict[tuple[str, str, str], Array],
    groups: dict[str, str],
) -> None:
    signals_ = [*found.layers, ACTIONS]
    for j, signal in enumerate(signals_):
        for state in STATES if signal != ACTIONS else ("",):
            shift = 0.14 * (j - (len(signals_) - 1) / 2) + (0.05 if state == "c" else 0)
            look = layer_look(signal) if signal != ACTIONS else {"color": INK, "marker": "*"}
            found_ = [interval_of_mean(of[signal, state, group]) for group in groups]
            whiskers(
                axes,
                [k + shift for k in range(len(groups))],
                found_,
                signal if state != "c" else None,
                markerfacecolor="white" if state == "c" else look["color"],
                **look,
            )
    axes.set_xticks(range(len(groups)), list(groups.values()))
