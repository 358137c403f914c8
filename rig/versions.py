"""The versions of what a session is made with, and the machine, for its record.

A session is the same to the bit only where these are.
"""

from __future__ import annotations

import contextlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("rodent-rig", "mujoco", "dm_control", "torch", "numpy", "pyzmq", "msgspec", "h5py")


def versions() -> dict[str, str]:
    """The version of Python and of each of `PACKAGES`; "not installed" of one run from its source.

    Under "system" and "processor" the machine, as far as arithmetic may depend on it.
    """
    packages = {name: _version(name) for name in PACKAGES}
    machine = {"system": f"{platform.system()} {platform.machine()}", "processor": _processor()}
    return {"python": platform.python_version()} | packages | machine


def _processor() -> str:
    """The processor's model, as the system names it; "unknown" where it does not."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
