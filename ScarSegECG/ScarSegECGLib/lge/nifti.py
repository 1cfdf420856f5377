"""Read a NIfTI-1 file (.nii, .nii.gz)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.facts import Fact, LgeNote
from ScarSegECGLib.lge.checks import check_geometry
from ScarSegECGLib.lge.hashing import sha256_of_file
from ScarSegECGLib.lge.itk_image import contrast_of_values, load
from ScarSegECGLib.lge.orientation import canonical

_SCALE_TOLERANCE = 0.02


def read_nifti(path: Path) -> LgeStack:
    """Read one NIfTI-1 file.

    Parameters
    ----------
    path : Path
        Compressed or not, whatever its name.

    Returns
    -------
    LgeStack
        ``contrast`` is "psir" if there are negative values, else "unknown"; there is no date.

    Raises
    ------
    InputError
    """
    voxels, ijk_to_ras, fields = load(path)
    notes: tuple[Fact, ...] = ()
    if int(fields.get("sform_code", "0")) > 0:
        sform = np.array([[float(x) for x in fields[f"srow_{row}"].split()] for row in "xyz"])
        check_geometry(np.vstack([sform, [0.0, 0.0, 0.0, 1.0]]))  # ITK falls back to the qform in silence
        pixdim = np.array([float(fields[f"pixdim[{axis}]"]) for axis in (1, 2, 3)])
        if np.any(np.abs(np.linalg.norm(sform[:, :3], axis=0) - pixdim) > _SCALE_TOLERANCE * pixdim):
            notes = (Fact(LgeNote.SCALE_DIFFERS),)
    known = int(fields.get("sform_code", "0")) > 0 or int(fields.get("qform_code", "0")) > 0
    return canonical(
        voxels,
        ijk_to_ras,
        orientation_known=known,
        contrast=contrast_of_values(voxels),
        sha256=sha256_of_file(path),
        notes=notes,
    )
