"""Scenes that are drawn in turns, as those of episodes that follow one another."""

from __future__ import annotations

import numpy as np

from gui.arena_scene import Scene, View

XML = """
<mujoco>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="plane" size="2 2 0.1" rgba="{floor} 1"/>
    <body name="animal" pos="0 0 0.1"><freejoint/><geom size="0.05" rgba="1 0 0 1"/></body>
  </worldbody>
</mujoco>
"""
START = np.array([0, 0, 0.1, 1, 0, 0, 0])


def _drawn(scene: Scene, x_m: float = 0.0) -> np.ndarray:
    assert scene.pose(START + np.eye(7)[0] * x_m, None, jump=True)
    view = View(width=80, height=60)
    scene.fit(view, 1.0)
    image = scene.draw(view)
    bits = image.constBits()
    assert bits is not None
    bits.setsize(image.sizeInBytes())
    return np.frombuffer(bytes(bits), np.uint8).reshape(60, 80, 4)[..., :3].copy()


def test_a_scene_that_is_closed_leaves_the_others_their_pictures() -> None:
    blue, green = Scene(XML.format(floor="0 0 1"), {}), Scene(XML.format(floor="0 1 0"), {})
    expected = _drawn(blue)
    there = _drawn(green)
    assert not np.array_equal(expected, there)
    _drawn(blue, 0.3)
    green.close()
    np.testing.assert_array_equal(_drawn(blue), expected)
    again = Scene(XML.format(floor="0 1 0"), {})
    np.testing.assert_array_equal(_drawn(again), there)
    for scene in (blue, again):
        scene.close()
