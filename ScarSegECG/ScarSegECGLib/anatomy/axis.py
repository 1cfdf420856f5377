"""LV centre per slice, how far it lies off the straight long axis, and which slices the myocardium closes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from ScarSegECGLib.anatomy.polar import Border, Floats, Mask, Spacing, heart_box, trace_border

COVERAGE_BINS = 72
FULL_CIRCLE = 0.95


def lv_centres(cavity: Mask, myocardium: Mask, spacing: Spacing) -> Floats:
    """LV centre of each slice: the cavity's centroid, or that of the myocardium's convex hull where no cavity is.

    Parameters
    ----------
    cavity, myocardium : bool arrays, shape (slice, row, column)
    spacing : (slice, row, column) mm

    Returns
    -------
    float64 array, shape (slice, 2)
        (row mm, column mm) = index * spacing; NaN where a slice has neither.
    """
    n = len(cavity)
    centres = np.full((n, 2), np.nan)
    in_plane = np.array(spacing[1:])
    if cavity.any():
        box = heart_box(cavity, 0)
        k, i, j = np.nonzero(cavity[box])
        k = k + box[0].start
        count = np.bincount(k, minlength=n)
        some = count > 0
        for axis, index, start in ((0, i, box[1].start), (1, j, box[2].start)):
            sums = np.bincount(k, weights=index, minlength=n)
            centres[some, axis] = (sums[some] / count[some] + start) * in_plane[axis]
    for bare in np.flatnonzero(np.isnan(centres[:, 0]) & myocardium.any(axis=(1, 2))):
        centres[bare] = _hull_centroid(np.argwhere(myocardium[bare]) * in_plane)
    return centres


def _hull_centroid(points: Floats) -> Floats:
    try:
        polygon = points[ConvexHull(points).vertices]
    except QhullError:  # fewer than three voxels, or all on one line
        return np.asarray(points.mean(axis=0))
    first, second = polygon, np.roll(polygon, -1, axis=0)
    cross = first[:, 0] * second[:, 1] - second[:, 0] * first[:, 1]
    return np.asarray(((first + second) * cross[:, None]).sum(axis=0) / (3.0 * cross.sum()))


def off_long_axis(centres_mm: Floats, spacing: Spacing) -> Floats:
    """How far each slice's LV centre lies from the straight long axis, (row mm, column mm), shape (slice, 2).

    The axis is the Theil-Sen estimator's: up to 29 % of the slices may be displaced without moving it. An estimate of
    displacement between breath-holds; a curved ventricle shows up in it too, so a shift of a few mm is no proof. NaN
    where ``centres_mm``, from :func:`lv_centres`, has it.

    References
    ----------
    Sen PK. J Am Stat Assoc 1968;63:1379-89.
    """
    known = np.flatnonzero(np.isfinite(centres_mm).all(axis=1))
    height, points = np.arange(len(centres_mm))[:, None] * spacing[0], centres_mm[known]
    a, b = np.triu_indices(len(known), 1)
    slope = np.zeros(2)
    if a.size:
        slope = np.median((points[b] - points[a]) / (height[known[b]] - height[known[a]]), axis=0)
    origin = np.median(points - height[known] * slope, axis=0) if known.size else slope
    return np.asarray(centres_mm - origin - height * slope)


def circle_coverage(myocardium: Mask, centres_mm: Floats, spacing: Spacing) -> Floats:
    """Part (0..1) of the 72 five-degree directions in which each slice's LV centre sees myocardium, shape (slice,)."""
    border: Border = trace_border(myocardium, centres_mm, spacing, COVERAGE_BINS)
    return np.asarray(border.hit.mean(axis=1))


def full_circle(cavity: Mask, myocardium: Mask, centres_mm: Floats, spacing: Spacing) -> Mask:
    """Slices whose cavity the myocardium surrounds (at least 95 % of directions), shape (slice,).

    A slice without a cavity is none: it belongs to the cap. The share of directions is this project's own rule.
    """
    covered = circle_coverage(myocardium, centres_mm, spacing) >= FULL_CIRCLE
    return np.asarray(covered & cavity.any(axis=(1, 2)))
