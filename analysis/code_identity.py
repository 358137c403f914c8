"""Which code an episode depends on: what is kept of an evaluation is measured anew when that changes."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from rig.versions import version_of

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("mujoco", "dm_control", "torch", "onnxruntime", "numpy", "scipy")
_LOADED_BY_NAME = tuple(f"agent.{file.stem}" for file in sorted((ROOT / "agent").glob("*.py")))
"""`agent` imports its modules lazily, by names that cannot be read from its source."""


def digest(paths: Iterable[Path], *words: str) -> str:
    """SHA-256 of the contents of files, in the order of their names, and of words."""
    result = hashlib.sha256(repr(words).encode())
    for path in sorted(paths):
        result.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return result.hexdigest()


@lru_cache(maxsize=8)
def code_identity(*modules: str) -> str:
    """A digest of modules, of all of this project that they import, and of the libraries' versions.

    Args:
        modules: names such as "evaluation.episode".
    """
    versions = [f"{name} {version_of(name)}" for name in LIBRARIES]
    return digest(sources(modules, ROOT), *versions)


def sources(modules: Iterable[str], root: Path) -> list[Path]:
    """The files of modules and, transitively, of what they import under `root`; sorted.

    Imports inside functions count, those for type checking too. A package's `__init__` counts where something
    is imported from the package itself.

    Args:
        modules: names such as "evaluation.episode"; what is not under `root` is left out.
        root: the folder of the packages.
    """
    found: set[Path] = set()
    open_names = [*modules]
    while open_names:
        file = _file(open_names.pop(), root)
        if file is None or file in found:
            continue
        found.add(file)
        open_names += _imported(file.read_bytes())
        if file == root / "agent" / "__init__.py":
            open_names += _LOADED_BY_NAME
    return sorted(found)


@lru_cache(maxsize=1024)  # figures share most of their modules
def _imported(source: bytes) -> tuple[str, ...]:
    """What a module's source imports, by absolute names."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
            # where the name is a module of the package
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


def _file(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)
