"""12-lead ECGs of hearts with a known scar: median beats by the thousand, and whole ten-second records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, Ecg
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.training.ecg_simulation import conduction as excitation
from ScarSegECGLib.training.ecg_simulation.dipoles import (
    MILLIVOLTS,
    STEP_MS,
    atrial_leads,
    edge_strength,
    lead_weights,
    node_scar,
    ventricular_leads,
)
from ScarSegECGLib.training.ecg_simulation.heart import standard_heart
from ScarSegECGLib.training.ecg_simulation.noise import synthetic_noise
from ScarSegECGLib.training.ecg_simulation.torso import Pose, drawn_pose, lead_field, typical_pose

BEAT_SAMPLES, BEAT_RATE, BEAT_ONSET = 300, 500, 100
_BATCH = 32  # fits a processor's cache better than all at once


@dataclass(frozen=True)
class Body:
    """What differs between ``n`` people beside scar and conduction; every array has shape (n,) but the pose's."""

    pose: Pose
    velocity: NDArray
    voltage: NDArray
    t_gain: NDArray
    pr_ms: NDArray
    p_mv: NDArray

    def part(self, rows: slice) -> Body:
        """The people of some rows."""
        own = (self.velocity, self.voltage, self.t_gain, self.pr_ms, self.p_mv)
        return Body(self.pose.part(rows), *(values[rows] for values in own))


def typical_bodies(n: int) -> Body:
    """``n`` times the same textbook person: PR 160 ms, P 0.12 mV in lead II."""
    one = np.ones(n)
    return Body(typical_pose(n), one, one, one, 160.0 * one, 0.12 * one)


def drawn_bodies(n: int, rng: np.random.Generator, spread: float = 1.0) -> Body:
    """``n`` different people. Spreads are chosen to cover textbook adult limits (PR 120..200 ms, P below 0.25 mV).

    ``spread`` above 1 draws more different hearts than the textbook's, for a network that has to read real ones: a
    model with one heart shape and no lungs knows too little of how people differ.
    """
    pose = drawn_pose(n, rng, spread)
    return Body(
        pose,
        rng.normal(1.0, 0.07, n).clip(0.86, 1.18),
        np.exp(rng.normal(0.0, 0.18, n) * spread),
        (1.0 + rng.normal(0.0, 0.2, n) * spread**2).clip(0.5 / spread**2, 1.6 * spread),
        rng.normal(160.0, 17.0, n).clip(122.0, 198.0),
        rng.normal(0.12, 0.03, n).clip(0.05, 0.2),
    )


def simulate_beats(
    scar: NDArray,
    *,
    conduction: str | Sequence[str] = "normal",
    rng: np.random.Generator | None = None,
    rate_bpm: float | NDArray = 70.0,
    bodies: Body | None = None,
    onset: int = BEAT_ONSET,
    samples: int = BEAT_SAMPLES,
) -> NDArray[np.float32]:
    """Median beats of ``n`` simulated hearts.

    Parameters
    ----------
    scar : array, shape (n, 17)
        Scar fraction of each AHA segment, 0..1.
    conduction : name or sequence of n names
        "normal", "lbbb", "rbbb" or "lafb".
    rng : Generator, optional
        Draws a different person for every beat; without it (and without ``bodies``) all are the textbook person.
    rate_bpm : number or array, shape (n,)
        Heart rate; shortens the action potential.
    bodies : Body, optional
        The people themselves, e.g. the same ones with and without scar.
    onset, samples : int
        The sample at which the QRS begins, and how many there are; what the network reads, unless said otherwise.

    Returns
    -------
    float32 array, shape (n, 12, samples)
        mV at 500 Hz in the order of :data:`~ScarSegECGLib.case.LEADS`, QRS onset at sample ``onset``, noiseless.

    Raises
    ------
    InputError
        If the scar has not 17 columns or the conduction is unknown.
    """
    step = round(1000.0 / BEAT_RATE / STEP_MS)
    waves = _waves(scar, conduction, rng, rate_bpm, bodies, -STEP_MS * step * onset, samples * step)
    return waves[:, :, ::step].astype(np.float32)


def simulate_ecg(
    scar_fraction: NDArray,
    *,
    conduction: str = "normal",
    rng: np.random.Generator | None = None,
    rate_bpm: float = 70.0,
    noise: NDArray | None = None,
    seconds: float = 10.0,
    fs: int = 500,
    acquired: datetime | None = None,
    bodies: Body | None = None,
) -> Ecg:
    """A whole simulated record.

    Parameters
    ----------
    scar_fraction : array, shape (17,)
    conduction, rate_bpm, bodies
        As in :func:`simulate_beats`.
    rng : Generator, optional
        Draws person, sinus arrhythmia and noise; without it the textbook person, a steady rhythm and no noise.
    noise : array, shape (12, samples), optional
        Added noise in mV at ``fs``, e.g. a row of :func:`~.noise.noise_bank`; longer noise is cut. Without it
        synthetic noise is drawn from ``rng``.
    acquired : datetime, optional
        The date the record is given.

    Returns
    -------
    Ecg
        Its note says that it is simulated.

    Raises
    ------
    InputError
        If scar, conduction, rate or noise cannot be used.
    """
    if not 30.0 <= rate_bpm <= 180.0:
        raise InputError(f"A heart rate of {rate_bpm:g} cannot be simulated; give 30 to 180 beats per minute.")
    samples = round(seconds * fs)
    before, beat_ms = 260.0, min(760.0, 60000.0 / rate_bpm - 20.0)
    fine = _waves(np.asarray(scar_fraction)[None], conduction, rng, rate_bpm, bodies, -before, int(beat_ms))[0]
    signal = np.zeros((len(LEADS), samples))
    clock = np.arange(samples) * 1000.0 / fs
    interval = 60000.0 / rate_bpm
    at = -0.5 * interval if rng is None else -interval * rng.uniform(0.1, 0.9)
    while at < clock[-1] + before:
        rows = np.flatnonzero((clock >= at - before) & (clock < at - before + fine.shape[1] - 1))
        place = clock[rows] - (at - before)
        low = place.astype(np.int64)
        signal[:, rows] += fine[:, low] + (place - low) * (fine[:, low + 1] - fine[:, low])
        # Sinus arrhythmia: about 3 % with breathing, 1 % at random (chosen).
        sway = 0.0 if rng is None else 0.03 * np.sin(2.0 * np.pi * 0.23 * at / 1000.0) + rng.normal(0.0, 0.01)
        at += interval * (1.0 + sway)
    if noise is None and rng is not None:
        noise = synthetic_noise(samples, fs, rng)
    if noise is not None:
        noise = np.asarray(noise)
        if noise.ndim != 2 or noise.shape[0] != len(LEADS) or noise.shape[1] < samples:
            raise InputError(f"The noise has shape {noise.shape}; give (12, {samples} or more) in mV at {fs} Hz.")
        signal += noise[:, :samples]
    return Ecg(
        millivolts=signal.astype(np.float32),
        lead_mask=np.ones(len(LEADS), dtype=np.bool_),
        rate=float(fs),
        acquired=acquired,
        notes=(Fact(EcgNote.SIMULATED),),
    )


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
    batches = [slice(i, min(i + _BATCH, n)) for i in range(0, n, _BATCH)]
    parts = [_batch(scar[b], names[b], rate[b], bodies.part(b), first_ms, samples) for b in batches]
    return np.concatenate(parts) if parts else np.zeros((0, len(LEADS), samples))


def _batch(
    scar: NDArray, names: list[str], rate: NDArray, body: Body, first_ms: float, samples: int
) -> NDArray[np.float64]:
    heart = standard_heart()
    dead = node_scar(scar, heart)
    activation = excitation.activation_ms(names, dead, body.velocity)
    normal = excitation.activation_ms(["normal"] * len(scar), np.zeros_like(dead), body.velocity)
    weights = lead_weights(lead_field(heart, body.pose), edge_strength(dead, heart), heart)
    # QT at 60 beats per minute about 400 ms, shortening with the square root of the RR interval (Bazett, eased to
    # a third by Fridericia): the first muscle's action potential ends a little after the T wave's peak.
    apd = 325.0 * (60.0 / rate) ** (1.0 / 3.0)
    qrs, t_wave = ventricular_leads(weights, activation, normal, dead, apd, body.t_gain, first_ms, samples)
    ventricles = MILLIVOLTS * body.voltage[:, None, None] * (qrs + t_wave)
    return ventricles + atrial_leads(body.pose, body.pr_ms, body.p_mv, first_ms, samples)
