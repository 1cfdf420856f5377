"""Paint scars that were never there into real walls: more places and shapes of scar than the patients have.

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

NO_WALL = -1.0
EDGE = 20  # pixels at the border of a training field, 25 mm, that no wall reaches
# Normal patients are painted more rarely, lest the network forgets that there are hearts without scar.
CHANCE_IN_INFARCT, CHANCE_IN_NORMAL = 0.4, 0.15


@dataclass(frozen=True)
class Walls:
    """Where each slice's wall is, for painting.

    ``depth`` [N, S, S] from 0 at the endocardium to 1 at the epicardium, -1 outside the wall and in slices without
    cavity; ``angle`` [N, S, S] radians about the LV centre; ``blood`` and ``muscle`` [N] mean intensities;
    ``neighbours`` [N, 3] indices of the slice before, itself and the slice after; ``chance`` [N] of being painted.
    """

    depth: Tensor
    angle: Tensor
    blood: Tensor
    muscle: Tensor
    neighbours: Tensor
    chance: Tensor


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


def find_walls(images: Tensor, labels: Tensor, first_of_stack: Tensor) -> Walls:
    """Prepare painting of ``images`` [N, 3, S, S] with ``labels`` uint8 [N, S, S].

    ``first_of_stack`` bool [N] is True at each patient's first slice.
    """
    depths, angles = zip(*(_depth_and_angle(plane) for plane in labels.numpy()), strict=True)
    own = torch.arange(len(labels))
    stack = first_of_stack.cumsum(0) - 1
    scarred = torch.zeros(len(labels), dtype=torch.bool).index_fill(0, stack[(labels == SCAR).any(2).any(1)], True)

    def mean(mask: Tensor) -> Tensor:
        return (images[:, 1] * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)).clamp(min=1)

    def beside(step: int) -> Tensor:
        other = (own + step).clamp(0, len(labels) - 1)
        return torch.where(stack[other] == stack, other, own)

    return Walls(
        torch.stack(depths),
        torch.stack(angles),
        mean(labels == CAVITY),
        mean(labels == MYOCARDIUM),
        torch.stack([beside(-1), own, beside(1)], dim=1),
        torch.where(scarred[stack], CHANCE_IN_INFARCT, CHANCE_IN_NORMAL),
    )


def _drawn(count: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    return torch.rand(count, 1, 1, 1, generator=rng) * (high - low) + low


def _extent(angle: Tensor, reach: Tensor, rng: torch.Generator) -> Tensor:
    """Depth to which the scar reaches at each angle: a ragged bump, [B, 1, S, S] like ``reach`` [B, C, 1, 1]."""
    count = len(angle)
    turned = angle - _drawn(count, -math.pi, math.pi, rng)
    turned = torch.atan2(torch.sin(turned), torch.cos(turned))
    bump = (2 * (1 - (turned / _drawn(count, 0.25, 1.8, rng)) ** 2)).clamp(-1, 1)
    ragged = torch.zeros_like(bump)
    for k in (3, 5, 9):
        ragged = ragged + _drawn(count, -0.12, 0.12, rng) * torch.cos(k * turned + _drawn(count, 0, 6.3, rng))
    return torch.where(bump > 0, bump * reach + ragged, NO_WALL)


def paint(images: Tensor, labels: Tensor, chosen: Tensor, walls: Walls, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paint one scar into some of the ``images`` [B, 3, S, S] and their ``labels`` uint8 [B, S, S]; changed copies.

    ``chosen`` [B] are their indices in ``walls``; painted voxels of the middle slice carry the scar label.
    """
    struck = torch.rand(len(chosen), generator=rng) < walls.chance[chosen]
    which = struck.nonzero()[:, 0]
    painted, painted_labels = images.clone(), labels.clone()
    if len(which):
        near = slice(EDGE, images.shape[-1] - EDGE)
        inner, inner_labels = images[which][:, :, near, near], labels[which][:, near, near]
        painted[which, :, near, near], scar = _paint_all(inner, chosen[which], walls, near, rng)
        painted_labels[which, near, near] = inner_labels.masked_fill(scar & (inner_labels == MYOCARDIUM), SCAR)
    return painted, painted_labels


def _paint_all(
    images: Tensor, chosen: Tensor, walls: Walls, near: slice, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images with a scar in every one, and where it is in the middle slice."""
    index = walls.neighbours[chosen]
    depth, angle = walls.depth[index][..., near, near], walls.angle[index][..., near, near]
    blood, muscle = walls.blood[index][..., None, None], walls.muscle[index][..., None, None]
    contrast, count, size = blood - muscle, len(images), images.shape[-1]
    beside = torch.cat([_drawn(count, 0.5, 1.2, rng), torch.ones(count, 1, 1, 1), _drawn(count, 0.5, 1.2, rng)], dim=1)
    extent = _extent(angle, (_drawn(count, 0.3, 1.4, rng) * beside).clamp(max=1.2), rng)
    hard = torch.sigmoid((extent - depth) / 0.06) * ((depth >= 0) & (contrast > 0.1))
    inside = F.avg_pool2d(F.avg_pool2d(hard, 3, 1, 1), 3, 1, 1)  # partial volume at the borders
    grain = torch.randn(count, 3, size // 2, size // 2, generator=rng)
    texture = F.interpolate(grain, size=(size, size), mode="bilinear")
    bright = blood + contrast * (_drawn(count, -0.3, 0.5, rng) + 0.2 * texture)
    # Now and then a dark core: microvascular obstruction, which counts as scar.
    core = ((extent * 0.8 - depth) / 0.06).sigmoid() * (depth > 0.15) * (_drawn(count, 0, 1, rng) < 0.15)
    bright = torch.lerp(bright, muscle + 0.1 * contrast * texture, core)
    painted = torch.lerp(images, bright, (inside * _drawn(count, 0.75, 1.0, rng)).clamp(0, 1))
    return painted, hard[:, 1] > 0.5
