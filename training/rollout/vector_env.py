"""Many animals in dm_control's own environments of several tasks, lived through by one network.

One tick of a herd: every animal senses, the network decides for all at once, every expert says what it would
have done, every environment steps. Which of the two acts, with how much motor noise, and who is pushed, is
decided here; what is learned from it elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
import torch
from dm_control.rl.control import PhysicsError

from agent.architecture import NetworkConfig
from agent.network import Network
from rig.arenas import tasks
from rig.arenas.camera import EgocentricCamera
from rig.arenas.names import TASKS
from rig.arenas.senses import Senses, flatten
from training.experts import Skills, expert_for
from training.experts.interface import Place
from training.experts.pose import REARING
from training.rollout.auxiliary_targets import CUES, as_array
from training.rollout.rollout import REWARD_SCALES, Segment

Array = np.ndarray

FALLEN_BELOW = 0.3
EPISODE_TICKS = {"corridor": 1000, "gaps": 1500, "forage": 1500, "escape": 1000, "two_tap": 1500}
ON_ITS_WAY_M, ON_ITS_WAY_TICKS = 0.05, 150
"""An animal in a corridor that comes no farther in so long is caught, mostly astride a narrow gap: it begins
anew, or animals gather there that nothing is learned from."""
NEAR_TICKS = 320
"""How long an animal lives that began where there is something to do: there, or lying."""
CORRIDORS = frozenset({"corridor", "gaps"})
REARS = frozenset({"two_tap"})
"""Tasks in which an animal whose trunk points up does not lie: it is in the middle of a tap."""
RIGHTS_ITSELF = frozenset({"escape"})
"""Tasks in which lying is a part of the task; in the others an animal that lies begins anew."""


@dataclass(frozen=True)
class HerdSettings:
    """Who lives in a herd, and what happens to them.

    `soft_every`: of so many animals, one sees with shadows. `action_noise`: motor noise of two thirds of the
    animals while they imitate; the others act without. `push`: chance a tick that half the muscles are
    pushed off course for a while; `shove`: that the whole animal is. `near`: part of the animals that begin
    where there is something to do, before a gap or an orb (`TaskExpert.somewhere`): on the way there little
    is met that was not met before. In the bowl all begin so, most of them lying, and that part lives as
    briefly.
    """

    corridor: int = 0
    gaps: int = 5
    forage: int = 5
    escape: int = 3
    two_tap: int = 5
    soft_every: int = 8
    action_noise: float = 0.07
    push: float = 0.002
    shove: float = 0.001
    near: float = 0.0

    def __post_init__(self) -> None:
        for name in ("push", "shove", "near"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a part, from 0 to 1, not {getattr(self, name)}")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task of each animal."""
        return tuple(task for task in TASKS for _ in range(getattr(self, task)))


class Animal:
    """One rodent in one environment with its eyes and its expert."""

    def __init__(self, task: str, skills: Skills, soft: bool, seed: Array) -> None:
        self.task = task
        self._environment = tasks.make(task, np.random.RandomState(seed))
        self._expert = expert_for(task, skills)
        self._quality = "soft" if soft else "fast"
        self._camera: EgocentricCamera | None = None
        self.restart()

    def restart(self) -> None:
        """A new episode, in a newly drawn arena."""
        if self._camera is not None:
            self._camera.close()
        self._environment.reset()
        physics = self._environment.physics
        self._model, self._data = physics.model.ptr, physics.data.ptr
        self._torso = self._model.body("walker/torso").id
        self._senses = Senses(self._environment)
        self._camera = EgocentricCamera(self._model, self._data, self._quality)  # type: ignore[arg-type]
        self._expert.begin(self._environment)
        self.age = 0
        self.over = False
        self._was_at_m, self._caught = float(self._data.qpos[0]), False

    def begin_near(self, rng: np.random.Generator) -> bool:
        """Put one that has just begun to where there is something to do; False: there is no such place."""
        place = self._expert.somewhere(rng)
        if place is not None:
            self._put(place)
            # dm_control steps on from what was computed at the end of the last step: contacts too
            mujoco.mj_forward(self._model, self._data)
            self._was_at_m = place[0]
        return place is not None

    def feel(self) -> Array:
        """What it feels, (senses,) float32."""
        return flatten(self._senses.observe())

    def see(self) -> Array:
        """What it sees, (64, 64, 3) uint8."""
        assert self._camera is not None
        return self._camera.render()

    def label(self) -> Array:
        """What its expert would do, (actions,); ask once a tick."""
        return self._expert.act()

    @property
    def weight(self) -> float:
        """How much its last label counts: nothing where it is lost."""
        return 0.0 if self.lost() else self._expert.weight

    def close(self) -> None:
        """Give the rendering context and the simulation back."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
        self._environment.close()

    def cues(self) -> Array:
        """What its eyes should be able to tell, after `label`."""
        which = {f"is_{task}": float(task == self.task) for task in TASKS if task != "corridor"}
        return as_array({**which, **self._expert.cues()})

    def elsewhere(self, rng: np.random.Generator) -> tuple[Array, Array] | None:
        """What it would see in this posture at another place of its arena, with the cues; None: nowhere.

        The simulation goes on where it was.
        """
        place = self._expert.somewhere(rng)
        if place is None:
            return None
        assert self._camera is not None
        kept = self._data.qpos[:7].copy()
        self._put(place)
        seen = self.see(), self.cues()
        self._data.qpos[:7] = kept
        self._pose()
        return seen

    def _put(self, place: Place) -> None:
        """To another place, as it stands."""
        matrix = self._data.xmat[self._torso].reshape(3, 3)
        turn = place[2] - np.arctan2(matrix[1, 0], matrix[0, 0])
        self._data.qpos[:2] = place[:2]
        about = np.array([np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)])
        mujoco.mju_mulQuat(self._data.qpos[3:7], about, self._data.qpos[3:7].copy())
        self._pose()

    def _pose(self) -> None:
        for step in (mujoco.mj_kinematics, mujoco.mj_comPos, mujoco.mj_camlight):
            step(self._model, self._data)

    def step(self, action: Array) -> tuple[float, float]:
        """20 ms; reward (scaled) and discount. `over` is set where the task ended the episode."""
        self.age += 1
        try:
            step = self._environment.step(np.clip(action, -1, 1))
        except PhysicsError:
            self.over = True
            return 0.0, 0.0
        self.over = bool(step.last())
        if self.task in CORRIDORS and self.age % ON_ITS_WAY_TICKS == 0:
            x = float(self._data.qpos[0])
            self._caught, self._was_at_m = abs(x - self._was_at_m) < ON_ITS_WAY_M, x
        discount = 1.0 if step.discount is None else float(step.discount)
        return float(step.reward) * REWARD_SCALES[self.task], discount if not self.over else 0.0

    def lost(self) -> bool:
        """Whether it is to begin anew: it lies, where lying is no part of the task, or is caught."""
        if self.task in RIGHTS_ITSELF:
            return False
        ahead, up = self._data.xmat[self._torso, 6], self._data.xmat[self._torso, 8]
        rears = self.task in REARS and ahead > REARING
        return self._caught or bool(up < FALLEN_BELOW and not rears)

    def shove(self, rng: np.random.Generator, size_m_s: float) -> None:
        """Change its velocity at once, by about so much in a random direction."""
        self._data.qvel[:3] += rng.normal(0, size_m_s / np.sqrt(3), 3)
        self._data.qvel[3:6] += rng.normal(0, 4 * size_m_s / np.sqrt(3), 3)


class Herd:
    """Animals of one process.

    Args:
        config: shape of the network; its weights come with every `live`.
        settings: who lives here.
        skills: folder of the experts' skills.
        seed: everything random follows from it; give every herd another.
    """

    def __init__(
        self, config: NetworkConfig, settings: HerdSettings, skills: Path, seed: int
    ) -> None:
        self._settings = settings
        self._network = Network(config)
        self._rng = np.random.default_rng([seed, 1])
        names = settings.tasks
        seeds = np.random.SeedSequence([seed, 2]).spawn(len(names))
        self.animals = [
            Animal(
                task,
                Skills(skills),
                bool(settings.soft_every) and k % settings.soft_every == settings.soft_every - 1,
                own.generate_state(4),
            )
            for k, (task, own) in enumerate(zip(names, seeds, strict=True))
        ]
        n = len(self.animals)
        self._state = self._network.zero_state(n)
        self._fresh = np.ones(n, bool)
        self._noise = np.where(np.arange(n) % 3 == 0, 0.0, settings.action_noise)
        self._push = np.zeros((n, config.action_size))
        self._push_left = np.zeros(n, int)
        # not all restart at once
        self._limit = np.array([int(self._rng.uniform(0.2, 1) * EPISODE_TICKS[t]) for t in names])
        self._task = np.array([TASKS.index(t) for t in names])

    def __len__(self) -> int:
        return len(self.animals)

    def close(self) -> None:
        """Give all rendering contexts and simulations back."""
        for animal in self.animals:
            animal.close()

    def _disturb(self) -> None:
        """Begin and end pushes of the muscles; shove an animal now and then."""
        n, settings = len(self.animals), self._settings
        self._push_left -= 1
        self._push[self._push_left <= 0] = 0
        for k in np.flatnonzero(self._rng.random(n) < settings.push):
            some = self._rng.random(self._push.shape[1]) < 0.5
            self._push[k] = some * self._rng.normal(0, 0.4, self._push.shape[1])
            self._push_left[k] = int(self._rng.integers(4, 26))
        for k in np.flatnonzero(self._rng.random(n) < settings.shove):
            self.animals[k].shove(self._rng, 0.25)

    def _restart(self, k: int) -> None:
        animal = self.animals[k]
        animal.restart()
        near = self._rng.random() < self._settings.near
        if near and animal.task not in RIGHTS_ITSELF:
            near = animal.begin_near(self._rng)
        self._limit[k] = NEAR_TICKS if near else EPISODE_TICKS[animal.task]
        self._push_left[k] = 0
        self._fresh[k] = True
        for h, c in self._state:
            h[k] = 0
            c[k] = 0

    def live(
        self,
        weights: Mapping[str, Array] | None,
        version: int,
        ticks: int,
        expert_part: float,
        own_spread: bool = False,
        keep_pictures: bool = False,
    ) -> Segment:
        """Live through some ticks.

        Args:
            weights: the network's state dict, or None to keep those of the last call.
            version: their number.
            ticks: how long.
            expert_part: the share of animals that their experts drive.
            own_spread: with the network's own motor noise and no disturbances (to learn by reinforcement),
                else with the settings' noise.
            keep_pictures: hand over the pictures too.
        """
        if weights is not None:
            self._network.load_state_dict(
                {k: torch.from_numpy(np.array(v)) for k, v in weights.items()}
            )
        animals, rng, n = self.animals, self._rng, len(self.animals)
        std = self._network.action_std().detach().numpy()
        begin = tuple((h.numpy().copy(), c.numpy().copy()) for h, c in self._state)
        fresh = np.zeros((ticks, n), bool)
        fresh[0] = self._fresh
        self._fresh[:] = False
        led = rng.random(n) < expert_part
        size = self._network.config.action_size
        senses = np.zeros((ticks + 1, n, self._network.config.proprioception_size), np.float32)
        features = np.zeros((ticks + 1, n, self._network.config.vision_features), np.float32)
        pictures = np.zeros((ticks + 1, n, 64, 64, 3), np.uint8)
        action, mean, label = (np.zeros((ticks, n, size), np.float32) for _ in range(3))
        reward, discount, weight = (np.zeros((ticks, n), np.float32) for _ in range(3))
        cues = np.full((ticks, n, len(CUES)), np.nan, np.float32)
        log_prob = np.full((ticks, n), np.nan, np.float32)
        for t in range(ticks + 1):
            labels = np.zeros((n, size))
            for k, animal in enumerate(animals):
                if animal.over:
                    senses[t, k], pictures[t, k] = senses[t - 1, k], pictures[t - 1, k]
                else:
                    senses[t, k], pictures[t, k] = animal.feel(), animal.see()
                    if t < ticks:  # an expert is asked once a tick
                        labels[k] = animal.label()
                        cues[t, k] = animal.cues()
            with torch.no_grad():
                seen = self._network.vision(to_input(pictures[t]))
                features[t] = seen.numpy()
                if t == ticks:
                    break
                out = self._network.run(torch.from_numpy(senses[t])[None], seen[None], self._state)
            self._state = out.state
            mean[t], label[t] = out.mean[0].numpy(), labels
            noise = rng.normal(size=(n, size))
            if own_spread:
                action[t] = np.where(led[:, None], label[t], mean[t]) + std * noise
                error = (action[t] - mean[t]) / std
                density = -0.5 * (error**2) - np.log(std) - 0.5 * np.log(2 * np.pi)
                log_prob[t] = np.where(led, np.nan, density.sum(1))
            else:
                self._disturb()
                drive = np.where(led[:, None], label[t], mean[t].clip(-1, 1))
                action[t] = drive + self._push + self._noise[:, None] * noise
            for k, animal in enumerate(animals):
                if animal.over:
                    continue
                weight[t, k] = animal.weight
                reward[t, k], discount[t, k] = animal.step(action[t, k])
        for k, animal in enumerate(animals):
            if animal.over or animal.lost() or animal.age > self._limit[k]:
                self._restart(k)
        return Segment(
            senses=senses[:-1], features=features[:-1],
            pictures=pictures[:-1] if keep_pictures else None,
            action=action, behaviour_mean=mean, behaviour_std=std, log_prob=log_prob,
            reward=reward, discount=discount, fresh=fresh, label=label, cues=cues, weight=weight,
            state=begin,
            task=self._task, last_senses=senses[-1], last_features=features[-1], version=version,
        )  # fmt: skip

    def look(self, ticks: int, every: int, places: int) -> tuple[Array, Array]:
        """Pictures (n, 64, 64, 3) and cues (n, cues) of animals that their experts drive with noise.

        Every `every` ticks an animal looks where it is and, in the same posture, from `places` others:
        what it comes across by itself looks much alike.
        """
        pictures, cues = [], []
        for t in range(ticks):
            self._disturb()
            for k, animal in enumerate(self.animals):
                label = animal.label()
                if (t + k) % every == 0:
                    pictures.append(animal.see())
                    cues.append(animal.cues())
                    for _ in range(places):
                        seen = animal.elsewhere(self._rng)
                        if seen is not None:
                            pictures.append(seen[0])
                            cues.append(seen[1])
                noise = 1.5 * self._settings.action_noise * self._rng.normal(size=label.shape)
                animal.step(label + self._push[k] + noise)
                # often somewhere new: neighbouring ticks look alike
                if animal.over or animal.lost() or animal.age > self._limit[k] // 3:
                    self._restart(k)
        return np.stack(pictures), np.stack(cues)


def to_input(pictures: Array | torch.Tensor) -> torch.Tensor:
    """(n, 64, 64, 3) uint8 to what the ResNet reads, (n, 3, 64, 64) float32."""
    return torch.as_tensor(pictures).permute(0, 3, 1, 2).float() / 255 - 0.5
