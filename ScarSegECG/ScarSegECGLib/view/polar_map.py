"""The transmurality polar map: every slice and every angle, nothing averaged over a segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.disc import NO_VALUE_KEY, RADIUS, circle, disc_sheet
from ScarSegECGLib.view.palette import INK, WHITE, colours_of
from ScarSegECGLib.view.shapes import Drawing, Label, Lines, RasterImage, Shape, Stroke, around

_HOLE = 5.0
_PIXELS = 480
_BORDER = Stroke(INK, 0.3)
_BORDERS_DEG = {"apical": range(45, 360, 90), "mid": range(0, 360, 60), "basal": range(0, 360, 60)}


def polar_map(
    percent: ArrayLike, levels: Sequence[str] = (), *, title: str = "", subtitle: str = "", axis: str = "%"
) -> Drawing:
    """Lay out a polar map, 90 mm wide; slices are rings of equal width, the apex inside.

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


def _pixels(table: np.ndarray) -> np.ndarray:
    """The disc as RGBA pixels; transparent outside and in the hole."""
    slices, angles = table.shape
    at = ((np.arange(_PIXELS) + 0.5) / _PIXELS * 2 - 1) * RADIUS
    dx, dy = np.meshgrid(at, -at)
    ring = np.floor((np.hypot(dx, dy) - _HOLE) / (RADIUS - _HOLE) * slices).astype(int)
    column = (np.degrees(np.arctan2(dy, dx)) % 360.0 / 360.0 * angles).astype(int)
    colours = colours_of(table[ring.clip(0, slices - 1), column.clip(0, angles - 1)], 0.0, 100.0)
    return np.rint(np.dstack([colours, (ring >= 0) & (ring < slices)]) * 255).astype(np.uint8)
