"""Stimuli of every kind: what is applied, on which tick, is what the protocol asks for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import RunError
from rig.random_streams import generator
from stim.stimuli.baselines import BaselineRequest, Span
from stim.stimuli.stimuli import Delivery, Pulses, Stimulus, Units

LAYERS = {"core": 4, "policy_2": 3}
NATURAL = np.array([0.5, -1.0, 2.0, 0.25], np.float32)


def applied(
    delivery: Delivery, tick: int, since: int, lasting: int | None
) -> dict[str, list[float]]:
    """What becomes of `NATURAL` in each state at a tick; nothing where no intervention acts."""
    found = {}
    for each in delivery.interventions(tick, since, lasting):
        state = NATURAL.copy()
        state[each.units] = each.gain * state[each.units] + each.value
        assert each.gain.dtype == each.value.dtype == np.float32
        found[each.state] = state.tolist()
    return found


def deliver(stimulus: Stimulus, **values: object) -> Delivery:
    return Delivery(stimulus, LAYERS, 7, **values)  # type: ignore[arg-type]


def test_each_kind_does_what_its_name_says() -> None:
    some = Units("listed", listed=(2, 0))
    clamp = deliver(Stimulus("s", "clamp", "core", some, "cell", amount=0.125))
    assert applied(clamp, 9, 0, 5) == {"c": [0.125, -1.0, 0.125, 0.25]}
    bias = deliver(Stimulus("s", "bias", "core", some, "hidden", amount=0.5))
    assert applied(bias, 9, 0, 5) == {"h": [1.0, -1.0, 2.5, 0.25]}
    gain = deliver(Stimulus("s", "gain", "core", some, "both", amount=-2))
    assert applied(gain, 9, 0, 5) == {state: [-1.0, -1.0, -4.0, 0.25] for state in "ch"}
    lesion = deliver(Stimulus("s", "lesion", "core", Units("all"), "both"))
    assert applied(lesion, 9, 0, 5) == {"c": [0.0] * 4, "h": [0.0] * 4}
    waveform = ((1.0, 2.0), (3.0, 4.0))
    overwrite = deliver(Stimulus("s", "overwrite", "core", some, "cell", waveform=waveform))
    assert [applied(overwrite, 9, t, 5)["c"][:3:2] for t in range(3)] == [[3, 1], [4, 2], [4, 2]]


def test_noise_follows_from_seed_stimulus_and_tick_alone() -> None:
    noise = Stimulus("hiss", "noise", "core", Units("all"), "cell", amount=0.5)
    drawn = generator(7, "noise hiss c", 40).standard_normal(4)
    expected = (NATURAL + (0.5 * drawn).astype(np.float32)).tolist()
    assert applied(deliver(noise), 40, 3, None) == {"c": expected}
    assert applied(deliver(noise), 40, 0, 90) == {"c": expected}
    assert applied(deliver(noise), 41, 3, None) != {"c": expected}
    own = Stimulus("hiss", "noise", "core", Units("all"), "cell", amount=0.5, seed=7)
    assert applied(Delivery(own, LAYERS, 1234), 40, 0, None) == {"c": expected}


def test_a_ramp_passes_equal_steps_and_ends_where_it_began() -> None:
    clamp = Stimulus(
        "s", "clamp", "core", Units("all"), "cell", amount=0, ramp_up_ms=60, ramp_down_ms=40
    )
    delivery = deliver(clamp)
    shares = [applied(delivery, t, t, 8)["c"][2] / 2.0 for t in range(8)]
    assert shares == pytest.approx([0.75, 0.5, 0.25, 0, 0, 0, 1 / 3, 2 / 3])
    # an end that is not known cannot be approached
    assert applied(delivery, 7, 7, None)["c"] == [0, 0, 0, 0]


def test_between_pulses_units_are_natural() -> None:
    pulses = Pulses(width_ms=40, rate_hz=10, number=3)
    stimulus = Stimulus("s", "lesion", "core", Units("all"), "both", pulses=pulses)
    on = [bool(applied(deliver(stimulus), t, t, None)) for t in range(20)]
    assert on == [t % 5 < 2 and t < 15 for t in range(20)]
    assert stimulus.own_duration_ticks == 12  # from the first pulse to the end of the last


def test_means_and_templates_come_from_the_baseline() -> None:
    mean = BaselineRequest("quiet", "mean", "core", "h", Span(during="run"))
    clamp = Stimulus("s", "clamp", "core", Units("listed", (3, 1)), "hidden", means=(mean,))
    values = {mean: np.array([0.0, 0.1, 0.2, 0.3], np.float32)}
    found = applied(deliver(clamp, values=values), 0, 0, None)["h"]
    assert found == pytest.approx([0.5, 0.1, 2.0, 0.3])
    template = BaselineRequest("quiet", "template", "core", "c", around="rear", after_ms=40)
    waveform = np.arange(8, dtype=np.float32).reshape(2, 4)
    play = Stimulus(
        "s", "overwrite", "core", Units("first", count=2), "cell", templates=(template,)
    )
    assert play.own_duration_ticks == 2
    delivery = deliver(play, values={template: waveform})
    assert [applied(delivery, t, t, None)["c"][:2] for t in range(3)] == [[0, 1], [4, 5], [4, 5]]
    ranking = BaselineRequest("quiet", "ranking", "core", "h", Span(during="rear"))
    top = Units("top", count=2, ranked=ranking)
    order = {ranking: np.array([2, 0, 3, 1])}
    assert top.indices(4, 0, order).tolist() == [0, 2]
    for lacking in ({}, {mean: np.zeros(3, np.float32)}):
        with pytest.raises(RunError, match="quiet"):
            deliver(clamp, values=lacking)


kinds = st.sampled_from(["clamp", "bias", "gain", "noise", "lesion"])


@settings(max_examples=150, deadline=None)
@given(
    kind=kinds,
    state=st.sampled_from(["cell", "hidden", "both"]),
    units=st.lists(st.integers(0, 3), unique=True),
    amount=st.floats(-1000, 1000, width=32),
    up=st.integers(0, 10),
    down=st.integers(0, 10),
    lasting=st.one_of(st.none(), st.integers(1, 40)),
    pulses=st.one_of(st.none(), st.builds(Pulses, st.just(40.0), st.just(5.0), st.integers(1, 3))),
    since=st.integers(0, 39),
)
def test_no_stimulus_ever_applies_more_than_it_asks_for(
    kind: str,
    state: str,
    units: list[int],
    amount: float,
    up: int,
    down: int,
    lasting: int | None,
    pulses: Pulses | None,
    since: int,
) -> None:
    stimulus = Stimulus(
        "s", kind, "core", Units("listed", tuple(units)), state, amount=amount,
        ramp_up_ms=20 * up, ramp_down_ms=20 * down, pulses=pulses,
    )  # fmt: skip
    if lasting is not None and since >= lasting:
        return
    full = Delivery(Stimulus("s", kind, "core", stimulus.units, state, amount=amount), LAYERS, 7)
    whole, part = applied(full, 5, since, None), applied(deliver(stimulus), 5, since, lasting)
    strength = stimulus.strength(since, lasting)
    assert 0 <= strength <= 1
    if strength == 0 or not units:
        assert part == {}
        return
    assert set(part) == set(whole)
    for each, values in part.items():
        expected = NATURAL + strength * (np.array(whole[each]) - NATURAL)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-4 * max(1.0, abs(amount)))
        assert np.isfinite(values).all()
