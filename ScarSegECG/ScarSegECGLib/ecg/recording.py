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
from ScarSegECGLib.facts import Fact

LONGEST_S = 60.0
BEYOND_ANY_MV = 1e6
MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
# What a heart can have: devices write 0 or 29999 for "not measured".
MEASURE_RANGES = {"qrs": (40, 300), "pr": (50, 600), "qt": (150, 900), "qtc": (150, 900), "axis": (-180, 360)}
# Days that stand for "no date": EDF's for anonymous files, zero of clocks and of data bases.
_PLACEHOLDERS = {date(1900, 1, 1), date(1970, 1, 1), date(1980, 1, 1), date(1985, 1, 1), date(9999, 12, 31)}
_PACED = re.compile(
    r"(?<!no )(?<!atrial[ -])(?<!atrial )\b(ventricular[ -]pac|paced rhythm|pacemaker rhythm)", re.IGNORECASE
)
_DATE_SHAPES = (
    (re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"), False),
    (re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"), False),
    (re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"), False),  # dots are written day first
    (re.compile(r"(?P<d>\d{1,2})[- ](?P<name>[A-Za-z]{3})[a-z]*[- ](?P<y>\d{4})"), False),
    (re.compile(r"(?P<one>\d{1,2})[-/](?P<two>\d{1,2})[-/](?P<y>\d{4})"), True),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?")


@dataclass(frozen=True)
class Channel:
    """One stored signal: the file's own label, float64 mV (samples,), and when its first sample was taken, s."""

    label: str
    millivolts: NDArray[np.float64]
    start_s: float = 0.0


@dataclass(frozen=True)
class Recording:
    """One rhythm recording as its file has it.

    ``rate`` is in samples per second; ``format`` is the format's usual name; ``stated_paced`` says that the file itself
    states ventricular pacing. The other fields are those of :class:`ScarSegECGLib.case.Ecg`.
    """

    channels: tuple[Channel, ...]
    rate: float
    acquired: datetime | None = None
    date_trusted: bool = True
    device_ms: dict[str, float] = field(default_factory=dict)
    stated_paced: bool = False
    notes: tuple[Fact, ...] = ()
    format: str = ""
    subject: Subject = Subject()


def require_size(path: Path, largest: int, kind: str) -> None:
    """Raise InputError for a file of more than ``largest`` bytes, which a resting ECG of that kind never has."""
    if path.stat().st_size > largest:
        raise InputError(
            f"The ECG file is too large for {kind} of a resting ECG (over {largest / 1e6:.0f} MB): "
            f"export {LONGEST_S:g} s or less."
        )


def scaled(name: str, stored: NDArray, gain: float | None, unit: str, *, baseline: float = 0.0) -> NDArray[np.float64]:
    """Stored numbers times ``gain`` plus ``baseline``, both in ``unit``, as mV.

    Raises
    ------
    InputError
        No gain, a gain of 0 or one that is no number (nothing was calibrated), or a unit that is no voltage.
    """
    if not gain or not np.isfinite(gain):
        raise InputError(f"Lead {name} has no calibration (a gain of 0 or none): export the ECG with its calibration.")
    factor = MILLIVOLTS.get(unit.strip().lower())
    if factor is None:
        raise InputError(f"The unit of lead {name} is not a voltage: this is not a calibrated ECG.")
    with np.errstate(all="ignore"):
        millivolts = (np.asarray(stored, dtype=np.float64) * gain + baseline) * factor
    return np.clip(millivolts, -BEYOND_ANY_MV, BEYOND_ANY_MV)  # what nobody measures stays a number, and is refused


def plausible_measures(found: Mapping[str, float | None]) -> dict[str, float]:
    """The device's measurements that a heart can have; an axis as (-180, 180] degrees."""
    kept: dict[str, float] = {}
    for name, value in found.items():
        low, high = MEASURE_RANGES[name]
        if value is not None and low <= value <= high:
            kept[name] = 180 - (180 - float(value)) % 360 if name == "axis" else float(value)
    return kept


def stored_date(text: str, *, month_first: bool | None = None) -> tuple[datetime | None, bool]:
    """A date, with its time where there is one, and whether the text could be read as one day only.

    Year first, day first with dots, or a month's name mean one day. "03/04/2021" means two, unless the format says
    which comes first (``month_first``) or one of the numbers is over 12.

    Returns
    -------
    (datetime or None, bool)
        None and False for a date that may mean two days; None and True where there is none.
    """
    clock = _CLOCK.search(text)
    rest = text.replace(clock.group(), " ") if clock else text
    hour, minute, second = (int(part or 0) for part in clock.groups()) if clock else (0, 0, 0)
    for shape, two_ways in _DATE_SHAPES:
        match = shape.search(rest)
        if match is None:
            continue
        part = match.groupdict()
        if two_ways:
            one, two = int(part["one"]), int(part["two"])
            if month_first is None and one <= 12 and two <= 12 and one != two:
                return None, False
            first = month_first if one <= 12 and two <= 12 else one <= 12
            month, day = (one, two) if first else (two, one)
        else:
            name = (part.get("name") or "").lower()
            month = _MONTHS.index(name) + 1 if name in _MONTHS else int(part.get("m") or 0)
            day = int(part["d"])
        try:
            return datetime(int(part["y"]), month, day, hour, minute, second), True
        except ValueError:
            return None, True
    return None, True


def is_placeholder(stored: datetime) -> bool:
    """Whether a stored date only stands for a missing one."""
    return stored.date() in _PLACEHOLDERS or stored.year < 1900


def states_pacing(text: str) -> bool:
    """Whether a device's statement says that the ventricles are paced."""
    return _PACED.search(text) is not None
