"""What speaks against masks, however they were made: said anew whenever they change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Anatomy, IslandPattern
from ScarSegECGLib.measure.pattern import island_patterns

_WIDER_APEX = 1.5
# What the division notes and no figure suffers from, or what is said of the input already.
_NO_DOUBT = (
    "RV insertions given by the reader",
    "Segment 17 is not imaged",
    "The file has no orientation",
    "Slices off the long axis",
)


def mask_doubts(
    anatomy: Anatomy,
    scar: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    patterns: tuple[IslandPattern, ...] | None = None,
) -> tuple[str, ...]:
    """Doubts about the contours, their division and the scar, a sentence each.

    Parameters
    ----------
    anatomy : Anatomy
    scar : bool array, shape (slice, row, column)
        Inside the wall.
    spacing : (slice, row, column) mm
    patterns : tuple of IslandPattern, optional
        Of this scar, where they were measured already.
    """
    said = []
    area = anatomy.cavity.sum(axis=(1, 2))
    lv = np.flatnonzero(area)
    half = len(lv) // 2
    if half and area[lv[:half]].mean() > _WIDER_APEX * area[lv[-half:]].mean():
        said.append("The cavity is larger at the apical end: check that the slices run from apex to base.")
    said += [note for note in anatomy.notes if not note.startswith(_NO_DOUBT)]
    if patterns is None:
        patterns = island_patterns(scar, anatomy.cavity, anatomy.myocardium, spacing)
    kinds: dict[tuple[str, str], list[float]] = {}
    for found in patterns:
        if found.remark:
            kinds.setdefault((found.pattern, found.remark), []).append(found.ml)
    for (pattern, remark), ml in kinds.items():
        said.append(f"{len(ml)} {pattern} scar island(s), {sum(ml):.1f} ml: {remark}.")
    return tuple(said)
