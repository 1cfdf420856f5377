"""Where the AHA segments lie on a plot, and the marks that every such plot shares."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ScarSegECGLib.view.palette import INK, MUTED
from ScarSegECGLib.view.shapes import Box, Label, Lines, Polyline, Shape, Stroke, Wedge, points

TERRITORIES = {"LAD": (1, 2, 7, 8, 13, 14, 17), "RCA": (3, 4, 9, 10, 15), "LCX": (5, 6, 11, 12, 16)}
"""Usual coronary territories (Cerqueira et al. 2002); about a quarter of infarcted segments disagree."""
_TERRITORY_AT = {"LAD": 132.0, "RCA": 228.0, "LCX": 312.0}
_WORD_SIZE = 3.2


def span(number: int) -> tuple[int, float, float]:
    """Ring (0 cap, 1 apical, 2 mid, 3 basal), start and end angle (degrees) of an AHA segment.

    0 = lateral (right), counter-clockwise, anterior up: segment 1 is 60..120 (Cerqueira et al. 2002).

    Raises
    ------
    ValueError
        For a number outside 1..17.
    """
    if not 1 <= number <= 17:
        raise ValueError(f"AHA segments run from 1 to 17, not {number}")
    if number == 17:
        return 0, 0.0, 360.0
    if number >= 13:
        start = 45.0 + 90.0 * (number - 13)
        return 1, start, start + 90.0
    ring, place = (3, number - 1) if number <= 6 else (2, number - 7)
    start = (60.0 + 60.0 * place) % 360.0
    return ring, start, start + 60.0


def segment_wedge(number: int, x: float, y: float, edges: tuple[float, ...]) -> Wedge:
    """An AHA segment's place on the bullseye round (x, y); ``edges`` are the outer radii of cap .. base."""
    ring, start, end = span(number)
    return Wedge(x, y, edges[ring - 1] if ring else 0.0, edges[ring], start, end, key=number)


def orientation_words(x: float, y: float, radius: float) -> tuple[Label, ...]:
    """The four walls, round a disc."""
    off = radius + 3.4
    return (
        Label(x, y + off, "anterior", _WORD_SIZE, MUTED),
        Label(x, y - off, "inferior", _WORD_SIZE, MUTED),
        Label(x - off, y, "septal", _WORD_SIZE, MUTED, turn=90.0),
        Label(x + off, y, "lateral", _WORD_SIZE, MUTED, turn=-90.0),
    )


def territory_marks(count: int, x: float, y: float, edges: tuple[float, ...]) -> tuple[Shape, ...]:
    """Borders between the usual coronary territories, and their names outside the disc."""
    name = {number: owner for owner, numbers in TERRITORIES.items() for number in numbers if number <= count}
    step = 15.0
    grid = np.full((4, int(360 / step)), "", dtype=object)
    for number, owner in name.items():
        ring, start, end = span(number)
        turns = (np.arange(start, end, step) / step).astype(int) % grid.shape[1]
        grid[ring, turns] = owner
    stroke = Stroke(INK, 0.75)
    shapes: list[Shape] = []
    for ring, row in enumerate(grid):
        inner = edges[ring - 1] if ring else 0.0
        for i in range(len(row)):
            if ring and row[i] != row[i - 1]:
                edge = Wedge(x, y, inner, edges[ring], i * step, i * step)
                shapes.append(Polyline(points([edge.arc(inner)[0], edge.arc(edges[ring])[0]]), stroke))
            if ring and grid[ring - 1, i] not in ("", row[i]):
                shapes.append(Polyline(Wedge(x, y, 0, inner, i * step, (i + 1) * step).arc(inner), stroke))
    for owner, angle in _TERRITORY_AT.items():
        turn = np.radians(angle)
        align: Literal["left", "right"] = "right" if np.cos(turn) < 0 else "left"
        at = (x + (edges[-1] + 1.8) * np.cos(turn), y + (edges[-1] + 2.6) * np.sin(turn))
        shapes.append(Label(float(at[0]), float(at[1]), owner, _WORD_SIZE, INK, align, bold=True))
    return tuple(shapes)


def hatch(region: Wedge, spacing: float, avoid: tuple[Box, ...], stroke: Stroke) -> Lines:
    """Diagonal hatch inside a wedge, leaving out boxes (its label)."""
    reach, step = region.outer * 1.5, 0.12
    along = np.arange(-reach, reach, step)
    offsets = np.arange(-reach, reach, spacing)[:, None]
    at = np.stack([region.x + (along - offsets) * np.sqrt(0.5), region.y + (along + offsets) * np.sqrt(0.5)], axis=-1)
    inside = region.contains(at)
    for left, bottom, right, top in avoid:
        inside &= ~np.all((at > (left, bottom)) & (at < (right, top)), axis=-1)
    # Ends of the runs of points that lie inside, line by line.
    steps = np.diff(np.pad(inside.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (line, first), (_, past) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    return Lines(np.stack([at[line, first], at[line, past - 1]], axis=1).reshape(-1, 2, 2), stroke)
