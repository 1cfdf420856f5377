"""The calibration pulse that some devices write behind or before the recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ScarSegECGLib.ecg.leads import lead_name
from ScarSegECGLib.ecg.recording import Channel
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

# In a heart's signal aVR opposes I and II: only a pulse lifts all leads alike.
ALIKE_MV, LOWEST_MV, SHORTEST_S = 0.03, 0.3, 0.04
FEWEST_LEADS = 6
EDGE_S = 2.0
USUAL_MV = (0.5, 1.0, 2.0)


def trim_calibration(channels: tuple[Channel, ...], rate: float) -> tuple[tuple[Channel, ...], tuple[Fact, ...]]:
    """Cut off a calibration pulse that lies in the first or last 2 s, with the standstill around it.

    A pulse is where all standard leads stand within 0.03 mV of each other, 0.3 mV or more off zero, for 40 ms or
    more. What is left is cut to whole seconds, because the signal before the pulse fades out (in Philips' files 11 s
    are stored, of which 10 s are the recording). A note says what was cut and how high the pulse was.
    """
    known = [channel.millivolts for channel in channels if lead_name(channel.label) is not None]
    if len(known) < FEWEST_LEADS or len({signal.size for signal in known}) != 1:
        return channels, ()
    leads = np.stack(known)
    samples = leads.shape[1]
    alike = np.ptp(leads, axis=0) <= ALIKE_MV
    level = np.median(leads, axis=0)
    edge = round(EDGE_S * rate)
    runs = _runs(alike & (np.abs(level) >= LOWEST_MV))
    pulses = [
        (first, last)
        for first, last in runs
        if last - first >= SHORTEST_S * rate and (last <= edge or first >= samples - edge)
    ]
    if not pulses:
        return channels, ()
    begin, end = 0, samples
    still = _runs(alike)
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
    height = float(np.median(np.abs(level[pulses[0][0] : pulses[0][1]])))
    notes = [Fact(EcgNote.PULSE_CUT, mv=height, seconds=(end - begin) / rate)]
    if min(abs(height - usual) / usual for usual in USUAL_MV) > 0.05:
        notes.append(Fact(EcgNote.PULSE_UNUSUAL, mv=height))
    return tuple(replace(channel, millivolts=channel.millivolts[begin:end]) for channel in channels), tuple(notes)


def _runs(where: np.ndarray) -> list[tuple[int, int]]:
    """First sample and one past the last of every run."""
    edges = np.diff(np.concatenate([[0], where.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))
