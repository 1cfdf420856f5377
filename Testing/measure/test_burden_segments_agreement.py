"""Burden, the segment table, and the ECG against the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from measure_phantoms import annulus

from ScarSegECGLib.case import Anatomy, Burden, EcgUse, TimeGap, burden_of
from ScarSegECGLib.facts import AhaMode, Division, Fact
from ScarSegECGLib.facts_ecg import AgreementReason, EcgReason
from ScarSegECGLib.measure.agreement import RELIABLE_SEGMENTS, agreement_table
from ScarSegECGLib.measure.segments import segment_percent, segment_table
from ScarSegECGLib.wording import words


def _anatomy(p):
    n = len(p.cavity)
    return Anatomy(
        cavity=p.cavity,
        myocardium=p.myocardium,
        aha=p.aha,
        centres_mm=np.zeros((n, 2)),
        insertions_deg=np.full((n, 2), np.nan),
        insertion_confidence=np.zeros(n),
        division=Division(),
        imaged=(True,) * 6 + (False,) * 11,
    )


def test_burden_of_a_ring_is_exact_within_2_percent_and_converges():
    exact_wall = np.pi * (33**2 - 22**2) * 32 / 1000
    exact_scar = np.pi * (27.5**2 - 22**2) / 6 * 32 / 1000
    errors = []
    for pixel in (1.4, 0.35):
        p = annulus(pixel=pixel)
        got = burden_of(p.scar.sum(), p.myocardium.sum(), float(np.prod(p.spacing)) / 1000)
        assert got.ml == pytest.approx(exact_scar, rel=0.02)
        assert got.grams == pytest.approx(1.05 * got.ml)
        assert got.percent_of_lv == pytest.approx(100 * exact_scar / exact_wall, rel=0.02)
        errors.append(abs(got.ml - exact_scar))
    assert errors[1] < max(errors[0], 0.01)


def test_without_a_wall_there_is_no_burden():
    assert burden_of(0, 0, 0.01) == Burden(0.0, 0.0, 0.0)


def test_segment_table_agrees_with_paper():
    p = annulus(depth=(0.0, 0.5))
    rows = segment_table(_anatomy(p), p.scar, p.spacing)
    first, second, last = rows[0], rows[1], rows[16]
    exact = 100 * (27.5**2 - 22**2) / (33**2 - 22**2)
    assert first.scar_percent == pytest.approx(exact, rel=0.02)
    assert first.scar_ml == pytest.approx(p.scar.sum() * np.prod(p.spacing) / 1000)
    assert first.transmurality_mean_percent == pytest.approx(50, abs=2)
    assert first.transmurality_bin in ("26-50", "51-75")
    assert first.wall_thickness_mm == pytest.approx(11, rel=0.03)
    assert second.scar_percent == 0 and second.transmurality_bin == "0"
    assert not last.imaged and last.scar_percent is None and last.transmurality_bin == ""
    assert sum(r.myocardium_ml for r in rows) == pytest.approx(p.myocardium.sum() * np.prod(p.spacing) / 1000)
    assert [r.number for r in rows] == list(range(1, 18))
    assert first.ecg_percent is None and first.agreement is None


def test_sixteen_segments_have_sixteen_rows_whatever_the_lists_hold():
    p = annulus(depth=(0.0, 0.5))
    whole = _anatomy(p)
    rows = segment_table(replace(whole, division=Division(AhaMode.LANDMARK, 16)), p.scar, p.spacing)
    assert [row.number for row in rows] == list(range(1, 17))
    assert rows == segment_table(whole, p.scar, p.spacing)[:16]


def test_permuting_the_labels_permutes_the_table():
    p = annulus(depth=(0.0, 0.5), stop_deg=200)
    order = np.array([0, 4, 6, 1, 2, 5, 3], dtype=np.uint8)
    before = segment_percent(p.aha, p.scar)
    after = segment_percent(order[p.aha], p.scar)
    assert np.allclose(after[order[1:] - 1], before[:6])


USED = EcgUse(1.0, (), TimeGap(3.0))


def _one(number, image, ecg, conduction="normal"):
    images, ecgs = [0.0] * 17, [0.0] * 17
    images[number - 1], ecgs[number - 1] = image, ecg
    return agreement_table(images, ecgs, conduction, USED)[number - 1]


@pytest.mark.parametrize(
    ("number", "image", "ecg", "verdict"),
    [
        (7, 60, 40, "agree"),
        (7, 0, 0, "agree"),
        (7, 60, 0, "disagree"),
        (7, 15, 0, "ecg cannot tell"),
        (7, 0, 50, "disagree"),
        (7, 60, 20, "disagree"),
        (7, 0, 20, "agree"),
        (7, 10, 80, "ecg cannot tell"),
        (4, 60, 40, "ecg cannot tell"),
        (4, 60, 0, "ecg cannot tell"),
        (4, 0, 50, "ecg cannot tell"),
        (4, 0, 0, "ecg cannot tell"),
        (17, 60, 0, "ecg cannot tell"),
    ],
)
def test_verdicts(number, image, ecg, verdict):
    got, reason = _one(number, image, ecg)
    assert got == verdict and reason


def test_block_pacing_or_an_unused_ecg_tell_nothing_anywhere():
    for conduction in ("lbbb", "paced", "unknown"):
        table = agreement_table([50.0] * 17, [50.0] * 17, conduction, USED)
        assert {v for v, _ in table} == {"ecg cannot tell"}
    too_far = EcgUse(0.0, (Fact(EcgReason.TOO_FAR, days=-900.0),), TimeGap(-900.0))
    unused = agreement_table([50.0] * 17, [50.0] * 17, "normal", too_far)
    assert {(verdict, words(why)) for verdict, why in unused} == {
        ("ecg cannot tell", "ECG 900 days from MRI: not used")
    }
    assert {v for v, _ in agreement_table([50.0] * 17, None, "normal", USED)} == {"ecg cannot tell"}


def test_segments_not_imaged_have_no_verdict_and_lengths_must_match():
    assert agreement_table([None] * 17, [50.0] * 17, "normal", USED)[0] == (None, Fact(AgreementReason.NOT_IMAGED))
    with pytest.raises(ValueError):
        agreement_table([0.0] * 17, [0.0] * 16, "normal", USED)


def test_only_anterior_and_septal_segments_may_disagree():
    table = agreement_table([80.0] * 17, [0.0] * 17, "normal", USED)
    assert {k for k, (v, _) in enumerate(table, 1) if v == "disagree"} == set(RELIABLE_SEGMENTS)
    assert "does not rule it out" in words(table[0][1])
    assert "caution" in words(agreement_table([80.0] * 17, [0.0] * 17, "rbbb", USED)[0][1])
