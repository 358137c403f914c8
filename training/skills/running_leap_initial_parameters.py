"""Where the search for the running leap begins: a leap that an earlier, shorter search found.

That search began with the leap from the stand and knew one start state and one width at first. From here on
starts, places and widths are mixed from the first generation.
"""

from __future__ import annotations

import numpy as np

# a row per knot: the joints of `running_leap_table.JOINTS`, then the gait's share behind and in front
_KNOTS = [
    [-0.75, -0.36, -0.76, 2.44, -1.17, -0.12, 0.47, -2.16, -0.11, -0.35, 1.06],
    [-0.60, -1.42, -0.46, 0.92, 1.49, 0.73, 0.46, -0.93, -1.01, -0.08, -0.45],
    [1.76, -0.02, 1.48, 0.22, 0.03, -0.17, -0.75, 0.86, 1.07, -0.88, 0.01],
    [0.56, 1.36, 1.12, -0.21, -1.58, -1.08, -0.16, 0.14, 0.76, -0.11, 0.17],
    [-0.97, 0.21, -0.77, -1.37, 1.53, -0.70, 0.77, -1.32, -1.69, -0.67, 1.10],
    [-0.00, 1.00, -1.61, -0.18, 0.42, -0.27, 1.25, 0.68, 0.36, -0.60, 0.91],
    [0.65, 0.86, 1.54, 0.15, -1.71, -1.92, 0.87, -0.84, -1.17, 0.11, -0.00],
    [0.54, 0.51, -0.04, -0.21, 0.77, 0.54, 1.46, -0.94, 0.84, -0.84, 0.61],
    [0.46, -0.80, 0.90, 1.84, -2.03, 0.76, -1.85, -2.03, 1.27, 0.43, 0.39],
]  # fmt: skip
_BEFORE = -0.65
INITIAL_PARAMETERS = np.append(np.ravel(_KNOTS), _BEFORE)
