"""One scale for every slice, whatever its scanner, gain or window: percentiles, then a gamma that fixes the median.

Within 45 mm of the LV centre the median lies at 0.50 of the 1-99 % range in the images the networks learned from, and
at 0.37 in those of two other hospitals; the gamma removes that difference, in training and at inference alike.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ScarSegECGLib.network.polar_grid import ANGLES, RADII, RADIUS_STEP_MM, WRAP

LOW, MEDIAN, HIGH = 0.01, 0.5, 0.99
GAMMA = (0.35, 2.5)
BRIGHTEST = 1.5  # of the 1-99 % range; fat and flow beyond it say nothing of the wall
HEART_RADIUS_MM = 45.0
_MOSTLY_PADDING = 0.9


def heart_disc() -> Tensor:
    """Grid points of the unrolled slice that cover the disc of 45 mm evenly, [M], flat index into ROWS x RADII."""
    rings = round(HEART_RADIUS_MM / RADIUS_STEP_MM)
    points = []
    for ring in range(rings):
        count = max(1, round(ANGLES * (ring + 0.5) / rings))
        rows = WRAP + (torch.arange(count) * ANGLES) // count
        points.append(rows * RADII + ring)
    return torch.cat(points)


def levels(images: Tensor, where: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """1st, 50th and 99th percentile of every image of [B, C, H, W], each [B, C, 1, 1].

    Pixels of exactly 0 (padding around a shifted or cropped slice) are left out unless nearly all are 0. ``where`` are
    flat indices into H x W of the pixels that count; None takes all.
    """
    chosen = images.flatten(2) if where is None else images.flatten(2)[..., where]
    padding = chosen == 0
    padding &= padding.float().mean(dim=-1, keepdim=True) < _MOSTLY_PADDING
    shares = torch.tensor([LOW, MEDIAN, HIGH], dtype=images.dtype, device=images.device)
    low, median, high = chosen.masked_fill(padding, math.nan).nanquantile(shares, dim=-1)[..., None, None]
    return low, median, high


def levelled(images: Tensor, where: Tensor | None = None) -> Tensor:
    """Scale each image so that its :func:`levels` become -0.5, 0 and 0.5: [B, C, H, W] of any scale, signed or not.

    Within [-0.5, 1]; a constant image becomes -0.5.
    """
    low, median, high = levels(images, where)
    unit = (images - low) / (high - low).clamp(min=1e-12)
    middle = ((median - low) / (high - low).clamp(min=1e-12)).clamp(1e-3, 1 - 1e-3)
    gamma = (math.log(0.5) / middle.log()).clamp(*GAMMA)
    return torch.nan_to_num(unit, nan=0.0).clamp(0, BRIGHTEST) ** gamma - 0.5
