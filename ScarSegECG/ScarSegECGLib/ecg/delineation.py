"""Where the beats are, and where the waves of a representative beat begin and end.

The QRS limits are taken on the *spatial velocity*. It falls by a factor of ten or more within some 10 ms at either end
of a QRS, narrow or wide, so that the limits hardly depend on the threshold; the amplitude (which ST deviation shifts)
and a single lead (which may be isoelectric there) do not have this. Signals and beats are arrays (leads, samples), mV,
of recorded leads only; ``rate`` is in samples per second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

butterworth = lru_cache(butter)  # every ECG asks for the same few filters
RATE, SAMPLES, ONSET = 500.0, 300, 100  # the network's form of the median beat
MS_PER_SAMPLE = 1000.0 / RATE
SMOOTHING_HZ = 40.0
SHARE_OF_PEAK = 0.035
LEAST_VELOCITY = 5.0  # mV/s over 12 leads: 10 uV within 8 ms in half of them
NOISE_FACTOR = 2.5
NOTCH_S = 0.020  # the longest pause within a QRS, at a notch; a longer one is its end
ONSET_PAUSE_S = 0.008  # a P wave may end this short before a QRS
WIDEST_QRS_S = 0.240
ST_SHARE = 0.12
LONGEST_TAIL_S = 0.060
VERY_WIDE_S, STEEP_SHARE = 0.190, 0.3  # beyond this width only steep parts are surely QRS, the rest may be T wave
SLOW_SHARE = 0.15  # of the steepest slope: where a T wave ends
P_SLOW_SHARE = 0.25  # the same for a P wave, which rises little over the noise
P_SEARCH_S = (0.200, 0.260)
LEAST_P_MV = 0.03
LEAST_T_MV = 0.04
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
    in_many = (sharp & (excess > 4 * usual)).sum(axis=0) >= LEAST_LEADS
    return find_peaks(np.where(in_many, excess.sum(axis=0), 0.0), distance=max(1, round(0.01 * rate)))[0]


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
    band = butterworth(2, (4.0, min(30.0, 0.45 * rate)), btype="bandpass", fs=rate, output="sos")
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
    wide = windows(millivolts, centres, half + reach, half + reach)
    flat = (wide - wide.mean(axis=2, keepdims=True)).reshape(len(wide), -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    first = int(np.argmax(np.median(flat @ flat.T, axis=1)))
    template = windows(millivolts, centres[[first]], half, half)[0]
    for _ in range(2):
        wide = windows(millivolts, centres, half + reach, half + reach)
        scores = correlations(wide, template)
        centres = np.clip(centres + np.argmax(scores, axis=1) - reach, half + reach, samples - half - reach - 1)
        usual = np.max(scores, axis=1) >= USUAL_LIKENESS
        if usual.any():
            template = np.median(windows(millivolts, centres[usual], half, half), axis=0)
    return centres, usual if usual.sum() >= 2 else np.ones(len(centres), dtype=bool)


def correlations(beats: NDArray, template: NDArray) -> NDArray[np.float64]:
    """Correlation over leads and time of every (beat, lead, time) with the template at every shift; (beat, shift)."""
    length = template.shape[1]
    flat = template - template.mean(axis=1, keepdims=True)
    # The template has mean 0 in every lead, so the beats' means drop out of the product.
    product = np.einsum("blst,lt->bs", np.lib.stride_tricks.sliding_window_view(beats, length, axis=2), flat)
    running = np.cumsum(np.pad([beats, beats**2], ((0, 0), (0, 0), (0, 0), (1, 0))), axis=3)
    total, squares = running[..., length:] - running[..., :-length]
    energy = (squares - total**2 / length).sum(axis=1)
    return product / np.sqrt(np.maximum(energy * np.sum(flat**2), 1e-18))


@dataclass(frozen=True)
class Delineation:
    """Sample numbers in the representative beat; None where a wave was not found."""

    qrs_onset: int
    qrs_offset: int
    p_onset: int | None
    t_end: int | None


def spatial_velocity(beat: NDArray, rate: float) -> NDArray[np.float64]:
    """Root of the summed squares of all leads' slopes after smoothing at 40 Hz; (samples,), mV/s."""
    smoothing = butterworth(2, SMOOTHING_HZ, fs=rate, output="sos")
    smooth = sosfiltfilt(smoothing, beat, axis=1, padlen=min(beat.shape[1] - 1, 60))
    return np.sqrt(np.sum((np.gradient(smooth, axis=1) * rate) ** 2, axis=0))


def delineate(beat: NDArray, centre: int, rate: float, *, last: int | None = None) -> Delineation:
    """Find QRS onset and offset, P onset and T end in one beat with what lies around it.

    ``centre`` is a sample inside the QRS; the T wave is looked for up to ``last``, where the next P wave may begin.
    """
    clean = beat[_quiet_leads(beat, rate)]
    onset, offset = _qrs_limits(spatial_velocity(clean, rate), centre, rate, leads=len(clean))
    # The 200 ms before the QRS hold no T wave but in tachycardia; 260 ms are looked through only where they show no P.
    found = (_p_onset_within(beat, onset, seconds, rate) for seconds in P_SEARCH_S)
    p_onset = next((sample for sample in found if sample is not None), None)
    return Delineation(onset, offset, p_onset, _t_end(beat[:, :last], offset, rate))


def _quiet_leads(beat: NDArray, rate: float) -> NDArray[np.bool_]:
    """Leads fit for the spatial velocity: not those whose slope at rest is over 4 times the median lead's.

    One lead full of mains hum would lift the noise floor of all. Shape (leads,), at least half of them true.
    """
    rest = np.percentile(np.abs(np.gradient(beat, axis=1)) * rate, 40, axis=1)
    quiet = np.sort(rest)[: max(1, len(rest) // 2)]
    return rest <= max(4 * float(np.median(quiet)), float(quiet[-1]), 0.5)


def _qrs_limits(velocity: NDArray, centre: int, rate: float, *, leads: int) -> tuple[int, int]:
    """First and last sample of the QRS around ``centre``, from its :func:`spatial_velocity`.

    From the fastest point outwards until the velocity stays for 8 ms (before the QRS) or 20 ms (after it) under the
    greatest of 3.5 % of its peak, 2.5 times the noise floor and 5 mV/s (for 12 leads). Where the ST segment is
    itself steep, as in left bundle branch block, the end is where the velocity comes down to the ST segment's; where
    it stays in between for over 60 ms, that is the T wave, and the end is the slowest point before it. Beyond
    190 ms the same is done from the last steep part (30 % of the peak) on.
    """
    reach = round(0.1 * rate)
    start = max(0, centre - reach)
    fastest = start + int(np.argmax(velocity[start : centre + reach + 1]))
    peak = float(velocity[fastest])
    floor = float(np.percentile(velocity, 10))
    threshold = max(SHARE_OF_PEAK * peak, NOISE_FACTOR * floor, LEAST_VELOCITY * np.sqrt(leads / 12))
    onset = fastest - _reach_of(velocity[fastest::-1] >= threshold, rate, ONSET_PAUSE_S)
    down = fastest + _reach_of(velocity[fastest:] >= ST_SHARE * peak, rate, NOTCH_S)
    after = velocity[down + round(0.02 * rate) : down + round(0.1 * rate)]
    steepness = 1.3 * float(np.percentile(after, 25)) if after.size else 0.0
    offset = fastest + _reach_of(velocity[fastest:] >= max(threshold, min(steepness, ST_SHARE * peak)), rate, NOTCH_S)
    tail = round(LONGEST_TAIL_S * rate)
    if offset - onset > round(VERY_WIDE_S * rate):
        down = fastest + _reach_of(velocity[fastest:] >= STEEP_SHARE * peak, rate, NOTCH_S)
    if offset - down > tail:
        offset = down + int(np.argmin(velocity[down : down + tail]))
    return onset, offset


def _reach_of(active: NDArray[np.bool_], rate: float, pause_s: float) -> int:
    """How far the activity that begins at 0 lasts across pauses up to ``pause_s``; at most 240 ms."""
    active = active[: round(WIDEST_QRS_S * rate) + 1]
    steps = np.flatnonzero(active)
    if not steps.size:
        return 0
    broken = np.flatnonzero(np.diff(steps) > round(pause_s * rate))
    return int(steps[broken[0]] if broken.size else steps[-1])


def _first_component(piece: NDArray) -> NDArray[np.float64]:
    """The one time course that explains most of all leads; (samples,), its greatest value positive, mV."""
    left, size, right = np.linalg.svd(piece, full_matrices=False)
    course = size[0] * right[0] * np.max(np.abs(left[:, 0]))
    return course if course.max() >= -course.min() else -course


def _p_onset_within(beat: NDArray, qrs_onset: int, seconds: float, rate: float) -> int | None:
    """Onset of the P wave in the given time before the QRS; None in atrial fibrillation, junctional or paced rhythm.

    The P wave is the highest hump of the leads' first principal component there, over the line through both ends of
    that time (the last T wave may still be coming down). It begins where its rise, going backwards from the steepest
    point, slows to 25 % of that.
    """
    start = qrs_onset - round(seconds * rate)
    stop = qrs_onset - round(0.01 * rate)
    if start < 0:
        return None
    piece = gaussian_filter1d(np.asarray(beat[:, start:stop], dtype=np.float64), 0.006 * rate, axis=1)
    edge = round(0.01 * rate)
    line = np.linspace(piece[:, :edge].mean(axis=1), piece[:, -edge:].mean(axis=1), piece.shape[1], axis=1)
    course = _first_component(piece - line)
    top = int(np.argmax(course))
    if course[top] < LEAST_P_MV or top < round(0.03 * rate) or top > len(course) - round(0.02 * rate):
        return None
    rise = np.gradient(course)[: top + 1]
    earliest = max(0, top - round(0.09 * rate))
    steep = earliest + int(np.argmax(rise[earliest:]))
    slow = np.flatnonzero(rise[:steep] <= P_SLOW_SHARE * rise[steep])
    return start + int(slow[-1]) if slow.size and slow[-1] > edge else None


def _t_end(beat: NDArray, qrs_offset: int, rate: float) -> int | None:
    """End of the T wave: where its descent, after the steepest point, slows to 15 % of that.

    On the first principal component of the leads after the QRS. Tangents were tried and ended some 25 ms before the
    devices, which take the latest end of any lead.
    """
    start = qrs_offset + round(0.06 * rate)
    if beat.shape[1] - start < round(0.15 * rate):
        return None
    piece = gaussian_filter1d(np.asarray(beat[:, start:], dtype=np.float64), 0.01 * rate, axis=1)
    course = _first_component(piece - piece[:, -round(0.03 * rate) :].mean(axis=1, keepdims=True))
    top = int(np.argmax(course))
    fall = -np.gradient(course)[top:]
    if course[top] < LEAST_T_MV or len(fall) < round(0.03 * rate):
        return None
    steep = int(np.argmax(fall))
    slow = np.flatnonzero(fall[steep:] <= SLOW_SHARE * fall[steep])
    return start + top + steep + int(slow[0]) if slow.size else None
