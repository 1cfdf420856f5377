"""Tables of a training as files, and the folds, which stand in one."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ScarSegECGLib.errors import InputError


def read_table(path: Path) -> list[dict[str, str]]:
    """The lines of a table by its columns' names."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    """Write lines that all have the same columns; the file appears whole."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    partial.replace(path)


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

    Raises
    ------
    InputError : not such a table, or a case that it does not hold.
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
