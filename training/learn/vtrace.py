"""V-trace (Espeholt et al. 2018, section 4.1): values of a policy, from what an older one lived.

torchrl has the same without the trace decay, with one discount for all, and importing it takes 4 s and
160 MB; the tests compare this with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Traced:
    """Value targets and advantages, both (T, B) without gradient; `ratio` (T, B) clipped, as it was used."""

    target: Tensor
    advantage: Tensor
    ratio: Tensor


def vtrace(
    reward: Tensor,
    discount: Tensor,
    value: Tensor,
    last_value: Tensor,
    log_ratio: Tensor,
    trace: float = 1.0,
    clip: float = 1.0,
) -> Traced:
    """Value targets and advantages of one policy where another one acted.

    Args:
        reward: (T, B) what the action of the tick earned.
        discount: (T, B) of the tick after; 0 where the episode ended with this one.
        value: (T, B) before each action.
        last_value: (B,) after the last action.
        log_ratio: (T, B) log-density of the action under the policy to be judged, minus that under the
            policy that acted.
        trace: how far corrections reach back, lambda of remark 2; 1 is all the way.
        clip: bound of the importance ratios, for both rho and c.

    Returns:
        With ratios of 1 and `trace` 1 the targets are discounted returns. The advantage is that of the action
        followed by the judged policy, r + discount * target' - value; it is not multiplied by the ratio.
    """
    with torch.no_grad():
        ratio = log_ratio.exp().clamp(max=clip)
        ahead = torch.cat([value[1:], last_value[None]])
        surprise = ratio * (reward + discount * ahead - value)
        correction = torch.zeros_like(last_value)
        corrections = []
        for tick in range(len(reward) - 1, -1, -1):
            correction = surprise[tick] + discount[tick] * trace * ratio[tick] * correction
            corrections.append(correction)
        target = value + torch.stack(corrections[::-1])
        advantage = reward + discount * torch.cat([target[1:], last_value[None]]) - value
        return Traced(target, advantage, ratio)
