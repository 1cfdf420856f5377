"""What the structured report says, group by group, before it becomes DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from highdicom.sr import CodedConcept

from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.findings import Findings
from ScarSegECGLib.export.text import finite
from ScarSegECGLib.measure.segments import LITTLE_SCAR_ML
from ScarSegECGLib.wording import ECG_IS_NO_FINDING, RESEARCH_USE

SCAR_FLOOR_PERCENT, SCAR_FLOOR_ML = 1.0, 0.1
"""Scar below both in a segment is a border's spill-over, not a finding."""


@dataclass(frozen=True)
class Value:
    """One number: what, how much, in which unit."""

    name: CodedConcept
    value: float
    unit: CodedConcept


@dataclass(frozen=True)
class Group:
    """One measurement group.

    ``segment`` is (key of the segmentation, label in it) where the group measures exactly one segment's voxels.
    ``answers`` are coded questions with their coded answers, ``comments`` sentences that belong beside the numbers.
    """

    title: str
    finding: CodedConcept
    site: CodedConcept | None
    values: tuple[Value, ...]
    answers: tuple[tuple[CodedConcept, CodedConcept], ...] = ()
    segment: tuple[str, int] | None = None
    comments: tuple[str, ...] = ()


SCAR, ALONE = "Scar", "Scar, image only"
MAIN, AHA, PARTS = "segmentation", "aha17", "scar_parts"


def groups(findings: Findings) -> tuple[Group, ...]:
    """Left ventricle, scar without and with the ECG, its parts, the 17 segments, territories, islands, the ECG."""
    content = findings.content
    doubt = (content["scar"]["remark"],) if content["scar"]["remark"] else ()
    return (
        *_ventricle(content),
        replace(_burden(ALONE, content["scar"]["image_only"], None), comments=doubt),
        replace(_burden(SCAR, content["scar"]["with_ecg"], (MAIN, 3)), comments=(*_remarks(findings), *doubt)),
        *_parts(content),
        *(_aha(row, doubt) for row in content["segments"]),
        *(_territory(row, content) for row in content["territories"]),
        *(_island(island) for island in content["patterns"]),
        _ecg(content["ecg"], findings.ecg_counts),
    )


def _remarks(findings: Findings) -> tuple[str, ...]:
    """What the report for people says beside the same numbers."""
    content = findings.content
    heard = findings.ecg_counts and content["method"]["scar"].startswith("network")
    whose = (f"With the ECG (investigational); the primary figures are those of '{ALONE}'.",) if heard else ()
    return RESEARCH_USE, *whose, *(str(warning) for warning in content.get("warnings", ()))


def _ventricle(content: dict[str, Any]) -> Iterator[Group]:
    ventricle = content["left_ventricle"]
    cavity = _values((codes.VOLUME, ventricle["cavity_ml"], codes.MILLILITRE))
    yield Group("LV cavity", codes.BLOOD, codes.LEFT_VENTRICLE, cavity, segment=(MAIN, 1))
    wall = _values(
        (codes.VOLUME, ventricle["myocardium_ml"], codes.MILLILITRE),
        (codes.MASS, ventricle["myocardium_g"], codes.GRAM),
    )
    yield Group("LV myocardium, scar included", codes.LV_MYOCARDIUM, codes.LEFT_VENTRICLE, wall)


def _burden(title: str, burden: dict[str, Any], segment: tuple[str, int] | None) -> Group:
    values = _values(
        (codes.VOLUME, burden["ml"], codes.MILLILITRE),
        (codes.MASS, burden["g"], codes.GRAM),
        (codes.PERCENT_OF_LV, burden["percent_of_lv"], codes.PERCENT),
    )
    return Group(title, codes.SCAR_TISSUE, codes.LV_MYOCARDIUM, values, segment=segment)


def _parts(content: dict[str, Any]) -> Iterator[Group]:
    """Core, grey zone, what lies below it, and MVO, each with its share of the LV wall.

    A part that could not be told is left out, and what holds no scar too. A grey zone without a voxel is left out as
    well: its two limits left no room, which says nothing of the tissue.
    """
    parts = content["scar"]["parts"]
    if parts is None:
        return
    comments = tuple(f"{text[0].upper()}{text[1:]}." for text in (parts["rule"], parts["remark"]) if text)
    for part in codes.SCAR_PARTS:
        burden = parts[part.key]
        if burden is None or not finite(burden["ml"]):
            continue
        values = _values(
            (codes.VOLUME, burden["ml"], codes.MILLILITRE),
            (codes.MASS, burden["g"], codes.GRAM),
            (codes.PARTS_OF_LV[part.label], burden["percent_of_lv"], codes.PERCENT),
        )
        yield Group(part.name, part.kind, codes.LV_MYOCARDIUM, values, segment=(PARTS, part.label), comments=comments)


def _territory(row: dict[str, Any], content: dict[str, Any]) -> Group:
    """The segments of one usual coronary territory together."""
    values = _values(
        (codes.VOLUME, row["myocardium_ml"], codes.MILLILITRE),
        (codes.SCAR_VOLUME, row["scar_ml"], codes.MILLILITRE),
        (codes.PERCENT_OF_TERRITORY_IMAGE_ONLY, row["scar_percent_image_only"], codes.PERCENT),
        (codes.PERCENT_OF_TERRITORY, row["scar_percent"], codes.PERCENT),
    )
    which = ", ".join(str(number) for number in row["aha_segments"]) or "none imaged"
    comment = f"Usual territory, segments {which}; scar {content['method']['scar_shown']}."
    title = f"Usual territory {row['usual_territory']}"
    return Group(title, codes.LV_MYOCARDIUM, codes.LEFT_VENTRICLE, values, comments=(comment,))


def _island(island: dict[str, Any]) -> Group:
    """One connected piece of scar and where in the wall it lies."""
    first, last = island["slices_from_apex"]
    where = f"Slices {first} to {last}" if last > first else f"Slice {first}"
    comments = (f"{where} from the apex.", *([f"Remark: {island['remark']}."] if island["remark"] else []))
    return Group(
        f"Scar island {island['island']}",
        codes.SCAR_TISSUE,
        codes.LV_MYOCARDIUM,
        _values((codes.VOLUME, island["ml"], codes.MILLILITRE)),
        ((codes.PATTERN, codes.PATTERNS[island["pattern"]]),),
        comments=comments,
    )


def _aha(row: dict[str, Any], doubt: tuple[str, ...] = ()) -> Group:
    number = int(row["aha_segment"])
    structure = codes.AHA_SEGMENTS[number - 1]
    estimate = (codes.PERCENT_ECG_ONLY, row["ecg_scar_percent"], codes.PERCENT)
    comments: tuple[str, ...] = (ECG_IS_NO_FINDING,) if finite(row["ecg_scar_percent"]) is not None else ()
    if not row["imaged"]:
        answers = ((codes.COVERAGE, codes.NOT_IMAGED),)
        return Group(structure.name, codes.LV_MYOCARDIUM, structure.kind, _values(estimate), answers, comments=comments)
    values = _values(
        (codes.VOLUME, row["myocardium_ml"], codes.MILLILITRE),
        (codes.PERCENT_IMAGE_ONLY, row["scar_percent_image_only"], codes.PERCENT),
        (codes.SCAR_VOLUME, row["scar_ml"], codes.MILLILITRE),
        (codes.PERCENT_OF_SEGMENT, row["scar_percent"], codes.PERCENT),
        (codes.MVO_VOLUME, row["mvo_ml"], codes.MILLILITRE),
        (codes.TRANSMURALITY_MEAN, row["transmurality_mean_percent"], codes.PERCENT),
        (codes.TRANSMURALITY_MAXIMUM, row["transmurality_max_percent"], codes.PERCENT),
        (codes.WALL_THICKNESS, row["wall_thickness_mm"], codes.MILLIMETRE),
        estimate,
    )
    seen = (row["scar_percent"] or 0) >= SCAR_FLOOR_PERCENT or (row["scar_ml"] or 0) >= SCAR_FLOOR_ML
    found = ((codes.MYOCARDIAL_FINDING, codes.SCARRED if seen else codes.NO_SCAR),)
    verdict = codes.VERDICTS.get(row["ecg_agreement"])
    said = ((codes.ECG_VERDICT, verdict),) if verdict else ()
    comments += doubt if seen else ()
    if row["transmurality_max_on_little_scar"]:
        comments = (*comments, f"The maximum transmurality rests on less than {LITTLE_SCAR_ML:g} ml of scar.")
    if verdict and row["ecg_agreement_reason"]:
        comments = (*comments, str(row["ecg_agreement_reason"]))
    return Group(
        structure.name,
        codes.LV_MYOCARDIUM,
        structure.kind,
        values,
        (*found, *said),
        (AHA, number),
        comments,
    )


def _ecg(ecg: dict[str, Any], counts: bool) -> Group:
    values = _values((codes.ECG_GAP, ecg["gap_days"], codes.DAY), (codes.ECG_AMPLITUDE, ecg["amplitude"], codes.UNITY))
    answers = ((codes.ECG_USE, codes.ECG_COUNTED if counts else codes.ECG_NOT_COUNTED),)
    return Group("ECG", codes.ECG_USE, None, values, answers)


def _values(*given: tuple[CodedConcept, float | None, CodedConcept]) -> tuple[Value, ...]:
    """What is known; an absent number is left out, never written as 0. One decimal, two for the ECG's weight."""
    known = ((name, finite(value), unit) for name, value, unit in given)
    return tuple(
        Value(name, round(value, 2 if unit is codes.UNITY else 1), unit)
        for name, value, unit in known
        if value is not None
    )
