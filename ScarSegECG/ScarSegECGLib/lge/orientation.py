"""Bring a stack into canonical storage: apex first, right ventricle on the image left, anterior wall up.

Only transposes and flips are used, so no voxel value changes, and the choice is made in patient space, so the same
heart comes out the same however a file orders its axes. A transposed picture would be mirrored anatomy: the
in-plane axes are turned only in steps of 90 degrees as seen from the apex.

The directions below are typical, not anybody's own: the long axis is the mean of one real oblique short-axis series and
of the mean image orientation of the 700 short-axis studies of the 2015 Data Science Bowl (.617 .777 -.128 / -.397 .167
-.902 in LPS, published at notebook.community/udibr/DSB2/160307-heart-orientation); the septum is the first one's, from
the LV centre to the middle of the right ventricle, read by eye off a mid-cavity slice. As shown by their scanners the
two are turned 37 and 28 degrees to either side of these directions, so both are kept as shown: a picture is turned only
beyond 45 degrees.
"""

from __future__ import annotations

from itertools import compress, permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LgeStack, Storage
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, LgeNote
from ScarSegECGLib.lge.checks import check_geometry, check_three_dimensional


def _unit(*direction: float) -> NDArray[np.float64]:
    return np.array(direction) / np.linalg.norm(direction)


# Patient space, RAS.
APEX_TO_BASE = _unit(0.587, -0.619, 0.521)
SEPTUM_TO_LATERAL = _unit(-0.86, -0.47, 0.20)
ANTERIOR_TO_INFERIOR = _unit(0.17, -0.63, -0.76)

_CLEARLY_LARGER = 1.5
SHORT_AXIS_LIMIT_DEG = 45.0
# A header written without the true pose calls the slices axial, coronal or sagittal: 51 to 59 degrees from the usual
# long axis. Real two- and four-chamber views lie 74 to 87 degrees from it.
LONG_AXIS_VIEW_DEG = 68.0


def canonical(
    voxels_stored: NDArray,
    ijk_to_ras_stored: NDArray[np.float64],
    *,
    orientation_known: bool = True,
    notes: tuple[Fact, ...] = (),
    **known: Any,
) -> LgeStack:
    """Turn a stored array, its three axes in any order, into a stack in canonical storage, float32.

    The slice axis is the one of clearly largest spacing (1.5 times both others). ``ijk_to_ras_stored``, shape (4, 4),
    takes the array's (third, second, first) index to patient space, RAS, mm; one that is singular or sheared by more
    than 2 degrees, and that of a long-axis view, is refused by an :class:`InputError`. Where a file does not say how it
    lies in the patient (``orientation_known``), only the slice axis is brought to the front, and a note says so.
    ``known`` are further fields of :class:`LgeStack`: when it was acquired, its contrast, hash and sources.
    """
    check_three_dimensional(voxels_stored.shape)
    stored = np.array(ijk_to_ras_stored, dtype=np.float64)
    check_geometry(stored)
    vectors = stored[:3, 2::-1].T  # one per array axis, in the array's order
    spacing = np.linalg.norm(vectors, axis=1)
    directions = vectors / spacing[:, None]

    more_notes, slice_axis = [], int(np.argmax(spacing))
    if spacing[slice_axis] < _CLEARLY_LARGER * np.delete(spacing, slice_axis).max():
        more_notes = [Fact(LgeNote.SLICE_AXIS_UNCLEAR)]
        along = np.round(np.abs(directions @ APEX_TO_BASE), 9)
        slice_axis = int(np.argmax(along)) if orientation_known else 0
    if orientation_known:
        storage = _anatomical_storage(directions, slice_axis)
        angle = short_axis_angle_deg(directions[slice_axis])
        if angle > LONG_AXIS_VIEW_DEG:
            raise InputError(f"The slices are a long-axis view ({angle:.0f} degrees off): give the short-axis stack.")
        if angle > SHORT_AXIS_LIMIT_DEG:
            more_notes.append(Fact(LgeNote.POSE_DOUBTFUL, angle=angle))
    else:
        row, column = (axis for axis in range(3) if axis != slice_axis)
        storage = Storage((slice_axis, row, column))
        more_notes.append(Fact(LgeNote.ORIENTATION_ASSUMED))
    matrix = np.eye(4)
    matrix[:3, 2::-1] = _turned(vectors, storage).T
    ends = [vectors[axis] * (voxels_stored.shape[axis] - 1) for axis in compress(storage.axes, storage.flips)]
    matrix[:3, 3] = sum(ends, stored[:3, 3])  # flipped axes run backwards from their other end
    return LgeStack(
        voxels=storage.to_canonical(np.asarray(voxels_stored, dtype=np.float32)),
        ijk_to_ras=matrix,
        storage=storage,
        stored_ijk_to_ras=stored,
        orientation_known=orientation_known,
        notes=(*notes, *more_notes),
        **known,
    )


def short_axis_angle_deg(direction: NDArray[np.float64]) -> float:
    """Angle between a slice direction (RAS, any sign) and the usual LV long axis, degrees, 0..90."""
    return float(np.degrees(np.arccos(min(1.0, abs(float(_unit(*direction) @ APEX_TO_BASE))))))


def _anatomical_storage(directions: NDArray[np.float64], slice_axis: int) -> Storage:
    """Transposes and flips that best lay the axes along the directions of an average heart."""

    def key(candidate: Storage) -> tuple[float, ...]:
        up, down, lateral = _turned(directions, candidate)
        as_seen = np.cross(lateral, down) @ up >= 0  # and not its mirror image
        fits = lateral @ SEPTUM_TO_LATERAL + down @ ANTERIOR_TO_INFERIOR
        # The directions break exact ties in patient space, so that they too do not depend on the file.
        return (*np.round([up @ APEX_TO_BASE, *up, as_seen, fits, *lateral], 9).tolist(),)

    in_plane = (axis for axis in range(3) if axis != slice_axis)
    either = (False, True)
    turns = product(permutations(in_plane, 2), product(either, either, either))
    return max((Storage((slice_axis, *axes), flips) for axes, flips in turns), key=key)


def _turned(rows: NDArray[np.float64], storage: Storage) -> NDArray[np.float64]:
    """One row an axis of the stored array, as one an axis of the canonical."""
    return rows[list(storage.axes)] * np.where(storage.flips, -1.0, 1.0)[:, None]
