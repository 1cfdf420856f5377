"""Pairs of image and ECG: the patient's own ECG alone where there is one, else simulated ones, called semi-synthetic.

They are simulated from the scar that the expert drew, segment by segment, after ageing it by the time between the two
dates: it shrinks, its Q waves fade, and infarcts come in between. In place of ten seconds, whose median beat is read at
inference, one beat is simulated and what noise the median leaves is added, which is a hundred times faster; onset,
waves and features are then found by the same code.

Published rates used (project's table of facts, "Time"): the ECG is non-diagnostic in 23 % of infarcts one week old and
in 44 % after five years, nearly all of the change in the first year; infarct mass falls by 32 % in 4 months and by 12 %
more until 14 months. Everything else is chosen and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.anatomy.segments import USUAL_TERRITORIES
from ScarSegECGLib.case import LEADS, MedianBeat
from ScarSegECGLib.ecg.delineation import RATE, delineate
from ScarSegECGLib.ecg.median_beat import RepresentativeBeat, measured
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.segments import segment_percent
from ScarSegECGLib.network.amplitude import conduction_quality
from ScarSegECGLib.network.ecg_encoder import feature_table
from ScarSegECGLib.training.ecg_simulation.simulate import WINDOW, WINDOW_ONSET, Body, drawn_bodies, simulate_beats

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
CONDUCTION_SHARES = {"normal": 0.8, "rbbb": 0.08, "lbbb": 0.06, "lafb": 0.06}  # chosen: about those of a cardiac ward
RATE_BPM = (50.0, 110.0)
SPREAD = 1.8  # people differ more than the simulator's textbook ones: see drawn_bodies (chosen)
LEAD_LOSS = 0.2  # share of ECGs that lack one to four leads
MOST_LOST = 4  # eight leads are the fewest that count
_AVERAGED = 9  # beats in ten seconds, about
OwnEcg = tuple[MedianBeat, float]  # a patient's own median beat, and the gap, days


@dataclass(frozen=True)
class EcgInputs:
    """ECGs as the network reads them, float."""

    beat: Tensor  # [N, 12, 300]
    leads: Tensor  # [N, 12]
    table: Tensor  # [N, T]
    quality: Tensor  # [N], what is left of the ECG's word under the conduction that was *measured*: 1, 0.3 or 0


@dataclass(frozen=True)
class Pairs(EcgInputs):
    patient: Tensor  # [N], the number of each one's patient
    gap_days: Tensor  # [N]

    def of(self, patient: int) -> Tensor:
        """Numbers of one patient's ECGs."""
        return torch.nonzero(self.patient == patient)[:, 0]


def inputs_of(beats: Sequence[MedianBeat]) -> EcgInputs:
    """Measured beats as the network reads them."""
    return EcgInputs(
        torch.from_numpy(np.stack([beat.millivolts for beat in beats])),
        torch.from_numpy(np.stack([beat.lead_mask for beat in beats])).float(),
        torch.from_numpy(np.stack([feature_table(beat.features) for beat in beats])),
        torch.tensor([conduction_quality(beat.features)[0] for beat in beats], dtype=torch.float32),
    )


def expert_fractions(cases: Sequence[ExpertCase]) -> NDArray[np.float64]:
    """Scar fraction of every AHA segment in the experts' contours, [patient, 17], 0 where a segment is not imaged."""
    rows = []
    for case in cases:
        anatomy = divide(case.stack, case.cavity, case.myocardium)
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
    scar: NDArray, gap_days: float, infarct_age_days: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The scar from which to simulate an ECG taken ``gap_days`` after (negative: before) the MRI that shows ``scar``.

    Both are fractions of the AHA segments, (17,), 0..1, and the same for a gap of 0. ``infarct_age_days`` is the age at
    the MRI; an ECG older than the infarct shows none of it.
    """
    # Every number is drawn whatever happens, so that one seed gives one patient at every gap.
    chance, faded = rng.uniform(), rng.uniform(*FADED_STRENGTH)
    waiting_years = rng.exponential()
    territory = list(USUAL_TERRITORIES.values())[rng.integers(len(USUAL_TERRITORIES))]
    extent = rng.uniform(0.3, 0.9, 17) * (rng.random(17) < 0.7)

    at_ecg = infarct_age_days + gap_days
    if at_ecg < 0.0:
        return np.zeros(17)
    seen = scar * (relative_mass(at_ecg) / relative_mass(infarct_age_days))
    # Who still has a diagnostic ECG at the MRI and loses it by the day of the ECG.
    lost = (non_diagnostic(at_ecg) - non_diagnostic(infarct_age_days)) / (1.0 - non_diagnostic(infarct_age_days))
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


def measure(window: NDArray, lead_mask: NDArray[np.bool_], rate_bpm: float) -> MedianBeat:
    """Median beat and features of a beat [12, WINDOW] with its QRS near WINDOW_ONSET; see ``ecg.median_beat``."""
    rr = 60.0 / rate_bpm
    last = WINDOW_ONSET + round(max(rr - 0.2, 0.6 * rr) * RATE)
    marks = delineate(window[lead_mask], WINDOW_ONSET + round(0.04 * RATE), RATE, last=last)
    level = window[:, max(0, marks.qrs_onset - 10) : marks.qrs_onset].mean(axis=1, keepdims=True)
    return measured(RepresentativeBeat(np.where(lead_mask[:, None], window - level, 0.0), lead_mask, marks, rr))


def drawn_people(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], list[str], Body]:
    """Heart rates, conductions and bodies of ``n`` people."""
    rate = rng.uniform(*RATE_BPM, n)
    conduction = rng.choice(list(CONDUCTION_SHARES), n, p=list(CONDUCTION_SHARES.values())).tolist()
    return rate, conduction, drawn_bodies(n, rng, SPREAD)


def read_simulated(windows: NDArray, rate_bpm: NDArray, noise: NDArray, rng: np.random.Generator) -> EcgInputs:
    """Beats (n, 12, WINDOW) of ``simulate_beats``, with ``noise`` of ``noise_bank``, lacking some leads, measured."""
    beats = []
    for window, rate in zip(windows, rate_bpm, strict=True):
        mask = np.ones(len(LEADS), dtype=bool)
        if rng.random() < LEAD_LOSS:
            mask[rng.choice(len(LEADS), rng.integers(1, MOST_LOST + 1), replace=False)] = False
        strength, record = rng.uniform(0.3, 1.5), noise[rng.integers(len(noise))]
        starts = rng.integers(0, record.shape[1] - WINDOW, _AVERAGED)
        left = np.median(np.stack([record[:, s : s + WINDOW] for s in starts]), axis=0)  # by the median beat
        beats.append(measure(window + strength * left, mask, float(rate)))
    return inputs_of(beats)


def make_pairs(
    fractions: NDArray,
    noise: NDArray,
    seed: int,
    *,
    own: Mapping[int, OwnEcg] = {},
    ecgs: int = ECGS_PER_PATIENT,
    gap_days: float | None = None,
    quiet: bool = False,
) -> Pairs:
    """Simulate ECGs for patients whose scar ``fractions`` [patient, 17] are known.

    Of every patient ``ecgs``, each with another torso, heart position, conduction, rate, noise (of ``noise_bank``) and
    gap, which ``gap_days`` fixes; ``own``, real ECGs by the patient's number, stand alone.
    """
    parts = []
    for patient, fraction in enumerate(tqdm(fractions, desc="semi-synthetic pairs", unit="patient", disable=quiet)):
        if patient in own:
            beat, gap = own[patient]
            inputs, gaps = inputs_of([beat]), [gap]
        else:
            rng = np.random.default_rng([seed, patient])
            gaps = [drawn_gap(rng) if gap_days is None else gap_days for _ in range(ecgs)]
            scar = np.stack([aged_scar_for_ecg(fraction, gap, drawn_infarct_age(gap, rng), rng) for gap in gaps])
            rate, conduction, bodies = drawn_people(ecgs, rng)
            inputs = read_simulated(simulate_beats(scar, bodies, conduction, rate), rate, noise, rng)
        whose = torch.full((len(gaps),), patient)
        parts.append(vars(inputs) | {"patient": whose, "gap_days": torch.tensor(gaps, dtype=torch.float32)})
    return Pairs(**{key: torch.cat([part[key] for part in parts]) for key in parts[0]})
