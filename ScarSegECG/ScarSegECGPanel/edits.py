"""The one-click corrections, as functions from one scar mask to the next; arrays are [slice, row, column]."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Voxel = tuple[int, int, int]


def removeIsland(scar: Mask, voxel: Voxel) -> Mask:
    """Without the piece of scar that lies under the cursor, in this slice alone."""
    k, i, j = voxel
    labels, _count = ndimage.label(scar[k], structure=np.ones((3, 3)))
    edited = scar.copy()
    if labels[i, j]:
        edited[k][labels == labels[i, j]] = False
    return edited


def addIsland(scar: Mask, wall: Mask, image: NDArray[np.floating], voxel: Voxel) -> Mask:
    """With the bright piece of wall round the cursor, in this slice alone.

    The piece is what is connected to the voxel and brighter than half-way between the wall's median in this slice and
    the brightest of the nine voxels under the cursor.
    """
    k, i, j = voxel
    if not wall[k, i, j]:
        return scar
    around = image[k, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
    level = (np.median(image[k][wall[k]]) + around.max()) / 2
    candidate = wall[k] & (image[k] >= min(level, image[k, i, j]))
    labels, _count = ndimage.label(candidate, structure=np.ones((3, 3)))
    edited = scar.copy()
    edited[k] |= labels == labels[i, j]
    return edited


def setSegment(scar: Mask, aha: NDArray[np.uint8], number: int, proposal: Mask | None) -> Mask:
    """One AHA segment as proposed, or cleared where there is no proposal."""
    inside = aha == number
    return np.where(inside, False if proposal is None else proposal, scar)


def copyToSlice(scar: Mask, wall: Mask, source: int, target: int) -> Mask:
    """The scar of one slice laid onto another one, as far as there is wall; what was there is replaced."""
    edited = scar.copy()
    edited[target] = scar[source] & wall[target]
    return edited


def revertSlice(scar: Mask, proposal: Mask, index: int) -> Mask:
    """One slice as it was proposed."""
    edited = scar.copy()
    edited[index] = proposal[index]
    return edited


def keepSlices(mask: Mask, first: int, last: int) -> Mask:
    """Only the slices from ``first`` to ``last``."""
    kept = np.zeros_like(mask)
    kept[first : last + 1] = mask[first : last + 1]
    return kept
