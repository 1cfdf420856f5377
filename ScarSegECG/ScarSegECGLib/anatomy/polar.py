"""Masks in the plane: boxes, centres, and rays from the LV centre in the bullseye's frame.

Angles are degrees (0 = image right = lateral, counter-clockwise, 90 = image up = anterior), measured in mm whatever the
pixels' shape. Points are (row mm, column mm) = index * spacing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Spacing = tuple[float, float, float]
"""(slice, row, column), mm."""
Mask = NDArray[np.bool_]
"""Shape (slice, row, column) in canonical storage, where nothing else is said; so has an image of any scale."""
Image = NDArray[np.floating]
Floats = NDArray[np.float64]
Box = tuple[slice, slice, slice]
Voxels = tuple[NDArray[np.intp], ...]
"""Indices (slice, row, column) of some voxels, as :func:`numpy.nonzero` gives them."""

N_RAYS = 120
RAY_STEP_MM = 0.5
MOST_TURNED_DEG = 360.0  # a given angle beyond one turn either way is a typing error


def wrap(degrees: NDArray | float) -> Floats:
    """Angle(s) folded to [-180, 180)."""
    return np.asarray((np.asarray(degrees, float) + 180.0) % 360.0 - 180.0)


def heart_box(mask: Mask, margin: int = 3) -> Box:
    """Smallest box that holds ``mask``, in-plane ``margin`` pixels wider; empty for an empty mask."""
    box: list[slice] = []
    for axes, widen in (((1, 2), 0), ((0, 2), margin), ((0, 1), margin)):
        hit = np.flatnonzero(mask.any(axis=axes))
        if hit.size == 0:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        size = mask.shape[len(box)]
        box.append(slice(max(int(hit[0]) - widen, 0), min(int(hit[-1]) + 1 + widen, size)))
    return box[0], box[1], box[2]


def slice_centres(cavity: Mask, myocardium: Mask, spacing: Spacing) -> Floats:
    """Centroid of each slice's cavity, or of its myocardium without one, mm, shape (slice, 2); NaN without either."""
    has_cavity = np.asarray(cavity.any(axis=(1, 2)))
    # whole numbers, exact in single precision, whose products are much faster than sums of a mask
    shape = np.where(has_cavity[:, None, None], cavity, myocardium).astype(np.float32)
    rows = (shape @ np.ones(shape.shape[2], np.float32)).astype(float)
    columns = (np.ones(shape.shape[1], np.float32) @ shape).astype(float)
    count = rows.sum(axis=1)
    count[count == 0] = np.nan
    row = rows @ np.arange(shape.shape[1]) / count * spacing[1]
    column = columns @ np.arange(shape.shape[2]) / count * spacing[2]
    return np.stack([row, column], axis=1)


def direction_deg(offset_mm: NDArray) -> Floats:
    """Bullseye angle, [0, 360), of offsets (..., 2) given as (row mm, column mm) from the LV centre."""
    return np.asarray(np.degrees(np.arctan2(-offset_mm[..., 0], offset_mm[..., 1])) % 360.0, np.float64)


def voxel_directions_deg(at: Voxels, centres_mm: Floats, spacing: Spacing) -> Floats:
    """:func:`direction_deg` of voxels from the centre, (slice, 2), of their slice."""
    return direction_deg(np.stack(at[1:], axis=-1) * np.array(spacing[1:]) - centres_mm[at[0]])


def ray_points(centres_mm: Floats, angles_deg: Floats, radii_mm: Floats, spacing: Spacing) -> tuple[Floats, Floats]:
    """Row and column indices (not rounded) of points on rays, shape (slice, ray, radius), as ``radii_mm`` has or, the
    same on every ray, (radius,)."""
    turn = np.radians(angles_deg)[None, :, None]
    rows = (centres_mm[:, 0, None, None] - radii_mm * np.sin(turn)) / spacing[1]
    columns = (centres_mm[:, 1, None, None] + radii_mm * np.cos(turn)) / spacing[2]
    return rows, columns


def ray_angles(n_rays: int) -> Floats:
    """Directions of evenly spaced rays, the first one at half a step, degrees."""
    return np.asarray((np.arange(n_rays) + 0.5) * (360.0 / n_rays), np.float64)


def trace_border(myocardium: Mask, centres_mm: Floats, spacing: Spacing, n_rays: int = N_RAYS) -> Floats:
    """How far from the LV centre the myocardium ends on each of the :func:`ray_angles`, mm, shape (slice, ray).

    The nearest voxel counts, every 0.5 mm. NaN where a ray meets no myocardium, or ``centres_mm``, (slice, 2), is NaN.
    """
    outer = np.full((len(myocardium), n_rays), np.nan)
    use = np.flatnonzero(np.isfinite(centres_mm).all(axis=1) & myocardium.any(axis=(1, 2)))
    if not use.size:
        return outer
    z, row, column = np.nonzero(myocardium[use])
    away = np.stack([row * spacing[1], column * spacing[2]], axis=1) - centres_mm[use][z]
    radii = np.arange(0.0, np.linalg.norm(away, axis=1).max() + max(spacing[1:]) + RAY_STEP_MM, RAY_STEP_MM)
    inside = sample_mask(myocardium[use], *ray_points(centres_mm[use], ray_angles(n_rays), radii, spacing))
    last = radii[len(radii) - 1 - inside[:, :, ::-1].argmax(axis=2)]
    outer[use] = np.where(inside.any(axis=2), last, np.nan)
    return outer


def sample_mask(mask: Mask, rows: Floats, columns: Floats) -> Mask:
    """Nearest voxel of each slice at (slice, ...) indices; False outside the image."""
    i, j = np.rint(rows).astype(np.intp), np.rint(columns).astype(np.intp)
    inside = (i >= 0) & (i < mask.shape[1]) & (j >= 0) & (j < mask.shape[2])
    np.clip(i, 0, mask.shape[1] - 1, out=i)
    np.clip(j, 0, mask.shape[2] - 1, out=j)
    return np.asarray(mask[_own_slice(i), i, j] & inside)


def sample_image(image: NDArray, rows: Floats, columns: Floats) -> Floats:
    """Bilinear value of each slice at (slice, ...) indices; NaN outside the image.

    In half the time of scipy's general interpolation, which every edit would wait for.
    """
    n_rows, n_columns = image.shape[1:]
    outside = (rows < 0) | (rows > n_rows - 1) | (columns < 0) | (columns > n_columns - 1)
    rows, columns = np.clip(rows, 0, n_rows - 1), np.clip(columns, 0, n_columns - 1)
    i, j = np.minimum(rows.astype(np.intp), n_rows - 2), np.minimum(columns.astype(np.intp), n_columns - 2)
    u, v, k = rows - i, columns - j, _own_slice(i)
    top = image[k, i, j] * (1 - v) + image[k, i, j + 1] * v
    bottom = image[k, i + 1, j] * (1 - v) + image[k, i + 1, j + 1] * v
    return np.asarray(np.where(outside, np.nan, top * (1 - u) + bottom * u), float)


def _own_slice(index: NDArray[np.intp]) -> NDArray[np.intp]:
    """The slice's number beside indices of shape (slice, ...)."""
    return np.arange(len(index)).reshape((-1,) + (1,) * (index.ndim - 1))
