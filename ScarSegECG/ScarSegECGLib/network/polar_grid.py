"""The left ventricle unrolled: what the scar networks look at, and the way back.

Seen from its centre a short-axis ventricle is rings: blood, wall, what lies outside. On a grid of angles and radii
those rings are bands, wherever the wall is thin, thick, or as bright as the blood beside it, so that a network learns
from few patients how the borders run on where they cannot be seen.

One scale for every slice, whatever its scanner, gain or window: percentiles, then a gamma that fixes the median.

Within 45 mm of the LV centre the median lies at 0.50 of the 1-99 % range in the images the networks learned from, and
at 0.37 in those of two other hospitals; the gamma removes that difference, in training and at inference alike.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

ANGLES, RADII = 96, 64
RADIUS_STEP_MM = 0.95
REACH_MM = RADII * RADIUS_STEP_MM
WRAP = 16  # angles repeated at either end, so that a network without circular padding sees the circle go on
ROWS = ANGLES + 2 * WRAP
LOW, MEDIAN, HIGH = 0.01, 0.5, 0.99
GAMMA = (0.35, 2.5)
BRIGHTEST = 1.5  # of the 1-99 % range; fat and flow beyond it say nothing of the wall
HEART_RADIUS_MM = 45.0
_MOSTLY_PADDING = 0.9


def turn_of_rows() -> Tensor:
    """Angle of every row, radians, shape [ROWS]: 0 towards higher columns, growing towards higher rows."""
    return (torch.arange(ROWS) - WRAP) * (2 * math.pi / ANGLES)


def polar_offsets_mm(mirror: bool = False) -> Tensor:
    """Where every grid point lies about the centre, [ROWS, RADII, 2] (row, column) mm; ``mirror`` turns backwards."""
    turn = turn_of_rows()[:, None]
    radius = (torch.arange(RADII) + 0.5) * RADIUS_STEP_MM
    rows = torch.sin(-turn if mirror else turn) * radius
    return torch.stack([rows, torch.cos(turn) * radius], dim=-1)


def polar_area() -> Tensor:
    """Area a grid point stands for, relative to the mean, [ROWS, RADII]; 0 in the repeated angles."""
    radius = torch.arange(RADII) + 0.5
    core = torch.zeros(ROWS, 1)
    core[WRAP : WRAP + ANGLES] = 1
    return core * (radius / radius.mean())


def read_at(images: Tensor, points: Tensor, mode: str = "bilinear", outside: str = "border") -> Tensor:
    """Read images at given places: [K, C, R, S], points [K, H, W, 2] (row, column) index -> [K, C, H, W].

    Points [1, H, W, 2] are read from every image. ``outside``: beyond the image's edge its "border" goes on, or there
    are "zeros".
    """
    size = torch.tensor(images.shape[2:], dtype=points.dtype)
    unit = ((2 * points + 1) / size - 1).flip(-1).float().expand(len(images), -1, -1, -1)
    return F.grid_sample(images.float(), unit, mode=mode, padding_mode=outside, align_corners=False)


def cut_polar(
    images: Tensor,
    spacing: tuple[float, float],
    centres_mm: NDArray,
    *,
    mirror: bool = False,
    corner: tuple[int, int] = (0, 0),
) -> Tensor:
    """Unroll every slice [K, C, R, S] about its centre: [K, C, ROWS, RADII].

    ``spacing`` is the (row, column) pixel distance, mm; ``centres_mm`` [K, 2] are (row, column), mm = index * spacing;
    ``corner`` is the index of the images' first pixel, where they are a part of a slice.
    """
    centres = torch.as_tensor(centres_mm, dtype=torch.float64).view(-1, 1, 1, 2)
    points = (centres + polar_offsets_mm(mirror)) / torch.tensor(spacing, dtype=torch.float64)
    return read_at(images, points - torch.tensor(corner, dtype=torch.float64))


def with_wrap(core: Tensor) -> Tensor:
    """Repeat the angles at either end: [..., ANGLES, RADII] -> [..., ROWS, RADII]."""
    return torch.cat([core[..., -WRAP:, :], core, core[..., :WRAP, :]], dim=-2)


def unmirror(polar: Tensor) -> Tensor:
    """Bring what was read with ``mirror`` back onto the grid read without it: [..., ROWS, RADII]."""
    core = polar[..., WRAP : WRAP + ANGLES, :]
    return with_wrap(torch.cat([core[..., :1, :], core[..., 1:, :].flip(-2)], dim=-2))


def circles_box(shape: tuple[int, int], spacing: tuple[float, float], centres_mm: NDArray) -> tuple[slice, slice]:
    """The rows and columns of the slices that hold all unrolled circles: an eighth of a usual image."""
    first = np.floor((centres_mm.min(axis=0) - REACH_MM) / spacing).clip(0, np.array(shape) - 1).astype(int)
    stop = (np.ceil((centres_mm.max(axis=0) + REACH_MM) / spacing) + 1).clip(first + 1, shape).astype(int)
    return slice(int(first[0]), int(stop[0])), slice(int(first[1]), int(stop[1]))


def put_back_polar(core: Tensor, box: tuple[slice, slice], spacing: tuple[float, float], centres_mm: NDArray) -> Tensor:
    """Inverse of :func:`cut_polar` within a box of the slices, linear: [K, C, ANGLES, RADII], each angle once, ->
    [K, C, rows, columns]; 0 beyond the radii."""
    distance = torch.tensor(spacing, dtype=torch.float64)
    centres = torch.as_tensor(centres_mm, dtype=torch.float64)
    lines = [torch.arange(part.start, part.stop) for part in box]
    places = torch.stack(torch.meshgrid(*lines, indexing="ij"), dim=-1) * distance
    away = (places - centres.view(-1, 1, 1, 2)).float()
    radius = torch.linalg.vector_norm(away, dim=-1)
    turn = torch.atan2(away[..., 0], away[..., 1]) % (2 * math.pi)
    row = turn * (ANGLES / (2 * math.pi)) + WRAP
    column = (radius / RADIUS_STEP_MM - 0.5).clamp(min=0)
    return read_at(with_wrap(core), torch.stack([row, column], dim=-1)).masked_fill((radius > REACH_MM)[:, None], 0)


def centres_of_mass(probability: Tensor) -> tuple[Tensor, Tensor]:
    """Offset (row, column) mm of the mass of ``probability`` [K, ROWS, RADII] from the centre, [K, 2], and mm² [K]."""
    weight = (probability * polar_area()).double()
    mass = weight.sum(dim=(1, 2))
    offset = torch.einsum("khw,hwc->kc", weight, polar_offsets_mm().double()) / mass.clamp(min=1e-6)[:, None]
    return offset, mass * (2 * math.pi / ANGLES * RADIUS_STEP_MM**2 * RADII / 2)


def heart_disc() -> Tensor:
    """Grid points of the unrolled slice that cover the disc of 45 mm evenly, [M], flat index into ROWS x RADII."""
    rings = round(HEART_RADIUS_MM / RADIUS_STEP_MM)
    counts = [round(ANGLES * (ring + 0.5) / rings) for ring in range(rings)]
    rows = [WRAP + torch.arange(count) * ANGLES // count for count in counts]
    return torch.cat([row * RADII + ring for ring, row in enumerate(rows)])


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
