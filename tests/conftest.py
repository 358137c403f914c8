"""What all tests share: runtime and cache folders of their own, so that they see no other session.

No test waits for ever: one that takes longer than LIMIT_S fails and says where it was. Where Python cannot
interrupt it, pytest's `faulthandler_timeout` ends the process that runs it, and the others go on without it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import hypothesis
import pytest

from rig.child_python import ONE_THREAD

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

    from gui.main_window import MainWindow
    from gui.session.session_setup import SessionStarter

# short: the paths of sockets are limited; one for each process that runs tests
_RUNTIME = tempfile.mkdtemp(prefix="rr-")
atexit.register(shutil.rmtree, _RUNTIME, ignore_errors=True)
os.environ["XDG_RUNTIME_DIR"] = _RUNTIME
os.environ["XDG_CACHE_HOME"] = _RUNTIME
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# a thread for each process that runs tests: more would spin while they wait for a core
os.environ |= ONE_THREAD | {"LP_NUM_THREADS": "0"}
# not set where users are: each of hundreds of processes would compile all that it imports of ours
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # begun in the background of a shell: processes that are started here would not hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

# how long an example takes says how busy the machine is; other examples each time: RODENT_RIG_FUZZ=10
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize="RODENT_RIG_FUZZ" not in os.environ, database=None
)
hypothesis.settings.load_profile("tests")

LIMIT_S = 150.0
"""How long a test, or what it needs before and after, may take: many times what the longest takes."""


LONGEST_FIRST = (
    *("training", "rerun", "session", "session_faults", "gui_window", "sweep", "snapshots"),
    *("evaluation", "arenas", "engine_faults", "chaos", "bus_client", "walkthrough", "dagger"),
    *("real_display", "baseline_sessions", "recorder_writing", "recorder_recovery", "actor_pool"),
    *("fuzz_recordings", "installed", "reinforcement", "vector_env", "concatenated_parts", "lsl"),
    *("session_input", "expert_two_tap", "probe_on_line", "recorder_disk", "fig12", "detection"),
    *("examples", "runtime", "subject", "auxiliary_targets", "running_leap", "external_inputs"),
    *("report", "closed_loop", "branch_own_protocol", "replay_bus", "stim_process", "dataset"),
    *("other_programs", "gui_layout", "gui_editor", "gui_recording", "gui_setup"),
)
"""Files that take long, so that none of them begins when everything else is done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files at a time, the long ones first; the order within a file stays."""
    rank = {f"test_{name}.py": number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def _give_up(*_: object) -> NoReturn:
    pytest.fail(f"It has taken more than {LIMIT_S:g} s.")


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Fails where it is after LIMIT_S, and again every 20 s while it does not end even so."""
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S, 20.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """A test has LIMIT_S."""
    with _limited():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """So has what is done after it."""
    with _limited():
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Whole files to each process; a test during which a process ended is not begun again."""
    from xdist.scheduler import LoadFileScheduling
    from xdist.workermanage import WorkerController

    class Files(LoadFileScheduling):
        def remove_node(self, node: WorkerController) -> str | None:
            """The test that its process did not survive, if any; without this, all others get it in turn."""
            tests = [unit for unit in self.assigned_work[node].values() if False in unit.values()]
            if not tests:
                return super().remove_node(node)
            ended = next(name for name, done in tests[0].items() if not done)
            tests[0][ended] = True
            super().remove_node(node)
            return ended

    return Files(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """PyTorch computes on one thread: more would wait for each other, as every core runs tests."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """What a test needs has LIMIT_S, too.

    The garbage collector passes over what was imported: else an arena takes a third longer to make.
    A session in this process undoes it at its end.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
    with _limited():
        return (yield)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty XDG_RUNTIME_DIR; at the end nothing may be left of any session in it."""
    folder = Path(tempfile.mkdtemp(prefix="rr-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        yield Path(folder)


@pytest.fixture
def open_window(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., MainWindow]]:
    """Opens windows that remember nothing beyond the test."""
    # not above: most tests open no window, and Qt takes its time
    from PyQt6.QtCore import QSettings

    from gui.main_window import MainWindow
    from tests.windows import press_in_dialog

    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    settings.setValue("recordings", str(tmp_path / "recordings"))
    settings.setValue("record_from_start", False)
    opened: list[MainWindow] = []

    def open_one(sessions: SessionStarter | None = None) -> MainWindow:
        window = MainWindow(sessions, settings)
        opened.append(window)
        window.show()
        return window

    yield open_one
    for window in opened:
        if window.isVisible():
            if window.phase in ("live", "starting"):
                press_in_dialog("Leave it running")
            window.close()
