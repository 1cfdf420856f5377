"""Words beside numbers and pictures that travel without their report: titles, scales, keys."""

from __future__ import annotations

from ScarSegECGLib.case import Burden
from ScarSegECGLib.measure.segments import LITTLE_SCAR_ML

PERCENT_OF_SEGMENT = "scar, % of the segment's volume"
MEAN_OF_WALL = "% of the wall's thickness, mean over the whole segment, wall without scar included"
MOST_OF_WALL = "% of the wall's thickness, over the segment's 4 mm of wall with the most scar"
PERCENT_OF_WALL = "scar, % of the wall's thickness at that place"
MVO_SIGN, SMALL_SIGN = "▪", "*"
LITTLE_SCAR = f"The maximum transmurality rests on less than {LITTLE_SCAR_ML:g} ml of scar."
SIGN_WORDS = ((MVO_SIGN, "MVO in the segment"), (SMALL_SIGN, f"rests on less than {LITTLE_SCAR_ML:g} ml of scar"))
LEAST_MVO_ML = 0.05
"""Less MVO in a segment prints as 0.0 ml and gets no sign."""
SLICES = "Slice 1 is the apex; {doubt}anterior up, septum left. Panels: image | scar and outlines."
RINGS = "Rings: slices {first} (apex) to {last} (base)"
VERDICTS = "ECG against the {judged} scar:"
WITH_ECG = "With the ECG (investigational); the primary figures are those of '{primary}'."
TERRITORY = "Usual territory, segments {segments}; scar {shown}."
RIM = "rim: ECG above normal limit, no finding, %"
MVO_IN_SCAR = "MVO, part of the scar"
WALL = "LV myocardium, scar included"
ECG_ALONE, ECG_SILENT = "From the ECG alone", "From the ECG: no estimate"
ECG_ESTIMATE = "learned from simulated scars, no finding; what people without scar show too is left out"


def scar_title(scar: Burden, mvo: Burden | None) -> str:
    """How much scar a picture of all slices shows, and how much of it is MVO."""
    title = f"Scar {scar.ml:.1f} ml, {scar.percent_of_lv:.1f} % of the LV myocardium"
    return f"{title}, {mvo.ml:.1f} ml of it MVO" if mvo is not None and mvo.ml >= LEAST_MVO_ML else title


def ecg_scale(rate_hz: float, shown_s: float, length_s: float, running: bool) -> str:
    """What an ECG on paper shows of its recording; ``running``: all leads at one time."""
    shown = f"first {shown_s:.4g} s of {length_s:.4g} s, each lead about its median"
    columns = "" if running else ", each column starts at 0 s"
    return f"25 mm/s, 10 mm/mV; {rate_hz:g} Hz; {shown}{columns}"
