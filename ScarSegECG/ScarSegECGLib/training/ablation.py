"""What the ECG adds: every row of the table on every held-out patient, on clean and on degraded images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.anatomy.lv import clean, is_left_ventricle
from ScarSegECGLib.anatomy.soft import SoftPrior, soft_prior
from ScarSegECGLib.case import SCAR, Anatomy, FloatArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.measure.scar_probability import SCAR_ABOVE, never_erasing, scar_probability
from ScarSegECGLib.network.amplitude import LEAST_AMPLITUDE
from ScarSegECGLib.network.session import ImageEvidence, Session
from ScarSegECGLib.network.taff import EcgWord
from ScarSegECGLib.training.degrade import degrade
from ScarSegECGLib.training.pairs import OwnEcg, Pairs, make_pairs

RESAMPLES = 2000
FIVE_YEARS, WRONG_GAP_DAYS = 5 * 365.0, 2 * 365.0
ECGS = 1  # of every held-out patient and kind


class Row(Enum):
    """Lines of the table, by what stands in the ECG's place."""

    IMAGE_ONLY = "image only"
    TAFF = "+ TAFF"
    OTHER = "+ TAFF, ECG of another patient"
    WRONG_GAP = "+ TAFF, wrong gap"
    FIVE_YEARS = "+ TAFF, gap 5 years"
    EXPERT = "+ TAFF told the expert's extents"


@dataclass(frozen=True)
class Outcome:
    """Dice of scar of one row on one patient, mean over the ECGs, and the volume found, ml."""

    row: Row
    degraded: bool
    case: str
    pathological: bool
    dice: float | None
    scar_ml: float


@dataclass(frozen=True)
class HeldOutEcgs:
    """ECGs of held-out patients that no training used: with the gap as drawn (or the real one), two years told as none,
    and five years; and the expert's extents [patient, 17]."""

    own: Pairs
    old: Pairs
    five_years: Pairs
    expert: NDArray[np.float64]


def held_out_ecgs(
    fractions: NDArray[np.float64], noise: NDArray, seed: int, own: Mapping[int, OwnEcg], quiet: bool = False
) -> HeldOutEcgs:
    """ECGs for the held-out patients; a real one stands among ``own`` in place of simulated ones."""

    def drawn(offset: int, gap: float | None, real: Mapping[int, OwnEcg]) -> Pairs:
        return make_pairs(list(fractions), noise, seed + offset, own=real, ecgs=ECGS, gap_days=gap, quiet=quiet)

    return HeldOutEcgs(drawn(0, None, own), drawn(1, -WRONG_GAP_DAYS, {}), drawn(2, -FIVE_YEARS, {}), fractions)


@dataclass(frozen=True)
class _Seen:
    stack: LgeStack
    evidence: ImageEvidence
    anatomy: Anatomy
    prior: SoftPrior
    alone: FloatArray


def _see(stack: LgeStack, session: Session) -> _Seen | None:
    try:
        evidence = session.see(stack)
    except InputError:
        return None
    cavity, wall = clean(evidence.classes == 1, evidence.classes == 2)
    if not is_left_ventricle(cavity, wall, stack.spacing):
        return None
    anatomy = partition(cavity, wall, stack.voxels, stack.spacing, orientation_known=stack.orientation_known)
    alone = scar_probability(evidence.scar_logit, evidence.wall, wall, evidence.box)
    return _Seen(stack, evidence, anatomy, soft_prior(anatomy, stack.spacing), alone)


def _words(row: Row, session: Session, ecgs: HeldOutEcgs, patient: int) -> Iterator[tuple[EcgWord, float]]:
    """What is said in this row, and with what amplitude."""
    if row is Row.EXPERT:
        expert = torch.from_numpy(ecgs.expert[patient]).float()
        yield EcgWord(torch.zeros(len(expert), session.token_size), expert), 1.0
        return
    pairs = {Row.WRONG_GAP: ecgs.old, Row.FIVE_YEARS: ecgs.five_years}.get(row, ecgs.own)
    rng = np.random.default_rng([patient, 11])
    for number in pairs.of(patient).tolist():
        if row is Row.OTHER:
            number = int(rng.choice(np.flatnonzero(pairs.patient.numpy() != patient)))
        gap = 0.0 if row is Row.WRONG_GAP else float(pairs.gap_days[number])
        amplitude = float(pairs.inputs.quality[number]) * session.time_weight(gap)
        one = pairs.inputs.part(slice(number, number + 1))
        word = session.listen_to(one.beat[0], one.leads[0], one.table[0])
        yield word, 0.0 if amplitude < LEAST_AMPLITUDE else amplitude


def _masks(row: Row, seen: _Seen, session: Session, ecgs: HeldOutEcgs, patient: int) -> Iterator[NDArray[np.bool_]]:
    said: list[tuple[EcgWord | None, float]] = [(None, 0.0)]
    if row is not Row.IMAGE_ONLY:
        said = list(_words(row, session, ecgs, patient))
    for word, amplitude in said:
        probability = seen.alone
        if word is not None and amplitude > 0:
            moved = session.fuse(seen.stack, seen.evidence, word, seen.prior, amplitude).movement
            rows, columns = box = seen.evidence.box
            logit = seen.evidence.scar_logit + never_erasing(moved, seen.alone[:, rows, columns])
            probability = scar_probability(logit, seen.evidence.wall, seen.anatomy.myocardium, box)
        yield drop_small_islands(probability > SCAR_ABOVE, seen.stack.spacing, minimum_ml=SMALLEST_ISLAND_ML)


def outcomes(
    cases: Sequence[ExpertCase],
    patients: Sequence[int],
    session: Session,
    ecgs: HeldOutEcgs,
    *,
    progress: Callable[[str], None] = lambda name: None,
) -> list[Outcome]:
    """Every row on some held-out patients, clean and degraded; the image networks run once for all rows.

    Parameters
    ----------
    cases : all patients, numbered as in ``ecgs``
    patients : numbers of those whom the session has not seen
    """
    found = []
    for patient in patients:
        case = cases[patient]
        progress(case.name)
        truth = case.labels >= SCAR
        for degraded in (False, True):
            seen = _see(degrade(case.stack, 77_000 + patient) if degraded else case.stack, session)
            for row in Row:
                masks = [np.zeros_like(truth)] if seen is None else list(_masks(row, seen, session, ecgs, patient))
                dice = [overlap(mask, truth, case.stack.spacing).dice for mask in masks]
                known = [value for value in dice if value is not None]
                volume = float(np.mean([mask.sum() for mask in masks])) * case.stack.voxel_ml
                mean = float(np.mean(known)) if known else None
                found.append(Outcome(row, degraded, case.name, bool(truth.any()), mean, volume))
    return found


@dataclass(frozen=True)
class Estimate:
    """A mean over patients with its 95 % bootstrap interval; NaN where there is none."""

    mean: float
    low: float
    high: float

    def text(self, digits: int = 3, sign: str = "") -> str:
        """``0.512 [0.431, 0.590]``, or with sign "+" as a difference; a dash where there is no figure."""
        if not np.isfinite(self.mean):
            return "-"
        # Rounded first, and 0 added: what rounds to nothing is printed without a minus.
        rounded = (round(value, digits) + 0.0 for value in (self.mean, self.low, self.high))
        mean, low, high = (f"{value:{sign}.{digits}f}" for value in rounded)
        return f"{mean} [{low}, {high}]"


def bootstrap(values: NDArray[np.float64], seed: int = 0) -> Estimate:
    """Mean and 95 % interval of the mean by resampling patients (percentile method, 2000 resamples)."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return Estimate(float("nan"), float("nan"), float("nan"))
    drawn = np.random.default_rng(seed).integers(0, known.size, (RESAMPLES, known.size))
    low, high = np.percentile(known[drawn].mean(axis=1), [2.5, 97.5])
    return Estimate(float(known.mean()), float(low), float(high))


def table(found: Sequence[Outcome]) -> list[dict[str, str]]:
    """Lines of ``ablation.csv``: Dice over patients with an infarct, and the paired difference to the images alone."""
    lines = []
    for degraded in (False, True):
        dice = {
            row: {o.case: o.dice for o in found if o.row is row and o.degraded is degraded and o.pathological}
            for row in Row
        }
        base = dice[Row.IMAGE_ONLY]
        for row, of in dice.items():
            mean = bootstrap(np.array([np.nan if v is None else v for v in of.values()]))
            paired = [of[case] - base[case] for case in of if of[case] is not None and base[case] is not None]  # type: ignore[operator]
            difference = bootstrap(np.array(paired))
            normals = [o.scar_ml for o in found if o.row is row and o.degraded is degraded and not o.pathological]
            lines.append(
                {
                    "row": row.value,
                    "images": "degraded" if degraded else "clean",
                    "patients": str(len(of)),
                    "dice": f"{mean.mean:.4f}",
                    "dice_low": f"{mean.low:.4f}",
                    "dice_high": f"{mean.high:.4f}",
                    "dice_minus_image_only": f"{difference.mean:.4f}",
                    "dice_minus_image_only_low": f"{difference.low:.4f}",
                    "dice_minus_image_only_high": f"{difference.high:.4f}",
                    "false_scar_ml": f"{np.mean(normals):.4f}" if normals else "",
                }
            )
    return lines
