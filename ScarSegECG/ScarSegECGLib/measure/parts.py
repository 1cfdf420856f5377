"""What a scar is made of: core, grey zone, microvascular obstruction (MVO: dark inside bright infarct, and part of it),
and what is as dark but not enclosed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Floats, Image, Mask, Spacing, heart_box, slice_centres
from ScarSegECGLib.case import PART_CORE, PART_GREY, PART_MVO, PART_REST, Burden, LgeStack, ScarParts, burden_of
from ScarSegECGLib.facts import Contrast, Fact, PartsRemark, PartsRule
from ScarSegECGLib.measure.islands import drop_small_islands
from ScarSegECGLib.measure.remote import Region, remote_myocardium
from ScarSegECGLib.measure.wall import CROSS, SECTORS, sector_of

CORE_FRACTION, GREY_SD = 0.5, 2.0
MVO_FRACTION, LEAST_MVO_ML = 0.4, 0.05
"""MVO lies below this part of the way from the remote mean to the slice's bright scar (95th percentile): best of five
in 23 of EMIDEC's infarct patients. Less than so many ml in one piece is noise."""
BRIDGE_MM = 3.0
"""Widest gap in the bright rim that is closed before looking for what it encloses (twice the in-plane pixel)."""
ENCIRCLING_DEGREES = 300.0
"""A dark rim that goes this far round the cavity is spared subendocardium under mid-wall scar, not MVO."""


def scar_parts(
    stack: LgeStack, cavity: Mask, myocardium: Mask, scar: Mask, *, mvo: Mask | None = None, remote: Region = None
) -> ScarParts:
    """Tell the parts of a scar apart, however it was found; scar outside the wall does not count.

    The core lies above half of the slice's brightest scar (in a PSIR image, whose zero is not the number 0, half way to
    it from the remote mean), after Schmidt et al. 2007 (Circulation 115:2006); the grey zone from remote mean + 2 SD up
    to the core, after Yan et al. 2006 (Circulation 114:32). MVO is dark (:data:`MVO_FRACTION`) within
    bright scar (:func:`enclosed_dark`), or as a reader drew it (``mvo``). ``remote`` is of :func:`remote_myocardium`.
    """
    held = scar & myocardium
    labels = np.zeros(held.shape, np.uint8)
    wall, known = int(np.count_nonzero(myocardium)), stack.contrast != Contrast.UNKNOWN
    rule = remark = None
    if wall and (known or (held.any() and mvo is None)):
        healthy = remote_myocardium(stack, cavity, myocardium, remote)
        box = heart_box(cavity | myocardium, margin=8)
        inside, image, foot = held[box], stack.voxels[box], healthy.mean[box[0]]
        if mvo is None:
            top = [np.percentile(i[s], 95) if s.any() else np.nan for i, s in zip(image, inside, strict=True)]
            bright = inside & (image > (foot + MVO_FRACTION * (np.array(top) - foot))[:, None, None])
            dark = enclosed_dark(bright, myocardium[box], cavity[box], stack.spacing) & inside
            mvo = np.zeros_like(held)
            mvo[box] = drop_small_islands(dark, stack.spacing, LEAST_MVO_ML)
        if known:
            rule = PartsRule(Contrast(stack.contrast), healthy.region, CORE_FRACTION, GREY_SD)
            grey_level = foot + GREY_SD * healthy.sd[box[0]]
            at_zero = stack.contrast == Contrast.MAGNITUDE
            remark = _by_brightness(image, inside, np.zeros_like(foot) if at_zero else foot, grey_level, labels[box])
    if mvo is not None:
        labels[mvo & held] = PART_MVO
    if not known and held.any():
        remark = Fact(PartsRemark.CONTRAST_UNKNOWN)
    count = np.bincount(labels[held], minlength=5)

    def part(kind: int) -> Burden:
        return burden_of(int(count[kind]), wall, stack.voxel_ml)

    if not known:
        return ScarParts(labels, part(PART_MVO), remark=remark)
    no_room = remark is not None and remark["lost"] == remark["among"]
    grey = None if no_room else part(PART_GREY)
    return ScarParts(labels, part(PART_MVO), part(PART_CORE), grey, part(PART_REST), rule, remark)


def _by_brightness(
    image: Image, scar: Mask, foot: Floats, grey_level: Floats, labels: NDArray[np.uint8]
) -> Fact | None:
    """Write core, grey zone and rest into ``labels``; in how many slices the grey zone could not be told, because the
    core's limit, half way from ``foot`` to the brightest scar, lies below its own and leaves it no room."""
    slices = np.flatnonzero(scar.any(axis=(1, 2)))
    held, image, foot, grey_level = scar[slices], image[slices], foot[slices], grey_level[slices]
    peak = np.where(held, image, -np.inf).max(axis=(1, 2))
    core_level = foot + CORE_FRACTION * (peak - foot)
    grey = held & (image > grey_level[:, None, None])
    core = held & (image > np.fmax(core_level, grey_level)[:, None, None])
    lost = int((~(core_level > grey_level)).sum())
    labels[slices] = np.select([core, grey, held], [PART_CORE, PART_GREY, PART_REST])
    return Fact(PartsRemark.NO_ROOM, lost=lost, among=len(slices)) if lost else None


def enclosed_dark(scar: Mask, myocardium: Mask, cavity: Mask, spacing: Spacing) -> Mask:
    """The dark islands of the wall that scar in it encloses, alone or together with the cavity: its MVO.

    Works slice by slice: gaps up to 3 mm in the bright rim are bridged, then every part of the wall that can no
    longer reach the outside of the heart counts as MVO and the infarct holds it (Wu KC et al. Circulation
    1998;97:765-72). A dark rim that encircles the cavity is left alone. How it is found is this project's own.
    """
    reach = max(round(BRIDGE_MM / 2 / min(spacing[1:])), 1)
    rim = ndimage.binary_closing(scar, CROSS, reach) & myocardium
    free, regions = ndimage.label(~(rim | cavity), CROSS)
    outside = np.zeros(regions + 1, dtype=bool)
    outside[free[:, [0, -1]]] = outside[free[:, :, [0, -1]]] = True
    outside[0] = False  # what is not free
    dark = ~outside[free] & myocardium & ~scar & ~cavity
    labels, count = ndimage.label(dark, CROSS)
    seen, at = np.zeros((count + 1, SECTORS), dtype=bool), np.nonzero(dark)
    seen[labels[at], sector_of(at, np.nan_to_num(slice_centres(cavity, cavity, spacing)), spacing)] = True
    return dark & (seen.mean(axis=1) * 360.0 < ENCIRCLING_DEGREES)[labels]
