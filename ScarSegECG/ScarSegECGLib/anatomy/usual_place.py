"""Where the RV insertions usually lie in a stack's own image, by its pose in the patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.insertion import STANDARD_DEG
from ScarSegECGLib.lge.orientation import (
    ANTERIOR_TO_INFERIOR,
    SEPTUM_TO_LATERAL,
    SHORT_AXIS_LIMIT_DEG,
    short_axis_angle_deg,
)


def usual_insertions_deg(ijk_to_ras: NDArray[np.float64], orientation_known: bool = True) -> tuple[float, float] | None:
    """Directions in which the anterior and the inferior insertion usually lie in this image.

    The AHA plot's 120 and 240 degrees, turned in the plane as the usual directions from the septum to the lateral wall
    and from the anterior to the inferior wall are turned in this image (least squares; this project's own rule).

    Parameters
    ----------
    ijk_to_ras : float64 array, shape (4, 4)
        Takes *canonical* (column, row, slice, 1) indices to patient space, RAS, mm.
    orientation_known : bool
        Whether that matrix came from the file.

    Returns
    -------
    (anterior, inferior) in degrees of the bullseye's frame, or None
        None where the pose is not known, or too far from a short axis to be the true one.
    """
    column, row, along = np.asarray(ijk_to_ras, float)[:3, :3].T
    if not orientation_known or short_axis_angle_deg(along) > SHORT_AXIS_LIMIT_DEG:
        return None
    right, down = column / np.linalg.norm(column), row / np.linalg.norm(row)
    turn = np.degrees(
        np.arctan2(
            ANTERIOR_TO_INFERIOR @ right - SEPTUM_TO_LATERAL @ down,
            SEPTUM_TO_LATERAL @ right + ANTERIOR_TO_INFERIOR @ down,
        )
    )
    return float((STANDARD_DEG[0] + turn) % 360.0), float((STANDARD_DEG[1] + turn) % 360.0)
