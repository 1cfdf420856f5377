"""The disc of every polar picture: where the AHA segments lie on it, and what stands round it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.view.legend import LEADING, PURPOSE_ROOM, SMALL, Key, colour_bar, heading, key_rows, purpose_line
from ScarSegECGLib.view.palette import INK, MUTED, WHITE
from ScarSegECGLib.view.shapes import Box, Drawing, Label, Lines, Polygon, Shape, Stroke, Wedge, wrap

WIDTH, RADIUS = 90.0, 36.0
TERRITORIES = {"LAD": (1, 2, 7, 8, 13, 14, 17), "RCA": (3, 4, 9, 10, 15), "LCX": (5, 6, 11, 12, 16)}
"""Usual coronary territories (Cerqueira et al. 2002); about a quarter of infarcted segments disagree."""
_TERRITORY_AT = {"LAD": 132.0, "RCA": 228.0, "LCX": 312.0}
_WORD_SIZE = 3.2
_AXIS_LEADING, _HEAD_LEADING = 4.4, 5.0


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


def disc_drawing(
    paint: Callable[[float, float], Iterable[Shape]],
    rows: Sequence[Sequence[Key]],
    *,
    title: str,
    subtitle: str,
    axis: str,
    bar: Callable[[float], Iterable[Shape]] | None = None,
) -> Drawing:
    """Set a disc under its title and above its colour bar and legend, on a sheet of 90 mm.

    Parameters
    ----------
    paint : callable
        Gives the disc's shapes, round the centre it is told (mm).
    rows : rows of Key
        The legend.
    title, subtitle : str
        Wrapped; the subtitle says how the values were found.
    axis : str
        Below the colour bar: of what the values are a part.
    bar : callable, optional
        Gives the bar with its lower edge where it is told (mm); by default a smooth one from 0 to 100.
    """
    x, words = WIDTH / 2, WIDTH - 6.0
    below = wrap(axis, words, SMALL)
    bar_y = 7.6 + PURPOSE_ROOM + LEADING * len(rows) + _AXIS_LEADING * len(below)
    y = bar_y + 10.5 + RADIUS
    head = heading(title, subtitle, x, 0.0, words, _HEAD_LEADING)
    height = y + RADIUS + 6.8 + (1.2 + _HEAD_LEADING * len(head) if head else 0.0)
    smooth: Box = (16.0, bar_y, WIDTH - 16.0, bar_y + 3.2)
    shapes = (
        *paint(x, y),
        *_orientation_words(x, y),
        *(replace(line, y=line.y + height - 3.8) for line in head),
        *(bar(bar_y) if bar else colour_bar(smooth)),
        *(Label(x, bar_y - 7.0 - _AXIS_LEADING * i, line, SMALL, INK) for i, line in enumerate(below)),
        *key_rows(rows, x, bar_y - 7.4 - _AXIS_LEADING * len(below)),
        purpose_line(x),
    )
    return Drawing(WIDTH, height, shapes, ", ".join(filter(None, (title, *subtitle.split("\n")))))


def _orientation_words(x: float, y: float) -> tuple[Label, ...]:
    off = RADIUS + 3.4
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
    lines: list[NDArray[np.float64]] = []
    for ring, row in enumerate(grid):
        inner = edges[ring - 1] if ring else 0.0
        for i in range(len(row)):
            if ring and row[i] != row[i - 1]:
                edge = Wedge(x, y, inner, edges[ring], i * step, i * step)
                lines.append(np.array([[edge.arc(inner)[0], edge.arc(edges[ring])[0]]]))
            if ring and grid[ring - 1, i] not in ("", row[i]):
                arc = Wedge(x, y, 0, inner, i * step, (i + 1) * step).arc(inner)
                lines.append(np.stack([arc[:-1], arc[1:]], axis=1))
    # A white edge, for the border runs between dark segments too.
    ends = np.concatenate(lines)
    shapes: list[Shape] = [Lines(ends, stroke) for stroke in (Stroke(WHITE, 1.5), Stroke(INK, 0.75))]
    for owner, angle in _TERRITORY_AT.items():
        turn = np.radians(angle)
        align: Literal["left", "right"] = "right" if np.cos(turn) < 0 else "left"
        at = (x + (edges[-1] + 1.8) * np.cos(turn), y + (edges[-1] + 2.6) * np.sin(turn))
        shapes.append(Label(float(at[0]), float(at[1]), owner, _WORD_SIZE, INK, align, bold=True))
    return tuple(shapes)


def hatch(region: Wedge | Polygon, spacing: float, avoid: tuple[Box, ...], stroke: Stroke) -> Lines:
    """Diagonal hatch inside an area, leaving out boxes (its label)."""
    rings = np.vstack(region.rings)
    low, high = rings.min(axis=0), rings.max(axis=0)
    (x, y), reach, step = (low + high) / 2, float(np.hypot(*(high - low))) / 2, 0.12
    along = np.arange(-reach, reach, step)
    # Lines through the middle, so that an island narrower than the spacing gets one.
    offsets = spacing * np.arange(-int(reach / spacing), int(reach / spacing) + 1)[:, None]
    at = np.stack([x + (along - offsets) * np.sqrt(0.5), y + (along + offsets) * np.sqrt(0.5)], axis=-1)
    inside = region.contains(at)
    for left, bottom, right, top in avoid:
        inside &= ~np.all((at > (left, bottom)) & (at < (right, top)), axis=-1)
    # Ends of the runs of points that lie inside, line by line.
    steps = np.diff(np.pad(inside.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (line, first), (_, past) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    return Lines(np.stack([at[line, first], at[line, past - 1]], axis=1).reshape(-1, 2, 2), stroke)
