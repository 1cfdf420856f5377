"""From the headers of a stack's images to their order and their matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import RAS_LPS
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import MAX_VOXELS, MIN_SLICES, check_same_orientation, slice_step
from ScarSegECGLib.lge.orientation import SHORT_AXIS_LIMIT_DEG, short_axis_angle_deg
from ScarSegECGLib.lge.series_kind import vector

_GREY = ("MONOCHROME1", "MONOCHROME2")
_NO_PLACE = "The DICOM images do not say where they lie in the patient: export the original series."


@dataclass(frozen=True, eq=False)
class StackPose:
    """``order`` sorts the images along their normal (row x column direction); the matrix is that of the sorted stack.

    ``ijk_to_ras`` is float64, shape (4, 4): (column, row, slice, 1) to patient space, RAS, mm.
    """

    order: NDArray[np.intp]
    ijk_to_ras: NDArray[np.float64]


def stack_pose(headers: Sequence[Dataset]) -> StackPose:
    """Order and matrix of images that form one evenly spaced short-axis stack.

    Parameters
    ----------
    headers : sequence of Dataset
        One per image or frame, in any order.

    Raises
    ------
    InputError
        They do not form one: too few, no position, not parallel, not short axis, gaps, doubles, colour.
    """
    if len(headers) < MIN_SLICES:
        raise InputError(f"The series has {len(headers)} slice(s): at least {MIN_SLICES} short-axis slices are needed.")
    _check_one_patient(headers)
    _check_pixels(headers)
    orientations = _numbers(headers, "ImageOrientationPatient", 6)
    positions = _numbers(headers, "ImagePositionPatient", 3)
    spacings = _numbers(headers, "PixelSpacing", 2)
    if not (spacings > 0).all():
        raise InputError("The DICOM images' pixel spacing is missing, not positive or no number: export them again.")
    upright = np.linalg.norm(np.cross(orientations[:, :3], orientations[:, 3:]), axis=1) >= 0.5
    if not upright.all() or np.isnan(positions).any():
        raise InputError(_NO_PLACE)
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
    return StackPose(order, RAS_LPS @ lps)


def angles_deg(first: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Larger of the angles between the row and between the column directions of one image orientation and others.

    ``first`` has shape (6,), ``others`` (n, 6); degrees, shape (n,).
    """
    one, many = first.reshape(1, 2, 3), others.reshape(-1, 2, 3)
    lengths = np.linalg.norm(one, axis=2) * np.linalg.norm(many, axis=2)
    cosines = (one * many).sum(axis=2) / np.where(lengths < 1e-12, np.inf, lengths)
    return np.degrees(np.arccos(np.clip(cosines.min(axis=1), -1.0, 1.0)))


def _check_one_patient(headers: Sequence[Dataset]) -> None:
    """Refuse images that name several patients; what an image leaves empty speaks against none."""
    for keyword in ("PatientID", "PatientName", "PatientBirthDate"):
        written = (str(h.get(keyword) or "").partition("=")[0].strip(" ^\0").casefold() for h in headers)
        if len(set(filter(None, written))) > 1:
            raise InputError(
                "The images are of several patients (identifier, name or date of birth differ): give one patient's "
                "series."
            )


def _check_pixels(headers: Sequence[Dataset]) -> None:
    shown = {str(h.get("PhotometricInterpretation") or "") for h in headers}
    if any(int(h.get("SamplesPerPixel") or 1) != 1 for h in headers) or not shown <= {"", *_GREY}:
        raise InputError("The images are in colour (a screenshot or a map): choose the LGE series in grey values.")
    if "MONOCHROME1" in shown:
        raise InputError("The images are stored inverted (MONOCHROME1): export the original LGE series.")
    if sum(int(h.Rows) * int(h.Columns) for h in headers) > MAX_VOXELS:
        raise InputError(
            f"The image has over {MAX_VOXELS // 10**6} million voxels: export the LGE short-axis stack only."
        )
    pixels = {(h.get("BitsAllocated"), h.get("BitsStored"), h.get("HighBit")) for h in headers}
    if any(None not in bits and not (bits[1] <= bits[0] and bits[2] == bits[1] - 1) for bits in pixels):
        raise InputError("The images contradict themselves on how many bits a pixel has: export the series again.")


def _check_short_axis(normal_lps: NDArray[np.float64]) -> None:
    angle = short_axis_angle_deg(RAS_LPS[:3, :3] @ normal_lps)
    if angle > SHORT_AXIS_LIMIT_DEG:
        raise InputError(
            f"The slices do not look like a short-axis stack ({angle:.0f} degrees from the usual direction, at most "
            f"{SHORT_AXIS_LIMIT_DEG:.0f}): choose the short-axis LGE series, not a long-axis or axial one."
        )


def _numbers(headers: Sequence[Dataset], keyword: str, count: int) -> NDArray[np.float64]:
    """One row of numbers an image; NaN where they are missing or no numbers."""
    rows = [vector(header, keyword, count) for header in headers]
    return np.array([np.full(count, np.nan) if row is None else row for row in rows], dtype=np.float64)
