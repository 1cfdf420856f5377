"""Time between ECG and MRI."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ScarSegECGLib.case import Ecg, TimeGap
from ScarSegECGLib.ecg.gap import gap_of_case, impossible, parse_date
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts_ecg import GapProblem

NOW = datetime(2025, 6, 1)
MRI = datetime(2024, 3, 10)


def time_gap(
    ecg: datetime | None, mri: datetime | None, *, trusted: bool = True, event_between: bool = False
) -> TimeGap:
    """The gap by the dates of the files alone."""
    recorded = Ecg(np.zeros((12, 0), np.float32), np.ones(12, bool), 500.0, acquired=ecg, date_trusted=trusted)
    return gap_of_case(recorded, mri, event_between=event_between, now=NOW)


@given(st.integers(-7000, 400))
def test_sign_is_ecg_minus_mri(days):
    gap = time_gap(MRI + timedelta(days=days), MRI)
    assert gap.days == days and gap.problem is None and not gap.impossible


def test_hours_count_and_time_zones_do_not_break_it():
    ecg = datetime(2024, 3, 10, 12, tzinfo=timezone.utc)
    assert time_gap(ecg, MRI).days == 0.5


@pytest.mark.parametrize(
    ("ecg", "mri", "named"),
    [
        (None, MRI, GapProblem.NO_ECG_DATE),
        (MRI, None, GapProblem.NO_MRI_DATE),
        (None, None, GapProblem.NO_DATES),
    ],
)
def test_missing_dates(ecg, mri, named):
    gap = time_gap(ecg, mri, event_between=True)
    assert gap.days is None and gap.problem is named and gap.event_between


def test_untrusted_date():
    gap = time_gap(MRI, MRI, trusted=False)
    assert gap.days is None and gap.problem is GapProblem.ECG_DATE_NOT_TRUSTED and not gap.impossible


def test_impossible_dates():
    assert impossible(NOW + timedelta(days=3), MRI, now=NOW) is GapProblem.ECG_IN_FUTURE
    assert impossible(None, NOW + timedelta(days=3), now=NOW) is GapProblem.MRI_IN_FUTURE
    assert impossible(MRI - timedelta(days=21 * 366), MRI, now=NOW) is GapProblem.TOO_FAR_APART
    assert impossible(MRI, MRI, now=NOW) is None and impossible(None, None, now=NOW) is None
    assert impossible(NOW + timedelta(hours=10), MRI, now=NOW) is None
    gap = time_gap(MRI - timedelta(days=21 * 366), MRI)
    assert gap.impossible and gap.days == -21 * 366


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-03-10", MRI),
        (" 2024-03-10T14:05 ", datetime(2024, 3, 10, 14, 5)),
        ("2024-03-10 14:05:30", datetime(2024, 3, 10, 14, 5, 30)),
    ],
)
def test_parse(text, date):
    assert parse_date(text) == date


@pytest.mark.parametrize(
    "text", ["", "10/03/2024", "2024-13-01", "2023-02-29", "20240310", "yesterday", "2024-03-10T25:00"]
)
def test_parse_refuses(text):
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        parse_date(text)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_parse_round_trip(date):
    assert parse_date(date.strftime("%Y-%m-%dT%H:%M")) == date.replace(second=0, microsecond=0)
