"""Held-out patients' figures, fold by fold, and the weights that are made of a whole training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ScarSegECGLib.measure.trust import Trust
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.weights import read_weights, write_weights
from ScarSegECGLib.training.evaluate import CaseFigures, evaluate_case
from ScarSegECGLib.training.fit import halved
from ScarSegECGLib.training.plan import Plan
from ScarSegECGLib.training.tables import write_table
from ScarSegECGLib.training.trust_fit import Judged, as_settings, fit_trust, nested

Row = tuple[int, CaseFigures]  # the fold that held the patient out


def evaluate_fold(plan: Plan, fold: int, weights: Path, progress: Callable[[str], None]) -> list[Row]:
    """Figures of a fold's held-out patients, by the images alone, with the networks that never saw them."""
    session = Session.load(weights, str(plan.device))
    rows = []
    for case in plan.cases:
        if case.name in plan.folds[fold]:
            progress(case.name)
            rows.append((fold, evaluate_case(case, session)))
    return rows


def trusted(rows: Sequence[Row]) -> tuple[list[Row], Trust]:
    """Figures with presence and interval as a fit on the *other* folds tells them, and the fit that is shipped."""
    seen = [Judged(row.signs, row.true_scar_ml, float(row.scar.dice or 0.0), fold) for fold, row in rows]
    told = [
        (fold, replace(row, present=present, interval_ml=interval))
        for (fold, row), (present, interval) in zip(rows, nested(seen), strict=True)
    ]
    return told, fit_trust(seen)


def write_tables(folder: Path, rows: Sequence[Row]) -> None:
    """``cross_validation.csv``, a line per held-out patient, and ``cross_validation_slices.csv``, a line per slice."""
    ordered = sorted(rows, key=lambda pair: pair[1].case)
    write_table(folder / "cross_validation.csv", [{"fold": fold, **row.flat()} for fold, row in ordered])
    slices = [{"fold": fold, **line} for fold, row in ordered for line in row.flat_slices()]
    write_table(folder / "cross_validation_slices.csv", slices)


def assemble(plan: Plan, weights: Path, trust: Trust, path: Path) -> str:
    """The networks trained on everybody, with what was learned of how far to rely on them; returns the hash."""
    held = read_weights(weights)
    names = [case.name for case in plan.cases]
    return write_weights(path, halved(held.tensors), held.settings | {"trust": as_settings(trust), "trained_on": names})
