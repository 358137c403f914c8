"""The size and shape of a subject's network, in numbers: needs no library that could run it."""

from __future__ import annotations

from dataclasses import dataclass

CLIP_INPUT = 6.0
"""Normalised senses are clipped here, in standard deviations."""


@dataclass(frozen=True)
class NetworkConfig:
    """The size and shape of the network; `policy_layers` is 1, 2 or 3."""

    policy_layers: int = 3
    skip: bool = True
    core_units: int = 128
    policy_units: int = 128
    proprioception_size: int = 158
    action_size: int = 38
    vision_channels: tuple[int, int, int] = (16, 32, 32)
    vision_features: int = 64
    proprioception_features: tuple[int, int] = (256, 128)
    policy_features: int = 128

    def __post_init__(self) -> None:
        if not 1 <= self.policy_layers <= 3:
            raise ValueError(f"policy_layers is 1, 2 or 3, not {self.policy_layers}")

    @property
    def layer_names(self) -> tuple[str, ...]:
        """core, policy_0, ... in the order in which units are numbered."""
        return ("core", *(f"policy_{i}" for i in range(self.policy_layers)))

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Units of each layer."""
        return (self.core_units, *[self.policy_units] * self.policy_layers)

    @property
    def layer_spans(self) -> tuple[slice, ...]:
        """Where each layer's units are among all of them."""
        first, spans = 0, []
        for size in self.layer_sizes:
            spans.append(slice(first, first + size))
            first += size
        return tuple(spans)

    @property
    def n_units(self) -> int:
        """Units of all layers together."""
        return sum(self.layer_sizes)

    @property
    def encoding_size(self) -> int:
        """Numbers that the two encoders give together."""
        return self.vision_features + self.proprioception_features[1]

    @property
    def layer_inputs(self) -> tuple[int, ...]:
        """Numbers that each layer reads, its own state not counted."""
        above = self.policy_units + (self.policy_features if self.skip else 0)
        return (
            self.encoding_size,
            self.policy_features,
            *[above] * (self.policy_layers - 1),
        )

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array in `weights.safetensors`, by its name there."""
        one, two, three = self.vision_channels
        wide, narrow = self.proprioception_features
        policy_input = self.core_units + self.encoding_size + self.proprioception_size
        shapes: dict[str, tuple[int, ...]] = {
            "mean": (self.proprioception_size,),
            "std": (self.proprioception_size,),
            "log_std": (self.action_size,),
        }

        def weight_and_bias(name: str, *shape: int) -> None:
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

        weight_and_bias("vision.body.0", one, 3, 4, 4)
        for name, channels in (("vision.body.1", one), ("vision.body.4", two)):
            weight_and_bias(f"{name}.first", channels, channels, 3, 3)
            weight_and_bias(f"{name}.second", channels, channels, 3, 3)
        weight_and_bias("vision.body.3", two, one, 3, 3)
        weight_and_bias("vision.body.6", three, two, 3, 3)
        weight_and_bias("vision.out", self.vision_features, three * 16)
        weight_and_bias("body.0", wide, self.proprioception_size)
        weight_and_bias("body.1", wide)
        weight_and_bias("body.3", narrow, wide)
        for index, (size, units) in enumerate(
            zip(self.layer_inputs, self.layer_sizes, strict=True)
        ):
            for side, columns in (("ih", size), ("hh", units)):
                shapes[f"lstms.{index}.weight_{side}_l0"] = (4 * units, columns)
                shapes[f"lstms.{index}.bias_{side}_l0"] = (4 * units,)
        weight_and_bias("value", 1, self.core_units)
        weight_and_bias("policy", self.policy_features, policy_input)
        weight_and_bias("action", self.action_size, self.policy_units)
        return shapes
