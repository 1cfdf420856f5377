"""What is shown of an ECG beside the image: measurements, pathological Q waves, and the Selvester QRS score.

The score tells infarct size from the QRS, the classical yardstick: 32 points, each about 3 % of the LV. Its criteria
are those for hearts without a conduction defect or hypertrophy, after Strauss et al., J Electrocardiol 2009; 42: 85.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ScarSegECGLib.case import LEADS, EcgFeatures, EcgFindings, MedianBeat
from ScarSegECGLib.ecg.conduction import SEEN_MV, SILENT, short_and_wide
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction, QWaveRemark, ScoreRemark

SEPTAL_Q_MS = 20.0
Q_MS, Q_MV = 30.0, 0.1
R_MS = 40.0
_NEIGHBOURS = (("I", "aVL"), ("II", "aVF"), ("V3", "V4"), ("V4", "V5"), ("V5", "V6"))
PERCENT_PER_POINT = 3.0
FASTEST_BPM = 150.0


class LeadWaves(NamedTuple):
    """One lead's Q, R and S: 0 where a wave is absent, NaN, which meets no criterion, for a missing lead."""

    q_ms: float
    q_mv: float
    r_ms: float
    r_mv: float
    s_mv: float

    def r_to_q(self, most: float) -> bool:
        """Whether the R is at most so many times as high as a Q that is there."""
        return self.q_mv > 0 and self.r_mv <= most * self.q_mv

    def r_to_s(self, most: float) -> bool:
        """The same of the S."""
        return self.s_mv > 0 and self.r_mv <= most * self.s_mv


def lead_waves(features: EcgFeatures, lead: str, *, milliseconds: float = 1.0, millivolts: float = 1.0) -> LeadWaves:
    """A lead's waves over the factors that its limits are multiplied by."""
    row = LEADS.index(lead)
    q_ms, r_ms = (float(waves[row] / milliseconds) for waves in (features.q_ms, features.r_ms))
    q_mv, r_mv, s_mv = (float(waves[row] / millivolts) for waves in (features.q_mv, features.r_mv, features.s_mv))
    return LeadWaves(q_ms, q_mv, r_ms, r_mv, s_mv)


def ecg_findings(beat: MedianBeat, *, age: float | None = None, female: bool | None = None) -> EcgFindings:
    """Measure one median beat for people; age in years."""
    leads, why = pathological_q_waves(beat.features)
    met, remark = qrs_score(beat, age=age, female=female)
    points = None if met is None else sum(criterion.points for criterion in met)
    percent = None if points is None else PERCENT_PER_POINT * points
    return EcgFindings(beat.features, leads, why, points, percent, remark)


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
    seen = {name for name in LEADS if of[name].q_mv >= SEEN_MV}
    qs = {name for name in seen if of[name].r_mv == 0}
    septal = {name for name in seen if of[name].q_ms > SEPTAL_Q_MS or name in qs} & {"V2", "V3"}
    deep = qs | {name for name in LEADS if of[name].q_ms >= Q_MS and of[name].q_mv >= Q_MV}
    deep &= {"I", "II", "aVL", "aVF", "V4", "V5", "V6"}
    found = septal.union(*(pair for pair in _NEIGHBOURS if set(pair) <= deep | septal))
    remark = None
    if conduction in (Conduction.NORMAL, Conduction.LVH):
        tall = {name for name in ("V1", "V2") if of[name].r_ms > R_MS and of[name].r_mv > of[name].s_mv}
        remark = Fact(QWaveRemark.R_WAVE) if tall - found else None
        found |= tall
    if conduction == Conduction.LVH:
        remark = Fact(QWaveRemark.LVH)
    return tuple(name for name in LEADS if name in found), remark


class Criterion(NamedTuple):
    """One row of the score, and whether a lead's waves meet it: ms and mV, corrected for age and sex.

    Of a lead's rows of a group the first that is met counts.
    """

    lead: str
    group: str
    points: int
    met: Callable[[LeadWaves], bool]


CRITERIA = (
    Criterion("I", "Q", 1, lambda w: w.q_ms >= 30),
    Criterion("I", "R", 1, lambda w: w.r_to_q(1) or w.r_mv <= 0.2),
    Criterion("II", "Q", 2, lambda w: w.q_ms >= 40),
    Criterion("II", "Q", 1, lambda w: w.q_ms >= 30),
    Criterion("aVL", "Q", 1, lambda w: w.q_ms >= 30),
    Criterion("aVL", "R", 1, lambda w: w.r_to_q(1)),
    Criterion("aVF", "Q", 3, lambda w: w.q_ms >= 50),
    Criterion("aVF", "Q", 2, lambda w: w.q_ms >= 40),
    Criterion("aVF", "Q", 1, lambda w: w.q_ms >= 30),
    Criterion("aVF", "R", 2, lambda w: w.r_to_q(1)),
    Criterion("aVF", "R", 1, lambda w: w.r_to_q(2)),
    Criterion("V1", "anterior", 1, lambda w: w.q_mv > 0),
    Criterion("V1", "R/S", 1, lambda w: w.r_mv > 0 and w.r_mv >= w.s_mv),
    Criterion("V1", "R", 2, lambda w: w.r_ms >= 50 or w.r_mv >= 1.0),
    Criterion("V1", "R", 1, lambda w: w.r_ms >= 40 or w.r_mv >= 0.7),
    Criterion("V1", "Q and S", 1, lambda w: w.r_mv > 0 and max(w.q_mv, w.s_mv) <= 0.2),
    Criterion("V2", "anterior", 1, lambda w: w.q_mv > 0 or w.r_ms <= 10 or w.r_mv <= 0.1),
    Criterion("V2", "R/S", 1, lambda w: w.r_mv > 0 and w.r_mv >= 1.5 * w.s_mv),
    Criterion("V2", "R", 2, lambda w: w.r_ms >= 60 or w.r_mv >= 2.0),
    Criterion("V2", "R", 1, lambda w: w.r_ms >= 50 or w.r_mv >= 1.5),
    Criterion("V2", "Q and S", 1, lambda w: w.r_mv > 0 and max(w.q_mv, w.s_mv) <= 0.3),
    Criterion("V3", "Q or R", 2, lambda w: w.q_ms >= 30 or w.r_ms <= 10),
    Criterion("V3", "Q or R", 1, lambda w: w.q_ms >= 20 or w.r_ms <= 20),
    Criterion("V4", "Q", 1, lambda w: w.q_ms >= 20),
    Criterion("V4", "R", 2, lambda w: w.r_to_q(0.5) or w.r_to_s(0.5)),
    Criterion("V4", "R", 1, lambda w: w.r_to_q(1) or w.r_to_s(1) or w.r_mv <= 0.5),
    Criterion("V5", "Q", 1, lambda w: w.q_ms >= 30),
    Criterion("V5", "R", 2, lambda w: w.r_to_q(1) or w.r_to_s(1)),
    Criterion("V5", "R", 1, lambda w: w.r_to_q(2) or w.r_to_s(2) or w.r_mv <= 0.6),
    Criterion("V6", "Q", 1, lambda w: w.q_ms >= 30),
    Criterion("V6", "R", 2, lambda w: w.r_to_q(1) or w.r_to_s(1)),
    Criterion("V6", "R", 1, lambda w: w.r_to_q(3) or w.r_to_s(3) or w.r_mv <= 0.6),
)


def qrs_score(
    beat: MedianBeat, *, age: float | None = None, female: bool | None = None
) -> tuple[tuple[Criterion, ...] | None, Fact | None]:
    """Score one median beat: the criteria that are met, with 0 to 32 points, each 3 % of the LV; and a remark.

    ``None`` where the score does not hold: in paced, pre-excited and ventricular rhythm, in left bundle branch block
    and from 150 beats a minute on. The remark says why not, or what weakens it (another criteria set applies, leads
    missing). With ``age`` (years) amplitude limits fall by 1 % per year over 55 and rise by 1 % per year under it
    (between 20 and 90 years). Limits of durations and amplitudes are 10 % lower in women; men's where ``female`` is
    unknown.
    """
    features, conduction = beat.features, Conduction(beat.features.conduction)
    if conduction in SILENT and conduction != Conduction.UNKNOWN:
        return None, Fact(ScoreRemark.SILENT, conduction=conduction)
    if features.rate_bpm is not None and features.rate_bpm >= FASTEST_BPM:
        return None, Fact(ScoreRemark.FAST)
    sex = 0.9 if female else 1.0
    years = 1.0 if age is None else 1.0 - 0.01 * (float(np.clip(age, 20, 90)) - 55)
    highest: dict[tuple[str, str], Criterion] = {}
    for criterion in CRITERIA:
        if conduction == Conduction.RBBB and criterion.lead in ("V1", "V2") and criterion.group != "anterior":
            continue  # the block makes the R waves
        if criterion.met(lead_waves(features, criterion.lead, milliseconds=sex, millivolts=sex * years)):
            highest.setdefault((criterion.lead, criterion.group), criterion)
    missing = tuple(name for name, there in zip(LEADS, beat.lead_mask, strict=True) if not there)
    weakened_by = None if conduction == Conduction.NORMAL else conduction
    remark = Fact(ScoreRemark.WEAKENED, conduction=weakened_by, missing=missing) if weakened_by or missing else None
    return tuple(highest.values()), remark
