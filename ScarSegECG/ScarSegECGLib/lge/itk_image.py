"""Read a volume file through SimpleITK, quietly, and hand back numpy arrays in RAS."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ScarSegECGLib.case import Contrast
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_packing, check_three_dimensional
from ScarSegECGLib.lge.nifti_bytes import check_nifti_data, nifti_header
from ScarSegECGLib.lge.nrrd_header import NRRD_MAGIC, data_file, nrrd_fields

_DAMAGED = "The image file is damaged or incomplete: copy or export it again."
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def load(
    path: Path, accept: Callable[[tuple[int, ...]], None] | None = None, *, detached: bool = False
) -> tuple[NDArray, NDArray[np.float64], dict[str, str]]:
    """Voxels, matrix and header fields of a NIfTI or NRRD file; the content decides which, not the name.

    Parameters
    ----------
    path : Path
    accept : callable, optional
        Called with the voxels' shape before any is read, to refuse it; what it lets through may be packed as tightly
        as it likes. Without it, voxels must be packed no more tightly than images can be.
    detached : bool
        Whether a NRRD header may name a data file, which must lie beside it.

    Returns
    -------
    voxels : array, shape (third, second, first axis of the file)
    ijk_to_ras : float64 array, shape (4, 4)
        mm; ITK keeps LPS, which is turned into RAS here.
    header : dict
        SimpleITK's metadata.

    Raises
    ------
    InputError
        Also for a file that is cut off, and for voxels that are not numbers.
    """
    with path.open("rb") as stream:
        is_nrrd = stream.read(len(NRRD_MAGIC)) == NRRD_MAGIC
    nifti = None if is_nrrd else nifti_header(path)
    files = [path]
    if is_nrrd and (data := data_file(path, nrrd_fields(path))):
        if not detached:
            raise InputError("The NRRD file keeps its voxels in another file: save it as one .nrrd file.")
        files.append(data)
    packed = sum(file.stat().st_size for file in files)

    def admit(size: tuple[int, ...], voxel_bytes: int) -> None:
        check_three_dimensional(size)
        if accept is None:
            check_packing(math.prod(size) * voxel_bytes, packed)
        else:
            accept(size[::-1])

    if nifti is not None:
        admit(nifti.size, nifti.dtype.itemsize)
        check_nifti_data(path, nifti)
    suffixes = (".nrrd", ".nhdr") if nifti is None else (".nii.gz",) if nifti.compressed else (".nii",)
    with _quiet(), _named(path, suffixes) as name:
        try:
            reader = sitk.ImageFileReader()
            reader.SetImageIO("NrrdImageIO" if nifti is None else "NiftiImageIO")
            reader.SetFileName(str(name))
            reader.ReadImageInformation()
            if reader.GetNumberOfComponents() > 1:
                raise InputError("The image is in colour or holds vectors: export the LGE stack as grey values.")
            admit(reader.GetSize(), sitk.Image([1, 1], reader.GetPixelID()).GetSizeOfPixelComponent())
            header = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
            image = reader.Execute()
            voxels = sitk.GetArrayFromImage(image)
        except (RuntimeError, MemoryError) as error:
            if "orthonormal" in str(error):
                raise InputError(
                    "The image axes are not at right angles: resample the stack onto a rectangular grid first."
                ) from None
            raise InputError(_DAMAGED) from None
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    lps[:3, 3] = image.GetOrigin()
    return voxels, _LPS_TO_RAS @ lps, header


def contrast_of_values(voxels: NDArray) -> Contrast:
    """Signed values are phase-sensitive; values alone cannot tell a magnitude image."""
    return Contrast.PSIR if bool((voxels < 0).any()) else Contrast.UNKNOWN


@contextmanager
def _quiet() -> Iterator[None]:
    """No ITK warnings on stderr; the setting is the process's, so it is put back."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


@contextmanager
def _named(path: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The file under a name ITK accepts: it goes by the suffix, we go by the content. Nothing is copied."""
    if path.name.lower().endswith(suffixes):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="scarsegecg-") as folder:
        alias = Path(folder) / f"image{suffixes[0]}"
        try:
            alias.symlink_to(path.resolve())
        except (OSError, NotImplementedError):
            raise InputError(f"The file's name does not show what it is: rename it to end in {suffixes[0]}.") from None
        yield alias
