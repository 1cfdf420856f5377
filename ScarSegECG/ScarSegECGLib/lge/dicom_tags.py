"""What a DICOM header says about when and how an LGE image was taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.facts import Fact, LgeNote

Kind = Literal["magnitude", "psir", "phase"]

GE_RAW_DATA_TYPE = 0x0043102F  # private: 0 magnitude, 1 phase, 2 real, 3 imaginary
_EARLIEST_YEAR = 1980  # the first human cardiac MR images; older dates are placeholders of anonymisers
_DATES = (  # asked in this order
    ("AcquisitionDateTime",),
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("StudyDate", "StudyTime"),
)
_STAMP = re.compile(r"(\d{8})(\d{2})?(\d{2})?(\d{2})?")
# PS3.16 CID 7050: basic profile, retain full dates, retain modified dates.
_BASIC_PROFILE, _FULL_DATES, _MODIFIED_DATES = "113100", "113106", "113107"
_PHASE_SENSITIVE_TYPES = frozenset({"PSIR", "PS", "CR", "CR_IR", "R", "R_IR", "REAL"})
_PHASE_TYPES = frozenset({"P", "PHASE", "PHASE MAP", "PHASE_MAP", "PHASE CONTRAST", "I", "IMAGINARY", "VELOCITY"})


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
    """When the images were taken, the earliest of all slices, and what the reader should know about it.

    AcquisitionDateTime comes first, then AcquisitionDate, ContentDate and StudyDate. The scanner's local time is kept
    without its zone. Dates that de-identification removed or changed are not used.
    """
    if not all(dates_trusted(d) for d in datasets):
        return None, (Fact(LgeNote.DATES_REMOVED),)
    for keywords in _DATES:
        stamps = ("".join(text_of(d, keyword) for keyword in keywords) for d in datasets)
        moments = [m for m in map(_moment, stamps) if m is not None]
        if moments:
            first = min(moments)
            if first.year < _EARLIEST_YEAR or first > datetime.now() + timedelta(days=1):
                return None, (Fact(LgeNote.DATE_IMPLAUSIBLE),)
            return first, _disagreement(datasets, first)
    return None, ()


def dates_trusted(dataset: Dataset) -> bool:
    """False where a DICOM file, of images or of an ECG, says that its dates were removed or modified.

    By Longitudinal Temporal Information Modified (0028,0303), or by the de-identification codes (PS3.16 CID 7050):
    113107 (modified dates kept), or the basic profile 113100, which removes dates, without 113106 (full dates kept).
    """
    stated = text_of(dataset, "LongitudinalTemporalInformationModified").upper()
    if stated in ("REMOVED", "MODIFIED"):
        return False
    codes = {text_of(item, "CodeValue") for item in dataset.get("DeidentificationMethodCodeSequence") or []}
    if _MODIFIED_DATES in codes:
        return False
    return stated == "UNMODIFIED" or _BASIC_PROFILE not in codes or _FULL_DATES in codes


def _disagreement(datasets: Sequence[Dataset], used: datetime) -> tuple[Fact, ...]:
    """A note where the acquisition date given twice is two dates: something shifted one of them."""
    days = [m for d in datasets if (m := _moment(text_of(d, "AcquisitionDate"))) is not None]
    if days and min(abs((day - used).days) for day in days) > 1:
        return (Fact(LgeNote.DATES_DISAGREE),)
    return ()


def _moment(stamp: str) -> datetime | None:
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
