"""Power spectra of populations and behaviour, as Merel & Aldarondo et al. (ICLR 2020), appendix A.3.

The spectral density of a population is that of its top ten principal components. Each is given unit area and
weighted by the variance that the component explains, which is the plain sum of their densities, scaled.

Slow drift is removed first. Cell states drift over a whole episode, by more than they fluctuate; a window of
10 s cannot resolve that, but its power leaks into the lowest frequencies, and it would take up the principal
components. So a cubic and all cosines slower than one period a window are fitted to every recording by least
squares and subtracted, before the principal components (as slow drift is removed from fMRI: cosines, Friston
et al. 1995, beside polynomials, which take what does not end where it began); and each of Welch's windows is
detrended linearly. What is left describes fluctuations faster than one period a window; slower ones are not
described at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import signal

Array = np.ndarray

WINDOW_S = 10.0
OVERLAP_S = 5.0
COMPONENTS = 10
DRIFT_DEGREE = 3


@dataclass(frozen=True)
class Spectrum:
    """A power spectral density of unit area.

    Attributes:
        hz: (n,) frequencies, above 0.
        density: (n,) in 1/Hz.
        window_s: the length of Welch's window; nothing slower than one period in it is described.
    """

    hz: Array
    density: Array
    window_s: float

    def median_hz(self) -> float:
        """The frequency below which half of the power lies."""
        half_bin = (self.hz[1] - self.hz[0]) / 2
        edges = np.concatenate([[self.hz[0] - half_bin], self.hz + half_bin])
        below = np.concatenate([[0.0], np.cumsum(self.density) / self.density.sum()])
        return float(np.interp(0.5, below, edges))

    @property
    def median_resolved(self) -> bool:
        """Whether the median is above the lowest bin; one within it is only known to be that low or lower."""
        return bool(self.density[0] < 0.5 * self.density.sum())

    def centroid_hz(self) -> float:
        """The mean frequency, weighted by power."""
        return float((self.hz * self.density).sum() / self.density.sum())

    def share_above(self, hz: float) -> float:
        """The part of the power at and above a frequency, 0 to 1."""
        return float(self.density[self.hz >= hz].sum() / self.density.sum())


def without_drift(part: Array, rate_hz: float, slowest_hz: float) -> Array:
    """A recording less its cubic trend and its cosines slower than a frequency, (ticks, variables) float64.

    >>> t = np.arange(1500) / 50
    >>> fast = np.sin(2 * np.pi * 2 * t)
    >>> drifting = (fast + t**2 + 5 * np.cos(2 * np.pi * t / 60))[:, None]
    >>> bool((without_drift(drifting, 50, 0.1)[:, 0] - fast).std() < 0.05)
    True

    Args:
        part: (ticks, variables).
        rate_hz: ticks per second.
        slowest_hz: the lowest frequency to keep.
    """
    n = len(part)
    cosines = (
        int(np.ceil(2 * n / rate_hz * slowest_hz)) - 1
    )  # those below it; the k-th has k/2 periods
    t = (np.arange(n) + 0.5) / n
    polynomials = np.polynomial.legendre.legvander(2 * t - 1, DRIFT_DEGREE)
    waves = np.cos(np.pi * t[:, None] * np.arange(1, cosines + 1))
    basis, _ = np.linalg.qr(np.hstack([polynomials, waves]))
    values = np.asarray(part, float)
    return values - basis @ (basis.T @ values)


def principal_components(parts: Sequence[Array], n: int) -> list[Array]:
    """The top `n` principal components of recordings (ticks, variables), one basis for all of them.

    >>> scores, = principal_components([np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])], 1)
    >>> np.abs(scores[:, 0]).round(3).tolist()
    [1.414, 0.0, 1.414]

    Args:
        parts: each (ticks, variables).
        n: how many.

    Returns:
        scores (ticks, <= n) of every part, about the common mean.
    """
    everything = np.concatenate(parts).astype(float)
    middle = everything.mean(0)
    covariance = np.cov((everything - middle).T).reshape(len(middle), len(middle))
    _, axes = np.linalg.eigh(covariance)
    basis = axes[:, ::-1][:, :n]
    return [(np.asarray(part, float) - middle) @ basis for part in parts]


def population_spectrum(
    parts: Sequence[Array], rate_hz: float, components: int = COMPONENTS
) -> Spectrum:
    """The spectrum of a population recorded in several parts, less slow drift, by Welch's method.

    Parts shorter than the window of 10 s are left out; where all are shorter, the window is the longest part.

    >>> t = np.arange(1500) / 50
    >>> activity = np.sin(2 * np.pi * 2 * t)[:, None] * [1.0, 0.5] + 20 * t[:, None]
    >>> round(population_spectrum([activity], 50).median_hz(), 1)
    2.0

    Args:
        parts: each (ticks, units).
        rate_hz: ticks per second.
        components: how many principal components, at most.

    Raises:
        ValueError: there is nothing to analyse, or nothing varies.
    """
    longest = max((len(part) for part in parts), default=0)
    if longest < 8:
        raise ValueError("no recording is long enough for a spectrum")
    window = min(round(WINDOW_S * rate_hz), longest)
    varies = any(np.ptp(part, axis=0).any() for part in parts)
    if not varies:
        raise ValueError("a spectrum of something that does not vary")
    long = [without_drift(part, rate_hz, rate_hz / window) for part in parts if len(part) >= window]
    total: Array | float = 0.0
    for scores in principal_components(long, components):
        hz, density = signal.welch(
            scores,
            rate_hz,
            nperseg=window,
            noverlap=round(window * OVERLAP_S / WINDOW_S),
            detrend="linear",
            axis=0,
        )
        total = total + density.sum(1) * len(scores)
    density = np.asarray(total)[1:]
    area = density.sum() * (hz[1] - hz[0])
    return Spectrum(hz[1:], density / area, window / rate_hz)
