"""Semi-synthetic pairs and the inputs of stage one: what the network will read, measured as at inference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from phantom import simulate_ecg

from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.network.ecg_encoder import TABLE_SIZE
from ScarSegECGLib.training.ecg_simulation.simulate import drawn_bodies, noise_bank, simulate_beats
from ScarSegECGLib.training.fit import once
from ScarSegECGLib.training.pairs import Pairs, drawn_gap, drawn_infarct_age, make_pairs, measure, read_simulated


@pytest.fixture(scope="module")
def noise() -> NDArray:
    return noise_bank(None)


def test_the_fast_way_measures_what_the_slow_way_does() -> None:
    """One simulated beat, against the median beat of ten noiseless seconds of the same hearts."""
    rng = np.random.default_rng(4)
    scar = rng.random((6, 17)) * (rng.random((6, 17)) < 0.4)
    bodies = drawn_bodies(6, rng)
    windows = simulate_beats(scar, bodies, ["normal"] * 6, np.full(6, 70.0))
    for k in range(6):
        measured = measure(windows[k].astype(float), np.ones(12, bool), 70.0)
        beat, features = measured.millivolts, measured.features
        whole = median_beat(simulate_ecg(scar[k], bodies.part(slice(k, k + 1))))
        assert abs(features.qrs_ms - whole.features.qrs_ms) <= 8
        assert features.conduction == whole.features.conduction
        assert abs(features.axis_deg - whole.features.axis_deg) <= 5
        np.testing.assert_allclose(features.r_mv, whole.features.r_mv, atol=0.08)
        qrs = slice(100, 145)
        assert np.corrcoef(beat[:, qrs].ravel(), whole.millivolts[:, qrs].ravel())[0, 1] > 0.98


def test_inputs_have_the_networks_form_and_say_which_leads_are_lost(noise: NDArray, monkeypatch) -> None:
    monkeypatch.setattr("ScarSegECGLib.training.pairs.LEAD_LOSS", 0.5)
    rng = np.random.default_rng(0)
    windows = simulate_beats(np.zeros((12, 17)), drawn_bodies(12, rng), ["normal"] * 12, np.full(12, 70.0))
    inputs = read_simulated(windows, np.full(12, 70.0), noise, rng)
    assert inputs.beat.shape == (12, 12, 300) and inputs.table.shape == (12, TABLE_SIZE)
    lost = inputs.leads == 0
    assert lost.any() and int(lost.sum(dim=1).max()) <= 4
    assert float(inputs.beat[lost].abs().max()) == 0.0
    assert bool(torch.isfinite(inputs.table).all()) and {round(q, 3) for q in inputs.quality.tolist()} <= {
        0.0,
        0.3,
        1.0,
    }


def test_conduction_lowers_the_quality_of_what_is_measured(noise: NDArray, monkeypatch) -> None:
    monkeypatch.setattr("ScarSegECGLib.training.pairs.LEAD_LOSS", 0.0)
    rng = np.random.default_rng(1)
    windows = simulate_beats(np.zeros((10, 17)), drawn_bodies(10, rng), ["lbbb"] * 10, np.full(10, 70.0))
    inputs = read_simulated(windows, np.full(10, 70.0), noise, rng)
    assert float((inputs.quality < 0.5).float().mean()) >= 0.6


def test_gaps_have_both_signs_and_every_length() -> None:
    rng = np.random.default_rng(0)
    gaps = np.array([drawn_gap(rng) for _ in range(4000)])
    assert np.abs(gaps).max() <= 3 * 365 + 1
    assert 0.2 < np.mean(np.abs(gaps) <= 7) < 0.3
    assert 0.52 < np.mean(gaps < 0) < 0.64


def test_an_ecg_from_before_the_infarct_is_mostly_known_of() -> None:
    rng = np.random.default_rng(0)
    ages = np.array([drawn_infarct_age(-200.0, rng) for _ in range(2000)])
    younger = np.mean(ages < 200.0)
    assert 0.1 < younger < 0.3
    assert np.mean([drawn_infarct_age(5.0, rng) < 200 for _ in range(500)]) > 0.5


def test_pairs_are_seeded_aged_and_kept(noise: NDArray, tmp_path: Path) -> None:
    scar = np.zeros(17)
    scar[[6, 7, 12, 13]] = 0.8
    file = tmp_path / "pairs.safetensors"
    pairs = make_pairs(np.stack([np.zeros(17), scar]), noise, 3, ecgs=6, quiet=True)
    again = make_pairs(np.stack([np.zeros(17), scar]), noise, 3, ecgs=6, quiet=True)
    kept = [Pairs(**once(file, lambda: vars(pairs))) for _ in range(2)]
    assert all(torch.equal(pairs.table, other.table) for other in (again, *kept))
    assert pairs.of(1).tolist() == list(range(6, 12))
    same_day, free = (make_pairs(s[None], noise, 3, ecgs=3, gap_days=0.0, quiet=True) for s in (scar, np.zeros(17)))
    assert same_day.gap_days.tolist() == [0.0] * 3
    assert bool(((same_day.beat - free.beat).abs().amax(dim=(1, 2)) > 0.1).all()), "the scar shows"
    assert not torch.allclose(same_day.beat[0], same_day.beat[1]), "another person each time"
