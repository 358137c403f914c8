"""Statistics of recorded episodes with their intervals over seeds, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import t

from analysis.cluster_statistics import (
    CONFIDENCE,
    FEWEST_CLUSTERS,
    Estimate,
    Floats,
    interval_of_mean,
    jackknife,
)
from analysis.verdicts import estimates_of, simultaneous


def pseudo_values(statistic: Callable[[list[int]], Floats], seeds: Sequence[int]) -> Floats:
    """A statistic as one value per seed, (seeds, ...); of one seed, or where it is not defined, NaN.

    Args:
        statistic: from some of the seeds to an array, NaN where it is not defined.
        seeds: all of them.
    """
    whole = np.asarray(statistic(list(seeds)), np.float64)
    if len(seeds) < 2:
        return np.full((len(seeds), *whole.shape), np.nan)
    found = jackknife(statistic, seeds)
    # a statistic that needs one certain seed has no interval
    found[:, ~np.isfinite(found).all(0)] = np.nan
    return found


def estimates_over_seeds(margins: Floats) -> list[Estimate]:
    """Margins (seeds, several) with simultaneous 95 % intervals over seeds."""
    return estimates_of(list(margins.T))


def intervals_around(whole: Floats, pseudo: Floats) -> list[Estimate]:
    """Values (n,) with 95 % intervals around them: Student's t times the jackknife's standard error.

    Of fewer than six seeds they are infinite. For numbers that noise raises, such as similarities, whose
    pseudo-values have another mean.

    Args:
        whole: of all seeds.
        pseudo: (seeds, n) pseudo-values of the same.
    """
    n = len(pseudo)
    if n < FEWEST_CLUSTERS:
        return [Estimate(float(one), -np.inf, np.inf, n) for one in whole]
    reach = t.ppf(0.5 + CONFIDENCE / 2, n - 1) * pseudo.std(0, ddof=1) / np.sqrt(n)
    return [
        Estimate(float(one), float(one - r), float(one + r), n)
        if np.isfinite(r)
        else Estimate(float(one), -np.inf, np.inf, n)
        for one, r in zip(whole, reach, strict=True)
    ]


def margins_around(
    whole: Sequence[float] | Floats, pseudo: Floats, parts: int = 0
) -> list[Estimate]:
    """Margins as they were measured, with simultaneous 95 % intervals as wide as those of pseudo-values.

    Their mean takes a bias away that falls with the number of seeds. Of counts, medians, and what is split
    into halves or raised by noise, it can lie far from what was measured, and would decide by that.

    Args:
        whole: (n,) of all seeds.
        pseudo: (seeds, n) pseudo-values of the same.
        parts: how many numbers are judged together, where these are not all of them.
    """
    confidence = simultaneous(parts or pseudo.shape[1])
    return [
        Estimate(
            float(value),
            float(value) + each.low - each.value,
            float(value) + each.high - each.value,
            each.clusters,
        )
        for value, own in zip(whole, pseudo.T, strict=True)
        for each in [interval_of_mean(own, confidence)]
    ]


def listed(values: Mapping[str, float], unit: str = "") -> str:
    """Values by name on one line; what was not measured is a dash.

    >>> listed({"core": 0.2, "policy_0": float("nan")}, "Hz")
    'core 0.20, policy_0 – Hz'
    """
    shown = [f"{n} {one:.2f}" if np.isfinite(one) else f"{n} –" for n, one in values.items()]
    return f"{', '.join(shown)} {unit}".rstrip()


def with_margins(text: str, names: Sequence[str], estimates: Sequence[Estimate]) -> str:
    """What was measured, followed by the margins that decide.

    Args:
        text: the measured values.
        names: of the margins.
        estimates: the margins, in the order of the names.
    """
    margins = (
        f"{name} {estimate}".strip() for name, estimate in zip(names, estimates, strict=True)
    )
    return f"{text}; margin {', '.join(margins)}"
