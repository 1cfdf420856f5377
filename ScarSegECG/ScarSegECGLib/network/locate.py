"""Find the left ventricle in maps of its probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.errors import NoLeftVentricle

NOT_FOUND = "no left ventricle found; check that this is a short-axis LGE stack of the heart"
_SMALLEST_LV_ML = 10.0
_REACH_MM = 50.0
_HEART_BLUR_MM = 15.0


def offsets_of_lv(probability: NDArray[np.float32], pixel_mm: float, slice_mm: float) -> NDArray[np.float64]:
    """How far the LV lies from the middle of each map.

    The place where most slices see the ventricle is taken first, then a straight line through the slices' centres
    near it, weighted by what each slice shows: a slice that shows nothing (or a bright stomach) follows its
    neighbours.

    Parameters
    ----------
    probability : [K, S, S] of LV
    pixel_mm, slice_mm : distance between pixels and between slices

    Returns
    -------
    [K, 2] (row, column) mm from the middle of the map.

    Raises
    ------
    InputError : no left ventricle.
    """
    likely = np.where(probability > 0.3, probability, 0)
    together = ndimage.gaussian_filter(likely.sum(axis=0), _HEART_BLUR_MM / pixel_mm)
    rows, columns = np.indices(likely.shape[1:])
    heart = np.array(np.unravel_index(np.argmax(together), together.shape))
    near = np.hypot(rows - heart[0], columns - heart[1]) * pixel_mm < _REACH_MM
    likely = likely * near
    mass = likely.sum(axis=(1, 2))
    if mass.sum() * pixel_mm**2 * slice_mm / 1000 < _SMALLEST_LV_ML:
        raise NoLeftVentricle(NOT_FOUND)

    seen = mass > 0
    index = np.flatnonzero(seen)
    found = np.stack([(likely[seen] * axis).sum(axis=(1, 2)) / mass[seen] for axis in (rows, columns)], axis=1)
    if len(index) >= 3:
        line = [np.polyfit(index, found[:, axis], 1, w=np.sqrt(mass[seen])) for axis in (0, 1)]
        centre = np.stack([np.polyval(fit, np.arange(len(mass))) for fit in line], axis=1)
    else:
        centre = np.tile(np.average(found, axis=0, weights=mass[seen]), (len(mass), 1))
    return (centre - (np.array(likely.shape[1:]) - 1) / 2) * pixel_mm


def follow_neighbours(
    centres: NDArray[np.float64], seen: NDArray[np.bool_], before: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give slices that show no LV the centre of the nearest slice that does: [K, 2]; ``before`` where none does."""
    if not seen.any():
        return before
    index = np.arange(len(seen))
    good = index[seen]
    nearest = good[np.abs(index[:, None] - good[None]).argmin(axis=1)]
    return centres[nearest]
