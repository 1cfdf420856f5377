"""Where the beats are, from all leads at once; pacemaker spikes are found by their shape and bridged beforehand.

Signals are arrays (leads, samples) of recorded leads only, mV; ``rate`` is in samples per second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

# A stimulus lasts 0.4-2 ms, and a few ms more after a recorder's filters; no ventricular depolarisation does.
LONGEST_SPIKE_S, LEAST_SPIKE_MV, LEAST_LEADS = 0.008, 0.25, 2
REFRACTORY_S = 0.25
T_WAVE_REACH_S = 0.4
USUAL_LIKENESS = 0.8


def find_spikes(millivolts: NDArray, rate: float) -> NDArray[np.intp]:
    """Sample numbers of pacemaker spikes in order of time, at least 10 ms apart.

    A spike is a deflection narrower than 8 ms that leaves the line between the samples on either side of it by at
    least 0.25 mV in two or more leads at once, and that is many times greater than what the leads usually do in 8 ms.
    """
    signal = np.asarray(millivolts, dtype=np.float64)
    half = max(1, round(LONGEST_SPIKE_S * rate / 2))
    # A QRS bends too: compare with how far it bends over twice the width, where a spike bends no further.
    excess, wide = (np.pad(bend(signal, reach), ((0, 0), (reach, reach))) for reach in (half, 2 * half))
    sharp = (excess >= LEAST_SPIKE_MV) & (excess >= 0.8 * wide)
    usual = np.quantile(excess, 0.98, axis=1, keepdims=True)
    candidates = np.flatnonzero((sharp & (excess > 4 * usual)).sum(axis=0) >= LEAST_LEADS)
    strength = excess.sum(axis=0)
    apart = max(1, round(0.01 * rate))
    spikes: list[int] = []
    for sample in candidates.tolist():
        if not spikes or sample - spikes[-1] >= apart:
            spikes.append(sample)
        elif strength[sample] > strength[spikes[-1]]:
            spikes[-1] = sample
    return np.asarray(spikes, dtype=np.intp)


def bend(signals: NDArray, reach: int) -> NDArray:
    """How far each sample is from the line between those ``reach`` before and after; (leads, samples - 2 reach)."""
    return np.abs(signals[:, reach:-reach] - (signals[:, : -2 * reach] + signals[:, 2 * reach :]) / 2)


def bridge_spikes(millivolts: NDArray, rate: float, spikes: NDArray[np.intp]) -> NDArray[np.float64]:
    """The signals with 6 ms either side of every spike replaced by a straight line."""
    bridged = np.array(millivolts, dtype=np.float64)
    reach = max(1, round(0.006 * rate))
    for spike in spikes:
        left, right = max(0, spike - reach), min(bridged.shape[1] - 1, spike + reach)
        weight = np.linspace(0.0, 1.0, right - left + 1)
        bridged[:, left : right + 1] = bridged[:, [left]] * (1 - weight) + bridged[:, [right]] * weight
    return bridged


def qrs_energy(millivolts: NDArray, rate: float) -> NDArray[np.float64]:
    """How much the QRS band (4-30 Hz) moves, over all leads, averaged over 100 ms; (samples,), mV per sample interval.

    A wide QRS, which moves slowly but in many leads, stays visible beside its T wave.
    """
    band = butter(2, (4.0, min(30.0, 0.45 * rate)), btype="bandpass", fs=rate, output="sos")
    padding = min(millivolts.shape[1] - 1, round(rate))
    moved = np.gradient(sosfiltfilt(band, millivolts, axis=1, padlen=padding), axis=1)
    # One noisy lead must not drown the others: each is limited to a few times what the median lead does.
    size = np.quantile(np.abs(moved), 0.98, axis=1, keepdims=True)
    limit = 3 * np.median(size)
    moved = np.clip(moved * np.minimum(1.0, limit / np.maximum(size, 1e-12)), -4 * limit, 4 * limit)
    return uniform_filter1d(np.sqrt(np.sum(moved**2, axis=0)), max(1, round(0.1 * rate)))


def find_beats(millivolts: NDArray, rate: float) -> NDArray[np.intp]:
    """Sample numbers of the QRS complexes' centres, in order of time, good to some 20 ms; see :func:`aligned`."""
    energy = qrs_energy(millivolts, rate)
    # The beats' usual height: the median over 2 s windows of the greatest energy, as every one holds a beat.
    usual = float(np.median(maximum_filter1d(energy, round(2.0 * rate))))
    peaks, _ = find_peaks(energy, height=0.3 * usual, distance=max(1, round(REFRACTORY_S * rate)))
    kept: list[int] = []
    for peak in peaks.tolist():
        # Two so near each other are a QRS and its T wave, unless both are of a height (tachycardia).
        near = bool(kept) and peak - kept[-1] < T_WAVE_REACH_S * rate
        if near and energy[peak] < 0.6 * energy[kept[-1]]:
            continue
        if near and energy[kept[-1]] < 0.6 * energy[peak]:
            kept[-1] = peak
        else:
            kept.append(peak)
    return np.asarray(kept, dtype=np.intp)


def windows(millivolts: NDArray, centres: NDArray[np.intp], before: int, after: int) -> NDArray[np.float64]:
    """Cut ``[centre - before, centre + after)`` around every centre; shape (beats, leads, before + after)."""
    index = centres[:, None] + np.arange(-before, after)[None, :]
    return np.moveaxis(np.asarray(millivolts, dtype=np.float64)[:, index], 0, 1)


def aligned(millivolts: NDArray, centres: NDArray[np.intp], rate: float) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Shift the centres so that the beats lie on one another, and tell the usual beats from the ectopic ones.

    Each beat is compared with the most typical one over 240 ms in all leads, at shifts up to 60 ms. Usual are beats
    that correlate at least 0.8 with it; all are where fewer than two do.
    """
    half, reach = round(0.12 * rate), round(0.06 * rate)
    samples = millivolts.shape[1]
    centres = centres[(centres >= half + 2 * reach) & (centres < samples - half - 2 * reach)]
    if len(centres) < 2:
        return centres, np.ones(len(centres), dtype=bool)
    likeness = _correlation_of_all(windows(millivolts, centres, half + reach, half + reach))
    first = int(np.argmax(np.median(likeness, axis=1)))
    template = windows(millivolts, centres[[first]], half, half)[0]
    for _ in range(2):
        wide = windows(millivolts, centres, half + reach, half + reach)
        pieces = np.lib.stride_tricks.sliding_window_view(wide, 2 * half, axis=2)
        scores = _correlations(pieces, template)
        centres = np.clip(centres + np.argmax(scores, axis=1) - reach, half + reach, samples - half - reach - 1)
        usual = np.max(scores, axis=1) >= USUAL_LIKENESS
        if usual.any():
            template = np.median(windows(millivolts, centres[usual], half, half), axis=0)
    return centres, usual if usual.sum() >= 2 else np.ones(len(centres), dtype=bool)


def _correlations(pieces: NDArray, template: NDArray) -> NDArray[np.float64]:
    """Correlation over leads and time of every (beat, lead, shift, time) piece with the template; (beat, shift)."""
    flat = template - template.mean(axis=1, keepdims=True)
    # The template has mean 0 in every lead, so the pieces' means drop out of the product.
    product = np.einsum("blst,lt->bs", pieces, flat)
    mean = np.einsum("blst->bls", pieces) / pieces.shape[3]
    energy = np.einsum("blst,blst->bs", pieces, pieces) - np.einsum("bls,bls->bs", mean, mean) * pieces.shape[3]
    return product / np.sqrt(np.maximum(energy * np.sum(flat**2), 1e-18))


def _correlation_of_all(beats: NDArray) -> NDArray[np.float64]:
    """Correlation of every beat with every other over leads and time; shape (beats, beats)."""
    flat = (beats - beats.mean(axis=2, keepdims=True)).reshape(len(beats), -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return flat @ flat.T
