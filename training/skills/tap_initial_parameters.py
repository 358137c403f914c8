"""Initial parameters of the search for the tap: a tap that was found for another standing posture.

A search from zeros takes long to find that the hind legs can lift the trunk. This movement does, from the
standing posture of both gaits, because it is made of control signals, not of changes to that posture.
"""

from __future__ import annotations

import numpy as np

from training.skills.tap import AHEAD_UNIT, ASIDE_UNIT, N_PARAMETERS

# one row per knot: the joints of `tap.LIMB`, then those of `tap.SPINE`
_REACH = [
    [-0.56, 0.12, -0.24, 0.37, 0.85, -0.45, 0.03, 0.34, 0.94, -0.41, -0.41, -0.21, -0.57],
    [-0.20, 0.97, -0.25, 0.03, 0.55, -0.43, 0.87, -0.01, 0.24, -0.75, -0.48, 0.22, 0.73],
    [0.55, 0.10, -0.36, 0.08, -0.02, -0.22, 0.36, 0.17, -0.57, 0.19, -0.02, 0.31, 0.64],
    [0.26, -0.64, -0.68, -0.16, 0.35, -0.58, -1.50, -0.06, -0.35, 0.86, 0.55, 0.17, 0.42],
]
_AGAIN = [
    [-0.69, 0.70, -0.75, 0.27, 0.48, -0.20, -1.80, 0.48, -0.22, 0.29, 0.66, -0.54, 0.44],
    [-0.94, -0.08, 0.10, 0.07, -0.13, 0.35, -0.10, -0.53, -0.87, -0.89, 0.05, -0.33, 0.16],
    [-1.02, -0.29, 0.24, 0.09, -0.33, -0.01, 0.63, -0.88, -0.48, -1.13, 0.32, -0.04, 0.08],
    [-0.72, 0.22, -0.38, -0.19, -0.13, -0.30, 0.60, -0.19, -0.48, -0.34, 0.07, 0.07, 0.19],
    [-0.52, 0.46, -0.37, -0.67, -0.12, -0.45, 0.43, 0.12, -0.09, 0.76, 0.38, 0.83, -0.09],
    [-0.08, 0.11, -0.12, 0.26, 0.52, -0.58, 0.13, 0.43, 0.07, 0.84, 0.56, 0.38, 0.28],
    [0.03, 0.08, 0.11, 0.41, 0.55, -0.24, -0.78, 0.38, 0.18, 0.17, -0.06, 0.11, 0.27],
]
# what is added for an orb farther ahead, in the reach, after the touch, and from looking again on
_AHEAD = [
    [0.12, -0.22, 0.03, -0.06, -0.05, 0.15, 0.17, 0.16, 0.06, 0.20, -0.02, 0.02, -0.04],
    [-0.04, 0.02, -0.09, -0.09, -0.14, 0.04, -0.04, -0.08, 0.04, 0.01, -0.05, -0.24, -0.07],
    [-0.07, 0.03, -0.13, 0.01, -0.12, 0.02, -0.05, 0.09, -0.10, -0.12, -0.05, -0.19, -0.08],
]
# and for one on the left, to the joints of `tap.BENDS`
_ASIDE = [
    [-0.083, -0.276, 0.016, 0.194],
    [-0.227, 0.088, -0.230, -0.224],
    [-0.250, -0.143, -0.030, -0.143],
]
# the best distances: 7.5 cm ahead when it begins, and 4.2 cm when it looks again
_DISTANCES = [-0.156, -0.957]

INITIAL_PARAMETERS = np.concatenate(
    [
        np.ravel(_REACH),
        np.ravel(_AGAIN),
        np.ravel(_AHEAD) / AHEAD_UNIT,
        np.ravel(_ASIDE) / ASIDE_UNIT,
        _DISTANCES,
    ]
)
assert INITIAL_PARAMETERS.shape == (N_PARAMETERS,)
