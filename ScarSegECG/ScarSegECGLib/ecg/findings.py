"""What is shown of an ECG beside the image: measurements, pathological Q waves, QRS score."""

from __future__ import annotations

from ScarSegECGLib.case import LEADS, EcgFeatures, EcgFindings, MedianBeat
from ScarSegECGLib.ecg.conduction import SEEN_MV, SILENT, short_and_wide
from ScarSegECGLib.ecg.selvester import qrs_score
from ScarSegECGLib.ecg.waves import LeadWaves, lead_waves
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction, QWaveRemark

SEPTAL_Q_MS = 20.0
Q_MS, Q_MV = 30.0, 0.1
R_MS = 40.0
_NEIGHBOURS = (("I", "aVL"), ("II", "aVF"), ("V3", "V4"), ("V4", "V5"), ("V5", "V6"))


def ecg_findings(beat: MedianBeat, *, age: float | None = None, female: bool | None = None) -> EcgFindings:
    """Measure one median beat for people; age in years."""
    leads, why = pathological_q_waves(beat.features)
    score = qrs_score(beat.features, beat, age=age, female=female)
    return EcgFindings(
        features=beat.features,
        q_waves=leads,
        q_waves_remark=why,
        score_points=score.points if score.usable else None,
        score_percent_of_lv=score.percent_lv if score.usable else None,
        score_remark=score.remark,
    )


def pathological_q_waves(features: EcgFeatures) -> tuple[tuple[str, ...] | None, Fact | None]:
    """Leads with a pathological Q wave, or R wave in V1 and V2; ``None`` where they cannot be judged; and a remark.

    V2 and V3: a Q over 20 ms, or QS. I, II, aVL, aVF, V4 to V6: a Q of 30 ms or more and 0.1 mV deep or more, or QS, in
    two neighbouring leads. V1 and V2: an R over 40 ms and higher than the S, without a conduction defect. Source:
    fourth universal definition of myocardial infarction, Thygesen et al., Circulation 2018; 138: e618, changes of prior
    infarction; its R wave criterion also asks for a concordant T wave, which is not measured here.
    """
    conduction = Conduction(features.conduction)
    if short_and_wide(features.pr_ms, features.qrs_ms):
        conduction = Conduction.PREEXCITED_SUSPECTED
    if conduction in SILENT:
        return None, Fact(QWaveRemark.SILENT, conduction=conduction)
    of = {name: lead_waves(features, name) for name in LEADS}
    septal = {name for name in ("V2", "V3") if of[name].q_mv >= SEEN_MV and of[name].q_ms > SEPTAL_Q_MS}
    septal |= {name for name in ("V2", "V3") if _is_qs(of[name])}
    deep = {name for name in ("I", "II", "aVL", "aVF", "V4", "V5", "V6") if _is_deep(of[name])}
    found = septal.union(*(pair for pair in _NEIGHBOURS if set(pair) <= deep | septal))
    remark = None
    if conduction in (Conduction.NORMAL, Conduction.LVH):
        tall = {name for name in ("V1", "V2") if of[name].r_ms > R_MS and of[name].r_mv > of[name].s_mv}
        remark = Fact(QWaveRemark.R_WAVE) if tall - found else None
        found |= tall
    if conduction == Conduction.LVH:
        remark = Fact(QWaveRemark.LVH)
    return tuple(name for name in LEADS if name in found), remark


def _is_qs(waves: LeadWaves) -> bool:
    return waves.q_mv >= SEEN_MV and waves.r_mv == 0


def _is_deep(waves: LeadWaves) -> bool:
    return (waves.q_ms >= Q_MS and waves.q_mv >= Q_MV) or _is_qs(waves)
