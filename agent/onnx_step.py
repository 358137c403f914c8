"""One step of one animal's network on onnxruntime: the graph of `agent.onnx_graph`, one thread, no copies.

The graph reads and writes arrays that stay where they are: what goes in is put there before a step, and
what comes out is copied from there after it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

# From 1.29 on onnxruntime reports its use to Microsoft, from a thread of its own, unless told not to before
# it is imported. The version that is pinned has none of that; no other version shall either.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime

from agent.activity import NAMES, Activity
from agent.architecture import NetworkConfig
from agent.errors import SubjectError
from agent.interventions import CHANGE, Intervention, State, compose

Array = np.ndarray

_ERRORS_ONLY = 3


class OnnxStep:
    """Steps one animal; its state is `c` and `h`, (units,) float32, applied values.

    Args:
        config: the architecture.
        model: the graph, a serialised ONNX model, with or without the inputs for interventions.
        action_std: (actions,) standard deviation of each action.

    Raises:
        SubjectError: onnxruntime refuses the graph.
    """

    def __init__(self, config: NetworkConfig, model: bytes, action_std: Array) -> None:
        self._session = _session(model)
        self.action_std = action_std.astype(np.float64)
        self._layers = tuple(zip(config.layer_names, config.layer_spans, strict=True))
        n_units = config.n_units
        self.c, self.h = np.zeros(n_units, np.float32), np.zeros(n_units, np.float32)
        self._proprioception = np.zeros(config.proprioception_size, np.float32)
        self._pixels = np.zeros((64, 64, 3), np.uint8)
        self._mean, self._value = np.zeros(config.action_size, np.float32), np.zeros(1, np.float32)
        self._activity = np.zeros((len(NAMES), n_units), np.float32)
        self._neutral = compose((), "c", n_units)
        self._changes: dict[State, Array] = {"c": self._neutral.copy(), "h": self._neutral.copy()}
        self._changed = False
        self._bind()

    def _bind(self) -> None:
        """Say where each input and output of the graph is, for all steps."""
        inputs: dict[str, Array] = {
            "proprioception": self._proprioception[None],
            "pixels": self._pixels,
        }
        outputs = {"mean": self._mean[None], "value": self._value[None]}
        for layer, span in self._layers:
            inputs |= {f"{layer}.c": self.c[None, span], f"{layer}.h": self.h[None, span]}
            for state, change in self._changes.items():
                inputs |= {
                    f"{layer}.{state}_{part}": row[None, span]
                    for part, row in zip(CHANGE, change, strict=True)
                }
            outputs |= {
                f"{layer}.{name}": row[None, span]
                for name, row in zip(NAMES, self._activity, strict=True)
            }
        self._binding = self._session.io_binding()
        for each in self._session.get_inputs():
            self._binding.bind_input(*_place(each.name, inputs[each.name]))
        for each in self._session.get_outputs():
            self._binding.bind_output(*_place(each.name, outputs[each.name]))

    def reset(self) -> None:
        """Forget: the state of an animal that has seen nothing yet."""
        self.c[:] = 0
        self.h[:] = 0

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
        self._proprioception[:] = proprioception
        self._pixels[:] = pixels
        if interventions or self._changed:
            self._change(interventions)
        self._session.run_with_iobinding(self._binding)
        activity = Activity(*self._activity.copy())
        self.c[:], self.h[:] = activity.c_applied, activity.h_applied
        return self._mean.copy(), float(self._value[0]), activity

    def _change(self, interventions: Mapping[str, Sequence[Intervention]]) -> None:
        """Put what is asked for into the inputs, and nothing where nothing is."""
        for state, change in self._changes.items():
            change[:] = self._neutral
            for layer, span in self._layers:
                if here := interventions.get(layer):
                    change[:, span] = compose(here, state, span.stop - span.start)
        self._changed = bool(interventions)


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # one animal is too small a load to share, and a session's other processes need the other cores
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SubjectError(
            f"onnxruntime {onnxruntime.__version__} cannot run this network ({reason}); use the version in "
            "constraints.txt, or the runtime 'torch'"
        ) from None


def _place(name: str, array: Array) -> tuple[str, str, int, Any, tuple[int, ...], int]:
    """A name and where in memory its values are, as onnxruntime's bindings take it."""
    assert array.flags.c_contiguous
    return name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data
