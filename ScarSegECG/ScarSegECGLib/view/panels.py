"""A sheet of slice panels: how many fit a page, what part of the slice each shows, and where a voxel lands on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.view.contours import outlines
from ScarSegECGLib.view.legend import LEADING, PURPOSE_ROOM, SMALL, Key, flow, heading, key_rows, purpose_line
from ScarSegECGLib.view.palette import BLACK, CAVITY, INK, MUTED, MYOCARDIUM, WHITE
from ScarSegECGLib.view.shapes import (
    Box,
    Drawing,
    Label,
    Points,
    Polyline,
    RasterImage,
    Shape,
    Stroke,
    dashes,
    points,
    wrap,
)

PAGE_WIDTH, PAGE_HEIGHT = 190.0, 250.0
FIELD_MM = 120.0
"""Side of the square shown, centred on the LV."""
LINE = 0.32
_MARGIN, _CAPTION = 2.0, 4.8
_PAIR_GAP, _PANEL_GAP, _ROW_GAP = 3.0, 0.5, 1.2
_HEAD_LEADING, _FOOT_LEADING = 5.2, 4.6
_PIXELS = 288
_LARGEST_PANEL, _SCREEN_PANEL, _NAMED_PANEL = 62.0, 46.0, 24.0
_WORD = 2.4
LEVELS = {range(1, 7): "basal", range(7, 13): "mid", range(13, 17): "apical", range(17, 18): "apex"}


@dataclass(frozen=True)
class Sheet:
    """Where the panels of a montage lie; sizes in mm."""

    slices: int
    per_slice: int
    columns: int
    panel: float

    @property
    def width(self) -> float:
        """Width of all columns."""
        return self.columns * self._group + (self.columns - 1) * _PAIR_GAP

    @property
    def height(self) -> float:
        """Height of all rows."""
        return -(-self.slices // self.columns) * (self.panel + _CAPTION + _ROW_GAP) - _ROW_GAP

    @property
    def _group(self) -> float:
        return self.per_slice * self.panel + (self.per_slice - 1) * _PANEL_GAP

    def box(self, index: int, which: int, left: float, top: float) -> Box:
        """Panel ``which`` of slice ``index``, the sheet's upper left corner being at (left, top)."""
        row, column = divmod(index, self.columns)
        x = left + column * (self._group + _PAIR_GAP) + which * (self.panel + _PANEL_GAP)
        y = top - row * (self.panel + _CAPTION + _ROW_GAP) - _CAPTION
        return x, y - self.panel, x + self.panel, y


def sheet_for(slices: int, per_slice: int, width: float = PAGE_WIDTH) -> Sheet:
    """The sheet with the largest panels that fits an A4 page with its heading and legend.

    A sheet narrower than that page (``width``, mm) is for a screen: it may be as long as it needs, its panels being as
    large as they would be on paper where there is room for that.
    """
    height, largest = (PAGE_HEIGHT, _LARGEST_PANEL) if width >= PAGE_WIDTH else (np.inf, _SCREEN_PANEL)

    def panel(columns: int) -> float:
        rows = -(-slices // columns)
        across = (width - (columns - 1) * _PAIR_GAP) / columns - (per_slice - 1) * _PANEL_GAP
        return min(across / per_slice, (height + _ROW_GAP) / rows - _CAPTION - _ROW_GAP, largest)

    columns = max(range(1, slices + 1), key=lambda c: (round(panel(c), 6), c))
    return Sheet(slices, per_slice, columns, panel(columns))


@dataclass(frozen=True)
class Frame:
    """What part of the slices the panels show: a square of :data:`FIELD_MM` round ``centre`` (row mm, column mm)."""

    centre: tuple[float, float]
    spacing: tuple[float, float]
    window: tuple[float, float]

    def scale(self, box: Box) -> float:
        """Millimetres on paper for a millimetre in the patient."""
        return (box[2] - box[0]) / FIELD_MM

    def place(self, row_column: NDArray[np.float64], box: Box) -> Points:
        """Paper coordinates of (row, column) indices, shape (n, 2)."""
        mm = np.asarray(row_column) * self.spacing - self.centre + FIELD_MM / 2
        return points(np.column_stack([box[0] + mm[:, 1] * self.scale(box), box[3] - mm[:, 0] * self.scale(box)]))

    def grey(self, plane: NDArray, box: Box) -> RasterImage:
        """A slice in grey, windowed; the image's own edge value is never repeated outside it."""
        mm = ((np.arange(_PIXELS) + 0.5) / _PIXELS - 0.5) * FIELD_MM
        grid = np.meshgrid(*((c + mm) / s for c, s in zip(self.centre, self.spacing, strict=True)), indexing="ij")
        shown = map_coordinates(np.asarray(plane, np.float32), grid, order=3, cval=float(np.min(plane)))
        low, high = self.window
        level = np.clip((shown - low) / (high - low), 0.0, 1.0)
        return RasterImage(box, np.repeat(np.rint(level * 255).astype(np.uint8)[:, :, None], 3, axis=2))


def frame_for(stack: LgeStack, anatomy: Anatomy) -> Frame:
    """A square round the LV, the same for every slice, and one window for all of them (1st to 99.7th percentile)."""
    _, row_mm, column_mm = stack.spacing
    _, rows, columns = stack.voxels.shape
    known = anatomy.centres_mm[np.isfinite(anatomy.centres_mm).all(axis=1)]
    middle = np.median(known, axis=0) if len(known) else np.array([(rows - 1) * row_mm, (columns - 1) * column_mm]) / 2
    first = np.maximum(((middle - FIELD_MM / 2) / (row_mm, column_mm)).astype(int), 0)
    last = ((middle + FIELD_MM / 2) / (row_mm, column_mm)).astype(int) + 1
    part = stack.voxels[:, first[0] : last[0], first[1] : last[1]]
    low, high = np.percentile(part if part.size else stack.voxels, (1.0, 99.7))
    window = (float(low), float(high) if high > low else float(low) + 1.0)
    return Frame((float(middle[0]), float(middle[1])), (row_mm, column_mm), window)


Painter = Callable[[Frame, int, Box], Sequence[Shape]]
"""Draws one panel: the frame, the slice's index (0 = apex) and the panel's box."""


def slice_sheet(
    stack: LgeStack,
    anatomy: Anatomy,
    painters: Sequence[Painter],
    keys: Sequence[Key],
    foot: str,
    *,
    title: str,
    subtitle: str,
    page_width: float = PAGE_WIDTH,
) -> Drawing:
    """Lay out every slice, apex first, with one panel per painter from left to right.

    Parameters
    ----------
    stack, anatomy
        On the same grid.
    painters : sequence of callable
    keys : sequence of Key
        The legend.
    foot : str
        Below it, wrapped.
    title, subtitle : str
        Wrapped.
    page_width : float
        Width for the panels, mm. Less than an A4 page's gives fewer columns, on a sheet as long as it needs.
    """
    sheet, frame = sheet_for(len(stack.voxels), len(painters), page_width), frame_for(stack, anatomy)
    width = max(sheet.width, min(page_width, 120.0)) + 2 * _MARGIN
    middle, words = width / 2, width - 2 * _MARGIN
    rows = flow(keys, words)
    said = wrap(foot, words, SMALL)
    below = 2.0 + PURPOSE_ROOM + _FOOT_LEADING * len(said) + LEADING * len(rows)
    head = heading(title, subtitle, middle, 0.0, words, _HEAD_LEADING)
    height = below + sheet.height + (2.0 + _HEAD_LEADING * len(head) if head else 0.0) + 1.0
    left, top = (width - sheet.width) / 2, below + sheet.height

    shapes: list[Shape] = []
    for index, level in enumerate(levels(anatomy)):
        x, _, _, y = sheet.box(index, 0, left, top)
        shapes.append(Label(x, y + _CAPTION * 0.42, f"{index + 1}  {level}", 3.0, INK, "left"))
        for which, painter in enumerate(painters):
            shapes += painter(frame, index, sheet.box(index, which, left, top))
    shapes += _orientation_marks(frame, sheet.box(0, 0, left, top))
    shapes += [replace(line, y=line.y + height - 3.6) for line in head]
    shapes += key_rows(rows, middle, below - 3.6)
    y = below - 3.6 - LEADING * len(rows)
    shapes += [Label(middle, y - _FOOT_LEADING * i, line, SMALL, MUTED) for i, line in enumerate(said)]
    shapes.append(purpose_line(middle))
    return Drawing(width, height, tuple(shapes), ", ".join(filter(None, (title, *subtitle.split("\n")))))


def levels(anatomy: Anatomy) -> tuple[str, ...]:
    """Level of each slice by its AHA segments: basal, mid, apical, apex, or "no LV" where there is none."""
    names = []
    for plane in anatomy.aha:
        counts = {name: int(np.isin(plane, list(numbers)).sum()) for numbers, name in LEVELS.items()}
        best = max(counts, key=lambda name: counts[name])
        names.append(best if counts[best] else "no LV")
    return tuple(names)


def _orientation_marks(frame: Frame, box: Box) -> tuple[Shape, ...]:
    """The four walls' names, where the panel has room for them, and a 10 mm bar."""
    left, bottom, right, top = box
    x, y, off = (left + right) / 2, (bottom + top) / 2, _WORD * 0.75
    names = (
        Label(x, top - off, "anterior", _WORD, WHITE, halo=BLACK),
        Label(x, bottom + off, "inferior", _WORD, WHITE, halo=BLACK),
        Label(left + off, y, "septal", _WORD, WHITE, turn=90.0, halo=BLACK),
        Label(right - off, y, "lateral", _WORD, WHITE, turn=-90.0, halo=BLACK),
    )
    start, length = left + 1.6, 10.0 * frame.scale(box)
    bar = points([(start, bottom + 1.6), (start + length, bottom + 1.6)])
    return (
        *(names if right - left >= _NAMED_PANEL else ()),
        Polyline(bar, Stroke(BLACK, 0.9)),
        Polyline(bar, Stroke(WHITE, 0.5)),
        Label(start, bottom + 3.6, "10 mm", 2.2, WHITE, "left", halo=BLACK),
    )


def loops_on_paper(mask: NDArray[np.bool_], frame: Frame, box: Box, smoothing: float = 1.2) -> tuple[Points, ...]:
    """A mask's outlines in paper coordinates; those that leave the panel run along its edge."""
    left, bottom, right, top = box
    placed = (frame.place(loop, box) for loop in outlines(mask, smoothing))
    return tuple(points(np.clip(loop, (left, bottom), (right, top))) for loop in placed)


def lv_outlines(anatomy: Anatomy, frame: Frame, index: int, box: Box) -> tuple[Shape, ...]:
    """Endocardium (an unbroken line) and epicardium (dashed) of one slice."""
    cavity = anatomy.cavity[index]
    endo, epi = loops_on_paper(cavity, frame, box), loops_on_paper(cavity | anatomy.myocardium[index], frame, box)
    # Told apart by the kind of line, because in grey and to colour-blind eyes the colours are alike.
    inner = tuple(Polyline(loop, Stroke(CAVITY, LINE), closed=True) for loop in endo)
    return (*inner, *(dashes(loop, Stroke(MYOCARDIUM, LINE * 1.15)) for loop in epi))
