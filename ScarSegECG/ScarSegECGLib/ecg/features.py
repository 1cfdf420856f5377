"""What a reader measures on the median beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, EcgFeatures
from ScarSegECGLib.ecg.conduction import Qrs, classify_conduction
from ScarSegECGLib.ecg.delineation import Delineation
from ScarSegECGLib.ecg.waves import MS_PER_SAMPLE, ONSET, q_r_s, qrs_waves

PLAUSIBLE_QRS_MS = (40.0, 260.0)


def frontal_axis(millivolts: NDArray, lead_mask: NDArray[np.bool_], onset: int, offset: int) -> float | None:
    """Mean frontal QRS axis, degrees in (-180, 180], from the net QRS areas of I and aVF; None where one is missing.

    aVF is taken 2/sqrt(3) times, as augmented leads are shorter than bipolar ones.
    """
    rows = [LEADS.index("I"), LEADS.index("aVF")]
    area = millivolts[rows, onset : offset + 1].sum(axis=1, dtype=np.float64)
    if not lead_mask[rows].all() or np.hypot(*area) < 1e-6:
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
    """Measure the median beat; the device's own measurements win where the file stores them; else QTc is Bazett's.

    ``millivolts`` (12, 300) is at 500 Hz with the QRS onset at sample 100, ``lead_mask`` (12,); of ``marks``, on the
    representative beat, only differences are used. The others are those of ``RepresentativeBeat`` and ``Ecg``.
    """
    width = (marks.qrs_offset - marks.qrs_onset) * MS_PER_SAMPLE
    offset = ONSET + marks.qrs_offset - marks.qrs_onset
    values: dict[str, float | None] = {
        "qrs": width if PLAUSIBLE_QRS_MS[0] <= width <= PLAUSIBLE_QRS_MS[1] else None,
        "pr": None if marks.p_onset is None else (marks.qrs_onset - marks.p_onset) * MS_PER_SAMPLE,
        "qt": None if marks.t_end is None else (marks.t_end - marks.qrs_onset) * MS_PER_SAMPLE,
        "axis": frontal_axis(millivolts, lead_mask, ONSET, offset),
    }
    device = {name: float(value) for name, value in (device_ms or {}).items() if np.isfinite(value)}
    values |= device
    qt = values["qt"]
    bazett = None if qt is None or not rr_s else qt / np.sqrt(rr_s)
    rate_bpm = 60.0 / rr_s if rr_s else None
    waves = {LEADS[row]: qrs_waves(millivolts[row], ONSET, offset) for row in np.flatnonzero(lead_mask)}
    table = np.full((6, len(LEADS)), np.nan, dtype=np.float32)
    for name, found in waves.items():
        peaks = [(0.0, 0.0) if wave is None else (wave.duration_ms, abs(wave.peak_mv)) for wave in q_r_s(found)]
        table[:, LEADS.index(name)] = np.ravel(peaks)
    qrs = Qrs(millivolts, lead_mask, waves, values["qrs"], offset, values["axis"], values["pr"], female)
    return EcgFeatures(
        rate_bpm,
        values["qrs"],
        values["pr"],
        qt,
        device.get("qtc", bazett),
        values["axis"],
        classify_conduction(qrs, rate_bpm=rate_bpm, spiked=spiked, stated_paced=stated_paced),
        *table,
        from_device=tuple(name for name in ("qrs", "pr", "qt", "qtc", "axis") if name in device),
        irregular=irregular,
    )
