"""One step of one animal's network on PyTorch: the same sums as `Network.forward`, without gradients, with
the LSTM's gates in the open, so that interventions act between a layer's update and all that reads it.

It is the reference that `agent.onnx_step` is held against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, elu, layer_norm, linear

from agent.activity import Activity
from agent.architecture import CLIP_INPUT
from agent.interventions import Intervention, apply
from agent.network import Network

Array = np.ndarray


class NetworkStep:
    """Steps one animal; its state is `c` and `h`, (units,) float32, applied values.

    Args:
        network: its weights are copied.
    """

    def __init__(self, network: Network) -> None:
        config = network.config
        self.names = config.layer_names
        sizes = config.layer_sizes
        self._spans = config.layer_spans
        self._skip = config.skip
        self.c = np.zeros(config.n_units, np.float32)
        self.h = np.zeros(config.n_units, np.float32)
        weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self._w = weights
        self._scale = 1 / weights["std"]
        self._shift = -weights["mean"] / weights["std"]
        self._lstms: list[tuple[Tensor, Tensor]] = []
        for index in range(len(sizes)):
            one = f"lstms.{index}."
            # PyTorch orders the gates i, f, g, o; i, f, o, g lets one sigmoid do the three
            both = torch.cat([weights[one + "weight_ih_l0"], weights[one + "weight_hh_l0"]], 1)
            bias = weights[one + "bias_ih_l0"] + weights[one + "bias_hh_l0"]
            units = sizes[index]
            order = torch.cat(
                [
                    torch.arange(2 * units),
                    torch.arange(3 * units, 4 * units),
                    torch.arange(2 * units, 3 * units),
                ]
            )
            self._lstms.append((both[order].contiguous(), bias[order].contiguous()))
        self.action_std = network.action_std().detach().double().numpy()

    def reset(self) -> None:
        """Forget: the state of an animal that has seen nothing yet."""
        self.c[:] = 0
        self.h[:] = 0

    def _see(self, pixels: Array) -> Tensor:
        w = self._w
        x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float()
        x = x.div_(255).sub_(0.5).contiguous()
        x = conv2d(x, w["vision.body.0.weight"], w["vision.body.0.bias"], stride=4)
        x = self._residual(x, "vision.body.1.").relu_()
        x = conv2d(x, w["vision.body.3.weight"], w["vision.body.3.bias"], stride=2, padding=1)
        x = self._residual(x, "vision.body.4.").relu_()
        x = conv2d(x, w["vision.body.6.weight"], w["vision.body.6.bias"], stride=2, padding=1)
        return elu(linear(x.relu_().flatten(), w["vision.out.weight"], w["vision.out.bias"]))

    def _residual(self, x: Tensor, name: str) -> Tensor:
        w = self._w
        y = conv2d(x.relu(), w[name + "first.weight"], w[name + "first.bias"], padding=1)
        y = conv2d(y.relu_(), w[name + "second.weight"], w[name + "second.bias"], padding=1)
        return y.add_(x)

    def _feel(self, senses: Tensor) -> Tensor:
        w = self._w
        x = linear(senses, w["body.0.weight"], w["body.0.bias"])
        x = layer_norm(x, x.shape, w["body.1.weight"], w["body.1.bias"]).tanh_()
        return elu(linear(x, w["body.3.weight"], w["body.3.bias"]))

    @torch.inference_mode()
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
        w = self._w
        senses = torch.from_numpy(proprioception).mul(self._scale).add_(self._shift)
        senses.clamp_(-CLIP_INPUT, CLIP_INPUT)
        encoding = torch.cat([self._see(pixels), self._feel(senses)])
        c_natural, h_natural = np.empty_like(self.c), np.empty_like(self.h)
        core = self._layer(0, [encoding], c_natural, h_natural, interventions)
        features = elu(
            linear(torch.cat([core, encoding, senses]), w["policy.weight"], w["policy.bias"])
        )
        x = features
        for index in range(1, len(self._lstms)):
            inputs = [x, features] if self._skip and index > 1 else [x]
            x = self._layer(index, inputs, c_natural, h_natural, interventions)
        mean = linear(x, w["action.weight"], w["action.bias"]).numpy()
        value = float(linear(core, w["value.weight"], w["value.bias"]))
        return mean, value, Activity(c_natural, h_natural, self.c.copy(), self.h.copy())

    def _layer(
        self,
        index: int,
        inputs: list[Tensor],
        c_natural: Array,
        h_natural: Array,
        interventions: Mapping[str, Sequence[Intervention]],
    ) -> Tensor:
        """Update one layer; returns its applied h, which all that follows reads."""
        weight, bias = self._lstms[index]
        span = self._spans[index]
        h_before = torch.from_numpy(self.h[span])
        c_before = torch.from_numpy(self.c[span])
        units = len(c_before)
        gates = linear(torch.cat([*inputs, h_before]), weight, bias)
        opened = gates[: 3 * units].sigmoid_()
        candidate = gates[3 * units :].tanh_()
        output_gate = opened[2 * units :]
        c = (opened[units : 2 * units] * c_before).addcmul_(opened[:units], candidate)
        h = output_gate * c.tanh()
        c_values, h_values = c.numpy(), h.numpy()
        c_natural[span], h_natural[span] = c_values, h_values
        here = interventions.get(self.names[index])
        if here:
            apply(here, c_values, h_values, output_gate.numpy())
        self.c[span], self.h[span] = c_values, h_values
        return h
