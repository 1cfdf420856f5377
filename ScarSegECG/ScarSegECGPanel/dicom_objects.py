"""A result as DICOM SEG and SR by the library's exporter, and those to a DICOMweb server; no Qt, no MRML."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError

CLOSE_MM = 0.5


def writeObjects(
    result: ScarResult, sources: list[str], folder: Path, progress: Callable[[float, str], None]
) -> list[Path]:
    """Write the objects into ``folder`` and return their paths.

    Parameters
    ----------
    sources : list of str
        The DICOM files of the stack that was segmented.

    Raises
    ------
    InputError
        The files are not those images, or cannot be written about.
    """
    from ScarSegECGLib.export.dicom.source import read_source
    from ScarSegECGLib.export.dicom.write import write_dicom
    from ScarSegECGLib.lge.read import read_lge
    from ScarSegECGLib.view.pictures import pictures

    images, objects = folder / "images", folder / "objects"
    images.mkdir(parents=True)
    objects.mkdir()
    progress(0.1, "reading the images")
    for index, source in enumerate(sources):
        shutil.copyfile(source, images / f"{index:04d}.dcm")
    stack = read_lge(images)
    same = stack.voxels.shape == result.stack.voxels.shape
    if not same or not np.allclose(stack.ijk_to_ras, result.stack.ijk_to_ras, atol=CLOSE_MM):
        raise InputError("The DICOM images are not on the segmented volume's grid: load the series again and re-apply.")
    progress(0.3, "pictures")
    placed = dataclasses.replace(result, stack=stack)
    painted = pictures(placed)
    progress(0.6, "DICOM objects")
    names = write_dicom(placed, painted, read_source(stack), objects)
    return [objects / name for name in names]


def send(url: str, files: list[Path]) -> None:
    """Store the objects on a DICOMweb server, fetch each again and compare.

    Raises
    ------
    InputError
        The address is not encrypted; the server cannot be reached, refuses the objects or changes their content.
    """
    from ScarSegECGLib.pacs.archive import push
    from ScarSegECGLib.pacs.connection import connect

    push(connect(url), files)
