"""What a reader measures on the median beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, EcgFeatures
from ScarSegECGLib.ecg.conduction import classify_conduction
from ScarSegECGLib.ecg.delineation import Delineation
from ScarSegECGLib.ecg.waves import MS_PER_SAMPLE, ONSET, q_r_s, qrs_waves

PLAUSIBLE_QRS_MS = (40.0, 260.0)


def frontal_axis(millivolts: NDArray, lead_mask: NDArray[np.bool_], onset: int, offset: int) -> float | None:
    """Mean frontal QRS axis, degrees in (-180, 180], from the net QRS areas of I and aVF; None where one is missing.

    aVF is taken 2/sqrt(3) times, as augmented leads are shorter than bipolar ones.
    """
    one, foot = LEADS.index("I"), LEADS.index("aVF")
    if not (lead_mask[one] and lead_mask[foot]):
        return None
    area = millivolts[[one, foot], onset : offset + 1].sum(axis=1, dtype=np.float64)
    if np.hypot(*area) < 1e-6:
        return None
    return float(np.degrees(np.arctan2(area[1] * 2 / np.sqrt(3), area[0])))


def measure_features(
    millivolts: NDArray,
    lead_mask: NDArray[np.bool_],
    *,
    marks: Delineation,
    rr_s: float | None,
    spiked: float = 0.0,
    device_ms: Mapping[str, float] | None = None,
    stated_paced: bool = False,
    female: bool | None = None,
    irregular: bool = False,
) -> EcgFeatures:
    """Measure the median beat; the device's own measurements win where the file stores them.

    Parameters
    ----------
    millivolts : array, shape (12, 300)
        The median beat, 500 Hz, QRS onset at sample 100.
    lead_mask : bool array, shape (12,)
    marks : Delineation
        On the representative beat; only differences are used.
    rr_s : float or None
        Median distance between beats, s.
    spiked : float
        Share of beats with a pacemaker spike at the QRS onset.
    device_ms : mapping
        As in :class:`ScarSegECGLib.case.Ecg`.
    stated_paced : bool
        Whether the file states a paced rhythm.
    female : bool, optional
    irregular : bool
        Whether the beats' distances vary as in atrial fibrillation.

    Returns
    -------
    EcgFeatures
        QTc after Bazett where it is computed here.
    """
    offset = ONSET + marks.qrs_offset - marks.qrs_onset
    width = (marks.qrs_offset - marks.qrs_onset) * MS_PER_SAMPLE
    values: dict[str, float | None] = {
        "qrs": width if PLAUSIBLE_QRS_MS[0] <= width <= PLAUSIBLE_QRS_MS[1] else None,
        "pr": None if marks.p_onset is None else (marks.qrs_onset - marks.p_onset) * MS_PER_SAMPLE,
        "qt": None if marks.t_end is None else (marks.t_end - marks.qrs_onset) * MS_PER_SAMPLE,
        "axis": frontal_axis(millivolts, lead_mask, ONSET, offset),
    }
    device = {name: float(value) for name, value in (device_ms or {}).items() if np.isfinite(value)}
    values |= {name: device[name] for name in ("qrs", "pr", "qt", "axis") if name in device}
    qt = values["qt"]
    values["qtc"] = device.get("qtc", None if qt is None or not rr_s else qt / np.sqrt(rr_s))
    table = np.full((6, len(LEADS)), np.nan, dtype=np.float32)
    waves = {}
    for row in np.flatnonzero(lead_mask):
        waves[LEADS[row]] = qrs_waves(millivolts[row], ONSET, offset)
        for k, wave in enumerate(q_r_s(waves[LEADS[row]])):
            table[2 * k, row] = 0.0 if wave is None else wave.duration_ms
            table[2 * k + 1, row] = 0.0 if wave is None else abs(wave.peak_mv)
    conduction = classify_conduction(
        millivolts,
        lead_mask,
        waves=waves,
        qrs_ms=values["qrs"],
        offset=offset,
        axis_deg=values["axis"],
        pr_ms=values["pr"],
        rate_bpm=60.0 / rr_s if rr_s else None,
        spiked=spiked,
        stated_paced=stated_paced,
        female=female,
    )
    return EcgFeatures(
        rate_bpm=60.0 / rr_s if rr_s else None,
        qrs_ms=values["qrs"],
        pr_ms=values["pr"],
        qt_ms=qt,
        qtc_ms=values["qtc"],
        axis_deg=values["axis"],
        conduction=conduction,
        q_ms=table[0],
        q_mv=table[1],
        r_ms=table[2],
        r_mv=table[3],
        s_ms=table[4],
        s_mv=table[5],
        from_device=tuple(name for name in ("qrs", "pr", "qt", "qtc", "axis") if name in device),
        irregular=irregular,
    )
