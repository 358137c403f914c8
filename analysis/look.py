"""How figures of analyses look: sizes, colours that colour-blind people tell apart, units on every axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rig.output_file import replacing

Array = np.ndarray
Extent: TypeAlias = tuple[float, float, float, float]
"""Left, right, bottom and top of a picture, in the units of the axes."""

INK, MUTED, BAND = "#222222", "#666666", "#bbbbbb"
# Okabe and Ito's colours, which people with colour vision deficiencies tell apart; markers as well
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
_LAYERS = ("core", "policy_0", "policy_1", "policy_2")
_TASKS = ("two_tap", "forage", "gaps", "escape", "corridor")
WIDTH_IN = 7.2
"""Of every figure: what two columns of print have."""


def layer_look(layer: str) -> dict[str, Any]:
    """Colour and marker of a layer, the same in every figure."""
    k = _LAYERS.index(layer) if layer in _LAYERS else len(_LAYERS)
    return {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}


def task_look(task: str) -> dict[str, Any]:
    """Colour and marker of a task, the same in every figure."""
    k = _TASKS.index(task) if task in _TASKS else len(_TASKS)
    order = (4, 0, 2, 1, 3, 5)
    return {"color": COLOURS[order[k % 6]], "marker": MARKERS[k % 6]}


@contextmanager
def drawn(out: Path, height_in: float, title: str = "") -> Iterator[Figure]:
    """A figure of `WIDTH_IN` to draw into, which is then written to `out` (.png, .pdf or .svg).

    Args:
        out: the file; there only when the figure is whole.
        height_in: inches.
        title: above all panels.
    """
    # text stays text in vector formats, so that it can be edited
    look = {
        "pdf.fonttype": 42,
        "svg.fonttype": "none",
        "font.size": 8,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 8,
        "axes.titlelocation": "left",
        "legend.frameon": False,
        "legend.fontsize": 6.5,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "lines.linewidth": 1.2,
        "text.parse_math": False,
    }
    with matplotlib.rc_context(look):
        figure = Figure(
            figsize=(WIDTH_IN, height_in), dpi=200, facecolor="white", layout="constrained"
        )
        FigureCanvasAgg(figure)
        if title:
            figure.suptitle(title, fontsize=9, color=INK, x=0.01, horizontalalignment="left")
        yield figure
        with replacing(out) as partial:
            figure.savefig(partial, format=out.suffix[1:].lower(), metadata=_undated(out))


def _undated(out: Path) -> dict[str, None]:
    """No date or version inside, so that the same numbers give the same file."""
    ending = out.suffix.lower()
    return {".png": {"Software": None}, ".svg": {"Date": None}}.get(ending, {"CreationDate": None})


def lettered(panels: Iterable[Axes]) -> None:
    """Letters A, B, C … before the titles of panels."""
    for letter, axes in zip("ABCDEFGHIJKLMNOP", panels, strict=False):
        axes.set_title(f"{letter}  {axes.get_title('left')}", loc="left", color=INK)


def whiskers(
    axes: Axes,
    x: Sequence[float],
    estimates: Sequence[Any],
    label: str | None = None,
    **look: Any,
) -> None:
    """Points with their 95 % intervals (`Estimate`); those without an interval are points alone.

    Args:
        axes: to draw into.
        x: of each.
        estimates: what is drawn.
        label: in the legend.
        look: colour and marker.
    """
    value = np.array([each.value for each in estimates])
    bounded = np.array([each.bounded for each in estimates])
    below = np.where(bounded, value - [each.low for each in estimates], 0.0)
    above = np.where(bounded, [each.high for each in estimates] - value, 0.0)
    options: dict[str, Any] = {"markersize": 4, "linestyle": "none", "capsize": 1.5}
    axes.errorbar(
        x,
        value,
        [np.maximum(below, 0), np.maximum(above, 0)],
        elinewidth=0.8,
        label=label,
        **(options | look),
    )


def beside_null(
    axes: Axes,
    x: float,
    estimate: Any,
    shuffled: Sequence[float],
    half_width: float = 0.08,
    **look: Any,
) -> None:
    """A point with its 95 % interval, before the band in which 95 % of shuffled data lie.

    Args:
        axes: to draw into.
        x: where.
        estimate: the point (`Estimate`).
        shuffled: the same of shuffled data.
        half_width: of the band.
        look: colour, marker and label.
    """
    low, high = np.quantile(shuffled, (0.025, 0.975))
    axes.fill_between([x - half_width, x + half_width], low, high, color=BAND, linewidth=0)
    whiskers(axes, [x], [estimate], **look)


def layers_beside_nulls(
    axes: Axes,
    layers: Sequence[str],
    by_state: Sequence[Sequence[tuple[Any, Sequence[float]]]],
) -> Array:
    """Of each layer `beside_null` of h (filled) and of c (open); returns where, (2, layers).

    Args:
        axes: to draw into.
        layers: their names.
        by_state: of h and of c, by layer the estimate and the same of shuffled data.
    """
    x = np.arange(len(layers)) + np.array([[-0.1], [0.1]])
    for places, own, marker in zip(x, by_state, "os", strict=True):
        for place, layer, (estimate, shuffled) in zip(places, layers, own, strict=True):
            look = layer_look(layer) | {"marker": marker}
            look["markerfacecolor"] = look["color"] if marker == "o" else "white"
            beside_null(axes, float(place), estimate, shuffled, **look)
    axes.set_xticks(range(len(layers)), layers)
    return x


def rows_as_image(axes: Axes, image: Array, extent: Extent, **look: Any) -> Any:
    """A matrix, first row on top, without smoothing between its entries; returns matplotlib's image."""
    options: dict[str, Any] = {"cmap": "viridis", "aspect": "auto", "interpolation": "nearest"}
    axes.spines[["top", "right"]].set_visible(True)
    return axes.imshow(image, extent=extent, rasterized=True, **(options | look))
