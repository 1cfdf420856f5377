"""Clean-up of predicted LV masks, and the question whether they show a left ventricle at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ScarSegECGLib.anatomy.axis import circle_coverage, lv_centres
from ScarSegECGLib.anatomy.polar import Mask, Spacing, bounding_box

VOLUME_ML = (20.0, 600.0)  # cavity and myocardium together
LEAST_ENCLOSED = 0.6
LEAST_SLICES = 3


@dataclass(frozen=True)
class LvCheck:
    """What the sanity check measured; ``reason`` is empty where the masks pass.

    ``volume_ml`` is cavity and myocardium together, ``enclosed`` the mean part (0..1) of directions in which the
    cavity's slices see myocardium, ``slices`` how many slices show both.
    """

    volume_ml: float
    enclosed: float
    slices: int
    reason: str


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
    box = bounding_box(both)
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


def check_left_ventricle(cavity: Mask, myocardium: Mask, spacing: Spacing) -> LvCheck:
    """Measure whether masks can be a left ventricle: size, cavity surrounded by myocardium, number of slices.

    Parameters
    ----------
    cavity, myocardium : bool arrays, shape (slice, row, column)
    spacing : (slice, row, column) mm
    """
    volume = float(np.count_nonzero(cavity | myocardium) * np.prod(spacing) / 1000.0)
    with_both = cavity.any(axis=(1, 2)) & myocardium.any(axis=(1, 2))
    slices = int(with_both.sum())
    enclosed = 0.0
    if cavity.any():
        coverage = circle_coverage(myocardium, lv_centres(cavity, myocardium, spacing), spacing)
        enclosed = float(coverage[cavity.any(axis=(1, 2))].mean())
    if volume < VOLUME_ML[0]:
        reason = f"only {volume:.0f} ml were found; a left ventricle has at least {VOLUME_ML[0]:.0f} ml"
    elif volume > VOLUME_ML[1]:
        reason = f"{volume:.0f} ml were found; a left ventricle has at most {VOLUME_ML[1]:.0f} ml"
    elif slices < LEAST_SLICES:
        reason = f"cavity and myocardium lie together on {slices} slice(s); {LEAST_SLICES} are needed"
    elif enclosed < LEAST_ENCLOSED:
        reason = f"myocardium surrounds only {100 * enclosed:.0f} % of the cavity"
    else:
        reason = ""
    return LvCheck(volume, enclosed, slices, reason)


def is_left_ventricle(cavity: Mask, myocardium: Mask, spacing: Spacing) -> bool:
    """Whether :func:`check_left_ventricle` finds nothing wrong."""
    return not check_left_ventricle(cavity, myocardium, spacing).reason
