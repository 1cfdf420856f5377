"""Insertions from an RV label, which no images come with: the ends of the arc over which it touches the LV."""

from __future__ import annotations

import numpy as np

from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing, ray_angles, ray_points, sample_mask


def insertions_from_rv(
    myocardium: Mask, rv: Mask, centres_mm: Floats, border: Floats, spacing: Spacing, touch_mm: float = 4.0
) -> Floats:
    """Insertions from an RV label: the ends of the arc over which it touches the LV's epicardium (own rule).

    Parameters
    ----------
    myocardium, rv : bool arrays, shape (slice, row, column)
    centres_mm : float64 array, shape (slice, 2)
    border : float64 array, shape (slice, ray)
    spacing : (slice, row, column) mm
    touch_mm : float
        The RV touches where it begins within this distance outside the myocardium.

    Returns
    -------
    float64 array, shape (slice, 2)
        Anterior and inferior insertion, degrees; NaN where the RV does not touch the septum.
    """
    found = np.full((len(rv), 2), np.nan)
    use = np.flatnonzero(np.isfinite(centres_mm).all(axis=1) & np.isfinite(border).any(axis=1) & rv.any(axis=(1, 2)))
    if not use.size:
        return found
    angles = ray_angles(border.shape[1])
    depth = np.arange(0.0, touch_mm + 0.25, 0.5)
    points = ray_points(centres_mm[use], angles, np.nan_to_num(border[use])[:, :, None] + depth, spacing)
    touches = sample_mask(rv[use] & ~myocardium[use], *points).any(axis=2) & np.isfinite(border[use])
    half_step = 180.0 / len(angles)
    for k, line in zip(use, touches, strict=True):
        if not line.any():
            continue
        directions = angles[line]
        gap_after = np.diff(np.append(directions, directions[0] + 360.0))
        last = int(gap_after.argmax())  # the free wall is the widest stretch without RV
        found[k] = directions[(last + 1) % directions.size] - half_step, directions[last] + half_step
    return found % 360.0
