"""Read a NRRD file (.nrrd, or .nhdr with one data file beside it)."""

from __future__ import annotations

from pathlib import Path

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_three_dimensional
from ScarSegECGLib.lge.hashing import sha256_of_file, sha256_of_files
from ScarSegECGLib.lge.itk_image import contrast_of_values, load
from ScarSegECGLib.lge.orientation import canonical

NRRD_MAGIC = b"NRRD000"
_HEADER_LIMIT = 2**16
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
    fields = _header(path)
    dimension = fields.get("dimension", "")
    if not dimension.isdigit():
        raise InputError("The NRRD header is damaged (no dimension): export the stack again.")
    if any(word in fields.get("kinds", "").lower() for word in _COLOUR_KINDS):
        raise InputError("The image is in colour or holds vectors: export the LGE stack as grey values.")
    check_three_dimensional((1,) * int(dimension[:2]))
    data = _data_file(path, fields)
    if data and not path.name.lower().endswith((".nhdr", ".nrrd")):
        raise InputError("The file's name does not show what it is: rename it to end in .nhdr.")
    voxels, ijk_to_ras, _ = load(path, (".nrrd", ".nhdr"))
    known = fields.get("space", "").lower() in _PATIENT_SPACES and "space directions" in fields
    return canonical(
        voxels,
        ijk_to_ras,
        orientation_known=known,
        contrast=contrast_of_values(voxels),
        sha256=sha256_of_files([path, data]) if data else sha256_of_file(path),
    )


def _header(path: Path) -> dict[str, str]:
    """Fields of the text header, names in lower case; free "key:=value" lines are left out."""
    with path.open("rb") as stream:
        text = stream.read(_HEADER_LIMIT).replace(b"\r\n", b"\n").split(b"\n\n", 1)[0].decode("latin-1")
    fields: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#") and not value.startswith("="):
            fields[name.strip().lower()] = value.strip()
    return fields


def _data_file(path: Path, fields: dict[str, str]) -> Path | None:
    """The one detached data file, which must lie in the header's folder, links followed."""
    name = fields.get("data file", fields.get("datafile"))
    if name is None:
        return None
    if name.startswith("LIST") or "%" in name:
        raise InputError("The NRRD header names several data files: save the stack as one .nrrd file.")
    folder = path.resolve().parent
    data = (folder / name).resolve()
    if data.parent != folder:
        raise InputError("The NRRD header points to a data file outside its own folder: save it as one .nrrd file.")
    if not data.is_file():
        raise InputError("The data file named in the NRRD header is missing: put it beside the header.")
    return data
