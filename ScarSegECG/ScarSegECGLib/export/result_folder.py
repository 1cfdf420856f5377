"""A result read again from the folder it was written to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib import case
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import MARKER, is_previous_result
from ScarSegECGLib.export.result_json import FACTS, SCHEMA_VERSION, from_json
from ScarSegECGLib.export.write import PICTURES
from ScarSegECGLib.facts import Pattern
from ScarSegECGLib.facts_ecg import Agreement
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
_DAMAGED = "The result folder is incomplete or damaged: segment the case again."


def read_result(folder: Path, stack: case.LgeStack) -> case.ScarResult:
    """Read a result that was made from ``stack``, or from a copy of it on the same grid.

    The numbers are those of ``result.json``, the masks and probabilities those of the images beside it; the result's
    ``stack.sha256`` is that of the images it was made from. What no file holds is left empty: the ECG's own trace and
    findings, and where the LV's centres and insertions are.

    Raises
    ------
    InputError
        Not a result folder, a damaged one, or one made from other images.
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
    rows = _segments(content["segments"], facts)
    nowhere = np.full((len(stack.voxels), 2), np.nan)
    imaged = tuple(row.imaged for row in rows) + (False,) * (17 - len(rows))
    days = from_json(float | None, ecg["gap_days"])
    return case.ScarResult(
        stack=replace(
            stack,
            sha256=from_json(str, content["inputs"]["lge_sha256"]),
            contrast=facts["contrast"],
            notes=facts["notes_lge"],
        ),
        ecg=_ecg(content, facts) if ecg["present"] else None,
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
        patterns=tuple(_patterns(content["patterns"], facts)),
        interval=from_json(case.Interval | None, scar["interval"]),
        confidence=facts["confidence"],
    )  # fmt: skip


def _facts(kept: dict[str, Any]) -> dict[str, Any]:
    """The facts, of the right kinds and all of them ones that can be told."""
    facts = {name: from_plain(plain) for name, plain in kept.items()}
    for name, (kind, _) in FACTS.items():
        if not isinstance(facts[name], kind):
            raise TypeError(name)
    for fact in facts.values():
        for one in fact if isinstance(fact, tuple) else (fact,):
            words(one)
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


def _segments(kept: list[dict[str, Any]], facts: dict[str, Any]) -> tuple[case.SegmentRow, ...]:
    if [row["aha_segment"] for row in kept] != list(range(1, len(kept) + 1)) or len(kept) not in (16, 17):
        raise ValueError("segments")
    verdicts = (None if verdict is None else Agreement(verdict) for verdict in facts["agreement"])
    return tuple(
        from_json(case.SegmentRow, row, agreement=verdict, agreement_reason=reason)
        for row, verdict, reason in zip(kept, verdicts, facts["agreement_reasons"], strict=True)
    )


def _patterns(kept: list[dict[str, Any]], facts: dict[str, Any]) -> Iterator[case.IslandPattern]:
    for row, pattern, remark in zip(kept, facts["patterns"], facts["pattern_remarks"], strict=True):
        first, last = from_json(tuple[int, int], row["slices_from_apex"])
        slices = first - 1, last - 1
        yield from_json(case.IslandPattern, row, pattern=Pattern(pattern), remark=remark, slices=slices)


def _ecg(content: dict[str, Any], facts: dict[str, Any]) -> case.Ecg:
    """What is known of the ECG without its trace."""
    there = np.array([lead in content["ecg"]["leads"] for lead in case.LEADS])
    sha256 = from_json(str, content["inputs"]["ecg_sha256"])
    return case.Ecg(np.zeros((len(case.LEADS), 0), np.float32), there, 1.0, sha256=sha256, notes=facts["notes_ecg"])


def _probability(path: Path, stack: case.LgeStack) -> case.FloatArray:
    def same_grid(shape: tuple[int, ...]) -> None:
        if shape != stack.storage.to_stored(stack.voxels).shape:
            raise InputError(_DAMAGED)

    return stack.storage.to_canonical(read_volume(path, same_grid).voxels.astype(np.float32))


def _same_ml(mask: np.ndarray, stack: case.LgeStack, burden: case.Burden | None) -> bool:
    said = burden.ml if burden is not None else 0.0
    return abs(float(mask.sum()) * stack.voxel_ml - said) <= _SAME_VOLUME * max(said, 1.0)
