"""`rodent-rig`: its commands, and the one sentence in which it gives up.

Exit status: 0 done, 1 the run failed, 2 the user's input is wrong. Commands import what they need when
they are called, so that `rodent-rig --help` does not wait for PyTorch.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from rig.child_python import one_thread_unless_asked, protect

os.environ.setdefault("MUJOCO_GL", "egl")
# before NumPy is imported, which reads it
os.environ.update(one_thread_unless_asked(os.environ))

import typer

from agent.errors import SubjectError
from cli import (
    agreement,
    branches,
    datasets,
    detectors,
    environment,
    exports,
    figures,
    protocols,
    recordings,
    report,
    reruns,
    sessions,
    subjects,
    sweeps,
)
from cli.command import Function, check_words, register
from cli.hand import clip, stimulate
from cli.lsl import lsl
from cli.operator import note, operate
from cli.probe import probe
from rig.errors import RunError, UserError
from rig.opengl import remedy
from rig.terminal import plain, prepare

app = typer.Typer(
    name="rodent-rig",
    help="A closed-loop electrophysiology rig whose animal is a trained virtual rodent.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
COMMANDS: dict[str, Function] = {
    "gui": sessions.gui,
    "run": sessions.run,
    "check": protocols.check,
    "protocols": protocols.protocols,
    "sweep": sweeps.sweep,
    "dataset": datasets.dataset,
    "note": note,
    "operate": operate,
    "stimulate": stimulate,
    "clip": clip,
    "replay": recordings.replay,
    "info": recordings.info,
    "export": exports.export,
    "spikes": recordings.spikes,
    "recover": recordings.recover,
    "rerun": reruns.rerun,
    "branch": branches.branch,
    "figure": figures.figure,
    "report": report.report,
    "learn": detectors.learn,
    "agreement": agreement.agreement,
    "subjects": subjects.subjects,
    "train": subjects.train,
    "evaluate": subjects.evaluate,
    "lsl": lsl,
    "probe": probe,
    "keys": sessions.keys,
    "doctor": environment.doctor,
}
register(app, **COMMANDS)


EXTRAS = {
    **dict.fromkeys(("torch", "cma", "tensorboard", "ray"), "train"),
    **dict.fromkeys(
        ("pynapple", "sklearn", "pyarrow", "imageio_ffmpeg", "openTSNE", "skimage", "umap"),
        "analysis",
    ),
}
"""What the base installation leaves out: package to the extra that brings it."""


def main() -> None:
    """Runs a command; a known trouble is one sentence on standard error and an exit status."""
    prepare()
    protect()
    _end_in_order()
    try:
        check_words(sys.argv[1:], COMMANDS)
        app()
    except (UserError, SubjectError, RunError) as problem:
        print(plain(str(problem)), file=sys.stderr)
        sys.exit(1 if isinstance(problem, RunError) else 2)
    except BrokenPipeError:  # who read it has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as problem:
        # whatever the system refuses somewhere: a folder without permission, a full disk
        where = f"{problem.filename}: " if problem.filename is not None else ""
        print(plain(f"{where}{problem.strerror or problem}."), file=sys.stderr)
        sys.exit(1)
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
    except (ImportError, RuntimeError) as problem:
        # MuJoCo looks for OpenGL when it is imported, and raises what it likes
        if not any(word in str(problem) for word in ("MUJOCO_GL", "OPENGL", "EGL", "OSMesa")):
            raise
        print(plain(f"OpenGL does not work here ({problem}); {remedy()}."), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(1)


def _end_in_order() -> None:
    """SIGTERM and SIGHUP end a command as Ctrl-C does: nothing is left half done.

    What is ignored (nohup) stays ignored. The window is left out: Python cannot raise through Qt.
    """
    if sys.argv[1:2] == ["gui"] or threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    main()
