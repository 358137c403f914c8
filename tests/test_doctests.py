"""The examples in docstrings of what users import."""

from __future__ import annotations

import doctest
import importlib
import lzma
from pathlib import Path

import pytest

MODULES = [
    "agent.subject",
    "analysis.agreement",
    "analysis.behaviour_features",
    "analysis.cluster_statistics",
    "analysis.components",
    "analysis.core",
    "analysis.effect",
    "analysis.event_average",
    "analysis.covariates",
    "analysis.resampling",
    "analysis.rotations",
    "analysis.sequences",
    "analysis.sharing",
    "analysis.short_lists",
    "analysis.spectra",
    "analysis.spiking",
    "analysis.strides",
    "analysis.tangling_q",
    "analysis.tuning",
    "analysis.variability",
    "analysis.verdicts",
    "evaluation.episode_statistics",
    "evaluation.metrics",
    "analysis.over_seeds",
    "gui.commands",
    "gui.seen.seen_ticks",
    "gui.timeline.selection",
    "gui.look.time_axis",
    "gui.timeline.unit_search",
    "recorder.annotations",
    "recorder.opening",
    "rig.bus.client",
    "rig.bus.interventions",
    "rig.camera_target",
    "rig.versions",
    "stim.protocol.read",
    "stim.ticks",
]
"""Every one has at least one example."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where examples run: with a recording, `session.nwb`."""
    packed = Path(__file__).parent / "data" / "two_tap_before.nwb.xz"
    made = tmp_path_factory.mktemp("examples")
    (made / "session.nwb").write_bytes(lzma.decompress(packed.read_bytes()))
    return made


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.attempted, f"{name} has no example"
    assert not outcome.failed
