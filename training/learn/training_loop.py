"""What all learning stages share: resume, steps, a checkpoint every minute, reports, counted events.

    loop = TrainingLoop(path, settings.updates, network, optimiser)
    for step in loop.steps(report):
        ...                      # one step of learning
        loop.counts.skipped_updates += not gradient_step(optimiser, loss, [parameters])

A report comes after the checkpoint of its step, so that what was reported is on disk where a checkpoint was
due.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.learn import checkpoint
from training.rollout.actor_pool import ActorPool

CHECKPOINT_EVERY_S = 60.0
MAX_GRADIENT_NORM = 1.0


@dataclass
class Counts:
    """What was left out since the training began; kept in the checkpoint, shown with every report.

    Attributes:
        skipped_updates: updates left out because a gradient was not finite.
        unreadable_rollouts: stored rollouts that could not be read when the training was resumed.
        forgotten_rollouts: rollouts without images, left out when the vision encoder was retrained.
        lost_requests: requests to actors that died.
        replaced_actors: actors that died.
    """

    skipped_updates: int = 0
    unreadable_rollouts: int = 0
    forgotten_rollouts: int = 0
    lost_requests: int = 0
    replaced_actors: int = 0

    def nonzero(self) -> dict[str, int]:
        """Those that are not 0, by name."""
        return {name: count for name, count in asdict(self).items() if count}

    def scalars(self) -> dict[str, float]:
        """All of them by TensorBoard tag."""
        return {f"counts/{name}": float(count) for name, count in asdict(self).items()}

    def __str__(self) -> str:
        """Such as ', 2 skipped updates'; '' where all are 0."""
        return "".join(
            f", {count} {name.replace('_', ' ')}" for name, count in self.nonzero().items()
        )


class TrainingLoop:
    """The frame of a learning stage; making it resumes the checkpoint.

    Attributes:
        completed: steps completed, also those before it was resumed.
        total: steps of the whole training.
        counts: what was left out.

    Args:
        path: the checkpoint; None: nothing is saved or resumed.
        total: steps of the training.
        network: what learns.
        optimiser: Adam, of the network's parameters.
        ema: the network's exponential moving average, where there is one.

    Raises:
        SubjectError: the checkpoint is damaged or of another architecture.
    """

    def __init__(
        self,
        path: Path | None,
        total: int,
        network: nn.Module,
        optimiser: torch.optim.Adam,
        ema: nn.Module | None = None,
    ) -> None:
        self._path, self._network, self._optimiser, self._ema = path, network, optimiser, ema
        self.total = total
        self.completed, self.counts = 0, Counts()
        if path is not None:
            self.completed, counts = checkpoint.load(path, network, optimiser, ema)
            known = {one.name for one in fields(Counts)}  # another version may count other events
            self.counts = Counts(**{name: n for name, n in counts.items() if name in known})
        self._resumed = replace(self.counts)

    def steps(
        self,
        report: Callable[[float], None],
        report_every: int = 1,
        report_every_s: float = 0.0,
    ) -> Iterator[int]:
        """Yield the number of each step that is left, from 0; after each, save and report where it is due.

        Args:
            report: called with the fraction done; always after the last step.
            report_every: report at most after every so many steps,
            report_every_s: and at most every so many seconds.
        """
        saved = reported = time.monotonic()
        for step in range(self.completed, self.total):
            yield step
            self.completed = step + 1
            last, now = self.completed == self.total, time.monotonic()
            if last or now - saved > CHECKPOINT_EVERY_S:
                self.save()
                saved = now
            if last or (step % report_every == 0 and now - reported >= report_every_s):
                report(self.completed / self.total)
                reported = now

    def count_actors(self, pool: ActorPool[Any]) -> None:
        """Add the actors replaced and the requests lost in this pool to those before it was resumed."""
        self.counts.replaced_actors = self._resumed.replaced_actors + pool.replaced_actors
        self.counts.lost_requests = self._resumed.lost_requests + pool.lost_requests

    def set_learning_rate(self, rate: float) -> None:
        """Of the optimiser's first group, from the next update."""
        self._optimiser.param_groups[0]["lr"] = rate

    def save(self) -> None:
        """Write the checkpoint now."""
        if self._path is not None:
            checkpoint.save(
                self._path,
                self._network,
                self._optimiser,
                self.completed,
                ema=self._ema,
                counts=asdict(self.counts),
            )


def gradient_step(
    optimiser: torch.optim.Adam,
    loss: Tensor,
    groups: Sequence[Sequence[nn.Parameter]],
    frozen: Sequence[nn.Parameter] = (),
    max_norm: float = MAX_GRADIENT_NORM,
) -> bool:
    """One step of Adam down the gradient of a loss, left out where the gradient is not finite.

    Args:
        optimiser: of the parameters.
        loss: (), to be differentiated.
        groups: parameters; the gradient's norm is clipped in each group by itself.
        frozen: parameters that do not change in this step.
        max_norm: to which the gradient of a group is clipped.

    Returns:
        whether the parameters were updated.
    """
    optimiser.zero_grad()
    loss.backward()
    for parameter in frozen:
        parameter.grad = None
    norms = [nn.utils.clip_grad_norm_(group, max_norm) for group in groups]
    if not all(norm.isfinite() for norm in norms):
        optimiser.zero_grad()
        return False
    optimiser.step()
    return True
