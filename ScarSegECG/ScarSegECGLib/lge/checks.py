"""What a stack must be to be measured; each refusal is an InputError that says what is wrong and what to do."""

from __future__ import annotations

import math
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError, NoLeftVentricle

MIN_SLICES = 3
_MIN_PIXELS = 32
_MAX_VOXELS = 2**26
_MAX_SHEAR_DEG = 2.0
_IN_PLANE_MM = (0.3, 5.0)
_MAX_SLICE_MM = 25.0
LEAST_FIELD_MM = 105.0  # the networks are trained on images cropped to the heart down to this
_FARTHEST_MM = 1e5  # of any scanner's table


def check_three_dimensional(shape: tuple[int, ...]) -> None:
    """Refuse arrays of less or more than three axes, and very large ones."""
    if len(shape) < 3:
        raise InputError("The image is two-dimensional: give the whole short-axis stack, at least 3 slices.")
    if len(shape) > 3:
        raise InputError("The image has more than three dimensions (time or several images): export one LGE stack.")
    check_size(math.prod(shape))


def check_size(voxels: int) -> None:
    """Refuse more voxels than any LGE stack has."""
    if voxels > _MAX_VOXELS:
        raise InputError(f"The image has over {_MAX_VOXELS // 10**6} million voxels: export the LGE stack only.")


def check_slices(slices: int, what: str) -> None:
    """Refuse a stack or series (``what``) of fewer than three slices."""
    if slices < MIN_SLICES:
        raise InputError(f"The {what} has {slices} slice(s): at least {MIN_SLICES} short-axis slices are needed.")


def check_geometry(ijk_to_ras: NDArray[np.float64]) -> None:
    """Refuse a matrix, shape (4, 4), mm, that is not finite, is singular, or is sheared by more than 2 degrees."""
    axes = ijk_to_ras[:3, :3]
    known = np.isfinite(ijk_to_ras).all() and np.abs(ijk_to_ras).max() <= _FARTHEST_MM
    if not known or np.linalg.norm(axes, axis=0).min() <= 0:
        raise InputError("The image's position or voxel size is missing or not a number: export the stack again.")
    unit = axes / np.linalg.norm(axes, axis=0)
    cosines = np.abs((unit.T @ unit)[np.triu_indices(3, 1)])
    shear = float(np.degrees(np.arcsin(min(1.0, cosines.max()))))
    if shear > _MAX_SHEAR_DEG:
        raise InputError(
            f"The image axes are not at right angles ({shear:.1f} degrees off): resample the stack onto a grid."
        )


def check_stack(stack: LgeStack) -> LgeStack:
    """The stack unchanged, if it can be measured.

    Refused: fewer than 3 slices or 32 pixels a side, NaN or infinite values, a constant image, and voxel sizes that no
    LGE scan has (in plane below 0.3 or above 5 mm, slices over 25 mm apart).
    """
    slices, rows, columns = stack.voxels.shape
    check_slices(slices, "stack")
    if min(rows, columns) < _MIN_PIXELS:
        raise InputError(f"The slices have {rows} x {columns} pixels: at least {_MIN_PIXELS} a side are needed.")
    if not np.isfinite(stack.voxels).all():
        raise InputError("The image holds values that are not numbers (NaN or infinity): export the stack again.")
    if stack.voxels.min() == stack.voxels.max():
        raise InputError("The image is constant, every voxel has the same value: choose the LGE stack.")
    slice_mm, row_mm, column_mm = stack.spacing
    low, high = _IN_PLANE_MM
    if not (low <= row_mm <= high and low <= column_mm <= high):
        size = f"{row_mm:.3g} x {column_mm:.3g} mm"
        raise InputError(f"The pixel size {size} is no LGE scan's ({low:g} to {high:g} mm): correct it in the file.")
    if slice_mm > _MAX_SLICE_MM:
        raise InputError(f"The slices are {slice_mm:.3g} mm apart, over {_MAX_SLICE_MM:g}: correct the file's spacing.")
    return stack


def refuse_without_ventricle(stack: LgeStack, why: str) -> NoReturn:
    """Say that no left ventricle was found, and of a stack cropped close to the heart how much it has to show."""
    _, height, width = np.multiply(stack.voxels.shape, stack.spacing)
    if min(height, width) >= LEAST_FIELD_MM:
        raise NoLeftVentricle(why)
    field, least = f"{height:.0f} x {width:.0f} mm", f"{LEAST_FIELD_MM:.0f} mm a side"
    raise NoLeftVentricle(f"{why}; the field of view of {field} is small: give {least} or more")
