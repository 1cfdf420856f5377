"""Pacemaker spikes: found by their shape alone, and bridged before anything else is measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A stimulus lasts 0.4-2 ms, and a few ms more after a recorder's filters; no ventricular depolarisation does.
LONGEST_SPIKE_S = 0.008
LEAST_SPIKE_MV = 0.25
LEAST_LEADS = 2


def find_spikes(millivolts: NDArray, rate: float) -> NDArray[np.intp]:
    """Sample numbers of pacemaker spikes.

    A spike is a deflection narrower than 8 ms that leaves the line between the samples on either side of it by at
    least 0.25 mV in two or more leads at once, and that is many times greater than what the leads usually do in 8 ms.

    Parameters
    ----------
    millivolts : array, shape (leads, samples)
    rate : float
        Samples per second.

    Returns
    -------
    int array, shape (spikes,)
        In order of time, at least 10 ms apart.
    """
    if not len(millivolts):
        return np.zeros(0, dtype=np.intp)
    half = max(1, round(LONGEST_SPIKE_S * rate / 2))
    signal = np.asarray(millivolts, dtype=np.float64)
    chord = (signal[:, : -2 * half] + signal[:, 2 * half :]) / 2
    excess = np.zeros(signal.shape)
    excess[:, half:-half] = np.abs(signal[:, half:-half] - chord)
    # A QRS bends too: compare with how far it bends over twice the width, where a spike bends no further.
    wide = np.zeros(signal.shape)
    far = 2 * half
    wide[:, far:-far] = np.abs(signal[:, far:-far] - (signal[:, : -2 * far] + signal[:, 2 * far :]) / 2)
    sharp = (excess >= LEAST_SPIKE_MV) & (excess >= 0.8 * wide)
    usual = np.quantile(excess, 0.98, axis=1, keepdims=True)
    candidates = np.flatnonzero((sharp & (excess > 4 * usual)).sum(axis=0) >= min(LEAST_LEADS, len(signal)))
    strength = excess.sum(axis=0)
    apart = max(1, round(0.01 * rate))
    spikes: list[int] = []
    for sample in candidates:
        if spikes and sample - spikes[-1] < apart:
            if strength[sample] > strength[spikes[-1]]:
                spikes[-1] = int(sample)
        else:
            spikes.append(int(sample))
    return np.asarray(spikes, dtype=np.intp)


def bridge_spikes(millivolts: NDArray, rate: float, spikes: NDArray[np.intp]) -> NDArray[np.float64]:
    """The signals with 6 ms either side of every spike replaced by a straight line; shape (leads, samples)."""
    bridged = np.array(millivolts, dtype=np.float64)
    reach = max(1, round(0.006 * rate))
    last = bridged.shape[1] - 1
    for spike in spikes:
        left, right = max(0, spike - reach), min(last, spike + reach)
        weight = np.linspace(0.0, 1.0, right - left + 1)
        bridged[:, left : right + 1] = bridged[:, [left]] * (1 - weight) + bridged[:, [right]] * weight
    return bridged
