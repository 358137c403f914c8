"""What layers represent, and how alike: representational similarity (Merel & Aldarondo et al. 2020, A.4).

Time is cut into behaviours: k-means clusters of one of eight sets of features (`feature_sets`). A layer's
representation of them is its mean population vector in each, of outputs h with each unit z-scored (why these:
`analysis.timescales`); that of a set of features is their mean in each. Two representations are compared by
linear centred kernel alignment (`analysis.sharing.cka`).

A mean over few ticks is noisy, so that no two representations are wholly alike, be they of the same thing.
How alike they could be at most is estimated from halves of the seeds: the noise ceiling, which the paper
lacks. How alike they are where there is no relation is the mean over permutations of the behaviours: with 50
of them and 128 units it is above 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.cluster_statistics import Estimate
from analysis.loaded_episodes import LoadedEpisode
from analysis.mean_responses import Responses
from analysis.over_seeds import intervals_around, margins_around, pseudo_values, with_margins
from analysis.sharing import cka
from analysis.verdicts import Claim, by_another_rule, judge

Array = np.ndarray

SPLITS = 10
PERMUTATIONS = 100
FEWEST_BEHAVIOURS = 4
"""Fewer have no geometry to compare."""
FAST, SLOW = "kinematics, fast", "kinematics, slow"


@dataclass(frozen=True)
class Representation:
    """What the layers of a subject represent, by set of features; all CKA, 0 to 1.

    Attributes:
        layers: names, the core first.
        features: names of the sets.
        behaviours: by set, how many clusters are used.
        with_features: by set and layer, with the features themselves.
        feature_ceilings: the same, the noise ceiling.
        feature_chance: the same, the mean over permutations.
        between_layers: by pair of layers, mean over the sets.
        between_tasks: by set and layer, mean over the pairs of tasks that share enough behaviours.
        mean_between_tasks: by layer, the mean of that over the sets.
        task_ceilings: as `between_tasks`, the noise ceiling.
        task_pairs: by pair of tasks, and layer, of the set "behaviour"; NaN where they share too few.
        pseudo_policy: (seeds,) the mean over policy layers and sets of `between_tasks`, as pseudo-values.
        seeds: of the episodes.
        layer_claims: of the paper's figure 5.
        task_claims: of its figure 6.
    """

    layers: tuple[str, ...]
    features: tuple[str, ...]
    behaviours: Mapping[str, int]
    with_features: Mapping[tuple[str, str], Estimate]
    feature_ceilings: Mapping[tuple[str, str], float]
    feature_chance: Mapping[tuple[str, str], float]
    between_layers: Mapping[tuple[str, str], Estimate]
    between_tasks: Mapping[tuple[str, str], Estimate]
    mean_between_tasks: Mapping[str, Estimate]
    task_ceilings: Mapping[tuple[str, str], float]
    task_pairs: Mapping[tuple[tuple[str, str], str], float]
    pseudo_policy: Array
    seeds: tuple[int, ...]
    layer_claims: tuple[Claim, ...]
    task_claims: tuple[Claim, ...]


def representation(
    episodes: Sequence[LoadedEpisode], found: Mapping[str, Responses]
) -> Representation:
    """What the layers of a subject represent, with intervals over seeds.

    Args:
        episodes: of one subject, in one task or more.
        found: their `responses`.
    """
    return _Analysis(episodes, found).result()


class _Analysis:
    """All numbers of some seeds as one vector, so that they are left out and split together."""

    def __init__(self, episodes: Sequence[LoadedEpisode], found: Mapping[str, Responses]) -> None:
        self.responses = found
        self.layers = dict(episodes[0].layers)
        self.seed_of = [each.seed for each in episodes]
        self.seeds = sorted(set(self.seed_of))
        self.tasks: dict[str, list[int]] = {}
        for k, each in enumerate(episodes):
            self.tasks.setdefault(each.task, []).append(k)
        self.layer_pairs = list(combinations(self.layers, 2))
        self.task_pairs = list(combinations(self.tasks, 2))
        names = list(found)
        self.keys: list[tuple[str, ...]] = [
            *(("feature", name, layer) for name in names for layer in self.layers),
            *(("layers", a, b) for a, b in self.layer_pairs),
            *(("tasks", name, layer) for name in names for layer in self.layers),
        ]
        self.column = {key: k for k, key in enumerate(self.keys)}

    def members(self, seeds: Sequence[int], of: Sequence[int] | None = None) -> list[int]:
        """The episodes of some seeds, all or among `of`."""
        wanted = set(seeds)
        among = range(len(self.seed_of)) if of is None else of
        return [k for k in among if self.seed_of[k] in wanted]

    def numbers(self, seeds: Sequence[int]) -> Array:
        """A number for each of `keys`, of some seeds."""
        value = np.full(len(self.keys), np.nan)
        everything = self.members(seeds)
        layers: dict[tuple[str, str], list[float]] = {pair: [] for pair in self.layer_pairs}
        for name, one in self.responses.items():
            behaviours = one.behaviours(everything)
            if len(behaviours) >= FEWEST_BEHAVIOURS:
                units, features = one.means(everything, behaviours)
                for layer, columns in self.layers.items():
                    value[self.column["feature", name, layer]] = cka(units[:, columns], features)
                for pair, own in layers.items():
                    own.append(cka(*(units[:, self.layers[layer]] for layer in pair)))
            pairs = self.pairs_of(one, seeds)
            for layer in self.layers:
                alike = [each[layer] for each in pairs.values()]
                if alike:
                    value[self.column["tasks", name, layer]] = np.mean(alike)
        for (a, b), own in layers.items():
            if own:
                value[self.column["layers", a, b]] = np.mean(own)
        return value

    def pairs_of(
        self, one: Responses, seeds: Sequence[int]
    ) -> dict[tuple[str, str], dict[str, float]]:
        """By pair of tasks that share enough behaviours, and layer, the CKA between them."""
        found = {}
        for pair in self.task_pairs:
            groups = [self.members(seeds, self.tasks[task]) for task in pair]
            behaviours = one.behaviours(*groups)
            if len(behaviours) >= FEWEST_BEHAVIOURS:
                both = [one.means(group, behaviours)[0] for group in groups]
                found[pair] = {
                    layer: cka(*(units[:, columns] for units in both))
                    for layer, columns in self.layers.items()
                }
        return found

    def ceilings(self) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
        """Noise ceilings by set and layer, with features and between tasks: means over splits of seeds."""
        random = np.random.default_rng(0)
        features: dict[tuple[str, str], list[float]] = {}
        tasks: dict[tuple[str, str], list[float]] = {}
        for _ in range(SPLITS if len(self.seeds) > 1 else 0):
            order = [int(one) for one in random.permutation(self.seeds)]
            halves = order[: len(order) // 2], order[len(order) // 2 :]
            for name, one in self.responses.items():
                groups = [self.members(half) for half in halves]
                behaviours = one.behaviours(*groups)
                if len(behaviours) >= FEWEST_BEHAVIOURS:
                    (x, f), (y, g) = (one.means(group, behaviours) for group in groups)
                    own = cka(f, g)
                    for layer, columns in self.layers.items():
                        features.setdefault((name, layer), []).append(
                            np.sqrt(own * cka(x[:, columns], y[:, columns]))
                        )
                for a, b in self.task_pairs:
                    shared = one.behaviours(
                        *(self.members(half, self.tasks[t]) for half in halves for t in (a, b))
                    )
                    if len(shared) < FEWEST_BEHAVIOURS:
                        continue
                    for task in (a, b):
                        x, y = (
                            one.means(self.members(half, self.tasks[task]), shared)[0]
                            for half in halves
                        )
                        for layer, columns in self.layers.items():
                            tasks.setdefault((name, layer), []).append(
                                cka(x[:, columns], y[:, columns])
                            )
        return tuple(  # type: ignore[return-value]
            {key: float(np.mean(own)) for key, own in found.items()} for found in (features, tasks)
        )

    def chance(self) -> dict[tuple[str, str], float]:
        """By set and layer, the CKA with the features of other behaviours, drawn without order."""
        random = np.random.default_rng(0)
        found = {}
        everything = range(len(self.seed_of))
        for name, one in self.responses.items():
            behaviours = one.behaviours(everything)
            if len(behaviours) < FEWEST_BEHAVIOURS:
                continue
            units, features = one.means(everything, behaviours)
            orders = [random.permutation(len(features)) for _ in range(PERMUTATIONS)]
            for layer, columns in self.layers.items():
                found[name, layer] = float(
                    np.mean([cka(units[:, columns], features[order]) for order in orders])
                )
        return found

    def result(self) -> Representation:
        whole = self.numbers(self.seeds)
        pseudo = pseudo_values(lambda some: self.numbers(some), self.seeds)
        estimates = dict(zip(self.keys, intervals_around(whole, pseudo), strict=True))

        def of(kind: str) -> dict[tuple[str, str], Estimate]:
            return {(key[1], key[2]): one for key, one in estimates.items() if key[0] == kind}

        ceilings, task_ceilings = self.ceilings()
        everything = range(len(self.seed_of))
        pairs = self.pairs_of(self.responses["behaviour"], self.seeds)
        policies = list(self.layers)[1:]
        of_layer = {layer: self._compared(whole, layer) for layer in self.layers}
        own = [column for layer in policies for column in of_layer[layer]]
        means = intervals_around(
            *(
                np.stack([each[..., columns].mean(-1) for columns in of_layer.values()], axis=-1)
                for each in (whole, pseudo)
            )
        )
        return Representation(
            layers=tuple(self.layers),
            features=tuple(self.responses),
            behaviours={
                name: len(one.behaviours(everything)) for name, one in self.responses.items()
            },
            with_features=of("feature"),
            feature_ceilings=ceilings,
            feature_chance=self.chance(),
            between_layers=of("layers"),
            between_tasks=of("tasks"),
            mean_between_tasks=dict(zip(of_layer, means, strict=True)),
            task_ceilings=task_ceilings,
            task_pairs={
                (pair, layer): pairs.get(pair, {}).get(layer, float("nan"))
                for pair in self.task_pairs
                for layer in self.layers
            },
            pseudo_policy=pseudo[:, own].mean(1),
            seeds=tuple(self.seeds),
            layer_claims=self._layer_claims(whole, pseudo),
            task_claims=self._task_claims(whole, pseudo),
        )

    def _compared(self, whole: Array, layer: str) -> list[int]:
        """The columns of a layer's CKA between tasks, of the sets in which tasks share enough behaviours."""
        columns = [self.column["tasks", name, layer] for name in self.responses]
        return [each for each in columns if np.isfinite(whole[each])] or columns

    # --- claims -------------------------------------------------------------------------------------

    def _claim(
        self,
        said: tuple[str, str, str],
        text: str,
        margins: Mapping[str, tuple[Array, Array]],
        other_rule: str = "",
    ) -> Claim:
        """A claim about differences of columns (1 + seeds,), each of one and of the other.

        The first is the number of all seeds, the rest are its pseudo-values.
        """
        columns = np.stack([one - other for one, other in margins.values()], axis=1)
        estimates = margins_around(columns[0], columns[1:])
        measured = with_margins(text, list(margins), estimates) + other_rule
        return Claim(*said, measured, judge(estimates))

    def _layer_claims(self, whole: Array, pseudo: Array) -> tuple[Claim, ...]:
        core, *policies = self.layers

        both = np.vstack([whole, pseudo])

        def column(*key: str) -> Array:
            return both[:, self.column[key]]

        def text(*features: str) -> str:
            return "; ".join(
                f"CKA with {name} "
                + ", ".join(
                    f"{layer} {whole[self.column['feature', name, layer]]:.2f}"
                    for layer in self.layers
                )
                for name in features
            )

        claims = [
            self._claim(
                (
                    "3.2, figure 5B",
                    "Policy layers contained greater information about fast timescale kinematics in a manner "
                    "that was largely conserved across layers",
                    "CKA with fast kinematics is greater in every policy layer than in the core",
                ),
                text(FAST),
                {
                    layer: (column("feature", FAST, layer), column("feature", FAST, core))
                    for layer in policies
                },
            ),
            self._claim(
                (
                    "3.2, figure 5B",
                    "core layers showed more moderate encoding of kinematics that was stronger for slow "
                    "behavioral features",
                    "in the core CKA with slow kinematics is greater than with fast",
                ),
                text(FAST, SLOW),
                {"": (column("feature", SLOW, core), column("feature", FAST, core))},
            ),
        ]
        if len(policies) > 1:
            first, last = policies[0], policies[-1]
            claims.append(
                self._claim(
                    (
                        "3.2",
                        "the last layer (policy 2) showing stronger encoding of fast behavioral features, "
                        "and the first layer (policy 0) instead showing stronger encoding of slow behavioral "
                        "features",
                        "CKA with fast kinematics is greater in the last policy layer than in the first, "
                        "and with slow kinematics in the first than in the last",
                    ),
                    text(FAST, SLOW),
                    {
                        "fast": (column("feature", FAST, last), column("feature", FAST, first)),
                        "slow": (column("feature", SLOW, first), column("feature", SLOW, last)),
                    },
                )
            )
            among = [pair for pair in self.layer_pairs if core not in pair]
            across = [pair for pair in self.layer_pairs if core in pair]
            mean = {
                name: np.mean([column("layers", a, b) for a, b in pairs], axis=0)
                for name, pairs in (("among", among), ("across", across))
            }
            shown = ", ".join(
                f"{a} and {b} {whole[self.column['layers', a, b]]:.2f}" for a, b in self.layer_pairs
            )
            claims.append(
                self._claim(
                    (
                        "3.2, figure 5C",
                        "core and policy layers encoded somewhat distinct behavioral features",
                        "mean CKA of two policy layers is greater than that of the core and a policy layer",
                    ),
                    f"CKA {shown}",
                    {"": (mean["among"], mean["across"])},
                )
            )
        return tuple(claims)

    def _task_claims(self, whole: Array, pseudo: Array) -> tuple[Claim, ...]:
        core, *policies = self.layers
        said = (
            "3.3, figure 6B",
            "policy layers tended to possess a relatively similar encoding of behavioral features "
            "[...] over tasks. [...] "
            "Core layer representations across almost all behavioral categories were more variable "
            "across tasks",
            "CKA between tasks, averaged over their pairs and the eight sets of features, is greater in "
            "every policy layer than in the core",
        )
        if not self.task_pairs:
            why = f"one task alone shares nothing: the recordings are of {', '.join(self.tasks)}"
            return (Claim(*said, why, "cannot tell"),)

        both = np.vstack([whole, pseudo])
        mean = {layer: both[:, self._compared(whole, layer)].mean(1) for layer in self.layers}
        of_set = {layer: both[:, self.column["tasks", "behaviour", layer]] for layer in self.layers}
        of_one_set = np.stack([of_set[each] - of_set[core] for each in policies], axis=1)
        other_margins = margins_around(of_one_set[0], of_one_set[1:])
        other = by_another_rule('of the set "behaviour" alone', other_margins)
        shown = ", ".join(f"{layer} {mean[layer][0]:.2f}" for layer in self.layers)
        n_pairs = len(self.pairs_of(self.responses["behaviour"], self.seeds))
        return (
            self._claim(
                said,
                f"CKA {shown} ({n_pairs} of {len(self.task_pairs)} pairs of tasks share enough behaviours)",
                {layer: (mean[layer], mean[core]) for layer in policies},
                other,
            ),
        )
