"""The MR images among a study's files, one plain header for each slice or frame, and what headers say.

In a multi-frame (enhanced) image what differs between frames stands in functional groups (PS3.3, C.7.6.16), most of
whose elements have the names of the single-frame header. The few that do not are given those names here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, LgeNote
from ScarSegECGLib.lge.dicom_files import read_header
from ScarSegECGLib.lge.files import StudyFile, intact

Kind = Literal["magnitude", "psir", "phase"]
Told = Callable[[int, int], object]

GE_RAW_DATA_TYPE = 0x0043102F  # private: 0 magnitude, 1 phase, 2 real, 3 imaginary
# What the image itself is called by stays, whatever a converter copied into a frame.
_OF_THE_IMAGE = [
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber"),
    *("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "StudyTime", "SpecificCharacterSet", "Modality"),
    *("DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified", "Rows", "Columns", "HighBit"),
    *("NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored"),
    f"{GE_RAW_DATA_TYPE:08X}",
]
_OF_A_FRAME = [
    *("ImageType", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"),
    *("RescaleIntercept", "EchoTime", "InversionTime", "TriggerTime", "TemporalPositionIdentifier"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("SeriesDescription", "ProtocolName", "SequenceName", "ScanningSequence", "ComplexImageComponent"),
    *("CardiacNumberOfImages", "ContrastBolusAgent", "ContrastBolusVolume", "ContrastBolusAgentSequence"),
]
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_NAMES = {
    "FrameType": "ImageType",
    "EffectiveEchoTime": "EchoTime",
    "NominalCardiacTriggerDelayTime": "TriggerTime",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
    "InversionTimes": "InversionTime",  # the first
}
_EARLIEST_YEAR = 1980  # the first human cardiac MR images; older dates are placeholders of anonymisers
# Asked in this order.
_DATES = (("AcquisitionDateTime",), *((f"{of}Date", f"{of}Time") for of in ("Acquisition", "Content", "Study")))
_STAMP = re.compile(r"(\d{8})(\d{2})?(\d{2})?(\d{2})?")
# PS3.16 CID 7050: basic profile, retain full dates, retain modified dates.
_BASIC_PROFILE, _FULL_DATES, _MODIFIED_DATES = "113100", "113106", "113107"
_PHASE_SENSITIVE_TYPES = frozenset({"PSIR", "PS", "CR", "CR_IR", "R", "R_IR", "REAL"})
_PHASE_TYPES = frozenset({"P", "PHASE", "PHASE MAP", "PHASE_MAP", "PHASE CONTRAST", "I", "IMAGINARY", "VELOCITY"})
_MAX_FRAMES = 20000
_NOT_DESCRIBED = "The multi-frame DICOM image does not describe each frame, or is damaged: export single slices."


@dataclass(frozen=True, eq=False)
class Frame:
    """A single-frame image, or one frame of a multi-frame image."""

    file: StudyFile
    number: int | None  # from 1, in a multi-frame image
    header: Dataset  # position, orientation, rescale values, type, times ... by the names of a single-frame image
    mended: bool = False  # whether decimal commas were mended in the header

    @cached_property
    def position(self) -> NDArray[np.float64]:
        """First pixel's centre, LPS, mm, shape (3,); NaN where it is not known."""
        return vector_of(self.header, "ImagePositionPatient", 3)

    @cached_property
    def orientation(self) -> NDArray[np.float64]:
        """Direction cosines along a row and along a column, LPS, shape (6,); NaN where they are not known."""
        return vector_of(self.header, "ImageOrientationPatient", 6)

    @cached_property
    def place(self) -> tuple[float, ...]:
        """The position to a tenth of a mm, by which frames of one slice are found; () where it is not known."""
        return () if np.isnan(self.position).any() else tuple(np.round(self.position, 1))

    def text(self, keyword: str) -> str:
        """An element of the header as text; "" where it is missing."""
        return text_of(self.header, keyword)


def frames_of(files: Sequence[StudyFile], told: Told = lambda done, of: None) -> list[Frame]:
    """Every MR image among the files, frames in their order, ``told`` of every file. InputError: one is damaged."""
    frames: list[Frame] = []
    for number, file in enumerate(files, start=1):
        told(number, len(files))
        header, mended = read_header(file, [*_OF_THE_IMAGE, *_OF_A_FRAME, *_GROUPS])
        if header is None:
            continue
        if "PerFrameFunctionalGroupsSequence" in header or (number_of(header, "NumberOfFrames") or 1) > 1:
            frames += (Frame(file, k, flat, mended) for k, flat in enumerate(_frame_headers(header), start=1))
        else:
            frames.append(Frame(file, None, header, mended))
    return frames


@intact(_NOT_DESCRIBED)  # pydicom reads the groups only now, and stumbles in many ways over broken ones
def _frame_headers(image: Dataset) -> list[Dataset]:
    shared, per_frame = (list(image.get(name) or []) for name in _GROUPS)
    if int(image.get("NumberOfFrames") or 1) != len(per_frame) or len(per_frame) > _MAX_FRAMES:
        raise InputError(_NOT_DESCRIBED)
    common = Dataset()
    common.update({element.tag: element for element in image if element.keyword not in _GROUPS})
    return [_flat(common, (*shared[:1], of_frame)) for of_frame in per_frame]


def _flat(common: Dataset, groups: Sequence[Dataset]) -> Dataset:
    """A frame's header: what all have in common, and its groups' elements by the names of a single-frame header."""
    header = Dataset()
    header.update(common)
    filled = (group for of_frame in groups for group in of_frame if group.VR == "SQ" and group.value)
    for element in (element for group in filled for element in group.value[0]):
        keyword, value = _NAMES.get(element.keyword, element.keyword), element.value
        if element.keyword == "InversionTimes":
            value = float(np.ravel(value)[0]) if value else header.get(keyword)
        if keyword in _OF_A_FRAME:
            header.add_new(keyword, dictionary_VR(keyword), value)  # the old element may be the other frames' too
    return header


def text_of(header: Dataset, keyword: str) -> str:
    """An element as text without blanks around it; "" where it is missing."""
    value = header.get(keyword)
    return "" if value is None else str(value).strip()


def texts_of(header: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of an element in capitals; a single value is a value, not letters."""
    value = header.get(keyword) or ()
    return tuple(str(one).upper() for one in ((value,) if isinstance(value, str) else value))


def number_of(header: Dataset, keyword: str) -> float | None:
    """An element as a finite number."""
    try:
        value = float(header.get(keyword))
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def vector_of(header: Dataset, keyword: str, count: int) -> NDArray[np.float64]:
    """Numbers of an element, all NaN where they are missing, too few, too many or not finite."""
    try:
        values = np.array([float(x) for x in header[keyword].value], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        values = np.empty(0)
    return values if values.shape == (count,) and np.isfinite(values).all() else np.full(count, np.nan)


def acquired(datasets: Sequence[Dataset]) -> tuple[datetime | None, tuple[Fact, ...]]:
    """When the images were taken (the earliest, local time; ``None`` where none can be trusted), and what to know."""
    if not all(dates_trusted(d) for d in datasets):
        return None, (Fact(LgeNote.DATES_REMOVED),)
    for keywords in _DATES:
        stamps = ("".join(text_of(d, keyword) for keyword in keywords) for d in datasets)
        moments = [m for m in map(moment_of, stamps) if m is not None]
        if moments:
            first = min(moments)
            if first.year < _EARLIEST_YEAR or first > datetime.now() + timedelta(days=1):
                return None, (Fact(LgeNote.DATE_IMPLAUSIBLE),)
            days = [m for d in datasets if (m := moment_of(text_of(d, "AcquisitionDate"))) is not None]
            shifted = days and min(abs((day - first).days) for day in days) > 1  # the same date, given twice
            return first, (Fact(LgeNote.DATES_DISAGREE),) if shifted else ()
    return None, ()


def dates_trusted(dataset: Dataset) -> bool:
    """False where a DICOM file, of images or of an ECG, says that its dates were removed or modified.

    By Longitudinal Temporal Information Modified (0028,0303), or by the de-identification codes (PS3.16 CID 7050):
    113107 (modified dates kept), or the basic profile 113100, which removes dates, without 113106 (full dates kept).
    """
    stated = text_of(dataset, "LongitudinalTemporalInformationModified").upper()
    codes = {text_of(item, "CodeValue") for item in dataset.get("DeidentificationMethodCodeSequence") or []}
    if stated in ("REMOVED", "MODIFIED") or _MODIFIED_DATES in codes:
        return False
    return stated == "UNMODIFIED" or _BASIC_PROFILE not in codes or _FULL_DATES in codes


def moment_of(stamp: str) -> datetime | None:
    """A DICOM date with or without time, to the second; ``None`` unless it names a day."""
    match = _STAMP.match(stamp)
    try:
        return datetime.strptime("".join(match.groups("00")), "%Y%m%d%H%M%S") if match else None
    except ValueError:
        return None


def image_kind(header: Dataset, *, by_text: bool = True) -> Kind:
    """What the image of a slice or frame shows: magnitude, phase-sensitive (PSIR), or a phase or imaginary image.

    ``by_text`` also asks the series description where the image type does not tell. The protocol's name is never asked:
    it is the same for both images that a PSIR sequence makes.
    """
    kinds = set(texts_of(header, "ImageType")) - {"ORIGINAL", "DERIVED", "PRIMARY"}
    component = text_of(header, "ComplexImageComponent").upper()
    part = str(header[GE_RAW_DATA_TYPE].value) if GE_RAW_DATA_TYPE in header else ""
    if kinds & _PHASE_SENSITIVE_TYPES or component == "REAL" or part == "2":
        return "psir"
    if (kinds & _PHASE_TYPES and "M" not in kinds) or component in ("PHASE", "IMAGINARY") or part in ("1", "3"):
        return "phase"
    text = text_of(header, "SeriesDescription").upper()
    says_psir = ("PSIR" in text or "PHASE SENSITIVE" in text) and "MAG" not in text
    return "psir" if says_psir and by_text else "magnitude"
