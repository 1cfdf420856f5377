"""The deflections of a QRS, and the class of ventricular conduction by published criteria.

Sources. LBBB: Strauss, Selvester, Wagner, Am J Cardiol 2011; 107: 927. RBBB and LAFB: Surawicz et al., AHA/ACCF/HRS
recommendations part III, Circulation 2009; 119: e235. LVH: Sokolow and Lyon, Am Heart J 1949; 37: 161, and Casale et
al. (Cornell), J Am Coll Cardiol 1985; 6: 572. "Notched or slurred" has no figures there: see :func:`broad_or_notched`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.delineation import MS_PER_SAMPLE, ONSET, RATE, spatial_velocity
from ScarSegECGLib.facts_ecg import Conduction

# A deflection counts as a wave from 20 uV and 6 ms on (Common Standards for Electrocardiography, Eur Heart J 1985;
# 6: 815), and only where it is not noise on the scale of the lead's own QRS.
LEAST_WAVE_MV, LEAST_WAVE_MS, LEAST_WAVE_SHARE = 0.02, 6.0, 0.02
SPIKED_BEATS = 0.5
LBBB_MS_MEN, LBBB_MS_WOMEN = 140.0, 130.0
BLOCK_MS, BROAD_R_MS = 120.0, 80.0
SEEN_MV = 0.05  # half a millimetre on paper: less is no Q wave to a reader
TACHYCARDIA_BPM, SUPERIOR_DEG = 120.0, -45.0
PREEXCITED_PR_MS, PREEXCITED_QRS_MS, LONGEST_DELTA_PR_MS = 120.0, 110.0, 130.0
DELTA_MS, SURE_DELTA_MS = 36.0, 44.0
_BLOCKS = (Conduction.LBBB, Conduction.LBBB_USUAL, Conduction.RBBB, Conduction.LAFB)
SILENT = frozenset(Conduction) - {Conduction.NORMAL, Conduction.RBBB, Conduction.LAFB, Conduction.LVH}
"""Classes in which an ECG shows no infarct by its Q waves."""


@dataclass(frozen=True)
class Wave:
    """One deflection of a QRS: its peak with sign (mV), its duration (ms) and its peak's sample in the beat."""

    peak_mv: float
    duration_ms: float
    at: int


ABSENT = Wave(0.0, 0.0, 0)


def qrs_waves(lead: NDArray, onset: int, offset: int) -> tuple[Wave, ...]:
    """The deflections of one lead (mV at 500 Hz, isoelectric line at 0) from QRS onset to offset, in order of time.

    A wave lasts from one crossing of the isoelectric line to the next; crossings are interpolated between samples.
    """
    piece = np.asarray(lead[onset : offset + 1], dtype=np.float64)
    positive = piece > 0
    turns = np.flatnonzero(positive[1:] != positive[:-1])
    crossings = turns + piece[turns] / (piece[turns] - piece[turns + 1])
    edges = np.concatenate([[0.0], crossings, [piece.size - 1.0]])
    durations = np.diff(edges) * MS_PER_SAMPLE
    bounds = [0, *(turns + 1).tolist(), piece.size]
    least = max(LEAST_WAVE_MV, LEAST_WAVE_SHARE * float(np.ptp(piece)))
    waves = []
    for start, stop, duration in zip(bounds, bounds[1:], durations.tolist(), strict=False):
        top = start + int(np.argmax(np.abs(piece[start:stop])))
        if abs(piece[top]) >= least and duration >= LEAST_WAVE_MS:
            waves.append(Wave(float(piece[top]), duration, onset + top))
    return tuple(waves)


def q_r_s(waves: Sequence[Wave]) -> tuple[Wave, Wave, Wave]:
    """Q, R and S of one lead, each of no height and duration where it is absent.

    Q is a negative wave before any positive one (a QS complex is a Q without R), R the highest positive wave, S the
    deepest negative wave after the first positive one.
    """
    first = next((k for k, wave in enumerate(waves) if wave.peak_mv > 0), len(waves))
    q = min((ABSENT, *waves[:first]), key=lambda wave: wave.peak_mv)
    r = max((ABSENT, *waves[first:]), key=lambda wave: wave.peak_mv)
    s = min((ABSENT, *waves[first:]), key=lambda wave: wave.peak_mv)
    return q, r, s


@dataclass(frozen=True)
class Qrs:
    """A QRS as the criteria read it.

    ``millivolts`` is the median beat (12, 300) at 500 Hz, ``lead_mask`` (12,); ``waves`` are those of each recorded
    lead by its name, ``ms`` the duration (NaN: not measured), ``offset`` the last sample. Where ``female`` is not
    known, the LBBB limit is the lower one (women's, so that LBBB is not missed) and the Cornell limit the higher one.
    """

    millivolts: NDArray
    lead_mask: NDArray[np.bool_]
    waves: Mapping[str, Sequence[Wave]]
    ms: float
    offset: int
    axis_deg: float | None
    pr_ms: float | None = None
    female: bool | None = None

    def is_wide(self) -> bool:
        """Whether it is a block's, 120 ms or more."""
        return self.ms >= BLOCK_MS

    def q_r_s(self, *names: str) -> list[tuple[Wave, Wave, Wave]]:
        """Q, R and S of those of these leads that were recorded."""
        return [q_r_s(self.waves[name]) for name in names if name in self.waves]

    def height(self, name: str) -> float:
        """The highest wave of a lead, mV; 0 where it has none or is missing."""
        return max((wave.peak_mv for wave in self.waves.get(name, ())), default=0.0)

    def depth(self, name: str) -> float:
        """The deepest wave of a lead, as a positive mV; 0 where all rise or it is missing."""
        return -min((*(wave.peak_mv for wave in self.waves.get(name, ())), 0.0))


def classify_conduction(
    qrs: Qrs, *, rate_bpm: float | None = None, spiked: float = 0.0, stated_paced: bool = False
) -> Conduction:
    """The class: paced, tachycardia, or the first whose criteria the QRS's form meets.

    ``spiked`` is the share of beats with a pacemaker spike at the QRS onset. From 120 beats a minute on a wide QRS or
    one whose axis points up is a tachycardia that may be ventricular, unless a P wave precedes a known block. UNKNOWN
    where the QRS is 120 ms or more without any of the patterns, or could not be measured.
    """
    if spiked >= SPIKED_BEATS or stated_paced:
        return Conduction.PACED
    if np.isnan(qrs.ms):
        return Conduction.UNKNOWN
    tests = {
        Conduction.PREEXCITED_SUSPECTED: is_preexcited,
        Conduction.PACED_SUSPECTED: looks_paced,
        Conduction.LBBB: is_lbbb,
        Conduction.LBBB_USUAL: is_usual_lbbb,
        Conduction.RBBB: is_rbbb,
        Conduction.UNKNOWN: Qrs.is_wide,
        Conduction.LAFB: is_lafb,
        Conduction.LVH: is_lvh,
    }
    found = next((kind for kind, fits in tests.items() if fits(qrs)), Conduction.NORMAL)
    fast = rate_bpm is not None and rate_bpm >= TACHYCARDIA_BPM
    superior = qrs.axis_deg is not None and qrs.axis_deg <= SUPERIOR_DEG
    if fast and (qrs.is_wide() or superior) and not (qrs.pr_ms is not None and found in _BLOCKS):
        return Conduction.TACHYCARDIA
    return found


def is_preexcited(qrs: Qrs) -> bool:
    """Whether a short PR is followed by a wide QRS, or by one that begins slowly, as a delta wave does.

    PR under 120 ms with a QRS of 110 ms (AHA/ACCF/HRS recommendations part III), or with an onset that takes 36 ms to
    half of the greatest spatial velocity in the QRS's first half; a PR up to 130 ms where all of that holds, the onset
    taking 44 ms. The limits are this project's own: in 9 of 10 real ECGs, none pre-excited, it takes 30 ms or less.
    """
    if qrs.pr_ms is None or qrs.pr_ms > LONGEST_DELTA_PR_MS:
        return False
    if short_and_wide(qrs.pr_ms, qrs.ms):
        return True
    velocity = spatial_velocity(np.asarray(qrs.millivolts, dtype=np.float64)[qrs.lead_mask], RATE)
    first = velocity[ONSET : ONSET + int(qrs.ms / MS_PER_SAMPLE / 2) + 1]
    onset_ms = float(np.argmax(first >= 0.5 * first.max())) * MS_PER_SAMPLE
    if qrs.pr_ms < PREEXCITED_PR_MS:
        return onset_ms >= DELTA_MS
    return qrs.ms >= PREEXCITED_QRS_MS and onset_ms >= SURE_DELTA_MS


def short_and_wide(pr_ms: float | None, qrs_ms: float | None) -> bool:
    """Whether a wide QRS follows a short PR: the figures alone, of a device's measurements too."""
    return pr_ms is not None and qrs_ms is not None and pr_ms < PREEXCITED_PR_MS and qrs_ms >= PREEXCITED_QRS_MS


def looks_paced(qrs: Qrs) -> bool:
    """Whether a wide QRS looks stimulated, though no spike is seen (recorders filter them).

    From the right ventricle's apex: QS or rS in V1, an axis from -30 to -120 degrees, and no R in V6 (else V5) that is
    higher than its S. From both ventricles: Q or QS in I, an R in V1 (not RBBB's rSR'), axis -90 or less, or over 150.
    """
    if not qrs.is_wide() or qrs.axis_deg is None:
        return False
    if _is_negative_in_v1(qrs):
        lateral = qrs.q_r_s("V6", "V5")[:1]
        return -120 <= qrs.axis_deg <= -30 and bool(lateral) and not _mostly_positive(*lateral[0])
    upper_right = qrs.axis_deg <= -90 or qrs.axis_deg >= 150
    r_in_v1 = any(_mostly_positive(*waves) for waves in qrs.q_r_s("V1"))
    rsr = is_rbbb(qrs) and [wave.peak_mv > 0 for wave in qrs.waves.get("V1", ())] == [True, False, True]
    return upper_right and r_in_v1 and not rsr and any(q.peak_mv < 0 for q, _, _ in qrs.q_r_s("I"))


def is_usual_lbbb(qrs: Qrs) -> bool:
    """LBBB as it is usually named, of a QRS of 120 ms or more: QS or rS in V1, a broad R without q in I and V6.

    Broad is an R of 80 ms or more that is higher than the S; a q counts from 0.05 mV on. Of I and V6 those that were
    recorded have to, one at least (AHA/ACCF/HRS part III, less notch and peak time, which a recorder's filter smooths).
    """
    lateral = qrs.q_r_s("I", "V6")
    no_q = all(-q.peak_mv < SEEN_MV for q, _, _ in lateral)
    broad_r = all(r.duration_ms >= BROAD_R_MS and _mostly_positive(q, r, s) for q, r, s in lateral)
    return qrs.is_wide() and _is_negative_in_v1(qrs) and bool(lateral) and no_q and broad_r


def is_lbbb(qrs: Qrs) -> bool:
    """Strauss: QRS of 140 ms (men) or 130 ms (women), QS or rS in V1, notching or slurring in two of six leads."""
    if qrs.ms < (LBBB_MS_MEN if qrs.female is False else LBBB_MS_WOMEN) or not _is_negative_in_v1(qrs):
        return False
    signs = {"I": 1, "aVL": 1, "V5": 1, "V6": 1, "V1": -1, "V2": -1}
    upright = (sign * qrs.millivolts[LEADS.index(name)] for name, sign in signs.items())
    return sum(broad_or_notched(lead, qrs.offset) for lead in upright) >= 2


def _is_negative_in_v1(qrs: Qrs) -> bool:
    """QS, or rS whose R is at most half its S, and no R at the end; not so where the lead is missing."""
    lead = qrs.waves.get("V1", ())
    q, r, s = q_r_s(lead)
    if r is ABSENT:
        return q is not ABSENT
    return r.peak_mv <= -0.5 * s.peak_mv and not _ends_positive(lead, qrs.offset)


def _mostly_positive(q: Wave, r: Wave, s: Wave) -> bool:
    return r.peak_mv > max(-q.peak_mv, -s.peak_mv)


def broad_or_notched(lead: NDArray, offset: int) -> bool:
    """Whether the main positive deflection of a QRS is notched or slurred in its middle; ``lead`` is turned to have it.

    Notched: between its first and its last peak it dips by 5 % of its height or more, each peak being at least half
    as high as the highest and later than 40 ms after the QRS onset or the dip being so. Slurred: it stays above 70 %
    of its height for 40 ms or more, where a triangle as wide as a normal QRS stays some 30 ms.
    """
    piece = np.asarray(lead[ONSET : offset + 1], dtype=np.float64)
    height = float(piece.max(initial=0.0))
    if height < 0.1 or height < -float(piece.min()):
        return False
    if np.count_nonzero(piece >= 0.7 * height) * MS_PER_SAMPLE >= 40:
        return True
    peaks, _ = find_peaks(piece, height=0.5 * height)
    if len(peaks) < 2:
        return False
    dip = int(peaks[0]) + int(np.argmin(piece[peaks[0] : peaks[-1] + 1]))
    shoulders = min(piece[peaks[0]], piece[peaks[-1]])
    return bool(shoulders - piece[dip] >= 0.05 * height and dip * MS_PER_SAMPLE >= 40)


def is_rbbb(qrs: Qrs) -> bool:
    """Complete RBBB: 120 ms, V1 or V2 ends in an R, and I and V6 have an S over 40 ms or wider than their R.

    Of I and V6 those that were recorded have to, one at least.
    """
    terminal_r = any(_ends_positive(qrs.waves.get(name, ()), qrs.offset) for name in ("V1", "V2"))
    wide_s = [s.duration_ms > min(40, r.duration_ms) for _, r, s in qrs.q_r_s("I", "V6")]
    return qrs.is_wide() and terminal_r and bool(wide_s) and all(wide_s)


def _ends_positive(lead: Sequence[Wave], offset: int) -> bool:
    """Whether the last wave of 0.1 mV or more is an R whose peak lies in the second half of the QRS."""
    large = [wave for wave in lead if abs(wave.peak_mv) >= 0.1]
    return bool(large) and large[-1].peak_mv > 0 and large[-1].at - ONSET >= 0.5 * (offset - ONSET)


def is_lafb(qrs: Qrs) -> bool:
    """Axis from -90 to -45 degrees, qR in aVL with 45 ms or more to the R peak; for a QRS under 120 ms only."""
    left = qrs.axis_deg is not None and -90 <= qrs.axis_deg <= -45
    q, r, s = q_r_s(qrs.waves.get("aVL", ()))
    q_and_r = q is not ABSENT and r is not ABSENT and -s.peak_mv <= 0.1 * r.peak_mv
    return left and q_and_r and (r.at - ONSET) * MS_PER_SAMPLE >= 45


def is_lvh(qrs: Qrs) -> bool:
    """Sokolow-Lyon (S in V1 + R in V5 or V6 >= 3.5 mV) or Cornell (R in aVL + S in V3 > 2.8 mV, women 2.0 mV)."""
    sokolow = qrs.depth("V1") + max(qrs.height("V5"), qrs.height("V6"))
    return sokolow >= 3.5 or qrs.height("aVL") + qrs.depth("V3") > (2.0 if qrs.female else 2.8)
