"""What the DICOM header says about when and how an LGE image was taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import Contrast

_EARLIEST_YEAR = 1980  # the first human cardiac MR images; older dates are placeholders of anonymisers
_STAMP = re.compile(r"(\d{8})(\d{2})?(\d{2})?(\d{2})?")
_MODIFIED_NOTE = "The image's dates were removed or modified by de-identification: they were not used."
_IMPLAUSIBLE_NOTE = "The image's date is not plausible: it was not used."
_PHASE_SENSITIVE_TYPES = frozenset({"PSIR", "PS", "CR", "R", "REAL"})


def acquired(datasets: Sequence[Dataset]) -> tuple[datetime | None, tuple[str, ...]]:
    """When the images were taken, the earliest of all slices, and what the reader should know about it.

    AcquisitionDateTime comes first, then AcquisitionDate, ContentDate and StudyDate, each with its time. The
    scanner's local time is kept without its zone. Dates that de-identification removed or changed are not used.
    """
    if any(str(d.get("LongitudinalTemporalInformationModified", "")) in ("REMOVED", "MODIFIED") for d in datasets):
        return None, (_MODIFIED_NOTE,)
    for date, time in (
        ("AcquisitionDateTime", None),
        ("AcquisitionDate", "AcquisitionTime"),
        ("ContentDate", "ContentTime"),
        ("StudyDate", "StudyTime"),
    ):
        stamps = [str(d.get(date) or "") + (str(d.get(time) or "") if time else "") for d in datasets]
        moments = [m for m in map(_moment, stamps) if m is not None]
        if moments:
            first = min(moments)
            if first.year < _EARLIEST_YEAR or first > datetime.now() + timedelta(days=1):
                return None, (_IMPLAUSIBLE_NOTE,)
            return first, ()
    return None, ()


def _moment(stamp: str) -> datetime | None:
    """A DICOM date with or without time, to the second; ``None`` unless it names a day."""
    match = _STAMP.match(stamp)
    if not match:
        return None
    day, *clock = match.groups()
    try:
        return datetime.strptime(day + "".join(part or "00" for part in clock), "%Y%m%d%H%M%S")
    except ValueError:
        return None


def contrast(datasets: Sequence[Dataset], voxels: NDArray) -> Contrast:
    """Phase-sensitive (PSIR) by signed values, image type or series description; magnitude otherwise.

    The protocol's name is not asked: it is the same for both images that a PSIR sequence makes.
    """
    if bool((np.asarray(voxels) < 0).any()):
        return "psir"
    first = datasets[0]
    kinds = {str(kind).upper() for kind in first.get("ImageType", [])[2:]}
    if kinds & _PHASE_SENSITIVE_TYPES:
        return "psir"
    text = str(first.get("SeriesDescription", "")).upper()
    is_phase_sensitive = ("PSIR" in text or "PHASE SENSITIVE" in text) and "MAG" not in text
    return "psir" if is_phase_sensitive else "magnitude"
