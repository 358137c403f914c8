"""Figure 5 of the paper: what the layers represent of movement, architectures beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from analysis.cluster_statistics import Estimate
from analysis.episodes import Episodes
from analysis.figure_numbers import Number, number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.loaded_episodes import load_episodes, read_by_subject
from analysis.look import (
    COLOURS,
    INK,
    MARKERS,
    MUTED,
    drawn,
    layer_look,
    lettered,
    rows_as_image,
    whiskers,
)
from analysis.mean_responses import Responses, responses
from analysis.representation import FEWEST_BEHAVIOURS, Representation, representation
from analysis.sharing import LEAST_TICKS
from analysis.verdicts import Claim
from rig.errors import UserError

files_of = picture_and_numbers
SHORT = {
    "joint angles": "joint\nangles",
    "joint velocity": "joint\nvelocity",
    "actuator forces": "forces",
    "posture": "posture",
    "kinematics, fast": "kinem.\nfast",
    "kinematics, intermediate": "kinem.\ninterm.",
    "kinematics, slow": "kinem.\nslow",
    "behaviour": "behav.",
}
"""Names of the sets of features for axes."""


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draw the figure into `out`, and its numbers as CSV beside it.

    Args:
        files: undisturbed recordings of one subject or more, such as `rodent-rig dataset` makes.
        out: the picture, .png, .pdf or .svg.

    Raises:
        UserError: there is no episode in the recordings of a subject, or too little of it.
    """
    read = read_by_subject(files)
    found: dict[str, Representation] = {}
    example: Responses | None = None
    columns: Mapping[str, slice] = {}
    for name, own in read.items():
        episodes = load_episodes(own.episodes)
        answers = responses(episodes)
        found[name] = representation(episodes, answers)
        if example is None:
            example, columns = answers["behaviour"], episodes[0].layers
    assert example is not None, "a subject without episodes is an error"
    with drawn(out, 3.3 + 1.9 * ((len(found) + 1) // 2) + 2.0) as figure:
        strips: Any = figure.subfigures(
            3, 1, height_ratios=(1.9, 1.9 * ((len(found) + 1) // 2), 2.1)
        )
        above, middle, below = strips
        panels = _matrices(above.subplots(1, 4), example, columns)
        rows = (len(found) + 1) // 2
        grid = middle.subplots(rows, min(2, len(found)), squeeze=False, sharey=True)
        for axes, (name, one) in zip(grid.flat, found.items(), strict=False):
            draw_features(axes, one, name)
            panels.append(axes)
        for axes in grid.flat[len(found) :]:
            axes.set_visible(False)
        layers, architectures = below.subplots(1, 2, width_ratios=(1, 1.6))
        _layers(layers, next(iter(found.values())), next(iter(found)))
        _architectures(architectures, found)
        lettered([*panels, layers, architectures])
    write_numbers(
        out.with_suffix(".csv"), [row for name, one in found.items() for row in _numbers(name, one)]
    )
    return FigureResult(
        files_of(out),
        claims_of({name: one.layer_claims for name, one in found.items()}),
        notes_of(read),
    )


def claims_of(claims: Mapping[str, Sequence[Claim]]) -> tuple[Claim, ...]:
    """The claims of every subject; of several, what was measured begins with the subject's name."""
    if len(claims) == 1:
        return tuple(next(iter(claims.values())))
    return tuple(
        replace(claim, measured=f"{name}: {claim.measured}")
        for name, own in claims.items()
        for claim in own
    )


def notes_of(read: Mapping[str, Episodes]) -> tuple[str, ...]:
    """What the results rest on, of every subject."""
    return (
        *(note for own in read.values() for note in own.notes()),
        "Outputs h, z-scored; 50 k-means clusters of each set of features; linear CKA; intervals: 95 %, over "
        "seeds (of episodes: each subject is one network). Noise ceiling: halves of the seeds, ten splits; "
        "chance: 100 permutations of the behaviours. Intervals that reach below 0 or above 1 are cut there.",
    )


def _matrices(
    panels: Sequence[Axes], example: Responses, columns: Mapping[str, slice]
) -> list[Axes]:
    """Similarity matrices of the behaviours: of layers, and of the features themselves."""
    everything = range(len(example.ticks))
    behaviours = example.behaviours(everything)
    if len(behaviours) < FEWEST_BEHAVIOURS:
        raise UserError(
            f"Representations are compared over {FEWEST_BEHAVIOURS} clusters of behaviour with {LEAST_TICKS} "
            f"ticks each, and there are {len(behaviours)}; record more with: rodent-rig dataset SUBJECT "
            "--episodes 25 --out DIR."
        )
    units, features = example.means(everything, behaviours)
    layers = list(columns)
    shown = [layers[0], *dict.fromkeys((layers[1], layers[-1]))]
    vectors = {layer: units[:, columns[layer]] for layer in shown} | {"features": features}
    # neighbours in the features beside each other, so that blocks can be seen
    centred = features - features.mean(0)
    order = np.argsort(np.linalg.svd(centred, full_matrices=False)[0][:, 0])
    used = []
    for axes, (name, matrix) in zip(panels, vectors.items(), strict=False):
        matrix = (matrix - matrix.mean(0))[order]
        gram = matrix @ matrix.T
        limit = np.quantile(np.abs(gram), 0.98)
        image = rows_as_image(
            axes,
            gram / limit,
            (0.5, len(order) + 0.5, len(order) + 0.5, 0.5),
            cmap="RdBu_r",
            vmin=-1,
            vmax=1,
            aspect="equal",
        )
        axes.set_title(name)
        axes.set_xlabel("behaviour")
        used.append(axes)
    for axes in panels[len(used) :]:
        axes.set_visible(False)
    used[0].set_ylabel("behaviour")
    bar = used[0].figure.colorbar(image, ax=list(panels), shrink=0.8, ticks=[-1, 0, 1])
    bar.set_label("similarity (98th percentile = 1)", fontsize=6.5)
    return used


def layers_by_features(
    axes: Axes,
    found: Representation,
    values: Mapping[tuple[str, str], Estimate],
    levels: Mapping[str, Mapping[tuple[str, str], float]],
) -> None:
    """For each set of features a point of every layer, with its interval and with levels as lines.

    Args:
        axes: to draw into.
        found: has the sets and the layers.
        values: by set and layer.
        levels: the same, as far as there are any, by the style of their lines.
    """
    width = 0.8 / len(found.layers)
    for k, layer in enumerate(found.layers):
        x = [n + width * (k - (len(found.layers) - 1) / 2) for n in range(len(found.features))]
        own = [values[each, layer] for each in found.features]
        whiskers(axes, x, own, label=layer, **layer_look(layer))
        for at, each in zip(x, found.features, strict=True):
            for style, level in levels.items():
                if (each, layer) in level:
                    line = [at - width / 2, at + width / 2], [level[each, layer]] * 2
                    axes.plot(*line, style, color=MUTED, linewidth=0.8)


def draw_features(axes: Axes, found: Representation, name: str) -> None:
    """CKA of every layer with every set of features, with noise ceilings (lines) and chance (dots)."""
    levels = {"-": found.feature_ceilings, ":": found.feature_chance}
    layers_by_features(axes, found, found.with_features, levels)
    axes.plot([], [], "-", color=MUTED, linewidth=0.8, label="noise ceiling")
    axes.plot([], [], ":", color=MUTED, linewidth=0.8, label="chance")
    axes.set_ylim(0, 1.3)  # room for the legend
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_xticks(
        range(len(found.features)), [SHORT[each] for each in found.features], fontsize=5.5
    )
    axes.set_ylabel("CKA with features")
    axes.set_title(f"{name}, {len(found.seeds)} seeds")
    axes.legend(ncols=3, loc="upper left", handletextpad=0.4, columnspacing=1.0)


def _layers(axes: Axes, found: Representation, name: str) -> None:
    n = len(found.layers)
    matrix = np.eye(n)
    for a, b in found.between_layers:
        i, j = found.layers.index(a), found.layers.index(b)
        matrix[i, j] = matrix[j, i] = found.between_layers[a, b].value
    image = rows_as_image(
        axes, matrix, (-0.5, n - 0.5, n - 0.5, -0.5), vmin=0, vmax=1, aspect="equal"
    )
    for i in range(n):
        for j in range(n):
            colour = "white" if matrix[i, j] < 0.6 else INK
            axes.text(
                j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=6.5, color=colour
            )
    axes.set_xticks(range(n), [each.replace("policy_", "p") for each in found.layers])
    axes.set_yticks(range(n), found.layers)
    axes.set_title(f"between layers, {name}")
    axes.figure.colorbar(image, ax=axes, shrink=0.8).set_label("CKA")


def _architectures(axes: Axes, found: Mapping[str, Representation]) -> None:
    """Core and mean of the policy layers of each subject, by set of features."""
    width = 0.8 / (2 * len(found))
    for k, (name, one) in enumerate(found.items()):
        policies = one.layers[1:]
        for j, layers in enumerate((one.layers[:1], policies)):
            values = [
                float(np.mean([one.with_features[each, layer].value for layer in layers]))
                for each in one.features
            ]
            x = [n + width * (2 * k + j - (2 * len(found) - 1) / 2) for n in range(len(values))]
            what = f"core of {name}" if j == 0 else f"policy of {name} (mean of {len(policies)})"
            face = "white" if j == 0 else COLOURS[k % len(COLOURS)]
            axes.plot(
                *(x, values, MARKERS[k % len(MARKERS)]),
                color=COLOURS[k % len(COLOURS)],
                markerfacecolor=face,
                markersize=4,
                label=what,
            )
    axes.set_ylim(0, 1.3)  # room for the legend
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_xticks(range(len(SHORT)), list(SHORT.values()), fontsize=5.5)
    axes.set_ylabel("CKA with features")
    axes.set_title("architectures")
    axes.legend(loc="upper left", fontsize=5.5, ncols=2, handletextpad=0.2)


def _numbers(name: str, found: Representation) -> list[Number]:
    rows = []
    for (features, layer), one in found.with_features.items():
        rows += [
            number(f"{name}: CKA with {features}", one, layer=layer, state="h"),
            number(
                f"{name}: noise ceiling with {features}",
                found.feature_ceilings.get((features, layer), np.nan),
                layer=layer,
                state="h",
            ),
            number(
                f"{name}: chance with {features}",
                found.feature_chance.get((features, layer), np.nan),
                layer=layer,
                state="h",
            ),
        ]
    rows += [
        number(f"{name}: CKA between layers", one, layer=f"{a} and {b}", state="h")
        for (a, b), one in found.between_layers.items()
    ]
    return rows
