"""What all tests share: runtime and cache folders of their own, so that they see no other session."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from gui.main_window import MainWindow
    from gui.session.session_setup import SessionStarter

# short: the paths of sockets are limited; one for each process that runs tests
_RUNTIME = tempfile.mkdtemp(prefix="rr-")
atexit.register(shutil.rmtree, _RUNTIME, ignore_errors=True)
os.environ["XDG_RUNTIME_DIR"] = _RUNTIME
os.environ["XDG_CACHE_HOME"] = _RUNTIME
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


LONGEST_FIRST = (
    *("session", "training", "rerun", "snapshots", "chaos", "sweep", "evaluation", "gui_window"),
    *("walkthrough",),
    *("recorder_writing", "engine_faults", "recorder_recovery", "actor_pool", "fuzz_recordings"),
    *("arenas", "reinforcement", "dagger", "vector_env", "concatenated_parts", "session_input"),
    *("expert_two_tap", "probe_on_line", "recorder_disk", "fig12", "detection", "examples"),
    *("runtime", "subject", "auxiliary_targets", "running_leap", "baseline_sessions"),
)
"""Files that take long, so that none of them begins when everything else is done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files at a time, the long ones first; the order within a file stays."""
    rank = {f"test_{name}.py": number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def pytest_collection_finish() -> None:
    """PyTorch computes on one thread: more would wait for each other, as every core runs tests."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """The garbage collector passes over what was imported: else an arena takes a third longer to make.

    A session in this process undoes it at its end.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


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
