"""Where the right ventricle's blood ends beside the septum: evidence from each slice's own pixels.

In polar coordinates about the LV, the RV's blood, about as bright as the LV's, is a wedge that stands on the
epicardium: tens of mm deep beside the middle of the septum, thinner and thinner towards its corners, the two
insertions. Two things speak for a corner: how well a wedge that ends there, its depth never growing outwards, holds
blood and is bordered by something else; and how much the brightness just outside the epicardium changes there. Both are
this project's own rules; their weights were set on readings by hand of EMIDEC's images (Lalande et al., Data 2020;5:89;
Testing/anatomy/README.md).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing, ray_angles, ray_points, sample_image, wrap

ARC_DEG = 110.0  # the septum's width seen from the LV centre
SEPTUM_SD_DEG = 30.0  # hearts lie flat or upright: spread of the septum's middle about its usual place
SEARCH_DEG = (6.0, 105.0)  # an insertion lies so far from the septum's middle

WALL_MM = 3  # so far beyond the blood's end something else is expected
DEEPEST_MM = 14  # deeper is no better
LEAST_MM = 4  # a wedge is at least so deep at its end
RING_MM = np.arange(1.0, DEEPEST_MM + WALL_MM + 0.5)  # outside the epicardium; 1 mm apart, so that a count is a length
NEAR = slice(0, 12)  # the ring's part from which its range and its blood are taken
SEED_DEG = 35.0  # half width of the stretch about the septum's middle where the RV's blood lies if any is shown
POOL_TOLERANCE = 0.1  # of the ring's 10..90 % range, by which RV and LV blood may differ in that stretch
POOL_WIDTH, BLOOD_WIDTH = 0.15, 0.18  # of the same range, one standard deviation of LV and of RV blood
DEPTH_SCALE_MM = 14.0  # what lies nearer to the epicardium counts more
WALL_WEIGHT = 0.7  # of what lies beyond the wedge against what lies in it
DEEPENING_COST = 2.0  # of the wedge growing deeper outwards, per mm
FOLLOW, FOLLOW_RANGE = 0.15, 0.35  # coil shading: share by which the blood's value follows per ray, and its bound
FOLLOW_DEPTH, FOLLOW_WEIGHT = slice(1, 8), np.exp(-np.arange(7) / 4.0)
STEP_RAYS, STEP_MM, STEP_CAP = 3, 8, 0.4  # the change of brightness: rays to either side, depth, bound of a deviation
BEYOND_DEG = 30.0  # so far beyond an insertion the tissue is compared with the blood within
WEDGE_WEIGHT, STEP_WEIGHT = 0.35, 8.0  # a ray with blood to the greatest depth is worth 1


def search_deg(step_deg: float) -> Floats:
    """Candidates for an insertion's distance from the septum's middle, degrees, shape (candidate,)."""
    first, last = (round(limit / step_deg) for limit in SEARCH_DEG)
    return np.arange(first, last + 1, dtype=np.float64) * step_deg


def wedge_evidence(
    image: NDArray,
    cavity: Mask,
    border: Floats,
    centres_mm: Floats,
    spacing: Spacing,
    usual_middle_deg: float,
    middle_deg: float | None = None,
) -> tuple[Floats, float, Floats]:
    """Look for the RV's blood beside the septum, slice by slice.

    The slices share only one thing, on which side of the LV the RV lies (the septum's middle, from the whole stack):
    ``usual_middle_deg`` is where it usually lies, ``middle_deg`` where it does lie, if that is known. ``border``, of
    :func:`trace_border`, is of slices whose rays meet myocardium.

    Returned are scores, shape (slice, 2, candidate), which say how strongly a slice speaks for each place of its
    anterior and its inferior insertion: the logarithm of a likelihood but for a constant, by :func:`search_deg` from
    the septum's middle, the anterior ones clockwise; that middle, degrees; and how like the RV's blood the tissue
    outside the epicardium is, 0..1, shape (slice, ray), the middle in the mid.
    """
    angles = ray_angles(border.shape[1])
    step = 360.0 / len(angles)
    # the epicardium without gaps (the slice's median) and without single-voxel steps
    outer = np.where(np.isnan(border), np.nanmedian(border, axis=1, keepdims=True), border)
    radii = gaussian_filter1d(outer, 1.5, axis=1, mode="wrap")[:, :, None] + RING_MM
    ring = sample_image(image, *ray_points(centres_mm, angles, radii, spacing))
    span = _of_known(_range, ring[:, :, NEAR]) + 1e-6
    pool = np.array([np.median(image[k][cavity[k]]) if cavity[k].any() else np.nan for k in range(len(image))])
    has_pool = np.isfinite(pool)
    if middle_deg is None:
        middle_deg = usual_middle_deg
        if has_pool.any():
            unlike = (ring[has_pool, :, NEAR] - pool[has_pool, None, None]) / (POOL_WIDTH * span[has_pool, None, None])
            middle_deg = _septum_middle(np.nan_to_num(np.exp(-0.5 * unlike**2)), angles, usual_middle_deg)
    turn = round(float(wrap(middle_deg - 180.0)) / step)
    ring = np.roll(ring, -turn, axis=1)  # the septum's middle is at 180 degrees now
    seed = np.abs(angles - 180.0) <= SEED_DEG
    blood = _of_known(np.median, ring[:, seed, NEAR])
    blood = np.where(has_pool, np.clip(blood, pool - POOL_TOLERANCE * span, pool + POOL_TOLERANCE * span), blood)

    # rays outwards from the septum's middle, the two sides as if they were slices
    unlike = (ring - blood[:, None, None]) / span[:, None, None]
    half = ring.shape[1] // 2
    outwards = np.concatenate([unlike[:, half - 1 :: -1], unlike[:, half:]])
    reach = np.rint(search_deg(step) / step).astype(int)
    wedge = _wedge_scores(outwards[:, : reach[-1]])[:, reach - 1]
    scores = (WEDGE_WEIGHT * wedge + STEP_WEIGHT * _brightness_steps(outwards, reach)).reshape(2, len(ring), -1)
    like = np.nan_to_num(np.exp(-0.5 * (unlike[:, :, NEAR] / BLOOD_WIDTH) ** 2)).mean(axis=2)
    return np.moveaxis(scores, 0, 1), 180.0 + turn * step, like


def blood_contrast(likeness: Floats, half_deg: Floats) -> Floats:
    """How much more the tissue within two insertions, (slice, 2) degrees from the septum, looks like blood than
    that beyond each; ``likeness`` as of :func:`wedge_evidence`."""
    n_rays = likeness.shape[1]
    step = 360.0 / n_rays
    gathered = np.pad(np.cumsum(likeness, axis=1), ((0, 0), (1, 0)))
    k, beyond = np.arange(len(gathered)), round(BEYOND_DEG / step)

    def mean(begin: NDArray[np.intp], end: NDArray[np.intp]) -> Floats:
        return (gathered[k, end] - gathered[k, begin]) / np.maximum(end - begin, 1)

    rays = np.rint(half_deg / step).astype(int)
    first, last = n_rays // 2 - rays[:, 0], n_rays // 2 + rays[:, 1]
    anterior = mean(np.maximum(first - beyond, 0), first)
    inferior = mean(last, np.minimum(last + beyond, n_rays))
    return mean(first, last)[:, None] - np.stack([anterior, inferior], axis=1)


def _of_known(statistic: Callable[[Floats], float], values: Floats) -> Floats:
    """A statistic of each slice's values without the NaN beyond the image; 0 where all is beyond."""
    return np.array([statistic(known) if (known := v[np.isfinite(v)]).size else 0.0 for v in values])


def _range(values: Floats) -> float:
    """The 10..90 % range."""
    ordered = np.sort(values)
    return ordered[int(0.9 * (ordered.size - 1))] - ordered[int(0.1 * (ordered.size - 1))]


def _septum_middle(like: Floats, angles: Floats, usual_middle_deg: float) -> float:
    """Direction about which most of the ring, (slice, ray, depth), looks like the LV's blood, degrees."""
    step = 360.0 / len(angles)
    inside = uniform_filter1d(like.mean(axis=(0, 2)) - 0.5, round(ARC_DEG / step) | 1, mode="wrap") * ARC_DEG / 3.0
    return float(angles[np.argmax(inside - 0.5 * (wrap(angles - usual_middle_deg) / SEPTUM_SD_DEG) ** 2)])


def _wedge_scores(unlike: Floats) -> Floats:
    """Score of the best wedge of blood that ends after each ray, by dynamic programming, shape (side, ray outwards).

    ``unlike`` is the deviation from blood over the ring's range, its depth last, NaN beyond the image. Blood counts for
    a wedge and other tissue against it, the reverse just beyond its depth; a ray without RV is worth 0. The value
    expected of blood follows what was met, within bounds: the coil's sensitivity falls slowly along the septum.
    """
    beyond_image = np.isnan(unlike)
    values = np.where(beyond_image, 0.0, unlike)
    weight = np.exp(-np.arange(values.shape[2]) / DEPTH_SCALE_MM)
    weight /= weight[:DEEPEST_MM].sum()
    expected = np.zeros(len(values))
    best = np.zeros((len(values), DEEPEST_MM))
    gathered = np.zeros((len(values), values.shape[2] + 1))
    scores = np.empty(values.shape[:2])
    for ray in range(values.shape[1]):
        like = np.exp(-0.5 * ((values[:, ray] - expected[:, None]) / BLOOD_WIDTH) ** 2)
        like[beyond_image[:, ray]] = 0.0
        np.cumsum((2.0 * like - 1.0) * weight, axis=1, out=gathered[:, 1:])
        inside = gathered[:, : DEEPEST_MM + 1]
        to_depth = (1.0 + WALL_WEIGHT) * inside - WALL_WEIGHT * gathered[:, WALL_MM:]
        if ray:
            deeper = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
            deeper[:, 1:] = np.maximum(deeper[:, 1:], best[:, :-1] - DEEPENING_COST)
            best = deeper
        best = best + to_depth[:, 1:] - to_depth[:, :1]
        scores[:, ray] = best[:, LEAST_MM - 1 :].max(axis=1)
        blood = like[:, FOLLOW_DEPTH] * FOLLOW_WEIGHT
        met = ((values[:, ray, FOLLOW_DEPTH] - expected[:, None]) * blood).sum(axis=1) / FOLLOW_WEIGHT.sum()
        expected = np.clip(expected + FOLLOW * met, -FOLLOW_RANGE, FOLLOW_RANGE)
    return scores


def _brightness_steps(unlike: Floats, reach: NDArray[np.intp]) -> Floats:
    """Change of brightness across each candidate edge, of the ring's range, shape (side, candidate).

    Whether the blood ends at dark wall, bright fat or lung does not matter.
    """
    near = np.nan_to_num(np.clip(unlike[:, :, :STEP_MM], -STEP_CAP, STEP_CAP), nan=-STEP_CAP).mean(axis=2)
    gathered = np.pad(np.cumsum(near, axis=1), ((0, 0), (1, 0)))
    from_ray = np.maximum(reach - STEP_RAYS, 0)
    within = (gathered[:, reach] - gathered[:, from_ray]) / (reach - from_ray)
    after = (gathered[:, reach + STEP_RAYS] - gathered[:, reach]) / STEP_RAYS
    return np.abs(within - after)
