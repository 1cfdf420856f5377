"""From a whole recording to one representative beat, and to the form that the network reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt, iirnotch, resample_poly, sosfiltfilt

from ScarSegECGLib.case import LEADS, Ecg, MedianBeat
from ScarSegECGLib.ecg.beats import aligned, bridge_spikes, find_beats, find_spikes, windows
from ScarSegECGLib.ecg.checks import FEWEST_LEADS
from ScarSegECGLib.ecg.delineation import Delineation, delineate
from ScarSegECGLib.ecg.features import measure_features
from ScarSegECGLib.ecg.waves import ONSET, RATE, SAMPLES
from ScarSegECGLib.errors import InputError

BASELINE_HZ = 0.4
BEFORE_S, AFTER_S = 0.45, 0.65
MAINS_HZ = (50.0, 60.0)
LEAST_HUM_MV = 0.02
STEADY_P, STEADY_P_IRREGULAR = 0.6, 0.9
IRREGULAR = 0.15  # root mean square of successive differences of RR, as a share of the mean RR


@dataclass(frozen=True)
class RepresentativeBeat:
    """The median of the usual beats with what lies around it, at 500 Hz.

    ``millivolts`` is float64, shape (12, 550), rows of missing leads zero; ``rr_s`` the median distance between beats
    (None for a single one); ``spiked`` the share of beats with a pacemaker spike in the 100 ms around the QRS onset;
    ``marks`` the waves; ``irregular`` whether the beats' distances vary as in atrial fibrillation.
    """

    millivolts: NDArray[np.float64]
    lead_mask: NDArray[np.bool_]
    rr_s: float | None
    spiked: float
    marks: Delineation
    irregular: bool


def median_beat(ecg: Ecg, *, female: bool | None = None) -> MedianBeat:
    """The median beat of a recording in the network's form, with its features.

    ``female`` is the patient's sex, for the criteria of bundle branch block and hypertrophy that depend on it.

    Returns
    -------
    MedianBeat
        float32 (12, 300) mV at 500 Hz, QRS onset at sample 100, the 20 ms before it at 0.

    Raises
    ------
    InputError
        Fewer than 8 leads, or no beat found.
    """
    beat = representative_beat(ecg)
    padded = np.pad(beat.millivolts, ((0, 0), (ONSET, SAMPLES)), mode="edge")
    millivolts = padded[:, beat.marks.qrs_onset : beat.marks.qrs_onset + SAMPLES].astype(np.float32)
    features = measure_features(
        millivolts,
        beat.lead_mask,
        marks=beat.marks,
        rr_s=beat.rr_s,
        spiked=beat.spiked,
        device_ms=ecg.device_ms,
        stated_paced=ecg.stated_paced,
        female=female,
        irregular=beat.irregular,
    )
    return MedianBeat(millivolts=millivolts, lead_mask=beat.lead_mask.copy(), features=features)


def representative_beat(ecg: Ecg) -> RepresentativeBeat:
    """Find the beats, lay them on one another and take the median; errors as those of :func:`median_beat`."""
    mask = np.array(ecg.lead_mask, dtype=bool)
    if mask.sum() < FEWEST_LEADS:
        raise InputError(f"Only {int(mask.sum())} of 12 ECG leads are usable; at least {FEWEST_LEADS} are needed.")
    recorded = np.asarray(ecg.millivolts, dtype=np.float64)[mask]
    spikes = find_spikes(recorded, ecg.rate)
    signals = _steady(_at_500_hz(bridge_spikes(recorded, ecg.rate, spikes), ecg.rate))
    found = find_beats(signals, RATE)
    centres, usual = aligned(signals, found, RATE)
    if not len(centres):
        raise InputError("No heart beat was found in the ECG: check the recording.")
    typical = centres[usual]
    before, after = round(BEFORE_S * RATE), round(AFTER_S * RATE)
    beats = _whole_beats(signals, typical, before, after)
    middle = np.median(beats, axis=0)
    distances = np.diff(found)
    rr = float(np.median(distances)) / RATE if len(distances) else None
    # The next beat's P wave is at most some 250 ms before its QRS.
    last = None if rr is None else before + round(max(rr - 0.2, 0.6 * rr) * RATE)
    marks = delineate(middle, before, RATE, last=last)
    irregular = len(distances) >= 4 and float(np.sqrt(np.mean(np.diff(distances) ** 2))) > IRREGULAR * distances.mean()
    steady = STEADY_P_IRREGULAR if irregular else STEADY_P
    if marks.p_onset is not None and _p_likeness(beats, middle, marks.p_onset, marks.qrs_onset) < steady:
        marks = replace(marks, p_onset=None)
    millivolts = np.zeros((len(LEADS), before + after))
    millivolts[mask] = middle - middle[:, max(0, marks.qrs_onset - 10) : marks.qrs_onset].mean(axis=1, keepdims=True)
    onsets_s = (typical - before + marks.qrs_onset) / RATE
    return RepresentativeBeat(millivolts, mask, rr, _spiked(spikes / ecg.rate, onsets_s), marks, bool(irregular))


def _at_500_hz(signals: NDArray, rate: float) -> NDArray[np.float64]:
    """Resample to 500 Hz, anti-aliased; the ends are taken from an offset of 0 so that they do not ring."""
    ratio = Fraction(RATE / rate).limit_denominator(1000)
    if ratio == 1:
        return signals
    offset = np.median(signals, axis=1, keepdims=True)
    return resample_poly(signals - offset, ratio.numerator, ratio.denominator, axis=1, padtype="line")


def _steady(signals: NDArray) -> NDArray[np.float64]:
    """Without baseline wander (zero-phase high-pass at 0.4 Hz, which leaves the ST segment as it is) and mains hum."""
    sections = butter(2, BASELINE_HZ, btype="highpass", fs=RATE, output="sos")
    centred = signals - np.median(signals, axis=1, keepdims=True)
    steady = sosfiltfilt(sections, centred, axis=1, padlen=min(signals.shape[1] - 1, round(2 * RATE)))
    taper = np.hanning(steady.shape[1])
    time = np.arange(steady.shape[1]) / RATE
    for mains in MAINS_HZ:
        hum = 2 * np.abs(steady @ (taper * np.exp(-2j * np.pi * mains * time))) / taper.sum()
        rows = hum > LEAST_HUM_MV
        # Only leads that hum: a notch rings a little around a sharp QRS.
        if rows.any():
            b, a = iirnotch(mains, 30.0, fs=RATE)
            steady[rows] = filtfilt(b, a, steady[rows], axis=1)
    return steady


def _whole_beats(signals: NDArray, centres: NDArray[np.intp], before: int, after: int) -> NDArray[np.float64]:
    """Windows around the beats that lie wholly inside the recording, or around all with edges held where none does."""
    whole = centres[(centres >= before) & (centres + after <= signals.shape[1])]
    if len(whole):
        return windows(signals, whole, before, after)
    padded = np.pad(signals, ((0, 0), (before, after)), mode="edge")
    return windows(padded, centres + before, before, after)


def _p_likeness(beats: NDArray, middle: NDArray, p_onset: int, qrs_onset: int) -> float:
    """How far the single beats repeat the median's P wave (median correlation): fibrillation waves do not."""
    if len(beats) < 3:
        return 1.0
    part = slice(max(0, p_onset - 10), max(p_onset + 20, qrs_onset - 10))
    single = beats[:, :, part] - beats[:, :, part].mean(axis=2, keepdims=True)
    model = middle[:, part] - middle[:, part].mean(axis=1, keepdims=True)
    size = np.sqrt(np.sum(single**2, axis=(1, 2)) * np.sum(model**2))
    return float(np.median(np.sum(single * model, axis=(1, 2)) / np.maximum(size, 1e-12)))


def _spiked(spikes_s: NDArray, onsets_s: NDArray) -> float:
    """Share of beats with a spike from 60 ms before to 40 ms after the QRS onset."""
    lag = spikes_s[None, :] - onsets_s[:, None]
    return float(np.mean(np.any((lag >= -0.06) & (lag <= 0.04), axis=1)))
