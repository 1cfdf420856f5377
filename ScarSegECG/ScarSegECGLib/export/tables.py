"""The AHA segments as a table for other software (CSV)."""

from __future__ import annotations

import csv
from pathlib import Path

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, ScarResult, SegmentRow
from ScarSegECGLib.export.text import number, without_paths
from ScarSegECGLib.measure.segments import rests_on_little
from ScarSegECGLib.wording import agreement_reason, described, words

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
    "core_ml",
    "grey_zone_ml",
    "below_grey_zone_ml",
    "scar_percent_of_segment",
    "scar_percent_of_segment_image_only",
    "transmurality_mean_percent",
    "transmurality_max_percent",
    "transmurality_max_on_little_scar",
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
    ``scar_method`` says which scar it is: "with ECG (investigational)", "image only" or "corrected by hand".
    ``scar_percent_of_segment`` is its volume over the segment's myocardium (scar included); ``..._image_only`` is the
    same without the ECG, and the one column that ``scar_method`` does not speak of; transmurality is per cent of the
    wall's thickness. ``mvo_ml``, ``core_ml``, ``grey_zone_ml`` and ``below_grey_zone_ml`` add up to ``scar_ml`` where
    all are known. ``transmurality_max_on_little_scar`` is "yes" where the maximum rests on less than 0.5 ml.
    ``ecg_scar_percent_of_segment`` is the estimate from the ECG alone.
    The bin carries a percent sign so that a spreadsheet does not read "1-25" as a date.
    """
    with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_line(row, result) for row in result.segments)


def _line(row: SegmentRow, result: ScarResult) -> list[str]:
    return [
        str(row.number),
        _cell(row.name),
        _cell(row.territory),
        "yes" if row.imaged else "no",
        number(row.myocardium_ml, 3),
        number(row.scar_ml, 3),
        number(row.scar_ml * MYOCARDIAL_DENSITY_G_PER_ML, 3),
        *(number(part, 3) for part in (row.mvo_ml, row.core_ml, row.grey_ml, row.rest_ml)),
        number(row.scar_percent, 2),
        number(row.scar_percent_image_only, 2),
        number(row.transmurality_mean_percent, 2),
        number(row.transmurality_max_percent, 2),
        ("yes" if rests_on_little(row) else "no") if row.imaged else "",
        _with_percent_sign(row.transmurality_bin),
        number(row.wall_thickness_mm, 2),
        number(row.ecg_percent, 2),
        str(row.agreement or ""),
        _cell(agreement_reason(row.agreement_reason)),
        _cell(described(result.method, result.shown)),
        _cell(words(result.anatomy.division)),
    ]


def _with_percent_sign(bin_name: str) -> str:
    """ "1-25" as "1-25 %"; words and the empty string as they are."""
    bare = bin_name.strip()
    return f"{bare} %" if bare[-1:].isdigit() else bare


def _cell(sentence: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    clean = " ".join(without_paths(sentence).split())
    return f"'{clean}" if clean[:1] in ("=", "+", "-", "@") else clean
