"""The network's single step as an ONNX graph: the sums of `agent.network_step`, with interventions as inputs.

    inputs    proprioception (1, senses) float32 · pixels (64, 64, 3) uint8
              of each layer c, h, and what acts on them: c_gain, c_value, c_lowest, c_highest, h_gain, ...
    outputs   mean (1, actions) · value (1, 1) · of each layer c_natural, h_natural, c_applied, h_applied

Those of a layer are (1, units) float32 and named `core.c`, `policy_0.h_gain`, ... What acts on a state is
`applied = min(max(gain * natural + value, lowest), highest)`; `agent.interventions.compose` finds the four.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from agent.activity import NAMES as ACTIVITY
from agent.architecture import CLIP_INPUT, NetworkConfig
from agent.interventions import CHANGE

Array = np.ndarray

OPSET = 17
IR_VERSION = 8
LAYER_NORM_EPSILON = 1e-5


def build(config: NetworkConfig, weights: Mapping[str, Array], interventions: bool = True) -> bytes:
    """The step of a network, weights included, as a serialised ONNX model.

    Args:
        config: the architecture.
        weights: arrays as in `config.parameter_shapes`.
        interventions: False leaves their inputs out and gives the plain step, which is what the graph
            with neutral inputs is held against.
    """
    return _Graph(config, weights, interventions).model().SerializeToString()


class _Graph:
    """Nodes, constants, inputs and outputs as they are added; a value is known by its name."""

    def __init__(
        self, config: NetworkConfig, weights: Mapping[str, Array], interventions: bool
    ) -> None:
        self._config, self._w = config, weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._intervened = interventions

    def model(self) -> onnx.ModelProto:
        """The whole step, from the senses to the outputs."""
        config = self._config
        senses = self._normalise(self._input("proprioception", (1, config.proprioception_size)))
        pixels = self._input("pixels", (64, 64, 3), TensorProto.UINT8)
        encoding = self._op("Concat", [self._see(pixels), self._feel(senses)], axis=1)
        core = self._lstm(0, encoding)
        read = self._op("Concat", [core, encoding, senses], axis=1)
        features = self._op("Elu", [self._linear(read, "policy")])
        x = features
        for index in range(1, len(config.layer_sizes)):
            if config.skip and index > 1:
                x = self._op("Concat", [x, features], axis=1)
            x = self._lstm(index, x)
        self._output("mean", self._linear(x, "action"), config.action_size)
        self._output("value", self._linear(core, "value"), 1)
        graph = helper.make_graph(
            self._nodes, "step", self._inputs, self._outputs, initializer=self._constants
        )
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="rodent-rig"
        )

    # --- parts of the network -----------------------------------------------------------------------

    def _normalise(self, proprioception: str) -> str:
        """Senses (1, senses) in standard deviations from their mean, clipped."""
        scale = 1 / self._w["std"]
        scaled = self._op("Mul", [proprioception, self._constant(scale)])
        shifted = self._op("Add", [scaled, self._constant(-self._w["mean"] * scale)])
        limits = [self._constant(np.float32(each)) for each in (-CLIP_INPUT, CLIP_INPUT)]
        return self._op("Clip", [shifted, *limits])

    def _see(self, pixels: str) -> str:
        """Vision features (1, features) of a picture."""
        planes = self._op("Transpose", [pixels], perm=[2, 0, 1])
        planes = self._op("Unsqueeze", [planes, self._constant(np.array([0]))])
        x = self._op("Cast", [planes], to=TensorProto.FLOAT)
        x = self._op("Div", [x, self._constant(np.float32(255))])
        x = self._op("Sub", [x, self._constant(np.float32(0.5))])
        x = self._conv(x, "vision.body.0", stride=4, padding=0)
        x = self._op("Relu", [self._residual(x, "vision.body.1")])
        x = self._conv(x, "vision.body.3", stride=2)
        x = self._op("Relu", [self._residual(x, "vision.body.4")])
        x = self._op("Relu", [self._conv(x, "vision.body.6", stride=2)])
        return self._op("Elu", [self._linear(self._op("Flatten", [x]), "vision.out")])

    def _residual(self, x: str, name: str) -> str:
        y = self._conv(self._op("Relu", [x]), f"{name}.first")
        y = self._conv(self._op("Relu", [y]), f"{name}.second")
        return self._op("Add", [x, y])

    def _feel(self, senses: str) -> str:
        """Features (1, features) of proprioception."""
        x = self._linear(senses, "body.0")
        norm = [self._constant(self._w[f"body.1.{part}"]) for part in ("weight", "bias")]
        x = self._op("LayerNormalization", [x, *norm], axis=-1, epsilon=LAYER_NORM_EPSILON)
        return self._op("Elu", [self._linear(self._op("Tanh", [x]), "body.3")])

    def _lstm(self, index: int, x: str) -> str:
        """One layer's update, and the interventions between it and everything that reads it.

        Args:
            index: of the layer.
            x: (1, inputs) what it reads.

        Returns:
            its applied h (1, units).
        """
        w, units = self._w, self._config.layer_sizes[index]
        name, one = self._config.layer_names[index], f"lstms.{index}."
        c_before, h_before = (self._input(f"{name}.{state}", (1, units)) for state in "ch")
        both = np.concatenate([w[one + "weight_ih_l0"], w[one + "weight_hh_l0"]], 1)
        bias = w[one + "bias_ih_l0"] + w[one + "bias_hh_l0"]
        # PyTorch orders the gates i, f, g, o; i, f, o, g lets one sigmoid do the three
        rows = np.arange(4 * units).reshape(4, units)[[0, 1, 3, 2]].ravel()
        inputs = self._op("Concat", [x, h_before], axis=1)
        gates = self._gemm(inputs, both[rows], bias[rows])
        opened, candidate = self._split(gates, [3 * units, units])
        let_in, kept, let_out = self._split(self._op("Sigmoid", [opened]), [units] * 3)
        remembered = self._op("Mul", [kept, c_before])
        taken_in = self._op("Mul", [let_in, self._op("Tanh", [candidate])])
        c = self._op("Add", [remembered, taken_in])
        h = self._op("Mul", [let_out, self._op("Tanh", [c])])
        c_applied, h_applied = c, h
        if self._intervened:
            c_applied = self._intervene(index, "c", c)
            # of a unit whose c is not touched this is its natural h, to the bit
            h_applied = self._op("Mul", [let_out, self._op("Tanh", [c_applied])])
            h_applied = self._intervene(index, "h", h_applied)
        for what, value in zip(ACTIVITY, (c, h, c_applied, h_applied), strict=True):
            self._output(f"{name}.{what}", value, units)
        return h_applied

    def _intervene(self, index: int, state: str, natural: str) -> str:
        name, units = self._config.layer_names[index], self._config.layer_sizes[index]
        gain, value, lowest, highest = (
            self._input(f"{name}.{state}_{part}", (1, units)) for part in CHANGE
        )
        moved = self._op("Add", [self._op("Mul", [natural, gain]), value])
        return self._op("Min", [self._op("Max", [moved, lowest]), highest])

    # --- building blocks ----------------------------------------------------------------------------

    def _op(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _split(self, x: str, sizes: list[int]) -> list[str]:
        """Parts of the columns."""
        names = [f"split_{len(self._nodes)}_{k}" for k in range(len(sizes))]
        self._nodes.append(
            helper.make_node("Split", [x, self._constant(np.array(sizes))], names, axis=1)
        )
        return names

    def _gemm(self, x: str, weight: Array, bias: Array) -> str:
        return self._op("Gemm", [x, self._constant(weight), self._constant(bias)], transB=1)

    def _linear(self, x: str, name: str) -> str:
        return self._gemm(x, self._w[f"{name}.weight"], self._w[f"{name}.bias"])

    def _conv(self, x: str, name: str, stride: int = 1, padding: int = 1) -> str:
        parts = [self._constant(self._w[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self._op("Conv", [x, *parts], strides=[stride] * 2, pads=[padding] * 4)

    def _constant(self, value: Array | np.generic) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _input(self, name: str, shape: tuple[int, ...], kind: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def _output(self, name: str, value: str, size: int) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, size)))
