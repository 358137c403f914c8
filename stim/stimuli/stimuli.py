"""Stimuli: which units of which layer are changed, how, and with what waveform over time.

A stimulus becomes, for each tick that it is on, one intervention for each state that it changes:
applied = gain * natural + value.

| kind | gain | value |
| --- | --- | --- |
| clamp | 0 | what the units are held at |
| overwrite | 0 | a waveform, tick by tick from the onset; its last value is held |
| bias | 1 | what is added |
| gain | what the units are multiplied by | 0 |
| noise | 1 | Gaussian, drawn from (seed, stimulus, tick) |
| lesion | 0 | 0, for c and for h |

With a ramp the intervention goes gradually from none (gain 1, value 0) to what it says here, and back
before its end; in the gaps of a pulse train there is no intervention at all. Where several stimuli are on
at once they apply in the order of the file, each to what the one before has left, so that on units that
they share the last clamp wins and biases add up; a stimulus of both states changes c, then h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rig.bus.interventions import BusIntervention
from rig.bus.message_types import TICK_S, Array
from rig.errors import RunError
from rig.random_streams import generator
from stim.stimuli.baselines import BaselineRequest, Values
from stim.ticks import ticks_of

STATES: Mapping[str, tuple[str, ...]] = {"cell": ("c",), "hidden": ("h",), "both": ("c", "h")}


@dataclass(frozen=True)
class Units:
    """A choice of units of a layer.

    Attributes:
        choice: "all", "listed", "first", "random" or "top".
        listed: indices within the layer, in the order of the file.
        count: how many units a "first", "random" or "top" choice has.
        seed: of a random choice; None: the session's.
        ranked: the ranking of which a "top" choice has the first `count`.
    """

    choice: str
    listed: tuple[int, ...] = ()
    count: int = 0
    seed: int | None = None
    ranked: BaselineRequest | None = None

    def indices(
        self, n_units: int, session_seed: int, values: Values | None = None
    ) -> NDArray[np.int64]:
        """The indices within the layer, ascending unless listed: (units,) int64.

        Args:
            n_units: how many units the layer has.
            session_seed: for a random choice without a seed of its own.
            values: of baselines, with the ranking.

        Raises:
            RunError: `values` lacks the ranking.
        """
        if self.choice == "all":
            return np.arange(n_units)
        if self.choice == "first":
            return np.arange(self.count)
        if self.choice == "random":
            seed = session_seed if self.seed is None else self.seed
            drawn = generator(seed, "units").choice(n_units, size=self.count, replace=False)
            return np.sort(drawn).astype(np.int64)
        if self.ranked is not None:
            return np.sort(_value_of(self.ranked, values)[: self.count]).astype(np.int64)
        return np.array(self.listed, dtype=np.int64)


@dataclass(frozen=True)
class Pulses:
    """A pulse train; `number` None means until the stimulus ends."""

    width_ms: float
    rate_hz: float
    number: int | None = None

    @property
    def width_ticks(self) -> int:
        """How many ticks a pulse lasts, at least 1."""
        return max(1, ticks_of(self.width_ms))

    @property
    def period_ticks(self) -> int:
        """Ticks from one pulse to the next."""
        return max(1, round(1 / (self.rate_hz * TICK_S)))

    @property
    def ticks(self) -> int | None:
        """How long the whole train lasts, from its first pulse to the end of its last."""
        if self.number is None:
            return None
        return (self.number - 1) * self.period_ticks + self.width_ticks

    def on(self, ticks_since_onset: int) -> bool:
        """Whether a tick, counted from the onset, is in a pulse."""
        pulse, within = divmod(ticks_since_onset, self.period_ticks)
        return within < self.width_ticks and (self.number is None or pulse < self.number)


Waveform = tuple[float, ...] | tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Stimulus:
    """A stimulus of a protocol.

    Attributes:
        name: as the protocol calls it.
        kind, state: as the module says.
        layer, units: which units it changes.
        amount: a clamp's value, what a bias adds, a gain's factor or a noise's standard deviation.
        means: for a clamp to baseline means, one request for each state.
        waveform: of an overwrite: a value for each tick, for all units alike, or one such tuple for each
            unit.
        templates: for an overwrite with the average of a baseline, one request for each state.
        seed: of noise; None: the session's.
        ramp_up_ms, ramp_down_ms: how long it takes to full strength, and back before its end.
        pulses: a pulse train; None: on all the time.
    """

    name: str
    kind: str
    layer: str
    units: Units
    state: str
    amount: float = 0.0
    means: tuple[BaselineRequest, ...] = ()
    waveform: Waveform = ()
    templates: tuple[BaselineRequest, ...] = ()
    seed: int | None = None
    ramp_up_ms: float = 0.0
    ramp_down_ms: float = 0.0
    pulses: Pulses | None = None

    @property
    def own_duration_ticks(self) -> int:
        """How long the stimulus lasts by itself: an overwrite's waveform, a counted pulse train; else 0."""
        if self.pulses is not None:
            return self.pulses.ticks or 0
        if self.templates:
            request = self.templates[0]
            return request.before_ticks + request.after_ticks
        first = self.waveform[0] if self.waveform else ()
        return len(first) if isinstance(first, tuple) and first else len(self.waveform)

    @property
    def baseline_requests(self) -> tuple[BaselineRequest, ...]:
        """All that it needs from baseline recordings."""
        ranked = () if self.units.ranked is None else (self.units.ranked,)
        return (*self.means, *self.templates, *ranked)

    def strength(self, ticks_since_onset: int, duration_ticks: int | None) -> float:
        """How much of the stimulus there is at a tick: 0 (natural) to 1, by its pulses and ramps.

        A ramp of n ticks has n partial strengths, 1/(n+1) to n/(n+1), before full strength or after it.
        Where nobody knows when the stimulus will end, it ends at once.
        """
        if self.pulses is not None and not self.pulses.on(ticks_since_onset):
            return 0.0
        strength = 1.0
        if up := ticks_of(self.ramp_up_ms):
            strength = min(strength, (ticks_since_onset + 1) / (up + 1))
        if duration_ticks is not None and (down := ticks_of(self.ramp_down_ms)):
            strength = min(strength, (duration_ticks - ticks_since_onset) / (down + 1))
        return strength


class Delivery:
    """A stimulus made ready for a subject: its units chosen, its values laid out tick by tick.

    `units` are the indices within the layer, (units,) int64.

    Args:
        stimulus: what to deliver.
        layers: layer name to number of units.
        seed: the session's.
        values: what the stimulus needs from baselines.

    Raises:
        RunError: `values` lacks something, or does not fit the layer.
    """

    def __init__(
        self,
        stimulus: Stimulus,
        layers: Mapping[str, int],
        seed: int,
        values: Values | None = None,
    ) -> None:
        self._stimulus = stimulus
        self._seed = seed if stimulus.seed is None else stimulus.seed
        n_units = layers[stimulus.layer]
        self.units = stimulus.units.indices(n_units, seed, values)
        self._states = STATES[stimulus.state]
        size = len(self.units)
        gain = {"bias": 1.0, "noise": 1.0, "gain": stimulus.amount}.get(stimulus.kind, 0.0)
        self._gain = np.full(size, gain, np.float32)
        self._rows = [
            self._waveform_of(place, n_units, values) for place in range(len(self._states))
        ]
        kept: list[Array] = [self.units, self._gain, *self._rows]
        for array in kept:
            array.flags.writeable = False

    def _waveform_of(self, place: int, n_units: int, values: Values | None) -> NDArray[np.float32]:
        """The values of the state at a place in `STATES`, tick by tick: (ticks, units) float32."""
        stimulus, size = self._stimulus, len(self.units)
        if stimulus.means or stimulus.templates:
            request = (stimulus.means or stimulus.templates)[place]
            found = np.atleast_2d(_value_of(request, values))
            if found.shape[1] != n_units:
                raise RunError(
                    f"The baseline {request.baseline!r} has {found.shape[1]} units in {request.layer}, "
                    f"the subject {n_units}."
                )
            return np.ascontiguousarray(found[:, self.units], np.float32)
        if stimulus.kind == "overwrite":
            waveform = np.array(stimulus.waveform, np.float32)
            rows = waveform.T if waveform.ndim == 2 else np.repeat(waveform[:, None], size, 1)
            return np.ascontiguousarray(rows)
        held = stimulus.amount if stimulus.kind in ("clamp", "bias") else 0.0
        return np.full((1, size), held, np.float32)

    def interventions(
        self, tick: int, ticks_since_onset: int, duration_ticks: int | None
    ) -> list[BusIntervention]:
        """The interventions of a tick; none in the gaps of a pulse train, and where there are no units.

        Args:
            tick: of the session, for which noise is drawn.
            ticks_since_onset: 0 is the first tick with the stimulus.
            duration_ticks: how many ticks it lasts; None where that is not known.
        """
        strength = self._stimulus.strength(ticks_since_onset, duration_ticks)
        if strength == 0.0 or not len(self.units):
            return []
        acting = []
        name, layer = self._stimulus.name, self._stimulus.layer
        for state, rows in zip(self._states, self._rows, strict=True):
            gain, value = self._gain, rows[min(ticks_since_onset, len(rows) - 1)]
            if self._stimulus.kind == "noise":
                drawn = generator(self._seed, f"noise {name} {state}", tick)
                normal = drawn.standard_normal(len(self.units))
                value = (self._stimulus.amount * normal).astype(np.float32)
            if strength < 1.0:
                gain = (1 - strength * (1 - gain)).astype(np.float32)
                value = (strength * value).astype(np.float32)
            acting.append(BusIntervention(name, layer, state, self.units, gain, value))
        return acting


def _value_of(request: BaselineRequest, values: Values | None) -> Array:
    found = (values or {}).get(request)
    if found is None:
        raise RunError(
            f"The session lacks the {request.kind} of the baseline {request.baseline!r}."
        )
    return found
