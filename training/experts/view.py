"""What the egocentric camera shows, and where in its image.

Positions in the image are in halves of it: 0 is its middle, 1 its right or upper border.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training.experts.pose import BodyReader

Array = np.ndarray

PARTLY = 1.3
"""An orb whose middle is so far from the image's may still reach into it."""

BEHIND_M = 0.05
"""An edge so far behind the camera may still be in the image of one that looks down."""
BESIDE_M = 0.02
"""How far on both sides of the line of sight an edge is sampled, to compute where it crosses that line."""


class View:
    """The view of one animal.

    Args:
        body: of the animal.
        far_m: points farther away, by horizontal distance, are too small to be seen.
    """

    def __init__(self, body: BodyReader, far_m: float) -> None:
        self._data = body.data
        self._camera = body.model.camera("walker/egocentric").id
        self._tangent = float(np.tan(np.radians(body.model.cam_fovy[self._camera]) / 2))
        self._far_m = far_m

    def at(self, point: Array) -> tuple[float, float] | None:
        """Position in the image, to the right and up, of a point (3,) in m; None: it is behind the camera."""
        away = point - self._data.cam_xpos[self._camera]
        right, up, back = away @ self._data.cam_xmat[self._camera].reshape(3, 3)
        if back >= 0:
            return None
        return float(right / -back / self._tangent), float(up / -back / self._tangent)

    def shows(self, point: Array) -> bool:
        """Whether a point (3,) in m is inside the image, and near enough to be seen."""
        at = self.at(point)
        away = point - self._data.cam_xpos[self._camera]
        return at is not None and max(map(abs, at)) < 1 and np.hypot(away[0], away[1]) < self._far_m

    def edge(self, x: float) -> float | None:
        """Height in the image's middle of an edge across the corridor at `x` (m); None: not in view."""
        camera, looks = self._data.cam_xpos[self._camera], self.heading_rad()
        if not -BEHIND_M < x - camera[0] < self._far_m:
            return None
        middle = camera[1] + (x - camera[0]) * np.tan(np.clip(looks, -1, 1))
        ends = [self.at(np.array([x, middle + side, 0.0])) for side in (-BESIDE_M, BESIDE_M)]
        if ends[0] is None or ends[1] is None or ends[0][0] == ends[1][0]:
            return None
        (left, one), (right, other) = ends[0], ends[1]
        # a straight line is straight in the image
        height = one - left * (other - one) / (right - left)
        return height if abs(height) < 1 else None

    def heading_rad(self) -> float:
        """Heading of the camera in the horizontal plane, from the x axis."""
        ahead = -self._data.cam_xmat[self._camera].reshape(3, 3)[:, 2]
        return float(np.arctan2(ahead[1], ahead[0]))

    def orb(self, point: Array) -> Mapping[str, float]:
        """Auxiliary targets of an orb at a point (3,) in m; none where it is outside the image."""
        at = self.at(point)
        if at is None or max(map(abs, at)) > PARTLY:
            return {}
        distance = float(np.linalg.norm(point - self._data.cam_xpos[self._camera]))
        return {"orb_right": at[0], "orb_up": at[1], "orb_log_m": float(np.log(distance))}
