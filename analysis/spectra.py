"""Power spectra of populations and behaviour, as Merel & Aldarondo et al. (ICLR 2020), appendix A.3.

The spectral density of a population is that of its top ten principal components. Each is given unit area and
weighted by the variance that the component explains, which is the plain sum of their densities, scaled.
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


@dataclass(frozen=True)
class Spectrum:
    """A power spectral density of unit area.

    `hz` (n,) begins above 0; `density` (n,) is in 1/Hz; `window_s` is the length of Welch's window.
    """

    hz: Array
    density: Array
    window_s: float

    def median_hz(self) -> float:
        """The frequency below which half of the power lies."""
        below = np.cumsum(self.density) / self.density.sum()
        return float(np.interp(0.5, below, self.hz))

    def centroid_hz(self) -> float:
        """The mean frequency, weighted by power."""
        return float((self.hz * self.density).sum() / self.density.sum())

    def share_above(self, hz: float) -> float:
        """The part of the power at and above a frequency."""
        return float(self.density[self.hz >= hz].sum() / self.density.sum())


def principal_components(parts: Sequence[Array], n: int) -> list[Array]:
    """The top `n` principal components of recordings (ticks, variables), one basis for all of them.

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
    """Spectrum of a population recorded in several parts (ticks, units), Welch's method within each.

    Parts shorter than the window of 10 s are left out; where all are shorter, the window is the longest part.

    Raises:
        ValueError: there is nothing to analyse, or nothing varies.
    """
    longest = max((len(part) for part in parts), default=0)
    if longest < 8:
        raise ValueError("no recording is long enough for a spectrum")
    window = min(round(WINDOW_S * rate_hz), longest)
    long = [part for part in parts if len(part) >= window]
    total: Array | float = 0.0
    for scores in principal_components(long, components):
        hz, density = signal.welch(
            scores,
            rate_hz,
            nperseg=window,
            noverlap=round(window * OVERLAP_S / WINDOW_S),
            axis=0,
        )
        total = total + density.sum(1) * len(scores)
    density = np.asarray(total)[1:]
    area = density.sum() * (hz[1] - hz[0])
    if not area > 0:
        raise ValueError("a spectrum of something that does not vary")
    return Spectrum(hz[1:], density / area, window / rate_hz)
