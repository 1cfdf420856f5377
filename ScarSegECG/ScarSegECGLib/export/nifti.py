"""Label and probability images (NIfTI) on the input's own grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import MVO, PART_MVO, LabelArray, ScarResult
from ScarSegECGLib.export.grid import write_nifti_image


def write_nifti(result: ScarResult, folder: Path) -> None:
    """Write five images with the voxel order and the pose of the input.

    ``labels.nii.gz`` (uint8: 0 background, 1 LV cavity, 2 myocardium without scar, 3 scar without MVO, 4 MVO, which
    belongs to the scar), ``aha17.nii.gz`` (uint8: 0 outside, 1..17 in the myocardium, scar included),
    ``scar_parts.nii.gz`` (uint8: 1 core, 2 grey zone, 3 below the grey zone's limit, 4 MVO; left out where the parts
    were not looked for), ``scar_probability.nii.gz`` and ``scar_probability_image_only.nii.gz`` (float32, 0..1, with
    and without the ECG).

    Raises
    ------
    InputError
        The input's axes are not perpendicular.
    OSError
        A file could not be written whole.
    """
    images: dict[str, NDArray] = {
        "labels": labels_with_mvo(result),
        "aha17": result.anatomy.aha.astype(np.uint8),
        "scar_probability": result.scar_probability.astype(np.float32),
        "scar_probability_image_only": result.scar_probability_image_only.astype(np.float32),
    }
    if result.parts is not None:
        images["scar_parts"] = result.parts.labels.astype(np.uint8)
    for name, voxels in images.items():
        write_nifti_image(voxels, result.stack, folder / f"{name}.nii.gz")


def labels_with_mvo(result: ScarResult) -> LabelArray:
    """The result's labels with MVO, where there is any, as a label of its own (4) beside the rest of the scar (3)."""
    labels = result.labels.astype(np.uint8)
    if result.parts is not None:
        labels[result.parts.labels == PART_MVO] = MVO
    return labels
