"""Who made an object and how: the same words in every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from highdicom import UID, AlgorithmIdentificationSequence, ContentQualificationValues
from highdicom.sr import AlgorithmIdentification

from ScarSegECGLib import __version__
from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.export.dicom.codes import ARTIFICIAL_INTELLIGENCE, HISTOGRAM_ANALYSIS, private_scheme
from ScarSegECGLib.export.dicom.source import Source
from ScarSegECGLib.report.private import without_paths
from ScarSegECGLib.wording import RESEARCH_USE, words

MAKER = "ScarSegECG"
CREATOR = "ScarSegECG^"
UTF_8 = "ISO_IR 192"
"""The character set of every object, whatever that of the images is."""
_FIRST_SERIES_NUMBER = 9100


@dataclass(frozen=True)
class Series:
    """One object's place: its kind, its number among ours, and how a viewer lists it."""

    number: int
    description: str


def common(source: Source, series: Series) -> dict[str, Any]:
    """Arguments that every highdicom constructor takes: a new series in the images' study, and the maker."""
    return {
        "series_instance_uid": UID(),
        "series_number": _FIRST_SERIES_NUMBER + series.number,
        "sop_instance_uid": UID(),
        "instance_number": 1,
        "manufacturer": MAKER,
        "series_description": series.description,
        "coding_schemes": [private_scheme()],
        **equipment(),
    }


def equipment() -> dict[str, Any]:
    """Arguments that name the software."""
    return {
        "manufacturer_model_name": MAKER,
        "software_versions": __version__,
        # Software has no serial number, and the machine's own would tell where it ran.
        "device_serial_number": __version__,
    }


def image_content(label: str, description: str) -> dict[str, Any]:
    """Arguments of the objects that hold voxels."""
    return {
        "content_label": label,
        "content_description": description,
        "content_creator_name": CREATOR,
        "content_qualification": ContentQualificationValues.RESEARCH,
    }


def patient_and_study(source: Source) -> dict[str, Any]:
    """Arguments of the constructors that do not take these from the images themselves."""
    first = source.first
    return {
        "study_instance_uid": first.StudyInstanceUID,
        "patient_id": first.PatientID,
        "patient_name": first.PatientName,
        "patient_birth_date": first.PatientBirthDate or None,
        "patient_sex": first.PatientSex,
        "accession_number": first.AccessionNumber,
        "study_id": first.StudyID,
        "study_date": first.StudyDate or None,
        "study_time": first.StudyTime or None,
        "referring_physician_name": first.ReferringPhysicianName,
        "specific_character_set": UTF_8,
    }


def parameters(result: ScarResult) -> dict[str, str]:
    """What the result depends on: weights, inputs, rules, and the ECG's part."""
    given = {
        "weights_sha256": result.weights_sha256 or "none",
        "scar": words(result.method),
        "aha": words(result.anatomy.division),
        "lge_sha256": result.stack.sha256 or "unknown",
        "ecg_sha256": (result.ecg.sha256 if result.ecg else "") or "none",
        "ecg": words(result.ecg_use),
        "core_and_grey_zone": (words(result.parts.rule) if result.parts else "") or "not told apart",
        "purpose": RESEARCH_USE,
    }
    return {name: _one_line(value) for name, value in given.items()}


def algorithm_sequence(result: ScarResult) -> AlgorithmIdentificationSequence:
    """The algorithm as images name it."""
    return AlgorithmIdentificationSequence(
        name=MAKER,
        family=ARTIFICIAL_INTELLIGENCE if result.weights_sha256 else HISTOGRAM_ANALYSIS,
        version=__version__,
        source=MAKER,
        parameters=parameters(result),
    )


def algorithm_items(result: ScarResult, *, whole: bool) -> AlgorithmIdentification:
    """The algorithm as reports name it (TID 4019): with every parameter, or with the weights' hash alone."""
    given = parameters(result)
    names = tuple(given) if whole else ("weights_sha256",)
    return AlgorithmIdentification(
        name=MAKER, version=__version__, parameters=[f"{name}={given[name]}" for name in names]
    )


def _one_line(text: str) -> str:
    """Without a backslash, which separates values in DICOM."""
    return without_paths(" ".join(text.split())).replace("\\", "/")
