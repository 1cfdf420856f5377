"""The rules held against an expert, case by case, inside the expert's contours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Method
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.measure.remote import remote_myocardium
from ScarSegECGLib.measure.rules import Per, ThresholdRule, find_scar

RULES: tuple[tuple[str, str, float | None], ...] = (
    ("EWA", "ewa", None),
    ("2 SD", "n_sd", 2),
    ("3 SD", "n_sd", 3),
    ("4 SD", "n_sd", 4),
    ("5 SD", "n_sd", 5),
    ("6 SD", "n_sd", 6),
    ("FWHM", "fwhm", None),
    ("Otsu", "otsu", None),
    ("mixture", "mixture", None),
)
"""Name as printed, method, and number of SD."""


@dataclass(frozen=True)
class MethodScore:
    """One rule's result over the cases, of which ``scarred`` hold expert scar.

    ``dice`` (``None`` where neither rule nor expert found scar) and ``bias_percent_lv`` (scar of the rule minus scar of
    the expert, % of the LV) are case by case; means and SD are over the cases with expert scar. ``false_scar`` is the
    mean in the others, % of the LV. NaN stands for no case. ``behind_best``: mean difference in Dice to the best rule,
    paired by case, and its 95 % bootstrap interval (best minus this one); zeros for the best itself.
    """

    name: str
    dice: tuple[float | None, ...]
    bias_percent_lv: tuple[float, ...]
    scarred: int
    mean_dice: float
    sd_dice: float
    mean_bias: float
    sd_bias: float
    false_scar: float
    method: Method
    behind_best: tuple[float, float, float]


def compare_methods(
    cases: Iterable[ExpertCase],
    *,
    rules: Sequence[tuple[str, str, float | None]] = RULES,
    contrast: Contrast | None = None,
    per: Per = "slice",
    smallest_island_ml: float = SMALLEST_ISLAND_ML,
    resamples: int = 5000,
    seed: int = 0,
    left_out: Callable[[str, InputError], None] | None = None,
) -> tuple[MethodScore, ...]:
    """Dice and bias of every rule against the expert, best first, each with its paired distance to the best.

    Parameters
    ----------
    cases : iterable of ExpertCase
        Read once, so it may load them one by one.
    rules : sequence of (name, method, n_sd)
    contrast : {"magnitude", "psir"}, optional
        What the images are, where the files do not say; each stack's own by default.
    per, smallest_island_ml
        As :class:`ScarSegECGLib.measure.rules.ThresholdRule` has them.
    resamples, seed : int
        Of the bootstrap over cases.
    left_out : callable, optional
        Told the name of a rule that a case does not allow, and why, which is then left out for all of them; without it
        the error is raised.

    Returns
    -------
    tuple of MethodScore, by falling mean Dice; empty without cases

    Raises
    ------
    InputError
        As :func:`ScarSegECGLib.measure.rules.find_scar`.

    Notes
    -----
    On EMIDEC (acute infarction, one centre, intensities scaled per slice, inside the expert's contours) the constants
    of EWA were chosen on 22 of the 45 infarct patients at hand, drawn by random, and one of them also on the 22
    patients without infarct; figures are in the documentation. None of the rules decides whether there is scar at all.

    References
    ----------
    Dice LR. Ecology 1945;26:297-302. Efron B, Tibshirani R. Stat Sci 1986;1:54-75 (bootstrap interval).
    """
    found = []
    for case in cases:
        found.append(case_scores(case, rules, contrast, per, smallest_island_ml))
        if left_out is None and found[-1].errors:
            raise next(iter(found[-1].errors.values()))
    return combined(found, [name for name, _, _ in rules], resamples=resamples, seed=seed, left_out=left_out)


@dataclass(frozen=True)
class CaseScores:
    """Every rule's Dice, bias (% of the LV) and method in one case, by name; ``errors`` of rules it does not allow."""

    scarred: bool
    scores: dict[str, tuple[float | None, float, Method]]
    errors: dict[str, InputError]


def case_scores(
    case: ExpertCase,
    rules: Sequence[tuple[str, str, float | None]] = RULES,
    contrast: Contrast | None = None,
    per: Per = "slice",
    smallest_island_ml: float = SMALLEST_ISLAND_ML,
) -> CaseScores:
    """Hold every rule against the expert of one case; parameters as of :func:`compare_methods`."""
    cavity, wall, expert = case.cavity, case.myocardium, case.scar
    stack = case.stack if contrast is None else replace(case.stack, contrast=contrast)
    size, spacing = np.count_nonzero(wall), stack.spacing
    healthy = remote_myocardium(stack.voxels, cavity, wall, spacing)
    scores: dict[str, tuple[float | None, float, Method]] = {}
    errors: dict[str, InputError] = {}
    for name, method, n_sd in rules:
        rule = ThresholdRule(method, n_sd, per, healthy, smallest_island_ml=smallest_island_ml)
        try:
            found = find_scar(stack, cavity, wall, rule)
        except InputError as error:
            errors[name] = error
            continue
        bias = 100.0 * (np.count_nonzero(found.mask) - np.count_nonzero(expert)) / size
        scores[name] = (overlap(found.mask, expert, spacing, distance=False).dice, bias, found.method)
    return CaseScores(bool(expert.any()), scores, errors)


def combined(
    cases: Sequence[CaseScores],
    names: Sequence[str],
    *,
    resamples: int = 5000,
    seed: int = 0,
    left_out: Callable[[str, InputError], None] | None = None,
) -> tuple[MethodScore, ...]:
    """The cases' scores together; parameters as of :func:`compare_methods`."""
    lost = {name: case.errors[name] for case in reversed(cases) for name in names if name in case.errors}
    for name in names:
        if name in lost and left_out is not None:
            left_out(name, lost[name])
    kept = [name for name in names if name not in lost]
    with_scar = [case.scarred for case in cases]
    dice = {name: [case.scores[name][0] for case in cases] for name in kept}
    bias = {name: [case.scores[name][1] for case in cases] for name in kept}
    told = {name: case.scores[name][2] for name in kept for case in cases[-1:]}
    if not with_scar:
        return ()
    scarred = np.array(with_scar, dtype=bool)
    per_case = {n: np.array([np.nan if d is None else d for d in v], dtype=float)[scarred] for n, v in dice.items()}
    mean = {n: _mean(v) for n, v in per_case.items()}
    order = sorted(mean, key=lambda n: -mean[n] if not np.isnan(mean[n]) else 0.0)
    picks = np.random.default_rng(seed).integers(0, max(int(scarred.sum()), 1), (resamples, int(scarred.sum())))
    scores = []
    for name in order:
        gap = per_case[order[0]] - per_case[name]
        interval = np.percentile(gap[picks].mean(axis=1), [2.5, 97.5]) if gap.size else np.full(2, np.nan)
        off = np.array(bias[name])
        scores.append(
            MethodScore(
                name=name,
                dice=tuple(dice[name]),
                bias_percent_lv=tuple(bias[name]),
                scarred=int(scarred.sum()),
                mean_dice=mean[name],
                sd_dice=float(per_case[name].std()) if scarred.any() else float("nan"),
                mean_bias=_mean(off[scarred]),
                sd_bias=float(off[scarred].std()) if scarred.any() else float("nan"),
                false_scar=_mean(off[~scarred]),
                method=told[name],
                behind_best=(_mean(gap), float(interval[0]), float(interval[1])),
            )
        )
    return tuple(scores)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")
