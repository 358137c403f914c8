"""Figure 6 of the paper: what tasks share in the layers, architectures beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.distinctness import NEIGHBOURS, POINTS, Distinctness, distinctness
from analysis.episodes import TITLES
from analysis.fig5 import SHORT, claims_of, layers_by_features, notes_of
from analysis.figure_numbers import Number, number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.loaded_episodes import load_episodes, read_by_subject
from analysis.look import (
    BAND,
    INK,
    MUTED,
    drawn,
    layer_look,
    lettered,
    rows_as_image,
    task_look,
    whiskers,
)
from analysis.mean_responses import responses
from analysis.over_seeds import margins_around
from analysis.representation import Representation, representation
from analysis.verdicts import Claim, judge

files_of = picture_and_numbers
CARD_HEIGHT_IN = 4.6
_ONE_LAYER = (
    "3.3, figure 6C",
    "one layer networks showed a marked increase in the similarity of behavioral encoding across tasks",
    "CKA between tasks, averaged over their pairs, the eight sets of features and the policy layers, is "
    "greater in the network with one policy layer than in each with more, over seeds of episodes",
)


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draw the figure into `out`, and its numbers as CSV beside it.

    Args:
        files: undisturbed recordings of one subject or more in two tasks or more.
        out: the picture, .png, .pdf or .svg.

    Raises:
        UserError: there is no episode in the recordings of a subject.
    """
    read = read_by_subject(files)
    alike: dict[str, Representation] = {}
    apart: dict[str, Distinctness] = {}
    for name, own in read.items():
        episodes = load_episodes(own.episodes)
        apart[name] = distinctness(episodes)
        alike[name] = representation(episodes, responses(episodes))
    with drawn(out, 6.9) as figure:
        picture(figure, alike, apart)
    rows = [row for name in alike for row in _numbers(name, alike[name], apart[name])]
    write_numbers(out.with_suffix(".csv"), rows)
    own_claims = {name: (*alike[name].task_claims, apart[name].claim) for name in alike}
    notes = (*notes_of(read), f"A and B: {POINTS} moments of each task.")
    return FigureResult(files_of(out), (*claims_of(own_claims), *_one_layer(alike)), notes)


def _one_layer(found: Mapping[str, Representation]) -> tuple[Claim, ...]:
    """The claim on networks with one policy layer; none where there is nothing to compare."""
    single = {name: one for name, one in found.items() if len(one.layers) == 2}
    several = {name: one for name, one in found.items() if len(one.layers) > 2}
    if not single or not several:
        return ()
    estimates, names = [], []
    for a, one in single.items():
        for b, other in several.items():
            common = sorted(set(one.seeds) & set(other.seeds))
            pick = [
                each.pseudo_policy[[each.seeds.index(seed) for seed in common]]
                for each in (one, other)
            ]
            measured = [
                np.mean([each.mean_between_tasks[layer].value for layer in each.layers[1:]])
                for each in (one, other)
            ]
            margin = np.array([measured[0] - measured[1]])
            estimates += margins_around(
                margin, (pick[0] - pick[1])[:, None], len(single) * len(several)
            )
            names.append(f"{a} – {b} {estimates[-1]}")
    return (Claim(*_ONE_LAYER, "; ".join(names), judge(estimates)),)


def picture(
    figure: Figure, alike: Mapping[str, Representation], apart: Mapping[str, Distinctness]
) -> None:
    """Draw into an empty figure.

    Args:
        figure: 7.2 inches wide.
        alike: by subject, what its layers represent.
        apart: by subject, how far tasks lie apart.
    """
    first = next(iter(alike))
    strips: Any = figure.subfigures(3, 1, height_ratios=(1, 0.95, 1))
    above, middle, below = strips
    planes = above.subplots(1, 3)
    ends = alike[first].layers[0], alike[first].layers[-1]
    if apart[first].planes:
        for axes, layer in zip(planes, ends, strict=False):
            _plane(axes, apart[first], layer, first)
        shown = planes[0].get_legend_handles_labels()
        above.legend(*shown, loc="outside lower left", ncols=4, markerscale=1.5)
    _distinct(planes[2], apart)
    pairs = middle.subplots(1, 3, width_ratios=(1, 1, 1.1))
    for axes, layer in zip(pairs, (alike[first].layers[0], alike[first].layers[-1]), strict=False):
        _pairs(axes, alike[first], layer, first)
    _architectures(pairs[2], alike)
    features = below.subplots(1, 1)
    _features(features, alike[first], first)
    below.legend(*features.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    lettered([*planes, *pairs, features])


def picture_of_card(figure: Figure, alike: Representation, apart: Distinctness) -> None:
    """The part of the figures 5 and 6 that a subject's card shows, into an empty figure."""
    from analysis.fig5 import draw_features

    strips: Any = figure.subfigures(2, 1)
    above, below = strips
    left, right = above.subplots(1, 2, width_ratios=(2, 1))
    draw_features(left, alike, "layers and features")
    _distinct(right, {"": apart})
    features = below.subplots(1, 1)
    _features(features, alike, "")
    below.legend(*features.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    lettered([left, right, features])


def _plane(axes: Axes, found: Distinctness, layer: str, name: str) -> None:
    points = found.planes[layer]
    for k, task in enumerate(found.names):
        own = points[found.tasks == k]
        look = task_look(task)
        axes.scatter(
            *(own[:, 0], own[:, 1], 5),
            color=look["color"],
            marker=look["marker"],
            linewidths=0,
            alpha=0.7,
            label=TITLES.get(task, task),
        )
    axes.set_title(f"{layer} of {name}")
    axes.set_xlabel("dimension 1 (s.d.)")
    axes.set_ylabel("dimension 2 (s.d.)")


def _distinct(axes: Axes, apart: Mapping[str, Distinctness]) -> None:
    place, ticks, labels = 0, [], []
    spans: dict[str, tuple[int, int, int]] = {}
    for name, found in apart.items():
        start = place
        for layer, one in found.same_task.items():
            whiskers(axes, [place], [one], **layer_look(layer))
            ticks.append(place)
            labels.append(layer.replace("policy_", "p").replace("core", "c"))
            place += 1
        if found.same_task:
            axes.plot(
                [start - 0.4, place - 0.6], [found.chance] * 2, ":", color=MUTED, linewidth=0.8
            )
        if found.same_task:
            spans[name] = (start, place - 1, next(iter(found.same_task.values())).clusters)
        place += 1
    axes.set_xticks(ticks, labels, fontsize=6.5)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel(f"same task, of {NEIGHBOURS} nearest")
    axes.set_title("distinctness (dotted: chance)")
    _name_subjects(axes, spans)


def _pairs(axes: Axes, found: Representation, layer: str, name: str) -> None:
    tasks = list(dict.fromkeys(task for pair, _ in found.task_pairs for task in pair))
    n = len(tasks)
    matrix = np.full((n, n), np.nan)
    np.fill_diagonal(matrix, found.task_ceilings.get(("behaviour", layer), np.nan))
    for (pair, own), value in found.task_pairs.items():
        if own == layer:
            i, j = (tasks.index(task) for task in pair)
            matrix[i, j] = matrix[j, i] = value
    axes.set_facecolor(BAND)
    rows_as_image(axes, matrix, (-0.5, n - 0.5, n - 0.5, -0.5), vmin=0, vmax=1, aspect="equal")
    for i in range(n):
        for j in range(n):
            known = np.isfinite(matrix[i, j])
            colour = "white" if known and matrix[i, j] < 0.6 else INK
            text = f"{matrix[i, j]:.2f}" if known else "few"
            axes.text(j, i, text, ha="center", va="center", fontsize=6, color=colour)
    names = [TITLES.get(task, task) for task in tasks]
    axes.set_xticks(range(n), [each.replace(" ", "\n") for each in names], fontsize=5.5)
    axes.set_yticks(range(n), names, fontsize=5.5)
    axes.set_title(f"{layer} of {name}: CKA")
    axes.set_xlabel("diagonal: noise ceiling\nfew: too few behaviours shared", fontsize=5.5)


def _architectures(axes: Axes, alike: Mapping[str, Representation]) -> None:
    place, ticks, labels = 0, [], []
    spans: dict[str, tuple[int, int, int]] = {}
    for name, found in alike.items():
        for layer in found.layers:
            own = [found.between_tasks[each, layer].value for each in found.features]
            axes.plot([place] * len(own), own, ".", color=BAND, markersize=3, zorder=1)
            whiskers(axes, [place], [found.mean_between_tasks[layer]], **layer_look(layer))
            ticks.append(place)
            labels.append(layer.replace("policy_", "p").replace("core", "c"))
            place += 1
        spans[name] = (place - len(found.layers), place - 1, len(found.seeds))
        place += 1
    axes.set_xlim(-0.6, place - 1.4)
    axes.set_xticks(ticks, labels, fontsize=6)
    axes.set_ylim(0, 1)
    axes.set_ylabel("CKA between tasks")
    axes.set_title("architectures (dots: features)")
    _name_subjects(axes, spans)


def _name_subjects(axes: Axes, spans: Mapping[str, tuple[int, int, int]]) -> None:
    """Names below the layers, in two lines where they are long, with the number of seeds.

    Args:
        axes: their ticks are set.
        spans: by name, the first and the last place, and how many seeds there are.
    """
    if set(spans) <= {""}:
        return
    places = [(first + last) / 2 for first, last, _ in spans.values()]
    broken = (name.replace("_", "_\n", 1) for name in spans)
    words = [f"{name}\n{n} seeds" for name, (*_, n) in zip(broken, spans.values(), strict=True)]
    names = axes.secondary_xaxis(-0.14)
    names.set_xticks(places, words, fontsize=5.5, color=MUTED)
    names.tick_params(length=0, pad=0)
    names.spines["bottom"].set_visible(False)


def _features(axes: Axes, found: Representation, name: str) -> None:
    layers_by_features(axes, found, found.between_tasks, {"-": found.task_ceilings})
    axes.set_ylim(0, 1.02)
    axes.set_xticks(
        range(len(found.features)), [SHORT[each] for each in found.features], fontsize=6.5
    )
    axes.set_ylabel("CKA between tasks")
    of = f" of {name}" if name else ""
    axes.set_title(
        f"similarity across tasks{of}, mean over pairs, {len(found.seeds)} seeds (lines: noise ceiling)"
    )


def _numbers(name: str, alike: Representation, apart: Distinctness) -> list[Number]:
    rows = []
    for layer, one in apart.same_task.items():
        rows += [
            number(
                f"{name}: nearest in the same task, all units (share)",
                apart.same_task_units[layer],
                layer=layer,
                state="h",
            ),
            number(f"{name}: nearest in the same task (share)", one, layer=layer, state="h"),
            number(
                f"{name}: variance between tasks (share)",
                apart.variance[layer],
                layer=layer,
                state="h",
            ),
        ]
    for (features, layer), one in alike.between_tasks.items():
        ceiling = alike.task_ceilings.get((features, layer), np.nan)
        rows += [
            number(f"{name}: CKA between tasks, {features}", one, layer=layer, state="h"),
            number(
                f"{name}: noise ceiling between tasks, {features}", ceiling, layer=layer, state="h"
            ),
        ]
    rows += [
        number(
            f"{name}: CKA between tasks, behaviour",
            value,
            task=" and ".join(pair),
            layer=layer,
            state="h",
        )
        for (pair, layer), value in alike.task_pairs.items()
    ]
    return rows
