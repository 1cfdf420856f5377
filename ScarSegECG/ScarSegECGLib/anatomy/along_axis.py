"""The insertions of a whole stack: each slice's evidence joined by what is known of neighbours and of the septum.

A hidden Markov chain over the slices, its states the places of both insertions, solved by forward and backward
passes (Rabiner LR. Proc IEEE 1989;77:257-86). What is usual is this project's own finding, from 32 readings by hand in
16 patients of EMIDEC (Lalande et al., Data 2020;5:89; Testing/anatomy/README.md): the septum is 112 +- 14 degrees wide,
and over 10 mm towards the apex the anterior insertion turns counter-clockwise by 8 +- 6, the inferior one by 3 +- 4
degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.polar import Floats
from ScarSegECGLib.anatomy.rv_wedge import ARC_DEG

ARC_SD_DEG = 13.0
PLACE_SD_DEG = 30.0  # of an insertion about its place by the stack's septum
PLACE_WEIGHT = 0.3  # of that, for each 10 mm of a stack
WIDENING_DEG = np.array([7.0, -2.5])  # away from the septum's middle over 10 mm towards the base: anterior, inferior
STEP_SD_DEG = (16.0, 6.0)  # of that turn: anterior, inferior
JUMP = 0.02  # probability of any other turn: a slice moved between breath-holds
LEAST_EVIDENCE = -6.0  # a slice may be wrong altogether: no place is less likely by its pixels than e to this power
WITHIN_DEG = 20.0  # the confidence is that of an error smaller than this


def join_slices(evidence: Floats, half_deg: Floats, slice_mm: Floats) -> tuple[Floats, Floats]:
    """Both insertions of every slice from the evidence of all.

    ``evidence``, shape (slice, 2, candidate), is the logarithm of a likelihood but for a constant, zeros where a slice
    says nothing; ``half_deg`` the candidates' distance from the septum's middle and ``slice_mm`` the slices' place
    along the long axis, both ascending. Returned, both of shape (slice, 2): the median of each insertion's posterior,
    degrees from the septum's middle, and the posterior probability of an error smaller than 20 degrees.
    """
    gaps = np.diff(slice_mm) / 10.0
    counts = np.minimum(np.median(gaps), 1.0) if gaps.size else 1.0  # thin slices show the same thing again and again
    local = np.exp(counts * _joint(evidence) + _septum(half_deg, counts * PLACE_WEIGHT, counts))
    how = tuple(zip(WIDENING_DEG, STEP_SD_DEG, strict=True))
    steps = [tuple(_turns(half_deg, gap, drift, spread) for drift, spread in how) for gap in gaps]
    forward, backward = np.empty_like(local), np.ones_like(local)
    forward[0] = local[0] / local[0].sum()
    for k, (anterior, inferior) in enumerate(steps, start=1):
        forward[k] = local[k] * (anterior @ forward[k - 1] @ inferior.T)
        forward[k] /= forward[k].sum()
    for k, (anterior, inferior) in reversed(list(enumerate(steps))):
        backward[k] = anterior.T @ (local[k + 1] * backward[k + 1]) @ inferior
        backward[k] /= backward[k].sum()
    return _medians(forward * backward, half_deg)


def each_slice_alone(evidence: Floats, half_deg: Floats) -> tuple[Floats, Floats]:
    """As :func:`join_slices`, every slice without its neighbours."""
    return _medians(np.exp(_joint(evidence) + _septum(half_deg, 1.0, 1.0)), half_deg)


def _joint(evidence: Floats) -> Floats:
    """Evidence for both insertions at once, about 0 at its greatest, shape (slice, anterior, inferior)."""
    above = np.logaddexp(evidence - evidence.max(axis=2, keepdims=True), LEAST_EVIDENCE)
    return np.asarray(above[:, 0, :, None] + above[:, 1, None, :])


def _septum(half_deg: Floats, place: float, arc: float) -> Floats:
    """Logarithm of how usual two insertions are, shape (anterior, inferior)."""
    from_place = ((half_deg - ARC_DEG / 2.0) / PLACE_SD_DEG) ** 2
    from_arc = ((half_deg[:, None] + half_deg - ARC_DEG) / ARC_SD_DEG) ** 2
    return np.asarray(-0.5 * (place * (from_place[:, None] + from_place) + arc * from_arc))


def _turns(half_deg: Floats, gap: float, drift: float, spread: float) -> NDArray[np.float64]:
    """Probability of each candidate (first axis) ``gap`` times 10 mm above each candidate (second axis)."""
    unlike = (half_deg[:, None] - half_deg - drift * gap) / (spread * np.sqrt(gap))
    turns = np.exp(-0.5 * unlike**2) + 1e-30
    return np.asarray((1.0 - JUMP) * turns / turns.sum(axis=0) + JUMP / len(half_deg))


def _medians(weights: Floats, half_deg: Floats) -> tuple[Floats, Floats]:
    medians, within = np.empty((len(weights), 2)), np.empty((len(weights), 2))
    for side, other in ((0, 2), (1, 1)):
        share = weights.sum(axis=other)
        share /= share.sum(axis=1, keepdims=True)
        below = np.cumsum(share, axis=1) - share / 2.0
        medians[:, side] = [np.interp(0.5, line, half_deg) for line in below]
        within[:, side] = (share * (np.abs(half_deg - medians[:, side, None]) <= WITHIN_DEG)).sum(axis=1)
    return medians, within
