"""Protocol files: what a session is to do, as a user writes it down and as the engine reads it.

    protocol: silence-at-run        # its name
    subject: runner                 # who
    task: corridor                  # where
    trial_s: 5
    detectors:
      run: {behaviour: run, min_duration_ms: 100, refractory_ms: 500}
    stimuli:
      silence: {clamp: policy_2, units: {random: 64, seed: 1}, to: 0.0, state: cell}
    rules:
      - {on: run.onset, do: silence, after_ms: 20, for_ms: 500, probability: 0.5, else: sham}

Every mistake in a file is reported at once, each as `path:line:column: what is wrong; the nearest valid
name`, in a `UserError`. All behaviours that the rig knows are detected in every session; a detector of
their name changes their settings, one of another name is a further behaviour.

Times are in ms of animal time and are rounded to ticks of 20 ms, to the nearest, halfway up. What is
decided at a tick acts at the next one at the soonest: a delay of 0 or of 20 ms both mean the next tick.

A file may give names to values (`parameters: {units: 64}`) and use them as `$units`; `with_parameters`
writes other values into its text, which is how `--set` and sweeps change a protocol: what is recorded
with a session is the text that it ran.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rig.bus.external_inputs import OUTSIDE
from rig.errors import UserError
from stim.detectors.online import Behaviour
from stim.protocol.check import NAME, check
from stim.protocol.detectors import behaviours_of
from stim.protocol.keys import PROTOCOL
from stim.protocol.names import valid_names
from stim.protocol.rules import event_of, rules_of
from stim.protocol.script import SCRIPT, ScriptFile, header_of
from stim.protocol.source import (
    Node,
    Problems,
    read_text,
    read_tree,
    shorten,
    suggestion,
    with_values,
)
from stim.protocol.stimuli import stimuli_of
from stim.protocol.trials import baselines_of, blocks_of, latency_of
from stim.rules import Block, Latency, Rule
from stim.stimuli.baselines import BaselineFile, BaselineRequest
from stim.stimuli.stimuli import Stimulus
from stim.triggers import (
    Condition,
    Level,
    OperatorKey,
    ThresholdCrossing,
    Trigger,
    Within,
    events_in,
    parts_of,
)


@dataclass(frozen=True)
class Protocol:
    """A valid protocol; 0 in `trials`, `trial_s` or `duration_s` means that there is no such limit.

    `text` is the file as it was read, for the session's record.
    """

    name: str
    description: str
    subject: str
    task: str
    trials: int
    trial_s: float
    duration_s: float
    seed: int | None
    behaviours: tuple[Behaviour, ...]
    stimuli: tuple[Stimulus, ...]
    rules: tuple[Rule, ...]
    text: str
    trial_starts: Trigger | None = None
    trial_ends: Trigger | None = None
    blocks: tuple[Block, ...] = ()
    latency: Latency = field(default_factory=Latency)
    outside_allowed: bool = True
    baselines: Mapping[str, BaselineFile] = field(default_factory=dict)
    is_script: bool = False

    @property
    def behaviour_names(self) -> tuple[str, ...]:
        """What `Description.behaviours` has to be."""
        return tuple(behaviour.name for behaviour in self.behaviours)

    @property
    def stimulus_names(self) -> tuple[str, ...]:
        """What `Description.stimuli` has to be: the file's, its Python's, and those of other programs."""
        own = tuple(stimulus.name for stimulus in self.stimuli)
        python = (SCRIPT,) if self.is_script else ()
        return (*own, *python, OUTSIDE) if self.outside_allowed else (*own, *python)

    @property
    def condition_names(self) -> tuple[str, ...]:
        """The conditions that its trials may have."""
        return tuple(dict.fromkeys(name for block in self.blocks for name in block.conditions))

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """All events that it asks about, except those within conditions."""
        given = [self.trial_starts, self.trial_ends]
        for rule in self.rules:
            given += [rule.on, rule.until]
        return tuple(each for each in given if each is not None)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions that its rules have."""
        return tuple(rule.condition for rule in self.rules if rule.condition is not None)

    @property
    def _events(self) -> tuple[Trigger, ...]:
        parts = [part for each in self.conditions for part in parts_of(each)]
        within = tuple(part.event for part in parts if isinstance(part, Within))
        return tuple(event for each in (*self.triggers, *within) for event in events_in(each))

    @property
    def keys(self) -> tuple[str, ...]:
        """The operator's keys that it listens to."""
        found = (each.key for each in self._events if isinstance(each, OperatorKey))
        return tuple(dict.fromkeys(found))

    @property
    def baseline_requests(self) -> tuple[BaselineRequest, ...]:
        """All that it needs from its baseline recordings."""
        levels = [
            each.activity.units.ranked
            for each in (*self._events, *(p for c in self.conditions for p in parts_of(c)))
            if isinstance(each, ThresholdCrossing | Level)
            and each.activity.units.ranked is not None
        ]
        found = (request for stimulus in self.stimuli for request in stimulus.baseline_requests)
        return tuple(dict.fromkeys((*found, *levels)))


class SubjectAndTask(NamedTuple):
    """Which subject and task a file names, and where: `path:line:column`, to begin a message with."""

    subject: str
    task: str
    subject_at: str
    task_at: str


def load(path: Path, tasks: Sequence[str] | None, layers: Mapping[str, int] | None) -> Protocol:
    """The protocol in a file.

    Args:
        path: a YAML file.
        tasks: the valid task names; None to accept any.
        layers: layer name to number of units of the subject that the file names (`subject_and_task`
            tells which); None to check neither layers nor units.

    Raises:
        UserError: with every mistake in the file, one a line.
    """
    return parse(read_text(path), str(path), tasks, layers)


def parse(
    text: str,
    path_for_messages: str,
    tasks: Sequence[str] | None = None,
    layers: Mapping[str, int] | None = None,
    script: ScriptFile | None = None,
) -> Protocol:
    """The protocol in a text; as `load`.

    In the text of a Python file it is the `PROTOCOL` that is read; `script` is that file executed, where
    that is allowed, for the detectors that it brings.
    """
    written, first_line = _yaml_of(text, path_for_messages)
    problems = Problems(path_for_messages, first_line)
    tree = read_tree(written, problems)
    if tree is not None and tree.form != "mapping":
        problems.add(tree, f"a protocol begins with `protocol: its-name`, not with {tree.shown()}")
        tree = None
    if tree is None:
        problems.raise_if_any()
        raise AssertionError("a missing tree is always explained by a problem")
    tree = with_values(tree)
    names = valid_names(tree, tasks, layers)
    check(tree, PROTOCOL, "the protocol", names, problems)
    folder = Path(path_for_messages).parent
    behaviours = behaviours_of(tree, names, folder, problems)
    if script is not None:
        behaviours = (*behaviours, *_own_detectors(script, behaviours))
    stimuli = stimuli_of(tree, names, layers, folder, problems)
    rules = rules_of(tree, names, layers, stimuli, problems)
    trial_starts = event_of(tree, "trial_starts", names, layers, problems)
    trial_ends = event_of(tree, "trial_ends", names, layers, problems)
    blocks = blocks_of(tree, names, problems)
    baselines = baselines_of(tree, names, folder, problems)
    problems.raise_if_any()

    def given(key: str, default: Any = None) -> Any:
        node = tree.get(key)
        return default if node is None else node.value

    return Protocol(
        name=given("protocol").strip(),
        description=given("description", "").strip(),
        subject=given("subject"),
        task=given("task"),
        trials=int(given("trials", sum(block.trials for block in blocks))),
        trial_s=float(given("trial_s", 0)),
        duration_s=float(given("duration_s", 0)),
        seed=None if given("seed") is None else int(given("seed")),
        behaviours=behaviours,
        stimuli=stimuli,
        rules=rules,
        text=text,
        trial_starts=trial_starts,
        trial_ends=trial_ends,
        blocks=blocks,
        latency=latency_of(tree),
        outside_allowed=given("outside_stimuli", "allowed") == "allowed",
        baselines=baselines,
        is_script=is_script(path_for_messages),
    )


def subject_and_task(text: str, path: str) -> SubjectAndTask:
    """Which subject and task a file's text names, before either is known to exist.

    Raises:
        UserError: the text does not say; then with every mistake in it.
    """
    tree = read_tree(_yaml_of(text, path)[0], Problems(path))
    if tree is not None:
        tree = with_values(tree)
    subject, task = (tree.get("subject"), tree.get("task")) if tree is not None else (None, None)
    if subject is None or task is None or subject.form != "text" or task.form != "text":
        parse(text, path)
        raise AssertionError("a file without subject or task is always refused")
    return SubjectAndTask(
        subject.value,
        task.value,
        f"{path}:{subject.line}:{subject.column}",
        f"{path}:{task.line}:{task.column}",
    )


def parameters(text: str, path_for_messages: str) -> Mapping[str, str]:
    """The file's parameters: names and default values, as text.

    Raises:
        UserError: the file is not a protocol at all.
    """
    return {name: str(node.value) for name, node in _parameters(text, path_for_messages).items()}


def with_parameters(text: str, given: Mapping[str, str], path_for_messages: str) -> str:
    """The file's text with other values of some of its parameters; the rest of it is left as it is.

    Raises:
        UserError: there is no such parameter, or the value cannot be one; one a line.
    """
    text = text.removeprefix("\ufeff")
    if is_script(path_for_messages):
        written = _yaml_of(text, path_for_messages)[0]
        if text.count(written) != 1:
            raise UserError(
                f"{path_for_messages} has escapes in its PROTOCOL; --set cannot change it."
            )
        before, after = text.split(written)
        return before + with_parameters(written, given, "PROTOCOL") + after
    nodes = _parameters(text, path_for_messages)
    wrong = []
    changes = []
    for name, value in given.items():
        if name not in nodes:
            near = suggestion(name, nodes, "parameters")
            wrong.append(f"{path_for_messages} has no parameter {shorten(name)}; {near}")
        elif not value.strip() or len(value) > 200 or not value.isprintable():
            wrong.append(f"{shorten(value)} cannot be the value of the parameter {name!r}")
        else:
            changes.append((nodes[name].span, _written(value.strip())))
    if wrong:
        raise UserError("\n".join(wrong))
    for (start, end), value in sorted(changes, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _parameters(text: str, path: str) -> Mapping[str, Node]:
    problems = Problems(path)
    tree = read_tree(_yaml_of(text, path)[0], problems)
    section = tree.get("parameters") if tree is not None else None
    if tree is None:
        problems.raise_if_any()
    nodes = section.value if section is not None and section.form == "mapping" else {}
    return {name: node for name, node in nodes.items() if node.form in ("number", "text")}


def _written(value: str) -> str:
    """A value as YAML: a number or a plain word as it is, anything else in quotes."""
    alone = read_tree(f"a: {value}", Problems(""))
    node = alone.get("a") if alone is not None else None
    if node is not None and node.form in ("number", "text") and str(node.value) == value:
        plain = value.replace("_", "").replace("-", "").replace(".", "").replace("+", "")
        if plain.isalnum():
            return value
    if node is not None and node.form == "number" and math.isfinite(node.value):
        return value
    return json.dumps(value, ensure_ascii=False)


def is_script(path: str) -> bool:
    """Whether a protocol is a Python file."""
    return path.endswith(".py")


def _yaml_of(text: str, path: str) -> tuple[str, int]:
    """What of a file's text is YAML, and the line in which that begins."""
    return header_of(text, path) if is_script(path) else (text, 1)


def _own_detectors(script: ScriptFile, others: Sequence[Behaviour]) -> tuple[Behaviour, ...]:
    names = {behaviour.name for behaviour in others}
    for behaviour in script.behaviours:
        if behaviour.name in names or not NAME.fullmatch(behaviour.name):
            raise UserError(
                f"{script.path}:1:1: a detector cannot be named {shorten(behaviour.name)}: "
                f"{'there is one' if behaviour.name in names else 'use letters, digits, - and _'}"
            )
        names.add(behaviour.name)
    return script.behaviours
