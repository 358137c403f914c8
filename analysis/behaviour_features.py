"""Features of behaviour on three time scales, as Merel & Aldarondo et al. (ICLR 2020), appendix A.2.

Eigenpostures are the top 15 principal components of the joint angles, and as many of the positions of the
body's parts. Kinematics are the amplitudes of the eigenpostures' Morlet wavelet transforms at 25
frequencies, the top 15 principal components of each set. Both together, at 1 to 25 Hz, are the 60
behavioural features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import signal

from analysis.spectra import principal_components

Array = np.ndarray

COMPONENTS = 15
SCALES = 25
BANDS_HZ = {"fast": (5.0, 25.0), "intermediate": (1.0, 25.0), "slow": (0.3, 5.0)}
CYCLES = 6.0
"""Morlet's parameter: 2 pi times the standard deviation of the envelope in periods."""


def morlet_amplitude(x: Array, rate_hz: float, hz: Array) -> Array:
    """Amplitudes (ticks, variables, frequencies) of the Morlet wavelet transform of x (ticks, variables).

    A sine of amplitude 1 gives 1 at its own frequency. Beyond the ends x is taken as 0.

    >>> t = np.arange(500) / 50
    >>> waves = morlet_amplitude(3 * np.sin(2 * np.pi * 6 * t)[:, None], 50, np.array([2, 6]))
    >>> waves.shape, waves[250, 0].round(1).tolist()
    ((500, 1, 2), [0.0, 3.0])

    Args:
        x: (ticks, variables).
        rate_hz: ticks per second.
        hz: (frequencies,), below half of the rate.

    Returns:
        float32.
    """
    result = np.empty((*x.shape, len(hz)), np.float32)
    for index, one in enumerate(hz):
        deviation_s = CYCLES / (2 * np.pi * one)
        half = int(np.ceil(4 * deviation_s * rate_hz))
        t = np.arange(-half, half + 1) / rate_hz
        envelope = np.exp(-0.5 * (t / deviation_s) ** 2)
        wavelet = envelope * np.exp(2j * np.pi * one * t) * 2 / envelope.sum()
        result[..., index] = np.abs(signal.fftconvolve(x, wavelet[:, None], "same", axes=0))
    return result


def eigenpostures(parts: Sequence[Array]) -> list[Array]:
    """Eigenpostures (ticks, <= 15) float64 of every part (ticks, variables).

    One basis for all parts, which are scaled together to a total variance of 1.
    """
    return _unit(principal_components(parts, COMPONENTS))


def kinematics(
    angles: Sequence[Array],
    positions: Sequence[Array],
    rate_hz: float,
    band_hz: tuple[float, float],
) -> list[Array]:
    """Kinematics (ticks, <= 30) float64 of every part, 15 of joint angles and 15 of positions.

    Args:
        angles: of every part (ticks, joints), rad.
        positions: of every part (ticks, 3 x bodies), m.
        rate_hz: ticks per second.
        band_hz: lowest and highest frequency.
    """
    hz = np.geomspace(*band_hz, SCALES)
    sets = []
    for variables in (angles, positions):
        waves = [morlet_amplitude(part, rate_hz, hz) for part in eigenpostures(variables)]
        flat = [wave.reshape(len(wave), -1) for wave in waves]
        sets.append(_unit(principal_components(flat, COMPONENTS)))
    return [np.hstack(both) for both in zip(*sets, strict=True)]


def behaviour(angles: Sequence[Array], positions: Sequence[Array], rate_hz: float) -> list[Array]:
    """Features (ticks, <= 60) float64 of every part: posture, and kinematics at 1 to 25 Hz.

    Args:
        angles: of every part (ticks, joints), rad.
        positions: of every part (ticks, 3 x bodies), m.
        rate_hz: ticks per second.
    """
    moving = kinematics(angles, positions, rate_hz, BANDS_HZ["intermediate"])
    return [
        np.hstack(three)
        for three in zip(eigenpostures(angles), eigenpostures(positions), moving, strict=True)
    ]


def _unit(parts: Sequence[Array]) -> list[Array]:
    total = np.concatenate(parts).var(0).sum()
    return [part / np.sqrt(total) if total > 0 else part for part in parts]
