"""Read an LGE stack from whatever holds it: the one door into the project for images."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from pathlib import Path

from ScarSegECGLib.case import Contrast, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.archive import looks_like_zip
from ScarSegECGLib.lge.checks import check_stack
from ScarSegECGLib.lge.dicom_files import looks_like_dicom
from ScarSegECGLib.lge.dicom_series import read_dicom
from ScarSegECGLib.lge.nifti import read_nifti
from ScarSegECGLib.lge.nifti_bytes import GZIP_MAGIC, HEADER_BYTES, looks_like_nifti
from ScarSegECGLib.lge.nrrd import read_nrrd
from ScarSegECGLib.lge.nrrd_header import NRRD_MAGIC

_READ = "NIfTI, NRRD or DICOM"


def read_lge(path: str | os.PathLike[str], *, series: str | None = None, image: Contrast | None = None) -> LgeStack:
    """Read a short-axis LGE stack and bring it to canonical storage.

    Parameters
    ----------
    path : path-like
        A NIfTI-1 file (.nii, .nii.gz), a NRRD file (.nrrd, .nhdr), a folder or zip archive with DICOM images of one
        series or of a whole study, a DICOMDIR, or one multi-frame DICOM file. The content decides, not the name.
        Among several series the short-axis LGE is looked for; a note says what was taken and what else there was.
    series : str, optional
        UID or number of the DICOM series to take.
    image : {"magnitude", "psir"}, optional
        Which image to take of a study that holds both; default PSIR.

    Returns
    -------
    LgeStack

    Raises
    ------
    InputError
        Whatever makes the input unfit: one line that says what is wrong and what to do, without names.
    """
    source = Path(path)
    try:
        if not (stat.S_ISDIR(mode := source.stat().st_mode) or stat.S_ISREG(mode)):
            raise InputError("The path is neither a file nor a folder: give an image file or a folder of DICOM slices.")
        stack = _read(source, series, image)
    except FileNotFoundError:
        raise InputError("The LGE image was not found: check the path.") from None
    except OSError:
        raise InputError(
            "The LGE image cannot be read: check that you may open it and that the disk is sound."
        ) from None
    except MemoryError:
        raise InputError("The image does not fit into memory: export the LGE short-axis stack only.") from None
    return check_stack(stack)


def _read(path: Path, series: str | None, image: Contrast | None) -> LgeStack:
    if path.is_dir():
        return read_dicom(path, series=series, image=image)
    with path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    if not start:
        raise InputError("The image file is empty: copy or export it again.")
    if looks_like_dicom(start) or looks_like_zip(start):
        return read_dicom(path, series=series, image=image)
    if series is not None or image is not None:
        raise InputError("A series or image can be chosen in DICOM only, and this is another format: leave it out.")
    if start.startswith(NRRD_MAGIC):
        return read_nrrd(path)
    if start.startswith(GZIP_MAGIC):
        start = _unzipped_start(path)
    if looks_like_nifti(start):
        return read_nifti(path)
    if path.name.lower().endswith((".nii", ".nii.gz")) and len(start) < HEADER_BYTES:
        raise InputError("The NIfTI file is cut off or damaged: copy or export it again.")
    raise InputError(f"The file is not an image that can be read: give {_READ}.")


def _unzipped_start(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read(HEADER_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError("The compressed image is cut off or damaged: copy or export it again.") from None
