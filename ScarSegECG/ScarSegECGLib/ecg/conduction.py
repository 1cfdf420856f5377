"""The class of ventricular conduction, by published criteria.

Sources. LBBB: Strauss, Selvester, Wagner, Am J Cardiol 2011; 107: 927. RBBB and LAFB: Surawicz et al., AHA/ACCF/HRS
recommendations part III, Circulation 2009; 119: e235. LVH: Sokolow and Lyon, Am Heart J 1949; 37: 161, and Casale et
al. (Cornell), J Am Coll Cardiol 1985; 6: 572. "Notched or slurred" has no figures in its source; what is taken for it
here is stated at :func:`broad_or_notched`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, Conduction
from ScarSegECGLib.ecg.waves import MS_PER_SAMPLE, ONSET, Wave, q_r_s

Waves = Mapping[str, Sequence[Wave]]

WORDS: dict[Conduction, str] = {
    "normal": "no block, pacing or LVH voltage found (rhythm, ST-T, Q waves not judged)",
    "rbbb": "RBBB",
    "lbbb": "LBBB",
    "lafb": "LAFB",
    "lvh": "LVH voltage criteria (they do not hold under 35 years)",
    "paced": "paced",
    "unknown": "unknown: QRS not measured, or 120 ms and more without a known pattern",
}
"""Each class in words for people; "normal" would be read as a normal ECG."""

SPIKED_BEATS = 0.5
LBBB_MS_MEN, LBBB_MS_WOMEN = 140.0, 130.0
BLOCK_MS = 120.0


def classify_conduction(
    millivolts: NDArray,
    lead_mask: NDArray[np.bool_],
    *,
    waves: Waves,
    qrs_ms: float | None,
    offset: int,
    axis_deg: float | None,
    spiked: float = 0.0,
    stated_paced: bool = False,
    female: bool | None = None,
) -> Conduction:
    """Paced, LBBB, RBBB, LAFB, LVH, normal or unknown, in this order of precedence.

    Parameters
    ----------
    millivolts : array, shape (12, samples)
        Median beat at 500 Hz, QRS onset at sample 100.
    lead_mask : bool array, shape (12,)
    waves : mapping
        Lead name to its QRS waves.
    qrs_ms, axis_deg : float or None
    offset : int
        Last sample of the QRS.
    spiked : float
        Share of beats with a pacemaker spike at the QRS onset.
    stated_paced : bool
    female : bool, optional
        Where it is not known, the LBBB limit is the lower one (women's, so that LBBB is not missed) and the Cornell
        limit the higher one (men's).

    Returns
    -------
    str
        "unknown" where the QRS is 120 ms or more without either block's pattern, or could not be measured.
    """
    if spiked >= SPIKED_BEATS or stated_paced:
        return Conduction.PACED
    if qrs_ms is None:
        return Conduction.UNKNOWN
    if is_lbbb(millivolts, lead_mask, waves, qrs_ms, offset, female=female):
        return Conduction.LBBB
    if is_rbbb(waves, qrs_ms, offset):
        return "rbbb"
    if qrs_ms < BLOCK_MS and is_lafb(waves, axis_deg):
        return "lafb"
    if qrs_ms >= BLOCK_MS:
        return Conduction.UNKNOWN
    return Conduction.LVH if is_lvh(waves, female=female) else Conduction.NORMAL


def is_lbbb(
    millivolts: NDArray,
    lead_mask: NDArray[np.bool_],
    waves: Waves,
    qrs_ms: float,
    offset: int,
    *,
    female: bool | None = None,
) -> bool:
    """Strauss: QRS of 140 ms (men) or 130 ms (women), QS or rS in V1, notching or slurring in two of six leads."""
    if qrs_ms < (LBBB_MS_MEN if female is False else LBBB_MS_WOMEN) or "V1" not in waves:
        return False
    q, r, s = q_r_s(waves["V1"])
    small_r = r is None or (s is not None and r.peak_mv <= 0.5 * abs(s.peak_mv))
    negative = r is None and q is not None or (small_r and s is not None and not _ends_positive(waves["V1"], offset))
    if not negative:
        return False
    signs = {"I": 1, "aVL": 1, "V5": 1, "V6": 1, "V1": -1, "V2": -1}
    rows = {name: LEADS.index(name) for name in signs}
    return (
        sum(
            broad_or_notched(sign * millivolts[rows[name]], offset)
            for name, sign in signs.items()
            if lead_mask[rows[name]]
        )
        >= 2
    )


def broad_or_notched(lead: NDArray, offset: int) -> bool:
    """Whether the main positive deflection of a QRS is notched or slurred in its middle.

    Notched: between its first and its last peak it dips by 5 % of its height or more, each peak being at least half
    as high as the highest and later than 40 ms after the QRS onset or the dip being so. Slurred: it stays above 70 %
    of its height for 40 ms or more, where a triangle as wide as a normal QRS stays some 30 ms.

    Parameters
    ----------
    lead : array, shape (samples,)
        Turned so that the main deflection is positive.
    offset : int
    """
    piece = np.asarray(lead[ONSET : offset + 1], dtype=np.float64)
    height = float(piece.max(initial=0.0))
    if height < 0.1 or height < -float(piece.min()):
        return False
    if np.count_nonzero(piece >= 0.7 * height) * MS_PER_SAMPLE >= 40:
        return True
    inner = np.arange(1, piece.size - 1)
    peaks = inner[(piece[1:-1] >= piece[:-2]) & (piece[1:-1] > piece[2:]) & (piece[1:-1] >= 0.5 * height)]
    if len(peaks) < 2:
        return False
    dip = int(peaks[0]) + int(np.argmin(piece[peaks[0] : peaks[-1] + 1]))
    shoulders = min(piece[peaks[0]], piece[peaks[-1]])
    return bool(shoulders - piece[dip] >= 0.05 * height and dip * MS_PER_SAMPLE >= 40)


def is_rbbb(waves: Waves, qrs_ms: float, offset: int) -> bool:
    """Complete RBBB: 120 ms, V1 or V2 ends in an R, and I and V6 have an S over 40 ms or wider than their R.

    Of I and V6 those that were recorded have to, one at least.
    """
    if qrs_ms < BLOCK_MS:
        return False
    terminal_r = any(_ends_positive(waves[name], offset) for name in ("V1", "V2") if name in waves)
    lateral = [_wide_s(waves[name]) for name in ("I", "V6") if name in waves]
    return terminal_r and bool(lateral) and all(lateral)


def _ends_positive(lead: Sequence[Wave], offset: int) -> bool:
    """Whether the last wave of 0.1 mV or more is an R whose peak lies in the second half of the QRS."""
    large = [wave for wave in lead if abs(wave.peak_mv) >= 0.1]
    return bool(large) and large[-1].peak_mv > 0 and large[-1].at - ONSET >= 0.5 * (offset - ONSET)


def _wide_s(lead: Sequence[Wave]) -> bool:
    _, r, s = q_r_s(lead)
    return s is not None and (s.duration_ms > 40 or (r is not None and s.duration_ms > r.duration_ms))


def is_lafb(waves: Waves, axis_deg: float | None) -> bool:
    """Axis from -90 to -45 degrees, qR in aVL with 45 ms or more to the R peak; for a QRS under 120 ms only."""
    if axis_deg is None or not -90 <= axis_deg <= -45 or "aVL" not in waves:
        return False
    q, r, s = q_r_s(waves["aVL"])
    if q is None or r is None or (s is not None and -s.peak_mv > 0.1 * r.peak_mv):
        return False
    return (r.at - ONSET) * MS_PER_SAMPLE >= 45


def is_lvh(waves: Waves, *, female: bool | None = None) -> bool:
    """Sokolow-Lyon (S in V1 + R in V5 or V6 >= 3.5 mV) or Cornell (R in aVL + S in V3 > 2.8 mV, women 2.0 mV)."""
    sokolow = _depth(waves, "V1") + max(_height(waves, "V5"), _height(waves, "V6"))
    cornell = _height(waves, "aVL") + _depth(waves, "V3")
    return sokolow >= 3.5 or cornell > (2.0 if female else 2.8)


def _height(waves: Waves, name: str) -> float:
    return max((wave.peak_mv for wave in waves.get(name, ())), default=0.0)


def _depth(waves: Waves, name: str) -> float:
    return -min((wave.peak_mv for wave in waves.get(name, ())), default=0.0)
