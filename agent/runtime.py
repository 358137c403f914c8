"""Runtimes: the libraries that can run a network's single step, chosen by name when a subject is loaded.

"onnx" (onnxruntime) is what sessions use: small and fast. "torch" (PyTorch) is the reference, and what
subjects are trained with; their outputs agree to about 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from agent.activity import Activity
from agent.architecture import NetworkConfig
from agent.errors import SubjectError
from agent.interventions import Intervention

if TYPE_CHECKING:
    from agent.network import Network

Array = np.ndarray

RuntimeName = Literal["onnx", "torch"]

PACKAGES: dict[RuntimeName, str] = {"onnx": "onnxruntime", "torch": "torch"}
"""The Python package behind each runtime."""

DEFAULT: RuntimeName = "onnx"


class Runtime(Protocol):
    """Steps one animal.

    Attributes:
        c, h: its state, (units,) float32, applied values; changed in place.
        action_std: (actions,) float64 standard deviation of each action.
    """

    c: Array
    h: Array
    action_std: Array

    def reset(self) -> None:
        """Forget: the state of an animal that has seen nothing yet."""

    def step(
        self,
        proprioception: Array,
        pixels: Array,
        interventions: Mapping[str, Sequence[Intervention]],
    ) -> tuple[Array, float, Activity]:
        """One step.

        Args:
            proprioception: (senses,) float32 in natural units.
            pixels: (64, 64, 3) uint8.
            interventions: those of each layer, in order; empty for none.

        Returns:
            the mean action (actions,) float32 not clipped, the value, the activity.
        """


def onnx_runtime(config: NetworkConfig, weights: Mapping[str, Array], sha256: str) -> Runtime:
    """The step on onnxruntime.

    Args:
        config: the architecture.
        weights: arrays as in `config.parameter_shapes`.
        sha256: of the weights' file; with the architecture it names the cached graph.

    Raises:
        SubjectError: onnxruntime or onnx is not installed, or refuses the graph.
    """
    try:
        from agent.graph_cache import graph_of
        from agent.onnx_step import OnnxStep

        return OnnxStep(config, graph_of(config, weights, sha256), np.exp(weights["log_std"]))
    except ImportError as missing:
        raise SubjectError(
            f"the runtime 'onnx' cannot be used ({missing}); install it: "
            "pip install onnx onnxruntime"
        ) from None


def torch_network(config: NetworkConfig, weights: Mapping[str, Array]) -> Network:
    """The network as PyTorch knows it, with copies of the weights.

    Sets PyTorch to one thread: at one animal more threads only get in each other's way.

    Raises:
        SubjectError: PyTorch is not installed.
    """
    try:
        import torch

        from agent.network import Network
    except ImportError as missing:
        raise SubjectError(
            f"the runtime 'torch' cannot be used ({missing}); install it: "
            "pip install 'rodent-rig[train]'"
        ) from None
    network = Network(config)
    network.load_state_dict({name: torch.from_numpy(each.copy()) for name, each in weights.items()})
    torch.set_num_threads(1)
    return network


def torch_runtime(network: Network) -> Runtime:
    """The step on PyTorch; the weights are copied."""
    from agent.network_step import NetworkStep

    return NetworkStep(network)
