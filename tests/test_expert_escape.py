"""The expert of the bowl gets up from where it is dropped, and gets away from the centre."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mujoco")

from agent.training import righting
from agent.training.experts import Skills, expert_for
from agent.training.gait import sided
from rig.arenas import tasks

SKILLS = Skills(Path(__file__).parents[1] / "runs" / "rodent" / "skills")
needs_skills = pytest.mark.skipif(
    not (SKILLS.folder / "righting.npz").exists(), reason="the skills have not been trained"
)


def test_the_movement_mirrors() -> None:
    """An animal on its other side does the same with its other limbs, and bends the other way."""
    names = [sided(j, s) for j in righting.LIMB for s in "LR"]
    names += [*righting.TRUNK_ODD, *righting.TRUNK_EVEN]
    actuators = {name: i for i, name in enumerate(names)}
    rng = np.random.default_rng(0)
    parameters = 0.4 * rng.normal(size=(1, righting.N_PARAMETERS))
    stand = np.zeros(len(names))
    one, other = righting.movements(parameters, actuators, stand)[0]
    for joint in righting.LIMB:
        left, right = actuators[sided(joint, "L")], actuators[sided(joint, "R")]
        np.testing.assert_allclose(one[:, left], other[:, right])
        np.testing.assert_allclose(one[:, right], other[:, left])
        assert not np.allclose(one[:, left], one[:, right])
    for joint in righting.TRUNK_ODD:
        np.testing.assert_allclose(one[:, actuators[joint]], -other[:, actuators[joint]])
    for joint in righting.TRUNK_EVEN:
        np.testing.assert_allclose(one[:, actuators[joint]], other[:, actuators[joint]])


def test_up_in_the_body() -> None:
    """Rolled to its right by a quarter turn, the animal has its left side up."""
    half = np.pi / 4
    up = righting.up_in_body(np.array([[0, 0, 0, np.cos(half), np.sin(half), 0, 0]]))
    np.testing.assert_allclose(up, [[0, 1, 0]], atol=1e-12)


@needs_skills
def test_it_gets_up_and_away() -> None:
    """A start from which it gets up and away in 4 s. From others it takes longer, or does not."""
    environment = tasks.make("escape", 11)
    environment.reset()
    expert = expert_for("escape", SKILLS)
    expert.begin(environment)
    matrix = environment.physics.named.data.xmat
    up_for = 0
    for _ in range(200):
        action = expert.act()
        assert action.shape == (38,)
        assert np.abs(action).max() <= 1
        environment.step(action)
        up = min(matrix["walker/torso", "zz"], matrix["walker/pelvis", "zz"])
        up_for = up_for + 1 if up > 0.6 else 0
        if up_for > 10 and expert.cues()["out_distance"] > 0.3:
            return
    pytest.fail(f"up for {up_for} ticks, {expert.cues()['out_distance']:.2f} m from the centre")


@needs_skills
def test_the_way_out_is_a_cue_only_where_the_slope_shows_it() -> None:
    """Standing 2 m east of the centre and looking north, the way out is a quarter turn to the right."""
    environment = tasks.make("escape", 5)
    environment.reset()
    expert = expert_for("escape", SKILLS)
    expert.begin(environment)
    physics = environment.physics
    half = np.pi / 4
    for x, seen in ((2.0, True), (0.2, False)):
        with physics.reset_context():
            physics.data.qpos[:7] = (x, 0, 1.0, np.cos(half), 0, 0, np.sin(half))
        cues = expert.cues()
        assert cues["out_distance"] == pytest.approx(x, abs=0.05)
        assert ("out_bearing" in cues) == seen
        if seen:
            assert cues["out_bearing"] == pytest.approx(-np.pi / 2, abs=0.05)
