"""How well one mask matches another; ``None`` of two empty masks stays out of every mean and cannot inflate it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Mask, Spacing, heart_box

STRUCTURES = ("cavity", "myocardium", "scar")


@dataclass(frozen=True)
class Overlap:
    """Agreement of a prediction with the truth."""

    dice: float | None  # Dice LR. Ecology 1945;26:297-302; None if both are empty, 0 if one is
    precision: float | None  # share of the prediction that is true; None if nothing is predicted
    sensitivity: float | None  # share of the truth that is found; None if there is none
    volume_error_ml: float  # prediction - truth
    hd95_mm: float | None  # None if either is empty


def overlap(predicted: Mask, truth: Mask, spacing: Spacing, *, distance: bool = True) -> Overlap:
    """The overlap of two masks, with ``distance`` their :func:`hausdorff95`; ValueError where shapes differ."""
    if predicted.shape != truth.shape:
        raise ValueError(f"prediction {predicted.shape} and truth {truth.shape} differ in shape")
    found, real = int(np.count_nonzero(predicted)), int(np.count_nonzero(truth))
    both = int(np.count_nonzero(predicted & truth))
    return Overlap(
        dice=2 * both / (found + real) if found + real else None,
        precision=both / found if found else None,
        sensitivity=both / real if real else None,
        volume_error_ml=(found - real) * float(np.prod(spacing)) / 1000.0,
        hd95_mm=hausdorff95(predicted, truth, spacing) if distance else None,
    )


def hausdorff95(first: Mask, second: Mask, spacing: Spacing) -> float | None:
    """95th percentile Hausdorff distance between the surfaces of two masks, mm, in 3D with the true spacing.

    The surface is the voxels with a face neighbour outside the mask; the greater of the two directed 95th percentiles
    counts (Huttenlocher DP et al. IEEE Trans Pattern Anal Mach Intell 1993;15:850-63). ``None`` if a mask is empty.
    """
    if not first.any() or not second.any():
        return None
    box = heart_box(first | second, 0)
    surfaces = [mask[box] & ~ndimage.binary_erosion(mask[box]) for mask in (first, second)]
    reach = [ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces]
    return float(max(np.percentile(reach[1][surfaces[0]], 95), np.percentile(reach[0][surfaces[1]], 95)))
