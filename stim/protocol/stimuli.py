"""From the checked tree of a protocol file to its stimuli.

Checks what takes more than one key to judge: units against the size of their layer, pulses against their
rate, waveforms against the number of units. A stimulus with mistakes within single keys is left out; `check`
has noted those.
"""

from __future__ import annotations

from typing import Literal

from rig.bus.external_inputs import OUTSIDE
from stim.protocol.nodes import Context, key_of, number_of, section_of, whole_of, word_of
from stim.protocol.script import SCRIPT
from stim.protocol.source import Node
from stim.protocol.stimulus_keys import STIMULUS
from stim.protocol.units import count_of, units_of
from stim.protocol.waveform_file import read_waveform
from stim.stimuli.baselines import BaselineRequest, Span
from stim.stimuli.stimuli import STATES, Pulses, Stimulus, Waveform
from stim.ticks import TICK_MS


def stimuli_of(tree: Node, context: Context) -> tuple[Stimulus, ...]:
    """The stimuli that are valid in themselves; notes what is not."""
    stimuli = []
    for name, node in section_of(tree, "stimuli").items():
        if name in (OUTSIDE, SCRIPT):
            whose = "of other programs" if name == OUTSIDE else "of a protocol's Python"
            context.problems.add(
                key_of(tree, "stimuli", name),
                f"{name!r} is what stimuli {whose} are called; choose another name",
            )
        if context.is_valid(node, STIMULUS):
            stimuli.append(_stimulus(name, node, context))
    return tuple(stimuli)


def _stimulus(name: str, node: Node, context: Context) -> Stimulus:
    kind = next(each for each in STIMULUS.variants if each in node.value)
    layer = node.value[kind].value
    units = units_of(node.value["units"], layer, context)
    state = word_of(node, "state") or "both"
    means: tuple[BaselineRequest, ...] = ()
    templates: tuple[BaselineRequest, ...] = ()
    waveform: Waveform = ()
    amount = 0.0
    if kind == "clamp" and node.value["to"].form == "mapping":
        means = _means(node.value["to"], layer, state, context)
    elif kind in _AMOUNT:
        amount = float(node.value[_AMOUNT[kind]].value)
    elif kind == "overwrite":
        n_units = count_of(units, context.n_units(layer))
        waveform, templates = _waveform(node.value["with"], layer, state, n_units, context)
    up, down = _ramp(node.get("ramp_ms"))
    return Stimulus(
        name,
        kind,
        layer,
        units,
        state,
        amount=amount,
        means=means,
        waveform=waveform,
        templates=templates,
        seed=whole_of(node, "seed"),
        ramp_up_ms=up,
        ramp_down_ms=down,
        pulses=_pulses(node.get("pulses"), context),
    )


_AMOUNT = {"clamp": "to", "bias": "by", "gain": "by", "noise": "sd"}


def _means(node: Node, layer: str, state: str, context: Context) -> tuple[BaselineRequest, ...]:
    """What a clamp to the mean of a baseline wants, for each state that it changes."""
    during, begin, end = (word_of(node, key) for key in ("during", "from", "until"))
    if bool(begin) != bool(end):
        context.problems.add(
            node, "'from' and 'until' go together: the mean is taken from one to the other"
        )
    if during and (begin or end):
        context.problems.add(
            node.keys["during"], "'during' and 'from' exclude each other; keep one"
        )
    span = Span(during=during, begin=begin, end=end)
    return tuple(
        BaselineRequest(word_of(node, "mean"), "mean", layer, _short(each), span)
        for each in STATES[state]
    )


def _short(state: str) -> Literal["c", "h"]:
    return "c" if state == "c" else "h"


def _ramp(node: Node | None) -> tuple[float, float]:
    if node is None:
        return 0.0, 0.0
    if node.form == "number":
        return float(node.value), float(node.value)
    return number_of(node, "up", 0.0), number_of(node, "down", 0.0)


def _pulses(node: Node | None, context: Context) -> Pulses | None:
    if node is None:
        return None
    pulses = Pulses(
        float(node.value["width_ms"].value),
        float(node.value["rate_hz"].value),
        whole_of(node, "number"),
    )
    if pulses.width_ticks >= pulses.period_ticks and pulses.number != 1:
        context.problems.add(
            node,
            f"pulses of {pulses.width_ticks * TICK_MS:g} ms at {pulses.rate_hz:g} Hz leave no gap: they "
            "follow each other too soon",
        )
    return pulses


def _waveform(
    node: Node, layer: str, state: str, n_units: int | None, context: Context
) -> tuple[Waveform, tuple[BaselineRequest, ...]]:
    """An overwrite's time course, or what it wants of a baseline for it."""
    if node.form == "list":
        return _listed_waveform(node, n_units, context), ()
    if "file" in node.value:
        return read_waveform(node.value["file"], n_units, context), ()
    around = word_of(node, "around")
    templates = tuple(
        BaselineRequest(
            word_of(node, "average"),
            "template",
            layer,
            _short(each),
            around=around.removesuffix(".onset"),
            before_ms=number_of(node, "before_ms", 0.0),
            after_ms=number_of(node, "after_ms", 20.0),
        )
        for each in STATES[state]
    )
    return (), templates


def _listed_waveform(node: Node, n_units: int | None, context: Context) -> Waveform:
    items: tuple[Node, ...] = node.value
    forms = {item.form for item in items}
    if forms == {"number"}:
        return tuple(float(item.value) for item in items)
    if forms != {"list"}:
        context.problems.add(
            node, "a time course is a list of values, or a list of such lists, not both"
        )
        return ()
    for item in items:
        if len(item.value) != len(items[0].value):
            context.problems.add(
                item, f"this unit has {len(item.value)} values, the first has {len(items[0].value)}"
            )
    if n_units is not None and len(items) != n_units:
        context.problems.add(node, f"there are {len(items)} time courses for {n_units} units")
    return tuple(tuple(float(value.value) for value in item.value) for item in items)
