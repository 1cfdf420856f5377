"""Everything about one result that is a number or a sentence, for other software (JSON)."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ScarSegECGLib import __version__
from ScarSegECGLib.case import (
    LEADS,
    MYOCARDIAL_DENSITY_G_PER_ML,
    Burden,
    EcgFindings,
    IslandPattern,
    ScarParts,
    ScarResult,
    SegmentRow,
    TimeGap,
)
from ScarSegECGLib.export.accuracy import within_false_scar
from ScarSegECGLib.export.atomic import MARKER
from ScarSegECGLib.export.text import RESULT_KIND, finite, without_paths
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.measure.segments import TerritoryRow, rests_on_little, territory_table
from ScarSegECGLib.wording import RESEARCH_USE, agreement_reason, all_words, words

SCHEMA_VERSION = "1.2"


def write_result_json(result: ScarResult, folder: Path) -> None:
    """Write ``result.json``, UTF-8, as :func:`result_schema` describes it."""
    content = as_json(result, datetime.now(timezone.utc))
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
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
    anatomy, ecg = result.anatomy, result.ecg
    return {
        "kind": RESULT_KIND,
        "schema_version": SCHEMA_VERSION,
        "created_utc": created.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "research_use": RESEARCH_USE,
        "software": software_versions(),
        "method": {
            "scar": without_paths(words(result.method)),
            "scar_shown": words(result.shown),
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
            "gap_days": finite(result.ecg_use.gap.days),
            "gap_unknown_because": words(result.ecg_use.gap.problem)
            if result.ecg_use.gap.days is None and result.ecg_use.gap.problem
            else None,
            "event_between": bool(result.ecg_use.gap.event_between),
            "findings": _ecg_findings(result.ecg_findings),
        },
        "left_ventricle": {
            "cavity_ml": finite(result.cavity_ml),
            "myocardium_ml": finite(result.myocardium_ml),
            "myocardium_g": finite(result.myocardium_ml * MYOCARDIAL_DENSITY_G_PER_ML),
        },
        "scar": {
            "with_ecg": _burden(result.scar),
            "image_only": _burden(result.scar_image_only),
            "mvo": _burden(result.mvo) if result.mvo else None,
            "parts": parts_json(result.parts) if result.parts else None,
            "remark": _scar_remark(result),
        },
        "segments": [_segment(row) for row in result.segments],
        "territories": [territory_json(row) for row in territory_table(result.segments)],
        "patterns": [pattern_json(island) for island in result.patterns],
        "warnings": _sentences(result.warnings),
        "notes": {
            "lge": _sentences(result.stack.notes),
            "ecg": _sentences(ecg.notes if ecg else ()),
            "anatomy": _sentences(anatomy.notes),
        },
        "timings_s": {stage: finite(seconds) for stage, seconds in result.timings.items()},
    }


def software_versions() -> dict[str, str | None]:
    """Versions of what computed; null for what was not loaded in this process."""
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in ("torch", "monai")}
    return {
        "scarsegecg": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "simpleitk": sitk.Version.VersionString(),
        **{name: str(version) if version else None for name, version in loaded.items()},
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


def _gap_unknown(gap: TimeGap) -> str | None:
    return words(gap.problem) if gap.days is None and gap.problem else None


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
        "q_waves_remark": found.q_waves_remark or None,
        "qrs_score_points": found.score_points,
        "qrs_score_percent_of_lv": finite(found.score_percent_of_lv),
        "qrs_score_remark": found.score_remark or None,
    }


def _burden(burden: Burden) -> dict[str, float | None]:
    return {
        "ml": finite(burden.ml),
        "g": finite(burden.grams),
        "percent_of_lv": finite(burden.percent_of_lv),
    }


def parts_json(parts: ScarParts) -> dict[str, Any]:
    """The scar's parts, which add up to it."""
    named = {"core": parts.core, "grey_zone": parts.grey, "below_grey_zone": parts.rest, "mvo": parts.mvo}
    return {
        **{name: _burden(burden) if burden else None for name, burden in named.items()},
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


def _scar_remark(result: ScarResult) -> str | None:
    """What speaks against the whole of a network's scar; a reader's correction answers it."""
    if not result.method.by_network or result.method.corrected:
        return None
    return within_false_scar(result.scar_image_only.ml, result.weights_sha256) or None


def _segment(row: SegmentRow) -> dict[str, Any]:
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


def _sentences(facts: Iterable[Fact | str]) -> list[str]:
    return [without_paths(sentence) for sentence in all_words(facts)]


def _digest(sha256: str) -> str | None:
    return sha256.lower() or None
