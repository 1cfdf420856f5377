"""Presence, interval and confidence, fitted on patients whom the networks had not seen, and tried on other folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from ScarSegECGLib.case import Signs
from ScarSegECGLib.measure.trust import Trust

LEVEL = 0.8
RIDGE = 0.05


@dataclass(frozen=True)
class Judged:
    """A held-out patient: what was seen, the true volume, the scar's Dice (0 where one of both is empty), the fold."""

    signs: Signs
    true_ml: float
    dice: float
    fold: int


def _fit_presence(columns: NDArray, scarred: NDArray[np.bool_]) -> NDArray:
    sign = np.where(scarred, 1.0, -1.0)

    def loss(weights: NDArray) -> float:
        return float(np.logaddexp(0, -sign * (columns @ weights)).mean() + RIDGE * (weights[1:] ** 2).sum() / 10)

    return minimize(loss, np.zeros(3), method="BFGS").x


def challenge_dice(true_ml: float, dice: float, present: bool) -> float:
    """EMIDEC's own convention: nothing found where nothing is counts 1, a missed or a false scar 0."""
    if true_ml == 0:
        return float(not present)
    return dice if present else 0.0


def fit_trust(rows: Sequence[Judged], level: float = LEVEL) -> Trust:
    """Fit on held-out patients.

    The limit of presence is the one that gives these patients the best mean Dice in the challenge's convention; the
    interval's quantile is the conformal one, ceil((n + 1) * level) / n.
    """
    signs, true = [row.signs for row in rows], np.array([row.true_ml for row in rows])
    presence = np.array([[1.0, np.log1p(s.scar_ml), s.peak] for s in signs])
    scale = np.array([[1.0, s.scar_ml, s.spread_ml] for s in signs])
    weights = _fit_presence(presence, true > 0)
    chance = 1 / (1 + np.exp(-(presence @ weights)))
    limits = np.linspace(0.05, 0.95, 91)
    present = (chance >= limits[:, None]) & (scale[:, 1] > 0)

    def score(told: NDArray[np.bool_]) -> float:
        return float(np.mean([challenge_dice(r.true_ml, r.dice, p) for r, p in zip(rows, told, strict=True)]))

    scores = np.array([score(told) for told in present])
    best = float(limits[scores >= scores.max() - 1e-9].mean())
    error = np.abs(true - scale[:, 1])
    expected, _ = nnls(scale, error)
    relative = np.sort(error / np.maximum(scale @ expected, 1e-3))
    quantile = float(relative[min(len(rows), int(np.ceil((len(rows) + 1) * level))) - 1])
    most_blur = float(np.percentile([s.blur for s in signs], 95))
    most_spread = float(np.percentile(scale[:, 2] / (1 + scale[:, 1]), 95))
    return Trust(tuple(weights.tolist()), best, tuple(expected.tolist()), quantile, level, most_blur, most_spread)


def nested(rows: Sequence[Judged]) -> list[tuple[bool, tuple[float, float]]]:
    """Presence and interval (ml) of every patient by a fit on the other folds, which had not seen it."""
    fits = {fold: fit_trust([row for row in rows if row.fold != fold]) for fold in {row.fold for row in rows}}
    return [(fits[row.fold].present(row.signs), fits[row.fold].interval_ml(row.signs)) for row in rows]


def as_settings(trust: Trust) -> dict:
    """As it stands in a weights file."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(trust).items()}
