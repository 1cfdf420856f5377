"""Bring the intensities of every slice onto one scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import FloatArray

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0


HEART_RADIUS_MM = 45.0


def heart_disc(size: int, pixel_mm: float) -> NDArray[np.bool_]:
    """Pixels within 45 mm of the middle of a square field: the heart and what touches it; shape (size, size)."""
    axis = (np.arange(size) - (size - 1) / 2) * pixel_mm
    return np.hypot(axis[:, None], axis[None]) <= HEART_RADIUS_MM


def normalise(voxels: NDArray, where: NDArray[np.bool_] | None = None) -> FloatArray:
    """Scale each slice so that its 1st and 99th percentile become -0.5 and 0.5.

    Slices are scaled one by one, because scanners and exports scale them one by one: a threshold or a network
    that compares two slices' raw values is comparing two gain settings. Pixels of value exactly 0 are left out of the
    percentiles (they are the padding around a shifted or cropped slice) unless most of the slice is 0.

    Parameters
    ----------
    voxels : array, shape (slice, row, column)
        Intensities; magnitude or phase sensitive.
    where : bool array, shape (row, column), optional
        Take the percentiles from these pixels only, so that bright fat far away does not flatten the heart.

    Returns
    -------
    float32 array, same shape, clipped to [-1, 1]; a constant slice becomes 0.
    """
    stack = np.asarray(voxels, dtype=np.float32)
    scaled = np.zeros_like(stack)
    for index, image in enumerate(stack):
        region = image.ravel() if where is None else image[where]
        inside = region[region != 0]
        if inside.size < region.size // 10:
            inside = region
        low, high = np.percentile(inside, (LOW_PERCENTILE, HIGH_PERCENTILE))
        if high > low:
            scaled[index] = np.clip((image - low) / (high - low) - 0.5, -1.0, 1.0)
    return scaled
