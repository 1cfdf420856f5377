"""Every slice, apex to base: the image as it is, and beside it what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from ScarSegECGLib.anatomy.aha import UNSURE
from ScarSegECGLib.anatomy.polar import direction_deg, wrap
from ScarSegECGLib.case import MVO, SCAR, Anatomy, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import LgeNote, has
from ScarSegECGLib.report import captions
from ScarSegECGLib.view import palette, shapes
from ScarSegECGLib.view.palette import BLACK, INK, WHITE
from ScarSegECGLib.view.panels import CAPTION, FIELD_MM, Frame, frame_for, levels, panel_boxes
from ScarSegECGLib.view.shapes import Box, Drawing, Label, Mark, RasterImage, Shape, Stroke, around, closed
from ScarSegECGLib.view.sheet import Key, sheet, wall_names

_MARGIN, _LEAST_WIDTH, _NAMED_PANEL = 2.0, 120.0, 24.0
_SCAR_ALPHA, _MARK_SIZE, _WORD, _LETTER = 0.38, 1.7, 2.4, 2.2
_LINE = 0.32
# Told apart by the kind of line too, because in grey and to colour-blind eyes the colours are alike.
_ENDO, _EPI = Stroke(palette.CAVITY, _LINE), Stroke(palette.MYOCARDIUM, 1.15 * _LINE, dashes=(1.15, 0.75))
# The dark edge parts scar from blood where print or eye has no colours.
_SCAR_EDGE = Stroke(INK, 2.2 * _LINE), Stroke(palette.SCAR, _LINE)


def montage(stack: LgeStack, labels: LabelArray, anatomy: Anatomy, *, title: str = "", subtitle: str = "") -> Drawing:
    """Lay out all slices, at most 194 mm wide, on an A4 page; ``subtitle`` says how the scar was found.

    ``labels``, uint8 of shape (slice, row, column), are 3 for scar and 4 for MVO, drawn as a part of the scar.
    InputError where the arrays do not share one grid.
    """
    for name, array in (("segmentation", labels), ("anatomy", anatomy.aha)):
        if array.shape != stack.voxels.shape:
            raise InputError(f"The {name} is {array.shape}, the image {stack.voxels.shape}: they must share one grid")
    boxes, frame = panel_boxes(len(labels)), frame_for(stack, anatomy)
    body: list[Shape] = []
    for index, (level, (plain, overlaid)) in enumerate(zip(levels(anatomy), boxes, strict=True)):
        grey = frame.grey(stack.voxels[index])
        body.append(Label(plain[0], plain[3] + CAPTION * 0.42, f"{index + 1}  {level}", 3.0, INK, "left"))
        body += (RasterImage(box, grey) for box in (plain, overlaid))
        body += _overlay(anatomy, index, labels[index], frame, overlaid)
    body += _orientation_marks(boxes[0][0])

    doubt = "" if stack.orientation_known else "orientation assumed: "
    if has(stack.notes, LgeNote.POSE_DOUBTFUL):
        doubt = "orientation unconfirmed: "
    caption = captions.SLICES.format(doubt=doubt)
    legend = [_keys(anatomy, bool((labels == MVO).any()))]
    _, low, right, _ = np.array(boxes).reshape(-1, 4).T.tolist()
    aside = max(0.0, _LEAST_WIDTH - max(right)) / 2 + _MARGIN
    box = (-aside, min(low), max(right) + aside, 0.0)
    return sheet(body, box, title=title, subtitle=subtitle, caption=caption, legend=legend)


def _overlay(anatomy: Anatomy, index: int, labels: LabelArray, frame: Frame, box: Box) -> Iterator[Shape]:
    cavity, wall, centre = anatomy.cavity[index], anatomy.myocardium[index], anatomy.centres_mm[index]
    has_centre, scar, mvo = bool(np.isfinite(centre).all()), labels >= SCAR, labels == MVO
    outline = partial(frame.outline, box=box)

    def ray(degrees: float) -> NDArray[np.float64]:
        """A ray's first and last voxel of myocardium, seen from the slice's centre; none where it meets no wall."""
        away = np.arange(0.0, FIELD_MM, 0.25)[:, None] * around(1.0, degrees)[::-1] * (-1, 1)
        row_column = (centre + away) / frame.spacing
        hits = np.flatnonzero(map_coordinates(wall.astype(np.uint8), row_column.T, order=0))
        return frame.place(row_column[hits[[0, -1]] if hits.size else hits], box)

    if scar.any():
        yield from _scar(outline(scar))
    if has_centre:
        yield from _segments(anatomy.aha[index], frame.spacing, centre, ray)
    if mvo.any():  # voxel by voxel: these islands are so small that a smoothed outline would lose a third of them
        yield from _mvo(outline(mvo, smoothing=0.0))
    for mask, stroke in ((cavity, _ENDO), (cavity | wall, _EPI)):
        if mask.any():
            yield Mark(outline(mask), stroke=stroke)
    for up, degrees in zip((True, False), anatomy.insertions_deg[index], strict=True):
        if has_centre and np.isfinite(degrees) and len(ends := ray(degrees)):
            sure = bool(anatomy.insertion_confidence[index] >= UNSURE)
            yield from _triangle(up, sure, ends[-1] + around(0.75 * _MARK_SIZE, degrees))


def _segments(
    plane: LabelArray, spacing: tuple[float, float], centre: NDArray, ray: Callable[[float], NDArray]
) -> Iterator[Shape]:
    """The AHA segments' numbers outside the wall, and a straight radial line where each begins."""
    numbers = np.unique(plane[plane > 0])
    for number in numbers:
        away = np.argwhere(plane == number) * spacing - centre
        middle = float(direction_deg(away.mean(axis=0)))
        begin = middle + float(wrap(direction_deg(away) - middle).min())
        if len(ends := ray(middle)):
            x, y = (ends[-1] + around(1.9, middle)).tolist()
            yield Label(x, y, str(number), _LETTER, WHITE, halo=BLACK)
        if len(numbers) > 1 and len(ends := ray(begin)):
            yield Mark(Path(ends), stroke=Stroke(WHITE, 0.2, 0.8))


def _scar(area: Path) -> tuple[Mark, ...]:
    return Mark(area, palette.SCAR, _SCAR_ALPHA), *(Mark(area, stroke=stroke) for stroke in _SCAR_EDGE)


def _mvo(area: Path) -> tuple[Mark, ...]:
    """White hatch on dark, in a white line with a dark edge; seen in grey as in colour."""
    edges = (Mark(area, stroke=stroke) for stroke in (Stroke(INK, 0.5), Stroke(WHITE, 0.22)))
    return Mark(area, INK, 0.55), shapes.hatch(area, 0.75, Stroke(WHITE, 0.18)), *edges


def _triangle(up: bool, filled: bool, at: ArrayLike = (0.0, 0.0)) -> tuple[Mark, ...]:
    """RV insertion mark, pointing up for the anterior one; a hollow one, not sure, has a dark edge under the light."""
    half = _MARK_SIZE / 2
    corners = closed(np.add(at, np.array([(-1, -1), (1, -1), (0, 1)]) * (half, half if up else -half)))
    colour = palette.ANTERIOR_INSERTION if up else palette.INFERIOR_INSERTION
    if filled:
        return (Mark(corners, colour, stroke=Stroke(INK, 0.18)),)
    return Mark(corners, stroke=Stroke(INK, 0.6)), Mark(corners, stroke=Stroke(colour, 0.28))


def _orientation_marks(box: Box) -> Iterator[Shape]:
    """The four walls' names, where the panel has room for them, and a 10 mm bar."""
    left, bottom, right, top = box
    if right - left >= _NAMED_PANEL:
        middle, off = ((left + right) / 2, (bottom + top) / 2), (right - left) / 2 - _WORD * 0.75
        yield from wall_names(*middle, off, _WORD, WHITE, BLACK)
    start, length = left + 1.6, 10.0 * (right - left) / FIELD_MM
    bar = Path([(start, bottom + 1.6), (start + length, bottom + 1.6)])
    yield from (Mark(bar, stroke=stroke) for stroke in (Stroke(BLACK, 0.9), Stroke(WHITE, 0.5)))
    yield Label(start, bottom + 3.6, "10 mm", _LETTER, WHITE, "left", halo=BLACK)


def _keys(anatomy: Anatomy, with_mvo: bool) -> list[Key]:
    line, scar = Path([(-2.0, 0.0), (2.0, 0.0)]), _scar(shapes.rectangle(-1.8, -1.0, 1.8, 1.0))
    samples: dict[str, tuple[Shape, ...]] = {
        "endocardium": (Mark(line, stroke=replace(_ENDO, width=1.3 * _LINE)),),
        "epicardium": (Mark(line, stroke=replace(_EPI, width=1.5 * _LINE, dashes=(0.9, 0.65))),),
        "scar": scar,
    }
    if with_mvo:
        samples[captions.MVO_IN_SCAR] = (scar[0], *_mvo(shapes.rectangle(-1.5, -0.8, 1.5, 0.8)))
    known = np.isfinite(anatomy.insertions_deg).any(axis=1)
    if known.any():
        samples["anterior RV insertion"] = _triangle(True, True)
        samples["inferior RV insertion"] = _triangle(False, True)
        if (anatomy.insertion_confidence[known] < UNSURE).any():
            samples["hollow: uncertain"] = _triangle(True, False)
    # On dark grey, as they are seen on an image.
    ground = Mark(shapes.rectangle(-2.5, -1.5, 2.5, 1.5), palette.IMAGE_GREY)
    return [Key((ground, *sample), 5.0, words) for words, sample in samples.items()]
