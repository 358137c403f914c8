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
        return float(medians_hz(self.hz, self.density[None])[0])

    @property
    def median_resolved(self) -> bool:
        """Whether the median is above the lowest bin; one within it is only known to be that low or lower."""
        return bool(self.density[0] < 0.5 * self.density.sum())

    def share_above(self, hz: float) -> float:
        """The part of the power at and above a frequency, 0 to 1."""
        return float(shares_above(self.hz, self.density[None], hz)[0])


def medians_hz(hz: Array, power: Array) -> Array:
    """The frequency below which half of the power of each spectrum lies, (spectra,), between bins.

    Args:
        hz: (n,) evenly spaced.
        power: (spectra, n), in any unit.
    """
    half_bin = (hz[1] - hz[0]) / 2
    above = np.cumsum(power, axis=1) / power.sum(1, keepdims=True)
    index = (above < 0.5).sum(1)
    rows = np.arange(len(power))
    before = np.where(index > 0, above[rows, index - 1], 0.0)
    inside = (0.5 - before) / (above[rows, index] - before)
    return hz[index] - half_bin + inside * 2 * half_bin


def shares_above(hz: Array, power: Array, from_hz: float) -> Array:
    """The part of the power of each spectrum (spectra, n) at and above a frequency, 0 to 1: (spectra,)."""
    return power[:, hz >= from_hz].sum(1) / power.sum(1)


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


@dataclass(frozen=True)
class PartSpectra:
    """The spectra of several recordings of one population, in one basis of principal components.

    Attributes:
        hz: (n,) frequencies, above 0.
        power: (parts, n) of each part, summed over the components and times its ticks; 0 of one too short.
        window_s: the length of Welch's window.
        used: bool (parts,), whether a part is long enough.
        drift: the part of the variance, 0 to 1, that was slow drift and is not in the spectra.
    """

    hz: Array
    power: Array
    window_s: float
    used: Array
    drift: float

    def spectrum(self, parts: Sequence[int] | None = None) -> Spectrum | None:
        """That of some of the parts, or of all; None where all of those were too short."""
        chosen = self.power if parts is None else self.power[list(parts)]
        density = chosen.sum(0)
        area = density.sum() * (self.hz[1] - self.hz[0])
        return Spectrum(self.hz, density / area, self.window_s) if area > 0 else None


def part_spectra(
    parts: Sequence[Array], rate_hz: float, components: int = COMPONENTS
) -> PartSpectra:
    """The spectra of a population recorded in several parts, less slow drift, by Welch's method.

    Parts shorter than the window of 10 s are left out; where all are shorter, the window is the longest part.

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
    if not any(np.ptp(part, axis=0).any() for part in parts):
        raise ValueError("a spectrum of something that does not vary")
    used = np.array([len(part) >= window for part in parts])
    long = [part for part, enough in zip(parts, used, strict=True) if enough]
    steady = [without_drift(part, rate_hz, rate_hz / window) for part in long]
    middle = np.concatenate(long).mean(0, dtype=float)
    total = sum(float(((part - middle) ** 2).sum()) for part in long)
    kept = sum(float((part**2).sum()) for part in steady)
    power = []
    for scores in principal_components(steady, components):
        hz, density = signal.welch(
            scores,
            rate_hz,
            nperseg=window,
            noverlap=round(window * OVERLAP_S / WINDOW_S),
            detrend="linear",
            axis=0,
        )
        power.append(density.sum(1)[1:] * len(scores))
    every = np.zeros((len(parts), len(power[0])))
    every[used] = power
    return PartSpectra(hz[1:], every, window / rate_hz, used, 1 - kept / total if total else 0.0)


def population_spectrum(
    parts: Sequence[Array], rate_hz: float, components: int = COMPONENTS
) -> Spectrum:
    """The spectrum of a population recorded in several parts together; as `part_spectra`.

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
    found = part_spectra(parts, rate_hz, components).spectrum()
    if found is None:
        raise ValueError("a spectrum of something that does not vary")
    return found
