"""Read the LGE short-axis stack out of a study: a folder, a zip archive, a DICOMDIR or a multi-frame file.

Slices are ordered by where they lie in the patient, never by instance number or file name.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.pixels import apply_modality_lut, pixel_array

from ScarSegECGLib.case import LgeStack, SourceSlice
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Fact, LgeNote
from ScarSegECGLib.lge.choose_series import choose
from ScarSegECGLib.lge.contrast import REAL_SHARE, UNMARKED, negative_share, says_magnitude
from ScarSegECGLib.lge.dicom_files import DAMAGED, DicomFile, read_dataset
from ScarSegECGLib.lge.dicom_geometry import stack_pose
from ScarSegECGLib.lge.dicom_tags import acquired
from ScarSegECGLib.lge.hashing import sha256_of_bytes, sha256_of_set
from ScarSegECGLib.lge.orientation import canonical
from ScarSegECGLib.lge.study import Frame, ImageSet, Told, opened_study

_CANNOT_DECODE = (
    "The DICOM images are compressed in a way that cannot be read here: install scarsegecg[jpeg], or ask the archive "
    "for Explicit VR Little Endian."
)


def read_dicom(
    path: Path, *, series: str | None = None, image: Contrast | None = None, told: Told = lambda done, of: None
) -> LgeStack:
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
    told : callable
        As of :func:`~ScarSegECGLib.lge.read.read_lge`.

    Returns
    -------
    LgeStack
        The stored order is that of the position along the slices' normal (row direction x column direction);
        ``sources`` names the image behind each slice. A note says what was chosen where there was a choice.

    Raises
    ------
    InputError
    """
    with opened_study(path, told) as sets:
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
    voxels, padding, hashes = _voxels(frames)
    when, date_notes = acquired(headers)
    contrast, contrast_notes = _contrast(images, voxels[~padding] if padding.any() else voxels)
    voxels[padding] = 0.0
    commas = (Fact(LgeNote.DECIMAL_COMMAS),) if any(frame.mended for frame in frames) else ()
    stack = canonical(
        voxels,
        pose.ijk_to_ras,
        acquired=when,
        contrast=contrast,
        sha256=sha256_of_set(hashes),
        notes=(*notes, *date_notes, *contrast_notes, *commas),
    )
    return dataclasses.replace(stack, sources=tuple(map(_source, frames)))


def _contrast(images: ImageSet, voxels: NDArray[np.float32]) -> tuple[Contrast, tuple[Fact, ...]]:
    """What the header says the pixels show; where it is silent, what they tell; and what does not fit together."""
    if images.kind == "psir":
        return Contrast.PSIR, ()
    share = negative_share(voxels)
    said = all(says_magnitude(frame.header) for frame in images.frames)
    if share < REAL_SHARE:
        return Contrast.MAGNITUDE, () if said or images.frames[0].number is not None else (UNMARKED,)
    note = LgeNote.CONTRAST_DISPUTED if said else LgeNote.CONTRAST_FROM_VALUES
    return Contrast.MAGNITUDE if said else Contrast.PSIR, (Fact(note, percent=100 * share),)


def _source(frame: Frame) -> SourceSlice:
    uid = str(frame.header.get("SOPInstanceUID") or "")
    return SourceSlice(frame.file.path, frame.file.member, frame.number, uid)


def _voxels(frames: list[Frame]) -> tuple[NDArray[np.float32], NDArray[np.bool_], list[str]]:
    """Pixels of all frames, shape (slice, row, column), which of them are padding, and each file's hash, read once."""
    rows, columns = int(frames[0].header.Rows), int(frames[0].header.Columns)
    voxels = np.empty((len(frames), rows, columns), dtype=np.float32)
    padding = np.zeros(voxels.shape, np.bool_)
    slices: dict[DicomFile, list[int]] = {}
    for k, frame in enumerate(frames):
        slices.setdefault(frame.file, []).append(k)
    hashes = []
    for file, members in slices.items():
        dataset = read_dataset(file, pixels=True)
        hashes.append(sha256_of_bytes(file.read_bytes()))
        for k in members:
            voxels[k], padding[k] = _pixels(dataset, frames[k])
    return voxels, padding, hashes


def _pixels(dataset: FileDataset, frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pixel values of one frame by the file's lookup table or slope and intercept, and which are padding."""
    header = frame.header
    if (dataset.get("Rows"), dataset.get("Columns")) != (header.Rows, header.Columns):
        raise InputError(DAMAGED)
    try:
        _check_bits(dataset)
        stored = pixel_array(dataset, index=None if frame.number is None else frame.number - 1)
        stored = stored.reshape(int(header.Rows), int(header.Columns))
        if dataset.get("ModalityLUTSequence"):
            values = np.asarray(apply_modality_lut(stored, dataset), np.float32)
        else:
            slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
            values = stored.astype(np.float32)
            values *= 1.0 if slope is None else float(slope)
            values += 0.0 if intercept is None else float(intercept)
        return values, _padding(dataset, stored)
    except InputError:
        raise
    except (RuntimeError, NotImplementedError):
        raise InputError(_CANNOT_DECODE if _is_compressed(dataset) else DAMAGED) from None
    except MemoryError:
        raise
    except Exception:  # pydicom raises whatever a broken element makes it stumble over
        raise InputError(DAMAGED) from None


def _check_bits(dataset: FileDataset) -> None:
    """Refuse uncompressed pixels with more bits than the header grants them: pydicom would cut these off in silence."""
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if allocated not in (8, 16, 32) or stored >= allocated or _is_compressed(dataset):
        return
    order = "<" if dataset.original_encoding[1] else ">"
    kind = "i" if dataset.PixelRepresentation == 1 else "u"
    length = len(dataset.PixelData) // (allocated // 8) * (allocated // 8)
    found = np.frombuffer(dataset.PixelData[:length], f"{order}{kind}{allocated // 8}")
    limit = 1 << (stored - (kind == "i"))
    if found.size and (found.max() >= limit or found.min() < (-limit if kind == "i" else 0)):
        if kind == "i" and found.min() >= 0 and found.max() < 2 * limit:
            return  # signed values whose upper bits were left empty, which pydicom extends
        raise InputError("The images hold larger pixel values than their header grants: export the series again.")


def _padding(dataset: FileDataset, stored: NDArray) -> NDArray[np.bool_]:
    """Where a frame holds the header's padding value, or one of its range of them."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, np.bool_)
    ends = [int(value), int(dataset.get("PixelPaddingRangeLimit", value))]
    if stored.dtype.kind == "i":  # written as unsigned by some
        ends = [end - (1 << stored.dtype.itemsize * 8) if end > np.iinfo(stored.dtype).max else end for end in ends]
    return np.asarray((stored >= min(ends)) & (stored <= max(ends)))


def _is_compressed(dataset: FileDataset) -> bool:
    try:
        return bool(dataset.file_meta.TransferSyntaxUID.is_compressed)
    except (AttributeError, ValueError):  # none, or one that names no transfer syntax
        return False
