"""What makes an ECG unusable (an error), and what its reader must know (a note)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, FloatArray
from ScarSegECGLib.ecg.beats import bend
from ScarSegECGLib.ecg.leads import EINTHOVEN_TOLERANCE, einthoven_error
from ScarSegECGLib.ecg.recording import check_rate
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, has
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.wording import words

FEWEST_LEADS = 8
SHORTEST_S = 2.0
LARGEST_QRS_MV, SMALLEST_QRS_MV = 20.0, 0.02
FLAT_MV = 1e-6
NOISY_MV = 0.05
CLIPPED_RUN_S = 0.02


def check_signals(
    millivolts: NDArray, lead_mask: NDArray[np.bool_], rate: float, *, noticed: tuple[Fact, ...] = ()
) -> tuple[FloatArray, NDArray[np.bool_], tuple[Fact, ...]]:
    """Apply every gate to assembled leads: (12, samples), mV, and their mask (12,).

    ``noticed`` is what was noticed of the leads' names, told where there are too few. Back come signals (float32) and
    mask without flat and saturated leads, and notes: on these, Einthoven's law violated, arm leads perhaps swapped,
    noise. InputError for rate, length, missing values, too few leads, all flat, saturated, implausible amplitude.
    """
    check_rate(rate)
    if lead_mask.sum() < FEWEST_LEADS:
        odd = "".join(f" {words(note)}" for note in noticed if has((note,), EcgNote.NOT_UNDERSTOOD))
        raise InputError(
            f"The ECG has {int(lead_mask.sum())} of the 12 standard leads; at least {FEWEST_LEADS} are needed.{odd}"
        )
    seconds = millivolts.shape[1] / rate
    if seconds < SHORTEST_S:
        raise InputError(f"The ECG lasts {seconds:.1f} s; at least {SHORTEST_S:g} s are needed.")
    if not np.isfinite(millivolts[lead_mask]).all():
        names = ", ".join(_names(lead_mask & ~np.isfinite(millivolts).all(axis=1)))
        raise InputError(f"The ECG has missing values (NaN) in lead {names}: export the recording again.")
    # The usual swing within 2 s, which always hold a QRS: the median over windows, so that one artefact does not count.
    swing = np.median(np.ptp(_in_windows(millivolts, rate), axis=2), axis=1).astype(np.float64)
    flat = lead_mask & (swing <= FLAT_MV)
    if flat.sum() == lead_mask.sum():
        raise InputError("All ECG leads are flat: no signal was recorded.")
    usual = float(np.median(swing[lead_mask & ~flat]))
    if usual > LARGEST_QRS_MV:
        raise InputError(
            f"ECG amplitude of {usual:.3g} mV is implausible: this looks like microvolts or raw counts stored as mV."
        )
    if usual < SMALLEST_QRS_MV:
        raise InputError(
            f"ECG amplitude of {usual:.3g} mV is implausible: this looks like volts stored as mV, or noise."
        )
    flat |= lead_mask & (swing < 0.02 * usual)
    saturated = lead_mask & ~flat & _is_saturated(millivolts, rate)
    mask = lead_mask & ~flat & ~saturated
    lost = {EcgNote.FLAT: _names(flat), EcgNote.SATURATED: _names(saturated)}
    if mask.sum() < FEWEST_LEADS:
        why = "; ".join(f"{code.value}: {', '.join(leads)}" for code, leads in lost.items() if leads)
        raise InputError(f"Only {int(mask.sum())} ECG leads are usable ({why}); at least {FEWEST_LEADS} are needed.")
    cleaned = np.where(mask[:, None], millivolts, 0).astype(np.float32)
    notes = [Fact(code, leads=leads) for code, leads in lost.items() if leads]
    error = einthoven_error(cleaned, mask)
    if error is not None and error > EINTHOVEN_TOLERANCE:
        notes.append(Fact(EcgNote.LIMBS_CONTRADICT, percent=100 * error))
    if _arms_swapped(cleaned, mask, rate):
        notes.append(Fact(EcgNote.ARMS_SWAPPED))
    # Between QRS complexes an ECG is straight over 8 ms: what bends there is mains and muscle.
    noise = 1.4826 * np.median(bend(cleaned, max(1, round(0.004 * rate))), axis=1).astype(np.float64)
    noisy = mask & (noise > NOISY_MV)
    if noisy.any():
        notes.append(Fact(EcgNote.NOISY, leads=_names(noisy)))
    return cleaned, mask, tuple(notes)


def runs(where: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First sample and one past the last of every run of true ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _is_saturated(millivolts: NDArray, rate: float) -> NDArray[np.bool_]:
    """Whether a lead stands still at its greatest or least value for 20 ms or more in at least half of all seconds."""
    shortest = max(3, round(CLIPPED_RUN_S * rate))
    seconds = max(1, int(millivolts.shape[1] / rate))
    clipped = np.zeros(len(millivolts), dtype=bool)
    for row, lead in enumerate(np.asarray(millivolts)):
        bounds = {lead.max(), lead.min()}
        struck: set[int] = set()
        for start, stop in (run for bound in bounds for run in runs(lead == bound)):
            if stop - start >= shortest:
                struck.update(range(int(start / rate), int((stop - 1) / rate) + 1))
        clipped[row] = len(bounds) == 2 and len(struck) >= 0.5 * seconds
    return clipped


def _arms_swapped(millivolts: NDArray, lead_mask: NDArray[np.bool_], rate: float) -> bool:
    """Whether lead I points down and aVR up while V5 or V6 points up: swapped arm electrodes, or dextrocardia."""
    piece = _in_windows(millivolts, rate)
    middle = np.median(piece, axis=2)
    up = np.median(piece.max(axis=2) - middle, axis=1)
    down = np.median(middle - piece.min(axis=2), axis=1)
    points_up, points_down = lead_mask & (up > 1.5 * down), lead_mask & (down > 1.5 * up)
    one, right, left_chest = LEADS.index("I"), LEADS.index("aVR"), [LEADS.index("V5"), LEADS.index("V6")]
    return bool(points_down[one] and points_up[right] and points_up[left_chest].any())


def _in_windows(millivolts: NDArray, rate: float) -> NDArray:
    """Consecutive windows of 2 s; shape (12, windows, samples)."""
    length = min(millivolts.shape[1], round(SHORTEST_S * rate))
    count = millivolts.shape[1] // length
    return np.asarray(millivolts)[:, : count * length].reshape(len(millivolts), count, length)


def _names(rows: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, chosen in zip(LEADS, rows, strict=True) if chosen)
