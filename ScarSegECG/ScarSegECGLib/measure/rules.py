"""Scar by the recognised intensity rules inside given contours: enclosed MVO counted in, small islands out.

A magnitude image has a true zero, so "half of the maximum" means half of the number; a PSIR image has signed values or
an arbitrary offset, so it means half-way between remote myocardium and the maximum (Kopic et al. 2025, PMC12780287,
advise against it). The noise of nulled myocardium is one-sided and compressed in a magnitude image alone, so the number
of standard deviations has no common default either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.polar import Floats, Image, Mask, Spacing, heart_box
from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import ContrastUnknown, InputError
from ScarSegECGLib.facts import Contrast, Doubt, Fact, Method, ScarSource
from ScarSegECGLib.measure.ewa import ewa
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.measure.parts import fill_mvo
from ScarSegECGLib.measure.remote import Region, Remote, remote_doubts, remote_myocardium

Per = Literal["slice", "stack"]

RULES = (ScarSource.N_SD, ScarSource.FWHM, ScarSource.OTSU, ScarSource.MIXTURE, ScarSource.EWA)
DEFAULT_N_SD = {Contrast.MAGNITUDE: 3.0}
"""3 SD lay closest to experts on magnitude images in Engblom et al. 2016 (PMC4855857). There is no such agreement for
PSIR images, so that n must be named for them (3 SD had the least bias on EMIDEC)."""

MOST_SCAR_PERCENT = 60.0
MOST_REMOTE_SCAR_PERCENT = 5.0
LEAST_SD_ABOVE_REMOTE = 2.0
"""A rule that calls more of the wall, or more of the remote region, scar than this, or whose limit lies lower than this
in most slices, has not told scar from healthy myocardium. The numbers are this project's own."""

_FEWEST_VOXELS = 10
_BINS = 256
_ITERATIONS = 100


@dataclass(frozen=True)
class ThresholdRule:
    """A recognised rule, one of :data:`RULES` or its name, and its parameters.

    * ``n_sd``: above remote mean + n standard deviations; Kim et al. 1999 (Circulation 100:1992) with n = 2,
      Bondarenko et al. 2005 (J Cardiovasc Magn Reson 7:481) with n = 2 to 6.
    * ``fwhm``: above half of the maximum (magnitude) or half-way from remote mean to the maximum (PSIR);
      Amado et al. 2004 (J Am Coll Cardiol 44:2383).
    * ``otsu``: greatest variance between two classes, Otsu 1979 (IEEE Trans SMC 9:62).
    * ``mixture``: crossing of two Gaussians fitted by expectation maximisation; Dempster et al. 1977
      (J R Stat Soc B 39:1).
    * ``ewa``: :func:`ScarSegECGLib.measure.ewa.ewa`.
    """

    source: ScarSource | str
    n_sd: float | None = None  # 2 to 6; when absent DEFAULT_N_SD, which only magnitude images have
    per: Per = "slice"  # one threshold per slice, each on an intensity scale of its own, or one for all
    remote: Region = None  # as remote_myocardium has it
    peak_region: Mask | None = None  # where fwhm looks for the maximum, of the pooled voxels where a slice has none
    smallest_island_ml: float = SMALLEST_ISLAND_ML  # below it out; counted with the MVO that it alone encloses


@dataclass(frozen=True)
class FoundScar:
    """Scar and how it was found."""

    mask: Mask
    method: Method
    thresholds: tuple[float | None, ...] = ()  # of a rule, by slice: above it is scar; of ewa, intensity alone decides
    warnings: tuple[Fact, ...] = ()  # why the scar is not to be believed
    remote: Remote | None = None  # remote myocardium as the rule saw it


def find_scar(stack: LgeStack, cavity: Mask, myocardium: Mask, rule: ThresholdRule) -> FoundScar:
    """Scar inside the myocardium, which holds it, by one rule, and whether it can be.

    InputError for an unknown rule, ``n_sd`` out of range, shapes that differ, a rule that needs the contrast while it
    is unknown, or a reader's region outside the myocardium.
    """
    image, spacing = stack.voxels, stack.spacing
    _check(image, cavity, myocardium, rule)
    healthy = remote_myocardium(image, cavity, myocardium, spacing, rule.remote, per=rule.per)
    found, levels, method = _bright(stack, cavity, myocardium, rule, healthy)
    mask, box = np.zeros(myocardium.shape, bool), heart_box(cavity | myocardium, margin=8)
    mask[box] = _whole_islands(found[box], cavity[box], myocardium[box], spacing, rule.smallest_island_ml)
    warnings = _too_low(mask, myocardium, healthy, levels)
    if method.remote is not None:
        warnings += remote_doubts(image, cavity, myocardium, spacing, healthy, per=rule.per)
    if method.peak_slices is not None and method.peak_slices[0] < method.peak_slices[1]:
        held, shown = method.peak_slices
        warnings += (Fact(Doubt.FWHM_REGION_LENT, held=held, shown=shown),)
    thresholds = tuple(None if np.isnan(level) else float(level) for level in levels)
    return FoundScar(mask, method, thresholds, warnings, healthy)


def _bright(
    stack: LgeStack, cavity: Mask, myocardium: Mask, rule: ThresholdRule, healthy: Remote
) -> tuple[Mask, Floats, Method]:
    """What lies above the rule's limits, the limits by slice, and the rule as it was used."""
    image, contrast, source = stack.voxels, Contrast(stack.contrast), ScarSource(rule.source)
    method = Method(
        source, per=rule.per, contrast=contrast, smallest_island_ml=rule.smallest_island_ml, encloses_mvo=True
    )
    if source is ScarSource.EWA:
        mask, levels = ewa(image, cavity, myocardium, stack.spacing, healthy, per=rule.per)
        return mask, levels, replace(method, remote=healthy.region, encloses_mvo=False)  # its name says so itself
    if source is ScarSource.N_SD:
        n_sd = _number_of_sd(rule.n_sd, contrast)
        levels = healthy.mean + n_sd * healthy.sd
        method = replace(method, n_sd=n_sd, remote=healthy.region)
    elif source is ScarSource.FWHM:
        levels = _half_maximum(image, myocardium, rule, healthy, contrast)
        if contrast is Contrast.PSIR:  # half of the maximum is half of a number
            method = replace(method, remote=healthy.region)
        if rule.peak_region is not None:
            shown = myocardium.any(axis=(1, 2))
            lent = shown & ~(myocardium & rule.peak_region).any(axis=(1, 2)) & (rule.per == "slice")
            method = replace(method, peak_slices=(int((shown & ~lent).sum()), int(shown.sum())))
    else:
        limit = otsu_threshold if source is ScarSource.OTSU else mixture_threshold
        levels = _each(image, myocardium, myocardium, limit, rule.per)
    return np.asarray(myocardium & (image > levels[:, None, None])), levels, method


def _half_maximum(image: Image, wall: Mask, rule: ThresholdRule, healthy: Remote, contrast: Contrast) -> Floats:
    if contrast is Contrast.UNKNOWN:
        raise ContrastUnknown(
            "contrast unknown: FWHM needs to know whether the image is magnitude or PSIR; say which it is"
        )
    drawn = rule.peak_region
    region = wall if drawn is None else wall & drawn
    if not region.any():
        raise InputError("the region of FWHM has no voxel in the myocardium: draw it inside the wall, in the scar")
    # a reader's few voxels are as good as many, the whole wall's are not
    peak = _each(image, wall, region, np.max, rule.per, _FEWEST_VOXELS if drawn is None else 1)
    foot = 0.0 if contrast is Contrast.MAGNITUDE else healthy.mean
    return 0.5 * (foot + peak)


def _whole_islands(bright: Mask, cavity: Mask, myocardium: Mask, spacing: Spacing, smallest_ml: float) -> Mask:
    """The scar with its MVO; small islands are out, unless what one of them alone encloses fills it up."""
    kept = drop_small_islands(bright, spacing, minimum_ml=smallest_ml)
    if (small := bright & ~kept).any():
        dark = fill_mvo(small, myocardium, cavity, spacing)[1] & ~kept
        if dark.any():
            kept = kept | drop_small_islands(small, spacing, minimum_ml=smallest_ml, enclosed=dark)
    return fill_mvo(kept, myocardium, cavity, spacing)[0]


def _too_low(mask: Mask, myocardium: Mask, healthy: Remote, levels: Floats) -> tuple[Fact, ...]:
    """Whether the limit lies within healthy myocardium."""
    limits = healthy.mean + LEAST_SD_ABOVE_REMOTE * healthy.sd
    known = np.isfinite(levels) & np.isfinite(limits)
    # Equality is 2 SD itself; a tenth of a percent is arithmetic.
    low, slices = int((levels[known] < limits[known] - 1e-3 * np.abs(limits[known])).sum()), int(known.sum())
    share = 100 * float(mask.sum()) / max(int(myocardium.sum()), 1)
    inside = 100 * float((mask & healthy.mask).sum()) / max(int(healthy.mask.sum()), 1)
    doubted = {
        "scar_percent": share if share > MOST_SCAR_PERCENT else 0.0,
        "remote_percent": inside if inside > MOST_REMOTE_SCAR_PERCENT else 0.0,
        "low": low if low > 0.5 * slices else 0,
    }
    return (Fact(Doubt.THRESHOLD_LOW, **doubted, slices=slices),) if any(doubted.values()) else ()


def otsu_threshold(values: Image) -> float:
    """Otsu's threshold of a sample, on 256 bins; the midpoint of the plateau where several are equally good."""
    lowest, highest = float(values.min()), float(values.max())
    if highest <= lowest:
        return highest
    count, edges = np.histogram(values, bins=_BINS, range=(lowest, highest))
    centres = (edges[:-1] + edges[1:]) / 2
    weight = np.cumsum(count)[:-1] / count.sum()
    partial = np.cumsum(count * centres)[:-1] / count.sum()
    total = (count * centres).sum() / count.sum()
    between = (total * weight - partial) ** 2 / np.maximum(weight * (1 - weight), 1e-12)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float(edges[1:-1][best].mean())


def mixture_threshold(values: Image) -> float:
    """Where two Gaussians fitted by expectation maximisation, from Otsu's halves on, are equally likely.

    The midpoint of their means where they do not cross between them.
    """
    data = np.asarray(values, dtype=float)
    spread = data.std()
    if spread == 0:
        return float(data[0])
    high = (data > otsu_threshold(data)).astype(float)
    floor = (0.05 * spread) ** 2
    mean, variance, weight = np.zeros(2), np.ones(2), np.full(2, 0.5)

    def log_odds(at: Floats) -> Floats:
        scores = np.log(weight)[:, None] - 0.5 * np.log(variance)[:, None]
        dark, bright = scores - (at - mean[:, None]) ** 2 / (2 * variance[:, None])
        return dark - bright

    for _ in range(_ITERATIONS):
        share = np.stack([1 - high, high])
        total = np.maximum(share.sum(axis=1), 1e-9)
        before = mean
        mean = share @ data / total
        variance = np.maximum((share * (data - mean[:, None]) ** 2).sum(axis=1) / total, floor)
        weight = total / total.sum()
        if np.abs(mean - before).max() < 1e-4 * spread:
            break
        high = 1 / (1 + np.exp(np.clip(log_odds(data), -50, 50)))
    steps = np.linspace(mean[0], mean[1], 513)
    above = np.flatnonzero(log_odds(steps) < 0)
    return float(steps[above[0]]) if above.size and above[0] > 0 else float(mean.mean())


def _number_of_sd(n_sd: float | None, contrast: Contrast) -> float:
    if n_sd is None:
        if contrast not in DEFAULT_N_SD:
            raise InputError(f"the n-SD rule has no default for contrast {contrast}: give the number of SD, 2 to 6")
        return DEFAULT_N_SD[contrast]
    if not 2 <= n_sd <= 6:
        raise InputError(f"n_sd is {n_sd:g}: give a number from 2 to 6")
    return n_sd


def _each(
    image: Image, wall: Mask, region: Mask, rule: Callable[[Image], float], per: Per, fewest: int = _FEWEST_VOXELS
) -> Floats:
    """The rule's level in every slice with wall, from ``region``; slices with fewer voxels take the stack's level."""
    levels = np.full(len(image), np.nan)
    shown = wall.any(axis=(1, 2))
    alone = (np.count_nonzero(region, axis=(1, 2)) >= fewest) & (per == "slice")
    if (shown & ~alone).any():
        levels[shown & ~alone] = rule(image[region])
    for z in np.flatnonzero(shown & alone):
        levels[z] = rule(image[z][region[z]])
    return levels


def _check(image: NDArray, cavity: Mask, myocardium: Mask, rule: ThresholdRule) -> None:
    if rule.source not in RULES:
        raise InputError(f"unknown method {rule.source!r}: choose one of {', '.join(RULES)}")
    if rule.per not in ("slice", "stack"):
        raise InputError(f"per is {rule.per!r}: choose slice or stack")
    drawn = rule.remote.mask if isinstance(rule.remote, Remote) else rule.remote
    for other in (cavity, myocardium, drawn, rule.peak_region):
        if other is not None and other.shape != image.shape:
            raise InputError(f"a mask of shape {other.shape} does not fit the image of shape {image.shape}")
    if not myocardium.any():
        raise InputError("no myocardium: draw or segment the wall before looking for scar in it")
