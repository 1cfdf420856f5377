"""Slices as square panels: how many fit a page, what part of the slice each shows, and where a voxel lands on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator
from matplotlib.path import Path
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates

from ScarSegECGLib.anatomy.aha import rings_of
from ScarSegECGLib.anatomy.segments import RING_NAMES
from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.view.shapes import Box, closed

FIELD_MM = 120.0
"""Side of the square shown, centred on the LV."""
CAPTION = 4.8  # room above a panel for it, mm
_PIXELS = 288  # of a panel's side
_PAIR_GAP, _PANEL_GAP, _ROW_GAP = 3.0, 0.5, 1.2
_PAGE_WIDTH, _PAGE_HEIGHT, _LARGEST_PANEL = 190.0, 250.0, 62.0
_SMOOTH_FROM = 12


def panel_boxes(slices: int) -> list[tuple[Box, Box]]:
    """The two panels of each slice, as large as an A4 page with heading and legend allows; rows go down from (0, 0)."""

    def side(columns: int) -> float:
        across = (_PAGE_WIDTH + _PAIR_GAP) / columns - _PAIR_GAP - _PANEL_GAP
        down = (_PAGE_HEIGHT + _ROW_GAP) / -(-slices // columns) - CAPTION - _ROW_GAP
        return min(across / 2, down, _LARGEST_PANEL)

    columns = max(range(1, slices + 1), key=lambda number: (round(side(number), 6), number))
    panel = side(columns)
    boxes = []
    for row, column in (divmod(index, columns) for index in range(slices)):
        x, y = column * (2 * panel + _PANEL_GAP + _PAIR_GAP), -row * (panel + CAPTION + _ROW_GAP) - CAPTION
        first, second = ((at, y - panel, at + panel, y) for at in (x, x + panel + _PANEL_GAP))
        boxes.append((first, second))
    return boxes


@dataclass(frozen=True)
class Frame:
    """What part of the slices the panels show: a square of :data:`FIELD_MM` round ``centre`` (row mm, column mm)."""

    centre: tuple[float, float]
    spacing: tuple[float, float]
    window: tuple[float, float]  # the intensities shown black and white

    def place(self, row_column: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
        """Paper coordinates of (row, column) indices, shape (n, 2), where the square is shown in a box."""
        field = (np.asarray(row_column) * self.spacing - self.centre)[:, ::-1] + FIELD_MM / 2
        return (box[0], box[3]) + field * (1, -1) * (box[2] - box[0]) / FIELD_MM

    def crop(self, plane: NDArray, order: int) -> NDArray[np.float32]:
        """The square of a slice, shape (288, 288); the image's own edge value is never repeated outside it."""
        mm = ((np.arange(_PIXELS) + 0.5) / _PIXELS - 0.5) * FIELD_MM
        grid = np.meshgrid(*((c + mm) / s for c, s in zip(self.centre, self.spacing, strict=True)), indexing="ij")
        return map_coordinates(np.asarray(plane, np.float32), grid, order=order, cval=float(np.min(plane)))

    def grey(self, plane: NDArray) -> NDArray[np.uint8]:
        """The square of a slice, windowed, shape (rows, columns, 3)."""
        low, high = self.window
        level = np.clip((self.crop(plane, 3) - low) / (high - low), 0.0, 1.0)
        return np.repeat(np.rint(255 * level[..., None]).astype(np.uint8), 3, axis=2)

    def outline(self, mask: NDArray[np.bool_], box: Box, smoothing: float = 1.2) -> Path:
        """A mask's outline in paper coordinates; where it leaves the box it runs along its edge."""
        return closed(*(np.clip(self.place(at, box), box[:2], box[2:]) for at in outlines(mask, smoothing)))


def frame_for(stack: LgeStack, anatomy: Anatomy) -> Frame:
    """A square round the LV, the same for every slice, and one window for all of them (1st to 99.7th percentile)."""
    spacing = stack.spacing[1:]
    known = anatomy.centres_mm[np.isfinite(anatomy.centres_mm).all(axis=1)]
    middle = np.median(known, axis=0) if len(known) else (np.array(stack.voxels.shape[1:]) - 1) * spacing / 2
    first = np.maximum(((middle - FIELD_MM / 2) / spacing).astype(int), 0)
    last = ((middle + FIELD_MM / 2) / spacing).astype(int) + 1
    part = stack.voxels[:, first[0] : last[0], first[1] : last[1]]
    low, high = np.percentile(part if part.size else stack.voxels, (1.0, 99.7)).tolist()
    return Frame((float(middle[0]), float(middle[1])), spacing, (low, high if high > low else low + 1.0))


def levels(anatomy: Anatomy) -> tuple[str, ...]:
    """Level of each slice by its AHA segments: basal, mid, apical, apex, or "no LV" where there is none."""
    return tuple(RING_NAMES[ring].lower() if ring >= 0 else "no LV" for ring in rings_of(anatomy))


def outlines(mask: NDArray[np.bool_], smoothing: float = 1.2) -> tuple[NDArray[np.float64], ...]:
    """Closed outlines of a mask, (row, column) loops of shape (n, 2); holes run the other way round.

    They follow the half-way line between pixel centres and are smoothed along their length (``smoothing`` in vertices,
    about half a pixel each) only where they are long enough not to shrink: an island of one pixel is still drawn.
    """
    if not mask.any():
        return ()
    lines = contour_generator(z=np.pad(mask, 1).astype(np.float32), line_type=LineType.Separate).lines(0.5)
    loops = (np.asarray(line)[:-1, ::-1] - 1.0 for line in lines)
    return tuple(
        gaussian_filter1d(loop, smoothing, axis=0, mode="wrap") if smoothing and len(loop) >= _SMOOTH_FROM else loop
        for loop in loops
    )
