"""How much the ECG may count: the behaviour table, one row after another, each with its sentence."""

from __future__ import annotations

from collections.abc import Callable

from ScarSegECGLib.case import Ecg, EcgFeatures, EcgUse, TimeGap
from ScarSegECGLib.ecg.q_waves import perhaps_preexcited

FEWEST_LEADS = 8
LEAST_AMPLITUDE = 0.05
UNKNOWN_DATE_COUNTS_AS_DAYS = 365.0
LATE_ECG_DAYS = 30.0
FAST_RATE_BPM = 150.0
DEFECT_QUALITY = 0.3


def conduction_quality(features: EcgFeatures) -> tuple[float, str]:
    """What is left of the ECG's word under a conduction defect: 1, 0.3 or 0, and the reason.

    A short PR with a broad QRS is taken for pre-excitation, whose delta wave imitates Q waves (AHA/ACCF/HRS
    recommendations part III, Circulation 2009; 119: e235); a wide QRS of no known pattern counts like LBBB.
    """
    rate, pr, qrs = features.rate_bpm, features.pr_ms, features.qrs_ms
    if features.conduction == "paced":
        return 0.0, "paced rhythm hides infarction"
    if rate is not None and rate >= FAST_RATE_BPM:
        return 0.0, f"rate {rate:.0f}/min is too fast to read infarction"
    if perhaps_preexcited(features):
        return 0.0, f"PR {pr:.0f} ms with QRS {qrs:.0f} ms: pre-excitation is not excluded"
    if features.conduction == "lbbb":
        return DEFECT_QUALITY, "left bundle branch block hides infarction"
    if features.conduction == "unknown":
        wide = "the QRS could not be measured" if qrs is None else f"QRS {qrs:.0f} ms of no known pattern"
        return DEFECT_QUALITY, f"{wide} may hide or imitate infarction"
    return 1.0, ""


def decide(
    ecg: Ecg | None,
    features: EcgFeatures | None,
    gap: TimeGap,
    weight: Callable[[float], float],
    *,
    anatomy_known: bool,
    network_trained: bool,
    why_no_ecg: str = "no ECG was given",
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

    def unused(reason: str) -> EcgUse:
        return EcgUse(0.0, reason, gap)

    if ecg is None or features is None:
        return unused(f"ECG not used: {why_no_ecg}")
    leads = int(ecg.lead_mask.sum())
    if leads < FEWEST_LEADS:
        return unused(f"ECG not used: only {leads} leads, at least {FEWEST_LEADS} are needed")
    if gap.event_between:
        return unused("ECG not used: Event between ECG and MRI")
    if gap.impossible:
        return unused(f"ECG not used: Check dates, {gap.impossible}")
    if not anatomy_known:
        return unused("ECG not used: AHA prior unavailable")
    if not network_trained:
        return unused("ECG not used: the ECG network of these weights is not trained; the result is image only")

    said = []
    if gap.days is None:
        amplitude = min(weight(UNKNOWN_DATE_COUNTS_AS_DAYS), weight(-UNKNOWN_DATE_COUNTS_AS_DAYS))
        # the date that is missing is the one to name: with a known ECG date it is the MRI's
        missing = gap.why_unknown.removesuffix(" missing") if gap.why_unknown.endswith("date missing") else "ECG date"
        said.append(f"{missing} unknown: reduced weight")
    else:
        amplitude = weight(gap.days)
        if gap.days > LATE_ECG_DAYS:
            said.append("ECG later than MRI: may show newer disease")
    quality, why = conduction_quality(features)
    if quality == 0:
        return unused(f"ECG not used: {why}")
    if why:
        said.append(f"ECG counts less: {why}")
    amplitude *= quality
    if amplitude < LEAST_AMPLITUDE:
        when = "at an unknown time" if gap.days is None else f"{abs(gap.days):.0f} days"
        return unused(f"ECG {when} from MRI: not used")
    when = "at an unknown time" if gap.days is None else f"{abs(gap.days):.0f} days from MRI"
    said.insert(0, f"ECG {when} used with weight {amplitude:.2f}")
    return EcgUse(amplitude, "; ".join(said), gap)
