"""The versions of what a session is made with, for its record."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("rodent-rig", "mujoco", "dm_control", "torch", "numpy", "pyzmq", "msgspec", "h5py")


def versions() -> dict[str, str]:
    """The version of Python and of each of `PACKAGES`; "not installed" of one run from its source."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
