"""Pairs of image and ECG: the patient's own ECG where there is one, else simulated ones.

An ECG is simulated from the scar that the expert drew, segment by segment, after ageing it by the time between the two
dates: it shrinks, its Q waves fade, and infarcts come in between. Everything made from such pairs is called
semi-synthetic. A patient with an ECG of his own has that one alone.

Published rates used (project's table of facts, "Time"): the ECG is non-diagnostic in 23 % of infarcts one week old and
in 44 % after five years, nearly all of the change in the first year; infarct mass falls by 32 % in 4 months and by 12 %
more until 14 months. Everything else is chosen and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.anatomy.segments import USUAL_TERRITORIES
from ScarSegECGLib.case import MedianBeat
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.segments import segment_percent
from ScarSegECGLib.training.ecg_features import EcgInputs, simulate_inputs
from ScarSegECGLib.training.fit import once

ECGS_PER_PATIENT = 40
# The gap of a pair (chosen): a quarter within a week, the rest even in the logarithm of the days up to three years;
# the ECG first in 60 %.
SAME_WEEK, LONGEST_DAYS, ECG_FIRST = 0.25, 3 * 365.0, 0.6
# An infarct between the two dates is mostly known to the user, who says so: the ECG is then not used. Such pairs are
# no pairs; in this share of them nobody knows (chosen).
EVENT_UNKNOWN = 0.3
NON_DIAGNOSTIC_WEEK, NON_DIAGNOSTIC_5_YEARS = 0.23, 0.44
FADING_DAYS = 120.0  # time constant (chosen): 95 % of the change within the first year
SHRINK_DAYS = np.array([0.0, 7.0, 120.0, 425.0])
SHRINK_MASS = np.array([1.0, 1.0, 0.68, 0.68 * 0.88])  # the further 12 % is read as 12 % of what was left
FADED_STRENGTH = (0.0, 0.3)  # what a faded ECG still shows of the scar (chosen)
NEW_INFARCTS_PER_YEAR = 0.05  # about 5 % a year after a first infarct (chosen)
INFARCT_AGE_DAYS = (2.0, 1825.0)  # age of the infarct at the MRI, drawn evenly in its logarithm (chosen)


def expert_fractions(cases: Sequence[ExpertCase]) -> NDArray[np.float64]:
    """Scar fraction of every AHA segment in the experts' contours, [patient, 17], 0 where a segment is not imaged."""
    rows = []
    for case in cases:
        anatomy = partition(case.cavity, case.myocardium, case.stack.voxels, case.stack.spacing)
        rows.append(np.nan_to_num(segment_percent(anatomy.aha, case.scar), nan=0.0) / 100.0)
    return np.stack(rows)


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

    Both are fractions of the AHA segments, (17,), 0..1, and the same for a gap of 0. ``infarct_age_days`` is the age at
    the MRI, drawn where it is not known; an ECG older than the infarct shows none of it.
    """
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
    seen = scar * (relative_mass(at_ecg) / relative_mass(at_mri))
    # Who still has a diagnostic ECG at the MRI and loses it by the day of the ECG.
    lost = (non_diagnostic(at_ecg) - non_diagnostic(at_mri)) / (1.0 - non_diagnostic(at_mri))
    if chance < lost:
        seen *= faded
    if gap_days > 0.0 and waiting_years < NEW_INFARCTS_PER_YEAR * gap_days / 365.25:
        new = np.isin(np.arange(1, 18), territory)
        seen = np.maximum(seen, extent * new)
    return np.clip(seen, 0.0, 1.0)


def drawn_gap(rng: np.random.Generator) -> float:
    """A signed gap in days, ECG date - MRI date."""
    if rng.random() < SAME_WEEK:
        return float(rng.uniform(-7.0, 7.0))
    days = np.exp(rng.uniform(np.log(7.0), np.log(LONGEST_DAYS)))
    return float(-days if rng.random() < ECG_FIRST else days)


def drawn_infarct_age(gap_days: float, rng: np.random.Generator) -> float:
    """Age of the infarct at the MRI, days; seldom younger than the ECG is old (see EVENT_UNKNOWN)."""
    low, high = np.log(INFARCT_AGE_DAYS)
    age = float(np.exp(rng.uniform(low, high)))
    if age < -gap_days and rng.random() > EVENT_UNKNOWN:
        return float(rng.uniform(-gap_days, -gap_days + INFARCT_AGE_DAYS[1]))
    return age


@dataclass(frozen=True)
class OwnEcg:
    """A patient's own ECG: its median ``beat`` and the gap, days."""

    beat: MedianBeat
    gap_days: float


@dataclass(frozen=True)
class Pairs:
    """ECGs of many patients: inputs, and of each ECG the number of the ``patient`` [N] and ``gap_days`` [N]."""

    inputs: EcgInputs
    patient: Tensor
    gap_days: Tensor

    def of(self, patient: int) -> Tensor:
        """Numbers of one patient's ECGs."""
        return torch.nonzero(self.patient == patient)[:, 0]


def make_pairs(
    fractions: Sequence[NDArray],
    noise: NDArray,
    seed: int,
    *,
    own: Mapping[int, OwnEcg] | None = None,
    ecgs: int = ECGS_PER_PATIENT,
    gap_days: float | None = None,
    file: Path | None = None,
    quiet: bool = False,
) -> Pairs:
    """Simulate ECGs for patients whose scar ``fractions`` (17,) are known; kept in ``file`` and taken up again.

    Of every patient ``ecgs``, each with another torso, heart position, conduction, rate, noise (of ``noise_bank``) and
    gap, which ``gap_days`` fixes; ``own``, real ECGs by the patient's number, stand alone.
    """

    def made() -> dict[str, Tensor]:
        parts = []
        for patient, fraction in enumerate(tqdm(fractions, desc="semi-synthetic pairs", unit="patient", disable=quiet)):
            if own and patient in own:
                inputs, gaps = EcgInputs.of([own[patient].beat]), [own[patient].gap_days]
            else:
                rng = np.random.default_rng([seed, patient])
                gaps = [drawn_gap(rng) if gap_days is None else gap_days for _ in range(ecgs)]
                scar = np.stack([aged_scar_for_ecg(fraction, gap, rng, drawn_infarct_age(gap, rng)) for gap in gaps])
                inputs = simulate_inputs(scar, noise, rng)
            whose = torch.full((len(gaps),), patient)
            parts.append(inputs.packed() | {"patient": whose, "gap_days": torch.tensor(gaps, dtype=torch.float32)})
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    kept = made() if file is None else once(file, made)
    return Pairs(EcgInputs.unpacked(kept), kept["patient"], kept["gap_days"])
