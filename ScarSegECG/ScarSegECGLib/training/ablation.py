"""What each part adds: every row of the ablation on every held-out patient, on clean and on degraded images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ScarSegECGLib.case import SCAR, FloatArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.ecg_extent import both_movements, never_erasing
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.measure.overlap import Overlap, overlap
from ScarSegECGLib.measure.scar_probability import SCAR_ABOVE, scar_probability
from ScarSegECGLib.network.amplitude import LEAST_AMPLITUDE
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.training.degrade import degrade
from ScarSegECGLib.training.ecg_training import GuideTrainer, embed
from ScarSegECGLib.training.evidence import Seen, movement_of, see, toward
from ScarSegECGLib.training.pairs import Pairs, make_pairs, segment_fractions

Source = Literal["none", "own", "other", "old", "five years", "extent"]
Fusion = Literal["features", "extents", "both"]
FIVE_YEARS = 5 * 365.0
WRONG_GAP_DAYS = 2 * 365.0
VOXELS_KEPT = 1500  # of each case and ECG, for calibration


@dataclass(frozen=True)
class Row:
    """One line of the table: which trained branch, and whose ECG ("extent": the expert's extent of scar instead).

    ``told`` is the gap the network is told (None: the true one). ``fusion``: what carries the ECG to the pixels, TAFF
    on the features, the extents it estimates per segment, or both.
    """

    name: str
    branch: str | None
    source: Source = "none"
    told: float | None = None
    fusion: Fusion = "both"


ROWS = (
    Row("image only", None),
    Row("+ AHA (predicted)", "aha"),
    Row("+ ECG without time", "no time", "own"),
    Row("+ TAFF", "taff", "own"),
    Row("+ TAFF, ECG of another patient", "taff", "other"),
    Row("+ TAFF, wrong gap", "taff", "old", told=0.0),
    Row("+ TAFF, gap 5 years", "taff", "five years"),
)
"""A row with another branch also needs it among ``AblationPlan.branches``, which says what is trained."""
IMAGE_ONLY = ROWS[0].name


@dataclass(frozen=True)
class Outcome:
    """One row on one patient with one ECG; ``voxels`` are those found right, found and expected.

    ``logit``, ``wall``, ``bright`` and ``truth`` of some voxels of the predicted myocardium, for calibration: what
    ``scar_probability`` makes its probability of, and what the expert says.
    """

    row: str
    degraded: bool
    case: str
    fold: int
    pathological: bool
    overlap: Overlap
    scar_ml: float
    voxels: tuple[int, int, int]
    logit: NDArray[np.float32]
    wall: NDArray[np.float32]
    bright: NDArray[np.bool_]
    truth: NDArray[np.bool_]


@dataclass(frozen=True)
class HeldOutEcgs:
    """Semi-synthetic ECGs of a fold's held-out patients, by source, and their expert's ``extents`` [patient, 17]."""

    own: Pairs
    old: Pairs
    five_years: Pairs
    extents: NDArray[np.float64]

    def of(self, source: Source) -> Pairs:
        """Where a row's ECGs come from; another patient's are chosen among ``own``."""
        return {"old": self.old, "five years": self.five_years}.get(source, self.own)


def make_test_ecgs(
    cases: Sequence[ExpertCase], noise: NDArray, seed: int, ecgs: int, quiet: bool = False
) -> HeldOutEcgs:
    """ECGs never used in training: the gap drawn as there, two years (ECG first), and five years."""
    fractions = [segment_fractions(case) for case in cases]

    def drawn(offset: int, gap: float | None) -> Pairs:
        return make_pairs(fractions, noise, seed + offset, ecgs=ecgs, gap_days=gap, quiet=quiet)

    return HeldOutEcgs(drawn(0, None), drawn(1, -WRONG_GAP_DAYS), drawn(2, -FIVE_YEARS), np.stack(fractions))


@torch.inference_mode()
def amplitude(trainer: GuideTrainer, quality: float, gap_days: float) -> float:
    """How much one ECG counts, with the lower limit that ``network.amplitude.decide`` sets."""
    one = torch.ones(1)
    value = float(trainer.amplitude(quality * one, gap_days * one, one))
    return 0.0 if value < LEAST_AMPLITUDE else value


def _another(pairs: Pairs, patient: int, rng: np.random.Generator) -> int:
    """An ECG of another patient."""
    return int(rng.choice(np.flatnonzero(pairs.patient.numpy() != patient)))


def moved_logits(
    row: Row, seen: Seen, trainer: GuideTrainer | None, ecgs: HeldOutEcgs, patient: int
) -> list[FloatArray]:
    """The scar logit of one stack under one row, once per ECG of the patient; never below it where scar is shown."""
    logit = seen.evidence.scar_logit
    if row.source == "none" and trainer is None:
        return [logit]
    return [logit + never_erasing(m, seen.alone) for m in _movements(row, seen, trainer, ecgs, patient)]


def _movements(
    row: Row, seen: Seen, trainer: GuideTrainer | None, ecgs: HeldOutEcgs, patient: int
) -> Iterator[FloatArray]:
    expert = ecgs.extents[patient]
    if trainer is None:
        yield toward(seen, expert, 0.0)
        return
    if trainer.kind in ("aha", "extent"):
        tokens = trainer.tokens(torch.from_numpy(expert[None]).float()).detach()
        yield movement_of(trainer.branch, seen, tokens, 1.0, None)
        return
    pairs = ecgs.of(row.source)
    rng = np.random.default_rng([patient, 11])
    for number in pairs.of(patient).tolist():
        chosen = _another(pairs, patient, rng) if row.source == "other" else number
        gap = float(pairs.gap_days[chosen]) if row.told is None else row.told
        weight = amplitude(trainer, float(pairs.inputs.quality[chosen]), gap)
        if weight == 0.0:
            yield np.zeros_like(seen.evidence.scar_logit)
            continue
        embedded = embed(trainer.branch.encoder, pairs.inputs.part(slice(chosen, chosen + 1)))
        tokens, extents = (part.detach() for part in trainer.branch.encoder.speak(embedded))
        moved = np.zeros_like(seen.evidence.scar_logit)
        if row.fusion != "extents":
            moved = movement_of(trainer.branch, seen, tokens, weight, gap if trainer.kind == "taff" else None)
        if row.fusion != "features":
            moved = both_movements(moved, toward(seen, extents[0].sigmoid().numpy()), weight)
        yield moved


def outcome(row: str, degraded: bool, fold: int, case: ExpertCase, seen: Seen | None, logit: FloatArray) -> Outcome:
    """Measure one row against the expert; a stack without a ventricle counts as an empty segmentation."""
    truth = case.labels >= SCAR
    spacing = case.stack.spacing
    if seen is None:
        probability = wall = np.zeros(truth.shape, np.float32)
        bright = inside = np.zeros(truth.shape, bool)
    else:
        wall, bright, inside = seen.evidence.anatomy[:, 2], seen.bright, seen.anatomy.myocardium
        probability = scar_probability(logit, wall, bright, inside)
    found = drop_small_islands(probability > SCAR_ABOVE, spacing, minimum_ml=SMALLEST_ISLAND_ML)
    some = np.flatnonzero(inside)
    some = np.random.default_rng(0).permutation(some)[:VOXELS_KEPT]
    return Outcome(
        row,
        degraded,
        case.name,
        fold,
        bool(truth.any()),
        overlap(found, truth, spacing),
        float(found.sum()) * case.stack.voxel_ml,
        (int((found & truth).sum()), int(found.sum()), int(truth.sum())),
        np.asarray(logit, np.float32).ravel()[some],
        np.asarray(wall, np.float32).ravel()[some],
        bright.ravel()[some],
        truth.ravel()[some],
    )


def _seen_or_none(stack: LgeStack, session: Session) -> Seen | None:
    try:
        return see(stack, session)
    except InputError:
        return None


def evaluate_rows(
    cases: Sequence[ExpertCase],
    fold: int,
    session: Session,
    trainers: Mapping[str, GuideTrainer],
    ecgs: HeldOutEcgs,
    *,
    rows: Sequence[Row] = ROWS,
    progress: Callable[[str], None] = lambda name: None,
) -> list[Outcome]:
    """Every row on every held-out patient of a fold, clean and degraded; the image networks run once for all rows."""
    outcomes = []
    for patient, case in enumerate(cases):
        progress(case.name)
        for degraded in (False, True):
            stack = degrade(case.stack, 77_000 + 100 * fold + patient) if degraded else case.stack
            seen = _seen_or_none(stack, session)
            for row in rows:
                if seen is None:
                    logits = [np.zeros(case.labels.shape, np.float32)]
                else:
                    trainer = trainers[row.branch] if row.branch else None
                    logits = moved_logits(row, seen, trainer, ecgs, patient)
                outcomes += [outcome(row.name, degraded, fold, case, seen, logit) for logit in logits]
    return outcomes
