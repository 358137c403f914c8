"""One stage of the report: a figure from recordings, in a process of its own.

    python -m analysis.report.stage STAGE.json RESULT.json

So a stage that runs out of memory or stumbles ends by itself, and what it needed is known.
"""

from __future__ import annotations

import resource
import sys
import time
import traceback
from pathlib import Path

import msgspec

from analysis.code_identity import code_identity, digest
from analysis.figures import FIGURES
from rig.errors import RunError, UserError
from rig.output_file import replacing
from rig.versions import version_of

LIBRARIES = ("matplotlib", "scikit-learn", "pynapple", "openTSNE", "umap-learn")
"""Beside those of `analysis.code_identity`: a figure is made anew with other versions."""


class Stage(msgspec.Struct, frozen=True):
    """A figure to be made.

    Attributes:
        name: of the figure, one of `analysis.figures.FIGURES`.
        subject: the subject's name, or "all subjects".
        files: recordings.
        picture: the PNG to write; its numbers go beside it.
        identity: of recordings and code; the same gives the same figure.
    """

    name: str
    subject: str
    files: tuple[str, ...]
    picture: str
    identity: str

    @property
    def key(self) -> str:
        """What the stage is called among the others, and its files."""
        return Path(self.picture).stem


class Outcome(msgspec.Struct, frozen=True):
    """What became of a stage.

    Attributes:
        identity: of the stage.
        status: "made", "nothing" (the recordings have nothing for it) or "failed".
        sentence: why it was not made.
        details: the traceback of a failure.
        claims: the paper's claims beside what was measured, as text.
        notes: about the data.
        files: written, the picture first.
        seconds: that it took.
        peak_mb: of memory, the most that it held at once.
    """

    identity: str
    status: str
    sentence: str = ""
    details: str = ""
    claims: tuple[dict[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_mb: float = 0.0


def identity_of(name: str, recordings: tuple[str, ...], given: str = "") -> str:
    """A digest of a figure's code, of its recordings and of what a person has written for it.

    The code is the figure's module and what that imports: other figures can change without it.

    Args:
        name: of the figure.
        recordings: SHA-256 of each.
        given: `Drawing.given` of the picture.
    """
    code = code_identity(FIGURES[name].draw.__module__)
    versions = [f"{library} {version_of(library)}" for library in LIBRARIES]
    return digest((), name, code, *versions, *sorted(recordings), *([given] if given else []))


def run(stage: Stage) -> Outcome:
    """Draws a stage's figure; what goes wrong is part of the outcome."""
    drawing, out = FIGURES[stage.name], Path(stage.picture)
    began = time.monotonic()
    made: dict[str, object] = {}
    try:
        drawn = drawing.draw([Path(each) for each in stage.files], out)
        made = {
            "status": "made",
            "claims": tuple(claim.as_json() for claim in drawn.claims),
            "notes": drawn.notes,
            "files": tuple(str(file) for file in drawn.files),
        }
    except (UserError, RunError) as problem:
        status = "nothing" if isinstance(problem, UserError) else "failed"
        made = {"status": status, "sentence": str(problem)}
    except ModuleNotFoundError as problem:
        sentence = (
            f"This needs the package {problem.name}, which the base installation leaves out; install it with "
            "pip install 'rodent-rig[analysis]'."
        )
        made = {"status": "failed", "sentence": sentence}
    except Exception as problem:  # the other stages go on
        sentence = f"{type(problem).__name__}: {problem}"
        made = {"status": "failed", "sentence": sentence, "details": traceback.format_exc()}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return msgspec.convert(
        made
        | {
            "identity": stage.identity,
            "seconds": round(time.monotonic() - began, 2),
            "peak_mb": round(peak_mb, 1),
        },
        Outcome,
    )


def main() -> None:
    """Reads the stage, draws its figure, writes its outcome."""
    stage_file, outcome_file = (Path(each) for each in sys.argv[1:])
    stage = msgspec.json.decode(stage_file.read_bytes(), type=Stage)
    outcome = run(stage)
    with replacing(outcome_file) as partial:
        partial.write_bytes(msgspec.json.encode(outcome))


if __name__ == "__main__":
    from rig.session.exit_with_parent import exit_with_parent

    exit_with_parent()
    main()
