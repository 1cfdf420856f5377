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


def _columns(rows: Sequence[Judged]) -> tuple[NDArray, NDArray]:
    signs = [row.signs for row in rows]
    presence = np.array([[1.0, np.log1p(s.scar_ml), s.peak] for s in signs])
    return presence, np.array([[1.0, s.scar_ml, s.spread_ml] for s in signs])


def _fit_presence(columns: NDArray, scarred: NDArray[np.bool_]) -> NDArray:
    sign = np.where(scarred, 1.0, -1.0)

    def loss(weights: NDArray) -> float:
        return float(np.logaddexp(0, -sign * (columns @ weights)).mean() + RIDGE * (weights[1:] ** 2).sum() / 10)

    return minimize(loss, np.zeros(3), method="BFGS").x


def challenge_dice(row: Judged, present: bool) -> float:
    """EMIDEC's own convention: nothing found where nothing is counts 1, a missed or a false scar 0."""
    if row.true_ml == 0:
        return float(not present)
    return row.dice if present else 0.0


def fit_trust(rows: Sequence[Judged], level: float = LEVEL) -> Trust:
    """Fit on held-out patients.

    The limit of presence is the one that gives these patients the best mean Dice in the challenge's convention; the
    interval's quantile is the conformal one, ceil((n + 1) * level) / n.
    """
    presence, scale = _columns(rows)
    true = np.array([row.true_ml for row in rows])
    weights = _fit_presence(presence, true > 0)
    chance = 1 / (1 + np.exp(-(presence @ weights)))
    limits = np.linspace(0.05, 0.95, 91)
    found = np.array([row.signs.scar_ml > 0 for row in rows])

    def score(limit: float) -> float:
        return float(
            np.mean([challenge_dice(r, bool(f and c >= limit)) for r, f, c in zip(rows, found, chance, strict=True)])
        )

    scores = np.array([score(limit) for limit in limits])
    best = float(limits[scores >= scores.max() - 1e-9].mean())
    error = np.abs(true - scale[:, 1])
    expected, _ = nnls(scale, error)
    relative = error / np.maximum(scale @ expected, 1e-3)
    count = len(rows)
    quantile = float(np.sort(relative)[min(count, int(np.ceil((count + 1) * level))) - 1])
    spread = scale[:, 2] / (1 + scale[:, 1])
    return Trust(
        tuple(float(w) for w in weights),  # type: ignore[arg-type]
        best,
        tuple(float(w) for w in expected),  # type: ignore[arg-type]
        quantile,
        level,
        float(np.percentile([row.signs.blur for row in rows], 95)),
        float(np.percentile(spread, 95)),
    )


@dataclass(frozen=True)
class Nested:
    """Presence and interval of every patient by a fit that had not seen its fold."""

    present: tuple[bool, ...]
    inside: tuple[bool, ...]
    interval_ml: tuple[tuple[float, float], ...]

    @property
    def coverage(self) -> float:
        """Share of intervals that hold the true volume."""
        return float(np.mean(self.inside))


def nested(rows: Sequence[Judged]) -> Nested:
    """Fit on the other folds, try on each: what the fit is worth on patients it has not seen."""
    present, inside, intervals = [], [], []
    fits = {fold: fit_trust([row for row in rows if row.fold != fold]) for fold in {row.fold for row in rows}}
    for row in rows:
        trust = fits[row.fold]
        low, high = trust.interval_ml(row.signs)
        intervals.append((low, high))
        present.append(trust.present(row.signs))
        inside.append(low <= row.true_ml <= high)
    return Nested(tuple(present), tuple(inside), tuple(intervals))


def as_settings(trust: Trust) -> dict:
    """As it stands in a weights file."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(trust).items()}
