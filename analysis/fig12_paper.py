"""What the paper says of figure 12 (section 3.5, A.8), beside what recordings show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.cluster_statistics import Events, Floats, resampled
from analysis.fig12_groups import Held, Played, elicited, success
from analysis.verdicts import Verdict, enough, judged

RARELY = 0.2
"""Core stimulation "rarely" elicits spins if it does so in less than this share beyond shams."""
PAPER_UNITS = 64
"""The number of units whose ablation the paper describes (section 3.5)."""


def of_held(held: Held) -> list[Verdict]:
    """What the paper says of inactivation, as far as these attempts can be held against it."""
    policies = [layer for layer in held.layers if layer.startswith("policy")]
    levels = [
        n
        for n in held.levels
        if ("core", n) in held.by and any((p, n) in held.by for p in policies)
    ]
    core = [success(held.by["core", n]) for n in levels]
    policy = [success([each for p in policies for each in held.by.get((p, n), [])]) for n in levels]
    verdicts = []
    half = len(levels)
    if levels:

        def stronger(shares: Floats) -> Floats:
            return np.nanmean(shares[:, :half] - shares[:, half:], axis=1)

        verdicts.append(
            judged(
                "A",
                "inactivation of policy units had a stronger effect than the inactivation of core units",
                "success with core units held minus with policy units held, mean over numbers of units, "
                "is above 0",
                resampled([*core, *policy], stronger),
                [_joined(core), _joined(policy)],
            )
        )
        verdicts.append(_several_levels(levels, core, policy))
    last = policies[-1] if policies else None
    if last is not None and (last, PAPER_UNITS) in held.by and held.control:
        groups = [success(held.control), success(held.by[last, PAPER_UNITS])]
        verdicts.append(
            judged(
                "A, B",
                f"ablation of {PAPER_UNITS} neurons in the final policy layer disrupts the performance",
                f"unperturbed success minus that with {PAPER_UNITS} units of {last} held is above 0",
                resampled(groups, lambda shares: shares[:, 0] - shares[:, 1]),
                groups,
            )
        )
    return verdicts


def _several_levels(
    levels: list[int],
    core: list[Events],
    policy: list[Events],
) -> Verdict:
    weaker, stronger, told, all_enough = [], [], [], True
    for n, one, other in zip(levels, core, policy, strict=True):
        found = resampled([one, other], lambda shares: shares[:, 0] - shares[:, 1])
        told.append(f"{n}: {found}")
        if not enough([one, other]):
            all_enough = False
        elif found.low > 0:
            weaker.append(n)
        elif found.high < 0:
            stronger.append(n)
    verdict = "agrees" if len(weaker) > 1 else "disagrees" if len(stronger) > 1 else "cannot tell"
    return Verdict(
        "A",
        "core inactivation has a weaker negative effect on trial success than policy inactivation for "
        "several levels of inactivation",
        "the same difference is above 0 at two numbers of units or more",
        "; ".join(told) + ("" if all_enough else "; some with too few attempts"),
        verdict,
    )


def of_played(played: Played) -> list[Verdict]:
    """What the paper says of activation, as far as these stimulations can be held against it."""
    keys = played.most_units
    layers = [layer for layer in ("core", *_policies(played)) if layer in keys]
    groups = [elicited(played.by[keys[layer]]) for layer in layers]
    shams = elicited(played.all_shams)
    verdicts = []
    if len(layers) > 1:
        depth = np.arange(len(layers)) - (len(layers) - 1) / 2

        def slope(shares: Floats) -> Floats:
            slopes: Floats = shares @ depth / (depth @ depth)
            return slopes

        verdicts.append(
            judged(
                "C",
                "the efficacy of this activation was more reliable in layers closer to the motor output",
                f"the share of spins rises from layer to layer ({', '.join(layers)}): slope above 0",
                resampled(groups, slope),
                groups,
            )
        )
    if "core" in layers:
        pair = [groups[0], shams]
        found = resampled(pair, lambda shares: RARELY - (shares[:, 0] - shares[:, 1]))
        verdicts.append(
            judged(
                "C",
                "activation of core units rarely elicited spins",
                f"its share less that of shams is below {RARELY:.0%}: {RARELY} minus this is above 0",
                found,
                pair,
            )
        )
    if layers[-1:] and layers[-1] != "core":
        pair = [groups[-1], shams]
        verdicts.append(
            judged(
                "C, D",
                "during the two-tap sequence, we were able to elicit spinning movements",
                f"share of spins in {layers[-1]} less that of shams is above 0",
                resampled(pair, lambda shares: shares[:, 0] - shares[:, 1]),
                pair,
            )
        )
    return verdicts


def _policies(played: Played) -> list[str]:
    return [layer for layer in played.layers if layer.startswith("policy")]


def _joined(groups: Sequence[Events]) -> Events:
    return [x for hits, _ in groups for x in hits], [x for _, seeds in groups for x in seeds]
