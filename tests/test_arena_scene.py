"""Scenes that are drawn in turns, as those of episodes that follow one another."""

from __future__ import annotations

import dataclasses
import weakref
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QBuffer, QIODevice, QPoint, QSettings, Qt
from PyQt6.QtGui import QImage
from pytestqt.qtbot import QtBot

from bench.synthetic_session import description
from gui.arena.arena_drawing import Paws
from gui.arena.arena_marks import TRAIL_CHOICES_S, ArenaHistory
from gui.arena.arena_memory import MOST_TEXELS, Scenes
from gui.arena.arena_scene import FIRST_VIEWS, Scene, View
from gui.arena.arena_view import ArenaView
from gui.look.theme import DARK
from gui.streams.stream import Batch
from rig.body_quantities import PAWS
from rig.bus.message_types import Description, Episode, Message, Tick

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


def test_a_high_picture_shows_as_much_from_side_to_side_as_a_square_one() -> None:
    scene = Scene(XML.format(floor="0 0 1"), {})
    assert scene.pose(START, None, jump=True)
    parts = []
    for height in (80, 160):
        view = View(elevation=-5.0, width=80, height=height)
        scene.fit(view, 1.0)
        image = scene.draw(view)
        row = [image.pixelColor(x, height // 2) for x in range(80)]
        parts.append(np.mean([colour.red() > 2 * colour.blue() for colour in row]))
    assert parts[0] == pytest.approx(parts[1], abs=0.04)
    assert parts[0] > 0.1
    scene.close()


def test_an_animal_that_runs_stays_in_the_middle_of_the_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And one that bounces is not followed up and down."""
    scene, now = Scene(XML.format(floor="0 0 1"), {}), [0.0]
    monkeypatch.setattr("gui.arena.arena_scene.time.monotonic", lambda: now[0])
    view = View(azimuth=90.0, elevation=-5.0, distance=1.0, width=80, height=60)
    scene.fit(view, 1.0)
    rows = []
    for frame in range(90):
        now[0] = frame / 30
        bounce = 0.01 * (-1) ** (frame // 3)
        assert scene.pose(START + np.array([now[0] - 1.5, 0, bounce, 0, 0, 0, 0]), None, jump=False)
        image = scene.draw(view)
        red = [
            (x, y)
            for x in range(80)
            for y in range(60)
            if image.pixelColor(x, y).red() > 2 * image.pixelColor(x, y).blue()
        ]
        if frame > 45:
            assert abs(np.mean([x for x, _ in red]) - 39.5) < 4  # of 80; the animal is 8 wide
            rows.append(np.mean([y for _, y in red]))
    assert np.ptp(rows) > 0.5
    scene.close()


RAT = """
<mujoco>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="plane" size="2 2 0.1" rgba="0 0 1 1"/>
    <geom pos="1 0 0" size="0.1" rgba="0 1 0 1"/>
    <body name="walker/torso" pos="0 0 0.1">
      <freejoint/><geom size="0.05" rgba="1 0 0 1" group="0"/>
      <camera name="walker/egocentric" pos="0.06 0 0" xyaxes="0 -1 0 0 0 1"/>
      <body name="walker/foot_L" pos="0 0.08 -0.08">
        <geom size="0.02" rgba="1 0 0 1"/>
        <body name="walker/toe_L" pos="0.03 0 0"><geom size="0.02" rgba="1 0 0 1"/></body>
      </body>
      <body name="walker/hand_R" pos="0.06 -0.08 0"><geom size="0.02" rgba="1 0 0 1"/></body>
    </body>
  </worldbody>
</mujoco>
"""
"""A trunk, a left foot and its toe, both on the ground, and a raised right hand; a green ball ahead of it."""


def _pixels(image: QImage) -> np.ndarray:
    size = image.sizeInBytes()
    shape = (image.height(), image.width(), 4)
    return (
        np.frombuffer(image.constBits().asstring(size), np.uint8)
        .reshape(shape)[..., 2::-1]
        .astype(int)
    )


def _body(description: Description, x: float, y: float) -> np.ndarray:
    values = dict.fromkeys(description.body_state, 0.0)
    values |= {"torso_x": x, "torso_y": y, "torso_z": 0.1, "torso_height": 0.1}
    return np.array(list(values.values()))


def _tick(number: int, body: np.ndarray, reward: float = 0.0, first: bool = False) -> Message:
    content = Tick(0, reward, 1.0, 0.0, first, False, 0.0)
    return Message(content, tick=number, arrays={"body": body})


def test_each_way_of_looking_and_what_is_drawn_beside_the_animal() -> None:
    scene, history, described = Scene(RAT, {}), ArenaHistory(), description()
    history.describe(described)
    for number in range(200):
        reward = 25.0 if number == 180 else 0.1
        body = _body(described, -0.8 + 0.004 * number, 0.0)
        history.add([_tick(number, body, reward, number == 0)])
    qpos = np.array([0, 0, 0.1, 1, 0, 0, 0])
    assert scene.pose(qpos, None, jump=True)
    pictures, marks = {}, history.marks()
    for mode, view in FIRST_VIEWS.items():
        view = dataclasses.replace(view, width=160, height=120, azimuth=view.azimuth % 90)
        scene.fit(view, 1.0)
        pictures[mode] = _pixels(scene.draw(view, marks))
        plain = _pixels(scene.draw(view))
        assert (pictures[mode] != plain).any() == (mode != "eye")
    # from behind and through its eye, the ball is ahead of it; from behind, it is in the picture itself
    red, green = [255, 0, 0], [0, 255, 0]

    def near(picture: np.ndarray, colour: list[int]) -> np.ndarray:
        other = picture[..., [k for k in range(3) if not colour[k]]].max(axis=-1)
        return picture[..., np.argmax(colour)] > 2 * other

    assert near(pictures["eye"], green).sum() > 100
    assert not near(pictures["eye"], red).any()
    assert near(pictures["follow"], red)[:, 60:100].sum() > 100
    turned = np.array([0, 0, 0.1, np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    scene.pose(turned, None, jump=True)
    view = dataclasses.replace(FIRST_VIEWS["follow"], width=160, height=120)
    assert not near(_pixels(scene.draw(view)), green).any()
    # the reward stands over the animal for a while
    (word,) = history.marks().rewards
    assert (word.words, word.place[0]) == ("+24.9", pytest.approx(-0.8 + 0.004 * 180))
    scene.draw(view, marks)
    scene.close()


WALLED = """
<mujoco>
  <asset><hfield name="hill" nrow="2" ncol="3" size="0.05 2 0.6 0.1" elevation="0 1 0 0 1 0"/></asset>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="plane" size="2 2 0.1" rgba="0 0 1 1"/>
    <geom {standing} rgba="0 1 0 1"/>
    <body name="walker/torso" pos="0 0 0.1"><freejoint/><geom size="0.05" rgba="1 0 0 1"/></body>
  </worldbody>
</mujoco>
"""


@pytest.mark.parametrize(
    "standing",
    ['type="box" size="0.02 2 0.3" pos="0.3 0 0.3"', 'type="hfield" hfield="hill" pos="0.3 0 0"'],
)
def test_the_camera_stays_out_of_walls_and_hills(standing: str) -> None:
    """It was asked to look through what stands beside the animal; it goes back where nothing does."""
    scene = Scene(WALLED.format(standing=standing), {})
    view = View(azimuth=180.0, width=160, height=120)
    scene.fit(view, 1.0)

    def seen(x_m: float, jump: bool) -> int:
        """Red pixels: how much is seen of the animal there."""
        assert scene.pose(START + np.eye(7)[0] * x_m, None, jump=jump)
        picture = _pixels(scene.draw(view))
        return int((picture[..., 0] > 2 * picture[..., 1:].max(axis=-1)).sum())

    free = seen(-1.5, True)
    assert free > 100
    for x_m in np.linspace(-0.6, 0.05, 14):
        assert seen(x_m, True) > 0.6 * free, x_m
    assert seen(-1.5, True) == free
    scene.close()


def test_paws_bear_where_mujoco_has_them_touch() -> None:
    import mujoco

    model = mujoco.MjModel.from_xml_string(RAT)
    data = mujoco.MjData(model)
    paws = Paws(mujoco, model)
    for height, expected in ((0.098, {"foot_L"}), (0.2, set())):
        data.qpos[:] = [0, 0, height, 1, 0, 0, 0]
        mujoco.mj_kinematics(model, data)
        found = paws.bearing(model, data)
        assert {PAWS[paw] for paw in found} == expected
        for place in found.values():
            np.testing.assert_allclose(place, [0.015, 0.08, 0.0], atol=0.01)
        mujoco.mj_forward(model, data)
        assert len(found) == (1 if data.ncon else 0)


def test_the_way_is_as_long_as_was_chosen_and_no_longer_than_the_trial() -> None:
    history, described = ArenaHistory(), description()
    history.describe(described)

    def length_s() -> float:
        trail = history.marks().trail
        return float(np.ptp(trail[:, 0])) if len(trail) else 0.0

    for number in range(2000):
        history.add([_tick(number, _body(described, 0.02 * number, 0.0), first=number == 0)])
    for trail_s in TRAIL_CHOICES_S:
        history.trail_s = trail_s
        assert length_s() == pytest.approx(trail_s, abs=0.5)
        assert len(history.marks().trail) < 60
    history.add([_tick(2000, _body(described, 0.0, 0.0), first=True)])
    history.add([_tick(2001, _body(described, 0.02, 0.0))])
    assert length_s() == pytest.approx(0.02)
    history.add([_tick(500, _body(described, 5.0, 0.0))])  # a replay that jumped
    assert length_s() == 0.0


def test_whence_one_looks_and_what_is_marked_is_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    views = [ArenaView(DARK), ArenaView(DARK)]
    for each in views:
        qtbot.addWidget(each)
        each.resize(400, 300)
    view, again = views
    view.restore(settings)
    assert (view.mode, view.buttons.trail_s, view.buttons.contacts) == ("orbit", 5, True)
    turned: list[str] = []
    view.turned.connect(lambda seen: turned.append(seen.mode))
    qtbot.mouseClick(view.buttons.views["top"], Qt.MouseButton.LeftButton)
    view.buttons.trails[30].trigger()
    view.buttons.paws.trigger()
    assert turned == ["top"]
    view.save(settings)
    again.restore(settings)
    assert (again.mode, again.buttons.trail_s, again.buttons.contacts) == ("top", 30, False)
    assert again.buttons.views["top"].isChecked()
    # from above a drag turns, and does not tilt
    elevation = again._view.elevation
    for kind in (qtbot.mousePress, qtbot.mouseMove, qtbot.mouseRelease):
        place = QPoint(200, 150) if kind is qtbot.mousePress else QPoint(260, 190)
        kind(again, *(() if kind is qtbot.mouseMove else (Qt.MouseButton.LeftButton,)), pos=place)
    assert again._view.elevation == elevation
    for name, wanted in (("arena_view", "sideways"), ("arena_trail_s", "long")):
        settings.setValue(name, wanted)
    again.restore(settings)
    assert (again.mode, again.buttons.trail_s) == ("orbit", 5)
    # where there is little room the buttons have numbers for names, and lie within the picture
    again.resize(210, 150)
    again.show()
    assert again.buttons.views["eye"].text() == "4"
    assert again.rect().contains(again.buttons.geometry())
    for view in views:
        view.close_renderer()


def test_the_arena_of_a_trial_that_is_shown_is_not_announced_again(qtbot: QtBot) -> None:
    view = ArenaView(DARK)
    qtbot.addWidget(view)
    first, second = (
        Message(Episode(trial, XML + " " * trial), tick=100 * trial) for trial in (0, 1)
    )
    view.take(Batch(description=Message(description()), episodes=[first]))
    view.show_image(QImage(80, 60, QImage.Format.Format_RGB32))
    view.take(Batch(episodes=[first]))  # a replay that jumped within it
    assert view.notice == ""
    assert view.renderer.n_episodes == 1
    view.take(Batch(episodes=[second]))
    assert view.notice.startswith("Trial 2 has begun")
    view.close_renderer()


TEXTURED = """
<mujoco>
  <asset>
    <texture name="wall" type="2d" file="wall.png"/>
    <texture name="sky" type="skybox" file="sky.png" gridsize="3 4" gridlayout=".U..LFRB.D.."/>
    <material name="wall" texture="wall"/>
  </asset>
  <worldbody>
    <geom type="plane" size="2 2 0.1" material="wall"/>
    <body name="animal" pos="0 0 0.1"><freejoint/><geom size="{size}"/></body>
  </worldbody>
</mujoco>
"""


def _png(width: int, height: int) -> bytes:
    picture = QImage(width, height, QImage.Format.Format_RGB32)
    picture.fill(Qt.GlobalColor.red)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    assert picture.save(buffer, "PNG")
    return bytes(buffer.data().data())


def test_one_scene_is_kept_until_one_is_wanted_again_and_walls_take_little_memory() -> None:
    assets = {"wall.png": _png(1024, 2048), "sky.png": _png(1024, 768)}
    first, second, third = (TEXTURED.format(size=size) for size in (0.05, 0.06, 0.07))
    scenes = Scenes()
    one = scenes.scene(first, assets, ())
    assert _drawn(one).shape == (60, 80, 3)
    model = one._model
    sizes = {model.texture(k).name: int(model.tex_width[k]) for k in range(model.ntex)}
    assert sizes == {"wall": MOST_TEXELS // 2, "sky": 256}
    assert scenes.scene(first, assets, ()) is one

    # trials that follow each other: the last one alone is kept
    gone = weakref.ref(one)
    del one, model
    two = scenes.scene(second, assets, ())
    assert gone() is None

    # a replay that goes back: two are kept, no more
    again = scenes.scene(first, assets, ())
    assert scenes.scene(first, assets, ()) is again
    assert scenes.scene(second, assets, ()) is two
    gone = weakref.ref(again)
    del again
    scenes.scene(third, assets, ())
    assert gone() is None
    scenes.close()
