"""Choices of units in a protocol file, of stimuli and of triggers alike."""

from __future__ import annotations

from stim.protocol.nodes import Context, whole_of, word_of
from stim.protocol.source import Node
from stim.stimuli.baselines import BaselineRequest, Span
from stim.stimuli.stimuli import Units


def units_of(node: Node, layer: str, context: Context) -> Units:
    """The choice of units at a node; notes units that the layer does not have.

    Args:
        node: valid in itself: "all", a list, or a mapping.
        layer: the name of the layer.
        context: of the file.
    """
    n_units, problems = context.n_units(layer), context.problems
    size = f"{layer} has {n_units} units"
    if node.form == "text":
        return Units("all")
    if node.form == "list":
        seen: set[int] = set()
        for item in node.value:
            if n_units is not None and item.value >= n_units:
                problems.add(
                    item, f"there is no unit {item.value} in {layer}; {size}, 0 to {n_units - 1}"
                )
            if item.value in seen:
                problems.add(item, f"unit {item.value} is already in the list")
            seen.add(item.value)
        return Units("listed", listed=tuple(int(item.value) for item in node.value))
    choice = next(each for each in ("random", "first", "top") if each in node.value)
    count = node.value[choice]
    if n_units is not None and count.value > n_units:
        problems.add(count, f"there are not {count.value:g} units to choose from; {size}")
    ranked = None
    if choice == "top":
        by = word_of(node, "by").removesuffix(".onset")
        ranked = BaselineRequest(word_of(node, "in"), "ranking", layer, "h", Span(during=by))
    return Units(choice, count=int(count.value), seed=whole_of(node, "seed"), ranked=ranked)


def count_of(units: Units, n_units: int | None) -> int | None:
    """How many units a choice has; None where that depends on a layer that is not known."""
    if units.choice == "all":
        return n_units
    return len(units.listed) if units.choice == "listed" else units.count
