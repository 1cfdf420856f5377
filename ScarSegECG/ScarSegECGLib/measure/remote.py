"""Remote (healthy) myocardium: found by itself as the darkest sector of each slice, or given by the reader."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Doubt, Fact, RemoteRegion, RemoteSource

SECTOR_DEGREES = 60.0
"""One sixth of the wall: as wide as an AHA segment, so that a dark no-reflow core is too small to pass for remote."""

BRIGHTER_SD, WIDER = 2.5, 2.2
"""A reader's region whose mean lies so many SD above the darkest sector's, or whose SD is so many times as large, both
as the median of its slices, is doubted. On EMIDEC that doubts 2 % of the AHA segments without infarct, 57 % of those
with a quarter to a half of infarct and 67 % of those with more; the numbers are this project's own."""

MOST_DRAWN_PERCENT = 5.0
"""Per cent of a remote region that drawn scar may cover; contours of two readers differ by as much."""

_BINS = 72


@dataclass(frozen=True)
class Remote:
    """Remote myocardium and its intensity.

    Attributes
    ----------
    mask : bool array, shape (slice, row, column)
    mean, sd : float64 arrays, shape (slice,)
        Mean and standard deviation of the intensity; NaN where a slice has no remote voxel.
    median : float64 array, shape (slice,)
    region : RemoteRegion
        Where it was taken from.
    per : {"slice", "stack", ""}
        What shares one mean and SD; "" where they are to be made anew.
    """

    mask: Mask
    mean: Floats
    sd: Floats
    median: Floats
    region: RemoteRegion = RemoteRegion()
    per: str = ""

    @property
    def chosen(self) -> bool:
        """By the reader, not automatically."""
        return self.region.source is not RemoteSource.AUTOMATIC

    def __getitem__(self, box: tuple[slice, slice, slice]) -> Remote:
        """The same region as part of the stack sees it; ``box`` may cut nothing of it off in the plane."""
        across = box[0]
        whole = np.count_nonzero(np.isfinite(self.mean)) == np.count_nonzero(np.isfinite(self.mean[across]))
        return replace(
            self,
            mask=self.mask[box],
            mean=self.mean[across],
            sd=self.sd[across],
            median=self.median[across],
            per=self.per if whole else "",  # slices that are cut off may have lent their statistics
        )


Region: TypeAlias = "Mask | Remote | None"
"""Remote myocardium as a rule is told it: drawn by the reader, found before, or to be found."""


def remote_myocardium(
    image: NDArray[np.floating],
    cavity: Mask,
    myocardium: Mask,
    spacing: Spacing,
    given: Region = None,
    *,
    per: str = "slice",
    of: RemoteRegion = RemoteRegion(RemoteSource.DRAWN),
) -> Remote:
    """Remote myocardium per slice and its intensity statistics.

    Without ``given``, each slice's remote region is its darkest contiguous 60 degree sector of the wall, seen from the
    centre of the cavity: the window with the lowest mean among those holding at least half the wall voxels that such
    a window holds on average.

    Parameters
    ----------
    image : float array, shape (slice, row, column)
    cavity, myocardium : bool arrays, same shape
    spacing : (slice, row, column) mm
    given : bool array, same shape, or Remote, optional
        A region drawn by the reader; voxels outside the myocardium do not count. Slices it leaves empty take the
        statistics of all its voxels. Or one found before for the same images, whose statistics alone are made anew if
        something else is to share them.
    per : {"slice", "stack"}
        "stack" pools the statistics of every slice.
    of : RemoteRegion
        What a given mask is.

    Raises
    ------
    InputError
        The given region has no voxel inside the myocardium.

    Notes
    -----
    That remote myocardium is the darkest stretch of the wall is what readers draw by hand (Flett et al. 2011, JACC
    Cardiovasc Imaging 4:150); finding it as a sector of 60 degrees is this project's own rule.
    """
    shown = np.asarray(myocardium.any(axis=(1, 2)))
    if isinstance(given, Remote):
        if given.per == per and np.array_equal(np.isfinite(given.mean), shown):
            return given
        mask, region = given.mask, given.region
    elif given is not None:
        mask, region = given & myocardium, of
        if not mask.any():
            raise InputError("the remote region has no voxel in the myocardium: draw it inside the wall")
    else:
        mask, region = _darkest_sectors(image, cavity, myocardium, spacing), RemoteRegion()
    count = len(image)
    mean, sd, median = (np.full(count, np.nan) for _ in range(3))
    held: Mask = np.asarray(mask.any(axis=(1, 2)))
    if held.any():
        pooled = _statistics(image[mask]) if per == "stack" or (shown & ~held).any() else None
        for z in np.flatnonzero(shown):
            alone = per == "slice" and held[z]
            mean[z], sd[z], median[z] = _statistics(image[z][mask[z]]) if alone or pooled is None else pooled
    region = replace(region, held=0, shown=0)
    if region.source is not RemoteSource.AUTOMATIC and per == "slice":
        region = replace(region, held=int((shown & held).sum()), shown=int(shown.sum()))
    return Remote(mask, mean, sd, median, region, per)


def remote_doubts(
    image: NDArray[np.floating],
    cavity: Mask,
    myocardium: Mask,
    spacing: Spacing,
    remote: Remote,
    *,
    per: str = "slice",
    drawn_scar: Mask | None = None,
) -> tuple[Fact, ...]:
    """What speaks against a remote region, with its numbers.

    Parameters
    ----------
    image : float array, shape (slice, row, column)
    cavity, myocardium : bool arrays, same shape
    spacing : (slice, row, column) mm
    remote : Remote
        Of these images. One that the reader chose is held against the automatic one: scar in it is brighter and more
        spread, raises the threshold and so hides scar.
    per : {"slice", "stack"}
        What shares one mean and SD.
    drawn_scar : bool array, same shape, optional
        Scar that somebody drew, where there is any.
    """
    said: list[Fact] = []
    region = replace(remote.region, held=0, shown=0)
    if remote.chosen:
        own = remote_myocardium(image, cavity, myocardium, spacing, remote)
        dark = remote_myocardium(image, cavity, myocardium, spacing)
        shown, held = myocardium.any(axis=(1, 2)), own.mask.any(axis=(1, 2))
        both = held & np.isfinite(dark.mean)
        least = np.maximum(dark.sd[both], 1e-9)
        above = float(np.median((own.mean[both] - dark.mean[both]) / least)) if both.any() else 0.0
        wider = float(np.median(own.sd[both] / least)) if both.any() else 0.0
        if above > BRIGHTER_SD or wider > WIDER:
            mean, dark_mean, sd, dark_sd = (float(np.median(v[both])) for v in (own.mean, dark.mean, own.sd, dark.sd))
            said.append(
                Fact(
                    Doubt.REMOTE_ENHANCED,
                    region=region,
                    **{"mean": mean, "sd": sd, "dark_mean": dark_mean, "dark_sd": dark_sd},
                    **{"above": above, "wider": wider, "slices": int(both.sum())},
                )
            )
        if per == "slice" and (shown & ~held).any():
            low, high = float(np.nanmin(dark.mean)), float(np.nanmax(dark.mean))
            lies_in = {"held": int((shown & held).sum()), "shown": int(shown.sum())}
            said.append(Fact(Doubt.REMOTE_LENT, region=region, **lies_in, low=low, high=high))
    if drawn_scar is not None and remote.mask.any():
        share = 100 * np.count_nonzero(remote.mask & drawn_scar) / np.count_nonzero(remote.mask)
        if share > MOST_DRAWN_PERCENT:
            said.append(Fact(Doubt.REMOTE_IN_SCAR, region=region, percent=float(share)))
    return tuple(said)


def _statistics(values: NDArray[np.floating]) -> Spacing:
    """Mean, standard deviation and median."""
    exact = values.astype(float)
    return float(exact.mean()), float(exact.std()), float(np.median(exact))


def slice_centres(cavity: Mask, myocardium: Mask, spacing: Spacing) -> Floats:
    """Centre of the cavity per slice (of the myocardium where the slice has no cavity), (row mm, column mm).

    Returns
    -------
    float64 array, shape (slice, 2)
        Index times spacing; NaN where a slice has neither.
    """
    has_cavity = np.asarray(cavity.any(axis=(1, 2)))
    # whole numbers, exact in single precision, whose products are much faster than sums of a mask
    shape = np.where(has_cavity[:, None, None], cavity, myocardium).astype(np.float32)
    rows = (shape @ np.ones(shape.shape[2], np.float32)).astype(float)
    columns = (np.ones(shape.shape[1], np.float32) @ shape).astype(float)
    count = rows.sum(axis=1)
    count[count == 0] = np.nan
    row = rows @ np.arange(shape.shape[1]) / count * spacing[1]
    column = columns @ np.arange(shape.shape[2]) / count * spacing[2]
    return np.stack([row, column], axis=1)


def _darkest_sectors(image: NDArray[np.floating], cavity: Mask, myocardium: Mask, spacing: Spacing) -> Mask:
    """The darkest contiguous sector of every slice's wall."""
    z, r, c = np.nonzero(myocardium)
    centres = slice_centres(cavity, myocardium, spacing)[z]
    angle = np.arctan2(r * spacing[1] - centres[:, 0], c * spacing[2] - centres[:, 1])
    sector = np.minimum(((angle + np.pi) / (2 * np.pi) * _BINS).astype(int), _BINS - 1)
    key, size = z * _BINS + sector, len(image) * _BINS
    width = round(SECTOR_DEGREES / 360.0 * _BINS)
    sums = _windows(np.bincount(key, image[z, r, c], size), width)
    counts = _windows(np.bincount(key, minlength=size), width)
    enough = counts >= 0.5 * counts.mean(axis=1, keepdims=True)
    means = np.where(enough & (counts > 0), sums / np.maximum(counts, 1), np.inf)
    start = means.argmin(axis=1)
    mask = np.zeros(myocardium.shape, dtype=bool)
    mask[z, r, c] = (sector - start[z]) % _BINS < width
    return mask


def _windows(per_bin: NDArray, width: int) -> Floats:
    """Circular running sums over ``width`` bins, beginning at each bin, of flat bins; shape (slice, bin)."""
    bins = per_bin.reshape(-1, _BINS).astype(float)
    total = np.cumsum(np.concatenate([np.zeros((len(bins), 1)), bins, bins[:, : width - 1]], axis=1), axis=1)
    return total[:, width:] - total[:, :-width]
