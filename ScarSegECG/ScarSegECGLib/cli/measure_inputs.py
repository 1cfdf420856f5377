"""What a reader types for ``scarsegecg measure``: slices (1 is the apex), segments, angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LabelArray
from ScarSegECGLib.errors import ContrastUnknown, InputError
from ScarSegECGLib.facts import RemoteRegion, RemoteSource
from ScarSegECGLib.wording import spans


def hint(error: InputError) -> str:
    """The option that puts an error right which no option's name is in; "" where none does."""
    return " (--contrast says it)" if isinstance(error, ContrastUnknown) else ""


NUMBERS = "numbers with commas between them, such as the help shows"


def numbers(text: str, option: str, count: int | None = None, wanted: str = NUMBERS) -> NDArray[np.float64]:
    """Numbers with commas between them.

    Raises
    ------
    InputError
        Something else, or not ``count`` of them; what was typed is not repeated, for it may be a path.
    """
    try:
        values = np.array([float(part) for part in text.split(",")])
    except ValueError:
        values = np.empty(0)
    if not values.size or (count is not None and values.size != count) or not np.isfinite(values).all():
        raise InputError(f"{option}: give {wanted}")
    return values


def without_slices(labels: LabelArray, text: str | None) -> tuple[LabelArray, tuple[int, ...]]:
    """The labels with nothing in the slices that the reader leaves out, and the numbers of these slices.

    Raises
    ------
    InputError
        Slices that the stack does not have.
    """
    if text is None:
        return labels, ()
    asked = numbers(text, "--leave-out-slices")
    known = range(1, len(labels) + 1)
    for value in asked:
        if value not in known:
            raise InputError(f"--leave-out-slices {text}: there is no slice {value:g}; choose from {spans(known)}")
    left_out = tuple(sorted({int(value) for value in asked}))
    kept = labels.copy()
    kept[[number - 1 for number in left_out]] = 0
    return kept, left_out


def segments_mask(aha: NDArray[np.uint8], text: str) -> tuple[NDArray[np.bool_], RemoteRegion]:
    """The wall of the AHA segments that are named, and what is said of them.

    Raises
    ------
    InputError
        Segments that these contours do not have.
    """
    asked = numbers(text, "--remote-segments")
    known = [int(number) for number in np.unique(aha) if number]
    for value in asked:
        if value not in known:
            raise InputError(
                f"--remote-segments {text}: these contours have no segment {value:g}; choose from {spans(known)}"
            )
    chosen = sorted({int(value) for value in asked})
    return np.isin(aha, chosen), RemoteRegion(RemoteSource.SEGMENTS, tuple(chosen))
