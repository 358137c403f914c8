"""`rodent-rig doctor`, and what the other commands ask about this machine."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.text import Text

from gui.look.display import display_missing
from rig.child_python import environment, own_cache, python
from rig.errors import UserError
from rig.new_recording import recordings_folder
from rig.opengl import remedy
from rig.terminal import console

APT_PACKAGES = tuple(Path(__file__).with_name("system_packages.txt").read_text().split())
"""Debian packages that OpenGL and Qt need; `make` installs the same."""

NEEDED = ("OpenGL", "Qt", "session folder", "temporary files")
"""What no session, or no window, runs without."""

DRAWS_S = 60.0
"""How long a picture may take; a driver that hangs never draws one."""

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
    value = given["MUJOCO_GL"]
    try:
        result = subprocess.run(
            python("-c", script),
            capture_output=True,
            text=True,
            env=given,
            check=False,
            errors="replace",
            timeout=DRAWS_S,
        )
    except subprocess.TimeoutExpired:
        seen = f"MUJOCO_GL={value}: it has drawn nothing within {DRAWS_S:g} s"
        return Finding("OpenGL", False, seen, remedy())
    if result.returncode == 0:
        return Finding("OpenGL", True, f"renders with MUJOCO_GL={value}")
    lines = result.stderr.strip().splitlines()
    packages = "apt-get install libegl1 libgl1 libegl-mesa0, or libosmesa6 with MUJOCO_GL=osmesa"
    return Finding(
        "OpenGL",
        False,
        f"MUJOCO_GL={value}: " + (lines[-1] if lines else f"exit status {result.returncode}"),
        packages if value.lower() == "egl" else remedy(),
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
    from rig.session.directory import SessionDirectory, runtime_folder

    try:
        SessionDirectory.create().remove()
        return Finding("session folder", True, str(runtime_folder()))
    except RunError as problem:
        return Finding("session folder", False, str(problem), "set XDG_RUNTIME_DIR")


def _working_folder() -> Finding:
    try:
        folder, unusual = recordings_folder(make=False)
    except UserError as problem:
        return Finding("recordings", False, str(problem), "change to a folder of your own")
    if unusual:
        return Finding(
            "recordings", False, unusual, "change to a folder of your own, or give --out"
        )
    return Finding("recordings", True, f"in {folder.absolute()}")


def _cache() -> Finding:
    own = own_cache()
    if own is not None:
        return Finding("cache", True, str(own))
    return Finding(
        "cache",
        False,
        f"your own cannot be written; {os.environ.get('XDG_CACHE_HOME', 'none')} is used instead",
        "make ~/.cache writable, or set XDG_CACHE_HOME",
    )


def _temporary() -> Finding:
    try:
        tempfile.TemporaryFile().close()
        return Finding("temporary files", True, tempfile.gettempdir())
    except OSError as problem:
        return Finding("temporary files", False, str(problem.strerror), "set TMPDIR")


def doctor() -> None:
    """Say what this machine lacks (OpenGL, Qt, fonts, a display, folders to write in) and how to get it."""
    looks = (
        *(_gl, _qt, _display, _fonts, _cores),
        *(_runtime, _working_folder, _cache, _temporary),
    )
    shown = console(soft_wrap=True)
    needed = False
    for look in looks:
        finding = look()
        mark = Text("ok  ", "green") if finding.well else Text("lack", "red")
        shown.print(Text.assemble(mark, f"  {finding.name:15} {finding.seen}"))
        if not finding.well and finding.remedy:
            shown.print(f"      {'':15} -> {finding.remedy}")
        needed = needed or (not finding.well and finding.name in NEEDED)
    if needed:
        raise typer.Exit(1)
