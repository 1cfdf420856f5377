"""What the ECG adds: every row of the table on every held-out patient, on clean and on degraded images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import soft_prior
from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Method
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.measure.trust import SCAR_ABOVE, never_erasing, scar_probability
from ScarSegECGLib.network.amplitude import LEAST_AMPLITUDE
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.taff import EcgWord
from ScarSegECGLib.pipeline import network_scar
from ScarSegECGLib.training.degrade import degrade
from ScarSegECGLib.training.fit import Plan
from ScarSegECGLib.training.pairs import OwnEcg, Pairs, make_pairs
from ScarSegECGLib.training.taff import anatomy_of

RESAMPLES = 2000
FIVE_YEARS, WRONG_GAP_DAYS = 5 * 365.0, 2 * 365.0


class Row(Enum):
    """Lines of the table, by what stands in the ECG's place."""

    IMAGE_ONLY = "image only"
    TAFF = "+ TAFF"
    OTHER = "+ TAFF, ECG of another patient"
    WRONG_GAP = "+ TAFF, wrong gap"
    FIVE_YEARS = "+ TAFF, gap 5 years"
    EXPERT = "+ TAFF told the expert's extents"


def held_out_ecgs(
    fractions: NDArray[np.float64], noise: NDArray, seed: int, own: Mapping[int, OwnEcg], quiet: bool = False
) -> dict[Row, Pairs]:
    """ECGs that no training used, by the rows that hear them: with the gap as drawn, of two years, and of five.

    Real ECGs, ``own`` by the patient's number, stand in place of simulated ones where the gap is as it is.
    """
    drawn = partial(make_pairs, list(fractions), noise, ecgs=1, quiet=quiet)
    now, old = drawn(seed, own=own), drawn(seed + 1, gap_days=-WRONG_GAP_DAYS)
    return {Row.TAFF: now, Row.OTHER: now, Row.WRONG_GAP: old, Row.FIVE_YEARS: drawn(seed + 2, gap_days=-FIVE_YEARS)}


def _scar_by(stack: LgeStack, session: Session) -> Callable[[EcgWord, float], NDArray[np.bool_]] | None:
    """How the scar follows from an ECG's word and its amplitude, as :func:`ScarSegECGLib.pipeline.segment` finds it.

    The networks look at the stack here, once for all words. None where they find no left ventricle.
    """
    try:
        evidence = session.see(stack)
    except InputError:
        return None
    anatomy = anatomy_of(stack, evidence)
    if anatomy is None:
        return None
    rows, columns = box = evidence.box
    alone = scar_probability(evidence.scar_logit, evidence.wall, anatomy.myocardium, box)
    prior = soft_prior(anatomy, stack.spacing)

    def mask(word: EcgWord, amplitude: float) -> NDArray[np.bool_]:
        probability = alone
        if amplitude >= LEAST_AMPLITUDE:
            moved = session.fuse(stack, evidence, word, prior, amplitude)
            logit = evidence.scar_logit + never_erasing(moved, alone[:, rows, columns])
            probability = scar_probability(logit, evidence.wall, anatomy.myocardium, box)
        return network_scar(probability, stack.spacing, Method(above=SCAR_ABOVE)).mask

    return mask


def _word(
    row: Row, session: Session, pairs: Pairs | None, expert: NDArray[np.float64], patient: int
) -> tuple[EcgWord, float]:
    """What is said in this row, and with what amplitude."""
    if pairs is None:
        told = torch.from_numpy(expert).float()
        return EcgWord(torch.zeros(len(told), session.settings["token_size"]), told), float(row is Row.EXPERT)
    number = int(pairs.of(patient)[0])
    if row is Row.OTHER:
        others = np.flatnonzero(pairs.patient.numpy() != patient)
        number = int(np.random.default_rng([patient, 11]).choice(others))
    gap = 0.0 if row is Row.WRONG_GAP else float(pairs.gap_days[number])
    word = session.listen_to(pairs.beat[number], pairs.leads[number], pairs.table[number])
    return word, float(pairs.quality[number]) * session.time_weight(gap)


def outcomes(plan: Plan, ecgs: Mapping[Row, Pairs], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dice of scar (NaN of none in none) and volume found, ml: [clean and degraded, row, patient, 2].

    By networks that never saw the patient; these run once for all rows. ``ecgs`` from :func:`held_out_ecgs`;
    ``fractions`` [patient, 17] are the experts'.
    """
    found = np.zeros((2, len(Row), len(plan.cases), 2))
    for of in plan.held_out("full.safetensors", "what the ECG adds"):
        for images, stack in enumerate((of.case.stack, degrade(of.case.stack, 77_000 + of.number))):
            scar_by = _scar_by(stack, of.session)
            for number, row in enumerate(Row):
                mask = np.zeros_like(of.case.scar)
                if scar_by is not None:
                    mask = scar_by(*_word(row, of.session, ecgs.get(row), fractions[of.number], of.number))
                dice = overlap(mask, of.case.scar, stack.spacing, distance=False).dice
                found[images, number, of.number] = np.nan if dice is None else dice, mask.sum() * stack.voxel_ml
    return found


@dataclass(frozen=True)
class Estimate:
    """A mean over patients with its 95 % bootstrap interval; NaN where there is none."""

    mean: float
    low: float
    high: float

    def columns(self, name: str) -> dict[str, str]:
        """As three cells of a table."""
        return {name: f"{self.mean:.4f}", f"{name}_low": f"{self.low:.4f}", f"{name}_high": f"{self.high:.4f}"}

    def text(self, sign: str = "") -> str:
        """``0.512 [0.431, 0.590]``, or with sign "+" as a difference; a dash where there is no figure."""
        if not np.isfinite(self.mean):
            return "-"
        # Rounded first, and 0 added: what rounds to nothing is printed without a minus.
        mean, low, high = (f"{round(value, 3) + 0.0:{sign}.3f}" for value in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"


def bootstrap(values: NDArray[np.float64]) -> Estimate:
    """Mean and 95 % interval of the mean by resampling patients (percentile method, 2000 resamples)."""
    known = values[np.isfinite(values)]
    if not known.size:
        return Estimate(float("nan"), float("nan"), float("nan"))
    drawn = np.random.default_rng(0).integers(0, known.size, (RESAMPLES, known.size))
    low, high = np.percentile(known[drawn].mean(axis=1), [2.5, 97.5])
    return Estimate(float(known.mean()), float(low), float(high))


def table(found: NDArray[np.float64], scarred: NDArray[np.bool_]) -> list[dict[str, str]]:
    """Lines of ``ablation.csv`` from :func:`outcomes` and which patients have an infarct.

    Dice over these, and the paired difference to the images alone; false scar over the others.
    """
    lines = []
    for images, rows in zip(("clean", "degraded"), found, strict=True):
        for row, values in zip(Row, rows, strict=True):
            dice, false_ml = values[scarred, 0], values[~scarred, 1]
            lines.append(
                {"row": row.value, "images": images, "patients": str(len(dice))}
                | bootstrap(dice).columns("dice")
                | bootstrap(dice - rows[0][scarred, 0]).columns("dice_minus_image_only")
                | {"false_scar_ml": f"{false_ml.mean():.4f}" if false_ml.size else ""}
            )
    return lines
