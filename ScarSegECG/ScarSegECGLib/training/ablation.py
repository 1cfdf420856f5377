"""What the ECG adds: every row of the table on every held-out patient, on clean and on degraded images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.polar import Mask
from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import NoLeftVentricle
from ScarSegECGLib.facts import Method
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.measure.trust import SCAR_ABOVE, scar_probability
from ScarSegECGLib.network.amplitude import LEAST_AMPLITUDE
from ScarSegECGLib.network.taff import EcgWord
from ScarSegECGLib.pipeline import network_scar, predicted_anatomy, with_ecg
from ScarSegECGLib.training.degrade import degrade
from ScarSegECGLib.training.fit import Plan, Unseen
from ScarSegECGLib.training.pairs import OwnEcg, Pairs, make_pairs

RESAMPLES = 2000
FIVE_YEARS, WRONG_GAP_DAYS = 5 * 365.0, 2 * 365.0
ENDS = ("", "_low", "_high")  # of the three columns of an estimate


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
    drawn = partial(make_pairs, fractions, noise, ecgs=1, quiet=quiet)
    now, old = drawn(seed, own=own), drawn(seed + 1, gap_days=-WRONG_GAP_DAYS)
    return {Row.TAFF: now, Row.OTHER: now, Row.WRONG_GAP: old, Row.FIVE_YEARS: drawn(seed + 2, gap_days=-FIVE_YEARS)}


def _word(row: Row, of: Unseen, pairs: Pairs | None, expert: NDArray[np.float64]) -> tuple[EcgWord, float]:
    if pairs is None:
        told = torch.from_numpy(expert).float()
        return EcgWord(torch.zeros(len(told), of.session.settings["token_size"]), told), float(row is Row.EXPERT)
    number = int(pairs.of(of.number)[0])
    if row is Row.OTHER:
        others = np.flatnonzero(pairs.patient.numpy() != of.number)
        number = int(np.random.default_rng([of.number, 11]).choice(others))
    gap = 0.0 if row is Row.WRONG_GAP else float(pairs.gap_days[number])
    word = of.session.listen_to(pairs.beat[number], pairs.leads[number], pairs.table[number])
    return word, float(pairs.quality[number]) * of.session.time_weight(gap)


def _scars(of: Unseen, stack: LgeStack, words: Sequence[tuple[EcgWord, float]]) -> Iterator[Mask]:
    """The scar with each word and its amplitude, none where the networks, which look once, find no left ventricle."""
    try:
        evidence = of.session.see(stack)
        anatomy = predicted_anatomy(stack, evidence)
    except NoLeftVentricle:
        yield from (np.zeros_like(of.case.scar) for _ in words)
        return
    alone = scar_probability(evidence.scar_logit, evidence.wall, anatomy.myocardium, evidence.box)
    for word, amplitude in words:
        probability = alone
        if amplitude >= LEAST_AMPLITUDE:
            probability, _ = with_ecg(of.session, stack, evidence, anatomy, word, amplitude, alone)
        yield network_scar(probability, stack.spacing, Method(above=SCAR_ABOVE)).mask


def outcomes(plan: Plan, ecgs: Mapping[Row, Pairs], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dice of scar (NaN of none in none) and volume found, ml: [clean and degraded, row, patient, 2].

    By networks that never saw the patient; ``fractions`` [patient, 17] are the experts'.
    """
    found = np.zeros((2, len(Row), len(plan.cases), 2))
    for of in plan.held_out("full.safetensors", "what the ECG adds"):
        words = [_word(row, of, ecgs.get(row), fractions[of.number]) for row in Row]
        for images, stack in enumerate((of.case.stack, degrade(of.case.stack, 77_000 + of.number))):
            for row, mask in enumerate(_scars(of, stack, words)):
                dice = overlap(mask, of.case.scar, stack.spacing, distance=False).dice
                found[images, row, of.number] = np.nan if dice is None else dice, mask.sum() * stack.voxel_ml
    return found


class Estimate(NamedTuple):
    """A mean over patients with its 95 % bootstrap interval; NaN where there is none."""

    mean: float
    low: float
    high: float

    def columns(self, name: str) -> dict[str, str]:
        return {f"{name}{end}": f"{value:.4f}" for end, value in zip(ENDS, self, strict=True)}

    def text(self, sign: str = "") -> str:
        """``0.512 [0.431, 0.590]``, or with sign "+" as a difference; a dash where there is no figure."""
        if not np.isfinite(self.mean):
            return "-"
        # Rounded first, and 0 added: what rounds to nothing is printed without a minus.
        mean, low, high = (f"{round(value, 3) + 0.0:{sign}.3f}" for value in self)
        return f"{mean} [{low}, {high}]"


def bootstrap(values: NDArray[np.float64]) -> Estimate:
    """Mean and 95 % interval of the mean by resampling patients (percentile method, 2000 resamples)."""
    known = values[np.isfinite(values)]
    if not known.size:
        return Estimate(np.nan, np.nan, np.nan)
    drawn = np.random.default_rng(0).integers(0, known.size, (RESAMPLES, known.size))
    low, high = np.percentile(known[drawn].mean(axis=1), [2.5, 97.5])
    return Estimate(float(known.mean()), float(low), float(high))


def table(found: NDArray[np.float64], scarred: NDArray[np.bool_]) -> list[dict[str, str]]:
    """Lines of ``ablation.csv``: Dice over ``scarred`` patients, paired difference to the images alone, false scar."""
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
