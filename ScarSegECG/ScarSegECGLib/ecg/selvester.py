"""The Selvester QRS score: infarct size from the QRS of a 12-lead ECG, the classical yardstick.

Criteria for hearts without a conduction defect or hypertrophy, after Strauss et al., J Electrocardiol 2009; 42: 85.
32 points; a point is about 3 % of the LV. Each row's points are shared out over 12 wall segments such that they sum
to 3 % per point. For four rows the figures at hand did not add up, and this project chose ones that do, after the
pattern of their neighbours: aVF Q of 3 points, aVF R/Q of 2, V1 tall or wide R of 2 (taken from V2), V6 Q.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, EcgFeatures, MedianBeat
from ScarSegECGLib.ecg.conduction import SILENT
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction, ScoreRemark

PERCENT_PER_POINT = 3.0
FASTEST_BPM = 150.0
# A twelfth of the LV, %: full scar of one wall segment.
WALL_SEGMENT_PERCENT = 100.0 / 12.0


@dataclass(frozen=True)
class Waves:
    """One lead's Q, R and S after correction for age and sex; ms and mV, 0 where a wave is absent."""

    q_ms: float
    q_mv: float
    r_ms: float
    r_mv: float
    s_mv: float


@dataclass(frozen=True)
class Row:
    """One criterion: ``group`` holds rows of which only the highest counts; ``walls`` has 12 percentages."""

    lead: str
    group: str
    criterion: str
    points: int
    met: Callable[[Waves], bool]
    walls: tuple[float, ...]


@dataclass(frozen=True)
class ScoredRow:
    """A criterion that was met."""

    lead: str
    criterion: str
    points: int


@dataclass(frozen=True)
class QrsScore:
    """The score of one ECG.

    Attributes
    ----------
    points : int
        0..32; 0 where not ``usable``.
    percent_lv : float
        3 % of the LV per point; NaN where not ``usable``.
    per_wall : float64 array, shape (12,)
        % of the LV in each wall segment: anteroseptal, anterosuperior, inferior and posterolateral wall, each apical,
        mid, basal. Sums to ``percent_lv``.
    per_segment : float64 array, shape (17,)
        % of each AHA segment, 0..100, by angular overlap of the walls: a soft prior, never truth.
    rows : tuple of ScoredRow
    usable : bool
        False in paced, pre-excited and ventricular rhythm, in left bundle branch block and from 150 beats a minute on.
    remark : Fact or None
        Why it is not usable, or what weakens it (another criteria set applies, leads missing).
    """

    points: int
    percent_lv: float
    per_wall: NDArray[np.float64]
    per_segment: NDArray[np.float64]
    rows: tuple[ScoredRow, ...]
    usable: bool = True
    remark: Fact | None = None


def _walls(**percent: float) -> tuple[float, ...]:
    """``_walls(w1=2, w3=1)``: percentages of wall segments 1..12."""
    return tuple(float(percent.get(f"w{n}", 0.0)) for n in range(1, 13))


def _r_to_q(most: float) -> Callable[[Waves], bool]:
    return lambda w: w.q_mv > 0 and w.r_mv <= most * w.q_mv


def _r_to_q_or_s(most: float) -> Callable[[Waves], bool]:
    return lambda w: (w.q_mv > 0 and w.r_mv <= most * w.q_mv) or (w.s_mv > 0 and w.r_mv <= most * w.s_mv)


def _r_to_s(least: float) -> Callable[[Waves], bool]:
    return lambda w: w.r_mv > 0 and w.r_mv >= least * w.s_mv


def _q_ms(least: float) -> Callable[[Waves], bool]:
    return lambda w: w.q_ms >= least


def _any(*conditions: Callable[[Waves], bool]) -> Callable[[Waves], bool]:
    return lambda w: any(condition(w) for condition in conditions)


def _r_up_to(millivolts: float) -> Callable[[Waves], bool]:
    return lambda w: w.r_mv <= millivolts


def _large_r(milliseconds: float, millivolts: float) -> Callable[[Waves], bool]:
    return lambda w: w.r_ms >= milliseconds or w.r_mv >= millivolts


def _small_q_and_s(millivolts: float) -> Callable[[Waves], bool]:
    return lambda w: w.r_mv > 0 and w.q_mv <= millivolts and w.s_mv <= millivolts


_ANTERIOR = _walls(w2=1, w3=2)
_INFERIOR_2 = _walls(w7=2, w8=2, w9=2)
_APEX_1 = _walls(w1=1, w2=1, w4=1)
_APEX_2 = _walls(w1=2, w2=1, w4=1, w5=1, w7=1)
_POSTERIOR_2 = _walls(w7=1, w8=1, w10=1, w11=2, w12=1)
_LATERAL_1 = _walls(w7=1, w10=1, w11=1)

ROWS: tuple[Row, ...] = (
    Row("I", "Q", "Q >= 30 ms", 1, _q_ms(30), _walls(w4=1, w5=1, w6=1)),
    Row("I", "R", "R/Q <= 1 or R <= 0.2 mV", 1, _any(_r_to_q(1), _r_up_to(0.2)), _walls(w4=1, w5=1, w10=1)),
    Row("II", "Q", "Q >= 40 ms", 2, _q_ms(40), _INFERIOR_2),
    Row("II", "Q", "Q >= 30 ms", 1, _q_ms(30), _walls(w8=2, w9=1)),
    Row("aVL", "Q", "Q >= 30 ms", 1, _q_ms(30), _walls(w5=2, w6=1)),
    Row("aVL", "R", "R/Q <= 1", 1, _r_to_q(1), _walls(w5=1, w6=2)),
    Row("aVF", "Q", "Q >= 50 ms", 3, _q_ms(50), _walls(w7=3, w8=3, w9=3)),
    Row("aVF", "Q", "Q >= 40 ms", 2, _q_ms(40), _INFERIOR_2),
    Row("aVF", "Q", "Q >= 30 ms", 1, _q_ms(30), _walls(w8=2, w9=1)),
    Row("aVF", "R", "R/Q <= 1", 2, _r_to_q(1), _INFERIOR_2),
    Row("aVF", "R", "R/Q <= 2", 1, _r_to_q(2), _walls(w8=1, w9=2)),
    Row("V1", "anterior", "any Q", 1, lambda w: w.q_mv > 0, _ANTERIOR),
    Row("V1", "R/S", "R/S >= 1", 1, _r_to_s(1), _walls(w10=1, w11=1, w12=1)),
    Row("V1", "R", "R >= 50 ms or 1.0 mV", 2, _large_r(50, 1.0), _POSTERIOR_2),
    Row("V1", "R", "R >= 40 ms or 0.7 mV", 1, _large_r(40, 0.7), _LATERAL_1),
    Row("V1", "Q and S", "Q and S <= 0.2 mV", 1, _small_q_and_s(0.2), _walls(w9=1, w11=1, w12=1)),
    Row(
        "V2",
        "anterior",
        "any Q, R <= 10 ms or R <= 0.1 mV",
        1,
        lambda w: w.q_mv > 0 or w.r_ms <= 10 or w.r_mv <= 0.1,
        _ANTERIOR,
    ),
    Row("V2", "R/S", "R/S >= 1.5", 1, _r_to_s(1.5), _walls(w9=1, w11=1, w12=1)),
    Row("V2", "R", "R >= 60 ms or 2.0 mV", 2, _large_r(60, 2.0), _POSTERIOR_2),
    Row("V2", "R", "R >= 50 ms or 1.5 mV", 1, _large_r(50, 1.5), _walls(w8=1, w10=1, w11=1)),
    Row("V2", "Q and S", "Q and S <= 0.3 mV", 1, _small_q_and_s(0.3), _walls(w8=1, w11=1, w12=1)),
    Row(
        "V3",
        "Q or R",
        "Q >= 30 ms or R <= 10 ms",
        2,
        lambda w: w.q_ms >= 30 or w.r_ms <= 10,
        _walls(w1=2, w2=2, w3=1, w5=1),
    ),
    Row(
        "V3",
        "Q or R",
        "Q >= 20 ms or R <= 20 ms",
        1,
        lambda w: w.q_ms >= 20 or w.r_ms <= 20,
        _walls(w1=1, w2=1, w5=1),
    ),
    Row("V4", "Q", "Q >= 20 ms", 1, _q_ms(20), _APEX_1),
    Row("V4", "R", "R/Q or R/S <= 0.5", 2, _r_to_q_or_s(0.5), _APEX_2),
    Row("V4", "R", "R/Q or R/S <= 1 or R <= 0.5 mV", 1, _any(_r_to_q_or_s(1), _r_up_to(0.5)), _APEX_1),
    Row("V5", "Q", "Q >= 30 ms", 1, _q_ms(30), _APEX_1),
    Row("V5", "R", "R/Q or R/S <= 1", 2, _r_to_q_or_s(1), _APEX_2),
    Row("V5", "R", "R/Q or R/S <= 2 or R <= 0.6 mV", 1, _any(_r_to_q_or_s(2), _r_up_to(0.6)), _walls(w1=1, w4=1, w5=1)),
    Row("V6", "Q", "Q >= 30 ms", 1, _q_ms(30), _LATERAL_1),
    Row("V6", "R", "R/Q or R/S <= 1", 2, _r_to_q_or_s(1), _walls(w4=1, w7=1, w10=2, w11=2)),
    Row("V6", "R", "R/Q or R/S <= 3 or R <= 0.6 mV", 1, _any(_r_to_q_or_s(3), _r_up_to(0.6)), _LATERAL_1),
)

# Shares of the walls (AS, SUP, INF, PL) in the six segments of a basal or mid ring, and in the apical four.
_RING = np.array(
    [[0, 1, 0, 0], [0.75, 0.25, 0, 0], [0.75, 0, 0.25, 0], [0, 0, 1, 0], [0, 0, 0.25, 0.75], [0, 0.25, 0, 0.75]]
)
_APICAL = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)


def walls_to_aha(per_wall: NDArray) -> NDArray[np.float64]:
    """From % of the LV in 12 wall segments to % of each of the 17 AHA segments, at most 100.

    Every wall segment is taken as a twelfth of the LV; 17 is the mean of 13-16.

    Parameters
    ----------
    per_wall : array, shape (12,)
    """
    scarred = np.minimum(100.0, np.asarray(per_wall, dtype=np.float64) / WALL_SEGMENT_PERCENT * 100).reshape(4, 3)
    apical = _APICAL @ scarred[:, 0]
    return np.concatenate([_RING @ scarred[:, 2], _RING @ scarred[:, 1], apical, [apical.mean()]])


def qrs_score(
    features: EcgFeatures, beat: MedianBeat, *, age: float | None = None, female: bool | None = None
) -> QrsScore:
    """Score one median beat.

    Parameters
    ----------
    features : EcgFeatures
        Per-lead waves; leads that are NaN score nothing.
    beat : MedianBeat
        Says which leads are missing.
    age : float, optional
        Years. Voltages fall with age: amplitude limits are lowered by 1 % per year over 55 and raised by 1 % per year
        under it (between 20 and 90 years); not adjusted where unknown.
    female : bool, optional
        Limits of durations and amplitudes are 10 % lower in women; men's where unknown.

    Returns
    -------
    QrsScore
    """
    why = _why_unusable(features)
    if why:
        return QrsScore(0, float("nan"), np.full(12, np.nan), np.full(17, np.nan), (), usable=False, remark=why)
    sex = 0.9 if female else 1.0
    years = 1.0 if age is None else 1.0 - 0.01 * (float(np.clip(age, 20, 90)) - 55)
    met: dict[tuple[str, str], Row] = {}
    for row in _rows(features):
        waves = _waves(features, row.lead, milliseconds=sex, millivolts=sex * years)
        key = (row.lead, row.group)
        if waves is not None and row.met(waves) and (key not in met or row.points > met[key].points):
            met[key] = row
    points = sum(row.points for row in met.values())
    per_wall = np.sum([row.walls for row in met.values()], axis=0) if met else np.zeros(12)
    return QrsScore(
        points=points,
        percent_lv=PERCENT_PER_POINT * points,
        per_wall=np.asarray(per_wall, dtype=np.float64),
        per_segment=walls_to_aha(per_wall),
        rows=tuple(ScoredRow(row.lead, row.criterion, row.points) for row in met.values()),
        remark=_remark(features, beat),
    )


def _why_unusable(features: EcgFeatures) -> Fact | None:
    conduction = Conduction(features.conduction)
    if conduction in SILENT and conduction != Conduction.UNKNOWN:
        return Fact(ScoreRemark.SILENT, conduction=conduction)
    if features.rate_bpm is not None and features.rate_bpm >= FASTEST_BPM:
        return Fact(ScoreRemark.FAST)
    return None


def _rows(features: EcgFeatures) -> tuple[Row, ...]:
    """The criteria that may count: not the R waves in V1 and V2 where RBBB makes them."""
    if features.conduction != "rbbb":
        return ROWS
    return tuple(row for row in ROWS if row.lead not in ("V1", "V2") or row.group == "anterior")


def _remark(features: EcgFeatures, beat: MedianBeat) -> Fact | None:
    conduction = Conduction(features.conduction)
    missing = tuple(name for name, there in zip(LEADS, beat.lead_mask, strict=True) if not there)
    if conduction == Conduction.NORMAL and not missing:
        return None
    return Fact(
        ScoreRemark.WEAKENED, conduction=None if conduction == Conduction.NORMAL else conduction, missing=missing
    )


def _waves(features: EcgFeatures, lead: str, *, milliseconds: float, millivolts: float) -> Waves | None:
    """A lead's waves over the factors that its limits are multiplied by; None for a missing lead."""
    row = LEADS.index(lead)
    values = (
        features.q_ms[row] / milliseconds,
        features.q_mv[row] / millivolts,
        features.r_ms[row] / milliseconds,
        features.r_mv[row] / millivolts,
        features.s_mv[row] / millivolts,
    )
    return Waves(*(float(value) for value in values)) if np.all(np.isfinite(values)) else None
