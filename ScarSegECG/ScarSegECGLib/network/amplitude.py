"""How much the ECG may count: the behaviour table, one row after another, each with its reason."""

from __future__ import annotations

from collections.abc import Callable

from ScarSegECGLib.case import Ecg, EcgFeatures, EcgUse, TimeGap
from ScarSegECGLib.ecg.conduction import short_and_wide
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction, EcgReason, GapProblem, Hindrance

FEWEST_LEADS = 8
LEAST_AMPLITUDE = 0.05
UNKNOWN_DATE_COUNTS_AS_DAYS = 365.0
LATE_ECG_DAYS = 30.0
FAST_RATE_BPM = 150.0
DEFECT_QUALITY = 0.3


def conduction_quality(features: EcgFeatures) -> tuple[float, Fact | None]:
    """What is left of the ECG's word under a conduction defect: 1, 0.3 or 0, and the reason.

    What is only suspected (paced without spikes, pre-excited, a tachycardia that may be ventricular) counts as if it
    were so: the ECG's word would be wrong, and without it the result is the image's. A wide QRS of no known pattern
    counts like LBBB.
    """
    rate, qrs, conduction = features.rate_bpm, features.qrs_ms, Conduction(features.conduction)
    if conduction == Conduction.PACED:
        return 0.0, Fact(Hindrance.PACED)
    if rate is not None and rate >= FAST_RATE_BPM:
        return 0.0, Fact(Hindrance.FAST, rate=rate)
    if conduction == Conduction.TACHYCARDIA:
        return 0.0, Fact(Hindrance.TACHYCARDIA, rate=rate)
    if conduction == Conduction.PREEXCITED_SUSPECTED or short_and_wide(features.pr_ms, qrs):
        return 0.0, Fact(Hindrance.PREEXCITED, pr=features.pr_ms, qrs=qrs)
    if conduction == Conduction.PACED_SUSPECTED:
        return 0.0, Fact(Hindrance.PACED_SUSPECTED)
    if conduction in (Conduction.LBBB, Conduction.LBBB_USUAL):
        return DEFECT_QUALITY, Fact(Hindrance.LBBB if conduction == Conduction.LBBB else Hindrance.LBBB_USUAL)
    if conduction == Conduction.UNKNOWN:
        return DEFECT_QUALITY, Fact(Hindrance.NOT_MEASURED) if qrs is None else Fact(Hindrance.WIDE, qrs=qrs)
    return 1.0, None


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
    """Decide the amplitude of one case.

    Parameters
    ----------
    ecg, features : the ECG and its measured median beat, or None
    gap : signed days between ECG and image
    weight : the learned time weight, days -> (0, 1]
    anatomy_known : whether the AHA partition could be placed
    network_trained : whether the weights hold a trained ECG branch
    why_no_ecg : the reason when ``ecg`` is None

    Returns
    -------
    EcgUse whose amplitude is exactly 0 wherever the ECG is not to count.
    """

    def unused(reason: EcgReason, **parameters: object) -> EcgUse:
        return EcgUse(0.0, (Fact(reason, **parameters),), gap)

    if ecg is None or features is None:
        return EcgUse(0.0, (why_no_ecg,), gap)
    leads = int(ecg.lead_mask.sum())
    if leads < FEWEST_LEADS:
        return unused(EcgReason.FEW_LEADS, leads=leads, needed=FEWEST_LEADS)
    if gap.event_between:
        return unused(EcgReason.EVENT_BETWEEN)
    if gap.impossible:
        return unused(EcgReason.CHECK_DATES, problem=gap.problem)
    if not anatomy_known:
        return unused(EcgReason.NO_AHA)
    if not network_trained:
        return unused(EcgReason.UNTRAINED)

    cautions = []
    if gap.days is None:
        amplitude = min(weight(UNKNOWN_DATE_COUNTS_AS_DAYS), weight(-UNKNOWN_DATE_COUNTS_AS_DAYS))
        cautions.append(Fact(EcgReason.DATE_UNKNOWN, problem=gap.problem or GapProblem.NO_ECG_DATE))
    else:
        amplitude = weight(gap.days)
        if gap.days > LATE_ECG_DAYS:
            cautions.append(Fact(EcgReason.LATER_THAN_MRI))
    quality, why = conduction_quality(features)
    if quality == 0:
        return unused(EcgReason.HINDERED, why=why)
    if why:
        cautions.append(Fact(EcgReason.COUNTS_LESS, why=why))
    amplitude *= quality
    if amplitude < LEAST_AMPLITUDE:
        return unused(EcgReason.TOO_FAR, days=gap.days)
    return EcgUse(amplitude, (Fact(EcgReason.USED, days=gap.days, weight=amplitude), *cautions), gap)
