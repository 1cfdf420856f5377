"""Training cases in memory, ready to be cut and changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.case import SCAR
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.field import FIELD_PIXELS, PIXEL_MM, cut_field, whole_slices, with_neighbours
from ScarSegECGLib.training.slice_scale import heart_disc, normalise


def _centres(labels: NDArray, spacing: tuple[float, float]) -> NDArray[np.float64]:
    """One LV centre for all slices (row, column) mm, shape (slice, 2)."""
    where = np.argwhere(labels > 0)
    return np.tile(where[:, 1:].mean(axis=0) * spacing, (len(labels), 1))


def _four_classes(labels: NDArray) -> NDArray[np.float32]:
    """Count MVO as scar."""
    return np.minimum(labels, SCAR).astype(np.float32)


@dataclass(frozen=True)
class Slices:
    """Slices of many patients.

    ``images`` float [N, C, S, S] normalised; ``labels`` uint8 [N, S, S] with 0..3; ``first_of_stack`` bool [N], True at
    each patient's first slice; ``centres`` [N, 2], what the network's grid is laid about, (row, column) pixels from
    the image's middle.
    """

    images: Tensor
    labels: Tensor
    first_of_stack: Tensor
    centres: Tensor


def _firsts(cases: Sequence[ExpertCase]) -> Tensor:
    return torch.cat([torch.arange(len(case.labels)) == 0 for case in cases])


SMALLEST_LV_PIXELS = 20  # a slice that shows less has its LV taken to be where the stack's is


def _lv_centres(labels: Tensor) -> Tensor:
    """LV centre of each slice, (row, column) pixels from the middle of [N, S, S]; 0 where there is (almost) no LV."""
    ventricle = (labels > 0).float()
    axis = torch.arange(labels.shape[-1]) - (labels.shape[-1] - 1) / 2
    mass = ventricle.sum(dim=(1, 2))
    moments = torch.stack([ventricle.sum(dim=2) @ axis, ventricle.sum(dim=1) @ axis], dim=1)
    return torch.where(mass[:, None] > SMALLEST_LV_PIXELS, moments / mass.clamp(min=1)[:, None], 0.0)


def fine_slices(cases: Sequence[ExpertCase]) -> Slices:
    """Fields around the expert's LV centre at 1.25 mm, every slice between its neighbours."""
    images, labels = [], []
    disc = heart_disc(FIELD_PIXELS, PIXEL_MM)
    for case in cases:
        spacing = case.stack.spacing[1:]
        centres = _centres(case.labels, spacing)
        field = cut_field(torch.from_numpy(case.stack.voxels), spacing, centres, size=FIELD_PIXELS)
        images.append(with_neighbours(torch.from_numpy(normalise(field.numpy(), disc))))
        truth = torch.from_numpy(_four_classes(case.labels))
        labels.append(cut_field(truth, spacing, centres, size=FIELD_PIXELS, mode="nearest").to(torch.uint8))
    together = torch.cat(labels)
    return Slices(torch.cat(images), together, _firsts(cases), _lv_centres(together))


def coarse_slices(cases: Sequence[ExpertCase], size: int = 192) -> Slices:
    """Whole slices at 2.5 mm for the locator, padded with black or cut to ``size``."""
    images, labels = [], []
    for case in cases:
        spacing = case.stack.spacing[1:]
        whole = torch.from_numpy(normalise(whole_slices(torch.from_numpy(case.stack.voxels), spacing).numpy()))
        truth = whole_slices(torch.from_numpy((case.labels > 0).astype(np.float32)), spacing) > 0.5
        spare = size - whole.shape[-1]
        pad = (spare // 2, spare - spare // 2) * 2
        images.append(F.pad(whole, pad, value=-0.5)[:, None])
        labels.append(F.pad(truth.to(torch.uint8), pad))
    together = torch.cat(labels)
    return Slices(torch.cat(images), together, _firsts(cases), torch.zeros(len(together), 2))
