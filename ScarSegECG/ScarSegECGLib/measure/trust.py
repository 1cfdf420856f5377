"""How far the networks' result can be relied on: is there scar at all, between which volumes, and what speaks against.

The numbers are fitted on patients the networks had not seen (``training.cross_validate``) and travel with the weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Anatomy, FloatArray, Interval, Signs
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Confidence, ConfidenceReason, Fact, Grade

LV_ML = (40.0, 500.0)  # cavity and wall together; hearts outside it were in no training data
FEWEST_SLICES = 3
WIDE = 0.6  # an interval wider than this share of the wall is no answer


def signs(
    probability: FloatArray,
    scar: NDArray[np.bool_],
    disagreement: FloatArray,
    wall: FloatArray,
    box: tuple[slice, slice],
    anatomy: Anatomy,
    voxel_ml: float,
) -> Signs:
    """Signs of one case.

    ``probability`` of scar and the ``scar`` shown are [slice, row, column]; ``disagreement``, the standard deviation of
    the views' probability of scar, and the probability of ``wall``, [slice, r, c], are of the rows and columns ``box``.
    """
    muscle = anatomy.myocardium[:, box[0], box[1]]
    lv = muscle | anatomy.cavity[:, box[0], box[1]]
    inside = probability[anatomy.myocardium]
    some = max(1, round(0.1 / voxel_ml))
    peak = float(np.partition(inside, -some)[-some:].mean()) if inside.size >= some else 0.0
    return Signs(
        float(scar.sum()) * voxel_ml,
        peak,
        float(disagreement[muscle].sum()) * voxel_ml,
        float(4 * (wall[lv] * (1 - wall[lv])).mean()) if lv.any() else 1.0,
    )


def _finite(value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _three_weights(values: Iterable[float]) -> tuple[float, float, float]:
    one, two, three = (_finite(value) for value in values)
    return one, two, three


@dataclass(frozen=True)
class Trust:
    """Fitted on held-out patients."""

    presence: tuple[float, float, float]  # weights of 1, ln(1 + ml) and peak in the log odds that there is scar
    present_above: float  # from this probability on it is shown as such
    scale: tuple[float, float, float]  # expected error in ml as weights of 1, ml and spread_ml
    quantile: float  # of |error| / expected error at ``level``
    level: float
    most_blur: float  # 95th percentile of blur
    most_spread: float  # and of spread per ml

    @classmethod
    def from_settings(cls, settings: Mapping) -> Trust | None:
        """As it stands in a weights file; None where it has none.

        Raises
        ------
        InputError
            It stands there in another form.
        """
        held = settings.get("trust")
        if not held:
            return None
        try:
            presence, scale = (_three_weights(held[key]) for key in ("presence", "scale"))
            names = ("present_above", "quantile", "level", "most_blur", "most_spread")
            return cls(presence=presence, scale=scale, **{name: _finite(held[name]) for name in names})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("the weights do not say as expected how far to rely on them; train them again") from error

    def chance_of_scar(self, seen: Signs) -> float:
        """Probability that there is any scar, 0..1."""
        odds = float(np.dot(self.presence, (1.0, math.log1p(seen.scar_ml), seen.peak)))
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))

    def present(self, seen: Signs) -> bool:
        """Whether scar is told as found, not as too little to tell."""
        return seen.scar_ml > 0 and self.chance_of_scar(seen) >= self.present_above

    def expected_error_ml(self, seen: Signs) -> float:
        """How far such a volume is off, on average."""
        return max(float(np.dot(self.scale, (1.0, seen.scar_ml, seen.spread_ml))), 1e-3)

    def interval_ml(self, seen: Signs) -> tuple[float, float]:
        """Volumes between which the true one lies, in :attr:`level` of the cases."""
        off = self.quantile * self.expected_error_ml(seen)
        return max(0.0, seen.scar_ml - off), seen.scar_ml + off

    def interval(self, seen: Signs, myocardium_ml: float) -> Interval:
        """The same with % of the LV's wall."""
        low, high = self.interval_ml(seen)
        share = 100 / max(myocardium_ml, 1e-6)
        return Interval((low, high), (min(100.0, low * share), min(100.0, high * share)), self.level)


def judged(seen: Signs, trust: Trust, anatomy: Anatomy, voxel_ml: float) -> Confidence:
    """Grade of one case by its anatomy, the networks' views, the borders and the interval."""
    lv_ml = float((anatomy.cavity | anatomy.myocardium).sum()) * voxel_ml
    slices = int((anatomy.cavity | anatomy.myocardium).any(axis=(1, 2)).sum())
    against = []
    if not LV_ML[0] <= lv_ml <= LV_ML[1]:
        against.append(Fact(ConfidenceReason.ANATOMY_IMPLAUSIBLE, ml=lv_ml))
    if slices < FEWEST_SLICES:
        against.append(Fact(ConfidenceReason.FEW_SLICES_SEEN, slices=slices))
    if against:
        return Confidence(Grade.DO_NOT_USE, tuple(against))
    if seen.scar_ml > 0 and not trust.present(seen):
        against.append(Fact(ConfidenceReason.LITTLE_SCAR, ml=seen.scar_ml))
    if seen.spread_ml > trust.most_spread * (1 + seen.scar_ml):
        against.append(Fact(ConfidenceReason.NETWORKS_DISAGREE, ml=seen.spread_ml))
    if seen.blur > trust.most_blur:
        against.append(Fact(ConfidenceReason.BORDERS_UNCERTAIN))
    low, high = trust.interval_ml(seen)
    if high - low > WIDE * float(anatomy.myocardium.sum()) * voxel_ml:
        against.append(Fact(ConfidenceReason.WIDE_INTERVAL, low=low, high=high))
    return Confidence(Grade.CHECK if against else Grade.GOOD, tuple(against))
