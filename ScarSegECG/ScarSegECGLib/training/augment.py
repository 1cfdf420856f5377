"""Change training slices the way scanners and patients do, a whole batch at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class AugmentPlan:
    """How far a training slice may be changed.

    ``size`` pixels cut out; ``shift`` pixels the LV may lie off the centre; ``rotate`` degrees either way; ``scale``
    the largest zoom in or out; ``bend`` pixels of smooth deformation; ``neighbour_shift`` pixels of breath-hold shift
    between the slices of one input.
    """

    size: int
    shift: float
    rotate: float = 45.0
    scale: float = 1.2
    bend: float = 2.0
    neighbour_shift: float = 2.0
    mirror: bool = True


def _uniform(count: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    return torch.rand(count, generator=rng) * (high - low) + low


def _sometimes(count: int, probability: float, rng: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=rng) < probability).float()


def _sampling_grid(count: int, source: int, plan: AugmentPlan, rng: torch.Generator) -> Tensor:
    """Where each output pixel is read, [B, size, size, 2] as (x, y) in source pixels from the source's centre."""
    angle = _uniform(count, -plan.rotate, plan.rotate, rng) * math.pi / 180
    zoom = torch.exp(_uniform(count, -1, 1, rng) * math.log(plan.scale))
    stretch = torch.exp(_uniform(count, -1, 1, rng) * math.log(1.1))
    flip = 1 - 2 * _sometimes(count, 0.5 if plan.mirror else 0.0, rng)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    matrix = torch.stack([cos * flip * stretch, -sin, sin * flip * stretch, cos], dim=1).view(count, 1, 2, 2)
    axis = torch.arange(plan.size) - (plan.size - 1) / 2
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([columns, rows], dim=-1).view(1, -1, 2, 1)
    grid = (matrix @ points).view(count, plan.size, plan.size, 2)
    bend = torch.randn(count, 2, 6, 6, generator=rng) * plan.bend * _sometimes(count, 0.5, rng).view(-1, 1, 1, 1)
    grid = grid + F.interpolate(bend, size=(plan.size, plan.size), mode="bicubic").permute(0, 2, 3, 1)
    return grid + _uniform(count * 2, -plan.shift, plan.shift, rng).view(count, 1, 1, 2)


def _warp(images: Tensor, labels: Tensor, plan: AugmentPlan, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    count, channels, source, _ = images.shape
    to_unit = 2 / source
    grid = _sampling_grid(count, source, plan, rng)
    middle = channels // 2
    warped = []
    for channel in range(channels):
        offset = torch.zeros(count, 1, 1, 2)
        if channel != middle:
            offset = torch.randn(count, 1, 1, 2, generator=rng) * plan.neighbour_shift
        read = F.grid_sample(
            images[:, channel : channel + 1], (grid + offset) * to_unit, padding_mode="border", align_corners=False
        )
        warped.append(read)
    read_labels = F.grid_sample(labels[:, None].float(), grid * to_unit, mode="nearest", align_corners=False)
    return torch.cat(warped, dim=1), read_labels[:, 0].to(torch.uint8)


def _blur(images: Tensor, weight: Tensor) -> Tensor:
    """Mix in a 3x3 binomial blur with the given weight per image [B]."""
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).expand(images.shape[1], 1, 3, 3)
    smooth = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), kernel, groups=images.shape[1])
    return torch.lerp(images, smooth, weight.view(-1, 1, 1, 1))


def _coil_shading(count: int, size: int, rng: torch.Generator) -> Tensor:
    """A smooth multiplicative field [B, 1, size, size] around 1."""
    coarse = torch.randn(count, 1, 3, 3, generator=rng) * 0.1
    coarse = coarse * _sometimes(count, 0.4, rng).view(-1, 1, 1, 1)
    return torch.exp(F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True))


def _recolour(images: Tensor, rng: torch.Generator) -> Tensor:
    """Contrast, brightness, gamma, shading, blur, and noise; intensities around [-0.5, 0.5]."""
    count, channels, size, _ = images.shape
    positive = (images + 0.5).clamp(0, 1.5) * _coil_shading(count, size, rng)
    gamma = torch.exp(_uniform(count, -0.3, 0.3, rng) * _sometimes(count, 0.5, rng)).view(-1, 1, 1, 1)
    positive = positive.clamp(min=1e-4) ** gamma
    gain = torch.exp(torch.randn(count, channels, 1, 1, generator=rng) * 0.07)
    offset = torch.randn(count, channels, 1, 1, generator=rng) * 0.04
    changed = positive * gain + offset - 0.5
    changed = _blur(changed, _uniform(count, 0, 1, rng) * _sometimes(count, 0.3, rng))
    noise_level = _uniform(count, 0, 0.05, rng) * _sometimes(count, 0.3, rng)
    noise = torch.randn(changed.shape, generator=rng)
    return (changed + noise * noise_level.view(-1, 1, 1, 1)).clamp(-1, 1)


def _hide_neighbours(images: Tensor, rng: torch.Generator, probability: float = 0.1) -> Tensor:
    """Now and then replace a neighbour by the slice itself, as at the ends of a stack or beside a gap."""
    middle = images.shape[1] // 2
    images = images.clone()
    for channel in range(images.shape[1]):
        if channel != middle:
            hide = torch.rand(len(images), generator=rng) < probability
            images[hide, channel] = images[hide, middle]
    return images


def augment(images: Tensor, labels: Tensor, plan: AugmentPlan, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random geometry and random intensities.

    Parameters
    ----------
    images : float tensor [B, C, S, S], the slice in the middle channel, its neighbours around it
    labels : uint8 tensor [B, S, S]

    Returns
    -------
    images [B, C, size, size] and labels [B, size, size].
    """
    warped, read_labels = _warp(images, labels, plan, rng)
    return _recolour(_hide_neighbours(warped, rng), rng), read_labels
