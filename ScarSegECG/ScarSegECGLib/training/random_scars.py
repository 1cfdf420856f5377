"""Scars of every place and size over the AHA segments, for ECGs without end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NO_SCAR = 0.35  # share of hearts without scar
SECOND_SCAR = 0.15
# Plot angle (degrees) and level (0 basal .. 3 apex) of each segment's middle; DESIGN of the AHA plot.
ANGLE_DEG = np.array([90, 150, 210, 270, 330, 30, 90, 150, 210, 270, 330, 30, 90, 180, 270, 0, 0], dtype=float)
LEVEL = np.array([0] * 6 + [1] * 6 + [2] * 4 + [3], dtype=float)


def random_scars(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Scar fraction of every segment of ``n`` hearts, shape (n, 17), 0..1.

    A scar is a bump on the bullseye: a centre anywhere, a reach in angle and along the axis, a depth into the wall, and
    ragged edges. All ranges are chosen such that scars take up 1 to about 45 % of the LV.
    """
    fraction = np.zeros((n, 17))
    for turn in range(2):
        here = rng.random(n) < (1.0 - NO_SCAR if turn == 0 else SECOND_SCAR)
        angle, level = rng.uniform(0.0, 360.0, n), rng.uniform(-0.3, 3.0, n)
        reach_deg, reach_level = rng.uniform(30.0, 100.0, n), rng.uniform(0.6, 2.2, n)
        away = np.abs((ANGLE_DEG - angle[:, None] + 180.0) % 360.0 - 180.0)
        away = np.where(LEVEL == 3.0, 0.0, away) / reach_deg[:, None]
        along = np.abs(LEVEL - level[:, None]) / reach_level[:, None]
        ragged = rng.normal(0.0, 0.25, (n, 17))
        bump = np.clip(2.0 * (1.0 - np.hypot(away, along)) + ragged, 0.0, 1.0)
        depth = rng.uniform(0.2, 1.0, n)
        fraction = np.maximum(fraction, here[:, None] * depth[:, None] * bump)
    fraction[(fraction.sum(axis=1) < 0.15)] = 0.0
    return fraction
