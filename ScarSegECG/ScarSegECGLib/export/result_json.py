"""Everything about one result that is a number or a sentence, for other software (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.case import (
    LEADS,
    MYOCARDIAL_DENSITY_G_PER_ML,
    Burden,
    EcgFindings,
    Interval,
    IslandPattern,
    ScarParts,
    ScarResult,
    SegmentRow,
)
from ScarSegECGLib.export.atomic import MARKER, RESULT_KIND
from ScarSegECGLib.facts import Confidence
from ScarSegECGLib.facts_json import to_plain
from ScarSegECGLib.measure.segments import TerritoryRow, rests_on_little, territory_table
from ScarSegECGLib.report.accuracy import doubt_of
from ScarSegECGLib.report.numbers import finite
from ScarSegECGLib.report.present import software_versions
from ScarSegECGLib.report.private import without_paths
from ScarSegECGLib.wording import RESEARCH_USE, agreement_reason, all_words, words

SCHEMA_VERSION = "2.0"


def write_result_json(result: ScarResult, folder: Path, created: datetime) -> None:
    """Write ``result.json``, UTF-8, as :func:`result_schema` describes it."""
    text = json.dumps(as_json(result, created), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def result_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``result.json``, with every field's meaning and unit."""
    return json.loads((resources.files(__package__) / "result.schema.json").read_text(encoding="utf-8"))


def as_json(result: ScarResult, created: datetime) -> dict[str, Any]:
    """The content of ``result.json``.

    Holds no patient name, no acquisition date (the gap in days stands for both) and no path or file name; the inputs
    are named by their SHA-256. What is not known is null, never NaN.

    Parameters
    ----------
    result : ScarResult
    created : datetime
        When the result is written, with its time zone.
    """
    anatomy, ecg, gap = result.anatomy, result.ecg, result.ecg_use.gap
    return {
        "kind": RESULT_KIND,
        "schema_version": SCHEMA_VERSION,
        "created_utc": created.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "research_use": RESEARCH_USE,
        "software": software_versions(),
        "method": {
            "scar": without_paths(words(result.method)),
            "scar_shown": str(result.shown),
            "aha": words(anatomy.division),
            "weights_sha256": _digest(result.weights_sha256),
            "myocardial_density_g_per_ml": MYOCARDIAL_DENSITY_G_PER_ML,
        },
        "inputs": {
            "lge_sha256": _digest(result.stack.sha256),
            "ecg_sha256": _digest(ecg.sha256) if ecg else None,
        },
        "geometry": _geometry(result),
        "ecg": {
            "present": ecg is not None,
            "leads": [lead for lead, there in zip(LEADS, ecg.lead_mask, strict=True) if there] if ecg else [],
            "amplitude": finite(result.ecg_use.amplitude),
            "reason": without_paths(words(result.ecg_use)),
            "gap_days": finite(gap.days),
            "gap_unknown_because": words(gap.problem) if gap.days is None and gap.problem else None,
            "event_between": bool(gap.event_between),
            "findings": _ecg_findings(result.ecg_findings),
        },
        "left_ventricle": {
            "cavity_ml": finite(result.cavity_ml),
            "myocardium_ml": finite(result.myocardium_ml),
            "myocardium_g": finite(result.myocardium_ml * MYOCARDIAL_DENSITY_G_PER_ML),
        },
        "scar": {
            "with_ecg": burden_json(result.scar),
            "image_only": burden_json(result.scar_image_only),
            "mvo": burden_json(result.mvo),
            "interval": _interval(result.interval),
            "parts": parts_json(result.parts) if result.parts else None,
            "remark": words(doubt_of(result)) or None,
        },
        "confidence": _confidence(result.confidence),
        "segments": [segment_json(row) for row in result.segments],
        "territories": [territory_json(row) for row in territory_table(result.segments)],
        "patterns": [pattern_json(island) for island in result.patterns],
        "warnings": _sentences(result.warnings),
        "notes": {
            "lge": _sentences(result.stack.notes),
            "ecg": _sentences(ecg.notes if ecg else ()),
            "anatomy": _sentences(anatomy.notes),
        },
        "facts": {name: _without_paths(to_plain(fact)) for name, fact in _facts(result).items()},
        "timings_s": {stage: finite(seconds) for stage, seconds in result.timings.items()},
    }


def _facts(result: ScarResult) -> dict[str, Any]:
    """What the sentences were made from, so that a result can be read again."""
    parts, gap = result.parts, result.ecg_use.gap
    return {
        "method": result.method,
        "division": result.anatomy.division,
        "contrast": result.stack.contrast,
        "ecg_reasons": result.ecg_use.reasons,
        "gap_problem": gap.problem,
        "parts_rule": parts.rule if parts else None,
        "parts_remark": parts.remark if parts else None,
        "agreement": tuple(row.agreement for row in result.segments),
        "agreement_reasons": tuple(row.agreement_reason for row in result.segments),
        "patterns": tuple(island.pattern for island in result.patterns),
        "pattern_remarks": tuple(island.remark for island in result.patterns),
        "warnings": result.warnings,
        "input_warnings": result.input_warnings,
        "notes_lge": result.stack.notes,
        "notes_ecg": result.ecg.notes if result.ecg else (),
        "notes_anatomy": result.anatomy.notes,
        "confidence": result.confidence,
    }


def _geometry(result: ScarResult) -> dict[str, Any]:
    stack = result.stack
    matrix = np.asarray(stack.stored_ijk_to_ras, dtype=float)
    # Turning an empty view costs nothing and gives the file's own shape.
    shape = stack.storage.to_stored(np.empty(stack.voxels.shape, bool)).shape
    column, row, slice_ = np.linalg.norm(matrix[:3, :3], axis=0)
    return {
        "shape_slice_row_column": list(shape),
        "spacing_mm_slice_row_column": [finite(step) for step in (slice_, row, column)],
        "ijk_to_ras_mm": [[finite(value) for value in line] for line in matrix],
        "orientation_known": bool(stack.orientation_known),
        "contrast": str(stack.contrast),
    }


def _ecg_findings(found: EcgFindings | None) -> dict[str, Any] | None:
    if found is None:
        return None
    measured = found.features
    numbers = ("rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtc_ms", "axis_deg")
    return {
        **{name: finite(getattr(measured, name)) for name in numbers},
        "irregular": bool(measured.irregular),
        "from_device": list(measured.from_device),
        "conduction": str(measured.conduction),
        "q_waves": None if found.q_waves is None else list(found.q_waves),
        "q_waves_remark": words(found.q_waves_remark) or None,
        "qrs_score_points": found.score_points,
        "qrs_score_percent_of_lv": finite(found.score_percent_of_lv),
        "qrs_score_remark": words(found.score_remark) or None,
    }


def burden_json(burden: Burden | None) -> dict[str, float | None] | None:
    """How much; ``None`` where it is not known."""
    if burden is None:
        return None
    return {"ml": finite(burden.ml), "g": finite(burden.grams), "percent_of_lv": finite(burden.percent_of_lv)}


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {
        "ml": [finite(end) for end in interval.ml],
        "percent_of_lv": [finite(end) for end in interval.percent_of_lv],
        "level": finite(interval.level),
    }


def _confidence(confidence: Confidence | None) -> dict[str, Any] | None:
    if confidence is None:
        return None
    return {"grade": str(confidence.grade), "reasons": _sentences(confidence.reasons)}


def parts_json(parts: ScarParts) -> dict[str, Any]:
    """The scar's parts, which add up to it."""
    named = {"core": parts.core, "grey_zone": parts.grey, "below_grey_zone": parts.rest, "mvo": parts.mvo}
    return {
        **{name: burden_json(burden) for name, burden in named.items()},
        "rule": words(parts.rule) or None,
        "remark": words(parts.remark) or None,
    }


def territory_json(row: TerritoryRow) -> dict[str, Any]:
    """One usual coronary territory."""
    return {
        "usual_territory": row.name,
        "aha_segments": list(row.segments),
        "myocardium_ml": finite(row.myocardium_ml),
        "scar_ml": finite(row.scar_ml),
        "scar_g": finite(row.scar_grams),
        "scar_percent": finite(row.scar_percent),
        "scar_percent_image_only": finite(row.scar_percent_image_only),
    }


def pattern_json(island: IslandPattern) -> dict[str, Any]:
    """One connected piece of scar; slices count from 1 at the apical end, as on the montage."""
    return {
        "island": int(island.number),
        "pattern": str(island.pattern),
        "ml": finite(island.ml),
        "slices_from_apex": [int(k) + 1 for k in island.slices],
        "coverage_inner_middle_outer": [finite(share) for share in island.coverage],
        "touches_endocardium": bool(island.touches_endocardium),
        "remark": words(island.remark) or None,
    }


def segment_json(row: SegmentRow) -> dict[str, Any]:
    """One AHA segment."""
    return {
        "aha_segment": int(row.number),
        "name": row.name,
        "usual_territory": row.territory,
        "imaged": bool(row.imaged),
        "myocardium_ml": finite(row.myocardium_ml),
        "scar_ml": finite(row.scar_ml),
        "scar_percent": finite(row.scar_percent),
        "scar_percent_image_only": finite(row.scar_percent_image_only),
        "mvo_ml": finite(row.mvo_ml),
        "core_ml": finite(row.core_ml),
        "grey_zone_ml": finite(row.grey_ml),
        "below_grey_zone_ml": finite(row.rest_ml),
        "transmurality_mean_percent": finite(row.transmurality_mean_percent),
        "transmurality_max_percent": finite(row.transmurality_max_percent),
        "transmurality_max_on_little_scar": rests_on_little(row),
        "transmurality_bin": row.transmurality_bin or None,
        "wall_thickness_mm": finite(row.wall_thickness_mm),
        "ecg_scar_percent": finite(row.ecg_percent),
        "ecg_agreement": str(row.agreement) if row.agreement else None,
        "ecg_agreement_reason": without_paths(agreement_reason(row.agreement_reason)) or None,
    }


def _sentences(facts: Iterable[Any]) -> list[str]:
    return [without_paths(sentence) for sentence in all_words(facts)]


def _without_paths(plain: Any) -> Any:
    """Facts as JSON holds them, their texts without a file's name."""
    if isinstance(plain, dict):
        return {name: _without_paths(value) for name, value in plain.items()}
    if isinstance(plain, list):
        return [_without_paths(value) for value in plain]
    return without_paths(plain) if isinstance(plain, str) else plain


def _digest(sha256: str) -> str | None:
    return sha256.lower() or None
