"""The transmurality polar map: every slice and every angle, nothing averaged over a segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.disc import RADIUS, disc_drawing
from ScarSegECGLib.view.legend import Key
from ScarSegECGLib.view.palette import INK, NO_VALUE, RULE, WHITE, colours_of
from ScarSegECGLib.view.shapes import Drawing, Label, Lines, RasterImage, Shape, Stroke, Wedge, box_polygon

_HOLE = 5.0
_PIXELS = 480
_BORDERS = {"apical": (45, 135, 225, 315), "mid": (0, 60, 120, 180, 240, 300), "basal": (0, 60, 120, 180, 240, 300)}


def polar_map(
    percent: ArrayLike, levels: Sequence[str] = (), *, title: str = "", subtitle: str = "", axis: str = "%"
) -> Drawing:
    """Lay out a polar map.

    Parameters
    ----------
    percent : float array, shape (slice, angle)
        0..100, apex first. Angle bin ``i`` of ``n`` covers ``i * 360 / n .. (i + 1) * 360 / n`` degrees in the
        bullseye's frame (0 = lateral, counter-clockwise, anterior up). NaN where nothing is known.
    levels : sequence of str, optional
        "apical", "mid" or "basal" per slice: draws the AHA borders; any other word draws none.
    title, subtitle, axis : str
        As in :class:`~ScarSegECGLib.view.bullseye.BullseyeStyle`.

    Returns
    -------
    Drawing
        90 mm wide; slices are rings of equal width, the apex inside.

    Raises
    ------
    InputError
        When the array is not two-dimensional or empty, or ``levels`` do not fit it.
    """
    table = np.asarray(percent, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"A polar map needs an array of [slice, angle], not of shape {table.shape}")
    if levels and len(levels) != len(table):
        raise InputError(f"{len(levels)} levels for {len(table)} slices: give one per slice")
    edges = np.linspace(_HOLE, RADIUS, len(table) + 1)

    def paint(x: float, y: float) -> Iterator[Shape]:
        yield RasterImage((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), _pixels(table))
        for edge in edges[1:-1]:
            yield Wedge(x, y, 0.0, float(edge), 0.0, 360.0, stroke=Stroke(WHITE, 0.12))
        yield Wedge(x, y, 0.0, RADIUS, 0.0, 360.0, stroke=Stroke(RULE, 0.25))
        yield Wedge(x, y, 0.0, _HOLE, 0.0, 360.0, WHITE, stroke=Stroke(RULE, 0.25))
        for i, level in enumerate(levels):
            if i and level != levels[i - 1]:
                yield Wedge(x, y, 0.0, float(edges[i]), 0.0, 360.0, stroke=Stroke(INK, 0.3))
            turn = np.radians(_BORDERS.get(level, ()))
            ways = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
            if len(ways):
                yield Lines(np.stack([ways * edges[i], ways * edges[i + 1]], axis=1) + (x, y), Stroke(INK, 0.3))
        yield Label(x, y, "apex", 2.9, INK)

    key = Key((box_polygon((-1.9, -1.3, 1.9, 1.3), fill=NO_VALUE, stroke=Stroke(RULE, 0.25)),), 4.0, "no value")
    rows = [[key]] if np.isnan(table).any() else []
    return disc_drawing(paint, rows, title=title, subtitle=subtitle, axis=axis)


def _pixels(table: np.ndarray) -> np.ndarray:
    """The disc as RGBA pixels; transparent outside and in the hole."""
    at = ((np.arange(_PIXELS) + 0.5) / _PIXELS * 2 - 1) * RADIUS
    dx, dy = np.meshgrid(at, -at)
    radius, angle = np.hypot(dx, dy), np.degrees(np.arctan2(dy, dx)) % 360.0
    ring = np.floor((radius - _HOLE) / (RADIUS - _HOLE) * len(table)).astype(int)
    inside = (ring >= 0) & (ring < len(table))
    column = np.minimum((angle / 360.0 * table.shape[1]).astype(int), table.shape[1] - 1)
    values = table[np.clip(ring, 0, len(table) - 1), column]
    colours = colours_of(values, 0.0, 100.0)
    colours[np.isnan(values)] = NO_VALUE
    return np.rint(np.dstack([colours, inside]) * 255).astype(np.uint8)
