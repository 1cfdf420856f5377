"""Islands of scar: the smallest that counts, and where in the wall each lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Mask, Spacing, heart_box, slice_centres
from ScarSegECGLib.case import IslandPattern
from ScarSegECGLib.facts import Pattern, ScarRemark
from ScarSegECGLib.measure.wall import SECTORS, sector_of, wall_depth

SMALLEST_ISLAND_ML = 0.1
"""Islands below this volume do not count, whichever rule or network found them; what a reader drew always does."""

_FULL = np.ones((3, 3, 3), dtype=bool)
_IN_PLANE = _FULL & np.array([0, 1, 0], bool)[:, None, None]
_FILLED = 0.5  # a third of the wall counts as scarred from here
_SPARED = 0.25  # and as spared up to here
_OUTWARD = 0.1  # ischaemic scar is fullest inside; coverages this near to each other are alike


def scar_islands(scar: Mask) -> NDArray[np.int32]:
    """Connected pieces of scar (26 neighbours), numbered from 1 by falling size; 0 outside. Shape as given."""
    found, count = ndimage.label(scar, _FULL)
    order = np.argsort(-np.bincount(found.ravel(), minlength=count + 1)[1:], kind="stable")
    rank = np.zeros(count + 1, dtype=np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    return rank[found]


def island_patterns(scar: Mask, cavity: Mask, myocardium: Mask, spacing: Spacing) -> tuple[IslandPattern, ...]:
    """Pattern of every island of scar in the wall, the largest first.

    Over the 5 degree sectors that an island spans, the share of scar in the inner, middle and outer third of the wall
    (by relative depth) decides. All thirds at least half scarred is transmural; inner third nearly free with the outer
    third the fullest is epicardial; inner third nearly free otherwise, or far emptier than the middle one, is mid-wall;
    everything else is subendocardial. An island touches the endocardium where one of its voxels is next to the cavity
    in the same slice (8 neighbours), or, in a slice without cavity, straight below that of a neighbouring slice. What
    the patterns mean: Mahrholdt H et al. Eur Heart J 2005;26:1461-74; the limits in numbers are this project's own.
    """
    if not (scar & myocardium).any():
        return ()
    box = heart_box(cavity | myocardium)
    blood, wall = cavity[box], myocardium[box] & scar[box].any(axis=(1, 2), keepdims=True)
    labels = scar_islands(scar[box] & wall)
    at = np.nonzero(wall)
    number, touching = labels[at], np.unique(labels[_next_to_cavity(blood)])
    third = np.minimum((wall_depth(blood, wall, spacing)[at] * 3).astype(int), 2)
    sector = at[0] * SECTORS + sector_of(at, slice_centres(blood, wall, spacing), spacing)
    patterns = []
    for island in range(1, int(labels.max()) + 1):
        own = number == island
        spanned = np.isin(sector, sector[own])
        hit, whole = (np.bincount(third[which], minlength=3) for which in (own, spanned))
        inner, middle, outer = (hit / np.maximum(whole, 1)).tolist()
        pattern, touches, there = _classify(inner, middle, outer), bool(island in touching), at[0][own]
        patterns.append(
            IslandPattern(
                number=island,
                pattern=pattern,
                coverage=(inner, middle, outer),
                touches_endocardium=touches,
                remark=_remark(pattern, inner, outer, touches),
                ml=float(there.size * np.prod(spacing) / 1000.0),
                slices=(int(there.min()) + box[0].start, int(there.max()) + box[0].start),
            )
        )
    return tuple(patterns)


def _classify(inner: float, middle: float, outer: float) -> Pattern:
    if min(inner, middle, outer) >= _FILLED:
        return Pattern.TRANSMURAL
    if inner <= _SPARED and outer > middle:
        return Pattern.EPICARDIAL
    if inner <= _SPARED or inner < 0.5 * middle:
        return Pattern.MID_WALL
    return Pattern.SUBENDOCARDIAL


def _remark(pattern: Pattern, inner: float, outer: float, touches_endocardium: bool) -> ScarRemark | None:
    if pattern not in (Pattern.SUBENDOCARDIAL, Pattern.TRANSMURAL):
        return ScarRemark.NON_ISCHAEMIC
    if outer > inner + _OUTWARD:
        return ScarRemark.FULLER_OUTSIDE
    return None if touches_endocardium else ScarRemark.OFF_ENDOCARDIUM


def drop_small_islands(scar: Mask, spacing: Spacing, minimum_ml: float, *, enclosed: Mask | None = None) -> Mask:
    """The scar without islands below a volume; one of exactly ``minimum_ml`` stays.

    ``enclosed`` is MVO, which belongs to the infarct round it: each piece counts in the volume of the island that it
    touches, and of none where it touches several, because a gap between specks would else join them to an infarct.
    """
    kept = scar.copy()
    box = heart_box(scar if enclosed is None else scar | enclosed)
    labels, count = ndimage.label(scar[box], _FULL)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    if count and enclosed is not None:
        pieces, number = ndimage.label(enclosed[box] & ~scar[box], _FULL)
        each = np.arange(1, number + 1)
        first = ndimage.minimum(ndimage.minimum_filter(np.where(labels, labels, count + 1), 3), pieces, each)
        last = ndimage.maximum(ndimage.maximum_filter(labels, 3), pieces, each)
        np.add.at(size, last[first == last], np.bincount(pieces.ravel())[1:][first == last])
    keep = size * float(np.prod(spacing)) / 1000.0 >= minimum_ml * (1 - 1e-9)
    keep[0] = False
    kept[box] = keep[labels]
    return kept


def _next_to_cavity(cavity: Mask) -> Mask:
    near = ndimage.binary_dilation(cavity, _IN_PLANE)
    without = ~cavity.any(axis=(1, 2))
    near[without] = ndimage.binary_dilation(cavity, np.ones((3, 1, 1)))[without]
    return near
