"""The runtimes: onnxruntime beside PyTorch, interventions as inputs of its graph, the cache of graphs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import agent
from agent import graph_cache
from agent.activity import NAMES as ACTIVITY
from agent.architecture import NetworkConfig
from agent.interventions import LARGEST, Intervention, apply, compose
from agent.network import Network
from agent.onnx_graph import build
from agent.onnx_step import OnnxStep
from agent.subject import CAMERA
from tests.rodent_rig import FIRST_LIGHT, rodent_rig

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = [NetworkConfig(layers, skip) for layers in (1, 2, 3) for skip in (True, False)]


def _weights(config, seed=0):
    """Random weights of a sensible size."""
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
        for name, shape in config.parameter_shapes.items()
    }
    return weights | {"std": rng.uniform(0.5, 2, weights["std"].shape).astype(np.float32)}


def _senses(rng, subject):
    """What the animal might sense: drawn from what its normalisation was measured on."""
    weights = load_file(subject.folder / "weights.safetensors")
    values = weights["mean"] + weights["std"] * rng.normal(size=len(weights["mean"]))
    ends = np.cumsum([size for _, size in subject.proprioception])
    parts = np.split(values, ends[:-1])
    seen = {name: part for (name, _), part in zip(subject.proprioception, parts, strict=True)}
    return seen | {CAMERA: rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)}


def _interventions(rng, layers):
    """Up to five, which may meet on a unit: clamps, lesions, gains, biases."""
    some = []
    for _ in range(rng.integers(0, 6)):
        layer, n = layers[rng.integers(len(layers))], int(rng.integers(1, 65))
        gain = rng.choice([0, 1, rng.uniform(-2, 2)], n)
        value = rng.choice([0, rng.uniform(-2, 2)], n)
        units = rng.choice(layer.n_units, n, replace=False)
        some.append(Intervention(layer.name, rng.choice(["c", "h"]), units, gain, value))
    return some


@pytest.mark.parametrize(("name", "tolerance"), [("runner", 1e-5), ("rodent", 5e-5)])
def test_a_thousand_steps_with_random_interventions_are_those_of_pytorch(name, tolerance):
    """Both lie as far from the same sums in float64; the rodent's cells reach 40, the runner's 15."""
    here, reference = agent.load(name), agent.load(name, "torch")
    rng = np.random.default_rng(1)
    intervened = 0
    for _ in range(1000):
        seen, some = _senses(rng, here), _interventions(rng, here.layers)
        one, other = here.step(seen, some), reference.step(seen, some)
        mine, its = one.activity.arrays(), other.activity.arrays()
        for field in ACTIVITY:
            np.testing.assert_allclose(mine[field], its[field], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(one.action_mean, other.action_mean, rtol=0, atol=1e-5)
        assert one.value == pytest.approx(other.value, abs=1e-5)
        intervened += (mine["h_applied"] != mine["h_natural"]).any()
    assert intervened > 700


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.policy_layers}-skip={c.skip}")
def test_neutral_inputs_give_the_graph_without_interventions_to_the_bit(config):
    weights, rng = _weights(config), np.random.default_rng(2)
    with_inputs, plain = (
        OnnxStep(config, build(config, weights, which), np.ones(38)) for which in (True, False)
    )
    every = {
        layer: [
            Intervention(layer, state, np.arange(128), np.ones(128), np.zeros(128))
            for state in ("c", "h")
        ]
        for layer in config.layer_names
    }
    for asked in (*[{}] * 10, *[every] * 10, *[{}] * 10):
        senses = rng.normal(size=158).astype(np.float32)
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        one, other = with_inputs.step(senses, pixels, asked), plain.step(senses, pixels, {})
        assert one[0].tobytes() == other[0].tobytes()
        assert one[1] == other[1]
        for field in ACTIVITY:
            assert getattr(one[2], field).tobytes() == getattr(other[2], field).tobytes()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.policy_layers}-skip={c.skip}")
def test_the_architecture_names_every_array_of_the_network(config):
    found = {name: tuple(value.shape) for name, value in Network(config).state_dict().items()}
    assert config.parameter_shapes == found


# --- several interventions on a unit ---------------------------------------------------------------

small = st.floats(-4, 4, allow_nan=False, width=32)
any_float = st.floats(allow_nan=False, allow_infinity=False, width=32)


def _composed(chain, state, natural):
    """The graph's sums, in numpy."""
    gain, value, lowest, highest = compose(chain, state, len(natural))
    with np.errstate(over="ignore"):
        return np.minimum(np.maximum(gain * natural + value, lowest), highest)


def _one_by_one(chain, state, natural):
    values = {"c": natural.copy(), "h": natural.copy()}
    apply(chain, values["c"], values["h"], np.ones_like(natural))
    return values[state]


def _chain(pairs, state, n=4):
    return [Intervention("core", state, range(n), [g] * n, [v] * n) for g, v in pairs]


@given(st.lists(st.tuples(small, small), max_size=5), st.sampled_from(["c", "h"]))
def test_a_chain_composes_in_its_order(pairs, state):
    natural = np.array([-3, -0.5, 0, 0.75], np.float32)
    chain = _chain(pairs, state)
    exact = natural.astype(np.float64)
    for gain, value in pairs:
        exact = np.clip(gain * exact + value, -LARGEST, LARGEST)
    found, reference = _composed(chain, state, natural), _one_by_one(chain, state, natural)
    # rounding counts against the largest number on the way
    size = 4.0 ** len(pairs) * 4
    np.testing.assert_allclose(found, exact, rtol=0, atol=2e-7 * size)
    np.testing.assert_allclose(found, reference, rtol=0, atol=1e-6 * size)


@given(any_float, any_float, st.sampled_from(["c", "h"]))
def test_a_single_one_is_what_one_by_one_gives_to_the_bit(gain, value, state):
    natural = np.array([-3, -0.5, 0, 0.75], np.float32)
    chain = _chain([(gain, value)], state)
    np.testing.assert_array_equal(
        _composed(chain, state, natural), _one_by_one(chain, state, natural)
    )


@given(st.lists(st.tuples(any_float, any_float), min_size=1, max_size=12))
def test_no_chain_leaves_the_limits_and_a_clamp_at_its_end_is_exact(pairs):
    natural = np.array([-3, -0.5, 0, 0.75], np.float32)
    found = _composed(_chain(pairs, "h"), "h", natural)
    assert (np.abs(found) <= LARGEST).all()
    clamped = _composed(_chain([*pairs, (0, 0.7)], "h"), "h", natural)
    np.testing.assert_array_equal(clamped, np.float32(0.7))


def test_what_is_held_at_the_limit_goes_on_from_there():
    """A gain of 1e9 and then one of 1e-9 give 1e-3 times the sign: the limit lies between them."""
    natural = np.array([-2, -1e-4, 0, 3], np.float32)
    chain = _chain([(1e9, 0), (1e-9, 0.5)], "c")
    expected = [0.499, 0.4999, 0.5, 0.501]
    np.testing.assert_allclose(_one_by_one(chain, "c", natural), expected, rtol=1e-6)
    np.testing.assert_allclose(_composed(chain, "c", natural), expected, rtol=1e-6)


def test_units_that_nothing_names_are_not_even_held_at_the_limit():
    natural = np.array([2e6, 2e6, -0.0, -0.0], np.float32)
    held = _composed([Intervention("core", "c", [1, 3], [1, 1], [0, 0])], "c", natural)
    assert held.tobytes() == np.array([2e6, 1e6, -0.0, 0.0], np.float32).tobytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rodent-rig" / "graphs"


# --- loading ----------------------------------------------------------------------------------------


def test_a_state_goes_from_one_runtime_to_the_other():
    here, reference = agent.load("runner"), agent.load("runner", "torch")
    rng = np.random.default_rng(3)
    for _ in range(5):
        reference.step(_senses(rng, here))
    here.restore(reference.state())
    seen = _senses(rng, here)
    one, other = here.step(seen), reference.step(seen)
    np.testing.assert_allclose(one.activity.c_applied, other.activity.c_applied, atol=1e-5)
    reference.restore(here.state())
    np.testing.assert_array_equal(reference.state()["h"], one.activity.h_applied)


def test_an_unknown_runtime_is_refused():
    with pytest.raises(agent.SubjectError, match="no runtime 'tensorflow'; there are onnx, torch"):
        agent.load("runner", "tensorflow")


def _python(program):
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


STEP = """
import sys, numpy, agent
subject = agent.load("runner")
seen = {name: numpy.zeros(size) for name, size in subject.proprioception}
seen["walker/egocentric_camera"] = numpy.zeros((64, 64, 3), numpy.uint8)
subject.step(seen, [agent.Intervention("core", "c", [1], [0], [1])])
subject.restore(subject.state())
"""


def test_loading_and_stepping_needs_no_pytorch_and_from_the_cache_no_onnx():
    heavy = 'print(sorted({"torch", "onnx", "matplotlib", "sklearn"} & set(sys.modules)))'
    agent.load("runner")
    assert _python(STEP + heavy) == "[]"


def test_onnxruntime_reports_to_nobody(cache):
    """No thread beside those of numpy, no identifier or data base of its own in the user's cache."""
    threads = 'import os; print(len(os.listdir("/proc/self/task")))'
    before = _python("import numpy; " + threads)
    assert _python(STEP + threads) == before
    assert [path.name for path in cache.parent.parent.iterdir()] == ["rodent-rig"]


def test_where_pytorch_is_missing_a_sentence_says_what_to_install():
    without = 'import sys; sys.modules["torch"] = None\n' + STEP
    refused = """
for act in (lambda: agent.load("runner", "torch"), lambda: subject.network):
    try:
        act()
    except agent.SubjectError as problem:
        print(problem)
"""
    said = _python(without + refused).splitlines()
    assert len(said) == 2
    for sentence in said:
        assert "pip install 'rodent-rig[train]'" in sentence


def test_a_session_on_a_runtime_that_is_missing_is_refused(tmp_path, monkeypatch):
    missing = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
    (tmp_path / "torch.py").write_text(missing)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    out = tmp_path / "none.nwb"
    done = rodent_rig("run", FIRST_LIGHT, "--runtime", "torch", "--duration", 1, "--out", out)
    assert done.returncode == 2
    said = {line for line in done.stderr.splitlines() if line}
    assert said == {
        "the runtime 'torch' cannot be used (No module named 'torch'); install it: "
        "pip install 'rodent-rig[train]'"
    }


# --- on disk ----------------------------------------------------------------------------------------


def _graph(config, weights, sha256="of the weights"):
    return graph_cache.graph_of(config, weights, sha256)


def test_a_graph_is_built_once_and_read_again(cache, monkeypatch):
    config = NetworkConfig(1)
    weights = _weights(config)
    first = _graph(config, weights)
    (file,) = cache.iterdir()
    assert file.read_bytes() == first
    monkeypatch.setattr("agent.onnx_graph.build", None)  # would fail if it were called
    assert _graph(config, weights) == first


def test_other_weights_another_architecture_or_other_code_are_another_graph(cache, monkeypatch):
    config = NetworkConfig(1)
    _graph(config, _weights(config))
    _graph(config, _weights(config, 1), "of others")
    _graph(NetworkConfig(1, core_units=64), _weights(NetworkConfig(1, core_units=64)))
    assert len(list(cache.iterdir())) == 3
    monkeypatch.setattr(graph_cache, "_BUILT_BY", ("onnx_graph.py",))
    _graph(config, _weights(config))
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("spoil", [lambda raw: raw[:1000], lambda raw: raw[:-1] + b"?"])
def test_a_damaged_file_is_built_again(cache, spoil):
    config = NetworkConfig(1)
    weights = _weights(config)
    first = _graph(config, weights)
    (file,) = cache.iterdir()
    file.write_bytes(spoil(first))
    assert _graph(config, weights) == first
    (file,) = cache.iterdir()
    assert file.read_bytes() == first


def test_only_the_latest_are_kept(cache, monkeypatch):
    monkeypatch.setattr(graph_cache, "MAX_FILES", 2)
    config = NetworkConfig(1)
    weights = _weights(config)
    for name in "abc":
        _graph(config, weights, name)
    assert len(list(cache.iterdir())) == 2


def test_a_graph_in_a_cache_that_is_not_ours_is_read(cache, monkeypatch):
    config = NetworkConfig(1)
    first = _graph(config, _weights(config))

    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "touch", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr("agent.onnx_graph.build", None)
    assert _graph(config, {}) == first


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert agent.load("runner").n_units == 512


def _foreign(tmp_path, change):
    """The runner with other weights, whose hash is the one in its subject.toml."""
    folder = tmp_path / "foreign"
    shutil.copytree(ROOT / "subjects" / "runner", folder)
    weights = load_file(folder / "weights.safetensors")
    change(weights)
    old = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    save_file(weights, folder / "weights.safetensors")
    new = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    toml = folder / "subject.toml"
    toml.write_text(toml.read_text().replace(old, new))
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("mean"), "mean is missing"),
        (lambda w: w.update(other=w["mean"]), "other is not of this architecture"),
        (lambda w: w.update(mean=w["mean"][:-1]), r"mean is float32 \(157,\), not .* \(158,\)"),
        (lambda w: w.update(mean=w["mean"].astype(np.float64)), "mean is float64"),
        (lambda w: w.update(mean=w["mean"] * np.nan), "mean has numbers that are not finite"),
    ],
)
def test_foreign_weights_are_one_clear_sentence(tmp_path, change, words):
    with pytest.raises(agent.SubjectError, match=words) as caught:
        agent.load(_foreign(tmp_path, change))
    assert "weights.safetensors does not fit the architecture" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_graph_that_onnxruntime_refuses_is_one_clear_sentence():
    with pytest.raises(agent.SubjectError, match="cannot run this network") as caught:
        OnnxStep(NetworkConfig(), b"no graph", np.ones(38))
    assert "\n" not in str(caught.value)
