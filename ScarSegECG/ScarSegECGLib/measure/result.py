"""Everything of a result that is counted from masks: volumes, the AHA table, the ECG held against the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.segments import SEGMENT_NAMES
from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, Anatomy, Burden, EcgUse, LgeStack, ScarResult
from ScarSegECGLib.facts import Conduction, Fact, Method
from ScarSegECGLib.measure.agreement import agreement_table
from ScarSegECGLib.measure.burden import burden
from ScarSegECGLib.measure.contours import TERRITORIES
from ScarSegECGLib.measure.doubts import mask_doubts
from ScarSegECGLib.measure.pattern import island_patterns
from ScarSegECGLib.measure.scar_parts import scar_parts
from ScarSegECGLib.measure.segments import segment_percent, segment_table

Mask = NDArray[np.bool_]
NOTHING = Burden(0.0, 0.0, 0.0)


def counted(
    stack: LgeStack,
    anatomy: Anatomy,
    scar: Mask,
    image_only: Mask,
    seen: Mask,
    use: EcgUse,
    conduction: Conduction,
    ecg_percent: Sequence[float | None] | None,
    input_warnings: tuple[Fact, ...] = (),
    doubts: tuple[Fact, ...] = (),
) -> dict[str, Any]:
    """The fields of a :class:`ScarResult` that follow from masks.

    Parameters
    ----------
    stack : LgeStack
    anatomy : Anatomy
        Without a wall all figures are 0.
    scar, image_only : bool arrays, shape (slice, row, column)
        With and without the ECG; what lies outside the wall does not count.
    seen : bool array, same shape
        The scar that the ECG is held against: what the images alone show, or what the reader made of it.
    use : EcgUse
    conduction : str
        Of the ECG; "unknown" without one.
    ecg_percent : sequence of float or None, length 17, or None
        Scar per segment from the ECG alone, 0..100.
    input_warnings : tuple of Fact
        What no mask changes; it comes first.
    doubts : tuple of Fact
        Why the scar of a rule is not to be believed.
    """
    wall = anatomy.myocardium
    scar, image_only = scar & wall, image_only & wall
    labels = np.zeros(wall.shape, np.uint8)
    labels[anatomy.cavity] = CAVITY
    labels[wall] = MYOCARDIUM
    labels[scar] = SCAR
    percent = [None if np.isnan(p) else float(p) for p in segment_percent(anatomy.aha, seen & wall)]
    agreement = agreement_table(percent, ecg_percent, conduction, use.amplitude > 0, why_not_used=use.reasons)
    known = bool(wall.any())
    parts = scar_parts(stack, anatomy.cavity, wall, scar)
    patterns = island_patterns(scar, anatomy.cavity, wall, stack.spacing)
    return {
        "labels": labels,
        "cavity_ml": float(anatomy.cavity.sum()) * stack.voxel_ml,
        "myocardium_ml": float(wall.sum()) * stack.voxel_ml,
        "scar": burden(scar, wall, stack.voxel_ml) if known else NOTHING,
        "scar_image_only": burden(image_only, wall, stack.voxel_ml) if known else NOTHING,
        "mvo": parts.mvo,
        "parts": parts,
        "patterns": patterns,
        "segments": segment_table(
            anatomy, scar, image_only, stack.spacing, SEGMENT_NAMES, TERRITORIES, ecg_percent, agreement, parts
        ),
        "input_warnings": input_warnings,
        "warnings": (*input_warnings, *doubts, *mask_doubts(anatomy, scar, stack.spacing, patterns)),
    }


def measured_again(
    result: ScarResult,
    anatomy: Anatomy,
    scar: Mask,
    image_only: Mask,
    method: Method,
    conduction: Conduction,
    doubts: tuple[Fact, ...] = (),
) -> ScarResult:
    """The case measured again with this anatomy and this scar; what the ECG itself says stays.

    The ECG is held against the new scar, since that is what somebody now says the images show. Warnings about contours
    and scar are made anew with them.

    Parameters
    ----------
    result : ScarResult
    anatomy : Anatomy
    scar, image_only : bool arrays, shape (slice, row, column)
    method : Method
    conduction : Conduction
        Of the ECG; "unknown" without one.
    doubts : tuple of Fact
        As in :func:`counted`.
    """
    said = [row.ecg_percent for row in result.segments]
    said += [None] * (len(anatomy.imaged) - len(said))  # 16 segments have no apex
    ecg_percent = said if any(value is not None for value in said) else None
    figures = counted(
        result.stack,
        anatomy,
        scar,
        image_only,
        scar,
        result.ecg_use,
        conduction,
        ecg_percent,
        result.input_warnings,
        doubts,
    )
    return replace(result, anatomy=anatomy, method=method, **figures)
