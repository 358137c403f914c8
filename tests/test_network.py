"""The network: its shape, what trains what, its single step, and interventions."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.architecture import NetworkConfig
from agent.interventions import Intervention, apply, by_layer
from agent.network import Network, core_parameters
from agent.network_step import NetworkStep
from agent.onnx_graph import build
from agent.onnx_step import OnnxStep

CONFIGS = [NetworkConfig(layers, skip) for layers in (1, 2, 3) for skip in (True, False)]
NAMES = NetworkConfig().layer_names


def _network(config=None, seed=0):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    network = Network(config or NetworkConfig())
    with torch.no_grad():
        network.mean.normal_()
        network.std.uniform_(0.5, 2)
    return network


def _inputs(ticks, batch=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    senses = torch.randn(ticks, batch, 158, generator=generator)
    pixels = torch.randint(
        0, 256, (ticks, batch, 64, 64, 3), generator=generator, dtype=torch.uint8
    )
    return senses, pixels


def _onnx_step(network, interventions=True):
    weights = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    model = build(network.config, weights, interventions)
    return OnnxStep(network.config, model, np.exp(weights["log_std"]))


SENSES, PIXELS = (x[:, 0].numpy() for x in _inputs(6))
MAKE_STEP = {"torch": NetworkStep, "onnx": _onnx_step}


@pytest.fixture(scope="module", params=MAKE_STEP)
def step(request):
    """The step of one network, on PyTorch and on ONNX."""
    return MAKE_STEP[request.param](_network())


def _run(step, interventions_at, ticks=6):
    """Activity and means over some ticks; `interventions_at[k]` act at tick k."""
    step.reset()
    out = []
    for tick in range(ticks):
        some = by_layer(interventions_at.get(tick, ()), dict.fromkeys(NAMES, 128))
        out.append(step.step(SENSES[tick], PIXELS[tick], some))
    return out


@cache
def _plain(step):
    """What it does without interventions."""
    return _run(step, {})


@pytest.mark.parametrize("make_step", MAKE_STEP.values(), ids=MAKE_STEP)
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.policy_layers}-skip={c.skip}")
def test_every_architecture_trains_and_steps_as_its_sequences_run(config, make_step):
    network = _network(config)
    senses, pixels = _inputs(5, batch=3)
    out = network(senses, pixels, network.zero_state(3))
    assert out.mean.shape == (5, 3, 38)
    assert out.value.shape == (5, 3)
    (out.mean.pow(2).mean() + out.value.pow(2).mean()).backward()
    missing = [n for n, p in network.named_parameters() if p.grad is None and n != "log_std"]
    assert not missing
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    step = make_step(network)
    for tick in range(5):
        mean, value, activity = step.step(senses[tick, 0].numpy(), pixels[tick, 0].numpy(), {})
        np.testing.assert_allclose(mean, out.mean[tick, 0].detach().numpy(), atol=1e-5)
        assert value == pytest.approx(float(out.value[tick, 0].detach()), abs=1e-5)
    last_h = torch.cat([h[0] for h, _ in out.state]).detach().numpy()
    last_c = torch.cat([c[0] for _, c in out.state]).detach().numpy()
    np.testing.assert_allclose(activity.h_applied, last_h, atol=1e-5)
    np.testing.assert_allclose(activity.c_applied, last_c, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.policy_layers}-skip={c.skip}")
def test_no_gradient_of_the_policy_reaches_the_core(config):
    network = _network(config)
    senses, pixels = _inputs(4, batch=2)
    out = network(senses, pixels, network.zero_state(2))
    out.mean.pow(2).sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in core_parameters(network))
    assert network.lstms[1].weight_ih_l0.grad.any()
    network.zero_grad(set_to_none=True)
    network(senses, pixels, network.zero_state(2)).value.sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.lstms[0].parameters())
    assert network.action.weight.grad is None


def test_the_policy_reads_the_core(step):
    """The core has no gradient from the policy, but the policy does depend on what it says."""
    silenced = Intervention("core", "h", np.arange(128), np.zeros(128), np.zeros(128))
    other = _run(step, {0: [silenced]}, ticks=1)
    assert not np.array_equal(other[0][0], _plain(step)[0][0])


def test_a_layer_count_that_the_paper_does_not_have_is_refused():
    with pytest.raises(ValueError, match="1, 2 or 3"):
        NetworkConfig(policy_layers=4)


# --- interventions ----------------------------------------------------------------------------------

finite = st.floats(-4, 4, allow_nan=False, width=32)


@st.composite
def interventions(draw):
    units = draw(st.lists(st.integers(0, 127), unique=True, max_size=8))
    n = len(units)
    return Intervention(
        draw(st.sampled_from(NAMES)),
        draw(st.sampled_from(["c", "h"])),
        np.array(units, np.int64),
        np.array(draw(st.lists(finite, min_size=n, max_size=n)), np.float32),
        np.array(draw(st.lists(finite, min_size=n, max_size=n)), np.float32),
    )


def _same(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] == other[1]
    for name in ("c_natural", "h_natural", "c_applied", "h_applied"):
        np.testing.assert_array_equal(getattr(one[2], name), getattr(other[2], name))


def test_without_interventions_natural_is_applied(step):
    for _, _, activity in _plain(step):
        np.testing.assert_array_equal(activity.c_natural, activity.c_applied)
        np.testing.assert_array_equal(activity.h_natural, activity.h_applied)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.lists(interventions(), min_size=1, max_size=4))
def test_before_and_without_interventions_the_step_is_the_plain_one_to_the_bit(step, tick, some):
    ran = _run(step, {tick: some}, ticks=tick + 1)
    for k in range(tick):
        _same(ran[k], _plain(step)[k])
    empty = [Intervention(one.layer, one.state, [], [], []) for one in some]
    for one, other in zip(_run(step, {1: empty}), _plain(step), strict=True):
        _same(one, other)


@settings(max_examples=40, deadline=None)
@given(interventions())
def test_applied_values_are_what_was_asked_and_other_units_are_untouched(step, one):
    ran = _run(step, {2: [one]}, ticks=3)[2][2]
    plain = _plain(step)[2][2]
    layer = NAMES.index(one.layer)
    span = slice(128 * layer, 128 * layer + 128)
    natural_c, natural_h = ran.c_natural[span], ran.h_natural[span]
    # up to and with this layer, what the units would have done is not changed by it
    for name in ("c_natural", "h_natural"):
        np.testing.assert_array_equal(
            getattr(ran, name)[: span.stop], getattr(plain, name)[: span.stop]
        )
    others = np.setdiff1d(np.arange(128), one.units)
    np.testing.assert_array_equal(ran.c_applied[span][others], natural_c[others])
    np.testing.assert_array_equal(ran.h_applied[span][others], natural_h[others])
    asked = one.gain * (natural_c if one.state == "c" else natural_h)[one.units] + one.value
    if one.state == "c":
        np.testing.assert_array_equal(ran.c_applied[span][one.units], asked)
        # h follows c through the output gate o, which is h / tanh(c) of the natural values
        gate = natural_h[one.units] / np.tanh(natural_c[one.units])
        np.testing.assert_allclose(
            ran.h_applied[span][one.units], gate * np.tanh(asked), rtol=1e-3, atol=1e-5
        )
    else:
        np.testing.assert_array_equal(ran.h_applied[span][one.units], asked)
        np.testing.assert_array_equal(ran.c_applied[span], natural_c)


huge = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(["c", "h"]), huge, huge, finite)
def test_nothing_infinite_comes_of_the_largest_gains_and_values_tick_after_tick(
    step, layer, state, gain, value, other
):
    every = np.arange(128)
    some = [
        Intervention(layer, state, every, np.full(128, gain), np.full(128, value)),
        Intervention(layer, state, every, np.full(128, gain), np.full(128, other)),
    ]
    for action, estimate, activity in _run(step, dict.fromkeys(range(6), some), ticks=6):
        assert np.isfinite(action).all()
        assert np.isfinite(estimate)
        for name in ("c_natural", "h_natural", "c_applied", "h_applied"):
            assert np.isfinite(getattr(activity, name)).all()


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(["c", "h"]), finite)
def test_a_clamp_holds_exactly_and_is_what_the_recurrence_and_the_layers_above_read(
    step, layer, state, value
):
    units = np.arange(0, 128, 2)
    clamp = Intervention(layer, state, units, np.zeros(64), np.full(64, value))
    ran = _run(step, {k: [clamp] for k in range(1, 4)}, ticks=4)
    span = slice(128 * NAMES.index(layer), 128 * NAMES.index(layer) + 128)
    for _, _, activity in ran[1:]:
        applied = activity.c_applied if state == "c" else activity.h_applied
        np.testing.assert_array_equal(applied[span][units], np.float32(value))
    # the next tick differs in the clamped layer itself: its recurrence read the applied values
    assert not np.array_equal(ran[2][2].c_natural[span], _plain(step)[2][2].c_natural[span])
    # and the action differs at once: all above read them in the same tick
    if layer != "core":
        assert not np.array_equal(ran[1][0], _plain(step)[1][0])
    else:
        assert ran[1][1] != _plain(step)[1][1]


def test_a_lesion_silences_and_several_act_in_list_order(step):
    units = np.array([3, 5])
    lesion = [
        Intervention("policy_1", state, units, np.zeros(2), np.zeros(2)) for state in ("c", "h")
    ]
    activity = _run(step, {1: lesion}, ticks=2)[1][2]
    assert not activity.c_applied[256 + units].any()
    assert not activity.h_applied[256 + units].any()
    twice = [
        Intervention("policy_1", "h", units, np.zeros(2), np.full(2, 0.5)),
        Intervention("policy_1", "h", units, np.full(2, 2.0), np.full(2, 0.25)),
    ]
    activity = _run(step, {1: twice}, ticks=2)[1][2]
    np.testing.assert_array_equal(activity.h_applied[256 + units], np.float32(1.25))
    activity = _run(step, {1: twice[::-1]}, ticks=2)[1][2]
    np.testing.assert_array_equal(activity.h_applied[256 + units], np.float32(0.5))


def test_hidden_interventions_act_after_those_on_cells():
    c, h = np.full(4, 0.3, np.float32), np.full(4, 0.2, np.float32)
    gate = np.full(4, 0.5, np.float32)
    on_h = Intervention("core", "h", [1], [1.0], [1.0])
    on_c = Intervention("core", "c", [1, 2], [0.0, 0.0], [1.0, 1.0])
    apply([on_h, on_c], c, h, gate)
    np.testing.assert_allclose(c, [0.3, 1, 1, 0.3])
    np.testing.assert_allclose(h, [0.2, 0.5 * np.tanh(1) + 1, 0.5 * np.tanh(1), 0.2], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Intervention("core", "x", [0], [0.0], [0.0]), "'c' or 'h'"),
        (lambda: Intervention("core", "c", [0], [np.nan], [0.0]), "finite"),
        (lambda: Intervention("core", "c", [0], [0.0], [np.inf]), "finite"),
        (lambda: Intervention("core", "c", [0, 1], [0.0], [0.0]), "one gain and one value"),
        (lambda: Intervention("core", "c", [1, 1], [0.0, 1.0], [0.0, 0.0]), "twice"),
        (
            lambda: by_layer([Intervention("policy_9", "c", [0], [0.0], [0.0])], {"core": 128}),
            "core",
        ),
        (
            lambda: by_layer([Intervention("core", "c", [128], [0.0], [0.0])], {"core": 128}),
            "0 to 127",
        ),
        (
            lambda: by_layer([Intervention("core", "c", [-1], [0.0], [0.0])], {"core": 128}),
            "0 to 127",
        ),
    ],
)
def test_impossible_interventions_are_refused_in_one_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()
