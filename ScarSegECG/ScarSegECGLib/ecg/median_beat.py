"""From a whole recording to one representative beat, to the form that the network reads, and what is measured on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import filtfilt, iirnotch, resample_poly, sosfiltfilt

from ScarSegECGLib.case import LEADS, Ecg, EcgFeatures, MedianBeat
from ScarSegECGLib.ecg import delineation
from ScarSegECGLib.ecg.conduction import Qrs, classify_conduction, q_r_s, qrs_waves
from ScarSegECGLib.ecg.delineation import MS_PER_SAMPLE, ONSET, RATE, SAMPLES, Delineation
from ScarSegECGLib.ecg.leads import FEWEST_LEADS
from ScarSegECGLib.errors import InputError

BASELINE_HZ = 0.4
BEFORE_S, AFTER_S = 0.45, 0.65
MAINS_HZ = (50.0, 60.0)
LEAST_HUM_MV = 0.02
PLAUSIBLE_QRS_MS = (40.0, 260.0)
STEADY_P, STEADY_P_IRREGULAR = 0.6, 0.9
IRREGULAR = 0.15  # root mean square of successive differences of RR, as a share of the mean RR


@dataclass(frozen=True)
class RepresentativeBeat:
    """The median of the usual beats with what lies around it, at 500 Hz.

    ``millivolts`` is float64, shape (12, 550), rows of missing leads zero; ``marks`` the waves; ``rr_s`` the median
    distance between beats (None for a single one); ``spiked`` the share of beats with a pacemaker spike from 60 ms
    before to 40 ms after the QRS onset; ``irregular`` whether the beats' distances vary as in atrial fibrillation.
    """

    millivolts: NDArray[np.float64]
    lead_mask: NDArray[np.bool_]
    marks: Delineation
    rr_s: float | None
    spiked: float = 0.0
    irregular: bool = False


def median_beat(ecg: Ecg, *, female: bool | None = None) -> MedianBeat:
    """The median beat of a recording in the network's form, with its features.

    float32 (12, 300), mV at 500 Hz, QRS onset at sample 100, the 20 ms before it at 0. ``female`` is the patient's sex,
    for the criteria of bundle branch block and hypertrophy that depend on it. InputError for fewer than 8 leads, or
    where no beat is found.
    """
    return measured(representative_beat(ecg), device_ms=ecg.device_ms, stated_paced=ecg.stated_paced, female=female)


def representative_beat(ecg: Ecg) -> RepresentativeBeat:
    """Find the beats, lay them on one another and take the median; errors as those of :func:`median_beat`."""
    mask = np.array(ecg.lead_mask, dtype=bool)
    if mask.sum() < FEWEST_LEADS:
        raise InputError(f"Only {int(mask.sum())} of 12 ECG leads are usable; at least {FEWEST_LEADS} are needed.")
    recorded = np.asarray(ecg.millivolts, dtype=np.float64)[mask]
    spikes = delineation.find_spikes(recorded, ecg.rate)
    signals = _steady(_at_500_hz(delineation.bridge_spikes(recorded, ecg.rate, spikes), ecg.rate))
    found = delineation.find_beats(signals, RATE)
    centres, usual = delineation.aligned(signals, found, RATE)
    if not len(centres):
        raise InputError("No heart beat was found in the ECG: check the recording.")
    typical = centres[usual]
    before, after = round(BEFORE_S * RATE), round(AFTER_S * RATE)
    # Beats that lie wholly inside the recording; where none does, all with its edges held.
    whole = typical[(typical >= before) & (typical + after <= signals.shape[1])]
    padded = np.pad(signals, ((0, 0), (before, after)), mode="edge")
    beats = delineation.windows(padded, (whole if len(whole) else typical) + before, before, after)
    middle = np.median(beats, axis=0)
    distances = np.diff(found)
    rr = float(np.median(distances)) / RATE if len(distances) else None
    # The next beat's P wave is at most some 250 ms before its QRS.
    last = None if rr is None else before + round(max(rr - 0.2, 0.6 * rr) * RATE)
    marks = delineation.delineate(middle, before, RATE, last=last)
    irregular = len(distances) >= 4 and float(np.sqrt(np.mean(np.diff(distances) ** 2))) > IRREGULAR * distances.mean()
    steady = STEADY_P_IRREGULAR if irregular else STEADY_P
    if marks.p_onset is not None and _p_likeness(beats, middle, marks.p_onset, marks.qrs_onset) < steady:
        marks = replace(marks, p_onset=None)
    millivolts = np.zeros((len(LEADS), before + after))
    millivolts[mask] = middle - middle[:, max(0, marks.qrs_onset - 10) : marks.qrs_onset].mean(axis=1, keepdims=True)
    lag = spikes / ecg.rate - (typical[:, None] - before + marks.qrs_onset) / RATE
    spiked = float(np.mean(np.any((lag >= -0.06) & (lag <= 0.04), axis=1)))
    return RepresentativeBeat(millivolts, mask, marks, rr, spiked, bool(irregular))


def _at_500_hz(signals: NDArray, rate: float) -> NDArray[np.float64]:
    """Resample to 500 Hz, anti-aliased; the ends are taken from an offset of 0 so that they do not ring."""
    ratio = Fraction(RATE / rate).limit_denominator(1000)
    if ratio == 1:
        return signals
    offset = np.median(signals, axis=1, keepdims=True)
    return resample_poly(signals - offset, ratio.numerator, ratio.denominator, axis=1, padtype="line")


def _steady(signals: NDArray) -> NDArray[np.float64]:
    """Without baseline wander (zero-phase high-pass at 0.4 Hz, which leaves the ST segment as it is) and mains hum."""
    sections = delineation.butterworth(2, BASELINE_HZ, btype="highpass", fs=RATE, output="sos")
    centred = signals - np.median(signals, axis=1, keepdims=True)
    steady = sosfiltfilt(sections, centred, axis=1, padlen=min(signals.shape[1] - 1, round(2 * RATE)))
    taper = np.hanning(steady.shape[1])
    time = np.arange(steady.shape[1]) / RATE
    for mains in MAINS_HZ:
        # No "@": the threads of BLAS would spin on for a while, and slow the networks that come next.
        hum = 2 * np.abs(np.einsum("lt,t->l", steady, taper * np.exp(2j * np.pi * mains * time))) / taper.sum()
        rows = hum > LEAST_HUM_MV
        # Only leads that hum: a notch rings a little around a sharp QRS.
        if rows.any():
            b, a = iirnotch(mains, 30.0, fs=RATE)
            steady[rows] = filtfilt(b, a, steady[rows], axis=1)
    return steady


def _p_likeness(beats: NDArray, middle: NDArray, p_onset: int, qrs_onset: int) -> float:
    """How far the single beats repeat the median's P wave (median correlation): fibrillation waves do not."""
    if len(beats) < 3:
        return 1.0
    part = slice(max(0, p_onset - 10), max(p_onset + 20, qrs_onset - 10))
    return float(np.median(delineation.correlations(beats[:, :, part], middle[:, part])))


def _frontal_axis(millivolts: NDArray, lead_mask: NDArray[np.bool_], offset: int) -> float | None:
    """Mean frontal QRS axis, degrees in (-180, 180], from the net QRS areas of I and aVF; None where one is missing.

    aVF is taken 2/sqrt(3) times, as augmented leads are shorter than bipolar ones.
    """
    rows = [LEADS.index("I"), LEADS.index("aVF")]
    area = millivolts[rows, ONSET : offset + 1].sum(axis=1, dtype=np.float64)
    if not lead_mask[rows].all() or np.hypot(*area) < 1e-6:
        return None
    return float(np.degrees(np.arctan2(area[1] * 2 / np.sqrt(3), area[0])))


def measured(
    beat: RepresentativeBeat,
    *,
    device_ms: Mapping[str, float] | None = None,
    stated_paced: bool = False,
    female: bool | None = None,
) -> MedianBeat:
    """Cut a beat to the network's form and measure it; ``device_ms`` and ``stated_paced`` are those of ``Ecg``.

    The device's own measurements win where the file stores them; else QTc is Bazett's.
    """
    marks, mask, rr = beat.marks, beat.lead_mask, beat.rr_s
    padded = np.pad(beat.millivolts, ((0, 0), (ONSET, SAMPLES)), mode="edge")
    millivolts = padded[:, marks.qrs_onset : marks.qrs_onset + SAMPLES].astype(np.float32)
    width = (marks.qrs_offset - marks.qrs_onset) * MS_PER_SAMPLE
    offset = ONSET + marks.qrs_offset - marks.qrs_onset
    values: dict[str, float | None] = {
        "qrs": width if PLAUSIBLE_QRS_MS[0] <= width <= PLAUSIBLE_QRS_MS[1] else None,
        "pr": None if marks.p_onset is None else (marks.qrs_onset - marks.p_onset) * MS_PER_SAMPLE,
        "qt": None if marks.t_end is None else (marks.t_end - marks.qrs_onset) * MS_PER_SAMPLE,
        "axis": _frontal_axis(millivolts, mask, offset),
    }
    device = {name: float(value) for name, value in (device_ms or {}).items() if np.isfinite(value)}
    values |= device
    qrs_ms, pr_ms, qt_ms, axis_deg = (values[name] for name in ("qrs", "pr", "qt", "axis"))
    bazett = None if qt_ms is None or not rr else qt_ms / np.sqrt(rr)
    rate_bpm = 60.0 / rr if rr else None
    waves = {LEADS[row]: qrs_waves(millivolts[row], ONSET, offset) for row in np.flatnonzero(mask)}
    table = np.full((6, len(LEADS)), np.nan, dtype=np.float32)
    for name, found in waves.items():
        table[:, LEADS.index(name)] = np.ravel([(wave.duration_ms, abs(wave.peak_mv)) for wave in q_r_s(found)])
    ms = np.nan if qrs_ms is None else qrs_ms
    qrs = Qrs(millivolts, mask, waves, ms, offset, axis_deg, pr_ms, female)
    conduction = classify_conduction(qrs, rate_bpm=rate_bpm, spiked=beat.spiked, stated_paced=stated_paced)
    qtc_ms = device.get("qtc", bazett)
    stated = tuple(name for name in ("qrs", "pr", "qt", "qtc", "axis") if name in device)
    measures = (rate_bpm, qrs_ms, pr_ms, qt_ms, qtc_ms, axis_deg, conduction)
    q_ms, q_mv, r_ms, r_mv, s_ms, s_mv = table
    features = EcgFeatures(*measures, q_ms, q_mv, r_ms, r_mv, s_ms, s_mv, stated, beat.irregular)
    return MedianBeat(millivolts, mask, features)
