"""What speaks against masks, however they were made: said anew whenever they change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Anatomy, IslandPattern
from ScarSegECGLib.facts import AnatomyNote, Doubt, Fact, Pattern, ScarRemark
from ScarSegECGLib.measure.pattern import island_patterns

_WIDER_APEX = 1.5
# What the division notes and no figure suffers from, or what is said of the input already.
NO_DOUBT = (
    AnatomyNote.INSERTIONS_GIVEN,
    AnatomyNote.NO_APEX,
    AnatomyNote.ORIENTATION_ASSUMED,
    AnatomyNote.OFF_AXIS,
)


def mask_doubts(
    anatomy: Anatomy,
    scar: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    patterns: tuple[IslandPattern, ...] | None = None,
) -> tuple[Fact, ...]:
    """Doubts about the contours, their division and the scar.

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
        said.append(Fact(Doubt.WIDER_APEX))
    said += [note for note in anatomy.notes if note.code not in NO_DOUBT]
    if patterns is None:
        patterns = island_patterns(scar, anatomy.cavity, anatomy.myocardium, spacing)
    kinds: dict[tuple[Pattern, ScarRemark], list[float]] = {}
    for found in patterns:
        if found.remark:
            kinds.setdefault((found.pattern, found.remark), []).append(found.ml)
    for (pattern, remark), ml in kinds.items():
        said.append(Fact(Doubt.UNUSUAL_SCAR, pattern=pattern, remark=remark, count=len(ml), ml=sum(ml)))
    return tuple(said)
