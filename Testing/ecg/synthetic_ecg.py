"""ECGs made of bumps whose beginnings and ends are known: synthetic, no simulation of a heart."""

from __future__ import annotations

import numpy as np

from ScarSegECGLib.case import LEADS, Ecg

RATE = 500.0

# Bumps per lead: (start ms, stop ms after the QRS onset, mV). Limb leads other than I and II are derived.
NARROW = {
    "I": ((0, 20, -0.1), (16, 70, 1.0), (60, 90, -0.2)),
    "II": ((0, 20, -0.08), (16, 70, 1.2), (60, 90, -0.2)),
    "V1": ((0, 30, 0.25), (26, 90, -1.1)),
    "V2": ((0, 34, 0.4), (28, 90, -1.4)),
    "V3": ((0, 44, 0.7), (38, 90, -0.9)),
    "V4": ((0, 18, -0.08), (14, 66, 1.4), (58, 90, -0.4)),
    "V5": ((0, 20, -0.1), (16, 70, 1.4), (62, 90, -0.2)),
    "V6": ((0, 20, -0.1), (16, 72, 1.1), (64, 90, -0.1)),
}
# Slow, broad and notched to the left; QS to the right.
LBBB = {
    "I": ((0, 100, 0.8), (60, 160, 0.8)),
    "II": ((0, 100, 0.5), (60, 160, 0.5)),
    "V1": ((0, 110, -1.2), (50, 160, -0.9)),
    "V2": ((0, 110, -1.6), (50, 160, -1.2)),
    "V3": ((0, 110, -1.2), (50, 160, -0.8)),
    "V4": ((0, 110, 0.5), (50, 160, -0.3)),
    "V5": ((0, 100, 0.9), (60, 160, 0.9)),
    "V6": ((0, 100, 1.0), (60, 160, 1.0)),
}
RBBB = {
    "I": ((0, 18, -0.08), (14, 66, 0.9), (56, 140, -0.35)),
    "II": ((0, 18, -0.08), (14, 66, 1.0), (56, 140, -0.3)),
    "V1": ((0, 30, 0.25), (24, 66, -0.6), (58, 140, 0.8)),
    "V2": ((0, 34, 0.4), (28, 76, -0.9), (66, 140, 0.5)),
    "V3": ((0, 44, 0.7), (38, 140, -0.5)),
    "V4": ((0, 18, -0.08), (14, 66, 1.3), (56, 140, -0.4)),
    "V5": ((0, 20, -0.1), (16, 70, 1.3), (60, 140, -0.4)),
    "V6": ((0, 20, -0.1), (16, 70, 1.0), (60, 140, -0.4)),
}
LAFB = NARROW | {
    "I": ((0, 20, -0.12), (16, 95, 0.9)),
    "II": ((0, 40, 0.3), (34, 105, -1.0)),
}


def bump(time_ms: np.ndarray, start: float, stop: float, height: float) -> np.ndarray:
    """A squared-cosine hump that is exactly 0 outside (start, stop)."""
    phase = (time_ms - start) / (stop - start)
    return np.where((phase > 0) & (phase < 1), height * np.sin(np.pi * np.clip(phase, 0, 1)) ** 2, 0.0)


def synthetic_ecg(
    qrs=NARROW,
    *,
    seconds: float = 10.0,
    rate: float = RATE,
    bpm: float = 70.0,
    noise_mv: float = 0.01,
    p_wave: bool = True,
    t_sign: float = 1.0,
    spikes: bool = False,
    first_onset_s: float = 0.7,
    st_ms: float = 60.0,
    seed: int = 0,
) -> tuple[Ecg, np.ndarray]:
    """A 12-lead ECG and its QRS onsets, s; P wave 160 to 60 ms before the QRS, T wave ``st_ms`` to 260 ms after it."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate * 1000.0
    onsets = np.arange(first_onset_s, seconds, 60.0 / bpm)
    leads = {}
    for name, bumps in qrs.items():
        width = max(stop for _, stop, _ in bumps)
        net = sum((stop - start) * height for start, stop, height in bumps)
        signal = np.zeros_like(time)
        for onset in onsets * 1000.0:
            for start, stop, height in bumps:
                signal += bump(time, onset + start, onset + stop, height)
            if p_wave:
                signal += bump(time, onset - 160, onset - 60, 0.1 * (-1 if name == "V1" else 1))
            signal += bump(time, onset + width + st_ms, onset + width + 260, t_sign * 0.25 * np.sign(net))
        wander = 0.1 * np.sin(2 * np.pi * 0.2 * time / 1000 + rng.uniform(0, 6))
        leads[name] = signal + wander + rng.normal(0, noise_mv, signal.shape)
    one, two = leads["I"], leads["II"]
    leads |= {"III": two - one, "aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
    millivolts = np.array([leads[name] for name in LEADS])
    if spikes:
        size = np.linspace(0.6, 1.5, 12) * np.where(np.arange(12) % 2, -1, 1)
        for onset in onsets:
            at = round((onset - 0.004) * rate)
            millivolts[:, at] += size
    return Ecg(millivolts.astype(np.float32), np.ones(12, dtype=bool), rate), onsets
