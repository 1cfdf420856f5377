"""Which patient is held out when."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ScarSegECGLib.errors import InputError


def patient_folds(cases: Sequence[str], scar_ml: Sequence[float], folds: int = 5, seed: int = 0) -> list[list[str]]:
    """Split patients into folds that are alike in scar volume.

    Patients are ranked by scar volume and dealt out, in groups of ``folds``, in a random order: every fold gets its
    share of the normal, the small and the large infarcts. A patient is in exactly one fold.

    Parameters
    ----------
    cases : names, one per patient
    scar_ml : scar volume of each, ml

    Returns
    -------
    ``folds`` lists of names, each sorted.
    """
    if len(cases) < folds:
        raise ValueError(f"{len(cases)} patients cannot be split into {folds} folds")
    rng = np.random.default_rng(seed)
    ranked = [cases[i] for i in np.lexsort((list(cases), scar_ml))]
    held_out: list[list[str]] = [[] for _ in range(folds)]
    for start in range(0, len(ranked), folds):
        group = ranked[start : start + folds]
        for fold, case in zip(rng.permutation(folds), group, strict=False):
            held_out[fold].append(case)
    return [sorted(fold) for fold in held_out]


def read_folds(path: Path, cases: Sequence[str]) -> list[list[str]]:
    """Folds fixed in a file with the columns ``case,fold`` (from 0); every case must stand there once.

    Raises
    ------
    InputError : not such a table, or a case that it does not hold.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            fold_of = {row["case"]: int(row["fold"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path.name}: not a table of folds; expected the columns case and fold") from error
    missing = [case for case in cases if case not in fold_of]
    if missing:
        raise InputError(f"{path.name}: {missing[0]} and {len(missing) - 1} more have no fold there")
    chosen = {case: fold_of[case] for case in cases}
    return [sorted(c for c, f in chosen.items() if f == fold) for fold in range(max(chosen.values()) + 1)]
