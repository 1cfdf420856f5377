"""The measurements as a DICOM Structured Report after template TID 1500."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import highdicom
from highdicom import sr
from highdicom.seg import Segmentation
from pydicom.sr.codedict import codes as standard

from ScarSegECGLib import __version__
from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.groups import SCAR, Group, groups
from ScarSegECGLib.export.dicom.objects import MAKER, Series, common, parameters
from ScarSegECGLib.export.dicom.source import Source

Segments = Mapping[tuple[str, int], tuple[Segmentation, int]]
"""A segmentation and the number of a segment in it, by what :attr:`Group.segment` says."""

# The same device in every report, whatever machine it ran on.
_DEVICE_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_DNS, 'scarsegecg').int}"


def structured_report(
    result: ScarResult, segments: Segments, source: Source, series: Series, *, verified_by: str | None = None
) -> sr.ComprehensiveSR:
    """The whole result, measured on the segments it refers to.

    A group whose segment is not in ``segments``, because it has no voxel, refers to no segment. ``verified_by`` is who
    signs, as :func:`person_name` takes it: the report is then FINAL and VERIFIED, else PRELIMINARY and UNVERIFIED.
    """
    device = sr.ObserverContext(
        observer_type=standard.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=_DEVICE_UID, name=MAKER, manufacturer_name=MAKER, model_name=MAKER
        ),
    )
    person = organisation = None
    if verified_by is not None:
        verified_by = person_name(verified_by)
        organisation = source.first.get("InstitutionName") or "not stated"
        person = sr.ObserverContext(
            observer_type=standard.DCM.Person,
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name=verified_by),
        )
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
        **common(series),
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
        "measurements": [sr.Measurement(name=v.name, value=v.value, unit=v.unit) for v in group.values],
        "qualitative_evaluations": [sr.QualitativeEvaluation(name=name, value=value) for name, value in group.answers],
        "algorithm_id": sr.AlgorithmIdentification(
            name=MAKER, version=__version__, parameters=[f"{name}={given[name]}" for name in names]
        ),
    }
    written: Any
    if group.segment is not None and group.segment in segments:
        segmentation, number = segments[group.segment]
        described = segmentation.get_segment_description(number)
        written = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(uid=described.tracking_uid, identifier=described.tracking_id),
            referenced_segment=sr.ReferencedSegment(
                sop_class_uid=segmentation.SOPClassUID,
                sop_instance_uid=segmentation.SOPInstanceUID,
                segment_number=number,
                source_series=sr.SourceSeriesForSegmentation(source.first.SeriesInstanceUID),
            ),
            **arguments,
        )
    else:
        identifier = sr.TrackingIdentifier(uid=highdicom.UID(), identifier=f"{MAKER} {group.title}")
        written = sr.MeasurementsAndQualitativeEvaluations(tracking_identifier=identifier, **arguments)
    for comment in group.comments:  # highdicom's templates take no text of their own
        written[0].ContentSequence.append(sr.TextContentItem(codes.COMMENT, comment, "CONTAINS"))
    return written
