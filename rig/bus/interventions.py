"""Interventions on the bus: the one place that lays them out in an `EngineReply` and reads them from it.

The entries of a reply name stimulus, layer and state; the numbers of entry k are the message's arrays
`k.units`, `k.gain` and `k.value`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rig.bus.message_types import Array, EngineReply, InterventionEntry


class BusIntervention(NamedTuple):
    """A change to units of one layer during one tick, with its numbers: applied = gain * natural + value.

    Attributes:
        stimulus: the name of the stimulus that it is of.
        layer: "core", "policy_0", ...
        state: "c" (cell) or "h" (hidden).
        units: (n,) int64, indices within the layer.
        gain: (n,) float32, dimensionless.
        value: (n,) float32, in units of activity.
    """

    stimulus: str
    layer: str
    state: str
    units: Array
    gain: Array
    value: Array


def pack(
    interventions: Iterable[BusIntervention],
) -> tuple[tuple[InterventionEntry, ...], dict[str, Array]]:
    """What an `EngineReply` has for these interventions: its entries, and the arrays of its message.

    >>> import numpy as np
    >>> ones = np.ones(2, np.float32)
    >>> entries, arrays = pack([BusIntervention("push", "core", "h", np.array([3, 7]), ones, ones)])
    >>> entries[0].layer, sorted(arrays)
    ('core', ['0.gain', '0.units', '0.value'])
    """
    entries: list[InterventionEntry] = []
    arrays: dict[str, Array] = {}
    for k, each in enumerate(interventions):
        entries.append(InterventionEntry(each.stimulus, each.layer, each.state))
        arrays[f"{k}.units"] = each.units
        arrays[f"{k}.gain"] = each.gain
        arrays[f"{k}.value"] = each.value
    return tuple(entries), arrays


def unpack(reply: EngineReply, arrays: Mapping[str, Array]) -> tuple[BusIntervention, ...]:
    """The interventions of a reply, given the arrays of its message; their numbers are not judged here.

    Raises:
        KeyError: an array is missing.
    """
    return tuple(unpack_one(reply, arrays, k) for k in range(len(reply.interventions)))


def unpack_one(reply: EngineReply, arrays: Mapping[str, Array], k: int) -> BusIntervention:
    """Intervention `k` of a reply, from 0, for who goes on where another one is malformed.

    Args:
        reply: the content of the message.
        arrays: of the message.
        k: which one.

    Raises:
        KeyError: one of its arrays is missing.
    """
    entry = reply.interventions[k]
    numbers = (arrays[f"{k}.{name}"] for name in ("units", "gain", "value"))
    return BusIntervention(entry.stimulus, entry.layer, entry.state, *numbers)
