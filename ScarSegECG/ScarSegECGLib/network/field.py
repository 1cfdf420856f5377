"""Square fields around the left ventricle at one pixel size, and whole slices for the locator."""

from __future__ import annotations

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.network.polar_grid import read_at

PIXEL_MM = 1.25
LOCATOR_PIXEL_MM = 2.5
FIELD_PIXELS = 160
LOCATOR_FIELD_MM = 240.0  # the locator's field is not smaller: a crop to the heart lies in black, as in training


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
    """Read a square field around a centre from every slice.

    Parameters
    ----------
    images : float tensor [K, R, C], or [K, channels, R, C]
    spacing : (row, column) pixel distance, mm
    centres_mm : array [K, 2], (row, column) in mm = index * spacing
    size, pixel_mm : the field's pixels and their distance
    mode : "bilinear" or "nearest"
    outside : "zeros", or "border" where the image's edge goes on beyond it

    Returns
    -------
    float tensor [K, size, size], or [K, channels, size, size].
    """
    planes = images if images.ndim == 4 else images[:, None]
    distance = torch.tensor(spacing, dtype=torch.float64)
    first = (torch.as_tensor(centres_mm, dtype=torch.float64) - (size - 1) / 2 * pixel_mm) / distance
    rows, columns = (first[:, :, None] + torch.arange(size) * (pixel_mm / distance)[:, None]).unbind(dim=1)
    points = torch.stack(torch.broadcast_tensors(rows[:, :, None], columns[:, None, :]), dim=-1)
    read = read_at(planes, points, mode, outside)
    return read if images.ndim == 4 else read[:, 0]


def whole_slices(images: Tensor, spacing: tuple[float, float]) -> Tensor:
    """The whole slices at the locator's pixel size: [K, R, C] -> [K, S, S], centred, S a multiple of 16.

    Read at half the pixel size and averaged, so that fine texture does not alias.
    """
    shape = (images.shape[1], images.shape[2])
    largest = max(shape[0] * spacing[0], shape[1] * spacing[1], LOCATOR_FIELD_MM)
    size = 16 * int(-(-largest // (16 * LOCATOR_PIXEL_MM)))
    middle = torch.tensor([[(n - 1) / 2 * d for n, d in zip(shape, spacing, strict=True)]]).expand(len(images), 2)
    fine = cut_field(images, spacing, middle.numpy(), size=2 * size, pixel_mm=LOCATOR_PIXEL_MM / 2)
    return F.avg_pool2d(fine[:, None], 2)[:, 0]


def with_neighbours(fields: Tensor) -> Tensor:
    """Stack every slice between its two neighbours: [K, H, W] -> [K, 3, H, W]; the ends see themselves."""
    before = torch.cat([fields[:1], fields[:-1]])
    after = torch.cat([fields[1:], fields[-1:]])
    return torch.stack([before, fields, after], dim=1)
