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


# Normal patients are painted more rarely, lest the network forgets that there are hearts without scar.
CHANCE_IN_INFARCT, CHANCE_IN_NORMAL = 0.4, 0.15


def _depth_and_angle(labels: NDArray) -> tuple[NDArray, NDArray]:
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
    return depth, angle


def find_walls(images: Tensor, labels: Tensor, first_of_stack: Tensor) -> Walls:
    """Prepare painting.

    Parameters
    ----------
    images : [N, 3, S, S]; labels : uint8 [N, S, S]; first_of_stack : bool [N], True at each patient's first slice
    """
    both = [_depth_and_angle(plane) for plane in labels.numpy()]
    middle = images[:, 1]
    count = len(labels)
    stack = first_of_stack.cumsum(0)
    with_scar = (labels == SCAR).flatten(1).any(dim=1)
    scarred = torch.zeros(int(stack.max()) + 1, dtype=torch.bool).index_put((stack[with_scar],), torch.tensor(True))
    own = torch.arange(count)

    def mean(mask: Tensor) -> Tensor:
        return (middle * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)).clamp(min=1)

    def beside(step: int) -> Tensor:
        other = (own + step).clamp(0, count - 1)
        return torch.where(stack[other] == stack, other, own)

    return Walls(
        torch.from_numpy(np.stack([depth for depth, _ in both])),
        torch.from_numpy(np.stack([angle for _, angle in both])),
        mean(labels == CAVITY),
        mean(labels == MYOCARDIUM),
        torch.stack([beside(-1), own, beside(1)], dim=1),
        torch.where(scarred[stack], CHANCE_IN_INFARCT, CHANCE_IN_NORMAL),
    )


def _extent(angle: Tensor, reach: Tensor, rng: torch.Generator) -> Tensor:
    """Depth to which the scar reaches at each angle: a ragged bump, [B, 1, S, S] like ``reach`` [B, C, 1, 1]."""
    count = len(angle)

    def draw(low: float, high: float) -> Tensor:
        return (torch.rand(count, 1, 1, 1, generator=rng) * (high - low) + low).to(angle)

    turned = angle - draw(-math.pi, math.pi)
    turned = torch.atan2(torch.sin(turned), torch.cos(turned))
    bump = (2 * (1 - (turned / draw(0.25, 1.8)) ** 2)).clamp(-1, 1)
    ragged = sum(draw(-0.12, 0.12) * torch.cos(k * turned + draw(0, 6.3)) for k in (3, 5, 9))
    return torch.where(bump > 0, bump * reach + ragged, torch.full_like(bump, NO_WALL))


def paint(images: Tensor, labels: Tensor, chosen: Tensor, walls: Walls, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paint one scar into some of the chosen slices and their neighbours.

    Parameters
    ----------
    images : [B, 3, S, S]; labels : uint8 [B, S, S]; chosen : [B], their indices in ``walls``

    Returns
    -------
    Changed copies of both; painted voxels of the middle slice carry the scar label.
    """
    struck = torch.rand(len(chosen), generator=rng) < walls.chance[chosen]
    which = struck.nonzero()[:, 0]
    painted, painted_labels = images.clone(), labels.clone()
    if len(which):
        near = slice(EDGE, images.shape[-1] - EDGE)
        painted[which, :, near, near], painted_labels[which, near, near] = _paint_all(
            images[which][:, :, near, near], labels[which][:, near, near], chosen[which], walls, near, rng
        )
    return painted, painted_labels


def _paint_all(
    images: Tensor, labels: Tensor, chosen: Tensor, walls: Walls, near: slice, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    index = walls.neighbours[chosen]
    depth, angle = walls.depth[index][..., near, near], walls.angle[index][..., near, near]
    blood = walls.blood[index][..., None, None]
    muscle = walls.muscle[index][..., None, None]
    count = len(images)

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.rand(count, channels, 1, 1, generator=rng) * (high - low) + low

    beside = torch.cat([draw(0.5, 1.2), torch.ones(count, 1, 1, 1), draw(0.5, 1.2)], dim=1)
    reach = (draw(0.3, 1.4) * beside).clamp(max=1.2)
    extent = _extent(angle, reach, rng)
    allowed = (depth >= 0) & (blood - muscle > 0.1)
    hard = torch.sigmoid((extent - depth) / 0.06) * allowed
    inside = F.avg_pool2d(F.avg_pool2d(hard, 3, 1, 1), 3, 1, 1)  # partial volume at the borders
    size = images.shape[-1]
    grain = torch.randn(count, 3, size // 2, size // 2, generator=rng)
    texture = F.interpolate(grain, size=(size, size), mode="bilinear")
    contrast = blood - muscle
    bright = blood + contrast * (draw(-0.3, 0.5) + 0.2 * texture)
    # Now and then a dark core: microvascular obstruction, which counts as scar.
    core = ((extent * 0.8 - depth) / 0.06).sigmoid() * (depth > 0.15) * (draw(0, 1) < 0.15)
    bright = torch.lerp(bright, muscle + 0.1 * contrast * texture, core)
    painted = torch.lerp(images, bright, (inside * draw(0.75, 1.0)).clamp(0, 1))
    scar = (hard[:, 1] > 0.5) & (labels == MYOCARDIUM)
    return painted, torch.where(scar, torch.full_like(labels, SCAR), labels)
