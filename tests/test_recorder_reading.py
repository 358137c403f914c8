"""A recording, opened: in pynapple's, pynwb's and the rig's own words, and as one picture."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recorder
from bench.synthetic_session import BEHAVIOURS, Stream, description
from recorder.replay import ReplaySource
from recorder.writer import Writer
from rig.bus.message_types import EngineReply, Event, Input, InterventionEntry, Message, Tick
from rig.errors import UserError
from tests.recorder_checks import assert_same

N_TICKS = 250


def write(file: Path, messages: list[Message], **changes: object) -> None:
    """A closed recording of these messages (its first two: description and assets)."""
    described = description(**changes)  # type: ignore[arg-type]
    writer = Writer(file, described, messages[1].arrays, session="test", overwrite=True)
    for message in messages[2:]:
        writer.add(message)
    writer.close()


@pytest.fixture(scope="module")
def session() -> list[Message]:
    """A session's messages, description and assets first."""
    stream = Stream(description())
    return [*stream.beginning(), *stream.ticks(0, N_TICKS), stream.end(N_TICKS)]


@pytest.fixture(scope="module")
def file(session: list[Message], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of it."""
    path = tmp_path_factory.mktemp("reading") / "session.nwb"
    write(path, session)
    return path


def _sent(session: list[Message], name: str) -> np.ndarray:
    return np.stack([m.arrays[name] for m in session if isinstance(m.content, Tick)])


def test_activity_is_a_pynapple_frame_of_named_units(file: Path, session: list[Message]) -> None:
    """By layer, cell or hidden, natural or applied, at the right times."""
    with recorder.open(file) as recording:
        layer = recording.activity("policy_1", state="h", applied=False)
        assert list(layer.columns[:2]) == ["policy_1/0", "policy_1/1"]
        np.testing.assert_array_equal(layer.values, _sent(session, "h_natural")[:, 256:384])
        np.testing.assert_allclose(layer.t, np.arange(N_TICKS) * 0.02)
        part = recording.activity(start_s=1.0, stop_s=2.0)
        np.testing.assert_array_equal(part.values, _sent(session, "c_applied")[50:100])
        head = recording.frame("body")
        assert "head_z" in head.columns
        assert len(recording.frame("reward")) == N_TICKS
        for wrong in ({"layer": "policy_7"}, {"state": "x"}):
            with pytest.raises(UserError):
                recording.activity(**wrong)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="qpos"):
            recording.values("qpso")


def test_intervals_have_names_times_and_metadata(file: Path) -> None:
    """Behaviours from where they began, stimuli with their shams, trials that do not run together."""
    with recorder.open(file) as recording:
        assert set(recording.behaviours) == set(BEHAVIOURS)
        runs = recording.behaviours["run"]
        np.testing.assert_allclose(runs.start[:3], [0.02, 0.82, 1.62])
        np.testing.assert_allclose(runs.end[:3], [0.52, 1.32, 2.12])
        assert runs["onset_tick"].tolist()[:2] == [3, 43]
        silences = recording.stimuli["silence"]
        assert silences["sham"].tolist()[:4] == [False, True, False, True]
        np.testing.assert_allclose(silences.start[:2], [0.08, 0.88])
        assert len(recording.behaviours["fallen"]) == 0
        assert len(recording.stimuli["drive"]) == 0
        trials = recording.trial_set
        assert trials["trial"].tolist() == [0, 1, 2]
        np.testing.assert_allclose(trials.start, [0.0, 2.0, 4.0])
        last = recording.intervals("behaviours")[-1]
        assert not last.ongoing
        assert last.stop_s <= N_TICKS * 0.02


def test_replay_gives_any_part_in_the_words_of_the_session(
    file: Path, session: list[Message]
) -> None:
    """Messages of a stretch, an episode by its number, and the history that a display needs to seek."""
    ticks = [m for m in session[2:-1] if m.tick >= 0]
    with ReplaySource(file) as replay:
        part = replay.messages(120, 139)
        expected = [m for m in ticks if 120 <= m.tick <= 139 and m.topic != "episode"]
        for mine, theirs in zip(part, expected, strict=True):
            assert_same(mine, theirs)
        across = replay.messages(199, 200)
        assert [m.topic for m in across] == ["tick", "answer", "episode", "tick", "answer"]
        assert_same(
            replay.episode(2), next(m for m in session if m.topic == "episode" and m.tick == 200)
        )
        history = replay.history(150, 30)
        assert [m.topic for m in history[:2]] == ["episode", "tick"]
        assert history[0].tick == 100
        assert [m.tick for m in history if m.topic == "tick"] == list(range(120, 150))
        assert replay.messages(N_TICKS, N_TICKS + 10) == []
        assert [m.tick for m in replay.messages(-5, 0) if m.topic == "tick"] == [0]
        with pytest.raises(UserError, match="no trial 9"):
            replay.episode(9)


_FLOAT = st.floats(allow_nan=False, width=64)
_NAME = st.text(min_size=1, max_size=5)
_GIVEN = st.one_of(st.sampled_from(["silence", "drive"]), _NAME)  # a client names its own
_COUNT = st.integers(-(1 << 50), 1 << 50)
_EVENT = st.builds(
    Event,
    kind=st.just("behaviour"),
    name=st.sampled_from(BEHAVIOURS),
    phase=st.sampled_from(["onset", "offset"]),
    tick=_COUNT,
    began_tick=_COUNT,
    number=st.integers(0, 5),
    sham=st.booleans(),
    confidence=_FLOAT,
    cause=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
_STIMULUS = st.builds(
    msgspec.structs.replace,
    _EVENT,
    kind=st.just("stimulus"),
    name=_GIVEN,
)
_CHANGE = st.tuples(
    st.builds(
        InterventionEntry,
        stimulus=_GIVEN,
        layer=st.sampled_from(["core", "policy_0"]),
        state=st.sampled_from(["c", "h"]),
    ),
    st.lists(st.tuples(st.integers(0, 127), st.floats(width=32), st.floats(width=32)), max_size=4),
)
_ANSWER = st.tuples(
    st.lists(st.one_of(_EVENT, _STIMULUS), max_size=3),
    st.lists(_CHANGE, max_size=3),
    st.booleans(),
    _FLOAT,
    st.booleans(),
)
_ARG = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9), _NAME)
_INPUT = st.builds(
    Input,
    st.sampled_from(["key", "stimulate", "release", "release_all"]),
    _NAME,
    st.dictionaries(_NAME, st.one_of(_ARG, st.lists(_ARG, max_size=3)), max_size=3),
)
_FROM_WITHOUT = st.tuples(
    st.lists(st.one_of(st.sampled_from(["orb", "first_tap"]), _NAME), max_size=2).map(tuple),
    st.lists(_INPUT, max_size=2).map(tuple),
)
_TICK = st.tuples(_FLOAT, _FLOAT, _FLOAT, st.booleans(), st.booleans(), _FLOAT, st.floats(width=32))
_PROP = st.one_of(st.sampled_from([0.0, -0.0, 1.5]), st.floats(width=64))
_PROPS = st.lists(st.tuples(*[_PROP] * 5), min_size=3, max_size=3)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(_TICK, _FROM_WITHOUT, _ANSWER, _PROPS), min_size=1, max_size=6),
    first=st.integers(0, 1000),
    n_props=st.integers(0, 3),
)
def test_whatever_is_sent_comes_back(
    session: list[Message],
    tmp_path: Path,
    rows: list[tuple],  # type: ignore[type-arg]
    first: int,
    n_props: int,
) -> None:
    """Messages → file → messages is the identity: NaNs, infinities, empty lists, any text."""
    stream = Stream(description(2))
    sent = [*stream.beginning(), stream.message(session[2].content, first)]
    pattern = next(m for m in Stream(description(2)).ticks(first, 1) if m.topic == "tick")
    for k, (numbers, came, answer, props) in enumerate(rows):
        reward, discount, value, is_first, overrun, wall_s, filler = numbers
        arrays = {n: np.full_like(a, filler) for n, a in pattern.arrays.items() if n != "camera"}
        if n_props:
            arrays["props"] = np.array(props[:n_props])
        content = Tick(0, reward, discount, value, is_first, overrun, wall_s, *came)
        sent.append(Message(content, "test", first + k, 7 + k, arrays))
        events, changes, end_trial, engine_ms, has_confidence = answer
        more = {}
        if has_confidence:
            more["confidence"] = np.full(len(BEHAVIOURS), filler, np.float32)
        for index, (_, units) in enumerate(changes):
            more[f"{index}.units"] = np.array([unit for unit, _, _ in units], np.int64)
            more[f"{index}.gain"] = np.array([gain for _, gain, _ in units], np.float32)
            more[f"{index}.value"] = np.array([value for _, _, value in units], np.float32)
        said = EngineReply(
            tuple(events), tuple(change for change, _ in changes), end_trial, engine_ms
        )
        sent.append(Message(said, "test", first + k, 3 + k, more))
    path = tmp_path / "any.nwb"
    write(path, sent, n_layers=2)
    with ReplaySource(path) as replay:
        got = replay.messages(0, 10_000)
    for mine, theirs in zip(got, sent[2:], strict=True):
        assert_same(mine, theirs)


def test_info_answers_on_one_screen(file: Path) -> None:
    """Who, what, how long, what happened; within 80 × 40."""
    text = recorder.info(file)
    lines = text.splitlines()
    assert len(lines) <= 40
    for part in (
        "runner",
        "first_light",
        "seed 7",
        "5.00 s",
        "run 7×",
        "of them shams",
        "duration",
    ):
        assert part in text
    assert max(map(len, lines[:-1])) <= 120


def test_a_recording_of_a_newer_program_is_refused(file: Path, tmp_path: Path) -> None:
    """Not guessed at: one sentence."""
    import shutil

    import h5py

    from recorder.layout import LAYOUT_VERSION, SESSION

    newer = Path(shutil.copy(file, tmp_path / "newer.nwb"))
    with h5py.File(newer, "r+") as raw:
        note = raw[SESSION][()].decode()
        raw[SESSION][()] = note.replace(f'"layout":{LAYOUT_VERSION}', '"layout":99')
    with pytest.raises(UserError, match="newer version"):
        recorder.open(newer)


def test_the_picture_shows_the_recorded_animal(session: list[Message], tmp_path: Path) -> None:
    """Drawn from the recorded model and posture; where that fails, the rest of the picture is still made."""
    from matplotlib.image import imread

    from analysis.session_picture import session_picture, third_person_frame

    xml = """<mujoco><worldbody>
      <light pos="0 0 3"/><geom type="plane" size="5 5 .1" rgba=".2 .3 .2 1"/>
      <body name="walker/torso"><freejoint/><geom type="box" size=".1 .05 .05" rgba="1 0 0 1"/>
      </body></worldbody></mujoco>"""
    changed = [
        dataclasses.replace(m, content=msgspec.structs.replace(m.content, xml=xml))
        if m.topic == "episode"
        else m
        for m in session
    ]
    posture = np.array([0.3, 0.2, 0.1, 1.0, 0.0, 0.0, 0.0])
    changed = [
        dataclasses.replace(m, arrays={**m.arrays, "qpos": posture}) if m.topic == "tick" else m
        for m in changed
    ]
    path, png = tmp_path / "picture.nwb", tmp_path / "picture.png"
    write(path, changed, n_qpos=7)
    with recorder.open(path) as recording:
        frame = third_person_frame(recording, 100, (160, 120))
    red = (frame[..., 0] > 90) & (frame[..., 1] < 60)
    assert frame.shape == (120, 160, 3)
    assert red[40:80, 50:110].mean() > 0.2  # the box, in the middle
    session_picture(path, png, at_s=2.0)
    assert imread(png).shape[0] > 800
    with pytest.raises(UserError, match="outside the recording"):
        session_picture(path, png, at_s=99.0)
    write(path, session)  # a model without an animal: cannot be drawn
    session_picture(path, png)
    assert imread(png).shape[0] > 800


def test_events_of_the_task_inputs_and_conditions_are_read_back(
    file: Path, session: list[Message]
) -> None:
    """Each with its tick, the names of stimuli from outside too, which the description does not list."""
    ticks = [m for m in session if isinstance(m.content, Tick)]
    with recorder.open(file) as recording:
        assert [(each.tick, each.name) for each in recording.task_events] == [
            (m.tick, name) for m in ticks for name in m.content.task_events
        ]
        assert {each.trial for each in recording.task_events} == {0, 1}
        np.testing.assert_allclose(recording.task_event_times["orb"].t, [0.34, 2.14, 3.94])
        assert len(recording.task_event_times["second_tap"]) == 0
        assert recording.inputs == tuple((m.tick, each) for m in ticks for each in m.content.inputs)
        assert [trial.condition for trial in recording.trials] == ["control", "silenced", "control"]
        assert recording.trial_set["condition"].tolist() == ["control", "silenced", "control"]
        assert len(recording.stimuli["outside"]) == 3
        named = [e for _, e in recording.events if e.name == "mine — µ"]
        assert [e.phase for e in named] == ["onset", "offset"] * 3
        assert recording.log[-1].kind == "end"
        assert not [entry for entry in recording.log if entry.kind == "malformed"]
    said = recorder.info(file)
    for part in ("control 2, silenced 1", "first_tap 3×, orb 3×", "key k 4×", "outside 3×"):
        assert part in said
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pynwb import NWBHDF5IO

        with NWBHDF5IO(str(file), "r") as io:
            nwb = io.read()
            assert list(nwb.trials.to_dataframe()["condition"]) == [
                "control",
                "silenced",
                "control",
            ]
            table = nwb.processing["record"]["task_events"].to_dataframe()
            assert list(table["event"])[:2] == ["first_tap", "orb"]
            assert bytes(nwb.processing["record"]["inputs"]["args"][0]) == b"{}"
