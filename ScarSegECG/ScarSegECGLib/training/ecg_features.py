"""From simulated beats to what the ECG network reads, by the very measurements that are made at inference.

At inference ten seconds become one median beat. Here the beat is simulated at once and what noise the median leaves is
added to it, which is a hundred times faster; onset, waves and features are then found by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt
from torch import Tensor

from ScarSegECGLib.case import LEADS, EcgFeatures
from ScarSegECGLib.ecg.delineation import ONSET, RATE, SAMPLES, delineate
from ScarSegECGLib.ecg.median_beat import AFTER_S, BASELINE_HZ, BEFORE_S, measure_features
from ScarSegECGLib.network.amplitude import conduction_quality
from ScarSegECGLib.network.ecg_encoder import TABLE_SIZE, feature_table

WINDOW_ONSET, WINDOW = round(BEFORE_S * RATE), round((BEFORE_S + AFTER_S) * RATE)
LEAD_LOSS = 0.2  # share of ECGs that lack one to four leads
MOST_LOST = 4  # eight leads are the fewest that count
_AVERAGED = 9  # beats in ten seconds, about


@dataclass(frozen=True)
class EcgInputs:
    """ECGs as the network reads them: ``beat`` [N, 12, 300], ``leads`` [N, 12], ``table`` [N, T]; float.

    ``quality`` [N]: what is left of the ECG's word under the conduction that was *measured* (1, 0.3 or 0).
    """

    beat: Tensor
    leads: Tensor
    table: Tensor
    quality: Tensor

    def part(self, rows: Tensor | slice) -> EcgInputs:
        """Some of the ECGs."""
        return EcgInputs(self.beat[rows], self.leads[rows], self.table[rows], self.quality[rows])


def steady_noise(bank: NDArray) -> NDArray[np.float32]:
    """A noise bank [R, 12, samples] without baseline wander, as the median beat's filter leaves it."""
    sections = butter(2, BASELINE_HZ, btype="highpass", fs=RATE, output="sos")
    return sosfiltfilt(sections, bank, axis=2).astype(np.float32)


def left_by_the_median(bank: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """What the median of nine beats leaves of one record's noise, shape (12, WINDOW)."""
    record = bank[rng.integers(len(bank))]
    starts = rng.integers(0, record.shape[1] - WINDOW, _AVERAGED)
    return np.median(np.stack([record[:, s : s + WINDOW] for s in starts]), axis=0)


def measure(window: NDArray, lead_mask: NDArray[np.bool_], rate_bpm: float) -> tuple[NDArray[np.float32], EcgFeatures]:
    """Median beat and features of a beat [12, WINDOW] with its QRS near WINDOW_ONSET; see ``ecg.median_beat``."""
    rr = 60.0 / rate_bpm
    last = WINDOW_ONSET + round(max(rr - 0.2, 0.6 * rr) * RATE)
    marks = delineate(window[lead_mask], WINDOW_ONSET + round(0.04 * RATE), RATE, last=last)
    level = window[:, max(0, marks.qrs_onset - 10) : marks.qrs_onset].mean(axis=1, keepdims=True)
    padded = np.pad(window - level, ((0, 0), (ONSET, SAMPLES)), mode="edge")
    beat = padded[:, marks.qrs_onset : marks.qrs_onset + SAMPLES].astype(np.float32)
    beat[~lead_mask] = 0.0
    return beat, measure_features(beat, lead_mask, marks=marks, rr_s=rr)


def _some_leads(rng: np.random.Generator, loss: float) -> NDArray[np.bool_]:
    mask = np.ones(len(LEADS), dtype=bool)
    if rng.random() < loss:
        mask[rng.choice(len(LEADS), rng.integers(1, MOST_LOST + 1), replace=False)] = False
    return mask


def read_simulated(
    windows: NDArray, rate_bpm: NDArray, noise: NDArray, rng: np.random.Generator, *, lead_loss: float = LEAD_LOSS
) -> EcgInputs:
    """Add noise to simulated beats, lose leads, and measure.

    Parameters
    ----------
    windows : array, shape (n, 12, WINDOW)
        From ``simulate_beats(..., onset=WINDOW_ONSET, samples=WINDOW)``, mV.
    rate_bpm : array, shape (n,)
    noise : array, shape (records, 12, samples)
        From :func:`steady_noise`.
    lead_loss : float
        Share of ECGs that lack leads.
    """
    n = len(windows)
    beats, leads = np.zeros((n, len(LEADS), SAMPLES), np.float32), np.zeros((n, len(LEADS)), np.float32)
    tables, quality = np.zeros((n, TABLE_SIZE), np.float32), np.zeros(n, np.float32)
    for i, window in enumerate(windows):
        mask = _some_leads(rng, lead_loss)
        noisy = window + rng.uniform(0.3, 1.5) * left_by_the_median(noise, rng)
        beats[i], features = measure(noisy, mask, float(rate_bpm[i]))
        leads[i] = mask
        tables[i] = feature_table(features)
        quality[i] = conduction_quality(features)[0]
    return EcgInputs(*(torch.from_numpy(array) for array in (beats, leads, tables, quality)))
