"""Stimuli on request: a client of the bus, or a protocol's Python, closes the loop itself.

A client's request is an `Input` of kind "stimulate" or "release" of the tick at which it reached the session.
It acts from the next tick on, after the protocol's own stimuli, and is recorded like them under the name
"outside", with the client's own name for it as its cause; a protocol's Python (`stim.protocol.script`)
stimulates in the same way. As requests are recorded with their ticks, a session with them can be run again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rig.bus.external_inputs import LARGEST, MOST_STIMULI, OUTSIDE
from rig.bus.interventions import BusIntervention
from rig.bus.message_types import Event, Input
from stim.stimuli.stimuli import STATES
from stim.ticks import ticks_of


@dataclass
class _Request:
    """A stimulus that was asked for; on from `first` up to, not including, `end` (None: open)."""

    name: str
    interventions: tuple[BusIntervention, ...]
    first: int
    end: int | None
    number: int = 0

    def event(self, phase: str, tick: int, cause: str = "") -> Event:
        what = cause or f"asked for as {self.name!r}"
        stimulus = self.interventions[0].stimulus
        return Event("stimulus", stimulus, phase, tick, tick, self.number, cause=what)


class RequestedStimuli:
    """The requests that are acting or about to.

    Args:
        layers: layer name to number of units.
        count: how many have begun in the session already.
        stimulus: the name under which they are recorded.
    """

    def __init__(self, layers: Mapping[str, int], count: int = 0, stimulus: str = OUTSIDE) -> None:
        self._layers = layers
        self._stimulus = stimulus
        self._requests: list[_Request] = []
        self._count = count

    def accept(self, request: Input, tick: int) -> None:
        """Takes a request that reached the session at a tick; one that cannot be met is dropped."""
        if request.kind == "release":
            for each in self._requests:
                if each.name == request.name and (each.end is None or each.end > tick + 1):
                    each.end = tick + 1
            self._requests = [each for each in self._requests if each.end != each.first]
        elif request.kind == "stimulate" and len(self._requests) < MOST_STIMULI:
            read = self._read(request.name, request.args, tick + 1)
            if read is not None:
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
        return [
            intervention
            for request in self._requests
            if request.first <= tick and (request.end is None or tick < request.end)
            for intervention in request.interventions
        ]

    def _read(self, name: str, args: Mapping[str, Any], first: int) -> _Request | None:
        layer, state, for_ms = args.get("layer"), args.get("state"), args.get("for_ms")
        n_units = self._layers.get(layer) if isinstance(layer, str) else None
        if n_units is None or layer is None or not isinstance(state, str) or state not in STATES:
            return None
        try:
            units = np.asarray(args["units"], np.int64)
            gain = np.asarray(args.get("gain", 0.0), np.float32)
            value = np.asarray(args.get("value", 0.0), np.float32)
            if units.ndim != 1 or len(np.unique(units)) != len(units):
                return None
            gain = np.ascontiguousarray(np.broadcast_to(gain, units.shape))
            value = np.ascontiguousarray(np.broadcast_to(value, units.shape))
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        inside = len(units) and units.min() >= 0 and units.max() < n_units
        if not inside or not all(
            np.isfinite(each).all() and (np.abs(each) <= LARGEST).all() for each in (gain, value)
        ):
            return None
        end = None
        if for_ms is not None:
            if not isinstance(for_ms, int | float) or not math.isfinite(for_ms):
                return None
            end = first + max(1, ticks_of(for_ms))
        interventions = tuple(
            BusIntervention(self._stimulus, layer, each, units, gain, value)
            for each in STATES[state]
        )
        return _Request(name, interventions, first, end)
