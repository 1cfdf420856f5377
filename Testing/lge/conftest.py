"""Builders of small LGE files, good and bad."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

# A real oblique short-axis pose (LPS), as DICOM has it: along a row, along a column.
SHORT_AXIS = (0.7900, 0.0, 0.6131, 0.3801, 0.7845, -0.4898)
ROW = np.array(SHORT_AXIS[:3]) / np.linalg.norm(SHORT_AXIS[:3])
COLUMN = np.array(SHORT_AXIS[3:]) - ROW * (ROW @ SHORT_AXIS[3:])
COLUMN /= np.linalg.norm(COLUMN)
NORMAL = np.cross(ROW, COLUMN)


@pytest.fixture(scope="session")
def picture() -> NDArray[np.uint16]:
    """Every voxel different, so that no flip can hide; shape (slice, row, column) = (6, 40, 36)."""
    return np.random.default_rng(5).permutation(6 * 40 * 36).reshape(6, 40, 36).astype(np.uint16)


@pytest.fixture(scope="session")
def normal() -> NDArray[np.float64]:
    """Unit normal of the written DICOM series, LPS, apex to base."""
    return NORMAL


@pytest.fixture(scope="session")
def write_nifti() -> Callable[..., Path]:
    """Write a NIfTI-1 file from its parts: ``voxels`` in array order (last axis fastest)."""

    def write(
        path: Path,
        voxels: NDArray,
        *,
        spacing: tuple[float, ...] = (1.5, 1.5, 8.0),
        sform: NDArray | None = None,
        sform_code: int = 1,
        datatype: int | None = None,
        sizes: tuple[int, ...] | None = None,
        magic: bytes = b"n+1\0",
    ) -> Path:
        codes = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "uint16": 512, "complex64": 32}
        sizes = voxels.shape[::-1] if sizes is None else sizes
        matrix = np.diag([-spacing[0], -spacing[1], spacing[2] if len(spacing) > 2 else 1.0, 1.0])
        matrix = matrix if sform is None else sform
        header = bytearray(352)
        struct.pack_into("<i", header, 0, 348)
        struct.pack_into("<8h", header, 40, len(sizes), *sizes, *(1,) * (7 - len(sizes)))
        struct.pack_into("<2h", header, 70, datatype or codes[voxels.dtype.name], voxels.itemsize * 8)
        struct.pack_into("<8f", header, 76, 1.0, *spacing, *(1.0,) * (7 - len(spacing)))
        struct.pack_into("<f", header, 108, 352.0)
        struct.pack_into("<f", header, 112, 1.0)
        header[123] = 2
        struct.pack_into("<2h", header, 252, 0, sform_code)
        if sform_code:
            struct.pack_into("<12f", header, 280, *matrix[:3].ravel())
        header[344:348] = magic
        path.write_bytes(bytes(header) + voxels.tobytes())
        return path

    return write


@pytest.fixture(scope="session")
def write_series(picture: NDArray) -> Callable[..., list[Path]]:
    """Write one short-axis DICOM series; ``change(slice, data set)`` may spoil each slice before it is written."""

    def write(
        folder: Path,
        voxels: NDArray | None = None,
        *,
        step: NDArray | None = None,
        start: int = 0,
        series: str | None = None,
        change: Callable[[int, FileDataset], None] = lambda k, d: None,
        shuffle: int | None = None,
    ) -> list[Path]:
        voxels = picture if voxels is None else voxels
        folder.mkdir(parents=True, exist_ok=True)
        series = series or generate_uid()
        step = NORMAL * 8.0 if step is None else step
        frame, study = generate_uid(), generate_uid()
        numbers = np.arange(len(voxels))
        if shuffle is not None:
            numbers = np.random.default_rng(shuffle).permutation(len(voxels))
        paths = []
        for k, pixels in enumerate(voxels):
            meta = FileMetaDataset()
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            meta.MediaStorageSOPClassUID = MRImageStorage
            meta.MediaStorageSOPInstanceUID = generate_uid()
            path = folder / f"IM{numbers[k]:04d}_{start}"
            d = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
            d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
            d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, series, frame
            d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "SECRET^NAME", "SECRET", "19500101", "O"
            d.Modality, d.Manufacturer, d.StudyID, d.AccessionNumber = "MR", "Nobody", "1", ""
            d.StudyDate, d.StudyTime, d.ReferringPhysicianName = "20200303", "080000", ""
            d.SeriesNumber, d.InstanceNumber, d.PositionReferenceIndicator = 7, int(numbers[k]) + 1, ""
            d.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
            d.ImageOrientationPatient = [*ROW, *COLUMN]
            d.ImagePositionPatient = list(np.array([10.0, -20.0, 30.0]) + (k + start) * step)
            d.PixelSpacing, d.SliceThickness = [1.5, 1.25], 8
            d.Rows, d.Columns = pixels.shape[:2]
            d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 0
            d.BitsAllocated, d.BitsStored, d.HighBit = 16, 16, 15
            d.PixelData = np.ascontiguousarray(pixels).tobytes()
            change(k, d)
            d.save_as(path, enforce_file_format=True)
            paths.append(path)
        return paths

    return write


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Read a bad input: it must raise one clear line that gives nothing away, and print nothing."""
    from ScarSegECGLib.errors import InputError
    from ScarSegECGLib.lge.read import read_lge

    def check(path: Path, *words: str) -> str:
        capfd.readouterr()
        with pytest.raises(InputError) as caught:
            read_lge(path)
        message = str(caught.value)
        assert "\n" not in message
        assert 20 < len(message) < 260
        assert message.rstrip().endswith(".")
        assert "SECRET" not in message and "1.2.826" not in message and str(path) not in message
        for word in words:
            assert word in message, message
        printed = capfd.readouterr()
        assert printed.out == "" and printed.err == ""
        return message

    return check
