"""Scar by the recognised intensity rules inside given contours: enclosed MVO counted in, small islands out.

A magnitude image has a true zero, so "half of the maximum" means half of the number; a PSIR image has signed values or
an arbitrary offset, so it means half-way between remote myocardium and the maximum (Kopic et al. 2025, PMC12780287,
advise against it). The noise of nulled myocardium is one-sided and compressed in a magnitude image alone, so the number
of standard deviations has no common default either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
from scipy.special import expit

from ScarSegECGLib.anatomy.polar import Floats, Image, Mask, heart_box
from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Doubt, Fact, Method, ScarSource
from ScarSegECGLib.measure.ewa import ewa
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.measure.parts import enclosed_dark
from ScarSegECGLib.measure.remote import Per, Region, Remote, remote_doubts, remote_myocardium

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
    """Scar inside the myocardium by one rule, and whether it can be.

    InputError for an unknown rule, ``n_sd`` out of range, shapes that differ, an unknown contrast that the rule needs
    to know, or a reader's region outside the myocardium.
    """
    _check(stack, cavity, myocardium, rule)
    healthy = remote_myocardium(stack, cavity, myocardium, rule.remote, per=rule.per)
    bright, levels, method = _bright(stack, cavity, myocardium, rule, healthy)
    box = heart_box(cavity | myocardium, margin=8)
    blood, wall, smallest = cavity[box], myocardium[box], rule.smallest_island_ml
    kept = drop_small_islands(bright[box], stack.spacing, smallest)
    # small islands are out, unless what one of them alone encloses fills it up
    small = bright[box] & ~kept
    dark = enclosed_dark(small, wall, blood, stack.spacing) & ~kept
    if dark.any():
        kept |= drop_small_islands(small, stack.spacing, smallest, enclosed=dark)
    mask = np.zeros(myocardium.shape, bool)
    mask[box] = kept | enclosed_dark(kept, wall, blood, stack.spacing)
    warnings = _too_low(mask, myocardium, healthy, levels)
    if method.remote is not None:
        warnings += remote_doubts(stack, cavity, myocardium, healthy)
    if method.peak_slices is not None and method.peak_slices[0] < method.peak_slices[1]:
        held, shown = method.peak_slices
        warnings += (Fact(Doubt.FWHM_REGION_LENT, held=held, shown=shown),)
    thresholds = tuple(None if np.isnan(level) else float(level) for level in levels)
    return FoundScar(mask, method, thresholds, warnings, healthy)


def _bright(
    stack: LgeStack, cavity: Mask, wall: Mask, rule: ThresholdRule, healthy: Remote
) -> tuple[Mask, Floats, Method]:
    """What lies above the rule's limits, the limits by slice, and the rule as it was used."""
    contrast, source = Contrast(stack.contrast), ScarSource(rule.source)
    n_sd, peak_slices, on_remote, bright = None, None, True, None
    if source is ScarSource.EWA:
        bright, levels = ewa(stack, cavity, wall, healthy)
    elif source is ScarSource.N_SD:
        n_sd = DEFAULT_N_SD.get(contrast) if rule.n_sd is None else rule.n_sd
        if n_sd is None:
            raise InputError(f"the n-SD rule has no default for contrast {contrast}: give the number of SD, 2 to 6")
        if not 2 <= n_sd <= 6:
            raise InputError(f"n_sd is {n_sd:g}: give a number from 2 to 6")
        levels = healthy.mean + n_sd * healthy.sd
    elif source is ScarSource.FWHM:
        on_remote = contrast is Contrast.PSIR  # in a magnitude image half of the maximum is half of a number
        peak, peak_slices = _maximum(stack.voxels, wall, rule, contrast)
        levels = 0.5 * ((healthy.mean if on_remote else 0.0) + peak)
    else:
        on_remote, limit = False, (otsu_threshold if source is ScarSource.OTSU else mixture_threshold)
        levels = _each(stack.voxels, wall, wall, limit, rule.per)
    method = Method(
        source,
        n_sd=n_sd,
        per=rule.per,
        contrast=contrast,
        remote=healthy.region if on_remote else None,
        smallest_island_ml=rule.smallest_island_ml,
        peak_slices=peak_slices,
        encloses_mvo=source is not ScarSource.EWA,  # whose name says so itself
    )
    return wall & (stack.voxels > levels[:, None, None]) if bright is None else bright, levels, method


def _maximum(
    image: Image, wall: Mask, rule: ThresholdRule, contrast: Contrast
) -> tuple[Floats, tuple[int, int] | None]:
    """The maximum by slice, and what :attr:`Method.peak_slices` says of a reader's region."""
    if contrast is Contrast.UNKNOWN:
        raise InputError("contrast unknown: FWHM needs to know whether it is magnitude or PSIR (--contrast)")
    if rule.peak_region is None:
        return _each(image, wall, wall, np.max, rule.per), None
    region = wall & rule.peak_region
    if not region.any():
        raise InputError("the region of FWHM has no voxel in the myocardium: draw it inside the wall, in the scar")
    shown, held = wall.any(axis=(1, 2)), region.any(axis=(1, 2)) | (rule.per == "stack")
    # a reader's few voxels are as good as many, the whole wall's are not
    return _each(image, wall, region, np.max, rule.per, fewest=1), (int((shown & held).sum()), int(shown.sum()))


def _too_low(mask: Mask, myocardium: Mask, healthy: Remote, levels: Floats) -> tuple[Fact, ...]:
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
    count, edges = np.histogram(values, bins=256, range=(lowest, highest))
    centres = (edges[:-1] + edges[1:]) / 2
    weight = np.cumsum(count)[:-1] / count.sum()
    partial = np.cumsum(count * centres)[:-1] / count.sum()
    total = (count * centres).sum() / count.sum()
    between = (total * weight - partial) ** 2 / np.maximum(weight * (1 - weight), 1e-12)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float(edges[1:-1][best].mean())


def mixture_threshold(values: Image) -> float:
    """Where two Gaussians fitted by expectation maximisation, from Otsu's halves on, are equally likely, or midway
    between their means where they do not cross there."""
    data = np.asarray(values, dtype=float)
    middle, spread = data.mean(), data.std()
    if spread == 0:
        return float(data[0])
    high = (data > otsu_threshold(data)).astype(float)  # the chance of each voxel to be bright
    powers = np.stack([np.ones_like(data), data - middle, (data - middle) ** 2])
    both, floor = powers.sum(axis=1), (0.05 * spread) ** 2

    def fitted(count: float, first: float, second: float) -> tuple[float, list[float]]:
        """A Gaussian's mean, and its log likelihood as a parabola in the brightness, from sums over its voxels."""
        count = max(count, 1e-9)
        mean = first / count
        variance = max(second / count - mean**2, floor)
        return mean, [log(count) - 0.5 * (log(variance) + mean**2 / variance), mean / variance, -0.5 / variance]

    dark = light = 0.0
    for _ in range(100):
        bright = powers @ high
        before = dark, light
        (dark, of_dark), (light, of_light) = (fitted(*sums.tolist()) for sums in (both - bright, bright))
        odds = np.subtract(of_dark, of_light)  # how much likelier dark is
        if max(abs(dark - before[0]), abs(light - before[1])) < 1e-4 * spread:
            break
        high = expit(-(odds @ powers))
    steps = np.linspace(dark, light, 513)
    above = np.flatnonzero(np.polynomial.polynomial.polyval(steps, odds) < 0)
    return float(middle + (steps[above[0]] if above.size and above[0] > 0 else (dark + light) / 2))


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


def _check(stack: LgeStack, cavity: Mask, myocardium: Mask, rule: ThresholdRule) -> None:
    if rule.source not in RULES:
        raise InputError(f"unknown method {rule.source!r}: choose one of {', '.join(RULES)}")
    if rule.per not in ("slice", "stack"):
        raise InputError(f"per is {rule.per!r}: choose slice or stack")
    drawn = rule.remote.mask if isinstance(rule.remote, Remote) else rule.remote
    for other in (cavity, myocardium, drawn, rule.peak_region):
        if other is not None and other.shape != stack.voxels.shape:
            raise InputError(f"a mask of shape {other.shape} does not fit the image of shape {stack.voxels.shape}")
    if not myocardium.any():
        raise InputError("no myocardium: draw or segment the wall before looking for scar in it")
