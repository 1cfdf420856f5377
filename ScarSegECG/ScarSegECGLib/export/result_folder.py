"""Everything about one result that is a number or a sentence, as JSON; and a result read again from its folder."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime, timezone
from enum import Enum
from functools import lru_cache
from numbers import Integral
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from ScarSegECGLib import case
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import MARKER, RESULT_KIND, is_previous_result
from ScarSegECGLib.facts import Code, Confidence, Contrast, Division, Fact, Method, PartsRule
from ScarSegECGLib.facts_ecg import GapProblem
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.lge.volume_file import read_volume
from ScarSegECGLib.measure.segments import TerritoryRow, rests_on_little, territory_table
from ScarSegECGLib.report.accuracy import doubt_of
from ScarSegECGLib.report.numbers import finite
from ScarSegECGLib.report.present import software_versions
from ScarSegECGLib.report.private import without_paths
from ScarSegECGLib.wording import RESEARCH_USE, agreement_reason, all_words, words

SCHEMA_VERSION = "2.0"
PICTURES = ("bullseye.png", "ecg.png", "montage.png", "transmurality.png")
_LARGEST_PICTURE_BYTES = 64 * 2**20
_SAME_VOLUME = 0.005
_DO_NOT_FIT = (
    "The label images and the numbers of the result do not fit each other; was one of them edited? Segment the case "
    "again, or measure the edited labels."
)
_DAMAGED = "The result folder is incomplete or damaged: segment the case again."
_TOLD = (Fact, Code, Method, Division, PartsRule, case.EcgUse)  # in words


# Attributes of records that JSON knows by another name; "": they are not written.
RENAMED: Mapping[type, Mapping[str, str]] = {
    case.Burden: {"grams": "g"},
    case.Interval: {},
    case.ScarParts: {"labels": "", "grey": "grey_zone", "rest": "below_grey_zone"},
    case.IslandPattern: {"number": "island", "slices": "slices_from_apex", "coverage": "coverage_inner_middle_outer"},
    case.SegmentRow: {
        **{"number": "aha_segment", "territory": "usual_territory"},
        **{"grey_ml": "grey_zone_ml", "rest_ml": "below_grey_zone_ml"},
        **{"ecg_percent": "ecg_scar_percent", "agreement": "ecg_agreement", "agreement_reason": "ecg_agreement_reason"},
    },
    TerritoryRow: {"name": "usual_territory", "segments": "aha_segments", "scar_grams": "scar_g"},
    case.EcgFeatures: dict.fromkeys(("q_ms", "q_mv", "r_ms", "r_mv", "s_ms", "s_mv"), ""),
    case.EcgFindings: {
        **{"features": "", "score_points": "qrs_score_points"},
        **{"score_percent_of_lv": "qrs_score_percent_of_lv", "score_remark": "qrs_score_remark"},
    },
}
# What is made of a record for its readers, by the name in JSON.
_MADE: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    case.IslandPattern: {"slices_from_apex": lambda island: [k + 1 for k in island.slices]},  # as on the montage
    case.SegmentRow: {
        "transmurality_max_on_little_scar": rests_on_little,
        "ecg_agreement_reason": lambda row: without_paths(agreement_reason(row.agreement_reason)),
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
    """Write ``result.json``, UTF-8, as ``result.schema.json`` describes it, every field with its meaning and unit."""
    text = json.dumps(as_json(result, created), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def as_json(result: case.ScarResult, created: datetime) -> dict[str, Any]:
    """The content of ``result.json``.

    Holds no patient name, no acquisition date (the gap in days stands for both) and no path or file name; the inputs
    are named by their SHA-256. What is not known is null, never NaN. ``created`` has a time zone.
    """
    stack, anatomy, ecg, use = result.stack, result.anatomy, result.ecg, result.ecg_use
    found, sure = result.ecg_findings, result.confidence
    # Turning an empty view costs nothing and gives the file's own shape.
    shape = stack.storage.to_stored(np.empty(stack.voxels.shape, bool)).shape
    column, row, slice_ = np.linalg.norm(stack.stored_ijk_to_ras[:3, :3], axis=0)
    content = {
        "kind": RESULT_KIND,
        "schema_version": SCHEMA_VERSION,
        "created_utc": created.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "research_use": RESEARCH_USE,
        "software": software_versions(),
        "method": {
            "scar": result.method,
            "scar_shown": result.shown,
            "aha": anatomy.division,
            "weights_sha256": result.weights_sha256.lower(),
            "myocardial_density_g_per_ml": case.MYOCARDIAL_DENSITY_G_PER_ML,
        },
        "inputs": {"lge_sha256": stack.sha256.lower(), "ecg_sha256": ecg.sha256.lower() if ecg else None},
        "geometry": {
            "shape_slice_row_column": shape,
            "spacing_mm_slice_row_column": (slice_, row, column),
            "ijk_to_ras_mm": stack.stored_ijk_to_ras.tolist(),
            "orientation_known": stack.orientation_known,
            "contrast": stack.contrast,
        },
        "ecg": {
            "present": ecg is not None,
            "leads": [lead for lead, there in zip(case.LEADS, ecg.lead_mask, strict=True) if there] if ecg else [],
            "amplitude": use.amplitude,
            "reason": use,
            "gap_days": use.gap.days,
            "gap_unknown_because": use.gap.problem if use.gap.days is None else None,
            "event_between": use.gap.event_between,
            "findings": to_json(found.features) | to_json(found) if found else None,
        },
        "left_ventricle": {
            "cavity_ml": result.cavity_ml,
            "myocardium_ml": result.myocardium_ml,
            "myocardium_g": result.myocardium_ml * case.MYOCARDIAL_DENSITY_G_PER_ML,
        },
        "scar": {
            "with_ecg": result.scar,
            "image_only": result.scar_image_only,
            "mvo": result.mvo,
            "interval": result.interval,
            "parts": result.parts,
            "remark": doubt_of(result),
        },
        "confidence": {"grade": sure.grade, "reasons": _sentences(sure.reasons)} if sure else None,
        "segments": result.segments,
        "territories": territory_table(result.segments),
        "patterns": result.patterns,
        "warnings": _sentences(result.warnings),
        "notes": {
            "lge": _sentences(stack.notes),
            "ecg": _sentences(ecg.notes if ecg else ()),
            "anatomy": _sentences(anatomy.notes),
        },
    }
    facts = {name: _without_paths(to_plain(of(result))) for name, (_, of) in FACTS.items()}
    return to_json(content) | {"facts": facts, "timings_s": to_json(result.timings)}


def _names(record: type) -> dict[str, str]:
    """The attributes of a record that are written, and their names in JSON."""
    names = {field.name: RENAMED[record].get(field.name, field.name) for field in fields(record)}
    return {of: name for of, name in names.items() if name}


def to_json(value: Any) -> Any:
    """Records, mappings and tuples of values, facts in words; null for what is not known, an empty text or NaN too."""
    if type(value) in RENAMED:
        told = {name: getattr(value, of) for of, name in _names(type(value)).items()}
        return to_json(told | {name: make(value) for name, make in _MADE.get(type(value), {}).items()})
    if isinstance(value, Mapping):
        return {name: to_json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    if isinstance(value, str):
        return str(value) or None
    if isinstance(value, _TOLD):
        return without_paths(words(value)) or None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return int(value) if isinstance(value, Integral) else finite(value)


def _sentences(facts: Iterable[Any]) -> list[str]:
    return [without_paths(sentence) for sentence in all_words(facts)]


def _without_paths(plain: Any) -> Any:
    """Facts as JSON holds them, their texts without a file's name."""
    if isinstance(plain, dict):
        return {name: _without_paths(value) for name, value in plain.items()}
    if isinstance(plain, list):
        return [_without_paths(value) for value in plain]
    return without_paths(plain) if isinstance(plain, str) else plain


_types_of = lru_cache(get_type_hints)


def from_json(kind: Any, kept: Any, **more: Any) -> Any:
    """What :func:`to_json` wrote as a value of a type, which may be a record, a tuple, or one or ``None``.

    ``more`` are the record's attributes that are not read. KeyError, TypeError, ValueError: something is missing, or is
    not what it should be: somebody may have edited it.
    """
    if kind in RENAMED:
        types = _types_of(kind)
        names = {of: name for of, name in _names(kind).items() if of not in more}
        return kind(**{of: from_json(types[of], kept[name]) for of, name in names.items()}, **more)
    kinds = get_args(kind)
    if get_origin(kind) is tuple:
        return tuple(from_json(one, entry) for one, entry in zip(kinds, kept, strict=True))
    if kinds:
        return None if kept is None else from_json(kinds[0], kept)
    if kind is bool or issubclass(kind, Enum):
        return kind(kept)
    if kind is str:
        if not isinstance(kept, str | None):
            raise TypeError("no text")
        return kept or ""
    if isinstance(kept, bool) or not isinstance(kept, int | float) or not math.isfinite(kept):
        raise ValueError("no number")
    return kind(kept)


def read_result(folder: Path, stack: case.LgeStack) -> case.ScarResult:
    """Read a result that was made from ``stack``, or from a copy of it on the same grid.

    The numbers are those of ``result.json``, the masks and probabilities those of the images beside it; the result's
    ``stack.sha256`` is that of the images it was made from. What no file holds is left empty: the ECG's own trace and
    findings, and where the LV's centres and insertions are. InputError: not a result folder, a damaged one, or one made
    from other images.
    """
    if not is_previous_result(folder):
        raise InputError(f"The folder holds no result ({MARKER}): give a folder that scarsegecg segment wrote.")
    try:
        # NaN and infinities are not whole numbers, which is a ValueError.
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"), parse_constant=int)
        if content.get("schema_version") != SCHEMA_VERSION:
            raise InputError("The result was written by another version of ScarSegECG: segment the case again.")
        if content["geometry"]["orientation_known"] is not True:
            raise InputError(
                "The result was made from an image without orientation, so it cannot be placed in the patient: "
                "segment the DICOM series itself."
            )
        return _result(folder, stack, content)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, OSError, RecursionError):
        raise InputError(_DAMAGED) from None


def read_pictures(folder: Path) -> dict[str, bytes]:
    """The PNG files that are there. InputError: one cannot be read, or is too large to be a picture."""
    try:
        paths = [folder / name for name in PICTURES if (folder / name).is_file()]
        if any(path.stat().st_size > _LARGEST_PICTURE_BYTES for path in paths):
            raise InputError(_DAMAGED)
        return {path.name: path.read_bytes() for path in paths}
    except OSError:
        raise InputError(_DAMAGED) from None


def _result(folder: Path, stack: case.LgeStack, content: dict[str, Any]) -> case.ScarResult:
    facts = _facts(content["facts"])
    scar, ecg, ventricle = content["scar"], content["ecg"], content["left_ventricle"]
    images = ["labels", "aha17", "scar_probability", "scar_probability_image_only"]
    if scar["parts"] is not None:
        images.append("scar_parts")
    if not all((folder / f"{name}.nii.gz").is_file() for name in images):
        raise InputError(_DAMAGED)
    labels, aha = (read_labels(folder / f"{name}.nii.gz", stack) for name in ("labels", "aha17"))
    if labels.max(initial=0) > case.MVO or aha.max(initial=0) > 17:
        raise InputError(_DAMAGED)
    burden = from_json(case.Burden, scar["with_ecg"])
    if not _same_ml(labels >= case.SCAR, stack, burden):
        raise InputError(_DO_NOT_FIT)
    kept = content["segments"]
    if [row["aha_segment"] for row in kept] != list(range(1, len(kept) + 1)) or len(kept) not in (16, 17):
        raise ValueError("segments")
    reasons = facts["agreement_reasons"]
    rows = tuple(from_json(case.SegmentRow, row, agreement_reason=why) for row, why in zip(kept, reasons, strict=True))
    nowhere = np.full((len(stack.voxels), 2), np.nan)
    imaged = tuple(row.imaged for row in rows) + (False,) * (17 - len(rows))
    days = from_json(float | None, ecg["gap_days"])
    leads = np.array([lead in ecg["leads"] for lead in case.LEADS])
    ecg_sha256 = from_json(str, content["inputs"]["ecg_sha256"])
    no_trace = np.zeros((len(leads), 0), np.float32)
    return case.ScarResult(
        stack=replace(
            stack,
            sha256=from_json(str, content["inputs"]["lge_sha256"]),
            contrast=facts["contrast"],
            notes=facts["notes_lge"],
        ),
        ecg=case.Ecg(no_trace, leads, 1.0, sha256=ecg_sha256, notes=facts["notes_ecg"]) if ecg["present"] else None,
        ecg_use=case.EcgUse(
            from_json(float, ecg["amplitude"]),
            facts["ecg_reasons"],
            case.TimeGap(days, bool(ecg["event_between"]), facts["gap_problem"]),
        ),
        anatomy=case.Anatomy(
            labels == case.CAVITY, labels >= case.MYOCARDIUM, aha, nowhere, nowhere, np.zeros(len(stack.voxels)),
            facts["division"], imaged, facts["notes_anatomy"],
        ),
        labels=np.minimum(labels, case.SCAR),
        scar_probability=_probability(folder / "scar_probability.nii.gz", stack),
        scar_probability_image_only=_probability(folder / "scar_probability_image_only.nii.gz", stack),
        cavity_ml=from_json(float, ventricle["cavity_ml"]),
        myocardium_ml=from_json(float, ventricle["myocardium_ml"]),
        scar=burden,
        scar_image_only=from_json(case.Burden, scar["image_only"]),
        segments=rows,
        method=facts["method"],
        weights_sha256=from_json(str, content["method"]["weights_sha256"]),
        warnings=facts["warnings"],
        timings={str(stage): from_json(float, seconds) for stage, seconds in content["timings_s"].items()},
        mvo=from_json(case.Burden | None, scar["mvo"]),
        input_warnings=facts["input_warnings"],
        parts=_parts(folder, stack, labels, scar["parts"], facts),
        patterns=tuple(_island(*one) for one in zip(content["patterns"], facts["pattern_remarks"], strict=True)),
        interval=from_json(case.Interval | None, scar["interval"]),
        confidence=facts["confidence"],
    )  # fmt: skip


def _facts(kept: dict[str, Any]) -> dict[str, Any]:
    """The facts, of the right kinds and all of them ones that can be told."""
    facts = {name: from_plain(kept[name]) for name in FACTS}
    for name, (kind, _) in FACTS.items():
        if not isinstance(facts[name], kind):
            raise TypeError(name)
        all_words(facts[name] if kind is tuple else [facts[name]])
    return facts


def _parts(
    folder: Path, stack: case.LgeStack, labels: case.LabelArray, kept: dict[str, Any] | None, facts: dict[str, Any]
) -> case.ScarParts | None:
    if kept is None:
        return None
    voxels = read_labels(folder / "scar_parts.nii.gz", stack)
    parts = from_json(case.ScarParts, kept, labels=voxels, rule=facts["parts_rule"], remark=facts["parts_remark"])
    told = (parts.core, parts.grey, parts.rest, parts.mvo)
    labelled = zip((case.PART_CORE, case.PART_GREY, case.PART_REST, case.PART_MVO), told, strict=True)
    same_ml = all(_same_ml(voxels == label, stack, burden) for label, burden in labelled)
    same_mvo = np.array_equal(voxels == case.PART_MVO, labels == case.MVO)
    if not (same_ml and same_mvo) or voxels[labels < case.SCAR].any():
        raise InputError(_DO_NOT_FIT)
    return parts


def _island(kept: dict[str, Any], remark: Any) -> case.IslandPattern:
    first, last = from_json(tuple[int, int], kept["slices_from_apex"])
    return from_json(case.IslandPattern, kept, remark=remark, slices=(first - 1, last - 1))


def _probability(path: Path, stack: case.LgeStack) -> case.FloatArray:
    def same_grid(shape: tuple[int, ...]) -> None:
        if shape != stack.storage.to_stored(stack.voxels).shape:
            raise InputError(_DAMAGED)

    return stack.storage.to_canonical(read_volume(path, same_grid).voxels.astype(np.float32))


def _same_ml(mask: np.ndarray, stack: case.LgeStack, burden: case.Burden | None) -> bool:
    said = burden.ml if burden is not None else 0.0
    return abs(float(mask.sum()) * stack.voxel_ml - said) <= _SAME_VOLUME * max(said, 1.0)
