"""The check against the paper (Merel & Aldarondo et al., ICLR 2020): its claims beside what is measured.

Each claim is quoted with its section, and has a rule about numbers with intervals over seeds; the rule of
`analysis.verdicts` decides whether the subject agrees, and nothing is decided by eye.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.subject import Layer
from analysis.cluster_statistics import Floats
from analysis.over_seeds import estimates_over_seeds, listed, pseudo_values, with_margins
from analysis.spectra import Spectrum, population_spectrum
from analysis.verdicts import Claim, estimates_of, judge
from evaluation.episode_statistics import stride_hz
from evaluation.paper.activity import RATE_HZ, RecordedEpisode
from evaluation.paper.tasks import EpisodesBySeed, shared

Array = np.ndarray

SETTLED_TICKS = 50
"""Left out at an episode's start, while the units leave zero and the animal its spawn pose."""
LEAST_TICKS = 250
RUNNING_ABOVE_M_S = 0.4
STRIDE_WINDOW_S = 2.0
FAST_FROM_HZ = 5.0
DISTINCT = 2.0
"""Timescales that differ by this factor are distinct."""

HOW = (
    "As in the paper: Welch's method with windows of 10 s and 5 s overlap on the top ten principal "
    "components of the cell states (A.3), from which slow drift is removed first (a cubic and all cosines "
    "slower than 10 s); eigenpostures and Morlet kinematics (A.2); 50 k-means clusters "
    "of the behavioural features as behaviours, linear CKA of mean population vectors over the behaviours "
    "that two tasks share (A.4).",
    "Verdicts: a claim is written as one or more margins that are above 0 where it holds, each with an "
    "interval over seeds (jackknife; simultaneous at 95 %). It agrees where all intervals are above 0, "
    "disagrees where one is below, and otherwise it cannot be told; a median frequency in the lowest bin "
    "decides nothing, and neither do fewer than six seeds (with several margins seven or eight).",
    "Unlike the paper: fewer episodes than its 25 a task; behaviours are not named by hand on a t-SNE map, "
    "clusters stand for them; where the paper shows scatter plots, overlap of tasks is the part of their "
    "ticks in the same of 50 k-means cells in the plane of the first two principal components, and "
    "distinctness of a layer is the part of its variance between the tasks' means. Joint angles and body "
    "positions are all of the model's; the paper does not list its own. Episodes shorter than 5 s are left "
    "out, and the first second of each.",
    "Not checked: rotational dynamics (3.4), perturbations (3.5), architectures against each other (5D, 6C), "
    "and which features the layers represent (5B).",
)
"""How the check was done, where it departs from the paper, and what it leaves out."""


@dataclass(frozen=True)
class PaperCheck:
    """The claims, the numbers that they rest on, and the spectra for the picture."""

    claims: tuple[Claim, ...]
    numbers: Mapping[str, Any]
    layers: Mapping[str, Spectrum]
    features: Mapping[str, Spectrum]
    episodes: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """What `scores.json` keeps."""
        return {
            "episodes": dict(self.episodes),
            "claims": [one.as_json() for one in self.claims],
            "numbers": dict(self.numbers),
            "how": list(HOW),
        }


def check(recorded: Mapping[str, Sequence[RecordedEpisode]], layers: Sequence[Layer]) -> PaperCheck:
    """Hold the paper's claims against recordings of a subject in its tasks.

    Args:
        recorded: by task, its episodes; those at the same place have the same seed.
        layers: of the subject, the core first.

    Raises:
        ValueError: no episode lasted 5 s.
    """
    usable = {
        task: {
            seed: _settled(one)
            for seed, one in enumerate(episodes, 1)
            if len(one.hip) >= LEAST_TICKS
        }
        for task, episodes in recorded.items()
    }
    usable = {task: episodes for task, episodes in usable.items() if episodes}
    if not usable:
        raise ValueError("no episode lasted the 5 s that the check against the paper needs")
    numbers: dict[str, Any] = {}
    ends = np.cumsum([layer.n_units for layer in layers])
    slices = {
        layer.name: slice(int(end) - layer.n_units, int(end))
        for layer, end in zip(layers, ends, strict=True)
    }
    everything = [one for episodes in usable.values() for one in episodes.values()]
    spectra = {
        name: _spectrum([one.cell_states[:, units] for one in everything])
        for name, units in slices.items()
    }
    features = {
        "joint speed": _spectrum(
            [np.diff(one.joint_angles, axis=0) * RATE_HZ for one in everything]
        ),
        "forces": _spectrum([one.forces for one in everything]),
    }
    claims = [
        *_spectral(spectra, usable, slices, numbers),
        _stride(usable, numbers),
        *shared(usable, slices, numbers),
    ]
    counts = {task: len(episodes) for task, episodes in usable.items()}
    return PaperCheck(
        tuple(claims),
        numbers,
        {name: one for name, one in spectra.items() if one},
        {name: one for name, one in features.items() if one},
        counts,
    )


def _settled(one: RecordedEpisode) -> RecordedEpisode:
    return RecordedEpisode(**{name: value[SETTLED_TICKS:] for name, value in vars(one).items()})


def _spectrum(parts: Sequence[Array]) -> Spectrum | None:
    try:
        return population_spectrum(parts, RATE_HZ)
    except ValueError:
        return None


# --- timescales -------------------------------------------------------------------------------------


def _spectral(
    spectra: Mapping[str, Spectrum | None],
    usable: EpisodesBySeed,
    slices: Mapping[str, slice],
    numbers: dict[str, Any],
) -> list[Claim]:
    """The claims about the timescales of layers; what they rest on is added to `numbers`."""
    names = list(slices)
    policies = names[1:]
    by_task = {
        task: {
            name: _spectrum([one.cell_states[:, units] for one in episodes.values()])
            for name, units in slices.items()
        }
        for task, episodes in usable.items()
    }
    numbers["spectra"] = {
        scope: {name: _as_json(one) for name, one in them.items()}
        for scope, them in {"all tasks": spectra, **by_task}.items()
    }
    unresolved: set[str] = set()

    def statistic(some: list[int]) -> Floats:
        """(2, layers): the logarithm to base 2 of the median frequency, and the share of fast power."""
        chosen = [one for own in usable.values() for seed, one in own.items() if seed in some]
        found = np.full((2, len(names)), np.nan)
        for k, (name, units) in enumerate(slices.items()):
            spectrum = _spectrum([one.cell_states[:, units] for one in chosen])
            if spectrum is not None:
                found[:, k] = np.log2(spectrum.median_hz()), spectrum.share_above(FAST_FROM_HZ)
                if not spectrum.median_resolved:
                    unresolved.add(name)
        return found

    seeds = sorted({seed for episodes in usable.values() for seed in episodes})
    octaves, fast = np.moveaxis(pseudo_values(statistic, seeds), 1, 0)
    median = {name: one.median_hz() if one else np.nan for name, one in spectra.items()}
    centroid = {name: one.centroid_hz() if one else np.nan for name, one in spectra.items()}
    share = {
        name: one.share_above(FAST_FROM_HZ) if one else np.nan for name, one in spectra.items()
    }
    apart = octaves[:, 1:] - octaves[:, :1] - np.log2(DISTINCT)
    # periods: a second is an octave of 0
    periods = np.hstack([-octaves[:, :1], octaves[:, 1:]])
    power = fast[:, 1:] - fast[:, :1]
    lowest = ""
    if unresolved:
        listing = ", ".join(name for name in names if name in unresolved)
        lowest = f"; the median of {listing} lies in the lowest bin, which decides nothing"
    found = []
    for source, quote, rule, text, margins, needs_medians in (
        (
            "3.2",
            "core and policy units operate on distinct timescales",
            "the median frequency of every policy layer is more than twice that of the core (in octaves)",
            f"median {listed(median, 'Hz')}; centroid {listed(centroid, 'Hz')}",
            apart,
            True,
        ),
        (
            "3.2",
            "Units in the core typically fluctuated over timescales of 1-10 seconds [...] In "
            "contrast, units in policy layers were more active over subsecond timescales",
            "the period at the median frequency is longer than 1 s in the core (what is slower than 10 s is "
            "removed) and shorter in every policy layer (margins in octaves)",
            f"period {listed({name: 1 / one for name, one in median.items()}, 's')}",
            periods,
            True,
        ),
        (
            "A.3, figure 9",
            "policy layers have more power in high frequency bands than core layers",
            "the share of power at and above 5 Hz is greater in every policy layer than in the core",
            f"above 5 Hz {listed({name: 100 * one for name, one in share.items()}, '%')}",
            power,
            False,
        ),
    ):
        estimates = estimates_over_seeds(margins)
        undecided = needs_medians and bool(unresolved)
        text = with_margins(text, names if len(estimates) == len(names) else policies, estimates)
        found.append(
            Claim(
                source,
                quote,
                rule,
                text + (lowest if undecided else ""),
                "cannot tell" if undecided else judge(estimates),
            )
        )
    return found


def _as_json(spectrum: Spectrum | None) -> dict[str, Any] | None:
    if spectrum is None:
        return None
    return {
        "median_hz": round(spectrum.median_hz(), 3),
        "median_resolved": spectrum.median_resolved,
        "centroid_hz": round(spectrum.centroid_hz(), 3),
        "power_above_5_hz": round(spectrum.share_above(FAST_FROM_HZ), 4),
        "window_s": spectrum.window_s,
    }


# --- stride -----------------------------------------------------------------------------------------


def _stride(usable: EpisodesBySeed, numbers: dict[str, Any]) -> Claim:
    n = round(STRIDE_WINDOW_S * RATE_HZ)
    by_seed: dict[int, list[float]] = {}
    for episodes in usable.values():
        for seed, one in episodes.items():
            for begin in range(0, len(one.hip) - n + 1, n):
                if one.speed_m_s[begin : begin + n].mean() > RUNNING_ABOVE_M_S:
                    hz = stride_hz(one.hip[begin : begin + n].astype(float))
                    by_seed.setdefault(seed, []).append(hz)
    found = [hz for each in by_seed.values() for hz in each]
    middle = float(np.median(found)) if found else float("nan")
    inside = float(np.mean([4 <= hz <= 5 for hz in found])) if found else float("nan")
    numbers["stride"] = {
        "windows": len(found),
        "median_hz": round(middle, 3) if found else None,
        "windows_at_4_to_5_hz": round(inside, 3) if found else None,
    }
    medians = np.array([float(np.median(each)) for each in by_seed.values()])
    estimates = estimates_of([medians - 4, 5 - medians])
    measured = "it never ran for 2 s"
    if found:
        low, high = np.percentile(found, [25, 75])
        measured = with_margins(
            f"median {middle:.2f} Hz (quartiles {low:.2f} to {high:.2f}) in {len(found)} windows "
            f"of 2 s; {100 * inside:.0f} % of them at 4 to 5 Hz",
            ("above 4 Hz", "below 5 Hz"),
            estimates,
        )
    return Claim(
        "A.3, figure 9",
        "the 4-5 Hz frequency of galloping in the virtual rat matches that measured in laboratory "
        "rats",
        f"the mean over seeds of the median stride frequency while it goes faster than "
        f"{RUNNING_ABOVE_M_S} m/s is above 4 and below 5 Hz",
        measured,
        judge(estimates) if found else "cannot tell",
    )
