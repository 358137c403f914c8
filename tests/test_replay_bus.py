"""A recording offered on the bus: the same stream as that of its session, and commands of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.synthetic_session import Stream, description
from cli.main import main
from recorder.writer import Writer
from rig.bus.client import BusClient
from rig.bus.message_types import End, EngineReply, Message, Status, Tick
from rig.errors import RunError
from rig.playback import LONGEST_LEAP_S, Playback, Stretch
from rig.session.directory import SessionDirectory, running_sessions, runtime_folder
from tests.recorder_checks import assert_same
from tests.rodent_rig import RunningRig, wait_for

N_TICKS = 700


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Message]]:
    """A recording, and the messages that it was made from, without description and assets."""
    file = tmp_path_factory.mktemp("replay") / "session.nwb"
    stream = Stream(description())
    described, files = stream.beginning()
    sent = [*stream.ticks(0, N_TICKS), stream.end(N_TICKS)]
    writer = Writer(file, description(), files.arrays, session=described.session)
    for message in sent:
        writer.add(message)
    writer.close()
    return file, sent


@pytest.fixture
def replay(runtime: Path, recorded: tuple[Path, list[Message]]) -> Iterator[RunningRig]:
    """The recording on a bus, paused at its first tick, and kept at its last."""
    with RunningRig("replay", recorded[0], "--bus", "--paused", "--hold", "--speed", 20) as rig:
        wait_for(lambda: bool(running_sessions()) or rig.process.poll() is not None, 180)
        yield rig


def _client() -> BusClient:
    return BusClient.of(SessionDirectory(runtime_folder() / running_sessions()[0].session))


def _stream(messages: list[Message]) -> list[Message]:
    return [m for m in messages if m.topic in ("episode", "tick", "answer", "end")]


def _until(bus: BusClient, tick: int) -> list[Message]:
    """What comes up to the answer to this tick."""
    got: list[Message] = []
    wait_for(
        lambda: (
            got.extend(bus.poll(0.1)) or any(m.topic == "answer" and m.tick == tick for m in got)
        )
    )
    return _stream(got)


def test_the_stream_is_that_of_the_session(
    runtime: Path, recorded: tuple[Path, list[Message]]
) -> None:
    """Message by message, bit by bit, numbered without a gap, to the session's own end."""
    file, sent = recorded
    with RunningRig("replay", file, "--bus", "--paused", "--speed", 20) as rig:
        wait_for(lambda: bool(running_sessions()) or rig.process.poll() is not None, 180)
        note = running_sessions()[0]
        assert note.protocol == f"replay of {file.name}"
        with _client() as bus:
            joined = bus.join()
            assert joined[0].content == description()
            assert joined[1].topic == "assets"
            states = {m.content.state for m in bus.poll(1.0) if isinstance(m.content, Status)}
            assert states == {"paused"}
            bus.command("resume")
            got = [*joined[2:], *bus.messages(10)]
            assert bus.lost == bus.rejected == 0
        assert rig.end()[0] == 0
    assert running_sessions() == []
    assert "replaying" in {m.content.state for m in got if isinstance(m.content, Status)}
    stream = [m for m in _stream(got) if m.tick >= 0]
    for mine, theirs in zip(stream, sent, strict=True):
        assert mine.session == note.session
        assert_same(
            Message(mine.content, theirs.session, mine.tick, theirs.sequence, mine.arrays), theirs
        )
    for topic in ("tick", "answer", "episode"):
        numbers = [m.sequence for m in _stream(got) if m.topic == topic]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_seek_step_and_loop(replay: RunningRig, recorded: tuple[Path, list[Message]]) -> None:
    """To and fro; what went on before a jump ends with it, and no tick counts as lost."""
    ticks = {m.tick: m for m in recorded[1] if m.topic == "tick"}
    with _client() as bus:
        bus.join()
        where = bus.command("seek", tick=612)
        assert (where["tick"], where["playing"]) == (612, False)
        there = _until(bus, 612)
        assert [m.topic for m in there] == ["episode", "answer", "tick", "answer"]
        assert there[0].tick == 600
        assert_same_tick(there[2], ticks[612])
        begun = {(e.name, e.number) for e in there[1].content.events}  # type: ignore[union-attr]
        assert ("run", 15) in begun

        bus.command("step", ticks=-560)
        back = _until(bus, 52)
        ended = [e for e in back[1].content.events if e.phase == "offset"]  # type: ignore[union-attr]
        assert ("run", 15) in {(e.name, e.number) for e in ended}
        assert back[2].tick == 52
        bus.command("step")
        assert [m.tick for m in _until(bus, 53)] == [53, 53]

        bus.command("loop", first=95, last=104)
        bus.command("resume")
        played: list[int] = []
        wait_for(
            lambda: (
                played.extend(m.tick for m in bus.poll(0.1) if m.topic == "tick")
                or len(played) > 35
            )
        )
        assert played[:30] == [*range(95, 105)] * 3
        bus.command("loop")
        wait_for(lambda: bus.command("where")["tick"] == N_TICKS - 1)
        assert not bus.command("where")["playing"]
        assert bus.lost == 0
        with _client() as late:
            history = [m for m in _stream(late.join()) if m.tick >= 0]
            assert [m.tick for m in history if m.topic == "tick"] == [*range(200, N_TICKS)]
            for mine, theirs in zip(
                [m for m in history if m.topic == "tick"], [*ticks.values()][200:], strict=True
            ):
                assert_same_tick(mine, theirs)
            late.command("seek", tick=0)
            assert _until(late, 0)[-2].tick == 0
            late.command("stop")
    assert replay.end()[0] == 0


def assert_same_tick(mine: Message, theirs: Message) -> None:
    """The same but for session and number."""
    assert_same(
        Message(mine.content, theirs.session, mine.tick, theirs.sequence, mine.arrays), theirs
    )


def test_what_would_change_an_animal_is_refused(replay: RunningRig) -> None:
    """With a sentence, counted; so is what is out of range or malformed, and the replay goes on."""
    with _client() as bus:
        bus.join()
        for verb, args, words in (
            ("stimulate", {"name": "x", "layer": "core", "units": [1]}, "cannot be stimulated"),
            ("release", {"name": "x"}, "cannot be stimulated"),
            ("key", {"key": "k"}, "running animal"),
            ("start_recording", {"file": "/tmp/x.nwb"}, "recorded already"),
            ("stop_recording", {}, "nothing is being recorded"),
            ("restart_engine", {}, "no stimulation engine"),
            ("seek", {"tick": N_TICKS}, f"0 to {N_TICKS - 1}"),
            ("seek", {"tick": "soon"}, "not a command of a replay"),
            ("speed", {"speed": 21}, "0.1 to 20"),
            ("speed", {"speed": float("nan")}, "0.1 to 20"),
            ("loop", {"first": 9, "last": 9}, "two ticks"),
            ("step", {"ticks": 1.5}, "not a command of a replay"),
            ("fly", {}, "not a command of a replay"),
        ):
            with pytest.raises(RunError, match=words):
                bus.command(verb, **args)
        assert bus.command("speed", speed=0.5)["speed"] == 0.5
        refused = [0]
        wait_for(
            lambda: (
                refused.extend(
                    m.content.refused for m in bus.poll(0.1) if isinstance(m.content, Status)
                )
                or refused[-1] == 13
            )
        )
        bus.command("stop")
        end = [m.content for m in bus.messages(5) if isinstance(m.content, End)]
        assert end == [End("stopped", 1, end[0].overruns)]


def test_bad_input_is_a_sentence(
    recorded: tuple[Path, list[Message]],
    runtime: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 2, whatever is wrong with it."""
    (tmp_path / "odd.nwb").write_bytes(b"no recording")
    for arguments, words in (
        ((recorded[0], "--bus", "--speed", 50), "0.1 to 20"),
        ((recorded[0], "--paused"), "add --bus"),
        ((tmp_path / "none.nwb", "--bus"), "none.nwb"),
        ((tmp_path / "odd.nwb", "--bus"), "odd.nwb"),
        ((recorded[0], "--bus", "--listen", "tcp://0.0.0.0:5600"), "without keys"),
    ):
        monkeypatch.setattr(sys, "argv", ["rodent-rig", "replay", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert words in said
        assert len(said.strip().splitlines()) == 1
    assert running_sessions() == []


_DO = st.one_of(
    st.tuples(st.just("advance"), st.floats(0, 1)),
    st.tuples(st.just("seek"), st.integers(-50, 1500)),
    st.tuples(st.just("step"), st.integers(-700, 700)),
    st.tuples(st.just("repeat"), st.integers(-10, 1000), st.integers(-10, 1000)),
    st.tuples(st.sampled_from(["play", "pause", "clear_loop"])),
)


@given(st.integers(0, 900), st.floats(0.1, 20), st.lists(_DO, max_size=30))
def test_a_playback_never_leaves_its_ticks(
    length: int, speed: float, does: list[tuple[object, ...]]
) -> None:
    """Whatever is done to it: stretches follow each other or say that they do not, in range, in time."""
    playback = Playback(100, 100 + length, speed)
    shown = 100
    for verb, *args in does:
        try:
            result = getattr(playback, str(verb))(*args)
        except ValueError:
            continue
        found = result if isinstance(result, list) else [result] if result else []
        for stretch in found:
            assert isinstance(stretch, Stretch)
            assert 100 <= stretch.first <= stretch.last <= 100 + length
            assert stretch.jumped or stretch.first == shown + 1
            shown = stretch.last
        if verb == "advance":
            assert isinstance(args[0], float)
            due = min(args[0], LONGEST_LEAP_S) * speed / 0.02 + 1
            assert sum(each.last - each.first + 1 for each in found) <= due
        assert shown == playback.position
        if playback.loop is not None and verb == "advance" and found:
            assert playback.loop[0] <= shown <= playback.loop[1]


def test_a_playback_keeps_its_speed() -> None:
    """So many ticks in so much time, however often it is asked; it stops at the end and begins again."""
    playback = Playback(0, 10_000, 2.5)
    playback.play()
    for _ in range(700):
        playback.advance(0.0071)
    assert playback.position == int(700 * 0.0071 * 2.5 / 0.02)
    playback.seek(10_000)
    playback.advance(0.1)
    assert not playback.playing
    assert playback.play() == Stretch(0, 0, jumped=True)


def test_an_answer_is_there_for_every_tick(recorded: tuple[Path, list[Message]]) -> None:
    """What the tests above rely on in the recording that they use."""
    topics = [m.topic for m in recorded[1] if isinstance(m.content, Tick | EngineReply)]
    assert topics == ["tick", "answer"] * N_TICKS
