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

    Each slice is cut into 5 degree sectors; over the sectors an island spans, the share of scar in the inner, middle
    and outer third of the wall (by relative depth) decides. All thirds at least half scarred is transmural; inner
    third nearly free with the outer third the fullest is epicardial; inner third nearly free otherwise, or far
    emptier than the middle one, is mid-wall; everything else is subendocardial. An island touches the endocardium where
    one of its voxels is next to the cavity in the same slice (8 neighbours), or, in a slice without cavity (the apical
    cap), straight below the cavity of a neighbouring slice. What the patterns mean, and that ischaemic scar reaches the
    endocardium: Mahrholdt H et al. Eur Heart J 2005;26:1461-74; the limits in numbers are this project's own.
    """
    if not (scar & myocardium).any():
        return ()
    box = heart_box(cavity | myocardium)
    blood, wall = cavity[box], myocardium[box]
    labels = scar_islands(scar[box] & wall)
    count = int(labels.max()) + 1
    touching = np.bincount(labels[_next_to_cavity(blood)], minlength=count) > 0
    at = np.nonzero(wall)
    layer = np.minimum((wall_depth(blood, wall, spacing)[at] * 3).astype(int), 2)
    column = at[0] * SECTORS + sector_of(at, slice_centres(blood, wall, spacing), spacing)
    number, size = labels[at], len(wall) * SECTORS
    of_wall = np.bincount(3 * column + layer, minlength=3 * size).reshape(size, 3)
    mine = number > 0
    own, spanned = np.divmod(np.unique(number[mine] * size + column[mine]), size)  # each island's sectors, once each
    total = np.stack([np.bincount(own, of_wall[spanned, third], count) for third in range(3)], axis=1)
    hit = np.bincount(3 * number[mine] + layer[mine], minlength=3 * count).reshape(count, 3)
    coverages = hit / np.maximum(total, 1)
    ml = np.bincount(number, minlength=count) * float(np.prod(spacing)) / 1000.0
    patterns = []
    for island in range(1, count):
        inner, middle, outer = coverages[island].tolist()
        pattern, touches, there = _classify(inner, middle, outer), bool(touching[island]), at[0][number == island]
        patterns.append(
            IslandPattern(
                number=island,
                pattern=pattern,
                coverage=(inner, middle, outer),
                touches_endocardium=touches,
                remark=_remark(pattern, inner, outer, touches),
                ml=float(ml[island]),
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


def drop_small_islands(
    scar: Mask,
    spacing: Spacing | None = None,
    *,
    minimum_ml: float = 0.0,
    share_of_largest: float = 0.0,
    enclosed: Mask | None = None,
) -> Mask:
    """The scar without islands below a volume, or below a share (0..1) of the largest island.

    An island of exactly ``minimum_ml`` stays; without ``spacing`` (ValueError) it has no meaning. ``enclosed`` is MVO,
    which belongs to the infarct round it: each piece counts in the volume of the island that it touches, and of none
    where it touches several, because a gap between specks would else join them to an infarct.
    """
    if minimum_ml and spacing is None:
        raise ValueError("minimum_ml needs the spacing")
    kept = scar.copy()
    if not scar.any():
        return kept
    box = heart_box(scar if enclosed is None else scar | enclosed)
    near = scar[box]
    labels, count = ndimage.label(near, _FULL)
    size = np.bincount(labels.ravel())
    size[0] = 0
    if enclosed is not None:
        size = size + _enclosed_by_one(labels, count, enclosed[box] & ~near)
    voxel_ml = float(np.prod(spacing)) / 1000.0 if spacing is not None else 1.0
    keep = (size * voxel_ml >= minimum_ml * (1 - 1e-9)) & (size >= share_of_largest * size.max())
    keep[0] = False
    kept[box] = keep[labels]
    return kept


def _enclosed_by_one(labels: NDArray[np.integer], count: int, enclosed: Mask) -> NDArray[np.intp]:
    """Voxels of ``enclosed`` that belong to each island, 0..count: of pieces that touch one island and no other."""
    pieces, number = ndimage.label(enclosed, _FULL)
    belonging = np.zeros(count + 1, dtype=np.intp)
    for k, box in enumerate(ndimage.find_objects(pieces, number), start=1):
        near = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        piece = pieces[near] == k
        touched = np.unique(labels[near][ndimage.binary_dilation(piece, _FULL)])
        if len(touched := touched[touched > 0]) == 1:
            belonging[touched[0]] += np.count_nonzero(piece)
    return belonging


def _next_to_cavity(cavity: Mask) -> Mask:
    """Voxels in contact with the cavity."""
    near = ndimage.binary_dilation(cavity, _IN_PLANE)
    without = np.asarray(~cavity.any(axis=(1, 2)))
    near[1:][without[1:]] |= cavity[:-1][without[1:]]
    near[:-1][without[:-1]] |= cavity[1:][without[:-1]]
    return near
