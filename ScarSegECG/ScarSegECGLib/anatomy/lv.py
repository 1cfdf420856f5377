"""The left ventricle: what surrounds it, its largest piece, and whether masks show one at all."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing, heart_box, slice_centres, trace_border

COVERAGE_BINS = 72
FULL_CIRCLE = 0.95
VOLUME_ML = (20.0, 600.0)  # cavity and myocardium together
LEAST_ENCLOSED = 0.6
LEAST_SLICES = 3


def circle_coverage(myocardium: Mask, centres_mm: Floats, spacing: Spacing) -> Floats:
    """Part (0..1) of the 72 five-degree directions in which each slice's LV centre sees myocardium, shape (slice,)."""
    return np.asarray(np.isfinite(trace_border(myocardium, centres_mm, spacing, COVERAGE_BINS)).mean(axis=1))


def full_circle(cavity: Mask, myocardium: Mask, centres_mm: Floats, spacing: Spacing) -> Mask:
    """Slices whose cavity the myocardium surrounds in 95 % of directions (this project's own rule), shape (slice,)."""
    covered = circle_coverage(myocardium, centres_mm, spacing) >= FULL_CIRCLE
    return np.asarray(covered & cavity.any(axis=(1, 2)))  # without a cavity it belongs to the cap


def clean(cavity: Mask, myocardium: Mask) -> tuple[Mask, Mask]:
    """Keep the largest connected LV and close its holes.

    Voxels are connected by their faces; of the largest component the largest piece of each slice is kept: a short-axis
    slice cuts the LV once. Holes of the cavity, papillary muscles among them, become cavity; other holes, and voxels of
    both masks, become myocardium.
    """
    myocardium = np.asarray(myocardium, bool)
    cavity = np.asarray(cavity, bool) & ~myocardium
    both = cavity | myocardium
    if not both.any():
        return cavity, myocardium.copy()
    box = heart_box(both, 0)
    lv = np.stack([_largest(plane) for plane in _largest(both[box])])
    filled_blood = np.stack([ndimage.binary_fill_holes(plane) for plane in cavity[box] & lv])
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
    """Why masks, by size, slices and what surrounds the cavity, cannot be a left ventricle; "" where they can."""
    volume = float(np.count_nonzero(cavity | myocardium) * np.prod(spacing) / 1000.0)
    seen = cavity.any(axis=(1, 2))
    slices = int((seen & myocardium.any(axis=(1, 2))).sum())
    if volume < VOLUME_ML[0]:
        return f"only {volume:.0f} ml were found; a left ventricle has at least {VOLUME_ML[0]:.0f} ml"
    if volume > VOLUME_ML[1]:
        return f"{volume:.0f} ml were found; a left ventricle has at most {VOLUME_ML[1]:.0f} ml"
    if slices < LEAST_SLICES:
        return f"cavity and myocardium lie together on {slices} slice(s); {LEAST_SLICES} are needed"
    enclosed = float(circle_coverage(myocardium, slice_centres(cavity, myocardium, spacing), spacing)[seen].mean())
    if enclosed < LEAST_ENCLOSED:
        return f"myocardium surrounds only {100 * enclosed:.0f} % of the cavity"
    return ""
