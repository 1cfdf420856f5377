"""Every slice, apex to base: the image as it is, and beside it what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import UNSURE
from ScarSegECGLib.case import MVO, SCAR, Anatomy, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import LgeNote, has
from ScarSegECGLib.report.captions import MVO_IN_SCAR, SIDES, SLICES
from ScarSegECGLib.view import palette, shapes
from ScarSegECGLib.view.palette import BLACK, INK, WHITE
from ScarSegECGLib.view.panels import CAPTION, FIELD_MM, Frame, frame_for, grid_for, levels, outlines
from ScarSegECGLib.view.shapes import Drawing, Label, Lines, Polygon, Polyline, RasterImage, Shape, Stroke, points
from ScarSegECGLib.view.sheet import Key, sheet, wall_names

_MARGIN, _LEAST_WIDTH, _NAMED_PANEL = 2.0, 120.0, 24.0
_SCAR_ALPHA, _MARK_SIZE, _WORD, _LETTER = 0.38, 1.7, 2.4, 2.2
_LINE, _DASH, _GAP = 0.32, 0.8, 1.1
# Told apart by the kind of line too, because in grey and to colour-blind eyes the colours are alike.
_ENDO, _EPI = Stroke(palette.CAVITY, _LINE), Stroke(palette.MYOCARDIUM, _LINE * 1.15)
# The dark edge parts scar from blood where print or eye has no colours.
_SCAR_EDGE = Stroke(INK, 2.2 * _LINE), Stroke(palette.SCAR, _LINE)


def montage(stack: LgeStack, labels: LabelArray, anatomy: Anatomy, *, title: str = "", subtitle: str = "") -> Drawing:
    """Lay out all slices, at most 194 mm wide, on an A4 page; ``subtitle`` says how the scar was found.

    Parameters
    ----------
    stack : LgeStack
    labels : uint8 array, shape (slice, row, column)
        3 is scar, 4 MVO, drawn as a part of the scar.
    anatomy : Anatomy
        Its contours are drawn, its segments, where there are any, numbered.

    Raises
    ------
    InputError
        When the arrays are not on one grid.
    """
    for name, array in (("segmentation", labels), ("anatomy", anatomy.aha)):
        if array.shape != stack.voxels.shape:
            raise InputError(f"The {name} is {array.shape}, the image {stack.voxels.shape}: they must share one grid")
    grid, frame = grid_for(len(labels)), frame_for(stack, anatomy)
    width = max(grid.width, _LEAST_WIDTH) + 2 * _MARGIN

    def body(bottom: float) -> Iterator[Shape]:
        corner = (width - grid.width) / 2, bottom + grid.height
        for index, level in enumerate(levels(anatomy)):
            plain, overlaid = grid.boxes(index, *corner)
            grey = np.rint(frame.grey(stack.voxels[index]) * 255).astype(np.uint8)
            yield Label(plain[0], plain[3] + CAPTION * 0.42, f"{index + 1}  {level}", 3.0, INK, "left")
            yield from (RasterImage(box, grey) for box in (plain, overlaid))
            yield from _Overlay(anatomy, index, frame, overlaid).drawn(labels[index])
        yield from _orientation_marks(grid.boxes(0, *corner)[0])

    side = SIDES
    if not stack.orientation_known:
        side = f"orientation assumed: {side}"
    elif has(stack.notes, LgeNote.POSE_DOUBTFUL):
        side = f"orientation unconfirmed: {side}"
    caption, legend = SLICES.format(sides=side), [_keys(anatomy, bool((labels == MVO).any()))]
    return sheet((width, grid.height), body, title=title, subtitle=subtitle, caption=caption, legend=legend)


@dataclass(frozen=True)
class _Overlay:
    """What is drawn over one slice."""

    anatomy: Anatomy
    index: int
    frame: Frame
    box: shapes.Box

    def drawn(self, labels: LabelArray) -> Iterator[Shape]:
        cavity, wall = self.anatomy.cavity[self.index], self.anatomy.myocardium[self.index]
        has_centre = bool(np.isfinite(self.anatomy.centres_mm[self.index]).all())
        scar = self._loops(labels >= SCAR)
        if scar:
            yield Polygon(scar, palette.SCAR, _SCAR_ALPHA)
            yield from _edges(scar, _SCAR_EDGE)
        if has_centre:
            yield from self._segments()
        # Voxel by voxel: these islands are so small that a smoothed outline would lose a third of them.
        mvo = self._loops(labels == MVO, smoothing=0.0)
        if mvo:
            yield from _mvo(Polygon(mvo))
        yield from _edges(self._loops(cavity), (_ENDO,))
        yield from (_dashes(loop, _EPI) for loop in self._loops(cavity | wall))
        if has_centre:
            yield from self._insertions()

    def _loops(self, mask: NDArray[np.bool_], smoothing: float = 1.2) -> tuple[shapes.Points, ...]:
        """A mask's outlines in paper coordinates; those that leave the panel run along its edge."""
        low, high = self.box[:2], self.box[2:]
        placed = (self.frame.place(loop, self.box) for loop in outlines(mask, smoothing))
        return tuple(points(np.clip(loop, low, high)) for loop in placed)

    def _ray(self, degrees: float) -> shapes.Points:
        """A ray's first and last voxel of myocardium, seen from the slice's centre; none where it meets no wall."""
        away = np.arange(0.0, FIELD_MM, 0.25)[:, None] * shapes.around(1.0, degrees)[::-1] * (-1, 1)
        row_column = (self.anatomy.centres_mm[self.index] + away) / self.frame.spacing
        at = np.rint(row_column).astype(int)
        wall = self.anatomy.myocardium[self.index]
        inside = (at >= 0).all(axis=1) & (at < wall.shape).all(axis=1)
        inside[inside] = wall[at[inside, 0], at[inside, 1]]
        hits = np.flatnonzero(inside)
        return self.frame.place(row_column[hits[[0, -1]] if hits.size else hits], self.box)

    def _insertions(self) -> Iterator[Shape]:
        """RV insertion marks just outside the epicardium; hollow where the confidence is low."""
        sure = bool(self.anatomy.insertion_confidence[self.index] >= UNSURE)
        for up, degrees in zip((True, False), self.anatomy.insertions_deg[self.index], strict=True):
            if np.isfinite(degrees) and len(ends := self._ray(degrees)):
                yield from _triangle(up, sure, ends[-1] + shapes.around(0.75 * _MARK_SIZE, degrees))

    def _segments(self) -> Iterator[Shape]:
        """Borders between neighbouring AHA segments as straight radial lines, and the segments' numbers outside."""
        plane = self.anatomy.aha[self.index]
        for number in np.unique(plane[plane > 0]):
            middle = self._direction(np.argwhere(plane == number))
            ends = self._ray(middle)
            if len(ends):
                x, y = (ends[-1] + shapes.around(1.9, middle)).tolist()
                yield Label(x, y, str(number), _LETTER, WHITE, halo=BLACK)
        for at in _borders(plane):
            ends = self._ray(self._direction(at))
            if len(ends):
                yield Polyline(ends, Stroke(WHITE, 0.2, 0.8))

    def _direction(self, row_column: NDArray) -> float:
        """Mean direction of points seen from the slice's centre, degrees in the bullseye's frame."""
        away = row_column * self.frame.spacing - self.anatomy.centres_mm[self.index]
        row, column = (away / np.maximum(np.hypot(*away.T), 1e-9)[:, None]).mean(axis=0)
        return float(np.degrees(np.arctan2(-row, column)))


def _borders(plane: NDArray) -> list[NDArray[np.float64]]:
    """For every two segments that touch the (row, column) points of their border."""
    found: dict[tuple[int, int], list[NDArray]] = {}
    for axis in (0, 1):
        first, second = np.delete(plane, -1, axis), np.delete(plane, 0, axis)
        touch = (first != second) & (first > 0) & (second > 0)
        middle = np.argwhere(touch) + 0.5 * np.eye(2)[axis]
        for one, other, at in zip(first[touch], second[touch], middle, strict=True):
            found.setdefault((min(one, other), max(one, other)), []).append(at)
    return [np.array(at) for at in found.values()]


def _edges(loops: tuple[shapes.Points, ...], strokes: tuple[Stroke, ...]) -> Iterator[Polyline]:
    return (Polyline(loop, stroke, closed=True) for stroke in strokes for loop in loops)


def _dashes(loop: shapes.Points, stroke: Stroke) -> Lines:
    """A closed loop as straight dashes; their ends add half a width."""
    ring = np.vstack([loop, loop[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))])
    count = max(1, round(along[-1] / (_DASH + _GAP)))
    begin = np.arange(count) / count
    ends = along[-1] * np.stack([begin, begin + _DASH / (_DASH + _GAP) / count], axis=1)
    return Lines(np.stack([np.interp(ends, along, ring[:, i]) for i in (0, 1)], axis=-1), stroke)


def _mvo(area: Polygon) -> Iterator[Shape]:
    """White hatch on dark, in a white line with a dark edge; seen in grey as in colour."""
    yield replace(area, fill=INK, alpha=0.55)
    yield shapes.hatch(area, 0.75, Stroke(WHITE, 0.18))
    yield from _edges(area.rings, (Stroke(INK, 0.5), Stroke(WHITE, 0.22)))


def _triangle(up: bool, filled: bool, at: NDArray[np.float64]) -> tuple[Polygon, ...]:
    """A small triangle, pointing up for the anterior insertion; hollow ones get a dark edge under the light one."""
    half = _MARK_SIZE / 2
    corners = (points(at + np.array([(-1, -1), (1, -1), (0, 1)]) * (half, half if up else -half)),)
    colour = palette.ANTERIOR_INSERTION if up else palette.INFERIOR_INSERTION
    if filled:
        return (Polygon(corners, colour, stroke=Stroke(INK, 0.18)),)
    return Polygon(corners, stroke=Stroke(INK, 0.6)), Polygon(corners, stroke=Stroke(colour, 0.28))


def _orientation_marks(box: shapes.Box) -> Iterator[Shape]:
    """The four walls' names, where the panel has room for them, and a 10 mm bar."""
    left, bottom, right, top = box
    if right - left >= _NAMED_PANEL:
        middle, off = ((left + right) / 2, (bottom + top) / 2), (right - left) / 2 - _WORD * 0.75
        yield from wall_names(*middle, off, _WORD, WHITE, BLACK)
    start, length = left + 1.6, 10.0 * (right - left) / FIELD_MM
    bar = points([(start, bottom + 1.6), (start + length, bottom + 1.6)])
    yield from (Polyline(bar, stroke) for stroke in (Stroke(BLACK, 0.9), Stroke(WHITE, 0.5)))
    yield Label(start, bottom + 3.6, "10 mm", _LETTER, WHITE, "left", halo=BLACK)


def _keys(anatomy: Anatomy, with_mvo: bool) -> list[Key]:
    broken = np.array([[(x, 0.0), (x + 0.7, 0.0)] for x in (-1.9, -0.35, 1.2)])
    box = shapes.box_polygon((-1.8, -1.0, 1.8, 1.0))
    scar = replace(box, fill=palette.SCAR, alpha=_SCAR_ALPHA)
    samples: dict[str, tuple[Shape, ...]] = {
        "endocardium": (Polyline(points([(-2.0, 0.0), (2.0, 0.0)]), replace(_ENDO, width=1.3 * _LINE)),),
        "epicardium": (Lines(broken, replace(_EPI, width=1.5 * _LINE)),),
        "scar": (scar, *(replace(box, stroke=stroke) for stroke in _SCAR_EDGE)),
    }
    if with_mvo:
        samples[MVO_IN_SCAR] = (scar, *_mvo(shapes.box_polygon((-1.5, -0.8, 1.5, 0.8))))
    known = np.isfinite(anatomy.insertions_deg).any(axis=1)
    if known.any():
        samples["anterior RV insertion"] = _triangle(True, True, np.zeros(2))
        samples["inferior RV insertion"] = _triangle(False, True, np.zeros(2))
        if (anatomy.insertion_confidence[known] < UNSURE).any():
            samples["hollow: uncertain"] = _triangle(True, False, np.zeros(2))
    # On dark grey, as they are seen on an image.
    ground = shapes.box_polygon((-2.5, -1.5, 2.5, 1.5), fill=palette.IMAGE_GREY)
    return [Key((ground, *sample), 5.0, words) for words, sample in samples.items()]
