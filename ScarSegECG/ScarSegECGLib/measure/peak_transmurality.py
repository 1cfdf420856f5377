"""The highest transmurality of each segment, free of the pixels' own ups and downs.

The greatest of many local shares of a pixelised scar is too great: where a pixel is a fifth of the wall, an even scar
shows shares that differ by that much from place to place. Two things are done about it. Places whose share cannot be
told from the highest one, given the pixel, are taken together, so that what is measured is a stretch of wall and not
a lucky place in it; and over that stretch the borders of scar and wall are fitted as smooth lines
(:mod:`ScarSegECGLib.measure.wall_borders`) instead of being counted in voxels. Both vanish as the grid is refined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.measure.remote import slice_centres
from ScarSegECGLib.measure.wall_borders import ANGLES, MARGIN_PIXELS, border_depth, radius_table, smooth_radius

ALIKE_PIXELS = 0.45
"""Local shares that differ by less wall than this are alike: about three standard deviations of what the steps of a
border do to 12 mm of wall (measured on annuli and cones with walls of 6 to 12 mm)."""
REACH_PIXELS = 0.5
"""A fitted border stays so near to where counting voxels has it: scar that no one line bounds is counted."""


def highest_transmurality(
    scar: NDArray[np.bool_],
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    aha: NDArray[np.uint8],
    spacing: tuple[float, float, float],
    local_share: NDArray[np.float64],
    label: NDArray[np.intp],
    segments: int,
) -> NDArray[np.float64]:
    """Share of the wall that is scar where each segment holds the most.

    Parameters
    ----------
    scar, cavity, myocardium : bool arrays, shape (slice, row, column)
    aha : uint8 array, same shape
        0 outside, 1..segments inside the myocardium.
    spacing : (slice, row, column) mm
    local_share : float64 array, shape (slice, chord)
        Scar share about each chord, 0..1; chord ``i`` lies at the angle ``2 pi i / chords``, arctan2(row, column), seen
        from the slice's LV centre.
    label : int array, same shape
        The segment each chord crosses, 0 where there is no wall.
    segments : int

    Returns
    -------
    float64 array, shape (segments + 1,)
        0..1, of segment 0 (without meaning) to the last; 0 where a segment has no scar or no wall.
    """
    in_plane = np.array(spacing[1:])
    pixel, size = float(in_plane.mean()), segments + 1
    centre = slice_centres(cavity, myocardium, spacing)
    both = np.concatenate([cavity, cavity | myocardium])
    inner, outer = np.split(radius_table(smooth_radius(both, np.tile(centre, (2, 1)), in_plane)), 2)
    wall = np.maximum(outer - inner, pixel)

    chords = label.shape[1]
    top, crossed = np.zeros(size), np.bincount(label.ravel(), minlength=size)
    np.maximum.at(top, label.ravel(), local_share.ravel())
    its_wall = np.bincount(label.ravel(), wall[:, :: ANGLES // chords].ravel(), size)
    in_wall = pixel * crossed / np.maximum(its_wall, pixel)  # a pixel's share of the wall
    alike = local_share >= (top - ALIKE_PIXELS * in_wall)[label]
    holding = np.bincount(aha[scar & myocardium], minlength=size) > 0
    holding[0] = False

    z, r, c = np.nonzero(holding[aha] & myocardium)
    rows, columns = r * in_plane[0] - centre[z, 0], c * in_plane[1] - centre[z, 1]
    number = aha[z, r, c].astype(np.intp)
    angle = np.arctan2(rows, columns)
    chord = np.rint(angle * (chords / (2 * np.pi))).astype(int) % chords
    there = (alike[z, chord] & (label[z, chord] == number)) | (crossed[number] == 0)
    number, hit, z = number[there], scar[z, r, c][there], z[there]
    ray = np.rint(angle[there] * (ANGLES / (2 * np.pi))).astype(int) % ANGLES
    radius, thickness = np.hypot(rows[there], columns[there]), wall[z, ray]
    depth = radius - inner[z, ray]
    weight = 1.0 / (np.maximum(radius, 0.5 * pixel) * thickness)  # equal areas are unequal shares of the wall

    whole = np.maximum(np.bincount(number, weight, size), 1e-12)
    counted = np.bincount(number, weight * hit, size) / whole
    scarred = np.maximum(np.bincount(number, weight * hit, size), 1e-12)
    middle = np.bincount(number, weight * hit * depth / thickness, size) / scarred
    reach, margin = REACH_PIXELS * in_wall, MARGIN_PIXELS * pixel
    borders = []
    for outwards in (True, False):
        side = (depth / thickness > middle[number]) == outwards
        its, scar_here = number[side], hit[side]
        part = np.bincount(its, weight[side] * scar_here, size) / whole
        rough = middle + part if outwards else middle - part
        low = np.maximum(rough - reach, middle if outwards else 0.0)
        high = np.minimum(rough + reach, 1.0 if outwards else middle)
        fitted = border_depth(depth[side], thickness[side], scar_here == outwards, its, low, high, margin)
        ends_here = np.bincount(its, ~scar_here, size) > 0  # else the scar reaches the edge of the wall
        borders.append(np.where(ends_here, fitted, float(outwards)))
    share = np.clip(borders[0] - borders[1], counted - reach, counted + reach)
    return np.where(counted > 0, np.clip(share, 0.0, 1.0), 0.0)
