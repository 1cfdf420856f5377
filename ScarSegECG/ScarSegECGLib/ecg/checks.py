"""What makes an ECG unusable (an error), and what its reader must know (a note)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, FloatArray
from ScarSegECGLib.ecg.leads import EINTHOVEN_TOLERANCE, einthoven_error
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, has
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.wording import words

FEWEST_LEADS = 8
LOWEST_RATE, HIGHEST_RATE = 100.0, 4000.0
SHORTEST_S = 2.0
LARGEST_QRS_MV, SMALLEST_QRS_MV = 20.0, 0.02
FLAT_MV = 1e-6
NOISY_MV = 0.05
CLIPPED_RUN_S = 0.02


def require_file(path: Path) -> None:
    """Raise InputError where ``path`` is missing, a folder, empty or unreadable; the text names only the file."""
    if path.is_dir():
        raise InputError("The path is a folder: choose one ECG file.")
    if not path.is_file():
        raise InputError("The ECG file was not found: check the path.")
    try:
        if path.stat().st_size == 0:
            raise InputError("The ECG file is empty: copy it again from its source.")
        with path.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        raise InputError("The ECG file cannot be read: check its permissions.") from error


def check_rate(rate: float) -> None:
    """Raise InputError for a sampling rate that no ECG has."""
    if not np.isfinite(rate) or rate <= 0:
        raise InputError("The ECG's sampling rate is 0 or missing: the file is damaged or not an ECG.")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InputError(f"The ECG's sampling rate of {rate:g} Hz is outside {LOWEST_RATE:g} to {HIGHEST_RATE:g} Hz.")


def check_signals(
    millivolts: NDArray, lead_mask: NDArray[np.bool_], rate: float, *, noticed: tuple[Fact, ...] = ()
) -> tuple[FloatArray, NDArray[np.bool_], tuple[Fact, ...]]:
    """Apply every gate to assembled leads.

    Parameters
    ----------
    millivolts : array, shape (12, samples)
    lead_mask : bool array, shape (12,)
    rate : float
    noticed : tuple of Fact
        What was noticed of the leads' names, told where there are too few leads.

    Returns
    -------
    millivolts : float32 array, shape (12, samples)
        Leads that cannot be used are zero.
    lead_mask : bool array, shape (12,)
        Without flat and saturated leads.
    notes : tuple of Fact
        Flat or saturated leads, Einthoven's law violated, arm leads perhaps swapped, noise.

    Raises
    ------
    InputError
        Rate, length, missing values, too few leads, all flat, saturated, implausible amplitude.
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
        names = _named(lead_mask & ~np.isfinite(millivolts).all(axis=1))
        raise InputError(f"The ECG has missing values (NaN) in lead {names}: export the recording again.")
    swing = beat_swing(millivolts, rate)
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
    saturated = lead_mask & ~flat & is_saturated(millivolts, rate)
    mask = lead_mask & ~flat & ~saturated
    notes = []
    if mask.sum() < FEWEST_LEADS:
        why = [f"flat: {_named(flat)}"] if flat.any() else []
        why += [f"saturated: {_named(saturated)}"] if saturated.any() else []
        raise InputError(
            f"Only {int(mask.sum())} ECG leads are usable ({'; '.join(why)}); at least {FEWEST_LEADS} are needed."
        )
    if flat.any():
        notes.append(Fact(EcgNote.FLAT, leads=_names(flat)))
    if saturated.any():
        notes.append(Fact(EcgNote.SATURATED, leads=_names(saturated)))
    cleaned = np.where(mask[:, None], millivolts, 0).astype(np.float32)
    return cleaned, mask, (*notes, *_remarks(cleaned, mask, rate))


def beat_swing(millivolts: NDArray, rate: float) -> NDArray[np.float64]:
    """Every lead's usual peak-to-peak amplitude within 2 s, which always holds a QRS; shape (12,), mV.

    The median over consecutive windows, so that one artefact does not count.
    """
    return np.median(np.ptp(_in_windows(millivolts, rate), axis=2), axis=1).astype(np.float64)


def is_saturated(millivolts: NDArray, rate: float) -> NDArray[np.bool_]:
    """Whether a lead stands still at its greatest or least value for 20 ms or more in at least half of all seconds.

    Returns
    -------
    bool array, shape (12,)
    """
    run = max(3, round(CLIPPED_RUN_S * rate))
    seconds = max(1, int(millivolts.shape[1] / rate))
    clipped = np.zeros(len(millivolts), dtype=bool)
    for row, lead in enumerate(np.asarray(millivolts)):
        if lead.max() == lead.min():
            continue
        struck: set[int] = set()
        for bound in (lead.max(), lead.min()):
            edges = np.diff(np.concatenate([[0], (lead == bound).astype(np.int8), [0]]))
            starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
            for start, stop in zip(starts, stops, strict=True):
                if stop - start >= run:
                    struck.update(range(int(start / rate), int((stop - 1) / rate) + 1))
        clipped[row] = len(struck) >= 0.5 * seconds
    return clipped


def arms_swapped(millivolts: NDArray, lead_mask: NDArray[np.bool_], rate: float) -> bool:
    """Whether lead I points down and aVR up while V5 or V6 points up: swapped arm electrodes, or dextrocardia."""
    piece = _in_windows(millivolts, rate)
    middle = np.median(piece, axis=2)
    up = np.median(piece.max(axis=2) - middle, axis=1)
    down = np.median(middle - piece.min(axis=2), axis=1)
    points_up = lead_mask & (up > 1.5 * down)
    one, right = LEADS.index("I"), LEADS.index("aVR")
    lateral = points_up[[LEADS.index("V5"), LEADS.index("V6")]].any()
    return bool(lead_mask[one] and down[one] > 1.5 * up[one] and points_up[right] and lateral)


def noise_level(millivolts: NDArray, rate: float) -> NDArray[np.float64]:
    """Every lead's noise, mV: the usual departure of a sample from the line between those 4 ms before and after.

    Between QRS complexes an ECG is straight over 8 ms, so that mains and muscle are left.
    """
    step = max(1, round(0.004 * rate))
    bend = millivolts[:, step:-step] - (millivolts[:, : -2 * step] + millivolts[:, 2 * step :]) / 2
    return 1.4826 * np.median(np.abs(bend), axis=1).astype(np.float64)


def _remarks(millivolts: NDArray, mask: NDArray[np.bool_], rate: float) -> tuple[Fact, ...]:
    notes = []
    error = einthoven_error(millivolts, mask)
    if error is not None and error > EINTHOVEN_TOLERANCE:
        notes.append(Fact(EcgNote.LIMBS_CONTRADICT, percent=100 * error))
    if arms_swapped(millivolts, mask, rate):
        notes.append(Fact(EcgNote.ARMS_SWAPPED))
    noisy = mask & (noise_level(millivolts, rate) > NOISY_MV)
    if noisy.any():
        notes.append(Fact(EcgNote.NOISY, leads=_names(noisy)))
    return tuple(notes)


def _in_windows(millivolts: NDArray, rate: float) -> NDArray:
    """Consecutive windows of 2 s; shape (12, windows, samples)."""
    length = min(millivolts.shape[1], round(SHORTEST_S * rate))
    count = millivolts.shape[1] // length
    return np.asarray(millivolts)[:, : count * length].reshape(len(millivolts), count, length)


def _names(rows: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, chosen in zip(LEADS, rows, strict=True) if chosen)


def _named(rows: NDArray[np.bool_]) -> str:
    return ", ".join(_names(rows))
