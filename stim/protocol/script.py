"""Protocols in Python, for what YAML cannot say: a generator that receives ticks and yields actions.

    \"\"\"Ten ticks of silence whenever the animal rears twice within a second.\"\"\"
    from stim.protocol.script import EndTrial, Release, Stimulate

    PROTOCOL = \"\"\"
    protocol: two-rears
    subject: rodent
    task: two_tap
    trial_s: 30
    \"\"\"

    def protocol(session):
        last = None
        tick = yield                                   # the first tick
        while True:
            actions = []
            if tick.began("rear"):
                if last is not None and tick.number - last < 50:
                    actions = [Stimulate("silence", "policy_2", range(64), value=0.0, for_ms=200)]
                last = tick.number
            tick = yield actions

`PROTOCOL` says the rest as a protocol file does, detectors and rules included; `DETECTORS` may list
detectors of one's own (`stim.detectors.definition.PythonDetector`). What is yielded at tick k acts from
k + 1 on, is recorded as the stimulus "script" with the action's name as its cause, and ends with the trial.

Such a file is a program: it runs only with `--allow-python`, in the stimulation process. It gets the
session (seed, layers and names), and should draw random numbers from `session.generator(stream, tick)`
alone, so that the session can be run again.
"""

from __future__ import annotations

import ast
import linecache
import sys
import traceback
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rig.bus.message_types import Array, Description, Event, Input, Tick
from rig.errors import RunError, UserError
from rig.random_streams import generator
from stim.detectors.definition import Behaviour, python_behaviour
from stim.protocol.mistakes import Mistake, ProtocolError

SCRIPT = "script"
"""The stimulus that all of a script's actions are recorded as."""


@dataclass(frozen=True)
class Stimulate:
    """Changes units of a layer from the next tick on: applied = gain * natural + value.

    Attributes:
        name: the action's own, for `Release` and the record.
        layer: "core", "policy_0", ...
        units: indices within the layer.
        value, gain: one number for all units, or one for each.
        state: "cell", "hidden" or "both".
        for_ms: how long it lasts; None: until it is released or the trial ends.
    """

    name: str
    layer: str
    units: Iterable[int]
    value: float | Sequence[float] = 0.0
    gain: float | Sequence[float] = 0.0
    state: str = "cell"
    for_ms: float | None = None


@dataclass(frozen=True)
class Release:
    """Ends what was begun under a name."""

    name: str


@dataclass(frozen=True)
class EndTrial:
    """Ends the trial after this tick."""


Action: TypeAlias = Stimulate | Release | EndTrial


@dataclass(frozen=True)
class ScriptSession:
    """What a script knows of its session.

    Attributes:
        seed: of everything random.
        task: its name.
        layers: layer name to number of units.
        behaviours: the names of those that are detected.
    """

    seed: int
    task: str
    layers: Mapping[str, int]
    behaviours: tuple[str, ...]

    def generator(self, stream: str, tick: int = 0) -> np.random.Generator:
        """A generator that follows from the session's seed, a name of your choice and a tick."""
        return generator(self.seed, f"script {stream}", tick)


@dataclass(frozen=True)
class ScriptTick:
    """A tick, as a script gets it.

    Attributes:
        number: the tick's, in the session.
        trial: the trial's number, from 0.
        first: whether the trial begins with it.
        reward: what the physics of the tick before earned.
        body: the entries of the body state by name.
        activity: the natural activity by layer and state, such as ("policy_2", "h"): (units,) float32.
        events: onsets and offsets of behaviours that were found in the tick.
        present: the behaviours that are present.
        task_events: what happened in the task.
        keys: the keys that the operator pressed.
        condition: the trial's; "" where the protocol has no blocks.
    """

    number: int
    trial: int
    first: bool
    reward: float
    body: Mapping[str, float]
    activity: Mapping[tuple[str, str], NDArray[np.float32]]
    events: Sequence[Event]
    present: frozenset[str]
    task_events: tuple[str, ...]
    keys: frozenset[str]
    condition: str = ""

    def began(self, behaviour: str) -> bool:
        """Whether the behaviour's onset was found in this tick."""
        return self._has(behaviour, "onset")

    def ended(self, behaviour: str) -> bool:
        """Whether the behaviour's offset was found in this tick."""
        return self._has(behaviour, "offset")

    def _has(self, behaviour: str, phase: str) -> bool:
        return any(each.name == behaviour and each.phase == phase for each in self.events)


@dataclass
class ScriptFile:
    """A Python protocol that was executed: its generator function and its own detectors."""

    module: ModuleType
    path: str
    behaviours: tuple[Behaviour, ...] = field(default_factory=tuple)


def header_of(source: str, path: str) -> tuple[str, int]:
    """The text of `PROTOCOL` in a Python protocol and its first line, found without executing anything.

    Raises:
        UserError: the file is not Python, or has no such text.
    """
    try:
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line = getattr(problem, "lineno", None) or 1
        reason = getattr(problem, "msg", None) or problem
        mistake = Mistake(line, 1, f"this is not Python: {reason}")
        raise ProtocolError(path, [mistake]) from None
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if names == ["PROTOCOL"] and isinstance(node.value.value, str):
            return node.value.value, node.value.lineno
    words = 'a Python protocol has a text PROTOCOL = """protocol: its-name …""" at its top level'
    raise ProtocolError(path, [Mistake(1, 1, words)])


def execute(source: str, path: str) -> ScriptFile:
    """Executes a Python protocol: only ever where the user has allowed it.

    It may import modules that lie beside it; those of Python, of libraries and ours come first.

    Raises:
        UserError: it fails, or has no generator function `protocol`.
    """
    folder = str(Path(path).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = ModuleType("protocol_script")
    linecache.cache[path] = (len(source), None, source.splitlines(True), path)
    try:
        exec(compile(source, path, "exec"), module.__dict__)
        function = getattr(module, "protocol", None)
        if not callable(function):
            raise UserError(
                f"{path}:1:1: a Python protocol has a generator function protocol(session)"
            )
        detectors = tuple(
            python_behaviour(each) for each in getattr(module, "DETECTORS", None) or ()
        )
    except UserError:
        raise
    except Exception as problem:
        raise UserError(f"{_place(problem, path)}: {type(problem).__name__}: {problem}") from None
    return ScriptFile(module, path, detectors)


class Script:
    """Runs a script's generator beside the engine.

    Raises:
        RunError: from `step`, where the script fails: with its file and line.
    """

    def __init__(self, file: ScriptFile, description: Description) -> None:
        self._path = file.path
        self._layers = {layer.name: layer.n_units for layer in description.layers}
        self._body_state = description.body_state
        self._generator: Generator[Any, Any, None] | None
        session = ScriptSession(
            description.seed, description.task, self._layers, description.behaviours
        )
        try:
            self._generator = file.module.protocol(session)
            next(self._generator)
        except StopIteration:
            self._generator = None
        except Exception as problem:
            raise self._failed(problem) from None

    def step(
        self,
        tick: int,
        content: Tick,
        arrays: Mapping[str, Array],
        events: Sequence[Event],
        present: Iterable[str],
        condition: str,
    ) -> tuple[list[Input], bool]:
        """What the script asks for at a tick, as requests, and whether the trial is to end.

        Args:
            tick: of the session.
            content: the tick's message.
            arrays: those of the message.
            events: onsets and offsets of behaviours that were found in the tick.
            present: the behaviours that are present.
            condition: the trial's.

        Raises:
            RunError: the script failed, or yielded something that is not an action.
        """
        if self._generator is None:
            return [], False
        seen = ScriptTick(
            tick,
            content.trial,
            content.first,
            content.reward,
            dict(zip(self._body_state, arrays["body"].tolist(), strict=True)),
            self._activity(arrays),
            events,
            frozenset(present),
            content.task_events,
            frozenset(each.name for each in content.inputs if each.kind == "key"),
            condition,
        )
        try:
            actions = self._generator.send(seen)
        except StopIteration:
            self._generator = None
            return [], False
        except Exception as problem:
            raise self._failed(problem) from None
        return self._requests(actions)

    def _activity(self, arrays: Mapping[str, Array]) -> dict[tuple[str, str], Array]:
        found: dict[tuple[str, str], Array] = {}
        start = 0
        for name, n_units in self._layers.items():
            for state in "ch":
                whole = arrays.get(f"{state}_natural")
                if whole is not None:
                    found[name, state] = whole[start : start + n_units]
            start += n_units
        return found

    def _requests(self, actions: Any) -> tuple[list[Input], bool]:
        requests, end_trial = [], False
        listed = [actions] if isinstance(actions, Action) else list(actions or ())
        for action in listed:
            match action:
                case Stimulate():
                    args = {
                        "layer": action.layer,
                        "units": [int(unit) for unit in action.units],
                        "gain": action.gain,
                        "value": action.value,
                        "state": action.state,
                        "for_ms": action.for_ms,
                    }
                    requests.append(Input("stimulate", action.name, args))
                case Release(name):
                    requests.append(Input("release", name))
                case EndTrial():
                    end_trial = True
                case _:
                    raise RunError(
                        f"{self._path}: the protocol yielded {action!r}, which is no action; yield "
                        "Stimulate, Release or EndTrial."
                    )
        return requests, end_trial

    def _failed(self, problem: Exception) -> RunError:
        where = _place(problem, self._path)
        return RunError(f"{where}: the protocol failed: {type(problem).__name__}: {problem}")


def _place(problem: Exception, path: str) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path and frame.lineno]
    return f"{path}:{lines[-1]}:1" if lines else f"{path}:1:1"
