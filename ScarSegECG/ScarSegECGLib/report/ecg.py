"""An ECG in lines of text: what was understood of its file, what was measured in it, what that says."""

from __future__ import annotations

import numpy as np

from ScarSegECGLib.case import LEADS, Ecg, EcgFeatures, EcgFindings
from ScarSegECGLib.ecg.conduction import BLOCK_MS
from ScarSegECGLib.ecg.delineation import P_SEARCH_S
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGLib.wording import all_words, words

SLOW_BPM, FAST_BPM = 60.0, 100.0  # where Bazett holds
_NAMES = {"rate": "rate", "qrs": "QRS", "axis": "axis", "pr": "PR", "qt": "QT", "qtc": "QTc"}
_UNITS = {"rate": "/min", "axis": "degrees"}  # the others are in ms
# "normal" alone would be read as a normal ECG.
_CLASSES = {
    Conduction.NORMAL: "no complete block, LAFB, pacing or LVH voltage found (rhythm, ST-T, lesser block not judged)",
    Conduction.RBBB: "RBBB",
    Conduction.LBBB: "LBBB (strict criteria: 140 ms in men, 130 ms in women, with notches)",
    Conduction.LBBB_USUAL: "LBBB by the usual criteria (QRS 120 ms, QS or rS in V1, broad R in I, V6), not strict ones",
    Conduction.LAFB: "LAFB",
    Conduction.LVH: "LVH voltage criteria (they do not hold under 35 years)",
    Conduction.PACED: "paced",
    Conduction.PACED_SUSPECTED: "paced rhythm suspected (no spikes seen)",
    Conduction.PREEXCITED_SUSPECTED: "pre-excitation suspected (short PR, slurred onset of the QRS)",
    Conduction.TACHYCARDIA: "tachycardia with a wide QRS or a superior axis: may be ventricular",
    Conduction.UNKNOWN: "unknown: QRS not measured, or 120 ms and more without a known pattern",
}


def file_lines(ecg: Ecg) -> list[str]:
    """What was understood of the file, for the reader to confirm before it is used."""
    there = [name for name, ok in zip(LEADS, ecg.lead_mask, strict=True) if ok]
    missing = ", ".join(name for name in LEADS if name not in there)
    stored = ecg.device_ms.items()
    device = ", ".join(f"{_NAMES[key]} {value:.0f} {_UNITS.get(key, 'ms')}" for key, value in stored)
    return [
        f"format    {ecg.format}",
        f"leads     {len(there)} of 12 ({', '.join(there)}){f'; missing: {missing}' if missing else ''}",
        f"signal    {ecg.millivolts.shape[1] / ecg.rate:.1f} s at {ecg.rate:g} Hz",
        f"date      {date_line(ecg)}",
        f"device    {device or 'no measurements stored'}",
        *(f"note      {note}" for note in all_words(ecg.notes)),
    ]


def date_line(ecg: Ecg) -> str:
    """Whether the file stores when it was recorded, and whether that counts."""
    if ecg.acquired is None:
        return "none stored: the time gap to the MRI is unknown"
    doubt = "" if ecg.date_trusted else ", but removed, shifted or a placeholder: the time gap to the MRI is unknown"
    return f"{ecg.acquired:%Y-%m-%d %H:%M:%S}, as stored{doubt}"


def measured(features: EcgFeatures) -> dict[str, str]:
    """Rate, QRS, axis, PR, QT, QTc and conduction by name; each says whether it is the device's own.

    The axis is that of the QRS's area: the terminal forces of RBBB turn it to the right.
    QTc after Bazett misleads at high and low rates and with varying RR distances, and a wide QRS lengthens it
    (AHA/ACCF/HRS recommendations part IV, Circulation 2009; 119: e241, where the limits are from too).
    """

    def told(key: str, value: float | None, how: str = "", unknown: str = "not measurable") -> str:
        if value is None:
            return unknown
        source = "device" if key in features.from_device else how
        return f"{value:.0f} {_UNITS.get(key, 'ms')}{f' ({source})' if source else ''}"

    no_p = f"no P wave found within {1000 * P_SEARCH_S[-1]:.0f} ms before the QRS"
    return {
        "rate": told("rate", features.rate_bpm) + (", irregular" if features.irregular else ""),
        "QRS": told("qrs", features.qrs_ms),
        "axis": told("axis", features.axis_deg, "area"),
        "PR": told("pr", features.pr_ms, unknown=no_p),
        "QT": told("qt", features.qt_ms),
        "QTc": _qtc(features),
        "conduction": _CLASSES[features.conduction],
    }


def measurement_lines(features: EcgFeatures) -> list[str]:
    """What :func:`measured` says, a line each."""
    return [f"{name:<12}{text}" for name, text in measured(features).items()]


def _qtc(features: EcgFeatures) -> str:
    if features.qtc_ms is None:
        return "not measurable"
    said = f"{features.qtc_ms:.0f} ms (device, formula unknown)"
    if "qtc" not in features.from_device:
        said, rate = f"{features.qtc_ms:.0f} ms (Bazett)", features.rate_bpm
        if features.qt_ms is not None and rate is not None and not SLOW_BPM <= rate <= FAST_BPM:
            said += f", {features.qt_ms / np.cbrt(60 / rate):.0f} ms (Fridericia)"
    said += "; long from 450 (men), 460 (women)"
    if features.irregular:
        said += "; irregular rhythm: not reliable"
    if features.qrs_ms is not None and features.qrs_ms >= BLOCK_MS:
        said += "; not adjusted for the wide QRS"
    return said


def judged_lines(found: EcgFindings) -> list[str]:
    """Pathological Q waves and QRS score."""
    q_waves, score = words(found.q_waves_remark), words(found.score_remark)
    if found.q_waves is not None:
        q_waves = f"{', '.join(found.q_waves) or 'none'}{f' ({q_waves})' if q_waves else ''}"
    if found.score_points is not None:
        score = f"QRS score {found.score_points} of 32, about {found.score_percent_of_lv:.0f} % of the LV. {score}"
    return [f"pathological Q waves: {q_waves}", score.strip()]


def findings_lines(found: EcgFindings) -> list[str]:
    """All findings in a few lines, as they stand on the ECG's page."""
    said = measured(found.features)
    lines = [", ".join(f"{name} {said[name]}" for name in line.split()) for line in ("rate PR QRS axis", "QT QTc")]
    return [*lines, f"conduction: {said['conduction']}", *judged_lines(found)]
