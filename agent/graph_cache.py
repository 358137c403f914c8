"""Built graphs, kept in the user's cache folder so that a subject is loaded without building one.

A graph's file is named by what it was built from (weights, architecture, the code that builds it) and by the
SHA-256 of its own content, which is checked when it is read. A cache that cannot be read or written is no
error: the graph is built again, in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import platformdirs

from agent.architecture import NetworkConfig

MAX_FILES = 16
"""So many graphs are kept, 4 MB each; those read longest ago go first."""

# the code that decides what a graph is
_BUILT_BY = ("onnx_graph.py", "architecture.py", "activity.py", "interventions.py")


def cache_folder() -> Path:
    """Where graphs are kept; it need not exist."""
    return platformdirs.user_cache_path("rodent-rig") / "graphs"


def graph_of(config: NetworkConfig, weights: Mapping[str, np.ndarray], sha256: str) -> bytes:
    """The graph of a network's step, a serialised ONNX model: from the cache, or built and put there.

    Args:
        config: the architecture.
        weights: arrays as in `config.parameter_shapes`.
        sha256: of the weights' file.
    """
    key = _key(config, sha256)
    found = _read(key)
    if found is not None:
        return found
    # here, because the libraries that build a graph are not needed to run one
    from agent.onnx_graph import build

    model = build(config, weights)
    _write(key, model)
    return model


def _key(config: NetworkConfig, sha256: str) -> str:
    here = Path(__file__).parent
    code = [hashlib.sha256((here / name).read_bytes()).hexdigest() for name in _BUILT_BY]
    builder = ""
    with suppress(PackageNotFoundError):  # e.g. in a frozen application
        builder = version("onnx")
    parts = [sha256, asdict(config), code, builder]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _read(key: str) -> bytes | None:
    for path in cache_folder().glob(f"{key}-*.onnx"):
        with suppress(OSError):
            model = path.read_bytes()
            if path.stem == _name(key, model):
                with suppress(OSError):  # others' caches can be read, too
                    path.touch()
                return model
            path.unlink()
    return None


def _write(key: str, model: bytes) -> None:
    folder = cache_folder()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        # several sessions may build the same graph at once: each writes its own file first
        handle, partial = tempfile.mkstemp(dir=folder, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(model)
            os.replace(partial, folder / f"{_name(key, model)}.onnx")
        finally:
            with suppress(OSError):  # of a full disk
                os.unlink(partial)
        newest_first = sorted(folder.glob("*.onnx"), key=lambda path: -path.stat().st_mtime)
        for path in newest_first[MAX_FILES:]:
            path.unlink(missing_ok=True)


def _name(key: str, model: bytes) -> str:
    return f"{key}-{hashlib.sha256(model).hexdigest()[:32]}"
