"""Lead names, order and the derived limb leads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.leads import EINTHOVEN_TOLERANCE, Channel, assemble, einthoven_error, lead_name
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("I", "I"),
        ("i", "I"),
        ("Lead I", "I"),
        ("Lead I (Einthoven)", "I"),
        ("MDC_ECG_LEAD_I", "I"),
        ("MDC_ECG_LEAD_III", "III"),
        ("MDC_ECG_LEAD_AVR", "aVR"),
        ("aVR", "aVR"),
        ("AVR", "aVR"),
        ("avr", "aVR"),
        ("Lead aVL", "aVL"),
        ("lead_v6", "V6"),
        (" V3 ", "V3"),
        ("v3\0\0", "V3"),
        ("C4", "V4"),
        ("ECG II", "II"),
        ("aV F", "aVF"),
    ],
)
def test_names(label, name):
    assert lead_name(label) == (name or None)


@pytest.mark.parametrize("label", ["", "vx", "vy", "vz", "V7", "-aVR", "IV", "Lead", "V3R", "RESP", "MDC_ECG_LEAD_V4R"])
def test_other_labels_are_no_standard_lead(label):
    found = lead_name(label)
    assert found is None or found.startswith("-")


def channels(leads: dict[str, np.ndarray]) -> list[Channel]:
    return [Channel(name, signal) for name, signal in leads.items()]


def twelve(samples: int = 50) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=(2, samples))
    leads = {"I": one, "II": two, "III": two - one, "aVR": -(one + two) / 2}
    leads |= {"aVL": one - two / 2, "aVF": two - one / 2}
    return leads | {f"V{n}": rng.normal(size=samples) for n in range(1, 7)}


@given(st.permutations(LEADS))
def test_order_in_the_file_does_not_matter(order):
    leads = twelve()
    millivolts, mask, notes = assemble(Channel(name, leads[name]) for name in order)
    assert mask.all() and not notes
    np.testing.assert_allclose(millivolts, [leads[name] for name in LEADS], rtol=1e-6)


@pytest.mark.parametrize("kept", [("I", "II"), ("I", "III"), ("II", "III")])
def test_limb_leads_follow_from_any_two(kept):
    leads = twelve()
    given_leads = {name: leads[name] for name in LEADS if name in kept or name.startswith("V")}
    millivolts, mask, notes = assemble(channels(given_leads))
    assert mask.all()
    np.testing.assert_allclose(millivolts, [leads[name] for name in LEADS], atol=1e-6)
    missing = next(name for name in ("I", "II", "III") if name not in kept)
    assert notes == (Fact(EcgNote.DERIVED, leads=(missing, "aVR", "aVL", "aVF")),)


def test_missing_chest_lead_is_masked_and_zero():
    leads = twelve()
    del leads["V4"]
    millivolts, mask, _ = assemble(channels(leads))
    assert not mask[LEADS.index("V4")] and mask.sum() == 11
    assert not millivolts[LEADS.index("V4")].any()


def test_einthoven():
    millivolts, mask, _ = assemble(channels(twelve()))
    assert einthoven_error(millivolts, mask) < 1e-6
    swapped = millivolts.copy()
    swapped[[0, 1]] = millivolts[[1, 0]]
    assert einthoven_error(swapped, mask) > EINTHOVEN_TOLERANCE
    assert einthoven_error(millivolts, mask & (np.arange(12) != 1)) is None
