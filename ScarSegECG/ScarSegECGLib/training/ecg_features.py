"""From simulated beats to what the ECG network reads, by the very measurements that are made at inference.

At inference ten seconds become one median beat. Here the beat is simulated at once and what noise the median leaves is
added to it, which is a hundred times faster; onset, waves and features are then found by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ScarSegECGLib.case import LEADS, EcgFeatures, MedianBeat
from ScarSegECGLib.ecg.delineation import RATE, delineate
from ScarSegECGLib.ecg.median_beat import RepresentativeBeat, measured
from ScarSegECGLib.network.amplitude import conduction_quality
from ScarSegECGLib.network.ecg_encoder import feature_table
from ScarSegECGLib.training.ecg_simulation.leads import Body, drawn_bodies
from ScarSegECGLib.training.ecg_simulation.simulate import WINDOW, WINDOW_ONSET, simulate_beats

CONDUCTION_SHARES = {"normal": 0.8, "rbbb": 0.08, "lbbb": 0.06, "lafb": 0.06}  # chosen: about those of a cardiac ward
RATE_BPM = (50.0, 110.0)
SPREAD = 1.8  # people differ more than the simulator's textbook ones: see drawn_bodies (chosen)
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

    @classmethod
    def of(cls, beats: list[MedianBeat]) -> EcgInputs:
        """Measured beats."""
        return cls(
            torch.from_numpy(np.stack([beat.millivolts for beat in beats])),
            torch.from_numpy(np.stack([beat.lead_mask for beat in beats])).float(),
            torch.from_numpy(np.stack([feature_table(beat.features) for beat in beats])),
            torch.tensor([conduction_quality(beat.features)[0] for beat in beats], dtype=torch.float32),
        )

    def part(self, rows: Tensor | slice) -> EcgInputs:
        """Some of the ECGs."""
        return EcgInputs(*(values[rows] for values in vars(self).values()))

    def packed(self) -> dict[str, Tensor]:
        """As they are kept in a file."""
        return vars(self) | {"beat": self.beat.half()}

    @classmethod
    def unpacked(cls, kept: Mapping[str, Tensor]) -> EcgInputs:
        """From what :meth:`packed` gave."""
        return cls(kept["beat"].float(), kept["leads"], kept["table"], kept["quality"])


def measure(window: NDArray, lead_mask: NDArray[np.bool_], rate_bpm: float) -> tuple[NDArray[np.float32], EcgFeatures]:
    """Median beat and features of a beat [12, WINDOW] with its QRS near WINDOW_ONSET; see ``ecg.median_beat``."""
    rr = 60.0 / rate_bpm
    last = WINDOW_ONSET + round(max(rr - 0.2, 0.6 * rr) * RATE)
    marks = delineate(window[lead_mask], WINDOW_ONSET + round(0.04 * RATE), RATE, last=last)
    level = window[:, max(0, marks.qrs_onset - 10) : marks.qrs_onset].mean(axis=1, keepdims=True)
    beat = measured(RepresentativeBeat(np.where(lead_mask[:, None], window - level, 0.0), lead_mask, marks, rr))
    return beat.millivolts, beat.features


def drawn_people(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], list[str], Body]:
    """Heart rates, conductions and bodies of ``n`` people."""
    rate = rng.uniform(*RATE_BPM, n)
    conduction = [str(name) for name in rng.choice(list(CONDUCTION_SHARES), n, p=list(CONDUCTION_SHARES.values()))]
    return rate, conduction, drawn_bodies(n, rng, SPREAD)


def simulate_inputs(scar: NDArray, noise: NDArray, rng: np.random.Generator) -> EcgInputs:
    """One ECG for each scar [n, 17], of another person each time; ``noise`` as in :func:`read_simulated`."""
    rate, conduction, bodies = drawn_people(len(scar), rng)
    return read_simulated(simulate_beats(scar, bodies, conduction, rate), rate, noise, rng)


def read_simulated(
    windows: NDArray, rate_bpm: NDArray, noise: NDArray, rng: np.random.Generator, *, lead_loss: float = LEAD_LOSS
) -> EcgInputs:
    """Add noise to simulated beats, lose leads, and measure.

    ``windows`` (n, 12, WINDOW) mV, from ``simulate_beats``; ``rate_bpm`` (n,); ``noise`` from ``noise_bank``;
    ``lead_loss`` is the share of ECGs that lack leads.
    """
    beats = []
    for window, rate in zip(windows, rate_bpm, strict=True):
        mask = np.ones(len(LEADS), dtype=bool)
        if rng.random() < lead_loss:
            mask[rng.choice(len(LEADS), rng.integers(1, MOST_LOST + 1), replace=False)] = False
        strength, record = rng.uniform(0.3, 1.5), noise[rng.integers(len(noise))]
        starts = rng.integers(0, record.shape[1] - WINDOW, _AVERAGED)
        left = np.median(np.stack([record[:, s : s + WINDOW] for s in starts]), axis=0)  # by the median beat
        millivolts, features = measure(window + strength * left, mask, float(rate))
        beats.append(MedianBeat(millivolts, mask, features))
    return EcgInputs.of(beats)
