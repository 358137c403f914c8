"""Orbs that change colour and move: streamed, recorded, replayed and drawn as they are in the simulation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import mujoco
import numpy as np
import pytest
from PyQt6.QtCore import QSettings
from PyQt6.QtGui import QImage
from pytestqt.qtbot import QtBot

import recorder
from analysis.session_picture import third_person_frame
from bench.synthetic_session import Stream, description
from gui.main_window import MainWindow
from recorder.file_rotation import RotationLimit
from recorder.replay import ReplaySource
from recorder.rotating_writer import RotatingWriter
from recorder.writer import Writer
from rig.animal import Animal
from rig.bus.message_types import Assets, Episode, Message
from tests.recorder_checks import assert_same

FIRST_TAP, SECOND_TAP, N_TICKS = 8, 48, 60
FIRST_OF_PART = 30
LOOKS = ("target_sphere_init", "target_sphere_inter", "target_sphere_final")


@dataclass
class RecordedTaps:
    """Ticks of a real animal; `orbs` are the places and the textures of the orb as MuJoCo has them."""

    file: Path
    sent: list[Message]
    orbs: list[tuple[tuple[float, ...], str]]

    @property
    def shows(self) -> dict[int, str]:
        """A tick for each colour, at which the orb is above the animal."""
        last = {texture.rpartition("/")[2]: k for k, (_, texture) in enumerate(self.orbs)}
        return {FIRST_TAP - 2: "green", last[LOOKS[1]] - 5: "yellow", last[LOOKS[2]]: "blue"}


@pytest.fixture(scope="module")
def tapped(tmp_path_factory: pytest.TempPathFactory) -> RecordedTaps:
    """Two taps 800 ms apart, by an orb that comes to the hand; recorded in one file, and in two."""
    folder = tmp_path_factory.mktemp("props")
    animal = Animal("two_tap", 3)
    animal.begin_trial(0)
    model, data = animal.model, animal._data
    described = description(n_qpos=model.nq, n_qvel=model.nv, n_act=model.na, task="two_tap")
    stream = Stream(described)
    files = {name: np.frombuffer(blob, np.uint8) for name, blob in animal.assets.items()}
    sent = [stream.message(described, -1), stream.message(Assets(), -1, **files)]
    pattern = stream.ticks(0, N_TICKS)
    sent.append(replace(next(pattern), content=Episode(0, animal.xml, animal.props)))
    (orb,) = (k for k in range(model.ngeom) if "target" in model.geom(k).name)
    orbs = []
    for tick in range(N_TICKS):
        moment = animal.observe()
        message, answer = next(pattern), next(pattern)
        arrays = {**message.arrays, "qpos": moment.qpos, "qvel": moment.qvel}
        arrays |= {"act": moment.act, "body": moment.body, "props": moment.props}
        del arrays["camera"]
        sent += [replace(message, arrays=arrays), answer]
        shown = model.mat_texid[model.geom_matid[orb]].max()
        orbs.append((tuple(data.geom_xpos[orb].tolist()), str(model.tex(shown).name)))
        if tick in (FIRST_TAP, SECOND_TAP):
            model.geom_pos[orb] = data.xpos[model.body("walker/hand_L").id]
        else:
            model.geom_pos[orb] = data.xpos[model.body("walker/torso").id] + (0, 0, 0.12)
        animal.act(np.zeros(38))
    animal.close()
    sent.append(stream.end(N_TICKS))
    whole, parted = folder / "whole.nwb", folder / "parted.nwb"
    for writer in (
        Writer(whole, described, files, session="test"),
        RotatingWriter(parted, described, files, session="test", limit=RotationLimit(after_s=0.6)),
    ):
        for message in sent[2:]:
            writer.add(message)
        writer.close()
    return RecordedTaps(whole, sent, orbs)


def test_what_is_sent_is_where_the_orb_is_and_how_it_looks(tapped: RecordedTaps) -> None:
    looks = [texture.rpartition("/")[2] for _, texture in tapped.orbs]
    assert list(dict.fromkeys(looks)) == list(LOOKS)
    assert looks.index(LOOKS[1]) == FIRST_TAP + 1
    assert looks.index(LOOKS[2]) == SECOND_TAP + 1
    episode, *ticks = (m for m in tapped.sent if m.topic in ("episode", "tick"))
    assert isinstance(episode.content, Episode)
    assert episode.content.props == ("target_0_0/geom",)
    model = mujoco.MjModel.from_xml_string(
        episode.content.xml, {name: each.tobytes() for name, each in tapped.sent[1].arrays.items()}
    )
    for message, (place, texture) in zip(ticks, tapped.orbs, strict=True):
        (row,) = message.arrays["props"].tolist()
        assert tuple(row[:3]) == place
        assert model.tex(int(row[3])).name == texture
        assert row[4] == 1.0


def test_it_is_recorded_where_it_changes_and_replayed_with_every_tick(tapped: RecordedTaps) -> None:
    """In one file, and in each of two; from any tick on, in a recording of before there were props, too."""
    with ReplaySource(tapped.file) as source:
        for mine, theirs in zip(source.messages(0, N_TICKS), tapped.sent[2:-1], strict=True):
            assert_same(mine, theirs)
        for tick in (0, FIRST_TAP, FIRST_TAP + 1, SECOND_TAP + 3):
            (shown,) = (m for m in source.messages(tick, tick) if m.topic == "tick")
            assert_same(shown, tapped.sent[3 + 2 * tick])
        assert not [each for each in source.recording.log if each.kind == "malformed"]
        rows = source.recording.table("processing/record/props")
        changes = 1 + sum(a != b for a, b in pairwise(tapped.orbs))
        assert rows.n_rows == changes <= N_TICKS
    second = tapped.file.with_name("parted_001.nwb")
    with ReplaySource(second) as source:
        assert source.first_tick == FIRST_OF_PART
        got = source.messages(FIRST_OF_PART, N_TICKS)
        for mine, theirs in zip(got[1:], tapped.sent[3 + 2 * FIRST_OF_PART : -1], strict=True):
            assert_same(mine, theirs)
        assert got[0].content == tapped.sent[2].content
    with ReplaySource([tapped.file.with_name("parted.nwb"), second]) as source:
        joined = source.messages(0, N_TICKS)
        for mine, theirs in zip(joined, tapped.sent[2:-1], strict=True):
            assert_same(mine, theirs)
    with h5py.File(second, "r+") as file:
        del file["processing/record/props"]
        for name in ("props", "props_index"):
            del file[f"scratch/models/{name}"]
    with ReplaySource(second) as source:
        episode, first, *_ = source.messages(FIRST_OF_PART, N_TICKS)
        assert isinstance(episode.content, Episode)
        assert episode.content.props == ()
        assert "props" not in first.arrays
        assert first.arrays["qpos"].size


def test_what_does_not_fit_is_noted_and_not_written(tapped: RecordedTaps, tmp_path: Path) -> None:
    messages, path = list(tapped.sent[:9]), tmp_path / "wrong.nwb"
    for k, wrong in ((5, np.zeros((2, 5))), (7, np.zeros((1, 4)))):
        messages[k] = replace(messages[k], arrays={**messages[k].arrays, "props": wrong})
    without = {k: each for k, each in tapped.sent[9].arrays.items() if k != "props"}
    messages += [replace(tapped.sent[9], arrays=without), tapped.sent[10]]
    described: Any = messages[0].content
    writer = Writer(path, described, {}, session="test")
    for message in messages[2:]:
        writer.add(message)
    writer.close()
    with recorder.open(path) as recording:
        said = [each.text for each in recording.log if each.kind == "malformed"]
        assert said == [f"Tick {tick} came without fitting props." for tick in (1, 2, 3)]
        first = tapped.sent[3].arrays["props"]
        for props in recording.props.at(range(4)):
            assert props is not None
            assert props.tobytes() == first.tobytes()


# --- drawn ------------------------------------------------------------------------------------------


def colour_of(pixels: np.ndarray) -> str:
    """That of the orb above the animal: how it is before, between and after its taps."""
    height, width, _ = pixels.shape
    part = pixels[height // 10 : 4 * height // 10, 42 * width // 100 : 58 * width // 100]
    red, green, blue = np.moveaxis(part.astype(int), -1, 0)
    counts = {
        "green": ((green > 70) & (red < 25) & (blue < 25)).sum(),
        "yellow": ((red > 150) & (abs(red - green) < 25) & (blue < 0.7 * red)).sum(),
        "blue": ((blue > 120) & (blue > green + 35) & (green > red + 25)).sum(),
    }
    found = max(counts, key=lambda colour: counts[colour])
    return found if counts[found] > 0.05 * red.size else "none"


def test_a_picture_of_the_session_shows_it(tapped: RecordedTaps) -> None:
    with recorder.open(tapped.file) as recording:
        tick = next(tick for tick, colour in tapped.shows.items() if colour == "yellow")
        assert colour_of(third_person_frame(recording, tick, (320, 240))) == "yellow"


def test_the_window_shows_it_forth_and_back(
    qtbot: QtBot, tapped: RecordedTaps, tmp_path: Path
) -> None:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(None, settings)
    window.resize(1280, 800)
    window.show()
    window.replay(tapped.file, speed=0.1)
    qtbot.waitUntil(lambda: window.tick >= 0, timeout=60_000)
    window.player.toggle_play()

    def drawn() -> str:
        image = window.panels.arena.image
        return "none" if image is None else colour_of(pixels_of(image))

    for tick, colour in (*tapped.shows.items(), *reversed(tapped.shows.items())):
        window.player.seek(tick)
        qtbot.waitUntil(lambda colour=colour: drawn() == colour, timeout=30_000)  # type: ignore[misc]
        assert window.tick == tick
    window.close()


def pixels_of(image: QImage) -> np.ndarray:
    plain = image.convertToFormat(QImage.Format.Format_RGBX8888)
    bits = plain.constBits()
    assert bits is not None
    whole = np.frombuffer(bytes(bits.asarray(plain.sizeInBytes())), np.uint8)
    return whole.reshape(plain.height(), plain.width(), 4)[..., :3].copy()
