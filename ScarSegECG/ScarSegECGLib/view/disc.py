"""The disc of every polar picture, laid out round (0, 0): the AHA segments, what stands round them, the polar map."""

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
from ScarSegECGLib.view.palette import INK, MUTED, NO_VALUE, RAMP, RULE, WHITE, Colour, colour_of
from ScarSegECGLib.view.shapes import Drawing, Label, Mark, RasterImage, Shape, Stroke, around, rectangle
from ScarSegECGLib.view.sheet import SMALL, Key, Legend, sheet, wall_names

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
_HOLE, _BORDER = 5.0, Stroke(INK, 0.3)  # of the polar map
_BORDERS_DEG = {"apical": range(45, 360, 90), "mid": range(0, 360, 60), "basal": range(0, 360, 60)}
Steps = Sequence[tuple[str, Colour]]


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


def disc_sheet(disc: Iterable[Shape], legend: Legend, steps: Steps = (), **said: str) -> Drawing:
    """Set a disc on a sheet of 90 mm, above a bar of its colours from 0 to 100 or, with words, in ``steps``."""
    body = (*disc, *wall_names(0.0, 0.0, RADIUS + 3.4, _WORD_SIZE, MUTED), *_bar(steps))
    box = (-WIDTH / 2, -RADIUS - 14.9, WIDTH / 2, RADIUS + 6.8)
    return sheet(body, box, legend=legend, **said)


def _bar(steps: Steps) -> Iterator[Shape]:
    """The colour bar below the disc, with its words."""
    bottom, top, edge = -RADIUS - 10.5, -RADIUS - 7.3, Stroke(RULE, 0.2)
    places = np.linspace(-34.0, 34.0, len(steps) + 1).tolist()
    for (left, right), (words, fill) in zip(pairwise(places), steps, strict=True):
        yield Mark(rectangle(left, bottom, right, top), fill, stroke=edge)
        yield Label((left + right) / 2, bottom - 0.85 * SMALL, words, SMALL, MUTED)
    if not steps:
        left, right = -29.0, 29.0
        yield RasterImage((left, bottom, right, top), RAMP(np.arange(RAMP.N)[None], bytes=True))
        yield Mark(rectangle(left, bottom, right, top), stroke=edge)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            at = left + share * (right - left)
            yield Label(at, bottom - 0.85 * SMALL, f"{100 * share:.0f}", SMALL, MUTED)


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

    ``percent``, shape (slice, angle), is 0..100, apex first, NaN where nothing is known. Angle bin ``i`` of ``n``
    begins at ``i * 360 / n`` degrees of the bullseye's frame (0 = lateral, counter-clockwise, anterior up). A slice
    whose level is "apical", "mid" or "basal" gets its AHA borders. InputError for another shape, or none.
    """
    table = np.asarray(percent, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"A polar map needs an array of [slice, angle], not of shape {table.shape}")
    edges = np.linspace(_HOLE, RADIUS, len(table) + 1).tolist()
    turns = np.linspace(0.0, 360.0, table.shape[1] + 1).tolist()
    disc: list[Shape] = []
    for ring, values in zip(pairwise(edges), table.tolist(), strict=True):
        for span, value in zip(pairwise(turns), values, strict=True):
            colour = colour_of(value, 0.0, 100.0)
            # Its own edge covers the hair that two fills leave between them.
            disc.append(Mark(Wedge(*ring, *span).path, colour, stroke=Stroke(colour, 0.2)))
    disc += [circle(edge, Stroke(WHITE, 0.12)) for edge in edges[1:-1]]
    disc += [circle(RADIUS), circle(_HOLE)]
    for i, level in enumerate(levels):
        if i and level != levels[i - 1]:
            disc.append(circle(edges[i], _BORDER))
        if level in _BORDERS_DEG:
            ends = [around(radius, _BORDERS_DEG[level]) for radius in edges[i : i + 2]]
            disc.append(Mark(shapes.pieces(np.stack(ends, axis=1)), stroke=_BORDER))
    disc.append(Label(0.0, 0.0, "apex", 2.9))
    legend = [[NO_VALUE_KEY]] if np.isnan(table).any() else []
    return disc_sheet(disc, legend, title=title, subtitle=subtitle, caption=axis)
