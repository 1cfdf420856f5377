"""Where in the wall an island of scar lies: subendocardial, mid-wall, epicardial or transmural."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import IslandPattern
from ScarSegECGLib.facts import Pattern, ScarRemark
from ScarSegECGLib.measure.cropping import heart_box
from ScarSegECGLib.measure.islands import scar_islands
from ScarSegECGLib.measure.remote import slice_centres
from ScarSegECGLib.measure.transmurality import wall_depth

_SECTORS = 72
_FILLED = 0.5  # a third of the wall counts as scarred from here
_SPARED = 0.25  # and as spared up to here
_OUTWARD = 0.1  # ischaemic scar is fullest inside; coverages this near to each other are alike


def island_patterns(
    scar: NDArray[np.bool_],
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> tuple[IslandPattern, ...]:
    """Pattern of every island, largest island first.

    Each slice is cut into 5 degree sectors; over the sectors an island spans, the share of scar in the inner, middle
    and outer third of the wall (by relative depth) decides. All thirds at least half scarred is transmural; inner
    third nearly free with the outer third the fullest is epicardial; inner third nearly free otherwise, or far
    emptier than the middle one, is mid-wall; everything else is subendocardial.

    Parameters
    ----------
    scar, cavity, myocardium : bool arrays, shape (slice, row, column)
    spacing : (slice, row, column) mm

    Returns
    -------
    tuple of IslandPattern

    References
    ----------
    Mahrholdt H et al. Eur Heart J 2005;26:1461-74 (what the patterns mean). The limits in numbers are this project's
    own.
    """
    labels, islands = scar_islands(scar & myocardium, cavity, spacing)
    if not islands:
        return ()
    box = heart_box(cavity | myocardium)
    labels, blood, wall = labels[box], cavity[box], myocardium[box]
    thirds = np.minimum((wall_depth(blood, wall, spacing) * 3).astype(int), 2)
    z, r, c = np.nonzero(wall)
    centre = slice_centres(blood, wall, spacing)[z]
    angle = np.arctan2(r * spacing[1] - centre[:, 0], c * spacing[2] - centre[:, 1])
    sector = np.minimum(((angle + np.pi) / (2 * np.pi) * _SECTORS).astype(int), _SECTORS - 1)
    column = z * _SECTORS + sector
    size = len(wall) * _SECTORS
    number, layer = labels[z, r, c], thirds[z, r, c]
    of_wall = np.bincount(3 * column + layer, minlength=3 * size).reshape(size, 3)
    mine = number > 0
    own, spanned = np.divmod(np.unique(number[mine] * size + column[mine]), size)  # each island's sectors, once each
    count = len(islands) + 1
    total = np.stack([np.bincount(own, of_wall[spanned, third], count) for third in range(3)], axis=1)
    hit = np.bincount(3 * number[mine] + layer[mine], minlength=3 * count).reshape(count, 3)
    coverages = hit / np.maximum(total, 1)
    patterns = []
    for island in islands:
        inner, middle, outer = coverages[island.number].tolist()
        coverage = (inner, middle, outer)
        pattern = _classify(inner, middle, outer)
        touches = island.touches_endocardium
        remark = _remark(pattern, coverage, touches)
        patterns.append(
            IslandPattern(island.number, pattern, coverage, touches, remark, ml=island.ml, slices=island.slices)
        )
    return tuple(patterns)


def _remark(pattern: Pattern, coverage: tuple[float, float, float], touches_endocardium: bool) -> ScarRemark | None:
    if pattern not in (Pattern.SUBENDOCARDIAL, Pattern.TRANSMURAL):
        return ScarRemark.NON_ISCHAEMIC
    if coverage[2] > coverage[0] + _OUTWARD:
        return ScarRemark.FULLER_OUTSIDE
    return None if touches_endocardium else ScarRemark.OFF_ENDOCARDIUM


def _classify(inner: float, middle: float, outer: float) -> Pattern:
    if min(inner, middle, outer) >= _FILLED:
        return Pattern.TRANSMURAL
    if inner <= _SPARED and outer > middle:
        return Pattern.EPICARDIAL
    if inner <= _SPARED or inner < 0.5 * middle:
        return Pattern.MID_WALL
    return Pattern.SUBENDOCARDIAL
