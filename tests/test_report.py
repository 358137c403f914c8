"""The report: one page with everything in it, made again only where something changed."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from analysis import figures
from analysis.by_subject import Known, look_through
from analysis.cluster_statistics import Estimate
from analysis.figure_result import FigureResult
from analysis.report import make, page, pdf, stage
from analysis.report.overview import Section, all_judged, counted
from analysis.report.stage import Stage, run
from analysis.verdicts import Claim, by_another_rule
from rig.child_python import ONE_THREAD
from rig.errors import UserError
from tests.planted_recordings import N_UNITS, write
from tests.rodent_rig import ROOT, rodent_rig_here

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def good(files, out: Path) -> FigureResult:
    out.write_bytes(PIXEL)
    out.with_suffix(".csv").write_text("measure,value\nfound,1\n")
    claim = Claim("9.9", "rats <do> gallop", "it is above 0", "+1.00", "agrees")
    return FigureResult(
        (out, out.with_suffix(".csv")), (claim,), (f"from {len(list(files))} recordings",)
    )


def broken(files, out: Path) -> FigureResult:
    raise ZeroDivisionError("no variance")


def lacking(files, out: Path) -> FigureResult:
    raise ModuleNotFoundError("No module named 'openTSNE'", name="openTSNE")


class Here:
    """Runs stages in this process; one of them dies without a word."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __call__(self, stages: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
        for key, words in stages.items():
            self.ran.append(key)
            if key.startswith("dies"):
                yield key, "it was ended by the signal SIGKILL"
                continue
            given, result = words[2:]
            outcome = run(msgspec.json.decode(Path(given).read_bytes(), type=Stage))
            Path(result).write_bytes(msgspec.json.encode(outcome))
            yield key, ""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of two subjects, and of one of them again."""
    folder = tmp_path_factory.mktemp("recorded")
    for seed, (name, subject) in enumerate(
        (("rodent", "rodent"), ("second", "second"), ("again", "second"))
    ):
        quiet = [[0.0] * 2 * N_UNITS] * 3
        write(folder / f"{name}.nwb", "forage", seed, quiet, subject=subject)
    return folder


@pytest.fixture
def recordings(recorded: Path, tmp_path: Path) -> list[Path]:
    folder = tmp_path / "data" / "recordings"  # as those of a data set
    folder.mkdir(parents=True)
    names = ("rodent.nwb", "second.nwb")
    return [Path(shutil.copy(recorded / name, folder)) for name in names]


def test_experiments_are_for_figures_of_stimuli_and_the_rest_for_the_others(tmp_path: Path) -> None:
    """A data set and sweeps may be named together; where there is only one kind, every figure gets that."""

    def known(number: int, stimulates: bool) -> Known:
        return Known(str(number), "rodent", "1", "two_tap", number, "p", stimulates, 1, 1)

    both = {"quiet": known(1, False), "swept": known(2, True)}
    stages = make.stages_of(both, tmp_path, ("fig9", "fig5", "fig12"))
    assert [stage.files for stage in stages.values()] == [("quiet",), ("quiet",), ("swept",)]
    for name, one in both.items():
        stages = make.stages_of({name: one}, tmp_path, ("fig9", "fig12"))
        assert [stage.files for stage in stages.values()] == [(name,), (name,)]


def test_a_recording_stimulates_where_its_protocol_does(tmp_path: Path) -> None:
    """What other programs may ask for on the bus is no experiment."""
    quiet = [[0.0] * 2 * N_UNITS] * 3
    files = [
        write(tmp_path / "baseline.nwb", "forage", 1, quiet),
        write(tmp_path / "swept.nwb", "forage", 1, quiet, stimuli=("hold", "outside")),
    ]
    found, _ = look_through(files, {})
    assert [one.stimulates for one in found.values()] == [False, True]


def test_a_page_with_everything_in_it(
    recordings: list[Path], recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawing(draw, **more):
        return figures.Drawing(
            "what it shows", draw, lambda out: (out,), source="figure 99", **more
        )

    registry = {
        "good": drawing(good),
        "every": drawing(good, subjects="all"),
        "broken": drawing(broken, subjects="all"),
        "dies": drawing(good, subjects="all"),
        "effect": figures.FIGURES["effect"],
    }
    for module in (make, page, pdf, stage):
        monkeypatch.setattr(module, "FIGURES", registry)
    places, told = Here(), []
    made = make.make_report(recordings, tmp_path, places, 2, told.append)
    assert len(places.ran) == 5  # one of each subject, three of both; effect is no part of it
    assert (told[-1].done, told[-1].total, told[-1].left_s) == (5, 5, 0)
    text = made.page.read_text()
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert "rats &lt;do&gt; gallop" in text
    assert text.count("✓ agrees") == 6  # three figures, in the table and beside the picture
    assert "ZeroDivisionError: no variance" in text
    assert "SIGKILL" in text
    assert "rodent-rig figure good data/recordings --out good.svg" in text
    (shown,) = {*re.findall(r'src="data:image/webp;base64,([^"]+)"', text)}
    with Image.open(BytesIO(base64.b64decode(shown))) as inside, Image.open(BytesIO(PIXEL)) as own:
        assert inside.convert("RGB").tobytes() == own.convert("RGB").tobytes()
    assert made.pdf.read_bytes().startswith(b"%PDF")
    # only what failed is tried again, until the code or a recording is another
    assert make.make_report(recordings, tmp_path, again := Here(), 2).reused == 3
    assert sorted(again.ran) == ["broken-all_subjects", "dies-all_subjects"]
    shutil.copy(recorded / "again.nwb", recordings[1])
    make.make_report(recordings, tmp_path, third := Here(), 2, only=("good", "every"))
    assert sorted(third.ran) == ["every-all_subjects", "good-second"]
    with pytest.raises(UserError, match="The report has no figure 'goood'"):
        make.make_report(recordings, tmp_path, Here(), 2, only=("goood",))


def test_the_overview_has_a_row_for_each_rule_and_a_column_for_each_subject(tmp_path: Path) -> None:
    (tmp_path / "made.png").write_bytes(PIXEL)

    def claim(rule: str, measured: str, verdict: str) -> dict[str, str]:
        return Claim("9.9", "rats gallop", rule, measured, verdict).as_json()

    def section(name: str, subject: str, status: str, *claims: dict[str, str]) -> Section:
        made = stage.Outcome(
            "", status, "too few taps", "", claims, files=(str(tmp_path / "made.png"),)
        )
        picture = str(tmp_path / f"{name}-{subject.replace(' ', '_')}.png")
        return Section(
            Stage(name, subject, (f"data/{subject}/recordings/a.nwb",), picture, ""), made
        )

    other = by_another_rule("of the hind legs", [Estimate(-1.0, -2.0, -0.5, 9)])
    same = by_another_rule("of the hind legs", [Estimate(1.0, 0.5, 2.0, 9)])
    sections = [
        section(
            *("fig5", "all subjects", "made"),
            claim("all legs", f"rodent: +1.00{other}", "agrees"),
            claim("all legs", f"rodent_second: +3.00{same}", "agrees"),
            claim("one leg", "rodent: +2.00", "cannot tell"),
            claim("rodent above rodent_second", "rodent – rodent_second +7.00", "disagrees"),
        ),
        section("fig7", "rodent", "made", claim("it is so", "+4.00", "agrees")),
        section("fig7", "rodent_second", "nothing"),
    ]
    subjects = ["rodent", "rodent_second"]
    assert counted(all_judged(sections, subjects)) == "3 agrees, 1 disagrees, 1 cannot tell"
    page.write_page(tmp_path / "index.html", sections, {}, subjects, [])
    pdf.write_pdf(tmp_path / "report.pdf", sections, subjects)
    text = (tmp_path / "index.html").read_text()
    assert "2 of these verdicts rest on a rule that was chosen after data had been seen" in text
    assert "1 of them would be different" in text
    overview = re.sub(
        r"<[^>]+>", " ", text[text.index("<table") : text.index("</table>")].replace("</td>", "|")
    )
    rows = [re.sub(r"\s+", " ", row) for row in overview.split("“rats gallop”")[1:]]
    assert (
        "rule: all legs | ✓ agrees other rule: ✗ disagrees | ✓ agrees other rule: the same |"
        in rows[0]
    )
    assert "rule: one leg | ? cannot tell | –|" in rows[1]
    assert "rule: rodent above rodent_second | ✗ disagrees |" in rows[2]
    assert rows[3].startswith("| ✓ agrees | nothing to draw |")  # one rule alone is not repeated
    assert "2 agrees, 1 cannot tell| 1 agrees|" in rows[3]
    assert "rodent-rig figure fig7 rodent/recordings --out" in text
    # what was measured stands apart from what another rule says
    assert "<strong>rodent</strong>: +1.00<div" in text
    assert "Another, of the hind legs, says: disagrees." in text


def test_a_missing_library_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = figures.Drawing("what it shows", lacking, lambda out: (out,), source="figure 99")
    monkeypatch.setattr(stage, "FIGURES", {"lacking": drawing})
    outcome = run(Stage("lacking", "rodent", (), str(tmp_path / "lacking-rodent.png"), "same"))
    assert (outcome.status, outcome.details) == ("failed", "")
    assert "package openTSNE" in outcome.sentence
    assert "rodent-rig[analysis]" in outcome.sentence


def test_the_command(recordings: list[Path], tmp_path: Path) -> None:
    recordings[1].unlink()
    done = rodent_rig_here(
        "report", tmp_path / "data", "--out", tmp_path / "report", "--only", "fig7"
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1  fig7-rodent" in done.stderr
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count("Nothing to draw") == 1
    assert "record some with: rodent-rig dataset" in page
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text("mine")
    refused = rodent_rig_here("report", tmp_path / "data", "--out", tmp_path / "other")
    assert refused.returncode == 2
    assert "exists already" in refused.stderr
    assert (tmp_path / "other" / "index.html").read_text() == "mine"


@pytest.mark.parametrize("asked", [{}, {"OMP_NUM_THREADS": "2"}])
def test_commands_compute_on_one_thread_unless_asked(asked: dict[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    done = subprocess.run(
        [sys.executable, "-c", "import cli.main, os; print(len(os.listdir('/proc/self/task')))"],
        env={**kept, "PYTHONPATH": str(ROOT), **asked},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    cores = len(os.sched_getaffinity(0))
    assert int(done.stdout) == (min(2, cores) if asked else 1)
