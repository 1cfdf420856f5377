"""Square fields around the left ventricle at one pixel size, whole slices for the locator, and where it sees the LV."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.errors import NoLeftVentricle
from ScarSegECGLib.network.polar_grid import read_at

PIXEL_MM = 1.25
LOCATOR_PIXEL_MM = 2.5
FIELD_PIXELS = 160
LOCATOR_FIELD_MM = 240.0  # the locator's field is not smaller: a crop to the heart lies in black, as in training
NOT_FOUND = "no left ventricle found; check that this is a short-axis LGE stack of the heart"
_SMALLEST_LV_ML = 10.0
_REACH_MM = 50.0
_HEART_BLUR_MM = 15.0


def cut_field(
    images: Tensor,
    spacing: tuple[float, float],
    centres_mm: NDArray,
    *,
    size: int = FIELD_PIXELS,
    pixel_mm: float = PIXEL_MM,
    mode: str = "bilinear",
    outside: str = "zeros",
) -> Tensor:
    """Read a square field around a centre from every slice: [K, R, C] -> [K, size, size].

    ``spacing`` is the (row, column) pixel distance, mm; ``centres_mm`` [K, 2], or [1, 2] for all, are (row, column),
    mm = index * spacing; ``pixel_mm`` is the distance of the field's pixels; ``mode`` "bilinear" or "nearest";
    ``outside`` the image are "zeros", or its "border" goes on.
    """
    distance = torch.tensor(spacing, dtype=torch.float64)
    first = (torch.as_tensor(centres_mm, dtype=torch.float64) - (size - 1) / 2 * pixel_mm) / distance
    rows, columns = (first[:, :, None] + torch.arange(size) * (pixel_mm / distance)[:, None]).unbind(dim=1)
    points = torch.stack(torch.broadcast_tensors(rows[:, :, None], columns[:, None, :]), dim=-1)
    return read_at(images[:, None], points, mode, outside)[:, 0]


def whole_slices(images: Tensor, spacing: tuple[float, float]) -> Tensor:
    """The whole slices at the locator's pixel size: [K, R, C] -> [K, S, S], centred, S a multiple of 16.

    Read at half the pixel size and averaged, so that fine texture does not alias.
    """
    shape = np.array(images.shape[1:])
    largest = max(*(shape * spacing), LOCATOR_FIELD_MM)
    size = 16 * int(-(-largest // (16 * LOCATOR_PIXEL_MM)))
    middle = ((shape - 1) / 2 * spacing).astype(np.float32)
    fine = cut_field(images, spacing, middle[None], size=2 * size, pixel_mm=LOCATOR_PIXEL_MM / 2)
    return F.avg_pool2d(fine[:, None], 2)[:, 0]


def with_neighbours(fields: Tensor) -> Tensor:
    """Stack every slice between its two neighbours: [K, H, W] -> [K, 3, H, W]; the ends see themselves."""
    repeated = torch.cat([fields[:1], fields, fields[-1:]])
    return torch.stack([repeated[:-2], fields, repeated[2:]], dim=1)


def offsets_of_lv(probability: NDArray[np.float32], pixel_mm: float, slice_mm: float) -> NDArray[np.float64]:
    """How far the LV lies from the middle of each map of its ``probability`` [K, S, S]: [K, 2] (row, column) mm.

    The place where most slices see the ventricle is taken first, then a straight line through the slices' centres
    near it, weighted by what each slice shows: a slice that shows nothing (or a bright stomach) follows its
    neighbours. ``pixel_mm`` and ``slice_mm`` are the distances between pixels and between slices. NoLeftVentricle where
    there is none.
    """
    likely = np.where(probability > 0.3, probability, 0)
    together = ndimage.gaussian_filter(likely.sum(axis=0), _HEART_BLUR_MM / pixel_mm)
    rows, columns = np.indices(likely.shape[1:])
    heart = np.array(np.unravel_index(np.argmax(together), together.shape))
    near = np.hypot(rows - heart[0], columns - heart[1]) * pixel_mm < _REACH_MM
    likely = likely * near
    mass = likely.sum(axis=(1, 2))
    if mass.sum() * pixel_mm**2 * slice_mm / 1000 < _SMALLEST_LV_ML:
        raise NoLeftVentricle(NOT_FOUND)

    seen = mass > 0
    index = np.flatnonzero(seen)
    found = np.stack([(likely[seen] * axis).sum(axis=(1, 2)) / mass[seen] for axis in (rows, columns)], axis=1)
    if len(index) >= 3:
        line = [np.polyfit(index, found[:, axis], 1, w=np.sqrt(mass[seen])) for axis in (0, 1)]
        centre = np.stack([np.polyval(fit, np.arange(len(mass))) for fit in line], axis=1)
    else:
        centre = np.tile(np.average(found, axis=0, weights=mass[seen]), (len(mass), 1))
    return (centre - (np.array(likely.shape[1:]) - 1) / 2) * pixel_mm


def follow_neighbours(
    centres: NDArray[np.float64], seen: NDArray[np.bool_], before: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give slices that show no LV the centre of the nearest slice that does: [K, 2]; ``before`` where none does."""
    if not seen.any():
        return before
    good = np.flatnonzero(seen)
    nearest = np.abs(np.arange(len(seen))[:, None] - good).argmin(axis=1)
    return centres[good[nearest]]
