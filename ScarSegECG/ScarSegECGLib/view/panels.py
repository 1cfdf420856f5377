"""A sheet of slice panels: how many fit a page, what part of the slice each shows, and where a voxel lands on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.view.contours import outlines
from ScarSegECGLib.view.palette import BLACK, CAVITY, INK, MYOCARDIUM, WHITE
from ScarSegECGLib.view.shapes import Box, Label, Points, Polyline, RasterImage, Shape, Stroke, dashes, points

PAGE_WIDTH, PAGE_HEIGHT = 190.0, 250.0
CAPTION = 4.8
_PAIR_GAP, _PANEL_GAP, _ROW_GAP = 3.0, 0.5, 1.2
_PIXELS = 288
_SCREEN_PANEL = 46.0
_NAMED_PANEL = 24.0
LINE = 0.32
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
    def rows(self) -> int:
        """Rows of slices."""
        return -(-self.slices // self.columns)

    @property
    def group(self) -> float:
        """Width of one slice's panels."""
        return self.per_slice * self.panel + (self.per_slice - 1) * _PANEL_GAP

    @property
    def width(self) -> float:
        """Width of all columns."""
        return self.columns * self.group + (self.columns - 1) * _PAIR_GAP

    @property
    def height(self) -> float:
        """Height of all rows."""
        return self.rows * (self.panel + CAPTION + _ROW_GAP) - _ROW_GAP

    def box(self, index: int, which: int, left: float, top: float) -> Box:
        """Panel ``which`` of slice ``index``, the sheet's upper left corner being at (left, top)."""
        row, column = divmod(index, self.columns)
        x = left + column * (self.group + _PAIR_GAP) + which * (self.panel + _PANEL_GAP)
        y = top - row * (self.panel + CAPTION + _ROW_GAP) - CAPTION
        return x, y - self.panel, x + self.panel, y


def sheet_for(slices: int, per_slice: int, largest: float = 62.0, width: float = PAGE_WIDTH) -> Sheet:
    """The sheet with the largest panels that fits an A4 page with its heading and legend.

    A sheet narrower than that page (``width``, mm) is for a screen: it may be as long as it needs, its panels being as
    large as they would be on paper where there is room for that.
    """
    height, largest = (PAGE_HEIGHT, largest) if width >= PAGE_WIDTH else (np.inf, min(largest, _SCREEN_PANEL))

    def panel(columns: int) -> float:
        rows = -(-slices // columns)
        across = (width - (columns - 1) * _PAIR_GAP) / columns - (per_slice - 1) * _PANEL_GAP
        return min(across / per_slice, (height + _ROW_GAP) / rows - CAPTION - _ROW_GAP, largest)

    columns = max(range(1, slices + 1), key=lambda c: (round(panel(c), 6), c))
    return Sheet(slices, per_slice, columns, panel(columns))


@dataclass(frozen=True)
class Frame:
    """What part of the slices the panels show: a square of ``field`` mm round ``centre`` (row mm, column mm)."""

    centre: tuple[float, float]
    field: float
    spacing: tuple[float, float]
    window: tuple[float, float]

    def scale(self, box: Box) -> float:
        """Millimetres on paper for a millimetre in the patient."""
        return (box[2] - box[0]) / self.field

    def place(self, row_column: NDArray[np.float64], box: Box) -> Points:
        """Paper coordinates of (row, column) indices, shape (n, 2)."""
        mm = np.asarray(row_column) * self.spacing - self.centre + self.field / 2
        return points(np.column_stack([box[0] + mm[:, 1] * self.scale(box), box[3] - mm[:, 0] * self.scale(box)]))

    def crop(self, plane: NDArray, order: int = 3) -> NDArray[np.float32]:
        """The framed square of a slice, resampled; the image's own edge value is never repeated outside it."""
        mm = ((np.arange(_PIXELS) + 0.5) / _PIXELS - 0.5) * self.field
        rows, columns = ((c + mm) / s for c, s in zip(self.centre, self.spacing, strict=True))
        grid = np.meshgrid(rows, columns, indexing="ij")
        return map_coordinates(np.asarray(plane, np.float32), grid, order=order, cval=float(np.min(plane)))

    def grey(self, plane: NDArray, box: Box, key: int) -> RasterImage:
        """A slice in grey, windowed."""
        low, high = self.window
        level = np.clip((self.crop(plane) - low) / (high - low), 0.0, 1.0)
        pixels = np.repeat(np.rint(level * 255).astype(np.uint8)[:, :, None], 3, axis=2)
        return RasterImage(box, pixels, key=key)


def frame_for(stack: LgeStack, anatomy: Anatomy, field: float) -> Frame:
    """A square round the LV, the same for every slice, and one window for all of them (1st to 99.7th percentile)."""
    _, row_mm, column_mm = stack.spacing
    _, rows, columns = stack.voxels.shape
    known = anatomy.centres_mm[np.isfinite(anatomy.centres_mm).all(axis=1)]
    middle = np.median(known, axis=0) if len(known) else np.array([(rows - 1) * row_mm, (columns - 1) * column_mm]) / 2
    first = np.maximum(((middle - field / 2) / (row_mm, column_mm)).astype(int), 0)
    last = ((middle + field / 2) / (row_mm, column_mm)).astype(int) + 1
    part = stack.voxels[:, first[0] : last[0], first[1] : last[1]]
    low, high = np.percentile(part if part.size else stack.voxels, (1.0, 99.7))
    window = (float(low), float(high) if high > low else float(low) + 1.0)
    return Frame((float(middle[0]), float(middle[1])), field, (row_mm, column_mm), window)


def levels(anatomy: Anatomy) -> tuple[str, ...]:
    """Level of each slice by its AHA segments: basal, mid, apical, apex, or "no LV" where there is none."""
    names = []
    for plane in anatomy.aha:
        counts = {name: int(np.isin(plane, list(numbers)).sum()) for numbers, name in LEVELS.items()}
        best = max(counts, key=lambda name: counts[name])
        names.append(best if counts[best] else "no LV")
    return tuple(names)


def orientation_marks(frame: Frame, box: Box) -> tuple[Shape, ...]:
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


def caption(index: int, level: str, box: Box) -> Label:
    """Slice number (1 = apex) and level, above a panel."""
    return Label(box[0], box[3] + CAPTION * 0.42, f"{index + 1}  {level}", 3.0, INK, "left")


def loops_on_paper(mask: NDArray[np.bool_], frame: Frame, box: Box, smoothing: float = 1.2) -> tuple[Points, ...]:
    """A mask's outlines in paper coordinates; those that leave the panel run along its edge."""
    left, bottom, right, top = box
    placed = (frame.place(loop, box) for loop in outlines(mask, smoothing))
    return tuple(points(np.clip(loop, (left, bottom), (right, top))) for loop in placed)


def lv_outlines(anatomy: Anatomy, frame: Frame, index: int, box: Box, alpha: float = 1.0) -> tuple[Shape, ...]:
    """Endocardium (an unbroken line) and epicardium (dashed) of one slice."""
    cavity = anatomy.cavity[index]
    endo, epi = loops_on_paper(cavity, frame, box), loops_on_paper(cavity | anatomy.myocardium[index], frame, box)
    # Told apart by the kind of line, because in grey and to colour-blind eyes the colours are alike.
    inner = tuple(Polyline(loop, Stroke(CAVITY, LINE, alpha), closed=True) for loop in endo)
    return (*inner, *(dashes(loop, Stroke(MYOCARDIUM, LINE * 1.15, alpha)) for loop in epi))
