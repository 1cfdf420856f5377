"""The transmurality polar map: every slice and every angle, nothing averaged over a segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.aha_plot import orientation_words
from ScarSegECGLib.view.legend import (
    AXIS_LEADING,
    PURPOSE_ROOM,
    Key,
    axis_lines,
    colour_bar,
    flow,
    key_rows,
    purpose_line,
)
from ScarSegECGLib.view.palette import INK, MUTED, NO_VALUE, RULE, WHITE, colours_of
from ScarSegECGLib.view.shapes import (
    Drawing,
    Label,
    Polyline,
    RasterImage,
    Shape,
    Stroke,
    Wedge,
    box_polygon,
    points,
    wrap,
    wrapped,
)

WIDTH = 90.0
RADIUS = 36.0
_HOLE = 5.0
_PIXELS = 480
_BORDERS = {"apical": (45, 135, 225, 315), "mid": (0, 60, 120, 180, 240, 300), "basal": (0, 60, 120, 180, 240, 300)}


def polar_map(
    percent: ArrayLike,
    *,
    title: str = "",
    subtitle: str = "",
    unit: str = "%",
    axis: str = "",
    vmin: float = 0.0,
    vmax: float = 100.0,
    levels: Sequence[str] | None = None,
) -> Drawing:
    """Lay out a polar map.

    Parameters
    ----------
    percent : float array, shape (slice, angle)
        Apex first. Angle bin ``i`` of ``n`` covers ``i * 360 / n .. (i + 1) * 360 / n`` degrees in the bullseye's frame
        (0 = lateral, counter-clockwise, anterior up). NaN where nothing is known.
    title : str
    subtitle : str
        Smaller, below the title: how the values were found, which slices the rings are; each line is wrapped.
    unit : str
        Beside the colour bar; "" for none.
    axis : str
        Below the colour bar: of what the values are a part.
    vmin, vmax : float
        Ends of the colour scale.
    levels : sequence of str, optional
        "apical", "mid" or "basal" per slice: draws the AHA borders; any other word draws none.

    Returns
    -------
    Drawing
        90 mm wide; ``hit_kind`` "slice", 1 = apex; slices are rings of equal width, the apex inside.

    Raises
    ------
    InputError
        When the array is not two-dimensional or empty, or ``levels`` do not fit it.
    """
    table = np.asarray(percent, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"A polar map needs an array of [slice, angle], not of shape {table.shape}")
    if levels is not None and len(levels) != len(table):
        raise InputError(f"{len(levels)} levels for {len(table)} slices: give one per slice")
    heading = [Label(WIDTH / 2, 0.0, text, 3.9, INK, bold=True) for text in wrap(title, WIDTH - 6.0, 3.9, bold=True)]
    heading += [Label(WIDTH / 2, 0.0, text, 3.2, MUTED) for text in wrapped(subtitle, WIDTH - 6.0, 3.2)]
    below = axis_lines(axis, WIDTH - 6.0)
    missing = bool(np.isnan(table).any())
    keys = [Key((box_polygon((-1.9, -1.3, 1.9, 1.3), fill=NO_VALUE, stroke=Stroke(RULE, 0.25)),), 4.0, "no value")]
    rows = flow(keys if missing else [], WIDTH - 6.0)
    bar_y = 7.6 + PURPOSE_ROOM + 4.8 * len(rows) + AXIS_LEADING * len(below)
    x, y = WIDTH / 2, bar_y + 10.5 + RADIUS
    height = y + RADIUS + 6.8 + (1.2 + 5.0 * len(heading) if heading else 0.0)
    edges = np.linspace(_HOLE, RADIUS, len(table) + 1)

    shapes: list[Shape] = [RasterImage((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), _pixels(table, vmin, vmax))]
    shapes += [
        Wedge(x, y, float(edges[i]), float(edges[i + 1]), 0.0, 360.0, stroke=Stroke(WHITE, 0.12), key=i + 1)
        for i in range(len(table))
    ]
    shapes.append(Wedge(x, y, 0.0, RADIUS, 0.0, 360.0, stroke=Stroke(RULE, 0.25)))
    shapes.append(Wedge(x, y, 0.0, _HOLE, 0.0, 360.0, WHITE, stroke=Stroke(RULE, 0.25)))
    if levels is not None:
        shapes += _aha_borders(levels, edges, x, y)
    shapes += orientation_words(x, y, RADIUS)
    shapes.append(Label(x, y, "apex", 2.9, INK))
    shapes += [replace(line, y=height - 3.8 - 5.0 * i) for i, line in enumerate(heading)]
    ticks = [vmin + (vmax - vmin) * k / 4 for k in range(5)]
    shapes += colour_bar((16.0, bar_y, WIDTH - 16.0, bar_y + 3.2), ticks, vmin, vmax, unit)
    shapes += [replace(line, x=x, y=bar_y - 7.0 - AXIS_LEADING * i) for i, line in enumerate(below)]
    shapes += key_rows(rows, x, bar_y - 7.4 - AXIS_LEADING * len(below))
    shapes.append(purpose_line(x))
    return Drawing(
        WIDTH, height, tuple(shapes), "slice", ", ".join(filter(None, (title, *subtitle.split("\n")))) or "Polar map"
    )


def _pixels(table: np.ndarray, vmin: float, vmax: float) -> np.ndarray:
    """The disc as RGBA pixels; transparent outside and in the hole."""
    at = ((np.arange(_PIXELS) + 0.5) / _PIXELS * 2 - 1) * RADIUS
    dx, dy = np.meshgrid(at, -at)
    radius, angle = np.hypot(dx, dy), np.degrees(np.arctan2(dy, dx)) % 360.0
    ring = np.floor((radius - _HOLE) / (RADIUS - _HOLE) * len(table)).astype(int)
    inside = (ring >= 0) & (ring < len(table))
    column = np.minimum((angle / 360.0 * table.shape[1]).astype(int), table.shape[1] - 1)
    values = table[np.clip(ring, 0, len(table) - 1), column]
    colours = colours_of(values, vmin, vmax)
    colours[np.isnan(values)] = NO_VALUE
    return np.rint(np.dstack([colours, inside]) * 255).astype(np.uint8)


def _aha_borders(levels: Sequence[str], edges: np.ndarray, x: float, y: float) -> list[Shape]:
    stroke = Stroke(INK, 0.3)
    shapes: list[Shape] = []
    for i, level in enumerate(levels):
        ring = Wedge(x, y, float(edges[i]), float(edges[i + 1]), 0.0, 360.0)
        if i and level != levels[i - 1]:
            shapes.append(Wedge(x, y, 0.0, ring.inner, 0.0, 360.0, stroke=stroke))
        for angle in _BORDERS.get(level, ()):
            turn = np.radians(angle)
            ends = [(x + r * np.cos(turn), y + r * np.sin(turn)) for r in (ring.inner, ring.outer)]
            shapes.append(Polyline(points(ends), stroke))
    return shapes
