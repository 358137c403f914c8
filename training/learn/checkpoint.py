"""Save and resume the training of a network: weights, Adam's moments and how far it is, in one file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from agent.errors import SubjectError
from agent.subject import write_bytes

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Adam,
    done: int,
    average: nn.Module | None = None,
) -> None:
    """Write the checkpoint; a reader sees the old one or the new one.

    Where the network has a running mean, `average`, that is the network of the file (what `restore` gives),
    and the one that learns stands beside it.
    """
    shown = average or network
    tensors = {f"network.{name}": value for name, value in shown.state_dict().items()}
    if average is not None:
        tensors |= {f"learning.{name}": value for name, value in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for moment in _MOMENTS:
            if moment in optimiser.state.get(parameter, {}):
                tensors[f"{moment}.{name}"] = optimiser.state[parameter][moment]
    tensors["done"] = torch.tensor(done)
    write_bytes(path, save_tensors({key: value.contiguous() for key, value in tensors.items()}))


def load(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Adam,
    average: nn.Module | None = None,
) -> int:
    """Restore what `save` wrote; returns how far it was, 0 where there is no file.

    A file without a running mean gives `average` the network's weights.

    Raises:
        SubjectError: the file is damaged or belongs to another architecture.
    """
    if not path.exists():
        return 0
    tensors = restore(path, average or network)
    if average is not None:
        learning = part(tensors, "learning.")
        network.load_state_dict(learning or average.state_dict())
    for name, parameter in network.named_parameters():
        moments = {m: tensors[f"{m}.{name}"] for m in _MOMENTS if f"{m}.{name}" in tensors}
        if len(moments) == len(_MOMENTS):
            optimiser.state[parameter] = moments
    return int(tensors["done"])


def restore(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """Give the network the weights that `save` wrote; returns everything in the file.

    Raises:
        SubjectError: the file is damaged or belongs to another architecture.
    """
    try:
        tensors = read(path)
        network.load_state_dict(part(tensors, "network."))
        int(tensors["done"])
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:160]
        raise SubjectError(
            f"the checkpoint {path} cannot be resumed ({reason}); delete it, or train into another folder"
        ) from None
    return tensors


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def read(path: Path) -> dict[str, Tensor]:
    """Everything in a checkpoint.

    Raises:
        OSError: it cannot be read.
        RuntimeError: it is not a checkpoint, or damaged.
    """
    try:
        return dict(load_tensors(path.read_bytes()))
    except SafetensorError as error:
        raise RuntimeError(str(error)) from None


def done(path: Path) -> int:
    """How far the training was that wrote a checkpoint, 0 where there is none or it cannot be read."""
    try:
        return int(load_tensors(path.read_bytes())["done"])
    except (OSError, SafetensorError, KeyError):
        return 0
