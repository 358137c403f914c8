"""The paper's claims about figure 12 (section 3.5, A.8), beside what recordings show."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from analysis.cluster_statistics import CONFIDENCE, Events, Floats, contrast
from analysis.fig12_groups import Activation, Inactivation, elicited, success
from analysis.verdicts import Claim, Verdict, has_enough_data, judge_shares, simultaneous

RARELY = 0.2
"""Core stimulation "rarely" elicits spins if it does so in less than this share beyond shams."""
PAPER_UNITS = 64
"""The number of units whose ablation the paper describes (section 3.5)."""


def inactivation_claims(inactivation: Inactivation) -> list[Claim]:
    """The paper's claims about inactivation, as far as these attempts can be held against them."""
    policies = [layer for layer in inactivation.layers if layer.startswith("policy")]
    levels = [
        n
        for n in inactivation.levels
        if ("core", n) in inactivation.by and any((p, n) in inactivation.by for p in policies)
    ]
    core = [success(inactivation.by["core", n]) for n in levels]
    policy = [
        success([each for p in policies for each in inactivation.by.get((p, n), [])])
        for n in levels
    ]
    claims = []
    half = len(levels)
    if levels:

        def stronger(shares: Floats) -> Floats:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Mean of empty slice")
                found: Floats = np.nanmean(shares[:, :half] - shares[:, half:], axis=1)
            return found

        claims.append(
            judge_shares(
                (
                    "figure 12A",
                    "inactivation of policy units had a stronger effect than the inactivation of core units",
                    "success with core units inactivated minus with policy units inactivated, mean over "
                    "numbers of units, is above 0",
                ),
                contrast([*core, *policy], stronger),
                [_joined(core), _joined(policy)],
            )
        )
        claims.append(_several_levels(levels, core, policy))
    last = policies[-1] if policies else None
    if last is not None and (last, PAPER_UNITS) in inactivation.by and inactivation.control:
        groups = [success(inactivation.control), success(inactivation.by[last, PAPER_UNITS])]
        claims.append(
            judge_shares(
                (
                    "figure 12A, B",
                    f"ablation of {PAPER_UNITS} neurons in the final policy layer disrupts the performance",
                    f"unperturbed success minus that with {PAPER_UNITS} units of {last} inactivated is "
                    "above 0",
                ),
                contrast(groups, _difference),
                groups,
            )
        )
    return claims


def _several_levels(
    levels: Sequence[int], core: Sequence[Events], policy: Sequence[Events]
) -> Claim:
    """At two levels or more: a partial conjunction, whose intervals are Bonferroni's for n - 1 levels."""
    weaker, stronger, measured, all_enough = 0, 0, [], True
    confidence = simultaneous(len(levels) - 1) if len(levels) > 1 else CONFIDENCE
    for n, one, other in zip(levels, core, policy, strict=True):
        found = contrast([one, other], _difference, confidence)
        measured.append(f"{n}: {found}")
        if not has_enough_data([one, other]):
            all_enough = False
        else:
            weaker += found.low > 0
            stronger += found.high < 0
    verdict: Verdict = "agrees" if weaker > 1 else "disagrees" if stronger > 1 else "cannot tell"
    return Claim(
        "figure 12A",
        "core inactivation has a weaker negative effect on trial success than policy inactivation for "
        "several levels of inactivation",
        "the same difference is above 0 at two numbers of units or more",
        "; ".join(measured) + ("" if all_enough else "; some with too few attempts"),
        verdict,
    )


def activation_claims(activation: Activation) -> list[Claim]:
    """The paper's claims about activation, as far as these stimulations can be held against them."""
    keys = activation.most_units
    policies = [layer for layer in activation.layers if layer.startswith("policy")]
    layers = [layer for layer in ("core", *policies) if layer in keys]
    groups = [elicited(activation.by[keys[layer]]) for layer in layers]
    shams = elicited(activation.all_shams)
    claims = []
    if len(layers) > 1:
        depth = np.arange(len(layers)) - (len(layers) - 1) / 2

        def slope(shares: Floats) -> Floats:
            slopes: Floats = shares @ depth / (depth @ depth)
            return slopes

        claims.append(
            judge_shares(
                (
                    "figure 12C",
                    "the efficacy of this activation was more reliable in layers closer to the motor output",
                    f"the share of spins rises from layer to layer ({', '.join(layers)}): slope above 0",
                ),
                contrast(groups, slope),
                groups,
            )
        )
    if "core" in layers:
        pair = [groups[0], shams]
        claims.append(
            judge_shares(
                (
                    "figure 12C",
                    "activation of core units rarely elicited spins",
                    f"its share less that of shams is below {RARELY:.0%}: {RARELY} minus this is above 0",
                ),
                contrast(pair, lambda shares: RARELY - (shares[:, 0] - shares[:, 1])),
                pair,
            )
        )
    if layers[-1:] and layers[-1] != "core":
        pair = [groups[-1], shams]
        claims.append(
            judge_shares(
                (
                    "figure 12C, D",
                    "during the two-tap sequence, we were able to elicit spinning movements",
                    f"share of spins in {layers[-1]} less that of shams is above 0",
                ),
                contrast(pair, _difference),
                pair,
            )
        )
    return claims


def _difference(shares: Floats) -> Floats:
    """Of two groups' shares (draws, 2)."""
    return shares[:, 0] - shares[:, 1]


def _joined(groups: Sequence[Events]) -> Events:
    return [x for hits, _ in groups for x in hits], [x for _, seeds in groups for x in seeds]
