"""Which of a file's parts is the ECG, and whether its leads were recorded together.

A file may hold a 12-lead recording beside a rhythm strip, leads in several groups, or the 3 x 4 layout of a print,
whose leads follow each other. What was recorded at one time is joined; leads of different times are no ECG here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.ecg.beats import qrs_energy
from ScarSegECGLib.ecg.leads import lead_name, names_of
from ScarSegECGLib.ecg.recording import LONGEST_S, Channel
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

NOT_TOGETHER = (
    "The ECG's leads were not recorded together (as in the 3 x 4 layout of a print): export simultaneous leads of 10 s."
)
FEWEST_LEADS, SHORTEST_S = 8, 2.0
STANDSTILL_S = 1.0  # a lead that keeps one value so long at an end was not recorded there
WHOLE = 0.95
MOST_SKEW_S = 0.05  # of one converter that samples its channels in turn
LONG_ENOUGH_S, COINCIDE_S = 8.0, 0.02


@dataclass(frozen=True)
class Part:
    """Channels that a file stores in one piece; ``start_s`` is when it says they began, None where it does not."""

    channels: tuple[Channel, ...]
    rate: float
    start_s: float | None = None


def the_ecg(parts: Sequence[Part]) -> tuple[Part, tuple[Fact, ...]]:
    """The part with most standard leads, then the longest, with those that were recorded at the same time.

    Raises
    ------
    InputError
        No part has a standard lead, or the leads are spread over parts of different times.
    """
    parts = [replace(part, channels=tuple(_cut(part))) for part in parts]
    held = [part for part in parts if _leads(part)]
    if not held:
        raise InputError("The file holds no standard ECG lead: its leads must be named I, II, V1 and so on.")
    best = max(held, key=lambda part: (len(_leads(part)), _seconds(part)))
    notes = []
    for other in held:
        if other is not best and not _leads(other) <= _leads(best) and _simultaneous(best, other):
            best = replace(best, channels=best.channels + other.channels)
    together = set().union(*(_leads(part) for part in held))
    if len(_leads(best)) < FEWEST_LEADS <= len(together):
        raise InputError(NOT_TOGETHER)
    if len(held) > 1:
        notes.append(Fact(EcgNote.SEVERAL_PARTS, parts=len(held)))
    if any(channel.millivolts.size > round(LONGEST_S * best.rate) for channel in best.channels):
        notes.append(Fact(EcgNote.CUT, seconds=LONGEST_S))
        most = round(LONGEST_S * best.rate)
        best = replace(best, channels=tuple(replace(c, millivolts=c.millivolts[:most]) for c in best.channels))
    return best, tuple(notes)


def recorded_together(channels: Iterable[Channel], rate: float) -> tuple[tuple[Channel, ...], tuple[Fact, ...]]:
    """The standard leads over the time in which they all were recorded.

    Times before and after a lead's own recording are those without a value (NaN) and those in which it keeps one value
    for a second or longer. A few leads that cover less than the others are left out.

    Raises
    ------
    InputError
        Leads of different lengths, or fewer than eight that were recorded together.
    """
    known = [channel for channel in channels if lead_name(channel.label) is not None]
    other = tuple(channel for channel in channels if lead_name(channel.label) is None)
    known, moved = _without_skew(known, rate)
    if len({channel.millivolts.size for channel in known}) > 1:
        raise InputError("The ECG's leads have different lengths: export leads recorded together.")
    spans = [_span(channel.millivolts, round(STANDSTILL_S * rate)) for channel in known]
    there = [span for span in spans if span is not None]
    samples = known[0].millivolts.size if known else 0
    if not there or all(span == (0, samples) for span in there):
        return (*known, *other), moved

    def covers(span: tuple[int, int] | None, window: tuple[int, int]) -> bool:
        if span is None:
            return True  # flat throughout: the gates say so
        overlap = min(span[1], window[1]) - max(span[0], window[0])
        return overlap >= WHOLE * (window[1] - window[0])

    def worth(window: tuple[int, int]) -> tuple[int, int]:
        inside = [c.label for c, span in zip(known, spans, strict=True) if span is not None and covers(span, window)]
        return len(names_of(inside)), window[1] - window[0]

    window = max((span for span in there if span[1] - span[0] >= SHORTEST_S * rate), key=worth, default=None)
    if window is None:
        return (*known, *other), moved  # too short altogether: the gates say so
    kept = [channel for channel, span in zip(known, spans, strict=True) if covers(span, window)]
    if len(names_of(channel.label for channel in kept)) < FEWEST_LEADS <= len(names_of(c.label for c in known)):
        raise InputError(NOT_TOGETHER)
    inside = [span for span in there if covers(span, window)]
    begin, end = max(span[0] for span in inside), min(span[1] for span in inside)
    notes = list(moved)
    if (begin, end) != (0, samples):
        notes.append(Fact(EcgNote.WINDOW, stored=samples / rate, used=(end - begin) / rate))
    left = tuple(lead.name for c in known if c not in kept and (lead := lead_name(c.label)) is not None)
    if left:
        notes.append(Fact(EcgNote.PARTIAL, leads=left))
    return (*(replace(c, millivolts=c.millivolts[begin:end]) for c in kept), *other), tuple(notes)


def _leads(part: Part) -> set[str]:
    return names_of(channel.label for channel in part.channels)


def _seconds(part: Part) -> float:
    return max(channel.millivolts.size for channel in part.channels) / part.rate


def _cut(part: Part) -> Iterable[Channel]:
    """The channels without what lies over a sample beyond the longest recording that is read."""
    most = round(LONGEST_S * part.rate) + 1
    return (replace(channel, millivolts=channel.millivolts[:most]) for channel in part.channels)


def _simultaneous(one: Part, other: Part) -> bool:
    """Whether two parts are of one time: equal rate, length and beginning, and the same beats.

    Where the file does not say when they began, they must be as long as a whole recording.
    """
    size, length = (part.channels[0].millivolts.size for part in (one, other))
    if abs(one.rate - other.rate) > 1e-6 * one.rate or abs(size - length) > 1:
        return False
    if one.start_s is None or other.start_s is None:
        if one.start_s is not other.start_s or _seconds(one) < LONG_ENOUGH_S:
            return False
    elif abs(one.start_s - other.start_s) > 1.5 / one.rate:
        return False
    energies = [_energy(part, min(size, length)) for part in (one, other)]
    reach = round(0.3 * one.rate)
    lags = np.arange(-reach, reach + 1)
    likeness = [float(np.sum(energies[0] * np.roll(energies[1], lag))) for lag in lags]
    return bool(abs(lags[int(np.argmax(likeness))]) <= COINCIDE_S * one.rate)


def _energy(part: Part, samples: int) -> NDArray[np.float64]:
    rows = [c.millivolts[:samples] for c in part.channels if lead_name(c.label) is not None]
    energy = qrs_energy(np.nan_to_num(np.stack(rows)), part.rate)
    return energy - energy.mean()


def _without_skew(channels: list[Channel], rate: float) -> tuple[list[Channel], tuple[Fact, ...]]:
    """Channels whose first samples were taken within 50 ms, laid over each other."""
    starts = np.array([channel.start_s for channel in channels])
    if not starts.size or np.ptp(starts) < 0.5 / rate:
        return channels, ()
    if np.ptp(starts) > MOST_SKEW_S:
        raise InputError(NOT_TOGETHER)
    late = np.rint((starts.max() - starts) * rate).astype(int)
    size = min(channel.millivolts.size - drop for channel, drop in zip(channels, late, strict=True))
    moved = [
        replace(channel, millivolts=channel.millivolts[drop : drop + size], start_s=0.0)
        for channel, drop in zip(channels, late, strict=True)
    ]
    return moved, (Fact(EcgNote.SKEW, ms=1000 * float(np.ptp(starts))),)


def _span(signal: NDArray, standstill: int) -> tuple[int, int] | None:
    """First sample and one past the last of what was recorded; None where nothing was."""
    there = np.flatnonzero(np.isfinite(signal))
    if not there.size:
        return None
    begin, end = int(there[0]), int(there[-1]) + 1
    piece = signal[begin:end]
    ahead, behind = np.flatnonzero(piece != piece[0]), np.flatnonzero(piece != piece[-1])
    if not ahead.size:
        return None
    if ahead[0] >= standstill:
        begin += int(ahead[0])
    if piece.size - 1 - behind[-1] >= standstill:
        end -= int(piece.size - 1 - behind[-1])
    return (begin, end) if end > begin else None
