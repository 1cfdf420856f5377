"""What a file-format reader hands over, before leads are ordered and gates applied, and what all readers need."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Subject
from ScarSegECGLib.ecg.leads import Channel, lead_name
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact

LONGEST_S = 60.0
LOWEST_RATE, HIGHEST_RATE = 100.0, 4000.0
BEYOND_ANY_MV = 1e6
MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
# What a heart can have: devices write 0 or 29999 for "not measured".
MEASURE_RANGES = {"qrs": (40, 300), "pr": (50, 600), "qt": (150, 900), "qtc": (150, 900), "axis": (-180, 360)}
_PACED = re.compile(
    r"(?<!no )(?<!atrial[ -])(?<!atrial )\b(ventricular[ -]pac|paced rhythm|pacemaker rhythm)", re.IGNORECASE
)
_TWO_WAYS = re.compile(r"(?P<m>\d{1,2})[-/](?P<d>\d{1,2})[-/](?P<y>\d{4})")
_DATE_SHAPES = (
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"),  # dots are written day first
    re.compile(r"(?P<d>\d{1,2})[- ](?P<m>[A-Za-z]{3})[a-z]*[- ](?P<y>\d{4})"),
    _TWO_WAYS,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?")


@dataclass(frozen=True)
class Recording:
    """One rhythm recording as its file has it.

    ``rate`` is in samples per second; ``format`` is the format's usual name; ``files`` are those of a record of several
    files. The other fields are those of :class:`ScarSegECGLib.case.Ecg`.
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
    files: tuple[Path, ...] = ()


@contextmanager
def told_as(error: InputError, *passed: type[Exception]) -> Iterator[None]:
    """Raise ``error`` for whatever a library stumbles on, but for an InputError and what is ``passed``.

    Libraries' warnings and errors quote values, which may be a patient's name: neither is shown.
    """
    told_already: tuple[type[Exception], ...] = (InputError, *passed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except told_already:
            raise
        except Exception:
            raise error from None


def require_file(path: Path) -> None:
    """Raise InputError where ``path`` is missing, a folder, empty or unreadable; the text names no file."""
    if path.is_dir():
        raise InputError("The path is a folder: choose one ECG file.")
    if not path.is_file():
        raise InputError("The ECG file was not found: check the path.")
    try:
        with path.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        raise InputError("The ECG file cannot be read: check its permissions.") from error
    if empty:
        raise InputError("The ECG file is empty: copy it again from its source.")


def require_size(path: Path, largest: int, kind: str) -> None:
    """Raise InputError for a file of more than ``largest`` bytes, which a resting ECG of that kind never has."""
    if path.stat().st_size > largest:
        raise InputError(
            f"The ECG file is too large for {kind} of a resting ECG (over {largest / 1e6:.0f} MB): "
            f"export {LONGEST_S:g} s or less."
        )


def check_rate(rate: float) -> None:
    """Raise InputError for a sampling rate that no ECG has."""
    if not np.isfinite(rate) or rate <= 0:
        raise InputError("The ECG's sampling rate is 0 or missing: the file is damaged or not an ECG.")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InputError(f"The ECG's sampling rate of {rate:g} Hz is outside {LOWEST_RATE:g} to {HIGHEST_RATE:g} Hz.")


def calibrated(
    label: str, stored: NDArray, gain: float | None, unit: str, *, baseline: float = 0.0, start_s: float = 0.0
) -> Channel:
    """A lead's stored numbers times ``gain`` plus ``baseline``, both in ``unit``; another channel as it is stored.

    InputError for no gain, a gain of 0 or one that is no number (nothing was calibrated), or a unit that is no voltage.
    """
    lead = lead_name(label)
    values = np.asarray(stored, dtype=np.float64)
    if lead is None:
        return Channel(label, values, start_s)
    if not gain or not np.isfinite(gain):
        raise InputError(
            f"Lead {lead.name} has no calibration (a gain of 0 or none): export the ECG with its calibration."
        )
    factor = MILLIVOLTS.get(unit.strip().lower())
    if factor is None:
        raise InputError(f"The unit of lead {lead.name} is not a voltage: this is not a calibrated ECG.")
    with np.errstate(all="ignore"):
        millivolts = (values * gain + baseline) * factor
    # What nobody measures stays a number, and is refused.
    return Channel(label, np.clip(millivolts, -BEYOND_ANY_MV, BEYOND_ANY_MV), start_s)


def plausible_measures(found: Mapping[str, float | None]) -> dict[str, float]:
    """The device's measurements that a heart can have; an axis as (-180, 180] degrees."""
    kept: dict[str, float] = {}
    for name, value in found.items():
        low, high = MEASURE_RANGES[name]
        if value is not None and low <= value <= high:
            kept[name] = 180 - (180 - float(value)) % 360 if name == "axis" else float(value)
    return kept


def stored_date(text: str, *, month_first: bool | None = None) -> datetime | None:
    """A date, with its time where there is one; None where there is none, or one that may mean two days.

    Year first, day first with dots, or a month's name mean one day. "03/04/2021" means two, unless the format says
    which comes first (``month_first``) or one of the numbers is over 12.
    """
    clock = _CLOCK.search(text)
    rest = text.replace(clock.group(), " ") if clock else text
    hour, minute, second = (int(part or 0) for part in clock.groups()) if clock else (0, 0, 0)
    shape, match = next(((shape, found) for shape in _DATE_SHAPES if (found := shape.search(rest))), (None, None))
    if match is None:
        return None
    name = match["m"].lower()
    try:
        month, day = _MONTHS.index(name) + 1 if name.isalpha() else int(name), int(match["d"])
        if shape is _TWO_WAYS:
            both_months = month <= 12 and day <= 12
            if both_months and month != day and month_first is None:
                return None
            if month > 12 or (both_months and not month_first):
                month, day = day, month
        return datetime(int(match["y"]), month, day, hour, minute, second)
    except ValueError:
        return None


def states_pacing(text: str) -> bool:
    """Whether a device's statement says that the ventricles are paced."""
    return _PACED.search(text) is not None
