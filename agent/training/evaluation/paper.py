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
from agent.training.evaluation.activity import Recorded
from agent.training.evaluation.meters import stride_hz
from analysis.behaviour_features import BANDS_HZ, behaviour, kinematics
from analysis.sharing import (
    overlap_across,
    partition,
    representation_across,
    used_by,
    variance_between,
)
from analysis.spectra import Spectrum, population_spectrum, principal_components
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
MARGIN = 0.05
"""By how much shares, overlaps and alignments (all from 0 to 1) have to differ."""

HOW = (
    "As in the paper: Welch's method with windows of 10 s and 5 s overlap on the top ten principal "
    "components of the "
    "cell states (A.3); eigenpostures and Morlet kinematics (A.2); 50 k-means clusters as "
    "behaviours, linear CKA of "
    "mean population vectors over the behaviours that two tasks share (A.4).",
    "Unlike the paper: fewer episodes than its 25 a task; behaviours are not named by hand on a "
    "t-SNE map, clusters "
    "stand for them; overlap of tasks is counted as the part of their ticks in the same clusters, "
    "and distinctness "
    "of a layer as the part of its variance between the tasks' means, where the paper shows "
    "scatter plots. "
    "Joint angles and body positions are all of the model's; the paper does not list its own.",
    "Not checked: rotational dynamics (3.4), perturbations (3.5), architectures against each other "
    "(5D, 6C), and "
    "representations of features (5B), which need more than one subject or another instrument.",
)


@dataclass(frozen=True)
class Statement:
    """One statement of the paper, and what became of it.

    `verdict` is "agrees", "in direction only" (so, but by less than the rule asks), "disagrees" or "cannot
    be told".
    """

    section: str
    quote: str
    rule: str
    measured: str
    verdict: str

    def as_json(self) -> dict[str, str]:
        """All of it."""
        return dict(vars(self))


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
        *_shared(usable, spans, numbers),
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


def _verdict(holds: bool | None, direction: bool = False) -> str:
    if holds is None:
        return "cannot be told"
    return "agrees" if holds else "in direction only" if direction else "disagrees"


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
            f"median {_listed(median, 'Hz')}; centroid {_listed(centroids, 'Hz')}; "
            f"the core is slower in {len(slower)} of {len(by_task)} tasks"
            + (f" ({', '.join(slower)})" if 0 < len(slower) < len(by_task) else ""),
            _verdict(apart, _slower(median, policies)),
        ),
        Statement(
            "3.2",
            "Units in the core typically fluctuated over timescales of 1-10 seconds [...] In "
            "contrast, "
            "units in policy layers were more active over subsecond timescales",
            "the period at the median frequency is 1 to 10 s in the core and below 1 s in every "
            "policy layer",
            f"period {_listed({name: 1 / one for name, one in median.items()}, 's')}",
            _verdict(scales),
        ),
        Statement(
            "A.3, figure 9",
            "policy layers have more power in high frequency bands than core layers",
            "the share of power at and above 5 Hz is greater in every policy layer than in the "
            "core, by 5 % of all power or more",
            f"above 5 Hz {_listed({name: 100 * one for name, one in fast.items()}, '%')}",
            _verdict(power, complete and all(fast[name] > fast["core"] for name in policies)),
        ),
    ]


def _slower(median: Mapping[str, float], policies: Sequence[str]) -> bool:
    if "core" not in median or any(name not in median for name in policies):
        return False
    return all(median["core"] < median[name] for name in policies)


def _listed(values: Mapping[str, float], unit: str = "") -> str:
    """As "core 0.20, policy_0 4.00 Hz"; what was not measured is a dash."""
    told = [f"{n} {one:.2f}" if np.isfinite(one) else f"{n} –" for n, one in values.items()]
    return f"{', '.join(told)} {unit}".rstrip()


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
        _verdict(4 <= middle <= 5 if found else None),
    )


def _shared(
    usable: Mapping[str, Sequence[Recorded]], spans: Mapping[str, slice], numbers: dict[str, Any]
) -> list[Statement]:
    quotes = _SHARED_QUOTES
    if len(usable) < 2:
        why = "one task alone shares nothing: the subject was recorded in " + ", ".join(usable)
        return [Statement(*one, why, "cannot be told") for one in quotes]
    order = [(task, one) for task, episodes in usable.items() for one in episodes]
    angles, places = [one.angles for _, one in order], [one.places for _, one in order]

    def by_task(parts: Sequence[Array]) -> dict[str, list[Array]]:
        sorted_out: dict[str, list[Array]] = {task: [] for task in usable}
        for (task, _), part in zip(order, parts, strict=True):
            sorted_out[task].append(part)
        return sorted_out

    sets = {
        "forces": [one.forces / max(1e-9, float(np.std(one.forces))) for _, one in order],
        **{name: kinematics(angles, places, RATE_HZ, BANDS_HZ[name]) for name in ("fast", "slow")},
    }
    # as in figure 4C: in the plane of the first two principal components, here cut into k-means cells
    planes = {name: principal_components(parts, 2) for name, parts in sets.items()}
    told = {name: overlap_across(by_task(partition(parts))) for name, parts in planes.items()}
    mean = {name: float(np.mean(list(across.values()))) for name, (across, _) in told.items()}
    numbers["overlap_across_tasks"] = {
        name: {
            "mean": round(mean[name], 4),
            "within_a_task": _number(within),
            "pairs": {f"{a} and {b}": round(value, 4) for (a, b), value in across.items()},
        }
        for name, (across, within) in told.items()
    }
    clusters = by_task(partition(behaviour(angles, places, RATE_HZ)))
    tasks_of_each = used_by(clusters)
    used = tasks_of_each[tasks_of_each > 0]
    numbers["behaviours"] = {
        "used": len(used),
        "in_two_tasks_or_more": int((used > 1).sum()),
        "in_all_tasks": int((used == len(usable)).sum()),
    }
    cells = {task: np.concatenate([one.cells for one in own]) for task, own in usable.items()}
    joined = {task: np.concatenate(parts) for task, parts in clusters.items()}
    alike, distinct = {}, {}
    for name, span in spans.items():
        own = {task: activity[:, span] for task, activity in cells.items()}
        pairs = representation_across(own, joined)
        alike[name] = float(np.mean(list(pairs.values()))) if pairs else float("nan")
        distinct[name] = variance_between(own)
    numbers["representation_across_tasks_cka"] = {n: _number(one) for n, one in alike.items()}
    numbers["variance_between_tasks"] = {name: round(value, 4) for name, value in distinct.items()}

    policies = list(spans)[1:]
    relative = {name: mean[name] / within for name, (_, within) in told.items()}
    fast, slow = relative["fast"], relative["slow"]
    withins = ", ".join(f"{name} {within:.2f}" for name, (_, within) in told.items())
    core_alike, least_alike = alike["core"], min(alike[name] for name in policies)
    most_distinct = max(distinct[name] for name in policies)
    several, everywhere = int((used > 1).sum()), int((used == len(usable)).sum())
    results = (
        (
            f"overlap {_listed(mean)}; between episodes of one task {withins}; ratio "
            f"{_listed(relative)}",
            _verdict(fast >= slow + MARGIN if np.isfinite(fast + slow) else None, fast > slow),
        ),
        (
            f"of {len(used)} behaviours {several} occur in two tasks or more, {everywhere} in all "
            f"{len(usable)}",
            _verdict(several >= len(used) / 2),
        ),
        (
            f"CKA {_listed(alike)}",
            _verdict(
                least_alike >= core_alike + MARGIN
                if np.isfinite(core_alike + least_alike)
                else None,
                least_alike > core_alike,
            ),
        ),
        (
            f"variance between tasks {_listed({k: 100 * v for k, v in distinct.items()}, '%')}",
            _verdict(distinct["core"] >= most_distinct + MARGIN, distinct["core"] > most_distinct),
        ),
    )
    return [
        Statement(*one, measured, verdict)
        for one, (measured, verdict) in zip(quotes, results, strict=True)
    ]


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


_SHARED_QUOTES = (
    (
        "3.1, figure 4C",
        "behaviors are more shared across tasks at short, 5-25 Hz timescales (fast kinematics), "
        "but no longer 0.3-5 Hz timescales (slow kinematics)",
        "overlap of tasks, averaged over their pairs and as a part of that between episodes of one task, "
        "is greater by 0.05 or more for fast than for slow kinematics",
    ),
    (
        "3.1",
        "the network learned to adapt similar movements in a selective manner for different tasks",
        "half of the behaviours or more occur in two tasks or more",
    ),
    (
        "3.3, figure 6B",
        "policy layers tended to possess a relatively similar encoding of behavioral features "
        "[...] over tasks. [...] "
        "Core layer representations across almost all behavioral categories were more variable "
        "across tasks",
        "mean CKA over pairs of tasks is greater by 0.05 or more in every policy layer than in the core",
    ),
    (
        "3.3, figure 6A",
        "core neuron representations were highly distinct across all tasks, while policy layers "
        "contained more overlap",
        "a greater part of the variance, by 5 % or more, lies between tasks in the core than in every policy "
        "layer",
    ),
)
