"""The disc of every polar picture: where the AHA segments lie on it, what stands round it, and the polar map.

It is laid out round (0, 0) and set on its sheet as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from ScarSegECGLib.anatomy.segments import RING_SEGMENTS
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view import shapes
from ScarSegECGLib.view.palette import INK, MUTED, NO_VALUE, RAMP, RULE, WHITE, Colour, colours_of
from ScarSegECGLib.view.shapes import Drawing, Label, Mark, RasterImage, Shape, Stroke, around, rectangle
from ScarSegECGLib.view.sheet import SMALL, Key, sheet, wall_names

WIDTH, RADIUS = 90.0, 36.0
EDGES = (RADIUS * 0.2, RADIUS * 0.465, RADIUS * 0.735, RADIUS)
"""Outer radii of cap, apical, mid and basal ring."""
_EDGE_LINE = Stroke(RULE, 0.25)
# Borders of the usual territories: angle, and between which of EDGES; edge, and between which angles.
_RADIAL = ((60, 1, 3), (180, 1, 3), (300, 1, 3), (45, 0, 1), (225, 0, 1), (315, 0, 1))
_ALONG = ((1, 45, 60), (1, 180, 225), (1, 300, 315))
_ROUND_THE_CAP = (0, 225, 405)
_TERRITORY_AT = {"LAD": 132.0, "RCA": 228.0, "LCX": 312.0}
_WORD_SIZE = 3.2
_BAR_HEIGHT, _BAR_Y, _DISC_Y = 3.2, 4.4, 14.9
_HOLE, _PIXELS, _BORDER = 5.0, 480, Stroke(INK, 0.3)  # of the polar map
_BORDERS_DEG = {"apical": range(45, 360, 90), "mid": range(0, 360, 60), "basal": range(0, 360, 60)}


@dataclass(frozen=True)
class Wedge:
    """Part of a ring between two radii and two angles; ``end - start`` of 360 is the whole ring."""

    inner: float
    outer: float
    start: float
    end: float

    def arc(self, radius: float) -> NDArray[np.float64]:
        """Points along the wedge at one radius, from start to end, 3 degrees or less apart."""
        count = max(2, int(np.ceil((self.end - self.start) / 3.0)) + 1)
        return around(radius, np.linspace(self.start, self.end, count))

    @cached_property
    def path(self) -> Path:
        """The outline."""
        outer, inner = self.arc(self.outer), self.arc(self.inner)[::-1]
        if self.end - self.start < 360.0:
            return shapes.closed(np.vstack([outer, inner]))
        return shapes.closed(outer, inner) if self.inner else shapes.closed(outer)


@cache
def segment_wedge(number: int) -> Wedge:
    """An AHA segment's place on the disc.

    0 degrees = lateral (right), counter-clockwise, anterior up: segment 1 is 60..120 (Cerqueira et al. 2002).
    """
    for (inner, outer), numbers in zip(pairwise((0.0, *EDGES)), reversed(RING_SEGMENTS), strict=True):
        if number in numbers:
            width = 360.0 / len(numbers)
            start = (90.0 - width / 2 + width * numbers.index(number)) % 360.0
            return Wedge(inner, outer, start, start + width)
    raise ValueError(f"AHA segments run from 1 to 17, not {number}")


def circle(radius: float, stroke: Stroke = _EDGE_LINE, fill: Colour | None = None) -> Mark:
    """A whole circle."""
    return Mark(Path.circle((0.0, 0.0), radius), fill, stroke=stroke)


def swatch(words: str, fill: Colour, *marks: Shape) -> Key:
    """A filled box in the legend."""
    return Key((Mark(rectangle(-1.9, -1.3, 1.9, 1.3), fill, stroke=_EDGE_LINE), *marks), 4.0, words)


NO_VALUE_KEY = swatch("no value", NO_VALUE)


def disc_sheet(
    disc: Iterable[Shape],
    legend: Sequence[Sequence[Key]],
    *,
    title: str,
    subtitle: str,
    axis: str,
    steps: Sequence[tuple[str, Colour]] = (),
) -> Drawing:
    """Set a disc above its colour bar on a sheet of 90 mm.

    ``axis`` says below the bar of what the values are a part; ``steps`` are words and colours of a bar in place of the
    smooth one from 0 to 100. The rest is as :func:`~ScarSegECGLib.view.sheet.sheet` takes it.
    """
    x = WIDTH / 2

    def body(bottom: float) -> Iterator[Shape]:
        y = bottom + _DISC_Y + RADIUS
        yield from (shapes.moved(shape, x, y) for shape in disc)
        yield from wall_names(x, y, RADIUS + 3.4, _WORD_SIZE, MUTED)
        yield from _stepped_bar(bottom + _BAR_Y, steps) if steps else _smooth_bar(bottom + _BAR_Y)

    height = _DISC_Y + 2 * RADIUS + 6.8
    return sheet((WIDTH, height), body, title=title, subtitle=subtitle, caption=axis, legend=legend)


def _smooth_bar(y: float) -> Iterator[Shape]:
    left, right = 16.0, WIDTH - 16.0
    box = (left, y, right, y + _BAR_HEIGHT)
    yield RasterImage(box, np.rint(RAMP[None] * 255).astype(np.uint8))
    yield Mark(rectangle(*box), stroke=Stroke(RULE, 0.2))
    for value in (0, 25, 50, 75, 100):
        yield Label(left + value / 100 * (right - left), y - 0.85 * SMALL, f"{value}", SMALL, MUTED)


def _stepped_bar(y: float, steps: Sequence[tuple[str, Colour]]) -> Iterator[Shape]:
    edges = np.linspace(11.0, WIDTH - 11.0, len(steps) + 1).tolist()
    for (left, right), (words, fill) in zip(pairwise(edges), steps, strict=True):
        yield Mark(rectangle(left, y, right, y + _BAR_HEIGHT), fill, stroke=Stroke(RULE, 0.2))
        yield Label((left + right) / 2, y - 0.85 * SMALL, words, SMALL, MUTED)


@cache
def territory_marks(with_cap: bool) -> tuple[Shape, ...]:
    """Borders between the usual coronary territories, and their names outside the disc."""
    along = (*_ALONG, _ROUND_THE_CAP) if with_cap else _ALONG
    lines = [around([EDGES[inner], EDGES[outer]], angle) for angle, inner, outer in _RADIAL]
    lines += [Wedge(0.0, EDGES[edge], start, end).arc(EDGES[edge]) for edge, start, end in along]
    path = Path.make_compound_path(*map(Path, lines))
    light, dark = Stroke(WHITE, 1.5), Stroke(INK, 0.75)  # the border runs between dark segments too
    names = []
    for artery, angle in _TERRITORY_AT.items():
        across, up = around(1.0, angle).tolist()
        at = (RADIUS + 1.8) * across, (RADIUS + 2.6) * up
        names.append(Label(*at, artery, _WORD_SIZE, INK, "right" if across < 0 else "left", bold=True))
    return Mark(path, stroke=light), Mark(path, stroke=dark), *names


def polar_map(
    percent: ArrayLike, levels: Sequence[str] = (), *, title: str = "", subtitle: str = "", axis: str = "%"
) -> Drawing:
    """Lay out a polar map: slices are rings of equal width, the apex inside, nothing averaged over a segment.

    Parameters
    ----------
    percent : float array, shape (slice, angle)
        0..100, apex first. Angle bin ``i`` of ``n`` covers ``i * 360 / n .. (i + 1) * 360 / n`` degrees in the
        bullseye's frame (0 = lateral, counter-clockwise, anterior up). NaN where nothing is known. InputError where it
        is not two-dimensional or empty.
    levels : sequence of str, optional
        "apical", "mid" or "basal" per slice: draws the AHA borders; any other word draws none.
    """
    table = np.asarray(percent, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"A polar map needs an array of [slice, angle], not of shape {table.shape}")
    edges = np.linspace(_HOLE, RADIUS, len(table) + 1).tolist()
    disc: list[Shape] = [RasterImage((-RADIUS, -RADIUS, RADIUS, RADIUS), _pixels(table))]
    disc += [circle(edge, Stroke(WHITE, 0.12)) for edge in edges[1:-1]]
    disc += [circle(RADIUS), circle(_HOLE, fill=WHITE)]
    for i, level in enumerate(levels):
        if i and level != levels[i - 1]:
            disc.append(circle(edges[i], _BORDER))
        if level in _BORDERS_DEG:
            ends = [around(radius, _BORDERS_DEG[level]) for radius in edges[i : i + 2]]
            disc.append(Mark(shapes.pieces(np.stack(ends, axis=1)), stroke=_BORDER))
    disc.append(Label(0.0, 0.0, "apex", 2.9))
    legend = [[NO_VALUE_KEY]] if np.isnan(table).any() else []
    return disc_sheet(disc, legend, title=title, subtitle=subtitle, axis=axis)


def _pixels(table: NDArray) -> NDArray:
    """The disc as RGBA pixels; transparent outside and in the hole."""
    slices, angles = table.shape
    at = ((np.arange(_PIXELS) + 0.5) / _PIXELS * 2 - 1) * RADIUS
    dx, dy = np.meshgrid(at, -at)
    ring = np.floor((np.hypot(dx, dy) - _HOLE) / (RADIUS - _HOLE) * slices).astype(int)
    column = (np.degrees(np.arctan2(dy, dx)) % 360.0 / 360.0 * angles).astype(int)
    colours = colours_of(table[ring.clip(0, slices - 1), column.clip(0, angles - 1)], 0.0, 100.0)
    return np.rint(np.dstack([colours, (ring >= 0) & (ring < slices)]) * 255).astype(np.uint8)
