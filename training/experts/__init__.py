"""Experts, one per task: controllers whose actions the network imitates.

An expert is made of skills found by search (`Skills`: gait, turning, righting, tapping, leaps) and a small
controller that selects among them. It may read the simulator, but decides only by what the animal's camera
and proprioception show or have shown: an expert that uses anything else cannot be imitated.
"""

from __future__ import annotations

from training.experts.interface import TaskExpert
from training.skills.library import Skills


def expert_for(task: str, skills: Skills) -> TaskExpert:
    """The expert of a task, such as "gaps".

    Raises:
        SubjectError: `skills` lacks one that the task needs.
        ValueError: there is no expert for the task.
    """
    # imported here, because most users need one expert and few skills
    if task == "corridor":
        from training.experts.corridor import CorridorExpert

        return CorridorExpert(skills)
    if task == "gaps":
        from training.experts.gaps import GapsExpert

        return GapsExpert(skills)
    if task == "forage":
        from training.experts.forage import ForageExpert

        return ForageExpert(skills)
    if task == "escape":
        from training.experts.escape import EscapeExpert

        return EscapeExpert(skills)
    if task == "two_tap":
        from training.experts.two_tap import TwoTapExpert

        return TwoTapExpert(skills)
    raise ValueError(f"there is no expert for {task!r}")


__all__ = ["Skills", "TaskExpert", "expert_for"]
