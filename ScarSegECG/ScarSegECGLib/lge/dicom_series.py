"""Read a folder of DICOM slices, or one multi-frame DICOM file.

Slices are ordered by where they lie in the patient, never by instance number or file name.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import apply_rescale
from pydicom.uid import UID, MediaStorageDirectoryStorage

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import MAX_VOXELS, MIN_SLICES, check_same_orientation, slice_step
from ScarSegECGLib.lge.dicom_tags import acquired, contrast
from ScarSegECGLib.lge.hashing import sha256_of_file, sha256_of_files
from ScarSegECGLib.lge.orientation import SHORT_AXIS_LIMIT_DEG, canonical, short_axis_angle_deg

MAX_DEPTH = 2
MAX_FILES = 20000
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_DAMAGED = "A DICOM image is cut off or damaged: copy or export the series again."
_NO_PLACE = "The DICOM images do not say where they lie in the patient: export the original series."
_CANNOT_DECODE = (
    "The DICOM images are compressed in a way that cannot be read here: export them uncompressed (Explicit VR Little "
    "Endian)."
)


def looks_like_dicom(start: bytes) -> bool:
    """Whether a file's first bytes are DICOM: the usual prefix, or a bare data set that opens with group 2 or 8."""
    return start[128:132] == b"DICM" or (
        start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00" and _vr(start)
    )


def _vr(start: bytes) -> bool:
    return start[4:6] in (b"UL", b"OB", b"UI", b"CS", b"SH", b"LO", b"DA", b"TM") or start[6:8] == b"\x00\x00"


def read_dicom_folder(folder: Path) -> LgeStack:
    """Read the one LGE series of a folder.

    Parameters
    ----------
    folder : Path
        Sub-folders down to the second level are searched; other files, DICOMDIR and links that lead outside are
        ignored.

    Returns
    -------
    LgeStack
        The stored order is that of the position along the slices' normal (row direction x column direction).

    Raises
    ------
    InputError
    """
    with _quiet():
        images = [(path, header) for path in _files(folder) if (header := _image_header(path)) is not None]
        if not images:
            raise InputError("The folder holds no DICOM MR images: choose the folder of the LGE series.")
        counts = Counter(str(header.get("SeriesInstanceUID", "")) for _, header in images)
        if len(counts) > 1:
            sizes = ", ".join(str(n) for n in sorted(counts.values(), reverse=True)[:8])
            raise InputError(
                f"The folder holds {len(counts)} series ({sizes}{' ...' if len(counts) > 8 else ''} images): "
                "put the LGE short-axis series into a folder of its own."
            )
        if any(int(header.get("NumberOfFrames") or 1) > 1 for _, header in images):
            if len(images) > 1:
                raise InputError(f"The folder holds {len(images)} multi-frame images: give one LGE image.")
            return _read_multi_frame(images[0][0])
        return _read_slices(images)


def read_dicom_file(path: Path) -> LgeStack:
    """Read one multi-frame DICOM file.

    Raises
    ------
    InputError
        Also for a single slice, whose folder must be given instead.
    """
    with _quiet():
        header = _image_header(path)
        if header is None:
            raise InputError("The DICOM file is not an MR image: choose the LGE series.")
        if int(header.get("NumberOfFrames") or 1) == 1:
            raise InputError("The file is one single DICOM slice: give the folder that holds all slices of the series.")
        return _read_multi_frame(path)


def _files(folder: Path) -> Iterator[Path]:
    """Regular files down to ``MAX_DEPTH`` sub-folders that truly lie inside ``folder``, in a fixed order."""
    root = folder.resolve()
    seen: set[Path] = set()
    for parent, folders, names in os.walk(root):
        depth = len(Path(parent).relative_to(root).parts)
        folders[:] = sorted(folders) if depth < MAX_DEPTH else []
        for name in sorted(names):
            path = (Path(parent) / name).resolve()
            if name.upper() == "DICOMDIR" or path in seen or not path.is_relative_to(root) or not path.is_file():
                continue
            seen.add(path)
            if len(seen) > MAX_FILES:
                raise InputError(f"The folder holds over {MAX_FILES} files: choose the folder of the LGE series.")
            yield path


def _image_header(path: Path) -> FileDataset | None:
    """The header of an MR image; ``None`` for anything else."""
    with path.open("rb") as stream:
        start = stream.read(256)
    if not looks_like_dicom(start):
        return None
    try:
        header = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        kind = str(header.get("SOPClassUID", ""))
        if not kind:
            is_index = header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
            damaged = start[128:132] == b"DICM" and not is_index
        else:
            damaged = "Modality" not in header and "MR Image" in UID(kind).name
        if damaged or (header.get("Modality") == "MR" and not {"Rows", "Columns"} <= set(header.dir())):
            raise InputError(_DAMAGED)
        return header if kind and header.get("Modality") == "MR" else None
    except InputError:
        raise
    except Exception:  # pydicom raises whatever a broken element makes it stumble over
        raise InputError(_DAMAGED) from None


def _read_slices(images: list[tuple[Path, FileDataset]]) -> LgeStack:
    headers = [header for _, header in images]
    if len(images) < MIN_SLICES:
        raise InputError(f"The series has {len(images)} slice(s): at least {MIN_SLICES} short-axis slices are needed.")
    _check_pixels(headers)
    orientations = _numbers(headers, "ImageOrientationPatient", 6)
    positions = _numbers(headers, "ImagePositionPatient", 3)
    spacings = _numbers(headers, "PixelSpacing", 2)
    check_same_orientation(orientations)
    if len({(h.Rows, h.Columns) for h in headers}) > 1 or np.ptp(spacings, axis=0).max() > 1e-3:
        raise InputError("The slices differ in size or pixel spacing: give the LGE short-axis series only.")

    mean = orientations.mean(axis=0).reshape(2, 3)
    along_row, along_column = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    normal = np.cross(along_row, along_column)
    normal /= np.linalg.norm(normal)
    _check_short_axis(normal)
    order = np.argsort(positions @ normal, kind="stable")
    step = slice_step(positions[order], normal)
    row_mm, column_mm = spacings[0]
    lps = np.eye(4)
    lps[:3, :3] = np.column_stack([along_row * column_mm, along_column * row_mm, step])
    lps[:3, 3] = positions[order[0]]

    sorted_images = [images[k] for k in order]
    voxels = np.stack([_pixels(path) for path, _ in sorted_images])
    when, notes = acquired(headers)
    return canonical(
        voxels,
        _LPS_TO_RAS @ lps,
        acquired=when,
        contrast=contrast(headers, voxels),
        sha256=sha256_of_files(path for path, _ in images),
        notes=notes,
    )


def _read_multi_frame(path: Path) -> LgeStack:
    """One enhanced or legacy-converted enhanced image whose frames form one evenly spaced stack."""
    try:
        image = highdicom.imread(path)
        _check_pixels([image])
        volume = image.get_volume(rtol=0.1, apply_real_world_transform=False, dtype=np.float64)
        voxels, lps = volume.array, volume.affine.copy()
    except InputError:
        raise
    except Exception:  # highdicom's reasons are for programmers; its readers are many and so are its exceptions
        raise InputError(
            "The multi-frame DICOM image is not one plain stack of evenly spaced, parallel slices, or is damaged: "
            "export the LGE series as single slices."
        ) from None
    _check_short_axis(lps[:3, 0])
    lps[:3, :3] = lps[:3, 2::-1]  # highdicom's matrix takes (slice, row, column)
    when, notes = acquired([image])
    return canonical(
        voxels,
        _LPS_TO_RAS @ lps,
        acquired=when,
        contrast=contrast([image], voxels),
        sha256=sha256_of_file(path),
        notes=notes,
    )


def _check_pixels(headers: Sequence[Dataset]) -> None:
    if any(int(h.get("SamplesPerPixel") or 1) != 1 for h in headers):
        raise InputError("The images are in colour (a screenshot or a map): choose the LGE series in grey values.")
    if any(str(h.get("PhotometricInterpretation", "")) == "MONOCHROME1" for h in headers):
        raise InputError("The images are stored inverted (MONOCHROME1): export the original LGE series.")
    frames = sum(int(h.get("NumberOfFrames") or 1) for h in headers)
    if frames * int(headers[0].Rows) * int(headers[0].Columns) > MAX_VOXELS:
        raise InputError(
            f"The image has over {MAX_VOXELS // 10**6} million voxels: export the LGE short-axis stack only."
        )


def _check_short_axis(normal_lps: NDArray[np.float64]) -> None:
    angle = short_axis_angle_deg(_LPS_TO_RAS[:3, :3] @ normal_lps)
    if angle > SHORT_AXIS_LIMIT_DEG:
        raise InputError(
            f"The slices do not look like a short-axis stack ({angle:.0f} degrees from the usual direction, at most "
            f"{SHORT_AXIS_LIMIT_DEG:.0f}): choose the short-axis LGE series, not a long-axis or axial one."
        )


def _numbers(headers: Sequence[Dataset], keyword: str, count: int) -> NDArray[np.float64]:
    try:
        values = np.array([[float(x) for x in header[keyword].value] for header in headers], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        raise InputError(_NO_PLACE) from None
    if values.shape != (len(headers), count) or not np.isfinite(values).all():
        raise InputError(_NO_PLACE)
    return values


def _pixels(path: Path) -> NDArray:
    """Pixel values with the file's rescale slope and intercept applied."""
    try:
        dataset = pydicom.dcmread(path, force=True)
        compressed = (
            dataset.file_meta.get("TransferSyntaxUID") is not None and dataset.file_meta.TransferSyntaxUID.is_compressed
        )
    except Exception:
        raise InputError(_DAMAGED) from None
    try:
        return np.asarray(apply_rescale(dataset.pixel_array, dataset), dtype=np.float32)
    except (RuntimeError, NotImplementedError):
        raise InputError(_CANNOT_DECODE if compressed else _DAMAGED) from None
    except Exception:
        raise InputError(_DAMAGED) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither pydicom's warnings nor its log reach the user: they quote the patient's header."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    before = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
