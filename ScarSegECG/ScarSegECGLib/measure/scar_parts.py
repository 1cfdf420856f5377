"""What a scar is made of: core, grey zone, MVO, and what is darker than the grey zone's limit but not enclosed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import (
    MYOCARDIAL_DENSITY_G_PER_ML,
    PART_CORE,
    PART_GREY,
    PART_MVO,
    PART_REST,
    Burden,
    LgeStack,
    ScarParts,
)
from ScarSegECGLib.facts import Contrast, Fact, PartsRemark
from ScarSegECGLib.measure.cropping import heart_box
from ScarSegECGLib.measure.grey_zone import GreyZone, grey_zone
from ScarSegECGLib.measure.mvo import mvo_within
from ScarSegECGLib.measure.remote import Region, remote_myocardium

CORE, GREY, REST, MVO = "Core, without MVO", "Grey zone", "Below the grey zone's limit", "MVO"
"""Their names, as printed; in this order they add up to the scar."""


def scar_parts(
    stack: LgeStack,
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    scar: NDArray[np.bool_],
    *,
    drawn_mvo: NDArray[np.bool_] | None = None,
    remote: Region = None,
) -> ScarParts:
    """Tell the parts of a scar apart, however it was found.

    The rules and their sources are those of :func:`ScarSegECGLib.measure.grey_zone.grey_zone` and
    :func:`ScarSegECGLib.measure.mvo.mvo_within`; both look at the same remote myocardium, found once.

    Parameters
    ----------
    stack : LgeStack
    cavity, myocardium, scar : bool arrays, shape (slice, row, column)
        Scar outside the wall does not count.
    drawn_mvo : bool array, same shape, optional
        MVO that a reader drew in the scar: it counts beside what is found.
    remote : bool array or Remote, optional
        Remote myocardium as the reader sets it, or found before; found automatically when absent.
    """
    # all of it is done in the heart's own box, because most of a slice is not heart
    box = heart_box(cavity | myocardium, margin=8)
    image, blood, wall = stack.voxels[box], cavity[box], myocardium[box]
    held, mvo, zones = scar[box] & wall, np.zeros(wall.shape, bool), None
    if held.any():
        healthy = remote_myocardium(image, blood, wall, stack.spacing, None if remote is None else remote[box])
        mvo = mvo_within(image, blood, wall, stack.spacing, held, healthy)
        if drawn_mvo is not None:
            mvo |= drawn_mvo[box] & held
        if stack.contrast != "unknown":
            zones = grey_zone(image, blood, wall, stack.spacing, scar=held, contrast=stack.contrast, remote=healthy)
    inside = parts_of(held, mvo, zones, stack.voxel_ml, int(np.count_nonzero(wall)), stack.contrast)
    labels = np.zeros(scar.shape, np.uint8)
    labels[box] = inside.labels
    return replace(inside, labels=labels)


def parts_of(
    scar: NDArray[np.bool_],
    mvo: NDArray[np.bool_],
    zones: GreyZone | None,
    voxel_ml: float,
    wall_voxels: int,
    contrast: Contrast,
) -> ScarParts:
    """The parts from masks that were found; those of no scar are 0.

    Parameters
    ----------
    scar, mvo : bool arrays, same shape
        Inside the wall.
    zones : GreyZone or None
        ``None`` where there is no scar or the contrast is unknown.
    voxel_ml : float
    wall_voxels : int
        Voxels of the myocardium, of which the parts are a share.
    contrast : str
        Of the image.
    """
    labels = np.zeros(scar.shape, np.uint8)
    if zones is not None:
        labels[scar], labels[zones.core], labels[zones.grey] = PART_REST, PART_CORE, PART_GREY
    labels[mvo] = PART_MVO
    count = np.bincount(labels.ravel(), minlength=5)

    def share(kind: int) -> Burden:
        ml = float(count[kind]) * voxel_ml
        percent = 100.0 * float(count[kind]) / wall_voxels if wall_voxels else 0.0
        return Burden(ml, ml * MYOCARDIAL_DENSITY_G_PER_ML, percent)

    if zones is None and contrast == "unknown":
        return ScarParts(labels, share(PART_MVO), remark=Fact(PartsRemark.CONTRAST_UNKNOWN) if scar.any() else None)
    room = zones is None or bool(zones.told_apart.any() or not zones.scarred.any())
    return ScarParts(
        labels=labels,
        mvo=share(PART_MVO),
        core=share(PART_CORE),
        grey=share(PART_GREY) if room else None,
        rest=share(PART_REST),
        rule=zones.rule if zones else None,
        remark=zones.remark if zones else None,
    )
