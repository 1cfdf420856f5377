"""What a stack must be to be measured; each refusal is one line that says what is wrong and what to do."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError, NoLeftVentricle
from ScarSegECGLib.lge.archive import MAX_RATIO, RATIO_MATTERS_MEMBER_BYTES

MIN_SLICES = 3
MIN_PIXELS = 32
MAX_VOXELS = 2**26
MAX_SHEAR_DEG = 2.0
IN_PLANE_MM = (0.3, 5.0)
MAX_SLICE_MM = 25.0
SPACING_TOLERANCE = 0.10
ORIENTATION_TOLERANCE_DEG = 1.0
OFF_LINE_MM = 1.0
LEAST_FIELD_MM = 105.0  # the networks are trained on images cropped to the heart down to this
FARTHEST_MM = 1e5  # of any scanner's table


def check_three_dimensional(shape: tuple[int, ...]) -> None:
    """Refuse 2D and 4D arrays.

    Raises
    ------
    InputError
    """
    if len(shape) < 3:
        raise InputError("The image is two-dimensional: give the whole short-axis stack, at least 3 slices.")
    if len(shape) > 3:
        raise InputError("The image has more than three dimensions (time or several images): export one LGE stack.")
    if int(np.prod(shape, dtype=np.int64)) > MAX_VOXELS:
        raise InputError(
            f"The image has over {MAX_VOXELS // 10**6} million voxels: export the LGE short-axis stack only."
        )


def check_packing(unpacked: int, packed: int) -> None:
    """Refuse an image of ``packed`` bytes that unpacks to more than images do; the archives' rule.

    Raises
    ------
    InputError
    """
    if unpacked > RATIO_MATTERS_MEMBER_BYTES and unpacked > MAX_RATIO * max(packed, 1):
        raise InputError("The image file would unpack to far more than images do: it was not read.")


def check_geometry(ijk_to_ras: NDArray[np.float64]) -> None:
    """Refuse a matrix that is not finite, is singular, or is sheared by more than 2 degrees.

    Parameters
    ----------
    ijk_to_ras : array, shape (4, 4)
        Index to patient space, mm.

    Raises
    ------
    InputError
    """
    axes = ijk_to_ras[:3, :3]
    if not np.isfinite(ijk_to_ras).all() or np.abs(ijk_to_ras).max() > FARTHEST_MM:
        raise InputError("The image's position or voxel size is missing or not a number: export the stack again.")
    lengths = np.linalg.norm(axes, axis=0)
    if lengths.min() <= 0:
        raise InputError("The image's position or voxel size is missing or not a number: export the stack again.")
    unit = axes / lengths
    cosines = np.abs((unit.T @ unit)[np.triu_indices(3, 1)])
    shear = float(np.degrees(np.arcsin(min(1.0, cosines.max()))))
    if shear > MAX_SHEAR_DEG:
        raise InputError(
            f"The image axes are not at right angles ({shear:.1f} degrees off, at most {MAX_SHEAR_DEG:.0f}): "
            "resample the stack onto a rectangular grid first."
        )


def check_stack(stack: LgeStack) -> LgeStack:
    """Return the stack unchanged if it can be measured.

    Raises
    ------
    InputError
        Fewer than 3 slices, fewer than 32 pixels a side, NaN or infinite values, a constant image, or voxel sizes
        that no LGE scan has (in plane below 0.3 or above 5 mm, slices over 25 mm apart).
    """
    slices, rows, columns = stack.voxels.shape
    if slices < MIN_SLICES:
        raise InputError(f"The stack has {slices} slice(s): at least {MIN_SLICES} short-axis slices are needed.")
    if min(rows, columns) < MIN_PIXELS:
        raise InputError(f"The slices have {rows} x {columns} pixels: at least {MIN_PIXELS} a side are needed.")
    if not np.isfinite(stack.voxels).all():
        raise InputError("The image holds values that are not numbers (NaN or infinity): export the stack again.")
    if stack.voxels.min() == stack.voxels.max():
        raise InputError("The image is constant, every voxel has the same value: choose the LGE stack.")
    slice_mm, row_mm, column_mm = stack.spacing
    low, high = IN_PLANE_MM
    if not (low <= row_mm <= high and low <= column_mm <= high):
        raise InputError(
            f"The pixel size of {row_mm:.3g} x {column_mm:.3g} mm is not that of an LGE scan "
            f"({low:g} to {high:g} mm): correct the file's pixel size."
        )
    if slice_mm > MAX_SLICE_MM:
        raise InputError(
            f"The slices are {slice_mm:.3g} mm apart, more than {MAX_SLICE_MM:g} mm: correct the file's spacing."
        )
    return stack


def refuse_without_ventricle(stack: LgeStack, why: str) -> NoReturn:
    """Say that no left ventricle was found, and of a stack cropped close to the heart how much it has to show.

    Raises
    ------
    NoLeftVentricle
    """
    height, width = (size * mm for size, mm in zip(stack.voxels.shape[1:], stack.spacing[1:], strict=True))
    if min(height, width) >= LEAST_FIELD_MM:
        raise NoLeftVentricle(why)
    raise NoLeftVentricle(
        f"{why}; the field of view of {height:.0f} x {width:.0f} mm is small: give {LEAST_FIELD_MM:.0f} mm a side or "
        "more"
    )


def check_same_orientation(orientations: NDArray[np.float64]) -> None:
    """Refuse slices that are not parallel and equally turned.

    Parameters
    ----------
    orientations : array, shape (slices, 6)
        DICOM direction cosines: along a row, along a column.

    Raises
    ------
    InputError
    """
    pairs = orientations.reshape(-1, 2, 3)
    pairs = pairs / np.linalg.norm(pairs, axis=2, keepdims=True)
    worst = float(np.degrees(np.arccos(np.clip((pairs * pairs[0]).sum(axis=2).min(), -1.0, 1.0))))
    if worst > ORIENTATION_TOLERANCE_DEG:
        raise InputError(
            f"The slices are not parallel (up to {worst:.0f} degrees apart): give the short-axis slices only, "
            "without long-axis or radial views."
        )


def slice_step(positions: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vector from one slice to the next, for slices already in order along ``normal``.

    Parameters
    ----------
    positions : array, shape (slices, 3)
        Centre of each slice's first pixel, mm.
    normal : array, shape (3,)
        Unit normal of the slices.

    Returns
    -------
    array, shape (3,)
        Mean step, mm.

    Raises
    ------
    InputError
        Two slices at one place, a missing slice, uneven distances (over 10 %), slices that do not lie on one line.
    """
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    distinct = 1 + int((gaps > max(0.01, 0.05 * usual)).sum())
    if distinct < len(positions):
        raise InputError(
            f"Several images share a position ({len(positions)} images at {distinct} positions): magnitude and PSIR, "
            "or several phases, are mixed; give one image per slice."
        )
    off = np.abs(gaps - usual) / usual
    worst = int(np.argmax(off))
    if off[worst] > SPACING_TOLERANCE:
        times = gaps[worst] / usual
        if times > 1.5 and abs(times - round(times)) <= SPACING_TOLERANCE * times:
            raise InputError(
                f"{round(times) - 1} slice(s) missing after slice {worst + 1} of {len(positions)} (a gap of "
                f"{gaps[worst]:.1f} mm instead of {usual:.1f} mm): export the whole series."
            )
        raise InputError(
            f"The slices are not evenly spaced ({gaps.min():.1f} to {gaps.max():.1f} mm): "
            "give an evenly spaced short-axis stack."
        )
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, None] * step
    drift = np.linalg.norm(positions - line - ((positions - line) @ normal)[:, None] * normal, axis=1).max()
    if drift > OFF_LINE_MM:
        raise InputError(
            f"The slices are shifted against each other in the header (up to {drift:.1f} mm off a straight line): "
            "resample the stack onto a rectangular grid first."
        )
    return step
