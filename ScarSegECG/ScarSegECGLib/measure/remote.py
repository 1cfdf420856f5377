"""Remote (healthy) myocardium: found by itself as the darkest sector of each slice, or given by the reader."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.polar import Floats, Image, Mask, slice_centres
from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Doubt, Fact, RemoteRegion, RemoteSource
from ScarSegECGLib.measure.wall import SECTORS, sector_of

Per = Literal["slice", "stack"]
"""What shares one threshold, and one mean and SD of remote myocardium."""

SECTOR_DEGREES = 60.0
"""One sixth of the wall: as wide as an AHA segment, so that a dark no-reflow core is too small to pass for remote."""

BRIGHTER_SD, WIDER = 2.5, 2.2
"""A reader's region is doubted whose mean lies so many SD above the darkest sector's, or whose SD is so many times as
large, in the median slice: on EMIDEC 2 % of the AHA segments without infarct, 57 % of those with a quarter to a half of
infarct and 67 % of those with more. The numbers are this project's own."""

MOST_DRAWN_PERCENT = 5.0
"""Per cent of a remote region that drawn scar may cover; contours of two readers differ by as much."""


@dataclass(frozen=True)
class Remote:
    """Remote myocardium and its intensity: mean, SD and median of shape (slice,), NaN where a slice has no wall."""

    mask: Mask
    mean: Floats
    sd: Floats
    median: Floats
    region: RemoteRegion = RemoteRegion()  # where it was taken from
    per: Per = "slice"


Region: TypeAlias = "Mask | Remote | None"
"""Remote myocardium as a rule is told it: drawn by the reader, found before, or to be found."""


def remote_myocardium(
    stack: LgeStack,
    cavity: Mask,
    myocardium: Mask,
    given: Region = None,
    *,
    per: Per = "slice",
    of: RemoteRegion = RemoteRegion(RemoteSource.DRAWN),
) -> Remote:
    """Remote myocardium per slice and its intensity statistics.

    Without ``given``, each slice's remote region is its darkest contiguous 60 degree sector of the wall, seen from the
    centre of the cavity: the window with the lowest mean among those holding at least half the wall voxels that such
    a window holds on average. Readers draw the darkest stretch of the wall (Flett et al. 2011, JACC Cardiovasc Imaging
    4:150); finding it as a sector is this project's own rule.

    ``given`` is a region drawn by the reader, or what ``of`` says; voxels outside the myocardium do not count
    (InputError where all are), and slices it leaves empty take the statistics of all its voxels. Or it is one found
    before, whose statistics alone are made anew for other images or another ``per``; "stack" pools every slice's.
    """
    shown = np.asarray(myocardium.any(axis=(1, 2)))
    if isinstance(given, Remote):
        if given.per == per and np.array_equal(np.isfinite(given.mean), shown):
            return given
        mask, region = given.mask, replace(given.region, held=0, shown=0)
    elif given is not None:
        mask, region = given & myocardium, of
        if not mask.any():
            raise InputError("the remote region has no voxel in the myocardium: draw it inside the wall")
    else:
        mask, region = _darkest_sectors(stack, cavity, myocardium), RemoteRegion()
    held = np.asarray(mask.any(axis=(1, 2)))
    alone = held & (per == "slice")
    statistics = np.full((3, len(mask)), np.nan)
    if (shown & ~alone).any():
        statistics[:, shown & ~alone] = _statistics(stack.voxels[mask])[:, None]
    for z in np.flatnonzero(shown & alone):
        statistics[:, z] = _statistics(stack.voxels[z][mask[z]])
    if region.source is not RemoteSource.AUTOMATIC and per == "slice":
        region = replace(region, held=int((shown & held).sum()), shown=int(shown.sum()))
    mean, sd, median = statistics
    return Remote(mask, mean, sd, median, region, per)


def remote_doubts(
    stack: LgeStack, cavity: Mask, myocardium: Mask, remote: Remote, drawn_scar: Mask | None = None
) -> tuple[Fact, ...]:
    """What speaks against a remote region: one that the reader chose is held against the automatic one, as scar in it,
    brighter and more spread, hides scar elsewhere; and none should lie in ``drawn_scar``, which somebody drew."""
    said: list[Fact] = []
    region = replace(remote.region, held=0, shown=0)
    if remote.region.source is not RemoteSource.AUTOMATIC:
        own = remote_myocardium(stack, cavity, myocardium, remote)
        dark = remote_myocardium(stack, cavity, myocardium)
        both = own.mask.any(axis=(1, 2)) & np.isfinite(dark.mean)
        if both.any():
            least = np.maximum(dark.sd[both], 1e-9)
            above = float(np.median((own.mean[both] - dark.mean[both]) / least))
            wider = float(np.median(own.sd[both] / least))
            if above > BRIGHTER_SD or wider > WIDER:
                values = {"mean": own.mean, "sd": own.sd, "dark_mean": dark.mean, "dark_sd": dark.sd}
                told = {name: float(np.median(value[both])) for name, value in values.items()}
                told |= {"above": above, "wider": wider, "slices": int(both.sum())}
                said.append(Fact(Doubt.REMOTE_ENHANCED, region=region, **told))
        held, shown = own.region.held, own.region.shown
        if remote.per == "slice" and held < shown:
            low, high = float(np.nanmin(dark.mean)), float(np.nanmax(dark.mean))
            said.append(Fact(Doubt.REMOTE_LENT, region=region, held=held, shown=shown, low=low, high=high))
    if drawn_scar is not None and remote.mask.any():
        share = 100 * np.count_nonzero(remote.mask & drawn_scar) / np.count_nonzero(remote.mask)
        if share > MOST_DRAWN_PERCENT:
            said.append(Fact(Doubt.REMOTE_IN_SCAR, region=region, percent=float(share)))
    return tuple(said)


def _statistics(values: Image) -> Floats:
    exact = values.astype(float)
    return np.array([exact.mean(), exact.std(), np.median(exact)])


def _darkest_sectors(stack: LgeStack, cavity: Mask, myocardium: Mask) -> Mask:
    at = np.nonzero(myocardium)
    sector = sector_of(at, slice_centres(cavity, myocardium, stack.spacing), stack.spacing)
    key, size = at[0] * SECTORS + sector, len(myocardium) * SECTORS
    width = round(SECTOR_DEGREES / 360.0 * SECTORS)
    sums, counts = (_windows(np.bincount(key, weight, size), width) for weight in (stack.voxels[at], None))
    enough = counts >= 0.5 * counts.mean(axis=1, keepdims=True)
    start = np.where(enough & (counts > 0), sums / np.maximum(counts, 1), np.inf).argmin(axis=1)
    mask = np.zeros(myocardium.shape, dtype=bool)
    mask[at] = (sector - start[at[0]]) % SECTORS < width
    return mask


def _windows(per_sector: NDArray, width: int) -> Floats:
    """Circular running sums over ``width`` sectors, beginning at each, of flat sectors; shape (slice, sector)."""
    sectors = per_sector.reshape(-1, SECTORS).astype(float)
    around = np.concatenate([sectors, sectors[:, : width - 1]], axis=1)
    return np.lib.stride_tricks.sliding_window_view(around, width, axis=1).sum(axis=2)
