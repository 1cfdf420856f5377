"""The measurements as a DICOM Structured Report after template TID 1500."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import highdicom
from highdicom.seg import Segmentation
from highdicom.sr import (
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes as standard

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.groups import SCAR, Group, groups
from ScarSegECGLib.export.dicom.maker import MAKER, UTF_8, Series, algorithm_items, common
from ScarSegECGLib.export.dicom.source import Source


@dataclass(frozen=True)
class Segments:
    """A segmentation and the segment number of each label in it."""

    segmentation: Segmentation
    numbers: Mapping[int, int]


_Written = TypeVar(
    "_Written", MeasurementsAndQualitativeEvaluations, VolumetricROIMeasurementsAndQualitativeEvaluations
)

# The same device in every report, whatever machine it ran on.
_DEVICE_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_DNS, 'scarsegecg').int}"
_ORGANISATION_UNKNOWN = "not stated"


def structured_report(
    result: ScarResult,
    segmentations: Mapping[str, Segments],
    source: Source,
    series: Series,
    *,
    verified_by: str | None = None,
) -> ComprehensiveSR:
    """The whole result, measured on the segments it refers to.

    Parameters
    ----------
    result : ScarResult
    segmentations : mapping of str to Segments
        By the keys of :mod:`~ScarSegECGLib.export.dicom.groups`; a group whose segment is not in them, because
        it has no voxel, refers to no segment.
    source : Source
    series : Series
    verified_by : str, optional
        Who signs, as ``Family^Given``: the report is then FINAL and VERIFIED, else PRELIMINARY and UNVERIFIED.

    Raises
    ------
    InputError
        The signature is no person's name.
    """
    device = ObserverContext(
        observer_type=standard.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=_DEVICE_UID, name=MAKER, manufacturer_name=MAKER, model_name=MAKER
        ),
    )
    person = None
    if verified_by is not None:
        verified_by = person_name(verified_by)
        person = ObserverContext(
            observer_type=standard.DCM.Person,
            observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=verified_by),
        )
    report = MeasurementReport(
        observation_context=ObservationContext(
            observer_person_context=person,
            observer_device_context=device,
        ),
        procedure_reported=codes.MRI_PROCEDURE,
        imaging_measurements=[_group(group, result, segmentations, source) for group in groups(result)],
    )
    return ComprehensiveSR(
        evidence=[*source.images, *(written.segmentation for written in segmentations.values())],
        content=report[0],
        is_complete=True,
        is_final=verified_by is not None,
        is_verified=verified_by is not None,
        verifying_observer_name=verified_by,
        verifying_organization=(source.first.get("InstitutionName") or _ORGANISATION_UNKNOWN) if verified_by else None,
        specific_character_set=UTF_8,
        **common(source, series),
    )


def person_name(name: str) -> str:
    """A name as DICOM has it, ``Family^Given``; "Given Family" is turned round.

    Raises
    ------
    InputError
    """
    clean = " ".join(name.split())
    bad = not clean.strip("^= ") or "\\" in clean or "=" in clean or len(clean) > 64 or clean.count("^") > 4
    if bad or not clean.isprintable():
        raise InputError("The name to sign with is not a person's name: write it as 'Family^Given'.")
    if "^" in clean:
        return clean
    *given, family = clean.split(" ")
    return f"{family}^{' '.join(given)}"


def _group(
    group: Group, result: ScarResult, segmentations: Mapping[str, Segments], source: Source
) -> MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations:
    arguments: dict[str, Any] = {
        "finding_type": group.finding,
        "finding_sites": [FindingSite(group.site)] if group.site is not None else None,
        "measurements": [Measurement(name=v.name, value=v.value, unit=v.unit, algorithm_id=None) for v in group.values],
        "qualitative_evaluations": [QualitativeEvaluation(name=name, value=value) for name, value in group.answers],
        "algorithm_id": algorithm_items(result, whole=group.title == SCAR),
    }
    found = _segment(group, segmentations)
    if found is None:
        identifier = TrackingIdentifier(uid=highdicom.UID(), identifier=f"{MAKER} {group.title}")
        return _commented(MeasurementsAndQualitativeEvaluations(tracking_identifier=identifier, **arguments), group)
    segmentation, number = found
    description = segmentation.get_segment_description(number)
    measured = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=description.tracking_uid, identifier=description.tracking_id),
        referenced_segment=ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=number,
            source_series=SourceSeriesForSegmentation(source.first.SeriesInstanceUID),
        ),
        **arguments,
    )
    return _commented(measured, group)


def _commented(written: _Written, group: Group) -> _Written:
    """The group with its comments as text beside its numbers; highdicom's templates take no text of their own."""
    for comment in group.comments:
        text = TextContentItem(codes.COMMENT, comment, RelationshipTypeValues.CONTAINS)
        written[0].ContentSequence.append(text)
    return written


def _segment(group: Group, segmentations: Mapping[str, Segments]) -> tuple[Segmentation, int] | None:
    """The segment a group measures, where it has a voxel."""
    if group.segment is None or group.segment[0] not in segmentations:
        return None
    written = segmentations[group.segment[0]]
    number = written.numbers.get(group.segment[1])
    return None if number is None else (written.segmentation, number)
