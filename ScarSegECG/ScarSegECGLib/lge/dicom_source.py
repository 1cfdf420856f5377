"""The DICOM images behind a stack: how they lie, their pixels, and the way back to them for whatever refers to them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import apply_modality_lut, pixel_array

from ScarSegECGLib.case import RAS_LPS, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_size, check_slices
from ScarSegECGLib.lge.dicom_files import DAMAGED, quiet, read_dataset
from ScarSegECGLib.lge.dicom_frames import Frame, text_of, vector_of
from ScarSegECGLib.lge.files import StudyFile, intact, opened_archive
from ScarSegECGLib.lge.orientation import SHORT_AXIS_LIMIT_DEG, short_axis_angle_deg

ORIENTATION_TOLERANCE_DEG = 1.0
_SPACING_TOLERANCE = 0.10
_OFF_LINE_MM = 1.0
_CANNOT_DECODE = "The DICOM images are compressed: install scarsegecg[jpeg], or export as Explicit VR Little Endian."
_GONE = "The LGE's DICOM images are gone or have changed since they were read: give them again."


def stack_pose(frames: Sequence[Frame]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Order and matrix of images that form one evenly spaced short-axis stack.

    The order sorts the images along their normal (row x column direction). The matrix, shape (4, 4), takes (column,
    row, slice, 1) of the sorted stack to patient space, RAS, mm. Images that form none (too few, no position, not
    parallel, not short axis, gaps, doubles, colour, two patients) are refused by an :class:`InputError`.
    """
    check_slices(len(frames), "series")
    _check_one_patient(frames)
    _check_pixels(frames)
    orientations = np.array([frame.orientation for frame in frames])
    positions = np.array([frame.position for frame in frames])
    spacings = np.array([vector_of(frame.header, "PixelSpacing", 2) for frame in frames])
    if not (spacings > 0).all():
        raise InputError("The DICOM images' pixel spacing is missing, not positive or no number: export them again.")
    upright = np.linalg.norm(np.cross(orientations[:, :3], orientations[:, 3:]), axis=1) >= 0.5
    if not upright.all() or np.isnan(positions).any():
        raise InputError("The DICOM images do not say where they lie in the patient: export the original series.")
    worst = float(angles_deg(orientations).max())
    if worst > ORIENTATION_TOLERANCE_DEG:
        raise InputError(f"The slices are not parallel (up to {worst:.0f} degrees apart): give short-axis slices only.")
    if len({(f.header.Rows, f.header.Columns) for f in frames}) > 1 or np.ptp(spacings, axis=0).max() > 1e-3:
        raise InputError("The slices differ in size or pixel spacing: give the LGE short-axis series only.")

    mean = orientations.mean(axis=0).reshape(2, 3)
    along_row, along_column = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    normal = np.cross(along_row, along_column)
    normal /= np.linalg.norm(normal)
    angle = short_axis_angle_deg(RAS_LPS[:3, :3] @ normal)
    if angle > SHORT_AXIS_LIMIT_DEG:
        raise InputError(
            f"The slices do not look like a short-axis stack ({angle:.0f} degrees from the usual direction, at most "
            f"{SHORT_AXIS_LIMIT_DEG:.0f}): choose the short-axis LGE series, not a long-axis or axial one."
        )
    order = np.argsort(positions @ normal, kind="stable")
    step = _slice_step(positions[order], normal)
    row_mm, column_mm = spacings[0]
    lps = np.eye(4)
    lps[:3, :3] = np.column_stack([along_row * column_mm, along_column * row_mm, step])
    lps[:3, 3] = positions[order[0]]
    return order, RAS_LPS @ lps


def angles_deg(orientations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Larger of the angles between each image's row and column directions, (n, 6), and the first image's own: (n,)."""
    pairs = orientations.reshape(-1, 2, 3)
    lengths = np.linalg.norm(pairs, axis=2)
    pairs = pairs / np.where(lengths < 1e-6, np.inf, lengths)[:, :, None]
    return np.degrees(np.arccos(np.clip((pairs * pairs[0]).sum(axis=2).min(axis=1), -1.0, 1.0)))


def _check_one_patient(frames: Sequence[Frame]) -> None:
    """Refuse images that name several patients; what an image leaves empty speaks against none."""
    for keyword in ("PatientID", "PatientName", "PatientBirthDate"):
        written = (frame.text(keyword).partition("=")[0].strip(" ^\0").casefold() for frame in frames)
        if len(set(filter(None, written))) > 1:
            raise InputError("The images are of several patients (identifier, name or birth date): give one patient's.")


def _check_pixels(frames: Sequence[Frame]) -> None:
    headers = [frame.header for frame in frames]
    shown = {str(h.get("PhotometricInterpretation") or "") for h in headers}
    if any(int(h.get("SamplesPerPixel") or 1) != 1 for h in headers) or not shown <= {"", "MONOCHROME1", "MONOCHROME2"}:
        raise InputError("The images are in colour (a screenshot or a map): choose the LGE series in grey values.")
    if "MONOCHROME1" in shown:
        raise InputError("The images are stored inverted (MONOCHROME1): export the original LGE series.")
    check_size(sum(int(h.Rows) * int(h.Columns) for h in headers))
    pixels = {(h.get("BitsAllocated"), h.get("BitsStored"), h.get("HighBit")) for h in headers}
    if any(None not in bits and not (bits[1] <= bits[0] and bits[2] == bits[1] - 1) for bits in pixels):
        raise InputError("The images contradict themselves on how many bits a pixel has: export the series again.")


def _slice_step(positions: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean vector, mm, from one slice to the next, for positions in order along ``normal``; uneven ones are refused."""
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    distinct = 1 + int((gaps > max(0.01, 0.05 * usual)).sum())
    if distinct < len(positions):
        count = f"{len(positions)} images at {distinct} positions"
        raise InputError(f"{count}: give one image per slice, not magnitude with PSIR or several phases.")
    off = np.abs(gaps - usual) / usual
    worst = int(np.argmax(off))
    if off[worst] > _SPACING_TOLERANCE:
        times, gap = gaps[worst] / usual, f"{gaps[worst]:.1f} mm, not {usual:.1f}"
        if times > 1.5 and abs(times - round(times)) <= _SPACING_TOLERANCE * times:
            missing, after = round(times) - 1, f"{worst + 1} of {len(positions)}"
            raise InputError(f"{missing} slice(s) missing after slice {after} (gap of {gap}): export the whole series.")
        apart = f"{gaps.min():.1f} to {gaps.max():.1f} mm"
        raise InputError(f"The slices are not evenly spaced ({apart}): give an evenly spaced short-axis stack.")
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, None] * step
    drift = np.linalg.norm(positions - line - ((positions - line) @ normal)[:, None] * normal, axis=1).max()
    if drift > _OFF_LINE_MM:
        raise InputError(f"The header shifts slices by up to {drift:.1f} mm: resample the stack onto one grid.")
    return step


def voxels_of(frames: Sequence[Frame]) -> tuple[NDArray[np.float32], NDArray[np.bool_], list[str]]:
    """Pixels of all frames, (slice, row, column), which are padding, and files' SHA-256. InputError: unreadable."""
    voxels = np.empty((len(frames), frames[0].header.Rows, frames[0].header.Columns), np.float32)
    padding = np.zeros(voxels.shape, np.bool_)
    places: dict[StudyFile, list[int]] = defaultdict(list)
    for k, frame in enumerate(frames):
        places[frame.file].append(k)
    for file, slices in places.items():
        dataset = read_dataset(file, pixels=True)
        with intact(DAMAGED):
            _check_bits(dataset)
            for k in slices:
                voxels[k], padding[k] = _pixels(dataset, frames[k])
    return voxels, padding, [hashlib.sha256(file.read()).hexdigest() for file in places]


def _pixels(dataset: FileDataset, frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pixel values of one frame by the file's lookup table or slope and intercept, and which are padding."""
    try:
        stored = pixel_array(dataset, index=None if frame.number is None else frame.number - 1)
    except (RuntimeError, NotImplementedError):
        raise InputError(_CANNOT_DECODE if dataset.file_meta.TransferSyntaxUID.is_compressed else DAMAGED) from None
    if stored.shape != (frame.header.Rows, frame.header.Columns):
        raise InputError(DAMAGED)
    if dataset.get("ModalityLUTSequence"):
        values = np.asarray(apply_modality_lut(stored, dataset), np.float32)
    else:
        slope, intercept = frame.header.get("RescaleSlope"), frame.header.get("RescaleIntercept")
        values = stored.astype(np.float32)
        values *= 1.0 if slope is None else float(slope)
        values += 0.0 if intercept is None else float(intercept)
    return values, _padding(dataset, stored)


def _check_bits(dataset: FileDataset) -> None:
    """Refuse uncompressed pixels with more bits than the header grants them: pydicom would cut these off in silence."""
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if allocated not in (8, 16, 32) or stored >= allocated or dataset.file_meta.TransferSyntaxUID.is_compressed:
        return
    order, size = "<" if dataset.original_encoding[1] else ">", allocated // 8
    found = np.frombuffer(dataset.PixelData[: len(dataset.PixelData) // size * size], f"{order}u{size}")
    if found.max(initial=0) < 1 << stored:  # signed values may have empty upper bits, which pydicom extends
        return
    signed = found.view(f"{order}i{size}")
    if dataset.PixelRepresentation != 1 or max(signed.max(), -1 - signed.min()) >= 1 << (stored - 1):
        raise InputError("The images hold larger pixel values than their header grants: export the series again.")


def _padding(dataset: FileDataset, stored: NDArray) -> NDArray[np.bool_]:
    """Where a frame holds the header's padding value, or one of its range of them."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, np.bool_)
    ends = np.array([int(value), int(dataset.get("PixelPaddingRangeLimit", value))])
    if stored.dtype.kind == "i":  # written as unsigned by some
        ends -= (ends > np.iinfo(stored.dtype).max) * (1 << 8 * stored.dtype.itemsize)
    return np.asarray((stored >= ends.min()) & (stored <= ends.max()))


def find_source(stack: LgeStack, *, pixels: bool = False) -> list[tuple[Dataset, int | None]]:
    """Read the DICOM images behind a stack again, one for each canonical slice, apex first; none if it is not of DICOM.

    With each data set goes the frame's number in it, from 1: a multi-frame image is one and the same object for every
    slice, a single-frame image has ``None``. File meta information is kept, ``pixels`` only where asked for. A source
    file that is gone or has changed since it was read, and several images that carry one SOP Instance UID, are refused
    by an :class:`InputError`.
    """
    if stack.storage.axes[0] != 0:
        return []
    if len({(source.sop_instance_uid, source.frame) for source in stack.sources}) < len(stack.sources):
        raise InputError("Several images carry one SOP Instance UID, so nothing can refer to them: export them again.")
    read: dict[tuple[Path, str], Dataset] = {}
    try:
        for path in dict.fromkeys(source.path for source in stack.sources):
            members = dict.fromkeys(source.member for source in stack.sources if source.path == path)
            with quiet(), opened_archive(path) if any(members) else nullcontext({"": StudyFile(path)}) as files:
                read |= {(path, member): read_dataset(files[member], pixels=pixels) for member in members}
    except (OSError, KeyError):
        raise InputError(_GONE) from None
    ordered = stack.sources[::-1] if stack.storage.flips[0] else stack.sources
    found = [(read[source.path, source.member], source.frame) for source in ordered]
    if [text_of(image, "SOPInstanceUID") for image, _ in found] != [source.sop_instance_uid for source in ordered]:
        raise InputError(_GONE)
    return found
