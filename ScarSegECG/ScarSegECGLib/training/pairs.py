"""Pairs of image and ECG: the patient's own ECG where there is one, else simulated ones.

An ECG is simulated from the scar that the expert drew, segment by segment, after ageing it by the time between the two
dates; everything made from such pairs is called semi-synthetic. A patient with an ECG of his own has that one alone.
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
from ScarSegECGLib.case import MedianBeat
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.segments import segment_percent
from ScarSegECGLib.training.ecg_features import EcgInputs
from ScarSegECGLib.training.ecg_simulation.ageing import INFARCT_AGE_DAYS, aged_scar_for_ecg
from ScarSegECGLib.training.ecg_stage_one import simulate_inputs
from ScarSegECGLib.training.fit import once

ECGS_PER_PATIENT = 40
# The gap of a pair (chosen): a quarter within a week, the rest even in the logarithm of the days up to three years;
# the ECG first in 60 %.
SAME_WEEK, LONGEST_DAYS, ECG_FIRST = 0.25, 3 * 365.0, 0.6
# An infarct between the two dates is mostly known to the user, who says so: the ECG is then not used. Such pairs are
# no pairs; in this share of them nobody knows (chosen).
EVENT_UNKNOWN = 0.3


def segment_fractions(case: ExpertCase) -> NDArray[np.float64]:
    """Scar fraction of every AHA segment in the expert's contours, (17,), 0 where a segment is not imaged."""
    anatomy = partition(case.cavity, case.myocardium, case.stack.voxels, case.stack.spacing)
    return np.nan_to_num(segment_percent(anatomy.aha, case.scar), nan=0.0) / 100.0


def expert_fractions(cases: Sequence[ExpertCase]) -> NDArray[np.float64]:
    """The same of several patients, [patient, 17]."""
    return np.stack([segment_fractions(case) for case in cases])


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
    """ECGs of many patients: inputs, and per ECG the ``patient`` [N], ``gap_days`` [N] and the ``scar`` [N, 17] that it
    was simulated from (the patient's own after ageing; NaN for a real ECG, whose scar nobody knows).
    """

    inputs: EcgInputs
    patient: Tensor
    gap_days: Tensor
    scar: Tensor

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

    Of every patient ``ecgs``, each with another torso, heart position, conduction, rate, noise (from
    ``ecg_features.steady_noise``) and gap, which ``gap_days`` fixes; ``own``, real ECGs by the patient's number, stand
    alone.
    """

    def made() -> dict[str, Tensor]:
        parts = []
        for patient, fraction in enumerate(tqdm(fractions, desc="semi-synthetic pairs", unit="patient", disable=quiet)):
            if own and patient in own:
                inputs, gaps = EcgInputs.of([own[patient].beat]), [own[patient].gap_days]
                scar = np.full((1, 17), np.nan)
            else:
                rng = np.random.default_rng([seed, patient])
                gaps = [drawn_gap(rng) if gap_days is None else gap_days for _ in range(ecgs)]
                scar = np.stack([aged_scar_for_ecg(fraction, gap, rng, drawn_infarct_age(gap, rng)) for gap in gaps])
                inputs = simulate_inputs(scar, noise, rng)
            known = {
                "patient": torch.full((len(gaps),), patient),
                "gap_days": torch.tensor(gaps, dtype=torch.float32),
                "scar": torch.from_numpy(scar).float(),
            }
            parts.append(inputs.packed() | known)
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    kept = made() if file is None else once(file, made)
    return Pairs(EcgInputs.unpacked(kept), kept["patient"], kept["gap_days"], kept["scar"])
