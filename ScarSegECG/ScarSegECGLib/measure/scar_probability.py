"""How probable scar is in a voxel, from what the networks say of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ScarSegECGLib.case import FloatArray

SCAR_ABOVE = 0.5


def scar_probability(
    logit: NDArray[np.floating], wall: NDArray[np.floating], myocardium: NDArray[np.bool_], box: tuple[slice, slice]
) -> FloatArray:
    """Probability of scar: that the voxel is wall, times that the wall is scar there; exactly 0 outside the wall.

    ``logit`` (of scar given wall, moved by the ECG or not) and ``wall`` (probability), [slice, r, c], are of the rows
    and columns ``box``; the predicted ``myocardium`` and what is returned, float32, are [slice, row, column].
    """
    probability = np.zeros(myocardium.shape, np.float32)
    inside = myocardium[:, box[0], box[1]]
    probability[:, box[0], box[1]][inside] = wall[inside] * expit(logit[inside])
    return probability


def never_erasing(movement: FloatArray, alone: FloatArray) -> FloatArray:
    """Movement of the logit that never takes away scar which the image alone shows (probability ``alone``)."""
    return np.where(alone > SCAR_ABOVE, np.maximum(movement, 0), movement)
