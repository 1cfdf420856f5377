"""A stack as an oblique DICOM series, in any order of files, rows and columns; everything in it is made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from ScarSegECGLib.case import LgeStack

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

# Transpose rows and columns, then flip rows, then flip columns.
TURNS = {
    "as read": (False, False, False),
    "rows reversed": (False, True, False),
    "upside down": (False, True, True),
    "quarter turn": (True, False, True),
    "transposed": (True, False, False),
}


def write_series(
    folder: Path,
    stack: LgeStack,
    *,
    turn: tuple[bool, bool, bool] = (False, False, False),
    shuffle: int = 7,
    change: Callable[[int, FileDataset], None] = lambda k, dataset: None,
) -> list[Path]:
    """Write one single-frame MR image per slice, file names and instance numbers in random order.

    ``change(canonical slice, data set)`` may alter each image before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lps = RAS_TO_LPS @ stack.ijk_to_ras
    column, row, slice_ = lps[:3, 0], lps[:3, 1], lps[:3, 2]
    numbers = np.random.default_rng(shuffle).permutation(len(stack.voxels))
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    paths = []
    for k, pixels in enumerate(np.clip(np.rint(stack.voxels), -32768, 32767).astype("<i2")):
        image, along_row, along_column, start = _turned(pixels, column, row, lps[:3, 3] + k * slice_, turn)
        path = folder / f"IM{numbers[k]:04d}"
        dataset = _image(path, image, along_row, along_column, start, float(np.linalg.norm(slice_)))
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        dataset.InstanceNumber = int(numbers[k]) + 1
        if stack.contrast == "psir":
            dataset.ImageType = ["ORIGINAL", "PRIMARY", "PSIR", "ND"]
        change(k, dataset)
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _turned(
    pixels: NDArray, column: NDArray, row: NDArray, start: NDArray, turn: tuple[bool, bool, bool]
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """The picture, the steps along a row and along a column (mm, LPS), and the place of its first pixel."""
    transpose, flip_rows, flip_columns = turn
    along_row, along_column = column, row
    if transpose:
        pixels, along_row, along_column = pixels.T, along_column, along_row
    if flip_rows:
        pixels, start, along_column = pixels[::-1], start + (pixels.shape[0] - 1) * along_column, -along_column
    if flip_columns:
        pixels, start, along_row = pixels[:, ::-1], start + (pixels.shape[1] - 1) * along_row, -along_row
    return np.ascontiguousarray(pixels), along_row, along_column, start


def _image(
    path: Path, pixels: NDArray, along_row: NDArray, along_column: NDArray, start: NDArray, slice_mm: float
) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    d = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    d.SpecificCharacterSet = "ISO_IR 100"
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "Phantom^Made Up", "PHANTOM-1", "19500101", "O"
    d.Modality, d.Manufacturer, d.ManufacturerModelName = "MR", "Nobody", "Simulation"
    d.StudyID, d.AccessionNumber, d.ReferringPhysicianName = "1", "A1", ""
    d.StudyDate, d.StudyTime, d.SeriesNumber, d.PositionReferenceIndicator = "20240314", "103000", 7, ""
    d.AcquisitionDate, d.AcquisitionTime = "20240314", "103000"
    d.SeriesDescription, d.ProtocolName = "LGE SAX MAG", "LGE SAX"
    d.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    d.ScanningSequence, d.SequenceVariant, d.ScanOptions, d.MRAcquisitionType = ["GR", "IR"], "NONE", "", "2D"
    d.InversionTime, d.EchoTime, d.RepetitionTime, d.EchoTrainLength = 300.0, 1.5, 700.0, 1
    d.ImageOrientationPatient = [*_unit(along_row), *_unit(along_column)]
    d.ImagePositionPatient = [round(float(x), 6) for x in start]
    d.PixelSpacing = [round(float(np.linalg.norm(step)), 6) for step in (along_column, along_row)]
    d.SliceThickness, d.SpacingBetweenSlices = slice_mm, slice_mm
    d.Rows, d.Columns = pixels.shape
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 1
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 16, 15
    d.PixelData = pixels.tobytes()
    return d


def _unit(step: NDArray) -> list[float]:
    return [round(float(x), 9) for x in step / np.linalg.norm(step)]
