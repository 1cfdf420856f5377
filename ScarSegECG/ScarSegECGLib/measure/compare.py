"""The rules held against an expert, case by case, inside the expert's contours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Method
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.measure.remote import remote_myocardium
from ScarSegECGLib.measure.rules import ThresholdRule, find_scar

RULES = {
    "EWA": ThresholdRule("ewa"),
    **{f"{n} SD": ThresholdRule("n_sd", n) for n in range(2, 7)},
    "FWHM": ThresholdRule("fwhm"),
    "Otsu": ThresholdRule("otsu"),
    "mixture": ThresholdRule("mixture"),
}
"""By their names as printed. EWA's constants were chosen on 22 of EMIDEC's 45 infarct patients at hand, drawn by
random, and one of them also on the 22 without infarct. No rule decides whether there is scar at all."""

RESAMPLES = 5000  # of the bootstrap


@dataclass(frozen=True)
class MethodScore:
    """One rule's result over the cases, case by case and over those with expert scar; NaN stands for no case."""

    name: str
    dice: tuple[float | None, ...]  # None where neither rule nor expert found scar
    bias_percent_lv: tuple[float, ...]  # scar of the rule minus scar of the expert, % of the LV
    scarred: int  # cases with expert scar
    mean_dice: float
    sd_dice: float
    mean_bias: float
    sd_bias: float
    false_scar: float  # mean in the cases without expert scar, % of the LV
    method: Method
    behind_best: tuple[float, float, float]
    """Best minus this one in Dice, paired by case: mean and 95 % bootstrap interval; zeros for the best itself."""


@dataclass(frozen=True)
class CaseScores:
    """Every rule's Dice, bias (% of the LV) and method in one case, by name; ``errors`` of rules it does not allow."""

    scarred: bool
    scores: dict[str, tuple[float | None, float, Method]]
    errors: dict[str, InputError]


def case_scores(
    case: ExpertCase, rules: Mapping[str, ThresholdRule] = RULES, contrast: Contrast | None = None
) -> CaseScores:
    """Hold rules, each with the automatic remote myocardium, against one case's expert."""
    cavity, wall, expert = case.cavity, case.myocardium, case.scar
    stack = case.stack if contrast is None else replace(case.stack, contrast=contrast)
    healthy = remote_myocardium(stack, cavity, wall)
    scores: dict[str, tuple[float | None, float, Method]] = {}
    errors: dict[str, InputError] = {}
    for name, rule in rules.items():
        try:
            found = find_scar(stack, cavity, wall, replace(rule, remote=healthy))
        except InputError as error:
            errors[name] = error
            continue
        bias = 100.0 * (np.count_nonzero(found.mask) - np.count_nonzero(expert)) / np.count_nonzero(wall)
        scores[name] = (overlap(found.mask, expert, stack.spacing, distance=False).dice, bias, found.method)
    return CaseScores(bool(expert.any()), scores, errors)


def rules_left_out(cases: Sequence[CaseScores]) -> dict[str, InputError]:
    """The rules that a case does not allow, and why: they are left out for all cases."""
    return {name: error for case in reversed(cases) for name, error in case.errors.items()}


def combined(cases: Sequence[CaseScores]) -> tuple[MethodScore, ...]:
    """The cases' scores together, best mean Dice first, each rule with its paired distance to the best.

    Its interval is of a bootstrap over cases (Efron B, Tibshirani R. Stat Sci 1986;1:54-75).
    """
    if not cases:
        return ()
    scarred = np.array([case.scarred for case in cases])
    count = int(scarred.sum())
    picks = np.random.default_rng(0).integers(0, max(count, 1), (RESAMPLES, count))
    kept = cases[0].scores.keys() - rules_left_out(cases).keys()
    of_rule = {name: [case.scores[name] for case in cases] for name in cases[0].scores if name in kept}
    dice = {name: np.array([dice for dice, _, _ in scores], float)[scarred] for name, scores in of_rule.items()}
    order = sorted(of_rule, key=lambda name: -np.nan_to_num(_mean(dice[name])))
    scores = []
    for name in order:
        gap = dice[order[0]] - dice[name]
        interval = np.percentile(gap[picks].mean(axis=1), [2.5, 97.5]) if count else np.full(2, np.nan)
        per_case, bias, methods = zip(*of_rule[name], strict=True)
        off = np.array(bias)
        scores.append(
            MethodScore(
                name=name,
                dice=per_case,
                bias_percent_lv=bias,
                scarred=count,
                mean_dice=_mean(dice[name]),
                sd_dice=float(dice[name].std()) if count else float("nan"),
                mean_bias=_mean(off[scarred]),
                sd_bias=float(off[scarred].std()) if count else float("nan"),
                false_scar=_mean(off[~scarred]),
                method=methods[-1],
                behind_best=(_mean(gap), float(interval[0]), float(interval[1])),
            )
        )
    return tuple(scores)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")
