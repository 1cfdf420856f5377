"""A patient's result from a scar with and without the ECG: the measurements, and the ECG held against the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ScarSegECGLib.anatomy.polar import Mask
from ScarSegECGLib.case import Anatomy, EcgUse, LgeStack, ScarResult, burden_of
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGLib.measure.agreement import agreement_table
from ScarSegECGLib.measure.measurements import measure
from ScarSegECGLib.measure.rules import FoundScar
from ScarSegECGLib.measure.segments import segment_percent


def figures(
    stack: LgeStack,
    anatomy: Anatomy,
    scar: FoundScar,
    image_only: Mask,
    seen: Mask,
    use: EcgUse,
    conduction: Conduction = Conduction.UNKNOWN,
    ecg_percent: Sequence[float | None] | None = None,
    input_warnings: tuple[Fact, ...] = (),
) -> dict[str, Any]:
    """The fields of a :class:`ScarResult` that follow from masks; without a wall all figures are 0.

    ``scar`` is the one with the ECG, where it counted, ``image_only`` the one without, ``seen`` the one that the ECG is
    held against: what the images alone show, or what the reader made of it. ``ecg_percent``, of 17 segments, is the
    scar from the ECG alone, 0..100. ``input_warnings``, which no mask changes, come first.
    """
    measured = measure(stack, anatomy, scar)
    wall, count = anatomy.myocardium, len(anatomy.imaged)
    alone, shown = (segment_percent(anatomy.aha, mask & wall, count) for mask in (image_only, seen))
    percent = [None if np.isnan(p) else float(p) for p in shown]
    verdicts = agreement_table(percent, ecg_percent, conduction, use.amplitude > 0, why_not_used=use.reasons)
    rows = tuple(
        replace(
            row,
            scar_percent_image_only=float(alone[i]) if row.imaged else None,
            ecg_percent=None if ecg_percent is None else ecg_percent[i],
            agreement=verdicts[i][0],
            agreement_reason=verdicts[i][1],
        )
        for i, row in enumerate(measured.segments)
    )
    same = ("method", "labels", "cavity_ml", "myocardium_ml", "scar", "parts", "patterns")
    alone_voxels, voxels = (int(np.count_nonzero(mask)) for mask in (image_only & wall, wall))
    return {name: getattr(measured, name) for name in same} | {
        "scar_image_only": burden_of(alone_voxels, voxels, stack.voxel_ml),
        "mvo": measured.parts.mvo,
        "segments": rows,
        "input_warnings": input_warnings,
        "warnings": (*input_warnings, *measured.warnings, *measured.doubts),
    }


def measured_again(
    result: ScarResult, anatomy: Anatomy, scar: FoundScar, image_only: Mask, conduction: Conduction
) -> ScarResult:
    """The case measured again with this anatomy and this scar; what the ECG itself says stays.

    The ECG, with its ``conduction`` (unknown without one), is held against the new scar, since that is what somebody
    now says the images show. Warnings about contours and scar are made anew with them.
    """
    said = [row.ecg_percent for row in result.segments]
    said += [None] * (len(anatomy.imaged) - len(said))  # 16 segments have no apex
    percent = said if any(value is not None for value in said) else None
    changed = figures(
        result.stack, anatomy, scar, image_only, scar.mask, result.ecg_use, conduction, percent, result.input_warnings
    )
    return replace(result, anatomy=anatomy, **changed)
