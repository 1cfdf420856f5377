"""Slices of training cases in memory, on one intensity scale, ready to be changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.case import SCAR
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.field import FIELD_PIXELS, PIXEL_MM, cut_field, whole_slices, with_neighbours
from ScarSegECGLib.network.polar_grid import HEART_RADIUS_MM, levels

LOCATOR_PIXELS = 192
SMALLEST_LV_PIXELS = 20  # a slice that shows less has its LV taken to be where the stack's is


def near_heart(shape: Sequence[int], spacing: Sequence[float], centre: NDArray | None = None) -> NDArray[np.bool_]:
    """Pixels [row, column] within 45 mm of ``centre`` (an index; else the middle): the heart and what touches it."""
    middle = (np.array(shape) - 1) / 2 if centre is None else centre
    rows, columns = ((np.arange(n) - at) * step for n, at, step in zip(shape, middle, spacing, strict=True))
    return np.hypot(rows[:, None], columns[None]) <= HEART_RADIUS_MM


HEART_OF_FIELD = torch.from_numpy(np.flatnonzero(near_heart((FIELD_PIXELS, FIELD_PIXELS), (PIXEL_MM, PIXEL_MM))))


def normalise(slices: Tensor, where: Tensor | None = None) -> Tensor:
    """Scale each of [K, H, W] so that its 1st and 99th percentile become -0.5 and 0.5, clipped to [-1, 1].

    Slice by slice, because scanners and exports scale them so; :func:`network.polar_grid.levels` says ``where`` the
    percentiles are taken, so that bright fat far away does not flatten the heart.
    """
    low, _, high = (level[:, 0] for level in levels(slices[:, None], where))
    return ((slices - low) / (high - low).clamp(min=1e-12) - 0.5).clamp(-1, 1)


@dataclass(frozen=True)
class Slices:
    """Slices of many patients."""

    images: Tensor  # float [N, C, S, S], normalised
    labels: Tensor  # uint8 [N, S, S], 0..3
    patient: Tensor  # [N], whose slice
    centres: Tensor  # [N, 2], about what the network's grid is laid, (row, column) pixels from the image's middle


def _slices(images: list[Tensor], labels: list[Tensor]) -> Slices:
    patient = torch.repeat_interleave(torch.tensor([len(stack) for stack in labels]))
    return Slices(torch.cat(images), torch.cat(labels), patient, torch.zeros(len(patient), 2))


def lv_centres(labels: Tensor, fewest: int = SMALLEST_LV_PIXELS) -> Tensor:
    """LV centre of each slice, pixels (row, column) from the middle of [N, S, S]; 0 where it has ``fewest`` or less."""
    ventricle = (labels > 0).float()
    axis = torch.arange(labels.shape[-1]) - (labels.shape[-1] - 1) / 2
    mass = ventricle.sum(dim=(1, 2))
    moments = torch.stack([ventricle.sum(dim=2) @ axis, ventricle.sum(dim=1) @ axis], dim=1)
    return torch.where(mass[:, None] > fewest, moments / mass.clamp(min=1)[:, None], 0.0)


def fine_slices(cases: Sequence[ExpertCase]) -> Slices:
    """Fields around the expert's LV centre at 1.25 mm, every slice between its neighbours; MVO counts as scar."""
    images, labels = [], []
    for case in cases:
        spacing = case.stack.spacing[1:]
        centre = np.argwhere(case.labels > 0)[:, 1:].mean(axis=0) * spacing
        centres = np.tile(centre, (len(case.labels), 1))
        field = cut_field(torch.from_numpy(case.stack.voxels), spacing, centres)
        images.append(with_neighbours(normalise(field, HEART_OF_FIELD)))
        truth = torch.from_numpy(np.minimum(case.labels, SCAR).astype(np.float32))
        labels.append(cut_field(truth, spacing, centres, mode="nearest").to(torch.uint8))
    slices = _slices(images, labels)
    return replace(slices, centres=lv_centres(slices.labels))


def coarse_slices(cases: Sequence[ExpertCase]) -> Slices:
    """Whole slices at 2.5 mm for the locator, padded with black or cut to :data:`LOCATOR_PIXELS`."""
    images, labels = [], []
    for case in cases:
        spacing = case.stack.spacing[1:]
        whole = normalise(whole_slices(torch.from_numpy(case.stack.voxels), spacing))
        truth = whole_slices(torch.from_numpy((case.labels > 0).astype(np.float32)), spacing) > 0.5
        spare = LOCATOR_PIXELS - whole.shape[-1]
        pad = (spare // 2, spare - spare // 2) * 2
        images.append(F.pad(whole, pad, value=-0.5)[:, None])
        labels.append(F.pad(truth.to(torch.uint8), pad))
    return _slices(images, labels)
