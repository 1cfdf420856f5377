"""Scar by the recognised intensity rules inside given contours.

Magnitude and phase-sensitive (PSIR) images are read differently. A magnitude image has a true zero, so "half of the
maximum" means half of the number; a PSIR image has signed values or an arbitrary offset, so it means half-way between
remote myocardium and the maximum. The noise of nulled myocardium is one-sided and compressed in a magnitude image but
not in a PSIR image, so the number of standard deviations has no common default either.
Kopic et al. 2025 (J Cardiovasc Magn Reson, PMC12780287) advise against FWHM on PSIR images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Method, ScarSource
from ScarSegECGLib.measure.cropping import heart_box
from ScarSegECGLib.measure.ewa import ewa
from ScarSegECGLib.measure.remote import Region, Remote, remote_myocardium

METHODS = (ScarSource.N_SD, ScarSource.FWHM, ScarSource.OTSU, ScarSource.MIXTURE, ScarSource.EWA)
Per = Literal["slice", "stack"]

DEFAULT_N_SD: dict[str, float] = {"magnitude": 3.0}
"""3 SD lay closest to experts on magnitude images in Engblom et al. 2016 (PMC4855857). There is no such agreement for
PSIR images, so that n must be named for them (3 SD had the least bias on EMIDEC, see :func:`compare_methods`)."""

_FEWEST_VOXELS = 10
_BINS = 256


@dataclass(frozen=True)
class ScarMask:
    """Scar found by one rule.

    Attributes
    ----------
    mask : bool array, shape (slice, row, column)
    method : Method
        The rule with its parameters and, where it uses one, its remote region.
    thresholds : tuple of float or None, length = slices
        Intensity above which a voxel counts as scar; ``None`` where a slice has no myocardium. For "ewa" the level at
        which intensity alone decides.
    """

    mask: NDArray[np.bool_]
    method: Method
    thresholds: tuple[float | None, ...]


def segment_scar(
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
) -> ScarMask:
    """Segment scar inside the myocardium by one of the recognised rules.

    Parameters
    ----------
    image : float array, shape (slice, row, column)
        LGE intensities, canonical storage.
    cavity, myocardium : bool arrays, same shape
        The contours; the myocardium holds the scar.
    spacing : (slice, row, column) mm
    method : {"n_sd", "fwhm", "otsu", "mixture", "ewa"}
        * ``n_sd``: above remote mean + n standard deviations; Kim et al. 1999 (Circulation 100:1992) with n = 2,
          Bondarenko et al. 2005 (J Cardiovasc Magn Reson 7:481) with n = 2 to 6.
        * ``fwhm``: above half of the maximum (magnitude) or half-way from remote mean to the maximum (PSIR);
          Amado et al. 2004 (J Am Coll Cardiol 44:2383).
        * ``otsu``: greatest variance between two classes, Otsu 1979 (IEEE Trans SMC 9:62).
        * ``mixture``: crossing of two Gaussians fitted by expectation maximisation; Dempster et al. 1977
          (J R Stat Soc B 39:1).
        * ``ewa``: :func:`ScarSegECGLib.measure.ewa.ewa`.
    n_sd : float, optional
        2 to 6; when absent :data:`DEFAULT_N_SD`, which only magnitude images have.
    per : {"slice", "stack"}
        One threshold per slice, or one for all. Use "slice" where every slice has its own intensity scale.
    remote : bool array or Remote, optional
        Remote myocardium drawn by the reader, or found before; found automatically when absent.
    contrast : {"magnitude", "psir", "unknown"}
    fwhm_region : bool array, optional
        Where "fwhm" looks for the maximum; the whole myocardium when absent. Slices it leaves empty take the maximum
        of all its voxels.

    Raises
    ------
    InputError
        Unknown method, ``n_sd`` out of range, shapes that differ, a rule that needs the contrast while it is unknown,
        or a reader's region outside the myocardium.
    """
    _check(image, cavity, myocardium, method, per, remote, fwhm_region)
    box = heart_box(cavity | myocardium)
    inside, blood, wall = image[box], cavity[box], myocardium[box]
    region = None if remote is None else remote[box]
    levels = np.full(len(image), np.nan)
    mask = np.zeros(myocardium.shape, dtype=bool)
    source, contrast = ScarSource(method), Contrast(contrast)
    count_sd = _number_of_sd(n_sd, contrast) if source is ScarSource.N_SD else None
    told = Method(source, n_sd=count_sd, per=per, contrast=contrast)
    if source in (ScarSource.N_SD, ScarSource.FWHM, ScarSource.EWA):
        healthy = remote_myocardium(inside, blood, wall, spacing, region, per=per)
        # half of the maximum is half of a number
        if source is not ScarSource.FWHM or contrast is not Contrast.MAGNITUDE:
            told = replace(told, remote=healthy.region)
    if source is ScarSource.EWA:
        found, levels[box[0]] = ewa(inside, blood, wall, spacing, healthy, per=per)
    else:
        if count_sd is not None:
            levels[box[0]] = healthy.mean + count_sd * healthy.sd
        elif source is ScarSource.FWHM:
            drawn = None if fwhm_region is None else fwhm_region[box]
            levels[box[0]] = _fwhm(inside, wall, drawn, healthy, contrast, per)
            if drawn is not None:
                shown = int(wall.any(axis=(1, 2)).sum())
                lent = int(without_region(wall, drawn).sum()) if per == "slice" else 0
                told = replace(told, peak_slices=(shown - lent, shown))
        else:
            rule = otsu_threshold if source is ScarSource.OTSU else mixture_threshold
            levels[box[0]] = _each(inside, wall, rule, per)
        found = wall & (inside > levels[box[0]][:, None, None])
    mask[box] = found
    return ScarMask(mask, told, tuple(None if np.isnan(level) else float(level) for level in levels))


def otsu_threshold(values: NDArray[np.floating]) -> float:
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


def mixture_threshold(values: NDArray[np.floating], iterations: int = 100) -> float:
    """Where two Gaussians fitted by expectation maximisation are equally likely, between their means.

    Begins with the halves below and above Otsu's threshold. Where the two do not cross between their means the
    midpoint is taken.
    """
    data = np.asarray(values, dtype=float)
    spread = data.std()
    if spread == 0:
        return float(data[0])
    high = (data > otsu_threshold(data)).astype(float)
    floor = (0.05 * spread) ** 2
    mean, variance, weight = np.zeros(2), np.ones(2), np.full(2, 0.5)
    for _ in range(iterations):
        share = np.stack([1 - high, high])
        total = np.maximum(share.sum(axis=1), 1e-9)
        before = mean
        mean = share @ data / total
        variance = np.maximum((share * (data - mean[:, None]) ** 2).sum(axis=1) / total, floor)
        weight = total / total.sum()
        if np.abs(mean - before).max() < 1e-4 * spread:
            break
        log = np.log(weight)[:, None] - 0.5 * np.log(variance)[:, None]
        log = log - (data - mean[:, None]) ** 2 / (2 * variance[:, None])
        high = 1 / (1 + np.exp(np.clip(log[0] - log[1], -50, 50)))
    steps = np.linspace(mean[0], mean[1], 513)
    score = np.log(weight)[:, None] - 0.5 * np.log(variance)[:, None]
    score = score - (steps - mean[:, None]) ** 2 / (2 * variance[:, None])
    above = np.flatnonzero(score[1] > score[0])
    return float(steps[above[0]]) if above.size and above[0] > 0 else float(mean.mean())


def _number_of_sd(n_sd: float | None, contrast: Contrast) -> float:
    if n_sd is None:
        if contrast not in DEFAULT_N_SD:
            raise InputError(f"the n-SD rule has no default for contrast {contrast}: give the number of SD, 2 to 6")
        return DEFAULT_N_SD[contrast]
    if not 2 <= n_sd <= 6:
        raise InputError(f"n_sd is {n_sd:g}: give a number from 2 to 6")
    return n_sd


def _fwhm(
    image: NDArray[np.floating],
    wall: NDArray[np.bool_],
    drawn: NDArray[np.bool_] | None,
    healthy: Remote,
    contrast: Contrast,
    per: Per,
) -> NDArray[np.float64]:
    if contrast == Contrast.UNKNOWN:
        raise InputError("contrast unknown: FWHM needs to know whether the image is magnitude or PSIR; say which it is")
    region = wall if drawn is None else wall & drawn
    if not region.any():
        raise InputError("the region of FWHM has no voxel in the myocardium: draw it inside the wall, in the scar")
    # a reader's few voxels are as good as many, the whole wall's are not
    peak = _each(image, wall, _highest, per, region, _FEWEST_VOXELS if drawn is None else 1)
    foot = 0.0 if contrast == Contrast.MAGNITUDE else healthy.mean
    return np.asarray(0.5 * (foot + peak))


def _highest(values: NDArray[np.floating]) -> float:
    return float(values.max())


def without_region(myocardium: NDArray[np.bool_], region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which slices have myocardium and none of it in ``region``, shape (slice,)."""
    return np.asarray(myocardium.any(axis=(1, 2)) & ~(myocardium & region).any(axis=(1, 2)))


def _each(
    image: NDArray[np.floating],
    wall: NDArray[np.bool_],
    rule: Callable[[NDArray[np.floating]], float],
    per: Per,
    region: NDArray[np.bool_] | None = None,
    fewest: int = _FEWEST_VOXELS,
) -> NDArray[np.float64]:
    """The rule's level in every slice with wall, from ``region``; slices with fewer voxels take the stack's level."""
    where = wall if region is None else region
    levels = np.full(len(image), np.nan)
    if not where.any():
        return levels
    shown = wall.any(axis=(1, 2))
    alone = (np.count_nonzero(where, axis=(1, 2)) >= fewest) & (per == "slice")
    if (shown & ~alone).any():
        levels[shown & ~alone] = rule(image[where])
    for z in np.flatnonzero(shown & alone):
        levels[z] = rule(image[z][where[z]])
    return levels


def _check(
    image: NDArray,
    cavity: NDArray,
    myocardium: NDArray,
    method: str,
    per: str,
    remote: Region,
    region: NDArray | None,
) -> None:
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    if per not in ("slice", "stack"):
        raise InputError(f"per is {per!r}: choose slice or stack")
    for other in (cavity, myocardium, remote.mask if isinstance(remote, Remote) else remote, region):
        if other is not None and other.shape != image.shape:
            raise InputError(f"a mask of shape {other.shape} does not fit the image of shape {image.shape}")
    if not myocardium.any():
        raise InputError("no myocardium: draw or segment the wall before looking for scar in it")
