"""Who may import whom (docs/architecture.md), and what must not be loaded where it is not used."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "agent": set(),
    "parallel": {"rig.errors", "rig.child_python", "rig.terminal"},
    "rig": {"agent"},
    "analysis": {"agent", "rig", "stim", "recorder"},
    "stim": {"rig", "analysis.core"},
    "recorder": {"rig"},
    "evaluation": {"agent", "rig", "analysis", "parallel", "training"},
    "training": {"agent", "rig", "analysis", "parallel"},
    "rerun": {"agent", "rig", "stim", "recorder", "analysis"},
    "gui": {"rig", "recorder", "analysis"},
    "bench": {"agent", "rig", "stim", "recorder", "training", "cli", "analysis", "gui", "parallel"},
    "chaos": {"rig", "recorder", "stim"},
}
"""Folder to what of ours it may import beside itself; `cli` puts everything together."""

MUST_NOT_IMPORT = {
    "rig": {"PyQt6", "pyqtgraph", "h5py", "pynwb"},
    "stim": {"PyQt6", "pyqtgraph", "h5py", "pynwb", "mujoco", "dm_control"},
    "recorder": {"PyQt6", "pyqtgraph", "torch"},
    "rerun": {"PyQt6", "pyqtgraph"},
    "gui": {"torch", "dm_control"},
    "analysis": {"PyQt6", "pyqtgraph", "zmq"},
    "evaluation": {"PyQt6", "pyqtgraph", "zmq"},
    "training": {"PyQt6", "pyqtgraph", "zmq"},
}


def modules() -> dict[str, Path]:
    found = {}
    for folder in [*MAY_IMPORT, "cli"]:
        for path in (ROOT / folder).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path, at_load_only: bool = False) -> Iterator[str]:
    """The modules that a file imports; those within functions and for type checking only if asked for."""
    tree = ast.parse(path.read_text())
    nodes = list(tree.body) if at_load_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{each.name}" for each in node.names]
            yield from names
            if not all(_is_module(name) for name in names):
                yield node.module


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder: str) -> None:
    own = modules()
    ours = {name.split(".")[0] for name in own}
    allowed = MAY_IMPORT[folder] | {folder}
    wrong = {
        f"{name} imports {each}"
        for name, path in own.items()
        if name.split(".")[0] == folder
        for each in imports(path)
        if each.split(".")[0] in ours
        and not any(f"{each}.".startswith(f"{permitted}.") for permitted in allowed)
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_the_bus_knows_nothing_of_sessions() -> None:
    wrong = {
        f"{name} imports {each}"
        for name, path in modules().items()
        if name.startswith("rig.bus.")
        for each in imports(path)
        if each.startswith(("rig.", "agent.")) and not each.startswith(("rig.bus.", "rig.errors"))
        if each not in ("rig.bus", "rig.errors")
    }
    assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.parametrize("folder", MUST_NOT_IMPORT)
def test_libraries_stay_where_they_belong(folder: str) -> None:
    wrong = {
        f"{name} imports {each}"
        for name, path in modules().items()
        if name.split(".")[0] == folder
        for each in imports(path)
        if each.split(".")[0] in MUST_NOT_IMPORT[folder]
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_no_import_goes_in_a_circle() -> None:
    own = modules()
    graph = {
        name: {each for each in imports(path) if each in own and each != name}
        for name, path in own.items()
    }
    _assert_no_circle(graph)


def test_the_window_s_folders_use_each_other_in_one_direction() -> None:
    own = {name: path for name, path in modules().items() if name.startswith("gui.")}
    folders = {name: path.parent.name for name, path in own.items()}
    graph: dict[str, set[str]] = {folder: set() for folder in folders.values()}
    for name, path in own.items():
        used = {folders[each] for each in imports(path) if each in own}
        graph[folders[name]] |= used - {folders[name]}
    assert len(graph) > 10
    _assert_no_circle(graph)


def _assert_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        raise AssertionError(" -> ".join(circle.args[1])) from None


HEAVY = ("torch", "ray", "tensorboard", "sklearn", "matplotlib")

LIGHT = {
    "run and check": "import cli.main, cli.sessions, rig.session.supervisor, stim.protocol.read",
    "gui": "import cli.main, gui.app, gui.main_window",
    "replay and info": "import cli.main, cli.recordings, recorder.replay, recorder.summary",
    "rerun": "import cli.main, cli.reruns, rerun.rerun, rerun.recorded_session, rerun.branches",
    "the subject": "import rig.session.subject_session, agent; agent.load('runner')",
    "the recorder": "import recorder.process, recorder.nwb_objects",
    "the stimulation engine": "import stim.process, stim.engine",
}


def test_nothing_heavy_is_loaded_on_the_way_to_a_session() -> None:
    """One after the other in one process: what one loads is found with it and with those after it."""
    code = "import json, sys\nfound = {}\n"
    for what, statement in LIGHT.items():
        code += f"{statement}\nfound[{what!r}] = [n for n in {HEAVY} if n in sys.modules]\n"
    code += "print(json.dumps(found))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == {what: [] for what in LIGHT}


def test_the_pictures_of_the_architecture_are_those_of_the_code() -> None:
    command = [sys.executable, "scripts/architecture.py", "--check"]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert result.returncode == 0, result.stdout
