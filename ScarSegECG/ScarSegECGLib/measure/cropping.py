"""The box that holds the left ventricle: every measure works inside it, because most of a slice is not heart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice, slice]


def heart_box(mask: NDArray[np.bool_], margin: int = 3) -> Box:
    """Smallest box that holds ``mask``, widened in-plane by ``margin`` pixels and clipped to the array.

    Parameters
    ----------
    mask : bool array, shape (slice, row, column)
    margin : int
        Pixels added in-plane on every side; none along the slices.

    Returns
    -------
    tuple of three slices
        All-empty slices where the mask is empty.
    """
    box = []
    for axis, widen in ((0, 0), (1, margin), (2, margin)):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        if hit.size == 0:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        box.append(slice(max(int(hit[0]) - widen, 0), min(int(hit[-1]) + 1 + widen, mask.shape[axis])))
    return box[0], box[1], box[2]
