"""Real beats of people without a known infarct: the ground on which simulated scars are laid for training.

A model with one heart shape knows too little of how people differ, and an encoder that has seen only its beats takes a
healthy person's real ECG for a scarred one. So a part of the training ECGs are real beats, to which what a scar changes
in a *simulated* beat (with scar minus without, same simulated person) is added. The records by which the encoder is
checked afterwards (sinus rhythm and nothing else) are left out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.median_beat import representative_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.snomed import BLOCK, INFARCT, SINUS_ONLY, diagnoses
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.training.ecg_features import WINDOW, WINDOW_ONSET

# Records that cannot stand for a heart without scar.
LEFT_OUT = INFARCT | BLOCK | {"10370003"}
# How one person is made several (chosen): gain, turn in the frontal plane, chest electrodes off their places.
GAIN, TURN_DEG, MISPLACED = 0.15, 15.0, 0.3
_CHEST = slice(LEADS.index("V1"), LEADS.index("V6") + 1)


@dataclass(frozen=True)
class RealHearts:
    """Beats ``millivolts`` [R, 12, WINDOW], QRS onset at WINDOW_ONSET, and their ``rate_bpm`` [R]."""

    millivolts: NDArray[np.float64]
    rate_bpm: NDArray[np.float64]


def real_hearts(folder: Path) -> RealHearts:
    """Beats of the WFDB records of ``folder`` that may serve, read when asked and never stored.

    Raises
    ------
    InputError
        No record can serve.
    """
    beats, rates = [], []
    for header in sorted(folder.glob("*.hea")):
        codes = diagnoses(header)
        if not codes or codes <= SINUS_ONLY or codes & LEFT_OUT:
            continue
        try:
            beat = representative_beat(read_ecg(header))
        except InputError:
            continue
        if beat.rr_s is None or not beat.lead_mask.all():
            continue
        ahead = WINDOW_ONSET - beat.marks.qrs_onset
        padded = np.pad(beat.millivolts, ((0, 0), (WINDOW, WINDOW)), mode="edge")
        beats.append(padded[:, WINDOW - ahead : 2 * WINDOW - ahead])
        rates.append(60.0 / beat.rr_s)
    if not beats:
        raise InputError(f"{folder.name}: no 12-lead record without infarct or block that could serve as a real heart.")
    return RealHearts(np.stack(beats), np.array(rates))


def varied(beats: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The same hearts in other bodies: beats [n, 12, samples] with another gain, axis and chest electrodes."""
    n = len(beats)
    turn = np.radians(rng.uniform(-TURN_DEG, TURN_DEG, n))[:, None]
    # Einthoven's triangle: I along x, aVF along y; 2 / sqrt(3) makes the augmented lead as long as I.
    x, y = beats[:, LEADS.index("I")], beats[:, LEADS.index("aVF")] * 2 / np.sqrt(3)
    one, foot = x * np.cos(turn) - y * np.sin(turn), (x * np.sin(turn) + y * np.cos(turn)) * np.sqrt(3) / 2
    two = foot + one / 2  # aVF = II - I / 2
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, foot]
    chest = beats[:, _CHEST]
    shift = rng.uniform(-MISPLACED, MISPLACED, (n, chest.shape[1], 1))
    before, after = np.roll(chest, 1, axis=1), np.roll(chest, -1, axis=1)
    before[:, 0], after[:, -1] = chest[:, 0], chest[:, -1]
    moved = chest + np.maximum(shift, 0) * (after - chest) + np.maximum(-shift, 0) * (before - chest)
    gain = np.exp(rng.normal(0.0, GAIN, (n, 1, 1)))
    return gain * np.concatenate([np.stack(limbs, axis=1), moved], axis=1)
