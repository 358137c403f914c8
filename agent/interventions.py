"""Interventions: what can be done to units, and how it acts on one layer at one step.

An intervention replaces the value of chosen units by `gain * natural + value`. That one form covers the
usual experiments: clamp or overwrite (gain 0), bias (gain 1), gain (value 0), lesion (both 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Array = np.ndarray
State = Literal["c", "h"]

CHANGE = ("gain", "value", "lowest", "highest")
"""What `compose` makes of interventions, in this order."""

LARGEST = np.float32(1e6)
"""No applied value is larger: a gain on a state that feeds back upon itself would else grow to infinity."""


@dataclass(frozen=True)
class Intervention:
    """A change to units of one layer during one step: applied = gain * natural + value.

    Attributes:
        layer: "core", "policy_0", ...
        state: "c" (cell) or "h" (hidden).
        units: (n,) indices within the layer.
        gain: (n,) multiplies what is there.
        value: (n,) is added.

    Raises:
        ValueError: sizes differ, numbers are not finite, or the state is not "c" or "h".
    """

    layer: str
    state: State
    units: Array
    gain: Array
    value: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", np.asarray(self.units, np.int64))
        object.__setattr__(self, "gain", np.asarray(self.gain, np.float32))
        object.__setattr__(self, "value", np.asarray(self.value, np.float32))
        if self.state not in ("c", "h"):
            raise ValueError(f"an intervention acts on state 'c' or 'h', not {self.state!r}")
        if not self.units.ndim == self.gain.ndim == self.value.ndim == 1 or not (
            len(self.units) == len(self.gain) == len(self.value)
        ):
            raise ValueError(
                f"an intervention on {self.layer} needs one gain and one value per unit, not "
                f"{self.units.shape}, {self.gain.shape} and {self.value.shape}"
            )
        if not (np.isfinite(self.gain).all() and np.isfinite(self.value).all()):
            raise ValueError(
                f"an intervention on {self.layer} has a gain or value that is not finite"
            )
        if len(np.unique(self.units)) != len(self.units):
            raise ValueError(f"an intervention on {self.layer} names a unit twice")


def by_layer(
    interventions: Sequence[Intervention], layer_sizes: Mapping[str, int]
) -> dict[str, list[Intervention]]:
    """The interventions on each layer, in their order.

    Raises:
        ValueError: a layer or unit does not exist.
    """
    sorted_out: dict[str, list[Intervention]] = {}
    for intervention in interventions:
        size = layer_sizes.get(intervention.layer)
        if size is None:
            raise ValueError(
                f"there is no layer {intervention.layer!r}; the layers are {', '.join(layer_sizes)}"
            )
        units = intervention.units
        if len(units) and (units.min() < 0 or units.max() >= size):
            raise ValueError(
                f"units of {intervention.layer} are 0 to {size - 1}, not "
                f"{units.min()} to {units.max()}"
            )
        sorted_out.setdefault(intervention.layer, []).append(intervention)
    return sorted_out


def apply(interventions: Sequence[Intervention], c: Array, h: Array, output_gate: Array) -> None:
    """Change one layer's state in place, after its LSTM update.

    First `c`; then h = o * tanh(c) for the units whose `c` was touched; then `h`. Units that no
    intervention names keep their values to the bit. Applied values beyond `LARGEST` are held there, so
    that nothing infinite comes to be.

    Args:
        interventions: those on this layer, in order.
        c, h: (units,) natural values, replaced by the applied ones.
        output_gate: (units,) the LSTM's o at this step.
    """
    touched: list[Array] = []
    for one in interventions:
        if one.state == "c":
            c[one.units] = _applied(one, c)
            touched.append(one.units)
    if touched:
        units = np.unique(np.concatenate(touched))
        h[units] = output_gate[units] * np.tanh(c[units])
    for one in interventions:
        if one.state == "h":
            h[one.units] = _applied(one, h)


def _applied(one: Intervention, natural: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.clip(one.gain * natural[one.units] + one.value, -LARGEST, LARGEST)


def compose(interventions: Sequence[Intervention], state: State, n_units: int) -> Array:
    """Several interventions on a state as one: min(max(gain * natural + value, lowest), highest).

    One after the other they multiply, add and are held at `LARGEST`; a chain of such maps is again one map of
    this form. It is worked out in float64 and rounded once, so that a chain may differ from `apply` in the
    last bit; a single intervention does not, and after a gain of 0 the value is exactly the one asked for.

    Args:
        interventions: those on one layer, in order.
        state: those on the other state are left out.
        n_units: of the layer.

    Returns:
        (4, n_units) float32, the rows of `CHANGE`; for units that no intervention names 1, -0 (which, other
        than +0, changes no number at all when it is added), and limits beyond every natural value.
    """
    largest_float = float(np.finfo(np.float32).max)
    gain, value = np.ones(n_units), np.full(n_units, -0.0)
    lowest, highest = np.full(n_units, -largest_float), np.full(n_units, largest_float)
    for one in interventions:
        if one.state != state:
            continue
        units = one.units
        by, plus = one.gain.astype(np.float64), one.value.astype(np.float64)
        gain[units] *= by
        value[units] = by * value[units] + plus
        ends = np.stack([by * lowest[units] + plus, by * highest[units] + plus])
        lowest[units] = np.clip(ends.min(0), -LARGEST, LARGEST)
        highest[units] = np.clip(ends.max(0), -LARGEST, LARGEST)
        # a line too steep for float32 is as good as one less steep: it goes from one limit to the other
        excess = np.maximum(np.abs(gain[units]), np.abs(value[units])) / largest_float
        gain[units] /= np.maximum(excess, 1)
        value[units] /= np.maximum(excess, 1)
    return np.stack([gain, value, lowest, highest]).astype(np.float32)
