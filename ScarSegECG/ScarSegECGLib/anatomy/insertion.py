"""Right ventricular insertion points: found in the image, given by the reader, or assumed.

In polar coordinates about the LV, the RV's blood, about as bright as the LV's, is a wedge that stands on the
epicardium: tens of mm deep beside the middle of the septum, thinner and thinner towards its corners, the two
insertions. Two things speak for a corner in a slice: how well a wedge that ends there, its depth never growing
outwards, holds blood and is bordered by something else; and how much the brightness just outside the epicardium changes
there. The slices are then joined by what is usual: the septum is 112 +- 14 degrees wide, and over 10 mm towards the
apex the anterior insertion turns counter-clockwise by 8 +- 6 degrees, the inferior 3 +- 4. All of it is this project's
own, its weights set on readings by hand of EMIDEC (32 in 16 patients; Lalande et al., Data 2020;5:89).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from ScarSegECGLib.anatomy.polar import N_RAYS, Floats, Mask, Spacing, ray_angles, ray_points, sample_image, wrap
from ScarSegECGLib.lge import orientation

STANDARD_DEG = (120.0, 240.0)  # AHA plot: the septum is segments 2 and 3
ARC_LIMITS_DEG = (40.0, 200.0)  # a septum narrower or wider than this is a mistake
UNSURE = 0.5  # confidence, of a slice or the stack's median, below which the reader is asked to check
DISPUTED_DEG = 45.0  # an insertion given farther from where a sure image shows it is heard in its own slice alone
GIVEN_SD_DEG = 3.0  # of an insertion given by the reader, in what it says of the others
PRIOR_WITHIN = 0.6  # probability of an error below 20 degrees that the prior by itself gives
SURE_CONTRAST = 0.3  # from which the contrast leaves no doubt
ACCORD_DEG = 15.0  # by which joining the slices may move what a slice shows
SIDE = np.array([-1.0, 1.0])  # the anterior insertion lies clockwise of the septum's middle, the inferior one beyond

ARC_SD_DEG = 13.0
PLACE_SD_DEG = 30.0  # of an insertion about its place by the stack's septum
PLACE_WEIGHT = 0.3  # of that, for each 10 mm of a stack
WIDENING_DEG = (7.0, -2.5)  # away from the septum's middle over 10 mm towards the base: anterior, inferior
STEP_SD_DEG = (16.0, 6.0)  # of that turn: anterior, inferior
JUMP = 0.02  # probability of any other turn: a slice moved between breath-holds
LEAST_EVIDENCE = -6.0  # a slice may be wrong altogether: no place is less likely by its pixels than e to this power
WITHIN_DEG = 20.0  # the confidence is that of an error smaller than this

# what a slice shows
ARC_DEG = 110.0  # the septum's width seen from the LV centre
SEPTUM_SD_DEG = 30.0  # hearts lie flat or upright: spread of the septum's middle about its usual place
STEP_DEG = 360.0 / N_RAYS
REACH = np.arange(2, 36)  # an insertion lies so many rays from the septum's middle ...
HALF_DEG = REACH * STEP_DEG  # ... 6 to 105 degrees: the candidates

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


@dataclass(frozen=True)
class Insertions:
    """Anterior and inferior insertion of every slice, degrees in the bullseye's frame; NaN without an LV."""

    degrees: Floats  # (slice, 2): what the partition uses
    raw: Floats  # (slice, 2): each slice's own finding before slices were joined; NaN where there was none
    confidence: Floats  # (slice,): 0 (from orientation alone) to 1 (sure, or both given by the reader)
    disputed: Mask  # (slice, 2): given, but far from where a sure image shows it; used, and told to no other slice


def insertion_points(
    image: NDArray,
    cavity: Mask,
    border: Floats,
    centres_mm: Floats,
    spacing: Spacing,
    given_deg: NDArray | float = np.nan,
    usual_deg: tuple[float, float] = STANDARD_DEG,
) -> Insertions:
    """Insertions of every slice with an LV: given ones as they are, the others from the image and their neighbours.

    How they are found and believed is this project's own rule. An even image gives the usual place with confidence 0.
    ``given_deg``, shape (2,) for the stack or (slice, 2), has NaN for what is not given: a slice may have one of the
    two, and the other is found, no nearer or farther than septa are wide. What is given turns the other slices too,
    unless an image that is sure of itself shows it over 45 degrees away.
    """
    n, has_lv = len(centres_mm), np.isfinite(centres_mm).all(axis=1)
    given = np.full((n, 2), np.asarray(given_deg, float) % 360.0)
    given[~has_lv] = np.nan
    known, disputed = np.isfinite(given), np.zeros((n, 2), bool)
    if known.any():
        found = insertion_points(image, cavity, border, centres_mm, spacing, usual_deg=usual_deg)
        if np.median(found.confidence[has_lv]) >= UNSURE:
            disputed = np.asarray(np.abs(wrap(given - found.degrees)) > DISPUTED_DEG)
    heard = known & ~disputed
    shown = has_lv & (np.isfinite(border).mean(axis=1) > 0.5) & (np.ptp(image, axis=(1, 2)) > 0)
    degrees, raw, confidence = given.copy(), np.full((n, 2), np.nan), np.where(known.all(axis=1), 1.0, 0.0)
    if not (shown.any() or known.any()):
        degrees[has_lv] = np.array(usual_deg) % 360.0
    if np.isfinite(degrees[has_lv]).all():
        return Insertions(degrees, raw, confidence, disputed)

    evidence, contrast = np.zeros((n, 2, len(REACH))), np.zeros((n, 2))
    k, side = np.nonzero(heard)
    toward = np.exp(1j * np.radians(given[heard] - SIDE[side] * ARC_DEG / 2.0)).sum()  # each half a septum away from it
    middle, likeness = float(np.degrees(np.angle(toward)) % 360.0), None
    if shown.any():
        usual = usual_deg[0] + ((usual_deg[1] - usual_deg[0]) % 360.0) / 2.0
        seen = image[shown], cavity[shown], border[shown], centres_mm[shown], spacing
        evidence[shown], middle, likeness = wedge_evidence(*seen, usual, middle if heard.any() else None)
    alone, alone_within = _medians(np.exp(_log_chance(evidence[has_lv], 1.0)))
    raw[has_lv] = (middle + SIDE * alone) % 360.0
    raw[~shown] = np.nan
    place = np.clip(SIDE[side] * wrap(given[heard] - middle), HALF_DEG[0], HALF_DEG[-1])
    evidence[k, side] = -0.5 * ((HALF_DEG - place[:, None]) / GIVEN_SD_DEG) ** 2

    joined, within = join_slices(evidence[has_lv], np.flatnonzero(has_lv).astype(float) * spacing[0])
    degrees[has_lv] = (middle + SIDE * joined) % 360.0
    degrees[known] = given[known]
    if likeness is not None:
        contrast[shown] = blood_contrast(likeness, joined[shown[has_lv]])
    certainty = _certainty(within, alone_within, joined - alone, contrast[has_lv])
    confidence[has_lv] = np.where(known[has_lv], 1.0, certainty).min(axis=1)
    arc = (degrees[:, 1] - degrees[:, 0]) % 360.0
    for one in (0, 1):  # where the other one does not fit what is given, it is put as far away as septa are wide
        astray = known[:, one] & ~known[:, 1 - one] & ((arc < ARC_LIMITS_DEG[0]) | (arc > ARC_LIMITS_DEG[1]))
        degrees[astray, 1 - one] = (degrees[astray, one] - SIDE[one] * ARC_DEG) % 360.0
        confidence[astray] = 0.0
    return Insertions(degrees, raw, confidence, disputed)


def _certainty(within: Floats, alone_within: Floats, moved_deg: Floats, contrast: Floats) -> Floats:
    """How far the image and not the prior places an insertion, 0..1, which is no probability: by stack and slice
    (chance of an error below 20 degrees, above the prior's own), their accord, and what follows the blood: liver may
    look the same."""
    by_stack, by_slice = (np.clip((p - PRIOR_WITHIN) / (1.0 - PRIOR_WITHIN), 0.0, 1.0) for p in (within, alone_within))
    accord = np.exp(-0.5 * (moved_deg / ACCORD_DEG) ** 2)
    return np.asarray(np.sqrt(by_stack * by_slice * np.clip(contrast / SURE_CONTRAST, 0.0, 1.0)) * accord)


def join_slices(evidence: Floats, slice_mm: Floats) -> tuple[Floats, Floats]:
    """Both insertions of every slice from the evidence of all, as a hidden Markov chain over the slices.

    Its states are the places of both, solved by forward and backward passes (Rabiner LR. Proc IEEE 1989;77:257-86).
    ``evidence``, shape (slice, 2, candidate), is the logarithm of a likelihood but for a constant, zeros where a slice
    says nothing, ``slice_mm`` the slices' place along the long axis, ascending. Returned, both of shape (slice, 2): the
    median of each insertion's posterior, degrees from the septum's middle, and the posterior probability of an error
    smaller than 20 degrees.
    """
    gaps = np.diff(slice_mm) / 10.0
    counts = np.minimum(np.median(gaps), 1.0) if gaps.size else 1.0  # thin slices show the same thing again and again
    local = np.exp(counts * _log_chance(evidence, PLACE_WEIGHT))
    steps = [_turns(gap) for gap in gaps]
    forward, backward = np.empty_like(local), np.ones_like(local)
    forward[0] = local[0] / local[0].sum()
    for k, (anterior, inferior) in enumerate(steps, start=1):
        forward[k] = local[k] * (anterior @ forward[k - 1] @ inferior.T)
        forward[k] /= forward[k].sum()
    for k, (anterior, inferior) in reversed(list(enumerate(steps))):
        backward[k] = anterior.T @ (local[k + 1] * backward[k + 1]) @ inferior
        backward[k] /= backward[k].sum()
    return _medians(forward * backward)


def _log_chance(evidence: Floats, place: float) -> Floats:
    """Logarithm of how likely and how usual two insertions are, but for a constant, (slice, anterior, inferior).

    ``place`` is what their usual place counts beside the septum's usual width.
    """
    seen = np.logaddexp(evidence - evidence.max(axis=2, keepdims=True), LEAST_EVIDENCE)
    seen -= 0.5 * place * ((HALF_DEG - ARC_DEG / 2.0) / PLACE_SD_DEG) ** 2
    unusual = ((HALF_DEG[:, None] + HALF_DEG - ARC_DEG) / ARC_SD_DEG) ** 2
    return seen[:, 0, :, None] + seen[:, 1, None, :] - 0.5 * unusual


def _turns(gap: float) -> Floats:
    """Probability of each candidate ``gap`` times 10 mm above each candidate, shape (side, above, below)."""
    drift, spread = np.array([WIDENING_DEG, STEP_SD_DEG])[..., None, None]
    unlike = (HALF_DEG[:, None] - HALF_DEG - drift * gap) / (spread * np.sqrt(gap))
    turns = np.exp(-0.5 * unlike**2) + 1e-30
    return (1.0 - JUMP) * turns / turns.sum(axis=1, keepdims=True) + JUMP / len(HALF_DEG)


def _medians(weights: Floats) -> tuple[Floats, Floats]:
    """Median of each insertion by its weights, (slice, anterior, inferior), and the weight within 20 degrees of it."""
    share = np.stack([weights.sum(axis=2), weights.sum(axis=1)], axis=1)
    share /= share.sum(axis=2, keepdims=True)
    below = np.cumsum(share, axis=2) - share / 2.0
    medians = np.apply_along_axis(lambda line: np.interp(0.5, line, HALF_DEG), 2, below)
    within = np.abs(HALF_DEG - medians[..., None]) <= WITHIN_DEG
    return medians, (share * within).sum(axis=2)


def usual_insertions_deg(ijk_to_ras: NDArray[np.float64]) -> tuple[float, float]:
    """Where the anterior and the inferior insertion usually lie in an image of such a pose, degrees.

    The AHA plot's, turned in the plane as the usual directions from septum to lateral and from anterior to inferior
    wall are (least squares; this project's own rule); the plot's own where the pose, canonical (column, row, slice, 1)
    indices to RAS in mm, is too far from a short axis to be true.
    """
    column, row, along = np.asarray(ijk_to_ras, float)[:3, :3].T
    if orientation.short_axis_angle_deg(along) > orientation.SHORT_AXIS_LIMIT_DEG:
        return STANDARD_DEG
    right, down = column / np.linalg.norm(column), row / np.linalg.norm(row)
    lateral, inferior = orientation.SEPTUM_TO_LATERAL, orientation.ANTERIOR_TO_INFERIOR
    turn = np.degrees(np.arctan2(inferior @ right - lateral @ down, lateral @ right + inferior @ down))
    return float((STANDARD_DEG[0] + turn) % 360.0), float((STANDARD_DEG[1] + turn) % 360.0)


def neighbour_spread_deg(insertions_deg: Floats) -> Floats:
    """By how much the insertions, (slice, 2), turn from slice to slice, mean, degrees; NaN rows are passed over."""
    known = insertions_deg[np.isfinite(insertions_deg).all(axis=1)]
    if len(known) < 2:
        return np.full(2, np.nan)
    return np.asarray(np.abs(wrap(np.diff(known, axis=0))).mean(axis=0))


def wedge_evidence(
    image: NDArray,
    cavity: Mask,
    border: Floats,
    centres_mm: Floats,
    spacing: Spacing,
    usual_middle_deg: float,
    middle_deg: float | None = None,
) -> tuple[Floats, float, Floats]:
    """Look for the RV's blood beside the septum, slice by slice; on which side it lies is asked of the whole stack.

    The septum's middle usually lies at ``usual_middle_deg``, and at ``middle_deg`` if that is known. ``border``, of
    :func:`trace_border`, is of slices whose rays meet myocardium. Returned are the logarithm of a likelihood, but for a
    constant, of each place of the anterior and the inferior insertion, shape (slice, 2, candidate), by :data:`HALF_DEG`
    from the septum's middle, the anterior ones clockwise; that middle, degrees; and how like the RV's blood the tissue
    outside the epicardium is, 0..1, shape (slice, ray), the middle in the mid.
    """
    angles = ray_angles(N_RAYS)
    # the epicardium without gaps (the slice's median) and without single-voxel steps
    outer = np.where(np.isnan(border), np.nanmedian(border, axis=1, keepdims=True), border)
    radii = gaussian_filter1d(outer, 1.5, axis=1, mode="wrap")[:, :, None] + RING_MM
    ring = sample_image(image, *ray_points(centres_mm, angles, radii, spacing))
    span = _of_known(lambda v: np.ptp(np.percentile(v, (10, 90), method="lower")), ring[:, :, NEAR]) + 1e-6
    pool = np.array([np.median(image[k][cavity[k]]) if cavity[k].any() else np.nan for k in range(len(image))])
    has_pool = np.isfinite(pool)
    if middle_deg is None:
        middle_deg = usual_middle_deg
        if has_pool.any():
            unlike = (ring[has_pool, :, NEAR] - pool[has_pool, None, None]) / (POOL_WIDTH * span[has_pool, None, None])
            middle_deg = _septum_middle(np.nan_to_num(np.exp(-0.5 * unlike**2)), angles, usual_middle_deg)
    turn = round(float(wrap(middle_deg - 180.0)) / STEP_DEG)
    ring = np.roll(ring, -turn, axis=1)  # the septum's middle is at 180 degrees now
    seed = np.abs(angles - 180.0) <= SEED_DEG
    blood = _of_known(np.median, ring[:, seed, NEAR])
    blood = np.where(has_pool, np.clip(blood, pool - POOL_TOLERANCE * span, pool + POOL_TOLERANCE * span), blood)

    # rays outwards from the septum's middle, the two sides as if they were slices
    unlike = (ring - blood[:, None, None]) / span[:, None, None]
    outwards = np.concatenate([unlike[:, N_RAYS // 2 - 1 :: -1], unlike[:, N_RAYS // 2 :]])
    wedge = _wedge_scores(outwards[:, : REACH[-1]])[:, REACH - 1]
    scores = (WEDGE_WEIGHT * wedge + STEP_WEIGHT * _brightness_steps(outwards)).reshape(2, len(ring), -1)
    like = np.nan_to_num(np.exp(-0.5 * (unlike[:, :, NEAR] / BLOOD_WIDTH) ** 2)).mean(axis=2)
    return np.moveaxis(scores, 0, 1), 180.0 + turn * STEP_DEG, like


def blood_contrast(likeness: Floats, half_deg: Floats) -> Floats:
    """How much more the tissue within two insertions, (slice, 2) degrees from the septum, looks like blood than
    that beyond each; ``likeness`` as of :func:`wedge_evidence`."""
    ray, beyond = np.arange(N_RAYS) - N_RAYS // 2, round(BEYOND_DEG / STEP_DEG)
    anterior, inferior = np.rint(half_deg / STEP_DEG).astype(int).T[..., None]

    def mean(begin: NDArray[np.intp], end: NDArray[np.intp]) -> Floats:
        there = (ray >= begin) & (ray < end)
        return (likeness * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)

    around = [mean(-anterior - beyond, -anterior), mean(inferior, inferior + beyond)]
    return mean(-anterior, inferior)[:, None] - np.stack(around, axis=1)


def _of_known(statistic: Callable[[Floats], float], values: Floats) -> Floats:
    """A statistic of each slice's values without the NaN beyond the image; 0 where all is beyond."""
    return np.array([statistic(known) if (known := v[np.isfinite(v)]).size else 0.0 for v in values])


def _septum_middle(like: Floats, angles: Floats, usual_middle_deg: float) -> float:
    """Direction about which most of the ring, (slice, ray, depth), looks like the LV's blood, degrees."""
    inside = uniform_filter1d(like.mean(axis=(0, 2)) - 0.5, round(ARC_DEG / STEP_DEG) | 1, mode="wrap") * ARC_DEG / 3.0
    return float(angles[np.argmax(inside - 0.5 * (wrap(angles - usual_middle_deg) / SEPTUM_SD_DEG) ** 2)])


def _wedge_scores(unlike: Floats) -> Floats:
    """Score of the best wedge of blood that ends after each ray, by dynamic programming, shape (side, ray outwards).

    ``unlike`` is the deviation from blood over the ring's range, (side, ray, depth), NaN beyond the image. Blood counts
    for a wedge and other tissue against it, the reverse just beyond its depth; a ray without RV is worth 0. The value
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


def _brightness_steps(unlike: Floats) -> Floats:
    """Change of brightness across each candidate edge, up or down, of the ring's range, shape (side, candidate)."""
    near = np.nan_to_num(np.clip(unlike[:, :, :STEP_MM], -STEP_CAP, STEP_CAP), nan=-STEP_CAP).mean(axis=2)
    gathered = np.pad(np.cumsum(near, axis=1), ((0, 0), (1, 0)))
    from_ray = np.maximum(REACH - STEP_RAYS, 0)
    within = (gathered[:, REACH] - gathered[:, from_ray]) / (REACH - from_ray)
    after = (gathered[:, REACH + STEP_RAYS] - gathered[:, REACH]) / STEP_RAYS
    return np.abs(within - after)
