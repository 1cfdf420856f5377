"""The AHA segments as a table for other software (CSV)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, SCAR, ScarResult, SegmentRow
from ScarSegECGLib.export.text import number, without_paths
from ScarSegECGLib.measure.mvo import mvo_within

FILE_NAME = "segments.csv"

COLUMNS = (
    "aha_segment",
    "name",
    "usual_territory",
    "imaged",
    "myocardium_ml",
    "scar_ml",
    "scar_g",
    "mvo_ml",
    "scar_percent_of_segment",
    "scar_percent_of_segment_image_only",
    "transmurality_mean_percent",
    "transmurality_max_percent",
    "transmurality_bin_percent",
    "wall_thickness_mm",
    "ecg_scar_percent_of_segment",
    "ecg_agreement",
    "ecg_agreement_reason",
    "scar_method",
    "aha_mode",
)


def write_segments(result: ScarResult, folder: Path) -> None:
    """Write ``segments.csv``: one line per AHA segment in the order of the result, UTF-8, decimal point.

    The columns are :data:`COLUMNS`, each with its unit in its name; an empty cell is "not imaged" or "not known".
    ``mvo_ml`` is the part of ``scar_ml`` that is microvascular obstruction.
    ``scar_percent_of_segment`` is scar volume over the segment's myocardium (scar included), with the ECG;
    ``..._image_only`` is the same without it; ``ecg_scar_percent_of_segment`` is the estimate from the ECG alone.
    The bin carries a percent sign so that a spreadsheet does not read "1-25" as a date.
    """
    with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        mvo_ml = _mvo_ml(result)
        writer.writerows(_line(row, result, mvo_ml) for row in result.segments)


def _mvo_ml(result: ScarResult) -> NDArray[np.float64] | None:
    """MVO of segment 0 (outside) .. 17, ml; ``None`` where it was not looked for."""
    if result.mvo is None:
        return None
    anatomy, stack = result.anatomy, result.stack
    dark = mvo_within(stack.voxels, anatomy.cavity, anatomy.myocardium, stack.spacing, result.labels == SCAR)
    return np.bincount(anatomy.aha[dark], minlength=18).astype(np.float64) * stack.voxel_ml


def _line(row: SegmentRow, result: ScarResult, mvo_ml: NDArray[np.float64] | None) -> list[str]:
    return [
        str(row.number),
        _cell(row.name),
        _cell(row.territory),
        "yes" if row.imaged else "no",
        number(row.myocardium_ml, 3),
        number(row.scar_ml, 3),
        number(row.scar_ml * MYOCARDIAL_DENSITY_G_PER_ML, 3),
        "" if mvo_ml is None or not row.imaged else number(float(mvo_ml[row.number]), 3),
        number(row.scar_percent, 2),
        number(row.scar_percent_image_only, 2),
        number(row.transmurality_mean_percent, 2),
        number(row.transmurality_max_percent, 2),
        _with_percent_sign(row.transmurality_bin),
        number(row.wall_thickness_mm, 2),
        number(row.ecg_percent, 2),
        row.agreement or "",
        _cell(row.agreement_reason),
        _cell(result.method),
        _cell(result.anatomy.mode),
    ]


def _with_percent_sign(bin_name: str) -> str:
    """ "1-25" as "1-25 %"; words and the empty string as they are."""
    bare = bin_name.strip()
    return f"{bare} %" if bare[-1:].isdigit() else bare


def _cell(sentence: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    clean = " ".join(without_paths(sentence).split())
    return f"'{clean}" if clean[:1] in ("=", "+", "-", "@") else clean
