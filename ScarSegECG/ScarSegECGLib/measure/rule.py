"""Scar by one recognised rule, as every part of the program finds it: enclosed MVO counted in, small islands out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.facts import Contrast, Doubt, Fact, Method, ScarSource
from ScarSegECGLib.measure.islands import drop_small_islands
from ScarSegECGLib.measure.mvo import fill_mvo
from ScarSegECGLib.measure.remote import Region, remote_doubts, remote_myocardium
from ScarSegECGLib.measure.threshold import Per, segment_scar

MOST_SCAR_PERCENT = 60.0
MOST_REMOTE_SCAR_PERCENT = 5.0
LEAST_SD_ABOVE_REMOTE = 2.0
"""A rule that calls more of the wall, or more of the remote region, scar than this, or whose limit lies lower than this
in most slices, has not told scar from healthy myocardium. The numbers are this project's own."""


@dataclass(frozen=True)
class RuleScar:
    """Scar found by one rule.

    Attributes
    ----------
    mask, mvo : bool arrays, shape (slice, row, column)
        The scar with the enclosed MVO, and the MVO alone.
    method : Method
    thresholds : tuple of float or None, length = slices
    warnings : tuple of Fact
        Why the scar is not to be believed; empty where nothing speaks against it.
    remote_mean, remote_sd : tuple of float or None, length = slices
        Of the remote region, whether the rule uses it or not; ``None`` where a slice has no myocardium.
    """

    mask: NDArray[np.bool_]
    mvo: NDArray[np.bool_]
    method: Method
    thresholds: tuple[float | None, ...]
    warnings: tuple[Fact, ...] = ()
    remote_mean: tuple[float | None, ...] = ()
    remote_sd: tuple[float | None, ...] = ()


def scar_by_rule(
    image: NDArray[np.floating],
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    method: str,
    *,
    n_sd: float | None = None,
    per: Per = "slice",
    remote: Region = None,
    contrast: Contrast = Contrast.MAGNITUDE,
    fwhm_region: NDArray[np.bool_] | None = None,
    smallest_island_ml: float = 0.0,
) -> RuleScar:
    """Threshold, leave small islands out, count the MVO in that the rest encloses, and look whether it can be.

    Parameters and errors are those of :func:`ScarSegECGLib.measure.threshold.segment_scar`, and
    ``smallest_island_ml``: islands of scar below it are left out, each counted with the MVO that it alone encloses,
    because both are one infarct.
    """
    found = segment_scar(
        image,
        cavity,
        myocardium,
        spacing,
        method,
        n_sd=n_sd,
        per=per,
        remote=remote,
        contrast=contrast,
        fwhm_region=fwhm_region,
    )
    mask, mvo = _whole_islands(found.mask, cavity, myocardium, spacing, smallest_island_ml)
    told = replace(
        found.method,
        encloses_mvo=found.method.source is not ScarSource.EWA,  # which says so itself
        smallest_island_ml=smallest_island_ml,
    )
    healthy = remote_myocardium(image, cavity, myocardium, spacing, remote, per=per)
    limits = healthy.mean + LEAST_SD_ABOVE_REMOTE * healthy.sd
    levels = np.array([np.nan if level is None else level for level in found.thresholds])
    known = np.isfinite(levels) & np.isfinite(limits)
    # Equality is 2 SD itself; a tenth of a percent is arithmetic.
    low = int((levels[known] < limits[known] - 1e-3 * np.abs(limits[known])).sum())
    share = 100 * float(mask.sum()) / max(int(myocardium.sum()), 1)
    inside = 100 * float((mask & healthy.mask).sum()) / max(int(healthy.mask.sum()), 1)
    doubted = Fact(
        Doubt.THRESHOLD_LOW,
        scar_percent=share if share > MOST_SCAR_PERCENT else 0.0,
        remote_percent=inside if inside > MOST_REMOTE_SCAR_PERCENT else 0.0,
        low=low if low > 0.5 * int(known.sum()) else 0,
        slices=int(known.sum()),
    )
    warnings = [doubted] if doubted["scar_percent"] or doubted["remote_percent"] or doubted["low"] else []
    if told.remote is not None:
        warnings += remote_doubts(image, cavity, myocardium, spacing, healthy, per=per)
    if told.peak_slices is not None and told.peak_slices[0] < told.peak_slices[1]:
        held, shown = told.peak_slices
        warnings.append(Fact(Doubt.FWHM_REGION_LENT, held=held, shown=shown))
    return RuleScar(mask, mvo, told, found.thresholds, tuple(warnings), per_slice(healthy.mean), per_slice(healthy.sd))


def _whole_islands(
    bright: NDArray[np.bool_],
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    smallest_ml: float,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The scar with its MVO, and the MVO; small islands are out, unless what one of them alone encloses fills it up."""
    kept = drop_small_islands(bright, spacing, minimum_ml=smallest_ml)
    if (small := bright & ~kept).any():
        dark = fill_mvo(small, myocardium, cavity, spacing)[1] & ~kept
        if dark.any():
            kept = kept | drop_small_islands(small, spacing, minimum_ml=smallest_ml, enclosed=dark)
    return fill_mvo(kept, myocardium, cavity, spacing)


def per_slice(values: NDArray[np.floating]) -> tuple[float | None, ...]:
    """Plain numbers, ``None`` for NaN."""
    return tuple(None if np.isnan(value) else float(value) for value in values)
