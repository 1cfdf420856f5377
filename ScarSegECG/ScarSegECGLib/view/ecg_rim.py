"""What the ECG alone says, beside the image's finding and never in its colours.

What the estimate is above the normal limit (``measure.agreement``) is a narrow white rim with grey-blue
strokes, the denser the more; the verdicts are signs beside the segments' numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.facts_ecg import Agreement
from ScarSegECGLib.report.captions import RIM as RIM_WORDS
from ScarSegECGLib.view.legend import Key
from ScarSegECGLib.view.palette import ECG_STROKE, INK, NO_VALUE, RULE, WHITE, Colour
from ScarSegECGLib.view.shapes import Label, Lines, Polygon, Polyline, Shape, Stroke, Wedge, box_polygon, points
from ScarSegECGLib.wording import words

RIM = 1.5
"""Depth of the rim, mm."""
RIM_STEPS = (("0", 0.0, 0.0), ("1-25", 25.0, 3.0), ("26-50", 50.0, 1.5), ("51-75", 75.0, 0.9), ("76-100", 100.0, 0.55))
"""Words, upper limit (%) and distance of the strokes (mm; 0 = none) of each step."""
_STROKE = Stroke(ECG_STROKE, 0.26)
_SWATCH = (-2.2, -RIM / 2, 2.2, RIM / 2)


def rim_pitch(percent: float) -> float:
    """Distance of the rim's strokes for an estimate of 0..100 %, mm; 0 is none."""
    return next((pitch for _, top, pitch in RIM_STEPS if round(percent) <= top), RIM_STEPS[-1][2])


def rim_band(wedge: Wedge, percent: float | None, border: Stroke) -> Wedge:
    """The rim's ground along a segment's outer edge; grey where the ECG says nothing of the segment."""
    return replace(wedge, inner=wedge.outer - RIM, fill=NO_VALUE if percent is None else WHITE, stroke=border)


def rim_lines(wedges: Sequence[Wedge], percents: Sequence[float | None]) -> list[Lines]:
    """The hairlines that part the rims from their segments, and the strokes: one shape each, quickly painted."""
    arcs = [wedge.arc(wedge.outer - RIM) for wedge in wedges]
    hairs = [np.stack([arc[:-1], arc[1:]], axis=1) for arc in arcs]
    strokes = [
        _strokes(wedge, rim_pitch(percent))
        for wedge, percent in zip(wedges, percents, strict=True)
        if percent is not None and rim_pitch(percent)
    ]
    kinds = (hairs, Stroke(RULE, 0.22)), (strokes, _STROKE)
    return [Lines(np.concatenate(ends), stroke) for ends, stroke in kinds if ends]


def _strokes(wedge: Wedge, pitch: float) -> NDArray[np.float64]:
    """Ends of short radial lines, evenly over the wedge."""
    inner, outer = wedge.outer - RIM + 0.15, wedge.outer - 0.25
    span = wedge.end - wedge.start
    count = max(1, round(np.radians(span) * wedge.outer / pitch))
    turn = np.radians(wedge.start + (np.arange(count) + 0.5) * span / count)
    way = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    return np.stack([way * inner, way * outer], axis=1) + (wedge.x, wedge.y)


def rim_keys() -> tuple[list[Key], list[Key]]:
    """Two rows of the legend: what the rim is, and its steps as they are painted."""
    arc = Wedge(0.0, -6.0, 4.4, 7.4, 72.0, 108.0, NO_VALUE)
    sample: tuple[Shape, ...] = (arc, rim_band(arc, 60.0, Stroke(WHITE, 0.2)), *rim_lines([arc], [60.0]))
    steps = []
    for range_, _, pitch in RIM_STEPS:
        count = round((_SWATCH[2] - _SWATCH[0]) / pitch) if pitch else 0
        x = _SWATCH[0] + (np.arange(count) + 0.5) * (_SWATCH[2] - _SWATCH[0]) / max(count, 1)
        ends = np.stack([np.stack([x, np.full(count, level)], axis=-1) for level in (-0.55, 0.55)], axis=1)
        box = box_polygon(_SWATCH, fill=WHITE, stroke=Stroke(RULE, 0.22))
        steps.append(Key((box, Lines(ends, _STROKE)) if count else (box,), 4.4, range_))
    return [Key(sample, 4.6, RIM_WORDS)], steps


def mark(verdict: Agreement, ink: Colour, paper: Colour) -> tuple[Shape, ...]:
    """A verdict's sign round (0, 0), 2.4 mm wide: a tick; a cross in a dark disc; a question mark."""
    if verdict == Agreement.AGREE:
        return (Polyline(points([(-1.1, -0.05), (-0.4, -0.85), (1.1, 1.05)]), Stroke(ink, 0.5)),)
    if verdict == Agreement.DISAGREE:
        turn = np.radians(np.arange(0, 360, 15))
        disc = Polygon((points(1.3 * np.stack([np.cos(turn), np.sin(turn)], axis=-1)),), ink)
        strokes = [(-0.6, -0.6), (0.6, 0.6)], [(-0.6, 0.6), (0.6, -0.6)]
        return (disc, *(Polyline(points(line), Stroke(paper, 0.42)) for line in strokes))
    return (Label(0.0, 0.0, "?", 2.9, ink),)


def mark_keys(verdicts: set[Agreement | None], title: str) -> list[Key]:
    """The legend of the signs that occur, after the words that say what was held against what."""
    shown = [verdict for verdict in Agreement if verdict in verdicts]
    keys = [Key(mark(verdict, INK, WHITE), 2.6, words(verdict)) for verdict in shown]
    return [Key((), -1.0, title), *keys] if keys and title else keys
