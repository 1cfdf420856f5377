"""Scars of every place and size over the AHA segments, for ECGs without end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NO_SCAR = 0.35  # share of hearts without scar
SECOND_SCAR = 0.15
# Plot angle (degrees) and level (0 basal .. 3 apex) of each segment's middle; DESIGN of the AHA plot.
ANGLE_DEG = np.array([90, 150, 210, 270, 330, 30, 90, 150, 210, 270, 330, 30, 90, 180, 270, 0, 0], dtype=float)
LEVEL = np.array([0] * 6 + [1] * 6 + [2] * 4 + [3], dtype=float)
# The apex borders every wall: it counts as this far from any scar's centre, whatever its angle, and centres reach
# somewhat beyond the base; so apex and base are scarred nearly as often as the middle (both chosen).
APEX_AWAY_DEG = 40.0
CENTRE_LEVEL = (-0.7, 2.9)
REACH_DEG, REACH_LEVEL = (30.0, 140.0), (0.6, 3.2)
# Shares of the LV. In 45 patients of EMIDEC (Lalande et al., Data 2020;5:89) infarcts take up 4 to 52 % of it, in all
# but one less than 45 %.
SMALLEST, LARGEST = 0.01, 0.5


def random_scars(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Scar fraction of every segment of ``n`` hearts, shape (n, 17), 0..1.

    A scar is a bump on the bullseye: a centre anywhere, a reach in angle and along the axis, a depth into the wall, and
    ragged edges. Scars take up 1 to 50 % of the LV (mean of the 17 fractions), half of them less than 12 %: below 1 %
    the heart counts as free of scar, above 50 % every fraction is lowered in proportion.
    """
    fraction = np.zeros((n, 17))
    for turn in range(2):
        here = rng.random(n) < (1.0 - NO_SCAR if turn == 0 else SECOND_SCAR)
        angle, level = rng.uniform(0.0, 360.0, n), rng.uniform(*CENTRE_LEVEL, n)
        reach_deg, reach_level = rng.uniform(*REACH_DEG, n), rng.uniform(*REACH_LEVEL, n)
        away = np.abs((ANGLE_DEG - angle[:, None] + 180.0) % 360.0 - 180.0)
        away = np.where(LEVEL == 3.0, APEX_AWAY_DEG, away) / reach_deg[:, None]
        along = np.abs(LEVEL - level[:, None]) / reach_level[:, None]
        ragged = rng.normal(0.0, 0.25, (n, 17))
        bump = np.clip(2.0 * (1.0 - np.hypot(away, along)) + ragged, 0.0, 1.0)
        depth = rng.uniform(0.2, 1.0, n)
        fraction = np.maximum(fraction, here[:, None] * depth[:, None] * bump)
    size = fraction.mean(axis=1, keepdims=True)
    return np.where(size < SMALLEST, 0.0, fraction * np.minimum(1.0, LARGEST / np.maximum(size, SMALLEST)))
