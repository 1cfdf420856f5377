"""Find, pull and push studies; what comes is whole, and what was sent comes back as it was."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
import pydicom
from dicomweb_client import DICOMwebClient
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.misc import is_dicom
from pydicom.tag import BaseTag

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import quiet
from ScarSegECGLib.lge.shown_text import printable, shown_uid, without_patient
from ScarSegECGLib.pacs.connection import in_words

Tell = Callable[[int, int], object]

MOST_OBJECTS = 20000  # as of an archive's files
_AS_STORED = (("application/dicom", "*"),)  # without a conversion on the way
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_PATIENT = ("PatientID", "PatientName", "PatientBirthDate")
_STUDY_FIELDS = ("StudyDescription", "ModalitiesInStudy", "PatientBirthDate", "NumberOfStudyRelatedInstances")
_SERIES_FIELDS = ("SeriesDescription", "NumberOfSeriesRelatedInstances", "SeriesDate")
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_UNDEFINED = 0xFFFFFFFF
# The archive may file an object under another accession number; what it is, where it lies and what it shows it may not.
_FILED = ("StudyID", "ImageComments", "InstanceNumber", "SeriesNumber", "AcquisitionNumber")
_GROUPS = (0x0020, 0x0028, 0x0042, 0x0062, 0x5200, 0x7FE0)  # place, pixels, documents, segments, frames
_CONTENT = (
    *("SOPClassUID", "SOPInstanceUID", "Modality", "ReferencedSeriesSequence", "ReferencedImageSequence"),
    *("SliceThickness", "SpacingBetweenSlices", "ContentSequence", "ConceptNameCodeSequence"),
    *("CompletionFlag", "VerificationFlag", "VerifyingObserverSequence", "RealWorldValueMappingSequence"),
)
_SIZE = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated")


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


@in_words()
def find_studies(client: DICOMwebClient, filters: Mapping[str, str], limit: int) -> tuple[Found, ...]:
    """At most ``limit`` studies, newest first, that match ``filters``, by DICOM keyword (``*`` and date ranges too)."""
    answers = client.search_for_studies(search_filters=dict(filters), limit=limit, fields=list(_STUDY_FIELDS))
    studies = (_found(Dataset.from_json(answer), "Study") for answer in answers[:limit])
    return tuple(sorted(studies, key=lambda study: study.date, reverse=True))


@in_words()
def find_series(client: DICOMwebClient, study: str) -> tuple[Found, ...]:
    """Series of a study, by their number."""
    answers = client.search_for_series(_uid(study), fields=list(_SERIES_FIELDS))
    series = (_found(Dataset.from_json(answer), "Series") for answer in answers)
    return tuple(sorted(series, key=lambda found: (len(found.number), found.number)))


def _found(answer: Dataset, level: str) -> Found:
    """A study or a series, of which DICOM's keywords speak as "Study" and "Series"."""

    def text(keyword: str) -> str:
        value = answer.get(keyword)
        return "" if value is None else printable(str(value))

    of_study = level == "Study"
    identifier, name, born = patient = [text(keyword) for keyword in _PATIENT]
    modalities = answer.get("ModalitiesInStudy" if of_study else "Modality") or ""
    return Found(
        uid=shown_uid(str(answer.get(f"{level}InstanceUID") or "")),
        date=text(f"{level}Date"),
        description=without_patient(str(answer.get(f"{level}Description") or ""), name, identifier, born),
        modalities=printable(modalities if isinstance(modalities, str) else "/".join(map(str, modalities))),
        instances=max(0, int(answer.get(f"NumberOf{level}RelatedInstances") or 0)),
        number="" if of_study else text("SeriesNumber"),
        patient=", ".join(filter(None, patient)) if of_study else "",
    )


def _uid(text: str) -> str:
    if not _UID.fullmatch(text) or len(text) > 64:
        raise InputError("A study or series is named by its UID (digits and points): see scarsegecg pacs find.")
    return text


def pull(
    client: DICOMwebClient, study: str, series: Sequence[str], folder: Path, tell: Tell = lambda done, of: None
) -> Pulled:
    """Write a study, or those of its series that are named, into an existing, staged folder.

    Every series gets a folder of its own; names are numbers, so that they tell nothing. ``tell`` hears how many objects
    have come, and how many the archive announced. InputError: nothing there; or the archive sent something else, less
    than it announced, an object that is cut off, two contents under one UID, or images of two patients.
    """
    uid, asked = _uid(study), [_uid(one) for one in series]
    announced = {found.uid: found.instances for found in find_series(client, uid) if not asked or found.uid in asked}
    expected = sum(announced.values())
    if expected > MOST_OBJECTS:
        raise InputError(f"The archive announces over {MOST_OBJECTS} objects: pull the series one by one.")
    paths: dict[str, Path] = {}
    counts = Counter(dict.fromkeys(announced, 0))
    owner: dict[str, str] = {}
    for arrivals, dataset in enumerate(_sent(client, uid, asked) if announced else ()):
        with in_words():
            if arrivals == MOST_OBJECTS:  # the same one again and again is sent without end, too
                raise InputError(f"The archive sends over {MOST_OBJECTS} images: pull the series one by one.")
            _check_whole(dataset)
            own, name = str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)
            if dataset.StudyInstanceUID != uid or (asked and own not in asked):
                raise InputError("The archive sent images of another study than the one asked for: nothing was kept.")
            if any(owner.setdefault(keyword, said) != said for keyword, said in _owner_of(dataset)):
                raise InputError(
                    "The study holds images of two patients (identifier, name or date of birth differ): nothing was "
                    "kept; have it put right in the archive, or pull one patient's series with --series."
                )
            if name in paths:
                if changes(pydicom.dcmread(paths[name]), dataset):
                    raise InputError("The archive sent two contents under one UID: nothing was kept.")
                continue
            counts[own] += 1
            place = folder / f"series{list(counts).index(own) + 1:03d}"
            paths[name] = place / f"image{counts[own]:05d}.dcm"
            content = BytesIO()
            dataset.save_as(content, enforce_file_format=True)
        place.mkdir(exist_ok=True)
        paths[name].write_bytes(content.getbuffer())
        tell(len(paths), expected)
    if lost := sum(max(0, count - counts[own]) for own, count in announced.items()):
        raise InputError(f"The archive announced {expected} objects and sent {lost} fewer: none was kept; try again.")
    if not paths:
        raise InputError("The archive holds no such study or series: look it up with scarsegecg pacs find.")
    return Pulled(len(paths), counted=all(announced.values()))


def _sent(client: DICOMwebClient, study: str, series: Sequence[str]) -> Iterator[Dataset]:
    """What the archive sends; what goes wrong on the way comes in words, what goes wrong with the taker as it is."""
    asks = [partial(client.iter_series, study, one) for one in series] or [partial(client.iter_study, study)]
    coming = chain.from_iterable(ask(media_types=_AS_STORED) for ask in asks)
    yield from iter(in_words()(lambda: next(coming, None)), None)


def _owner_of(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Whose an object is: identifier, name and date of birth as far as they are said, spelling set aside."""
    for keyword in _PATIENT:
        text = unicodedata.normalize("NFKC", str(dataset.get(keyword) or ""))
        plain = text.partition("=")[0].replace("^", " ").casefold().split()  # of a name's spellings the first
        if plain:
            yield keyword, " ".join(plain)


def push(client: DICOMwebClient, paths: Iterable[Path], tell: Tell = lambda done, of: None) -> Pushed:
    """Store every DICOM file of the paths, one after the other; fetch each again and compare.

    InputError: no DICOM files, or one was not kept, came back as another, or was filed under another patient.
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


def _files(paths: Iterable[Path]) -> list[Path]:
    """The DICOM files of folders, or single ones, each object once; whatever else lies there is left alone."""
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise InputError("What was to be pushed was not found: check the path.")
        for file in filter(is_dicom, sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path]):
            try:
                dataset = pydicom.dcmread(file)
                _check_whole(dataset)
                first = found.setdefault(str(dataset.SOPInstanceUID), file)
                same = first == file or not changes(pydicom.dcmread(first), dataset)
            except Exception:  # whatever a parser raises on it
                raise InputError("A DICOM file to be pushed is damaged: write it again.") from None
            if not same:
                raise InputError("Two of the files to be pushed carry one SOP Instance UID: export them again.")
    return list(found.values())


def _push_one(client: DICOMwebClient, file: Path) -> list[str]:
    """Store and compare; returns the attributes of its own that the archive changed."""
    sent = pydicom.dcmread(file)
    with in_words():
        answer = client.store_instances([sent])
        kept = {str(item.ReferencedSOPInstanceUID) for item in answer.get("ReferencedSOPSequence", [])}
        if sent.SOPInstanceUID not in kept:
            raise InputError("The archive did not keep an object: ask its administrator which it takes.")
        uids = sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID
        back = client.retrieve_instance(*uids, media_types=_AS_STORED)
        _check_whole(back)
        changed = changes(sent, back)
    content = [keyword for keyword, tag in changed.items() if _is_content(keyword, tag)]
    owner = [keyword for keyword in changed if keyword in _PATIENT or (keyword == "PatientSex" and keyword in sent)]
    told = ", ".join(content or owner)
    if content:
        raise InputError(f"The archive's copy is not what was sent ({told}): do not rely on it, ask its administrator.")
    if owner:
        raise InputError(f"The archive filed an object under another patient ({told} changed): have it put right.")
    return list(changed)


def _check_whole(dataset: Dataset) -> None:
    """Raise InputError where an object was cut off on its way, or lacks what tells one object from another."""
    uids = [dataset.get(keyword) for keyword in _NEEDED]
    if not all(uid and isinstance(uid, str) for uid in uids):  # two in one element are a list
        raise InputError("An object does not say which it is (UIDs are missing): ask the archive's administrator.")
    for tag in dataset.keys():  # noqa: SIM118  (items are not to be parsed)
        raw = dataset.get_item(tag)
        cut = isinstance(raw, RawDataElement) and raw.length != _UNDEFINED and len(raw.value or b"") != raw.length
        if cut or (keyword_for_tag(tag) == "PixelData" and _pixels_cut(dataset)):
            raise InputError("An object is cut off: its data are shorter than it says.")


def _pixels_cut(dataset: Dataset) -> bool:
    rows, columns, bits = (int(dataset.get(keyword) or 0) for keyword in ("Rows", "Columns", "BitsAllocated"))
    frames, samples = (int(dataset.get(keyword) or 1) for keyword in ("NumberOfFrames", "SamplesPerPixel"))
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return not get_frame(dataset.PixelData, frames - 1, number_of_frames=frames)
    stored = 2 if dataset.get("PhotometricInterpretation") == "YBR_FULL_422" else samples  # colours of half the pixels
    return len(dataset.PixelData) * 8 < frames * rows * columns * stored * bits


def changes(sent: Dataset, back: Dataset) -> dict[str, BaseTag]:
    """Attributes that an object did not come back with as they were, by their names, sorted."""
    found: dict[str, BaseTag] = {}
    for tag in set(sent.keys()) | set(back.keys()):
        if tag not in sent or tag not in back or sent[tag].value != back[tag].value:
            found[keyword_for_tag(tag) or str(tag)] = tag
    if "PixelData" in found and _same_pixels(sent, back):
        del found["PixelData"]
    return dict(sorted(found.items()))


def _is_content(keyword: str, tag: BaseTag) -> bool:
    counts = tag.group == 0x0020 and 0x1000 <= tag.elem < 0x1210  # "NumberOf...Related..."
    return keyword in _CONTENT or (tag.group in _GROUPS and keyword not in _FILED and not counts)


def _same_pixels(sent: Dataset, back: Dataset) -> bool:
    """Whether an archive that stores in another transfer syntax gives back the same numbers."""
    syntaxes = {dataset.file_meta.get("TransferSyntaxUID") for dataset in (sent, back) if hasattr(dataset, "file_meta")}
    if len(syntaxes) != 2 or any(sent.get(keyword) != back.get(keyword) for keyword in _SIZE):
        return False
    try:
        return bool(np.array_equal(sent.pixel_array, back.pixel_array))
    except Exception:  # a decoder that is not there, or broken data: both are not the same
        return False
