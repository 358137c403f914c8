"""The names that the references in a protocol file may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rig.arenas.names import TASK_EVENTS
from stim.clip_rules import CLIP
from stim.detectors.behaviours import BEHAVIOURS
from stim.protocol.check import Names
from stim.protocol.nodes import items_of, section_of
from stim.protocol.source import Node

LAYERS = ("core", "policy_0", "policy_1", "policy_2")
"""The layers that a subject may have, for where it is not known which one it is."""


def valid_names(
    tree: Node,
    tasks: Sequence[str] | None,
    layers: Mapping[str, int] | None,
    possible_layers: Sequence[str] | None = None,
) -> Names:
    """The names that each sort of reference in a file may use; None: any.

    Args:
        tree: the file's, with its parameters' values in place.
        tasks: the tasks that there are; None where any name will do.
        layers: of the subject; None where they are not known.
        possible_layers: the names that those of any subject have, for where they are not; None: any.
    """
    known = tuple(behaviour.name for behaviour in BEHAVIOURS)
    detectors = tuple(section_of(tree, "detectors"))
    detected = (*known, *(name for name in detectors if name not in known))
    return {
        "task": tasks,
        "layer": possible_layers if layers is None else tuple(layers),
        "behaviour": known,
        "detected": detected,
        "stimulus": tuple(dict.fromkeys((*section_of(tree, "stimuli"), CLIP))),
        "baseline": tuple(section_of(tree, "baselines")),
        "condition": tuple(
            dict.fromkeys(
                str(name.value)
                for block in items_of(tree.get("blocks"))
                for name in items_of(block.get("conditions"))
            )
        ),
        "task event": _task_events(tree),
        "trigger": (
            *(f"{name}.{phase}" for name in detected for phase in ("onset", "offset")),
            "trial.start",
        ),
    }


def _task_events(tree: Node) -> tuple[str, ...] | None:
    """What can happen in the file's task; None where the task is not known."""
    task = tree.get("task")
    return None if task is None or task.form != "text" else TASK_EVENTS.get(task.value)
