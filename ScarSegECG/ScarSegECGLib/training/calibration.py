"""Are probabilities what they say? Temperature, expected calibration error, reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from ScarSegECGLib.measure.scar_probability import scar_probability

BINS = 15
TEMPERATURES = (0.25, 8.0)


@dataclass(frozen=True)
class Reliability:
    """Per bin of probability: ``count``, mean ``predicted`` probability and ``observed`` share; NaN in empty bins."""

    count: NDArray[np.int64]
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error (Guo et al., ICML 2017): mean of |predicted - observed|, weighted by count."""
        full = self.count > 0
        gap = np.abs(self.predicted[full] - self.observed[full])
        return float((gap * self.count[full]).sum() / self.count.sum()) if full.any() else float("nan")


def reliability(probability: ArrayLike, truth: ArrayLike, bins: int = BINS) -> Reliability:
    """Sort predictions into bins of equal width.

    Parameters
    ----------
    probability : array in [0, 1]
    truth : bool array, same shape
    """
    p, real = np.asarray(probability, dtype=np.float64).ravel(), np.asarray(truth, dtype=np.float64).ravel()
    which = np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        predicted = np.bincount(which, p, minlength=bins) / count
        observed = np.bincount(which, real, minlength=bins) / count
    return Reliability(count, predicted, observed)


def fit_temperature(logit: ArrayLike, wall: ArrayLike, bright: ArrayLike, truth: ArrayLike) -> float:
    """The temperature T of the networks' logit that makes the scar probability likeliest (Guo et al., ICML 2017).

    Parameters
    ----------
    logit : array, of scar given wall
    wall : array in [0, 1], probability of wall
    bright : bool array, where the EWA rule sees scar
    truth : bool array, scar
    """
    given, share = np.asarray(logit, dtype=np.float64).ravel(), np.asarray(wall, dtype=np.float64).ravel()
    rule, inside = np.asarray(bright, dtype=bool).ravel(), np.ones(given.shape, dtype=bool)
    real = np.asarray(truth, dtype=bool).ravel()

    def unlikely(log_temperature: float) -> float:
        p = np.clip(scar_probability(given / np.exp(log_temperature), share, rule, inside), 1e-6, 1 - 1e-6)
        return float(-np.where(real, np.log(p), np.log1p(-p)).mean())

    found = minimize_scalar(unlikely, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def reliability_figure(rows: Sequence[tuple[str, Reliability]], caption: str) -> Figure:
    """Reliability diagram of some rows, with what share of voxels each bin holds underneath."""
    figure = Figure(figsize=(6.4, 6.8), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    upper.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfect")
    middle = (np.arange(BINS) + 0.5) / BINS
    for number, (name, row) in enumerate(rows):
        full = row.count >= 20
        style = {"color": f"C{number}", "marker": "osD^v"[number % 5], "markersize": 4}
        upper.plot(row.predicted[full], row.observed[full], label=f"{name} (ECE {row.error:.3f})", **style)
        lower.plot(middle, np.maximum(row.count, 0.5) / row.count.sum(), color=f"C{number}", drawstyle="steps-mid")
    upper.set(ylabel="share that is scar", xlim=(0, 1), ylim=(0, 1))
    upper.legend(loc="upper left", frameon=False, fontsize=8)
    lower.set(
        xlabel="probability of scar in the predicted myocardium",
        ylabel="voxels",
        yscale="log",
    )
    figure.suptitle(caption, fontsize=9, wrap=True)
    return figure
