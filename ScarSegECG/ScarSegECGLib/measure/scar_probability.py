"""How probable scar is in a voxel, from what the networks say of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ScarSegECGLib.case import FloatArray

SCAR_ABOVE = 0.5


def scar_probability(
    logit: NDArray[np.floating], wall: NDArray[np.floating], myocardium: NDArray[np.bool_]
) -> FloatArray:
    """Probability of scar: that the voxel is wall, times that the wall is scar there; exactly 0 outside the wall.

    Parameters
    ----------
    logit : [slice, row, column], the networks' logit of scar given wall, moved by the ECG or not
    wall : same shape, the networks' probability of wall
    myocardium : same shape, the predicted wall
    """
    probability = np.zeros(myocardium.shape, np.float32)
    probability[myocardium] = wall[myocardium] * expit(logit[myocardium])
    return probability


def never_erasing(movement: FloatArray, alone: FloatArray) -> FloatArray:
    """Movement of the logit that never takes away scar which the image alone shows (probability ``alone``)."""
    return np.where(alone > SCAR_ABOVE, np.maximum(movement, 0), movement)
