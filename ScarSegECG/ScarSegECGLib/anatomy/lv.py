"""Clean-up of predicted LV masks, and the question whether they show a left ventricle at all."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ScarSegECGLib.anatomy.axis import circle_coverage, lv_centres
from ScarSegECGLib.anatomy.polar import Mask, Spacing, heart_box

VOLUME_ML = (20.0, 600.0)  # cavity and myocardium together
LEAST_ENCLOSED = 0.6
LEAST_SLICES = 3


def clean(cavity: Mask, myocardium: Mask) -> tuple[Mask, Mask]:
    """Keep the largest connected LV and close its holes.

    Voxels are connected to their four neighbours in the slice and to the same place in the next slice; the largest
    component of cavity and myocardium together is kept, and of it the largest piece of each slice: a short-axis slice
    cuts the LV once. Holes of the cavity, papillary muscles among them, become cavity; other holes of the LV become
    myocardium.

    Parameters
    ----------
    cavity, myocardium : bool arrays, shape (slice, row, column)
        Where they overlap, the voxel is myocardium.

    Returns
    -------
    cavity, myocardium : bool arrays, disjoint; empty if both were
    """
    myocardium = np.asarray(myocardium, bool)
    cavity = np.asarray(cavity, bool) & ~myocardium
    both = cavity | myocardium
    if not both.any():
        return cavity, myocardium.copy()
    box = heart_box(both, 0)
    lv = np.stack([_largest(plane) for plane in _largest(both[box])])
    blood = cavity[box] & lv
    filled_blood = np.stack([ndimage.binary_fill_holes(plane) for plane in blood])
    filled_lv = np.stack([ndimage.binary_fill_holes(plane) for plane in lv])
    out_cavity, out_myocardium = np.zeros_like(cavity), np.zeros_like(cavity)
    out_cavity[box] = filled_blood
    out_myocardium[box] = filled_lv & ~filled_blood
    return out_cavity, out_myocardium


def _largest(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask)  # the default structure: neighbours share a face
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def why_no_left_ventricle(cavity: Mask, myocardium: Mask, spacing: Spacing) -> str:
    """Why masks, shape (slice, row, column), cannot be a left ventricle; "" where they can.

    Looked at are size, cavity surrounded by myocardium, and number of slices.
    """
    volume = float(np.count_nonzero(cavity | myocardium) * np.prod(spacing) / 1000.0)
    seen = cavity.any(axis=(1, 2))
    slices = int((seen & myocardium.any(axis=(1, 2))).sum())
    if volume < VOLUME_ML[0]:
        return f"only {volume:.0f} ml were found; a left ventricle has at least {VOLUME_ML[0]:.0f} ml"
    if volume > VOLUME_ML[1]:
        return f"{volume:.0f} ml were found; a left ventricle has at most {VOLUME_ML[1]:.0f} ml"
    if slices < LEAST_SLICES:
        return f"cavity and myocardium lie together on {slices} slice(s); {LEAST_SLICES} are needed"
    enclosed = float(circle_coverage(myocardium, lv_centres(cavity, myocardium, spacing), spacing)[seen].mean())
    if enclosed < LEAST_ENCLOSED:
        return f"myocardium surrounds only {100 * enclosed:.0f} % of the cavity"
    return ""


def is_left_ventricle(cavity: Mask, myocardium: Mask, spacing: Spacing) -> bool:
    """Whether :func:`why_no_left_ventricle` finds nothing wrong."""
    return not why_no_left_ventricle(cavity, myocardium, spacing)
