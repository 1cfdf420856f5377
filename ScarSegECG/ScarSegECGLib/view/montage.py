"""Every slice, apex to base: the image as it is, and beside it what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import UNSURE
from ScarSegECGLib.case import MVO, SCAR, Anatomy, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import LgeNote, has
from ScarSegECGLib.report.captions import MVO_IN_SCAR, SIDES, slices_line
from ScarSegECGLib.view import palette
from ScarSegECGLib.view.disc import hatch
from ScarSegECGLib.view.legend import Key
from ScarSegECGLib.view.palette import CAVITY, IMAGE_GREY, INK, MYOCARDIUM, WHITE
from ScarSegECGLib.view.panels import FIELD_MM, LINE, PAGE_WIDTH, Frame, loops_on_paper, lv_outlines, slice_sheet
from ScarSegECGLib.view.shapes import (
    Box,
    Drawing,
    Label,
    Lines,
    Points,
    Polygon,
    Polyline,
    Shape,
    Stroke,
    box_polygon,
    points,
)

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
    with_raw: bool = True,
    title: str = "",
    subtitle: str = "",
    page_width: float = PAGE_WIDTH,
) -> Drawing:
    """Lay out all slices.

    Parameters
    ----------
    stack : LgeStack
    labels : uint8 array, shape (slice, row, column)
        0 background, 1 LV cavity, 2 myocardium without scar, 3 scar, 4 MVO (drawn as a part of the scar).
    anatomy : Anatomy
        On the same grid; its segments, where there are any, are drawn and numbered.
    with_raw : bool
        Show the plain image to the left of each overlay.
    title : str
    subtitle : str
        Smaller, below the title: how the scar was found; each of its lines is wrapped.
    page_width : float
        Width for the panels, mm; at least 62. See :func:`width_for` for a picture of few pixels.

    Returns
    -------
    Drawing
        At most 194 mm wide, on an A4 page.

    Raises
    ------
    InputError
        When the arrays are not on one grid, or the page is too narrow.
    """
    if page_width < _LEAST_PAGE:
        raise InputError(f"A montage {page_width:.0f} mm wide cannot be read: give at least {_LEAST_PAGE:.0f} mm")
    for name, array in (("segmentation", labels), ("anatomy", anatomy.aha)):
        if array.shape != stack.voxels.shape:
            raise InputError(f"The {name} is {array.shape}, the image {stack.voxels.shape}: they must share one grid")
    dark, scar = labels == MVO, labels >= SCAR

    def image(frame: Frame, index: int, box: Box) -> Sequence[Shape]:
        return [frame.grey(stack.voxels[index], box)]

    def overlay(frame: Frame, index: int, box: Box) -> Sequence[Shape]:
        return [
            *image(frame, index, box),
            *_scar(scar[index], frame, box),
            *_segments(anatomy, frame, index, box),
            *_mvo(dark[index], frame, box),
            *lv_outlines(anatomy, frame, index, box),
            *_insertions(anatomy, frame, index, box),
        ]

    side = SIDES
    if not stack.orientation_known:
        side = f"orientation assumed: {side}"
    elif has(stack.notes, LgeNote.POSE_DOUBTFUL):
        side = f"orientation unconfirmed: {side}"
    return slice_sheet(
        stack,
        anatomy,
        [image, overlay] if with_raw else [overlay],
        _keys(anatomy, bool(dark.any())),
        slices_line(side, with_raw),
        title=title,
        subtitle=subtitle,
        page_width=page_width,
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


def _scar(mask: NDArray[np.bool_], frame: Frame, box: Box) -> list[Shape]:
    loops = loops_on_paper(mask, frame, box)
    if not loops:
        return []
    # The dark edge parts scar from blood where print or eye has no colours.
    edges = [
        Polyline(loop, stroke, closed=True)
        for stroke in (Stroke(INK, 2.2 * LINE), Stroke(palette.SCAR, LINE))
        for loop in loops
    ]
    return [Polygon(loops, palette.SCAR, _SCAR_ALPHA), *edges]


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
    away = np.arange(0.0, FIELD_MM, 0.25)
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


def _on_image(*sample: Shape) -> tuple[Shape, ...]:
    """A legend's sample as it is seen on an image: on dark grey."""
    return box_polygon((-2.5, -1.5, 2.5, 1.5), fill=IMAGE_GREY), *sample


def _keys(anatomy: Anatomy, with_mvo: bool) -> list[Key]:
    line = points([(-2.0, 0.0), (2.0, 0.0)])
    broken = np.array([[(x, 0.0), (x + 0.7, 0.0)] for x in (-1.9, -0.35, 1.2)])
    edge = box_polygon((-1.8, -1.0, 1.8, 1.0), stroke=Stroke(INK, 2.2 * LINE))
    swatch = replace(edge, fill=palette.SCAR, alpha=_SCAR_ALPHA, stroke=None)
    samples: list[tuple[str, tuple[Shape, ...]]] = [
        ("endocardium", (Polyline(line, Stroke(CAVITY, 1.3 * LINE)),)),
        ("epicardium", (Lines(broken, Stroke(MYOCARDIUM, 1.5 * LINE)),)),
        ("scar", (swatch, edge, replace(edge, stroke=Stroke(palette.SCAR, LINE)))),
    ]
    if with_mvo:
        samples.append((MVO_IN_SCAR, (swatch, *_hatched(box_polygon((-1.5, -0.8, 1.5, 0.8))))))
    known = np.isfinite(anatomy.insertions_deg).any(axis=1)
    if known.any():
        samples.append(("anterior RV insertion", _triangle(True, True, np.zeros(2))))
        samples.append(("inferior RV insertion", _triangle(False, True, np.zeros(2))))
        if (anatomy.insertion_confidence[known] < UNSURE).any():
            samples.append(("hollow: uncertain", _triangle(True, False, np.zeros(2))))
    return [Key(_on_image(*sample), 5.0, words) for words, sample in samples]
