"""What a file-format reader hands over and what all readers need; then which of a file's parts is the ECG, whether its
leads were recorded together, and from when to when.

A file may hold a rhythm strip beside the ECG, leads in several groups, or one after the other as in a 3 x 4 print.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Subject
from ScarSegECGLib.ecg.delineation import qrs_energy
from ScarSegECGLib.ecg.leads import FEWEST_LEADS, SHORTEST_S, Channel, check_rate, lead_name, leads_of, runs
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

Channels = tuple[Channel, ...]
Notes = tuple[Fact, ...]

LONGEST_S = 60.0
BEYOND_ANY_MV = 1e6
MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
_SPELT = {"millivolt": 1.0, "microvolt": 1e-3, "volt": 1e3, "nanovolt": 1e-6}
MILLIVOLTS |= _SPELT | {f"{name}s": factor for name, factor in _SPELT.items()}
# What a heart can have: devices write 0 or 29999 for "not measured".
MEASURE_RANGES = {"qrs": (40, 300), "pr": (50, 600), "qt": (150, 900), "qtc": (150, 900), "axis": (-180, 360)}
# A device's statement that the ventricles are paced.
PACING = re.compile(
    r"(?<!no )(?<!atrial[ -])(?<!atrial )\b(ventricular[ -]pac|paced rhythm|pacemaker rhythm)", re.IGNORECASE
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/. ])(\d{1,2}|[A-Za-z]{3})[a-z]*\2(\d{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?")

NOT_TOGETHER = "The leads were not recorded together (as in a 3 x 4 print): export simultaneous leads of 10 s."
STANDSTILL_S = 1.0  # a lead that keeps one value so long at an end was not recorded there
WHOLE = 0.95
MOST_SKEW_S = 0.05  # of one converter that samples its channels in turn
LONG_ENOUGH_S, COINCIDE_S = 8.0, 0.02
# In a heart's signal aVR opposes I and II: only a calibration pulse lifts all leads alike.
ALIKE_MV, LOWEST_PULSE_MV, SHORTEST_PULSE_S = 0.03, 0.3, 0.04
FEWEST_ALIKE = 6
EDGE_S = 2.0
USUAL_PULSES_MV = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Part:
    """Channels that a file stores in one piece; ``start_s`` is when it says they began, None where it does not."""

    channels: Channels
    rate: float  # samples per second
    start_s: float | None = None

    def __post_init__(self) -> None:
        check_rate(self.rate)

    @property
    def seconds(self) -> float:
        return max((channel.millivolts.size for channel in self.channels), default=0) / self.rate

    @property
    def leads(self) -> set[str]:
        """The standard leads that it holds or that follow from them."""
        return leads_of(self.channels)


@dataclass(frozen=True)
class Recording:
    """What a file holds, with fields of :class:`ScarSegECGLib.case.Ecg`, and ``files`` where a record is several."""

    parts: Sequence[Part]
    format: str
    acquired: datetime | None = None
    date_trusted: bool = True
    device_ms: dict[str, float] = field(default_factory=dict)
    stated_paced: bool = False
    notes: Notes = ()
    subject: Subject = Subject()
    files: tuple[Path, ...] = ()


def require_size(path: Path, largest: int) -> None:
    """Raise InputError for a file of more than ``largest`` bytes, which a resting ECG never has."""
    if path.stat().st_size > largest:
        raise InputError(f"The ECG file is too large (over {largest / 1e6:g} MB): export {LONGEST_S:g} s or less.")


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
        raise InputError(f"Lead {lead} has no calibration (a gain of 0 or none): export the ECG with its calibration.")
    factor = MILLIVOLTS.get(unit.strip().lower())
    if factor is None:
        raise InputError(f"The unit of lead {lead} is not a voltage: this is not a calibrated ECG.")
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
    if match := _YEAR_FIRST.search(rest):
        year, _, month, day = match.groups()
    elif match := _YEAR_LAST.search(rest):
        day, mark, month, year = match.groups()
        if month.isdigit() and mark != ".":
            if month_first is None and int(day) != int(month) and max(int(day), int(month)) <= 12:
                return None
            if int(day) <= 12 and (int(month) > 12 or month_first):
                day, month = month, day
    else:
        return None
    try:
        number = int(month) if month.isdigit() else _MONTHS.index(month.lower()) + 1
        return datetime(int(year), number, int(day), hour, minute, second)
    except ValueError:
        return None


def the_ecg(parts: Sequence[Part]) -> tuple[Part, Notes]:
    """The first 60 s of the part with most standard leads, then the longest, with those recorded at the same time.

    InputError where there is no part, or the leads are spread over parts of different times.
    """
    if not parts:
        raise InputError("The file holds no ECG leads: export the ECG with its signals.")
    cut = [replace(part, channels=_between(part.channels, 0, round(LONGEST_S * part.rate) + 1)) for part in parts]
    held = [part for part in cut if part.leads] or cut  # without any lead the gates say so
    best = max(held, key=lambda part: (len(part.leads), part.seconds))
    for other in held:
        if not other.leads <= best.leads and _simultaneous(best, other):
            best = replace(best, channels=best.channels + other.channels)
    if len(best.leads) < FEWEST_LEADS <= len(set().union(*(part.leads for part in held))):
        raise InputError(NOT_TOGETHER)
    notes: Notes = (Fact(EcgNote.SEVERAL_PARTS, parts=len(held)),) if len(held) > 1 else ()
    most = round(LONGEST_S * best.rate)
    if any(channel.millivolts.size > most for channel in best.channels):
        notes += (Fact(EcgNote.CUT, seconds=LONGEST_S),)
    return replace(best, channels=_between(best.channels, 0, most)), notes


def without_pulse(channels: Channels, rate: float) -> tuple[Channels, Notes]:
    """Cut off a calibration pulse that lies in the first or last 2 s, with the standstill around it.

    A pulse is where all standard leads stand within 0.03 mV of each other, 0.3 mV or more off zero, for 40 ms or
    more. What is left is cut to whole seconds, because the signal before the pulse fades out (in Philips' files 11 s
    are stored, of which 10 s are the recording). A note says what was cut and how high the pulse was.
    """
    known = [channel.millivolts for channel in channels if channel.lead is not None]
    if len(known) < FEWEST_ALIKE or len({signal.size for signal in known}) != 1:
        return channels, ()
    alike = np.ptp(known, axis=0) <= ALIKE_MV
    level = np.abs(np.median(known, axis=0))
    begin, end, heights = 0, level.size, []
    edge, still = round(EDGE_S * rate), runs(alike)
    for first, last in runs(alike & (level >= LOWEST_PULSE_MV)):
        before, after = last <= edge, first >= level.size - edge
        if last - first < SHORTEST_PULSE_S * rate or not (before or after):
            continue
        heights.append(float(np.median(level[first:last])))
        low, high = next((a, b) for a, b in still if a <= first and last <= b)
        begin, end = (high, end) if before else (begin, min(end, low))
    if not heights:
        return channels, ()
    # The fading end is behind the recording; before it, what follows the pulse is the recording itself.
    end = begin + round(int((end - begin) / rate) * rate)
    height = heights[0]
    notes = [Fact(EcgNote.PULSE_CUT, mv=height, seconds=(end - begin) / rate)]
    if min(abs(height - usual) / usual for usual in USUAL_PULSES_MV) > 0.05:
        notes.append(Fact(EcgNote.PULSE_UNUSUAL, mv=height))
    return _between(channels, begin, end), tuple(notes)


def recorded_together(channels: Channels, rate: float) -> tuple[Channels, Notes]:
    """The standard leads over the time in which they all were recorded.

    Times before and after a lead's own recording are those without a value (NaN) and those in which it keeps one value
    for a second or longer. A few leads that cover less than the others are left out. InputError for leads of different
    lengths, or fewer than eight that were recorded together.
    """
    other = tuple(channel for channel in channels if channel.lead is None)
    known, notes = _without_skew(tuple(channel for channel in channels if channel.lead is not None), rate)
    if len({channel.millivolts.size for channel in known}) > 1:
        raise InputError("The ECG's leads have different lengths: export leads recorded together.")
    found = ((channel, _span(channel.millivolts, round(STANDSTILL_S * rate))) for channel in known)
    spans = {channel: span for channel, span in found if span is not None}
    windows = [(begin, end) for begin, end in spans.values() if end - begin >= SHORTEST_S * rate]
    if not windows:
        return (*known, *other), notes

    def covering(begin: int, end: int) -> list[Channel]:
        least = WHOLE * (end - begin)
        return [channel for channel, (a, b) in spans.items() if min(b, end) - max(a, begin) >= least]

    inside = covering(*max(windows, key=lambda window: (len(leads_of(covering(*window))), window[1] - window[0])))
    kept = tuple(channel for channel in known if channel in inside or channel not in spans)  # the gates see flat ones
    if len(leads_of(kept)) < FEWEST_LEADS <= len(leads_of(known)):
        raise InputError(NOT_TOGETHER)
    begin, end = max(spans[channel][0] for channel in inside), min(spans[channel][1] for channel in inside)
    if (samples := known[0].millivolts.size) != end - begin:
        notes += (Fact(EcgNote.WINDOW, stored=samples / rate, used=(end - begin) / rate),)
    if left := tuple(channel.lead.lstrip("-") for channel in known if channel.lead and channel not in kept):
        notes += (Fact(EcgNote.PARTIAL, leads=left),)
    return (*_between(kept, begin, end), *other), notes


def _between(channels: Channels, begin: int, end: int) -> Channels:
    return tuple(replace(channel, millivolts=channel.millivolts[begin:end]) for channel in channels)


def _simultaneous(one: Part, other: Part) -> bool:
    """Whether two parts are of one time: equal rate, length and beginning, and the same beats.

    Where the file does not say when they began, they must be as long as a whole recording.
    """
    rate, samples = one.rate, [part.channels[0].millivolts.size for part in (one, other)]
    if abs(other.rate - rate) > 1e-6 * rate or np.ptp(samples) > 1:
        return False
    if one.start_s is None or other.start_s is None:
        begun_together = one.start_s == other.start_s and one.seconds >= LONG_ENOUGH_S
    else:
        begun_together = abs(one.start_s - other.start_s) <= 1.5 / rate
    if not begun_together:
        return False
    energies = []
    for part in (one, other):
        rows = [channel.millivolts[: min(samples)] for channel in part.channels if channel.lead is not None]
        energy = qrs_energy(np.nan_to_num(rows), rate)
        energies.append(energy - energy.mean())
    lags = range(-round(0.3 * rate), round(0.3 * rate) + 1)
    best = max(lags, key=lambda lag: float(np.sum(energies[0] * np.roll(energies[1], lag))))
    return abs(best) <= COINCIDE_S * rate


def _without_skew(channels: Channels, rate: float) -> tuple[Channels, Notes]:
    """Channels whose first samples were taken within 50 ms, laid over each other."""
    starts = np.array([channel.start_s for channel in channels])
    skew = float(np.ptp(starts)) if starts.size else 0.0
    if skew < 0.5 / rate:
        return channels, ()
    if not skew <= MOST_SKEW_S:
        raise InputError(NOT_TOGETHER)
    late = np.rint((starts.max() - starts) * rate).astype(int)
    moved = [channel.millivolts[drop:] for channel, drop in zip(channels, late, strict=True)]
    size = min(signal.size for signal in moved)
    together = (replace(channel, millivolts=signal[:size]) for channel, signal in zip(channels, moved, strict=True))
    return tuple(together), (Fact(EcgNote.SKEW, ms=1000 * skew),)


def _span(signal: NDArray, standstill: int) -> tuple[int, int] | None:
    """First sample and one past the last of what was recorded; None where nothing was."""
    there = np.flatnonzero(np.isfinite(signal))
    begin, end = (int(there[0]), int(there[-1]) + 1) if there.size else (0, 0)
    changes = begin + 1 + np.flatnonzero(np.diff(signal[begin:end]))
    if not changes.size:
        return None
    first, last = int(changes[0]), int(changes[-1])
    begin = first if first - begin >= standstill else begin
    end = last if end - last >= standstill else end
    return (begin, end) if end > begin else None
