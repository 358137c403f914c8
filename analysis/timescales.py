"""Timescales of layers and of movement: the paper's figure 9, with the claims that rest on it.

Which signal? The paper says "cell unit activity" and "activations", and means by neither the cell state as
such: where it sets that, it says "cell state". Here the claims are decided on the outputs h, each unit
z-scored, for three reasons that do not depend on what comes out:

- h is what a unit sends. The next layer, the policy's and the value's heads and the unit's own recurrence
  read h and nothing else, as neurons read spikes and not membrane potentials.
- The scale of c is no unit's affair. h = o tanh(c) saturates, so a unit may let c grow without anything that
  reads it changing. Principal components follow variance: of unscaled c they are a few such units.
- Figures 7, 10 and 11 of the paper z-score units before they are put together.

The cell states, and both unscaled, are computed beside it and stand in the numbers, so that a reader who
decides otherwise has the answer too. Slow drift is removed from all of them in the same way
(`analysis.spectra`), and how much of each layer's variance it was is one of the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.behaviour_features import joint_velocity
from analysis.cluster_statistics import BOOTSTRAP_FROM, Estimate, interval_of_sums
from analysis.loaded_episodes import (
    FeatureSets,
    LoadedEpisode,
    kinematics_of,
    z_scored_activity,
)
from analysis.over_seeds import listed, margins_around, pseudo_values, with_margins
from analysis.spectra import PartSpectra, Spectrum, medians_hz, part_spectra, shares_above
from analysis.stride_frequency import stride_hz
from analysis.verdicts import Claim, by_another_rule, estimates_of, judge, simultaneous

Array = np.ndarray

FAST_FROM_HZ = 3.0
"""Where "high frequency bands" begin: the strides at 4 to 5 Hz that the paper marks belong to them."""
ALSO_FROM_HZ = 5.0
"""Where the paper's fast kinematics begin; what a claim would be from there on is said beside it."""
DISTINCT = 2.0
"""Timescales that differ by this factor are distinct."""
ALL_TASKS = "all tasks"
RUNNING_ABOVE_M_S = 0.4
STRIDE_WINDOW_S = 2.0
GALLOP_HZ = (4.0, 5.0)


@dataclass(frozen=True)
class Signal:
    """Which of a unit's signals: `state` "h" or "c", and whether each unit is z-scored."""

    state: str
    scaled: bool

    def __str__(self) -> str:
        what = "outputs h" if self.state == "h" else "cell states c"
        return f"{what}, z-scored" if self.scaled else f"{what}, unscaled"


DECIDES = Signal("h", True)
SIGNALS = (DECIDES, Signal("c", True), Signal("h", False), Signal("c", False))


@dataclass(frozen=True)
class Timescale:
    """Of one layer in one scope: median frequency (Hz) and share of power from 3 Hz on, over seeds.

    `resolved` is False where the median is in the lowest bin, and only known to be that low or lower.
    `episodes` are those that are long enough; `drift` the part of the layer's variance that was removed.
    """

    median_hz: Estimate
    fast: Estimate
    resolved: bool
    episodes: int
    drift: float


@dataclass(frozen=True)
class Timescales:
    """What `timescales` finds.

    Attributes:
        layers: names, the core first.
        spectra: by signal, scope ("all tasks" or a task) and layer.
        table: the same, in numbers.
        movement: spectra of movement, all tasks together, by feature.
        claims: of the paper, decided on `DECIDES`.
        episodes: by task, how many are long enough.
    """

    layers: tuple[str, ...]
    spectra: Mapping[Signal, Mapping[str, Mapping[str, Spectrum]]]
    table: Mapping[Signal, Mapping[str, Mapping[str, Timescale]]]
    movement: Mapping[str, Spectrum]
    claims: tuple[Claim, ...]
    episodes: Mapping[str, int]


def timescales(episodes: Sequence[LoadedEpisode], sets: FeatureSets | None = None) -> Timescales:
    """The spectra of layers and movement, with intervals over seeds.

    The principal components are those of all episodes together; intervals are for the spectra in them.

    Args:
        episodes: of one subject, in one task or more.
        sets: their `sets_of`, where these were made already.
    """
    layers = tuple(episodes[0].layers)
    scopes = {ALL_TASKS: list(range(len(episodes)))}
    for k, each in enumerate(episodes):
        scopes.setdefault(each.task, []).append(k)
    seeds = [each.seed for each in episodes]
    spectra: dict[Signal, dict[str, dict[str, Spectrum]]] = {}
    table: dict[Signal, dict[str, dict[str, Timescale]]] = {}
    found: dict[str, PartSpectra] = {}
    for signal in SIGNALS:
        of_layers = _of_layers(episodes, signal)
        if signal == DECIDES:
            found = of_layers
        spectra[signal], table[signal] = {}, {}
        for scope, members in scopes.items():
            there = {layer: one.spectrum(members) for layer, one in of_layers.items()}
            spectra[signal][scope] = {k: one for k, one in there.items() if one is not None}
            table[signal][scope] = {
                layer: _timescale(of_layers[layer], members, seeds)
                for layer in spectra[signal][scope]
            }
    used = next(iter(found.values())).used if found else np.zeros(len(episodes), bool)
    counts = {
        task: int(used[members].sum()) for task, members in scopes.items() if task != ALL_TASKS
    }
    return Timescales(
        layers,
        spectra,
        table,
        _movement(episodes, sets),
        (*_claims(layers, found, seeds, table), _stride_claim(episodes)),
        counts,
    )


def _of_layers(episodes: Sequence[LoadedEpisode], signal: Signal) -> dict[str, PartSpectra]:
    parts = (
        z_scored_activity(episodes, signal.state)
        if signal.scaled
        else [each.activity(signal.state) for each in episodes]
    )
    found = {}
    for layer, units in episodes[0].layers.items():
        try:
            found[layer] = part_spectra([part[:, units] for part in parts], episodes[0].rate_hz)
        except ValueError:  # a layer that does not vary has none
            continue
    return found


def _movement(episodes: Sequence[LoadedEpisode], sets: FeatureSets | None) -> dict[str, Spectrum]:
    rate_hz = episodes[0].rate_hz
    moving = sets or kinematics_of(episodes, ("fast", "slow"))
    features = {
        "joint speed": [joint_velocity(each.joint_angles, rate_hz) for each in episodes],
        "forces": [each.forces for each in episodes],
        "kinematics, fast": moving["kinematics, fast"],
        "kinematics, slow": moving["kinematics, slow"],
    }
    found = {}
    for name, parts in features.items():
        try:
            spectrum = part_spectra(parts, rate_hz).spectrum()
        except ValueError:
            continue
        if spectrum is not None:
            found[name] = spectrum
    return found


def _numbers(found: PartSpectra, members: Sequence[int]) -> Array:
    """(3,): log2 of the median frequency in Hz, and the shares of power from 3 and from 5 Hz on."""
    spectrum = found.spectrum(members)
    if spectrum is None:
        return np.full(3, np.nan)
    shares = (spectrum.share_above(hz) for hz in (FAST_FROM_HZ, ALSO_FROM_HZ))
    return np.array([np.log2(spectrum.median_hz()), *shares])


def _timescale(found: PartSpectra, members: Sequence[int], seeds: Sequence[int]) -> Timescale:
    enough = [k for k in members if found.used[k]]
    own = sorted({seeds[k] for k in enough})
    power = np.stack([found.power[[k for k in enough if seeds[k] == one]].sum(0) for one in own])
    spectrum = found.spectrum(enough)
    return Timescale(
        interval_of_sums(power, lambda sums: medians_hz(found.hz, sums)),
        interval_of_sums(power, lambda sums: shares_above(found.hz, sums, FAST_FROM_HZ)),
        spectrum is not None and spectrum.median_resolved,
        len(enough),
        found.drift,
    )


def _power_of_seeds(found: PartSpectra, seeds: Sequence[int], names: Sequence[int]) -> Array:
    """The power of the episodes of each seed together, (seeds, frequencies)."""
    of = np.asarray(seeds)
    return np.stack([found.power[(of == one) & found.used].sum(0) for one in names])


_WHAT = {
    "median": "median frequency",
    "period": "period at the median frequency",
    "fast": f"power from {FAST_FROM_HZ:g} Hz on",
}


# --- claims -----------------------------------------------------------------------------------------


def _claims(
    layers: tuple[str, ...],
    found: Mapping[str, PartSpectra],
    seeds: Sequence[int],
    table: Mapping[Signal, Mapping[str, Mapping[str, Timescale]]],
) -> tuple[Claim, ...]:
    names = sorted(set(seeds))
    unresolved: set[str] = set()

    def statistic(some: list[int]) -> Array:
        members = [k for k, seed in enumerate(seeds) if seed in some]
        numbers = np.full((3, len(layers)), np.nan)
        for column, layer in enumerate(layers):
            if layer in found:
                numbers[:, column] = _numbers(found[layer], members)
                spectrum = found[layer].spectrum(members)
                if spectrum is not None and not spectrum.median_resolved:
                    unresolved.add(layer)
        return numbers

    whole, pseudo = statistic(names), pseudo_values(statistic, names)

    def margins_of(numbers: Array) -> dict[str, Array]:
        """From numbers (..., 3, layers) those that are above 0 where a claim holds, (..., several)."""
        octaves, fast, also_fast = np.moveaxis(numbers, -2, 0)
        return {
            "median": octaves[..., 1:] - octaves[..., :1] - np.log2(DISTINCT),
            # a second is an octave of 0
            "period": np.concatenate([-octaves[..., :1], octaves[..., 1:]], axis=-1),
            "fast": fast[..., 1:] - fast[..., :1],
            "also fast": also_fast[..., 1:] - also_fast[..., :1],
        }

    measured, per_seed = margins_of(whole), margins_of(pseudo)
    margins = {name: margins_around(measured[name], per_seed[name]) for name in measured}
    if len(names) >= BOOTSTRAP_FROM and all(layer in found for layer in layers):
        # a median jumps as a seed is left out, which a jackknife does not do for
        power = np.stack([_power_of_seeds(found[layer], seeds, names) for layer in layers], axis=1)
        hz = found[layers[0]].hz

        def octaves_of(sums: Array) -> Array:
            """Octaves (draws, layers) of the layers' medians, of sums of power (draws, layers x n)."""
            each = sums.reshape(len(sums), len(layers), -1)
            return np.stack(
                [np.log2(medians_hz(hz, each[:, k])) for k in range(len(layers))], axis=1
            )

        def margin(sums: Array, name: str, k: int) -> Array:
            octaves = octaves_of(sums)
            return margins_of(np.stack([octaves] * 3, axis=-2))[name][..., k]

        for name in ("median", "period"):
            margins[name] = [
                interval_of_sums(
                    power.reshape(len(names), -1),
                    partial(margin, name=name, k=k),
                    simultaneous(len(margins[name])),
                )
                for k in range(len(margins[name]))
            ]

    def said(signal: Signal, which: str) -> str:
        own = table[signal][ALL_TASKS]
        if which == "fast":
            return listed({k: 100 * one.fast.value for k, one in own.items()}, "%")
        if which == "period":
            return listed({k: 1 / one.median_hz.value for k, one in own.items()}, "s")
        return listed({k: one.median_hz.value for k, one in own.items()}, "Hz")

    lowest = ""
    if unresolved:
        listing = ", ".join(name for name in layers if name in unresolved)
        lowest = f"; the median of {listing} lies in the lowest bin, which decides nothing"
    other = Signal("c", True)
    claims = []
    for source, quote, rule, which, needs_medians in (
        (
            "3.2",
            "core and policy units operate on distinct timescales",
            "the median frequency of every policy layer is more than twice that of the core (in octaves)",
            "median",
            True,
        ),
        (
            "3.2",
            "Units in the core typically fluctuated over timescales of 1-10 seconds [...] In "
            "contrast, units in policy layers were more active over subsecond timescales",
            "the period at the median frequency is longer than 1 s in the core (what is slower than 10 s is "
            "removed) and shorter in every policy layer (margins in octaves)",
            "period",
            True,
        ),
        (
            "A.3, figure 9",
            "policy layers have more power in high frequency bands than core layers",
            f"the share of power at and above {FAST_FROM_HZ:g} Hz is greater in every policy layer than in "
            "the core",
            "fast",
            False,
        ),
    ):
        estimates = margins[which]
        undecided = needs_medians and bool(unresolved)
        of = layers if len(estimates) == len(layers) else layers[1:]
        text = (
            f"{_WHAT[which]} of {DECIDES} {said(DECIDES, which)} (of {other} {said(other, which)})"
        )
        text = with_margins(text, of, estimates) + (lowest if undecided else "")
        if which == "fast":
            text += by_another_rule(f"power from {ALSO_FROM_HZ:g} Hz on", margins["also fast"])
        verdict = "cannot tell" if undecided else judge(estimates)
        claims.append(Claim(source, quote, rule, text, verdict))
    return tuple(claims)


def _stride_claim(episodes: Sequence[LoadedEpisode]) -> Claim:
    """Whether it gallops at 4 to 5 Hz, in windows of 2 s in which it runs, over seeds."""
    by_seed: dict[int, list[float]] = {}
    for one in episodes:
        n = round(STRIDE_WINDOW_S * one.rate_hz)
        for begin in range(0, len(one) - n + 1, n):
            if one.speed_m_s[begin : begin + n].mean() > RUNNING_ABOVE_M_S:
                hz = stride_hz(one.hip[begin : begin + n].astype(float), one.rate_hz)
                by_seed.setdefault(one.seed, []).append(hz)
    found = [hz for each in by_seed.values() for hz in each]
    medians = np.array([float(np.median(each)) for each in by_seed.values()])
    estimates = estimates_of([medians - GALLOP_HZ[0], GALLOP_HZ[1] - medians])
    measured = f"it never ran for {STRIDE_WINDOW_S:g} s"
    if found:
        inside = np.mean([GALLOP_HZ[0] <= hz <= GALLOP_HZ[1] for hz in found])
        low, middle, high = np.percentile(found, [25, 50, 75])
        measured = with_margins(
            f"median {middle:.2f} Hz (quartiles {low:.2f} to {high:.2f}) in {len(found)} windows of "
            f"{STRIDE_WINDOW_S:g} s; {100 * inside:.0f} % of them at {GALLOP_HZ[0]:g} to {GALLOP_HZ[1]:g} Hz",
            (f"above {GALLOP_HZ[0]:g} Hz", f"below {GALLOP_HZ[1]:g} Hz"),
            estimates,
        )
    return Claim(
        "A.3, figure 9",
        "the 4-5 Hz frequency of galloping in the virtual rat matches that measured in laboratory "
        "rats",
        "the mean over seeds of the median stride frequency while it goes faster than "
        f"{RUNNING_ABOVE_M_S} m/s is above {GALLOP_HZ[0]:g} and below {GALLOP_HZ[1]:g} Hz",
        measured,
        judge(estimates) if found else "cannot tell",
    )
