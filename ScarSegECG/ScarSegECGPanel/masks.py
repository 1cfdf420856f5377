"""Cavity, wall and scar as one array of bits, and the one-click corrections as functions from one scar to the next.

Arrays are [slice, row, column]. History, journal and segments exchange the bits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

CAVITY_BIT, WALL_BIT, SCAR_BIT = 1, 2, 4
Bits = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Masks:
    """Three masks; the wall holds the scar."""

    cavity: Mask
    wall: Mask
    scar: Mask

    @classmethod
    def fromBits(cls, bits: Bits) -> "Masks":
        return cls(*((bits & bit) != 0 for bit in (CAVITY_BIT, WALL_BIT, SCAR_BIT)))

    def toBits(self) -> Bits:
        cavity, wall, scar = (mask.astype(np.uint8) for mask in (self.cavity, self.wall, self.scar))
        return CAVITY_BIT * cavity | WALL_BIT * wall | SCAR_BIT * scar


def withScar(bits: Bits, scar: Mask) -> Bits:
    """The same cavity and wall with another scar, of which only what lies in the wall is taken."""
    inside = scar & ((bits & WALL_BIT) != 0)
    return (bits & ~np.uint8(SCAR_BIT)) | SCAR_BIT * inside.astype(np.uint8)


def removeIsland(scar: Mask, voxel: Voxel) -> Mask:
    """Without the piece of scar that lies under the cursor, in this slice alone."""
    return scar & ~_piece(scar, voxel)


def addIsland(scar: Mask, wall: Mask, image: NDArray[np.floating], voxel: Voxel) -> Mask:
    """With the bright piece of wall round the cursor, in this slice alone.

    The piece is what is connected to the voxel and brighter than half-way between the wall's median in this slice and
    the brightest of the nine voxels under the cursor.
    """
    k, i, j = voxel
    if not wall[voxel]:
        return scar
    around = image[k, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
    level = (np.median(image[k][wall[k]]) + around.max()) / 2
    return scar | _piece(wall & (image >= min(level, image[voxel])), voxel)


def _piece(mask: Mask, voxel: Voxel) -> Mask:
    k, i, j = voxel
    piece = np.zeros_like(mask)
    if mask[voxel]:
        labels, _count = ndimage.label(mask[k], structure=np.ones((3, 3)))
        piece[k] = labels == labels[i, j]
    return piece


def setSegment(scar: Mask, aha: NDArray[np.uint8], number: int, proposal: Mask | None) -> Mask:
    """One AHA segment as proposed, or cleared where there is no proposal."""
    return np.where(aha == number, False if proposal is None else proposal, scar)


def withSlice(scar: Mask, index: int, there: Mask) -> Mask:
    """Another scar [row, column] in one slice."""
    edited = scar.copy()
    edited[index] = there
    return edited


def keepSlices(mask: NDArray, first: int, last: int) -> NDArray:
    """Only the slices from ``first`` to ``last``."""
    kept = np.zeros_like(mask)
    kept[first : last + 1] = mask[first : last + 1]
    return kept
