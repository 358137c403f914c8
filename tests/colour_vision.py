"""What colours look like to people with another colour vision, and how far apart they are to the eye."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MATRICES = {
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
}
"""For linear RGB, severity 1 (Machado, Oliveira and Fernandes 2009)."""
_TO_XYZ = np.array(
    (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
)
_WHITE = np.array((0.95047, 1.0, 1.08883))


def linear(colour: str) -> NDArray[np.float64]:
    """A colour "#rrggbb" as linear RGB, (3,), 0 to 1."""
    srgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return from_srgb(srgb)


def from_srgb(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear RGB of sRGB, 0 to 1, (..., 3)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def seen_by(vision: str, rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """What people of this colour vision see of linear RGB, (..., 3); as it is for "usual"."""
    if vision == "usual":
        return rgb
    return np.clip(rgb @ np.array(MATRICES[vision]).T, 0, 1)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB (D65) of linear RGB, (..., 3)."""
    ratio = rgb @ _TO_XYZ.T / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def apart(one: str, other: str, vision: str = "usual", opacity: float = 1.0, on: str = "") -> float:
    """How far two colours are apart (CIE76; 2.3 can just be told) to people of a colour vision.

    Args:
        one, other: as "#rrggbb".
        vision: "usual", or one of `MATRICES`.
        opacity: of both, where they lie on a ground.
        on: that ground.
    """
    seen = []
    for colour in (one, other):
        srgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        if on:
            ground = np.array([int(on[k : k + 2], 16) for k in (1, 3, 5)]) / 255
            srgb = opacity * srgb + (1 - opacity) * ground
        seen.append(lab(seen_by(vision, from_srgb(srgb))))
    return float(np.linalg.norm(seen[0] - seen[1]))
