"""The 12-lead ECG on paper as a cardiologist knows it: 25 mm/s, 10 mm/mV, to scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.path import Path

from ScarSegECGLib.case import LEADS, Ecg, FloatArray
from ScarSegECGLib.report import captions
from ScarSegECGLib.view import shapes
from ScarSegECGLib.view.palette import INK, MUTED, PAPER_BOLD, PAPER_FINE, WHITE
from ScarSegECGLib.view.shapes import Drawing, Label, Mark, Shape, Stroke, pieces, text_width
from ScarSegECGLib.view.sheet import sheet

MM_PER_SECOND = 25.0
MM_PER_MV = 10.0
WIDTH, _MIN_HEIGHT = 297.0, 210.0
_GRID_LEFT, _GRID_WIDTH = 11.0, 275.0
_TRACE_LEFT = _GRID_LEFT + 15.0
_ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
_COLUMNS_S, _COLUMN_S, _STRIP_S = (0.0, 2.5, 5.0, 7.5), 2.5, 10.0
_LABEL, _TEXT, _CUT, _GAP = 4.2, 3.6, 3.2, 2.0
_ROOM_UP, _ROOM_DOWN, _MOST = 12.0, 8.0, 40.0
_TRACE = Stroke(INK, 0.32)


def ecg_paper(ecg: Ecg, *, median_features: Sequence[str] = ()) -> Drawing:
    """Lay out an ECG on paper: three rows of four leads, 2.5 s each, and a rhythm strip; its date is left out.

    The grid is 1 mm and 5 mm; 1 s = 25 mm, 1 mV = 10 mm, always: a row takes the height its waves need, and the page,
    297 mm wide, grows beyond 210 mm rather than shrink a wave. Waves beyond 4 mV are cut with a mark that says so.
    Leads that share a column are simultaneous; a recording shorter than 10 s starts each column anew.
    ``median_features`` are lines printed above the traces (rate, QRS duration, axis ...).
    """
    seconds = ecg.millivolts.shape[1] / ecg.rate
    running = seconds >= _STRIP_S - 1.0 / ecg.rate
    rows = [
        [_Trace.of(ecg, lead, at, at * running, _COLUMN_S) for lead, at in zip(names, _COLUMNS_S, strict=True)]
        for names in _ROWS
    ]
    there = [lead for lead, ok in zip(LEADS, ecg.lead_mask, strict=True) if ok]
    rhythm = "II" if "II" in there or not there else there[0]
    rows.append([_Trace.of(ecg, rhythm, 0.0, 0.0, _STRIP_S)])

    said = [captions.ecg_scale(ecg.rate, min(seconds, _STRIP_S), seconds, running)]
    if len(there) < len(LEADS):
        said.append(f"Leads not recorded: {', '.join(lead for lead in LEADS if lead not in there)}")
    page = partial(sheet, title="12-lead ECG", subtitle="\n".join(median_features), caption="\n".join(said))
    room = _MIN_HEIGHT - page((), (0.0, 0.0, WIDTH, _GAP)).height
    rooms = [_room(row) for row in rows]
    needed = float(np.sum(rooms))
    height = 5.0 * float(max(np.ceil(needed / 5.0), np.floor(room / 5.0)))

    spare, top = (height - needed) / len(rows), height
    drawn: list[Shape] = [*_grid(_GRID_LEFT, 0.0, _GRID_LEFT + _GRID_WIDTH, height)]
    for row, (up, down) in zip(rows, rooms, strict=True):
        # Baselines sit on a heavy line's millimetre, so that amplitudes can be counted on the paper.
        baseline = float(np.floor(top - spare / 2 - up))
        drawn.append(_calibration(baseline))
        for trace in row:
            drawn += trace.shapes(baseline)
        top -= up + down + spare
    return page(drawn, (0.0, min(0.0, height - room), WIDTH, height + _GAP))


@dataclass(frozen=True, eq=False)
class _Trace:
    """One lead's piece: mm from ``left`` on the paper and above the lead's own level, empty if not recorded."""

    lead: str
    left: float
    width: float
    along: FloatArray
    heights: FloatArray

    @classmethod
    def of(cls, ecg: Ecg, lead: str, place: float, start: float, length: float) -> _Trace:
        """What lies ``start`` seconds into a lead, about its median, to be drawn ``place`` seconds into a row."""
        index = LEADS.index(lead)
        shown = ecg.millivolts[index, : int(round(_STRIP_S * ecg.rate)) if ecg.lead_mask[index] else 0]
        level = float(np.median(shown)) if shown.size else 0.0
        first, most = int(round(start * ecg.rate)), int(length * ecg.rate + 1e-6) + 1
        heights = (shown[first : first + most] - level) * MM_PER_MV
        along = np.arange(heights.size) * MM_PER_SECOND / ecg.rate
        return cls(lead, _TRACE_LEFT + place * MM_PER_SECOND, length * MM_PER_SECOND, along, heights)

    @property
    def label_height(self) -> float:
        """Where the lead's name stands above the baseline: over its own first wave, never on it."""
        below = self.along <= text_width(self.lead, _LABEL, bold=True) + 4.0
        wave = float(self.heights[below].max(initial=0.0))
        return float(np.clip(wave + 1.2 + _LABEL / 2, 5.0, _MOST + _LABEL))

    def shapes(self, baseline: float) -> Iterator[Shape]:
        """The trace, its name, and what was cut of it."""
        if self.left > _TRACE_LEFT:
            yield Mark(Path([(self.left, baseline - 2.5), (self.left, baseline + 2.5)]), stroke=Stroke(INK, 0.25))
        if self.heights.size:
            at = np.column_stack([self.left + self.along, baseline + np.clip(self.heights, -_MOST, _MOST)])
            yield Mark(Path(at), stroke=_TRACE)
            yield from self._cut(baseline)
        else:
            yield Label(self.left + self.width / 2, baseline, "not recorded", _TEXT, MUTED, halo=WHITE)
        yield Label(self.left + 1.5, baseline + self.label_height, self.lead, _LABEL, INK, "left", True, halo=WHITE)

    def _cut(self, baseline: float) -> Iterator[Shape]:
        """A mark at the highest and the lowest wave where the paper ends before it does."""
        free = self.left + 2.0 + text_width(self.lead, _LABEL, bold=True)
        for sign in (1.0, -1.0):
            index = int(np.argmax(sign * self.heights))
            if sign * self.heights[index] > _MOST:
                x, tip = self.left + float(self.along[index]), baseline + sign * _MOST
                yield Mark(shapes.closed([(x - 1.2, tip - sign * 2.2), (x + 1.2, tip - sign * 2.2), (x, tip)]), INK)
                value = f"{self.heights[index] / MM_PER_MV:.1f} mV".replace("-", "−")
                half = text_width(value, _CUT) / 2
                middle = float(np.clip(x, free + half, self.left + self.width - half))
                yield Label(middle, tip + sign * 2.4, value, _CUT, INK, halo=WHITE)


def _room(row: Sequence[_Trace]) -> tuple[float, float]:
    """Millimetres a row needs above and below its baseline so that nothing meets the next row."""
    heights = np.concatenate([trace.heights for trace in row])
    waves = heights.max(initial=0.0), -heights.min(initial=0.0)
    up, down = (_MOST + 5.0 if extent > _MOST else extent + 1.5 for extent in waves)
    labels = max(trace.label_height + 0.7 * _LABEL for trace in row)
    return float(np.ceil(max(_ROOM_UP, up, labels))), float(np.ceil(max(_ROOM_DOWN, down)))


def _grid(left: float, bottom: float, right: float, top: float) -> Iterator[Shape]:
    upright = np.array([((x, bottom), (x, top)) for x in np.arange(left, right + 0.01)])
    level = np.array([((left, y), (right, y)) for y in np.arange(bottom, top + 0.01)])
    fine = [lines[np.arange(len(lines)) % 5 > 0] for lines in (upright, level)]
    yield Mark(shapes.rectangle(left, bottom, right, top), WHITE)
    yield Mark(pieces(np.concatenate(fine)), stroke=Stroke(PAPER_FINE, 0.1))
    yield Mark(pieces(np.concatenate([upright[::5], level[::5]])), stroke=Stroke(PAPER_BOLD, 0.2))


def _calibration(baseline: float) -> Mark:
    left, right, up = _GRID_LEFT + 5.0, _GRID_LEFT + 5.0 + 0.2 * MM_PER_SECOND, baseline + MM_PER_MV
    rise, fall = [(left - 2.5, baseline), (left, baseline), (left, up)], [(right, up), (right, baseline)]
    return Mark(Path([*rise, *fall, (right + 2.5, baseline)]), stroke=_TRACE)
