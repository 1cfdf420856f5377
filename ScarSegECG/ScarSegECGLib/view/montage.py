"""Every slice, apex to base: the image as it is, and beside it what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import UNSURE
from ScarSegECGLib.case import SCAR, Anatomy, FloatArray, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.contours import MVO
from ScarSegECGLib.view import palette
from ScarSegECGLib.view.aha_plot import hatch
from ScarSegECGLib.view.influence import influence_bar, influence_painter, on_image, outline_keys, scale_end
from ScarSegECGLib.view.legend import Key
from ScarSegECGLib.view.palette import INK, WHITE
from ScarSegECGLib.view.panels import LINE, PAGE_WIDTH, Frame, loops_on_paper, lv_outlines
from ScarSegECGLib.view.shapes import (
    Box,
    Drawing,
    Label,
    Points,
    Polygon,
    Polyline,
    RasterImage,
    Shape,
    Stroke,
    box_polygon,
    points,
)
from ScarSegECGLib.view.sheet import Painter, slice_sheet

_SCAR_ALPHA = 0.38
_MARK_SIZE = 1.7
SMALLEST_LETTER = 2.2
"""Em of the smallest letters of a montage, mm."""
_LEAST_PAGE = 62.0


def montage(
    stack: LgeStack,
    labels: LabelArray,
    anatomy: Anatomy,
    *,
    probability: FloatArray | None = None,
    influence: FloatArray | None = None,
    with_raw: bool = True,
    aha_borders: bool = False,
    title: str = "",
    subtitle: str = "",
    field_mm: float = 120.0,
    mvo: NDArray[np.bool_] | None = None,
    page_width: float = PAGE_WIDTH,
) -> Drawing:
    """Lay out all slices.

    Parameters
    ----------
    stack : LgeStack
    labels : uint8 array, shape (slice, row, column)
        0 background, 1 LV cavity, 2 myocardium without scar, 3 scar, 4 MVO (drawn as a part of the scar).
    anatomy : Anatomy
        On the same grid.
    probability : float array, same shape, optional
        Scar probability: the scar's tint is the stronger the surer the network is; its outline stays the label's.
    influence : float array, same shape, optional
        Probability with the ECG minus without: adds a third panel per slice.
    with_raw : bool
        Show the plain image to the left of each overlay.
    aha_borders : bool
        Draw and number the AHA segments.
    title : str
    subtitle : str
        Smaller, below the title: how the scar was found; each of its lines is wrapped.
    field_mm : float
        Side of the square shown, centred on the LV.
    mvo : bool array, same shape, optional
        Microvascular obstruction, hatched within the scar; that of the labels when absent.
    page_width : float
        Width for the panels, mm; at least 62. See :func:`width_for` for a picture of few pixels.

    Returns
    -------
    Drawing
        At most 194 mm wide, on an A4 page; ``hit_kind`` "slice", 1 = apex.

    Raises
    ------
    InputError
        When the arrays are not on one grid, or the page is too narrow.
    """
    if page_width < _LEAST_PAGE:
        raise InputError(f"A montage {page_width:.0f} mm wide cannot be read: give at least {_LEAST_PAGE:.0f} mm")
    named = ("segmentation", labels), ("probability", probability), ("influence", influence), ("MVO", mvo)
    for name, array in named:
        if array is not None and array.shape != stack.voxels.shape:
            raise InputError(f"The {name} is {array.shape}, the image {stack.voxels.shape}: they must share one grid")

    dark = labels == MVO if mvo is None else mvo
    scar = (labels == SCAR) | (labels == MVO)

    def overlay(frame: Frame, index: int, box: Box) -> Sequence[Shape]:
        plane = stack.voxels[index]
        shapes: list[Shape] = [frame.grey(plane, box, index + 1)]
        shapes += _scar(scar[index], None if probability is None else probability[index], frame, box)
        if aha_borders:
            shapes += _segments(anatomy, frame, index, box)
        shapes += [*_mvo(dark[index], frame, box), *lv_outlines(anatomy, frame, index, box)]
        return [*shapes, *_insertions(anatomy, frame, index, box)]

    painters: list[tuple[str, Painter]] = [("scar and outlines", overlay)]
    if with_raw:
        painters.insert(0, ("image", lambda frame, i, box: [frame.grey(stack.voxels[i], box, i + 1)]))
    bar = None
    if influence is not None:
        end = scale_end(influence)
        painters.append(("change by the ECG", influence_painter(stack, anatomy, influence, end)))

        def bar(x: float, top: float) -> Sequence[Shape]:
            return influence_bar(x, top, end, page_width)

    return slice_sheet(
        stack,
        anatomy,
        painters,
        _keys(anatomy, bool(dark.any())),
        title=title,
        subtitle=subtitle,
        field_mm=field_mm,
        page_width=page_width,
        bar=bar,
    )


def width_for(width_px: int) -> float:
    """The ``page_width`` at which the smallest letters of a montage of so many pixels across are 9 pixels high.

    Raises
    ------
    InputError
        Below 270 pixels, which no montage can be read at.
    """
    width = min(width_px * SMALLEST_LETTER / 9.0 - 4.0, PAGE_WIDTH)
    if width < _LEAST_PAGE:
        least = int(np.ceil((_LEAST_PAGE + 4.0) * 9.0 / SMALLEST_LETTER))
        raise InputError(f"A montage of {width_px} pixels across cannot be read: give at least {least}")
    return width


def _scar(mask: NDArray[np.bool_], probability: NDArray | None, frame: Frame, box: Box) -> list[Shape]:
    loops = loops_on_paper(mask, frame, box)
    if not loops:
        return []
    # The dark edge parts scar from blood where print or eye has no colours.
    edges: list[Shape] = [
        Polyline(loop, stroke, closed=True)
        for stroke in (Stroke(INK, 2.2 * LINE), Stroke(palette.SCAR, LINE))
        for loop in loops
    ]
    if probability is None:
        return [Polygon(loops, palette.SCAR, _SCAR_ALPHA), *edges]
    inside = frame.crop(mask.astype(np.float32), order=1) >= 0.5
    sure = np.clip(frame.crop(probability, order=1), 0.0, 1.0)
    alpha = np.where(inside, 0.12 + 0.48 * sure, 0.0)
    rgba = np.dstack([np.broadcast_to(palette.SCAR, (*alpha.shape, 3)), alpha])
    return [RasterImage(box, np.rint(rgba * 255).astype(np.uint8)), *edges]


def _mvo(mask: NDArray[np.bool_], frame: Frame, box: Box) -> list[Shape]:
    # Voxel by voxel: these islands are so small that a smoothed outline would lose a third of them.
    loops = loops_on_paper(mask, frame, box, smoothing=0.0)
    return _hatched(Polygon(loops)) if loops else []


def _hatched(area: Polygon) -> list[Shape]:
    """MVO: white hatch on dark, in a white line with a dark edge; seen in grey as in colour."""
    edges = [
        Polyline(loop, stroke, closed=True) for stroke in (Stroke(INK, 0.5), Stroke(WHITE, 0.22)) for loop in area.rings
    ]
    return [replace(area, fill=INK, alpha=0.55), hatch(area, 0.75, (), Stroke(WHITE, 0.18)), *edges]


def _ray(anatomy: Anatomy, frame: Frame, index: int, degrees: float, box: Box) -> tuple[Points, NDArray[np.float64]]:
    """Paper points and distance (mm) of a ray's first and last voxel of myocardium, seen from the slice's centre."""
    away = np.arange(0.0, frame.field, 0.25)
    turn = np.radians(degrees)
    row_column = (anatomy.centres_mm[index] + np.outer(away, (-np.sin(turn), np.cos(turn)))) / frame.spacing
    at = np.rint(row_column).astype(int)
    wall = anatomy.myocardium[index]
    inside = (at >= 0).all(axis=1) & (at < wall.shape).all(axis=1)
    inside[inside] = wall[at[inside, 0], at[inside, 1]]
    hits = np.flatnonzero(inside)
    ends = hits[[0, -1]] if hits.size else hits
    return frame.place(row_column[ends], box), away[ends]


def _insertions(anatomy: Anatomy, frame: Frame, index: int, box: Box) -> list[Shape]:
    """RV insertion marks just outside the epicardium; hollow where the confidence is low."""
    shapes: list[Shape] = []
    if not np.isfinite(anatomy.centres_mm[index]).all():
        return shapes
    sure = bool(anatomy.insertion_confidence[index] >= UNSURE)
    for up, degrees in zip((True, False), anatomy.insertions_deg[index], strict=True):
        ends, _ = _ray(anatomy, frame, index, degrees, box) if np.isfinite(degrees) else (points([]), None)
        if len(ends):
            away = (_MARK_SIZE * 0.75) * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
            shapes += _triangle(up, sure, ends[-1] + away)
    return shapes


def _triangle(up: bool, filled: bool, at: NDArray[np.float64]) -> tuple[Polygon, ...]:
    """A small triangle, pointing up for the anterior insertion; hollow ones get a dark edge under the light one."""
    height = _MARK_SIZE / 2 if up else -_MARK_SIZE / 2
    corners = points(at + np.array([(-_MARK_SIZE / 2, -height), (_MARK_SIZE / 2, -height), (0.0, height)]))
    colour = palette.ANTERIOR_INSERTION if up else palette.INFERIOR_INSERTION
    if filled:
        return (Polygon((corners,), colour, stroke=Stroke(INK, 0.18)),)
    return Polygon((corners,), stroke=Stroke(INK, 0.6)), Polygon((corners,), stroke=Stroke(colour, 0.28))


def _segments(anatomy: Anatomy, frame: Frame, index: int, box: Box) -> list[Shape]:
    """Borders between neighbouring AHA segments as straight radial lines, and the segments' numbers outside."""
    plane, centre = anatomy.aha[index], anatomy.centres_mm[index]
    numbers = np.unique(plane[plane > 0])
    if numbers.size == 0 or not np.isfinite(centre).all():
        return []
    shapes: list[Shape] = []
    for number in numbers:
        middle = _circular_mean(np.argwhere(plane == number) * frame.spacing - centre)
        ends, _ = _ray(anatomy, frame, index, middle, box)
        if len(ends):
            out = 1.9 * np.array([np.cos(np.radians(middle)), np.sin(np.radians(middle))])
            x, y = ends[-1] + out
            shapes.append(Label(float(x), float(y), str(number), 2.2, WHITE, halo=palette.BLACK))
    for degrees in _border_angles(plane, centre, frame.spacing):
        ends, _ = _ray(anatomy, frame, index, degrees, box)
        if len(ends):
            shapes.append(Polyline(ends, Stroke(WHITE, 0.2, 0.8)))
    return shapes


def _circular_mean(row_column_mm: NDArray[np.float64]) -> float:
    """Mean direction of points seen from (0, 0), degrees in the bullseye's frame."""
    unit = row_column_mm / np.maximum(np.hypot(*row_column_mm.T), 1e-9)[:, None]
    return float(np.degrees(np.arctan2(-unit[:, 0].mean(), unit[:, 1].mean())))


def _border_angles(plane: NDArray, centre: NDArray[np.float64], spacing: tuple[float, float]) -> list[float]:
    """Direction of the border of every two segments that touch."""
    found: dict[tuple[int, int], list[NDArray]] = {}
    for axis in (0, 1):
        first, second = (np.take(plane, range(k, plane.shape[axis] - 1 + k), axis=axis) for k in (0, 1))
        touch = (first != second) & (first > 0) & (second > 0)
        middle = np.argwhere(touch) + 0.5 * np.eye(2)[axis]
        for one, other, at in zip(first[touch], second[touch], middle, strict=True):
            found.setdefault((min(one, other), max(one, other)), []).append(at)
    return [_circular_mean(np.array(at) * spacing - centre) for at in found.values()]


def _keys(anatomy: Anatomy, with_mvo: bool) -> list[Key]:
    edge = box_polygon((-1.8, -1.0, 1.8, 1.0), stroke=Stroke(INK, 2.2 * LINE))
    swatch = replace(edge, fill=palette.SCAR, alpha=_SCAR_ALPHA, stroke=None)
    scar = on_image(swatch, edge, replace(edge, stroke=Stroke(palette.SCAR, LINE)))
    keys = [*outline_keys(), Key(scar, 5.0, "scar")]
    if with_mvo:
        keys.append(Key(on_image(swatch, *_hatched(box_polygon((-1.5, -0.8, 1.5, 0.8)))), 5.0, "MVO, part of the scar"))
    if np.isfinite(anatomy.insertions_deg).any():
        for up, words in ((True, "anterior RV insertion"), (False, "inferior RV insertion")):
            keys.append(Key(on_image(*_triangle(up, True, np.zeros(2))), 5.0, words))
        known = np.isfinite(anatomy.insertions_deg).any(axis=1)
        if (anatomy.insertion_confidence[known] < UNSURE).any():
            keys.append(Key(on_image(*_triangle(True, False, np.zeros(2))), 5.0, "hollow: uncertain"))
    return keys
