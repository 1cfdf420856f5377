"""A result read again from the folder it was written to."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.case import (
    CAVITY,
    LEADS,
    MVO,
    MYOCARDIUM,
    PART_CORE,
    PART_GREY,
    PART_MVO,
    PART_REST,
    SCAR,
    Anatomy,
    Burden,
    Ecg,
    EcgUse,
    FloatArray,
    Interval,
    IslandPattern,
    LabelArray,
    LgeStack,
    ScarParts,
    ScarResult,
    SegmentRow,
    TimeGap,
)
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import MARKER, is_previous_result
from ScarSegECGLib.export.result_json import SCHEMA_VERSION
from ScarSegECGLib.export.write import PICTURES
from ScarSegECGLib.facts import Confidence, Contrast, Division, Fact, Method, PartsRule, Pattern
from ScarSegECGLib.facts_ecg import Agreement, GapProblem
from ScarSegECGLib.facts_json import from_plain
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.lge.read import read_volume
from ScarSegECGLib.wording import words

_LARGEST_PICTURE_BYTES = 64 * 2**20
_SAME_VOLUME = 0.005
_DO_NOT_FIT = (
    "The label images and the numbers of the result do not fit each other; was one of them edited? Segment the case "
    "again, or measure the edited labels."
)
_KINDS: dict[str, Any] = {
    "method": Method,
    "division": Division,
    "contrast": Contrast,
    "gap_problem": GapProblem | None,
    "parts_rule": PartsRule | None,
    "parts_remark": Fact | None,
    "confidence": Confidence | None,
    **dict.fromkeys(("ecg_reasons", "agreement", "agreement_reasons", "patterns", "pattern_remarks"), tuple),
    **dict.fromkeys(("warnings", "input_warnings", "notes_lge", "notes_ecg", "notes_anatomy"), tuple),
}
_DAMAGED = "The result folder is incomplete or damaged: segment the case again."


def read_result(folder: Path, stack: LgeStack) -> ScarResult:
    """Read a result that was made from ``stack``, or from a copy of it on the same grid.

    The numbers are those of ``result.json``, the masks and probabilities those of the images beside it. What no file
    holds is left empty: the ECG's own trace and findings, and where the LV's centres and insertions are.

    Parameters
    ----------
    folder : Path
        What :func:`~ScarSegECGLib.export.write.write_result` wrote.
    stack : LgeStack
        The images. The result's ``stack.sha256`` is that of the images it was made from.

    Raises
    ------
    InputError
        Not a result folder, a damaged one, or one made from other images.
    """
    if not is_previous_result(folder):
        raise InputError(f"The folder holds no result ({MARKER}): give a folder that scarsegecg segment wrote.")
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"), parse_constant=_no_number)
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
    """The PNG files that are there.

    Raises
    ------
    InputError
        One cannot be read, or is too large to be a picture.
    """
    try:
        paths = [folder / name for name in PICTURES if (folder / name).is_file()]
        if any(path.stat().st_size > _LARGEST_PICTURE_BYTES for path in paths):
            raise InputError(_DAMAGED)
        return {path.name: path.read_bytes() for path in paths}
    except OSError:
        raise InputError(_DAMAGED) from None


def _result(folder: Path, stack: LgeStack, content: dict[str, Any]) -> ScarResult:
    facts = _facts(content["facts"])
    labels, aha = (_labels(folder / f"{name}.nii.gz", stack) for name in ("labels", "aha17"))
    if labels.max(initial=0) > MVO or aha.max(initial=0) > 17:
        raise InputError(_DAMAGED)
    scar = content["scar"]
    parts = _parts(folder, stack, labels, scar, facts)
    together = _burden(scar["with_ecg"])
    if not _same_ml(labels >= SCAR, stack, together):
        raise InputError(_DO_NOT_FIT)
    rows = _segments(content["segments"], facts)
    nowhere = np.full((len(stack.voxels), 2), np.nan)
    imaged = tuple(row.imaged for row in rows) + (False,) * (17 - len(rows))
    ecg, gap = content["ecg"], content["ecg"]["gap_days"]
    return ScarResult(
        stack=replace(
            stack,
            sha256=_text(content["inputs"]["lge_sha256"]),
            contrast=facts["contrast"],
            notes=facts["notes_lge"],
        ),
        ecg=_ecg(content, facts) if ecg["present"] else None,
        ecg_use=EcgUse(
            _number(ecg["amplitude"]),
            facts["ecg_reasons"],
            TimeGap(None if gap is None else _number(gap), bool(ecg["event_between"]), facts["gap_problem"]),
        ),
        anatomy=Anatomy(
            labels == CAVITY, labels >= MYOCARDIUM, aha, nowhere, nowhere, np.zeros(len(stack.voxels)),
            facts["division"], imaged, facts["notes_anatomy"],
        ),
        labels=np.minimum(labels, SCAR),
        scar_probability=_probability(folder / "scar_probability.nii.gz", stack),
        scar_probability_image_only=_probability(folder / "scar_probability_image_only.nii.gz", stack),
        cavity_ml=_number(content["left_ventricle"]["cavity_ml"]),
        myocardium_ml=_number(content["left_ventricle"]["myocardium_ml"]),
        scar=together,
        scar_image_only=_burden(scar["image_only"]),
        segments=rows,
        method=facts["method"],
        weights_sha256=_text(content["method"]["weights_sha256"]),
        warnings=facts["warnings"],
        timings={str(stage): _number(seconds) for stage, seconds in content["timings_s"].items()},
        mvo=_known(scar["mvo"], _burden),
        input_warnings=facts["input_warnings"],
        parts=parts,
        patterns=_patterns(content["patterns"], facts),
        interval=_known(scar["interval"], _interval),
        confidence=facts["confidence"],
    )  # fmt: skip


def _facts(kept: dict[str, Any]) -> dict[str, Any]:
    """The facts, of the right kinds and all of them ones that can be told."""
    facts = {name: from_plain(plain) for name, plain in kept.items()}
    for name, kind in _KINDS.items():
        if not isinstance(facts[name], kind):
            raise TypeError(name)
    for fact in facts.values():
        for one in fact if isinstance(fact, tuple) else (fact,):
            words(one)
    return facts


def _parts(
    folder: Path, stack: LgeStack, labels: LabelArray, scar: dict[str, Any], facts: dict[str, Any]
) -> ScarParts | None:
    if scar["parts"] is None:
        return None
    kept = _labels(folder / "scar_parts.nii.gz", stack)
    core, grey, rest = (_known(scar["parts"][name], _burden) for name in ("core", "grey_zone", "below_grey_zone"))
    mvo = _burden(scar["parts"]["mvo"])
    said = {PART_CORE: core, PART_GREY: grey, PART_REST: rest, PART_MVO: mvo}
    same_ml = all(_same_ml(kept == label, stack, burden) for label, burden in said.items())
    if (kept > 0)[labels < SCAR].any() or not (same_ml and np.array_equal(kept == PART_MVO, labels == MVO)):
        raise InputError(_DO_NOT_FIT)
    return ScarParts(kept, mvo, core, grey, rest, facts["parts_rule"], facts["parts_remark"])


def _segments(kept: list[dict[str, Any]], facts: dict[str, Any]) -> tuple[SegmentRow, ...]:
    if [row["aha_segment"] for row in kept] != list(range(1, len(kept) + 1)) or len(kept) not in (16, 17):
        raise ValueError("segments")
    verdicts = zip(kept, facts["agreement"], facts["agreement_reasons"], strict=True)
    return tuple(
        SegmentRow(
            number=row["aha_segment"],
            name=_text(row["name"]),
            territory=_text(row["usual_territory"]),
            imaged=bool(row["imaged"]),
            myocardium_ml=_number(row["myocardium_ml"]),
            scar_ml=_number(row["scar_ml"]),
            scar_percent=_known(row["scar_percent"]),
            scar_percent_image_only=_known(row["scar_percent_image_only"]),
            transmurality_mean_percent=_known(row["transmurality_mean_percent"]),
            transmurality_max_percent=_known(row["transmurality_max_percent"]),
            transmurality_bin=_text(row["transmurality_bin"]),
            wall_thickness_mm=_known(row["wall_thickness_mm"]),
            ecg_percent=_known(row["ecg_scar_percent"]),
            agreement=_known(agreement, Agreement),
            agreement_reason=reason,
            mvo_ml=_known(row["mvo_ml"]),
            core_ml=_known(row["core_ml"]),
            grey_ml=_known(row["grey_zone_ml"]),
            rest_ml=_known(row["below_grey_zone_ml"]),
        )
        for row, agreement, reason in verdicts
    )


def _patterns(kept: list[dict[str, Any]], facts: dict[str, Any]) -> tuple[IslandPattern, ...]:
    islands = []
    for row, pattern, remark in zip(kept, facts["patterns"], facts["pattern_remarks"], strict=True):
        inner, middle, outer = (_number(share) for share in row["coverage_inner_middle_outer"])
        first, last = (int(_number(number)) - 1 for number in row["slices_from_apex"])
        number, touches, ml = int(_number(row["island"])), bool(row["touches_endocardium"]), _number(row["ml"])
        coverage = (inner, middle, outer)
        islands.append(IslandPattern(number, Pattern(pattern), coverage, touches, remark, ml, (first, last)))
    return tuple(islands)


def _ecg(content: dict[str, Any], facts: dict[str, Any]) -> Ecg:
    """What is known of the ECG without its trace."""
    there = np.array([lead in content["ecg"]["leads"] for lead in LEADS])
    sha256 = _text(content["inputs"]["ecg_sha256"])
    return Ecg(np.zeros((len(LEADS), 0), np.float32), there, 1.0, sha256=sha256, notes=facts["notes_ecg"])


def _labels(path: Path, stack: LgeStack) -> LabelArray:
    if not path.is_file():
        raise InputError(_DAMAGED)
    return read_labels(path, stack)


def _probability(path: Path, stack: LgeStack) -> FloatArray:
    if not path.is_file():
        raise InputError(_DAMAGED)

    def same_grid(shape: tuple[int, ...]) -> None:
        if shape != stack.storage.to_stored(stack.voxels).shape:
            raise InputError(_DAMAGED)

    return stack.storage.to_canonical(read_volume(path, same_grid).voxels.astype(np.float32))


def _burden(kept: dict[str, Any]) -> Burden:
    return Burden(*(_number(kept[name]) for name in ("ml", "g", "percent_of_lv")))


def _interval(kept: dict[str, Any]) -> Interval:
    ml, percent = ((_number(low), _number(high)) for low, high in (kept["ml"], kept["percent_of_lv"]))
    return Interval(ml, percent, _number(kept["level"]))


def _text(value: Any) -> str:
    if not isinstance(value, str | None):
        raise TypeError("no text")
    return value or ""


def _number(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def _known(value: Any, read: Any = _number) -> Any:
    return None if value is None else read(value)


def _no_number(text: str) -> float:
    raise ValueError(text)


def _same_ml(mask: np.ndarray, stack: LgeStack, burden: Burden | None) -> bool:
    said = burden.ml if burden is not None else 0.0
    return abs(float(mask.sum()) * stack.voxel_ml - said) <= _SAME_VOLUME * max(said, 1.0)
