"""What is told of scar measured inside given contours, by one rule or several: JSON, lines, doubts and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.insertion import neighbour_spread_deg
from ScarSegECGLib.case import Anatomy, LgeStack, ScarParts, SegmentRow
from ScarSegECGLib.facts import LGE_DOUBTS, AnatomyNote, Code, Doubt, Fact, LgeNote
from ScarSegECGLib.lge.slice_shift import SliceShifts
from ScarSegECGLib.measure.compare import MethodScore
from ScarSegECGLib.measure.measurements import Measurements, contour_doubts
from ScarSegECGLib.measure.segments import territory_table
from ScarSegECGLib.report.plain import finite, number
from ScarSegECGLib.report.tables import segment_cells
from ScarSegECGLib.wording import all_words, rule_words, spans, words

ByRule = Mapping[str, Measurements]
"""What each rule measured inside the same contours, by the rule's name; one at least."""
_OF_FILES = (*LGE_DOUBTS, LgeNote.TAKEN, LgeNote.TAKEN_AS_ASKED)  # what puts a figure in doubt


def patient_report(anatomy: Anatomy, measured: ByRule, shifts: SliceShifts, *, corrected: bool) -> dict:
    """Everything that was measured, for the JSON file."""
    one, own = next(iter(measured.values())), anatomy.insertions_raw_deg  # before neighbours are heard
    if own is None:
        own = np.full_like(anatomy.insertions_deg, np.nan)
    return {
        "contrast": one.contrast,
        "aha": words(one.division),
        "slices_left_out_from_apex": list(one.method.without_slices),
        "insertions": {
            "anterior_inferior_deg": [_known(pair) for pair in anatomy.insertions_deg],
            "confidence": np.round(np.asarray(anatomy.insertion_confidence, float), 3).tolist(),
            "mean_step_between_slices_deg": _known(neighbour_spread_deg(anatomy.insertions_deg)),
            "found_in_each_slice_deg": [_known(pair) for pair in own],
            "mean_step_between_slices_as_found_deg": _known(neighbour_spread_deg(own)),
        },
        "slice_shifts": {
            "row_column_mm": [_known(pair) for pair in shifts.mm],
            "confidence": np.round(np.asarray(shifts.confidence, float), 3).tolist(),
            "displaced_slices_from_apex": (np.flatnonzero(shifts.moved) + 1).tolist(),
            "corrected": corrected,
        },
        "myocardium_ml": one.myocardium_ml,
        "cavity_ml": one.cavity_ml,
        "methods": {name: as_json(entry) for name, entry in measured.items()},
    }


def as_json(measured: Measurements) -> dict:
    """Everything but the masks."""
    method, parts, remote, warnings = measured.method, measured.parts, measured.remote, all_words(measured.warnings)
    return {
        "contrast": str(measured.contrast),
        "thresholds": list(measured.thresholds),
        "territories": {row.name: row.scar_percent for row in territory_table(measured.segments)},
        "remote_mean": [] if remote is None else [finite(value) for value in remote.mean],
        "remote_sd": [] if remote is None else [finite(value) for value in remote.sd],
        **_part_ml(parts),
        "scar": asdict(measured.scar),
        "method": rule_words(method),
        "remote": words(method.remote) or "not used for the scar",
        "n_sd": method.n_sd,
        "per": method.per,
        "aha_mode": words(measured.division),
        "grey_remark": words(parts.remark),
        "core_rule": words(parts.rule),
        "patterns": [asdict(island) | {"remark": words(island.remark)} for island in measured.patterns],
        "segments": [vars(row) | {"agreement_reason": words(row.agreement_reason)} for row in measured.segments],
        "warnings": list(warnings),
        "warning": " ".join(warnings),
    }


def _part_ml(parts: ScarParts) -> dict[str, float | None]:
    """Core, grey zone, what lies below it, and MVO, ml; ``None`` where not known."""
    named = {"core_ml": parts.core, "grey_ml": parts.grey, "rest_ml": parts.rest, "mvo_ml": parts.mvo}
    return {name: part.ml if part else None for name, part in named.items()}


def printed(measured: ByRule, shifts: SliceShifts | None) -> list[str]:
    """What a reader sees of it in a shell; ``shifts`` are those to be told of: corrected, or none found."""
    one = next(iter(measured.values()))
    lines = [f"myocardium {one.myocardium_ml:.2f} ml, cavity {one.cavity_ml:.2f} ml"]
    if one.method.without_slices:
        lines.append(f"slices {spans(one.method.without_slices)} left out of everything, counted from the apex")
    lines.append(f"AHA partition: {words(one.division)}")
    if shifts is not None and np.isfinite(shifts.mm).any():  # judged
        moved = shifts.moved.any()
        lines.append(words(shifts.fact(LgeNote.SHIFTS_CORRECTED)) if moved else "no slice displaced against the others")
    return [*lines, *(_rule_line(name, entry) for name, entry in measured.items())]


def _rule_line(name: str, measured: Measurements) -> str:
    scar, region = measured.scar, measured.method.remote
    said = [_parts(measured), rule_words(measured.method), words(region) or "remote region not used for the scar"]
    if region and measured.remote is not None:
        said.append(f"remote {_range('mean', measured.remote.mean)}, {_range('SD', measured.remote.sd)}")
    text = "; ".join(filter(None, said))
    return f"{name:<8}{scar.ml:>8.2f} ml{scar.grams:>8.2f} g{scar.percent_of_lv:>7.1f} %   {text}"


def doubts(
    stack: LgeStack, anatomy: Anatomy, measured: ByRule, displaced: SliceShifts | None
) -> list[tuple[str, Fact]]:
    """What speaks against files, contours, their division and the scar, each once; with the rules it speaks against.

    Patterns against ischaemic scar are told of a single rule alone; ``displaced`` are shifts left as they are.
    """
    said = [note for note in stack.notes if note.code in _OF_FILES]
    unsaid: tuple[Code, ...] = (AnatomyNote.INSERTIONS_GIVEN, AnatomyNote.NO_APEX)
    if displaced is not None and displaced.moved.any():
        said.append(displaced.fact(Doubt.SLICES_DISPLACED))
        unsaid += (AnatomyNote.OFF_AXIS,)  # said by the line before
    said += [note for note in anatomy.notes if note.code not in unsaid]
    said += next(iter(measured.values())).doubts if len(measured) == 1 else contour_doubts(anatomy)
    told = {words(fact): fact for fact in said}
    for fact in dict.fromkeys(fact for entry in measured.values() for fact in entry.warnings):
        names = [name for name, entry in measured.items() if fact in entry.warnings]
        rules = "" if len(names) == len(measured) else f"{', '.join(names)}: "
        told[rules + words(fact)] = fact
    return list(told.items())


def _parts(measured: Measurements) -> str:
    """What the scar consists of, "" where it cannot be told or there is none."""
    parts = measured.parts
    if not measured.scar.ml:
        return ""
    if parts.core is None:
        mvo = f"MVO {parts.mvo.ml:.2f} ml in it, " if parts.mvo.ml else ""
        return f"{mvo}core and grey zone not told apart (contrast unknown)"
    named = {"core": parts.core, "grey zone": parts.grey, "MVO": parts.mvo, "rest": parts.rest}
    told = (f"{name} {f'{part.ml:.2f}' if part else 'not determinable'}" for name, part in named.items())
    return f"{' + '.join(told)} ml"


def _range(what: str, values: NDArray[np.float64]) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return f"{what} unknown"
    low, high = f"{known.min():.4g}", f"{known.max():.4g}"
    return f"{what} {low}" if low == high else f"{what} {low} to {high}"


def _known(values: NDArray[np.float64]) -> list[float] | None:
    return [round(float(value), 2) for value in values] if np.isfinite(values).all() else None


def score_rows(scores: Sequence[MethodScore]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of rules against experts, best rule first; "-" is "not known"."""
    rows = []
    for score in scores:
        sign = "+" if score.mean_bias >= 0 else ""
        gap, low, high = (number(value, 3, "-") for value in score.behind_best)
        rows.append({
            "Rule": score.name,
            "Dice, mean (SD)": f"{number(score.mean_dice, 3, '-')} ({number(score.sd_dice, 3, '-')})",
            "Bias, % LV, mean (SD)": f"{sign}{number(score.mean_bias, 1, '-')} ({number(score.sd_bias, 1, '-')})",
            "Dice behind the best [95 % CI, paired]": "best" if score is scores[0] else f"{gap} [{low}, {high}]",
            "Scar where the expert saw none, % LV": number(score.false_scar, 1, "-"),
            "As printed": words(score.method),
        })  # fmt: skip
    return list(rows[0]), [list(row.values()) for row in rows]


def segment_rows(measured: ByRule) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of one rule after the other, with what was chosen; each ends with "all", the whole LV."""
    rows: list[dict[str, str]] = []
    for rule, entry in measured.items():
        chosen = {
            "scar_method": rule_words(entry.method),
            "n_sd": "" if entry.method.n_sd is None else f"{entry.method.n_sd:g}",
            "one_threshold_per": entry.method.per,
            "contrast": str(entry.contrast),
            "remote_region": words(entry.method.remote) or "not used for the scar",
            "aha_mode": words(entry.division),
        }
        rows += [{"rule": rule} | cells | chosen for cells in (*map(segment_cells, entry.segments), _whole(entry))]
    return list(rows[0]), [list(row.values()) for row in rows]


def _whole(entry: Measurements) -> dict[str, str]:
    scar, wall = entry.scar, sum(row.myocardium_ml for row in entry.segments)
    row = SegmentRow(0, "whole LV", "", True, wall, scar.ml, scar.percent_of_lv, None, None, None, "")
    parts: dict[str, Any] = _part_ml(entry.parts)
    blank = dict.fromkeys(("imaged", "transmurality_max_on_little_scar"), "")
    return segment_cells(replace(row, **parts)) | {"aha_segment": "all"} | blank


def as_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that GitHub and most editors show as one."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def as_plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for the shell, in columns as wide as they need be."""
    lines = [columns, *rows]
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(line, wide, strict=True)).rstrip() for line in lines)
