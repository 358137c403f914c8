"""The versions of what a session is made with, and the machine, for its record.

A session is the same to the bit only where these are.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.runtime import DEFAULT, RuntimeName
from agent.runtime import PACKAGES as RUNTIMES
from rig.arenas.names import CAMERA_QUALITIES, TASK_EVENTS_VERSION, CameraQuality
from rig.errors import UserError

PACKAGES = ("rodent-rig", "mujoco", "dm_control", "numpy", "pyzmq", "msgspec", "h5py")
_RUNTIME = "runtime"
_CAMERA = "camera"
_TASK_EVENTS = "task events"


def versions(
    runtime: RuntimeName = DEFAULT,
    camera: CameraQuality = "fast",
    task_events: int = TASK_EVENTS_VERSION,
) -> dict[str, str]:
    """The version of Python and of each of `PACKAGES`; "not installed" of one run from its source.

    Under "runtime" the package that the subject's network runs on, and under that package's name its
    version. Under "camera" how the animal's view was drawn (`rig.arenas.camera`), under "task events" how
    those were found (`rig.arenas.names`). Under "system" and "processor" the machine, as far as arithmetic
    may depend on it.

    Args:
        runtime: of the network.
        camera: how the view is drawn.
        task_events: the version of how events of the task are found.
    """
    package = RUNTIMES[runtime]
    packages = {name: version_of(name) for name in (*PACKAGES, package)} | {_RUNTIME: package}
    machine = {"system": f"{platform.system()} {platform.machine()}", "processor": _processor()}
    ways = {_CAMERA: camera, _TASK_EVENTS: str(task_events)}
    return {"python": platform.python_version()} | packages | ways | machine


def camera_of(versions: Mapping[str, str]) -> CameraQuality:
    """How a session's views were drawn, from its `versions`; one that does not say drew fields whole.

    Raises:
        UserError: this version does not know it.
    """
    recorded = versions.get(_CAMERA, "unculled")
    for quality in CAMERA_QUALITIES:
        if quality == recorded:
            return quality
    raise UserError(
        f"the session's camera was {recorded!r}, which this version does not have; use the version of "
        f"rodent-rig that made it ({versions.get('rodent-rig', 'unknown')})"
    )


def task_events_of(versions: Mapping[str, str]) -> int:
    """How a session's events of the task were found, from its `versions`; 1 for one that does not say.

    Raises:
        UserError: this version does not know it.
    """
    recorded = versions.get(_TASK_EVENTS, "1")
    for known in range(1, TASK_EVENTS_VERSION + 1):
        if recorded == str(known):
            return known
    raise UserError(
        f"the session's events of the task were found in the way {recorded!r}, which this version does not "
        f"have; use the version of rodent-rig that made it ({versions.get('rodent-rig', 'unknown')})"
    )


def runtime_of(versions: Mapping[str, str]) -> RuntimeName:
    """The runtime that a session was made on, from its `versions`; a session that does not say used PyTorch.

    Raises:
        UserError: this version does not know it.
    """
    package = versions.get(_RUNTIME, RUNTIMES["torch"])
    for name, known in RUNTIMES.items():
        if known == package:
            return name
    raise UserError(
        f"the session was made on {package!r}, which this version cannot run; use the version of "
        f"rodent-rig that made it ({versions.get('rodent-rig', 'unknown')})"
    )


def _processor() -> str:
    """The processor's model, as the system names it; "unknown" where it does not."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"


def version_of(package: str) -> str:
    """The installed version of a package; "not installed" where it is run without being installed.

    >>> version_of("no-such-package")
    'not installed'
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
