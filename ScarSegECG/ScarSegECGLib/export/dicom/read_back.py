"""Read the written files again and compare them with what was to be written, by where each voxel lies."""

from __future__ import annotations

import errno
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import RAS_LPS, LabelArray, LgeStack
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.encapsulated_pdf import document
from ScarSegECGLib.export.dicom.groups import Group

# More than what the images themselves may be off (see source.py), less than what would move a voxel.
_OFF_GRID_VOXELS = 0.06
_UNEVEN = 0.011


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
    expected = np.zeros(labels.shape, np.uint8)
    for label, number in numbers.items():
        expected[labels == label] = number
    with _readable():
        written = highdicom.seg.segread(path)
        volume = written.get_volume(combine_segments=True, dtype=np.uint8, rtol=_UNEVEN)
    _insist(list(written.segment_numbers) == sorted(numbers.values()))
    _insist(np.array_equal(_canonical(volume, stack), expected))


def check_map(path: Path, values: NDArray[np.float32], stack: LgeStack) -> None:
    """Every value of a parametric map, bit for bit.

    Raises
    ------
    OSError
    """
    with _readable():
        volume = highdicom.imread(path).get_volume(dtype=np.float32, apply_real_world_transform=False, rtol=_UNEVEN)
    _insist(np.array_equal(_canonical(volume, stack), values))


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


def _canonical(volume: highdicom.Volume, stack: LgeStack) -> NDArray:
    """The volume's voxels on the stack's grid, 0 where it has none; that both grids are one is insisted on."""
    to_stack = np.linalg.inv(stack.ijk_to_ras) @ RAS_LPS @ volume.affine
    size = np.array(volume.spatial_shape)
    corners = np.stack(np.meshgrid(*([0, n - 1] for n in size), [1], indexing="ij"), axis=-1).reshape(-1, 4)
    column_row_slice = (corners @ to_stack.T)[:, :3]
    there = column_row_slice[:, ::-1]
    whole = np.rint(there).astype(int)
    low, high = whole.min(axis=0), whole.max(axis=0)
    on_grid = np.abs(there - whole).max() < _OFF_GRID_VOXELS
    _insist(on_grid and (low >= 0).all() and (high < stack.voxels.shape).all())
    step = np.rint(to_stack[:3, :3][::-1]).astype(int)  # stack's (slice, row, column) by the volume's three axes
    order = np.abs(step).argmax(axis=1)
    _insist(sorted(order) == [0, 1, 2] and (np.abs(step).sum(axis=1) == 1).all())
    turned = volume.array.transpose(order)[tuple(slice(None, None, int(row.sum())) for row in step)]
    found = np.zeros(stack.voxels.shape, turned.dtype)
    found[tuple(slice(first, last + 1) for first, last in zip(low, high, strict=True))] = turned
    return found


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


@contextmanager
def _readable() -> Iterator[None]:
    """What highdicom refuses to lay into one volume is not what was to be written."""
    try:
        yield
    except (RuntimeError, ValueError):
        _insist(False)


def _insist(same: bool) -> None:
    if not same:
        raise OSError(errno.EIO, "a DICOM object did not read back as written; is the disk full?")
