"""The animal's brain: the network of Merel & Aldarondo et al. (ICLR 2020), figure 3.

    64x64 RGB ──► small ResNet ──────┐                       ┌──► value
    proprioception ──► small MLP ────┼──► core LSTM (128) ───┤
          │                          │                       ┊ no gradient
          └── shortcut ──────────────┴──► policy features ◄──┘
                                          policy LSTM 0 ► 1 ► 2 (128 each) ──► Gaussian, 38 actions

The core learns from the value loss only: the policy reads its output without passing a gradient back.
With `skip` every policy layer also reads the policy features, not only the layer below it.

`Network.forward` runs sequences, for training. `agent.network_step` and `agent.onnx_step` run one step of one
animal, for use; there interventions act.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agent.architecture import CLIP_INPUT, NetworkConfig

State = tuple[tuple[Tensor, Tensor], ...]
"""Per layer (h, c), each (batch, units); layers in the order of `NetworkConfig.layer_names`."""


@dataclass(frozen=True)
class Outputs:
    """What a sequence gave: means (T, B, actions) not clipped, values (T, B), the last state."""

    mean: Tensor
    value: Tensor
    state: State


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to their input (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to the same."""
        return x + self.second(torch.relu(self.first(torch.relu(x))))


class Vision(nn.Module):
    """The small ResNet: (n, 3, 64, 64) in [-0.5, 0.5] to (n, features)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        one, two, three = config.vision_channels
        self.body = nn.Sequential(
            nn.Conv2d(3, one, 4, stride=4),
            ResidualBlock(one),
            nn.ReLU(),
            nn.Conv2d(one, two, 3, stride=2, padding=1),
            ResidualBlock(two),
            nn.ReLU(),
            nn.Conv2d(two, three, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.out = nn.Linear(three * 16, config.vision_features)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features (n, features) of pictures."""
        return nn.functional.elu(self.out(self.body(pixels)))


class Network(nn.Module):
    """The whole network, for training; see the module's text for its shape."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        wide, narrow = config.proprioception_features
        self.register_buffer("mean", torch.zeros(config.proprioception_size))
        self.register_buffer("std", torch.ones(config.proprioception_size))
        self.vision = Vision(config)
        self.body = nn.Sequential(
            nn.Linear(config.proprioception_size, wide),
            nn.LayerNorm(wide),
            nn.Tanh(),
            nn.Linear(wide, narrow),
            nn.ELU(),
        )
        self.lstms = nn.ModuleList(
            nn.LSTM(size, units)
            for size, units in zip(config.layer_inputs, config.layer_sizes, strict=True)
        )
        self.value = nn.Linear(config.core_units, 1)
        self.policy = nn.Linear(
            config.core_units + config.encoding_size + config.proprioception_size,
            config.policy_features,
        )
        self.action = nn.Linear(config.policy_units, config.action_size)
        self.log_std = nn.Parameter(torch.full((config.action_size,), -2.3))

    def zero_state(self, batch: int) -> State:
        """The state of `batch` animals that have seen nothing yet."""
        return tuple(
            (torch.zeros(batch, units), torch.zeros(batch, units))
            for units in self.config.layer_sizes
        )

    def normalise(self, proprioception: Tensor) -> Tensor:
        """Senses in standard deviations from their mean, clipped."""
        return ((proprioception - self.mean) / self.std).clamp(-CLIP_INPUT, CLIP_INPUT)

    def forward(self, proprioception: Tensor, pixels: Tensor, state: State) -> Outputs:
        """Run a sequence.

        Args:
            proprioception: (T, B, senses) float32, in natural units.
            pixels: (T, B, 64, 64, 3) uint8.
            state: state before the first step.
        """
        ticks, batch = proprioception.shape[:2]
        seen = pixels.reshape(ticks * batch, *pixels.shape[2:]).permute(0, 3, 1, 2)
        vision = self.vision(seen.float() / 255 - 0.5).reshape(ticks, batch, -1)
        return self.run(proprioception, vision, state)

    def run(self, proprioception: Tensor, vision: Tensor, state: State) -> Outputs:
        """As `forward`, from vision features (T, B, features)."""
        senses = self.normalise(proprioception)
        encoding = torch.cat([vision, self.body(senses)], -1)
        core, after = self._layer(0, encoding, state[0])
        states = [after]
        features = nn.functional.elu(self.policy(torch.cat([core.detach(), encoding, senses], -1)))
        x = features
        for index in range(1, len(self.lstms)):
            if self.config.skip and index > 1:
                x = torch.cat([x, features], -1)
            x, after = self._layer(index, x, state[index])
            states.append(after)
        return Outputs(self.action(x), self.value(core).squeeze(-1), tuple(states))

    def _layer(
        self, index: int, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = state
        y, (h, c) = self.lstms[index](x, (h[None], c[None]))
        return y, (h[0], c[0])

    def action_std(self) -> Tensor:
        """Standard deviation of each action (actions,)."""
        return self.log_std.exp()


def core_parameters(network: Network) -> Sequence[nn.Parameter]:
    """What the value loss alone trains: the core and the value head."""
    return [*network.lstms[0].parameters(), *network.value.parameters()]
