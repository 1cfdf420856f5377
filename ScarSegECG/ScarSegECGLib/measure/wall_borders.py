"""Borders finer than the pixel: smooth lines that leave every voxel's centre on its own side.

The steps of a digitised line tell where the line runs far better than counting voxels does: a border is fitted as the
smooth curve that separates the centres of the voxels inside from those outside, with a margin of a twentieth of a pixel
(a support vector machine's squared hinge; Cortes and Vapnik 1995, Machine Learning 20:273). Keeping every voxel on
its side while the line is made smooth is how binary volumes are freed of their steps (Whitaker 2000, IEEE Symposium
on Volume Visualization, 23). Where a contour is too ragged for one smooth line, it runs through the middle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MARGIN_PIXELS = 0.05
ANGLES = 1440
_HARMONICS = 6
_STIFFNESS = 0.1  # of a harmonic's fourth power: hardly any where a contour is drawn by a hundred voxels
_STEPS = 12


def smooth_radius(
    inside: NDArray[np.bool_], centre: NDArray[np.float64], in_plane: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Coefficients of the radius of each slice's outline, mm, as a Fourier series of the angle.

    Parameters
    ----------
    inside : bool array, shape (slice, row, column)
        Star-shaped about the centre, but for what six harmonics cannot show; false on the array's rim.
    centre : float64 array, shape (slice, 2)
        (row, column) mm = index times spacing.
    in_plane : float64 array, shape (2,)
        Row and column spacing, mm.

    Returns
    -------
    float64 array, shape (slice, 13)
        For :func:`radius_table`; zeros where a slice is empty.
    """
    edge = np.zeros(inside.shape, dtype=bool)
    for axis in (1, 2):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        step = inside[low] != inside[high]
        edge[low] |= step
        edge[high] |= step
    z, r, c = np.nonzero(edge)
    count = len(inside)
    fit = np.zeros((count, 2 * _HARMONICS + 1))
    if z.size == 0:
        return fit
    rows, columns = r * in_plane[0] - centre[z, 0], c * in_plane[1] - centre[z, 1]
    # one line of the padded tables per slice; padding has weight 0
    place = np.arange(z.size) - np.searchsorted(z, np.arange(count))[z]
    size = int(place.max()) + 1
    radius, sign = np.zeros((count, size)), np.zeros((count, size))
    base = np.zeros((count, size, fit.shape[1]))
    radius[z, place] = np.hypot(rows, columns)
    sign[z, place] = np.where(inside[z, r, c], 1.0, -1.0)
    base[z, place] = _harmonics(np.arctan2(rows, columns))
    flipped = base.transpose(0, 2, 1)
    order = np.append(0, np.tile(np.arange(1, _HARMONICS + 1), 2))
    penalty = np.diag(_STIFFNESS * order.astype(float) ** 4 + 1e-6)
    margin, used = MARGIN_PIXELS * in_plane.mean(), np.abs(sign)
    fit[:, 0] = radius.sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    for _ in range(_STEPS):
        short = margin * used - sign * ((base @ fit[..., None])[..., 0] - radius)
        active = short > 0
        slope = penalty @ fit[..., None] - flipped @ (sign * short * active)[..., None]
        bend = flipped @ (base * active[..., None]) + penalty
        change = np.linalg.solve(bend, slope)[..., 0]
        fit -= change
        if np.abs(change).max() < 0.02 * margin:
            break
    return np.where(used.sum(axis=1, keepdims=True) > 0, fit, 0.0)


def radius_table(fit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radius, mm, of outlines from :func:`smooth_radius`, shape (slice, 1440).

    Entry ``i`` belongs to the angle ``2 pi i / 1440``, arctan2(row, column).
    """
    return fit @ _harmonics(2 * np.pi * np.arange(ANGLES) / ANGLES).T


def border_depth(
    depth: NDArray[np.float64],
    thickness: NDArray[np.float64],
    inner: NDArray[np.bool_],
    group: NDArray[np.intp],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    margin: float,
) -> NDArray[np.float64]:
    """The relative depth that separates the voxels of each group, between ``low`` and ``high``.

    Parameters
    ----------
    depth, thickness : float64 arrays, shape (voxel,)
        Distance from the endocardium and thickness of the wall there, mm.
    inner : bool array, shape (voxel,)
        Voxels on the endocardial side of the border.
    group : int array, shape (voxel,)
    low, high : float64 arrays, shape (group,)
    margin : float
        mm.

    Returns
    -------
    float64 array, shape (group,)
    """
    sign = np.where(inner, 1.0, -1.0)
    # voxels that no line between low and high leaves on the wrong side, or near it, have no say
    limit = np.where(inner, low[group], high[group]) * thickness
    near = sign * (limit - depth) < margin
    depth, thickness, sign, group = depth[near], thickness[near], sign[near], group[near]
    # where the voxels leave room, the border is the middle of it: its two ends are looked for side by side
    size, ends = len(low), np.concatenate([group, group + len(low)])
    sign, depth, thickness = np.tile(sign, 2), np.tile(depth, 2), np.tile(thickness, 2)
    low, high, first = np.tile(low, 2), np.tile(high, 2), np.arange(2 * size) < size
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        short = np.maximum(margin - sign * (middle[ends] * thickness - depth), 0.0)
        outwards = np.bincount(ends, sign * short * thickness, 2 * size)
        further = np.where(first, outwards > 0, outwards >= 0)
        low, high = np.where(further, middle, low), np.where(further, high, middle)
    between = 0.5 * (low + high)
    return 0.5 * (between[:size] + between[size:])


def _harmonics(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    turns = np.repeat(np.exp(1j * angle)[:, None], _HARMONICS, axis=1).cumprod(axis=1)
    return np.concatenate([np.ones((len(angle), 1)), turns.real, turns.imag], axis=1)
