"""Pathological Q waves of prior infarction, after the fourth universal definition of myocardial infarction.

Source: Thygesen et al., Circulation 2018; 138: e618, the table of ECG changes of prior infarction. Its R wave criterion
also asks for a concordant T wave, which is not measured here.
"""

from __future__ import annotations

from ScarSegECGLib.case import LEADS, EcgFeatures
from ScarSegECGLib.ecg.conduction import SEEN_MV, SILENT, short_and_wide
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction, QWaveRemark

SEPTAL_Q_MS = 20.0
Q_MS, Q_MV = 30.0, 0.1
R_MS = 40.0
_NEIGHBOURS = (("I", "aVL"), ("II", "aVF"), ("V3", "V4"), ("V4", "V5"), ("V5", "V6"))


def pathological_q_waves(features: EcgFeatures) -> tuple[tuple[str, ...] | None, Fact | None]:
    """Leads with a pathological Q wave, or R wave in V1 and V2; ``None`` where they cannot be judged; and a remark.

    V2 and V3: a Q over 20 ms, or QS. I, II, aVL, aVF, V4 to V6: a Q of 30 ms or more and 0.1 mV deep or more, or QS, in
    two neighbouring leads. V1 and V2: an R over 40 ms and higher than the S, without a conduction defect.

    Parameters
    ----------
    features : EcgFeatures

    Returns
    -------
    (tuple of str or None, Fact or None)
        In the order of :data:`ScarSegECGLib.case.LEADS`.
    """
    conduction = Conduction(features.conduction)
    if short_and_wide(features.pr_ms, features.qrs_ms):
        conduction = Conduction.PREEXCITED_SUSPECTED
    if conduction in SILENT:
        return None, Fact(QWaveRemark.SILENT, conduction=conduction)
    deep = {name for name in ("I", "II", "aVL", "aVF", "V4", "V5", "V6") if _deep(features, name)}
    septal = {name for name in ("V2", "V3") if _septal(features, name)}
    found = set(septal)
    for one, other in _NEIGHBOURS:
        if {one, other} <= deep | septal:
            found |= {one, other}
    remark = None
    if conduction in (Conduction.NORMAL, Conduction.LVH):
        tall = {name for name in ("V1", "V2") if _tall_r(features, name)}
        remark = Fact(QWaveRemark.R_WAVE) if tall - found else None
        found |= tall
    if conduction == Conduction.LVH:
        remark = Fact(QWaveRemark.LVH)
    return tuple(name for name in LEADS if name in found), remark


def _of(features: EcgFeatures, lead: str) -> tuple[float, float, float, float, float]:
    """Q ms, Q mV, R ms, R mV, S mV; NaN, which meets no criterion, for a missing lead."""
    k = LEADS.index(lead)
    values = features.q_ms[k], features.q_mv[k], features.r_ms[k], features.r_mv[k], features.s_mv[k]
    q_ms, q_mv, r_ms, r_mv, s_mv = (float(value) for value in values)
    return q_ms, q_mv, r_ms, r_mv, s_mv


def _septal(features: EcgFeatures, lead: str) -> bool:
    q_ms, q_mv, _, r_mv, _ = _of(features, lead)
    return q_mv >= SEEN_MV and (q_ms > SEPTAL_Q_MS or r_mv == 0)


def _deep(features: EcgFeatures, lead: str) -> bool:
    q_ms, q_mv, _, r_mv, _ = _of(features, lead)
    return (q_ms >= Q_MS and q_mv >= Q_MV) or (q_mv >= SEEN_MV and r_mv == 0)


def _tall_r(features: EcgFeatures, lead: str) -> bool:
    _, _, r_ms, r_mv, s_mv = _of(features, lead)
    return r_ms > R_MS and r_mv > s_mv
