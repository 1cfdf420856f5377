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
from ScarSegECGLib.training.ecg_simulation.leads import Body, atrial_leads, ventricular_leads
from ScarSegECGLib.training.ecg_simulation.noise import SAMPLES, synthetic_noise

WINDOW_ONSET, WINDOW = round(BEFORE_S * RATE), round((BEFORE_S + AFTER_S) * RATE)
STEP_MS = round(1000 / RATE)
RECORD_BPM = 70.0
BEFORE_MS, BEAT_MS = 260.0, 760  # of a record's beats: before the QRS, and in all
_BATCH = 32  # fits a processor's cache better than all at once


def simulate_beats(
    scar: NDArray, bodies: Body, conduction: Sequence[str] | None = None, rate_bpm: NDArray | None = None
) -> NDArray[np.float32]:
    """Beats of ``n`` simulated hearts, noiseless: float32 (n, 12, WINDOW), mV at 500 Hz, QRS from WINDOW_ONSET on.

    Parameters
    ----------
    scar : (n, 17), scar fraction of each AHA segment, 0..1
    bodies : of ``n`` people, e.g. the same ones with and without scar
    conduction : ``n`` of heart.SITES; else normal
    rate_bpm : (n,), shortens the action potential; else 70
    """
    names = ["normal"] * len(scar) if conduction is None else conduction
    rate = np.full(len(scar), RECORD_BPM) if rate_bpm is None else rate_bpm
    waves = _waves(scar, bodies, names, rate, -STEP_MS * WINDOW_ONSET, STEP_MS * WINDOW)
    return waves[:, :, ::STEP_MS].astype(np.float32)


def simulate_ecg(
    scar_fraction: NDArray, body: Body, rng: np.random.Generator | None = None, acquired: datetime | None = None
) -> Ecg:
    """A record of ten seconds at 500 Hz, 70 beats per minute, of one ``body``; a note says that it is simulated.

    ``scar_fraction`` is (17,). ``rng`` draws sinus arrhythmia and noise; without it there are none.
    """
    interval = 60000.0 / RECORD_BPM
    fine = _waves(scar_fraction[None], body, ["normal"], np.array([RECORD_BPM]), -BEFORE_MS, BEAT_MS)[0]
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


def _waves(
    scar: NDArray, bodies: Body, conduction: Sequence[str], rate_bpm: NDArray, first_ms: float, samples: int
) -> NDArray[np.float64]:
    """P, QRS and T in mV, shape (n, 12, samples) in steps of 1 ms, the first at ``first_ms`` from the QRS onset."""
    out = np.zeros((len(scar), len(LEADS), samples))
    for first in range(0, len(scar), _BATCH):
        rows = slice(first, first + _BATCH)
        body = bodies.part(rows)
        out[rows] = ventricular_leads(scar[rows], body, conduction[rows], rate_bpm[rows], first_ms, samples)
        out[rows] += atrial_leads(body, first_ms, samples)
    return out
