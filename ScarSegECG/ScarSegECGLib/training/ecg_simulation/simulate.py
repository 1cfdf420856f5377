"""12-lead ECGs of hearts with a known scar: beats by the thousand, and whole ten-second records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, Ecg
from ScarSegECGLib.ecg.delineation import RATE
from ScarSegECGLib.ecg.median_beat import AFTER_S, BEFORE_S
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.training.ecg_simulation.leads import Body, heart_leads
from ScarSegECGLib.training.ecg_simulation.noise import SAMPLES, synthetic_noise

WINDOW_ONSET, WINDOW = round(BEFORE_S * RATE), round((BEFORE_S + AFTER_S) * RATE)
STEP_MS = round(1000 / RATE)
RECORD_BPM = 70.0
BEFORE_MS, BEAT_MS = 260.0, 760  # of a record's beats: before the QRS, and in all
_BATCH = 32  # fits a processor's cache better than all at once


def simulate_beats(scar: NDArray, bodies: Body, conduction: Sequence[str], rate_bpm: NDArray) -> NDArray[np.float32]:
    """Beats of ``n`` simulated hearts, noiseless: float32 (n, 12, WINDOW), mV at 500 Hz, QRS from WINDOW_ONSET on.

    ``scar`` (n, 17) is the scar fraction of each AHA segment, 0..1; ``conduction`` n names of heart.SITES; ``rate_bpm``
    (n,) shortens the action potential.
    """
    out = np.zeros((len(scar), len(LEADS), WINDOW), dtype=np.float32)
    for first in range(0, len(scar), _BATCH):
        rows = slice(first, first + _BATCH)
        some = scar[rows], bodies.part(rows), conduction[rows], rate_bpm[rows]
        out[rows] = heart_leads(*some, -STEP_MS * WINDOW_ONSET, STEP_MS * WINDOW)[:, :, ::STEP_MS]
    return out


def simulate_ecg(
    scar_fraction: NDArray, body: Body, rng: np.random.Generator | None = None, acquired: datetime | None = None
) -> Ecg:
    """A record of ten seconds at 500 Hz, 70 beats per minute, of one ``body``; a note says that it is simulated.

    ``scar_fraction`` is (17,). ``rng`` draws sinus arrhythmia and noise; without it there are none.
    """
    interval = 60000.0 / RECORD_BPM
    fine = heart_leads(scar_fraction[None], body, ["normal"], np.array([RECORD_BPM]), -BEFORE_MS, BEAT_MS)[0]
    signal = np.zeros((len(LEADS), SAMPLES))
    clock = np.arange(SAMPLES) * 1000.0 / RATE
    at = -0.5 * interval if rng is None else -interval * rng.uniform(0.1, 0.9)
    while at < clock[-1] + BEFORE_MS:
        rows = np.flatnonzero((clock >= at - BEFORE_MS) & (clock < at - BEFORE_MS + BEAT_MS - 1))
        place = clock[rows] - (at - BEFORE_MS)
        low = place.astype(np.int64)
        signal[:, rows] += fine[:, low] + (place - low) * (fine[:, low + 1] - fine[:, low])
        # Sinus arrhythmia: about 3 % with breathing, 1 % at random (chosen).
        sway = 0.0 if rng is None else 0.03 * np.sin(2.0 * np.pi * 0.23 * at / 1000.0) + rng.normal(0.0, 0.01)
        at += interval * (1.0 + sway)
    if rng is not None:
        signal += synthetic_noise(rng)
    every = np.ones(len(LEADS), dtype=np.bool_)
    return Ecg(signal.astype(np.float32), every, RATE, acquired=acquired, notes=(Fact(EcgNote.SIMULATED),))
