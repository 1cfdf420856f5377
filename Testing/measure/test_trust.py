"""Presence, interval and confidence follow from the signs as they should."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ScarSegECGLib.case import Signs
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.overlap import Overlap
from ScarSegECGLib.measure.trust import Trust
from ScarSegECGLib.training.evaluate import CaseFigures, fit_trust, trusted


def patients(count: int = 60, seed: int = 0) -> list[CaseFigures]:
    """A third without scar, in whom up to 1 ml is imagined; errors grow with the volume."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        scarred = number % 3 > 0
        true = float(rng.uniform(5, 60)) if scarred else 0.0
        found = max(0.0, true + rng.normal(0, 1 + 0.2 * true)) if scarred else float(rng.uniform(0, 1))
        peak = float(rng.uniform(0.8, 1.0) if scarred else rng.uniform(0.3, 0.75))
        signs = Signs(found, peak, 0.2 + 0.1 * found, float(rng.uniform(0.1, 0.4)))
        scar = Overlap(0.7 if scarred and found else 0.0, None, None, found - true, None)
        name = f"Case_{number:03d}"
        figures = (name, scarred, true, found, scar, scar, scar, (), True, signs, None, None, 0.0, number % 5)
        rows.append(CaseFigures(*figures))
    return rows


def test_small_doubtful_findings_are_told_from_scar() -> None:
    trust = fit_trust(patients())
    assert not trust.present(Signs(0.6, 0.5, 0.3, 0.2))
    assert trust.present(Signs(20.0, 0.95, 2.0, 0.2))
    assert not trust.present(Signs(0.0, 0.0, 0.0, 0.2))


@given(st.floats(0, 80), st.floats(0, 80), st.floats(0, 10))
def test_more_scar_is_never_less_likely_and_its_interval_never_narrower(a: float, b: float, spread: float) -> None:
    trust = fit_trust(patients())
    small, large = (Signs(v, 0.9, spread, 0.2) for v in sorted((a, b)))
    assert trust.chance_of_scar(small) <= trust.chance_of_scar(large) + 1e-12
    assert trust.expected_error_ml(small) <= trust.expected_error_ml(large) + 1e-12
    low, high = trust.interval_ml(large)
    assert 0 <= low <= large.scar_ml <= high


def test_intervals_hold_as_often_as_they_say_on_patients_the_fit_has_not_seen() -> None:
    told, _ = trusted(patients(300))
    held = [row.interval_ml[0] <= row.true_scar_ml <= row.interval_ml[1] for row in told]
    assert 0.75 <= np.mean(held) <= 0.85


def test_a_fit_does_not_see_the_fold_it_is_tried_on() -> None:
    rows = patients()
    spoilt = [dataclasses.replace(row, true_scar_ml=row.true_scar_ml + 500) if row.fold == 0 else row for row in rows]
    of_fold = [{row.case: row.interval_ml for row in trusted(some)[0] if row.fold == 0} for some in (rows, spoilt)]
    assert of_fold[0] == of_fold[1] and len(of_fold[0]) == 12


def test_the_challenge_counts_every_patient() -> None:
    def challenge_dice(true_ml: float, dice: float, present: bool) -> float:
        scar = Overlap(dice, None, None, 0.0, None)
        return dataclasses.replace(patients(1)[0], true_scar_ml=true_ml, scar=scar, present=present).challenge_dice

    assert challenge_dice(0.0, 0.0, present=False) == 1
    assert challenge_dice(0.0, 0.0, present=True) == 0
    assert challenge_dice(9.0, 0.6, present=True) == 0.6
    assert challenge_dice(9.0, 0.6, present=False) == 0


def test_settings_bring_the_fit_back() -> None:
    trust = fit_trust(patients())
    assert Trust.from_settings({"trust": dataclasses.asdict(trust)}) == trust
    assert Trust.from_settings({}) is None


@pytest.mark.parametrize(
    "change",
    [{"scale": [1.0]}, {"presence": None}, {"quantile": "much"}, {"level": float("nan")}, {"most_blur": [1, 2]}],
    ids=str,
)
def test_foreign_settings_are_refused_in_one_line(change: dict) -> None:
    with pytest.raises(InputError, match="train them again"):
        Trust.from_settings({"trust": dataclasses.asdict(fit_trust(patients())) | change})
    with pytest.raises(InputError, match="train them again"):
        Trust.from_settings({"trust": ["three", "words", "only"]})
