"""Which patient is held out when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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
