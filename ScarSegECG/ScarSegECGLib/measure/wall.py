"""What several measures ask of a wall: how deep in it a voxel lies, in which direction, and what borders on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing, Voxels, slice_centres

SECTORS = 72
CROSS = ndimage.generate_binary_structure(3, 1) & np.array([0, 1, 0], bool)[:, None, None]
"""What shares a side with a voxel in its slice."""


def sector_of(at: Voxels, centres_mm: Floats, spacing: Spacing) -> NDArray[np.intp]:
    """In which of the 72 sectors of its slice, seen from ``centres_mm`` (slice, 2), each voxel ``at`` lies."""
    z, row, column = at
    angle = np.arctan2(row * spacing[1] - centres_mm[z, 0], column * spacing[2] - centres_mm[z, 1])
    return np.minimum(((angle + np.pi) / (2 * np.pi) * SECTORS).astype(int), SECTORS - 1)


def wall_depth(cavity: Mask, myocardium: Mask, spacing: Spacing) -> NDArray[np.float32]:
    """Relative depth in the wall: 0 at the endocardium, 1 at the epicardium; 0 outside the myocardium.

    Distances are in-plane, from voxel centres to the border between voxels, or to the LV centre without a cavity.
    """
    depth = np.zeros(myocardium.shape, dtype=np.float32)
    in_plane = np.array(spacing[1:])
    centres, half = slice_centres(cavity, myocardium, spacing), 0.5 * in_plane.mean()
    heart = np.pad(cavity | myocardium, ((0, 0), (1, 1), (1, 1)))
    for z in np.flatnonzero(myocardium.any(axis=(1, 2))):
        inner, outer = cavity[z], heart[z]
        if not inner.any():
            row, column = np.rint(centres[z] / in_plane).astype(int)
            inner = np.zeros(inner.shape, dtype=bool)
            inner[row, column] = outer[row + 1, column + 1] = True
        to_endo, to_epi = (
            np.maximum(ndimage.distance_transform_edt(inside, sampling=in_plane) - half, 0)
            for inside in (~inner, outer)
        )
        depth[z] = np.where(myocardium[z], to_endo / np.maximum(to_endo + to_epi[1:-1, 1:-1], 1e-6), 0)
    return depth
