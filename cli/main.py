"""`rodent-rig`: its commands, and the one sentence in which it gives up.

Exit status: 0 done, 1 the run failed, 2 the user's input is wrong. Commands import what they need when
they are called, so that `rodent-rig --help` does not wait for PyTorch.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("MUJOCO_GL", "egl")

import typer

from cli import (
    detectors,
    environment,
    exports,
    figures,
    protocols,
    recordings,
    reruns,
    sessions,
    subjects,
    sweeps,
)
from cli.lsl import lsl
from cli.probe import probe
from rig.child_python import protect
from rig.errors import RunError, UserError

app = typer.Typer(
    name="rodent-rig",
    help="A closed-loop electrophysiology rig whose animal is a trained virtual rodent.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("gui")(sessions.gui)
app.command("run")(sessions.run)
app.command("check")(protocols.check)
app.command("sweep")(sweeps.sweep)
app.command("replay")(recordings.replay)
app.command("info")(recordings.info)
app.command("export")(exports.export)
app.command("spikes")(recordings.spikes)
app.command("recover")(recordings.recover)
app.command("rerun")(reruns.rerun)
app.command("branch")(reruns.branch)
app.command("figure")(figures.figure)
app.command("learn")(detectors.learn)
app.command("train")(subjects.train)
app.command("evaluate")(subjects.evaluate)
app.command("lsl")(lsl)
app.command("probe")(probe)
app.command("keys")(sessions.keys)
app.command("doctor")(environment.doctor)


EXTRAS = {
    **dict.fromkeys(("torch", "cma", "tensorboard", "ray"), "train"),
    **dict.fromkeys(("pynapple", "sklearn", "pyarrow", "imageio_ffmpeg"), "analysis"),
}
"""What the base installation leaves out: package to the extra that brings it."""


def main() -> None:
    """Runs a command; a known trouble is one sentence on standard error and an exit status."""
    protect()
    try:
        app()
    except (UserError, RunError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(2 if isinstance(problem, UserError) else 1)
    except ModuleNotFoundError as problem:
        package = (problem.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        print(
            f"This needs the package {package}, which the base installation leaves out; install it with "
            f"pip install 'rodent-rig[{EXTRAS[package]}]'.",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(1)


if __name__ == "__main__":
    main()
