"""Islands of scar: the smallest that counts, and whether each reaches the endocardium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.measure.cropping import heart_box

SMALLEST_ISLAND_ML = 0.1
"""Islands below this volume do not count, whichever rule or network found them; what a reader drew always does."""

_FULL = np.ones((3, 3, 3), dtype=bool)
_IN_PLANE = _FULL.copy()
_IN_PLANE[[0, 2]] = False


@dataclass(frozen=True)
class Island:
    """One connected piece of scar.

    Attributes
    ----------
    number : int
        Its value in the label array, from 1, largest first.
    voxels : int
    ml : float
    touches_endocardium : bool
        False flags a non-ischaemic pattern or a false positive; the island itself is never deleted for it.
    slices : tuple of int
        First and last slice.
    """

    number: int
    voxels: int
    ml: float
    touches_endocardium: bool
    slices: tuple[int, int]


def scar_islands(
    scar: NDArray[np.bool_], cavity: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> tuple[NDArray[np.int32], tuple[Island, ...]]:
    """Connected pieces of scar (26 neighbours), largest first, each with its endocardial contact flag.

    An island touches the endocardium where one of its voxels is next to the cavity in the same slice (8 neighbours),
    or, in a slice without cavity (the apical cap), straight below the cavity of a neighbouring slice.

    Parameters
    ----------
    scar, cavity : bool arrays, shape (slice, row, column)
    spacing : (slice, row, column) mm

    Returns
    -------
    labels : int32 array, same shape
        0 outside, island number inside.
    islands : tuple of Island

    References
    ----------
    Mahrholdt H et al. Eur Heart J 2005;26:1461-74 (ischaemic scar reaches the endocardium).
    """
    labels = np.zeros(scar.shape, dtype=np.int32)
    if not scar.any():
        return labels, ()
    box = heart_box(scar | cavity, margin=1)
    found, count = ndimage.label(scar[box], _FULL)
    size = np.bincount(found.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-size, kind="stable")
    rank = np.zeros(count + 1, dtype=np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    found = rank[found]
    touching = np.zeros(count + 1, dtype=bool)
    touching[found[_next_to_cavity(cavity[box])]] = True
    voxel_ml = float(np.prod(spacing)) / 1000.0
    first = box[0].start
    spans = ndimage.find_objects(found)
    islands = tuple(
        Island(
            number=k,
            voxels=int(size[order[k - 1]]),
            ml=float(size[order[k - 1]] * voxel_ml),
            touches_endocardium=bool(touching[k]),
            slices=(first + spans[k - 1][0].start, first + spans[k - 1][0].stop - 1),
        )
        for k in range(1, count + 1)
    )
    labels[box] = found
    return labels, islands


def drop_small_islands(
    scar: NDArray[np.bool_],
    spacing: tuple[float, float, float] | None = None,
    *,
    minimum_ml: float = 0.0,
    share_of_largest: float = 0.0,
    enclosed: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """The scar without islands below a volume, or below a share of the largest island.

    Parameters
    ----------
    scar : bool array, shape (slice, row, column)
    spacing : (slice, row, column) mm
        Needed for ``minimum_ml``.
    minimum_ml : float
        An island of exactly this volume stays.
    share_of_largest : float
        0..1.
    enclosed : bool array, same shape, optional
        MVO, which belongs to the infarct round it: each piece counts in the volume of the island that it touches, and
        of none where it touches several, because a gap between specks would else join them to an infarct.

    Raises
    ------
    ValueError
        ``minimum_ml`` without spacing.
    """
    if minimum_ml and spacing is None:
        raise ValueError("minimum_ml needs the spacing")
    labels, count = ndimage.label(scar, _FULL)
    if count == 0:
        return scar.copy()
    size = np.bincount(labels.ravel())
    size[0] = 0
    if enclosed is not None and enclosed.any():
        size = size + _enclosed_by_one(labels, count, enclosed & ~scar)
    voxel_ml = float(np.prod(spacing)) / 1000.0 if spacing is not None else 1.0
    keep = (size * voxel_ml >= minimum_ml * (1 - 1e-9)) & (size >= share_of_largest * size.max())
    keep[0] = False
    return keep[labels]


def _enclosed_by_one(labels: NDArray[np.integer], count: int, enclosed: NDArray[np.bool_]) -> NDArray[np.intp]:
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


def _next_to_cavity(cavity: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels in contact with the cavity."""
    near = ndimage.binary_dilation(cavity, _IN_PLANE)
    without = np.count_nonzero(cavity, axis=(1, 2)) == 0
    near[1:][without[1:]] |= cavity[:-1][without[1:]]
    near[:-1][without[:-1]] |= cavity[1:][without[:-1]]
    return near
