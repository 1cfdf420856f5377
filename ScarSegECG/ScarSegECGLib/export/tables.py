"""The AHA segments as a table for other software (CSV)."""

from __future__ import annotations

import csv
from pathlib import Path

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, ScarResult, SegmentRow
from ScarSegECGLib.measure.segments import rests_on_little
from ScarSegECGLib.report.numbers import number
from ScarSegECGLib.report.private import without_paths
from ScarSegECGLib.wording import agreement_reason, described, words

FILE_NAME = "segments.csv"


def write_segments(result: ScarResult, folder: Path) -> None:
    """Write ``segments.csv``: one line per AHA segment in the order of the result, UTF-8, decimal point.

    The columns have their units in their names; an empty cell is "not imaged" or "not known". ``scar_method`` says
    which scar it is: "with ECG (investigational)", "image only" or "corrected by hand".
    ``scar_percent_of_segment`` is its volume over the segment's myocardium (scar included); ``..._image_only`` is the
    same without the ECG, and the one column that ``scar_method`` does not speak of; transmurality is per cent of the
    wall's thickness. ``mvo_ml``, ``core_ml``, ``grey_zone_ml`` and ``below_grey_zone_ml`` add up to ``scar_ml`` where
    all are known. ``transmurality_max_on_little_scar`` is "yes" where the maximum rests on less than 0.5 ml.
    ``ecg_scar_percent_of_segment`` is the estimate from the ECG alone.
    The bin carries a percent sign so that a spreadsheet does not read "1-25" as a date.
    """
    lines = [_line(row, result) for row in result.segments]
    with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _line(row: SegmentRow, result: ScarResult) -> dict[str, str]:
    return {
        "aha_segment": str(row.number),
        "name": _cell(row.name),
        "usual_territory": _cell(row.territory),
        "imaged": _yes(row.imaged),
        "myocardium_ml": number(row.myocardium_ml, 3),
        "scar_ml": number(row.scar_ml, 3),
        "scar_g": number(row.scar_ml * MYOCARDIAL_DENSITY_G_PER_ML, 3),
        "mvo_ml": number(row.mvo_ml, 3),
        "core_ml": number(row.core_ml, 3),
        "grey_zone_ml": number(row.grey_ml, 3),
        "below_grey_zone_ml": number(row.rest_ml, 3),
        "scar_percent_of_segment": number(row.scar_percent, 2),
        "scar_percent_of_segment_image_only": number(row.scar_percent_image_only, 2),
        "transmurality_mean_percent": number(row.transmurality_mean_percent, 2),
        "transmurality_max_percent": number(row.transmurality_max_percent, 2),
        "transmurality_max_on_little_scar": _yes(rests_on_little(row)) if row.imaged else "",
        "transmurality_bin_percent": _with_percent_sign(row.transmurality_bin),
        "wall_thickness_mm": number(row.wall_thickness_mm, 2),
        "ecg_scar_percent_of_segment": number(row.ecg_percent, 2),
        "ecg_agreement": str(row.agreement or ""),
        "ecg_agreement_reason": _cell(agreement_reason(row.agreement_reason)),
        "scar_method": _cell(described(result.method, result.shown)),
        "aha_mode": _cell(words(result.anatomy.division)),
    }


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _with_percent_sign(bin_name: str) -> str:
    """ "1-25" as "1-25 %"; words and the empty string as they are."""
    bare = bin_name.strip()
    return f"{bare} %" if bare[-1:].isdigit() else bare


def _cell(sentence: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    clean = " ".join(without_paths(sentence).split())
    return f"'{clean}" if clean[:1] in ("=", "+", "-", "@") else clean
