"""Every row of the behaviour table, with its sentence."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ScarSegECGLib.case import Ecg, EcgFeatures, TimeGap
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgReason, GapProblem
from ScarSegECGLib.network.amplitude import TimeWeight, decide
from ScarSegECGLib.wording import words

_ZEROS = np.zeros(12, np.float32)
FEATURES = EcgFeatures(70.0, 90.0, 160.0, 380.0, 400.0, 30.0, "normal", *[_ZEROS] * 6)
ECG = Ecg(np.zeros((12, 5000), np.float32), np.ones(12, bool), 500.0)


def weight(days: float) -> float:
    with torch.no_grad():
        return float(TimeWeight()(torch.tensor([days]))[0])


def use(gap: TimeGap, *, ecg: Ecg | None = ECG, features: EcgFeatures | None = FEATURES, **other):
    given_ = {"anatomy_known": True, "network_trained": True} | other
    return decide(ecg, features, gap, weight, **given_)


def test_same_day_ecg_counts_fully() -> None:
    assert use(TimeGap(0.0)).amplitude == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "gap", "says"),
    [
        (
            {"ecg": None, "features": None, "why_no_ecg": Fact(EcgReason.NOT_GIVEN)},
            TimeGap(0.0),
            "ECG not used: no ECG was given",
        ),
        ({}, TimeGap(0.0, event_between=True), "Event between ECG and MRI"),
        ({}, TimeGap(None, problem=GapProblem.ECG_IN_FUTURE), "Check dates"),
        ({}, TimeGap(-5 * 365.0), "ECG 1825 days from MRI: not used"),
        ({"anatomy_known": False}, TimeGap(0.0), "AHA prior unavailable"),
        ({"network_trained": False}, TimeGap(0.0), "not trained"),
        ({"features": dataclasses.replace(FEATURES, conduction="paced")}, TimeGap(0.0), "paced"),
        ({"features": dataclasses.replace(FEATURES, rate_bpm=150.0)}, TimeGap(0.0), "too fast"),
        ({"features": dataclasses.replace(FEATURES, pr_ms=100.0, qrs_ms=124.0)}, TimeGap(0.0), "pre-excitation"),
    ],
)
def test_rows_that_switch_the_ecg_off(changes: dict, gap: TimeGap, says: str) -> None:
    decided = use(gap, **changes)
    assert decided.amplitude == 0.0
    assert says in words(decided)


def test_a_block_that_leaves_too_little_weight_is_told_beside_the_time() -> None:
    """Not the time alone: at these 400 days an ECG without block counts."""
    assert use(TimeGap(400.0)).amplitude > 0.05
    blocked = use(TimeGap(400.0), features=dataclasses.replace(FEATURES, conduction="lbbb"))
    assert blocked.amplitude == 0.0 and "left bundle branch block" in words(blocked)


def test_seven_leads_are_too_few() -> None:
    mask = np.arange(12) < 7
    decided = use(TimeGap(0.0), ecg=dataclasses.replace(ECG, lead_mask=mask))
    assert decided.amplitude == 0.0
    assert "7 leads" in words(decided)


def test_unknown_date_counts_at_most_like_a_year() -> None:
    decided = use(TimeGap(None))
    assert 0 < decided.amplitude <= min(weight(365.0), weight(-365.0))
    assert "ECG date missing: reduced weight" in words(decided)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (GapProblem.NO_ECG_DATE, "ECG date missing"),
        (GapProblem.NO_MRI_DATE, "; MRI date missing"),
        (GapProblem.NO_DATES, "ECG and MRI date missing"),
        (GapProblem.ECG_DATE_NOT_TRUSTED, "the ECG's dates were removed or modified"),
    ],
)
def test_the_date_that_is_missing_is_the_one_that_is_named(why: GapProblem, said: str) -> None:
    assert f"{said}: reduced weight" in words(use(TimeGap(None, problem=why)))


def test_later_ecg_fades_faster_and_is_named() -> None:
    later, earlier = use(TimeGap(90.0)), use(TimeGap(-90.0))
    assert later.amplitude < earlier.amplitude
    assert "ECG later than MRI: may show newer disease" in words(later)
    assert "later than MRI" not in words(use(TimeGap(20.0)))


@pytest.mark.parametrize(
    ("conduction", "qrs_ms", "says"),
    [
        ("lbbb", 150.0, "left bundle branch block"),
        ("unknown", 132.0, "QRS 132 ms of no known pattern"),
        ("unknown", None, "could not be measured"),
    ],
)
def test_a_wide_qrs_that_is_no_right_bundle_branch_block_leaves_a_third(conduction, qrs_ms, says) -> None:
    decided = use(TimeGap(0.0), features=dataclasses.replace(FEATURES, conduction=conduction, qrs_ms=qrs_ms))
    assert decided.amplitude == pytest.approx(0.3)
    assert says in words(decided)


@given(st.floats(0, 7300), st.floats(0, 7300), st.booleans())
def test_weight_never_grows_with_the_gap(one: float, other: float, after: bool) -> None:
    sign = 1.0 if after else -1.0
    near, far = sorted((one, other))
    assert weight(sign * near) >= weight(sign * far)
    assert weight(0.0) == pytest.approx(1.0)


@given(st.lists(st.floats(-8, 8), min_size=2, max_size=2), st.floats(-3, 8), st.floats(0, 3000))
def test_weight_is_monotone_whatever_is_learned(rates: list[float], c: float, days: float) -> None:
    time = TimeWeight()
    with torch.no_grad():
        time.rates.copy_(torch.tensor(rates))
        time.c.fill_(c)
        for sign in (-1.0, 1.0):
            gaps = sign * torch.tensor([0.0, days, days + 1, 2 * days + 5])
            weights = time(gaps)
            assert float(weights[0]) == pytest.approx(1.0)
            assert bool((weights.diff() <= 1e-6).all())
        assert float(time(torch.tensor([days]))) <= float(time(torch.tensor([-days]))) + 1e-6
