"""The table of the 17 AHA segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Agreement, Anatomy, SegmentRow
from ScarSegECGLib.measure.cropping import heart_box
from ScarSegECGLib.measure.transmurality import segment_transmurality


def segment_percent(aha: NDArray[np.uint8], mask: NDArray[np.bool_], segments: int = 17) -> NDArray[np.float64]:
    """Share of each segment's wall inside ``mask``, 0..100; NaN where a segment has no wall.

    Parameters
    ----------
    aha : uint8 array, shape (slice, row, column)
        0 outside, 1..segments inside the myocardium.
    mask : bool array, same shape

    Returns
    -------
    float64 array, shape (segments,)
    """
    wall = np.bincount(aha.ravel(), minlength=segments + 1)[1 : segments + 1].astype(float)
    hit = np.bincount(aha[mask], minlength=segments + 1)[1 : segments + 1]
    return 100.0 * hit / np.where(wall > 0, wall, np.nan)


def segment_table(
    anatomy: Anatomy,
    scar: NDArray[np.bool_],
    scar_image_only: NDArray[np.bool_],
    stack_spacing: tuple[float, float, float],
    names: Sequence[str],
    territories: Sequence[str],
    ecg_percent: Sequence[float | None] | None = None,
    agreement: Sequence[tuple[Agreement | None, str]] | None = None,
) -> tuple[SegmentRow, ...]:
    """One row per AHA segment.

    Parameters
    ----------
    anatomy : Anatomy
    scar, scar_image_only : bool arrays, shape (slice, row, column)
        With and without the ECG; only their part inside the myocardium counts.
    stack_spacing : (slice, row, column) mm
    names, territories : sequences of str, length 17
        In AHA order; the territory is the usual one.
    ecg_percent : sequence of float or None, length 17, optional
        Scar per segment from the ECG alone, 0..100.
    agreement : sequence of (verdict, reason), length 17, optional
        As :func:`ScarSegECGLib.measure.agreement.agreement_table` gives it.

    Returns
    -------
    tuple of SegmentRow
        Percentages are ``None`` for segments that are not imaged or hold no wall; with 16 segments, 17 is such a one.

    Raises
    ------
    ValueError
        A sequence has not the length of ``anatomy.imaged``.
    """
    count = len(anatomy.imaged)
    for what, given in (
        ("names", names),
        ("territories", territories),
        ("ecg_percent", ecg_percent),
        ("agreement", agreement),
    ):
        if given is not None and len(given) != count:
            raise ValueError(f"{what} has {len(given)} entries for {count} segments")
    box = heart_box(anatomy.cavity | anatomy.myocardium)
    aha, cavity, wall = anatomy.aha[box], anatomy.cavity[box], anatomy.myocardium[box]
    hit, image_only = scar[box] & wall, scar_image_only[box] & wall
    voxel_ml = float(np.prod(stack_spacing)) / 1000.0
    wall_ml = np.bincount(aha.ravel(), minlength=count + 1)[1 : count + 1] * voxel_ml
    scar_ml = np.bincount(aha[hit], minlength=count + 1)[1 : count + 1] * voxel_ml
    percent = segment_percent(aha, hit, count)
    percent_image_only = segment_percent(aha, image_only, count)
    across = segment_transmurality(hit, cavity, wall, aha, stack_spacing, count)
    rows = []
    for i in range(count):
        imaged = bool(anatomy.imaged[i] and wall_ml[i] > 0)
        verdict, reason = agreement[i] if agreement is not None else (None, "")
        rows.append(
            SegmentRow(
                number=i + 1,
                name=names[i],
                territory=territories[i],
                imaged=imaged,
                myocardium_ml=float(wall_ml[i]),
                scar_ml=float(scar_ml[i]),
                scar_percent=_known(percent[i], imaged),
                scar_percent_image_only=_known(percent_image_only[i], imaged),
                transmurality_mean_percent=_known(across.mean_percent[i], imaged),
                transmurality_max_percent=_known(across.max_percent[i], imaged),
                transmurality_bin=across.bins[i] if imaged else "",
                wall_thickness_mm=_known(across.thickness_mm[i], imaged),
                ecg_percent=None if ecg_percent is None else ecg_percent[i],
                agreement=verdict,
                agreement_reason=reason,
            )
        )
    return tuple(rows)


def _known(value: float, imaged: bool) -> float | None:
    return float(value) if imaged and not np.isnan(value) else None
