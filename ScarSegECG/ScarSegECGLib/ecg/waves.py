"""The deflections of a QRS, lead by lead, in the network's form of the median beat (500 Hz, onset at sample 100)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 500.0
SAMPLES = 300
ONSET = 100
MS_PER_SAMPLE = 1000.0 / RATE
# A deflection counts as a wave from 20 uV and 6 ms on (Common Standards for Electrocardiography, Eur Heart J 1985;
# 6: 815), and only where it is not noise on the scale of the lead's own QRS.
LEAST_WAVE_MV = 0.02
LEAST_WAVE_MS = 6.0
LEAST_WAVE_SHARE = 0.02


@dataclass(frozen=True)
class Wave:
    """One deflection of a QRS: its peak with sign (mV), its duration (ms) and its peak's sample in the beat."""

    peak_mv: float
    duration_ms: float
    at: int


def qrs_waves(lead: NDArray, onset: int, offset: int) -> tuple[Wave, ...]:
    """The deflections of one lead (mV at 500 Hz, isoelectric line at 0) from QRS onset to offset, in order of time.

    A wave lasts from one crossing of the isoelectric line to the next; crossings are interpolated between samples.
    """
    piece = np.asarray(lead[onset : offset + 1], dtype=np.float64)
    if piece.size < 3:
        return ()
    positive = piece > 0
    turns = np.flatnonzero(positive[1:] != positive[:-1])
    crossings = turns + piece[turns] / (piece[turns] - piece[turns + 1])
    edges = np.concatenate([[0.0], crossings, [piece.size - 1.0]])
    durations = np.diff(edges) * MS_PER_SAMPLE
    bounds = [0, *(turns + 1).tolist(), piece.size]
    least = max(LEAST_WAVE_MV, LEAST_WAVE_SHARE * float(np.ptp(piece)))
    waves = []
    for start, stop, duration in zip(bounds, bounds[1:], durations.tolist(), strict=False):
        top = start + int(np.argmax(np.abs(piece[start:stop])))
        if abs(piece[top]) >= least and duration >= LEAST_WAVE_MS:
            waves.append(Wave(float(piece[top]), duration, onset + top))
    return tuple(waves)


def q_r_s(waves: Sequence[Wave]) -> tuple[Wave | None, Wave | None, Wave | None]:
    """Q, R and S of one lead.

    Q is a negative wave before any positive one (a QS complex is a Q without R), R the highest positive wave, S the
    deepest negative wave after the first positive one.
    """
    first = next((k for k, wave in enumerate(waves) if wave.peak_mv > 0), len(waves))
    q = min(waves[:first], key=lambda wave: wave.peak_mv, default=None)
    r = max((wave for wave in waves[first:] if wave.peak_mv > 0), key=lambda wave: wave.peak_mv, default=None)
    s = min((wave for wave in waves[first:] if wave.peak_mv < 0), key=lambda wave: wave.peak_mv, default=None)
    return q, r, s
