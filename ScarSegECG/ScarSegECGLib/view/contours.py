"""Crisp outlines of masks, between the pixels."""

from __future__ import annotations

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ScarSegECGLib.view.shapes import Points

_SMOOTH_FROM = 12


def outlines(mask: NDArray[np.bool_], smoothing: float = 1.2) -> tuple[Points, ...]:
    """Closed outlines of a mask as (row, column) loops; holes run the other way round.

    Loops follow the half-way line between pixel centres and are smoothed along their length (``smoothing`` in
    vertices, about half a pixel each) only where they are long enough not to shrink: an island of one pixel is
    still drawn.

    Parameters
    ----------
    mask : bool array, shape (row, column)
    smoothing : float
        0 leaves the loops as they are.

    Returns
    -------
    tuple of float64 arrays, shape (n, 2), each without a repeated end point
    """
    if not mask.any():
        return ()
    padded = np.pad(mask, 1).astype(np.float32)
    loops = contour_generator(z=padded, line_type=LineType.Separate).lines(0.5)
    return tuple(_smoothed(np.asarray(loop)[:-1, ::-1] - 1.0, smoothing) for loop in loops)


def _smoothed(loop: NDArray[np.float64], smoothing: float) -> Points:
    if smoothing <= 0 or len(loop) < _SMOOTH_FROM:
        return loop
    return np.asarray(gaussian_filter1d(loop, smoothing, axis=0, mode="wrap"))
