"""What the eyes are taught by: pictures from many places, and where in them things are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rig.arenas.camera import EgocentricCamera
from training.experts import Skills
from training.rollout.auxiliary_targets import CUES, SCALES
from training.rollout.vector_env import Animal

SKILLS = Skills(Path(__file__).parents[1] / "subjects" / "rodent" / "skills")


def _animal(task: str) -> Animal:
    return Animal(task, SKILLS, soft=False, seed=np.array([1, 2, 3, 4], np.uint32))


def _told(cues: np.ndarray, name: str) -> float:
    return float(cues[CUES.index(name)]) * SCALES.get(name, 1.0)


def test_an_orb_is_in_the_picture_where_the_cues_say() -> None:
    animal, rng = _animal("two_tap"), np.random.default_rng(0)
    animal.label()
    misses, seen = [], 0
    for _ in range(150):
        there = animal.elsewhere(rng)
        assert there is not None
        picture, cues = there
        red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
        rows, columns = np.nonzero((green > 1.6 * red) & (green > 1.6 * blue) & (green > 60))
        if not len(rows):
            continue
        seen += 1
        inside = min(rows.min(), columns.min()) > 0 and max(rows.max(), columns.max()) < 63
        if inside:
            assert _told(cues, "orb_seen") == 1
            misses.append(columns.mean() / 31.5 - 1 - _told(cues, "orb_right"))
            misses.append(1 - rows.mean() / 31.5 - _told(cues, "orb_up"))
    animal.close()
    assert seen > 40
    assert len(misses) > 40
    assert np.sqrt(np.mean(np.square(misses))) < 0.06


def test_every_task_but_the_bowl_has_other_places_and_the_simulation_stays() -> None:
    rng = np.random.default_rng(0)
    for task in ("corridor", "gaps", "forage", "escape", "two_tap"):
        animal = _animal(task)
        for _ in range(3):
            animal.step(animal.label())
        state, picture = animal._data.qpos.copy(), animal.see()
        felt, cues = animal.feel(), animal.cues()
        others = [animal.elsewhere(rng) for _ in range(5)]
        assert all((other is None) == (task == "escape") for other in others)
        if task != "escape":
            assert not any(np.array_equal(other[0], picture) for other in others if other)
        np.testing.assert_array_equal(animal._data.qpos, state)
        np.testing.assert_array_equal(animal.see(), picture)
        np.testing.assert_array_equal(animal.feel(), felt)
        np.testing.assert_array_equal(animal.cues(), cues)
        animal.close()


def test_an_edge_is_told_as_often_near_as_far() -> None:
    """Animals that run see few edges from where centimetres count."""
    animal, rng = _animal("gaps"), np.random.default_rng(0)
    heights = []
    for _ in range(200):
        there = animal.elsewhere(rng)
        assert there is not None
        if _told(there[1], "gap_seen"):
            heights.append(_told(there[1], "near_edge"))
    animal.close()
    assert len(heights) > 60
    assert np.abs(heights).max() < 1
    assert np.std(heights) > 0.15


def test_one_that_begins_anew_leaves_the_others_their_eyes() -> None:
    """A camera that was closed while another's OpenGL context was current froze that one's picture."""
    animals = [_animal(task) for task in ("two_tap", "gaps", "forage")]
    for _ in range(2):
        for animal in animals:
            animal.see()
        animals[0].restart()
        for animal in animals[1:]:
            before = animal.see()
            for _ in range(10):
                animal.step(animal.label())
            after = animal.see()
            assert not np.array_equal(after, before)
            camera = EgocentricCamera(animal._model, animal._data, "fast")
            np.testing.assert_array_equal(after, camera.render())
            camera.close()
    for animal in animals:
        animal.close()
