"""The plain shapes every picture is laid out in, before it is painted.

Lengths are mm, x to the right and y up, from the drawing's lower left corner. Angles are degrees,
counter-clockwise, 0 = right. Later shapes lie on top of earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from matplotlib.path import Path as MplPath
from numpy.typing import ArrayLike, NDArray

from ScarSegECGLib.view.palette import INK, Colour

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def points(values: ArrayLike) -> Points:
    """A read-only (n, 2) array of x, y."""
    array = np.array(values, dtype=np.float64).reshape(-1, 2)
    array.setflags(write=False)
    return array


def around(radius: ArrayLike, degrees: ArrayLike, x: float = 0.0, y: float = 0.0) -> NDArray[np.float64]:
    """Points on a circle round (x, y), shape (..., 2)."""
    turn = np.radians(degrees)
    return np.stack([x + np.cos(turn) * radius, y + np.sin(turn) * radius], axis=-1)


@dataclass(frozen=True)
class Stroke:
    """A line's colour and width (mm)."""

    colour: Colour
    width: float
    alpha: float = 1.0


@dataclass(frozen=True, eq=False)
class Wedge:
    """Part of a ring between two radii and two angles; ``end - start`` of 360 is the whole ring.

    ``key`` is the AHA segment a click on it means; 0 is none.
    """

    x: float
    y: float
    inner: float
    outer: float
    start: float
    end: float
    fill: Colour | None = None
    alpha: float = 1.0
    stroke: Stroke | None = None
    key: int = 0

    def contains(self, at: ArrayLike) -> NDArray[np.bool_]:
        """Whether each point of (..., 2) lies in the wedge; inner and start edges count, outer and end do not."""
        dx, dy = np.moveaxis(np.asarray(at, dtype=np.float64) - (self.x, self.y), -1, 0)
        radius, span = np.hypot(dx, dy), self.end - self.start
        turned = (np.degrees(np.arctan2(dy, dx)) - self.start) % 360.0
        return (radius >= self.inner) & (radius < self.outer) & ((turned < span) | (span >= 360.0))

    def arc(self, radius: float, step: float = 3.0) -> Points:
        """Points along the wedge at one radius, from start to end."""
        count = max(2, int(np.ceil((self.end - self.start) / step)) + 1)
        return points(around(radius, np.linspace(self.start, self.end, count), self.x, self.y))

    @property
    def rings(self) -> tuple[Points, ...]:
        """The outline: one loop, or two for a whole ring with a hole."""
        if self.end - self.start < 360.0:
            back = self.arc(self.inner)[::-1] if self.inner > 0 else np.array([[self.x, self.y]])
            return (points(np.vstack([self.arc(self.outer), back])),)
        loops = (self.arc(self.outer)[:-1],)
        return loops + ((self.arc(self.inner)[-2::-1],) if self.inner > 0 else ())


@dataclass(frozen=True, eq=False)
class Polygon:
    """Closed loops; a loop inside another is a hole and runs the other way round."""

    rings: tuple[Points, ...]
    fill: Colour | None = None
    alpha: float = 1.0
    stroke: Stroke | None = None

    def contains(self, at: ArrayLike) -> NDArray[np.bool_]:
        """Whether each point of (..., 2) lies inside, by the even-odd rule."""
        at = np.asarray(at, dtype=np.float64)
        inside = np.zeros(at.shape[:-1], dtype=bool)
        for ring in self.rings:
            inside ^= MplPath(ring).contains_points(at.reshape(-1, 2)).reshape(inside.shape)
        return inside


@dataclass(frozen=True, eq=False)
class Polyline:
    """A line through points."""

    at: Points
    stroke: Stroke
    closed: bool = False


@dataclass(frozen=True, eq=False)
class Lines:
    """Many separate straight lines of one kind, half a width longer at both ends: ``ends`` has shape (n, 2, 2)."""

    ends: NDArray[np.float64]
    stroke: Stroke


@dataclass(frozen=True, eq=False)
class Label:
    """A line of text; ``size`` is the font's em in mm. ``turn`` rotates about the anchor, degrees."""

    x: float
    y: float
    text: str
    size: float = 3.0
    colour: Colour = INK
    align: Literal["left", "center", "right"] = "center"
    bold: bool = False
    turn: float = 0.0
    halo: Colour | None = None


@dataclass(frozen=True, eq=False)
class RasterImage:
    """Pixels, uint8 of shape (rows, columns, 3 or 4), first row on top, stretched over a box."""

    box: Box
    pixels: NDArray[np.uint8]


Shape = Wedge | Polygon | Polyline | Lines | Label | RasterImage


@dataclass(frozen=True, eq=False)
class Drawing:
    """One picture: its size (mm), its shapes in painting order, and a title for metadata and screen readers."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str = ""

    @property
    def wedges(self) -> tuple[Wedge, ...]:
        """The AHA segments that answer a click."""
        return tuple(s for s in self.shapes if isinstance(s, Wedge) and s.key)

    @property
    def labels(self) -> tuple[Label, ...]:
        """All text."""
        return tuple(s for s in self.shapes if isinstance(s, Label))

    def segment_at(self, x: float, y: float) -> int | None:
        """AHA segment drawn at a point (mm), ``None`` where there is none."""
        return next((wedge.key for wedge in reversed(self.wedges) if wedge.contains((x, y))), None)


def box_polygon(box: Box, **style: Any) -> Polygon:
    """A rectangle."""
    left, bottom, right, top = box
    return Polygon((points([(left, bottom), (right, bottom), (right, top), (left, top)]),), **style)


def hatch(region: Wedge | Polygon, spacing: float, stroke: Stroke) -> Lines:
    """Diagonal hatch inside an area."""
    rings = np.vstack(region.rings)
    low, high = rings.min(axis=0), rings.max(axis=0)
    (x, y), reach = (low + high) / 2, float(np.hypot(*(high - low))) / 2
    along = np.arange(-reach, reach, 0.12)
    # Lines through the middle, so that an island narrower than the spacing gets one.
    offsets = spacing * np.arange(-int(reach / spacing), int(reach / spacing) + 1)[:, None]
    at = np.stack([x + (along - offsets) * np.sqrt(0.5), y + (along + offsets) * np.sqrt(0.5)], axis=-1)
    # Ends of the runs of points that lie inside, line by line.
    steps = np.diff(np.pad(region.contains(at).astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (line, first), (_, past) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    return Lines(np.stack([at[line, first], at[line, past - 1]], axis=1).reshape(-1, 2, 2), stroke)


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """The same shape, shifted."""
    match shape:
        case Wedge() | Label():
            return replace(shape, x=shape.x + dx, y=shape.y + dy)
        case Polygon():
            return replace(shape, rings=tuple(points(ring + (dx, dy)) for ring in shape.rings))
        case Polyline():
            return replace(shape, at=points(shape.at + (dx, dy)))
        case Lines():
            return replace(shape, ends=shape.ends + (dx, dy))
        case RasterImage():
            left, bottom, right, top = shape.box
            return replace(shape, box=(left + dx, bottom + dy, right + dx, top + dy))
