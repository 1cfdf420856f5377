"""Microvascular obstruction (MVO): the dark core inside bright infarct, which belongs to the infarct."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Mask, Spacing, heart_box
from ScarSegECGLib.measure.neighbours import grown, shrunk
from ScarSegECGLib.measure.remote import Region, remote_myocardium, slice_centres

BRIDGE_MM = 3.0
"""Widest gap in the bright rim that is closed before looking for what it encloses (twice the in-plane pixel)."""

ENCIRCLING_DEGREES = 300.0
"""A dark rim that goes this far round the cavity is spared subendocardium under mid-wall scar, not MVO."""

BRIGHT_SD = 2.0
"""Scar above remote mean + 2 SD is bright, as in the grey zone's rule."""

_SECTORS = 72
_IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
_IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


def fill_mvo(scar: Mask, myocardium: Mask, cavity: Mask, spacing: Spacing) -> tuple[Mask, Mask]:
    """Add to the scar the dark islands it encloses, alone or together with the cavity.

    Works slice by slice: gaps up to 3 mm in the bright rim are bridged, then every part of the wall that can no
    longer reach the outside of the heart counts as MVO and the infarct holds it. A dark rim that encircles the cavity
    is left alone.

    Parameters
    ----------
    scar, myocardium, cavity : bool arrays, shape (slice, row, column)
    spacing : (slice, row, column) mm

    Returns
    -------
    scar_with_mvo, mvo_mask : bool arrays, same shape
        ``mvo_mask`` is what was added; inside the myocardium always.

    References
    ----------
    Wu KC et al. Circulation 1998;97:765-72 (the dark core of a bright infarct is obstruction and part of it). The way
    it is found here, and its two limits, are this project's own.
    """
    mvo = np.zeros(scar.shape, dtype=bool)
    box = heart_box(scar, margin=8)
    bright, wall, blood = (a[box] for a in (scar & myocardium, myocardium, cavity))
    if bright.size:
        reach = max(round(BRIDGE_MM / 2 / min(spacing[1:])), 1)
        rim = shrunk(grown(bright, reach), reach) & wall
        dark = (_enclosed(rim | blood) | rim) & wall & ~bright
        labels, count = ndimage.label(dark, _IN_PLANE)
        if count:
            dark &= ~_encircling(labels, count, blood)[labels]
        mvo[box] = dark
    return scar | mvo, mvo


def mvo_within(
    image: NDArray[np.floating], cavity: Mask, myocardium: Mask, spacing: Spacing, scar: Mask, remote: Region = None
) -> Mask:
    """The part of a scar that is MVO: no brighter than remote mean + 2 SD, and enclosed by scar that is.

    Parameters
    ----------
    image : float array, shape (slice, row, column)
    cavity, myocardium, scar : bool arrays, same shape
        However the scar was found; what lies outside the wall does not count.
    spacing : (slice, row, column) mm
    remote : bool array, same shape, or Remote, optional
        Remote myocardium as the reader sets it, or found before; found automatically when absent.

    Returns
    -------
    bool array, same shape
    """
    mvo = np.zeros(scar.shape, dtype=bool)
    box = heart_box(cavity | myocardium, margin=8)
    inside, blood, wall, held = image[box], cavity[box], myocardium[box], (scar & myocardium)[box]
    if held.any():
        healthy = remote_myocardium(inside, blood, wall, spacing, None if remote is None else remote[box])
        with np.errstate(invalid="ignore"):
            bright = held & (inside > (healthy.mean + BRIGHT_SD * healthy.sd)[:, None, None])
        mvo[box] = fill_mvo(bright, wall, blood, spacing)[1] & held
    return mvo


def _enclosed(solid: Mask) -> Mask:
    """What cannot reach the edge of its slice without crossing ``solid``."""
    pieces, count = ndimage.label(~solid, _IN_PLANE)
    outside = np.zeros(count + 1, dtype=bool)
    outside[0] = True  # which is the solid itself
    for edge in (pieces[:, 0], pieces[:, -1], pieces[:, :, 0], pieces[:, :, -1]):
        outside[edge] = True
    return ~outside[pieces]


def _encircling(labels: NDArray[np.integer], count: int, cavity: Mask) -> Mask:
    """For label 0..count: does the island go round the cavity of its slice?"""
    round_it = np.zeros(count + 1, dtype=bool)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= ENCIRCLING_DEGREES / 360.0 * _SECTORS
    large[0] = False
    if not large.any():  # too few voxels to lie in so many sectors
        return round_it
    z, r, c = np.nonzero(large[labels])
    row, column = np.nan_to_num(slice_centres(cavity, cavity, (1.0, 1.0, 1.0))).T
    angle = np.arctan2(r - row[z], c - column[z])
    sector = np.minimum(((angle + np.pi) / (2 * np.pi) * _SECTORS).astype(int), _SECTORS - 1)
    hit = np.zeros((count + 1, _SECTORS), dtype=bool)
    hit[labels[z, r, c], sector] = True
    return hit.mean(axis=1) * 360.0 >= ENCIRCLING_DEGREES
