"""What the vision encoder is pretrained by: images from many places, and where in them things are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rig.arenas.camera import EgocentricCamera
from training.experts import Skills
from training.rollout.auxiliary_targets import SCALES, TARGETS
from training.rollout.task_env import TaskEnv

SKILLS = Skills(Path(__file__).parents[1] / "subjects" / "rodent" / "skills")


def _environment(task: str, seed: int = 0) -> TaskEnv:
    return TaskEnv(task, SKILLS, shadows=False, seed=np.array([seed, 2, 3, 4], np.uint32))


def _target(targets: np.ndarray, name: str) -> float:
    return float(targets[TARGETS.index(name)]) * SCALES.get(name, 1.0)


def test_an_orb_is_in_the_image_where_the_targets_say() -> None:
    """In three arenas, from 50 poses in each."""
    errors, seen = [], 0
    for seed in range(3):
        env, rng = _environment("two_tap", seed), np.random.default_rng(seed)
        env.expert_action()
        for _ in range(50):
            pose = env.sample_pose(rng)
            assert pose is not None
            image, targets = env.render_from(pose)
            red, green, blue = np.moveaxis(image.astype(int), -1, 0)
            rows, columns = np.nonzero((green > 1.6 * red) & (green > 1.6 * blue) & (green > 60))
            if not len(rows):
                continue
            seen += 1
            if min(rows.min(), columns.min()) > 0 and max(rows.max(), columns.max()) < 63:
                assert _target(targets, "orb_seen") == 1
                errors.append(columns.mean() / 31.5 - 1 - _target(targets, "orb_right"))
                errors.append(1 - rows.mean() / 31.5 - _target(targets, "orb_up"))
        env.close()
    assert seen > 40
    assert len(errors) > 40
    assert np.sqrt(np.mean(np.square(errors))) < 0.06


def test_every_task_but_the_bowl_has_other_places_and_the_simulation_stays() -> None:
    rng = np.random.default_rng(0)
    for task in ("corridor", "gaps", "forage", "escape", "two_tap"):
        env = _environment(task)
        for _ in range(3):
            env.step(env.expert_action())
        state, image = env._data.qpos.copy(), env.render()
        proprioception, targets = env.proprioception(), env.auxiliary_targets()
        places = [env.sample_pose(rng) for _ in range(5)]
        assert all((place is None) == (task == "escape") for place in places)
        others = [env.render_from(place)[0] for place in places if place is not None]
        assert not any(np.array_equal(other, image) for other in others)
        np.testing.assert_array_equal(env._data.qpos, state)
        np.testing.assert_array_equal(env.render(), image)
        np.testing.assert_array_equal(env.proprioception(), proprioception)
        np.testing.assert_array_equal(env.auxiliary_targets(), targets)
        env.close()


def test_edges_are_rendered_as_often_near_as_far() -> None:
    """Animals that run see few edges from where centimetres count."""
    heights = []
    for seed in range(3):
        env, rng = _environment("gaps", seed), np.random.default_rng(seed)
        for _ in range(70):
            pose = env.sample_pose(rng)
            assert pose is not None
            _, targets = env.render_from(pose)
            if _target(targets, "gap_seen"):
                heights.append(_target(targets, "near_edge"))
        env.close()
    assert len(heights) > 60
    assert np.abs(heights).max() < 1
    assert np.std(heights) > 0.15


def test_an_environment_that_is_reset_leaves_the_others_their_cameras() -> None:
    """A camera that was closed while another's OpenGL context was current froze that one's image."""
    envs = [_environment(task) for task in ("two_tap", "gaps", "forage")]
    for _ in range(2):
        for env in envs:
            env.render()
        envs[0].reset()
        for env in envs[1:]:
            before = env.render()
            for _ in range(10):
                env.step(env.expert_action())
            after = env.render()
            assert not np.array_equal(after, before)
            camera = EgocentricCamera(env._model, env._data, "fast")
            np.testing.assert_array_equal(after, camera.render())
            camera.close()
    for env in envs:
        env.close()
