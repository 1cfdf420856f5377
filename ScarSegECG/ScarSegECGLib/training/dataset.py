"""Training cases in memory, ready to be cut and changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.case import SCAR, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.lge.normalise import heart_disc, normalise
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.measure.contours import MVO
from ScarSegECGLib.network.field import FIELD_PIXELS, PIXEL_MM, cut_field, whole_slices, with_neighbours


@dataclass(frozen=True)
class ExpertCase:
    """A patient with expert labels on the stack's grid: 0 background, 1 cavity, 2 myocardium, 3 infarct, 4 MVO."""

    name: str
    stack: LgeStack
    labels: LabelArray

    @property
    def scar_ml(self) -> float:
        """Infarct volume, MVO counted in, ml."""
        return float(np.count_nonzero(self.labels >= SCAR)) * self.stack.voxel_ml


def case_folders(cases: Path) -> list[Path]:
    """Folders ``Case_*`` that hold ``Case_*_img.nii.gz`` and ``Case_*_seg.nii.gz``, by name.

    Raises
    ------
    InputError : the folder is missing, holds no case, or a case lacks one of its two files.
    """
    if not cases.is_dir():
        raise InputError(f"{cases.name}: no such folder of cases; give a folder that holds Case_*/Case_*_img.nii.gz")
    folders = sorted(folder for folder in cases.glob("Case_*") if folder.is_dir())
    if not folders:
        raise InputError(f"{cases.name}: holds no case; expected folders Case_* with Case_*_img.nii.gz and _seg.nii.gz")
    for folder in folders:
        for kind in ("img", "seg"):
            if not (folder / f"{folder.name}_{kind}.nii.gz").is_file():
                raise InputError(
                    f"{folder.name}: {folder.name}_{kind}.nii.gz is missing; add it or take the folder away"
                )
    return folders


def load_case(folder: Path) -> ExpertCase:
    """Read the image and the expert labels of one case folder, canonical storage.

    Raises
    ------
    InputError : unreadable files, other labels than 0..4, or labels on another grid than the image.
    """
    stack = read_lge(folder / f"{folder.name}_img.nii.gz")
    labels = read_labels(folder / f"{folder.name}_seg.nii.gz", stack)
    if labels.max() > MVO:
        raise InputError(f"{folder.name}: expert labels hold values above 4; expected 0 background to 4 MVO")
    return ExpertCase(folder.name, stack, labels)


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
    each patient's first slice.
    """

    images: Tensor
    labels: Tensor
    first_of_stack: Tensor


def _firsts(cases: Sequence[ExpertCase]) -> Tensor:
    return torch.cat([torch.arange(len(case.labels)) == 0 for case in cases])


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
    return Slices(torch.cat(images), torch.cat(labels), _firsts(cases))


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
    return Slices(torch.cat(images), torch.cat(labels), _firsts(cases))
