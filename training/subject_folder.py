"""A trained network as a subject: the folder that `agent.load` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from safetensors.numpy import save as save_arrays

from agent.network import Network
from agent.subject import CAMERA, FORMAT, SUBJECT_FILE, WEIGHTS_FILE, write_bytes


def save(
    network: Network,
    folder: Path,
    name: str,
    proprioception: Sequence[tuple[str, int]],
    training: Mapping[str, Any],
    versions: Mapping[str, str],
) -> None:
    """Write a subject's folder: weights first, then the description that names their hash.

    Args:
        network: the weights.
        folder: is made where it is missing; what it holds of these files is replaced.
        name: of the subject.
        proprioception: observable and its size, in the order in which the network takes them.
        training: facts about how it was made; numbers, texts, flags, and lists and tables of them.
        versions: of the libraries that it was made with.
    """
    weights = save_arrays(
        {key: np.ascontiguousarray(value.numpy()) for key, value in network.state_dict().items()}
    )
    document = {
        "format": FORMAT,
        "name": name,
        "licence": "GPL-3.0-or-later",
        "architecture": asdict(network.config),
        "observations": {"camera": CAMERA, "proprioception": proprioception},
        "weights": {"file": WEIGHTS_FILE, "sha256": hashlib.sha256(weights).hexdigest()},
        "training": training,
        "versions": versions,
    }
    write_bytes(folder / WEIGHTS_FILE, weights)
    write_bytes(folder / SUBJECT_FILE, tomli_w.dumps(document).encode())
