"""From the ECG's estimate of how much of each segment is scar to a movement of the image's scar logit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import FloatArray
from ScarSegECGLib.measure.scar_probability import EWA_SHARE, SCAR_ABOVE
from ScarSegECGLib.network.taff import LOGIT_DOWN, LOGIT_UP

# About the estimate's mean absolute error (0.065 of a segment on simulated ECGs it has not learned from, as
# ``scarsegecg ablate`` says): what lies closer to the image's own extent than this is no disagreement.
MARGIN = 0.08


def missing_logit(
    logit: NDArray[np.floating], wall: NDArray[np.floating], bright: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """How far each voxel's logit is from being shown as scar: positive below the limit. Any shape, the same for all.

    Solves ``wall * ((1 - share) * sigmoid(logit + x) + share * bright) = SCAR_ABOVE`` for x (see
    :func:`ScarSegECGLib.measure.scar_probability.scar_probability`).
    """
    needed = (SCAR_ABOVE / np.maximum(wall, 1e-6) - EWA_SHARE * bright) / (1 - EWA_SHARE)
    needed = np.clip(needed, 1e-6, 1 - 1e-6)
    return np.log(needed / (1 - needed)) - logit


def shift_to_extent(
    missing: NDArray[np.floating], aha: NDArray[np.uint8], extents: NDArray[np.floating], margin: float = MARGIN
) -> NDArray[np.float64]:
    """Shift of each segment's logit that brings its extent within ``margin`` of the one asked for.

    Parameters
    ----------
    missing : array, shape (slice, row, column)
        From :func:`missing_logit`.
    aha : uint8 array, same shape
    extents : array, shape (17,)
        Scar fraction asked for, 0..1.

    Returns
    -------
    float64 array, shape (17,)
        Within [-1, +2], what the ECG may do (DESIGN of TAFF's contract); 0 where a segment is not imaged or its extent
        is near enough as it is.
    """
    shifts = np.zeros(17)
    for segment in range(1, 18):
        here = missing[aha == segment]
        if not here.size:
            continue
        own = float((here < 0).mean())
        wanted = float(np.clip(own, extents[segment - 1] - margin, extents[segment - 1] + margin))
        if wanted != own:
            shifts[segment - 1] = np.clip(np.quantile(here, np.clip(wanted, 0.0, 1.0)), LOGIT_DOWN, LOGIT_UP)
    return shifts


def movement_to_extent(
    logit: FloatArray,
    wall: FloatArray,
    bright: NDArray[np.bool_],
    aha: NDArray[np.uint8],
    prior: FloatArray,
    extents: NDArray[np.floating],
    margin: float = MARGIN,
) -> FloatArray:
    """The shifts of :func:`shift_to_extent` carried to the voxels by the soft partition.

    Parameters
    ----------
    logit, wall : float arrays, shape (slice, row, column)
        The image's own logit of scar given wall, and its probability of wall.
    bright : bool array, same shape
        Where the EWA rule sees scar.
    aha : uint8 array, same shape
    prior : float array, shape (slice, 17, row, column)
        :func:`ScarSegECGLib.anatomy.soft.soft_prior` of the same partition.
    extents : array, shape (17,), 0..1

    Returns
    -------
    float32 array, shape (slice, row, column), within [-1, +2], 0 outside the partition.
    """
    inside = aha > 0
    missing = np.full(logit.shape, np.inf)
    missing[inside] = missing_logit(logit[inside], wall[inside], bright[inside])
    shifts = shift_to_extent(missing, aha, extents, margin)
    moved = np.zeros(logit.shape, np.float32)
    k, i, j = np.nonzero(inside)
    moved[k, i, j] = prior[k, :, i, j] @ shifts
    return moved


def never_erasing(movement: FloatArray, alone: FloatArray) -> FloatArray:
    """Movement of the logit that never takes away scar which the image alone shows (probability ``alone``)."""
    return np.where(alone > SCAR_ABOVE, np.maximum(movement, 0), movement)


def both_movements(features: FloatArray, extents: FloatArray, amplitude: float) -> FloatArray:
    """Movement by TAFF (``features``, already weighted) and by the extents, within ``amplitude`` times [-1, +2]."""
    return np.clip(features + amplitude * extents, LOGIT_DOWN * amplitude, LOGIT_UP * amplitude)
