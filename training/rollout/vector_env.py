"""The environments of one actor, stepped together: one network decides for all of them at once.

In each tick every environment is observed, the network computes all actions in one batch, every expert says
what it would have done, and every environment steps. Whether network or expert acts, with how much motor
noise and which perturbations, is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agent.architecture import NetworkConfig
from agent.network import Network
from rig.arenas.names import TASKS
from training.experts import Skills
from training.rollout.auxiliary_targets import TARGETS
from training.rollout.rollout import Rollout
from training.rollout.task_env import LIES_FIRST_TASKS, TaskEnv

Array = np.ndarray

EPISODE_TICKS = {"corridor": 1000, "gaps": 1500, "forage": 1500, "escape": 1000, "two_tap": 1500}
NEAR_TARGET_TICKS = 320
"""Length of an episode that began near a target, or in the bowl, where most begin lying."""
VELOCITY_PERTURBATION_M_S = 0.25
MUSCLE_PERTURBATION_STD = 0.4
MUSCLE_PERTURBATION_TICKS = (4, 26)


@dataclass(frozen=True)
class VectorEnvSettings:
    """The environments of one actor, and how they are disturbed.

    Attributes:
        corridor, gaps, forage, escape, two_tap: how many environments of each task.
        shadows_every: one environment in so many renders with shadows, the others fast; 0: none.
        action_noise: standard deviation of motor noise, in two thirds of the environments, outside
            reinforcement learning; the others act without.
        muscle_perturbation: probability a tick that half the muscles get a constant offset for 4 to 25 ticks.
        velocity_perturbation: probability a tick that the trunk's velocity is changed at once.
        start_near_target: fraction of episodes that begin before a gap or an orb. In the bowl all begin near
            what counts, most of them lying; there it is the fraction of episodes that are as short.
    """

    corridor: int = 0
    gaps: int = 5
    forage: int = 5
    escape: int = 3
    two_tap: int = 5
    shadows_every: int = 8
    action_noise: float = 0.07
    muscle_perturbation: float = 0.002
    velocity_perturbation: float = 0.001
    start_near_target: float = 0.0

    def __post_init__(self) -> None:
        for name in ("muscle_perturbation", "velocity_perturbation", "start_near_target"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a fraction, from 0 to 1, not {getattr(self, name)}")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task of each environment."""
        return tuple(task for task in TASKS for _ in range(getattr(self, task)))


class VectorEnv:
    """The environments of one actor; an `actor_pool.Actor`.

    Attributes:
        envs: the environments, in the order of `VectorEnvSettings.tasks`.

    Args:
        config: shape of the network; its weights come with `collect_rollout`.
        settings: environments and disturbances.
        skills: folder of the experts' skills.
        seed: of everything random; every actor needs another.
        resumed: steps that a stage had completed when it was resumed: what comes then is other than what
            came at first.
        replaced: actors that were there before this one, and died: what comes now is other than what theirs
            met.
    """

    def __init__(
        self,
        config: NetworkConfig,
        settings: VectorEnvSettings,
        skills: Path,
        seed: int,
        resumed: int = 0,
        replaced: int = 0,
    ) -> None:
        self._settings = settings
        self._network = Network(config)
        again = [resumed, replaced] if replaced else [resumed] if resumed else []
        self._rng = np.random.default_rng([seed, 1, *again])
        names = settings.tasks
        seeds = np.random.SeedSequence([seed, 2, *again]).spawn(len(names))
        every = settings.shadows_every
        self.envs = [
            TaskEnv(
                task, Skills(skills), bool(every) and k % every == every - 1, own.generate_state(4)
            )
            for k, (task, own) in enumerate(zip(names, seeds, strict=True))
        ]
        n = len(self.envs)
        self._state = self._network.zero_state(n)
        self._is_first = np.ones(n, bool)
        self._noise_std = np.where(np.arange(n) % 3 == 0, 0.0, settings.action_noise)
        self._offset = np.zeros((n, config.action_size))
        self._offset_ticks = np.zeros(n, int)
        # so that not all restart at once
        self._limit = np.array([int(self._rng.uniform(0.2, 1) * EPISODE_TICKS[t]) for t in names])
        self._task = np.array([TASKS.index(t) for t in names])

    def __len__(self) -> int:
        return len(self.envs)

    def close(self) -> None:
        """Free all rendering contexts and simulations."""
        for env in self.envs:
            env.close()

    def _perturb(self) -> None:
        """Begin and end muscle offsets; change the velocity of an animal now and then."""
        n, settings, rng = len(self.envs), self._settings, self._rng
        self._offset_ticks -= 1
        self._offset[self._offset_ticks <= 0] = 0
        for k in np.flatnonzero(rng.random(n) < settings.muscle_perturbation):
            muscles = rng.random(self._offset.shape[1]) < 0.5
            self._offset[k] = muscles * rng.normal(0, MUSCLE_PERTURBATION_STD, len(muscles))
            self._offset_ticks[k] = int(rng.integers(*MUSCLE_PERTURBATION_TICKS))
        for k in np.flatnonzero(rng.random(n) < settings.velocity_perturbation):
            self.envs[k].perturb_velocity(rng, VELOCITY_PERTURBATION_M_S)

    def _reset(self, k: int) -> None:
        env = self.envs[k]
        env.reset()
        near = self._rng.random() < self._settings.start_near_target
        if near and env.task not in LIES_FIRST_TASKS:
            near = env.start_near_target(self._rng)
        self._limit[k] = NEAR_TARGET_TICKS if near else EPISODE_TICKS[env.task]
        self._offset_ticks[k] = 0
        self._is_first[k] = True
        for h, c in self._state:
            h[k] = 0
            c[k] = 0

    def collect_rollout(
        self,
        weights: Mapping[str, Array] | None,
        version: int,
        ticks: int,
        expert_fraction: float,
        on_policy: bool = False,
        keep_images: bool = False,
    ) -> Rollout:
        """Step all environments for some ticks; those that ended or need a reset restart after the last.

        Args:
            weights: the network's state dict, each array as in the network; None: those of the last call.
            version: number of these weights.
            ticks: length of the rollout, T.
            expert_fraction: share of the environments in which the expert acts.
            on_policy: act with the network's own standard deviation and without perturbations, for
                reinforcement learning; else with the settings' noise and perturbations.
            keep_images: return the images too.

        Returns:
            T ticks of all environments; an environment that ended stands still for the rest of it.
        """
        if weights is not None:
            self._network.load_state_dict(
                {k: torch.from_numpy(np.array(v)) for k, v in weights.items()}
            )
        envs, rng, n = self.envs, self._rng, len(self.envs)
        std = self._network.action_std().detach().numpy()
        state = tuple((h.numpy().copy(), c.numpy().copy()) for h, c in self._state)
        is_first = np.zeros((ticks, n), bool)
        is_first[0] = self._is_first
        self._is_first[:] = False
        by_expert = rng.random(n) < expert_fraction
        size = self._network.config.action_size
        senses = np.zeros((ticks + 1, n, self._network.config.proprioception_size), np.float32)
        features = np.zeros((ticks + 1, n, self._network.config.vision_features), np.float32)
        images = np.zeros((ticks + 1, n, 64, 64, 3), np.uint8)
        action, mean, expert = (np.zeros((ticks, n, size), np.float32) for _ in range(3))
        reward, discount, loss_weight = (np.zeros((ticks, n), np.float32) for _ in range(3))
        targets = np.full((ticks, n, len(TARGETS)), np.nan, np.float32)
        log_prob = np.full((ticks, n), np.nan, np.float32)
        for t in range(ticks + 1):
            experts = np.zeros((n, size))
            for k, env in enumerate(envs):
                if env.done:
                    senses[t, k], images[t, k] = senses[t - 1, k], images[t - 1, k]
                else:
                    senses[t, k], images[t, k] = env.proprioception(), env.render()
                    if t < ticks:  # experts remember: they are asked once a tick
                        experts[k] = env.expert_action()
                        targets[t, k] = env.auxiliary_targets()
            with torch.no_grad():
                encoded = self._network.vision(to_input(images[t]))
                features[t] = encoded.numpy()
                if t == ticks:
                    break
                out = self._network.run(
                    torch.from_numpy(senses[t])[None], encoded[None], self._state
                )
            self._state = out.state
            mean[t], expert[t] = out.mean[0].numpy(), experts
            noise = rng.normal(size=(n, size))
            if on_policy:
                action[t] = np.where(by_expert[:, None], expert[t], mean[t]) + std * noise
                error = (action[t] - mean[t]) / std
                density = -0.5 * (error**2) - np.log(std) - 0.5 * np.log(2 * np.pi)
                log_prob[t] = np.where(by_expert, np.nan, density.sum(1))
            else:
                self._perturb()
                drive = np.where(by_expert[:, None], expert[t], mean[t].clip(-1, 1))
                action[t] = drive + self._offset + self._noise_std[:, None] * noise
            for k, env in enumerate(envs):
                if env.done:
                    continue
                loss_weight[t, k] = env.loss_weight
                reward[t, k], discount[t, k] = env.step(action[t, k])
        for k, env in enumerate(envs):
            if env.done or env.needs_reset() or env.ticks > self._limit[k]:
                self._reset(k)
        return Rollout(
            proprioception=senses[:-1], features=features[:-1],
            images=images[:-1] if keep_images else None,
            action=action, policy_mean=mean, policy_std=std, log_prob=log_prob,
            reward=reward, discount=discount, is_first=is_first, expert_action=expert,
            auxiliary_targets=targets, loss_weight=loss_weight, state=state, task=self._task,
            last_proprioception=senses[-1], last_features=features[-1], policy_version=version,
        )  # fmt: skip

    def collect_images(self, ticks: int, every: int, poses: int) -> tuple[Array, Array]:
        """Images and auxiliary targets while the experts act with noise, to pretrain the vision encoder by.

        What an animal comes across by itself looks much alike, so each posture is also rendered from other
        places of its arena.

        Args:
            ticks: control steps of each environment.
            every: an environment is rendered every so many ticks,
            poses: from where the animal is, and from so many other places.

        Returns:
            images (n, 64, 64, 3) uint8 and targets (n, targets) float32, NaN where left out.
        """
        images, targets = [], []
        for t in range(ticks):
            self._perturb()
            for k, env in enumerate(self.envs):
                action = env.expert_action()
                if (t + k) % every == 0:
                    images.append(env.render())
                    targets.append(env.auxiliary_targets())
                    for _ in range(poses):
                        place = env.sample_pose(self._rng)
                        if place is not None:
                            image, target = env.render_from(place)
                            images.append(image)
                            targets.append(target)
                noise = 1.5 * self._settings.action_noise * self._rng.normal(size=action.shape)
                env.step(action + self._offset[k] + noise)
                # short episodes: neighbouring ticks look alike
                if env.done or env.needs_reset() or env.ticks > self._limit[k] // 3:
                    self._reset(k)
        return np.stack(images), np.stack(targets)


def to_input(images: Array | torch.Tensor) -> torch.Tensor:
    """Images (n, 64, 64, 3) uint8 as the vision encoder reads them, (n, 3, 64, 64) float32 in [-0.5, 0.5]."""
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255 - 0.5
