"""The AHA partition as a soft prior for the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ScarSegECGLib.anatomy.aha import FOUR_ORDER, NO_RING, SIX_ORDER, sector_starts
from ScarSegECGLib.anatomy.polar import Floats, Spacing, direction_deg
from ScarSegECGLib.anatomy.segments import APICAL, BASAL, CAP, MID, RING_SEGMENTS
from ScarSegECGLib.case import Anatomy

NO_BLUR = 1e-3  # degrees or slices: below it the borders are sharp


@dataclass(frozen=True)
class SoftPrior:
    """Probability of each AHA segment, float32 ``values`` [slice, 17, row, column], of the part of the slices with
    myocardium; ``corner`` is its first (row, column). A large image has a hundred times as many voxels outside.
    """

    values: NDArray[np.float32]
    corner: tuple[int, int]


def soft_prior(
    anatomy: Anatomy,
    spacing: Spacing,
    sigma_deg: float = 10.0,
    sigma_slice: float = 0.5,
    *,
    rotate_deg: float = 0.0,
    shift_slices: int = 0,
) -> SoftPrior:
    """Probability of each AHA segment for every myocardial voxel of an :func:`aha.partition`.

    Borders between sectors are blurred by a Gaussian in angle, borders between rings by one along the slices:
    ``sigma_deg`` and ``sigma_slice`` are their standard deviations in degrees and slices, 0 the hard partition.
    ``rotate_deg`` turns all sectors counter-clockwise and ``shift_slices`` moves the rings towards the base: jitter for
    training. It sums to 1 over the segments inside the labelled myocardium and is 0 elsewhere: outside, and wherever
    the geometry is unknown.
    """
    n = len(anatomy.aha)
    known = np.isfinite(anatomy.insertions_deg).all(axis=1) & np.isfinite(anatomy.centres_mm).all(axis=1)
    k, i, j = np.nonzero((anatomy.aha > 0) & np.asarray(known)[:, None, None])
    if not k.size:
        return SoftPrior(np.zeros((n, 17, 1, 1), np.float32), (0, 0))
    angle = direction_deg(np.stack([i * spacing[1], j * spacing[2]], axis=1) - anatomy.centres_mm[k])
    six, four = sector_starts(anatomy.insertions_deg + rotate_deg, anatomy.division.mode)
    in_six = _sectors(angle, six[k], sigma_deg)[:, np.argsort(SIX_ORDER)]
    in_four = _sectors(angle, four[k], sigma_deg)[:, np.argsort(FOUR_ORDER)]
    ring = _ring_weights(rings_of(anatomy), sigma_slice, shift_slices)[k]
    corner = (max(0, int(i.min()) - 1), max(0, int(j.min()) - 1))  # with a border of 0
    rows, columns = int(i.max()) + 2 - corner[0], int(j.max()) + 2 - corner[1]
    voxel = ((i - corner[0]) * columns + j - corner[1]).astype(np.intp)
    parts = [ring[:, BASAL, None] * in_six, ring[:, MID, None] * in_six, ring[:, APICAL, None] * in_four, ring[:, CAP:]]
    flat = np.zeros((n, rows * columns, 17), np.float32)
    flat[k, voxel] = np.concatenate(parts, axis=1)
    return SoftPrior(flat.reshape(n, rows, columns, 17).transpose(0, 3, 1, 2), corner)


def rings_of(anatomy: Anatomy) -> NDArray[np.int8]:
    """Ring of each slice as its labels say (basal 0, mid 1, apical 2, cap 3, -1 none), shape (slice,)."""
    rings = np.full(len(anatomy.aha), NO_RING, np.int8)
    highest = anatomy.aha.reshape(len(rings), -1).max(axis=1)
    for ring, numbers in enumerate(RING_SEGMENTS):
        rings[(highest >= numbers[0]) & (highest <= numbers[-1])] = ring
    return rings


def _sectors(angle: Floats, starts: Floats, sigma: float) -> Floats:
    """Wrapped Gaussian mass of each sector about each angle, shape (voxel, sector)."""
    borders = np.concatenate([starts - starts[:, :1], np.full((len(starts), 1), 360.0)], axis=1)
    borders -= ((angle - starts[:, 0]) % 360.0)[:, None]  # seen from the voxel
    if sigma < NO_BLUR:
        return ((borders[:, :-1] <= 0) & (borders[:, 1:] > 0)).astype(float)
    below = sum(ndtr((borders + turn) / sigma) for turn in (-360.0, 0.0, 360.0))
    mass = np.diff(below, axis=1)
    return mass / mass.sum(axis=1, keepdims=True)


def _ring_weights(rings: NDArray, sigma: float, shift: int) -> Floats:
    """Weight of each ring in each slice, shape (slice, 4), rows summing to 1."""
    order = np.flatnonzero(rings != NO_RING)
    moved = rings[order[np.clip(np.arange(len(order)) - shift, 0, len(order) - 1)]]
    distance = np.subtract.outer(order, order).astype(float)
    blur = np.exp(-0.5 * (distance / sigma) ** 2) if sigma >= NO_BLUR else np.eye(len(order))
    weights = np.zeros((len(rings), 4))
    weights[order] = blur @ np.eye(4)[moved] / blur.sum(axis=1, keepdims=True)
    return weights
