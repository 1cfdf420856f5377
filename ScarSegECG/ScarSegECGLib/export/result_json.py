"""Everything about one result that is a number or a sentence, for other software (JSON); and records read again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from importlib import resources
from numbers import Integral
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from ScarSegECGLib import case
from ScarSegECGLib.export.atomic import MARKER, RESULT_KIND
from ScarSegECGLib.facts import Confidence, Contrast, Division, Fact, Method, PartsRule
from ScarSegECGLib.facts_ecg import GapProblem
from ScarSegECGLib.facts_json import to_plain
from ScarSegECGLib.measure.segments import TerritoryRow, rests_on_little, territory_table
from ScarSegECGLib.report.accuracy import doubt_of
from ScarSegECGLib.report.numbers import finite
from ScarSegECGLib.report.present import software_versions
from ScarSegECGLib.report.private import without_paths
from ScarSegECGLib.wording import RESEARCH_USE, agreement_reason, all_words, words

SCHEMA_VERSION = "2.0"


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


# By the name in JSON: an attribute, or a function of the record for what is written and not read.
NAMES: Mapping[type, Mapping[str, str | Callable[[Any], Any]]] = {
    case.Burden: {"ml": "ml", "g": "grams", "percent_of_lv": "percent_of_lv"},
    case.Interval: _same("ml", "percent_of_lv", "level"),
    case.ScarParts: {
        "core": "core",
        "grey_zone": "grey",
        "below_grey_zone": "rest",
        "mvo": "mvo",
        "rule": lambda parts: words(parts.rule),
        "remark": lambda parts: words(parts.remark),
    },
    case.IslandPattern: {
        "island": "number",
        "pattern": lambda island: island.pattern,
        "ml": "ml",
        "slices_from_apex": lambda island: [k + 1 for k in island.slices],  # as on the montage
        "coverage_inner_middle_outer": "coverage",
        "touches_endocardium": "touches_endocardium",
        "remark": lambda island: words(island.remark),
    },
    case.SegmentRow: {
        "aha_segment": "number",
        "name": "name",
        "usual_territory": "territory",
        **_same("imaged", "myocardium_ml", "scar_ml", "scar_percent", "scar_percent_image_only", "mvo_ml", "core_ml"),
        "grey_zone_ml": "grey_ml",
        "below_grey_zone_ml": "rest_ml",
        **_same("transmurality_mean_percent", "transmurality_max_percent"),
        "transmurality_max_on_little_scar": rests_on_little,
        **_same("transmurality_bin", "wall_thickness_mm"),
        "ecg_scar_percent": "ecg_percent",
        "ecg_agreement": lambda row: row.agreement,
        "ecg_agreement_reason": lambda row: without_paths(agreement_reason(row.agreement_reason)),
    },
    TerritoryRow: {
        "usual_territory": "name",
        "aha_segments": "segments",
        **_same("myocardium_ml", "scar_ml"),
        "scar_g": "scar_grams",
        **_same("scar_percent", "scar_percent_image_only"),
    },
    case.EcgFeatures: _same(
        *("rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtc_ms", "axis_deg", "irregular", "from_device", "conduction")
    ),
    case.EcgFindings: {
        "q_waves": "q_waves",
        "q_waves_remark": lambda found: words(found.q_waves_remark),
        "qrs_score_points": "score_points",
        "qrs_score_percent_of_lv": "score_percent_of_lv",
        "qrs_score_remark": lambda found: words(found.score_remark),
    },
}
# What the sentences were made from, so that a result can be read again: its type, and where it stands.
FACTS: Mapping[str, tuple[Any, Callable[[case.ScarResult], Any]]] = {
    "method": (Method, lambda result: result.method),
    "division": (Division, lambda result: result.anatomy.division),
    "contrast": (Contrast, lambda result: result.stack.contrast),
    "ecg_reasons": (tuple, lambda result: result.ecg_use.reasons),
    "gap_problem": (GapProblem | None, lambda result: result.ecg_use.gap.problem),
    "parts_rule": (PartsRule | None, lambda result: result.parts.rule if result.parts else None),
    "parts_remark": (Fact | None, lambda result: result.parts.remark if result.parts else None),
    "agreement": (tuple, lambda result: tuple(row.agreement for row in result.segments)),
    "agreement_reasons": (tuple, lambda result: tuple(row.agreement_reason for row in result.segments)),
    "patterns": (tuple, lambda result: tuple(island.pattern for island in result.patterns)),
    "pattern_remarks": (tuple, lambda result: tuple(island.remark for island in result.patterns)),
    "warnings": (tuple, lambda result: result.warnings),
    "input_warnings": (tuple, lambda result: result.input_warnings),
    "notes_lge": (tuple, lambda result: result.stack.notes),
    "notes_ecg": (tuple, lambda result: result.ecg.notes if result.ecg else ()),
    "notes_anatomy": (tuple, lambda result: result.anatomy.notes),
    "confidence": (Confidence | None, lambda result: result.confidence),
}


def write_result_json(result: case.ScarResult, folder: Path, created: datetime) -> None:
    """Write ``result.json``, UTF-8, as :func:`result_schema` describes it."""
    text = json.dumps(as_json(result, created), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def result_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``result.json``, with every field's meaning and unit."""
    return json.loads((resources.files(__package__) / "result.schema.json").read_text(encoding="utf-8"))


def as_json(result: case.ScarResult, created: datetime) -> dict[str, Any]:
    """The content of ``result.json``.

    Holds no patient name, no acquisition date (the gap in days stands for both) and no path or file name; the inputs
    are named by their SHA-256. What is not known is null, never NaN. ``created`` has a time zone.
    """
    anatomy, ecg, gap = result.anatomy, result.ecg, result.ecg_use.gap
    found, sure = result.ecg_findings, result.confidence
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
            "weights_sha256": to_json(result.weights_sha256.lower()),
            "myocardial_density_g_per_ml": case.MYOCARDIAL_DENSITY_G_PER_ML,
        },
        "inputs": {
            "lge_sha256": to_json(result.stack.sha256.lower()),
            "ecg_sha256": to_json(ecg.sha256.lower()) if ecg else None,
        },
        "geometry": _geometry(result.stack),
        "ecg": {
            "present": ecg is not None,
            "leads": [lead for lead, there in zip(case.LEADS, ecg.lead_mask, strict=True) if there] if ecg else [],
            "amplitude": finite(result.ecg_use.amplitude),
            "reason": without_paths(words(result.ecg_use)),
            "gap_days": finite(gap.days),
            "gap_unknown_because": words(gap.problem) if gap.days is None and gap.problem else None,
            "event_between": bool(gap.event_between),
            "findings": to_json(found.features) | to_json(found) if found else None,
        },
        "left_ventricle": {
            "cavity_ml": finite(result.cavity_ml),
            "myocardium_ml": finite(result.myocardium_ml),
            "myocardium_g": finite(result.myocardium_ml * case.MYOCARDIAL_DENSITY_G_PER_ML),
        },
        "scar": {
            "with_ecg": to_json(result.scar),
            "image_only": to_json(result.scar_image_only),
            "mvo": to_json(result.mvo),
            "interval": to_json(result.interval),
            "parts": to_json(result.parts),
            "remark": to_json(words(doubt_of(result))),
        },
        "confidence": {"grade": str(sure.grade), "reasons": _sentences(sure.reasons)} if sure else None,
        "segments": to_json(result.segments),
        "territories": to_json(territory_table(result.segments)),
        "patterns": to_json(result.patterns),
        "warnings": _sentences(result.warnings),
        "notes": {
            "lge": _sentences(result.stack.notes),
            "ecg": _sentences(ecg.notes if ecg else ()),
            "anatomy": _sentences(anatomy.notes),
        },
        "facts": {name: _without_paths(to_plain(of(result))) for name, (_, of) in FACTS.items()},
        "timings_s": {stage: finite(seconds) for stage, seconds in result.timings.items()},
    }


def _geometry(stack: case.LgeStack) -> dict[str, Any]:
    # Turning an empty view costs nothing and gives the file's own shape.
    shape = stack.storage.to_stored(np.empty(stack.voxels.shape, bool)).shape
    column, row, slice_ = np.linalg.norm(stack.stored_ijk_to_ras[:3, :3], axis=0)
    return {
        "shape_slice_row_column": list(shape),
        "spacing_mm_slice_row_column": to_json([slice_, row, column]),
        "ijk_to_ras_mm": to_json(stack.stored_ijk_to_ras.tolist()),
        "orientation_known": bool(stack.orientation_known),
        "contrast": str(stack.contrast),
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


def to_json(value: Any) -> Any:
    """A record, a tuple of values, or a value; null for what is not known, be it an empty text or NaN."""
    names = NAMES.get(type(value))
    if names is not None:
        return {name: to_json(of(value) if callable(of) else getattr(value, of)) for name, of in names.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    if isinstance(value, str):
        return str(value) or None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return int(value) if isinstance(value, Integral) else finite(value)


def from_json(kind: Any, kept: Any, **more: Any) -> Any:
    """What :func:`to_json` wrote as a value of a type, which may be a record, a tuple, or one or ``None``.

    ``more`` are the record's attributes that are not read.

    Raises
    ------
    KeyError, TypeError, ValueError
        Something is missing, or is not what it should be: somebody may have edited it.
    """
    if kind in NAMES:
        types = get_type_hints(kind)
        read = {of: from_json(types[of], kept[name]) for name, of in NAMES[kind].items() if isinstance(of, str)}
        return kind(**read, **more)
    kinds = get_args(kind)
    if get_origin(kind) is tuple:
        return tuple(from_json(one, entry) for one, entry in zip(kinds, kept, strict=True))
    if kinds:
        return None if kept is None else from_json(kinds[0], kept)
    if kind is bool:
        return bool(kept)
    if kind is str:
        if not isinstance(kept, str | None):
            raise TypeError("no text")
        return kept or ""
    if isinstance(kept, bool) or not isinstance(kept, int | float) or not math.isfinite(kept):
        raise ValueError("no number")
    return kind(kept)
