"""Read an ECG that is drawn in a PDF as lines: twelve leads one below the other, on paper to scale.

The traces are taken as they are drawn; only "mm/s" and "mm/mV" as printed on the page, and its grid where there is
one, turn them into seconds and mV. A scanned page has no lines and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pdfplumber.page import Page

from ScarSegECGLib.ecg.leads import canonical_name
from ScarSegECGLib.ecg.pdf_guard import bounded_pages
from ScarSegECGLib.ecg.recording import LONGEST_S, Recording
from ScarSegECGLib.errors import InputError

MM_PER_POINT = 25.4 / 72.0
RATE = 500.0
FEWEST_POINTS, COARSEST_PER_S = 100, 100.0
FEWEST_TRACES = 8
# How far a lead's name may stand from where its trace begins, mm.
LABEL_LEFT, LABEL_RIGHT, LABEL_UP = 25.0, 12.0, 25.0
_SPEED = re.compile(r"(?<!\d)(\d{1,4}(?:[.,]\d{1,4})?)\s*mm\s*/\s*s(?:ec)?\b", re.IGNORECASE)
_GAIN = re.compile(r"(?<!\d)(\d{1,4}(?:[.,]\d{1,4})?)\s*mm\s*/\s*mV\b", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class _Trace:
    """One drawn line that runs from left to right; mm from the page's left, and from its top downwards."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]


def read_pdf(path: Path) -> Recording:
    """Read the first page that holds traces.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Recording
        At 500 Hz, straight between the points as drawn; each lead's median is its zero, because paper has no other.
        No date: what is printed may be the day of printing.

    Raises
    ------
    InputError
        A scan, no traces, speed or gain not printed or more than one, leads one after the other, or names that
        cannot be told apart.
    """
    with bounded_pages(path) as pages:
        pictures = False
        for page in pages:
            traces = _traces(page)
            pictures |= bool(page.images)
            if len(traces) >= FEWEST_TRACES:
                return _recording(path, page, traces)
    if pictures:
        raise InputError("The ECG file is a scanned picture, which is not supported: export the ECG as DICOM or XML.")
    raise InputError("The ECG file holds no drawn ECG of 12 leads: export the ECG as DICOM or XML.")


def _recording(path: Path, page: Page, traces: list[_Trace]) -> Recording:
    text = page.extract_text() or ""
    speed, gain = _printed(path, _SPEED, text, "paper speed (25 mm/s)"), _printed(path, _GAIN, text, "gain (10 mm/mV)")
    scale, remark = _grid_scale(path, page)
    named = _named(path, page, traces)
    starts, ends = [trace.x[0] for trace in named.values()], [trace.x[-1] for trace in named.values()]
    if np.ptp(starts) > 2.0 or np.ptp(ends) > 2.0:
        raise InputError(
            "The ECG file prints the leads one after the other, not side by side: export the ECG as DICOM or XML."
        )
    seconds = (min(ends) - max(starts)) / (speed * scale)
    times = max(starts) + np.arange(min(round(LONGEST_S * RATE), int(seconds * RATE + 0.01) + 1)) / RATE * speed * scale
    signals = {}
    for lead, trace in named.items():
        if trace.x.size < COARSEST_PER_S * (trace.x[-1] - trace.x[0]) / (speed * scale):
            raise InputError("The ECG file draws the traces too coarsely to be measured: export DICOM or XML.")
        rising = np.maximum.accumulate(trace.x) + 1e-9 * np.arange(trace.x.size)
        height = -np.interp(times, rising, trace.y) / (gain * scale)
        signals[lead] = height - np.median(height)
    notes = (f"Read from drawn lines at {speed:g} mm/s and {gain:g} mm/mV.", *remark)
    return Recording(signals=signals, rate=RATE, notes=notes, format="PDF with drawn traces")


def _printed(path: Path, pattern: re.Pattern[str], text: str, what: str) -> float:
    """The one value that the page prints."""
    values = {float(found.replace(",", ".")) for found in pattern.findall(text)}
    if len(values) != 1 or not 1 <= (value := values.pop()) <= 200:
        raise InputError(f"The ECG file does not print one {what}: export the ECG as DICOM or XML.")
    return value


def _traces(page: Page) -> list[_Trace]:
    """Lines with many points that run rightwards; pieces that touch are joined."""
    pieces = [np.asarray(shape["pts"], dtype=np.float64) for shape in (*page.curves, *page.lines) if shape["stroke"]]
    chains: list[list[NDArray[np.float64]]] = []
    for piece in pieces:
        if piece.ndim != 2 or len(piece) < 2 or not np.isfinite(piece).all():
            continue
        if chains and np.abs(chains[-1][-1][-1] - piece[0]).max() < 0.05:
            chains[-1].append(piece)
        else:
            chains.append([piece])
    found = []
    for chain in chains:
        points = np.concatenate(chain) * MM_PER_POINT
        x, y = points[:, 0], points[:, 1]
        if len(points) >= FEWEST_POINTS and (np.diff(x) >= -0.05).all() and np.ptp(x) > 20.0:
            found.append(_Trace(x, y))
    return found


def _named(path: Path, page: Page, traces: list[_Trace]) -> dict[str, _Trace]:
    """Each trace by the lead's name nearest to its beginning; a second, longer one (a rhythm strip) is left out."""
    labels = []
    for word in page.extract_words(use_text_flow=False, keep_blank_chars=False):
        name = canonical_name(word["text"])
        if name is not None:
            labels.append((name, word["x0"] * MM_PER_POINT, (word["top"] + word["bottom"]) / 2 * MM_PER_POINT))
    pairs = []
    for k, trace in enumerate(traces):
        begin = trace.y[trace.x <= trace.x[0] + LABEL_RIGHT]
        level = float(np.median(trace.y))
        for m, (_, x, y) in enumerate(labels):
            if -LABEL_LEFT <= x - trace.x[0] <= LABEL_RIGHT and abs(y - level) <= LABEL_UP:
                # A name usually stands above its trace: one below counts as farther.
                away = abs(y - level) if y <= max(level, float(begin.max())) else abs(y - level) + 5.0
                pairs.append((away, k, m))
    named: dict[str, _Trace] = {}
    used_traces: set[int] = set()
    used_labels: set[int] = set()
    for _, k, m in sorted(pairs):
        if k in used_traces or m in used_labels:
            continue
        used_traces.add(k)
        used_labels.add(m)
        name = labels[m][0]
        if name not in named or np.ptp(traces[k].x) < np.ptp(named[name].x):
            named[name] = traces[k]
    if len(named) < FEWEST_TRACES:
        raise InputError("The ECG file does not print lead names beside its traces: export the ECG as DICOM or XML.")
    return named


def _grid_scale(path: Path, page: Page) -> tuple[float, tuple[str, ...]]:
    """Size of a printed millimetre of the grid, mm; 1 where no grid is drawn."""
    upright = sorted(
        {
            round(float(line["x0"]) * MM_PER_POINT, 2)
            for line in (*page.lines, *page.curves)
            if abs(line["x1"] - line["x0"]) < 0.05 and abs(line["bottom"] - line["top"]) > page.height * 0.2
        }
    )
    steps = np.diff(upright)
    if len(steps) < 10:
        return 1.0, ("The PDF's grid was not found: it is taken to be of true size.",)
    pitch = float(np.median(steps))
    scale = min((pitch / 1.0, pitch / 5.0), key=lambda ratio: abs(np.log(ratio)))
    if not 0.7 <= scale <= 1.4 or np.mean(np.abs(steps / pitch - 1) < 0.1) < 0.8:
        raise InputError("The grid of the ECG file is no 1 mm or 5 mm grid: export the ECG as DICOM or XML.")
    if abs(scale - 1) < 0.01:
        return 1.0, ()
    return scale, (f"The PDF is printed at {100 * scale:.0f} % of true size; its grid was taken as the measure.",)
