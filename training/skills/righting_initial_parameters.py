"""Where the search for righting begins: a movement that an earlier search found, in parts, for another gait.

That search rolled the animal first, then propped it on its forelimbs, then let the hind body follow, each
part from the end of the one before; a slower pace was then chosen. From zeros no search has found one.
"""

from __future__ import annotations

import numpy as np

# a row per knot and group: the trunk's joints, odd and then even; each limb joint's upper and lower side
_TRUNK = [
    [0.70, 0.38, 0.23, 0.00, -0.54, -0.62],
    [0.30, 1.24, 0.96, -0.50, -1.14, 0.27],
    [0.62, -0.07, 0.36, -0.02, -1.65, 0.11],
    [1.53, -0.62, -0.40, 0.87, -0.91, -0.22],
    [1.53, -0.62, -0.40, 0.87, -0.91, -0.22],
    [4.41, -1.89, -1.01, 2.87, -0.13, -0.05],
    [2.73, -7.33, 1.43, 1.45, 0.44, -0.13],
]
_LIMBS = [
    [0.88, -0.09, -0.31, 0.07, 0.50, 0.70, 0.47, -0.94, 1.29, -0.17, -0.30, -0.95, -0.08, -1.08],
    [0.41, -0.13, -0.27, -0.99, -0.21, -0.31, -0.49, -0.05, 0.21, 0.16, 0.62, -0.04, -1.12, -0.25],
    [-0.44, -0.33, -0.19, -0.72, 0.21, -0.15, -0.45, -1.04, -0.35, -0.09, -0.61, -0.73, 0.29, 0.47],
    [0.78, 0.90, 0.54, -0.84, -0.52, -0.05, -0.75, -0.83, -1.45, 0.19, 0.29, -0.40, -1.26, -0.32],
    [0.78, 0.90, 0.54, -0.84, -0.52, -0.05, -0.75, -0.83, -1.45, 0.19, 0.29, -0.40, -1.26, -0.32],
    [2.27, 2.79, -3.35, -1.48, -3.82, -0.03, -1.17, -0.82, 1.08, -4.84, -1.68, -0.14, -0.67, -0.58],
    [1.61, -4.33, 1.37, -1.11, -0.83, 3.92, -2.19, 4.04, -2.53, -0.64, 0.08, -3.57, 0.52, -4.22],
]  # fmt: skip
INITIAL_PARAMETERS = np.concatenate([_TRUNK, _LIMBS], 1).ravel()
