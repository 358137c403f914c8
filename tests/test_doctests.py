"""The examples in docstrings of what users import."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    "analysis.behaviour_features",
    "analysis.cluster_statistics",
    "analysis.core",
    "analysis.effect",
    "analysis.sharing",
    "analysis.spectra",
    "analysis.spiking",
    "analysis.verdicts",
    "evaluation.episode_statistics",
    "evaluation.metrics",
    "evaluation.paper.over_seeds",
]
"""Every one has at least one example."""


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.attempted, f"{name} has no example"
    assert not outcome.failed
