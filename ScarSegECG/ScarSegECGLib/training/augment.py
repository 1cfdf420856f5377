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

    ``offsets`` [H, W, 2] are the places (row, column), in pixels about the LV's centre, that the network's grid reads;
    ``shift`` pixels that centre may lie elsewhere, a fifth of the time ``far_shift``; ``rotate`` degrees either way;
    ``scale`` the largest zoom in or out and ``stretch`` that of one axis; ``bend`` pixels of smooth deformation;
    ``neighbour_shift`` pixels of breath-hold shift between the slices of one input.
    """

    offsets: Tensor
    shift: float
    far_shift: float
    rotate: float = 45.0
    scale: float = 1.25
    stretch: float = 1.15
    bend: float = 2.0
    neighbour_shift: float = 2.0
    mirror: bool = True


FAR = 0.2  # share of slices whose centre is moved by ``far_shift``


def square_offsets(size: int) -> Tensor:
    """A square of pixels about the centre, [size, size, 2]."""
    axis = torch.arange(size) - (size - 1) / 2
    return torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)


def _uniform(count: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    return torch.rand(count, generator=rng) * (high - low) + low


def _sometimes(count: int, probability: float, rng: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=rng) < probability).float()


def _smooth_field(coarse: Tensor, size: int, unit: Tensor) -> Tensor:
    """Coarse random values [B, C, n, n] over the source image, read smoothly at ``unit`` [B, H, W, 2] in [-1, 1]."""
    fine = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    return F.grid_sample(fine, unit, padding_mode="border", align_corners=True)


def _places(count: int, source: int, centres: Tensor, plan: AugmentPlan, rng: torch.Generator) -> Tensor:
    """Where each output pixel is read, [B, H, W, 2] as (x, y) in units of half the source image from its middle."""
    angle = _uniform(count, -plan.rotate, plan.rotate, rng) * math.pi / 180
    zoom = torch.exp(_uniform(count, -1, 1, rng) * math.log(plan.scale))
    stretch = torch.exp(_uniform(count, -1, 1, rng) * math.log(plan.stretch))
    flip = 1 - 2 * _sometimes(count, 0.5 if plan.mirror else 0.0, rng)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    matrix = torch.stack([cos * flip * stretch, -sin, sin * flip * stretch, cos], dim=1).view(count, 1, 2, 2)
    height, width = plan.offsets.shape[:2]
    places = (matrix @ plan.offsets.flip(-1).view(1, -1, 2, 1)).view(count, height, width, 2)
    spread = torch.where(torch.rand(count, generator=rng) < FAR, plan.far_shift, plan.shift).view(count, 1, 1, 1)
    moved = torch.randn(count, 1, 1, 2, generator=rng) * spread
    unit = (places + centres.flip(-1).view(count, 1, 1, 2) + moved) * (2 / source)
    bend = torch.randn(count, 2, 10, 10, generator=rng) * plan.bend * _sometimes(count, 0.5, rng).view(-1, 1, 1, 1)
    return unit + _smooth_field(bend, 40, unit).permute(0, 2, 3, 1) * (2 / source)


def _warp(
    images: Tensor, labels: Tensor, places: Tensor, plan: AugmentPlan, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    count, channels, source, _ = images.shape
    middle = channels // 2
    warped = []
    for channel in range(channels):
        offset = torch.zeros(count, 1, 1, 2)
        if channel != middle:
            offset = torch.randn(count, 1, 1, 2, generator=rng) * (plan.neighbour_shift * 2 / source)
        one = images[:, channel : channel + 1]
        warped.append(F.grid_sample(one, places + offset, padding_mode="border", align_corners=False))
    read_labels = F.grid_sample(labels[:, None].float(), places, mode="nearest", align_corners=False)
    return torch.cat(warped, dim=1), read_labels[:, 0].to(torch.uint8)


def _blur(images: Tensor, weight: Tensor) -> Tensor:
    """Mix in a 3x3 binomial blur with the given weight per image [B]."""
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).expand(images.shape[1], 1, 3, 3)
    smooth = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), kernel, groups=images.shape[1])
    return torch.lerp(images, smooth, weight.view(-1, 1, 1, 1))


def _coil_shading(places: Tensor, rng: torch.Generator) -> Tensor:
    """A smooth multiplicative field [B, 1, H, W] around 1."""
    count = len(places)
    coarse = torch.randn(count, 1, 4, 4, generator=rng) * 0.1
    coarse = coarse * _sometimes(count, 0.4, rng).view(-1, 1, 1, 1)
    return torch.exp(_smooth_field(coarse, 20, places))


def _recolour(images: Tensor, places: Tensor, rng: torch.Generator) -> Tensor:
    """Contrast, brightness, gamma, shading, blur, and noise; intensities around [-0.5, 0.5]."""
    count, channels = images.shape[:2]
    positive = (images + 0.5).clamp(0, 1.5) * _coil_shading(places, rng)
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


def augment(
    images: Tensor, labels: Tensor, centres: Tensor, plan: AugmentPlan, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Random geometry and random intensities, read on the network's grid.

    Parameters
    ----------
    images : float tensor [B, C, S, S], the slice in the middle channel, its neighbours around it
    labels : uint8 tensor [B, S, S]
    centres : [B, 2], the LV's centre (row, column) in pixels from the image's middle

    Returns
    -------
    images [B, C, H, W] and labels [B, H, W], for H, W of ``plan.offsets``.
    """
    places = _places(len(images), images.shape[-1], centres, plan, rng)
    warped, read_labels = _warp(images, labels, places, plan, rng)
    return _recolour(_hide_neighbours(warped, rng), places, rng), read_labels
