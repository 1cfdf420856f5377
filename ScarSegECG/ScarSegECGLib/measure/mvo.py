"""Microvascular obstruction (MVO): the dark core inside bright infarct, which belongs to the infarct."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Image, Mask, Spacing, heart_box, slice_centres
from ScarSegECGLib.measure.remote import Region, remote_myocardium
from ScarSegECGLib.measure.wall import SECTORS, grown, sector_of, shrunk

BRIDGE_MM = 3.0
"""Widest gap in the bright rim that is closed before looking for what it encloses (twice the in-plane pixel)."""

ENCIRCLING_DEGREES = 300.0
"""A dark rim that goes this far round the cavity is spared subendocardium under mid-wall scar, not MVO."""

BRIGHT_SD = 2.0
"""Scar above remote mean + 2 SD is bright, as in the grey zone's rule."""

_IN_PLANE = ndimage.generate_binary_structure(3, 1) & np.array([0, 1, 0], bool)[:, None, None]


def fill_mvo(scar: Mask, myocardium: Mask, cavity: Mask, spacing: Spacing) -> tuple[Mask, Mask]:
    """Add to the scar the dark islands it encloses, alone or together with the cavity.

    Works slice by slice: gaps up to 3 mm in the bright rim are bridged, then every part of the wall that can no
    longer reach the outside of the heart counts as MVO and the infarct holds it (Wu KC et al. Circulation
    1998;97:765-72). A dark rim that encircles the cavity is left alone. How it is found is this project's own. Returned
    are the scar with its MVO, and what was added, inside the myocardium always.
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
    image: Image, cavity: Mask, myocardium: Mask, spacing: Spacing, scar: Mask, remote: Region = None
) -> Mask:
    """The part of a scar that is MVO: no brighter than remote mean + 2 SD, and enclosed by scar that is.

    However the scar was found, what lies outside the wall does not count. ``remote`` is as of
    :func:`remote_myocardium`.
    """
    mvo = np.zeros(scar.shape, dtype=bool)
    held = scar & myocardium
    if held.any():
        healthy = remote_myocardium(image, cavity, myocardium, spacing, remote)
        box = heart_box(cavity | myocardium, margin=8)
        level = healthy.mean + BRIGHT_SD * healthy.sd
        bright = held[box] & (image[box] > level[box[0], None, None])
        mvo[box] = fill_mvo(bright, myocardium[box], cavity[box], spacing)[1] & held[box]
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
    hit = np.zeros((count + 1, SECTORS), dtype=bool)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= ENCIRCLING_DEGREES / 360.0 * SECTORS
    large[0] = False
    if large.any():  # else too few voxels to lie in so many sectors
        at, pixels = np.nonzero(large[labels]), (1.0, 1.0, 1.0)
        hit[labels[at], sector_of(at, np.nan_to_num(slice_centres(cavity, cavity, pixels)), pixels)] = True
    return hit.mean(axis=1) * 360.0 >= ENCIRCLING_DEGREES
