"""Read a label map that lies on the grid of a stack."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ScarSegECGLib.case import LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.itk_image import load

_LARGEST_LABEL = 255
_SAME_PLACE_MM = 0.5


def read_labels(path: Path, stack: LgeStack) -> LabelArray:
    """Read labels (NIfTI or NRRD) and bring them to the stack's canonical storage.

    Raises
    ------
    InputError
        Missing or unreadable file, another grid than the stack's, or values that are no labels.
    """
    if not path.is_file():
        raise InputError("The label file was not found: check the path.")
    expected = stack.storage.to_stored(stack.voxels).shape

    def same_grid(shape: tuple[int, ...]) -> None:
        if shape != expected:
            raise InputError(f"The labels have {shape} voxels, the image {expected}: give labels on the image's grid.")

    try:
        voxels, matrix, _ = load(path, same_grid)
    except OSError:
        raise InputError("The label file cannot be read: check that you may open it.") from None
    corners = np.array(
        [[i, j, k, 1] for i in (0, voxels.shape[2]) for j in (0, voxels.shape[1]) for k in (0, voxels.shape[0])]
    )
    apart = np.abs((matrix - stack.stored_ijk_to_ras) @ corners.T).max()
    if apart > _SAME_PLACE_MM:
        raise InputError(f"The labels lie up to {apart:.1f} mm off the image: give labels on the image's grid.")
    whole = np.rint(voxels)
    if whole.min() < 0 or whole.max() > _LARGEST_LABEL or not np.allclose(whole, voxels, atol=1e-3):
        raise InputError("The label file does not hold whole numbers from 0 to 255: give a label map.")
    return stack.storage.to_canonical(whole.astype(np.uint8))
