"""Read the written files again and compare them with what was to be written, by where each voxel lies.

The frames are placed by their own positions in the file, not by the order in which they were written, and with none of
the code that wrote them.
"""

from __future__ import annotations

import errno
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import LabelArray, LgeStack
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.encapsulated_pdf import document
from ScarSegECGLib.export.dicom.placement import place
from ScarSegECGLib.export.dicom.report_groups import Group

# More than what the images themselves may be off (see source.py), less than what would move a voxel.
OFF_GRID_VOXELS = 0.06


def check_segmentation(path: Path, labels: LabelArray, numbers: Mapping[int, int], stack: LgeStack) -> None:
    """Every voxel of every segment, and none besides.

    Parameters
    ----------
    path : Path
    labels : uint8 array, shape (slice, row, column)
        Canonical storage.
    numbers : mapping of int to int
        Segment number of each label; labels that are not in it are background.
    stack : LgeStack

    Raises
    ------
    OSError
        The file does not hold what was to be written.
    """
    dataset = pydicom.dcmread(path)
    expected = np.zeros(labels.shape, np.uint8)
    for label, number in numbers.items():
        expected[labels == label] = number
    found = np.zeros(labels.shape, np.uint8)
    overlap = False
    for pixels, k, group in _frames(dataset, dataset.pixel_array, stack):
        if dataset.SegmentationType == "LABELMAP":
            numbered = pixels
        else:
            holder = group if "SegmentIdentificationSequence" in group else dataset.SharedFunctionalGroupsSequence[0]
            numbered = pixels * np.uint8(holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        overlap |= bool((found[k][pixels > 0] > 0).any())
        found[k] = np.maximum(found[k], numbered)
    described = [int(item.SegmentNumber) for item in dataset.SegmentSequence if int(item.SegmentNumber) > 0]
    _insist(described == sorted(numbers.values()) and not overlap and np.array_equal(found, expected))


def check_map(path: Path, values: NDArray[np.float32], stack: LgeStack) -> None:
    """Every value of a parametric map, bit for bit.

    Raises
    ------
    OSError
    """
    dataset = pydicom.dcmread(path)
    frames = np.frombuffer(dataset.FloatPixelData, "<f4").reshape(-1, dataset.Rows, dataset.Columns)
    found = np.full(values.shape, np.nan, np.float32)
    for pixels, k, _ in _frames(dataset, frames, stack):
        found[k] = pixels
    _insist(np.array_equal(found, values))


def check_report(path: Path, groups: tuple[Group, ...]) -> None:
    """Every number, every coded answer and every comment of a structured report, each with its group.

    Raises
    ------
    OSError
    """
    dataset = pydicom.dcmread(path)
    expected: Counter = Counter()
    for group in groups:
        expected.update((v.name.value, v.unit.value, _digits(v.value)) for v in group.values)
        expected.update((name.value, answer.value, "") for name, answer in group.answers)
        expected.update((codes.COMMENT.value, comment, "") for comment in group.comments)
    asked = {name.value for group in groups for name, _ in group.answers}
    _insist(Counter(_said(dataset, asked)) == expected)


def check_document(path: Path, pdf: bytes) -> None:
    """The PDF inside, byte for byte.

    Raises
    ------
    OSError
    """
    _insist(document(pydicom.dcmread(path)) == pdf)


def check_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Every pixel of a secondary capture.

    Raises
    ------
    OSError
    """
    _insist(np.array_equal(pydicom.dcmread(path).pixel_array, pixels))


def _frames(dataset: Dataset, pixels: NDArray, stack: LgeStack) -> Iterator[tuple[NDArray, int, Dataset]]:
    """Each frame turned to canonical rows and columns, its canonical slice, and its functional groups."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    pixels = pixels.reshape(-1, dataset.Rows, dataset.Columns)
    for frame, group in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        position = group.PlanePositionSequence[0].ImagePositionPatient
        lies = place(frame.shape, position, orientation, spacing, stack)
        _insist(lies.off < OFF_GRID_VOXELS and 0 <= lies.slice < len(stack.voxels))
        yield lies.canonical(frame), lies.slice, group


def _said(item: Dataset, asked: set[str]) -> Iterator[tuple[str, str, str]]:
    for child in item.get("ContentSequence", []):
        if child.ValueType == "NUM":
            measured = child.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
            yield child.ConceptNameCodeSequence[0].CodeValue, unit, _digits(float(measured.NumericValue))
        elif child.ValueType == "CODE" and child.ConceptNameCodeSequence[0].CodeValue in asked:
            yield child.ConceptNameCodeSequence[0].CodeValue, child.ConceptCodeSequence[0].CodeValue, ""
        elif child.ValueType == "TEXT" and child.ConceptNameCodeSequence[0].CodeValue == codes.COMMENT.value:
            yield codes.COMMENT.value, child.TextValue, ""
        yield from _said(child, asked)


def _digits(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "nan"


def _insist(same: bool) -> None:
    if not same:
        raise OSError(errno.EIO, "a DICOM object did not read back as written; is the disk full?")
