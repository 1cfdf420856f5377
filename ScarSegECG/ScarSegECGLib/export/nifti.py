"""Label and probability images (NIfTI) on the input's own grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.export.grid import stored_image, write_checked


def write_nifti(result: ScarResult, folder: Path) -> None:
    """Write four images with the voxel order and the pose of the input.

    ``labels.nii.gz`` (uint8: 0 background, 1 LV cavity, 2 myocardium without scar, 3 scar), ``aha17.nii.gz`` (uint8:
    0 outside, 1..17 in the myocardium, scar included), ``scar_probability.nii.gz`` and
    ``scar_probability_image_only.nii.gz`` (float32, 0..1, with and without the ECG).

    Raises
    ------
    InputError
        The input's axes are not perpendicular.
    OSError
        A file could not be written whole.
    """
    images: dict[str, NDArray] = {
        "labels": result.labels.astype(np.uint8),
        "aha17": result.anatomy.aha.astype(np.uint8),
        "scar_probability": result.scar_probability.astype(np.float32),
        "scar_probability_image_only": result.scar_probability_image_only.astype(np.float32),
    }
    for name, voxels in images.items():
        write_checked(stored_image(voxels, result.stack), str(folder / f"{name}.nii.gz"))
