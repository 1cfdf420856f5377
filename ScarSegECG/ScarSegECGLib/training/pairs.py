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
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, MedianBeat
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.segments import segment_percent
from ScarSegECGLib.network.ecg_encoder import feature_table
from ScarSegECGLib.training.ecg_features import EcgInputs
from ScarSegECGLib.training.ecg_simulation.ageing import INFARCT_AGE_DAYS, aged_scar_for_ecg
from ScarSegECGLib.training.ecg_stage_one import simulate_inputs

ECGS_PER_PATIENT = 40
# The gap of a pair (chosen): a quarter within a week, the rest even in the logarithm of the days up to three years;
# the ECG first in 60 %.
SAME_WEEK, LONGEST_DAYS, ECG_FIRST = 0.25, 3 * 365.0, 0.6
# An infarct between the two dates is mostly known to the user, who says so: the ECG is then not used. Such pairs are
# no pairs; in this share of them nobody knows (chosen).
EVENT_UNKNOWN = 0.3


def segment_fractions(case: ExpertCase) -> NDArray[np.float64]:
    """Scar fraction of every AHA segment in the expert's contours, (17,), 0 where a segment is not imaged."""
    wall = case.labels >= MYOCARDIUM
    anatomy = partition(case.labels == CAVITY, wall, case.stack.voxels, case.stack.spacing)
    percent = segment_percent(anatomy.aha, case.labels >= SCAR)
    return np.nan_to_num(percent, nan=0.0) / 100.0


def drawn_gap(rng: np.random.Generator, longest: float = LONGEST_DAYS) -> float:
    """A signed gap in days, ECG date - MRI date."""
    if rng.random() < SAME_WEEK:
        return float(rng.uniform(-7.0, 7.0))
    days = np.exp(rng.uniform(np.log(7.0), np.log(longest)))
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
    """A patient's own ECG: its median ``beat``, what its conduction leaves of its word, and the gap, days."""

    beat: MedianBeat
    quality: float
    gap_days: float


@dataclass(frozen=True)
class Pairs:
    """ECGs of many patients: inputs, and per ECG the ``patient`` [N], ``gap_days`` [N] and the ``scar`` [N, 17] that it
    was simulated from (the patient's own after ageing).
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
    longest_days: float = LONGEST_DAYS,
    file: Path | None = None,
    quiet: bool = False,
) -> Pairs:
    """Simulate ECGs for patients whose scar fractions are known.

    Parameters
    ----------
    fractions : one array (17,) per patient
    noise : from ``ecg_features.steady_noise``
    own : real ECGs by the patient's number; these patients get no simulated one
    ecgs : simulated ECGs per patient, each with another torso, heart position, conduction, rate, noise and gap
    gap_days : the same gap for all; None draws it (:func:`drawn_gap`)
    file : where the pairs are kept and taken up again
    """
    if file is not None and file.is_file():
        return _unpacked(load_file(file))
    parts = []
    for patient, fraction in enumerate(tqdm(fractions, desc="semi-synthetic pairs", unit="patient", disable=quiet)):
        if own and patient in own:
            parts.append(_real(own[patient], patient))
            continue
        rng = np.random.default_rng([seed, patient])
        gaps = [drawn_gap(rng, longest_days) if gap_days is None else gap_days for _ in range(ecgs)]
        scar = np.stack(
            [aged_scar_for_ecg(fraction, gap, rng, infarct_age_days=drawn_infarct_age(gap, rng)) for gap in gaps]
        )
        inputs = simulate_inputs(scar, noise, rng)
        parts.append(
            {
                "beat": inputs.beat.half(),
                "leads": inputs.leads,
                "table": inputs.table,
                "quality": inputs.quality,
                "patient": torch.full((ecgs,), patient),
                "gap_days": torch.tensor(gaps, dtype=torch.float32),
                "scar": torch.from_numpy(scar).float(),
            }
        )
    whole = {key: torch.cat([part[key] for part in parts]).contiguous() for key in parts[0]}
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(whole, file)
    return _unpacked(whole)


def _real(own: OwnEcg, patient: int) -> dict[str, Tensor]:
    """A patient's own ECG; the scar it shows is not known to anybody and stands as NaN."""
    features = own.beat.features
    return {
        "beat": torch.from_numpy(own.beat.millivolts[None]).half(),
        "leads": torch.from_numpy(own.beat.lead_mask[None]).float(),
        "table": torch.from_numpy(feature_table(features)[None]),
        "quality": torch.tensor([own.quality]),
        "patient": torch.tensor([patient]),
        "gap_days": torch.tensor([own.gap_days]),
        "scar": torch.full((1, 17), float("nan")),
    }


def _unpacked(tensors: dict[str, Tensor]) -> Pairs:
    inputs = EcgInputs(tensors["beat"].float(), tensors["leads"], tensors["table"], tensors["quality"])
    return Pairs(inputs, tensors["patient"], tensors["gap_days"], tensors["scar"])
