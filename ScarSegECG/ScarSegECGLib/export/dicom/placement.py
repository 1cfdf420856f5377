"""Where a DICOM frame lies on a stack, from its own position and orientation alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import RAS_LPS, LgeStack


@dataclass(frozen=True)
class Placement:
    """Canonical slice that a frame shows, how its rows and columns run there, and how far off the grid it lies.

    ``off`` is the largest distance of a corner pixel from the nearest place of a whole slice, in voxels.
    """

    slice: int
    transposed: bool
    rows_reversed: bool
    columns_reversed: bool
    off: float

    def canonical(self, frame: NDArray) -> NDArray:
        """The frame with the stack's rows and columns."""
        turned = frame.T if self.transposed else frame
        return turned[:: -1 if self.rows_reversed else 1, :: -1 if self.columns_reversed else 1]


def place(
    shape: tuple[int, int],
    position: Sequence[float],
    orientation: Sequence[float],
    spacing: Sequence[float],
    stack: LgeStack,
) -> Placement:
    """Place a frame of ``shape`` (rows, columns).

    Parameters
    ----------
    shape : tuple of int
    position : three floats
        ImagePositionPatient: the first pixel's centre, LPS, mm.
    orientation : six floats
        ImageOrientationPatient.
    spacing : two floats
        PixelSpacing: between rows, between columns, mm.
    stack : LgeStack
    """
    along_row, along_column = np.array(orientation, float).reshape(2, 3)
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) * (np.array(shape) - 1)
    lps = np.array(position, float) + corners @ np.array(
        [along_column * float(spacing[0]), along_row * float(spacing[1])]
    )
    ras = RAS_LPS @ np.column_stack([lps, np.ones(4)]).T
    column, row, slice_ = np.linalg.solve(stack.ijk_to_ras, ras)[:3]
    number = round(float(slice_.mean()))
    transposed = abs(row[2] - row[0]) < abs(row[1] - row[0])
    wide, high = (stack.voxels.shape[2] - 1), (stack.voxels.shape[1] - 1)
    rows_reversed, columns_reversed = bool(row[3] < row[0]), bool(column[3] < column[0])
    fraction = corners / (np.array(shape) - 1)
    down, across = (fraction[:, 1], fraction[:, 0]) if transposed else (fraction[:, 0], fraction[:, 1])
    expected_row = high * (1 - down if rows_reversed else down)
    expected_column = wide * (1 - across if columns_reversed else across)
    off = max(
        np.abs(found - meant).max()
        for found, meant in ((row, expected_row), (column, expected_column), (slice_, number))
    )
    return Placement(number, bool(transposed), rows_reversed, columns_reversed, float(off))
