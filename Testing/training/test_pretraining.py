"""What the ECG's encoder is pre-trained on: scars of every place and size, real beats as their ground."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.wfdb_record import diagnoses
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.training.ecg_simulation.simulate import WINDOW, WINDOW_ONSET

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Research"))
from diagnosis_codes import SINUS_ONLY as NORMAL_CODES
from pretrain_ecg import (
    REAL_SHARE,
    RealHearts,
    inputs_on_real_hearts,
    random_scars,
    real_hearts,
    varied,
)


def test_random_scars_are_of_every_place_and_size() -> None:
    scars = random_scars(4000, np.random.default_rng(0))
    size = scars.mean(axis=1)
    assert scars.min() >= 0 and scars.max() <= 1
    assert 0.3 < np.mean(size == 0) < 0.45
    present = size[size > 0]
    assert np.percentile(present, 5) < 0.06 and np.percentile(present, 98) > 0.3
    share = scars.mean(axis=0)
    assert share.min() > 0.7 * share.max(), "the apex no less and no more than the walls"


def test_random_scars_take_up_1_to_50_percent_of_the_ventricle() -> None:
    size = random_scars(20_000, np.random.default_rng(1)).mean(axis=1)
    present = size[size > 0]
    assert 0.01 <= present.min() < 0.015 and 0.48 < present.max() <= 0.5 + 1e-12
    assert np.percentile(present, 99) > 0.4, "infarcts as large as the real data's largest are no rarity"
    assert 0.08 < np.median(present) < 0.12


def test_large_random_scars_lie_as_evenly_as_small_ones() -> None:
    scars = random_scars(20_000, np.random.default_rng(2))
    size = scars.mean(axis=1)
    for group in (scars[(size > 0) & (size < 0.1)], scars[size > 0.25]):
        share = group.mean(axis=0)
        assert share.min() > 0.5 * share.max()
        around = share[:12].reshape(2, 6)
        assert (around.min(axis=1) > 0.85 * around.max(axis=1)).all(), "no wall is preferred"


def made_up_hearts(n: int = 3) -> RealHearts:
    """Beats of one narrow wave that keep II = I + III."""
    time = (np.arange(WINDOW) - WINDOW_ONSET - 20) / 8.0
    wave = np.exp(-(time**2))
    one, two = 0.6, 1.0
    size = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, 0.3, 0.6, 0.9, 1.2, 1.1, 0.8]
    beats = np.outer(size, wave)[None].repeat(n, axis=0)
    return RealHearts(beats, np.full(n, 70.0))


def test_another_body_keeps_the_limb_leads_laws() -> None:
    lead = {name: k for k, name in enumerate(LEADS)}
    beats = made_up_hearts(20).millivolts
    other = varied(beats, np.random.default_rng(0))
    np.testing.assert_allclose(other[:, lead["II"]], other[:, lead["I"]] + other[:, lead["III"]], atol=1e-12)
    np.testing.assert_allclose(other[:, lead["aVR"]], -(other[:, lead["I"]] + other[:, lead["II"]]) / 2, atol=1e-12)
    np.testing.assert_allclose(other[:, lead["aVF"]], other[:, lead["II"]] - other[:, lead["I"]] / 2, atol=1e-12)
    assert np.abs(other - beats).max(axis=(1, 2)).min() > 0.01, "every one is another body"
    assert 0.5 < np.abs(other).max() / np.abs(beats).max() < 2.0


def test_only_a_share_of_the_hearts_is_real_and_scar_changes_them() -> None:
    noise = np.zeros((1, 12, 5000), np.float32)
    scar = np.zeros((10, 17))
    scar[:, [6, 7, 12, 13]] = 0.9
    free, scarred = (
        inputs_on_real_hearts(values, noise, np.random.default_rng(4), made_up_hearts()) for values in (scar * 0, scar)
    )
    real = round(REAL_SHARE * len(scar))
    v3 = LEADS.index("V3")
    there = np.flatnonzero(free.leads[:, v3].numpy())  # some ECGs lack leads
    late = free.beat[:, v3, 170:].abs().amax(dim=1).numpy() / free.beat[:, v3].abs().amax(dim=1).clamp(min=1e-6).numpy()
    is_real = there < real
    assert is_real.any() and not is_real.all()
    assert (late[there[is_real]] < 0.005).all(), "the made-up beat has no T wave"
    assert (late[there[~is_real]] > 0.02).all(), "simulated ones have"
    change = (scarred.beat - free.beat).abs()[:, v3].amax(dim=1).numpy()
    assert (change[there] > 0.1).all()


def test_records_that_are_checked_later_or_may_be_scarred_stay_out(shared_data: Path) -> None:
    folder = shared_data / "ecg" / "cinc2021"
    hearts = real_hearts(folder)
    normals = sum(diagnoses(header.read_text("latin-1")) <= NORMAL_CODES for header in folder.glob("*.hea"))
    blocks = sum(
        bool(diagnoses(header.read_text("latin-1")) & {"59118001", "698252002"}) for header in folder.glob("*.hea")
    )
    assert normals == 15 and blocks > 0
    assert 15 <= len(hearts.rate_bpm) <= 50 - normals - blocks
    first = hearts.millivolts[:, :, : WINDOW_ONSET + 100]  # the next beat may follow soon
    steep = np.abs(np.gradient(first, axis=2)).max(axis=1)
    assert (np.abs(steep.argmax(axis=1) - WINDOW_ONSET - 20) < 40).all(), "the QRS begins at WINDOW_ONSET"


def test_a_folder_without_such_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no 12-lead record"):
        real_hearts(tmp_path)
