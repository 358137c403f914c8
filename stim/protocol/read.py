"""Reading a protocol file in three steps, each a function of what the one before returned.

    text = read_text(path)                            # stim.protocol.source
    tree = read_protocol(text, str(path))             # values with their lines and columns
    protocol = check_protocol(tree, tasks, layers)    # all of it valid, or every mistake at once

`with_settings` changes parameters between the last two. Every command, the window and the stimulation process
take these steps; a command then makes a session's spec of the protocol (`cli.session_spec`).

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

All mistakes in a file are reported at once, each as `path:line:column: what is wrong; the nearest valid
name`, in a `UserError`. All behaviours that the rig knows are detected in every session; a detector of
their name changes their settings, one of another name is a further behaviour.

Times are in ms of animal time and are rounded to ticks of 20 ms, to the nearest, halfway up. What is
decided at a tick acts at the next one at the soonest: a delay of 0 or of 20 ms both mean the next tick.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rig.errors import UserError
from stim.detectors.definition import Behaviour
from stim.protocol.check import NAME, check
from stim.protocol.detectors import behaviours_of
from stim.protocol.keys import PROTOCOL
from stim.protocol.model import Protocol
from stim.protocol.names import LAYERS, valid_names
from stim.protocol.nodes import Context
from stim.protocol.rules import clip_rules_of, event_of, rules_of
from stim.protocol.script import ScriptFile, header_of
from stim.protocol.source import (
    Node,
    Problems,
    read_tree,
    shorten,
    suggestion,
    with_values,
)
from stim.protocol.stimuli import stimuli_of
from stim.protocol.trials import baselines_of, blocks_of, latency_of

Layers: TypeAlias = Mapping[str, int]
"""The number of units of each layer of a subject, by name."""


@dataclass(frozen=True)
class ProtocolTree:
    """A protocol file's values with their places, not yet checked.

    Attributes:
        path: the file's, for messages; ".py" at its end says that it is a Python file.
        text: the whole file.
        yaml: what of the text is YAML: all of it, or the `PROTOCOL` of a Python file.
        root: the values, a mapping; those of `parameters` do not stand in their places yet.
        problems: what is wrong with the YAML as such.
    """

    path: str
    text: str
    yaml: str
    root: Node
    problems: Problems

    @property
    def name(self) -> str:
        """The protocol's name, as far as the file says one."""
        node = self.root.get("protocol")
        return str(node.value).strip() if node is not None and node.form == "text" else ""

    @property
    def parameters(self) -> dict[str, str]:
        """The file's parameters: names, and values as text."""
        return {name: str(node.value) for name, node in self.parameter_nodes.items()}

    @property
    def parameter_nodes(self) -> dict[str, Node]:
        """The values of the section `parameters` that are numbers or texts, by name."""
        section = self.root.get("parameters")
        nodes = section.value if section is not None and section.form == "mapping" else {}
        return {name: node for name, node in nodes.items() if node.form in ("number", "text")}


def is_script(path: str) -> bool:
    """Whether a protocol is a Python file."""
    return path.endswith(".py")


def read_protocol(text: str, path: str) -> ProtocolTree:
    """The tree of a protocol file; in a Python file, which is not executed, that of its `PROTOCOL`.

    Raises:
        UserError: the text is not YAML, or not a mapping; every mistake in it, one a line.
    """
    text = text.removeprefix("\ufeff")
    yaml, first_line = header_of(text, path) if is_script(path) else (text, 1)
    problems = Problems(path, first_line)
    root = read_tree(yaml, problems)
    if root is not None and root.form != "mapping":
        problems.add(root, f"a protocol begins with `protocol: its-name`, not with {root.shown()}")
        root = None
    if root is None:
        problems.raise_if_any()
        raise AssertionError("a missing tree is always explained by a problem")
    return ProtocolTree(path, text, yaml, root, problems)


def with_settings(tree: ProtocolTree, settings: Mapping[str, str]) -> ProtocolTree:
    """The same file with other values of some of its parameters; the rest of its text is as it was.

    What is recorded with a session is the text that it ran. Places stay those in the file as it is on disk.

    Raises:
        UserError: there is no such parameter, or the value cannot be one; one a line.
    """
    if not settings:
        return tree
    nodes = tree.parameter_nodes
    wrong = []
    for name, value in settings.items():
        if name not in nodes:
            near = suggestion(name, nodes, "parameters")
            wrong.append(f"{tree.path} has no parameter {shorten(name)}; {near}")
        elif not value.strip() or len(value) > 200 or not value.isprintable():
            wrong.append(f"{shorten(value)} cannot be the value of the parameter {name!r}")
    if wrong:
        raise UserError("\n".join(wrong))
    yaml, moved = tree.yaml, 0
    changed: dict[str, Node] = {}
    for name, node in sorted(nodes.items(), key=lambda item: item[1].span):
        start, end = (place + moved for place in node.span)
        if name in settings:
            written = _written(settings[name].strip())
            # a block of lines ends with the end of its last line, which has to stay
            end -= yaml[start:end].endswith("\n")
            yaml = yaml[:start] + written + yaml[end:]
            moved += len(written) - (end - start)
            end = start + len(written)
            value_node = _parsed(written)
            node = dataclasses.replace(node, form=value_node.form, value=value_node.value)
        changed[name] = dataclasses.replace(node, span=(start, end))
    section = tree.root.value["parameters"]
    section = dataclasses.replace(section, value={**section.value, **changed})
    root = dataclasses.replace(tree.root, value={**tree.root.value, "parameters": section})
    return dataclasses.replace(tree, text=_replaced(tree, yaml), yaml=yaml, root=root)


def with_subject_and_task(tree: ProtocolTree, subject: str = "", task: str = "") -> ProtocolTree:
    """The same file with another subject or task; the rest of its text is as it was. "": as it is.

    Raises:
        UserError: the file has none that could be changed.
    """
    wanted = {"subject": subject, "task": task}
    nodes = {name: tree.root.get(name) for name, value in wanted.items() if value}
    yaml = tree.yaml
    for name, node in sorted(nodes.items(), key=lambda item: -item[1].span[0] if item[1] else 0):
        if node is None or node.form not in ("text", "number"):
            raise UserError(f"{tree.path} has no {name} that could be replaced")
        start, end = node.span
        end -= yaml[start:end].endswith("\n")
        yaml = yaml[:start] + _written(wanted[name]) + yaml[end:]
    return tree if yaml == tree.yaml else read_protocol(_replaced(tree, yaml), tree.path)


def check_protocol(
    tree: ProtocolTree,
    tasks: Sequence[str] | None = None,
    layers: Layers | Callable[[str], Layers] | None = None,
    script: ScriptFile | None = None,
) -> Protocol:
    """The protocol of a tree.

    Args:
        tree: from `read_protocol`.
        tasks: the valid task names; None to accept any.
        layers: of the subject that the file names, or a function that finds them by its name and raises
            `UserError` where there is no such subject; None to check neither layers nor units.
        script: the Python file executed, where that is allowed, for the detectors that it brings.

    Raises:
        UserError: with every mistake in the file, one a line.
    """
    problems = tree.problems.copy()
    root = with_values(tree.root)
    finds_layers = callable(layers)
    if callable(layers):
        layers = _layers_of_subject(root, layers, problems)
    names = valid_names(root, tasks, layers, LAYERS if finds_layers else None)
    check(root, PROTOCOL, "the protocol", names, problems)
    context = Context(names, layers, Path(tree.path).parent, problems)
    behaviours = behaviours_of(root, context)
    if script is not None:
        behaviours = (*behaviours, *_own_detectors(script, behaviours))
    stimuli = stimuli_of(root, context)
    rules, clips = rules_of(root, stimuli, context), clip_rules_of(root, context)
    trial_starts = event_of(root, "trial_starts", context)
    trial_ends = event_of(root, "trial_ends", context)
    blocks = blocks_of(root, context)
    baselines = baselines_of(root, context)
    problems.raise_if_any()

    def value_of(key: str, default: Any = None) -> Any:
        node = root.get(key)
        return default if node is None else node.value

    seed = value_of("seed")
    return Protocol(
        name=value_of("protocol").strip(),
        description=value_of("description", "").strip(),
        subject=value_of("subject"),
        task=value_of("task"),
        trials=int(value_of("trials", sum(block.trials for block in blocks))),
        trial_s=float(value_of("trial_s", 0)),
        duration_s=float(value_of("duration_s", 0)),
        seed=None if seed is None else int(seed),
        behaviours=behaviours,
        stimuli=stimuli,
        rules=rules,
        text=tree.text,
        path=tree.path,
        trial_starts=trial_starts,
        trial_ends=trial_ends,
        blocks=blocks,
        latency=latency_of(root),
        outside_allowed=value_of("outside_stimuli", "allowed") == "allowed",
        blinded=value_of("blinded", False),
        baselines=baselines,
        is_script=is_script(tree.path),
        script=script,
        files=tuple(context.files),
        clips=clips,
    )


def parse(
    text: str,
    path: str,
    tasks: Sequence[str] | None = None,
    layers: Layers | Callable[[str], Layers] | None = None,
    script: ScriptFile | None = None,
) -> Protocol:
    """The protocol of a text: `read_protocol`, then `check_protocol`.

    >>> parse("{protocol: p, subject: runner, task: corridor, trials: 3}", "p.yaml").trials
    3

    Args:
        text: the whole file.
        path: of the file, for messages, and to find files that it names.
        tasks, layers, script: as for `check_protocol`.

    Raises:
        UserError: with every mistake in the file, one a line.
    """
    return check_protocol(read_protocol(text, path), tasks, layers, script)


def _layers_of_subject(
    root: Node, layers_of: Callable[[str], Layers], problems: Problems
) -> Layers | None:
    """The layers of the file's subject; None where they are not known, an unknown subject being noted."""
    subject = root.get("subject")
    if subject is None or subject.form != "text" or not subject.value.strip():
        return None  # `check` notes it
    try:
        return layers_of(subject.value)
    except UserError as problem:
        problems.add(subject, str(problem))
        return None


def _replaced(tree: ProtocolTree, yaml: str) -> str:
    """The file's text with another YAML in the place of its own."""
    if not is_script(tree.path):
        return yaml
    before, own, after = tree.text.partition(tree.yaml)
    text = before + yaml + after
    if not own or tree.yaml in after or header_of(text, tree.path)[0] != yaml:
        raise UserError(f"{tree.path} has escapes in its PROTOCOL; --set cannot change it.")
    return text


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


def _parsed(written: str) -> Node:
    """The node of a value as `_written` has it."""
    alone = read_tree(f"a: {written}", Problems(""))
    assert alone is not None
    node: Node = alone.value["a"]
    return node


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
