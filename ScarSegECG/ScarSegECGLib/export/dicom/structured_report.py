"""The measurements as a DICOM Structured Report after template TID 1500: what it says, group by group, and how."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import highdicom
from highdicom import sr
from highdicom.seg import Segmentation
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from ScarSegECGLib import __version__
from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, Burden, IslandPattern, ScarParts, ScarResult, SegmentRow
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.objects import MAKER, common, parameters
from ScarSegECGLib.export.dicom.source import Source
from ScarSegECGLib.facts import Shown
from ScarSegECGLib.measure.segments import TerritoryRow, rests_on_little, territory_table
from ScarSegECGLib.report import captions
from ScarSegECGLib.report.accuracy import doubt_of
from ScarSegECGLib.report.plain import finite, without_paths
from ScarSegECGLib.report.present import ecg_counts, headline
from ScarSegECGLib.report.tables import sentence
from ScarSegECGLib.wording import ECG_IS_NO_FINDING, RESEARCH_USE, agreement_reason, all_words, words

# Scar below both in a segment is a border's spill-over, not a finding.
_SCAR_FLOOR_PERCENT, _SCAR_FLOOR_ML = 1.0, 0.1
SCAR, ALONE = "Scar", "Scar, image only"
MAIN, AHA, PARTS = "segmentation", "aha17", "scar_parts"
# The same device in every report, whatever machine it ran on.
_DEVICE_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_DNS, 'scarsegecg').int}"

Segments = dict[tuple[str, int], tuple[Segmentation, int]]
"""A segmentation and the number of a segment in it, by what :attr:`Group.segment` says."""


@dataclass(frozen=True)
class Group:
    """One measurement group: numbers, in :data:`codes.UNIT_OF`, by what they measure, and what is said beside them.

    ``segment`` is (key of the segmentation, label in it) where the group measures exactly one segment's voxels.
    ``answers`` are coded questions with their coded answers, ``comments`` sentences that belong beside the numbers.
    """

    title: str
    finding: Code
    site: Code | None
    values: dict[Code, float]
    answers: tuple[tuple[Code, Code], ...] = ()
    segment: tuple[str, int] | None = None
    comments: tuple[str, ...] = ()


def groups(result: ScarResult) -> tuple[Group, ...]:
    """Left ventricle, scar without and with the ECG, its parts, the 17 segments, territories, islands, the ECG."""
    doubt = tuple(filter(None, [words(doubt_of(result))]))
    wall_g = result.myocardium_ml * MYOCARDIAL_DENSITY_G_PER_ML
    cavity, wall = _values({codes.VOLUME: result.cavity_ml}), {codes.VOLUME: result.myocardium_ml, codes.MASS: wall_g}
    return (
        Group("LV cavity", codes.BLOOD, codes.LEFT_VENTRICLE, cavity, segment=(MAIN, 1)),
        Group(captions.WALL, codes.LV_MYOCARDIUM, codes.LEFT_VENTRICLE, _values(wall)),
        *_scar(result, doubt),
        *(_parts(result.parts) if result.parts else ()),
        *(_aha(row, doubt) for row in result.segments),
        *(_territory(row, result.shown) for row in territory_table(result.segments)),
        *(_island(island) for island in result.patterns),
        _ecg(result),
    )


def _scar(result: ScarResult, doubt: tuple[str, ...]) -> Iterator[Group]:
    """Both scars, the primary one with headline and interval, and what the report for people says beside them."""
    with_ecg = result.shown is Shown.WITH_ECG
    whose = (captions.WITH_ECG.format(primary=ALONE),) if with_ecg else ()
    warnings = (without_paths(text) for text in all_words(result.warnings))
    low, high = result.interval.ml if result.interval else (None, None)
    ends = _values({codes.LOWER_END: low, codes.UPPER_END: high})
    for title, burden, segment, comments, primary in (
        (ALONE, result.scar_image_only, None, doubt, with_ecg),
        (SCAR, result.scar, (MAIN, 3), (RESEARCH_USE, *whose, *warnings, *doubt), not with_ecg),
    ):
        values = _three(burden, codes.PERCENT_OF_LV)
        if primary:
            values, comments = values | ends, (f"{headline(result)}.", *comments)
        yield Group(title, codes.SCAR_TISSUE, codes.LV_MYOCARDIUM, values, segment=segment, comments=comments)


def _three(burden: Burden, share: Code) -> dict[Code, float]:
    return _values({codes.VOLUME: burden.ml, codes.MASS: burden.grams, share: burden.percent_of_lv})


def _parts(parts: ScarParts) -> Iterator[Group]:
    """Core, grey zone, what lies below it, and MVO, each with its share of the LV wall.

    A part that could not be told is left out, and what holds no scar too. A grey zone without a voxel is left out as
    well: its two limits left no room, which says nothing of the tissue.
    """
    comments = tuple(f"{sentence(text)}." for text in (words(parts.rule), words(parts.remark)) if text)
    for part, burden in zip(codes.SCAR_PARTS, (parts.core, parts.grey, parts.rest, parts.mvo), strict=True):
        if burden is not None and burden.ml:
            values, segment = _three(burden, codes.PARTS_OF_LV[part.label]), (PARTS, part.label)
            yield Group(part.name, part.kind, codes.LV_MYOCARDIUM, values, segment=segment, comments=comments)


def _aha(row: SegmentRow, doubt: tuple[str, ...]) -> Group:
    structure = codes.AHA_SEGMENTS[row.number - 1]
    estimate = {codes.PERCENT_ECG_ONLY: row.ecg_percent}
    comments: tuple[str, ...] = (ECG_IS_NO_FINDING,) if finite(row.ecg_percent) is not None else ()
    answers: tuple[tuple[Code, Code], ...] = ((codes.COVERAGE, codes.NOT_IMAGED),)
    if not row.imaged:
        return Group(structure.name, codes.LV_MYOCARDIUM, structure.kind, _values(estimate), answers, None, comments)
    measured = {
        codes.VOLUME: row.myocardium_ml,
        codes.PERCENT_IMAGE_ONLY: row.scar_percent_image_only,
        codes.SCAR_VOLUME: row.scar_ml,
        codes.PERCENT_OF_SEGMENT: row.scar_percent,
        codes.MVO_VOLUME: row.mvo_ml,
        codes.TRANSMURALITY_MEAN: row.transmurality_mean_percent,
        codes.TRANSMURALITY_MAXIMUM: row.transmurality_max_percent,
        codes.WALL_THICKNESS: row.wall_thickness_mm,
    }
    seen = (row.scar_percent or 0) >= _SCAR_FLOOR_PERCENT or (row.scar_ml or 0) >= _SCAR_FLOOR_ML
    answers = ((codes.MYOCARDIAL_FINDING, codes.SCARRED if seen else codes.NO_SCAR),)
    comments += doubt if seen else ()
    if rests_on_little(row):
        comments += (captions.LITTLE_SCAR,)
    if row.agreement:
        answers += ((codes.ECG_VERDICT, codes.VERDICTS[row.agreement]),)
        comments += tuple(filter(None, [without_paths(agreement_reason(row.agreement_reason))]))
    values, site = _values(measured | estimate), (AHA, row.number)
    return Group(structure.name, codes.LV_MYOCARDIUM, structure.kind, values, answers, site, comments)


def _territory(row: TerritoryRow, shown: Shown) -> Group:
    measured = {
        codes.VOLUME: row.myocardium_ml,
        codes.SCAR_VOLUME: row.scar_ml,
        codes.PERCENT_OF_TERRITORY_IMAGE_ONLY: row.scar_percent_image_only,
        codes.PERCENT_OF_TERRITORY: row.scar_percent,
    }
    segments = ", ".join(map(str, row.segments)) or "none imaged"
    comment = captions.TERRITORY.format(segments=segments, shown=words(shown))
    title = f"Usual territory {row.name}"
    return Group(title, codes.LV_MYOCARDIUM, codes.LEFT_VENTRICLE, _values(measured), comments=(comment,))


def _island(island: IslandPattern) -> Group:
    first, last = (k + 1 for k in island.slices)
    where = f"Slices {first} to {last}" if last > first else f"Slice {first}"
    remark = [f"Remark: {words(island.remark)}."] if island.remark else []
    volume = _values({codes.VOLUME: island.ml})
    answers = ((codes.PATTERN, codes.PATTERNS[island.pattern]),)
    title, comments = f"Scar island {island.number}", (f"{where} from the apex.", *remark)
    return Group(title, codes.SCAR_TISSUE, codes.LV_MYOCARDIUM, volume, answers, comments=comments)


def _ecg(result: ScarResult) -> Group:
    values = _values({codes.ECG_GAP: result.ecg_use.gap.days, codes.ECG_AMPLITUDE: result.ecg_use.amplitude})
    answers = ((codes.ECG_USE, codes.ECG_COUNTED if ecg_counts(result) else codes.ECG_NOT_COUNTED),)
    return Group("ECG", codes.ECG_USE, None, values, answers)


def _values(given: Mapping[Code, float | None]) -> dict[Code, float]:
    """What is known; an absent number is left out, never written as 0. One decimal, two for the ECG's weight."""
    known = ((name, finite(value)) for name, value in given.items())
    return {name: round(value, 2 if name is codes.ECG_AMPLITUDE else 1) for name, value in known if value is not None}


def structured_report(
    result: ScarResult, segments: Segments, source: Source, verified_by: str | None
) -> sr.ComprehensiveSR:
    """The whole result, measured on the segments it refers to.

    A group whose segment is not in ``segments``, because it has no voxel, refers to no segment. ``verified_by`` is who
    signs, as :func:`person_name` takes it: the report is then FINAL and VERIFIED, else PRELIMINARY and UNVERIFIED.
    """
    software = sr.DeviceObserverIdentifyingAttributes(_DEVICE_UID, MAKER, manufacturer_name=MAKER, model_name=MAKER)
    device = sr.ObserverContext(standard.DCM.Device, software)
    person = organisation = None
    if verified_by is not None:
        verified_by = person_name(verified_by)
        organisation = source.first.get("InstitutionName") or "not stated"
        person = sr.ObserverContext(standard.DCM.Person, sr.PersonObserverIdentifyingAttributes(name=verified_by))
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_person_context=person, observer_device_context=device),
        procedure_reported=codes.MRI_PROCEDURE,
        imaging_measurements=[_group(group, result, segments, source) for group in groups(result)],
    )
    segmentations = {written.SOPInstanceUID: written for written, _ in segments.values()}
    return sr.ComprehensiveSR(
        evidence=[*source.images, *segmentations.values()],
        content=report[0],
        is_complete=True,
        is_final=verified_by is not None,
        is_verified=verified_by is not None,
        verifying_observer_name=verified_by,
        verifying_organization=organisation,
        **common("report.dcm"),
    )


def person_name(name: str) -> str:
    """A name as DICOM has it, ``Family^Given``; "Given Family" is turned round. InputError where it is no name."""
    clean = " ".join(name.split())
    bad = not clean.strip("^= ") or "\\" in clean or "=" in clean or len(clean) > 64 or clean.count("^") > 4
    if bad or not clean.isprintable():
        raise InputError("The name to sign with is not a person's name: write it as 'Family^Given'.")
    if "^" in clean:
        return clean
    *given, family = clean.split(" ")
    return f"{family}^{' '.join(given)}"


def _group(group: Group, result: ScarResult, segments: Segments, source: Source) -> Any:
    given = parameters(result)
    names = given if group.title == SCAR else ("weights_sha256",)
    arguments: dict[str, Any] = {
        "finding_type": group.finding,
        "finding_sites": [sr.FindingSite(group.site)] if group.site is not None else None,
        "measurements": [sr.Measurement(name, value, codes.UNIT_OF[name]) for name, value in group.values.items()],
        "qualitative_evaluations": [sr.QualitativeEvaluation(name=name, value=value) for name, value in group.answers],
        "algorithm_id": sr.AlgorithmIdentification(
            name=MAKER, version=__version__, parameters=[f"{name}={given[name]}" for name in names]
        ),
    }
    written: Any
    if group.segment is not None and group.segment in segments:
        segmentation, number = segments[group.segment]
        described = segmentation.get_segment_description(number)
        stack = sr.SourceSeriesForSegmentation(source.first.SeriesInstanceUID)
        written = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(uid=described.tracking_uid, identifier=described.tracking_id),
            referenced_segment=sr.ReferencedSegment(
                segmentation.SOPClassUID, segmentation.SOPInstanceUID, number, source_series=stack
            ),
            **arguments,
        )
    else:
        identifier = sr.TrackingIdentifier(uid=highdicom.UID(), identifier=f"{MAKER} {group.title}")
        written = sr.MeasurementsAndQualitativeEvaluations(tracking_identifier=identifier, **arguments)
    for comment in group.comments:  # highdicom's templates take no text of their own
        written[0].ContentSequence.append(sr.TextContentItem(codes.COMMENT, comment, "CONTAINS"))
    return written
