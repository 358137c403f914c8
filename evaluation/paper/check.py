"""The check against the paper (Merel & Aldarondo et al., ICLR 2020): its statements beside what is measured.

Each statement is quoted with its section. A rule on numbers, written down beside it, decides whether the
subject agrees; nothing is decided by eye.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.subject import Layer
from analysis.spectra import Spectrum, population_spectrum
from evaluation.metrics import stride_hz
from evaluation.paper.activity import Recorded
from evaluation.paper.claim import MARGIN, Statement, listed, verdict
from evaluation.paper.tasks import shared
from rig.arenas.tasks import CONTROL_TIMESTEP_S

Array = np.ndarray

RATE_HZ = 1 / CONTROL_TIMESTEP_S
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
    "components of the cell states (A.3); eigenpostures and Morlet kinematics (A.2); 50 k-means clusters "
    "of the behavioural features as behaviours, linear CKA of mean population vectors over the behaviours "
    "that two tasks share (A.4).",
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
    """The statements, the numbers that they rest on, and the spectra for the picture."""

    statements: tuple[Statement, ...]
    numbers: Mapping[str, Any]
    layers: Mapping[str, Spectrum]
    features: Mapping[str, Spectrum]
    episodes: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """What `scores.json` keeps."""
        return {
            "episodes": dict(self.episodes),
            "statements": [one.as_json() for one in self.statements],
            "numbers": dict(self.numbers),
        }


def check(recorded: Mapping[str, Sequence[Recorded]], layers: Sequence[Layer]) -> PaperCheck:
    """Hold the paper's statements against recordings of a subject in its tasks.

    Args:
        recorded: by task, its episodes.
        layers: of the subject, the core first.

    Raises:
        ValueError: no episode lasted 5 s.
    """
    usable = {
        task: [_settled(one) for one in episodes if len(one.hip) >= LEAST_TICKS]
        for task, episodes in recorded.items()
    }
    usable = {task: episodes for task, episodes in usable.items() if episodes}
    if not usable:
        raise ValueError("no episode lasted the 5 s that the check against the paper needs")
    numbers: dict[str, Any] = {}
    ends = np.cumsum([layer.n_units for layer in layers])
    spans = {
        layer.name: slice(int(end) - layer.n_units, int(end))
        for layer, end in zip(layers, ends, strict=True)
    }
    everything = [one for episodes in usable.values() for one in episodes]
    spectra = {
        name: _spectrum([one.cells[:, span] for one in everything]) for name, span in spans.items()
    }
    features = {
        "joint speed": _spectrum([np.diff(one.angles, axis=0) * RATE_HZ for one in everything]),
        "forces": _spectrum([one.forces for one in everything]),
    }
    statements = [
        *_spectral(spectra, _by_task(usable, spans), numbers),
        _stride(everything, numbers),
        *shared(usable, spans, numbers),
    ]
    told_layers = {name: one for name, one in spectra.items() if one}
    told_features = {name: one for name, one in features.items() if one}
    counts = {task: len(episodes) for task, episodes in usable.items()}
    return PaperCheck(tuple(statements), numbers, told_layers, told_features, counts)


def _settled(one: Recorded) -> Recorded:
    return Recorded(**{name: value[SETTLED_TICKS:] for name, value in vars(one).items()})


def _spectrum(parts: Sequence[Array]) -> Spectrum | None:
    try:
        return population_spectrum(parts, RATE_HZ)
    except ValueError:
        return None


def _by_task(
    usable: Mapping[str, Sequence[Recorded]], spans: Mapping[str, slice]
) -> dict[str, dict[str, Spectrum | None]]:
    return {
        task: {n: _spectrum([one.cells[:, span] for one in episodes]) for n, span in spans.items()}
        for task, episodes in usable.items()
    }


def _spectral(
    spectra: Mapping[str, Spectrum | None],
    by_task: Mapping[str, Mapping[str, Spectrum | None]],
    numbers: dict[str, Any],
) -> list[Statement]:
    names = list(spectra)
    policies = names[1:]
    numbers["spectra"] = {
        where: {
            name: {
                "median_hz": round(one.median_hz(), 3),
                "centroid_hz": round(one.centroid_hz(), 3),
                "power_above_5_hz": round(one.share_above(FAST_FROM_HZ), 4),
                "window_s": one.window_s,
            }
            for name, one in them.items()
            if one
        }
        for where, them in {"all tasks": spectra, **by_task}.items()
    }
    there = {name: one for name, one in spectra.items() if one}
    complete = len(there) == len(spectra)
    median = {name: one.median_hz() for name, one in there.items()}
    fast = {name: one.share_above(FAST_FROM_HZ) for name, one in there.items()}
    slower = [
        task
        for task, them in by_task.items()
        if _slower({name: one.median_hz() for name, one in them.items() if one}, policies)
    ]
    apart = None
    if complete:
        apart = all(DISTINCT * median["core"] <= median[name] for name in policies)
    scales = None
    if complete:
        core = 1 / median["core"]
        scales = 1 <= core <= 10 and all(1 / median[name] < 1 for name in policies)
    power = all(fast[name] >= fast["core"] + MARGIN for name in policies) if complete else None
    centroids = {name: one.centroid_hz() for name, one in there.items()}
    return [
        Statement(
            "3.2",
            "core and policy units operate on distinct timescales",
            "the median frequency of the core's spectrum is at most half that of every policy layer",
            f"median {listed(median, 'Hz')}; centroid {listed(centroids, 'Hz')}; "
            f"the core is slower in {len(slower)} of {len(by_task)} tasks"
            + (f" ({', '.join(slower)})" if 0 < len(slower) < len(by_task) else ""),
            verdict(apart, _slower(median, policies)),
        ),
        Statement(
            "3.2",
            "Units in the core typically fluctuated over timescales of 1-10 seconds [...] In "
            "contrast, "
            "units in policy layers were more active over subsecond timescales",
            "the period at the median frequency is 1 to 10 s in the core and below 1 s in every "
            "policy layer",
            f"period {listed({name: 1 / one for name, one in median.items()}, 's')}",
            verdict(scales),
        ),
        Statement(
            "A.3, figure 9",
            "policy layers have more power in high frequency bands than core layers",
            "the share of power at and above 5 Hz is greater in every policy layer than in the "
            "core, by 5 % of all power or more",
            f"above 5 Hz {listed({name: 100 * one for name, one in fast.items()}, '%')}",
            verdict(power, complete and all(fast[name] > fast["core"] for name in policies)),
        ),
    ]


def _slower(median: Mapping[str, float], policies: Sequence[str]) -> bool:
    if "core" not in median or any(name not in median for name in policies):
        return False
    return all(median["core"] < median[name] for name in policies)


def _stride(everything: Sequence[Recorded], numbers: dict[str, Any]) -> Statement:
    n = round(STRIDE_WINDOW_S * RATE_HZ)
    found = []
    for one in everything:
        for begin in range(0, len(one.hip) - n + 1, n):
            if one.speed_m_s[begin : begin + n].mean() > RUNNING_ABOVE_M_S:
                found.append(stride_hz(one.hip[begin : begin + n].astype(float)))
    middle = float(np.median(found)) if found else float("nan")
    inside = float(np.mean([4 <= hz <= 5 for hz in found])) if found else float("nan")
    numbers["stride"] = {
        "windows": len(found),
        "median_hz": round(middle, 3) if found else None,
        "windows_at_4_to_5_hz": round(inside, 3) if found else None,
    }
    told = "it never ran for 2 s"
    if found:
        low, high = np.percentile(found, [25, 75])
        told = (
            f"median {middle:.2f} Hz (quartiles {low:.2f} to {high:.2f}) in {len(found)} windows "
            f"of 2 s; "
            f"{100 * inside:.0f} % of them at 4 to 5 Hz"
        )
    return Statement(
        "A.3, figure 9",
        "the 4-5 Hz frequency of galloping in the virtual rat matches that measured in laboratory "
        "rats",
        f"the median stride frequency while it goes faster than {RUNNING_ABOVE_M_S} m/s is 4 to 5 "
        f"Hz",
        told,
        verdict(4 <= middle <= 5 if found else None),
    )
