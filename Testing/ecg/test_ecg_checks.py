"""Gates and notes."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_ecg import synthetic_ecg

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.leads import check_signals
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, has
from ScarSegECGLib.facts_ecg import EcgNote

V1, V6 = LEADS.index("V1"), LEADS.index("V6")


@pytest.fixture
def good():
    ecg, _ = synthetic_ecg(seconds=6.0)
    return ecg.millivolts.astype(float), np.ones(12, bool), ecg.rate


def refused(millivolts, mask, rate, words):
    with pytest.raises(InputError, match=words) as caught:
        check_signals(millivolts, mask, rate)
    assert "\n" not in str(caught.value)


def test_a_good_ecg_passes_unchanged(good):
    millivolts, mask, notes = check_signals(*good)
    np.testing.assert_allclose(millivolts, good[0], atol=1e-6)
    assert mask.all() and notes == ()


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), 50.0, 99.0, 4001.0, 1e6])
def test_rate(good, rate):
    refused(good[0], good[1], rate, "sampling rate")


def test_too_short(good):
    refused(good[0][:, :999], good[1], good[2], "lasts 2.0 s|at least 2 s")


def test_too_few_leads(good):
    refused(good[0], np.arange(12) < 7, good[2], "7 of the 12")
    assert check_signals(good[0], np.arange(12) < 8, good[2])[1].sum() == 8


def test_nan(good):
    good[0][V1, 17] = np.nan
    refused(*good, r"NaN\) in lead V1")


@pytest.mark.parametrize(("factor", "words"), [(1000, "microvolts or raw counts"), (0.001, "volts")])
def test_wrong_units(good, factor, words):
    refused(good[0] * factor, good[1], good[2], words)


def test_all_flat(good):
    refused(np.full_like(good[0], 3.0), good[1], good[2], "All ECG leads are flat")


def test_some_flat_leads_are_masked(good):
    good[0][[V1, V6]] = 0.2
    millivolts, mask, notes = check_signals(*good)
    assert mask.sum() == 10 and not mask[V1] and not millivolts[V1].any()
    assert notes[0] == Fact(EcgNote.FLAT, leads=("V1", "V6"))


def test_mostly_flat(good):
    good[0][:6] = 0.0
    refused(*good, "Only 6 ECG leads are usable")


def test_saturated_leads_are_masked_or_refused(good):
    clipped = good[0].copy()
    clipped[V6] = np.minimum(good[0][V6], np.quantile(good[0][V6], 0.93))
    millivolts, mask, notes = check_signals(clipped, *good[1:])
    assert not mask[V6] and mask.sum() == 11 and has(notes, EcgNote.SATURATED)
    clipped = np.clip(good[0], *np.quantile(good[0], (0.05, 0.92), axis=1, keepdims=True))
    refused(clipped, *good[1:], "saturated")


def test_einthoven_and_swapped_arms_and_noise_are_noted(good):
    mislabelled = good[0].copy()
    mislabelled[[1, 2]] = good[0][[2, 1]]
    assert has(check_signals(mislabelled, *good[1:])[2], EcgNote.LIMBS_CONTRADICT)
    swapped = good[0].copy()  # LA and RA: I upside down, II and III change places, aVR and aVL too
    swapped[0], swapped[[1, 2]], swapped[[3, 4]] = -good[0][0], good[0][[2, 1]], good[0][[4, 3]]
    notes = check_signals(swapped, *good[1:])[2]
    assert has(notes, EcgNote.ARMS_SWAPPED) and not has(notes, EcgNote.LIMBS_CONTRADICT)
    noisy = good[0].copy()
    noisy[V1] += np.random.default_rng(0).normal(0, 0.1, noisy.shape[1])
    assert Fact(EcgNote.NOISY, leads=("V1",)) in check_signals(noisy, *good[1:])[2]
