"""The tables of ``scarsegecg measure``: rules against experts over many cases, and segments of one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ScarSegECGLib.measure.compare import MethodScore
from ScarSegECGLib.measure.measurements import Measurements
from ScarSegECGLib.report.measured import named_parts, remote_words
from ScarSegECGLib.wording import rule_words, words

SEGMENT_COLUMNS = (
    "rule",
    "aha_segment",
    "name",
    "usual_territory",
    "imaged",
    "myocardium_ml",
    "scar_ml",
    "scar_percent_of_segment",
    "transmurality_mean_percent",
    "transmurality_max_percent",
    "transmurality_bin_percent",
    "wall_thickness_mm",
    "core_without_mvo_ml",
    "grey_zone_ml",
    "mvo_ml",
    "rest_ml",
    "scar_method",
    "n_sd",
    "one_threshold_per",
    "contrast",
    "remote_region",
    "aha_mode",
)
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
        gap, low, high = score.behind_best
        rows.append(
            [
                score.name,
                f"{_cell(score.mean_dice, 3)} ({_cell(score.sd_dice, 3)})",
                f"{_cell(score.mean_bias, 1, '+')} ({_cell(score.sd_bias, 1)})",
                "best" if score is scores[0] else f"{_cell(gap, 3)} [{_cell(low, 3)}, {_cell(high, 3)}]",
                _cell(score.false_scar, 1),
                words(score.method),
            ]
        )
    return rows


def segment_rows(measured: Mapping[str, Measurements]) -> list[list[str]]:
    """Cells under :data:`SEGMENT_COLUMNS`: the rules one after the other, each with what was chosen beside it.

    The last row of each rule is the whole LV, with "all" for a segment's number.
    """
    rows = []
    for rule, entry in measured.items():
        chosen = [
            rule_words(entry.method),
            "" if entry.method.n_sd is None else f"{entry.method.n_sd:g}",
            entry.method.per,
            str(entry.contrast),
            remote_words(entry),
            words(entry.division),
        ]
        rows += [
            [
                rule,
                str(row.number),
                row.name,
                row.territory,
                "yes" if row.imaged else "no",
                f"{row.myocardium_ml:.3f}",
                f"{row.scar_ml:.3f}",
                _or_empty(row.scar_percent),
                _or_empty(row.transmurality_mean_percent),
                _or_empty(row.transmurality_max_percent),
                f"{row.transmurality_bin} %" if row.transmurality_bin else "",
                _or_empty(row.wall_thickness_mm),
                *(_or_empty(ml, 3) for ml in (row.core_ml, row.grey_ml, row.mvo_ml, row.rest_ml)),
                *chosen,
            ]
            for row in entry.segments
        ]
        named = named_parts(entry.parts)
        wall_ml = sum(row.myocardium_ml for row in entry.segments)
        whole = [f"{wall_ml:.3f}", f"{entry.scar.ml:.3f}", f"{entry.scar.percent_of_lv:.2f}"]
        ordered = (named["core"], named["grey"], named["mvo"], named["rest"])
        parts = [_or_empty(part.ml if part else None, 3) for part in ordered]
        rows.append([rule, "all", "whole LV", "", "", *whole, "", "", "", "", *parts, *chosen])
    return rows


def as_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that GitHub and most editors show as one."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def as_plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for the shell, in columns as wide as they need be."""
    lines = [list(columns), *(list(row) for row in rows)]
    wide = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(line, wide, strict=True)).rstrip() for line in lines)


def _or_empty(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _cell(value: float, digits: int, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{sign}.{digits}f}"
