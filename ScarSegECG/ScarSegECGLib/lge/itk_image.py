"""Read a volume file through SimpleITK, quietly, and hand back numpy arrays in RAS."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ScarSegECGLib.case import Contrast
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_three_dimensional

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def load(path: Path, suffixes: tuple[str, ...]) -> tuple[NDArray, NDArray[np.float64], dict[str, str]]:
    """Voxels, matrix and header fields of a volume file.

    Parameters
    ----------
    path : Path
    suffixes : tuple of str
        Names by which SimpleITK knows the file's format; a file named otherwise is read under the first.

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
    """
    with _quiet(), _named(path, suffixes) as name:
        try:
            reader = sitk.ImageFileReader()
            reader.SetFileName(str(name))
            reader.ReadImageInformation()
            if reader.GetNumberOfComponents() > 1:
                raise InputError("The image is in colour or holds vectors: export the LGE stack as grey values.")
            check_three_dimensional(tuple(reader.GetSize()))
            header = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
            image = reader.Execute()
            voxels = sitk.GetArrayFromImage(image)
        except (RuntimeError, MemoryError) as error:
            if "orthonormal" in str(error):
                raise InputError(
                    "The image axes are not at right angles: resample the stack onto a rectangular grid first."
                ) from None
            raise InputError("The image file is damaged or incomplete: copy or export it again.") from None
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    lps[:3, 3] = image.GetOrigin()
    return voxels, _LPS_TO_RAS @ lps, header


def contrast_of_values(voxels: NDArray) -> Contrast:
    """Signed values are phase-sensitive; values alone cannot tell a magnitude image."""
    return "psir" if bool((voxels < 0).any()) else "unknown"


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
