"""The tables of ``scarsegecg measure``: rules against experts over many cases, and segments of one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ScarSegECGLib.case import SegmentRow
from ScarSegECGLib.measure.compare import MethodScore
from ScarSegECGLib.measure.measurements import Measurements
from ScarSegECGLib.report.measured import named_parts, remote_words
from ScarSegECGLib.wording import rule_words, words

SCORE_COLUMNS = (
    "Rule",
    "Dice, mean (SD)",
    "Bias, % LV, mean (SD)",
    "Dice behind the best [95 % CI, paired]",
    "Scar where the expert saw none, % LV",
    "As printed",
)


def score_rows(scores: Sequence[MethodScore]) -> list[list[str]]:
    """Cells under :data:`SCORE_COLUMNS`, best rule first; "-" is "not known"."""
    rows = []
    for score in scores:
        gap, low, high = (_cell(value, 3) for value in score.behind_best)
        rows.append(
            [
                score.name,
                f"{_cell(score.mean_dice, 3)} ({_cell(score.sd_dice, 3)})",
                f"{_cell(score.mean_bias, 1, '+')} ({_cell(score.sd_bias, 1)})",
                "best" if score is scores[0] else f"{gap} [{low}, {high}]",
                _cell(score.false_scar, 1),
                words(score.method),
            ]
        )
    return rows


def segment_rows(measured: Mapping[str, Measurements]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells: the rules one after the other, each with what was chosen beside it.

    The last row of each rule is the whole LV, with "all" for a segment's number.
    """
    rows: list[dict[str, str]] = []
    for rule, entry in measured.items():
        chosen = {
            "scar_method": rule_words(entry.method),
            "n_sd": "" if entry.method.n_sd is None else f"{entry.method.n_sd:g}",
            "one_threshold_per": entry.method.per,
            "contrast": str(entry.contrast),
            "remote_region": remote_words(entry),
            "aha_mode": words(entry.division),
        }
        told = [{"rule": rule} | _segment(row) | chosen for row in entry.segments]
        rows += [*told, dict.fromkeys(told[0], "") | {"rule": rule} | _whole(entry) | chosen]
    return list(rows[0]), [list(row.values()) for row in rows]


def _segment(row: SegmentRow) -> dict[str, str]:
    return {
        "aha_segment": str(row.number),
        "name": row.name,
        "usual_territory": row.territory,
        "imaged": "yes" if row.imaged else "no",
        "myocardium_ml": f"{row.myocardium_ml:.3f}",
        "scar_ml": f"{row.scar_ml:.3f}",
        "scar_percent_of_segment": _or_empty(row.scar_percent),
        "transmurality_mean_percent": _or_empty(row.transmurality_mean_percent),
        "transmurality_max_percent": _or_empty(row.transmurality_max_percent),
        "transmurality_bin_percent": f"{row.transmurality_bin} %" if row.transmurality_bin else "",
        "wall_thickness_mm": _or_empty(row.wall_thickness_mm),
        **_parts(row.core_ml, row.grey_ml, row.mvo_ml, row.rest_ml),
    }


def _whole(entry: Measurements) -> dict[str, str]:
    ml = {name: part.ml if part else None for name, part in named_parts(entry.parts).items()}
    return {
        "aha_segment": "all",
        "name": "whole LV",
        "myocardium_ml": f"{sum(row.myocardium_ml for row in entry.segments):.3f}",
        "scar_ml": f"{entry.scar.ml:.3f}",
        "scar_percent_of_segment": f"{entry.scar.percent_of_lv:.2f}",
        **_parts(ml["core"], ml["grey"], ml["mvo"], ml["rest"]),
    }


def _parts(*ml: float | None) -> dict[str, str]:
    names = ("core_without_mvo_ml", "grey_zone_ml", "mvo_ml", "rest_ml")
    return {name: _or_empty(value, 3) for name, value in zip(names, ml, strict=True)}


def as_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that GitHub and most editors show as one."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def as_plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for the shell, in columns as wide as they need be."""
    lines = [columns, *rows]
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(line, wide, strict=True)).rstrip() for line in lines)


def _or_empty(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _cell(value: float, digits: int, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{sign}.{digits}f}"
