"""Everything about one result that is a number or a sentence, as JSON; and a result read again from its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timezone
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib import __version__, case
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import MARKER, RESULT_KIND, is_previous_result
from ScarSegECGLib.facts import Code, Division, Fact, Method, PartsRule
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGLib.lge.labels import placed, read_labels
from ScarSegECGLib.lge.volume_file import read_volume
from ScarSegECGLib.measure.segments import TerritoryRow, rests_on_little, territory_table
from ScarSegECGLib.measure.trust import SCAR_ABOVE, of_contours
from ScarSegECGLib.report.accuracy import doubt_of
from ScarSegECGLib.report.plain import finite, without_paths
from ScarSegECGLib.wording import RESEARCH_USE, agreement_reason, all_words, words

SCHEMA_VERSION = "3.0"
PICTURES = ("bullseye.png", "ecg.png", "montage.png", "transmurality.png")
_LARGEST_PICTURE_BYTES = 64 * 2**20
_SAME_VOLUME, _SAME_PLACE_VOXELS = 0.005, 0.25
_DO_NOT_FIT = (
    "The label images and the numbers of the result do not fit each other; was one of them edited? Segment the case "
    "again, or measure the edited labels."
)
_DAMAGED = "The result folder is incomplete or damaged: segment the case again."
_TOLD = (Fact, Code, Method, Division, PartsRule, case.EcgUse)  # in words
_WAVES = ("q_ms", "q_mv", "r_ms", "r_mv", "s_ms", "s_mv")


# Attributes that readers know by another name; "": they are not told.
_RENAMED: Mapping[type, Mapping[str, str]] = {
    case.Burden: {"grams": "g"},
    case.ScarParts: {"grey": "grey_zone", "rest": "below_grey_zone"},
    case.IslandPattern: {"number": "island", "slices": "slices_from_apex", "coverage": "coverage_inner_middle_outer"},
    case.SegmentRow: {
        **{"number": "aha_segment", "territory": "usual_territory"},
        **{"grey_ml": "grey_zone_ml", "rest_ml": "below_grey_zone_ml"},
        **{"ecg_percent": "ecg_scar_percent", "agreement": "ecg_agreement", "agreement_reason": "ecg_agreement_reason"},
    },
    TerritoryRow: {"name": "usual_territory", "segments": "aha_segments", "scar_grams": "scar_g"},
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


def write_result_json(result: case.ScarResult, folder: Path, created: datetime) -> None:
    """Write ``result.json``, UTF-8, as ``result.schema.json`` describes it, every field with its meaning and unit."""
    text = json.dumps(as_json(result, created), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def as_json(result: case.ScarResult, created: datetime) -> dict[str, Any]:
    """The content of ``result.json``.

    Holds no patient name, no acquisition date (the gap in days stands for both) and no path or file name; the inputs
    are named by their SHA-256. What is not known is null, never NaN. ``created`` has a time zone.
    """
    result = _nameless(result)
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
        "software": result.software,
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
    return to_json(content) | {"timings_s": to_json(result.timings), "record": _record(result)}


def to_json(value: Any) -> Any:
    """Records, mappings and tuples of values, facts in words; null for what is not known, an empty text or NaN too."""
    if isinstance(value, _TOLD):
        return without_paths(words(value)) or None
    if is_dataclass(value):
        names = _RENAMED.get(type(value), {})
        told = {names.get(of, of): held for of, held in vars(value).items() if not isinstance(held, np.ndarray)}
        told |= {name: make(value) for name, make in _MADE.get(type(value), {}).items()}
        return {name: to_json(held) for name, held in told.items() if name}
    if isinstance(value, Mapping):
        return {name: to_json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    if isinstance(value, str):
        return str(value) or None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return int(value) if isinstance(value, Integral) else finite(value)


def _sentences(facts: Iterable[Any]) -> list[str]:
    return [without_paths(sentence) for sentence in all_words(facts)]


def _record(result: case.ScarResult) -> Any:
    """A result as it is read again: without arrays, and of images and ECG only what names nobody."""
    none: Any = None
    stack, ecg = result.stack, result.ecg
    told: dict[str, Any] = {"contrast": stack.contrast, "sha256": stack.sha256, "notes": stack.notes}
    seen = case.LgeStack(none, none, case.Storage(), none, **told)
    heard = case.Ecg(none, none, 1.0, sha256=ecg.sha256, notes=ecg.notes) if ecg else None
    return _known(to_plain(replace(result, stack=seen, ecg=heard, signs=None)))


def _known(plain: Any, texts: bool = True) -> Any:
    """What JSON holds, null in the place of NaN and, where none are asked for, of texts."""
    if isinstance(plain, dict):
        return {name: _known(value, texts) for name, value in plain.items()}
    if isinstance(plain, list):
        return [_known(value, texts) for value in plain]
    if isinstance(plain, str):
        return plain if texts else None
    return finite(plain) if isinstance(plain, float) else plain


def _nameless(value: Any) -> Any:
    """A result, or what is in one, with texts that name no file."""
    if isinstance(value, Fact):
        return Fact(value.code, **{name: _nameless(held) for name, held in value.parameters})
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _nameless(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, (tuple, list)):
        return tuple(_nameless(held) for held in value)
    return without_paths(value) if type(value) is str else value


def read_result(folder: Path, stack: case.LgeStack) -> case.ScarResult:
    """Read a result that was made from ``stack``, or from a copy of it on the same grid.

    The numbers are those of ``result.json``, the masks and probabilities those of the images beside it; the result's
    ``stack.sha256`` is that of the images it was made from. What no file holds is left empty: the ECG's own trace and
    waves, and where the LV's centres and insertions are. InputError: not a result folder, a damaged one, or one made
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
    """The record with the images; what the file says beside it must be what would be said of it."""
    kept = from_plain(content["record"])
    if not isinstance(kept, case.ScarResult):
        raise TypeError("no result")

    def image(name: str) -> Path:
        if not (path := folder / f"{name}.nii.gz").is_file():
            raise InputError(_DAMAGED)
        return path

    labels, aha = (read_labels(image(name), stack) for name in ("labels", "aha17"))
    if labels.max(initial=0) > case.MVO or aha.max(initial=0) > 17:
        raise InputError(_DAMAGED)
    if not _same_ml(labels >= case.SCAR, stack, kept.scar):
        raise InputError(_DO_NOT_FIT)
    shown, imaged = [(row.number, row.imaged) for row in kept.segments], kept.anatomy.imaged
    if len(imaged) != 17 or len(shown) < 16 or shown != list(enumerate(imaged, 1))[: len(shown)]:
        raise ValueError("segments")
    all_words(kept.input_warnings)  # those that stand nowhere else can be told too
    no_trace, leads = np.zeros((len(case.LEADS), 0), np.float32), np.isin(case.LEADS, content["ecg"]["leads"])
    found, no_wave = kept.ecg_findings, np.full(len(case.LEADS), np.nan, np.float32)
    no_waves: dict[str, Any] = dict.fromkeys(_WAVES, no_wave)
    nowhere = np.full((len(stack.voxels), 2), np.nan)
    result = replace(
        kept,
        stack=replace(stack, contrast=kept.stack.contrast, sha256=kept.stack.sha256, notes=kept.stack.notes),
        ecg=kept.ecg and replace(kept.ecg, millivolts=no_trace, lead_mask=leads),
        anatomy=replace(
            kept.anatomy,
            cavity=labels == case.CAVITY,
            myocardium=labels >= case.MYOCARDIUM,
            aha=aha,
            centres_mm=nowhere,
            insertions_deg=nowhere,
            insertion_confidence=np.zeros(len(stack.voxels)),
        ),
        labels=np.minimum(labels, case.SCAR),
        scar_probability=_probability(image("scar_probability"), stack),
        scar_probability_image_only=_probability(image("scar_probability_image_only"), stack),
        ecg_findings=found and replace(found, features=replace(found.features, **no_waves)),
        parts=kept.parts and _parts(image("scar_parts"), stack, labels, kept.parts),
    )
    as_told_here = content["software"]["scarsegecg"] == __version__  # another version may word it otherwise
    told = as_json(result, datetime.now(timezone.utc))
    # Of another file of the same images the grid is told otherwise.
    told["geometry"] = content["geometry"] | {"contrast": told["geometry"]["contrast"]}
    told, content = ({name: one[name] for name in told.keys() - {"created_utc", "software"}} for one in (told, content))
    if told != content and (as_told_here or _known(told, texts=False) != _known(content, texts=False)):
        raise InputError(_DAMAGED)
    if kept.method.by_network and not kept.method.corrected and kept.method.above == SCAR_ABOVE:
        return result
    return replace(result, interval=None, confidence=of_contours(result.confidence))  # earlier builds kept both


def _parts(path: Path, stack: case.LgeStack, labels: case.LabelArray, kept: case.ScarParts) -> case.ScarParts:
    voxels = read_labels(path, stack)
    told = (kept.core, kept.grey, kept.rest, kept.mvo)
    labelled = zip((case.PART_CORE, case.PART_GREY, case.PART_REST, case.PART_MVO), told, strict=True)
    same_ml = all(_same_ml(voxels == label, stack, burden) for label, burden in labelled)
    same_mvo = np.array_equal(voxels == case.PART_MVO, labels == case.MVO)
    if not (same_ml and same_mvo) or voxels[labels < case.SCAR].any():
        raise InputError(_DO_NOT_FIT)
    return replace(kept, labels=voxels)


def _probability(path: Path, stack: case.LgeStack) -> case.FloatArray:
    def same_size(shape: tuple[int, ...]) -> None:
        if sorted(shape) != sorted(stack.voxels.shape):
            raise InputError(_DAMAGED)

    volume = read_volume(path, same_size)
    found = placed(volume.voxels.astype(np.float32)[None], volume.ijk_to_ras, stack, _SAME_PLACE_VOXELS)
    if found is None:
        raise InputError(_DAMAGED)
    return found[0]


def _same_ml(mask: np.ndarray, stack: case.LgeStack, burden: case.Burden | None) -> bool:
    said = burden.ml if burden is not None else 0.0
    return abs(float(mask.sum()) * stack.voxel_ml - said) <= _SAME_VOLUME * max(said, 1.0)
