"""A canonical array as an image on the input's own grid."""

from __future__ import annotations

import errno

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ScarSegECGLib.case import RAS_LPS, LgeStack
from ScarSegECGLib.errors import InputError

# Single-precision file headers leave errors near 1e-7 in the cosines; 1e-4 is 0.006 degrees.
_ORTHONORMAL_TOLERANCE = 1e-4
_NOT_WHOLE = "an image file was not written whole; is the disk full?"


def stored_image(canonical: NDArray, stack: LgeStack) -> sitk.Image:
    """Image whose voxel order, spacing and pose are those of the file the stack was read from.

    Parameters
    ----------
    canonical : array, shape (slice, row, column)
        In the stack's canonical storage.
    stack : LgeStack
        The way back to the file's order, and the file's matrix (RAS, mm).

    Returns
    -------
    SimpleITK.Image
        In LPS, mm, as ITK has it. A left-handed direction matrix stays left-handed.

    Raises
    ------
    InputError
        The axes of the stack are not perpendicular, which neither NIfTI through ITK nor Slicer's segmentations carry.
    """
    if canonical.shape != stack.voxels.shape:
        raise ValueError(f"array of shape {canonical.shape} on a stack of shape {stack.voxels.shape}")
    lps = RAS_LPS @ stack.stored_ijk_to_ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    direction = lps[:3, :3] / spacing
    if not np.allclose(direction.T @ direction, np.eye(3), atol=_ORTHONORMAL_TOLERANCE):
        raise InputError(
            "The image's axes are not perpendicular: resample it to a regular grid first (in Slicer: harden its "
            "transform, then Resample Scalar Volume)."
        )
    image = sitk.GetImageFromArray(stack.storage.to_stored(canonical))
    image.SetSpacing(spacing.tolist())
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def write_checked(image: sitk.Image, path: str) -> None:
    """Write an image and read it back; ITK reports neither a full disk nor a changed pose when it writes NIfTI.

    Raises
    ------
    OSError
        The file does not hold what was to be written.
    """
    try:
        sitk.WriteImage(image, path, True)
        written = sitk.ReadImage(path)
    except RuntimeError:
        raise OSError(errno.EIO, _NOT_WHOLE) from None
    same_voxels = np.array_equal(sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(written))
    if not (same_voxels and np.allclose(_corners(image), _corners(written), atol=1e-3)):
        raise OSError(errno.EIO, _NOT_WHOLE)


def _corners(image: sitk.Image) -> NDArray[np.float64]:
    """Patient positions (LPS, mm) of the first voxel and of the last one along each axis."""
    ends = np.vstack([np.zeros(3, int), np.diag(np.array(image.GetSize()) - 1)])
    return np.array([image.TransformIndexToPhysicalPoint(end.tolist()) for end in ends])
