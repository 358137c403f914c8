"""Figure 12 from recordings whose proportions are known."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from analysis import fig12
from analysis.fig12_groups import Inactivation
from analysis.fig12_paper import inactivation_claims
from analysis.perturbations import Attempt, read_sessions
from analysis.verdicts import Claim
from bench.synthetic_session import Stream, description
from cli.figures import figure
from recorder.writer import Writer
from rig.bus.message_types import (
    Branching,
    End,
    EngineReply,
    Episode,
    Event,
    InterventionEntry,
    LayerInfo,
    Message,
    Tick,
)
from rig.errors import UserError
from tests.rodent_rig import rodent_rig_here

TRIAL = 80
TAP, DECIDED, ACTIVATED = 10, 50, 10
"""Within its trial: the ticks of a first tap, of what became of it, and of a stimulation."""
LAYERS = ("core", "policy_2")
SEEDS = range(6)
TURNED = {"core": 0.0, "policy_2": 3.0}
"""Yaw rate, rad/s, that a stimulation of a layer leads to."""


@dataclass
class Trial:
    """What happens in a trial: units that are inactivated or activated, or a sham; an outcome; a spin."""

    layer: str = ""
    n_units: int = 0
    sham: bool = False
    outcome: str = ""
    spin: bool = False
    spun_before: bool = False
    hidden: bool = False
    """Whether the hidden state is clamped as well, to another value."""
    events: list[tuple[int, Event]] = field(default_factory=list)


def described(seed: int, protocol: str, **changes: object):
    fields: dict[str, object] = {
        "seed": seed,
        "task": "two_tap",
        "protocol_name": protocol,
        "layers": tuple(LayerInfo(name, 64) for name in LAYERS),
        "proprioception": (("walker/touch", 4),),
        "joints": (),
        "actuators": ("one",),
        "n_qpos": 7,
        "n_qvel": 6,
        "behaviours": ("run", "spin_left"),
        "stimuli": ("stimulus",),
        "task_events": ("first_tap", "second_tap", "tap_too_soon", "tap_missed"),
        "conditions": (),
    }
    return description(**(fields | changes))  # type: ignore[arg-type]


def write(
    file: Path,
    seed: int,
    trials: Sequence[Trial],
    activated: bool,
    end: str = "trials",
    branched: tuple[Branching, ...] = (),
) -> Path:
    """Records a session in which these trials happened."""
    protocol = "activation" if activated else "inactivation"
    known = described(seed, protocol, branched=branched)
    writer = Writer(file, known, {}, session=file.stem, camera=False)
    for message in messages(known, trials, activated, end):
        writer.add(message)
    writer.close()
    return file


def messages(known, trials: Sequence[Trial], activated: bool, end: str) -> Iterator[Message]:
    stream = Stream(known)
    yaw_rate = known.body_state.index("yaw_rate")
    start, stop = (ACTIVATED, ACTIVATED + 30) if activated else (TAP + 1, TAP + 46)
    stimuli = spins = 0
    for number, trial in enumerate(trials):
        yield stream.message(Episode(number, "<mujoco/>"), number * TRIAL)
        stimulated = bool(trial.layer) or trial.sham
        spin = 5 if trial.spun_before else start + 15
        for k in range(TRIAL):
            tick = number * TRIAL + k
            made = stream._tick(tick, number)
            happened = {TAP: "first_tap", DECIDED: trial.outcome} if trial.outcome else {}
            body = made.arrays["body"].copy()
            body[yaw_rate] = TURNED.get(trial.layer, 0.0) if start <= k < stop else 0.0
            content = Tick(
                number, 0.0, 1.0, 0.0, k == 0, False, tick * 0.02,
                task_events=(happened[k],) if k in happened else (),
            )  # fmt: skip
            yield Message(content, made.session, tick, made.sequence, {**made.arrays, "body": body})
            events = []
            for phase, at in (("onset", start), ("offset", stop)):
                if stimulated and k == at - 1:
                    events.append(
                        Event(
                            "stimulus", "stimulus", phase, tick + 1, tick + 1, stimuli, trial.sham
                        )
                    )
            for phase, at in (("onset", spin), ("offset", spin + 40)):
                if (trial.spin or trial.spun_before) and k == at:
                    events.append(Event("behaviour", "spin_left", phase, tick, tick - 5, spins))
            acting, arrays = (), {"confidence": np.zeros(2, np.float32)}
            if trial.layer and trial.n_units and start <= k + 1 < stop:
                acting = (InterventionEntry("stimulus", trial.layer, "c"),)
                value = np.full(trial.n_units, k / 100 if activated else 0.5, np.float32)
                arrays |= {
                    "0.units": np.arange(trial.n_units, dtype=np.int64),
                    "0.gain": np.zeros(trial.n_units, np.float32),
                    "0.value": value,
                }
                if trial.hidden:
                    acting += (InterventionEntry("stimulus", trial.layer, "h"),)
                    arrays |= {f"1.{name}": arrays[f"0.{name}"] for name in ("units", "gain")}
                    arrays["1.value"] = value + 1
            yield stream.message(EngineReply(tuple(events), acting), tick, **arrays)
        stimuli += stimulated
        spins += trial.spin or trial.spun_before
    yield stream.message(End(end, len(trials) * TRIAL, 0), len(trials) * TRIAL)


def outcomes(successes: int, n: int, other: str = "tap_missed") -> list[str]:
    return ["second_tap"] * successes + [other] * (n - successes)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seeds: core inactivated, 3 of 4 succeed; policy_2, 1 of 4 and 0 of 4; neither, 4 of 5.

    Activation of policy_2 makes it spin 3 times of 4, that of core and shams never.
    """
    folder = tmp_path_factory.mktemp("fig12")
    for seed in SEEDS:
        trials = [
            *(Trial("core", 8, outcome=each) for each in outcomes(3, 4)),
            *(Trial("core", 64, outcome=each) for each in outcomes(3, 4)),
            *(Trial("policy_2", 8, outcome=each) for each in outcomes(1, 4)),
            *(Trial("policy_2", 64, outcome=each) for each in outcomes(0, 4, "tap_too_soon")),
            *(Trial(sham=True, outcome=each) for each in outcomes(2, 3)),
            Trial("core", 0, outcome="second_tap"),
            Trial(outcome="second_tap"),
        ]
        write(folder / f"inactivated-{seed}.nwb", seed, trials, activated=False)
        trials = [
            *(Trial("core", 64) for _ in range(4)),
            *(Trial("policy_2", 64, spin=k > 0) for k in range(4)),
            *(Trial(sham=True) for _ in range(4)),
            Trial("core", 64, spun_before=True),
            Trial(sham=True, spun_before=True),
        ]
        write(folder / f"activated-{seed}.nwb", seed, trials, activated=True)
    return folder


def test_the_shares_are_those_that_happened(sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "fig12.pdf"
    drawn = fig12.draw(sorted(sweep.glob("*.nwb")), out)
    assert out.read_bytes().startswith(b"%PDF")
    with (tmp_path / "fig12.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = {
        (row["measure"], row["layer"], int(row["units"]), row["stimulus"]): (
            int(row["hits"]),
            int(row["of"]),
            int(row["seeds"]),
        )
        for row in rows
    }
    expected = {
        ("second_tap", "", 0, "none"): (24, 30, 6),
        ("second_tap", "core", 8, "inactivated"): (18, 24, 6),
        ("second_tap", "core", 64, "inactivated"): (18, 24, 6),
        ("second_tap", "policy_2", 8, "inactivated"): (6, 24, 6),
        ("second_tap", "policy_2", 64, "inactivated"): (0, 24, 6),
        ("tap_too_soon", "policy_2", 64, "inactivated"): (24, 24, 6),
        ("tap_missed", "core", 8, "inactivated"): (6, 24, 6),
        ("spin elicited", "core", 64, "activated"): (0, 24, 6),
        ("spin elicited", "policy_2", 64, "activated"): (18, 24, 6),
        ("spin elicited", "", 0, "sham"): (0, 24, 6),
    }
    assert {key: found[key] for key in expected} == expected
    for row in rows:
        low, value, high = (float(row[name]) for name in ("low95", "share", "high95"))
        assert 0 <= low <= value <= high <= 1
        assert high - low > 0.1  # 30 events do not make certainty
    assert {claim.verdict for claim in drawn.claims} == {"agrees"}
    assert [claim.source.removeprefix("figure 12") for claim in drawn.claims] == [
        *("A", "A", "A, B", "C", "C", "C, D")
    ]
    assert any(note.startswith("12 stimulations and shams") for note in drawn.notes)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_what_a_session_and_its_branches_share_counts_once(
    tmp_path: Path, order: Sequence[int]
) -> None:
    """Branches leave a session in its third trial, before the first tap, and in its fourth, after it."""
    trials = [Trial("core", 8, outcome="second_tap") for _ in range(4)]
    files = [write(tmp_path / "session.nwb", 0, trials, activated=False)]
    for n, at in ((2, 2 * TRIAL + TAP - 1), (3, 3 * TRIAL + TAP)):
        left = (Branching(at, "inactivation", "", "session", "0" * 64),)
        instead = [Trial("policy_2", 8, outcome="tap_missed") for _ in range(4 - n)]
        branch = tmp_path / f"branch-{n}.nwb"
        files.append(write(branch, 0, trials[:n] + instead, activated=False, branched=left))
    sessions = read_sessions([files[k] for k in order], "spin").sessions
    attempts = [each for session in sessions for each in session.attempts]
    stimulations = [each for session in sessions for each in session.stimulations]
    for found in (attempts, stimulations):
        assert sum(each.layer == "core" for each in found) == 4
        assert sum(each.layer == "policy_2" for each in found) == 3
    assert not any(session.undecided for session in sessions)


def test_the_turning_after_a_stimulation(sweep: Path) -> None:
    (session,) = read_sessions([sweep / "activated-0.nwb"], "spin").sessions
    assert len(session.stimulations) == 12
    for each in session.stimulations:
        # 30 ticks at 3 rad/s
        expected = (0.06, 1.8, 1.8) if each.layer == "policy_2" else 0.0
        np.testing.assert_allclose(each.turned[[0, 29, 59]], expected, atol=1e-9)


def test_shams_belong_to_what_their_session_stimulates(sweep: Path, tmp_path: Path) -> None:
    trials = [Trial("core", 8), Trial("core", 8), Trial(sham=True)]
    write(tmp_path / "one.nwb", 0, trials, activated=True)
    (session,) = read_sessions([tmp_path / "one.nwb"], "spin").sessions
    assert [(each.layer, each.n_units, each.sham) for each in session.stimulations] == [
        ("core", 8, False),
        ("core", 8, False),
        ("core", 8, True),
    ]


def test_a_clamp_of_both_states_inactivates(tmp_path: Path) -> None:
    trials = [Trial("core", 8, outcome="second_tap", hidden=True)]
    write(tmp_path / "one.nwb", 0, trials, activated=False)
    (session,) = read_sessions([tmp_path / "one.nwb"], "spin").sessions
    assert session.kind == "inactivated"
    assert session.attempts == (Attempt(0, "core", 8, "second_tap"),)


def test_what_the_paper_does_not_say_disagrees() -> None:
    """With core inactivated nothing succeeds, with policy_2 all does: the paper's claim turned round."""

    def attempts(layer: str, n_units: int, successes: int, seeds: Sequence[int]) -> list[Attempt]:
        ended = outcomes(successes, 4)
        return [Attempt(seed, layer, n_units, each) for seed in seeds for each in ended]

    def claims(seeds: Sequence[int]) -> list[Claim]:
        by = {
            ("core", 64): attempts("core", 64, 0, seeds),
            ("policy_2", 64): attempts("policy_2", 64, 4, seeds),
        }
        return inactivation_claims(Inactivation(attempts("", 0, 2, seeds), by))

    assert [each.verdict for each in claims(SEEDS)] == ["disagrees", "cannot tell", "disagrees"]
    # five seeds are too few to say anything
    assert {each.verdict for each in claims(range(5))} == {"cannot tell"}
    assert all("too few" in each.measured for each in claims(range(5)))


def test_what_does_not_belong_is_left_out_and_said(tmp_path: Path) -> None:
    inactivated = [Trial("core", 64, outcome="second_tap")]
    undecided = [Trial("core", 64, outcome="first_tap")]
    good = write(tmp_path / "good.nwb", 1, [*inactivated, *undecided], activated=False)
    failed = write(tmp_path / "failed.nwb", 2, inactivated, activated=False, end="failed")
    again = tmp_path / "again.nwb"
    again.write_bytes(good.read_bytes())
    (spoilt := tmp_path / "spoilt.nwb").write_text("no recording")
    drawn = fig12.draw([good, failed, again, spoilt], tmp_path / "fig.png")
    assert all(note.startswith("left out: ") for note in drawn.notes[:3])
    assert "did not come to its end" in drawn.notes[0]
    assert "the same session" in drawn.notes[1]
    assert "is not a recording" in drawn.notes[2]
    assert drawn.notes[3].startswith("2 first taps were left out")


def test_the_command(sweep: Path, tmp_path: Path) -> None:
    done = rodent_rig_here("figure", "fig12", sweep, "--out", tmp_path / "fig12.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "fig12.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "fig12-paper.csv").exists()
    assert done.stdout.count("agrees") == 6
    refused = rodent_rig_here("figure", "fig21", sweep, "--out", tmp_path / "a.png")
    assert refused.returncode == 2
    assert refused.stderr == "There is no figure 'fig21'; did you mean 'fig12'?\n"


def test_what_is_no_recording_and_no_place_is_refused(sweep: Path, tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    (other := tmp_path / "other.nwb").write_text("no recording")
    for files, out, sentence in (
        (empty, "a.png", r"no recording \(.nwb\) in the folder"),
        (tmp_path / "gone.nwb", "a.png", "does not exist"),
        (other, "a.png", "is not a recording"),
        (sweep, "a.jpg", "is written as .png, .pdf or .svg"),
        (sweep, "no/a.png", "There is no folder"),
    ):
        with pytest.raises(UserError, match=sentence):
            figure("fig12", [files], tmp_path / out)


def test_recordings_of_two_subjects_are_refused(tmp_path: Path) -> None:
    files = []
    for name in "ab":
        writer = Writer(
            tmp_path / f"{name}.nwb", described(1, "p", subject_sha256=name * 64), {},
            session=name, camera=False,
        )  # fmt: skip
        writer.add(Stream(described(1, "p")).message(End("trials", 0, 0), 0))
        writer.close()
        files.append(tmp_path / f"{name}.nwb")
    with pytest.raises(UserError, match="different subjects"):
        fig12.draw(files, tmp_path / "fig.png")
    with pytest.raises(UserError, match="Nothing to draw"):
        fig12.draw(files[:1], tmp_path / "fig.png")
