"""Scores of a subject in dm_control's own environments at stock physics, beside its expert and chance.

    actors              who acts: the subject, its expert, a random walk, random actions
    conditions          what is measured: task, actor, rendering, sampled or mean action, how many episodes
    episode             one episode, played
    episode_statistics  what counts in each task, read from the simulator while an episode runs
    running             episodes in processes, each kept at once, so that an interrupted evaluation goes on
    metrics             the metrics of each task over its episodes, and the goals that they are held against
    scores, tables      metrics as JSON, and as tables for terminal and card
    card                `scores.json` and `card.md` in the subject's folder
    paper               activity and movement held against the paper
    evaluate            all of it, as `rodent-rig evaluate` does it

Seeds are fixed: episode k (from 1) uses seed k, for the arena, the start and the motor noise alike.
"""

from analysis.stride_frequency import stride_hz
from evaluation.conditions import EvaluationCondition, expert_conditions, plan, tasks_of
from evaluation.episode import EpisodeResult, run_episode
from evaluation.running import run
from evaluation.scores import Score

__all__ = [
    "EpisodeResult",
    "EvaluationCondition",
    "Score",
    "expert_conditions",
    "plan",
    "run",
    "run_episode",
    "stride_hz",
    "tasks_of",
]
