"""How much the ECG may count: the behaviour table, one row after another, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ScarSegECGLib.case import Ecg, EcgFeatures, EcgUse, TimeGap
from ScarSegECGLib.ecg.conduction import short_and_wide
from ScarSegECGLib.ecg.leads import FEWEST_LEADS
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction, EcgReason, GapProblem, Hindrance

LEAST_AMPLITUDE = 0.05
UNKNOWN_DATE_COUNTS_AS_DAYS = 365.0
LATE_ECG_DAYS = 30.0
FAST_RATE_BPM = 150.0
DEFECT_QUALITY = 0.3
DAYS_PER_YEAR = 365.0


class TimeWeight(nn.Module):
    """How much an ECG counts that was taken ``gap`` days before (negative) or after the image.

    ``w = (1 + exp(-c)) / (1 + exp(alpha * |gap| / 365 - c))``: 1 at 0, falling with |gap| whatever is learned, because
    ``alpha`` is positive by construction. An ECG taken after the image has its own, never smaller, ``alpha``: it may
    show disease that the image could not. The numbers given are where training begins: those in the weights win. What
    holds where a date is not known stands in :func:`decide`.
    """

    def __init__(self, c: float = 3.0, alpha_before: float = 2.5, alpha_extra_after: float = 2.5) -> None:
        super().__init__()
        inverse_softplus = [math.log(math.expm1(alpha)) for alpha in (alpha_before, alpha_extra_after)]
        self.rates = nn.Parameter(torch.tensor(inverse_softplus))
        self.c = nn.Parameter(torch.tensor(c))

    def forward(self, gap_days: Tensor) -> Tensor:
        """Signed days [B] -> weight [B] in (0, 1]."""
        before, extra = F.softplus(self.rates)
        alpha = torch.where(gap_days > 0, before + extra, before)
        years = gap_days.abs() / DAYS_PER_YEAR
        return (1 + torch.exp(-self.c)) / (1 + torch.exp((alpha * years - self.c).clamp(max=60)))


def conduction_quality(features: EcgFeatures) -> tuple[float, Fact | None]:
    """What is left of the ECG's word under a conduction defect: 1, 0.3 or 0, and the reason.

    What is only suspected (paced without spikes, pre-excited, a tachycardia that may be ventricular) counts as if it
    were so: the ECG's word would be wrong, and without it the result is the image's. A wide QRS of no known pattern
    counts like LBBB.
    """
    rate, qrs, conduction = features.rate_bpm, features.qrs_ms, Conduction(features.conduction)
    preexcited = conduction == Conduction.PREEXCITED_SUSPECTED or short_and_wide(features.pr_ms, qrs)
    unknown = conduction == Conduction.UNKNOWN
    defects = (
        (conduction == Conduction.PACED, 0.0, Fact(Hindrance.PACED)),
        (rate is not None and rate >= FAST_RATE_BPM, 0.0, Fact(Hindrance.FAST, rate=rate)),
        (conduction == Conduction.TACHYCARDIA, 0.0, Fact(Hindrance.TACHYCARDIA, rate=rate)),
        (preexcited, 0.0, Fact(Hindrance.PREEXCITED, pr=features.pr_ms, qrs=qrs)),
        (conduction == Conduction.PACED_SUSPECTED, 0.0, Fact(Hindrance.PACED_SUSPECTED)),
        (conduction == Conduction.LBBB, DEFECT_QUALITY, Fact(Hindrance.LBBB)),
        (conduction == Conduction.LBBB_USUAL, DEFECT_QUALITY, Fact(Hindrance.LBBB_USUAL)),
        (unknown and qrs is None, DEFECT_QUALITY, Fact(Hindrance.NOT_MEASURED)),
        (unknown, DEFECT_QUALITY, Fact(Hindrance.WIDE, qrs=qrs)),
    )
    return next(((quality, why) for holds, quality, why in defects if holds), (1.0, None))


def decide(
    ecg: Ecg | None,
    features: EcgFeatures | None,
    gap: TimeGap,
    weight: Callable[[float], float],
    *,
    anatomy_known: bool,
    network_trained: bool,
    why_no_ecg: Fact = Fact(EcgReason.NOT_GIVEN),
) -> EcgUse:
    """Decide the amplitude of one case, exactly 0 wherever the ECG is not to count.

    ``features`` are those of the ECG's median beat; ``weight`` is the learned time weight, days -> (0, 1].
    ``anatomy_known``: the AHA partition could be placed; ``network_trained``: the weights hold a trained ECG branch;
    ``why_no_ecg``: the reason where ``ecg`` or ``features`` are None.
    """
    if ecg is None or features is None:
        return EcgUse(0.0, (why_no_ecg,), gap)
    leads = int(ecg.lead_mask.sum())
    quality, why = conduction_quality(features)
    hindrances = (
        (leads < FEWEST_LEADS, Fact(EcgReason.FEW_LEADS, leads=leads, needed=FEWEST_LEADS)),
        (gap.event_between, Fact(EcgReason.EVENT_BETWEEN)),
        (gap.impossible, Fact(EcgReason.CHECK_DATES, problem=gap.problem)),
        (not anatomy_known, Fact(EcgReason.NO_AHA)),
        (not network_trained, Fact(EcgReason.UNTRAINED)),
        (quality == 0, Fact(EcgReason.HINDERED, why=why)),
    )
    for holds, reason in hindrances:
        if holds:
            return EcgUse(0.0, (reason,), gap)

    cautions = []
    if gap.days is None:
        amplitude = min(weight(UNKNOWN_DATE_COUNTS_AS_DAYS), weight(-UNKNOWN_DATE_COUNTS_AS_DAYS))
        cautions.append(Fact(EcgReason.DATE_UNKNOWN, problem=gap.problem or GapProblem.NO_ECG_DATE))
    else:
        amplitude = weight(gap.days)
        if gap.days > LATE_ECG_DAYS:
            cautions.append(Fact(EcgReason.LATER_THAN_MRI))
    if why:
        cautions.append(Fact(EcgReason.COUNTS_LESS, why=why))
    amplitude *= quality
    if amplitude < LEAST_AMPLITUDE:
        return EcgUse(0.0, (Fact(EcgReason.TOO_FAR, days=gap.days), *cautions), gap)
    return EcgUse(amplitude, (Fact(EcgReason.USED, days=gap.days, weight=amplitude), *cautions), gap)
