"""Height fields drawn only where they can be seen: the same pictures, from fewer triangles."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scipy import ndimage

from rig.arenas import tasks
from rig.arenas.camera import CAMERA, EgocentricCamera
from rig.arenas.horizon import Horizon
from rig.errors import UserError
from rig.versions import camera_of, versions

TWO_FIELDS = f"""
<mujoco>
  <asset>
    <hfield name="wide" nrow="23" ncol="58" size="3 1 .4 .2"/>
    <hfield name="deep" nrow="41" ncol="17" size=".7 2 .3 .1"/>
  </asset>
  <worldbody>
    <light pos="0 0 4" dir="0 0 -1" directional="true"/>
    <geom type="hfield" hfield="wide" pos=".3 -.2 .1" euler="4 -7 30" rgba=".7 .5 .3 1"/>
    <geom type="hfield" hfield="deep" pos="-.5 1 .2" rgba=".3 .6 .4 1"/>
    <geom type="hfield" hfield="deep" pos="1 -3 .1" euler="0 0 80" rgba=".3 .4 .8 GLASS"/>
    <body name="eye" mocap="true"><camera name="{CAMERA}" fovy="70"/></body>
  </worldbody>
</mujoco>
"""


class Pair:
    """The same view twice: with and without what cannot be seen."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self.model, self.data = model, data
        self.culled = EgocentricCamera(model, data, "fast")
        self.whole = EgocentricCamera(model, data, "unculled")

    def look(self) -> tuple[np.ndarray, np.ndarray]:
        """The culled picture, and by how many grey levels each of its pixels differs from the whole."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        picture = self.culled.render()
        return picture, np.abs(picture.astype(int) - self.whole.render()).max(axis=-1)

    def drawn(self) -> list[float]:
        """Of each height field, how much was drawn."""
        return [field.drawn_fraction for field in self.culled._fields]

    def close(self) -> None:
        self.culled.close()
        self.whole.close()


def test_the_bowl_looks_the_same_from_many_poses_in_three_trials() -> None:
    rng = np.random.default_rng(0)
    environment = tasks.make("escape", 4)
    drawn, shown, differences = [], [], []
    for _ in range(3):
        environment.reset()
        model, data = environment.physics.model.ptr, environment.physics.data.ptr
        pair = Pair(model, data)
        ground = model.hfield_data.reshape(201, 201) * model.hfield_size[0, 2]
        for pose in range(24):
            if pose % 3 == 0:
                environment.step(rng.uniform(-1, 1, 38))
            else:  # anywhere, turned anyhow, close above the ground
                x, y = rng.uniform(-5.9, 5.9, 2)
                row, column = round((y + 6) / 0.06), round((x + 6) / 0.06)
                data.qpos[:3] = x, y, ground[row, column] + rng.uniform(0.02, 0.2)
                turn = rng.normal(size=4) * ((1, 0.1, 0.1, 1) if pose % 3 == 1 else (1, 1, 1, 1))
                data.qpos[3:7] = turn / np.linalg.norm(turn)
            picture, difference = pair.look()
            shown.append(picture)
            differences.append(difference)
            drawn += pair.drawn()
        pair.close()
    environment.close()
    # the driver may decide otherwise about a triangle seen exactly edge-on, in one pixel of many thousands
    assert np.mean(np.array(differences) > 1) < 1e-5
    # a quarter of the circle is in the view, and hills hide part of that
    assert np.mean(drawn) < 0.25
    assert len({picture.tobytes() for picture in shown}) > 65


@pytest.mark.parametrize("alpha", ["1", ".4"])
def test_any_height_fields_look_the_same_turned_shared_or_of_glass(alpha: str) -> None:
    model = mujoco.MjModel.from_xml_string(TWO_FIELDS.replace("GLASS", alpha))
    rng = np.random.default_rng(1)
    for field in range(2):
        rows, columns = model.hfield_nrow[field], model.hfield_ncol[field]
        heights = ndimage.gaussian_filter(rng.uniform(size=(rows, columns)), 1.2)
        heights = (heights - heights.min()) / np.ptp(heights)
        start = model.hfield_adr[field]
        model.hfield_data[start : start + rows * columns] = heights.ravel()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    pair, drawn, flat, differences = Pair(model, data), [], 0, []
    for _ in range(120):
        data.mocap_pos[0] = rng.uniform((-3, -3, 0), (3, 3, 1.2))
        turn = rng.normal(size=4)
        data.mocap_quat[0] = turn / np.linalg.norm(turn)
        picture, difference = pair.look()
        flat += int(np.ptp(picture) == 0)
        differences.append(difference)
        drawn.append(pair.drawn())
    pair.close()
    assert flat < 60
    assert np.mean(np.array(differences) > 1) < 1e-5
    assert (np.min(drawn, axis=0) < 0.05).all()
    assert (np.max(drawn, axis=0) > 0.3).all()


def test_only_the_fast_picture_is_culled() -> None:
    environment = tasks.make("escape", 0)
    environment.reset()
    for quality in ("unculled", "stock", "soft"):
        camera = EgocentricCamera(
            environment.physics.model.ptr, environment.physics.data.ptr, quality
        )
        assert not camera._fields
        camera.close()
    environment.close()


def test_no_line_of_sight_reaches_a_box_that_is_called_hidden() -> None:
    rng = np.random.default_rng(2)
    rows, columns, half_x, half_y = 61, 81, 2.0, 1.2
    hidden_boxes = 0
    for _ in range(30):
        heights = ndimage.gaussian_filter(rng.uniform(size=(rows, columns)), 2)
        heights = (heights - heights.min()) / np.ptp(heights) * 0.4
        horizon = Horizon(heights, half_x, half_y)
        at = lambda x, y, z=heights: ndimage.map_coordinates(  # noqa: E731
            z,
            [(y / half_y + 1) * (rows - 1) / 2, (x / half_x + 1) * (columns - 1) / 2],
            order=1,
        )
        eye = np.array([*rng.uniform((-1.8, -1), (1.8, 1)), 0.0])
        eye[2] = at(*eye[:2, None])[0] + rng.uniform(0.02, 0.3)
        corner = rng.uniform((-2, -1.2), (1.8, 1), (200, 2))
        low = np.column_stack([corner, np.zeros(200)])
        high = np.column_stack([corner + 0.2, rng.uniform(0, 0.4, 200)])
        hidden = horizon.hidden(eye, low, high)
        hidden_boxes += hidden.sum()
        for box in np.flatnonzero(hidden):
            points = rng.uniform(low[box], high[box], (40, 3))
            points[:, 2] = high[box, 2]
            along = np.linspace(0.001, 0.999, 400)
            line = eye + along[:, None, None] * (points - eye)
            risen = at(line[..., 0].ravel(), line[..., 1].ravel()).reshape(400, 40) > line[..., 2]
            assert risen.any(axis=0).all()
    assert hidden_boxes > 200


def test_an_eye_is_above_the_ground_only_where_there_is_room() -> None:
    heights = np.linspace(0, 1, 21)[None] * np.ones((21, 1))  # a slope of 1 in 2
    horizon = Horizon(heights, 1.0, 1.0)
    ground = 0.5
    assert horizon.is_above(np.array([0.01, 0.03, ground + 0.1]), 0.01)
    assert not horizon.is_above(np.array([0.01, 0.03, ground + 0.01]), 0.01)
    assert not horizon.is_above(np.array([0.01, 0.03, ground - 0.1]), 0.01)
    assert not horizon.is_above(np.array([1.5, 0.03, ground + 1]), 0.01)
    assert not horizon.is_above(np.array([0.01, 0.03, ground + 0.3]), 0.2)


def test_a_session_from_before_culling_is_run_again_without_it() -> None:
    assert versions()["camera"] == "fast"
    assert camera_of(versions()) == "fast"
    assert camera_of({"rodent-rig": "0.1.0"}) == "unculled"
    with pytest.raises(UserError, match=r"'x-ray', which this version does not have; .*\(9\)"):
        camera_of({"camera": "x-ray", "rodent-rig": "9"})
