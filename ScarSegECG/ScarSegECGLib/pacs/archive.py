"""Find, pull and push studies."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import quiet
from ScarSegECGLib.lge.shown_text import printable, shown_uid, without_patient
from ScarSegECGLib.pacs.connection import in_words

# As it is stored, without a conversion on the way.
_AS_STORED = (("application/dicom", "*"),)
_PREAMBLE = 132
MOST_OBJECTS = 20000  # as of an archive's files
_WHO = ("PatientName", "PatientID", "PatientBirthDate")
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_FIELDS = (
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "PatientBirthDate",
)


@dataclass(frozen=True)
class Found:
    """A study or a series of the archive; "" and 0 where it does not say."""

    uid: str
    date: str
    description: str
    modalities: str
    instances: int
    number: str = ""
    patient: str = field(default="", repr=False)


@dataclass(frozen=True)
class Pushed:
    """What became of a push: how many objects lie there as sent, and the attributes that the archive changed."""

    count: int
    changed: tuple[str, ...]


def find_studies(client: DICOMwebClient, filters: Mapping[str, str], limit: int) -> tuple[Found, ...]:
    """Studies that match, newest first.

    Parameters
    ----------
    client : DICOMwebClient
    filters : mapping of str to str
        DICOM keyword and what it must match; ``*`` and date ranges as DICOM has them.
    limit : int
        The most that are asked for.
    """
    with in_words():
        answers = client.search_for_studies(search_filters=dict(filters), limit=limit, fields=list(_FIELDS))
        studies = [_study(Dataset.from_json(answer)) for answer in answers[:limit]]
    return tuple(sorted(studies, key=lambda study: study.date, reverse=True))


def find_series(client: DICOMwebClient, study: str) -> tuple[Found, ...]:
    """Series of a study, by their number."""
    uid = _uid(study)
    with in_words():
        answers = client.search_for_series(
            uid, fields=["SeriesDescription", "NumberOfSeriesRelatedInstances", "SeriesDate"]
        )
        series = [_series(Dataset.from_json(answer)) for answer in answers]
    return tuple(sorted(series, key=lambda found: (len(found.number), found.number)))


def pull(client: DICOMwebClient, study: str, series: Sequence[str], folder: Path) -> int:
    """Write a study, or some of its series, as files; returns how many.

    Every series gets a folder of its own; names are numbers, so that they tell nothing.

    Parameters
    ----------
    client : DICOMwebClient
    study : str
    series : sequence of str
        UIDs; all series where there are none.
    folder : Path
        An existing, staged folder.

    Raises
    ------
    InputError
        Nothing there, or the archive sent something else.
    """
    uid = _uid(study)
    numbers: dict[str, int] = {}
    counts: dict[str, int] = defaultdict(int)
    seen: set[str] = set()
    with in_words():
        for dataset in _instances(client, uid, [_uid(one) for one in series]):
            own = str(dataset.get("SeriesInstanceUID", ""))
            if dataset.get("StudyInstanceUID") != uid or (series and own not in series):
                raise InputError("The archive sent images of another study than the one asked for: nothing was kept.")
            if dataset.SOPInstanceUID in seen:
                continue
            seen.add(dataset.SOPInstanceUID)
            if len(seen) > MOST_OBJECTS:
                raise InputError(f"The archive sends over {MOST_OBJECTS} images: pull the series one by one.")
            number = numbers.setdefault(own, len(numbers) + 1)
            counts[own] += 1
            place = folder / f"series{number:03d}"
            place.mkdir(exist_ok=True)
            dataset.save_as(place / f"image{counts[own]:05d}.dcm", enforce_file_format=True)
    if not seen:
        raise InputError("The archive holds no such study or series: look it up with scarsegecg pacs find.")
    return len(seen)


def push(client: DICOMwebClient, paths: Iterable[Path]) -> Pushed:
    """Store every DICOM file of the paths, then fetch each again and compare.

    Raises
    ------
    InputError
        No DICOM files, or the archive did not keep all of them.
    """
    with quiet():
        datasets = [dataset for path in paths for dataset in _read(path)]
    if not datasets:
        raise InputError("There is no DICOM file to push: give the folder that scarsegecg export wrote.")
    sent = {str(dataset.SOPInstanceUID): dataset for dataset in datasets}
    with in_words():
        answer = client.store_instances(list(sent.values()))
        kept = {str(item.ReferencedSOPInstanceUID) for item in answer.get("ReferencedSOPSequence", [])}
        if missing := len(set(sent) - kept):
            raise InputError(
                f"The archive did not keep {missing} of {len(sent)} objects: ask its administrator which it takes."
            )
        changed: set[str] = set()
        for dataset in sent.values():
            back = client.retrieve_instance(
                dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID, media_types=_AS_STORED
            )
            changed |= set(_differences(dataset, back))
    if changed & {"PixelData", "FloatPixelData", "EncapsulatedDocument", "ContentSequence"}:
        raise InputError("What the archive gives back is not what was sent: do not rely on it, ask its administrator.")
    return Pushed(len(sent), tuple(sorted(changed)))


def _instances(client: DICOMwebClient, study: str, series: Sequence[str]) -> Iterable[Dataset]:
    if not series:
        yield from client.iter_study(study, media_types=_AS_STORED)
    for one in series:
        yield from client.iter_series(study, one, media_types=_AS_STORED)


def _read(path: Path) -> Iterable[Dataset]:
    """The DICOM files of a folder, or one file; whatever else lies there is left alone."""
    if not path.exists():
        raise InputError("What was to be pushed was not found: check the path.")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as stream:
            if stream.read(_PREAMBLE)[128:] != b"DICM":
                continue
        try:
            dataset = pydicom.dcmread(file)
            complete = all(
                dataset.get(name) for name in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
            )
        except (InvalidDicomError, EOFError, ValueError, AttributeError, NotImplementedError):
            complete = False
        if not complete:
            raise InputError("A DICOM file to be pushed is damaged: write it again.")
        yield dataset


def _differences(sent: Dataset, back: Dataset) -> Iterable[str]:
    for tag in set(sent.keys()) | set(back.keys()):
        if tag not in sent or tag not in back or sent[tag].value != back[tag].value:
            yield pydicom.datadict.keyword_for_tag(tag) or str(tag)


def _study(answer: Dataset) -> Found:
    modalities = answer.get("ModalitiesInStudy") or ""
    return Found(
        uid=shown_uid(str(answer.get("StudyInstanceUID") or "")),
        date=_text(answer, "StudyDate"),
        description=_description(answer, "StudyDescription"),
        modalities=printable(modalities if isinstance(modalities, str) else "/".join(map(str, modalities))),
        instances=int(answer.get("NumberOfStudyRelatedInstances") or 0),
        patient=", ".join(part for name in _WHO if (part := _text(answer, name))),
    )


def _series(answer: Dataset) -> Found:
    return Found(
        uid=shown_uid(str(answer.get("SeriesInstanceUID") or "")),
        date=_text(answer, "SeriesDate"),
        description=_description(answer, "SeriesDescription"),
        modalities=_text(answer, "Modality"),
        instances=int(answer.get("NumberOfSeriesRelatedInstances") or 0),
        number=_text(answer, "SeriesNumber"),
    )


def _text(answer: Dataset, keyword: str) -> str:
    value = answer.get(keyword)
    return "" if value is None else printable(str(value))


def _description(answer: Dataset, keyword: str) -> str:
    name, identifier, born = (_text(answer, who) for who in _WHO)
    return without_patient(str(answer.get(keyword) or ""), name, identifier, born)


def _uid(text: str) -> str:
    if not _UID.fullmatch(text) or len(text) > 64:
        raise InputError("A study or series is named by its UID (digits and points): see scarsegecg pacs find.")
    return text
