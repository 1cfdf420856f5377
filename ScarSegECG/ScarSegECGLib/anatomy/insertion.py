"""Right ventricular insertion points: found in the image, given by the reader, or assumed.

What a slice shows is judged in ``rv_wedge``, and joined over the stack in ``along_axis``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.along_axis import each_slice_alone, join_slices
from ScarSegECGLib.anatomy.polar import Border, Floats, Mask, Spacing, wrap
from ScarSegECGLib.anatomy.rv_wedge import ARC_DEG, search_deg, wedge_evidence

STANDARD_DEG = (120.0, 240.0)  # AHA plot: the septum is segments 2 and 3
ARC_LIMITS_DEG = (40.0, 200.0)  # a septum narrower or wider than this is a mistake
UNSURE = 0.5  # confidence, of a slice or the stack's median, below which the reader is asked to check
DISPUTED_DEG = 45.0  # an insertion given farther from where a sure image shows it is heard in its own slice alone
GIVEN_SD_DEG = 3.0  # of an insertion given by the reader, in what it says of the others
PRIOR_WITHIN = 0.6  # probability of an error below 20 degrees that the prior by itself gives
SURE_CONTRAST = 0.3  # from which the contrast leaves no doubt
ACCORD_DEG = 15.0  # by which joining the slices may move what a slice shows
SIDE = np.array([-1.0, 1.0])  # the anterior insertion lies clockwise of the septum's middle, the inferior one beyond


@dataclass(frozen=True)
class Insertions:
    """Anterior and inferior insertion of every slice, degrees in the bullseye's frame.

    ``degrees``, shape (slice, 2), is what the partition uses, ``raw`` each slice's own finding before slices were
    joined (NaN where there was none), ``confidence``, shape (slice,), 0 (from orientation alone) to 1 (sure, or both
    given by the reader). ``disputed``, shape (slice, 2): given, but far from where the image by itself shows it, of
    which it is sure; used, and told to no other slice.
    """

    degrees: Floats
    raw: Floats
    confidence: Floats
    disputed: Mask


def insertion_points(
    image: NDArray | None,
    cavity: Mask,
    border: Border,
    centres_mm: Floats,
    spacing: Spacing,
    given_deg: NDArray | None = None,
    usual_deg: tuple[float, float] = STANDARD_DEG,
) -> Insertions:
    """Insertions of every slice with an LV: given ones as they are, the others from the image and their neighbours.

    How they are found and believed is this project's own rule: see ``rv_wedge`` and ``along_axis``.

    Parameters
    ----------
    image : array, shape (slice, row, column), or None
        LGE, any scale; each slice is judged by itself. None: the usual place, confidence 0.
    cavity : bool array, same shape
    border : Border
        From :func:`polar.trace_border`.
    centres_mm : float64 array, shape (slice, 2)
    spacing : (slice, row, column) mm
    given_deg : array, shape (2,) for the stack or (slice, 2) with NaN for what is not given, optional
        A slice may have one of the two: the other is found, no nearer or farther than septa are wide. What is given
        turns the other slices too, unless an image that is sure of itself shows it over 45 degrees away.
    usual_deg : (anterior, inferior)
        Where the two usually lie in this image, degrees in the bullseye's frame.

    Returns
    -------
    Insertions
        NaN and confidence 0 for slices without an LV.
    """
    n = len(centres_mm)
    has_lv = np.isfinite(centres_mm).all(axis=1)
    given = np.full((n, 2), np.nan)
    if given_deg is not None:
        given[has_lv] = np.broadcast_to(np.asarray(given_deg, float) % 360.0, (n, 2))[has_lv]
    known = np.isfinite(given)
    disputed = np.zeros((n, 2), bool)
    if image is not None and known.any():
        found = insertion_points(image, cavity, border, centres_mm, spacing, usual_deg=usual_deg)
        if np.median(found.confidence[has_lv]) >= UNSURE:
            disputed = np.asarray(np.abs(wrap(given - found.degrees)) > DISPUTED_DEG)
    heard = known & ~disputed
    degrees, raw, confidence = np.full((n, 2), np.nan), np.full((n, 2), np.nan), np.zeros(n)
    if known[has_lv].all():
        degrees[has_lv], confidence[has_lv] = given[has_lv], 1.0
        return Insertions(degrees, raw, confidence, disputed)
    shown = np.zeros(n, bool)
    if image is not None:
        shown = has_lv & (border.hit.mean(axis=1) > 0.5) & (np.ptp(image, axis=(1, 2)) > 0)
    if not (shown.any() or known.any()):
        degrees[has_lv] = np.array(usual_deg) % 360.0
        return Insertions(degrees, raw, confidence, disputed)

    half = search_deg(360.0 / len(border.angles))
    evidence = np.zeros((n, 2, len(half)))
    middle = _middle(np.where(heard, given, np.nan)) if heard.any() else None
    wedge = None
    if image is not None and shown.any():
        traced = Border(border.angles, border.inner[shown], border.outer[shown], border.hit[shown])
        usual = usual_deg[0] + ((usual_deg[1] - usual_deg[0]) % 360.0) / 2.0
        wedge = wedge_evidence(
            np.asarray(image)[shown], cavity[shown], traced, centres_mm[shown], spacing, usual, middle
        )
        evidence[shown], middle = wedge.scores, wedge.middle_deg
    assert middle is not None  # something is shown or given
    alone, alone_within = each_slice_alone(evidence[has_lv], half)
    raw[has_lv] = (middle + SIDE * alone) % 360.0
    raw[~shown] = np.nan
    k, side = np.nonzero(heard)
    place = np.clip(SIDE[side] * wrap(given[heard] - middle), half[0], half[-1])
    evidence[k, side] = -0.5 * ((half - place[:, None]) / GIVEN_SD_DEG) ** 2

    joined, within = join_slices(evidence[has_lv], half, np.asarray(np.flatnonzero(has_lv) * spacing[0], float))
    degrees[has_lv] = (middle + SIDE * joined) % 360.0
    degrees[known] = given[known]
    contrast = np.zeros((n, 2))
    if wedge is not None:
        contrast[shown] = wedge.contrast(joined[shown[has_lv]])
    certainty = _certainty(within, alone_within, joined - alone, contrast[has_lv])
    confidence[has_lv] = np.where(known[has_lv], 1.0, certainty).min(axis=1)
    arc = (degrees[:, 1] - degrees[:, 0]) % 360.0
    for one in (0, 1):  # where the other one does not fit what is given, it is put as far away as septa are wide
        astray = known[:, one] & ~known[:, 1 - one] & ((arc < ARC_LIMITS_DEG[0]) | (arc > ARC_LIMITS_DEG[1]))
        degrees[astray, 1 - one] = (degrees[astray, one] - SIDE[one] * ARC_DEG) % 360.0
        confidence[astray] = 0.0
    return Insertions(degrees, raw, confidence, disputed)


def _certainty(within: Floats, alone_within: Floats, moved_deg: Floats, contrast: Floats) -> Floats:
    """How far the image and not the prior places an insertion, 0..1.

    It is by the stack and by its own slice (probabilities of an error smaller than 20 degrees, above what the prior by
    itself gives), by their accord, and by the contrast between the blood and what follows it: liver may look the same.
    This project's own rule: it orders slices by their doubt, it is no probability.
    """
    by_stack = np.clip((within - PRIOR_WITHIN) / (1.0 - PRIOR_WITHIN), 0.0, 1.0)
    by_slice = np.clip((alone_within - PRIOR_WITHIN) / (1.0 - PRIOR_WITHIN), 0.0, 1.0)
    accord = np.exp(-0.5 * (moved_deg / ACCORD_DEG) ** 2)
    return np.asarray(np.sqrt(by_stack * by_slice * np.clip(contrast / SURE_CONTRAST, 0.0, 1.0)) * accord)


def _middle(given_deg: Floats) -> float:
    """Direction of the septum's middle by the insertions given, a single one taken half a septum away from it."""
    middles = given_deg - SIDE * ARC_DEG / 2.0
    toward = np.exp(1j * np.radians(middles[np.isfinite(middles)])).sum()
    return float(np.degrees(np.angle(toward)) % 360.0)


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
