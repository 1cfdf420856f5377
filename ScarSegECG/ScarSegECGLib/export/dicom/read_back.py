"""Read the written files again and compare them with what was to be written, by where each voxel lies."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import LabelArray, LgeStack
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.groups import Group
from ScarSegECGLib.export.dicom.objects import document
from ScarSegECGLib.export.dicom.source import places_on

# More than what the images themselves may be off (see source.py), less than what would move a voxel.
_OFF_GRID_VOXELS = 0.06
_UNEVEN = 0.011


def check_segmentation(path: Path, labels: LabelArray, numbers: Mapping[int, int], stack: LgeStack) -> None:
    """Insist on every voxel of every segment, and none besides; OSError where the file does not hold them.

    ``labels`` is uint8, shape (slice, row, column), canonical storage; ``numbers`` are the segment numbers of its
    labels, and what is not in them is background.
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
    """Insist on every value of a parametric map, bit for bit; OSError."""
    with _readable():
        volume = highdicom.imread(path).get_volume(dtype=np.float32, apply_real_world_transform=False, rtol=_UNEVEN)
    _insist(np.array_equal(_canonical(volume, stack), values))


def check_report(path: Path, groups: tuple[Group, ...]) -> None:
    """Insist on every number, coded answer and comment of a structured report; OSError."""
    expected: Counter = Counter()
    for group in groups:
        expected.update((v.name.value, v.unit.value, f"{v.value:.4f}") for v in group.values)
        expected.update((name.value, answer.value, "") for name, answer in group.answers)
        expected.update((codes.COMMENT.value, comment, "") for comment in group.comments)
    asked = {name.value for group in groups for name, _ in group.answers}
    _insist(Counter(_said(pydicom.dcmread(path), asked)) == expected)


def check_document(path: Path, pdf: bytes) -> None:
    """Insist on the PDF inside, byte for byte; OSError."""
    _insist(document(pydicom.dcmread(path)) == pdf)


def check_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Insist on every pixel of a secondary capture; OSError."""
    _insist(np.array_equal(pydicom.dcmread(path).pixel_array, pixels))


def _canonical(volume: highdicom.Volume, stack: LgeStack) -> NDArray:
    """The volume's voxels on the stack's grid, 0 where it has none; that both grids are one is insisted on."""
    found = np.zeros(stack.voxels.shape, volume.array.dtype)
    row_column = np.indices(volume.spatial_shape[1:]).reshape(2, -1)
    for k, plane in enumerate(volume.array):
        places, off = places_on(stack, volume.affine, np.insert(row_column, 0, k, axis=0))
        inside = bool((places >= 0).all() and (places.max(axis=1) < stack.voxels.shape).all())
        _insist(off < _OFF_GRID_VOXELS and inside)
        found[tuple(places)] = plane.ravel()
    return found


def _said(item: Dataset, asked: set[str]) -> Iterator[tuple[str, str, str]]:
    for child in item.get("ContentSequence", []):
        name = child.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in child else ""
        if child.ValueType == "NUM":
            measured = child.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
            yield name, unit, f"{float(measured.NumericValue):.4f}"
        elif child.ValueType == "CODE" and name in asked:
            yield name, child.ConceptCodeSequence[0].CodeValue, ""
        elif child.ValueType == "TEXT" and name == codes.COMMENT.value:
            yield name, child.TextValue, ""
        yield from _said(child, asked)


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
