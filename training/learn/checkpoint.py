"""Save and resume a training: weights, Adam's moments, steps completed and event counts, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from agent.errors import SubjectError
from agent.subject import write_bytes
from training import migration

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Adam,
    completed: int,
    *,
    ema: nn.Module | None = None,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Write a checkpoint; a reader sees the old file or the new one, never a part.

    Args:
        path: of the file.
        network: what learns.
        optimiser: its moments are kept.
        completed: steps of training done.
        ema: exponential moving average of the network. Where there is one, it is what `restore` gives, under
            `network.`, and the network that learns is kept under `online.`.
        counts: numbers to keep under `count.`.
    """
    shown = ema or network
    tensors = {f"network.{name}": value for name, value in shown.state_dict().items()}
    if ema is not None:
        tensors |= {f"online.{name}": value for name, value in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for moment in _MOMENTS:
            if moment in optimiser.state.get(parameter, {}):
                tensors[f"{moment}.{name}"] = optimiser.state[parameter][moment]
    tensors["completed"] = torch.tensor(completed)
    tensors |= {f"count.{name}": torch.tensor(value) for name, value in (counts or {}).items()}
    write_bytes(path, save_tensors({key: value.contiguous() for key, value in tensors.items()}))


def load(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Adam,
    ema: nn.Module | None = None,
) -> tuple[int, dict[str, int]]:
    """Restore what `save` wrote.

    Args:
        path: of the file.
        network: gets the weights that learn.
        optimiser: gets the moments.
        ema: gets the moving average; the network's weights, where the file has none.

    Returns:
        the steps completed (0 where there is no file), and the counts.

    Raises:
        SubjectError: the file is damaged or belongs to another architecture.
    """
    if not path.exists():
        return 0, {}
    tensors = restore(path, ema or network)
    if ema is not None:
        network.load_state_dict(with_prefix(tensors, "online.") or ema.state_dict())
    for name, parameter in network.named_parameters():
        moments = {m: tensors[f"{m}.{name}"] for m in _MOMENTS if f"{m}.{name}" in tensors}
        # Adam counts its steps on the CPU, wherever the moments are
        moments |= {m: moments[m].to(parameter.device) for m in _MOMENTS[:2] if m in moments}
        if len(moments) == len(_MOMENTS):
            optimiser.state[parameter] = moments
    counts = {name: int(value) for name, value in with_prefix(tensors, "count.").items()}
    return int(tensors["completed"]), counts


def restore(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """Give a network the weights of a checkpoint, the moving average where there is one.

    Returns:
        all tensors of the file.

    Raises:
        SubjectError: the file is damaged or belongs to another architecture.
    """
    try:
        tensors = read(path)
        network.load_state_dict(with_prefix(tensors, "network."))
        int(tensors["completed"])
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:160]
        raise SubjectError(
            f"the checkpoint {path} cannot be resumed ({reason}); delete it, or train into another folder"
        ) from None
    return tensors


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint, under their present names.

    Raises:
        OSError: it cannot be read.
        RuntimeError: it is not a checkpoint, or damaged.
    """
    try:
        return migration.checkpoint_tensors(load_tensors(path.read_bytes()))
    except SafetensorError as error:
        raise RuntimeError(str(error)) from None


def completed(path: Path) -> int:
    """Steps completed according to a checkpoint; 0 where there is none or it cannot be read."""
    try:
        return int(read(path)["completed"])
    except (OSError, RuntimeError, KeyError):
        return 0
