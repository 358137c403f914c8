"""Means, rankings and templates out of recordings whose activity is known, and what is no baseline."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from analysis.baseline import layer_means, resolve
from bench.synthetic_session import TRIAL_TICKS, Stream, description
from recorder.writer import Writer
from rig.bus.message_types import Description, EngineReply, Message, Tick
from rig.errors import UserError
from stim.stimuli.baselines import BaselineFile, BaselineRequest, Span, Values

N_TICKS = 350
LAYERS = {"core": 128, "policy_0": 128, "policy_1": 128, "policy_2": 128}
TASK_EVENTS = {
    "first_tap": (10, 40, 60, 95, 205),
    "second_tap": (30, 90, 110, 120, 220),
    "orb_moved": (),
}
TAPS = [(10, 30), (60, 90), (205, 220)]
"""From the last first tap to the second: not from 40, nor from 95, whose trial ends, nor to 120."""


def stream(n_ticks: int = N_TICKS, stimuli: bool = False) -> list[Message]:
    """A session in which nothing is stimulated, with behaviours and task events."""
    messages = []
    for message in Stream(description(task_events=tuple(TASK_EVENTS))).ticks(0, n_ticks):
        content, arrays = message.content, message.arrays
        if isinstance(content, Tick):
            names = tuple(name for name, ticks in TASK_EVENTS.items() if message.tick in ticks)
            content = msgspec.structs.replace(content, task_events=names)
        if isinstance(content, EngineReply) and not stimuli:
            kept = tuple(event for event in content.events if event.kind == "behaviour")
            content = msgspec.structs.replace(content, events=kept, interventions=())
            arrays = {"confidence": arrays["confidence"]}
        messages.append(Message(content, message.session, message.tick, message.sequence, arrays))
    return messages


def write(file: Path, messages: list[Message], **changes: object) -> Path:
    described: Description = description(task_events=tuple(TASK_EVENTS), **changes)
    writer = Writer(file, described, {}, session="test", overwrite=True)
    for message in messages:
        writer.add(message)
    writer.close()
    return file


@pytest.fixture(scope="module")
def session() -> list[Message]:
    return stream()


@pytest.fixture(scope="module")
def file(session: list[Message], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("baselines") / "baseline.nwb", session)


def get(file: Path, *request: BaselineRequest, **others: object) -> Values:
    named = {"natural": BaselineFile(file)}
    return resolve(named, request, **({"subject_sha256": "5" * 64, "layers": LAYERS} | others))[0]  # type: ignore[arg-type]


def activity(session: list[Message], name: str, layer: str) -> np.ndarray:
    first = list(LAYERS).index(layer) * 128
    rows = [m.arrays[name][first : first + 128] for m in session if isinstance(m.content, Tick)]
    return np.stack(rows)


def runs(session: list[Message]) -> list[tuple[int, int]]:
    """The ticks of each performance of "run" that lies within a trial."""
    began: dict[int, int] = {}
    found = []
    for message in session:
        for event in getattr(message.content, "events", ()):
            if event.name != "run":
                continue
            if event.phase == "onset":
                began[event.number] = event.began_tick
            elif began[event.number] // TRIAL_TICKS == (event.tick - 1) // TRIAL_TICKS:
                found.append((began[event.number], event.tick))
    assert len(found) >= 3
    return found


def test_means(file: Path, session: list[Message]) -> None:
    """Of natural activity: during a behaviour, between two events, between its onset and offset, in all."""
    of_runs = np.concatenate([np.arange(*span) for span in runs(session)])
    of_taps = np.concatenate([np.arange(*span) for span in TAPS])
    for state, layer, span, rows in (
        ("c", "core", Span("run"), of_runs),
        ("h", "policy_1", Span("run"), of_runs),
        ("c", "policy_2", Span(begin="first_tap", end="second_tap"), of_taps),
        ("c", "policy_2", Span(begin="run.onset", end="run.offset"), of_runs),
        ("c", "policy_0", Span(), np.arange(N_TICKS)),
    ):
        request = BaselineRequest("natural", "mean", layer, state, span)  # type: ignore[arg-type]
        found = get(file, request)[request]
        expected = activity(session, f"{state}_natural", layer)[rows].mean(0, dtype=float)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_means_of_all_layers_at_once(file: Path, session: list[Message]) -> None:
    found = layer_means(file, "5" * 64, LAYERS)
    assert set(found) == {(layer, state) for layer in LAYERS for state in "ch"}
    rows = activity(session, "h_natural", "policy_1")
    np.testing.assert_allclose(found["policy_1", "h"], rows.mean(0), atol=1e-5)
    with pytest.raises(UserError, match="another subject"):
        layer_means(file, "6" * 64, LAYERS)


def test_a_ranking_finds_the_units_that_the_behaviour_moves(tmp_path: Path) -> None:
    session = stream()
    ticks = {tick for span in runs(session) for tick in range(*span)}
    for message in session:
        if isinstance(message.content, Tick) and message.tick in ticks:
            for unit, by in {3: 4.0, 77: -3.0, 20: 2.0}.items():  # of policy_1
                message.arrays["h_natural"][256 + unit] += by
    file = write(tmp_path / "moved.nwb", session)
    moved = BaselineRequest("natural", "ranking", "policy_1", "h", Span("run"))
    other = BaselineRequest("natural", "ranking", "policy_1", "c", Span("run"))
    found = get(file, moved, other)
    assert found[moved][:3].tolist() == [3, 77, 20]
    assert sorted(found[moved].tolist()) == list(range(128))
    assert found[other][:3].tolist() != [3, 77, 20]


def test_templates(file: Path, session: list[Message]) -> None:
    """Around the beginnings of a behaviour or around an event, where the whole window is in one trial."""
    c = activity(session, "c_natural", "policy_2")
    for around, moments in (
        ("run", [began for began, _ in runs(session)]),
        ("run.offset", [ended for _, ended in runs(session)]),
        ("first_tap", TASK_EVENTS["first_tap"]),
    ):
        request = BaselineRequest(
            "natural", "template", "policy_2", "c", around=around, before_ms=100, after_ms=300
        )
        whole = [
            at
            for at in moments
            if 5 <= at <= N_TICKS - 15 and (at - 5) // TRIAL_TICKS == (at + 14) // TRIAL_TICKS
        ]
        assert 3 <= len(whole) < len(moments)
        expected = np.mean([c[at - 5 : at + 15] for at in whole], axis=0, dtype=float)
        found = get(file, request)[request]
        assert found.shape == (20, 128)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_hole_in_the_recording_is_not_bridged(session: list[Message], tmp_path: Path) -> None:
    gone = range(12, 16)  # within a span of taps, and within a run
    file = write(tmp_path / "hole.nwb", [m for m in session if m.tick not in gone])
    request = BaselineRequest(
        "natural", "mean", "core", "c", Span(begin="first_tap", end="second_tap")
    )
    rows = np.concatenate([np.arange(*span) for span in TAPS[1:]])
    expected = activity(session, "c_natural", "core")[rows].mean(0, dtype=float)
    np.testing.assert_allclose(get(file, request)[request], expected, atol=1e-6)


def test_the_file_is_known_by_its_hash(file: Path) -> None:
    request = [BaselineRequest("natural", "mean", "core", "c")]
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    named = {"natural": BaselineFile(file, sha256.upper()), "unused": BaselineFile(Path("no.nwb"))}
    _, used = resolve(named, request, "5" * 64, LAYERS)
    assert [(each.name, each.path, each.sha256) for each in used] == [
        ("natural", str(file), sha256)
    ]
    with pytest.raises(UserError, match=f"its SHA-256 is {sha256}, not 0000"):
        resolve({"natural": BaselineFile(file, "0" * 64)}, request, "5" * 64, LAYERS)


def test_what_is_no_baseline_is_said_in_one_sentence(
    file: Path, session: list[Message], tmp_path: Path
) -> None:
    text = tmp_path / "text.nwb"
    text.write_text("not a recording")
    stimulated = write(tmp_path / "stimulated.nwb", stream(60, stimuli=True))
    mean = BaselineRequest("natural", "mean", "core", "c")

    def refused(
        path: Path, complaint: str, request: BaselineRequest = mean, **others: object
    ) -> None:
        with pytest.raises(UserError, match=complaint) as problem:
            get(path, request, **others)
        assert "\n" not in str(problem.value)
        assert path.name in str(problem.value)

    refused(tmp_path / "none.nwb", "make one with `rodent-rig run protocols/baseline.yaml")
    refused(text, "recording")
    refused(tmp_path, "folder")
    refused(stimulated, "no baseline: stimuli were delivered in it .*silence at 0.08 s")
    refused(file, "another subject", subject_sha256="6" * 64)
    refused(file, "has the layers core 128", layers={"core": 128})
    with pytest.raises(UserError, match="no baseline 'other'; there is natural"):
        get(file, BaselineRequest("other", "mean", "core", "c"))

    def asked(kind: str, **fields: object) -> BaselineRequest:
        return BaselineRequest("natural", kind, "core", "c", **fields)  # type: ignore[arg-type]

    refused(file, "no behaviour 'rear'; it has stand", asked("mean", span=Span("rear")))
    refused(file, "fallen was performed whole never", asked("mean", span=Span("fallen")))
    spans = Span(begin="first_tap", end="third_tap")
    refused(file, "no task event 'third_tap'; it has first_tap", asked("mean", span=spans))
    spans = Span(begin="orb_moved", end="second_tap")
    refused(file, r"from orb_moved \(never\) to second_tap \(5 times\)", asked("mean", span=spans))
    short = write(tmp_path / "short.nwb", session[: 2 * 75])
    refused(short, "run was performed whole 2 times; a ranking needs at least 3",
            asked("ranking", span=Span("run")))  # fmt: skip
    long = asked("template", around="run", before_ms=900, after_ms=900)
    refused(file, "only 0 of these with the whole window within one trial", long)
