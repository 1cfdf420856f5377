"""The disc of every polar picture: where the AHA segments lie on it, what stands round it, and the polar map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ScarSegECGLib.anatomy.segments import RING_SEGMENTS, USUAL_TERRITORIES
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.palette import INK, MUTED, NO_VALUE, RAMP, RULE, WHITE, Colour, colours_of
from ScarSegECGLib.view.shapes import Drawing, Label, Lines, RasterImage, Shape, Stroke, Wedge, around, box_polygon
from ScarSegECGLib.view.sheet import SMALL, Key, sheet, wall_names

WIDTH, RADIUS = 90.0, 36.0
EDGES = (RADIUS * 0.2, RADIUS * 0.465, RADIUS * 0.735, RADIUS)
"""Outer radii of cap, apical, mid and basal ring."""
_EDGE_LINE = Stroke(RULE, 0.25)
_TERRITORY_AT = {"LAD": 132.0, "RCA": 228.0, "LCX": 312.0}
_WORD_SIZE = 3.2
_BAR_HEIGHT, _BAR_Y, _DISC_Y = 3.2, 4.4, 14.9
_HOLE, _PIXELS, _BORDER = 5.0, 480, Stroke(INK, 0.3)  # of the polar map
_BORDERS_DEG = {"apical": range(45, 360, 90), "mid": range(0, 360, 60), "basal": range(0, 360, 60)}


def span(number: int) -> tuple[int, float, float]:
    """Ring (0 cap, 1 apical, 2 mid, 3 basal), start and end angle (degrees) of an AHA segment.

    0 = lateral (right), counter-clockwise, anterior up: segment 1 is 60..120 (Cerqueira et al. 2002).
    """
    for ring, numbers in enumerate(reversed(RING_SEGMENTS)):
        if number in numbers:
            width = 360.0 / len(numbers)
            start = (90.0 - width / 2 + width * numbers.index(number)) % 360.0
            return ring, start, start + width
    raise ValueError(f"AHA segments run from 1 to 17, not {number}")


def segment_wedge(number: int, x: float, y: float) -> Wedge:
    """An AHA segment's place on the disc round (x, y)."""
    ring, start, end = span(number)
    return Wedge(x, y, EDGES[ring - 1] if ring else 0.0, EDGES[ring], start, end, key=number)


def circle(x: float, y: float, radius: float, stroke: Stroke = _EDGE_LINE, fill: Colour | None = None) -> Wedge:
    """A whole circle."""
    return Wedge(x, y, 0.0, radius, 0.0, 360.0, fill, stroke=stroke)


def swatch(words: str, fill: Colour, *marks: Shape) -> Key:
    """A filled box in the legend."""
    return Key((box_polygon((-1.9, -1.3, 1.9, 1.3), fill=fill, stroke=_EDGE_LINE), *marks), 4.0, words)


NO_VALUE_KEY = swatch("no value", NO_VALUE)


def disc_sheet(
    paint: Callable[[float, float], Iterable[Shape]],
    legend: Sequence[Sequence[Key]],
    *,
    title: str,
    subtitle: str,
    axis: str,
    steps: Sequence[tuple[str, Colour]] = (),
) -> Drawing:
    """Set a disc, painted round the centre that ``paint`` is told (mm), above its colour bar on a sheet of 90 mm.

    ``axis`` says below the bar of what the values are a part; ``steps`` are words and colours of a bar in place of the
    smooth one from 0 to 100. The rest is as :func:`~ScarSegECGLib.view.sheet.sheet` takes it.
    """
    x = WIDTH / 2

    def body(bottom: float) -> Iterator[Shape]:
        y = bottom + _DISC_Y + RADIUS
        yield from paint(x, y)
        yield from wall_names(x, y, RADIUS + 3.4, _WORD_SIZE, MUTED)
        yield from _stepped_bar(bottom + _BAR_Y, steps) if steps else _smooth_bar(bottom + _BAR_Y)

    height = _DISC_Y + 2 * RADIUS + 6.8
    return sheet((WIDTH, height), body, title=title, subtitle=subtitle, caption=axis, legend=legend)


def _smooth_bar(y: float) -> Iterator[Shape]:
    left, right = 16.0, WIDTH - 16.0
    box = (left, y, right, y + _BAR_HEIGHT)
    yield RasterImage(box, np.rint(RAMP[None] * 255).astype(np.uint8))
    yield box_polygon(box, stroke=Stroke(RULE, 0.2))
    for value in (0, 25, 50, 75, 100):
        yield Label(left + value / 100 * (right - left), y - 0.85 * SMALL, f"{value}", SMALL, MUTED)


def _stepped_bar(y: float, steps: Sequence[tuple[str, Colour]]) -> Iterator[Shape]:
    edges = np.linspace(11.0, WIDTH - 11.0, len(steps) + 1).tolist()
    for left, right, (words, fill) in zip(edges, edges[1:], steps, strict=False):
        yield box_polygon((left, y, right, y + _BAR_HEIGHT), fill=fill, stroke=Stroke(RULE, 0.2))
        yield Label((left + right) / 2, y - 0.85 * SMALL, words, SMALL, MUTED)


def territory_marks(count: int, x: float, y: float) -> Iterator[Shape]:
    """Borders between the usual coronary territories, and their names outside the disc."""
    step = 15
    owner = np.full((4, 360 // step), "", dtype=object)
    for artery, numbers in USUAL_TERRITORIES.items():
        for ring, start, end in (span(number) for number in numbers if number <= count):
            owner[ring, np.arange(start, end, step).astype(int) // step % owner.shape[1]] = artery
    lines = []
    for ring in (1, 2, 3):
        for i, artery in enumerate(owner[ring]):
            inner, outer = EDGES[ring - 1], EDGES[ring]
            if artery != owner[ring, i - 1]:
                lines.append(np.array([[around(inner, i * step, x, y), around(outer, i * step, x, y)]]))
            if owner[ring - 1, i] not in ("", artery):
                arc = Wedge(x, y, 0.0, inner, i * step, (i + 1) * step).arc(inner)
                lines.append(np.stack([arc[:-1], arc[1:]], axis=1))
    ends = np.concatenate(lines)
    yield Lines(ends, Stroke(WHITE, 1.5))  # the border runs between dark segments too
    yield Lines(ends, Stroke(INK, 0.75))
    for artery, angle in _TERRITORY_AT.items():
        across, up = around(1.0, angle)
        at = x + (RADIUS + 1.8) * float(across), y + (RADIUS + 2.6) * float(up)
        yield Label(*at, artery, _WORD_SIZE, INK, "right" if across < 0 else "left", bold=True)


def polar_map(
    percent: ArrayLike, levels: Sequence[str] = (), *, title: str = "", subtitle: str = "", axis: str = "%"
) -> Drawing:
    """Lay out a polar map: slices are rings of equal width, the apex inside, nothing averaged over a segment.

    Parameters
    ----------
    percent : float array, shape (slice, angle)
        0..100, apex first. Angle bin ``i`` of ``n`` covers ``i * 360 / n .. (i + 1) * 360 / n`` degrees in the
        bullseye's frame (0 = lateral, counter-clockwise, anterior up). NaN where nothing is known.
    levels : sequence of str, optional
        "apical", "mid" or "basal" per slice: draws the AHA borders; any other word draws none.

    Raises
    ------
    InputError
        When the array is not two-dimensional or empty.
    """
    table = np.asarray(percent, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"A polar map needs an array of [slice, angle], not of shape {table.shape}")
    edges = np.linspace(_HOLE, RADIUS, len(table) + 1).tolist()

    def paint(x: float, y: float) -> Iterator[Shape]:
        yield RasterImage((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), _pixels(table))
        yield from (circle(x, y, edge, Stroke(WHITE, 0.12)) for edge in edges[1:-1])
        yield circle(x, y, RADIUS)
        yield circle(x, y, _HOLE, fill=WHITE)
        for i, level in enumerate(levels):
            if i and level != levels[i - 1]:
                yield circle(x, y, edges[i], _BORDER)
            if level in _BORDERS_DEG:
                ends = [around(radius, _BORDERS_DEG[level], x, y) for radius in edges[i : i + 2]]
                yield Lines(np.stack(ends, axis=1), _BORDER)
        yield Label(x, y, "apex", 2.9)

    legend = [[NO_VALUE_KEY]] if np.isnan(table).any() else []
    return disc_sheet(paint, legend, title=title, subtitle=subtitle, axis=axis)


def _pixels(table: NDArray) -> NDArray:
    """The disc as RGBA pixels; transparent outside and in the hole."""
    slices, angles = table.shape
    at = ((np.arange(_PIXELS) + 0.5) / _PIXELS * 2 - 1) * RADIUS
    dx, dy = np.meshgrid(at, -at)
    ring = np.floor((np.hypot(dx, dy) - _HOLE) / (RADIUS - _HOLE) * slices).astype(int)
    column = (np.degrees(np.arctan2(dy, dx)) % 360.0 / 360.0 * angles).astype(int)
    colours = colours_of(table[ring.clip(0, slices - 1), column.clip(0, angles - 1)], 0.0, 100.0)
    return np.rint(np.dstack([colours, (ring >= 0) & (ring < slices)]) * 255).astype(np.uint8)
