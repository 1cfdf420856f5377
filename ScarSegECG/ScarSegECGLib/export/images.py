"""A canonical array as an image file on the input's own grid."""

from __future__ import annotations

import errno
import gzip
from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import RAS_LPS, LgeStack
from ScarSegECGLib.errors import InputError

# Single-precision file headers leave errors near 1e-7 in the cosines; 1e-4 is 0.006 degrees.
_ORTHONORMAL_TOLERANCE = 1e-4
_NRRD_TYPES = {"u1": "uint8", "f4": "float"}


def stored(canonical: NDArray, stack: LgeStack) -> NDArray:
    """The array in the voxel order of the file the stack was read from, shape (slice, row, column) of that file.

    Raises
    ------
    InputError
        The axes of the stack are not perpendicular, which neither NIfTI's quaternion nor Slicer's segmentations carry.
    """
    if canonical.shape != stack.voxels.shape:
        raise ValueError(f"array of shape {canonical.shape} on a stack of shape {stack.voxels.shape}")
    steps = stack.stored_ijk_to_ras[:3, :3]
    direction = steps / np.linalg.norm(steps, axis=0)
    if not np.allclose(direction.T @ direction, np.eye(3), atol=_ORTHONORMAL_TOLERANCE):
        raise InputError(
            "The image's axes are not perpendicular: resample it to a regular grid first (in Slicer: harden its "
            "transform, then Resample Scalar Volume)."
        )
    return stack.storage.to_stored(canonical)


def write_nifti_image(canonical: NDArray, stack: LgeStack, path: Path) -> None:
    """Write a .nii.gz whose sform and qform both are the file's own matrix; a left-handed one stays left-handed.

    Raises
    ------
    InputError
        As :func:`stored`.
    OSError
        The file could not be written whole.
    """
    image = nibabel.Nifti1Image(stored(canonical, stack).T, stack.stored_ijk_to_ras)
    image.set_sform(stack.stored_ijk_to_ras, 1)
    image.set_qform(stack.stored_ijk_to_ras, 1)
    image.header.set_xyzt_units("mm")
    _write_whole(path, gzip.compress(image.to_bytes(), 6, mtime=0))


def write_nrrd_image(canonical: NDArray, stack: LgeStack, path: Path, fields: Mapping[str, str]) -> None:
    """Write a NRRD in LPS, packed by gzip, with further fields in its header.

    Raises
    ------
    InputError, OSError
        As :func:`write_nifti_image`.
    """
    voxels = stored(canonical, stack)
    lps = RAS_LPS @ stack.stored_ijk_to_ras

    def vector(values: NDArray) -> str:
        return "(" + ",".join(f"{value:.17g}" for value in values) + ")"

    header = {
        "type: ": _NRRD_TYPES[voxels.dtype.str[1:]],
        "dimension: ": "3",
        "space: ": "left-posterior-superior",
        "sizes: ": " ".join(map(str, voxels.shape[::-1])),
        "space directions: ": " ".join(vector(lps[:3, axis]) for axis in range(3)),
        "kinds: ": "domain domain domain",
        "endian: ": "little",
        "encoding: ": "gzip",
        "space origin: ": vector(lps[:3, 3]),
        **{f"{name}:=": value for name, value in fields.items()},
    }
    head = "NRRD0005\n" + "".join(f"{name}{value}\n" for name, value in header.items()) + "\n"
    data = voxels.astype(voxels.dtype.newbyteorder("<"), copy=False).tobytes()
    _write_whole(path, head.encode() + gzip.compress(data, 6, mtime=0))


def _write_whole(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    if path.read_bytes() != content:
        raise OSError(errno.EIO, "an image file was not written whole; is the disk full?")
