"""Remote (healthy) myocardium: found by itself as the darkest sector of each slice, or given by the reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError

SECTOR_DEGREES = 60.0
"""One sixth of the wall: as wide as an AHA segment, so that a dark no-reflow core is too small to pass for remote."""

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
    description : str
        As printed.
    """

    mask: NDArray[np.bool_]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    median: NDArray[np.float64]
    description: str

    def __getitem__(self, box: tuple[slice, slice, slice]) -> Remote:
        """The same region as part of the stack sees it; ``box`` may cut nothing of it off in the plane."""
        across = box[0]
        return Remote(self.mask[box], self.mean[across], self.sd[across], self.median[across], self.description)


Region: TypeAlias = "NDArray[np.bool_] | Remote | None"
"""Remote myocardium as a rule is told it: drawn by the reader, found before, or to be found."""


def remote_myocardium(
    image: NDArray[np.floating],
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    given: Region = None,
    *,
    per: str = "slice",
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
        statistics of all its voxels. Or one found before for the same images, whose statistics alone are made anew.
    per : {"slice", "stack"}
        "stack" pools the statistics of every slice.

    Raises
    ------
    InputError
        The given region has no voxel inside the myocardium.

    Notes
    -----
    That remote myocardium is the darkest stretch of the wall is what readers draw by hand (Flett et al. 2011, JACC
    Cardiovasc Imaging 4:150); finding it as a sector of 60 degrees is this project's own rule.
    """
    if isinstance(given, Remote):
        mask, description = given.mask, given.description
    elif given is not None:
        mask = given & myocardium
        if not mask.any():
            raise InputError("the remote region has no voxel in the myocardium: draw it inside the wall")
        description = "remote region drawn by the reader"
    else:
        mask = _darkest_sectors(image, cavity, myocardium, spacing)
        description = f"remote region found automatically: darkest {SECTOR_DEGREES:.0f} degree sector of each slice"
    count = len(image)
    mean, sd, median = (np.full(count, np.nan) for _ in range(3))
    if mask.any():
        pooled = image[mask].astype(float)
        for z in np.flatnonzero(myocardium.any(axis=(1, 2))):
            values = image[z][mask[z]].astype(float) if per == "slice" and mask[z].any() else pooled
            mean[z], sd[z], median[z] = values.mean(), values.std(), np.median(values)
    return Remote(mask, mean, sd, median, description)


def slice_centres(
    cavity: NDArray[np.bool_], myocardium: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Centre of the cavity per slice (of the myocardium where the slice has no cavity), (row mm, column mm).

    Returns
    -------
    float64 array, shape (slice, 2)
        Index times spacing; NaN where a slice has neither.
    """
    has_cavity = np.count_nonzero(cavity, axis=(1, 2)) > 0
    shape = np.where(has_cavity[:, None, None], cavity, myocardium)
    rows, columns = shape.sum(axis=2), shape.sum(axis=1)
    count = rows.sum(axis=1).astype(float)
    count[count == 0] = np.nan
    row = rows @ np.arange(shape.shape[1]) / count * spacing[1]
    column = columns @ np.arange(shape.shape[2]) / count * spacing[2]
    return np.stack([row, column], axis=1)


def _darkest_sectors(
    image: NDArray[np.floating],
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> NDArray[np.bool_]:
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


def _windows(per_bin: NDArray, width: int) -> NDArray[np.float64]:
    """Circular running sums over ``width`` bins, beginning at each bin, of flat bins; shape (slice, bin)."""
    bins = per_bin.reshape(-1, _BINS).astype(float)
    total = np.cumsum(np.concatenate([np.zeros((len(bins), 1)), bins, bins[:, : width - 1]], axis=1), axis=1)
    return total[:, width:] - total[:, :-width]
