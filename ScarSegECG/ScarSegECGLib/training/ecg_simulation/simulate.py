"""12-lead ECGs of hearts with a known scar: how people differ, what the electrodes see, and noise for it.

Each edge carries the current ``-sigma grad Vm`` of its two nodes (Miller and Geselowitz, Circ Res 1978;43:301), so the
ECG is a weighted sum of differences between the nodes' action potentials. With one shape of upstroke and one of
repolarisation that sum is a histogram in time of the weights, smoothed: thousands of beats cost seconds. The torso is
homogeneous, its frame LPS, mm: x left, y posterior, z superior; the origin is the typical centre of the LV.

Noise is synthetic, or what is left of real records when their median beat is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt
from scipy.spatial.transform import Rotation

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.delineation import RATE, find_beats, windows
from ScarSegECGLib.ecg.median_beat import AFTER_S, BASELINE_HZ, BEFORE_S
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.training.ecg_simulation.heart import FloatArray64, Heart, activation_ms, standard_heart

# RA, LA, LL, V1 to V6 at their textbook places (V1, V2 fourth intercostal space beside the sternum, V4 fifth space in
# the mid-clavicular line, V6 mid-axillary) on an adult chest. Of limbs, in which no current runs, the roots count.
ELECTRODES_MM = np.column_stack(
    [
        [-160.0, 120.0, 50.0, -48.0, -2.0, 32.0, 68.0, 104.0, 121.0],
        [20.0, 20.0, 10.0, -78.0, -86.0, -86.0, -76.0, -34.0, 20.0],
        [150.0, 150.0, -260.0, 28.0, 28.0, 8.0, -9.0, -9.0, -9.0],
    ]
)
# The potential on a bounded conductor is about twice (flat surface near the source) to three times (homogeneous sphere,
# central source; Wilson and Bayley 1950) that in an infinite medium, and more where the surface is far and the trunk
# narrow, as at the limbs: these are fitted, see below; the chest's is the flat surface's.
BOUNDARY = np.array([8.8, 8.8, 8.8, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
# Base to apex (textbook: left, anterior, inferior, 30 to 60 deg each way) and roll about it. These, the limb factor and
# what heart.py calls fitted were fitted together, within published or textbook ranges where there are any: so that one
# heart has a normal ECG, bundle branch and fascicular blocks by their definitions, and over a population the Q waves
# and lost R waves of scars where cardiology looks for them. The agreement with those rules is thus fitted, not found.
# No lead has a factor of its own.
LONG_AXIS = np.array([0.53, -0.71, -0.47])
ROLL_DEG = 4.0
# Waves come in steps of 1 ms. S.d. of the smoothed upstroke: about 1 ms in a cell, widened by the coarse mesh (chosen).
UPSTROKE_MS = 3.0
REPOLARISATION_MS = 27.0  # s.d. of phase 3, about 100 ms from 10 to 90 % (textbook)
# Action potentials are 1.32 ms shorter per ms of later activation (Franz et al., Circulation 1987;75:379): upright T.
APD_PER_ACTIVATION = -1.32
EPICARDIUM_MS = -14.0  # beside that, at the mesh's epicardium (chosen)
APD_ADAPTS = 0.4  # share of the shortening that follows a conduction defect's order (cardiac memory; chosen)
SCAR_PROLONGS_MS = 45.0  # surviving muscle in scar: T flattens or inverts over an old infarct (size chosen)
MILLIVOLTS = 2.72  # one number for every heart: gives the typical normal one about 1.9 mV in the tallest chest lead
# Two halves of the atrial loop, LPS: right atrium forwards and down, left atrium leftwards, back and down (textbook).
ATRIUM_MM = np.array([-45.0, 10.0, 40.0])
ATRIAL_LOOP = np.array([[0.45, -0.50, -0.75], [0.80, 0.45, -0.40]])
ATRIAL_PEAK_MS = np.array([35.0, 68.0])
ATRIAL_WIDTH_MS = 17.0

WINDOW_ONSET, WINDOW = round(BEFORE_S * RATE), round((BEFORE_S + AFTER_S) * RATE)
STEP_MS = round(1000 / RATE)
SAMPLES = round(10 * RATE)
MOST_MV = 0.6  # records whose residual exceeds this (irregular rhythm, extra beats) are left out

# 12 leads from 9 electrodes: Einthoven, Goldberger, and the chest against Wilson's central terminal.
_RA, _LA, _LL, *_CHEST = np.eye(9)
_LIMBS = [_LA - _RA, _LL - _RA, _LL - _LA, _RA - (_LA + _LL) / 2.0, _LA - (_RA + _LL) / 2.0, _LL - (_RA + _LA) / 2.0]
LEADS_FROM_ELECTRODES = np.array(_LIMBS + [chest - (_RA + _LA + _LL) / 3.0 for chest in _CHEST])


def heart_frame(axis: NDArray) -> FloatArray64:
    """Lateral, anterior and apical directions as columns (3, 3), z being superior, from the axis base to apex."""
    apex = axis / np.linalg.norm(axis)
    anterior = np.array([0.0, 0.0, 1.0]) - apex[2] * apex
    anterior /= np.linalg.norm(anterior)
    return np.stack([np.cross(anterior, apex), anterior, apex], axis=1)


@dataclass(frozen=True)
class Body:
    """What differs between ``n`` people beside scar and conduction."""

    turn_deg: NDArray  # (n, 3): about the long axis, in the frontal plane (+: apex up), horizontally (+: apex left)
    shift_mm: NDArray  # (n, 3), of the heart, LPS
    chest: NDArray  # (n,), its size as a factor
    misplaced_mm: NDArray  # (n, 9, 3), how far each electrode lies from its textbook place
    velocity: NDArray  # (n,), of conduction, as a factor
    voltage: NDArray  # (n,), a factor
    t_gain: NDArray  # (n,), dispersion of recovery as a factor
    pr_ms: NDArray  # (n,)
    p_mv: NDArray  # (n,), the P wave in lead II

    def part(self, rows: slice) -> Body:
        return Body(*(values[rows] for values in vars(self).values()))

    def electrodes_mm(self) -> FloatArray64:
        """Electrodes seen from each heart's centre, shape (n, 9, 3), LPS."""
        return ELECTRODES_MM * self.chest[:, None, None] + self.misplaced_mm - self.shift_mm[:, None, :]

    def heart_axes(self) -> FloatArray64:
        """Rotation heart frame -> LPS, shape (n, 3, 3); its columns are the lateral, anterior and apical directions."""
        roll = Rotation.from_euler("z", self.turn_deg[:, :1] + ROLL_DEG, degrees=True).as_matrix()
        # About +y (posterior) a positive angle takes left to inferior; about +z it takes left to posterior.
        turn = Rotation.from_euler("yz", self.turn_deg[:, 1:] * [-1.0, 1.0], degrees=True).as_matrix()
        return turn @ heart_frame(LONG_AXIS) @ roll


def drawn_bodies(n: int, rng: np.random.Generator, spread: float = 1.0) -> Body:
    """``n`` different people; spreads are chosen to cover textbook adult limits (PR 120..200 ms, P below 0.25 mV).

    ``spread`` above 1 draws more different hearts, for a network that has to read real ones: a model with one heart
    shape and no lungs knows too little of how people differ. Only then do electrodes stray, by ``spread - 1`` times
    15 mm: those of daily practice often lie 20 mm off (general knowledge; size chosen).
    """
    return Body(
        turn_deg=rng.normal(0.0, [8.0, 9.0, 9.0], (n, 3)).clip(-20.0, 20.0) * spread,
        shift_mm=rng.normal(0.0, [6, 3, 8], (n, 3)).clip([-12, -5, -15], [12, 8, 15]) * min(spread, 1.3),
        chest=rng.normal(1.02, 0.05, n).clip(0.93, 1.16),
        misplaced_mm=rng.normal(0.0, 15.0 * (spread - 1.0), (n, 9, 3)) if spread > 1.0 else np.zeros((n, 9, 3)),
        velocity=rng.normal(1.0, 0.07, n).clip(0.86, 1.18),
        voltage=np.exp(rng.normal(0.0, 0.18, n) * spread),
        t_gain=(1.0 + rng.normal(0.0, 0.2, n) * spread**2).clip(0.5 / spread**2, 1.6 * spread),
        pr_ms=rng.normal(160.0, 17.0, n).clip(122.0, 198.0),
        p_mv=rng.normal(0.12, 0.03, n).clip(0.05, 0.2),
    )


def lead_weights(heart: Heart, body: Body, dead: NDArray) -> FloatArray64:
    """How much each edge's current counts in each lead, shape (n, 12, edges); ``dead`` (n, nodes) is scar, 0..1.

    An edge's dipole p at r is in proportion to the living muscle along it; scar carries no injury current (chronic).
    Its potential in an infinite homogeneous medium is ``p . (R - r) / |R - r|^3`` up to the constant 1 / (4 pi sigma),
    times :data:`BOUNDARY` (textbook: Malmivuo and Plonsey, Bioelectromagnetism, ch. 8).
    """
    electrode = np.einsum("nei,nij->nej", body.electrodes_mm(), body.heart_axes())
    away = electrode[:, :, None] - heart.middle_mm
    along = np.einsum("nekj,kj->nek", away, heart.direction)
    field = LEADS_FROM_ELECTRODES @ (BOUNDARY[:, None] * along / np.linalg.norm(away, axis=-1) ** 3)
    alive = 1.0 - (dead[:, heart.tail] + dead[:, heart.head]) / 2.0
    return field * (alive * heart.section_mm2)[:, None]


def heart_leads(
    scar: NDArray, body: Body, conduction: Sequence[str], rate_bpm: NDArray, first_ms: float, samples: int
) -> FloatArray64:
    """P, QRS and T of ``n`` hearts in mV, shape (n, 12, samples) in steps of 1 ms from ``first_ms``; QRS onset is at 0.

    Of each, ``scar`` (n, 17) the segments' fraction, 0..1; ``conduction`` a name of heart.SITES; ``rate_bpm`` (n,).
    Action potentials' lengths mostly follow the normal order: so a bundle branch block brings its secondary T wave.
    """
    heart = standard_heart()
    # Scar of every node: it fills a segment from the endocardium outwards (wavefront of necrosis, Reimer and Jennings
    # 1979), layer after layer, four in all; there is none in the right ventricle.
    fraction = np.concatenate([np.zeros((len(scar), 1)), np.clip(scar, 0.0, 1.0)], axis=1)[:, heart.segment]
    dead = np.clip(4.0 * fraction - 3.0 * heart.depth, 0.0, 1.0) * (heart.segment > 0)
    activation = activation_ms(conduction, dead, body.velocity)
    normal = activation_ms(["normal"], np.zeros_like(dead[:1]), np.ones(1)) / body.velocity[:, None]
    # QT at 60 beats per minute about 400 ms, shortening with the cube root of the RR interval (Fridericia): the first
    # muscle's action potential ends a little after the T wave's peak.
    apd_ms = 325.0 * (60.0 / rate_bpm) ** (1.0 / 3.0)
    order = normal + APD_ADAPTS * (activation - normal)
    shorter = APD_PER_ACTIVATION * order + EPICARDIUM_MS * heart.depth
    recovery = activation + apd_ms[:, None] + shorter + SCAR_PROLONGS_MS * dead
    mean = recovery.mean(axis=1, keepdims=True)
    recovery = mean + body.t_gain[:, None] * (recovery - mean)
    weights = lead_weights(heart, body, dead)
    qrs = _wave(weights, activation, UPSTROKE_MS, first_ms, samples)
    t_wave = _wave(-weights, recovery, REPOLARISATION_MS, first_ms, samples)
    return MILLIVOLTS * body.voltage[:, None, None] * (qrs + t_wave) + _atrial_leads(body, first_ms, samples)


def _wave(
    weights: FloatArray64, times_ms: FloatArray64, smooth_ms: float, first_ms: float, samples: int
) -> FloatArray64:
    """Weights of the edges from the time (n, nodes) of the tail to that of the head, smoothed; steps share a time."""
    heart, (n, leads, _) = standard_heart(), weights.shape
    row = np.arange(n * leads).reshape(n, leads, 1) * samples
    steps = np.zeros(n * leads * samples)
    for sign, end in ((1.0, heart.tail), (-1.0, heart.head)):
        place = np.clip(times_ms[:, end] - first_ms, 0.0, samples - 1.001)
        low = place.astype(np.int64)
        for cell, share in ((low, 1.0 - place + low), (low + 1, place - low)):
            steps += np.bincount((row + cell[:, None]).ravel(), (sign * weights * share[:, None]).ravel(), len(steps))
    summed = np.cumsum(steps.reshape(n, leads, samples), axis=-1)
    return gaussian_filter1d(summed, smooth_ms, axis=-1, mode="nearest", truncate=3.0)


def _atrial_leads(body: Body, first_ms: float, samples: int) -> FloatArray64:
    """P waves: two dipoles in turn, scaled to the wanted peak in lead II."""
    time = first_ms + np.arange(samples) + body.pr_ms[:, None]
    bump = np.exp(-0.5 * ((time[:, None, :] - ATRIAL_PEAK_MS[:, None]) / ATRIAL_WIDTH_MS) ** 2)
    away = body.electrodes_mm() - ATRIUM_MM
    field = LEADS_FROM_ELECTRODES @ (BOUNDARY[:, None] * away / np.linalg.norm(away, axis=-1, keepdims=True) ** 3)
    wave = np.einsum("nlc,kc->nlk", field, ATRIAL_LOOP) @ bump
    return wave / np.abs(wave[:, 1]).max(axis=-1)[:, None, None] * body.p_mv[:, None, None]


def simulate_beats(scar: NDArray, bodies: Body, conduction: Sequence[str], rate_bpm: NDArray) -> NDArray[np.float32]:
    """:func:`heart_leads` as beats, noiseless: float32 (n, 12, WINDOW), mV at 500 Hz, QRS from WINDOW_ONSET on."""
    fine = heart_leads(scar, bodies, conduction, rate_bpm, -STEP_MS * WINDOW_ONSET, STEP_MS * WINDOW)
    return fine[:, :, ::STEP_MS].astype(np.float32)


def _filtered(signal: NDArray, hertz: float | list[float], kind: str) -> NDArray[np.float64]:
    """Second order, without delay, at 500 Hz."""
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
    rest = np.pad(millivolts.astype(np.float64), ((0, 0), (before, after)))
    for first in beats:
        rest[:, first : first + before + after] -= beat
    rest = rest[:, before:-after]
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
