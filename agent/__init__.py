"""The animal: its network, on disk and in use, and the point where stimuli act on it.

    subject = agent.load("runner")
    subject.reset()
    step = subject.step(observation)

Steps run on onnxruntime; `agent.load("runner", runtime="torch")` takes PyTorch, the reference. This folder
imports nothing else of this project; `training` makes subjects.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from agent.errors import SubjectError

if TYPE_CHECKING:
    from agent.architecture import NetworkConfig
    from agent.interventions import Intervention
    from agent.network import Network
    from agent.subject import Layer, Step, Subject, load

_FOUND_IN = {
    "Intervention": "interventions",
    "Layer": "subject",
    "Network": "network",
    "NetworkConfig": "architecture",
    "Step": "subject",
    "Subject": "subject",
    "load": "subject",
}


def __getattr__(name: str) -> Any:
    # on first use: a command that needs no network should not wait for the libraries that run one
    if name not in _FOUND_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"agent.{_FOUND_IN[name]}"), name)


__all__ = [
    "Intervention",
    "Layer",
    "Network",
    "NetworkConfig",
    "Step",
    "Subject",
    "SubjectError",
    "load",
]
