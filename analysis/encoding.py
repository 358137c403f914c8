"""The figure `encoding`: how much of each unit is predicted by body, movement, touch, goal, task and value.

Ridge regression of z-scored units, each episode predicted from others (`analysis.ridge`). What only one group
of variables can say is how much less is predicted without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from analysis.cluster_statistics import Estimate
from analysis.covariates import EVERY, GROUPS, covariates
from analysis.episodes import Episodes, activity, need_episodes, read_episodes
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import COLOURS, drawn, layer_look, lettered, whiskers
from analysis.resampling import above, bootstrap
from analysis.ridge import Held, predict_held_out, products_of
from analysis.sequences import z_scored_together
from analysis.verdicts import Claim, judge

Array = np.ndarray

STATES = ("h", "c")
LEAST_EPISODES = 5
CONTEXT = ("goal", "task", "events")
"""Without the value, of which the core would say much by being what it is read from."""
MOVEMENT = ("posture", "joint speed", "forces", "body", "touch")
files_of = picture_and_numbers


def encode(groups: dict[str, list[Array]], units: Sequence[Array]) -> dict[str, Held]:
    """Units predicted from all groups (""), and with each of these left out: a group, or several joined by +.

    Args:
        groups: by name, of each episode (ticks, variables).
        units: of each episode (ticks, units).
    """
    names = list(groups)
    xs = [np.hstack([groups[name][k] for name in names]) for k in range(len(units))]
    ends = np.cumsum([groups[name][0].shape[1] for name in names])
    columns = {
        name: set(range(int(end) - groups[name][0].shape[1], int(end)))
        for name, end in zip(names, ends, strict=True)
    }
    products = products_of(xs, units)
    whole = predict_held_out(products)
    found = {"": whole}
    sets: list[tuple[str, ...]] = [(name,) for name in names]
    sets += [several for several in (CONTEXT, MOVEMENT) if set(several) <= set(names)]
    for left_out in sets:
        gone = set().union(*(columns[name] for name in left_out))
        rest = [k for k in range(int(ends[-1])) if k not in gone]
        found["+".join(left_out)] = predict_held_out(products.only(rest), fixed=whole.penalties)
    return found


def unique(found: dict[str, Held], left_out: str) -> Estimate:
    """How much less is predicted without a group, mean over units, with its interval over episodes."""
    whole, without = found[""], found[left_out]

    def statistic(some: Sequence[int]) -> list[float]:
        return [float(np.nanmean(whole.r2(some) - without.r2(some)))]

    (result,) = bootstrap(statistic, [range(len(whole.error))])
    return result


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of any tasks.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or there are fewer than five episodes.
    """
    found = read_episodes(files)
    need_episodes(found.episodes, LEAST_EPISODES, "Encoding, each fifth predicted from the rest,")
    groups = covariates(found.episodes)
    of = {}
    for layer in found.layers:
        for state in STATES:
            units = z_scored_together(
                [part[::EVERY] for part in activity(found.episodes, layer, state)]
            )
            of[layer, state] = encode(groups, units)
    every = range(len(found.episodes))
    whole = {key: _whole(held[""]) for key, held in of.items()}
    parts = {
        (layer, state, name): unique(held, name)
        for (layer, state), held in of.items()
        for name in held
        if name
    }
    claims = tuple(claim for state in STATES for claim in _claims(found, of, parts, state))
    _picture(found, of, whole, parts, out)
    numbers = [
        number("R² of all groups, mean of units", one, layer=layer, state=state)
        for (layer, state), one in whole.items()
    ]
    numbers += [
        number(f"unique R² of {name}, mean of units", one, layer=layer, state=state)
        for (layer, state, name), one in parts.items()
    ]
    numbers += [
        number(
            "R² of all groups, median unit",
            float(np.nanmedian(held[""].r2(every))),
            layer=layer,
            state=state,
        )
        for (layer, state), held in of.items()
    ]
    write_numbers(files_of(out)[1], numbers)
    listed = "; ".join(f"{name}: {about}" for name, about in GROUPS.items())
    how = (
        f"Every {EVERY}th tick; ridge, five folds of episodes; variables are cut off at ±4 standard "
        f"deviations. {listed}."
    )
    return FigureResult(files_of(out), claims, (*found.notes(), how))


def _whole(held: Held) -> Estimate:
    (result,) = bootstrap(lambda some: [float(np.nanmean(held.r2(some)))], [range(len(held.error))])
    return result


def _claims(
    found: Episodes,
    of: dict[tuple[str, str], dict[str, Held]],
    parts: dict[tuple[str, str, str], Estimate],
    state: str,
) -> tuple[Claim, ...]:
    core, policies = found.layers[0], found.layers[1:]
    named = "outputs h" if state == "h" else "cell states c"
    claims = []
    for quote, rule, several, sign in (
        (
            "Units in the core [...] likely representing variables associated with context and reward",
            "only goal, task and events say more of the core than of every policy layer (unique R²)",
            "+".join(CONTEXT),
            1,
        ),
        (
            "units in policy layers were [...] potentially encoding motor and behavioral features",
            "only posture, movement, forces and touch say more of every policy layer than of the core "
            "(unique R²)",
            "+".join(MOVEMENT),
            -1,
        ),
    ):
        margins = [
            above(
                _difference(of, (core, state), (policy, state), several, sign), 0.0, len(policies)
            )
            for policy in policies
        ]
        listed = ", ".join(
            f"{layer} {parts[layer, state, several].with_interval('.3f')}" for layer in found.layers
        )
        claims.append(Claim(f"3.2 ({state})", quote, f"{named}: {rule}", listed, judge(margins)))
    return tuple(claims)


def _difference(
    of: dict[tuple[str, str], dict[str, Held]],
    one: tuple[str, str],
    other: tuple[str, str],
    left_out: str,
    sign: int,
) -> Estimate:
    def statistic(some: Sequence[int]) -> list[float]:
        a, b = (
            float(np.nanmean(of[key][""].r2(some) - of[key][left_out].r2(some)))
            for key in (one, other)
        )
        return [sign * (a - b)]

    (result,) = bootstrap(statistic, [range(len(of[one][""].error))])
    return result


def _picture(
    found: Episodes,
    of: dict[tuple[str, str], dict[str, Held]],
    whole: dict[tuple[str, str], Estimate],
    parts: dict[tuple[str, str, str], Estimate],
    out: Path,
) -> None:
    title = (
        f"{found.episodes[0].subject}: what predicts units in held-out episodes; n = "
        f"{len(found.episodes)} episodes"
    )
    every = range(len(found.episodes))
    with drawn(out, 5.0, title) as figure:
        upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.2), squeeze=False)[:, 0]
        panels = upper.subplots(1, 2, sharey=True)
        for axes, state in zip(panels, STATES, strict=True):
            for layer in found.layers:
                r2 = np.sort(of[layer, state][""].r2(every))
                r2 = r2[np.isfinite(r2)]
                share = np.arange(1, len(r2) + 1) / len(r2)
                style = ("-", "--", "-.", ":")[found.layers.index(layer) % 4]
                mean = whole[layer, state]
                label = f"{layer}, mean {mean.value:.2f}"
                axes.plot(r2, share, style, color=layer_look(layer)["color"], label=label)
            axes.set_xlim(-0.1, 1)
            axes.set_xlabel("R² of a unit, all groups")
            axes.set_title(f"cumulative share of units, {state}")
            axes.legend(loc="lower right")
        panels[0].set_ylabel("share of units")
        below = lower.subplots()
        names = list(GROUPS)
        for j, layer in enumerate(found.layers):
            for i, state in enumerate(STATES):
                shift = 0.18 * (j - (len(found.layers) - 1) / 2) + 0.07 * i
                look = layer_look(layer)
                whiskers(
                    below,
                    [k + shift for k in range(len(names))],
                    [parts[layer, state, name] for name in names],
                    layer if i == 0 else None,
                    markerfacecolor=(look["color"], "white")[i],
                    **look,
                )
        for k in range(1, len(names)):
            below.axvline(k - 0.5, color=COLOURS[5], linewidth=0.3)
        below.axhline(0, color="#666666", linewidth=0.5)
        below.set_xticks(range(len(names)), names)
        below.set_yscale("symlog", linthresh=0.01)
        ticks = (-0.01, 0, 0.01, 0.03, 0.1, 0.3)
        below.set_yticks(ticks, [f"{each:g}" for each in ticks])
        below.minorticks_off()
        below.set_ylabel("unique R²,\nmean of units")
        below.set_title("what is lost without a group; filled h, open c")
        below.set_ylim(top=0.3)
        lower.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        lettered([*panels, below])
