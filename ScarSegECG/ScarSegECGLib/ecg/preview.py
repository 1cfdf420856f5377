"""What was understood of an ECG file, for the reader to confirm before it is used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ScarSegECGLib.case import LEADS, Ecg, EcgFeatures
from ScarSegECGLib.ecg.conduction import BLOCK_MS, WORDS
from ScarSegECGLib.ecg.delineation import P_SEARCH_S

SLOW_BPM, FAST_BPM = 60.0, 100.0  # where Bazett holds

_UNITS = {"qrs": "ms", "pr": "ms", "qt": "ms", "qtc": "ms", "axis": "degrees"}
_NAMES = {"qrs": "QRS", "pr": "PR", "qt": "QT", "qtc": "QTc", "axis": "axis"}


@dataclass(frozen=True)
class EcgPreview:
    """The facts of one ECG file; no patient data.

    Attributes
    ----------
    format : str
        The format's usual name.
    leads, missing : tuple of str
        Those that can be used (recorded or derived; the notes say which were derived), and those that cannot.
    rate : float
        Samples per second.
    seconds : float
    date : str
        The stored date and time and whether it counts, or that there is none.
    device : dict
        The device's own measurements, as in :class:`ScarSegECGLib.case.Ecg`.
    notes : tuple of str
        What was assumed or noticed.
    """

    format: str
    leads: tuple[str, ...]
    missing: tuple[str, ...]
    rate: float
    seconds: float
    date: str
    device: dict[str, float]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """The preview as lines of text."""
        missing = f"; missing: {', '.join(self.missing)}" if self.missing else ""
        device = ", ".join(f"{_NAMES[name]} {value:.0f} {_UNITS[name]}" for name, value in self.device.items())
        return [
            f"format    {self.format}",
            f"leads     {len(self.leads)} of 12 ({', '.join(self.leads)}){missing}",
            f"signal    {self.seconds:.1f} s at {self.rate:g} Hz",
            f"date      {self.date}",
            f"device    {device or 'no measurements stored'}",
            *(f"note      {note}" for note in self.notes),
        ]


def preview(ecg: Ecg, format_name: str, *, anonymous: bool = False) -> EcgPreview:
    """What was understood.

    Parameters
    ----------
    ecg : Ecg
    format_name : str
        As :func:`ScarSegECGLib.ecg.read.read_ecg_and_format` says it.
    anonymous : bool
        Say whether there is a date, but not which.
    """
    return EcgPreview(
        format=format_name,
        leads=tuple(name for name, ok in zip(LEADS, ecg.lead_mask, strict=True) if ok),
        missing=tuple(name for name, ok in zip(LEADS, ecg.lead_mask, strict=True) if not ok),
        rate=ecg.rate,
        seconds=ecg.millivolts.shape[1] / ecg.rate,
        date=date_state(ecg, anonymous=anonymous),
        device=dict(ecg.device_ms),
        notes=ecg.notes,
    )


def date_state(ecg: Ecg, *, anonymous: bool = False) -> str:
    """Whether the file stores when it was recorded, and whether that counts, in words."""
    if ecg.acquired is None:
        return "none stored: the time gap to the MRI is unknown"
    shown = "stored" if anonymous else f"{ecg.acquired:%Y-%m-%d %H:%M:%S}, as stored"
    if ecg.date_trusted:
        return shown
    return f"{shown}, but removed, shifted or a placeholder: the time gap to the MRI is unknown"


def measurement_lines(features: EcgFeatures) -> list[str]:
    """Rate, QRS, axis, PR, QT, QTc and conduction as lines of text; each says whether it is the device's own.

    The axis is that of the QRS's area: the terminal forces of RBBB turn it to the right.
    QTc after Bazett misleads at high and low rates and with varying RR distances, and a wide QRS lengthens it
    (AHA/ACCF/HRS recommendations part IV, Circulation 2009; 119: e241, where the limits are from too).
    """

    def line(name: str, key: str, value: float | None, unit: str, how: str = "") -> str:
        if value is None:
            return f"{name:<12}not measurable"
        source = "device" if key in features.from_device else how
        return f"{name:<12}{value:.0f} {unit}{f' ({source})' if source else ''}"

    rate = line("rate", "rate", features.rate_bpm, "/min") + (", irregular" if features.irregular else "")
    pr = line("PR", "pr", features.pr_ms, "ms")
    if features.pr_ms is None:
        pr = f"{'PR':<12}no P wave found within {1000 * P_SEARCH_S[-1]:.0f} ms before the QRS"
    return [
        rate,
        line("QRS", "qrs", features.qrs_ms, "ms"),
        line("axis", "axis", features.axis_deg, "degrees", "area"),
        pr,
        line("QT", "qt", features.qt_ms, "ms"),
        f"{'QTc':<12}{_qtc(features)}",
        f"{'conduction':<12}{WORDS[features.conduction]}",
    ]


def _qtc(features: EcgFeatures) -> str:
    if features.qtc_ms is None:
        return "not measurable"
    if "qtc" in features.from_device:
        said = f"{features.qtc_ms:.0f} ms (device, formula unknown)"
    else:
        said = f"{features.qtc_ms:.0f} ms (Bazett)"
        rate = features.rate_bpm
        if features.qt_ms is not None and rate is not None and not SLOW_BPM <= rate <= FAST_BPM:
            said += f", {features.qt_ms / np.cbrt(60 / rate):.0f} ms (Fridericia)"
    said += "; long from 450 (men), 460 (women)"
    if features.irregular:
        said += "; irregular rhythm: not reliable"
    if features.qrs_ms is not None and features.qrs_ms >= BLOCK_MS:
        said += "; not adjusted for the wide QRS"
    return said
