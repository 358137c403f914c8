"""Scores of a subject in dm_control's own environments at stock physics, beside its expert and chance.

    actors      who acts: the student, its expert, a random walk, random actions
    meters      what counts in each task, read from the simulator while an episode runs
    conditions  what is measured: task, actor, rendering, sampled or mean action, how many episodes
    running     episodes in processes, each kept at once, so that an interrupted evaluation goes on
    figures     the figures of a task over its episodes, and the goals that they are held against
    tables      figures as tables, for terminal and card
    activity    cell states and movement, recorded for the check against the paper
    paper       that check: spectra and stride; paper_tasks: what tasks share
    session     all of it, as `rodent-rig evaluate` does it
    card        `scores.json` and `card.md` in the subject's folder

Seeds are fixed: episode k (from 1) uses seed k, for the arena, the start and the motor noise alike.
"""

from evaluation.conditions import Condition, expert_conditions, plan, tasks_of
from evaluation.episode import Episode, stride_hz
from evaluation.running import run, run_episode
from evaluation.scores import Score

__all__ = [
    "Condition",
    "Episode",
    "Score",
    "expert_conditions",
    "plan",
    "run",
    "run_episode",
    "stride_hz",
    "tasks_of",
]
