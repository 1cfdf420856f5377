"""12-lead ECGs of hearts with a known scar: median beats by the thousand, and whole ten-second records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, Ecg
from ScarSegECGLib.ecg.delineation import ONSET, RATE, SAMPLES
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.training.ecg_simulation.conduction import activation_ms
from ScarSegECGLib.training.ecg_simulation.heart import standard_heart
from ScarSegECGLib.training.ecg_simulation.leads import (
    Body,
    atrial_leads,
    drawn_bodies,
    node_scar,
    typical_bodies,
    ventricular_leads,
)
from ScarSegECGLib.training.ecg_simulation.noise import SAMPLES as RECORD_SAMPLES
from ScarSegECGLib.training.ecg_simulation.noise import synthetic_noise

STEP_MS = round(1000 / RATE)
BEFORE_MS, LONGEST_BEAT_MS = 260.0, 760.0  # of a record's beats: before the QRS, and in all
_BATCH = 32  # fits a processor's cache better than all at once


def simulate_beats(
    scar: NDArray,
    *,
    conduction: str | Sequence[str] = "normal",
    rng: np.random.Generator | None = None,
    rate_bpm: float | NDArray = 70.0,
    bodies: Body | None = None,
    onset: int = ONSET,
    samples: int = SAMPLES,
) -> NDArray[np.float32]:
    """Median beats of ``n`` simulated hearts: float32 (n, 12, samples), mV at 500 Hz, noiseless.

    Parameters
    ----------
    scar : (n, 17), scar fraction of each AHA segment, 0..1
    conduction : "normal", "lbbb", "rbbb" or "lafb", for all or for each
    rng : draws a different person for every beat; without it (and without ``bodies``) all are the textbook person
    rate_bpm : heart rate, for all or (n,); shortens the action potential
    bodies : the people themselves, e.g. the same ones with and without scar
    onset, samples : the sample at which the QRS begins, and how many there are; as the network reads them by default

    Raises
    ------
    InputError : If the scar has not 17 columns or the conduction is unknown.
    """
    waves = _waves(scar, conduction, rng, rate_bpm, bodies, -STEP_MS * onset, samples * STEP_MS)
    return waves[:, :, ::STEP_MS].astype(np.float32)


def simulate_ecg(
    scar_fraction: NDArray,
    *,
    conduction: str = "normal",
    rng: np.random.Generator | None = None,
    rate_bpm: float = 70.0,
    noise: NDArray | None = None,
    acquired: datetime | None = None,
    bodies: Body | None = None,
) -> Ecg:
    """A whole record of ten seconds at 500 Hz, whose note says that it is simulated.

    Parameters
    ----------
    scar_fraction : (17,)
    conduction, rate_bpm, bodies : as in :func:`simulate_beats`
    rng : draws person, sinus arrhythmia and noise; else the textbook person, a steady rhythm and no noise
    noise : (12, 5000 or more), mV, in place of synthetic noise
    acquired : the date the record is given

    Raises
    ------
    InputError : If scar, conduction, rate or noise cannot be used.
    """
    if not 30.0 <= rate_bpm <= 180.0:
        raise InputError(f"A heart rate of {rate_bpm:g} cannot be simulated; give 30 to 180 beats per minute.")
    interval = 60000.0 / rate_bpm
    beat_ms = int(min(LONGEST_BEAT_MS, interval - 20.0))
    fine = _waves(np.asarray(scar_fraction)[None], conduction, rng, rate_bpm, bodies, -BEFORE_MS, beat_ms)[0]
    signal = np.zeros((len(LEADS), RECORD_SAMPLES))
    clock = np.arange(RECORD_SAMPLES) * 1000.0 / RATE
    at = -0.5 * interval if rng is None else -interval * rng.uniform(0.1, 0.9)
    while at < clock[-1] + BEFORE_MS:
        rows = np.flatnonzero((clock >= at - BEFORE_MS) & (clock < at - BEFORE_MS + fine.shape[1] - 1))
        place = clock[rows] - (at - BEFORE_MS)
        low = place.astype(np.int64)
        signal[:, rows] += fine[:, low] + (place - low) * (fine[:, low + 1] - fine[:, low])
        # Sinus arrhythmia: about 3 % with breathing, 1 % at random (chosen).
        sway = 0.0 if rng is None else 0.03 * np.sin(2.0 * np.pi * 0.23 * at / 1000.0) + rng.normal(0.0, 0.01)
        at += interval * (1.0 + sway)
    if noise is None and rng is not None:
        noise = synthetic_noise(rng)
    if noise is not None:
        noise = np.asarray(noise)
        if noise.ndim != 2 or noise.shape[0] != len(LEADS) or noise.shape[1] < RECORD_SAMPLES:
            raise InputError(
                f"The noise has shape {noise.shape}; give (12, {RECORD_SAMPLES} or more) in mV at {RATE:g} Hz."
            )
        signal += noise[:, :RECORD_SAMPLES]
    every = np.ones(len(LEADS), dtype=np.bool_)
    return Ecg(signal.astype(np.float32), every, RATE, acquired=acquired, notes=(Fact(EcgNote.SIMULATED),))


def _waves(
    scar: NDArray,
    conduction: str | Sequence[str],
    rng: np.random.Generator | None,
    rate_bpm: float | NDArray,
    bodies: Body | None,
    first_ms: float,
    samples: int,
) -> NDArray[np.float64]:
    """P, QRS and T in mV, shape (n, 12, samples) in steps of 1 ms, the first at ``first_ms`` from the QRS onset."""
    scar = np.atleast_2d(np.asarray(scar, dtype=np.float64))
    if scar.ndim != 2 or scar.shape[1] != 17 or not np.isfinite(scar).all():
        raise InputError(f"Scar of shape {scar.shape} cannot be simulated; give one fraction for each of 17 segments.")
    n = len(scar)
    names = [conduction] * n if isinstance(conduction, str) else list(conduction)
    if len(names) != n:
        raise InputError(f"{len(names)} conductions for {n} hearts; give one for all, or one each.")
    rate = np.broadcast_to(np.asarray(rate_bpm, dtype=np.float64), (n,))
    if bodies is None:
        bodies = typical_bodies(n) if rng is None else drawn_bodies(n, rng)
    # QT at 60 beats per minute about 400 ms, shortening with the square root of the RR interval (Bazett, eased to
    # a third by Fridericia): the first muscle's action potential ends a little after the T wave's peak.
    apd_ms = 325.0 * (60.0 / rate) ** (1.0 / 3.0)
    heart = standard_heart()
    out = np.zeros((n, len(LEADS), samples))
    for first in range(0, n, _BATCH):
        rows = slice(first, first + _BATCH)
        body, dead = bodies.part(rows), node_scar(scar[rows], heart)
        activation = activation_ms(names[rows], dead, body.velocity)
        normal = activation_ms(["normal"] * len(dead), np.zeros_like(dead), body.velocity)
        out[rows] = ventricular_leads(heart, body, dead, activation, normal, apd_ms[rows], first_ms, samples)
        out[rows] += atrial_leads(body, first_ms, samples)
    return out
