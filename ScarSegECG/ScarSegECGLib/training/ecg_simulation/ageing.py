"""What an ECG of another day shows of a scar: it shrinks, its Q waves fade, and infarcts come in between.

Published rates used (project's table of facts, "Time"): the ECG is non-diagnostic in 23 % of infarcts one week old and
in 44 % after five years, nearly all of the change in the first year; infarct mass falls by 32 % in 4 months and by 12 %
more until 14 months. Everything else is chosen and says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.segments import USUAL_TERRITORIES
from ScarSegECGLib.errors import InputError

NON_DIAGNOSTIC_WEEK, NON_DIAGNOSTIC_5_YEARS = 0.23, 0.44
FADING_DAYS = 120.0  # time constant (chosen): 95 % of the change within the first year
SHRINK_DAYS = np.array([0.0, 7.0, 120.0, 425.0])
SHRINK_MASS = np.array([1.0, 1.0, 0.68, 0.68 * 0.88])  # the further 12 % is read as 12 % of what was left
FADED_STRENGTH = (0.0, 0.3)  # what a faded ECG still shows of the scar (chosen)
NEW_INFARCTS_PER_YEAR = 0.05  # about 5 % a year after a first infarct (chosen)
INFARCT_AGE_DAYS = (2.0, 1825.0)  # age of the infarct at the MRI, drawn evenly in its logarithm (chosen)


def relative_mass(age_days: float) -> float:
    """Mass of an infarct of this age over its mass in the first week, 1 .. 0.6."""
    return float(np.interp(age_days, SHRINK_DAYS, SHRINK_MASS))


def non_diagnostic(age_days: float) -> float:
    """Share of infarcts of this age whose ECG shows nothing of them."""
    rise = 1.0 - np.exp(-max(0.0, age_days - 7.0) / FADING_DAYS)
    return float(NON_DIAGNOSTIC_WEEK + (NON_DIAGNOSTIC_5_YEARS - NON_DIAGNOSTIC_WEEK) * rise)


def aged_scar_for_ecg(
    scar: NDArray, gap_days: float, rng: np.random.Generator, infarct_age_days: float | None = None
) -> NDArray[np.float64]:
    """The scar from which to simulate an ECG taken ``gap_days`` after (negative: before) the MRI that shows ``scar``.

    Parameters
    ----------
    scar : array, shape (17,)
        Scar fraction per AHA segment at the MRI, 0..1; so is what is returned, the same for a gap of 0.
    infarct_age_days : float, optional
        Age of the infarct at the MRI; drawn where it is not known. An ECG older than the infarct shows none of it.

    Raises
    ------
    InputError
        If ``scar`` has not 17 values or the gap is no finite number.
    """
    seen = np.array(scar, dtype=np.float64)
    if seen.shape != (17,) or not np.isfinite(seen).all():
        raise InputError(f"Scar of shape {seen.shape} cannot be aged; give one fraction for each of 17 segments.")
    if not np.isfinite(gap_days):
        raise InputError("The time between ECG and MRI is no number; give it in days.")
    # Every number is drawn whatever happens, so that one seed gives one patient at every gap.
    low, high = np.log(INFARCT_AGE_DAYS)
    drawn_age = float(np.exp(rng.uniform(low, high)))
    chance, faded = rng.uniform(), rng.uniform(*FADED_STRENGTH)
    waiting_years = rng.exponential()
    territory = list(USUAL_TERRITORIES.values())[rng.integers(len(USUAL_TERRITORIES))]
    extent = rng.uniform(0.3, 0.9, 17) * (rng.random(17) < 0.7)

    at_mri = drawn_age if infarct_age_days is None else infarct_age_days
    at_ecg = at_mri + gap_days
    if at_ecg < 0.0:
        return np.zeros(17)
    seen *= relative_mass(at_ecg) / relative_mass(at_mri)
    # Who still has a diagnostic ECG at the MRI and loses it by the day of the ECG.
    lost = (non_diagnostic(at_ecg) - non_diagnostic(at_mri)) / (1.0 - non_diagnostic(at_mri))
    if chance < lost:
        seen *= faded
    if gap_days > 0.0 and waiting_years < NEW_INFARCTS_PER_YEAR * gap_days / 365.25:
        new = np.isin(np.arange(1, 18), territory)
        seen = np.maximum(seen, extent * new)
    return np.clip(seen, 0.0, 1.0)
