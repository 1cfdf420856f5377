"""Whose ECG or image it is, as far as a comparison and the sex- and age-dependent criteria need it.

The identifier itself is never kept: only a digest under a salt that this process draws and no file ever holds, so that
two digests can be compared here and nowhere else.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ScarSegECGLib.case import Subject
from ScarSegECGLib.facts import Doubt, Fact
from ScarSegECGLib.lge.dicom_frames import moment_of

DIFFERENT_PATIENTS = Fact(Doubt.DIFFERENT_PATIENTS)
_SALT = secrets.token_bytes(32)
_OLDEST = 120.0
_DAYS_PER = {"D": 1.0, "W": 7.0, "M": 30.44, "Y": 365.25}
_FEMALE = {"F": True, "W": True, "M": False}


def subject(identifier: str = "", sex: str = "", age: float | None = None) -> Subject:
    """From what a file says; what it does not say stays unknown.

    Of the patient's identifier letters and digits count, upper and lower case and leading zeros do not; the sex begins
    with F, W or M; the age is in years.
    """
    plain = re.sub(r"[\W_]", "", str(identifier)).upper().lstrip("0")
    digest = hashlib.blake2b(plain.encode(), key=_SALT, digest_size=16).hexdigest() if plain else ""
    known = age is not None and 0 <= age <= _OLDEST
    return Subject(digest, _FEMALE.get(str(sex).strip()[:1].upper()), age if known else None)


def subject_of_dicom(dataset: Mapping[Any, Any] | Any) -> Subject:
    """From a DICOM data set's patient module; the age as stated, else from the dates of birth and study."""
    names = ("PatientID", "PatientSex", "PatientAge", "PatientBirthDate", "StudyDate")
    with warnings.catch_warnings():  # pydicom's quote the values that they are about
        warnings.simplefilter("ignore")
        text = {name: str(dataset.get(name) or "").strip() for name in names}
    stated = re.fullmatch(r"(\d{1,3})([DWMY])", text["PatientAge"].upper())
    told = int(stated[1]) * _DAYS_PER[stated[2]] / _DAYS_PER["Y"] if stated else None
    between = years_between(moment_of(text["PatientBirthDate"]), moment_of(text["StudyDate"]))
    return subject(text["PatientID"], text["PatientSex"], between if told is None else told)


def years_between(birth: datetime | None, then: datetime | None) -> float | None:
    """Age, years; ``None`` where a date is missing."""
    return None if birth is None or then is None else (then.date() - birth.date()).days / _DAYS_PER["Y"]


def differ(one: Subject | None, other: Subject | None) -> bool:
    """Whether both carry an identifier, and not the same."""
    return bool(one and other and one.digest and other.digest and one.digest != other.digest)
