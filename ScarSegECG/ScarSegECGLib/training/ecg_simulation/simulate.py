"""12-lead ECGs of hearts with a known scar: beats by the thousand, and noise for them.

Noise is synthetic, or what is left of real records when their median beat is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.beats import find_beats, windows
from ScarSegECGLib.ecg.delineation import RATE
from ScarSegECGLib.ecg.median_beat import AFTER_S, BASELINE_HZ, BEFORE_S
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.training.ecg_simulation.leads import ELECTRODES_MM, LEADS_FROM_ELECTRODES, Body, heart_leads

WINDOW_ONSET, WINDOW = round(BEFORE_S * RATE), round((BEFORE_S + AFTER_S) * RATE)
STEP_MS = round(1000 / RATE)
SAMPLES = round(10 * RATE)
MOST_MV = 0.6  # records whose residual exceeds this (irregular rhythm, extra beats) are left out


def simulate_beats(scar: NDArray, bodies: Body, conduction: Sequence[str], rate_bpm: NDArray) -> NDArray[np.float32]:
    """Beats of ``n`` simulated hearts, noiseless: float32 (n, 12, WINDOW), mV at 500 Hz, QRS from WINDOW_ONSET on.

    ``scar`` (n, 17) is the scar fraction of each AHA segment, 0..1; ``conduction`` n names of heart.SITES; ``rate_bpm``
    (n,) shortens the action potential.
    """
    fine = heart_leads(scar, bodies, conduction, rate_bpm, -STEP_MS * WINDOW_ONSET, STEP_MS * WINDOW)
    return fine[:, :, ::STEP_MS].astype(np.float32)


def _filtered(signal: NDArray, hertz: float | list[float], kind: str) -> NDArray[np.float64]:
    return sosfiltfilt(butter(2, hertz, kind, fs=RATE, output="sos"), signal)


def synthetic_noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """Ten seconds of baseline wander, muscle noise and mains hum, shape (12, 5000), mV at 500 Hz.

    Drawn per electrode and then led off, so that II = I + III holds for the noise as it does for a real record.
    Sizes are chosen: wander 0.04 mV, muscle 0.008 mV, hum 0.003 mV.
    """
    n, time = len(ELECTRODES_MM), np.arange(SAMPLES) / RATE
    frequency = rng.uniform([[0.05, 0.15, 0.3]], [[0.15, 0.3, 0.5]], (n, 3))
    phase = rng.uniform(0.0, 2.0 * np.pi, (n, 3))
    size = rng.rayleigh(0.03, (n, 1)) * np.array([1.0, 0.8, 0.4])
    wander = np.einsum("nk,nkt->nt", size, np.sin(2.0 * np.pi * frequency[..., None] * time + phase[..., None]))
    muscle = _filtered(rng.standard_normal((n, SAMPLES)), [20.0, 150.0], "band")
    muscle *= rng.uniform(0.5, 1.5, (n, 1)) * 0.008 / muscle.std()
    hum = rng.uniform(0.0, 0.003, (n, 1)) * np.sin(2.0 * np.pi * 50.0 * time + rng.uniform(0.0, 6.28))
    return LEADS_FROM_ELECTRODES @ (wander + muscle + hum)


def _residual(millivolts: NDArray) -> NDArray[np.float64] | None:
    """What remains of a record without its median beat, shape as given; ``None`` with too few beats.

    The P-QRS-T is taken away from 250 ms before each QRS to 70 % of the RR interval after it. Wander is kept.
    """
    beats = find_beats(millivolts, RATE)
    if len(beats) < 4:
        return None
    gap = float(np.median(np.diff(beats)))
    before, after = round(min(0.25 * RATE, 0.3 * gap)), round(0.7 * gap)
    whole = beats[(beats >= before) & (beats + after <= millivolts.shape[1])]
    if len(whole) < 3:
        return None
    beat = np.median(windows(_filtered(millivolts, 0.6, "high"), whole, before, after), axis=0)
    ramp = np.minimum(1.0, (np.arange(beat.shape[1]) + 1.0) / round(0.04 * RATE))
    beat = beat * np.minimum(ramp, ramp[::-1])
    rest = np.array(millivolts, dtype=np.float64)
    for b in beats:
        first, last = max(0, b - before), min(rest.shape[1], b + after)
        rest[:, first:last] -= beat[:, first - (b - before) : last - (b - before)]
    return rest - np.median(rest, axis=1, keepdims=True)


def noise_bank(folder: Path | None) -> NDArray[np.float32]:
    """Noise of every usable WFDB record, float32 (records, 12, 5000), mV; synthetic noise without a ``folder``.

    Without baseline wander, as the median beat's filter leaves it. Usable are 12 leads at 500 Hz (e.g. the
    PhysioNet/CinC Challenge 2021's); they are read when asked and never stored. InputError if none is.
    """
    if folder is None:
        rng = np.random.default_rng(0)
        found = [synthetic_noise(rng) for _ in range(24)]
    else:
        found = [noise for header in sorted(folder.glob("*.hea")) if (noise := _noise_of(header)) is not None]
    if not found:
        raise InputError(f"No 12-lead record at {RATE:g} Hz gave usable noise; give a folder of WFDB records.")
    return _filtered(np.stack(found).astype(np.float32), BASELINE_HZ, "high").astype(np.float32)


def _noise_of(header: Path) -> NDArray[np.float64] | None:
    """The first ten seconds of a record without its beats, (12, 5000); None where it cannot serve."""
    record = wfdb.rdrecord(str(header.with_suffix("")))
    names = [name.lower() for name in record.sig_name]
    if record.fs != RATE or record.sig_len < SAMPLES or not {lead.lower() for lead in LEADS} <= set(names):
        return None
    signal = record.p_signal[:SAMPLES, [names.index(lead.lower()) for lead in LEADS]].T
    rest = _residual(signal) if np.isfinite(signal).all() else None
    return rest if rest is not None and np.percentile(np.abs(rest), 99.5) < MOST_MV else None
