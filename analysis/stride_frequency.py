"""Stride frequency from the angle of a joint."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def stride_hz(angle_rad: Array, rate_hz: float = 50.0) -> float:
    """Stride frequency: the spectral peak of a hip's angle (ticks,), between 1 and 15 Hz.

    NaN of less than a second.

    >>> round(stride_hz(np.sin(2 * np.pi * 4.5 * np.arange(200) * 0.02)), 1)
    4.5

    Args:
        angle_rad: (ticks,).
        rate_hz: ticks per second.
    """
    if len(angle_rad) < rate_hz:
        return float("nan")
    n = 4096
    power = np.abs(np.fft.rfft((angle_rad - angle_rad.mean()) * np.hanning(len(angle_rad)), n)) ** 2
    hz = np.fft.rfftfreq(n, 1 / rate_hz)
    inside = (hz >= 1) & (hz <= 15)
    return float(hz[inside][power[inside].argmax()])
