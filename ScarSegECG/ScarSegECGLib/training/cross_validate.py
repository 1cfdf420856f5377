"""Folds, held-out patients' figures as tables, how far these are to be trusted, and the weights made of it all."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import whole_file
from ScarSegECGLib.measure.trust import Trust
from ScarSegECGLib.network.weights import read_weights, write_weights
from ScarSegECGLib.training.evaluate import CaseFigures, evaluate_case
from ScarSegECGLib.training.fit import Plan

LEVEL = 0.8  # of the intervals
RIDGE = 0.05


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
    """Split patients into folds that are alike in scar volume; each ``folds`` sorted names, every patient in one.

    Patients are ranked by scar volume and dealt out, in groups of ``folds``, in a random order: every fold gets its
    share of the normal, the small and the large infarcts.
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
    """Folds fixed in a file with the columns ``case,fold`` (from 0); every case must stand there once.

    InputError: not such a table, or a case that it does not hold.
    """
    try:
        fold_of = {row["case"]: int(row["fold"]) for row in read_table(path)}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path.name}: not a table of folds; expected the columns case and fold") from error
    missing = [case for case in cases if case not in fold_of]
    if missing:
        raise InputError(f"{path.name}: {missing[0]} and {len(missing) - 1} more have no fold there")
    folds = range(max(fold_of[case] for case in cases) + 1)
    return [sorted(case for case in cases if fold_of[case] == fold) for fold in folds]


def evaluate_held_out(plan: Plan) -> list[CaseFigures]:
    """Figures of every patient, by the images alone, with the networks that never saw it."""
    unseen = plan.held_out("full.safetensors", "held-out patients")
    return [evaluate_case(of.case, of.session, fold=of.fold) for of in unseen]


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
    told = []
    for fold in {row.fold for row in rows}:
        trust = fit_trust([row for row in rows if row.fold != fold])
        for row in rows:
            if row.fold == fold:
                interval = trust.interval_ml(row.signs)
                told.append(replace(row, present=trust.present(row.signs), interval_ml=interval))
    return told, fit_trust(rows)


def write_tables(folder: Path, rows: Sequence[CaseFigures]) -> None:
    """``cross_validation.csv``, a line per held-out patient, and ``cross_validation_slices.csv``, a line per slice."""
    ordered = sorted(rows, key=lambda row: row.case)
    write_table(folder / "cross_validation.csv", [{"fold": row.fold, **row.flat()} for row in ordered])
    slices = [{"fold": row.fold, **line} for row in ordered for line in row.flat_slices()]
    write_table(folder / "cross_validation_slices.csv", slices)


def assemble(plan: Plan, trust: Trust, path: Path) -> str:
    """The networks trained on everybody, with what was learned of how far to rely on them; returns the hash."""
    held = read_weights(plan.folder(len(plan.folds)) / "full.safetensors")
    names = [case.name for case in plan.cases]
    return write_weights(path, held.tensors, held.settings | {"trust": asdict(trust), "trained_on": names})
