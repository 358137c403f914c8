"""Features of behaviour on three time scales, as Merel & Aldarondo et al. (ICLR 2020), appendix A.2.

Eigenpostures are the top 15 principal components of the joint angles, and as many of the positions of the
body's parts. Kinematics are the amplitudes of the eigenpostures' Morlet wavelet transforms at 25
frequencies, the top 15 principal components of each set. Both together, at 1 to 25 Hz, are the 60
behavioural features. `feature_sets` gives the eight sets that the paper holds against activity (A.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

    A sine of amplitude 1 gives 1 at its own frequency. Beyond its ends x is taken as mirrored there.

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
        beyond = np.pad(x, ((half, half), (0, 0)), "reflect")
        result[..., index] = np.abs(signal.fftconvolve(beyond, wavelet[:, None], "valid", axes=0))
    return result


def eigenpostures(parts: Sequence[Array]) -> list[Array]:
    """Eigenpostures (ticks, <= 15) float64 of every part (ticks, variables).

    One basis for all parts, which are scaled together to a total variance of 1.
    """
    return _unit(principal_components(parts, COMPONENTS))


def kinematics(
    angle_postures: Sequence[Array],
    position_postures: Sequence[Array],
    rate_hz: float,
    band_hz: tuple[float, float],
) -> list[Array]:
    """Kinematics (ticks, <= 30) float64 of every part, 15 of joint angles and 15 of positions.

    Args:
        angle_postures: `eigenpostures` of the joint angles.
        position_postures: `eigenpostures` of the positions.
        rate_hz: ticks per second.
        band_hz: lowest and highest frequency.
    """
    hz = np.geomspace(*band_hz, SCALES)
    sets = []
    for postures in (angle_postures, position_postures):
        waves = [morlet_amplitude(part, rate_hz, hz) for part in postures]
        flat = [wave.reshape(len(wave), -1) for wave in waves]
        sets.append(_unit(principal_components(flat, COMPONENTS)))
    return [np.hstack(both) for both in zip(*sets, strict=True)]


def joint_velocity(angles: Array, rate_hz: float) -> Array:
    """Angular velocity of every joint, rad/s: (ticks, joints), from differences of neighbouring ticks."""
    return np.gradient(angles.astype(float), 1 / rate_hz, axis=0)


def feature_sets(
    angles: Sequence[Array], positions: Sequence[Array], forces: Sequence[Array], rate_hz: float
) -> Mapping[str, list[Array]]:
    """The eight sets of features of A.4 by name, each of every part, (ticks, features) float64.

    Args:
        angles: of every part (ticks, joints), rad.
        positions: of every part (ticks, 3 x bodies), m.
        forces: of every part (ticks, actuators).
        rate_hz: ticks per second.
    """
    own = eigenpostures(angles), eigenpostures(positions)
    postures = _beside(*own)
    moving = {
        f"kinematics, {name}": kinematics(*own, rate_hz, band) for name, band in BANDS_HZ.items()
    }
    return {
        "joint angles": [part.astype(float) for part in angles],
        "joint velocity": [joint_velocity(part, rate_hz) for part in angles],
        "actuator forces": [part.astype(float) for part in forces],
        "posture": postures,
        **moving,
        "behaviour": _beside(postures, moving["kinematics, intermediate"]),
    }


def _beside(*sets: Sequence[Array]) -> list[Array]:
    return [np.hstack(parts) for parts in zip(*sets, strict=True)]


def _unit(parts: Sequence[Array]) -> list[Array]:
    total = np.concatenate(parts).var(0).sum()
    return [part / np.sqrt(total) if total > 0 else part for part in parts]
