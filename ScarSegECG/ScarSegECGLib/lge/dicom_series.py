"""Read the LGE short-axis stack out of a study: a folder, a zip archive, a DICOMDIR or a multi-frame file.

Slices are ordered by where they lie in the patient, never by instance number or file name.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.pixels import pixel_array

from ScarSegECGLib.case import LgeStack, SourceSlice
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Fact
from ScarSegECGLib.lge.choose_series import choose
from ScarSegECGLib.lge.contrast import UNMARKED, says_magnitude
from ScarSegECGLib.lge.dicom_files import DAMAGED, read_dataset
from ScarSegECGLib.lge.dicom_geometry import stack_pose
from ScarSegECGLib.lge.dicom_tags import acquired
from ScarSegECGLib.lge.hashing import sha256_of_bytes, sha256_of_set
from ScarSegECGLib.lge.orientation import canonical
from ScarSegECGLib.lge.study import Frame, ImageSet, opened_study

_CANNOT_DECODE = (
    "The DICOM images are compressed in a way that cannot be read here: export them uncompressed (Explicit VR Little "
    "Endian)."
)


def read_dicom(path: Path, *, series: str | None = None, image: Contrast | None = None) -> LgeStack:
    """Find the short-axis LGE stack of a study and read it.

    Parameters
    ----------
    path : Path
        A folder (searched six levels deep; other files and links that lead outside are ignored), a zip archive, a
        DICOMDIR, or one multi-frame DICOM file.
    series : str, optional
        UID or number of the series to take.
    image : {"magnitude", "psir"}, optional
        Which of the two images to take where a study holds both.

    Returns
    -------
    LgeStack
        The stored order is that of the position along the slices' normal (row direction x column direction);
        ``sources`` names the image behind each slice. A note says what was chosen where there was a choice.

    Raises
    ------
    InputError
    """
    with opened_study(path) as sets:
        if path.is_file() and len(sets) == 1 and len(sets[0].frames) == 1 and sets[0].frames[0].file.path == path:
            raise InputError("The file is one single DICOM slice: give the folder that holds all slices of the series.")
        chosen, notes = choose(sets, series=series, image=image)
        return read_set(chosen, notes)


def read_set(images: ImageSet, notes: tuple[Fact, ...] = ()) -> LgeStack:
    """Read one set of images as a stack.

    Parameters
    ----------
    images : ImageSet
        Of a study that is still opened.
    notes : tuple of Fact
        To stand before the stack's own.

    Raises
    ------
    InputError
        The images do not form an evenly spaced short-axis stack, or cannot be decoded.
    """
    headers = [frame.header for frame in images.frames]
    pose = stack_pose(headers)
    frames = [images.frames[k] for k in pose.order]
    voxels, hashes = _voxels(frames)
    signed = bool((voxels < 0).any())
    when, date_notes = acquired(headers)
    contrast = Contrast.PSIR if signed or images.kind == "psir" else Contrast.MAGNITUDE
    single = frames[0].number is None
    if contrast is Contrast.MAGNITUDE and single and not all(map(says_magnitude, headers)):
        date_notes += (UNMARKED,)
    stack = canonical(
        voxels,
        pose.ijk_to_ras,
        acquired=when,
        contrast=contrast,
        sha256=sha256_of_set(hashes),
        notes=(*notes, *date_notes),
    )
    return dataclasses.replace(stack, sources=tuple(map(_source, frames)))


def _source(frame: Frame) -> SourceSlice:
    uid = str(frame.header.get("SOPInstanceUID") or "")
    return SourceSlice(frame.file.path, frame.file.member, frame.number, uid)


def _voxels(frames: list[Frame]) -> tuple[NDArray[np.float32], list[str]]:
    """Pixels of all frames, shape (slice, row, column), and the hash of each file, read once."""
    rows, columns = int(frames[0].header.Rows), int(frames[0].header.Columns)
    voxels = np.empty((len(frames), rows, columns), dtype=np.float32)
    hashes = []
    for file in dict.fromkeys(frame.file for frame in frames):
        dataset = read_dataset(file, pixels=True)
        hashes.append(sha256_of_bytes(file.read_bytes()))
        for k, frame in enumerate(frames):
            if frame.file is file:
                voxels[k] = _pixels(dataset, frame)
    return voxels, hashes


def _pixels(dataset: FileDataset, frame: Frame) -> NDArray[np.float32]:
    """Pixel values of one frame with the file's rescale slope and intercept applied."""
    header = frame.header
    if (dataset.get("Rows"), dataset.get("Columns")) != (header.Rows, header.Columns):
        raise InputError(DAMAGED)
    try:
        stored = pixel_array(dataset, index=None if frame.number is None else frame.number - 1)
        slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
        values = stored * (1.0 if slope is None else float(slope)) + (0.0 if intercept is None else float(intercept))
        return np.asarray(values, dtype=np.float32).reshape(int(header.Rows), int(header.Columns))
    except (RuntimeError, NotImplementedError):
        raise InputError(_CANNOT_DECODE if _is_compressed(dataset) else DAMAGED) from None
    except MemoryError:
        raise
    except Exception:  # pydicom raises whatever a broken element makes it stumble over
        raise InputError(DAMAGED) from None


def _is_compressed(dataset: FileDataset) -> bool:
    try:
        return bool(dataset.file_meta.TransferSyntaxUID.is_compressed)
    except (AttributeError, ValueError):  # none, or one that names no transfer syntax
        return False
