"""What a file-format reader hands over, before leads are ordered and gates applied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Subject
from ScarSegECGLib.errors import InputError

# The note that says that the file itself states ventricular pacing; the conduction class follows it.
PACED_STATEMENT = "The file states a paced rhythm."
LONGEST_S = 60.0
MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
# What a heart can have: devices write 0 or 29999 for "not measured".
MEASURE_RANGES = {"qrs": (40, 300), "pr": (50, 600), "qt": (150, 900), "qtc": (150, 900), "axis": (-180, 360)}
# Days that stand for "no date": EDF's for anonymous files, zero of clocks and of data bases.
_PLACEHOLDERS = {date(1900, 1, 1), date(1970, 1, 1), date(1980, 1, 1), date(1985, 1, 1), date(9999, 12, 31)}
_PACED = re.compile(
    r"(?<!no )(?<!atrial[ -])(?<!atrial )\b(ventricular[ -]pac|paced rhythm|pacemaker rhythm)", re.IGNORECASE
)


@dataclass(frozen=True)
class Recording:
    """One rhythm recording as its file has it.

    ``signals`` maps the file's own lead label to float64 mV, shape (samples,); ``rate`` is in samples per second;
    ``format`` is the format's usual name. The other fields are those of :class:`ScarSegECGLib.case.Ecg`.
    """

    signals: dict[str, NDArray[np.float64]]
    rate: float
    acquired: datetime | None = None
    date_trusted: bool = True
    device_ms: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    format: str = ""
    subject: Subject = Subject()


def require_size(path: Path, largest: int, kind: str) -> None:
    """Raise InputError for a file of more than ``largest`` bytes, which a resting ECG of that kind never has."""
    if path.stat().st_size > largest:
        raise InputError(
            f"The ECG file is too large for {kind} of a resting ECG (over {largest / 1e6:.0f} MB): "
            f"export {LONGEST_S:g} s or less."
        )


def plausible_measures(found: Mapping[str, float | None]) -> dict[str, float]:
    """The device's measurements that a heart can have; an axis as (-180, 180] degrees."""
    kept: dict[str, float] = {}
    for name, value in found.items():
        low, high = MEASURE_RANGES[name]
        if value is not None and low <= value <= high:
            kept[name] = 180 - (180 - float(value)) % 360 if name == "axis" else float(value)
    return kept


def is_placeholder(stored: datetime) -> bool:
    """Whether a stored date only stands for a missing one."""
    return stored.date() in _PLACEHOLDERS or stored.year < 1900


def states_pacing(text: str) -> bool:
    """Whether a device's statement says that the ventricles are paced."""
    return _PACED.search(text) is not None
