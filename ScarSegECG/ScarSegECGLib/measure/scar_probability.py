"""How probable scar is in a voxel, from what the networks and the intensity rule say of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ScarSegECGLib.case import FloatArray
from ScarSegECGLib.measure.cropping import heart_box
from ScarSegECGLib.measure.ewa import ewa
from ScarSegECGLib.measure.remote import remote_myocardium

# Weight of the EWA rule beside the networks: the rule knows how bright this patient's own healthy wall is, the
# networks how scar looks in others. Chosen on the cross-validation's held-out patients, where 0.2 to 0.4 do alike.
EWA_SHARE = 0.3
SCAR_ABOVE = 0.5


def bright_wall(
    voxels: NDArray[np.floating],
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> NDArray[np.bool_]:
    """Where the EWA rule (:func:`ScarSegECGLib.measure.ewa.ewa`) sees scar in the predicted wall."""
    box, bright = heart_box(cavity | myocardium), np.zeros(myocardium.shape, bool)
    near = voxels[box], cavity[box], myocardium[box]
    bright[box] = ewa(*near, spacing, remote_myocardium(*near, spacing))[0]
    return bright


def scar_probability(
    logit: NDArray[np.floating],
    wall: NDArray[np.floating],
    bright: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
) -> FloatArray:
    """Probability of scar: that the voxel is wall, times that the wall is scar there; exactly 0 outside the wall.

    Parameters
    ----------
    logit : [slice, row, column], the networks' logit of scar given wall, moved by the ECG or not
    wall : same shape, the networks' probability of wall
    bright : same shape, :func:`bright_wall`
    myocardium : same shape, the predicted wall
    """
    probability = np.zeros(myocardium.shape, np.float32)
    given_wall = (1 - EWA_SHARE) * expit(logit[myocardium]) + EWA_SHARE * bright[myocardium]
    probability[myocardium] = wall[myocardium] * given_wall
    return probability
