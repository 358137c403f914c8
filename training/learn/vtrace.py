"""V-trace (Espeholt et al. 2018, section 4.1): value targets of a policy, from ticks of an older one.

torchrl has the same without the trace decay, with one discount for all, and importing it takes 4 s and
160 MB; the tests compare this with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class VtraceReturns:
    """All (T, B), without gradient.

    Attributes:
        target: of the value before each action.
        advantage: of each action, when the judged policy acts afterwards.
        ratio: clipped importance ratio of each action.
    """

    target: Tensor
    advantage: Tensor
    ratio: Tensor


def vtrace(
    reward: Tensor,
    discount: Tensor,
    value: Tensor,
    last_value: Tensor,
    log_ratio: Tensor,
    lambda_: float = 1.0,
    clip: float = 1.0,
) -> VtraceReturns:
    """Value targets and advantages of one policy from actions of another.

    Args:
        reward: (T, B) of each action.
        discount: (T, B) of the tick after; 0 where the episode ended with this one.
        value: (T, B) before each action.
        last_value: (B,) after the last action.
        log_ratio: (T, B) log-density of the action under the policy to be judged, minus that under the
            policy that acted; -inf where another actor chose the action.
        lambda_: decay of corrections, remark 2; 1 is none.
        clip: bound of the importance ratios, for both rho and c.

    Returns:
        With ratios of 1 and `lambda_` 1 the targets are discounted returns. The advantage is
        r + discount * target' - value; it is not multiplied by the ratio.
    """
    with torch.no_grad():
        ratio = log_ratio.exp().clamp(max=clip)
        next_value = torch.cat([value[1:], last_value[None]])
        delta = ratio * (reward + discount * next_value - value)
        correction = torch.zeros_like(last_value)
        corrections = []
        for tick in range(len(reward) - 1, -1, -1):
            correction = delta[tick] + discount[tick] * lambda_ * ratio[tick] * correction
            corrections.append(correction)
        target = value + torch.stack(corrections[::-1])
        advantage = reward + discount * torch.cat([target[1:], last_value[None]]) - value
        return VtraceReturns(target, advantage, ratio)
