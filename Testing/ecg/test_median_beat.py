"""Beats, delineation, conduction and the median beat on synthetic ECGs whose QRS limits are known."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_ecg import LAFB, LBBB, NARROW, RBBB, bump, synthetic_ecg

from ScarSegECGLib.case import LEADS, Ecg
from ScarSegECGLib.ecg.conduction import ABSENT, Qrs, classify_conduction, q_r_s, qrs_waves
from ScarSegECGLib.ecg.delineation import ONSET, bridge_spikes, find_beats, find_spikes
from ScarSegECGLib.ecg.median_beat import median_beat, representative_beat
from ScarSegECGLib.errors import InputError

SHAPES = {"normal": (NARROW, 90), "lbbb": (LBBB, 160), "rbbb": (RBBB, 140), "lafb": (LAFB, 105)}


@pytest.mark.parametrize("rate", [250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("noise", [0.005, 0.02])
@pytest.mark.parametrize("shape", SHAPES)
def test_qrs_limits_and_class(shape, noise, rate):
    qrs, width = SHAPES[shape]
    ecg, _ = synthetic_ecg(qrs, rate=rate, noise_mv=noise)
    beat = median_beat(ecg)
    assert beat.features.conduction == shape
    assert beat.features.qrs_ms == pytest.approx(width, abs=14)
    assert beat.features.pr_ms == pytest.approx(160, abs=16)
    assert beat.features.qt_ms == pytest.approx(width + 260, abs=20)
    assert beat.features.rate_bpm == pytest.approx(70, abs=1)


@pytest.mark.parametrize("t_sign", [-3.0, -1.0, 2.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_t_wave_that_begins_at_once_does_not_widen_the_qrs(shape, t_sign):
    qrs, width = SHAPES[shape]
    ecg, _ = synthetic_ecg(qrs, st_ms=-20.0, t_sign=t_sign, bpm=60)
    assert median_beat(ecg).features.qrs_ms == pytest.approx(width, abs=20)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_onset_lies_at_sample_100_of_the_true_beat(shape):
    qrs, _ = SHAPES[shape]
    ecg, _ = synthetic_ecg(qrs, noise_mv=0.002)
    beat = median_beat(ecg).millivolts
    assert beat.shape == (12, 300) and beat.dtype == np.float32
    time_ms = (np.arange(300) - ONSET) * 2.0
    for name in ("I", "V1", "V5"):
        truth = sum(bump(time_ms, *part) for part in qrs[name])
        inside = (time_ms > -20) & (time_ms < 90)
        lag = [np.corrcoef(np.roll(truth, k)[inside], beat[LEADS.index(name)][inside])[0, 1] for k in range(-8, 9)]
        assert abs(2 * (int(np.argmax(lag)) - 8)) <= 10, name
        assert np.abs(beat[LEADS.index(name), ONSET - 9 : ONSET - 1]).max() < 0.03


@pytest.mark.parametrize("bpm", [35, 60, 100, 140, 180])
@pytest.mark.parametrize("shape", ["normal", "lbbb"])
def test_all_beats_are_found(shape, bpm):
    qrs, width = SHAPES[shape]
    ecg, onsets = synthetic_ecg(qrs, bpm=bpm, p_wave=bpm < 120, t_sign=-1.0 if shape == "lbbb" else 1.0)
    inside = onsets[onsets < 9.7]
    beats = find_beats(ecg.millivolts.astype(float), ecg.rate) / ecg.rate
    for onset in inside:
        assert np.abs(beats - onset - width / 2000).min() < 0.08
    assert len(inside) <= len(beats) <= len(onsets)


def test_tall_t_waves_are_no_beats():
    qrs = {name: tuple((a, b, h * 0.5) for a, b, h in parts) for name, parts in NARROW.items()}
    ecg, onsets = synthetic_ecg(qrs, bpm=60, t_sign=3.0)
    assert abs(len(find_beats(ecg.millivolts.astype(float), ecg.rate)) - len(onsets)) <= 1


@pytest.mark.parametrize("shape", ["normal", "lbbb"])
def test_paced(shape):
    qrs, width = SHAPES[shape]
    ecg, onsets = synthetic_ecg(qrs, spikes=True, p_wave=False)
    spikes = find_spikes(ecg.millivolts, ecg.rate) / ecg.rate
    np.testing.assert_allclose(spikes, onsets - 0.004, atol=0.003)
    bridged = bridge_spikes(ecg.millivolts, ecg.rate, find_spikes(ecg.millivolts, ecg.rate))
    assert np.ptp(bridged) < np.ptp(ecg.millivolts)
    features = median_beat(ecg).features
    assert features.conduction == "paced" and features.pr_ms is None
    assert features.qrs_ms == pytest.approx(width, abs=16)


def test_a_sharp_qrs_has_no_spikes():
    sharp = {name: tuple((a * 0.6, b * 0.6, 2.5 * h) for a, b, h in parts) for name, parts in NARROW.items()}
    assert not len(find_spikes(synthetic_ecg(sharp)[0].millivolts, 500.0))


def test_an_ectopic_beat_does_not_change_the_median():
    ecg, onsets = synthetic_ecg(NARROW, noise_mv=0.002)
    other, _ = synthetic_ecg(LBBB, noise_mv=0.002)
    mixed = ecg.millivolts.copy()
    part = slice(round((onsets[4] - 0.05) * 500), round((onsets[4] + 0.45) * 500))
    mixed[:, part] = 1.5 * other.millivolts[:, part]
    plain, disturbed = median_beat(ecg), median_beat(Ecg(mixed, ecg.lead_mask, ecg.rate))
    assert disturbed.features.qrs_ms == pytest.approx(plain.features.qrs_ms, abs=4)
    apart = [np.abs(np.roll(disturbed.millivolts, k, axis=1) - plain.millivolts)[:, 90:200].max() for k in (-1, 0, 1)]
    assert min(apart) < 0.06


def test_missing_and_humming_leads():
    ecg, _ = synthetic_ecg(NARROW)
    mask = np.ones(12, bool)
    mask[[3, 8]] = False
    millivolts = ecg.millivolts.copy()
    millivolts[[3, 8]] = 0
    millivolts[:2] += 0.3 * np.sin(2 * np.pi * 50 * np.arange(millivolts.shape[1]) / 500)
    beat = median_beat(Ecg(millivolts, mask, 500.0))
    assert not beat.millivolts[[3, 8]].any() and np.isnan(beat.features.r_mv[[3, 8]]).all()
    assert np.isfinite(beat.features.r_mv[mask]).all()
    assert beat.features.qrs_ms == pytest.approx(90, abs=14)


def test_two_seconds_are_enough_and_none_without_a_beat():
    ecg, _ = synthetic_ecg(NARROW, seconds=2.0, bpm=60, first_onset_s=0.4)
    assert median_beat(ecg).features.qrs_ms == pytest.approx(90, abs=14)
    with pytest.raises(InputError, match="7 of 12"):
        median_beat(Ecg(ecg.millivolts, np.arange(12) < 7, ecg.rate))
    with pytest.raises(InputError, match="No heart beat"):
        median_beat(Ecg(np.zeros((12, 1000), np.float32), np.ones(12, bool), 500.0))


def test_the_device_wins():
    ecg, _ = synthetic_ecg(NARROW)
    stated = Ecg(ecg.millivolts, ecg.lead_mask, ecg.rate, device_ms={"qrs": 101.0, "axis": -7.0, "qt": float("nan")})
    features = median_beat(stated).features
    assert features.qrs_ms == 101.0 and features.axis_deg == -7.0
    assert features.from_device == ("qrs", "axis")
    assert features.qt_ms == pytest.approx(350, abs=20)


def test_waves_of_a_lead():
    time_ms = (np.arange(300) - ONSET) * 2.0
    lead = bump(time_ms, 0, 30, -0.2) + bump(time_ms, 30, 80, 1.0) + bump(time_ms, 80, 110, -0.3)
    q, r, s = q_r_s(qrs_waves(lead, ONSET, ONSET + 55))
    assert (q.peak_mv, r.peak_mv, s.peak_mv) == pytest.approx((-0.2, 1.0, -0.3), abs=0.01)
    assert (q.duration_ms, r.duration_ms, s.duration_ms) == pytest.approx((30, 50, 30), abs=3)
    q, r, s = q_r_s(qrs_waves(-np.abs(lead), ONSET, ONSET + 55))
    assert q.peak_mv < 0 and r is ABSENT and s is ABSENT
    assert qrs_waves(np.zeros(300), ONSET, ONSET + 50) == ()


def test_amplitudes_and_axis():
    beat = median_beat(synthetic_ecg(NARROW, noise_mv=0.002)[0])
    features, row = beat.features, LEADS.index
    assert features.r_mv[row("I")] == pytest.approx(1.0, rel=0.1)
    assert features.s_mv[row("V1")] == pytest.approx(1.1, rel=0.1)
    assert features.q_mv[row("V1")] == 0 and features.q_mv[row("I")] == pytest.approx(0.09, abs=0.03)
    assert 30 < features.axis_deg < 60


def test_conduction_limits_follow_the_sources():
    beat = median_beat(synthetic_ecg(LBBB)[0])
    marks = representative_beat(synthetic_ecg(LBBB)[0]).marks
    offset = ONSET + marks.qrs_offset - marks.qrs_onset
    waves = {name: qrs_waves(beat.millivolts[k], ONSET, offset) for k, name in enumerate(LEADS)}

    def classify(spiked=0.0, **changed):
        given = {"waves": waves, "ms": 150.0, "offset": offset, "axis_deg": 0.0} | changed
        return classify_conduction(Qrs(beat.millivolts, beat.lead_mask, **given), spiked=spiked)

    assert classify() == "lbbb"
    assert classify(ms=135.0, female=True) == classify(ms=135.0) == "lbbb"
    assert classify(ms=135.0, female=False) == "lbbb_usual"
    assert classify(ms=np.nan) == "unknown"
    assert classify(spiked=0.6) == "paced"


def test_lvh():
    tall = {name: tuple((a, b, 2.0 * h) for a, b, h in parts) for name, parts in NARROW.items()}
    assert median_beat(synthetic_ecg(tall)[0]).features.conduction == "lvh"
