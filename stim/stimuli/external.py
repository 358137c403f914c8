"""Stimuli on request: a hand in the window, a client of the bus, or a protocol's Python closes the loop.

A client's request is an `Input` of kind "stimulate" or "release" of the tick at which it reached the session.
It acts from the next tick on, after the protocol's own stimuli, and is recorded like them under the name
"outside", with the client's own name for it, and its origin, as its cause; a protocol's Python
(`stim.protocol.script`) stimulates in the same way. As requests are recorded with their ticks, a session with
them can be run again. Whether one with a `probability` is delivered or a sham is drawn from the session's
seed, the tick, and its place among the requests of that tick.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rig.bus.external_inputs import MOST_STIMULI, OUTSIDE
from rig.bus.interventions import BusIntervention
from rig.bus.message_types import Event, Input
from rig.bus.stimulus_request import LARGEST, MOST_PARTS, cause_of
from rig.random_streams import generator
from stim.stimuli.stimuli import STATES, Pulses
from stim.ticks import ticks_of


@dataclass
class _Part:
    """What changes the units of one layer: gain (units,) and, tick by tick, value (ticks, units) float32."""

    layer: str
    states: tuple[str, ...]
    units: NDArray[np.int64]
    gain: NDArray[np.float32]
    rows: NDArray[np.float32]

    def interventions(self, stimulus: str, ticks_since_onset: int) -> list[BusIntervention]:
        """Of a tick; after the last row it holds."""
        value = self.rows[min(ticks_since_onset, len(self.rows) - 1)]
        return [
            BusIntervention(stimulus, self.layer, each, self.units, self.gain, value)
            for each in self.states
        ]


@dataclass
class _Request:
    """A stimulus that was asked for; on from `first` up to, not including, `end` (None: open)."""

    name: str
    stimulus: str
    parts: Sequence[_Part]
    first: int
    end: int | None
    pulses: Pulses | None = None
    sham: bool = False
    origin: str = ""
    number: int = 0

    def event(self, phase: str, tick: int, cause: str = "") -> Event:
        what = cause or cause_of(self.name, self.origin)
        return Event(
            "stimulus", self.stimulus, phase, tick, tick, self.number, sham=self.sham, cause=what
        )

    def interventions(self, tick: int) -> list[BusIntervention]:
        since = tick - self.first
        if since < 0 or self.sham or (self.end is not None and tick >= self.end):
            return []
        if self.pulses is not None and not self.pulses.on(since):
            return []
        return [each for part in self.parts for each in part.interventions(self.stimulus, since)]


class RequestedStimuli:
    """The requests that are acting or about to.

    Args:
        layers: layer name to number of units.
        seed: of the session, for what is drawn.
        count: how many have begun in the session already.
        stimulus: the name under which they are recorded.
    """

    def __init__(
        self, layers: Mapping[str, int], seed: int, count: int = 0, stimulus: str = OUTSIDE
    ) -> None:
        self._layers = layers
        self._seed = seed
        self._stimulus = stimulus
        self._requests: list[_Request] = []
        self._count = count
        self._asked = (-1, 0)
        """A tick, and how many stimuli have been asked for in it."""

    def accept(self, request: Input, tick: int) -> None:
        """Takes a request that reached the session at a tick; one that cannot be met is dropped."""
        if request.kind == "release":
            for each in self._requests:
                if each.name == request.name and (each.end is None or each.end > tick + 1):
                    each.end = tick + 1
            self._requests = [each for each in self._requests if each.end != each.first]
        elif request.kind == "stimulate":
            place = self._asked[1] if self._asked[0] == tick else 0
            self._asked = tick, place + 1
            if len(self._requests) >= MOST_STIMULI:
                return
            try:
                read = self._read(request.name, request.args, tick + 1)
            except (KeyError, TypeError, ValueError, OverflowError):
                return
            probability = float(request.args.get("probability", 1.0))
            if probability < 1:
                drawn = generator(self._seed, f"{self._stimulus} {place}", tick).random()
                read.sham = bool(drawn >= probability)
            self._requests.append(read)

    def release_all(self, tick: int) -> None:
        """Releases all of them at a tick: they act on the next one no more."""
        for name in {request.name for request in self._requests}:
            self.accept(Input("release", name), tick)

    def begin_or_end(self, tick: int) -> list[Event]:
        """The onsets and offsets of a tick, as events."""
        events = []
        for request in list(self._requests):
            if request.first == tick:
                self._count += 1
                request.number = self._count
                events.append(request.event("onset", tick))
            elif request.end == tick:
                events.append(request.event("offset", tick))
                self._requests.remove(request)
        return events

    def begin_trial(self, tick: int) -> list[Event]:
        """Ends all of them, as a trial begins with this tick; the offsets of those that were on."""
        ended = [
            request.event("offset", tick, "the trial ended")
            for request in self._requests
            if request.number
        ]
        self._requests = []
        return ended

    def interventions(self, tick: int) -> list[BusIntervention]:
        """What acts on a tick, in the order in which it was asked for."""
        return [each for request in self._requests for each in request.interventions(tick)]

    def _read(self, name: str, args: Mapping[str, Any], first: int) -> _Request:
        """What is asked for. Raises ValueError, TypeError, KeyError or OverflowError for what cannot be."""
        listed = args.get("parts", [args])
        if not 0 < len(listed) <= MOST_PARTS:
            raise ValueError("too many parts")
        parts = [self._part(each) for each in listed]
        pulses = _pulses(args["pulses"]) if "pulses" in args else None
        for_ms = args.get("for_ms")
        lasts: int | None = None
        if for_ms is not None:
            if not isinstance(for_ms, int | float) or not math.isfinite(for_ms):
                raise ValueError("impossible length")
            lasts = max(1, ticks_of(for_ms))
        elif pulses is not None:
            lasts = pulses.ticks
        elif any("waveform" in each for each in listed):
            lasts = max(len(each.rows) for each in parts)
        return _Request(
            name,
            self._stimulus,
            parts,
            first,
            None if lasts is None else first + lasts,
            pulses,
            sham=args.get("sham") is True,
            origin=str(args.get("origin", "")),
        )

    def _part(self, args: Mapping[str, Any]) -> _Part:
        layer, state = args["layer"], args["state"]
        n_units = self._layers[layer]
        states = STATES[state]
        units = np.asarray(args["units"], np.int64)
        if units.ndim != 1 or not len(units) or len(np.unique(units)) != len(units):
            raise ValueError("not a list of units")
        if units.min() < 0 or units.max() >= n_units:
            raise ValueError("no such unit")
        gain = np.asarray(args.get("gain", 0.0), np.float32)
        gain = np.ascontiguousarray(np.broadcast_to(gain, units.shape))
        if "waveform" in args:
            waveform = np.asarray(args["waveform"], np.float32)
            if waveform.ndim not in (1, 2) or not len(waveform):
                raise ValueError("not a waveform")
            rows = waveform if waveform.ndim == 2 else waveform[:, None]
        else:
            rows = np.atleast_1d(np.asarray(args.get("value", 0.0), np.float32))[None]
        rows = np.ascontiguousarray(np.broadcast_to(rows, (len(rows), len(units))))
        if not all(
            np.isfinite(each).all() and (np.abs(each) <= LARGEST).all() for each in (gain, rows)
        ):
            raise ValueError("impossible numbers")
        return _Part(layer, states, units, gain, rows)


def _pulses(given: Mapping[str, Any]) -> Pulses:
    pulses = Pulses(float(given["width_ms"]), float(given["rate_hz"]))
    if "number" in given:
        pulses = replace(pulses, number=int(given["number"]))
    if not (pulses.rate_hz > 0 and math.isfinite(pulses.rate_hz + pulses.width_ms)):
        raise ValueError("impossible pulses")
    return pulses
