"""The signed time between ECG and MRI, and whether the dates can be true."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ScarSegECGLib.case import Ecg, TimeGap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts_ecg import GapProblem
from ScarSegECGLib.wording import words

FARTHEST = timedelta(days=20 * 365.25)
# Clocks of two machines, and local time against UTC.
CLOCK_TOLERANCE = timedelta(days=1)

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?")


def parse_date(text: str) -> datetime:
    """A date as YYYY-MM-DD, with THH:MM or THH:MM:SS where the time is known; else InputError.

    03/04/2024 may mean two days and is never guessed.
    """
    stripped = str(text).strip()
    try:
        if _ISO.fullmatch(stripped) is None:
            raise ValueError
        return datetime.fromisoformat(stripped)
    except ValueError:
        raise InputError(f"Date {stripped[:25]!r} is not understood: write YYYY-MM-DD or YYYY-MM-DDTHH:MM.") from None


def gap_of_case(
    ecg: Ecg | None,
    image_date: datetime | None,
    *,
    typed_ecg_date: datetime | None = None,
    typed_mri_date: datetime | None = None,
    event_between: bool = False,
    now: datetime | None = None,
) -> TimeGap:
    """ECG date - MRI date of one case in days: dates the user typed win over those of the files.

    Unknown where a date is missing, or where the ECG's file says that its dates were removed or modified. An infarct or
    a revascularisation may be ``event_between``; ``now``, else this moment, is what a date in the future is told by.
    InputError for typed dates that cannot be true; those of the files alone only leave the ECG out, and are told.
    """
    dates = (typed_ecg_date or (ecg.acquired if ecg else None), typed_mri_date or image_date)
    # Local wall time: a time zone, which few files have, must not make two dates incomparable.
    ecg_date, mri_date = (date and date.replace(tzinfo=None) for date in dates)
    problem = impossible(ecg_date, mri_date, now=now or datetime.now())
    if problem and (typed_ecg_date or typed_mri_date):
        raise InputError(f"The dates cannot be right: {words(problem)}. Check both; those given go before the files'.")
    if ecg_date is None:
        return TimeGap(None, event_between, GapProblem.NO_ECG_DATE if mri_date else GapProblem.NO_DATES)
    if mri_date is None:
        return TimeGap(None, event_between, GapProblem.NO_MRI_DATE)
    if typed_ecg_date is None and ecg is not None and not ecg.date_trusted:
        return TimeGap(None, event_between, GapProblem.ECG_DATE_NOT_TRUSTED)
    return TimeGap((ecg_date - mri_date) / timedelta(days=1), event_between, problem)


def impossible(ecg_date: datetime | None, mri_date: datetime | None, *, now: datetime) -> GapProblem | None:
    """What cannot be true of the dates (in the future, over 20 years apart), or None; a missing date is not wrong."""
    for future, date in ((GapProblem.ECG_IN_FUTURE, ecg_date), (GapProblem.MRI_IN_FUTURE, mri_date)):
        if date is not None and date > now + CLOCK_TOLERANCE:
            return future
    if ecg_date is not None and mri_date is not None and abs(ecg_date - mri_date) > FARTHEST:
        return GapProblem.TOO_FAR_APART
    return None
