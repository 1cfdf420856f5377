"""Which of a file's parts is the ECG, whether its leads were recorded together, and from when to when.

A file may hold a rhythm strip beside the ECG, leads in several groups, or one after the other as in a 3 x 4 print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.ecg.beats import qrs_energy
from ScarSegECGLib.ecg.checks import FEWEST_LEADS, SHORTEST_S, runs
from ScarSegECGLib.ecg.leads import Channel, leads_of
from ScarSegECGLib.ecg.recording import LONGEST_S
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

Channels = tuple[Channel, ...]
Notes = tuple[Fact, ...]

NOT_TOGETHER = (
    "The ECG's leads were not recorded together (as in the 3 x 4 layout of a print): export simultaneous leads of 10 s."
)
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
    rate: float
    start_s: float | None = None

    @property
    def seconds(self) -> float:
        return max(channel.millivolts.size for channel in self.channels) / self.rate


def the_ecg(parts: Sequence[Part]) -> tuple[Part, Notes]:
    """The part with most standard leads, then the longest, with those that were recorded at the same time.

    InputError where no part has a standard lead, or the leads are spread over parts of different times.
    """
    held = [replace(part, channels=_first(part.channels, part.rate, spare=1)) for part in parts]
    held = [part for part in held if leads_of(part.channels)]
    if not held:
        raise InputError("The file holds no standard ECG lead: its leads must be named I, II, V1 and so on.")
    best = max(held, key=lambda part: (len(leads_of(part.channels)), part.seconds))
    for other in held:
        if other is not best and not leads_of(other.channels) <= leads_of(best.channels) and _simultaneous(best, other):
            best = replace(best, channels=best.channels + other.channels)
    together = set().union(*(leads_of(part.channels) for part in held))
    if len(leads_of(best.channels)) < FEWEST_LEADS <= len(together):
        raise InputError(NOT_TOGETHER)
    return best, (Fact(EcgNote.SEVERAL_PARTS, parts=len(held)),) if len(held) > 1 else ()


def longest_read(channels: Channels, rate: float) -> tuple[Channels, Notes]:
    """The first 60 s, and a note where there was more."""
    cut = _first(channels, rate)
    longer = any(one.millivolts.size > other.millivolts.size for one, other in zip(channels, cut, strict=True))
    return cut, (Fact(EcgNote.CUT, seconds=LONGEST_S),) if longer else ()


def without_pulse(channels: Channels, rate: float) -> tuple[Channels, Notes]:
    """Cut off a calibration pulse that lies in the first or last 2 s, with the standstill around it.

    A pulse is where all standard leads stand within 0.03 mV of each other, 0.3 mV or more off zero, for 40 ms or
    more. What is left is cut to whole seconds, because the signal before the pulse fades out (in Philips' files 11 s
    are stored, of which 10 s are the recording). A note says what was cut and how high the pulse was.
    """
    known = [channel.millivolts for channel in channels if channel.lead is not None]
    if len(known) < FEWEST_ALIKE or len({signal.size for signal in known}) != 1:
        return channels, ()
    leads = np.stack(known)
    alike = np.ptp(leads, axis=0) <= ALIKE_MV
    level = np.median(leads, axis=0)
    edge, begin, end = round(EDGE_S * rate), 0, leads.shape[1]
    pulses = [
        (first, last)
        for first, last in runs(alike & (np.abs(level) >= LOWEST_PULSE_MV))
        if last - first >= SHORTEST_PULSE_S * rate and (last <= edge or first >= leads.shape[1] - edge)
    ]
    if not pulses:
        return channels, ()
    still = runs(alike)
    for first, last in pulses:
        low, high = next((a, b) for a, b in still if a <= first and last <= b)
        if last <= edge:
            begin = max(begin, high)
        else:
            end = min(end, low)
    whole = int((end - begin) / rate)
    if whole >= 2:
        # The fading end is behind the recording; before it, what follows the pulse is the recording itself.
        end = begin + round(whole * rate)
    height = float(np.median(np.abs(level[slice(*pulses[0])])))
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
    samples = known[0].millivolts.size if known else 0
    spans = [_span(channel.millivolts, round(STANDSTILL_S * rate)) for channel in known]
    there = {span for span in spans if span is not None}  # a lead that is flat throughout is left to the gates
    windows = [span for span in spans if span is not None and span[1] - span[0] >= SHORTEST_S * rate]
    if not windows or there == {(0, samples)}:
        return (*known, *other), notes

    def covering(begin: int, end: int) -> set[tuple[int, int]]:
        return {span for span in there if min(span[1], end) - max(span[0], begin) >= WHOLE * (end - begin)}

    def worth(window: tuple[int, int]) -> tuple[int, int]:
        inside = covering(*window)
        leads = leads_of(channel for channel, span in zip(known, spans, strict=True) if span in inside)
        return len(leads), window[1] - window[0]

    inside = covering(*max(windows, key=worth))
    kept = tuple(channel for channel, span in zip(known, spans, strict=True) if span is None or span in inside)
    if len(leads_of(kept)) < FEWEST_LEADS <= len(leads_of(known)):
        raise InputError(NOT_TOGETHER)
    begin, end = max(span[0] for span in inside), min(span[1] for span in inside)
    if (begin, end) != (0, samples):
        notes += (Fact(EcgNote.WINDOW, stored=samples / rate, used=(end - begin) / rate),)
    left = tuple(
        channel.lead.name
        for channel, span in zip(known, spans, strict=True)
        if channel.lead is not None and span is not None and span not in inside
    )
    if left:
        notes += (Fact(EcgNote.PARTIAL, leads=left),)
    return (*_between(kept, begin, end), *other), notes


def _between(channels: Channels, begin: int, end: int) -> Channels:
    return tuple(replace(channel, millivolts=channel.millivolts[begin:end]) for channel in channels)


def _first(channels: Channels, rate: float, *, spare: int = 0) -> Channels:
    """The channels without what lies over some samples beyond the longest recording that is read."""
    return _between(channels, 0, round(LONGEST_S * rate) + spare)


def _simultaneous(one: Part, other: Part) -> bool:
    """Whether two parts are of one time: equal rate, length and beginning, and the same beats.

    Where the file does not say when they began, they must be as long as a whole recording.
    """
    size, length = (part.channels[0].millivolts.size for part in (one, other))
    if abs(one.rate - other.rate) > 1e-6 * one.rate or abs(size - length) > 1:
        return False
    if one.start_s is None or other.start_s is None:
        if one.start_s is not other.start_s or one.seconds < LONG_ENOUGH_S:
            return False
    elif abs(one.start_s - other.start_s) > 1.5 / one.rate:
        return False
    energies = [_energy(part, min(size, length)) for part in (one, other)]
    reach = round(0.3 * one.rate)
    lags = np.arange(-reach, reach + 1)
    likeness = [float(np.sum(energies[0] * np.roll(energies[1], lag))) for lag in lags]
    return bool(abs(lags[int(np.argmax(likeness))]) <= COINCIDE_S * one.rate)


def _energy(part: Part, samples: int) -> NDArray[np.float64]:
    rows = [channel.millivolts[:samples] for channel in part.channels if channel.lead is not None]
    energy = qrs_energy(np.nan_to_num(np.stack(rows)), part.rate)
    return energy - energy.mean()


def _without_skew(channels: Channels, rate: float) -> tuple[Channels, Notes]:
    """Channels whose first samples were taken within 50 ms, laid over each other."""
    starts = np.array([channel.start_s for channel in channels])
    if not starts.size or np.ptp(starts) < 0.5 / rate:
        return channels, ()
    if np.ptp(starts) > MOST_SKEW_S:
        raise InputError(NOT_TOGETHER)
    late = np.rint((starts.max() - starts) * rate).astype(int)
    size = min(channel.millivolts.size - drop for channel, drop in zip(channels, late, strict=True))
    moved = tuple(
        replace(channel, millivolts=channel.millivolts[drop : drop + size], start_s=0.0)
        for channel, drop in zip(channels, late, strict=True)
    )
    return moved, (Fact(EcgNote.SKEW, ms=1000 * float(np.ptp(starts))),)


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
