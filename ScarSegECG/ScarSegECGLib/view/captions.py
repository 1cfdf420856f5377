"""What stands below the title of a picture: how its numbers came about, for it travels without its report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import SegmentRow
from ScarSegECGLib.measure.segments import LITTLE_SCAR_ML
from ScarSegECGLib.measure.threshold import NOT_USED

PERCENT_OF_SEGMENT = "scar, % of the segment's volume"
MEAN_OF_WALL = "% of the wall's thickness, mean over the whole segment, wall without scar included"
MOST_OF_WALL = "% of the wall's thickness, where the segment's scar reaches deepest"
PERCENT_OF_WALL = "scar, % of the wall's thickness at that place"

MVO_SIGN, SMALL_SIGN = "▪", "*"
SIGN_WORDS = (
    (MVO_SIGN, "MVO in the segment"),
    (SMALL_SIGN, f"rests on less than {LITTLE_SCAR_ML:g} ml of scar"),
)
LEAST_MVO_ML = 0.05
"""Less MVO in a segment prints as 0.0 ml and gets no sign."""


def how(method: str, mode: str, remote: str = "", *more: str) -> str:
    """The lines below a title: the method, the remote region where it has one, the AHA mode, and what else is given.

    Parameters
    ----------
    method, mode, remote : str
        As printed in a result; "" leaves the line out. A method that names its remote region is cut there.
    more : str
        Further lines.
    """
    rule, _, named = method.partition("; remote ")
    region = f"remote {named}" if named else "" if remote == NOT_USED else remote
    lines = (rule, region, f"AHA segments: {mode}" if mode else "", *more)
    return "\n".join(f"{line[0].upper()}{line[1:]}" if i else line for i, line in enumerate(filter(None, lines)))


def shown_rows(rows: Sequence[SegmentRow], mode: str) -> list[SegmentRow]:
    """The rows that a bullseye of this mode has: the 17th only where there are 17 segments."""
    ordered = sorted(rows, key=lambda row: row.number)
    return ordered[:16] if "16 segments" in mode else ordered


def mvo_signs(mvo: NDArray[np.bool_] | None, aha: NDArray[np.uint8], voxel_ml: float, count: int = 17) -> list[str]:
    """A sign for every segment that has MVO in it, "" for the others.

    Parameters
    ----------
    mvo : bool array, shape (slice, row, column), or None
    aha : uint8 array, same shape
    voxel_ml : float
    count : int
        16 or 17.
    """
    if mvo is None:
        return [""] * count
    ml = np.bincount(aha[mvo], minlength=18)[1 : count + 1] * voxel_ml
    return [MVO_SIGN if one >= LEAST_MVO_ML else "" for one in ml]
