"""The 12-lead ECG on paper as a cardiologist knows it: 25 mm/s, 10 mm/mV, to scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ScarSegECGLib.case import LEADS, Ecg, FloatArray
from ScarSegECGLib.report.captions import NOT_TRUSTED, ecg_scale
from ScarSegECGLib.view.legend import PURPOSE_ROOM, purpose_line
from ScarSegECGLib.view.palette import INK, MUTED, PAPER_BOLD, PAPER_FINE, WHITE
from ScarSegECGLib.view.shapes import (
    Box,
    Drawing,
    Label,
    Lines,
    Polygon,
    Polyline,
    Shape,
    Stroke,
    box_polygon,
    points,
    text_width,
    wrap,
)

MM_PER_SECOND = 25.0
MM_PER_MV = 10.0
WIDTH = 297.0
_MIN_HEIGHT = 210.0
_GRID_LEFT, _GRID_WIDTH = 11.0, 275.0
_TRACE_LEFT = _GRID_LEFT + 15.0
_COLUMN_S = 2.5
_COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
_LABEL, _TEXT = 4.2, 3.6
_ROOM_UP, _ROOM_DOWN, _MOST = 12.0, 8.0, 40.0
_TRACE = Stroke(INK, 0.32)


@dataclass(frozen=True, eq=False)
class _Trace:
    """One lead's piece on the paper: mm from the row's baseline, from ``left`` on."""

    lead: str
    left: float
    width: float
    heights: FloatArray | None
    mm_per_sample: float


def ecg_paper(
    ecg: Ecg, *, median_features: Sequence[str] = (), anonymous: bool = True, title: str = "12-lead ECG"
) -> Drawing:
    """Lay out an ECG on paper: three rows of four leads, 2.5 s each, and a rhythm strip.

    The grid is 1 mm and 5 mm; 1 s = 25 mm, 1 mV = 10 mm, always: a row takes the height its waves need, and the page
    grows rather than shrink a wave. Waves beyond 4 mV are cut with a mark that says so. Leads that share a column are
    simultaneous; a recording shorter than 10 s starts each column anew.

    Parameters
    ----------
    ecg : Ecg
    median_features : sequence of str
        Lines of text printed above the traces (rate, QRS duration, axis ...).
    anonymous : bool
        Leave out the recording's date and time.
    title : str

    Returns
    -------
    Drawing
        297 mm wide, at least 210 mm high; printed at 100 % it is to scale.
    """
    seconds = ecg.millivolts.shape[1] / ecg.rate
    running = seconds >= 4 * _COLUMN_S - 1.0 / ecg.rate
    rows = [[_trace(ecg, names[row], column, running) for column, names in enumerate(_COLUMNS)] for row in range(3)]
    rhythm = "II" if ecg.lead_mask[1] else next((n for n, ok in zip(LEADS, ecg.lead_mask, strict=True) if ok), "II")
    rows.append([_strip(ecg, rhythm)])

    head = _heading(ecg, median_features, anonymous, title)
    foot = _footer(ecg, seconds, running)
    above = [_row_room(row)[0] for row in rows]
    below = [_row_room(row)[1] for row in rows]
    needed = sum(above) + sum(below)
    head_height, foot_height = 8.0 + 5.4 * _lines_used(head), 5.0 + PURPOSE_ROOM + 5.0 * len(foot)
    grid_height = float(np.ceil(max(needed, _MIN_HEIGHT - head_height - foot_height - 2.0) / 5.0) * 5.0)
    if grid_height + head_height + foot_height > _MIN_HEIGHT and grid_height - 5.0 >= needed:
        grid_height -= 5.0
    height = max(_MIN_HEIGHT, head_height + grid_height + foot_height)
    grid_bottom = foot_height
    grid = (_GRID_LEFT, grid_bottom, _GRID_LEFT + _GRID_WIDTH, grid_bottom + grid_height)

    shapes: list[Shape] = [box_polygon(grid, fill=WHITE), *_grid(grid)]
    spare = (grid_height - needed) / len(rows)
    top = grid[3]
    for row, up, down in zip(rows, above, below, strict=True):
        # Baselines sit on a heavy line's millimetre, so that amplitudes can be counted on the paper.
        baseline = grid_bottom + float(np.floor(top - spare / 2 - up - grid_bottom))
        shapes += _calibration(baseline)
        for trace in row:
            shapes += _painted(trace, baseline)
        top -= up + down + spare
    shapes += _text(head, foot, height, foot_height)
    shapes.append(purpose_line(WIDTH / 2, _TEXT))
    return Drawing(WIDTH, height, tuple(shapes), title)


def _piece(ecg: Ecg, lead: str, start: float, length: float) -> FloatArray | None:
    """Millimetres above the lead's own level (its median over what is shown), or None for a missing lead."""
    index = LEADS.index(lead)
    if not ecg.lead_mask[index]:
        return None
    shown = ecg.millivolts[index, : int(round(4 * _COLUMN_S * ecg.rate))]
    first = int(round(start * ecg.rate))
    piece = shown[first : first + int(round(length * ecg.rate)) + 1]
    return np.asarray((piece - np.median(shown)) * MM_PER_MV, dtype=np.float32)


def _trace(ecg: Ecg, lead: str, column: int, running: bool) -> _Trace:
    start = column * _COLUMN_S if running else 0.0
    width = _COLUMN_S * MM_PER_SECOND
    piece = _piece(ecg, lead, start, _COLUMN_S)
    return _Trace(lead, _TRACE_LEFT + column * width, width, piece, MM_PER_SECOND / ecg.rate)


def _strip(ecg: Ecg, lead: str) -> _Trace:
    length = 4 * _COLUMN_S
    piece = _piece(ecg, lead, 0.0, length)
    return _Trace(lead, _TRACE_LEFT, length * MM_PER_SECOND, piece, MM_PER_SECOND / ecg.rate)


def _label_height(trace: _Trace) -> float:
    """Where the lead's name stands above the baseline: over its own first wave, never on it."""
    if trace.heights is None or trace.heights.size == 0:
        return 5.0
    near = int((text_width(trace.lead, _LABEL, bold=True) + 4.0) / trace.mm_per_sample) + 1
    return float(np.clip(trace.heights[:near].max() + 1.2 + _LABEL / 2, 5.0, _MOST + _LABEL))


def _row_room(row: Sequence[_Trace]) -> tuple[float, float]:
    """Millimetres a row needs above and below its baseline so that nothing meets the next row."""
    drawn = [t.heights for t in row if t.heights is not None and t.heights.size]
    highest = max((float(h.max()) for h in drawn), default=0.0)
    lowest = min((float(h.min()) for h in drawn), default=0.0)
    labels = max(_label_height(t) + 0.7 * _LABEL for t in row)
    up, down = (_MOST + 5.0 if extent > _MOST else extent + 1.5 for extent in (highest, -lowest))
    return float(np.ceil(max(_ROOM_UP, up, labels))), float(np.ceil(max(_ROOM_DOWN, down)))


def _grid(grid: Box) -> tuple[Shape, ...]:
    left, bottom, right, top = grid

    def lines(step: float, every: bool) -> np.ndarray:
        xs, ys = np.arange(left, right + 0.01, step), np.arange(bottom, top + 0.01, step)
        upright = [((x, bottom), (x, top)) for i, x in enumerate(xs) if every or i % 5]
        level = [((left, y), (right, y)) for i, y in enumerate(ys) if every or i % 5]
        return np.array(upright + level)

    return Lines(lines(1.0, False), Stroke(PAPER_FINE, 0.1)), Lines(lines(5.0, True), Stroke(PAPER_BOLD, 0.2))


def _calibration(baseline: float) -> list[Shape]:
    """The 1 mV, 0.2 s pulse."""
    x, step = _GRID_LEFT + 5.0, 0.2 * MM_PER_SECOND
    up = baseline + MM_PER_MV
    pulse = [
        (x - 2.5, baseline),
        (x, baseline),
        (x, up),
        (x + step, up),
        (x + step, baseline),
        (x + step + 2.5, baseline),
    ]
    return [Polyline(points(pulse), _TRACE)]


def _painted(trace: _Trace, baseline: float) -> list[Shape]:
    shapes: list[Shape] = []
    if trace.left > _TRACE_LEFT:
        shapes.append(Polyline(points([(trace.left, baseline - 2.5), (trace.left, baseline + 2.5)]), Stroke(INK, 0.25)))
    name = Label(trace.left + 1.5, baseline + _label_height(trace), trace.lead, _LABEL, INK, "left", True, halo=WHITE)
    if trace.heights is None:
        x = trace.left + trace.width / 2
        return [*shapes, name, Label(x, baseline, "not recorded", _TEXT, MUTED, halo=WHITE)]
    times = trace.left + np.arange(trace.heights.size) * trace.mm_per_sample
    inside = times <= trace.left + trace.width + 1e-6
    heights = np.clip(trace.heights, -_MOST, _MOST)
    shapes.append(Polyline(points(np.column_stack([times, baseline + heights])[inside]), _TRACE))
    free = trace.left + 2.0 + text_width(trace.lead, _LABEL, bold=True)
    for sign, extreme in ((1.0, trace.heights.max(initial=0.0)), (-1.0, trace.heights.min(initial=0.0))):
        if abs(extreme) > _MOST:
            at = float(times[np.argmax(sign * trace.heights)])
            tip = baseline + sign * _MOST
            arrow = points([(at - 1.2, tip - sign * 2.2), (at + 1.2, tip - sign * 2.2), (at, tip)])
            shapes.append(Polygon((arrow,), INK))
            value = f"{extreme / MM_PER_MV:.1f} mV".replace("-", "−")
            half = text_width(value, 3.2) / 2
            middle = float(np.clip(at, free + half, trace.left + trace.width - half))
            shapes.append(Label(middle, tip + sign * 2.4, value, 3.2, INK, halo=WHITE))
    return [*shapes, name]


def _heading(ecg: Ecg, features: Sequence[str], anonymous: bool, title: str) -> tuple[list[str], list[str]]:
    """Title with date on the left, the measured features on the right."""
    date = "" if anonymous or ecg.acquired is None else f"recorded {ecg.acquired:%Y-%m-%d %H:%M}"
    if date and not ecg.date_trusted:
        date += NOT_TRUSTED
    left = [title] + ([date] if date else [])
    right = [part for line in features for part in wrap(line, 130.0, _TEXT)]
    return left, right


def _lines_used(head: tuple[list[str], list[str]]) -> int:
    return max(len(head[0]), len(head[1]))


def _footer(ecg: Ecg, seconds: float, running: bool) -> list[str]:
    shown = min(seconds, 4 * _COLUMN_S)
    lines = [ecg_scale(ecg.rate, shown, seconds, running)]
    missing = [name for name, ok in zip(LEADS, ecg.lead_mask, strict=True) if not ok]
    if missing:
        lines.append("Leads not recorded: " + ", ".join(missing))
    return lines


def _text(head: tuple[list[str], list[str]], foot: list[str], height: float, foot_height: float) -> list[Shape]:
    left, right = head
    shapes: list[Shape] = [Label(_GRID_LEFT, height - 8.0, left[0], 5.0, INK, "left", True)]
    shapes += [Label(_GRID_LEFT, height - 13.6 - 5.4 * i, t, _TEXT, INK, "left") for i, t in enumerate(left[1:])]
    x = _TRACE_LEFT + 2 * _COLUMN_S * MM_PER_SECOND
    shapes += [Label(x, height - 8.0 - 5.4 * i, text, _TEXT, INK, "left") for i, text in enumerate(right)]
    shapes += [Label(_GRID_LEFT, foot_height - 3.6 - 5.0 * i, t, _TEXT, MUTED, "left") for i, t in enumerate(foot)]
    return shapes
