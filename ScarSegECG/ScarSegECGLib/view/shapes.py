"""The plain shapes every picture is laid out in, before it is painted, and the room that text takes.

Lengths are mm, x to the right and y up, from the drawing's lower left corner. Angles are degrees,
counter-clockwise, 0 = right. Later shapes lie on top of earlier ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D
from numpy.typing import ArrayLike, NDArray

from ScarSegECGLib.view.palette import INK, Colour

T = TypeVar("T")
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@dataclass(frozen=True)
class Stroke:
    """A line's colour and width; ``dashes`` are the lengths of a dash and of the gap behind it."""

    colour: Colour
    width: float
    alpha: float = 1.0
    dashes: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Mark:
    """A path, filled, stroked or both, seen inside ``clip`` alone; a click means AHA segment ``key``, 0 none."""

    path: Path
    fill: Colour | None = None
    alpha: float = 1.0
    stroke: Stroke | None = None
    key: int = 0
    clip: Path | None = None


@dataclass(frozen=True, eq=False)
class Label:
    """A line of text; ``size`` is the font's em. ``turn`` rotates about the anchor."""

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


Shape = Mark | Label | RasterImage


@dataclass(frozen=True, eq=False)
class Drawing:
    """One picture: its size, its shapes in painting order, and a title for metadata and screen readers."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str = ""

    def segment_at(self, x: float, y: float) -> int | None:
        """AHA segment drawn at a point, ``None`` where there is none."""
        marks = (s for s in reversed(self.shapes) if isinstance(s, Mark) and s.key)
        return next((mark.key for mark in marks if mark.path.contains_point((x, y))), None)


def around(radius: ArrayLike, degrees: ArrayLike) -> NDArray[np.float64]:
    """Points on a circle round (0, 0), shape (..., 2)."""
    turn = np.radians(degrees)
    return np.stack([np.multiply(radius, np.cos(turn)), np.multiply(radius, np.sin(turn))], axis=-1)


def closed(*loops: ArrayLike) -> Path:
    """Closed loops; one inside another is a hole and runs the other way round."""
    points = (np.asarray(loop, np.float64) for loop in loops)
    return Path.make_compound_path(*(Path(np.vstack([at, at[:1]]), closed=True) for at in points))


def rectangle(left: float, bottom: float, right: float, top: float) -> Path:
    return closed([(left, bottom), (right, bottom), (right, top), (left, top)])


def pieces(ends: ArrayLike) -> Path:
    """Separate straight lines, shape (n, 2, 2)."""
    points = np.reshape(np.asarray(ends, np.float64), (-1, 2))
    return Path(points, np.resize(np.array([Path.MOVETO, Path.LINETO], Path.code_type), len(points)))


def hatch(area: Path, spacing: float, stroke: Stroke) -> Mark:
    """Diagonal lines inside an area, one of them through its middle: an island narrower than the spacing gets one."""
    low, high = area.get_extents().get_points()
    middle, reach = (low + high) / 2, float(np.hypot(*(high - low))) / 2
    across = spacing * np.sqrt(0.5) * np.arange(-int(reach / spacing), int(reach / spacing) + 1)
    starts = middle - reach + np.stack([-across, across], axis=-1)
    return Mark(pieces(np.stack([starts, starts + 2 * reach], axis=1)), stroke=stroke, clip=area)


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    match shape:
        case Mark():
            there = Affine2D().translate(dx, dy)
            clip = None if shape.clip is None else shape.clip.transformed(there)
            return replace(shape, path=shape.path.transformed(there), clip=clip)
        case Label():
            return replace(shape, x=shape.x + dx, y=shape.y + dy)
        case RasterImage():
            left, bottom, right, top = shape.box
            return replace(shape, box=(left + dx, bottom + dy, right + dx, top + dy))


@lru_cache(maxsize=4096)
def glyphs(text: str, bold: bool) -> tuple[Path, float]:
    """Outlines of a line of text at an em of 1, and its width. Outlines are drawn several times faster than text."""
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=1.0)
    vertices, codes = text_to_path.get_text_path(font, text, ismath=False)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return Path(np.reshape(vertices, (-1, 2)) / text_to_path.FONT_SCALE, codes), float(width)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line of text."""
    return glyphs(text, bold)[1] * size


def wrap(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Break text into lines that fit ``width``; its own line breaks stay, "p > 0.5" and "30 %" in one piece."""
    lines: list[list[str]] = []
    for part in text.split("\n"):
        words = filter(None, re.split(r"(?<!>)\s+(?![>%])", part))
        lines += rows_that_fit(words, width, text_width(" ", size, bold), lambda word: text_width(word, size, bold))
    return [" ".join(line) for line in lines]


def rows_that_fit(items: Iterable[T], width: float, gap: float, room: Callable[[T], float]) -> list[list[T]]:
    """Items side by side, a gap between them, in rows no wider than ``width``; one that is wider stands alone."""
    rows: list[list[T]] = []
    taken = width  # as if a full row came before
    for item in items:
        taken += gap + room(item)
        if taken > width:
            rows.append([])
            taken = room(item)
        rows[-1].append(item)
    return rows
