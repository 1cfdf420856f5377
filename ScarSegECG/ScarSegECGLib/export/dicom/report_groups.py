"""What the structured report says, group by group, before it becomes DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from highdicom.sr import CodedConcept

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, RESEARCH_USE
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.findings import Findings
from ScarSegECGLib.export.text import finite
from ScarSegECGLib.measure.agreement import ECG_IS_NO_FINDING

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
    """Left ventricle, scar with and without the ECG, its parts, the 17 segments, and the ECG's part."""
    content = findings.content
    return (
        *_ventricle(content),
        replace(_burden(SCAR, content["scar"]["with_ecg"], (MAIN, 3)), comments=_remarks(findings)),
        _burden(ALONE, content["scar"]["image_only"], None),
        *_parts(findings),
        *(_aha(row) for row in content["segments"]),
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


def _parts(findings: Findings) -> Iterator[Group]:
    """Core, grey zone and MVO, each with its share of the LV wall; nothing where they cannot be told apart.

    A grey zone without a voxel is left out too: its two limits left no room, which says nothing of the tissue.
    """
    if findings.parts is None:
        return
    wall_ml = findings.content["left_ventricle"]["myocardium_ml"]
    for part in codes.SCAR_PARTS:
        ml = float((findings.parts.labels == part.label).sum()) * findings.stack.voxel_ml
        if part.label == codes.GREY and ml == 0:
            continue
        values = _values(
            (codes.VOLUME, ml, codes.MILLILITRE),
            (codes.MASS, ml * MYOCARDIAL_DENSITY_G_PER_ML, codes.GRAM),
            (codes.PARTS_OF_LV[part.label], 100 * ml / wall_ml if wall_ml else None, codes.PERCENT),
        )
        yield Group(part.name, part.kind, codes.LV_MYOCARDIUM, values, segment=(PARTS, part.label))


def _aha(row: dict[str, Any]) -> Group:
    number = int(row["aha_segment"])
    structure = codes.AHA_SEGMENTS[number - 1]
    estimate = (codes.PERCENT_ECG_ONLY, row["ecg_scar_percent"], codes.PERCENT)
    comments = (ECG_IS_NO_FINDING,) if finite(row["ecg_scar_percent"]) is not None else ()
    if not row["imaged"]:
        answers = ((codes.COVERAGE, codes.NOT_IMAGED),)
        return Group(structure.name, codes.LV_MYOCARDIUM, structure.kind, _values(estimate), answers, comments=comments)
    values = _values(
        (codes.VOLUME, row["myocardium_ml"], codes.MILLILITRE),
        (codes.SCAR_VOLUME, row["scar_ml"], codes.MILLILITRE),
        (codes.PERCENT_OF_SEGMENT, row["scar_percent"], codes.PERCENT),
        (codes.PERCENT_IMAGE_ONLY, row["scar_percent_image_only"], codes.PERCENT),
        (codes.TRANSMURALITY_MEAN, row["transmurality_mean_percent"], codes.PERCENT),
        (codes.TRANSMURALITY_MAXIMUM, row["transmurality_max_percent"], codes.PERCENT),
        (codes.WALL_THICKNESS, row["wall_thickness_mm"], codes.MILLIMETRE),
        estimate,
    )
    seen = (row["scar_percent"] or 0) >= SCAR_FLOOR_PERCENT or (row["scar_ml"] or 0) >= SCAR_FLOOR_ML
    found = ((codes.MYOCARDIAL_FINDING, codes.SCARRED if seen else codes.NO_SCAR),)
    verdict = codes.VERDICTS.get(row["ecg_agreement"])
    said = ((codes.ECG_VERDICT, verdict),) if verdict else ()
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
