"""Infarct core and grey zone (heterogeneous border)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Fact, PartsRemark, PartsRule
from ScarSegECGLib.measure.remote import Region, remote_myocardium


@dataclass(frozen=True)
class GreyZone:
    """Core and grey zone, bool arrays of shape (slice, row, column), disjoint, and how they were told.

    ``told_apart``, bool, shape (slice,): where there is scar and room for a grey zone. Elsewhere the core's limit lies
    below the grey zone's, and no grey voxel does not mean that there is no grey zone. ``scarred``: where there is scar.
    """

    core: NDArray[np.bool_]
    grey: NDArray[np.bool_]
    rule: PartsRule
    told_apart: NDArray[np.bool_]
    scarred: NDArray[np.bool_]

    @property
    def remark(self) -> Fact | None:
        """In how many slices the grey zone could not be told."""
        lost, among = int((self.scarred & ~self.told_apart).sum()), int(self.scarred.sum())
        return Fact(PartsRemark.NO_ROOM, lost=lost, among=among) if lost else None


def grey_zone(
    image: NDArray[np.floating],
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    *,
    scar: NDArray[np.bool_] | None = None,
    mvo: NDArray[np.bool_] | None = None,
    contrast: Contrast = Contrast.MAGNITUDE,
    core_fraction: float = 0.5,
    n_sd: float = 2.0,
    remote: Region = None,
) -> GreyZone:
    """Core above a fraction of the brightest scar, grey zone from remote + n SD up to the core.

    The core rule (half of the maximum) and the grey zone beneath it follow Schmidt et al. 2007 (Circulation 115:2006);
    the lower limit of remote + 2 SD follows Yan et al. 2006 (Circulation 114:32). In a PSIR image, whose zero is not
    the number 0, the fraction is counted from the remote mean. Thresholds are per slice.

    Parameters
    ----------
    image : float array, shape (slice, row, column)
    cavity, myocardium : bool arrays, same shape
    spacing : (slice, row, column) mm
    scar : bool array, optional
        Confines core and grey zone, and holds the maximum; the whole myocardium when absent.
    mvo : bool array, optional
        Counted as core whatever its intensity.
    contrast : {"magnitude", "psir"}
    core_fraction : float
        0..1, exclusive.
    n_sd : float
        Lower limit of the grey zone, SD above remote.
    remote : bool array or Remote, optional
        Remote myocardium drawn by the reader, or found before; found automatically when absent.

    Raises
    ------
    InputError
        Unknown contrast, a fraction outside (0, 1), or no myocardium.
    """
    if contrast == "unknown":
        raise InputError("contrast unknown: core and grey zone need to know whether the image is magnitude or PSIR")
    if not 0 < core_fraction < 1:
        raise InputError(f"core fraction is {core_fraction:g}: give a number between 0 and 1")
    if not myocardium.any():
        raise InputError("no myocardium: draw or segment the wall before looking for scar in it")
    healthy = remote_myocardium(image, cavity, myocardium, spacing, remote)
    region = myocardium if scar is None else scar & myocardium
    peak = np.where(region, image, -np.inf).max(axis=(1, 2))
    foot = np.zeros(len(image)) if contrast == "magnitude" else healthy.mean
    with np.errstate(invalid="ignore"):
        core_level = foot + core_fraction * (peak - foot)
        grey_level = healthy.mean + n_sd * healthy.sd
    # A slice whose core limit lies below the grey zone's has no room for a grey zone.
    core = region & (image > np.fmax(core_level, grey_level)[:, None, None])
    grey = region & (image > grey_level[:, None, None]) & ~core
    if mvo is not None:
        core, grey = core | (mvo & myocardium), grey & ~mvo
    rule = PartsRule(Contrast(contrast), healthy.region, core_fraction, n_sd)
    scarred = np.asarray(region.any(axis=(1, 2)))
    with np.errstate(invalid="ignore"):
        told_apart = np.asarray(scarred & (core_level > grey_level))
    return GreyZone(core, grey, rule, told_apart, scarred)
