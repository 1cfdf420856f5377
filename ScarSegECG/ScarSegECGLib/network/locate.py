"""Find the left ventricle in whole slices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.network.field import LOCATOR_PIXEL_MM

NOT_FOUND = "no left ventricle found; check that this is a short-axis LGE stack of the heart"
_SMALLEST_LV_ML = 10.0
_REACH_MM = 60.0
_HEART_BLUR_MM = 15.0


def centres_from_map(
    probability: NDArray[np.float32], slice_mm: float, shape: tuple[int, int], spacing: tuple[float, float]
) -> NDArray[np.float64]:
    """LV centre of every slice from the locator's probability of LV.

    The place where most slices see the ventricle is taken first, then a straight line through the slices' centres
    near it, weighted by what each slice shows: a slice that shows nothing (or a bright stomach) follows its
    neighbours.

    Parameters
    ----------
    probability : [K, S, S] on the locator's grid (``field.whole_slices``), centred on the slice
    slice_mm : distance between slices
    shape, spacing : of the stack's own slices (rows, columns), mm

    Returns
    -------
    [K, 2] (row, column) mm = index * spacing on the stack's grid.

    Raises
    ------
    InputError : no left ventricle.
    """
    likely = np.where(probability > 0.3, probability, 0)
    together = ndimage.gaussian_filter(likely.sum(axis=0), _HEART_BLUR_MM / LOCATOR_PIXEL_MM)
    heart = np.array(np.unravel_index(np.argmax(together), together.shape))
    rows, columns = np.indices(likely.shape[1:])
    near = np.hypot(rows - heart[0], columns - heart[1]) * LOCATOR_PIXEL_MM < _REACH_MM
    likely = likely * near
    mass = likely.sum(axis=(1, 2))
    if mass.sum() * LOCATOR_PIXEL_MM**2 * slice_mm / 1000 < _SMALLEST_LV_ML:
        raise InputError(NOT_FOUND)

    seen = mass > 0
    index = np.flatnonzero(seen)
    found = np.stack([(likely[seen] * axis).sum(axis=(1, 2)) / mass[seen] for axis in (rows, columns)], axis=1)
    if len(index) >= 3:
        line = [np.polyfit(index, found[:, axis], 1, w=np.sqrt(mass[seen])) for axis in (0, 1)]
        centre = np.stack([np.polyval(fit, np.arange(len(mass))) for fit in line], axis=1)
    else:
        centre = np.tile(np.average(found, axis=0, weights=mass[seen]), (len(mass), 1))
    from_middle = (centre - (np.array(likely.shape[1:]) - 1) / 2) * LOCATOR_PIXEL_MM
    return from_middle + (np.array(shape) - 1) / 2 * np.array(spacing)
