"""Units by name, as one types them: "policy_2/23", "core/0-15", "core", several separated by commas."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from rig.bus.message_types import LayerInfo


def find_units(text: str, layers: Sequence[LayerInfo]) -> tuple[int, ...]:
    """The numbers, over all layers, of the units that these words name, in their order, each once.

    >>> layers = [LayerInfo("core", 128), LayerInfo("policy_0", 64)]
    >>> find_units("policy_0/3, core/0-2", layers)
    (131, 0, 1, 2)
    >>> len(find_units("core", layers))
    128

    Raises:
        ValueError: with a sentence that says what is wrong and what would be right.
    """
    found: list[int] = []
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError(f"Which units? {_example(layers)}")
    for part in parts:
        found += _one(part, layers)
    return tuple(dict.fromkeys(found))


def _one(text: str, layers: Sequence[LayerInfo]) -> range:
    name, slash, numbers = (each.strip() for each in text.partition("/"))
    begin = 0
    for layer in layers:
        if layer.name.lower() == name.lower():
            break
        begin += layer.n_units
    else:
        names = [each.name for each in layers]
        near = difflib.get_close_matches(name.lower(), names, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
        raise ValueError(f'There is no layer "{name}": {hint}')
    if not slash:
        return range(begin, begin + layer.n_units)
    first, dash, last = (each.strip() for each in numbers.partition("-"))
    if not (first.isdecimal() and (last.isdecimal() if dash else not last)):
        raise ValueError(f'"{text}" is no unit. {_example(layers)}')
    low, high = int(first), int(last) if dash else int(first)
    if high >= layer.n_units:
        raise ValueError(
            f"{layer.name} has no unit {high}: its units are 0 to {layer.n_units - 1}."
        )
    if low > high:
        raise ValueError(f'"{text}" ends before it begins: write {layer.name}/{high}-{low}.')
    return range(begin + low, begin + high + 1)


def _example(layers: Sequence[LayerInfo]) -> str:
    if not layers:
        return "There are none yet."
    first, last = layers[0], layers[-1]
    return (
        f"Write {last.name}/{min(23, last.n_units - 1)}, {first.name}/0-{min(15, first.n_units - 1)} "
        f"or {first.name}, several separated by commas."
    )
