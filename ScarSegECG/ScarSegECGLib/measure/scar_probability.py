"""How probable scar is in a voxel, from what the networks say of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ScarSegECGLib.case import FloatArray

SCAR_ABOVE = 0.5


def scar_probability(
    logit: NDArray[np.floating],
    wall: NDArray[np.floating],
    myocardium: NDArray[np.bool_],
    box: tuple[slice, slice],
) -> FloatArray:
    """Probability of scar: that the voxel is wall, times that the wall is scar there; exactly 0 outside the wall.

    Parameters
    ----------
    logit, wall : [slice, r, c], the networks' logit of scar given wall, moved by the ECG or not, and the
        probability of wall
    myocardium : [slice, row, column], the predicted wall
    box : rows and columns of the slices that ``logit`` and ``wall`` are of

    Returns
    -------
    float32 [slice, row, column]
    """
    probability = np.zeros(myocardium.shape, np.float32)
    inside = myocardium[:, box[0], box[1]]
    probability[:, box[0], box[1]][inside] = wall[inside] * expit(logit[inside])
    return probability


def never_erasing(movement: FloatArray, alone: FloatArray) -> FloatArray:
    """Movement of the logit that never takes away scar which the image alone shows (probability ``alone``)."""
    return np.where(alone > SCAR_ABOVE, np.maximum(movement, 0), movement)
