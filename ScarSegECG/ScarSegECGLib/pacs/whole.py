"""Whether an object that came over the network is whole, and is the one that was sent."""

from __future__ import annotations

import unicodedata
from enum import Enum

import numpy as np
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.tag import BaseTag

from ScarSegECGLib.errors import InputError

PATIENT = ("PatientID", "PatientName", "PatientBirthDate")
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


class Change(Enum):
    """How much an attribute means that came back as another."""

    CONTENT = "what the object is, where it lies or what it shows"
    PATIENT = "whose it is"
    FILING = "how the archive files it"


def owner_of(dataset: Dataset) -> dict[str, str]:
    """Whose an object is: identifier, name and date of birth as far as they are said, spelling set aside."""
    owner: dict[str, str] = {}
    for keyword in PATIENT:
        text = unicodedata.normalize("NFKC", str(dataset.get(keyword) or ""))
        plain = text.partition("=")[0].replace("^", " ").casefold().split()  # of a name's spellings the first
        if plain:
            owner[keyword] = " ".join(plain)
    return owner


def check_whole(dataset: Dataset) -> None:
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


def changes(sent: Dataset, back: Dataset) -> dict[str, Change]:
    """Attributes that an object did not come back with as they were, and how much they mean."""
    found: dict[str, Change] = {}
    for tag in set(sent.keys()) | set(back.keys()):
        if tag not in sent or tag not in back or sent[tag].value != back[tag].value:
            keyword = keyword_for_tag(tag) or str(tag)
            if keyword != "PixelData" or not _same_pixels(sent, back):
                found[keyword] = _meaning(tag, keyword, added=tag not in sent)
    return found


def _meaning(tag: BaseTag, keyword: str, *, added: bool) -> Change:
    if keyword in (*PATIENT, "PatientSex") and not (added and keyword == "PatientSex"):
        return Change.PATIENT
    of_content = keyword in _CONTENT or (tag.group in _GROUPS and keyword not in _FILED)
    counts = tag.group == 0x0020 and 0x1000 <= tag.elem < 0x1210  # "NumberOf...Related..."
    return Change.CONTENT if of_content and not counts else Change.FILING


def _same_pixels(sent: Dataset, back: Dataset) -> bool:
    """Whether an archive that stores in another transfer syntax gives back the same numbers."""
    syntaxes = {dataset.file_meta.get("TransferSyntaxUID") for dataset in (sent, back) if hasattr(dataset, "file_meta")}
    if len(syntaxes) != 2 or any(sent.get(keyword) != back.get(keyword) for keyword in _SIZE):
        return False
    try:
        return bool(np.array_equal(sent.pixel_array, back.pixel_array))
    except Exception:  # a decoder that is not there, or broken data: both are not the same
        return False
