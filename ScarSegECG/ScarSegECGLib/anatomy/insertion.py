"""Right ventricular insertion points: found in the image slice by slice, then combined over the stack.

The RV blood pool lies beside the septum: one even patch on the image left, as bright on LGE as the LV's blood, ended
above and below by the RV's free wall and the fat of the grooves. In polar coordinates about the LV it is a wedge that
stands on the epicardium, and the two corners of its foot are the anterior and the inferior insertion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from ScarSegECGLib.anatomy.polar import (
    Border,
    Floats,
    Mask,
    Spacing,
    ray_points,
    sample_image,
    sample_mask,
    wrap,
)

STANDARD_DEG = (120.0, 240.0)  # AHA plot: the septum is segments 2 and 3
SEPTUM_SD_DEG = 30.0  # hearts lie flat or upright: spread of the septum's middle about its standard place
ARC_DEG, ARC_SD_DEG = 110.0, 20.0  # the septum's width seen from the LV centre
END_SD_DEG = 30.0  # of one slice's insertion about its place by the stack's septum
HALF_SEARCH_DEG = (20.0, 105.0)  # an insertion lies so far from the septum's middle
RING_MM = np.arange(1.0, 12.5, 1.0)  # outside the epicardium
LEAN_DEG_PER_MM = ((1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 3.0))  # how the RV's free wall leans over the septum
SEED_DEG = 35.0  # half width of the stretch about the septum's middle where the RV's blood lies if any is shown
POOL_TOLERANCE = 0.1  # of the ring's 10..90 % range, by which RV and LV blood may differ
BLOOD_WIDTH = 0.15  # of the same range, one standard deviation of blood
BEYOND_DEG = 30.0  # so far outside its ends the wedge is compared with what follows

SURE_CONTRAST = 0.4  # the contrast at which a slice's own finding has confidence 1
NEIGHBOUR_SLICES = 0.8  # standard deviation of the smoothing along the long axis
OUTLIER_DEG = 30.0  # a slice this far from the stack's median counts half
MEDIAN_WEIGHT = 0.05  # of the stack's median, against confidences of 0..1


@dataclass(frozen=True)
class Insertions:
    """Anterior and inferior insertion of every slice, degrees in the bullseye's frame.

    Attributes
    ----------
    degrees : float64 array, shape (slice, 2)
        What the partition uses.
    raw : float64 array, shape (slice, 2)
        Each slice's own finding, before slices were combined; NaN where there was none.
    confidence : float64 array, shape (slice,)
        0 = from orientation alone .. 1 = sure, or given by the reader.
    """

    degrees: Floats
    raw: Floats
    confidence: Floats


def insertion_points(
    image: NDArray | None,
    cavity: Mask,
    border: Border,
    centres_mm: Floats,
    spacing: Spacing,
    given_deg: NDArray | None = None,
) -> Insertions:
    """Insertions of every slice with an LV: given ones as they are, the others from the image and their neighbours.

    Parameters
    ----------
    image : array, shape (slice, row, column), or None
        LGE, any scale; each slice is judged by itself. None: the standard place, confidence 0.
    cavity : bool array, same shape
    border : Border
        From :func:`polar.trace_border`.
    centres_mm : float64 array, shape (slice, 2)
    spacing : (slice, row, column) mm
    given_deg : array, shape (2,) for the stack or (slice, 2) with NaN rows where nothing is given, optional

    Returns
    -------
    Insertions
        NaN and confidence 0 for slices without an LV.
    """
    n = len(centres_mm)
    has_lv = np.isfinite(centres_mm).all(axis=1)
    raw, confidence = np.full((n, 2), np.nan), np.zeros(n)
    if image is not None:
        raw, confidence = find_in_image(image, cavity, border, centres_mm, spacing)
    given = np.full((n, 2), np.nan)
    if given_deg is not None:
        given = np.broadcast_to(np.asarray(given_deg, float) % 360.0, (n, 2))
    fixed = np.isfinite(given).all(axis=1) & has_lv
    found = np.where(fixed[:, None], given, raw)
    degrees, certainty = combine(found, np.where(fixed, 1.0, confidence))
    degrees[fixed], certainty[fixed] = given[fixed], 1.0
    degrees[~has_lv], certainty[~has_lv] = np.nan, 0.0
    return Insertions(degrees % 360.0, raw, certainty)


def combine(found_deg: Floats, confidence: Floats) -> tuple[Floats, Floats]:
    """Smooth the slices' findings along the long axis, robustly.

    Each slice gets the mean of its neighbours' findings, weighted by confidence, nearness and agreement with the
    stack's median, which itself weighs a little; with no finding at all, the standard place and confidence 0.

    Parameters
    ----------
    found_deg : float64 array, shape (slice, 2)
        NaN rows have confidence 0.
    confidence : float64 array, shape (slice,)

    Returns
    -------
    degrees, shape (slice, 2), and confidence, shape (slice,)
    """
    n = len(found_deg)
    if not (confidence > 0).any():
        return np.tile(STANDARD_DEG, (n, 1)), np.zeros(n)
    offset = np.where(confidence[:, None] > 0, wrap(found_deg - np.array(STANDARD_DEG)), 0.0)
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    near = np.exp(-0.5 * (distance / NEIGHBOUR_SLICES) ** 2)
    near /= near.sum(axis=1, keepdims=True)
    smooth, weights = np.empty((n, 2)), np.empty((n, 2))
    for side in range(2):
        middle = _weighted_median(offset[:, side], confidence)
        weight = confidence / (1.0 + ((offset[:, side] - middle) / OUTLIER_DEG) ** 2)
        weights[:, side] = near @ weight
        smooth[:, side] = near @ (weight * offset[:, side]) + MEDIAN_WEIGHT * middle
    smooth /= weights + MEDIAN_WEIGHT
    return np.array(STANDARD_DEG) + smooth, np.clip(weights.min(axis=1), 0.0, 1.0)


def neighbour_spread_deg(insertions_deg: Floats) -> Floats:
    """By how much the anterior and the inferior insertion turn from slice to slice, mean, degrees, shape (2,).

    Parameters
    ----------
    insertions_deg : float64 array, shape (slice, 2)
        NaN rows are passed over; NaN where there are not two slices.
    """
    known = insertions_deg[np.isfinite(insertions_deg).all(axis=1)]
    if len(known) < 2:
        return np.full(2, np.nan)
    return np.asarray(np.abs(wrap(np.diff(known, axis=0))).mean(axis=0))


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, passed[-1] / 2.0)])


def find_in_image(
    image: NDArray, cavity: Mask, border: Border, centres_mm: Floats, spacing: Spacing
) -> tuple[Floats, Floats]:
    """Each slice's insertions from its own pixels; parameters as in :func:`insertion_points`.

    The slices share only one thing, on which side of the LV the RV lies (the septum's middle, from the whole stack):
    each then looks for its own two insertions about it.

    Returns
    -------
    degrees : float64 array, shape (slice, 2)
        NaN where the slice shows no LV.
    confidence : float64 array, shape (slice,)
        How much more the wedge looks like blood than what follows beyond its two ends (the lesser counts), scaled to
        0..1.
    """
    degrees, confidence = np.full((len(image), 2), np.nan), np.zeros(len(image))
    use = np.flatnonzero(np.isfinite(centres_mm).all(axis=1) & (border.hit.mean(axis=1) > 0.5))
    if not use.size:
        return degrees, confidence
    outer = _epicardium(border, use)[:, :, None] + RING_MM
    ring = sample_image(image[use], *ray_points(centres_mm[use], border.angles, outer, spacing))
    span = _ring_range(ring)
    pool = np.array([np.median(image[k][cavity[k]]) if cavity[k].any() else np.nan for k in use])
    step = 360.0 / len(border.angles)
    has_pool = np.isfinite(pool)
    turn = 0
    if has_pool.any():
        turn = _septum_turn(_likeness(ring[has_pool], pool[has_pool], span[has_pool]), step)
    ring = np.roll(ring, -turn, axis=1)  # the septum's middle is at 180 degrees now
    seed = np.abs(border.angles - 180.0) <= SEED_DEG
    blood = _median(ring[:, seed])
    blood = np.where(has_pool, np.clip(blood, pool - POOL_TOLERANCE * span, pool + POOL_TOLERANCE * span), blood)
    ends, confidence[use] = _best_wedge(_likeness(ring, blood, span), step)
    degrees[use] = (ends + turn * step) % 360.0
    return degrees, confidence


def _epicardium(border: Border, use: NDArray) -> Floats:
    """Outer radius without gaps (the slice's median) and without single-voxel steps, mm, shape (slice, ray)."""
    outer = border.outer[use]
    outer = np.where(np.isnan(outer), np.nanmedian(outer, axis=1, keepdims=True), outer)
    return np.asarray(gaussian_filter1d(outer, 1.5, axis=1, mode="wrap"))


def _median(values: Floats) -> Floats:
    """Median over all but the first axis without the NaN beyond the image; 0 where all is beyond."""
    return np.array([np.median(known) if (known := v[np.isfinite(v)]).size else 0.0 for v in values])


def _ring_range(ring: Floats) -> Floats:
    """10..90 % range of each slice's ring, shape (slice,)."""
    ranges = np.empty(len(ring))
    for k, values in enumerate(ring):
        known = np.sort(values[np.isfinite(values)])
        ranges[k] = known[int(0.9 * (known.size - 1))] - known[int(0.1 * (known.size - 1))] if known.size else 0.0
    return ranges + 1e-6


def _likeness(ring: Floats, blood: Floats, span: Floats) -> Floats:
    """How much the ring looks like blood of the given value, 0..1, shape (slice, ray, depth); 0 beyond the image."""
    unlike = (ring - blood[:, None, None]) / (BLOOD_WIDTH * span[:, None, None])
    return np.nan_to_num(np.exp(-0.5 * unlike**2))


def _septum_turn(like: Floats, step: float) -> int:
    """By how many rays the stack's septum lies counter-clockwise of 180 degrees."""
    n_rays = like.shape[1]
    blood = like.mean(axis=(0, 2)) - 0.5
    width = int(round(ARC_DEG / step)) | 1
    inside = uniform_filter1d(blood, width, mode="wrap") * ARC_DEG / 3.0
    middle = (np.arange(n_rays) + 0.5) * step
    offset = wrap(middle - sum(STANDARD_DEG) / 2.0)
    return int(round(offset[np.argmax(inside - 0.5 * (offset / SEPTUM_SD_DEG) ** 2)] / step))


def _best_wedge(like: Floats, step: float) -> tuple[Floats, Floats]:
    """Ends (anterior, inferior) of the most likely wedge about 180 degrees, and the confidence in it, per slice."""
    middle = int(round(180.0 / step))
    reach = np.arange(int(round(HALF_SEARCH_DEG[0] / step)), int(round(HALF_SEARCH_DEG[1] / step)) + 1)
    scores, contrasts = [], []
    for sign, leans in zip((1, -1), LEAN_DEG_PER_MM, strict=True):
        leaning = [_one_side(_sheared(like, step, sign * lean), step, middle - sign * reach, sign) for lean in leans]
        score, contrast = (np.stack(part) for part in zip(*leaning, strict=True))
        best = score.argmax(axis=0)[None]
        scores.append(np.take_along_axis(score, best, 0)[0])
        contrasts.append(np.take_along_axis(contrast, best, 0)[0])
    half = reach * step
    from_place = ((half - ARC_DEG / 2.0) / END_SD_DEG) ** 2
    from_arc = ((half[:, None] + half[None, :] - ARC_DEG) / ARC_SD_DEG) ** 2
    prior = -0.5 * (from_place[:, None] + from_place[None, :] + from_arc)
    total = scores[0][:, :, None] + scores[1][:, None, :] + prior
    a, i = np.unravel_index(total.reshape(len(total), -1).argmax(axis=1), total.shape[1:])
    k = np.arange(len(total))
    contrast = np.minimum(contrasts[0][k, a], contrasts[1][k, i])
    ends = np.stack([180.0 - half[a], 180.0 + half[i]], axis=1)
    return ends, np.clip(contrast / SURE_CONTRAST, 0.0, 1.0)


def _sheared(like: Floats, step: float, lean: float) -> Floats:
    """Mean over depth along lines leaning by ``lean`` degrees per mm, shape (slice, ray)."""
    turned = [np.roll(like[:, :, j], -int(round(lean * depth / step)), axis=1) for j, depth in enumerate(RING_MM)]
    return np.asarray(np.mean(turned, axis=0))


def _one_side(likeness: Floats, step: float, where: NDArray, sign: int) -> tuple[Floats, Floats]:
    """Log evidence that the blood about 180 degrees ends at each candidate edge, and its contrast to what follows.

    Blood counts for it and other tissue against it (0.5 is even); likeness met after the blood was left, as of the
    liver behind the RV's wall, counts less.
    """
    n_rays = likeness.shape[1]
    middle = n_rays // 2
    order = (middle + np.arange(n_rays)) % n_rays if sign < 0 else (middle - 1 - np.arange(n_rays)) % n_rays
    outwards = likeness[:, order]
    still_blood = np.minimum.accumulate(uniform_filter1d(likeness, 3, axis=1, mode="wrap")[:, order], axis=1)
    gathered = np.pad(np.cumsum(0.7 * still_blood + 0.3 * outwards - 0.5, axis=1), ((0, 0), (1, 0)))
    likely = np.pad(np.cumsum(outwards, axis=1), ((0, 0), (1, 0)))
    count = np.abs(where - middle)
    beyond = int(round(BEYOND_DEG / step))
    inside = likely[:, count] / count
    outside = (likely[:, count + beyond] - likely[:, count]) / beyond
    return gathered[:, count] * step / 3.0, inside - outside


def insertions_from_rv(
    myocardium: Mask, rv: Mask, centres_mm: Floats, border: Border, spacing: Spacing, touch_mm: float = 4.0
) -> Floats:
    """Insertions from an RV label: the ends of the arc over which it touches the LV's epicardium.

    Parameters
    ----------
    myocardium, rv : bool arrays, shape (slice, row, column)
    centres_mm : float64 array, shape (slice, 2)
    border : Border
    spacing : (slice, row, column) mm
    touch_mm : float
        The RV touches where it begins within this distance outside the myocardium.

    Returns
    -------
    float64 array, shape (slice, 2)
        Anterior and inferior insertion, degrees; NaN where the RV does not touch the septum.
    """
    found = np.full((len(rv), 2), np.nan)
    use = np.flatnonzero(np.isfinite(centres_mm).all(axis=1) & border.hit.any(axis=1) & rv.any(axis=(1, 2)))
    if not use.size:
        return found
    depth = np.arange(0.0, touch_mm + 0.25, 0.5)
    points = ray_points(centres_mm[use], border.angles, np.nan_to_num(border.outer[use])[:, :, None] + depth, spacing)
    touches = sample_mask(rv[use] & ~myocardium[use], *points).any(axis=2) & border.hit[use]
    half_step = 180.0 / len(border.angles)
    for k, line in zip(use, touches, strict=True):
        if not line.any():
            continue
        directions = border.angles[line]
        gap_after = np.diff(np.append(directions, directions[0] + 360.0))
        last = int(gap_after.argmax())  # the free wall is the widest stretch without RV
        found[k] = directions[(last + 1) % directions.size] - half_step, directions[last] + half_step
    return found % 360.0
