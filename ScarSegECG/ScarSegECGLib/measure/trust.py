"""What the networks say of scar, and how far to rely on it, by numbers that travel with the weights: they are fitted on
patients that the networks had not seen (``training.evaluate``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ScarSegECGLib.anatomy.polar import Mask
from ScarSegECGLib.case import SCAR, Anatomy, FloatArray, Interval, ScarResult, Signs
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Confidence, ConfidenceReason, Fact, Grade
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands

SCAR_ABOVE = 0.5

LV_ML = (40.0, 500.0)  # cavity and wall together; hearts outside it were in no training data
_OF_CONTOURS = (ConfidenceReason.ANATOMY_IMPLAUSIBLE, ConfidenceReason.BORDERS_UNCERTAIN)
WIDE = 0.6  # an interval wider than this share of the wall is no answer


def scar_probability(
    logit: NDArray[np.floating], wall: NDArray[np.floating], myocardium: NDArray[np.bool_], box: tuple[slice, slice]
) -> FloatArray:
    """Probability of scar: that the voxel is wall, times that the wall is scar there; exactly 0 outside the wall.

    ``logit`` (of scar given wall) and ``wall`` (probability), [slice, r, c], are of the rows and columns ``box``; the
    predicted ``myocardium`` and what is returned, float32, are [slice, row, column].
    """
    probability = np.zeros(myocardium.shape, np.float32)
    inside = myocardium[:, box[0], box[1]]
    probability[:, box[0], box[1]][inside] = wall[inside] * expit(logit[inside])
    return probability


def never_erasing(movement: FloatArray, alone: FloatArray) -> FloatArray:
    """Movement of the logit that never takes away scar which the image alone shows (probability ``alone``)."""
    return np.where(alone > SCAR_ABOVE, np.maximum(movement, 0), movement)


def image_only_scar(result: ScarResult) -> Mask:
    """The scar that the images alone show, of a result as it was segmented."""
    if result.ecg_use.amplitude == 0:
        return np.asarray(result.labels == SCAR)
    shown = result.scar_probability_image_only > SCAR_ABOVE
    return drop_small_islands(shown, result.stack.spacing, SMALLEST_ISLAND_ML)


def signs(
    probability: FloatArray,
    scar: NDArray[np.bool_],
    disagreement: FloatArray,
    wall: FloatArray,
    box: tuple[slice, slice],
    anatomy: Anatomy,
    voxel_ml: float,
) -> Signs:
    """Signs of one case: ``probability`` of scar and the ``scar`` shown are [slice, row, column]; ``disagreement``, the
    standard deviation of the views' probability, and that of ``wall``, [slice, r, c], are of the part ``box``."""
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
        """As it stands in a weights file; None where it has none, InputError where it stands there in another form."""
        held = settings.get("trust")
        if not held:
            return None
        try:
            numbers = {field.name: np.array(held[field.name], float) for field in fields(cls)}
        except (KeyError, TypeError, ValueError):
            numbers = {}
        shapes = {name: (3,) if name in ("presence", "scale") else () for name in numbers}
        if not numbers or any(n.shape != shapes[name] or not np.isfinite(n).all() for name, n in numbers.items()):
            raise InputError("the weights do not say as expected how far to rely on them; train them again")
        told: dict[str, Any] = {name: tuple(n.tolist()) if n.shape else float(n) for name, n in numbers.items()}
        return cls(**told)

    def chance_of_scar(self, seen: Signs) -> float:
        """Probability that there is any scar, 0..1."""
        return float(expit(np.dot(self.presence, (1.0, np.log1p(seen.scar_ml), seen.peak))))

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
    if not LV_ML[0] <= lv_ml <= LV_ML[1]:
        return Confidence(Grade.DO_NOT_USE, (Fact(ConfidenceReason.ANATOMY_IMPLAUSIBLE, ml=lv_ml),))
    against = []
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


def of_contours(confidence: Confidence | None) -> Confidence | None:
    """What is left of it where the scar is not the networks' own: what it says against the contours, or None."""
    left = tuple(reason for reason in (confidence.reasons if confidence else ()) if reason.code in _OF_CONTOURS)
    return replace(confidence, reasons=left) if confidence and left else None
