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
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from stim.detectors import Behaviour
from stim.protocol_build import behaviours_of, rules_of, stimuli_of, valid_names
from stim.protocol_check import check
from stim.protocol_keys import PROTOCOL
from stim.protocol_source import Problems, read_text, read_tree
from stim.rules import Rule
from stim.stimuli import Stimulus


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

    @property
    def behaviour_names(self) -> tuple[str, ...]:
        """What `Description.behaviours` has to be."""
        return tuple(behaviour.name for behaviour in self.behaviours)

    @property
    def stimulus_names(self) -> tuple[str, ...]:
        """What `Description.stimuli` has to be."""
        return tuple(stimulus.name for stimulus in self.stimuli)


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
) -> Protocol:
    """The protocol in a text; as `load`."""
    problems = Problems(path_for_messages)
    tree = read_tree(text, problems)
    if tree is not None and tree.form != "mapping":
        problems.add(tree, f"a protocol begins with `protocol: its-name`, not with {tree.shown()}")
        tree = None
    if tree is None:
        problems.raise_if_any()
        raise AssertionError("a missing tree is always explained by a problem")
    names = valid_names(tree, tasks, layers)
    check(tree, PROTOCOL, "the protocol", names, problems)
    behaviours = behaviours_of(tree, names, problems)
    stimuli = stimuli_of(tree, names, layers, problems)
    rules = rules_of(tree, names, stimuli, problems)
    problems.raise_if_any()

    def given(key: str, default: Any = None) -> Any:
        node = tree.get(key)
        return default if node is None else node.value

    return Protocol(
        name=given("protocol").strip(),
        description=given("description", "").strip(),
        subject=given("subject"),
        task=given("task"),
        trials=int(given("trials", 0)),
        trial_s=float(given("trial_s", 0)),
        duration_s=float(given("duration_s", 0)),
        seed=None if given("seed") is None else int(given("seed")),
        behaviours=behaviours,
        stimuli=stimuli,
        rules=rules,
        text=text,
    )


def subject_and_task(path: Path) -> SubjectAndTask:
    """Which subject and task a file names, before either is known to exist.

    Raises:
        UserError: the file cannot be read, or does not say; then with every mistake in it.
    """
    text = read_text(path)
    tree = read_tree(text, Problems(str(path)))
    subject, task = (tree.get("subject"), tree.get("task")) if tree is not None else (None, None)
    if subject is None or task is None or subject.form != "text" or task.form != "text":
        parse(text, str(path))
        raise AssertionError("a file without subject or task is always refused")
    return SubjectAndTask(
        subject.value,
        task.value,
        f"{path}:{subject.line}:{subject.column}",
        f"{path}:{task.line}:{task.column}",
    )
