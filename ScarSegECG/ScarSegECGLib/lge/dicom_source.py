"""The DICOM images behind a stack: their pixels, and the way back to them for whatever refers to them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import apply_modality_lut, pixel_array

from ScarSegECGLib.case import LgeStack, SourceSlice
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import DAMAGED, DicomFile, quiet, read_dataset
from ScarSegECGLib.lge.dicom_frames import Frame
from ScarSegECGLib.lge.dicom_tags import text_of
from ScarSegECGLib.lge.files import intact, opened_archive

_CANNOT_DECODE = (
    "The DICOM images are compressed in a way that cannot be read here: install scarsegecg[jpeg], or ask the archive "
    "for Explicit VR Little Endian."
)
_GONE = "The LGE's DICOM images are gone or have changed since they were read: give them again."


@dataclass(frozen=True)
class DicomSource:
    """The DICOM images behind a stack, one for each canonical slice, apex first.

    A multi-frame image stands there as one and the same object for every slice. File meta information is kept; pixel
    data only where asked for.
    """

    datasets: tuple[Dataset, ...]
    frames: tuple[int | None, ...]  # number in the data set, from 1 as DICOM counts; None in a single-frame image

    @property
    def images(self) -> tuple[Dataset, ...]:
        """Every data set once, in canonical slice order: one for a multi-frame image."""
        return tuple({id(dataset): dataset for dataset in self.datasets}.values())


def find_source(stack: LgeStack, *, pixels: bool = False) -> DicomSource | None:
    """Read the source images of a stack again, with or without their pixel data; ``None`` if it is not from DICOM.

    A source file that is gone or has changed since it was read, and several images that carry one SOP Instance UID, are
    refused by an :class:`InputError`.
    """
    if not stack.sources or stack.storage.axes[0] != 0:
        return None
    if len({(source.sop_instance_uid, source.frame) for source in stack.sources}) < len(stack.sources):
        raise InputError("Several images carry one SOP Instance UID, so nothing can refer to them: export them again.")
    with quiet():
        try:
            read = dict(_datasets(stack.sources, pixels))
        except OSError:
            raise InputError(_GONE) from None
    ordered = stack.sources[::-1] if stack.storage.flips[0] else stack.sources
    datasets = tuple(read[source.path, source.member] for source in ordered)
    for source, dataset in zip(ordered, datasets, strict=True):
        if text_of(dataset, "SOPInstanceUID") != source.sop_instance_uid:
            raise InputError(_GONE)
    return DicomSource(datasets, tuple(source.frame for source in ordered))


def _datasets(sources: tuple[SourceSlice, ...], pixels: bool) -> Iterator[tuple[tuple[Path, str], Dataset]]:
    """Each file's data set by path and member; an archive is opened once."""
    for path in dict.fromkeys(source.path for source in sources):
        members = dict.fromkeys(source.member for source in sources if source.path == path)
        with opened_archive(path) if any(members) else nullcontext() as archive:
            for member in members:
                yield (path, member), read_dataset(DicomFile(path, archive, member), pixels=pixels)


def planes(canonical: NDArray, stack: LgeStack) -> NDArray:
    """An array of the stack's canonical storage, [slice, row, column], as planes of its source images.

    Plane k belongs to ``find_source(stack).datasets[k]`` and has that image's own rows and columns.
    """
    stored = stack.storage.to_stored(canonical)
    return np.ascontiguousarray(stored[::-1]) if stack.storage.flips[0] else stored


def voxels_of(frames: Sequence[Frame]) -> tuple[NDArray[np.float32], NDArray[np.bool_], list[str]]:
    """Pixels of all frames, shape (slice, row, column), which of them are padding, and each file's SHA-256.

    Those that cannot be decoded, or hold more than their header grants, are refused by an :class:`InputError`.
    """
    rows, columns = int(frames[0].header.Rows), int(frames[0].header.Columns)
    voxels = np.empty((len(frames), rows, columns), dtype=np.float32)
    padding = np.zeros(voxels.shape, np.bool_)
    places: dict[DicomFile, list[int]] = defaultdict(list)
    for k, frame in enumerate(frames):
        places[frame.file].append(k)
    for file, slices in places.items():
        dataset = read_dataset(file, pixels=True)
        for k in slices:
            voxels[k], padding[k] = _pixels(dataset, frames[k])
    return voxels, padding, [hashlib.sha256(file.read_bytes()).hexdigest() for file in places]


def _pixels(dataset: FileDataset, frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pixel values of one frame by the file's lookup table or slope and intercept, and which are padding."""
    header = frame.header
    if (dataset.get("Rows"), dataset.get("Columns")) != (header.Rows, header.Columns):
        raise InputError(DAMAGED)
    with intact(DAMAGED):
        try:
            _check_bits(dataset)
            stored = pixel_array(dataset, index=None if frame.number is None else frame.number - 1)
        except (RuntimeError, NotImplementedError):
            raise InputError(_CANNOT_DECODE if _is_compressed(dataset) else DAMAGED) from None
        stored = stored.reshape(int(header.Rows), int(header.Columns))
        if dataset.get("ModalityLUTSequence"):
            values = np.asarray(apply_modality_lut(stored, dataset), np.float32)
        else:
            slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
            values = stored.astype(np.float32)
            values *= 1.0 if slope is None else float(slope)
            values += 0.0 if intercept is None else float(intercept)
        return values, _padding(dataset, stored)


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
