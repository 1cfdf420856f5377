"""Compare results with expert masks, patient by patient and slice by slice, in both conventions of the field.

For held-out patients: folds, their figures as tables, and how far these are to be trusted.

*Infarct patients*: the mean Dice over patients with scar. *Challenge* (EMIDEC's own): the mean over all patients, where
nothing found in a heart without scar counts 1 and a missed or a false scar 0; found is what is told as found, not what
is called too little to tell (:meth:`ScarSegECGLib.measure.trust.Trust.present`).
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from ScarSegECGLib.case import Ecg, EcgUse, Signs, TimeGap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import whole_file
from ScarSegECGLib.facts import ConfidenceReason, has
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import STRUCTURES, Overlap, overlap
from ScarSegECGLib.measure.trust import Trust
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.weights import read_weights, write_weights
from ScarSegECGLib.pipeline import segment
from ScarSegECGLib.training.fit import Plan

Row = dict[str, Any]  # of a table, by its columns' names
METRICS = ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm")
TOLD = ("case", "pathological", "true_scar_ml", "scar_ml", "present", "challenge_dice")
SIZES_ML = ((0.0, 10.0), (10.0, 30.0), (30.0, np.inf))  # small, medium and large infarcts
LEVEL = 0.8  # of the intervals
RIDGE = 0.05
NOTHING_SEEN = Signs(0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class CaseFigures:
    """One patient's figures; ``None`` where a figure has no meaning (no scar in truth and none found)."""

    case: str
    pathological: bool
    true_scar_ml: float
    scar_ml: float
    cavity: Overlap
    myocardium: Overlap
    scar: Overlap
    slices: tuple[dict[str, float | None], ...]  # number from 1 at the apex, Dice of each structure, volumes
    present: bool  # whether scar is told as found
    signs: Signs  # from which presence and interval follow
    interval_ml: tuple[float, float] | None
    use: EcgUse | None  # what the ECG did; None where no ventricle was found
    seconds: float
    fold: int | None = None  # the one that held the patient out, in a cross-validation

    @property
    def challenge_dice(self) -> float:
        """Dice of scar in EMIDEC's convention: nothing found where nothing is counts 1, a missed or a false scar 0."""
        if self.true_scar_ml == 0:
            return float(not self.present)
        return float(self.scar.dice or 0.0) if self.present else 0.0

    def flat(self) -> Row:
        low, high = self.interval_ml or (None, None)
        row: Row = {name: getattr(self, name) for name in ("fold", *TOLD)}
        row |= {"pathological": int(self.pathological), "present": int(self.present)}
        row |= {"interval_low_ml": low, "interval_high_ml": high}
        for structure in STRUCTURES:
            row |= {f"{structure}_{metric}": value for metric, value in asdict(getattr(self, structure)).items()}
        return row

    def flat_slices(self) -> list[Row]:
        return [{"fold": self.fold, "case": self.case, **one} for one in self.slices]


def evaluate_case(
    case: ExpertCase, session: Session, ecg: Ecg | None = None, gap: TimeGap | None = None, fold: int | None = None
) -> CaseFigures:
    """Segment one patient, anatomy predicted, and compare with the expert.

    A stack in which no left ventricle is found counts as an empty segmentation, not as a patient left out.
    """
    start = time.perf_counter()
    try:
        result = segment(case.stack, ecg, gap or TimeGap(None), session)
    except InputError:
        result = None
    seconds = time.perf_counter() - start
    found = ExpertCase(case.name, case.stack, result.labels if result else np.zeros_like(case.labels))
    masks = {name: (getattr(found, name), getattr(case, name)) for name in STRUCTURES}
    spacing, voxel_ml = case.stack.spacing, case.stack.voxel_ml
    slices = []
    for k in range(len(case.labels)):
        dice = {name: overlap(own[k], true[k], spacing, distance=False).dice for name, (own, true) in masks.items()}
        scar_ml, true_ml = (float(mask[k].sum()) * voxel_ml for mask in masks["scar"])
        slices.append({"number": k + 1, **dice, "true_scar_ml": true_ml, "scar_ml": scar_ml})
    little = bool(result and result.confidence and has(result.confidence.reasons, ConfidenceReason.LITTLE_SCAR))
    return CaseFigures(
        case=case.name,
        pathological=bool(case.scar.any()),
        true_scar_ml=case.scar_ml,
        scar_ml=found.scar_ml,
        **{name: overlap(*both, spacing) for name, both in masks.items()},
        slices=tuple(slices),
        present=bool(found.scar.any()) and not little,
        signs=(result and result.signs) or NOTHING_SEEN,
        interval_ml=result.interval.ml if result and result.interval else None,
        use=result.ecg_use if result else None,
        seconds=seconds,
        fold=fold,
    )


def _middle(values: Iterable[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {name: float(of(known)) if known else None for name, of in (("mean", np.mean), ("median", np.median))}


def _dice_of(rows: Sequence[Row], structure: str) -> dict:
    return {"patients": len(rows)} | _middle(row[f"{structure}_dice"] for row in rows)


def summarise(rows: Sequence[Row], slices: Sequence[Row] = ()) -> dict:
    """Means and medians over patients, in both conventions, by scar size, per slice, and pooled over all scar.

    A pathological patient whose scar was missed altogether counts with Dice 0; in the convention of infarct patients
    a normal one never counts in a scar mean, and false scar on normals has a line of its own. ``rows`` and ``slices``
    are lines of :meth:`CaseFigures.flat` and :meth:`CaseFigures.flat_slices`.
    """
    infarct, normal = ([row for row in rows if bool(row["pathological"]) is kind] for kind in (True, False))
    summary: dict = {}
    for structure in STRUCTURES:
        counted = infarct if structure == "scar" else rows
        summary[structure] = {m: _middle(row[f"{structure}_{m}"] for row in counted) for m in METRICS}
        names = {row["case"] for row in counted} if slices else ()
        summary[structure]["dice_per_slice"] = _middle(one[structure] for one in slices if one["case"] in names)
    shared = sum(row["scar_sensitivity"] * row["true_scar_ml"] for row in infarct)
    found, expected = (sum(row[name] for row in infarct) for name in ("scar_ml", "true_scar_ml"))
    false_ml = [row["scar_ml"] for row in normal]
    told = [row for row in rows if row["interval_low_ml"] is not None]
    inside = [row["interval_low_ml"] <= row["true_scar_ml"] <= row["interval_high_ml"] for row in told]
    return summary | {
        "scar_challenge": {"patients": len(rows)} | _middle(row["challenge_dice"] for row in rows),
        "scar_by_size": {
            f"{low:g} to {high:g} ml": _dice_of([row for row in infarct if low <= row["true_scar_ml"] < high], "scar")
            for low, high in SIZES_ML
        },
        "myocardium_infarct": _dice_of(infarct, "myocardium"),
        "myocardium_normal": _dice_of(normal, "myocardium"),
        "scar_pooled": {
            "dice": 2 * shared / (found + expected) if infarct else None,
            "precision": shared / found if found else None,
            "sensitivity": shared / expected if infarct else None,
        },
        "normals": {
            "count": len(normal),
            "false_scar_ml": _middle(false_ml),
            "share_under_2_ml": float(np.mean(np.array(false_ml) < 2)) if normal else None,
        },
        "pathological": {"count": len(infarct)},
        "lv_missed": sum(row["cavity_precision"] is None for row in rows),  # nothing was found at all
        "interval_coverage": float(np.mean(inside)) if inside else None,
    }


def summary_of(figures: Sequence[CaseFigures]) -> dict:
    """What :func:`summarise` makes of patients and their slices."""
    return summarise([row.flat() for row in figures], [one for row in figures for one in row.flat_slices()])


def as_json(figures: Sequence[CaseFigures]) -> dict:
    """Summary and cases under the documented names."""
    cases = [
        {name: getattr(row, name) for name in (*TOLD, "interval_ml")}
        | {"ecg": row.use and [reason.code.value for reason in row.use.reasons]}
        | {"seconds": row.seconds, "slices": list(row.slices)}
        | {name: asdict(getattr(row, name)) for name in STRUCTURES}
        for row in figures
    ]
    return {"summary": summary_of(figures), "cases": cases}


def read_table(path: Path) -> list[dict[str, str]]:
    """The lines of a table by its columns' names."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    """Write lines that all have the same columns, floats rounded to 4 decimals; the file appears whole."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(lines[0]))
        writer.writeheader()
        for line in lines:
            writer.writerow({key: round(cell, 4) if isinstance(cell, float) else cell for key, cell in line.items()})


def patient_folds(cases: Sequence[str], scar_ml: Sequence[float], folds: int = 5, seed: int = 0) -> list[list[str]]:
    """Split patients into folds of sorted names: ranked by scar volume and dealt out, ``folds`` at a time, at random.

    So every fold gets its share of the normal, the small and the large infarcts.
    """
    if len(cases) < folds:
        raise ValueError(f"{len(cases)} patients cannot be split into {folds} folds")
    rng = np.random.default_rng(seed)
    ranked = [cases[i] for i in np.lexsort((list(cases), scar_ml))]
    held_out: list[list[str]] = [[] for _ in range(folds)]
    for start in range(0, len(ranked), folds):
        for fold, case in zip(rng.permutation(folds), ranked[start : start + folds], strict=False):
            held_out[fold].append(case)
    return [sorted(fold) for fold in held_out]


def read_folds(path: Path, cases: Sequence[str]) -> list[list[str]]:
    """Folds fixed in a table ``case,fold`` (from 0); InputError where it is none or lacks a case."""
    try:
        fold_of = {row["case"]: int(row["fold"]) for row in read_table(path)}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path.name}: not a table of folds; expected the columns case and fold") from error
    missing = [case for case in cases if case not in fold_of]
    if missing:
        raise InputError(f"{path.name}: {missing[0]} and {len(missing) - 1} more have no fold there")
    folds = range(max(fold_of[case] for case in cases) + 1)
    return [sorted(case for case in cases if fold_of[case] == fold) for fold in folds]


def fit_trust(rows: Sequence[CaseFigures]) -> Trust:
    """Fit on held-out patients.

    The limit of presence is the one that gives these patients the best mean Dice in the challenge's convention; the
    interval's quantile is the conformal one, ceil((n + 1) * LEVEL) / n.
    """
    signs, true = [row.signs for row in rows], np.array([row.true_scar_ml for row in rows])
    presence = np.array([[1.0, np.log1p(s.scar_ml), s.peak] for s in signs])
    scale = np.array([[1.0, s.scar_ml, s.spread_ml] for s in signs])
    sign = np.where(true > 0, 1.0, -1.0)

    def loss(weights: NDArray) -> float:
        return float(np.logaddexp(0, -sign * (presence @ weights)).mean() + RIDGE * (weights[1:] ** 2).sum() / 10)

    weights = minimize(loss, np.zeros(3), method="BFGS").x
    chance = 1 / (1 + np.exp(-(presence @ weights)))
    limits = np.linspace(0.05, 0.95, 91)
    present = (chance >= limits[:, None]) & (scale[:, 1] > 0)
    # challenge_dice of every patient, for each limit
    scores = np.where(true > 0, present * np.array([row.scar.dice or 0.0 for row in rows]), ~present).mean(axis=1)
    best = float(limits[scores >= scores.max() - 1e-9].mean())
    error = np.abs(true - scale[:, 1])
    expected, _ = nnls(scale, error)
    relative = np.sort(error / np.maximum(scale @ expected, 1e-3))
    quantile = float(relative[min(len(rows), int(np.ceil((len(rows) + 1) * LEVEL))) - 1])
    most_blur = float(np.percentile([s.blur for s in signs], 95))
    most_spread = float(np.percentile(scale[:, 2] / (1 + scale[:, 1]), 95))
    return Trust(tuple(weights.tolist()), best, tuple(expected.tolist()), quantile, LEVEL, most_blur, most_spread)


def trusted(rows: Sequence[CaseFigures]) -> tuple[list[CaseFigures], Trust]:
    """Figures with presence and interval as a fit on the *other* folds tells them, and the fit that is shipped."""
    fits = {fold: fit_trust([row for row in rows if row.fold != fold]) for fold in {row.fold for row in rows}}
    both = [(row, fits[row.fold]) for row in rows]
    told = [replace(row, present=fit.present(row.signs), interval_ml=fit.interval_ml(row.signs)) for row, fit in both]
    return told, fit_trust(rows)


def write_tables(folder: Path, rows: Sequence[CaseFigures]) -> None:
    """``cross_validation.csv``, a line per held-out patient, and ``cross_validation_slices.csv``, a line per slice."""
    ordered = sorted(rows, key=lambda row: row.case)
    write_table(folder / "cross_validation.csv", [row.flat() for row in ordered])
    write_table(folder / "cross_validation_slices.csv", [line for row in ordered for line in row.flat_slices()])


def assemble(plan: Plan, trust: Trust, path: Path) -> str:
    """The networks trained on everybody, with what was learned of how far to rely on them; returns the hash."""
    held = read_weights(plan.folder(len(plan.folds)) / "full.safetensors")
    names = [case.name for case in plan.cases]
    return write_weights(path, held.tensors, held.settings | {"trust": asdict(trust), "trained_on": names})
