"""`rodent-rig doctor`, and what the other commands ask about this machine."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from gui.display import display_missing
from rig.child_python import environment, python

APT_PACKAGES = tuple(Path(__file__).with_name("system_packages.txt").read_text().split())
"""Debian packages that OpenGL and Qt need; `make` installs the same."""

_QT_LIBRARIES = ("xcb-cursor", "xkbcommon", "xkbcommon-x11", "dbus-1", "fontconfig", "xcb-icccm")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is well, what was seen, how to get it if not."""

    name: str
    well: bool
    seen: str
    remedy: str = ""


def _gl() -> Finding:
    script = (
        "import mujoco; c = mujoco.GLContext(64, 64); c.make_current();"
        "m = mujoco.MjModel.from_xml_string('<mujoco/>'); mujoco.MjrContext(m, 100); print('ok')"
    )
    given = environment()
    given.setdefault("MUJOCO_GL", "egl")
    result = subprocess.run(
        python("-c", script),
        capture_output=True,
        text=True,
        env=given,
        check=False,
        errors="replace",
    )
    if result.returncode == 0:
        return Finding("OpenGL", True, f"renders with MUJOCO_GL={given['MUJOCO_GL']}")
    lines = result.stderr.strip().splitlines()
    return Finding(
        "OpenGL",
        False,
        lines[-1] if lines else f"exit status {result.returncode}",
        "apt-get install libegl1 libgl1 libegl-mesa0, or libosmesa6 with MUJOCO_GL=osmesa",
    )


def _qt() -> Finding:
    absent = [name for name in _QT_LIBRARIES if not ctypes.util.find_library(name)]
    try:
        import PyQt6.QtWidgets as _  # noqa: F401
    except ImportError as problem:
        return Finding("Qt", False, str(problem), "apt-get install " + " ".join(APT_PACKAGES))
    if absent:
        return Finding(
            "Qt",
            False,
            "missing: " + ", ".join(absent),
            "apt-get install " + " ".join(APT_PACKAGES),
        )
    return Finding("Qt", True, "libraries found")


def _display() -> Finding:
    missing = display_missing()
    return Finding(
        "display",
        not missing,
        missing or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or "present",
    )


def _fonts() -> Finding:
    result = (
        subprocess.run(["fc-list"], capture_output=True, text=True, check=False).stdout
        if ctypes.util.find_library("fontconfig") and _on_path("fc-list")
        else ""
    )
    found = len(result.splitlines()) or sum(
        len(files) for _, _, files in os.walk("/usr/share/fonts")
    )
    return Finding("fonts", found > 0, f"{found} found", "apt-get install fonts-dejavu-core")


def _on_path(program: str) -> bool:
    import shutil

    return shutil.which(program) is not None


def _cores() -> Finding:
    cores = os.cpu_count() or 1
    return Finding(
        "cores", cores >= 2, str(cores), "one core is too few for real time with a window"
    )


def _runtime() -> Finding:
    from rig.errors import RunError
    from rig.session.directory import runtime_folder

    try:
        return Finding("session folder", True, str(runtime_folder()))
    except RunError as problem:
        return Finding("session folder", False, str(problem), "set XDG_RUNTIME_DIR")


def doctor() -> None:
    """Say what this machine lacks (OpenGL, Qt libraries, fonts, a display) and how to get it."""
    checks: tuple[Callable[[], Finding], ...] = (_gl, _qt, _display, _fonts, _cores, _runtime)
    console = Console(highlight=False, soft_wrap=True)
    needed = False
    for look in checks:
        finding = look()
        mark = "[green]ok  [/green]" if finding.well else "[red]lack[/red]"
        console.print(f"{mark}  {finding.name:15} {finding.seen}")
        if not finding.well and finding.remedy:
            console.print(f"      {'':15} -> {finding.remedy}")
        needed = needed or (not finding.well and finding.name in ("OpenGL", "Qt"))
    if needed:
        raise typer.Exit(1)
