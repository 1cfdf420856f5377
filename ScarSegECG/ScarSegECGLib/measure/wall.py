"""What several measures ask of a wall: how deep in it a voxel lies, in which direction, and what borders on it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing, slice_centres

SECTORS = 72


def sector_of(at: tuple[NDArray[np.intp], ...], centres_mm: Floats, spacing: Spacing) -> NDArray[np.intp]:
    """In which of the 72 sectors of its slice, seen from ``centres_mm`` (slice, 2), each voxel ``at`` lies."""
    z, row, column = at
    angle = np.arctan2(row * spacing[1] - centres_mm[z, 0], column * spacing[2] - centres_mm[z, 1])
    return np.minimum(((angle + np.pi) / (2 * np.pi) * SECTORS).astype(int), SECTORS - 1)


def grown(mask: Mask, times: int = 1) -> Mask:
    """The mask and all voxels that share a side with it in their slice; much faster than the general operation."""
    for _ in range(times):
        out = mask.copy()
        out[:, 1:] |= mask[:, :-1]
        out[:, :-1] |= mask[:, 1:]
        out[:, :, 1:] |= mask[:, :, :-1]
        out[:, :, :-1] |= mask[:, :, 1:]
        mask = out
    return mask


def shrunk(mask: Mask, times: int = 1) -> Mask:
    """The mask without voxels that share a side with something else in their slice; beyond the array is something."""
    for _ in range(times):
        out, inner = np.zeros_like(mask), mask[:, 1:-1, 1:-1]
        out[:, 1:-1, 1:-1] = inner & mask[:, :-2, 1:-1] & mask[:, 2:, 1:-1] & mask[:, 1:-1, :-2] & mask[:, 1:-1, 2:]
        mask = out
    return mask


def wall_depth(cavity: Mask, myocardium: Mask, spacing: Spacing) -> NDArray[np.float32]:
    """Relative depth in the wall, to be read only: 0 at the endocardium, 1 at the epicardium; 0 outside the myocardium.

    Distances are in-plane, from voxel centres to the border between voxels; in a slice without cavity from the LV
    centre.
    """
    return _depth_of(cavity.tobytes(), myocardium.tobytes(), myocardium.shape, spacing)


@lru_cache(maxsize=2)
def _depth_of(cavity: bytes, myocardium: bytes, shape: tuple[int, int, int], spacing: Spacing) -> NDArray[np.float32]:
    """Depth in the walls last asked for: a rule, the islands' patterns and the next edit of scar want the same one."""
    blood, wall = (np.frombuffer(mask, dtype=bool).reshape(shape) for mask in (cavity, myocardium))
    depth = np.zeros(shape, dtype=np.float32)
    in_plane = np.array(spacing[1:])
    centres, half = slice_centres(blood, wall, spacing), 0.5 * in_plane.mean()
    heart = np.pad(blood | wall, ((0, 0), (1, 1), (1, 1)))
    for z in np.flatnonzero(wall.any(axis=(1, 2))):
        inner, outer = blood[z], heart[z]
        if not inner.any():
            row, column = np.rint(centres[z] / in_plane).astype(int)
            inner = np.zeros(inner.shape, dtype=bool)
            inner[row, column] = outer[row + 1, column + 1] = True
        at = np.nonzero(wall[z])
        to_endo = np.maximum(_distance(~inner, at, in_plane) - half, 0)
        to_epi = np.maximum(_distance(outer, (at[0] + 1, at[1] + 1), in_plane) - half, 0)
        depth[z][at] = to_endo / np.maximum(to_endo + to_epi, 1e-6)
    depth.setflags(write=False)  # it is kept
    return depth


def _distance(inside: Mask, at: tuple[NDArray[np.intp], ...], in_plane: Floats) -> Floats:
    """From the voxels ``at`` to the nearest one outside, mm, without the rest of the plane, which costs more."""
    row, column = ndimage.distance_transform_edt(
        inside, sampling=in_plane, return_distances=False, return_indices=True
    )[:, at[0], at[1]]
    return np.hypot((row - at[0]) * in_plane[0], (column - at[1]) * in_plane[1])
