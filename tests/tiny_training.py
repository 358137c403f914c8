"""Settings of a training that is over in half a minute."""

from __future__ import annotations

TINY = """
name = "tiny"
[network]
policy_layers = 2
skip = false
[vector_env]
corridor = 2
gaps = 0
forage = 0
escape = 0
two_tap = 0
shadows_every = 2
[gait]
coarse_generations = 2
stock_generations = 1
coarse_population = 4
stock_population = 4
rollout_s = 0.4
[steering]
generations = 1
population = 4
rollout_s = 0.3
[vision]
ticks = 20
image_every = 1
updates = 3
batch_size = 8
[dagger]
rollouts = 6
rollout_ticks = 6
expert_decay_rollouts = 2
updates_per_rollout = 2
batch_size = 4
[reinforcement]
rollouts = 0
[evaluation]
episodes = 1
stock_episodes = 1
duration_s = 0.4
"""


DISTILLED = """
[distillation]
teacher = "{teacher}"
rollouts = 6
updates = 41
batch_size = 4
rollouts_per_sequence = 3
"""


REINFORCED = """
[reinforcement]
rollouts = 3
rollout_ticks = 6
burn_in = 1
buffer_rollouts = 2
learning_starts = 1
critic_warmup = 0
update_target_every = 1
"""
