"""The other way to clusters of behaviour: UMAP, then HDBSCAN, as in B-SOiD (Hsu & Yttri 2021).

Watershed puts every moment into a hill of density; HDBSCAN keeps what is dense on many scales, and leaves
the rest out. Where both find the same, clusters are no matter of method.
"""

from __future__ import annotations

import warnings

import numpy as np

Array = np.ndarray

NEIGHBOURS = 30
"""Of each moment, whose distances UMAP keeps: as many as t-SNE's perplexity."""
LEAST_SHARE = 0.005
"""A smaller part of all moments is no cluster."""
FEWEST = 10
"""Nor are fewer moments."""
NO_CLUSTER = "none"
"""The label of a moment that HDBSCAN leaves out."""


def umap_plane(features: Array, seed: int = 0) -> Array:
    """UMAP of features (moments, features) in a plane: (moments, 2) float32.

    Args:
        features: of more than `NEIGHBOURS` moments.
        seed: of the draws.
    """
    from sklearn.neighbors import NearestNeighbors
    from umap import UMAP

    features = np.ascontiguousarray(features, dtype=np.float32)
    # the exact neighbours, which UMAP would only approximate, and for longer
    near = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(features)
    distances, neighbours = near.kneighbors(features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that no further moments can be embedded
        plane = UMAP(
            n_neighbors=NEIGHBOURS,
            min_dist=0.0,
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(neighbours, distances),
        ).fit_transform(features)
    return np.asarray(plane)


def dense_clusters(points: Array) -> Array:
    """HDBSCAN's cluster of each point (moments, 2), int, the largest is 0; -1: none.

    >>> random = np.random.default_rng(0)
    >>> blobs = [at + random.normal(size=(n, 2)) for at, n in ((0, 30), (30, 20))]
    >>> np.bincount(dense_clusters(np.vstack(blobs))).tolist()
    [30, 20]
    """
    from sklearn.cluster import HDBSCAN

    least = max(FEWEST, round(LEAST_SHARE * len(points)))
    found = HDBSCAN(min_cluster_size=least, copy=True).fit_predict(points)
    sizes = np.bincount(found[found >= 0])
    rank = np.full(len(sizes) + 1, -1)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.asarray(rank[found])


def as_labels(clusters: Array) -> Array:
    """Clusters as the labels that a map is held against, (moments,) text; those of -1 together are one."""
    return np.where(clusters < 0, NO_CLUSTER, clusters.astype(str)).astype(object)
