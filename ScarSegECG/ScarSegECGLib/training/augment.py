"""Change training slices the way scanners and patients do, a whole batch at a time, and paint scars into them.

A network trained on few patients learns where their scars were. Painted scars lie anywhere, begin at the endocardium
and reach any depth, and are about as bright as the blood beside them; as the wall's borders are known, they also teach
that the wall goes on where scar and blood cannot be told apart. The images are real, the painted scar is simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGLib.network.polar_grid import levelled
from ScarSegECGLib.training.dataset import Slices, lv_centres

CURVE, CURVE_SD, CURVED = 5, 0.45, 0.7  # pieces of another scanner's curve, their spread, share of images
MOST_NOISE = 0.08
CROPPED, CROP_OFF_PIXELS = 0.3, 6.0  # share of whole slices that are cropped, and how far off the LV's middle
FAR = 0.2  # share of slices whose centre is moved by ``far_shift``
ALONE = 0.25  # share of neighbours that are replaced by the slice itself, as at the ends of a stack or beside a gap
NO_WALL = -1.0
# Normal patients are painted more rarely, lest the network forgets that there are hearts without scar.
CHANCE_IN_INFARCT, CHANCE_IN_NORMAL = 0.4, 0.15


@dataclass(frozen=True)
class AugmentPlan:
    """How far a training slice may be changed."""

    offsets: Tensor  # [H, W, 2], the places (row, column) that the network's grid reads, pixels about the LV's centre
    shift: float  # pixels that this centre may lie elsewhere
    far_shift: float  # the same, a fifth of the time
    rotate: float = 45.0  # degrees either way
    scale: float = 1.25  # the largest zoom in or out
    stretch: float = 1.15  # and that of one axis
    bend: float = 2.0  # pixels of smooth deformation
    neighbour_shift: float = 2.0  # pixels of breath-hold shift between the slices of one input
    mirror: bool = True
    levelled_where: Tensor | None = None  # see :func:`ScarSegECGLib.network.polar_grid.levelled`
    crop_pixels: tuple[float, float] | None = None  # smallest and largest side of a crop about the LV, if any


def square_offsets(size: int) -> Tensor:
    """A square of pixels about the centre, [size, size, 2]."""
    axis = torch.arange(size) - (size - 1) / 2
    return torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)


def augment(
    images: Tensor, labels: Tensor, centres: Tensor, plan: AugmentPlan, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Random geometry and random intensities, read on the network's grid [H, W] of ``plan.offsets``.

    ``images`` [B, C, S, S] hold the slice in the middle channel, its neighbours around it; ``labels`` uint8 [B, S, S];
    ``centres`` [B, 2] are the LV's (row, column) in pixels from the image's middle.
    """
    places = _places(len(images), images.shape[-1], centres, plan, rng)
    warped, read_labels = _warp(_coarser(images, rng), labels, places, plan, rng)
    if plan.crop_pixels is not None:
        warped, read_labels = _cropped(warped, read_labels, plan.crop_pixels, rng)
    return _recolour(warped, places, plan, rng), read_labels


def _uniform(count: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    return torch.rand(count, 1, 1, 1, generator=rng) * (high - low) + low


def _sometimes(count: int, probability: float, rng: torch.Generator) -> Tensor:
    return (torch.rand(count, 1, 1, 1, generator=rng) < probability).float()


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
    matrix = torch.cat([cos * flip * stretch, -sin, sin * flip * stretch, cos], dim=1).view(count, 1, 2, 2)
    height, width = plan.offsets.shape[:2]
    places = (matrix @ plan.offsets.flip(-1).view(1, -1, 2, 1)).view(count, height, width, 2)
    spread = torch.where(torch.rand(count, generator=rng) < FAR, plan.far_shift, plan.shift).view(count, 1, 1, 1)
    moved = torch.randn(count, 1, 1, 2, generator=rng) * spread
    unit = (places + centres.flip(-1).view(count, 1, 1, 2) + moved) * (2 / source)
    bend = torch.randn(count, 2, 10, 10, generator=rng) * plan.bend * _sometimes(count, 0.5, rng)
    return unit + _smooth_field(bend, 40, unit).permute(0, 2, 3, 1) * (2 / source)


def _coarser(images: Tensor, rng: torch.Generator) -> Tensor:
    """A third of the images as if acquired with larger pixels, up to 2.2 times."""
    size, images = images.shape[-1], images.clone()
    part = torch.randperm(len(images), generator=rng).chunk(3)[0]
    factor = float(_uniform(1, 1.2, 2.2, rng))
    small = F.interpolate(images[part], size=round(size / factor), mode="bilinear", antialias=True)
    images[part] = F.interpolate(small, size=size, mode="bilinear")
    return images


def _warp(
    images: Tensor, labels: Tensor, places: Tensor, plan: AugmentPlan, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images and labels read at ``places``; neighbours are shifted, and some are the slice itself."""
    count, channels, source, _ = images.shape
    middle = channels // 2
    offset = torch.randn(count, channels, 1, 1, 2, generator=rng) * (plan.neighbour_shift * 2 / source)
    offset[:, middle] = 0
    where = (places[:, None] + offset).flatten(0, 1)
    warped = F.grid_sample(images.flatten(0, 1)[:, None], where, padding_mode="border", align_corners=False)
    warped = warped.unflatten(0, (count, channels))[:, :, 0]
    alone = torch.rand(count, channels, 1, 1, generator=rng) < ALONE
    read_labels = F.grid_sample(labels[:, None].float(), places, mode="nearest", align_corners=False)
    return torch.where(alone, warped[:, middle : middle + 1], warped), read_labels[:, 0].to(torch.uint8)


def _cropped(images: Tensor, labels: Tensor, sides: tuple[float, float], rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Some images as if exported cropped to the heart: a box about the LV, in black."""
    count, size = len(images), images.shape[-1]
    middle = lv_centres(labels, 0) + torch.randn(count, 2, generator=rng) * CROP_OFF_PIXELS
    half = _uniform(2 * count, sides[0] / 2, sides[1] / 2, rng).view(count, 2)
    axis = torch.arange(size) - (size - 1) / 2
    rows, columns = ((axis - middle[:, d : d + 1]).abs() <= half[:, d : d + 1] for d in (0, 1))
    whole = torch.rand(count, generator=rng) >= CROPPED
    inside = (rows[:, :, None] & columns[:, None, :]) | whole[:, None, None]
    return torch.where(inside[:, None], images, -0.5), labels * inside


def _other_scanner(unit: Tensor, rng: torch.Generator) -> Tensor:
    """Intensities [B, C, H, W] from 0 to 1 (brighter ones allowed) through a random rising curve, one per image."""
    steps = torch.exp(torch.randn(len(unit), CURVE, generator=rng) * CURVE_SD)
    tilt = torch.randn(len(unit), 1, generator=rng) * CURVE_SD
    steps = steps * torch.exp(tilt * torch.linspace(-1.5, 1.5, CURVE))
    steps = torch.where(torch.rand(len(unit), 1, generator=rng) < CURVED, steps, torch.ones_like(steps))
    knots = F.pad((steps / steps.sum(dim=1, keepdim=True)).cumsum(dim=1), (1, 0))
    at = (unit * CURVE).clamp(0, 1.5 * CURVE)
    below = at.floor().clamp(max=CURVE - 1).long()
    flat = below.flatten(1)
    low, high = knots.gather(1, flat).view_as(unit), knots.gather(1, flat + 1).view_as(unit)
    return low + (high - low) * (at - below)


def _recolour(images: Tensor, places: Tensor, plan: AugmentPlan, rng: torch.Generator) -> Tensor:
    """Another scanner's curve, shading, blur and noise; then levelled as at inference, and moved a little off that."""
    count, channels = images.shape[:2]
    unit = (images + 0.5).clamp(0, 1.5)
    black = unit == 0
    shading = torch.randn(count, 1, 4, 4, generator=rng) * 0.1 * _sometimes(count, 0.4, rng)
    unit = _other_scanner(unit * torch.exp(_smooth_field(shading, 20, places)), rng)
    # A 3x3 binomial blur, mixed in with a random weight.
    smooth = F.avg_pool2d(F.avg_pool2d(F.pad(unit, (1, 1, 1, 1), mode="replicate"), 2, 1), 2, 1)
    unit = torch.lerp(unit, smooth, _uniform(count, 0, 1, rng) * _sometimes(count, 0.4, rng))
    # The noise of a magnitude image: a complex Gaussian's modulus.
    grain = _uniform(count, 0, MOST_NOISE, rng) * _sometimes(count, 0.4, rng)
    real, imaginary = torch.randn(2, *unit.shape, generator=rng) * grain
    unit = torch.where(black, unit, torch.hypot(unit + real, imaginary).clamp(min=1e-4))
    level = levelled(unit, plan.levelled_where) + 0.5
    gamma = torch.exp(torch.randn(count, 1, 1, 1, generator=rng) * 0.15)
    gain = torch.exp(torch.randn(count, channels, 1, 1, generator=rng) * 0.05)
    offset = torch.randn(count, channels, 1, 1, generator=rng) * 0.03
    return (level.clamp(min=1e-4) ** gamma * gain + offset - 0.5).clamp(-1, 1)


@dataclass(frozen=True)
class Walls:
    """Where each slice's wall is, for painting."""

    depth: Tensor  # [N, S, S], 0 at the endocardium to 1 at the epicardium; -1 outside the wall and without cavity
    angle: Tensor  # [N, S, S], radians about the LV's centre
    blood: Tensor  # [N], mean intensities
    muscle: Tensor
    neighbours: Tensor  # [N, 3], indices of the slice before, itself and the slice after
    chance: Tensor  # [N], of being painted


def _depth_and_angle(labels: NDArray) -> tuple[Tensor, Tensor]:
    cavity, wall = labels == CAVITY, labels >= MYOCARDIUM
    depth = np.full(labels.shape, NO_WALL, np.float32)
    angle = np.zeros(labels.shape, np.float32)
    if cavity.any() and wall.any():
        inner = ndimage.distance_transform_edt(~cavity)
        outer = ndimage.distance_transform_edt(cavity | wall)
        depth[wall] = (inner / (inner + outer))[wall]
        rows, columns = np.indices(labels.shape)
        middle = ndimage.center_of_mass(cavity)
        angle = np.arctan2(rows - middle[0], columns - middle[1]).astype(np.float32)
    return torch.from_numpy(depth), torch.from_numpy(angle)


def find_walls(slices: Slices) -> Walls:
    """Prepare painting of slices between their neighbours."""
    labels, stack = slices.labels, slices.patient
    depths, angles = zip(*(_depth_and_angle(plane) for plane in labels.numpy()), strict=True)
    middle, masks = slices.images[:, 1], [(labels == kind).float() for kind in (CAVITY, MYOCARDIUM)]
    blood, muscle = ((middle * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)).clamp(min=1) for mask in masks)
    own = torch.arange(len(labels))[:, None]
    beside = (own + torch.tensor([-1, 0, 1])).clamp(0, len(labels) - 1)
    neighbours = torch.where(stack[beside] == stack[own], beside, own)
    scarred = torch.isin(stack, stack[(labels == SCAR).any(2).any(1)])
    chance = torch.where(scarred, CHANCE_IN_INFARCT, CHANCE_IN_NORMAL)
    return Walls(torch.stack(depths), torch.stack(angles), blood, muscle, neighbours, chance)


def _extent(angle: Tensor, reach: Tensor, rng: torch.Generator) -> Tensor:
    """Depth to which the scar reaches at each angle: a ragged bump, [B, 1, S, S] like ``reach`` [B, C, 1, 1]."""
    count = len(angle)
    turned = angle - _uniform(count, -math.pi, math.pi, rng)
    turned = torch.atan2(torch.sin(turned), torch.cos(turned))
    bump = (2 * (1 - (turned / _uniform(count, 0.25, 1.8, rng)) ** 2)).clamp(-1, 1)
    ragged = torch.zeros_like(bump)
    for k in (3, 5, 9):
        ragged = ragged + _uniform(count, -0.12, 0.12, rng) * torch.cos(k * turned + _uniform(count, 0, 6.3, rng))
    return torch.where(bump > 0, bump * reach + ragged, NO_WALL)


def paint(images: Tensor, labels: Tensor, chosen: Tensor, walls: Walls, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paint one scar into some of the ``images`` [B, 3, S, S] and their ``labels`` uint8 [B, S, S]; changed copies.

    ``chosen`` [B] are their indices in ``walls``; painted voxels of the middle slice carry the scar label.
    """
    images, labels = images.clone(), labels.clone()
    struck = (torch.rand(len(chosen), generator=rng) < walls.chance[chosen]).nonzero()[:, 0]
    index, count, size = walls.neighbours[chosen[struck]], len(struck), images.shape[-1]
    depth, angle = walls.depth[index], walls.angle[index]
    blood, muscle = walls.blood[index][..., None, None], walls.muscle[index][..., None, None]
    contrast = blood - muscle
    beside = _uniform(3 * count, 0.5, 1.2, rng).view(count, 3, 1, 1)
    beside[:, 1] = 1.0
    extent = _extent(angle, (_uniform(count, 0.3, 1.4, rng) * beside).clamp(max=1.2), rng)
    hard = torch.sigmoid((extent - depth) / 0.06) * ((depth >= 0) & (contrast > 0.1))
    inside = F.avg_pool2d(F.avg_pool2d(hard, 3, 1, 1), 3, 1, 1)  # partial volume at the borders
    grain = torch.randn(count, 3, size // 2, size // 2, generator=rng)
    texture = F.interpolate(grain, size=(size, size), mode="bilinear")
    bright = blood + contrast * (_uniform(count, -0.3, 0.5, rng) + 0.2 * texture)
    # Now and then a dark core: microvascular obstruction, which counts as scar.
    core = ((extent * 0.8 - depth) / 0.06).sigmoid() * (depth > 0.15) * (_uniform(count, 0, 1, rng) < 0.15)
    bright = torch.lerp(bright, muscle + 0.1 * contrast * texture, core)
    images[struck] = torch.lerp(images[struck], bright, (inside * _uniform(count, 0.75, 1.0, rng)).clamp(0, 1))
    labels[struck] = labels[struck].masked_fill((hard[:, 1] > 0.5) & (labels[struck] == MYOCARDIUM), SCAR)
    return images, labels
