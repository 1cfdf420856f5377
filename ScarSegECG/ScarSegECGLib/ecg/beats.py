"""Where the beats are, from all leads at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

REFRACTORY_S = 0.25
T_WAVE_REACH_S = 0.4


def qrs_energy(millivolts: NDArray, rate: float) -> NDArray[np.float64]:
    """How much the QRS band (4-30 Hz) moves, over all leads, averaged over 100 ms.

    Parameters
    ----------
    millivolts : array, shape (leads, samples)
        Recorded leads only, without pacemaker spikes.
    rate : float

    Returns
    -------
    float64 array, shape (samples,)
        mV per sample interval; a wide QRS, which moves slowly but in many leads, stays visible beside its T wave.
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
    """Sample numbers of the QRS complexes' centres, in order of time.

    Parameters
    ----------
    millivolts : array, shape (leads, samples)
        Recorded leads only, without pacemaker spikes.
    rate : float
        Samples per second.

    Returns
    -------
    int array, shape (beats,)
        Centres of the QRS energy; good to some 20 ms, to be refined by :func:`aligned`.
    """
    energy = qrs_energy(millivolts, rate)
    # The beats' usual height: the median over 2 s windows of the greatest energy, as every one holds a beat.
    window = round(2.0 * rate)
    usual = float(np.median(maximum_filter1d(energy, window)))
    peaks, _ = find_peaks(energy, height=0.3 * usual, distance=max(1, round(REFRACTORY_S * rate)))
    reach = T_WAVE_REACH_S * rate
    kept: list[int] = []
    for peak in peaks:
        if kept and peak - kept[-1] < reach:
            # Two so near each other are a QRS and its T wave, unless both are of a height (tachycardia).
            if energy[peak] < 0.6 * energy[kept[-1]]:
                continue
            if energy[kept[-1]] < 0.6 * energy[peak]:
                kept[-1] = int(peak)
                continue
        kept.append(int(peak))
    return np.asarray(kept, dtype=np.intp)


def windows(millivolts: NDArray, centres: NDArray[np.intp], before: int, after: int) -> NDArray[np.float64]:
    """Cut ``[centre - before, centre + after)`` around every centre; shape (beats, leads, before + after)."""
    index = centres[:, None] + np.arange(-before, after)[None, :]
    return np.moveaxis(np.asarray(millivolts, dtype=np.float64)[:, index], 0, 1)


def aligned(millivolts: NDArray, centres: NDArray[np.intp], rate: float) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Shift the centres so that the beats lie on one another, and tell the usual beats from the ectopic ones.

    Each beat is compared with the most typical one over 240 ms in all leads, at shifts up to 60 ms.

    Returns
    -------
    centres : int array, shape (beats,)
    usual : bool array, shape (beats,)
        Beats that correlate at least 0.8 with the template. All true where fewer than three beats are there.
    """
    half, reach = round(0.12 * rate), round(0.06 * rate)
    samples = millivolts.shape[1]
    inside = (centres >= half + 2 * reach) & (centres < samples - half - 2 * reach)
    centres = centres[inside]
    if len(centres) < 2:
        return centres, np.ones(len(centres), dtype=bool)
    first = int(
        np.argmax(np.median(_correlation_of_all(windows(millivolts, centres, half + reach, half + reach)), axis=1))
    )
    template = windows(millivolts, centres[[first]], half, half)[0]
    shifts = np.arange(-reach, reach + 1)
    likeness = np.ones(len(centres))
    for _ in range(2):
        wide = windows(millivolts, centres, half + reach, half + reach)
        pieces = np.lib.stride_tricks.sliding_window_view(wide, 2 * half, axis=2)
        scores = _correlations(pieces, template)
        best = np.argmax(scores, axis=1)
        likeness = scores[np.arange(len(centres)), best]
        centres = np.clip(centres + shifts[best], half + reach, samples - half - reach - 1)
        good = likeness >= 0.8
        template = np.median(windows(millivolts, centres[good], half, half), axis=0) if good.any() else template
    usual = likeness >= 0.8
    return centres, usual if usual.sum() >= 2 else np.ones(len(centres), dtype=bool)


def _correlations(pieces: NDArray, template: NDArray) -> NDArray[np.float64]:
    """Correlation over leads and time of every (beat, lead, shift, time) piece with the template; (beat, shift)."""
    flat = template - template.mean(axis=1, keepdims=True)
    # The template has mean 0 in every lead, so the pieces' means drop out of the product.
    product = np.einsum("blst,lt->bs", pieces, flat)
    energy = np.einsum("blst,blst->bs", pieces, pieces) - np.sum(pieces.mean(axis=3) ** 2, axis=1) * pieces.shape[3]
    return product / np.sqrt(np.maximum(energy * np.sum(flat**2), 1e-18))


def _correlation_of_all(beats: NDArray) -> NDArray[np.float64]:
    """Correlation of every beat with every other over leads and time; shape (beats, beats)."""
    flat = (beats - beats.mean(axis=2, keepdims=True)).reshape(len(beats), -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return flat @ flat.T
