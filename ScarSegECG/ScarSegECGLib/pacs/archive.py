"""Find, pull and push studies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pydicom
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.misc import is_dicom

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import quiet
from ScarSegECGLib.lge.shown_text import printable, shown_uid, without_patient
from ScarSegECGLib.pacs.connection import in_words
from ScarSegECGLib.pacs.whole import PATIENT, Change, changes, check_whole, owner_of

Tell = Callable[[int, int], object]

# As it is stored, without a conversion on the way.
_AS_STORED = (("application/dicom", "*"),)
MOST_OBJECTS = 20000  # as of an archive's files
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_STUDY_FIELDS = (
    *("StudyDescription", "ModalitiesInStudy", "PatientBirthDate"),
    *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
)
_SERIES_FIELDS = ("SeriesDescription", "NumberOfSeriesRelatedInstances", "SeriesDate")


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
class Pulled:
    """How many objects came, and whether the archive had said how many there are."""

    count: int
    counted: bool


@dataclass(frozen=True)
class Pushed:
    """What became of a push: how many objects lie there as sent, and the attributes that the archive changed."""

    count: int
    changed: tuple[str, ...]


def find_studies(client: DICOMwebClient, filters: Mapping[str, str], limit: int) -> tuple[Found, ...]:
    """Studies that match, newest first, at most ``limit``.

    ``filters`` are DICOM keywords and what they must match; ``*`` and date ranges as DICOM has them.
    """
    with in_words():
        answers = client.search_for_studies(search_filters=dict(filters), limit=limit, fields=list(_STUDY_FIELDS))
        studies = [_found(Dataset.from_json(answer), "Study") for answer in answers[:limit]]
    return tuple(sorted(studies, key=lambda study: study.date, reverse=True))


def find_series(client: DICOMwebClient, study: str) -> tuple[Found, ...]:
    """Series of a study, by their number."""
    uid = _uid(study)
    with in_words():
        answers = client.search_for_series(uid, fields=list(_SERIES_FIELDS))
        series = [_found(Dataset.from_json(answer), "Series") for answer in answers]
    return tuple(sorted(series, key=lambda found: (len(found.number), found.number)))


def pull(
    client: DICOMwebClient, study: str, series: Sequence[str], folder: Path, tell: Tell = lambda done, of: None
) -> Pulled:
    """Write a study, or those of its series that are named, into an existing, staged folder.

    Every series gets a folder of its own; names are numbers, so that they tell nothing. ``tell`` hears how many objects
    have come, and how many the archive announced.

    Raises
    ------
    InputError
        Nothing there; or the archive sent something else, less than it announced, an object that is cut off, two
        contents under one UID, or images of two patients.
    """
    uid, asked = _uid(study), [_uid(one) for one in series]
    announced = {found.uid: found.instances for found in find_series(client, uid) if not asked or found.uid in asked}
    expected = sum(announced.values())
    if expected > MOST_OBJECTS:
        raise InputError(f"The archive announces over {MOST_OBJECTS} objects: pull the series one by one.")
    paths: dict[str, Path] = {}
    counts: dict[str, int] = dict.fromkeys(announced, 0)
    owner: dict[str, str] = {}
    for dataset in _sent(client, uid, asked) if announced else ():
        with in_words():
            check_whole(dataset)
            own, name = str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)
            if dataset.StudyInstanceUID != uid or (asked and own not in asked):
                raise InputError("The archive sent images of another study than the one asked for: nothing was kept.")
            for keyword, said in owner_of(dataset).items():
                if owner.setdefault(keyword, said) != said:
                    raise InputError(
                        "The study holds images of two patients (identifier, name or date of birth differ): nothing "
                        "was kept; have it put right in the archive, or pull one patient's series with --series."
                    )
            if name in paths:
                if changes(pydicom.dcmread(paths[name]), dataset):
                    raise InputError("The archive sent two contents under one UID: nothing was kept.")
                continue
            if len(paths) == MOST_OBJECTS:
                raise InputError(f"The archive sends over {MOST_OBJECTS} images: pull the series one by one.")
            counts[own] = counts.get(own, 0) + 1
            place = folder / f"series{list(counts).index(own) + 1:03d}"
            paths[name] = place / f"image{counts[own]:05d}.dcm"
            content = BytesIO()
            dataset.save_as(content, enforce_file_format=True)
        place.mkdir(exist_ok=True)
        paths[name].write_bytes(content.getbuffer())
        tell(len(paths), expected)
    if short := sum(max(0, count - counts[own]) for own, count in announced.items()):
        raise InputError(
            f"The archive announced {expected} objects and sent {short} fewer: nothing was kept; try again."
        )
    if not paths:
        raise InputError("The archive holds no such study or series: look it up with scarsegecg pacs find.")
    return Pulled(len(paths), counted=all(announced.values()))


def push(client: DICOMwebClient, paths: Iterable[Path], tell: Tell = lambda done, of: None) -> Pushed:
    """Store every DICOM file of the paths, one after the other; fetch each again and compare.

    Raises
    ------
    InputError
        No DICOM files, or the archive did not keep one, gave back another one, or filed it under another patient.
    """
    with quiet():
        files = _files(paths)
    if not files:
        raise InputError("There is no DICOM file to push: give the folder that scarsegecg export wrote.")
    changed: set[str] = set()
    for done, file in enumerate(files):
        try:
            changed.update(_push_one(client, file))
        except InputError as error:
            left = f" {done} of {len(files)} objects were stored and compared before." if done else ""
            raise InputError(f"{error}{left}") from None
        tell(done + 1, len(files))
    return Pushed(len(files), tuple(sorted(changed)))


def _push_one(client: DICOMwebClient, file: Path) -> list[str]:
    """Store and compare; returns the attributes of its own that the archive changed."""
    sent = pydicom.dcmread(file)
    with in_words():
        answer = client.store_instances([sent])
        kept = {str(item.ReferencedSOPInstanceUID) for item in answer.get("ReferencedSOPSequence", [])}
        if sent.SOPInstanceUID not in kept:
            raise InputError("The archive did not keep an object: ask its administrator which it takes.")
        back = client.retrieve_instance(
            sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID, media_types=_AS_STORED
        )
        check_whole(back)
        found = changes(sent, back)
    content, patient, filing = (sorted(keyword for keyword in found if found[keyword] is kind) for kind in Change)
    if content:
        raise InputError(
            f"What the archive gives back is not what was sent ({', '.join(content)}): do not rely on it, ask its "
            "administrator."
        )
    if patient:
        raise InputError(
            f"The archive filed an object under another patient ({', '.join(patient)} changed): have it put right "
            "there."
        )
    return filing


def _sent(client: DICOMwebClient, study: str, series: Sequence[str]) -> Iterator[Dataset]:
    """What the archive sends; what goes wrong on the way comes in words, what goes wrong with the taker as it is."""
    for one in series or ("",):
        with in_words():
            if one:
                coming = client.iter_series(study, one, media_types=_AS_STORED)
            else:
                coming = client.iter_study(study, media_types=_AS_STORED)
        while True:
            with in_words():
                dataset = next(coming, None)
            if dataset is None:
                break
            yield dataset


def _files(paths: Iterable[Path]) -> list[Path]:
    """The DICOM files of folders, or single ones; whatever else lies there is left alone.

    Raises
    ------
    InputError
        A path that is not there, a file that is damaged, or two contents under one UID.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise InputError("What was to be pushed was not found: check the path.")
        for file in sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]:
            if not is_dicom(file):
                continue
            try:
                dataset = pydicom.dcmread(file)
                check_whole(dataset)
                first = found.setdefault(str(dataset.SOPInstanceUID), file)
                same = first == file or not changes(pydicom.dcmread(first), dataset)
            except Exception:  # whatever a parser raises on it
                raise InputError("A DICOM file to be pushed is damaged: write it again.") from None
            if not same:
                raise InputError("Two of the files to be pushed carry one SOP Instance UID: export them again.")
    return list(found.values())


def _found(answer: Dataset, level: str) -> Found:
    """A study or a series, of which DICOM's keywords speak as "Study" and "Series"."""
    of_study = level == "Study"
    identifier, name, born = patient = [_text(answer, keyword) for keyword in PATIENT]
    modalities = answer.get("ModalitiesInStudy" if of_study else "Modality") or ""
    return Found(
        uid=shown_uid(str(answer.get(f"{level}InstanceUID") or "")),
        date=_text(answer, f"{level}Date"),
        description=without_patient(str(answer.get(f"{level}Description") or ""), name, identifier, born),
        modalities=printable(modalities if isinstance(modalities, str) else "/".join(map(str, modalities))),
        instances=max(0, int(answer.get(f"NumberOf{level}RelatedInstances") or 0)),
        number="" if of_study else _text(answer, "SeriesNumber"),
        patient=", ".join(filter(None, patient)) if of_study else "",
    )


def _text(answer: Dataset, keyword: str) -> str:
    value = answer.get(keyword)
    return "" if value is None else printable(str(value))


def _uid(text: str) -> str:
    if not _UID.fullmatch(text) or len(text) > 64:
        raise InputError("A study or series is named by its UID (digits and points): see scarsegecg pacs find.")
    return text
