"""Read a NRRD file (.nrrd, or .nhdr with one data file beside it)."""

from __future__ import annotations

from pathlib import Path

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_three_dimensional
from ScarSegECGLib.lge.hashing import sha256_of_file, sha256_of_files
from ScarSegECGLib.lge.itk_image import contrast_of_values, load
from ScarSegECGLib.lge.nrrd_header import data_file, nrrd_fields
from ScarSegECGLib.lge.orientation import canonical

_PATIENT_SPACES = frozenset(
    {
        "ras",
        "las",
        "lps",
        "right-anterior-superior",
        "left-anterior-superior",
        "left-posterior-superior",
    }
)
_COLOUR_KINDS = ("color", "vector", "complex", "matrix", "quaternion", "normal", "gradient")


def read_nrrd(path: Path) -> LgeStack:
    """Read one NRRD file.

    Parameters
    ----------
    path : Path
        With the data inside, or a header that names one data file in its own folder.

    Returns
    -------
    LgeStack
        ``contrast`` is "psir" if there are negative values, else "unknown"; there is no date.

    Raises
    ------
    InputError
    """
    fields = nrrd_fields(path)
    dimension = fields.get("dimension", "")
    if not dimension.isdigit():
        raise InputError("The NRRD header is damaged (no dimension): export the stack again.")
    if any(word in fields.get("kinds", "").lower() for word in _COLOUR_KINDS):
        raise InputError("The image is in colour or holds vectors: export the LGE stack as grey values.")
    check_three_dimensional((1,) * int(dimension[:2]))
    data = data_file(path, fields)
    if data:
        path = path.resolve()  # ITK looks beside the name it is given, not beside what a link leads to
        if not path.name.lower().endswith((".nhdr", ".nrrd")):
            raise InputError("The file's name does not show what it is: rename it to end in .nhdr.")
    voxels, ijk_to_ras, _ = load(path, detached=True)
    known = fields.get("space", "").lower() in _PATIENT_SPACES and "space directions" in fields
    return canonical(
        voxels,
        ijk_to_ras,
        orientation_known=known,
        contrast=contrast_of_values(voxels),
        sha256=sha256_of_files([path, data]) if data else sha256_of_file(path),
    )
